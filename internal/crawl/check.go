package crawl

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"

	"shoal/internal/crawler"
)

// Replayer is a fetcher that answers from a recording; *har.Replay is one.
type Replayer interface {
	Fetcher
	// Missing lists the requests that were asked for and are not recorded.
	Missing() []string
}

// The bounds of a recorded test that names none. They only end a definition
// that goes round in circles: a recording has an end.
const (
	maxTestRows  = 100_000
	maxTestPages = 5_000
)

// Difference is a way in which a recorded test did not give what it should.
type Difference struct {
	Row   int    // from 1; 0: the rows as a whole
	Field string // empty: the rows as a whole
	Want  string
	Got   string
}

// String says the difference on one line.
func (d Difference) String() string {
	switch {
	case d.Row == 0:
		return fmt.Sprintf("%s: want %s, got %s", d.Field, d.Want, d.Got)
	default:
		return fmt.Sprintf("row %d, %s: want %s, got %s", d.Row, d.Field, d.Want, d.Got)
	}
}

// Check runs a recorded test of p against its recording, and returns the report
// and what differs from what the test expects; nothing differs in a test that
// passes. The error is about the test's own task or params.
func Check(ctx context.Context, p *crawler.Program, t crawler.Test, f Replayer) (*Report, []Difference, error) {
	pages := maxTestPages
	if t.Pages > 0 {
		pages = t.Pages
	}
	r, err := Try(ctx, f, Trial{Program: p, Task: t.Task, Params: t.Params, MaxRows: maxTestRows, MaxPages: pages})
	if err != nil {
		return nil, nil, err
	}
	var out []Difference
	for _, request := range f.Missing() {
		out = append(out, Difference{Field: "requests", Want: "only recorded ones", Got: request})
	}
	switch {
	case r.Ended == EndedPaused || r.Ended == EndedTime:
		out = append(out, Difference{Field: "end", Want: "the task's end", Got: r.Desc})
	case r.Ended == EndedPages && t.Pages == 0:
		out = append(out, Difference{Field: "end", Want: "the task's end", Got: fmt.Sprintf("no end after %d requests; bound the test with pages: N", pages)})
	}
	return r, append(out, compareRows(r.Rows, t)...), nil
}

func compareRows(rows []json.RawMessage, t crawler.Test) []Difference {
	var out []Difference
	n := len(rows)
	if n < t.Min {
		out = append(out, Difference{Field: "rows", Want: fmt.Sprintf("at least %d", t.Min), Got: fmt.Sprint(n)})
	}
	if t.Max > 0 && n > t.Max {
		out = append(out, Difference{Field: "rows", Want: fmt.Sprintf("at most %d", t.Max), Got: fmt.Sprint(n)})
	}
	if t.First != nil {
		if n == 0 && t.Min == 0 {
			out = append(out, Difference{Field: "rows", Want: "a first row", Got: "none"})
		}
		if n > 0 {
			out = append(out, compareRow(1, rows[0], t.First)...)
		}
	}
	if t.All == nil {
		return out
	}
	if n != len(t.All) {
		out = append(out, Difference{Field: "rows", Want: fmt.Sprintf("exactly the %d of all:", len(t.All)), Got: fmt.Sprint(n)})
	}
	for i := range min(n, len(t.All)) {
		out = append(out, compareRow(i+1, rows[i], t.All[i])...)
	}
	return out
}

// compareRow compares the fields that are expected, in the order of their names.
func compareRow(number int, row json.RawMessage, want map[string]any) []Difference {
	var got map[string]any
	if err := json.Unmarshal(row, &got); err != nil {
		return []Difference{{Row: number, Field: "row", Want: "a JSON object", Got: string(row)}}
	}
	var out []Difference
	for _, name := range slices.Sorted(maps.Keys(want)) {
		wanted := asJSON(want[name])
		if !reflect.DeepEqual(wanted, got[name]) {
			out = append(out, Difference{number, name, encoded(wanted), encoded(got[name])})
		}
	}
	return out
}

// asJSON is a value of a definition as a decoded row would have it.
func asJSON(v any) any {
	b, err := json.Marshal(v)
	if err != nil {
		return v
	}
	var out any
	if json.Unmarshal(b, &out) != nil {
		return v
	}
	return out
}

func encoded(v any) string {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return fmt.Sprint(v)
	}
	return string(bytes.TrimSpace(b.Bytes()))
}
