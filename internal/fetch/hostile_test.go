package fetch_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"shoal/internal/fetch"
	"shoal/internal/safedial"
)

// quick retries without making the tests wait.
var quick = fetch.Options{Backoff: time.Millisecond}

func TestTargetThatBreaksHTTP(t *testing.T) {
	cases := []struct {
		name  string
		reply string // then the connection closes
		want  fetch.Failure
		tries int
	}{
		{"not HTTP", "SSH-2.0-OpenSSH_9.2\r\n", fetch.FailProtocol, 3},
		{"closed without an answer", "", fetch.FailConnect, 3},
		{"closed within the headers", "HTTP/1.1 200 OK\r\nContent-Type: text/h", fetch.FailProtocol, 3},
		{"bad status", "HTTP/1.1 ok fine\r\n\r\n", fetch.FailProtocol, 3},
		{"bad header", "HTTP/1.1 200 OK\r\nno colon here\r\n\r\n", fetch.FailProtocol, 3},
		{"two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 5\r\n\r\nabcde", fetch.FailProtocol, 3},
		{"length longer than the body", "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 5000\r\n\r\n<p>short</p>", fetch.FailProtocol, 3},
		{"closed within a chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n64\r\nabc", fetch.FailProtocol, 3},
		{"bad chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc", fetch.FailProtocol, 3},
		{"huge headers", "HTTP/1.1 200 OK\r\nX-Big: " + strings.Repeat("a", 2<<20) + "\r\n\r\n", fetch.FailProtocol, 3},
		{"10 GB announced", "HTTP/1.1 200 OK\r\nContent-Length: 10737418240\r\n\r\nabc", fetch.FailTooLarge, 1},
		{"brotli that is none", "HTTP/1.1 200 OK\r\nContent-Encoding: br\r\nContent-Length: 12\r\n\r\n<p>plain</p>", fetch.FailProtocol, 3},
		{"gzip cut short", "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 40\r\n\r\n" + string(gzipped([]byte(strings.Repeat("uncommon text ", 99))))[:40], fetch.FailProtocol, 3},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			var conns atomic.Int32
			url := speak(t, func(conn net.Conn) { conns.Add(1); io.WriteString(conn, c.reply) })
			fail := refuse(t, newFetcher(t, quick), fetch.Request{URL: url}, fetch.Policy{}, c.want)
			if fail.Tries != c.tries || int(conns.Load()) != c.tries {
				t.Errorf("%d tries reported, %d seen by the target, want %d", fail.Tries, conns.Load(), c.tries)
			}
		})
	}
}

func TestTargetThatResets(t *testing.T) {
	reset := func(c net.Conn) { c.(*net.TCPConn).SetLinger(0); c.Close() }
	f := newFetcher(t, quick)
	fail := refuse(t, f, fetch.Request{URL: speak(t, reset)}, fetch.Policy{}, fetch.FailConnect)
	if !fail.Unreached() || fail.Tries != 3 {
		t.Errorf("got %+v, want an unreached site after 3 tries", fail)
	}
	within := speak(t, func(c net.Conn) {
		io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\nabc")
		reset(c)
	})
	if _, err := f.Do(t.Context(), fetch.Request{URL: within}, fetch.Policy{}); err == nil {
		t.Error("a body cut by a reset gave a page")
	}
}

func TestTargetThatIsNotThere(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	f := newFetcher(t, quick)
	refuse(t, f, fetch.Request{URL: "http://" + l.Addr().String()}, fetch.Policy{}, fetch.FailConnect)
	// Nothing was sent, so even a POST is tried again.
	if fail := refuse(t, f, fetch.Request{Method: "POST", URL: "http://" + l.Addr().String(), Body: "x"}, fetch.Policy{}, fetch.FailConnect); fail.Tries != 3 {
		t.Errorf("a POST that was never sent was tried %d times, want 3", fail.Tries)
	}
	refuse(t, f, fetch.Request{URL: "http://nowhere.invalid/"}, fetch.Policy{}, fetch.FailDNS)
}

