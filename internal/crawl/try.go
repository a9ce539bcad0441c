package crawl

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"time"

	"shoal"
	"shoal/internal/crawler"
	"shoal/internal/extract"
)

// Trial is what Try is to try: a crawler on one task, in memory, at once.
type Trial struct {
	Program *crawler.Program
	// Task are the task's params, Params the squid's params and functions.
	Task, Params map[string]any
	// MaxRows and MaxPages bound the rows and the requests; 0: 10 and 20.
	MaxRows, MaxPages int
	// Watch, if not nil, is called after each request.
	Watch func(Exchange)
}

// The bounds of a trial that names none.
const (
	DefaultTryRows  = 10
	DefaultTryPages = 20
)

// Ended says why a trial ended.
type Ended string

// The ends of a trial.
const (
	EndedDone   Ended = "done"      // nothing was left to do
	EndedRows   Ended = "max_rows"  // as many rows as were asked for
	EndedPages  Ended = "max_pages" // as many requests as were allowed
	EndedTime   Ended = "timeout"   // ctx ended
	EndedRule   Ended = "stop_rule" // a rule of the definition ended the task
	EndedPaused Ended = "paused"    // a run would pause here; Desc says why
)

// Report is what came of a trial.
type Report struct {
	Crawler string `json:"crawler"`
	// Rows are the rows in the order in which they came, at most MaxRows.
	Rows []json.RawMessage `json:"rows"`
	// Fields are the crawler's fields in its order.
	Fields []FieldReport `json:"fields"`
	// Requests are the requests that were made, in order.
	Requests []Exchange `json:"requests"`
	Ended    Ended      `json:"ended"`
	// Desc says in a sentence what ended the trial early; empty when it is done.
	Desc string `json:"desc,omitempty"`
	// Left counts the requests that a run would go on to make.
	Left int `json:"requests_left"`
	// Duplicates are rows with the key of another one, Filtered those that the
	// definition's where dropped, Incomplete those without a required field.
	Duplicates int            `json:"duplicates"`
	Filtered   int            `json:"filtered"`
	Incomplete map[string]int `json:"incomplete"`
	// NoRows are page kinds that should give rows and gave none, with why.
	NoRows map[string]*extract.Miss `json:"no_rows"`
	// Follow says what each follow rule found.
	Follow []*extract.Rule `json:"follow"`
}

// FieldReport says how well a field is filled.
type FieldReport struct {
	Name string              `json:"name"`
	Type shoal.AttributeType `json:"type"`
	// Function is the add-on that fills the field, Off says that it is not on.
	Function string `json:"function,omitempty"`
	Off      bool   `json:"off,omitempty"`
	Filled   int    `json:"filled"` // rows that have a value, of Report.Rows
	// Miss is the first row that had none; nil when all have one, or when the
	// field's page was not read.
	Miss *extract.Miss `json:"miss,omitempty"`
}

// Exchange is one request of a trial.
type Exchange struct {
	Method string `json:"method"`
	URL    string `json:"url"`
	Page   string `json:"page"` // the page kind it is read as
	Depth  int    `json:"depth"`
	Status int    `json:"status"` // 0: no answer
	Millis int64  `json:"ms"`
	Bytes  int64  `json:"bytes"`
	Rows   int    `json:"rows"`  // rows it gave or completed
	Links  int    `json:"links"` // new requests it led to
	Error  string `json:"error,omitempty"`
}

// Try tries a crawler on one task. The error is a *shoal.Error when the task or
// the params are not what the crawler takes; whatever the site does is told by
// the report.
func Try(ctx context.Context, f Fetcher, tr Trial) (*Report, error) {
	t, err := begin(f, &tr)
	if err != nil {
		return nil, err
	}
	for len(t.queue) > 0 && t.report.Ended == "" {
		switch {
		case ctx.Err() != nil:
			t.end(EndedTime, "The time was up.")
		case len(t.report.Requests) >= tr.MaxPages:
			t.end(EndedPages, fmt.Sprintf("%d requests were made, and no more are allowed here.", tr.MaxPages))
		default:
			t.next(ctx)
		}
	}
	if t.report.Ended == "" {
		t.report.Ended = EndedDone
	}
	t.report.Left = len(t.queue)
	t.fill()
	return t.report, nil
}

// trial is a trial under way.
type trial struct {
	*Trial
	crawl    *Crawl
	task     *Task
	settings shoal.RunSettings
	report   *Report
	queue    []*shoal.Work
	known    map[shoal.Digest]bool
	keys     map[shoal.Digest]bool
	quiet    int // pages in a row that gave no new row
}

// begin checks what was given and makes the first request's work.
func begin(f Fetcher, tr *Trial) (*trial, error) {
	if tr.MaxRows <= 0 {
		tr.MaxRows = DefaultTryRows
	}
	if tr.MaxPages <= 0 {
		tr.MaxPages = DefaultTryPages
	}
	params, functions, err := tr.Program.CheckParams(tr.Params, nil)
	if err != nil {
		return nil, err
	}
	settings, err := tr.Program.Settings(&shoal.Squid{Params: params, Functions: functions, Concurrency: 1})
	if err != nil {
		return nil, err
	}
	if n := int(settings.MaxResults); n > 0 {
		tr.MaxRows = min(tr.MaxRows, n)
	}
	if n := int(settings.MaxRequests); n > 0 {
		tr.MaxPages = min(tr.MaxPages, n)
	}
	canonical, _, err := tr.Program.CheckTask(tr.Task)
	if err != nil {
		return nil, err
	}
	plan, err := extract.New(tr.Program, settings)
	if err != nil {
		return nil, err
	}
	t := &trial{
		Trial: tr, settings: settings, known: map[shoal.Digest]bool{}, keys: map[shoal.Digest]bool{},
		crawl: &Crawl{plan: plan, fetcher: f, reading: make(chan struct{}, 1), now: time.Now, policy: policyOf(plan.Policy(), 1),
			answered: newHosts(), explain: extract.NewExplanation()},
		report: &Report{Crawler: tr.Program.Info.Slug, Rows: []json.RawMessage{}, Requests: []Exchange{}},
	}
	first := &shoal.Work{TaskSeq: 1, TaskParams: canonical, First: true}
	if t.task, err = t.crawl.Task(first); err != nil {
		return nil, err
	}
	t.queue = append(t.queue, first)
	return t, nil
}

