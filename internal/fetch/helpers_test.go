package fetch_test

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"

	"shoal/internal/fetch"
	"shoal/internal/safedial"
)

// quiet keeps the servers from logging what the tests provoke.
var quiet = log.New(io.Discard, "", 0)

// newFetcher makes a Fetcher that may visit this machine.
func newFetcher(t testing.TB, o fetch.Options) *fetch.Fetcher {
	t.Helper()
	if o.Dial == nil {
		o.Dial = safedial.New(safedial.Options{AllowPrivate: true}).DialContext
	}
	f := fetch.New(o)
	t.Cleanup(f.Close)
	return f
}

// serve starts a site on a real socket.
func serve(t testing.TB, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s
}

// speak starts a server that runs talk on each connection after the request's
// first bytes have come: for answers that no HTTP server would give.
func speak(t testing.TB, talk func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var conns sync.WaitGroup
	conns.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			conns.Go(func() {
				defer c.Close()
				if _, err := c.Read(make([]byte, 4096)); err == nil {
					talk(c)
				}
			})
		}
	})
	t.Cleanup(func() { l.Close(); conns.Wait() })
	return "http://" + l.Addr().String()
}

// get fetches a page that must succeed.
func get(t testing.TB, f *fetch.Fetcher, url string, p fetch.Policy) *fetch.Response {
	t.Helper()
	resp, err := f.Do(t.Context(), fetch.Request{URL: url}, p)
	if err != nil {
		t.Fatalf("fetch %s: %v", url, err)
	}
	return resp
}

// refuse fetches what must fail with the given failure.
func refuse(t testing.TB, f *fetch.Fetcher, req fetch.Request, p fetch.Policy, want fetch.Failure) *fetch.Error {
	t.Helper()
	resp, err := f.Do(t.Context(), req, p)
	if err == nil {
		t.Fatalf("fetch %s gave a page (%d, %d bytes), want the failure %s", req.URL, resp.Status, len(resp.Body), want)
	}
	fail, ok := errors.AsType[*fetch.Error](err)
	if !ok {
		t.Fatalf("fetch %s: %v (%T), want a *fetch.Error", req.URL, err, err)
	}
	if fail.Failure != want {
		t.Fatalf("fetch %s: failure %s (%s), want %s", req.URL, fail.Failure, fail.Message, want)
	}
	if fail.Message == "" {
		t.Errorf("fetch %s: the failure %s has no message", req.URL, fail.Failure)
	}
	return fail
}

// counting dials this machine and counts the connections.
func counting(n *atomic.Int32) func(context.Context, string, string) (net.Conn, error) {
	d := safedial.New(safedial.Options{AllowPrivate: true})
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		n.Add(1)
		return d.DialContext(ctx, network, address)
	}
}

// memory is a network inside the process, for tests whose clock is synctest's:
// every name leads to the one listener.
type memory struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newMemory() *memory {
	return &memory{conns: make(chan net.Conn), closed: make(chan struct{})}
}

func (m *memory) DialContext(ctx context.Context, _, _ string) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case m.conns <- server:
		return client, nil
	case <-m.closed:
		return nil, &net.OpError{Op: "dial", Net: "pipe", Err: errors.New("refused")}
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (m *memory) Accept() (net.Conn, error) {
	select {
	case c := <-m.conns:
		return c, nil
	case <-m.closed:
		return nil, net.ErrClosed
	}
}

func (m *memory) Close() error   { m.once.Do(func() { close(m.closed) }); return nil }
func (m *memory) Addr() net.Addr { return &net.UnixAddr{Name: "memory", Net: "pipe"} }

// serveMemory runs a site in memory and gives a Fetcher that reaches it under
// every name. It must be called within a synctest bubble.
func serveMemory(t *testing.T, h http.HandlerFunc, o fetch.Options) *fetch.Fetcher {
	t.Helper()
	m := newMemory()
	server := &http.Server{Handler: h}
	var running sync.WaitGroup
	running.Go(func() { server.Serve(m) })
	o.Dial = m.DialContext
	f := newFetcher(t, o)
	t.Cleanup(func() {
		f.Close()
		server.Shutdown(context.Background()) // waits for the handlers
		running.Wait()
	})
	return f
}