func TestTLSFailures(t *testing.T) {
	f := newFetcher(t, quick)
	secure := httptest.NewTLSServer(http.NotFoundHandler())
	defer secure.Close()
	secure.Config.ErrorLog = quiet
	if fail := refuse(t, f, fetch.Request{URL: secure.URL}, fetch.Policy{}, fetch.FailTLS); fail.Tries != 1 {
		t.Errorf("a wrong certificate was tried %d times, want once", fail.Tries)
	}
	plain := serve(t, func(http.ResponseWriter, *http.Request) {})
	plain.Config.ErrorLog = quiet
	refuse(t, f, fetch.Request{URL: "https" + strings.TrimPrefix(plain.URL, "http")}, fetch.Policy{}, fetch.FailTLS)
	shut := speak(t, func(net.Conn) {})
	if fail := refuse(t, f, fetch.Request{URL: "https" + strings.TrimPrefix(shut, "http")}, fetch.Policy{}, fetch.FailTLS); fail.Tries != 3 {
		t.Errorf("a handshake cut off was tried %d times, want 3", fail.Tries)
	}
}

func TestTargetThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := serveMemory(t, func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, fetch.Options{})
		began := time.Now()
		fail := refuse(t, f, fetch.Request{URL: "http://hang.example/"}, fetch.Policy{Retries: -1}, fetch.FailTimeout)
		if took := time.Since(began); took != 30*time.Second || !strings.Contains(fail.Message, "30s") {
			t.Errorf("gave up after %s saying %q, want after 30 s and saying so", took, fail.Message)
		}
	})
}

func TestTargetThatDrips(t *testing.T) {
	for _, c := range []struct {
		name  string
		bytes int // each second
		after time.Duration
		says  string
	}{
		{"a byte a second is cut off", 1, 20 * time.Second, "too slowly"},
		{"enough a second ends with the whole time", 100, time.Minute, "after 1m0s"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := serveMemory(t, func(w http.ResponseWriter, r *http.Request) {
					for r.Context().Err() == nil {
						w.Write(bytes.Repeat([]byte("x"), c.bytes))
						w.(http.Flusher).Flush()
						time.Sleep(time.Second)
					}
				}, fetch.Options{})
				began := time.Now()
				fail := refuse(t, f, fetch.Request{URL: "http://drip.example/"}, fetch.Policy{Retries: -1}, fetch.FailTimeout)
				if took := time.Since(began); took != c.after || !strings.Contains(fail.Message, c.says) {
					t.Errorf("ended after %s saying %q, want after %s saying %q", took, fail.Message, c.after, c.says)
				}
				if fail.Status != 200 {
					t.Errorf("status %d, want the 200 that came", fail.Status)
				}
			})
		})
	}
}

func TestSlowBodyThatEndsIsAPage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := serveMemory(t, func(w http.ResponseWriter, r *http.Request) {
			for range 40 {
				w.Write(make([]byte, 600))
				w.(http.Flusher).Flush()
				time.Sleep(time.Second)
			}
		}, fetch.Options{})
		if resp := get(t, f, "http://slow.example/", fetch.Policy{}); len(resp.Body) != 40*600 || resp.Elapsed != 40*time.Second {
			t.Errorf("got %d bytes in %s", len(resp.Body), resp.Elapsed)
		}
	})
}

func TestCallerEndsTheWait(t *testing.T) {
	entered := make(chan struct{})
	s := serve(t, func(w http.ResponseWriter, r *http.Request) { close(entered); <-r.Context().Done() })
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-entered; cancel() }()
	if _, err := newFetcher(t, quick).Do(ctx, fetch.Request{URL: s.URL}, fetch.Policy{}); err != context.Canceled {
		t.Errorf("got %v, want context.Canceled itself", err)
	}
}

