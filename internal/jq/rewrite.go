package jq

import (
	"fmt"
	"slices"
	"strings"

	"github.com/itchyny/gojq"
)

// How a builtin function is called.
type use int

const (
	asIs     use = iota + 1 // it makes nothing larger than what it was given
	measured                // what it gives is measured
	regex                   // it lists matches: the text is measured first, and what it gives
	byKey                   // it compares keys, which are measured
	tests                   // it looks for a match in a text, which is measured
	crossed                 // it compares everything with everything
)

// builtins are the functions that a program may call. What is not here either
// changes values in place, looks at the world, or is new: gojq's list may grow.
var builtins = func() map[string]use {
	m := map[string]use{}
	enter := func(u use, names string) {
		for name := range strings.FieldsSeq(names) {
			m[name] = u
		}
	}
	enter(asIs, `empty error not select length utf8bytelength keys has in first last nth recurse values nulls strings
		numbers booleans arrays objects iterables scalars finites normals tonumber toboolean type any all isempty startswith
		endswith ltrimstr rtrimstr trimstr ltrim rtrim trim ascii_downcase ascii_upcase path paths getpath limit skip until while
		repeat range min max sort reverse unique del abs floor round ceil trunc sqrt pow log log2 log10 exp exp2 exp10 fabs
		infinite nan isinfinite isnan isfinite isnormal IN bsearch gmtime mktime strptime strftime todate fromdate
		fromdateiso8601 todateiso8601 significand logb ldexp scalb frexp modf fmin fmax fma fmod drem`)
	enter(measured, `map map_values to_entries from_entries with_entries walk flatten tojson tostring implode explode
		tostream truncate_stream combinations fromjson INDEX JOIN`)
	enter(regex, `match capture scan split splits sub gsub`)
	enter(byKey, `sort_by group_by unique_by min_by max_by`)
	enter(tests, `test`)
	enter(crossed, `contains inside indices index rindex`)
	return m
}()

// refused says why some functions are missing.
var refused = map[string]string{
	"env": "a definition cannot read the environment", "$ENV": "a definition cannot read the environment",
	"input": "there is one input, the page", "inputs": "there is one input, the page",
	"debug": "it would write to the server's log", "stderr": "it would write to the server's log",
	"$__loc__": "it says nothing about the page", "now": "reading a page knows no clock", "localtime": "reading a page knows no clock",
	"strflocaltime": "reading a page knows no clock", "halt": "it would end more than the program", "halt_error": "it would end more than the program",
	"setpath": "values are not changed; build the object anew", "pick": "values are not changed; build the object anew",
	"fromstream": "values are not changed; build the object anew", "delpaths": "use del",
}

// rewriter puts the guards into a program.
type rewriter struct {
	defined []string // the program's own functions and their parameters
	err     error
}

func (r *rewriter) fail(format string, args ...any) {
	if r.err == nil {
		r.err = &Error{-1, fmt.Sprintf(format, args...)}
	}
}

func (r *rewriter) program(q *gojq.Query) {
	if len(q.Imports) > 0 || q.Meta != nil {
		r.fail("modules cannot be imported")
		return
	}
	r.query(q)
}

func call(name string, args ...*gojq.Query) *gojq.Term {
	return &gojq.Term{Type: gojq.TermTypeFunc, Func: &gojq.Func{Name: name, Args: args}}
}

func query(t *gojq.Term) *gojq.Query { return &gojq.Query{Term: t} }

func pipe(l, r *gojq.Query) *gojq.Query {
	return &gojq.Query{Left: l, Op: gojq.OpPipe, Right: r}
}

func (r *rewriter) query(q *gojq.Query) {
	if q == nil || r.err != nil {
		return
	}
	for _, fd := range q.FuncDefs {
		r.define(fd.Name)
		for _, name := range fd.Args {
			r.define(name)
		}
		r.query(fd.Body)
	}
	if q.Term != nil {
		r.term(q.Term)
		return
	}
	r.query(q.Left)
	r.query(q.Right)
	r.patterns(q.Patterns)
	switch q.Op {
	case gojq.OpAdd:
		*q = gojq.Query{FuncDefs: q.FuncDefs, Term: call(guardAdd, q.Left, q.Right)}
	case gojq.OpMul:
		*q = gojq.Query{FuncDefs: q.FuncDefs, Term: call(guardTimes, q.Left, q.Right)}
	case gojq.OpSub:
		*q = gojq.Query{FuncDefs: q.FuncDefs, Term: call(guardMinus, q.Left, q.Right)}
	case gojq.OpAssign, gojq.OpModify, gojq.OpUpdateAdd, gojq.OpUpdateSub, gojq.OpUpdateMul, gojq.OpUpdateDiv, gojq.OpUpdateMod, gojq.OpUpdateAlt:
		r.fail("assignments (%s) are not supported: values are read, not changed; build the object anew, such as {name, price: (.price | tonumber)}", q.Op)
	}
}

