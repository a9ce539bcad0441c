package fetch

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// try goes from the request to its page, through redirects.
func (c *call) try(ctx context.Context) (*Response, *failure) {
	c.hop, c.passed, c.seen = c.first, nil, nil
	for {
		resp, location, fail := c.visit(ctx)
		if fail != nil {
			return nil, fail
		}
		if location == "" {
			resp.Redirects = c.passed
			return resp, nil
		}
		if fail := c.follow(resp.Status, location); fail != nil {
			return nil, fail
		}
	}
}

// visit makes one request when its host permits: circuit, robots.txt, pace. It
// gives a page, or where the host redirects to.
func (c *call) visit(ctx context.Context) (resp *Response, location string, fail *failure) {
	o := c.f.origins.get(c.hop.url)
	defer o.put()
	if fail := o.breaker.peek(o.name); fail != nil {
		return nil, "", fail
	}
	turn := turn{limit: c.policy.HostConcurrency, delay: c.policy.Delay, maxWait: c.policy.MaxWait, first: c.cut}
	if c.policy.Robots {
		crawlDelay, fail := c.obey(ctx, o)
		if fail != nil {
			return nil, "", fail
		}
		turn.delay = max(turn.delay, crawlDelay)
	}
	turn.delay = c.stretched(turn.delay)
	p, fail := o.host.enter(ctx, turn)
	if fail != nil {
		return nil, "", fail
	}
	if fail := o.breaker.enter(o.name, p.at); fail != nil {
		o.host.leave(p, outcome{})
		return nil, "", fail
	}
	resp, location, fail = c.exchange(ctx, o, p)
	o.http2.note(p.at, time.Now(), fail)
	o.breaker.leave(ctx, fail)
	o.host.leave(p, c.outcomeOf(ctx, fail))
	return resp, location, fail
}

// stretched adds to a delay the jitter and a little for the way to the host, on
// which one request may be slower than the next.
func (c *call) stretched(delay time.Duration) time.Duration {
	if delay <= 0 {
		return 0
	}
	jitter := time.Duration(float64(delay) * max(0, c.policy.Jitter) * c.f.options.Rand())
	return delay + jitter + min(delay/40, 5*time.Millisecond)
}

// isRedirect reports whether the status sends on to the Location.
func isRedirect(status int) bool {
	switch status {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return true
	}
	return false
}

// maxURL bounds the URLs that are redirected to. Browsers know longer ones, but
// no server that means well has them.
const maxURL = 32 << 10

// follow moves the call to where a redirect points. Methods change as in the
// Fetch standard (https://fetch.spec.whatwg.org/#http-redirect-fetch).
func (c *call) follow(status int, location string) *failure {
	from := c.hop.url
	if len(location) > maxURL {
		return failf(FailRedirects, nil, "%s redirects to a URL of %d bytes, more than %d", shown(from), len(location), maxURL)
	}
	to, err := from.Parse(location)
	if err != nil {
		return failf(FailRedirects, err, "%s redirects to %q, which is not a URL", shown(from), location)
	}
	if fail := visitable(to); fail != nil {
		fail.Message = shown(from) + " redirects to another place: " + fail.Message
		return fail
	}
	if to.Fragment == "" {
		to.Fragment = from.Fragment
	}
	c.passed = append(c.passed, shown(from))
	if len(c.passed) > c.policy.MaxRedirects {
		return failf(FailRedirects, nil, "%s redirects more than %d times, the last time to %s", shown(c.first.url), c.policy.MaxRedirects, shown(to))
	}
	next := hop{method: c.hop.method, url: to, header: c.hop.header, body: c.hop.body}
	if status == http.StatusSeeOther && next.method != http.MethodHead || (status == http.StatusMovedPermanently || status == http.StatusFound) && next.method == http.MethodPost {
		next.method, next.body = http.MethodGet, ""
		next.header = without(next.header, "Content-Type", "Content-Encoding", "Content-Language", "Content-Location")
	}
	if a, b := originKey(from), originKey(to); a == b {
		next.host = c.hop.host
	} else if a.host != b.host || a.scheme != "http" {
		// Secrets were meant for the first host, also when it sends on to its https.
		next.header = without(next.header, secrets...)
	}
	return c.move(next)
}

// move takes the next hop unless it repeats an earlier request. With other
// cookies the same URL is another request: some sites set one and send the
// visitor back.
func (c *call) move(next hop) *failure {
	c.seen = append(c.seen, signature(c.hop, c.sent))
	c.hop = next
	if slices.Contains(c.seen, signature(next, c.cookies(next.url))) {
		return failf(FailRedirects, nil, "%s redirects in a circle: %s was requested before", shown(c.first.url), shown(next.url))
	}
	return nil
}

func signature(h hop, cookies string) string {
	return h.method + " " + shown(h.url) + " " + cookies
}

// without gives the headers less the named ones, the same map if it has none.
func without(h http.Header, names ...string) http.Header {
	has := func(name string) bool { return h[name] != nil }
	if !slices.ContainsFunc(names, has) {
		return h
	}
	h = h.Clone()
	for _, name := range names {
		delete(h, name)
	}
	return h
}

// keyOf names an origin: scheme, host and port, each origin in one spelling.
type keyOf struct {
	scheme, host string
}

func originKey(u *url.URL) keyOf {
	host := strings.ToLower(u.Host) // allocates only when it must
	if u.Scheme == "https" {
		host = strings.TrimSuffix(host, ":443")
	} else {
		host = strings.TrimSuffix(host, ":80")
	}
	return keyOf{u.Scheme, strings.TrimSuffix(host, ".")}
}
