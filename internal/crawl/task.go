package crawl

import (
	"encoding/json"
	"fmt"
	"net"
	"net/url"
	"sync"

	"golang.org/x/net/publicsuffix"

	"shoal"
	"shoal/internal/extract"
	"shoal/internal/fetch"
)

// Task is what the requests of one run task share: its params, its first
// request and its cookies. It is safe for concurrent use.
type Task struct {
	extract extract.Task
	start   shoal.Request
	jar     *fetch.Jar

	mu    sync.Mutex
	given *fetch.Jar // the account's that has the definition's cookies
}

// Task makes the shared state of w's run task. The error says what is
// wrong with the task's params.
func (c *Crawl) Task(w *shoal.Work) (*Task, error) {
	t := &Task{}
	t.extract.Seq = w.TaskSeq
	if err := json.Unmarshal(w.TaskParams, &t.extract.Params); err != nil {
		return nil, fmt.Errorf("read the task's params: %w", err)
	}
	start, err := c.plan.Start(&t.extract)
	if err != nil {
		return nil, err
	}
	t.start = start
	t.jar = fetch.NewJar()
	return t, c.giveCookies(t, t.jar)
}

// giveCookies puts the cookies that the definition begins with into a jar,
// for the site of the task's start: its registrable domain, or its host alone
// where there is none.
func (c *Crawl) giveCookies(t *Task, jar *fetch.Jar) error {
	cookies, err := c.plan.Cookies(&t.extract)
	if err != nil || len(cookies) == 0 {
		return err
	}
	u, err := url.Parse(t.start.URL)
	if err != nil {
		return err
	}
	if domain, err := publicsuffix.EffectiveTLDPlusOne(u.Hostname()); err == nil && net.ParseIP(u.Hostname()) == nil {
		for _, cookie := range cookies {
			cookie.Domain = domain
		}
	}
	jar.SetCookies(u, cookies)
	return nil
}

// URL returns where w leads.
func (t *Task) URL(w *shoal.Work) string {
	if w.First {
		return t.start.URL
	}
	return w.Request.URL
}