// define enters a function of the program or a parameter. A name of gojq's own
// could be used elsewhere with gojq's meaning, past the guards.
func (r *rewriter) define(name string) {
	_, without := refused[name]
	_, have := builtins[name]
	if have || without || unguarded[name] || strings.HasPrefix(name, "_") {
		r.fail("the name %s is taken; give the function or its parameter another one", clip(name))
	}
	r.defined = append(r.defined, name)
}

// unguarded are the functions that get guards of their own.
var unguarded = map[string]bool{"add": true, "join": true, "transpose": true}

func (r *rewriter) patterns(list []*gojq.Pattern) {
	for _, p := range list {
		r.patterns(p.Array)
		for _, o := range p.Object {
			o.KeyString, o.KeyQuery = r.key(o.KeyString, o.KeyQuery)
			if o.Val != nil {
				r.patterns([]*gojq.Pattern{o.Val})
			}
		}
	}
}

// key rewrites a key; a text with values in it becomes a query.
func (r *rewriter) key(s *gojq.String, q *gojq.Query) (*gojq.String, *gojq.Query) {
	if s != nil && len(s.Queries) > 0 {
		s, q = nil, query(&gojq.Term{Type: gojq.TermTypeString, Str: s})
	}
	r.query(q)
	return s, q
}

func (r *rewriter) term(t *gojq.Term) {
	for _, s := range t.SuffixList {
		r.index(s.Index)
	}
	switch t.Type {
	case gojq.TermTypeIndex:
		r.index(t.Index)
	case gojq.TermTypeFunc:
		r.function(t)
	case gojq.TermTypeObject:
		r.object(t.Object)
		measureTerm(t)
	case gojq.TermTypeArray:
		r.query(t.Array.Query)
		measureTerm(t)
	case gojq.TermTypeUnary:
		r.term(t.Unary.Term)
	case gojq.TermTypeFormat:
		if t.Str == nil {
			measureTerm(t)
		} else {
			r.interpolation(t, t.Str, query(&gojq.Term{Type: gojq.TermTypeFormat, Format: t.Format}))
		}
	case gojq.TermTypeString:
		r.interpolation(t, t.Str, query(call("tostring")))
	case gojq.TermTypeIf:
		r.conditional(t.If)
	case gojq.TermTypeTry:
		r.query(t.Try.Body)
		r.query(t.Try.Catch)
	case gojq.TermTypeReduce:
		r.query(t.Reduce.Query)
		r.patterns(t.Reduce.Patterns)
		r.query(t.Reduce.Start)
		r.query(t.Reduce.Update)
	case gojq.TermTypeForeach:
		r.query(t.Foreach.Query)
		r.patterns(t.Foreach.Patterns)
		r.query(t.Foreach.Start)
		r.query(t.Foreach.Update)
		r.query(t.Foreach.Extract)
	case gojq.TermTypeLabel:
		r.query(t.Label.Body)
	case gojq.TermTypeQuery:
		r.query(t.Query)
	}
}

func (r *rewriter) conditional(c *gojq.If) {
	r.query(c.Cond)
	r.query(c.Then)
	for _, e := range c.Elif {
		r.query(e.Cond)
		r.query(e.Then)
	}
	r.query(c.Else)
}

// index guards computed indexes: one by a list would search for it.
func (r *rewriter) index(x *gojq.Index) {
	if x == nil {
		return
	}
	x.Str, x.Start = r.key(x.Str, x.Start)
	r.query(x.End)
	if x.Start != nil && !x.IsSlice && !constant(x.Start) {
		x.Start = pipe(x.Start, query(call(guardIndex)))
	}
}

func constant(q *gojq.Query) bool {
	return q.Term != nil && len(q.Term.SuffixList) == 0 &&
		(q.Term.Type == gojq.TermTypeNumber || q.Term.Type == gojq.TermTypeString && q.Term.Str.Queries == nil || q.Term.Type == gojq.TermTypeUnary)
}

