package crawler

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/token"
)

// Change is a new value for what a recorded test expects.
type Change struct {
	Line  int    // of the test: Test.Line
	Row   int    // from 1; 0: a bound of rows, Field being "min" or "max"
	Field string // of the row
	Value string // JSON
}

// UpdateTests returns the definition src with changed expectations, everything
// else left as it stands, and the changes that it could not make: those whose
// old value is no plain scalar, or is not there. An error means that src cannot
// be read.
func UpdateTests(file string, src []byte, changes []Change) (out []byte, left []Change, err error) {
	root, problems := parseYAML(file, src)
	if len(problems) > 0 {
		return nil, nil, problems
	}
	spans := scalarSpans(string(src))
	var edits []edit
	for _, c := range changes {
		var spot []at
		for _, test := range items(get(root, "tests")) {
			if test.line == c.Line {
				spot = expectedAt(test, c)
			}
		}
		found := false
		for _, p := range spot {
			if s, ok := spans[p]; ok {
				edits = append(edits, edit{s.from, s.to, c.Value})
				found = true
			}
		}
		if !found {
			left = append(left, c)
		}
	}
	return apply(src, edits), left, nil
}

// expectedAt returns the places of the values that a change is about.
func expectedAt(test *node, c Change) []at {
	rows := get(test, "rows")
	if c.Row == 0 {
		return placesOf(get(rows, c.Field))
	}
	var out []at
	for _, name := range []string{c.Field, strings.TrimPrefix(c.Field, "result_")} {
		if c.Row == 1 {
			out = append(out, placesOf(get(get(rows, "first"), name))...)
		}
		if all := items(get(rows, "all")); c.Row <= len(all) {
			out = append(out, placesOf(get(all[c.Row-1], name))...)
		}
		if len(out) > 0 {
			break
		}
	}
	return out
}

func placesOf(n *node) []at {
	if n == nil {
		return nil
	}
	return []at{n.at}
}

// get returns the value under a key of a mapping, or nil.
func get(n *node, key string) *node {
	if n == nil {
		return nil
	}
	pairs, _ := n.value.([]pair)
	for _, p := range pairs {
		if p.key == key {
			return p.val
		}
	}
	return nil
}

func items(n *node) []*node {
	if n == nil {
		return nil
	}
	list, _ := n.value.([]*node)
	return list
}

type extent struct{ from, to int }

type edit struct {
	from, to int
	text     string
}

// scalarSpans finds where each scalar on one line stands in the source, by its place.
func scalarSpans(src string) map[at]extent {
	starts := []int{0}
	for i, c := range src {
		if c == '\n' {
			starts = append(starts, i+1)
		}
	}
	out := map[at]extent{}
	for _, t := range lexer.Tokenize(src) {
		p := at{t.Position.Line, t.Position.Column}
		text := strings.TrimSpace(t.Origin)
		if !isScalar(t) || text == "" || strings.Contains(text, "\n") || p.line < 1 || p.line > len(starts) {
			continue
		}
		from := starts[p.line-1] + columnOffset(src[starts[p.line-1]:], p.col)
		if strings.HasPrefix(src[from:], text) {
			out[p] = extent{from, from + len(text)}
		}
	}
	return out
}

// columnOffset is the byte offset of a column, which counts characters.
func columnOffset(line string, col int) int {
	n := 1
	for i := range line {
		if n == col {
			return i
		}
		n++
	}
	return len(line)
}

func isScalar(t *token.Token) bool {
	switch t.Type {
	case token.StringType, token.SingleQuoteType, token.DoubleQuoteType, token.IntegerType, token.FloatType, token.BoolType,
		token.NullType, token.InfinityType, token.NanType, token.OctetIntegerType, token.HexIntegerType, token.BinaryIntegerType:
		return true
	}
	return false
}

// apply makes the edits, the last ones first, so that offsets stay right.
func apply(src []byte, edits []edit) []byte {
	slices.SortFunc(edits, func(a, b edit) int { return cmp.Compare(b.from, a.from) })
	out := string(src)
	for _, e := range edits {
		out = out[:e.from] + e.text + out[e.to:]
	}
	return []byte(out)
}

// String names the expectation.
func (c Change) String() string {
	if c.Row == 0 {
		return "rows." + c.Field
	}
	return fmt.Sprintf("row %d, %s", c.Row, c.Field)
}
