package crawler

import (
	"path/filepath"
	"strings"
)

// Test is a recorded test of a definition: a task whose requests a recording
// answers, and the rows that must come of it.
type Test struct {
	Line int // in the definition, from 1
	// Task and Params are as a task and a squid have them.
	Task, Params map[string]any
	// Replay is the recording's path, relative to the definition's file.
	Replay string
	// Pages is the most requests to make, 0: as many as it takes. It is for a
	// recording that does not hold the whole site.
	Pages int
	// Min and Max bound the number of rows; Max 0: no bound.
	Min, Max int
	// First are fields that the first row must have, with their values; nil: not
	// compared. All are those of every row, in order.
	First map[string]any
	All   []map[string]any
}

// tests checks the definition's recorded tests.
func (b *builder) tests() {
	for i := range b.def.Tests {
		d := &b.def.Tests[i]
		t := Test{Line: d.line, Task: valuesOf(d.Task), Params: valuesOf(d.Params), Replay: d.Replay.s, Pages: d.Pages}
		switch {
		case !d.Replay.set():
			b.fail(d.at, "the test has no replay; name its recording, for example: replay: testdata/%s.har (made by: shoal crawler record)", b.def.Slug.s)
		case filepath.IsAbs(d.Replay.s) || strings.Contains(filepath.ToSlash(d.Replay.s), "../"):
			b.fail(d.Replay.at, "replay is %q; it must be a path below the definition's own directory", clip(d.Replay.s, 80))
		}
		if d.Pages < 0 {
			b.fail(d.at, "pages is %d; it must be a number of requests, from 1", d.Pages)
		}
		if d.Rows != nil {
			b.expected(d, &t)
		}
		b.program.Tests = append(b.program.Tests, t)
	}
}

// expected reads and checks what a test says of its rows.
func (b *builder) expected(d *testDef, t *Test) {
	t.Min, t.Max = d.Rows.Min, d.Rows.Max
	if t.Min < 0 || t.Max < 0 || t.Max > 0 && t.Max < t.Min {
		b.fail(d.Rows.at, "rows: min is %d and max %d; they must be numbers of rows, max not below min", t.Min, t.Max)
	}
	t.First = b.expectedRow(d.Rows.First)
	for _, row := range d.Rows.All {
		t.All = append(t.All, b.expectedRow(row))
	}
}

// expectedRow is a row with the names that results have: a field that is called
// like one of their own (id) is expected by the name that the definition gives it.
func (b *builder) expectedRow(row ordered[anything]) map[string]any {
	values := valuesOf(row)
	for _, e := range row {
		if _, ok := b.attributes[e.key]; ok {
			continue
		}
		if _, ok := b.attributes["result_"+e.key]; ok {
			values["result_"+e.key] = values[e.key]
			delete(values, e.key)
			continue
		}
		known := make([]string, 0, len(b.program.Info.Result))
		for _, a := range b.program.Info.Result {
			known = append(known, a.Name)
		}
		b.fail(e.at, "%s", unknown("field", e.key, b.def.Slug.s, known))
	}
	return values
}

// valuesOf is a mapping as a plain one; nil when it was left out.
func valuesOf(m ordered[anything]) map[string]any {
	if m == nil {
		return nil
	}
	out := make(map[string]any, len(m))
	for _, e := range m {
		out[e.key] = e.val.v
	}
	return out
}

// anything is a value of any shape: a row's field may be a list or an object.
type anything struct{ v any }

func (a *anything) decode(_ *decoder, n *node, _ string) { a.v = whole(n) }

// whole is a node's value with everything in it.
func whole(n *node) any {
	switch v := n.value.(type) {
	case []pair:
		m := make(map[string]any, len(v))
		for _, p := range v {
			m[p.key] = whole(p.val)
		}
		return m
	case []*node:
		list := make([]any, len(v))
		for i, item := range v {
			list[i] = whole(item)
		}
		return list
	default:
		return v
	}
}
