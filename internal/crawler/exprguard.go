package crawler

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/vm/runtime"
)

// The bounds of one evaluation, and of what one template makes.
const (
	maxExprText = 64 << 20      // bytes of text that it makes
	maxExprWork = 1_000_000_000 // steps of searching in texts and lists
	maxTemplate = 16 << 20      // bytes
)

var (
	errExprText = fmt.Errorf("it makes more than %d MB of text", maxExprText>>20)
	errExprWork = errors.New("it looks through too much text")
)

// Budget is what is left to one evaluation. The library counts values alone: a
// text of any length is one of them. So the operators and functions that make
// texts, or search long ones, are told the budget, as the calls that guard puts
// in their place.
type Budget struct{ text, work int }

func newBudget() *Budget { return &Budget{maxExprText, maxExprWork} }

func (b *Budget) make(n int) error {
	if b.text -= n; b.text < 0 {
		return errExprText
	}
	return nil
}

func (b *Budget) look(n int) error {
	if b.work -= n; b.work < 0 {
		return errExprWork
	}
	return nil
}

// fit charges all of v, shared parts as often as they stand in it.
func (b *Budget) fit(v any, times int) error {
	const value = 16 // bytes
	switch v := v.(type) {
	case nil, bool, int, int64, float64:
		return b.make(value)
	case string:
		return b.make(value + len(v)*times)
	case map[string]any:
		for k, x := range v {
			if err := errors.Join(b.make(value+len(k)*times), b.fit(x, times)); err != nil {
				return err
			}
		}
		return nil
	}
	if rv := reflect.ValueOf(v); rv.Kind() == reflect.Slice {
		for i := range rv.Len() {
			if err := b.fit(rv.Index(i).Interface(), times); err != nil {
				return err
			}
		}
	}
	return b.make(value)
}

// guards are the functions that guard calls. Their first argument is the budget.
var guards = []expr.Option{
	expr.Function("_plus", func(p ...any) (any, error) {
		l, ok := p[1].(string)
		r, ok2 := p[2].(string)
		if !ok || !ok2 {
			return runtime.Add(p[1], p[2]), nil
		}
		if err := p[0].(*Budget).make(len(l) + len(r)); err != nil {
			return nil, err
		}
		return l + r, nil
	}, new(func(*Budget, string, string) string), new(func(*Budget, any, any) any)),
	expr.Function("_replace", func(p ...any) (any, error) {
		s, from, to, n := p[1].(string), p[2].(string), p[3].(string), -1
		if len(p) > 4 {
			n = runtime.ToInt(p[4])
		}
		count := strings.Count(s, from)
		if n >= 0 {
			count = min(count, n)
		}
		if err := p[0].(*Budget).make(len(s) + count*len(to)); err != nil {
			return nil, err
		}
		return strings.Replace(s, from, to, n), nil
	}, new(func(*Budget, string, string, string) string), new(func(*Budget, string, string, string, int) string)),
	expr.Function("_join", func(p ...any) (any, error) {
		between := ""
		if len(p) > 2 {
			between = p[2].(string)
		}
		list := reflect.ValueOf(p[1])
		if list.Kind() != reflect.Slice {
			return nil, fmt.Errorf("join needs a list, not %T", p[1])
		}
		parts := make([]string, list.Len())
		for i := range parts {
			s, ok := list.Index(i).Interface().(string)
			if !ok {
				return nil, fmt.Errorf("join needs a list of texts, not of %T", list.Index(i).Interface())
			}
			if err := p[0].(*Budget).make(len(s) + len(between)); err != nil {
				return nil, err
			}
			parts[i] = s
		}
		return strings.Join(parts, between), nil
	}, new(func(*Budget, any) string), new(func(*Budget, any, string) string)),
	// _fit(budget, x, times) is x, of which something times as large is made.
	expr.Function("_fit", func(p ...any) (any, error) { return p[1], p[0].(*Budget).fit(p[1], p[2].(int)) },
		new(func(*Budget, string, int) string), new(func(*Budget, any, int) any)),
	// _scan(budget, x, steps) is x, each part of which takes so many steps.
	expr.Function("_scan", func(p ...any) (any, error) {
		n := 1
		switch v := p[1].(type) {
		case nil:
		case string:
			n = len(v)
		default:
			if rv := reflect.ValueOf(v); rv.Kind() == reflect.Slice || rv.Kind() == reflect.Map {
				n = rv.Len()
			}
		}
		return p[1], p[0].(*Budget).look((n + 1) * p[2].(int))
	}, new(func(*Budget, string, int) string), new(func(*Budget, any, int) any)),
	// _pattern(budget, x) is x, a regular expression of bounded size.
	expr.Function("_pattern", func(p ...any) (any, error) {
		re, err := CompileRegexp(p[1].(string))
		if err == nil && re.Size > maxDynamic {
			err = fmt.Errorf("a regular expression that is not in the definition has at most %d steps, not %d", maxDynamic, re.Size)
		}
		return p[1], err
	}, new(func(*Budget, string) string)),
}

