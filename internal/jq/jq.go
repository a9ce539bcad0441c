// Package jq compiles jq programs that strangers wrote and runs them on JSON
// values, bounded in steps, time, memory and outputs.
//
// The language is that of gojq, without what is not for reading: no
// assignments, no environment, no further inputs, no clock. gojq bounds nothing
// by itself, so a program is rewritten before it is compiled (guard.go): what
// could make a large value of a small one is measured first.
package jq

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/itchyny/gojq"
)

// The bounds of one run.
const (
	MaxSource = 4096 // bytes of a program

	maxSteps    = 5_000_000       // instructions
	maxTime     = 2 * time.Second // of the wall clock
	maxNodes    = 200_000         // values in one value that the program makes
	maxText     = 8 << 20         // bytes of text in one such value
	maxDepth    = 500             // nesting of one such value
	maxMade     = 64 << 20        // bytes and values that one run may make in all
	maxScanned  = 32 << 10        // bytes of a text whose matches are listed: gojq takes the square of it
	maxCompared = 10_000_000      // comparisons of one operation
	maxKey      = 1 << 10         // bytes and values of a key to sort or group by
	checkEvery  = 1 << 6          // steps between two looks at the clock
)

// Error is what is wrong with a program's source.
type Error struct {
	Offset  int // in bytes; -1: unknown
	Message string
}

// Error returns the message.
func (e *Error) Error() string { return e.Message }

// Program is a compiled program. Safe for concurrent use.
type Program struct {
	Source string
	query  *gojq.Query
	ready  sync.Pool // of *instance
}

// instance is one compiled copy with the budget that its guards look at.
type instance struct {
	code   *gojq.Code
	budget budget
}

// Compile parses, checks and compiles a program. The error is an *Error.
func Compile(source string) (*Program, error) {
	if len(source) > MaxSource {
		return nil, &Error{-1, fmt.Sprintf("it has %d bytes; the most is %d", len(source), MaxSource)}
	}
	if err := nesting(source); err != nil {
		return nil, err
	}
	q, err := gojq.Parse(source)
	if err != nil {
		if pe, ok := errors.AsType[*gojq.ParseError](err); ok {
			return nil, &Error{pe.Offset, pe.Error()}
		}
		return nil, &Error{-1, err.Error()}
	}
	r := rewriter{}
	r.program(q)
	if r.err != nil {
		return nil, r.err
	}
	p := &Program{Source: source, query: q}
	first, err := p.instance()
	if err != nil {
		return nil, &Error{-1, strings.TrimPrefix(err.Error(), "gojq: ")}
	}
	p.ready.Put(first)
	return p, nil
}

// nesting refuses brackets so deep that the parser or the compiler would suffer.
func nesting(source string) error {
	depth := 0
	for i := range len(source) {
		switch source[i] {
		case '(', '[', '{':
			if depth++; depth > 100 {
				return &Error{i, "nested more than 100 deep"}
			}
		case ')', ']', '}':
			depth--
		}
	}
	return nil
}

func (p *Program) instance() (*instance, error) {
	in := &instance{}
	options := append(in.budget.functions(), gojq.WithEnvironLoader(func() []string { return nil }))
	code, err := gojq.Compile(p.query, options...)
	if err != nil {
		return nil, err
	}
	in.code = code
	return in, nil
}

// Run gives the program's outputs on v, at most most of them, to yield, which
// returns false to end early. v is of the types of encoding/json (numbers as
// float64, int or json.Number) and is not changed; outputs may share parts with
// it. The error says which bound was exceeded or what the program cannot do
// with the value; outputs before it were given.
func (p *Program) Run(v any, most int, yield func(any) bool) error {
	in, _ := p.ready.Get().(*instance)
	if in == nil {
		var err error
		if in, err = p.instance(); err != nil {
			return err
		}
	}
	in.budget.reset()
	iter := in.code.RunWithContext(&in.budget, v)
	for n := 0; ; n++ {
		out, ok := iter.Next()
		if !ok {
			p.ready.Put(in)
			return nil
		}
		if err, ok := out.(error); ok {
			return in.budget.explain(err)
		}
		if n >= most {
			return fmt.Errorf("jq gave more than %d values; those beyond are left out", most)
		}
		if !yield(out) {
			return nil
		}
	}
}

// budget counts what one run uses. It is the run's context: gojq asks it
// before every step whether to go on.
type budget struct {
	steps    int
	made     int
	deadline time.Time
	over     string // the bound that was exceeded
}

func (b *budget) reset() {
	*b = budget{deadline: time.Now().Add(maxTime)}
}

var closed = func() chan struct{} { c := make(chan struct{}); close(c); return c }()

// Done counts a step and is closed when the run has to end.
func (b *budget) Done() <-chan struct{} {
	b.steps++
	switch {
	case b.over != "":
	case b.steps > maxSteps:
		b.over = fmt.Sprintf("jq took more than %d steps", maxSteps)
	case b.steps%checkEvery == 0 && time.Now().After(b.deadline):
		b.over = fmt.Sprintf("jq took longer than %s", maxTime)
	}
	if b.over != "" {
		return closed
	}
	return nil
}

// Err says why Done is closed.
func (b *budget) Err() error {
	if b.over != "" {
		return errors.New(b.over)
	}
	return nil
}

// Deadline returns none: the clock is looked at in Done.
func (b *budget) Deadline() (time.Time, bool) { return time.Time{}, false }

// Value returns nil.
func (b *budget) Value(any) any { return nil }

var _ context.Context = (*budget)(nil)

func (b *budget) explain(err error) error {
	if b.over != "" {
		return errors.New(b.over)
	}
	msg := err.Error()
	if len(msg) > 200 {
		msg = strings.ToValidUTF8(msg[:200], "") + "…"
	}
	return fmt.Errorf("jq: %s", msg)
}