func TestBodyWithoutEndIsCutOff(t *testing.T) {
	const limit = 1 << 20
	var sent atomic.Int64
	endless := func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/announced":
			w.Header().Set("Content-Length", fmt.Sprint(int64(10)<<30))
		case "/gzip":
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			for {
				if _, err := z.Write(make([]byte, 1<<20)); err != nil || z.Flush() != nil {
					return
				}
				w.(http.Flusher).Flush()
			}
		}
		block := bytes.Repeat([]byte("0123456789abcdef"), 4<<10)
		for range 10 << 30 / len(block) {
			n, err := w.Write(block)
			sent.Add(int64(n))
			if err != nil {
				return
			}
		}
	}
	s := serve(t, endless)
	two := httptest.NewUnstartedServer(http.HandlerFunc(endless))
	two.EnableHTTP2 = true
	two.StartTLS()
	defer two.Close()
	options := quick
	options.TLS = &tls.Config{RootCAs: two.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs}
	f := newFetcher(t, options)
	for _, url := range []string{s.URL + "/stream", s.URL + "/announced", s.URL + "/gzip", two.URL + "/stream", two.URL + "/gzip"} {
		fail := refuse(t, f, fetch.Request{URL: url}, fetch.Policy{MaxBytes: limit}, fetch.FailTooLarge)
		if fail.Tries != 1 || !strings.Contains(fail.Message, "1048576 bytes") {
			t.Errorf("%s: %d tries, message %q", url, fail.Tries, fail.Message)
		}
	}
	if n := sent.Load(); n > 100<<20 {
		t.Errorf("the target could send %d bytes before it was cut off", n)
	}
	exact := serve(t, func(w http.ResponseWriter, r *http.Request) { w.Write(make([]byte, limit)) })
	if resp := get(t, f, exact.URL, fetch.Policy{MaxBytes: limit}); len(resp.Body) != limit {
		t.Errorf("a body of exactly the limit came as %d bytes", len(resp.Body))
	}
}

func TestServerErrorEveryThirdTime(t *testing.T) {
	var n atomic.Int32
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if n.Add(1)%3 == 0 {
			http.Error(w, "broken", 500)
			return
		}
		io.WriteString(w, "fine")
	})
	f := newFetcher(t, quick)
	for i := range 30 {
		resp := get(t, f, s.URL, fetch.Policy{})
		if string(resp.Body) != "fine" {
			t.Fatalf("page %d is %q", i, resp.Body)
		}
		resp.Release()
	}
	if got := n.Load(); got != 44 {
		t.Errorf("the target saw %d requests for 30 pages, want 44", got)
	}
}

func TestServerErrorsAndPages(t *testing.T) {
	var posts atomic.Int32
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		var status int
		fmt.Sscanf(r.URL.Path, "/%d", &status)
		if r.Method == "POST" {
			posts.Add(1)
		}
		w.WriteHeader(status)
		if status != 204 {
			io.WriteString(w, "body")
		}
	})
	f := newFetcher(t, quick)
	for _, status := range []int{200, 201, 204, 400, 401, 403, 404, 410, 451, 418} {
		if resp := get(t, f, fmt.Sprint(s.URL, "/", status), fetch.Policy{}); resp.Status != status || resp.Tries != 1 {
			t.Errorf("status %d came as %d after %d tries", status, resp.Status, resp.Tries)
		}
	}
	for status, tries := range map[int]int{500: 3, 502: 3, 504: 3, 501: 1} {
		fail := refuse(t, f, fetch.Request{URL: fmt.Sprint(s.URL, "/", status)}, fetch.Policy{}, fetch.FailServer)
		if fail.Status != status || fail.Tries != tries || !fail.Unreached() {
			t.Errorf("status %d gave %+v, want %d tries", status, fail, tries)
		}
	}
	refuse(t, f, fetch.Request{Method: "POST", URL: s.URL + "/500", Body: "x"}, fetch.Policy{}, fetch.FailServer)
	if posts.Load() != 1 {
		t.Errorf("a POST answered 500 was sent %d times, want once", posts.Load())
	}
}

