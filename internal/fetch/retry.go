package fetch

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// maxBackoff bounds the wait between two tries.
const maxBackoff = 30 * time.Second

// maxHeld is how often a call may meet a host's Retry-After while it connects
// before each time counts as a try.
const maxHeld = 5

// again says whether another try is due, and after what wait.
func (c *call) again(fail *failure) (time.Duration, bool) {
	switch {
	case !fail.passing || c.tries > c.policy.Retries:
		return 0, false
	case !fail.unsent && !idempotent(c.hop.method) && fail.Status != http.StatusTooManyRequests:
		return 0, false
	case fail.held:
		// Nothing was asked of the host: it is not a try, unless it goes on and on.
		if c.held++; c.held <= maxHeld {
			c.tries--
		}
		return 0, true
	case fail.RetryAfter > c.policy.MaxWait:
		return 0, false
	case fail.RetryAfter > 0:
		// The whole host is held until then: the next try waits its turn there.
		return 0, true
	}
	wait := c.f.options.Backoff << min(c.tries-1, 16)
	wait = min(wait, maxBackoff, c.policy.MaxWait)
	// Between a half and the whole, so that those who failed together do not
	// come back together.
	return wait/2 + time.Duration(c.f.options.Rand()*float64(wait/2)), true
}

// idempotent methods may be sent twice (RFC 9110, section 9.2.2).
func idempotent(method string) bool {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace, http.MethodPut, http.MethodDelete:
		return true
	}
	return false
}

// refusal reports whether a status means that there is no page for now. Others
// are pages, a 404 too.
func refusal(status int) bool {
	switch status {
	case http.StatusTooManyRequests, http.StatusRequestTimeout, http.StatusTooEarly:
		return true
	}
	return status >= 500
}

// badStatus makes the failure of a refusal.
func badStatus(host string, res *http.Response, now time.Time) *failure {
	status := res.StatusCode
	kind := FailServer
	switch status {
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		kind = FailTooMany
	case http.StatusRequestTimeout:
		kind = FailTimeout
	}
	f := failf(kind, nil, "%s answered %s", host, strings.TrimSpace(fmt.Sprint(status, " ", http.StatusText(status))))
	if kind == FailTooMany {
		if f.RetryAfter = askedFor(res.Header, status, now); f.RetryAfter > 0 {
			f.Message += " and asks to be left alone for " + f.RetryAfter.Round(time.Second).String()
		}
	}
	f.Status = status
	f.passing = status != http.StatusNotImplemented && status != http.StatusHTTPVersionNotSupported
	return f
}

// askedFor is how long an answer asks to be left alone for.
func askedFor(h http.Header, status int, now time.Time) time.Duration {
	// A date is meant by the server's clock.
	if date, err := http.ParseTime(h.Get("Date")); err == nil {
		now = date
	}
	if after := RetryAfter(h.Get("Retry-After"), now); after > 0 || status != http.StatusTooManyRequests {
		return after
	}
	// What interfaces for programs say instead: seconds from now, or the second
	// since 1970 at which requests count anew.
	for _, name := range []string{"Ratelimit-Reset", "X-Ratelimit-Reset", "X-Rate-Limit-Reset"} {
		seconds, err := strconv.ParseFloat(h.Get(name), 64)
		if err != nil || !(seconds > 0) {
			continue
		}
		if seconds > 1e8 {
			seconds -= float64(now.Unix())
		}
		if seconds > 0 && seconds <= maxRetryAfter.Seconds() {
			return time.Duration(seconds * float64(time.Second))
		}
	}
	return 0
}

// maxRetryAfter bounds what a Retry-After can ask for.
const maxRetryAfter = 24 * time.Hour

// RetryAfter reads a Retry-After header (RFC 9110, section 10.2.3): seconds or a
// date. It gives 0 for none, one in the past or one that cannot be read, and at
// most a day.
func RetryAfter(value string, now time.Time) time.Duration {
	value = strings.TrimSpace(value)
	if value == "" {
		return 0
	}
	if digits, _, _ := strings.Cut(value, "."); digits != "" && strings.Trim(digits, "0123456789") == "" {
		seconds, err := strconv.ParseFloat(value, 64)
		switch {
		case err != nil && len(digits) < 10:
			return 0
		case err != nil || seconds > maxRetryAfter.Seconds():
			return maxRetryAfter
		}
		return time.Duration(seconds * float64(time.Second))
	}
	at, err := http.ParseTime(value)
	if err != nil {
		return 0
	}
	return max(0, min(at.Sub(now), maxRetryAfter))
}

// outcome is what an exchange tells the pace of its host.
type outcome struct {
	answered   bool          // an answer came, of whatever kind
	latency    time.Duration // to its headers
	overloaded bool          // 429 or 503
	// unavailable: of these, 503
	unavailable bool
	silent      bool // no answer came in time
	retryAfter  time.Duration
	problem     string // what went wrong, for the person who asks why it waits
}

func (c *call) outcomeOf(ctx context.Context, fail *failure) outcome {
	switch {
	case fail == nil:
		return outcome{answered: true, latency: c.latency}
	case ctx.Err() != nil || fail.held:
		return outcome{}
	}
	return outcome{
		answered: fail.Status != 0, latency: c.latency, overloaded: fail.Failure == FailTooMany, unavailable: fail.Status == http.StatusServiceUnavailable,
		silent: fail.Failure == FailTimeout && fail.unreached, retryAfter: fail.RetryAfter, problem: fail.Message,
	}
}
