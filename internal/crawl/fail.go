package crawl

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"shoal"
	"shoal/internal/extract"
	"shoal/internal/fetch"
)

// unavailableWait is how long a page that is answered 503 is left alone, longer
// each time.
const unavailableWait = 5 * time.Second

// failed decides what a request that was made at began and has no answer means.
func (c *Crawl) failed(ctx context.Context, s *Step, t *Task, w *shoal.Work, req *shoal.Request, began time.Time, err error) {
	if cut := ctx.Err(); cut != nil {
		// Its turn may be over because the slot's time is: it tries again in the
		// next slot, but not for ever.
		s.Cut = errors.Is(cut, context.DeadlineExceeded)
		if s.Cut && req.Attempts+1 >= maxCuts {
			c.giveUp(s, t, w, req, &fetch.Error{Failure: fetch.FailTimeout,
				Message: fmt.Sprintf("%s gave no complete answer in %d long attempts", hostOf(req.URL), maxCuts)})
		}
		return
	}
	fe, ok := errors.AsType[*fetch.Error](err)
	if !ok {
		fe = &fetch.Error{Failure: fetch.FailProtocol, Message: err.Error(), Err: err}
	}
	if reason := c.detected(t, req, fe); shoal.OfAccount(reason) {
		s.Hold = Hold{Reason: reason, RetryAfter: fe.RetryAfter}
		return
	}
	switch fe.Failure {
	case fetch.FailTooMany:
		if c.answersOthers(req, began, fe) {
			c.unavailable(s, t, w, req, fe)
			return
		}
		s.Hold = Hold{Reason: shoal.ReasonTooManyRequests, RetryAfter: fe.RetryAfter,
			Desc: strings.TrimRight(fe.Message, ".") + ". The run goes on by itself after a wait."}
	case fetch.FailRobots:
		if cause, ok := errors.AsType[*fetch.Error](fe.Err); ok && cause.Unreached() {
			// Nothing was forbidden: the site has no robots.txt to give because it is down.
			c.outage(s, t, w, req, &fetch.Error{Failure: cause.Failure, Status: fe.Status, RetryAfter: fe.RetryAfter,
				Message: fe.Message, Tries: fe.Tries, Err: fe})
			return
		}
		c.disallowed(s, t, w, req, fe)
	case fetch.FailCircuitOpen:
		c.outage(s, t, w, req, fe)
	default:
		c.answered.failed(hostOf(req.URL), fe.Message)
		c.giveUp(s, t, w, req, fe)
	}
}

// answersOthers reports whether a 503 may be the page's own: the site named no
// time to come back, and it answered other requests while this one was tried
// again and again.
func (c *Crawl) answersOthers(req *shoal.Request, began time.Time, fe *fetch.Error) bool {
	now := c.now()
	away, known := c.answered.since(hostOf(req.URL), now)
	return fe.Status == http.StatusServiceUnavailable && fe.RetryAfter == 0 && fe.Tries > 1 && known && now.Add(-away).After(began)
}

// unavailable handles a page that is answered 503 where others are served. It may
// be that the site sheds load: the page is tried again later. When that does not
// help it is the page, and holding the run for it would be for ever.
func (c *Crawl) unavailable(s *Step, t *Task, w *shoal.Work, req *shoal.Request, fe *fetch.Error) {
	if req.Attempts+1 >= maxCuts {
		c.giveUp(s, t, w, req, fe)
		return
	}
	s.Cut, s.Wait = true, time.Duration(req.Attempts+1)*unavailableWait
}

// giveUp ends the request as failed. A row that waited for this page is
// emitted as far as it is known.
func (c *Crawl) giveUp(s *Step, t *Task, w *shoal.Work, req *shoal.Request, fe *fetch.Error) {
	page := c.page(w, req)
	page.End = shoal.PageFailed
	page.Unreached = fe.Unreached()
	page.Desc = fe.Message
	page.Log.Error, page.Log.Status, page.Log.Bytes = fe.Message, fe.Status, fe.WireBytes
	if fe.Tries > 1 {
		page.Log.Attempt = fe.Tries
	}
	out, err := c.plan.Read(&t.extract, req, &extract.Page{URL: req.URL, RequestURL: req.URL, Status: fe.Status, Failed: fe.Message})
	if err == nil {
		page.Rows = out.Rows
	}
	s.Page = page
}

// disallowed ends a request that robots.txt forbids: nobody failed, and there
// is nothing to collect.
func (c *Crawl) disallowed(s *Step, t *Task, w *shoal.Work, req *shoal.Request, fe *fetch.Error) {
	page := c.page(w, req)
	page.Desc, page.Log.Error = fe.Message, fe.Message
	// The row that waited for the page is a result without it.
	out, err := c.plan.Read(&t.extract, req, &extract.Page{URL: req.URL, RequestURL: req.URL, Failed: fe.Message})
	if err == nil {
		page.Rows = out.Rows
	}
	if w.First {
		s.Note = fe.Message
	}
	s.Page = page
}

// outage handles a host that is left alone for a while because it failed so
// often. One that never answered this run is not there: the request fails. One
// that did answer is waited for, and when it stays away the run pauses, since
// giving up page after page would deliver a hole.
func (c *Crawl) outage(s *Step, t *Task, w *shoal.Work, req *shoal.Request, fe *fetch.Error) {
	host := hostOf(req.URL)
	away, known := c.answered.since(host, c.now())
	if why := c.answered.why(host); why != "" {
		told := *fe // what went wrong says more than that it went wrong often
		told.Message = strings.TrimRight(why, ".") + "; " + fe.Message
		fe = &told
	}
	switch {
	case !known:
		c.giveUp(s, t, w, req, fe)
	case away < outagePatience:
		s.Wait = min(max(fe.RetryAfter, time.Second), 10*time.Second)
	default:
		s.Hold = Hold{Reason: shoal.ReasonRequestFailed,
			Desc: fmt.Sprintf("%s has not answered for %s: %s", host, away.Round(time.Second), fe.Message)}
	}
}
