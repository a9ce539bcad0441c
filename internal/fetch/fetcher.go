package fetch

import (
	"cmp"
	"context"
	"crypto/tls"
	"math/rand/v2"
	"net"
	"net/http"
	"time"

	"shoal/internal/safedial"
)

// Options are the settings of a Fetcher. The zero value is usable and visits
// public addresses only.
type Options struct {
	// Dial opens connections: the DialContext of a safedial.Dialer. One that
	// admits public addresses alone when nil.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// TLS is the base of the connections' configuration: own authorities.
	TLS *tls.Config
	// UserAgent is sent when a Policy names none. DefaultUserAgent("dev") when
	// empty.
	UserAgent string
	// TLSTimeout bounds a handshake. 10 s when 0.
	TLSTimeout time.Duration
	// HeaderTimeout bounds the time from the start of an exchange to the
	// answer's headers. 30 s when 0.
	HeaderTimeout time.Duration
	// BodyWindow is the time in which some of the body must come: 512 bytes, or
	// its end. It is what ends a body that drips. 20 s when 0.
	BodyWindow time.Duration
	// Backoff is the wait before the first retry; it doubles. 500 ms when 0.
	Backoff time.Duration
	// MaxHosts bounds how many hosts are remembered. 10,000 when 0.
	MaxHosts int
	// Rand gives numbers in [0, 1) for jitter. math/rand/v2 when nil.
	Rand func() float64
}

// DefaultUserAgent names this software, so that a site's owner can tell what
// visits. Who runs it knows better whom to contact, and sets a User-Agent that says so.
func DefaultUserAgent(version string) string {
	return "Shoal/" + version + " (self-hosted web crawler)"
}

// Fetcher fetches. One is shared by all runs of a process, because the pace of a
// host is shared by all of them. It is safe for concurrent use.
type Fetcher struct {
	options   Options
	transport *http.Transport // HTTP/2 where it is offered
	http1     *http.Transport // for origins whose HTTP/2 is broken
	origins   *origins
}

// New makes a Fetcher.
func New(o Options) *Fetcher {
	if o.Dial == nil {
		o.Dial = safedial.New(safedial.Options{}).DialContext
	}
	o.UserAgent = cmp.Or(o.UserAgent, DefaultUserAgent("dev"))
	o.TLSTimeout = cmp.Or(o.TLSTimeout, 10*time.Second)
	o.HeaderTimeout = cmp.Or(o.HeaderTimeout, 30*time.Second)
	o.BodyWindow = cmp.Or(o.BodyWindow, 20*time.Second)
	o.Backoff = cmp.Or(o.Backoff, 500*time.Millisecond)
	o.MaxHosts = cmp.Or(o.MaxHosts, 10_000)
	if o.Rand == nil {
		o.Rand = rand.Float64
	}
	known := newOrigins(o.MaxHosts)
	both, http1 := newTransports(o, known.held)
	return &Fetcher{options: o, transport: both, http1: http1, origins: known}
}

// Close closes the idle connections. Calls under way end by their contexts.
func (f *Fetcher) Close() {
	f.transport.CloseIdleConnections()
	f.http1.CloseIdleConnections()
}

// Do fetches one page: it waits for the host's turn, follows redirects, retries
// what may pass and reads the body. The error is an *Error, or ctx's own once ctx
// has ended.
//
// Requests that may change something (POST, PATCH) are tried again only when
// nothing was sent, or when the host answered 429 and so did nothing.
func (f *Fetcher) Do(ctx context.Context, req Request, p Policy) (*Response, error) {
	c, err := f.newCall(req, p)
	if err != nil {
		return nil, err
	}
	return c.run(ctx)
}

// run tries until there is an answer or no point in trying.
func (c *call) run(ctx context.Context) (*Response, error) {
	for {
		c.tries++
		resp, fail := c.try(ctx)
		if fail == nil {
			resp.Tries = c.tries
			return resp, nil
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		wait, again := c.again(fail)
		if !again {
			fail.Tries, fail.WireBytes = c.tries, c.wasted
			return nil, fail.Error
		}
		if err := sleep(ctx, wait); err != nil {
			return nil, err
		}
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
