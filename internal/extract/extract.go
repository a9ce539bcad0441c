// Package extract turns a page into rows, links and detections. It is pure:
// it does no I/O and knows no clock but the plan's.
package extract

import (
	"errors"
	"net/http"

	"shoal"
	"shoal/internal/crawler"
)

// Plan is a program bound to one run's params and functions. Safe for
// concurrent use.
type Plan struct {
	program *crawler.Program
}

// New binds p to a run's settings.
func New(p *crawler.Program, s shoal.RunSettings) (*Plan, error) {
	return &Plan{program: p}, nil
}

// Task is one run task as its pages see it. It is made once per run task and
// passed by pointer; safe for concurrent use once made.
type Task struct {
	Seq    int64
	Params map[string]any
}

// Page is an answer, or the failure to get one.
type Page struct {
	URL        string // after redirects
	RequestURL string
	Status     int
	Header     http.Header
	MediaType  string // without parameters, lower case
	Body       []byte // UTF-8 when it is text; not kept after Read
	WireBytes  int64
	// Failed is why the request was given up; empty when there is an answer.
	// Read then returns the rows that waited for this page.
	Failed string
}

// Outcome is what a page gave.
type Outcome struct {
	// Rows are complete rows, filtered, in the page's order.
	Rows []shoal.Row
	// Found are the requests to make next, each once, in the page's order.
	Found []shoal.Request
	// StopTask ends the task after this page with StopReason, one of the run
	// task's done reasons.
	StopTask   bool
	StopReason string
	// Detected is what the definition says this answer means for the run.
	Detected shoal.DoneReason
	// Links counts the links of the page that the definition follows, before dedupe.
	Links int
	// Problem is a sentence for the log when the page could not be read as it should.
	Problem string
}

// Policy returns how the crawler's requests are to be made.
func (pl *Plan) Policy() crawler.Policy { return pl.program.Policy }

// Start returns the task's first request: canonical URL, Digest, Page and Extra set.
func (pl *Plan) Start(t *Task) (shoal.Request, error) {
	return shoal.Request{}, errors.New("start: no page kinds")
}

// Read reads the answer pg to the task's request req.
func (pl *Plan) Read(t *Task, req *shoal.Request, pg *Page) (*Outcome, error) {
	return &Outcome{}, nil
}