// maxDynamic is how large a computed regular expression may be.
const maxDynamic = 500

// grow are the functions that make something of their arguments, and how much
// larger it may be in memory.
var grow = map[string]int{"upper": 3, "lower": 3, "toJSON": 6, "toBase64": 2, "fromBase64": 1, "fromJSON": 16, "string": 4, "flatten": 1, "concat": 1,
	"split": 16, "splitAfter": 16, "raw": 4, "resolve": 3, "query": 2, "with_query": 3, "at": 1}

// short are the texts that no site makes long.
var short = []string{"url", "request_url", "media_type"}

// guard has a node's cost counted.
func (c *exprCheck) guard(n *ast.Node) {
	switch x := (*n).(type) {
	case *ast.BinaryNode:
		c.guardOperator(n, x)
	case *ast.BuiltinNode:
		c.guardFunction(n, x.Name, x.Arguments)
	case *ast.CallNode:
		if id, ok := x.Callee.(*ast.IdentifierNode); ok {
			c.guardFunction(n, id.Value, x.Arguments)
		}
	}
}

func (c *exprCheck) guardOperator(n *ast.Node, x *ast.BinaryNode) {
	switch x.Operator {
	case "+":
		if !isNumber(x.Left) && !isNumber(x.Right) {
			c.replace(n, "_plus", x.Left, x.Right)
		}
	case "matches":
		steps := maxDynamic
		if s, ok := x.Right.(*ast.StringNode); ok {
			re, err := CompileRegexp(s.Value)
			if err != nil {
				c.fail(x.Right, "%v", err)
				return
			}
			steps = re.Size
		} else {
			c.replace(&x.Right, "_pattern", x.Right)
		}
		if id, ok := x.Left.(*ast.IdentifierNode); !ok || !slices.Contains(short, id.Value) {
			c.replace(&x.Left, "_scan", x.Left, &ast.IntegerNode{Value: steps})
		}
	}
}

func (c *exprCheck) guardFunction(n *ast.Node, name string, args []ast.Node) {
	switch name {
	case "replace", "join":
		c.replace(n, "_"+name, args...)
	case "uniq":
		c.replace(&args[0], "_scan", args[0], &ast.IntegerNode{Value: 100_000}) // it compares each with each
	default:
		if times := grow[name]; times > 0 {
			for i := range args {
				c.replace(&args[i], "_fit", args[i], &ast.IntegerNode{Value: times})
			}
		}
	}
}

// guardLoop has what is searched at each turn of a loop counted.
func (c *exprCheck) guardLoop(p *ast.PredicateNode) { ast.Walk(&p.Node, searches{c}) }

// searches counts the searches below a node.
type searches struct{ *exprCheck }

// Visit is called for every node.
func (s searches) Visit(n *ast.Node) {
	one := func() ast.Node { return &ast.IntegerNode{Value: 1} }
	switch x := (*n).(type) {
	case *ast.BinaryNode:
		switch x.Operator {
		case "contains", "startsWith", "endsWith", "==", "!=", "<", ">", "<=", ">=":
			s.replace(&x.Left, "_scan", x.Left, one())
		case "in":
			s.replace(&x.Right, "_scan", x.Right, one())
		case "matches":
			if id, ok := x.Left.(*ast.IdentifierNode); ok {
				s.replace(&x.Left, "_scan", id, &ast.IntegerNode{Value: maxDynamic})
			}
		}
	case *ast.BuiltinNode:
		if len(x.Arguments) > 0 && slices.Contains([]string{"indexOf", "lastIndexOf", "trim", "trimPrefix", "trimSuffix"}, x.Name) {
			s.replace(&x.Arguments[0], "_scan", x.Arguments[0], one())
		}
	}
}

// replace puts a call of a guard in a node's place.
func (c *exprCheck) replace(n *ast.Node, name string, args ...ast.Node) {
	c.uses.Budget = true
	all := append([]ast.Node{&ast.IdentifierNode{Value: "_budget"}}, args...)
	ast.Patch(n, &ast.CallNode{Callee: &ast.IdentifierNode{Value: name}, Arguments: all})
}

func isNumber(n ast.Node) bool {
	t := n.Type()
	if t == nil {
		return false
	}
	k := t.Kind()
	return k >= reflect.Int && k <= reflect.Float64
}
