package crawl

import (
	"encoding/json"
	"fmt"

	"shoal"
	"shoal/internal/extract"
	"shoal/internal/fetch"
)

// Counts returns the limits of an account that w counts against: a request, a
// task if w begins one, and what the kind of page says.
func (c *Crawl) Counts(t *Task, w *shoal.Work) []string {
	kind := w.Request.Page
	counts := []string{shoal.UseRequests}
	if w.First {
		kind = t.start.Page
		counts = append(counts, shoal.UseTasks)
	}
	return append(counts, c.plan.Counts(kind)...)
}

// Home returns the URL that a task with the given params, JSON, begins at.
func (c *Crawl) Home(params []byte) (string, error) {
	var t extract.Task
	if err := json.Unmarshal(params, &t.Params); err != nil {
		return "", fmt.Errorf("read the task's params: %w", err)
	}
	start, err := c.plan.Start(&t)
	return start.URL, err
}

// cookies returns the jar of t's requests: the account's, if there is one, with
// the cookies that the definition begins with.
func (c *Crawl) cookies(t *Task, account *fetch.Jar) (*fetch.Jar, error) {
	if account == nil {
		return t.jar, nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.given == account {
		return account, nil
	}
	if err := c.giveCookies(t, account); err != nil {
		return nil, err
	}
	t.given = account
	return account, nil
}

// detected returns what the definition says of an answer that the fetcher took
// for a failure; none when there was no answer.
func (c *Crawl) detected(t *Task, req *shoal.Request, fe *fetch.Error) shoal.DoneReason {
	if fe.Status == 0 {
		return shoal.ReasonNone
	}
	return c.plan.Detect(&t.extract, req, &extract.Page{URL: req.URL, RequestURL: req.URL, Status: fe.Status, At: c.now()})
}
