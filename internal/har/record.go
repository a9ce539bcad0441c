package har

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"net/http"
	"slices"
	"sync"
	"time"

	"shoal/internal/fetch"
)

// Fetcher makes the requests that a Recorder records; *fetch.Fetcher is one.
type Fetcher interface {
	Do(ctx context.Context, r fetch.Request, p fetch.Policy) (*fetch.Response, error)
	Why(host string, now time.Time) string
}

// Recorder is a fetcher that keeps what passes through it. It is safe for
// concurrent use.
type Recorder struct {
	fetcher Fetcher
	now     func() time.Time

	mu      sync.Mutex
	entries []Entry
}

// Record returns a fetcher that fetches with f and keeps what it gives.
func Record(f Fetcher) *Recorder { return &Recorder{fetcher: f, now: time.Now} }

// Why asks the fetcher beneath.
func (r *Recorder) Why(host string, now time.Time) string { return r.fetcher.Why(host, now) }

// Do fetches and keeps the exchange, with the redirects on its way. A request
// that its caller gave up is not kept.
func (r *Recorder) Do(ctx context.Context, req fetch.Request, p fetch.Policy) (*fetch.Response, error) {
	started := r.now()
	resp, err := r.fetcher.Do(ctx, req, p)
	e := Entry{Started: started, Elapsed: r.now().Sub(started), Method: cmp.Or(req.Method, http.MethodGet), URL: withoutFragment(req.URL),
		RequestHeader: http.Header{}, RequestBody: req.Body}
	for _, from := range []map[string]string{p.Header, req.Header} {
		for name, value := range from {
			e.RequestHeader.Set(name, value)
		}
	}
	if err != nil {
		if fe, ok := errors.AsType[*fetch.Error](err); ok && ctx.Err() == nil {
			e.Status, e.Failure, e.Failed = fe.Status, fe.Failure, fe.Message
			r.keep(e)
		}
		return resp, err
	}
	e.Elapsed = resp.Elapsed
	r.keep(hops(e, resp)...)
	return resp, nil
}

// hops are the entries of an exchange: one for each redirect, then the answer.
func hops(e Entry, resp *fetch.Response) []Entry {
	var out []Entry
	if withoutFragment(resp.URL) != e.URL {
		urls := append(slices.Clone(resp.Redirects), resp.URL)
		if urls[0] != e.URL {
			urls = append([]string{e.URL}, urls...)
		}
		for i := range urls[:len(urls)-1] {
			hop := e
			hop.URL, hop.Status, hop.Location, hop.Header = urls[i], http.StatusFound, urls[i+1], http.Header{}
			out = append(out, hop)
			e.Method, e.RequestBody = http.MethodGet, ""
		}
		e.URL = resp.URL
	}
	e.Status, e.Header, e.MediaType = resp.Status, resp.Header.Clone(), resp.MediaType
	e.Body, e.WireBytes = bytes.Clone(resp.Body), resp.WireBytes
	return append(out, e)
}

func (r *Recorder) keep(entries ...Entry) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.entries = append(r.entries, entries...)
}

// File returns what was recorded so far, in the order in which the requests began.
func (r *Recorder) File() *File {
	r.mu.Lock()
	defer r.mu.Unlock()
	entries := slices.Clone(r.entries)
	slices.SortStableFunc(entries, func(a, b Entry) int { return a.Started.Compare(b.Started) })
	return &File{Entries: entries}
}