func TestAddressesThatAreNotVisited(t *testing.T) {
	inside := serve(t, func(w http.ResponseWriter, r *http.Request) { t.Errorf("the inside was reached: %s", r.URL) })
	port := inside.URL[strings.LastIndex(inside.URL, ":"):]
	const hint = "start with --allow-private-targets (SHOAL_ALLOW_PRIVATE_TARGETS) to allow it"
	f := fetch.New(fetch.Options{Dial: safedial.New(safedial.Options{Hint: hint}).DialContext})
	defer f.Close()
	for _, host := range []string{"127.0.0.1", "2130706433", "0x7f000001", "0177.0.0.1", "127.1", "localhost", "[::1]", "[::]", "[::ffff:127.0.0.1]", "0.0.0.0", "169.254.169.254"} {
		fail := refuse(t, f, fetch.Request{URL: "http://" + host + port + "/"}, fetch.Policy{}, fetch.FailRefused)
		if fail.Tries != 1 || !strings.HasSuffix(fail.Message, hint) || !fail.Unreached() {
			t.Errorf("%s: %d tries, unreached %v, message %q", host, fail.Tries, fail.Unreached(), fail.Message)
		}
	}
	for _, url := range []string{"ftp://example.com/", "file:///etc/passwd", "gopher://example.com", "example.com", "http://", "http:///path", "javascript:alert(1)", "http://exa mple.com/", "", "//example.com"} {
		refuse(t, f, fetch.Request{URL: url}, fetch.Policy{}, fetch.FailRefused)
	}
}

func TestRedirectToTheInsideIsRefused(t *testing.T) {
	inside := serve(t, func(w http.ResponseWriter, r *http.Request) { t.Errorf("the inside was reached: %s", r.URL) })
	var to string
	outside := serve(t, func(w http.ResponseWriter, r *http.Request) { w.Header().Set("Location", to); w.WriteHeader(302) })
	// The outside site is admitted as the demo's own site would be.
	d := safedial.New(safedial.Options{Allow: []netip.AddrPort{netip.MustParseAddrPort(strings.TrimPrefix(outside.URL, "http://"))}})
	f := fetch.New(fetch.Options{Dial: d.DialContext})
	defer f.Close()
	for _, to = range []string{inside.URL, "http://localhost" + inside.URL[strings.LastIndex(inside.URL, ":"):], "http://169.254.169.254/latest/meta-data/", "ftp://example.com/", "file:///etc/passwd"} {
		refuse(t, f, fetch.Request{URL: outside.URL}, fetch.Policy{}, fetch.FailRefused)
	}
	if _, err := d.DialContext(t.Context(), "tcp", strings.TrimPrefix(inside.URL, "http://")); !isRefused(err) {
		t.Errorf("dialling the inside gave %v", err)
	}
}

func isRefused(err error) bool {
	_, ok := errors.AsType[*safedial.RefusedError](err)
	return ok
}

func TestKeptConnectionThatDied(t *testing.T) {
	var conns atomic.Int32
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "page") }))
	s.Config.ConnState = func(c net.Conn, state http.ConnState) {
		if state == http.StateNew {
			conns.Add(1)
		}
	}
	s.Start()
	defer s.Close()
	f := newFetcher(t, quick)
	for range 3 {
		if resp := get(t, f, s.URL, fetch.Policy{Retries: -1}); string(resp.Body) != "page" || resp.Tries != 1 {
			t.Errorf("got %q after %d tries", resp.Body, resp.Tries)
		}
		s.CloseClientConnections()
	}
	if conns.Load() != 3 {
		t.Errorf("%d connections, want a new one for each page", conns.Load())
	}
}