func (t *trial) end(why Ended, desc string) { t.report.Ended, t.report.Desc = why, desc }

// next makes the oldest request of the queue.
func (t *trial) next(ctx context.Context) {
	w := t.queue[0]
	x := t.exchange(w)
	s := t.crawl.Do(ctx, t.task, w, nil)
	if s.Page == nil {
		x.Error = t.stopped(ctx, &s)
		t.add(x)
		return
	}
	t.queue = t.queue[1:]
	x.Status, x.Millis, x.Bytes, x.Error = s.Page.Log.Status, s.Page.Log.Millis, s.Page.Log.Bytes, s.Page.Log.Error
	x.Rows, x.Links = len(s.Page.Rows), t.enqueue(s.Page.Found)
	t.add(x)
	stored := t.take(s.Page.Rows)
	switch t.quiet++; {
	case stored > 0 || s.Page.NoNewRows == 0:
		t.quiet = 0
	case t.quiet >= s.Page.NoNewRows && len(t.queue) > 0:
		t.end(EndedRule, fmt.Sprintf("A rule of the definition ended the task: no_new_rows, after %d pages that gave none.", t.quiet))
	}
	if t.report.Ended == "" && s.Page.CloseTask {
		t.end(EndedRule, "A rule of the definition ended the task: "+s.Page.CloseReason+".")
	}
}

func (t *trial) add(x Exchange) {
	t.report.Requests = append(t.report.Requests, x)
	if t.Watch != nil {
		t.Watch(x)
	}
}

// stopped ends the trial at a request that a run would make again later.
func (t *trial) stopped(ctx context.Context, s *Step) string {
	switch {
	case ctx.Err() != nil:
		t.end(EndedTime, "The time was up.")
		return "no answer when the time was up"
	case s.Hold.Reason != "":
		t.end(EndedPaused, fmt.Sprintf("A run would pause here with the reason %s. %s", s.Hold.Reason, s.Hold.Desc))
		return "detected as " + string(s.Hold.Reason)
	}
	t.end(EndedPaused, "The site stopped answering.")
	return "the site stopped answering"
}

// exchange begins the trace of a request.
func (t *trial) exchange(w *shoal.Work) Exchange {
	req := &w.Request
	if w.First {
		req = &t.task.start
	}
	x := Exchange{Method: http.MethodGet, URL: req.URL, Page: req.Page, Depth: req.Depth}
	var extra shoal.RequestExtra
	if len(req.Extra) > 0 && json.Unmarshal(req.Extra, &extra) == nil && extra.Method != "" {
		x.Method = extra.Method
	}
	return x
}

// enqueue adds the requests that are new and returns how many.
func (t *trial) enqueue(found []shoal.Request) int {
	n := 0
	for _, req := range found {
		if t.known[req.Digest] {
			continue
		}
		t.known[req.Digest] = true
		n++
		req.Seq = int64(len(t.known))
		t.queue = append(t.queue, &shoal.Work{TaskSeq: 1, Request: req})
	}
	return n
}

// take adds rows until there are enough, and returns how many were new.
func (t *trial) take(rows []shoal.Row) (stored int) {
	for _, row := range rows {
		if t.keys[row.Key] {
			t.report.Duplicates++
			continue
		}
		t.keys[row.Key] = true
		t.report.Rows = append(t.report.Rows, row.Data)
		stored++
		if len(t.report.Rows) == t.MaxRows {
			t.end(EndedRows, fmt.Sprintf("%d rows were asked for.", t.MaxRows))
			return stored
		}
	}
	return stored
}

// fill counts how often each field has a value and adds what explains the rest.
func (t *trial) fill() {
	e, r := t.crawl.explain, t.report
	r.Filtered, r.Incomplete, r.NoRows, r.Follow = e.Filtered, e.Incomplete, e.Rows, e.Follow
	if r.Follow == nil {
		r.Follow = []*extract.Rule{}
	}
	filled := map[string]int{}
	for _, row := range r.Rows {
		var values map[string]json.RawMessage
		if err := json.Unmarshal(row, &values); err != nil {
			continue // our own encoder wrote it
		}
		for name, v := range values {
			if !empty(v) {
				filled[name]++
			}
		}
	}
	for _, a := range t.Program.Info.Result {
		f := FieldReport{Name: a.Name, Type: a.Type, Function: a.Function, Filled: filled[a.Name]}
		f.Off = a.Function != "" && !slices.Contains(t.settings.Functions, a.Function)
		if f.Filled < len(r.Rows) || r.Incomplete[a.Name] > 0 {
			f.Miss = e.Fields[a.Name]
		}
		r.Fields = append(r.Fields, f)
	}
}

// empty reports whether a JSON value is none to a person.
func empty(v json.RawMessage) bool {
	v = bytes.TrimSpace(v)
	return string(v) == "null" || string(v) == `""` || string(v) == "[]" || string(v) == "{}"
}
