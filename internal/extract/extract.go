// Package extract turns a page into rows, links and detections. It is pure: it
// does no I/O and knows no clock. A crawler's program is bound once per run to
// a Plan, in which everything that the run's params and functions decide is
// decided; each page is then parsed once and read in one walk.
package extract

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"shoal"
	"shoal/internal/crawler"
	"shoal/internal/dom/address"
)

// Task is one run task as its pages see it. It is made once per run task and
// passed by pointer; safe for concurrent use once made, by one Plan.
type Task struct {
	Seq    int64
	Params map[string]any

	state atomic.Pointer[taskState]
}

// taskState is what a plan knows of a task, worked out at its first use.
type taskState struct {
	params map[string]any // defaults filled in
	start  shoal.Request
	site   site // of the start
	err    error
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
	Elapsed    time.Duration // from the last request's start to the end of the body
	// At is when the answer came; "3 days ago" is before it. Zero: such texts are no dates.
	At time.Time
	// Failed is why the request was given up; empty when there is an answer.
	// Read then returns the row that waited for this page.
	Failed string
	// Explain is told what was looked for and not found; nil, as in runs: nobody is.
	Explain *Explanation
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
	// Filtered counts the rows that the definition's conditions dropped.
	Filtered int
	// NoNewRows is how many pages in a row that gave no new row end the task; 0: none do.
	NoNewRows int
	// Links counts the page's links that the definition follows, before dedupe.
	Links int
	// Problem is a sentence for the log when the page could not be read as it should.
	Problem string
}

// Policy returns how the crawler's requests are to be made.
func (pl *Plan) Policy() crawler.Policy { return pl.program.Policy }

// Counts returns the limits of an account that pages of a kind count against.
func (pl *Plan) Counts(kind string) []string {
	if p := pl.pages[kind]; p != nil {
		return p.Page.Counts
	}
	return nil
}

// Start returns the task's first request: canonical URL, Digest, Page and
// Extra set. The error is a *shoal.Error when the URL is none that can be fetched.
func (pl *Plan) Start(t *Task) (shoal.Request, error) {
	st := pl.state(t)
	return st.start, st.err
}

func (pl *Plan) state(t *Task) *taskState {
	if st := t.state.Load(); st != nil {
		return st
	}
	st := &taskState{params: pl.program.TaskParams(t.Params)}
	st.start, st.err = pl.firstRequest(st.params)
	st.site = newSite(st.start.URL)
	t.state.Store(st)
	return st
}

func (pl *Plan) firstRequest(params map[string]any) (shoal.Request, error) {
	env := &crawler.Env{Task: params, Params: pl.params, Functions: pl.functions}
	for _, s := range pl.program.Starts {
		ok, err := s.When.True(env)
		if err != nil {
			return shoal.Request{}, fmt.Errorf("start: %w", err)
		}
		if !ok {
			continue
		}
		raw, err := s.URL.Expand(env)
		if err != nil {
			return shoal.Request{}, fmt.Errorf("start: %w", err)
		}
		req, err := newRequest(raw, s.Page, &s.Message, env)
		if err != nil {
			return shoal.Request{}, err
		}
		return req, nil
	}
	return shoal.Request{}, shoal.Invalid("TaskNotValidError", "task", "no start of the crawler fits this task")
}

// newRequest builds a request from its parts. raw must be absolute, http or https.
func newRequest(raw, page string, m *crawler.Message, env *crawler.Env) (shoal.Request, error) {
	canonical, ok := address.Canonical(address.Trim(raw))
	if !ok {
		return shoal.Request{}, shoal.Invalid("TaskNotValidError", "url", "%q is no address that can be fetched; it must begin with http:// or https:// and name a host", clip(raw))
	}
	req := shoal.Request{URL: canonical, Page: page}
	if m.Plain() {
		req.Digest = digest("GET", canonical, "", "")
		return req, nil
	}
	extra, err := expandMessage(m, env)
	if err != nil {
		return shoal.Request{}, err
	}
	if req.Extra, err = json.Marshal(extra); err != nil {
		return shoal.Request{}, fmt.Errorf("encode request: %w", err)
	}
	req.Digest = digest(extra.Method, canonical, extra.Body, "")
	return req, nil
}

// Cookies returns the cookies that a task begins with, for the site of its
// first request; nil: none. The error says which template failed.
func (pl *Plan) Cookies(t *Task) ([]*http.Cookie, error) {
	lines := pl.program.Policy.Cookies
	if len(lines) == 0 {
		return nil, nil
	}
	env := &crawler.Env{Task: pl.state(t).params, Params: pl.params, Functions: pl.functions}
	var out []*http.Cookie
	for _, c := range lines {
		v, err := c.Value.Expand(env)
		if err != nil {
			return nil, fmt.Errorf("cookie %s: %w", c.Name, err)
		}
		if v != "" {
			out = append(out, &http.Cookie{Name: c.Name, Value: v, Path: "/"})
		}
	}
	return out, nil
}

func expandMessage(m *crawler.Message, env *crawler.Env) (shoal.RequestExtra, error) {
	extra := shoal.RequestExtra{Method: m.Method}
	for _, h := range m.Header {
		v, err := h.Value.Expand(env)
		if err != nil {
			return extra, fmt.Errorf("header %s: %w", h.Name, err)
		}
		if extra.Header == nil {
			extra.Header = map[string]string{}
		}
		extra.Header[h.Name] = oneLine(v)
	}
	if m.Body == nil {
		return extra, nil
	}
	body, mediaType, err := m.Body.Expand(env)
	if err != nil {
		return extra, fmt.Errorf("body: %w", err)
	}
	extra.Body = body
	if mediaType != "" && !hasHeader(extra.Header, "Content-Type") {
		if extra.Header == nil {
			extra.Header = map[string]string{}
		}
		extra.Header["Content-Type"] = mediaType
	}
	return extra, nil
}

func hasHeader(h map[string]string, name string) bool {
	for k := range h {
		if strings.EqualFold(k, name) {
			return true
		}
	}
	return false
}

// digest is a request's identity within its run task. key is the key of the
// row it carries, so that two rows that lead to one page are both completed.
func digest(method, url, body, key string) shoal.Digest {
	var buf [512]byte
	b := buf[:0]
	if method != "" && method != http.MethodGet {
		b = append(b, method...)
		b = append(b, ' ')
	}
	b = append(b, url...)
	if body != "" || key != "" {
		b = append(append(b, 0), body...)
		b = append(append(b, 0), key...)
	}
	sum := sha256.Sum256(b)
	return shoal.Digest(sum[:16])
}

func clip(s string) string {
	if len(s) <= 100 {
		return s
	}
	return strings.ToValidUTF8(s[:100], "") + "…"
}
