package jq

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"unicode/utf8"

	"github.com/itchyny/gojq"
)

// The guards are functions that a rewritten program calls; names with an
// underscore cannot be called by the program itself.
const (
	guardSize    = "_size"    // . as it is, if it is not too large
	guardText    = "_text"    // . as it is, if it is short enough to search in
	guardTested  = "_tested"  // . as it is, if it is short enough for test
	guardPattern = "_pattern" // . as it is, if it is a small regular expression
	guardKey     = "_key"     // . as it is, if it is small enough to sort by
	guardIndex   = "_scalar"  // . as it is, if it is no list
	guardPair    = "_pair"    // . as it is, if comparing it with the argument is not too dear
	guardAdd     = "_plus2"   // the operator +
	guardTimes   = "_times2"  // the operator *
	guardMinus   = "_minus2"  // the operator -
	guardJoin    = "_join2"   // join(text)
	guardFlipped = "_flipped" // transpose
)

// functions returns the guards bound to b.
func (b *budget) functions() []gojq.CompilerOption {
	self := func(name string, f func(any) error) gojq.CompilerOption {
		return gojq.WithFunction(name, 0, 0, func(v any, _ []any) any {
			if err := f(v); err != nil {
				return err
			}
			return v
		})
	}
	binary := func(name string, f func(l, r any) any) gojq.CompilerOption {
		return gojq.WithFunction(name, 2, 2, func(_ any, args []any) any { return f(args[0], args[1]) })
	}
	return []gojq.CompilerOption{
		self(guardSize, b.size),
		self(guardText, func(v any) error {
			if s, ok := v.(string); ok && len(s) > maxScanned {
				return fmt.Errorf("matches are listed in texts of at most %d KB", maxScanned>>10)
			}
			return nil
		}),
		self(guardTested, tested),
		self(guardPattern, pattern),
		self(guardKey, func(v any) error {
			m := measure{nodes: maxKey, text: maxKey}
			m.visit(v, 0)
			return m.fail("a key to sort or group by")
		}),
		self(guardIndex, func(v any) error {
			if _, list := v.([]any); list {
				return errors.New("an index is a name or a number, not a list")
			}
			return nil
		}),
		gojq.WithFunction(guardPair, 1, 1, func(v any, args []any) any {
			if err := pair(v, args[0]); err != nil {
				return err
			}
			return v
		}),
		binary(guardAdd, b.add),
		binary(guardTimes, b.times),
		binary(guardMinus, b.minus),
		gojq.WithFunction(guardJoin, 1, 1, func(v any, args []any) any { return b.join(v, args[0]) }),
		gojq.WithFunction(guardFlipped, 0, 0, func(v any, _ []any) any { return b.transpose(v) }),
	}
}

// measure walks a value until it is larger than allowed. Shared parts count
// each time, as they would when the value is written down.
type measure struct {
	nodes, text int // what is left
	deep        bool
}

func (m *measure) visit(v any, depth int) {
	if m.nodes--; m.nodes < 0 || m.text < 0 || m.deep {
		return
	}
	if depth > maxDepth {
		m.deep = true
		return
	}
	switch v := v.(type) {
	case string:
		m.text -= len(v)
	case []any:
		for _, x := range v {
			if m.visit(x, depth+1); m.nodes < 0 {
				return
			}
		}
	case map[string]any:
		for k, x := range v {
			m.text -= len(k)
			if m.visit(x, depth+1); m.nodes < 0 {
				return
			}
		}
	}
}

func (m *measure) fail(what string) error {
	switch {
	case m.deep:
		return fmt.Errorf("%s is nested more than %d deep", what, maxDepth)
	case m.nodes < 0 || m.text < 0:
		return fmt.Errorf("%s is too large", what)
	}
	return nil
}

// size charges a value that the program made to the run.
func (b *budget) size(v any) error {
	m := measure{nodes: maxNodes, text: maxText}
	m.visit(v, 0)
	b.charge((maxNodes - m.nodes) + (maxText - m.text))
	return m.fail("a value that the program makes")
}

func (b *budget) charge(n int) {
	if b.made += n; b.made > maxMade && b.over == "" {
		b.over = "jq made too much data"
	}
}

// pair refuses comparisons of every part of v with every part of w.
func pair(v, w any) error {
	if v, w := nodesOf(v), nodesOf(w); v*w > maxCompared {
		return fmt.Errorf("comparing %d with %d values is too dear", v, w)
	}
	return nil
}

func nodesOf(v any) int {
	m := measure{nodes: maxNodes, text: maxText}
	m.visit(v, 0)
	return maxNodes - m.nodes
}

