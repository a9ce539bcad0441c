package crawler

import (
	"errors"
	"fmt"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

const (
	maxDefinition = 1 << 20 // bytes of a definition
	maxTokens     = 100_000
	maxNesting    = 40
)

// at is a place in the definition, both counted from 1; zero: nowhere.
type at struct{ line, col int }

// node is a YAML or JSON value with its place: the one shape that the decoder
// reads, whatever the parser's tree looks like.
type node struct {
	at
	value any // nil, bool, int64, float64, string, []*node or []pair
}

// pair is a key of a mapping with its value.
type pair struct {
	at
	key string
	val *node
}

// parseYAML returns the definition's tree. Everything that could make a small
// file dear is refused first: the parser recurses, and aliases multiply.
func parseYAML(file string, src []byte) (*node, Problems) {
	fail := func(p at, format string, args ...any) Problems {
		return Problems{{File: file, Line: p.line, Column: p.col, Message: fmt.Sprintf(format, args...)}}
	}
	if len(src) > maxDefinition {
		return nil, fail(at{}, "the definition has %d bytes; the most is %d: move recorded data to files beside it", len(src), maxDefinition)
	}
	if p, msg := tooDeepBytes(src); msg != "" {
		return nil, fail(p, "%s", msg)
	}
	tokens := lexer.Tokenize(string(src))
	if p, msg := hostile(tokens); msg != "" {
		return nil, fail(p, "%s", msg)
	}
	tree, err := parser.Parse(tokens, 0)
	if err != nil {
		p, msg := syntaxError(err)
		return nil, fail(p, "not valid YAML: %s", msg)
	}
	if len(tree.Docs) == 0 || tree.Docs[0].Body == nil {
		return nil, fail(at{}, "the definition is empty; it needs at least slug, name, start and pages")
	}
	if len(tree.Docs) > 1 {
		return nil, fail(placeOf(tree.Docs[1].Body), "a second document begins here; a file holds one crawler")
	}
	c := converter{file: file}
	root := c.convert(tree.Docs[0].Body, 0)
	return root, c.problems
}

// tooDeepBytes refuses nesting that would cost the lexer itself.
func tooDeepBytes(src []byte) (at, string) {
	line, run := 1, 0
	for _, b := range src {
		switch b {
		case '\n':
			line++
			run = 0
		case '[', '{', '-', '?', '!', '&', ':', ' ', '\t':
			if b != ' ' && b != '\t' {
				run++
			}
			if run > 400 {
				return at{line, 1}, "hundreds of structural characters in a row; a definition never needs them"
			}
		default:
			run = 0
		}
	}
	return at{}, ""
}

func hostile(tokens token.Tokens) (at, string) {
	if len(tokens) > maxTokens {
		return at{}, fmt.Sprintf("the definition has %d parts; the most is %d", len(tokens), maxTokens)
	}
	depth, run := 0, 0
	for _, t := range tokens {
		p := at{t.Position.Line, t.Position.Column}
		switch t.Type {
		case token.AnchorType, token.AliasType, token.MergeKeyType:
			return p, "anchors, aliases and merge keys are not supported; write the value out"
		case token.TagType:
			return p, "YAML tags (!…) are not supported; quote the value if it begins with an exclamation mark"
		case token.MappingStartType, token.SequenceStartType:
			depth++
			run++
		case token.MappingEndType, token.SequenceEndType:
			depth--
			run = 0
		case token.SequenceEntryType, token.MappingKeyType:
			run++
		default:
			run = 0
		}
		if depth > maxNesting || run > maxNesting {
			return p, fmt.Sprintf("nested more than %d deep; a definition never needs that", maxNesting)
		}
	}
	return at{}, ""
}

func syntaxError(err error) (at, string) {
	if se, ok := errors.AsType[*yaml.SyntaxError](err); ok && se.Token != nil && se.Token.Position != nil {
		return at{se.Token.Position.Line, se.Token.Position.Column}, se.Message
	}
	line, _, _ := strings.Cut(err.Error(), "\n")
	return at{}, line
}

func placeOf(n ast.Node) at {
	if n == nil || n.GetToken() == nil || n.GetToken().Position == nil {
		return at{}
	}
	p := n.GetToken().Position
	return at{p.Line, p.Column}
}

// converter turns the parser's tree into nodes.
type converter struct {
	file     string
	problems Problems
}

func (c *converter) fail(p at, format string, args ...any) {
	c.problems = append(c.problems, Problem{c.file, p.line, p.col, fmt.Sprintf(format, args...)})
}

func (c *converter) convert(n ast.Node, depth int) *node {
	p := placeOf(n)
	if depth > maxNesting {
		c.fail(p, "nested more than %d deep; a definition never needs that", maxNesting)
		return &node{at: p}
	}
	switch n := n.(type) {
	case *ast.MappingNode:
		return c.mapping(p, n.Values, depth)
	case *ast.MappingValueNode:
		return c.mapping(p, []*ast.MappingValueNode{n}, depth)
	case *ast.SequenceNode:
		items := make([]*node, len(n.Values))
		for i, v := range n.Values {
			items[i] = c.convert(v, depth+1)
		}
		return &node{p, items}
	case *ast.StringNode:
		return &node{p, n.Value}
	case *ast.LiteralNode:
		return &node{p, n.Value.Value}
	case *ast.BoolNode:
		return &node{p, n.Value}
	case *ast.IntegerNode:
		return &node{p, integer(n.Value)}
	case *ast.FloatNode:
		return &node{p, n.Value}
	case *ast.NullNode, nil:
		return &node{p, nil}
	}
	c.fail(p, "%s is not supported here; write a plain value, a list or a mapping", n.Type())
	return &node{at: p}
}

func integer(v any) any {
	switch v := v.(type) {
	case int64:
		return v
	case uint64:
		if v <= 1<<63-1 {
			return int64(v)
		}
		return float64(v)
	}
	return v
}

func (c *converter) mapping(p at, values []*ast.MappingValueNode, depth int) *node {
	pairs := make([]pair, 0, len(values))
	seen := make(map[string]at, len(values))
	for i, v := range values {
		kp := placeOf(v.Key)
		if i == 0 {
			p = kp
		}
		key := keyText(v.Key)
		if first, dup := seen[key]; dup {
			c.fail(kp, "the key %q was already given on line %d; keep one of them", key, first.line)
			continue
		}
		seen[key] = kp
		val := c.convert(v.Value, depth+1)
		if val.line == 0 {
			val.at = kp
		}
		pairs = append(pairs, pair{kp, key, val})
	}
	return &node{p, pairs}
}

// keyText is the key as a string: numbers and booleans keep their spelling.
func keyText(k ast.MapKeyNode) string {
	if s, ok := k.(*ast.StringNode); ok {
		return s.Value
	}
	if k.GetToken() != nil {
		return k.GetToken().Value
	}
	return k.String()
}
