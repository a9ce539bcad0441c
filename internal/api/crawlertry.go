package api

import (
	"context"
	"net/http"
	"sync"
	"time"

	"shoal"
	"shoal/internal/crawl"
)

// The bounds of a trial. It is free, so it is small.
const (
	maxTrialRows  = 100
	maxTrialPages = 20
	maxTrialTime  = 30 * time.Second
	// maxTrials is how many trials are under way at once, maxTrialsOf how many of
	// one workspace: others must be able to try theirs meanwhile.
	maxTrials, maxTrialsOf = 8, 4
)

// wireTrial is the answer to a trial.
type wireTrial struct {
	Object string `json:"object"`
	*crawl.Report
}

// tryCrawler runs one task now, in memory: nothing is stored and nothing charged.
// A definition in the body is tried in the place of the crawler's own.
func (a *API) tryCrawler(c *call) error {
	p, err := c.lookup(c.r.PathValue("id"))
	if err != nil {
		return err
	}
	f, err := c.decode()
	if err != nil {
		return err
	}
	f.required("task")
	t := Trial{
		Task: objectOf(f, "task"), Params: objectOf(f, "params"),
		MaxRows:  f.integer("max_results", crawl.DefaultTryRows, 1, maxTrialRows),
		MaxPages: f.integer("max_pages", maxTrialPages, 1, maxTrialPages),
	}
	draft := f.text("definition")
	if err := f.error(); err != nil {
		return err
	}
	if draft != "" {
		if p, err = a.catalogue.Compile([]byte(draft)); err != nil {
			return err
		}
	}
	if !p.Info().IsAvailable {
		return shoal.Business("ModuleUnavailable", "The crawler %s is not available at the moment", p.Info().Name)
	}
	if !a.trials.begin(c.ws) {
		return errTrialsBusy
	}
	defer a.trials.end(c.ws)
	ctx, cancel := context.WithTimeout(c.ctx(), maxTrialTime)
	defer cancel()
	report, err := p.Try(ctx, t)
	if err != nil {
		return err
	}
	return c.json(http.StatusOK, wireTrial{"crawler_try", report})
}

// trials counts those that are under way.
type trials struct {
	mu  sync.Mutex
	all int
	of  map[shoal.WorkspaceID]int
}

// begin counts one more, unless there are as many as there may be.
func (t *trials) begin(ws shoal.WorkspaceID) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.all >= maxTrials || t.of[ws] >= maxTrialsOf {
		return false
	}
	if t.of == nil {
		t.of = map[shoal.WorkspaceID]int{}
	}
	t.all++
	t.of[ws]++
	return true
}

func (t *trials) end(ws shoal.WorkspaceID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.all--
	if t.of[ws]--; t.of[ws] == 0 {
		delete(t.of, ws)
	}
}

var errTrialsBusy = &shoal.Error{Kind: shoal.KindRateLimited, Code: "RateLimitExceeded",
	Message: "As many crawlers are being tried as may be at once; try again in a few seconds"}

// objectOf returns the object under key with numbers as params have them; nil
// when it is absent.
func objectOf(f *fields, key string) map[string]any {
	o := f.object(key)
	if o == nil {
		return nil
	}
	plain(o.m)
	return o.m
}