func (r *rewriter) object(o *gojq.Object) {
	for _, kv := range o.KeyVals {
		r.reference(kv.Key)
		kv.KeyString, kv.KeyQuery = r.key(kv.KeyString, kv.KeyQuery)
		r.query(kv.Val)
	}
}

// measureTerm makes t (t | _size), its suffixes after it.
func measureTerm(t *gojq.Term) {
	inner := *t
	inner.SuffixList = nil
	*t = gojq.Term{Type: gojq.TermTypeQuery, Query: pipe(query(&inner), query(call(guardSize))), SuffixList: t.SuffixList}
}

// interpolation makes a sum of a text with values in it.
func (r *rewriter) interpolation(t *gojq.Term, s *gojq.String, format *gojq.Query) {
	if s == nil || len(s.Queries) == 0 {
		return
	}
	var sum *gojq.Query
	for _, q := range s.Queries {
		part := q
		if q.Term == nil || q.Term.Type != gojq.TermTypeString {
			r.query(q)
			part = pipe(query(&gojq.Term{Type: gojq.TermTypeQuery, Query: q}), format)
			part = query(&gojq.Term{Type: gojq.TermTypeQuery, Query: part})
		}
		if sum == nil {
			sum = part
		} else {
			sum = query(call(guardAdd, sum, part))
		}
	}
	*t = gojq.Term{Type: gojq.TermTypeQuery, Query: sum, SuffixList: t.SuffixList}
}

// reference refuses variables and functions that look at the world.
func (r *rewriter) reference(name string) bool {
	if why, ok := refused[name]; ok && !slices.Contains(r.defined, name) {
		r.fail("%s is not supported: %s", name, why)
		return false
	}
	return true
}

func (r *rewriter) function(t *gojq.Term) {
	name, args := t.Func.Name, t.Func.Args
	for _, a := range args {
		r.query(a)
	}
	if strings.HasPrefix(name, "_") {
		r.fail("there is no function %s", clip(name))
	}
	if strings.HasPrefix(name, "$") {
		r.reference(name)
		return
	}
	if slices.Contains(r.defined, name) || !r.reference(name) {
		return
	}
	inner := *t
	inner.SuffixList = nil
	var guarded *gojq.Query
	switch {
	case name == "join" && len(args) == 1:
		guarded = query(call(guardJoin, args...))
	case name == "transpose" && len(args) == 0:
		guarded = query(call(guardFlipped))
	case name == "add" && len(args) <= 1:
		guarded = pipe(query(call("add")), query(call(guardSize)))
		if len(args) == 1 {
			list := &gojq.Term{Type: gojq.TermTypeArray, Array: &gojq.Array{Query: args[0]}}
			measureTerm(list)
			guarded = pipe(query(list), guarded)
		}
	default:
		guarded = r.builtin(&inner)
	}
	if guarded != nil {
		*t = gojq.Term{Type: gojq.TermTypeQuery, Query: guarded, SuffixList: t.SuffixList}
	}
}

// builtin returns the guarded call of a builtin function, nil when the call
// can stand as it is.
func (r *rewriter) builtin(t *gojq.Term) *gojq.Query {
	args := t.Func.Args
	switch builtins[t.Func.Name] {
	case measured:
		return pipe(query(t), query(call(guardSize)))
	case regex:
		if t.Func.Name == "split" && len(args) == 1 {
			return pipe(query(t), query(call(guardSize))) // by a plain text
		}
		if len(args) > 0 {
			args[0] = pipe(args[0], query(call(guardPattern)))
		}
		return pipe(query(call(guardText)), pipe(query(t), query(call(guardSize))))
	case tests:
		if len(args) > 0 {
			args[0] = pipe(args[0], query(call(guardPattern)))
		}
		return pipe(query(call(guardTested)), query(t))
	case byKey:
		for i := range args {
			args[i] = pipe(args[i], query(call(guardKey)))
		}
	case crossed:
		for i, a := range args {
			variable := "$__other"
			args[i] = query(&gojq.Term{Type: gojq.TermTypeFunc, Func: &gojq.Func{Name: variable}})
			bound := &gojq.Query{Left: query(&gojq.Term{Type: gojq.TermTypeQuery, Query: a}), Op: gojq.OpPipe, Patterns: []*gojq.Pattern{{Name: variable}},
				Right: pipe(query(call(guardPair, args[i])), query(t))}
			return bound
		}
	case asIs:
	default:
		r.fail("there is no function %s/%d here", clip(t.Func.Name), len(args))
	}
	return nil
}
