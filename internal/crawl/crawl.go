package crawl

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"shoal"
	"shoal/internal/extract"
	"shoal/internal/fetch"
)

// outagePatience is how long a host that used to answer may be away before the
// run is paused, instead of giving up one page of it after the other.
const outagePatience = 5 * time.Minute

// maxCuts is how often a request may outlast a slot's time before it is given up.
const maxCuts = 3

// Crawl is the crawling of one run: its plan and what it learned of the hosts.
// It is safe for concurrent use.
type Crawl struct {
	plan     *extract.Plan
	fetcher  Fetcher
	policy   fetch.Policy
	now      func() time.Time
	answered *hosts
	reading  chan struct{}        // the engine's
	explain  *extract.Explanation // of a trial; nil in runs
}

// Step is what came of one request.
type Step struct {
	// Page is to be committed; nil: the request goes back to the frontier and
	// is made again.
	Page *shoal.Page
	// Hold, if its Reason is set, says that the run has to pause.
	Hold Hold
	// Wait is how long to leave the site alone before the next request.
	Wait time.Duration
	// Cut says that the request outlasted the time of its slot. The caller
	// counts it among the request's Attempts.
	Cut bool
	// Note is something that the people who read the run should know once.
	Note string
}

// Hold is a pause that a page calls for.
type Hold struct {
	Reason     shoal.DoneReason
	Desc       string
	RetryAfter time.Duration
}

// Do works one claimed request of t to its end. When ctx ends first the step
// has no page. known, called with the requests that the page led to, drops
// those that the store is known to have; it may be nil.
func (c *Crawl) Do(ctx context.Context, t *Task, w *shoal.Work, known func(task int64, found []shoal.Request) []shoal.Request) Step {
	return c.DoAs(ctx, t, w, nil, known)
}

// DoAs is Do with the cookies of an account instead of the task's own; nil:
// without an account.
func (c *Crawl) DoAs(ctx context.Context, t *Task, w *shoal.Work, account *fetch.Jar,
	known func(task int64, found []shoal.Request) []shoal.Request) Step {
	var s Step
	req := &w.Request
	if w.First {
		first := t.start
		first.Attempts = w.Request.Attempts
		req = &first
	}
	began := c.now()
	resp, err := c.fetch(ctx, t, req, account)
	if err != nil {
		c.failed(ctx, &s, t, w, req, began, err)
	} else {
		if account != nil {
			// The session's cookies are nothing that a definition may turn into rows.
			resp.Header = resp.Header.Clone()
			resp.Header.Del("Set-Cookie")
		}
		c.read(&s, t, w, req, resp)
		resp.Release()
	}
	if s.Page == nil {
		return s
	}
	if !w.First {
		s.Page.Desc = "" // of many pages, the last has not the last word on its task
	}
	s.Page.Log.Results = len(s.Page.Rows)
	s.Page.Found = dropStart(s.Page.Found, t.start.Digest)
	if known != nil && len(s.Page.Found) > 0 {
		s.Page.Found = known(t.extract.Seq, s.Page.Found)
	}
	return s
}

// fetch makes the request.
func (c *Crawl) fetch(ctx context.Context, t *Task, req *shoal.Request, account *fetch.Jar) (*fetch.Response, error) {
	fr := fetch.Request{URL: req.URL, Attempt: req.Attempts + 1}
	if len(req.Extra) > 0 {
		var extra shoal.RequestExtra
		if err := json.Unmarshal(req.Extra, &extra); err != nil {
			return nil, fmt.Errorf("read the request's method and headers: %w", err)
		}
		fr.Method, fr.Header, fr.Body = extra.Method, extra.Header, extra.Body
	}
	jar, err := c.cookies(t, account)
	if err != nil {
		return nil, err
	}
	policy := c.policy
	policy.Cookies, policy.Home = jar, t.start.URL
	resp, err := c.fetcher.Do(ctx, fr, policy)
	if fr.Method != http.MethodHead || !doubtful(resp, err) || ctx.Err() != nil {
		return resp, err
	}
	// Many servers refuse HEAD, or answer it otherwise than they should: what it
	// finds fault with is asked for as pages are.
	if resp != nil {
		resp.Release()
	}
	fr.Method = http.MethodGet
	return c.fetcher.Do(ctx, fr, policy)
}

// doubtful reports an outcome of HEAD that GET may not have.
func doubtful(resp *fetch.Response, err error) bool {
	if err == nil {
		return resp.Status >= 400
	}
	fe, ok := errors.AsType[*fetch.Error](err)
	if !ok {
		return false
	}
	switch fe.Failure {
	case fetch.FailConnect, fetch.FailTimeout, fetch.FailServer, fetch.FailProtocol:
		return true
	}
	return false
}

// read turns an answer into the step's page, or into the pause it calls for.
func (c *Crawl) read(s *Step, t *Task, w *shoal.Work, req *shoal.Request, resp *fetch.Response) {
	c.answered.answered(hostOf(req.URL), c.now())
	page := c.page(w, req)
	page.Log.Status, page.Log.Bytes = resp.Status, resp.WireBytes
	page.Log.Millis = resp.Elapsed.Milliseconds()
	if resp.Tries > 1 {
		page.Log.Attempt = resp.Tries
	}
	out, err := c.readPage(t, req, &extract.Page{
		URL: resp.URL, RequestURL: req.URL, Status: resp.Status, Header: resp.Header,
		MediaType: resp.MediaType, Body: resp.Body, WireBytes: resp.WireBytes, Elapsed: resp.Elapsed, At: page.At, Explain: c.explain,
	})
	if err != nil {
		page.End, page.Log.Error = shoal.PageFailed, "The page could not be read: "+err.Error()
		page.Desc = page.Log.Error
		s.Page = page
		return
	}
	if out.Detected != shoal.ReasonNone {
		s.Hold = Hold{Reason: out.Detected, RetryAfter: fetch.RetryAfter(resp.Header.Get("Retry-After"), c.now())}
		return
	}
	c.take(page, out)
	page.Log.Error, page.Desc = out.Problem, out.Problem
	s.Page = page
}

// readPage reads an answer when its turn has come.
func (c *Crawl) readPage(t *Task, req *shoal.Request, pg *extract.Page) (*extract.Outcome, error) {
	c.reading <- struct{}{}
	defer func() { <-c.reading }()
	return c.plan.Read(&t.extract, req, pg)
}

// page begins the page of a request.
func (c *Crawl) page(w *shoal.Work, req *shoal.Request) *shoal.Page {
	return &shoal.Page{
		TaskSeq: w.TaskSeq, RequestSeq: w.Request.Seq, At: c.now(),
		Log: shoal.RequestLog{Task: w.TaskSeq, URL: req.URL},
	}
}

// take puts what the plan read into the page.
func (c *Crawl) take(page *shoal.Page, out *extract.Outcome) {
	page.Rows, page.Found = out.Rows, out.Found
	page.CloseTask, page.CloseReason = out.StopTask, out.StopReason
	page.NoNewRows = out.NoNewRows
	page.Log.Links = out.Links
}

// dropStart removes links back to the task's first request, whose digest the
// frontier does not hold.
func dropStart(found []shoal.Request, start shoal.Digest) []shoal.Request {
	kept := found[:0]
	for i := range found {
		if found[i].Digest != start {
			kept = append(kept, found[i])
		}
	}
	return kept
}