// evaluate lets gojq do an operator on two values.
func evaluate(q *gojq.Code, l, r any) any {
	out, _ := q.Run(nil, l, r).Next()
	return out
}

func operator(op string) *gojq.Code {
	q, err := gojq.Parse("$l " + op + " $r")
	if err != nil {
		panic(err) // a constant
	}
	code, err := gojq.Compile(q, gojq.WithVariables([]string{"$l", "$r"}))
	if err != nil {
		panic(err)
	}
	return code
}

var plus, minus, times = operator("+"), operator("-"), operator("*")

func (b *budget) add(l, r any) any {
	switch x := l.(type) {
	case int:
		if y, ok := r.(int); ok && (x+y > x) == (y > 0) {
			return x + y
		}
	case float64:
		if y, ok := r.(float64); ok {
			return x + y
		}
	case string:
		if y, ok := r.(string); ok {
			if len(x)+len(y) > maxText {
				return errors.New("a text that the program makes is too large")
			}
			b.charge(len(x) + len(y))
			return x + y
		}
	}
	return b.sized(evaluate(plus, l, r))
}

func (b *budget) sized(v any) any {
	switch v := v.(type) {
	case error:
		return v
	case *big.Int:
		return small(v)
	}
	if err := b.size(v); err != nil {
		return err
	}
	return v
}

// small keeps whole numbers from growing without end.
func small(n *big.Int) any {
	if n.BitLen() <= 256 {
		return n
	}
	f, _ := new(big.Float).SetInt(n).Float64()
	return f
}

func (b *budget) minus(l, r any) any {
	if err := pair(l, r); err != nil {
		return err
	}
	return b.sized(evaluate(minus, l, r))
}

func (b *budget) times(l, r any) any {
	text, ok := l.(string)
	count := r
	if !ok {
		text, ok = r.(string)
		count = l
	}
	if ok {
		if n, ok := asFloat(count); ok && n*float64(len(text)) > maxText {
			return errors.New("a text that the program makes is too large")
		}
	}
	return b.sized(evaluate(times, l, r))
}

func asFloat(v any) (float64, bool) {
	switch v := v.(type) {
	case int:
		return float64(v), true
	case float64:
		return v, true
	case *big.Int:
		f, _ := new(big.Float).SetInt(v).Float64()
		return f, true
	case json.Number:
		f, err := v.Float64()
		return f, err == nil
	}
	return 0, false
}

// join is jq's join(text) with its size known before it is made.
func (b *budget) join(v, sep any) any {
	list, ok := v.([]any)
	if !ok {
		return fmt.Errorf("cannot join %s: it is no list", typeOf(v))
	}
	between, ok := sep.(string)
	if !ok {
		return fmt.Errorf("cannot join with %s: it is no text", typeOf(sep))
	}
	size := 0
	parts := make([]string, 0, min(len(list), maxNodes))
	for _, x := range list {
		var s string
		switch x := x.(type) {
		case nil:
		case string:
			s = x
		case bool, int, float64, json.Number, *big.Int:
			s = gojq.Preview(x)
		default:
			return fmt.Errorf("cannot join %s; make texts of the items first", typeOf(x))
		}
		if size += len(s) + len(between); size > maxText {
			return errors.New("a text that the program makes is too large")
		}
		parts = append(parts, s)
	}
	b.charge(size)
	return strings.Join(parts, between)
}

func typeOf(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case string:
		return "a text"
	case bool:
		return "true or false"
	case []any:
		return "a list"
	case map[string]any:
		return "an object"
	}
	return "a number"
}

// transpose is jq's transpose with its size known before it is made.
func (b *budget) transpose(v any) any {
	rows, ok := v.([]any)
	if !ok {
		return fmt.Errorf("cannot transpose %s: it is no list of lists", typeOf(v))
	}
	columns := 0
	for _, row := range rows {
		list, ok := row.([]any)
		if !ok {
			return fmt.Errorf("cannot transpose a list with %s in it: it is no list of lists", typeOf(row))
		}
		columns = max(columns, len(list))
	}
	if columns*max(1, len(rows)) > maxNodes {
		return errors.New("a value that the program makes is too large")
	}
	out := make([]any, columns)
	for i := range out {
		column := make([]any, len(rows))
		for j, row := range rows {
			if list := row.([]any); i < len(list) {
				column[j] = list[i]
			}
		}
		out[i] = column
	}
	return b.sized(out)
}

// clip shortens a name for a message.
func clip(s string) string {
	if len(s) <= 40 {
		return s
	}
	s = s[:40]
	for !utf8.ValidString(s) {
		s = s[:len(s)-1]
	}
	return s + "…"
}
