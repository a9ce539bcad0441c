package fetch

import (
	"cmp"
	"context"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// robotsTTL is how long a robots.txt holds (RFC 9309, section 2.4, says at
	// most a day).
	robotsTTL = time.Hour
	// robotsRetry is how long a robots.txt that answers 5xx forbids the site.
	robotsRetry = time.Minute
	// robotsStale is how long one still holds that cannot be had anew (RFC 9309,
	// section 2.4): a site whose robots.txt fails for a while keeps its rules.
	robotsStale = 24 * time.Hour
)

// robots is the robots.txt of an origin, fetched by one call while the others
// wait for it.
type robots struct {
	answer atomic.Pointer[robotsAnswer]

	mu       sync.Mutex
	fetching *robotsFetch
}

// robotsAnswer is what asking for robots.txt gave, while it holds.
type robotsAnswer struct {
	file  *robotsFile // nil: everything is allowed
	fail  *failure
	until time.Time
	asked time.Time // when the site gave it
}

// robotsFetch is an asking under way. answer stays nil when the call that asked
// was ended by its owner: then another call asks.
type robotsFetch struct {
	done   chan struct{}
	answer *robotsAnswer
}

func (r *robots) size() int {
	if a := r.answer.Load(); a != nil && a.file != nil {
		return a.file.size
	}
	return 0
}

// obey fails the call when robots.txt disallows its URL, else gives the
// Crawl-delay. When the file cannot be had because the site cannot be reached,
// that is the failure; when the site answers 5xx for it, the site is forbidden
// for the time being (RFC 9309, section 2.3.1.4).
func (c *call) obey(ctx context.Context, o *origin) (time.Duration, *failure) {
	a := o.robots.answer.Load()
	if a == nil || !time.Now().Before(a.until) {
		var fail *failure
		if a, fail = c.askRobots(ctx, o); fail != nil {
			return 0, fail
		}
	}
	if a.fail != nil {
		again := *a.fail.Error // each caller writes its own tries into it
		again.RetryAfter = max(again.RetryAfter, time.Until(a.until))
		return 0, &failure{Error: &again}
	}
	if a.file == nil {
		return 0, nil
	}
	g := a.file.find(c.agent())
	if g == nil {
		return 0, nil
	}
	if len(g.rules) > 0 && !g.allows(requestPath(c.hop.url)) {
		return 0, failf(FailRobots, nil, "the robots.txt of %s disallows %s", o.name, shown(c.hop.url))
	}
	return g.delay, nil
}

// agent is the name under which robots.txt knows this crawler. One that passes
// for a browser is still Shoal.
func (c *call) agent() string {
	t := token(cmp.Or(c.policy.UserAgent, c.f.options.UserAgent))
	if t == "" || t == "mozilla" {
		return "shoal"
	}
	return t
}

func requestPath(u *url.URL) string {
	path := cmp.Or(u.EscapedPath(), "/")
	if u.RawQuery != "" {
		path += "?" + u.RawQuery
	}
	return path
}

// askRobots fetches the file, or waits for the call that does.
func (c *call) askRobots(ctx context.Context, o *origin) (*robotsAnswer, *failure) {
	for {
		o.robots.mu.Lock()
		if a := o.robots.answer.Load(); a != nil && time.Now().Before(a.until) {
			o.robots.mu.Unlock()
			return a, nil
		}
		f := o.robots.fetching
		if f == nil {
			f = &robotsFetch{done: make(chan struct{})}
			o.robots.fetching = f
			o.robots.mu.Unlock()
			c.fetchRobots(ctx, o, f)
		} else {
			o.robots.mu.Unlock()
		}
		select {
		case <-f.done:
			if f.answer != nil {
				return f.answer, nil
			}
		case <-ctx.Done():
		}
		if err := ctx.Err(); err != nil {
			return nil, failf(FailTimeout, err, "the wait for the robots.txt of %s ended", o.name)
		}
	}
}

// fetchRobots asks for the file and tells the waiting calls.
func (c *call) fetchRobots(ctx context.Context, o *origin, f *robotsFetch) {
	u := url.URL{Scheme: o.key.scheme, Host: c.hop.url.Host, Path: "/robots.txt"}
	policy := c.policy
	policy.Robots, policy.Cookies, policy.MaxRedirects = false, nil, 5
	policy.MaxBytes, policy.Timeout = maxRobots, min(policy.Timeout, 30*time.Second)
	own := &call{f: c.f, policy: policy, cut: true}
	own.first = hop{method: "GET", url: &u, header: without(c.first.header, append([]string{"Content-Type"}, secrets...)...), host: c.hop.host}
	resp, err := own.run(ctx)
	a := judge(o.name, resp, err)

	o.robots.mu.Lock()
	defer o.robots.mu.Unlock()
	if a != nil && a.fail != nil {
		a = a.or(o.robots.answer.Load(), time.Now())
	}
	if a != nil {
		// Failures to reach the site are told to those who wait now; the next
		// call asks again.
		o.robots.answer.Store(a)
	}
	f.answer, o.robots.fetching = a, nil
	close(f.done)
}

// or gives the rules that held before instead of a failure to get new ones.
func (a *robotsAnswer) or(old *robotsAnswer, now time.Time) *robotsAnswer {
	if old == nil || old.fail != nil || now.Sub(old.asked) > robotsStale {
		return a
	}
	return &robotsAnswer{file: old.file, until: now.Add(robotsRetry), asked: old.asked}
}

// judge turns the answer for /robots.txt into rules (RFC 9309, section 2.3.1).
func judge(name string, resp *Response, err error) *robotsAnswer {
	now := time.Now()
	if err != nil {
		fail, ok := err.(*Error)
		switch {
		case !ok:
			return nil // the caller's context has ended
		case fail.Failure == FailRedirects:
			return &robotsAnswer{until: now.Add(robotsTTL), asked: now}
		case fail.Failure == FailServer:
			f := failf(FailRobots, fail, "%s may not be visited for now, because it has no usable robots.txt", name)
			f.Status = fail.Status
			return &robotsAnswer{fail: f, until: now.Add(robotsRetry)}
		}
		told := *fail
		told.Message = "asking for robots.txt: " + fail.Message
		return &robotsAnswer{fail: &failure{Error: &told}, until: now}
	}
	defer resp.Release()
	a := &robotsAnswer{until: now.Add(robotsTTL), asked: now}
	if resp.Status >= 200 && resp.Status < 300 {
		a.file = parseRobots(strings.ToValidUTF8(string(resp.Body), "\uFFFD"))
	}
	return a
}
