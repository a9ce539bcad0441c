package fetch

import (
	"fmt"
	"net/url"
	"strings"
	"time"
)

// Stats is how things stand between this process and a host.
type Stats struct {
	// Host is the registrable domain and port whose pace it is.
	Host     string
	InFlight int
	Waiting  int
	// HoldUntil is when a Retry-After ends, zero without one.
	HoldUntil time.Time
	// Concurrency and Delay are what overload has brought them to; 0 when the
	// policy's own hold.
	Concurrency int
	Delay       time.Duration
	// CrawlDelay is the robots.txt's.
	CrawlDelay time.Duration
	// CircuitOpenUntil is when a silent host is tried again, zero while it is
	// not given up.
	CircuitOpenUntil time.Time
	// RobotsPending: robots.txt is being fetched.
	RobotsPending bool
	// LastAnswer is when any answer last came, zero if none has.
	LastAnswer time.Time
	// LastProblem says what went wrong with the last exchange, "" if nothing.
	LastProblem string
}

// Stats tells about a host, given as a URL or as host or host:port. It is the
// zero value for a host not visited lately.
func (f *Fetcher) Stats(host string) Stats {
	o := f.known(host)
	if o == nil {
		return Stats{}
	}
	s := Stats{}
	if until := o.breaker.until.Load(); until != 0 {
		s.CircuitOpenUntil = time.Unix(0, until)
	}
	if a := o.robots.answer.Load(); a != nil && a.file != nil {
		if g := a.file.find(token(f.options.UserAgent)); g != nil {
			s.CrawlDelay = g.delay
		}
	}
	o.robots.mu.Lock()
	s.RobotsPending = o.robots.fetching != nil
	o.robots.mu.Unlock()

	h := o.host
	h.mu.Lock()
	defer h.mu.Unlock()
	s.Host, s.InFlight, s.Waiting, s.HoldUntil = h.name, h.inflight, len(h.queue), h.hold
	s.Concurrency, s.Delay = int(h.lesson.limit), h.lesson.slow
	s.LastAnswer, s.LastProblem = h.answered, h.problem
	return s
}

// known finds a host's origin, https before http when the scheme is not given.
func (f *Fetcher) known(host string) *origin {
	if strings.Contains(host, "://") {
		if u, err := url.Parse(host); err == nil {
			return f.origins.find(originKey(u))
		}
		return nil
	}
	for _, scheme := range []string{"https", "http"} {
		if o := f.origins.find(originKey(&url.URL{Scheme: scheme, Host: host})); o != nil {
			return o
		}
	}
	return nil
}

// Why says in a sentence what is being waited for at a host (a URL, host or
// host:port), "" when nothing is.
func (f *Fetcher) Why(host string, now time.Time) string {
	s := f.Stats(host)
	var why string
	switch {
	case s.CircuitOpenUntil.After(now):
		why = fmt.Sprintf("it failed to answer %d times in a row and is left alone until %s", circuitFailures, s.CircuitOpenUntil.Format(time.TimeOnly))
	case s.HoldUntil.After(now):
		why = "Retry-After until " + s.HoldUntil.Format(time.TimeOnly)
	case s.RobotsPending:
		why = "its robots.txt is being fetched"
	case s.InFlight > 0:
		why = fmt.Sprintf("%d requests under way and %d in the queue", s.InFlight, s.Waiting)
		if !s.LastAnswer.IsZero() {
			why += fmt.Sprintf(", the last answer was %s ago", now.Sub(s.LastAnswer).Round(time.Second))
		}
		if s.Waiting > 0 && s.Concurrency > 0 && s.InFlight >= s.Concurrency {
			why += "; no more at a time, because it is overloaded or slow"
		}
	case s.Waiting > 0 && s.Delay > 0:
		why = fmt.Sprintf("slowed down to a request every %s after it answered 429 or 503", s.Delay.Round(time.Millisecond))
	case s.Waiting > 0 && s.CrawlDelay > 0:
		why = fmt.Sprintf("Crawl-delay %s of its robots.txt", s.CrawlDelay)
	case s.Waiting > 0:
		why = fmt.Sprintf("the delay between requests, %d in the queue", s.Waiting)
	case s.LastProblem != "":
		why = "a retry, because " + s.LastProblem
	default:
		return ""
	}
	return "waiting for " + s.Host + ": " + why
}
