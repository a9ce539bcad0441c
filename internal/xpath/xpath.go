// Package xpath evaluates XPath 1.0 expressions on the trees of package dom,
// of HTML and of XML pages alike, with bounded cost: an expression of a few
// characters can ask for every pair, triple, … of a page's nodes.
//
// The language and its evaluation are those of antchfx/xpath; this package is
// the tree as that library sees it, and the budget.
package xpath

import (
	"fmt"
	"strings"
	"sync"

	"github.com/antchfx/xpath"

	"shoal/internal/dom"
)

const (
	// MaxSource is the longest expression, in bytes.
	MaxSource = 2000
	// maxMoves is how many moves from node to node one evaluation may make, and
	// maxText how many bytes of text it may read.
	maxMoves, maxText = 30_000_000, 64 << 20
	maxBrackets       = 40
)

// Expr is a compiled expression. Safe for concurrent use.
type Expr struct {
	Source string
	ready  sync.Pool // of *xpath.Expr, which is not safe for concurrent use
}

// Item is one item of a result: a node, an attribute of it, or a value that is
// no node.
type Item struct {
	Node dom.Node // none: Text is a computed value
	// Text is the value of a computed item and of an attribute; elements and
	// texts are read from Node.
	Text string
	// Attr is true for an attribute of Node.
	Attr bool
}

// Compile parses an expression. The error says what is wrong with it.
func Compile(source string) (*Expr, error) {
	if len(source) > MaxSource {
		return nil, fmt.Errorf("it has %d characters; the most is %d", len(source), MaxSource)
	}
	if n := strings.Count(source, "[") + strings.Count(source, "("); n > maxBrackets {
		return nil, fmt.Errorf("it has %d brackets; the most is %d", n, maxBrackets)
	}
	first, err := compile(source)
	if err != nil {
		return nil, err
	}
	e := &Expr{Source: source}
	e.ready.Put(first)
	return e, nil
}

func compile(source string) (e *xpath.Expr, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%v", p)
		}
	}()
	return xpath.Compile(source)
}

// Find evaluates the expression with context as the context node and gives the
// items to yield in the order of the library, which returns false to end early.
// A text, number or truth value is one item; an empty text is none. The error
// says that the evaluation was too dear; items before it were given.
func (e *Expr) Find(context dom.Node, yield func(Item) bool) (err error) {
	x, _ := e.ready.Get().(*xpath.Expr)
	if x == nil {
		if x, err = compile(e.Source); err != nil {
			return err
		}
	}
	b := &budget{moves: maxMoves, text: maxText}
	defer func() {
		switch p := recover().(type) {
		case nil:
			e.ready.Put(x)
		case overBudget:
			err = fmt.Errorf("the XPath %q visits too much of the page; make it more specific", clip(e.Source))
		default:
			err = fmt.Errorf("the XPath %q: %v", clip(e.Source), p)
		}
	}()
	switch v := x.Evaluate(&navigator{doc: context.Document(), cur: context.ID(), attr: -1, budget: b}).(type) {
	case *xpath.NodeIterator:
		for v.MoveNext() {
			if !yield(v.Current().(*navigator).item()) {
				return nil
			}
		}
	case string:
		if v != "" {
			yield(Item{Text: v})
		}
	default:
		yield(Item{Text: fmt.Sprint(v)})
	}
	return nil
}

func clip(s string) string {
	if len(s) <= 60 {
		return s
	}
	return strings.ToValidUTF8(s[:60], "") + "…"
}

type overBudget struct{}

type budget struct{ moves, text int }

func (b *budget) move() {
	if b.moves--; b.moves < 0 {
		panic(overBudget{})
	}
}

func (b *budget) read(n int) {
	if b.text -= n; b.text < 0 {
		panic(overBudget{})
	}
}
