package fetch_test

import (
	"bytes"
	"crypto/tls"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"shoal/internal/fetch"
)

// stream is one request to a server that speaks HTTP/2 frame by frame, so that
// it can do what no HTTP/2 server would.
type stream struct {
	*http2.Framer
	id   uint32
	n    int // requests so far on all connections, this one included
	conn *tls.Conn
}

// headers sends an answer's headers.
func (s stream) headers(end bool, fields ...string) error {
	var block bytes.Buffer
	e := hpack.NewEncoder(&block)
	for i := 0; i < len(fields); i += 2 {
		e.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]})
	}
	return s.WriteHeaders(http2.HeadersFrameParam{StreamID: s.id, BlockFragment: block.Bytes(), EndHeaders: true, EndStream: end})
}

// page sends a whole answer.
func (s stream) page(body string) {
	s.headers(false, ":status", "200", "content-type", "text/plain")
	s.WriteData(s.id, true, []byte(body))
}

// frames starts a server whose HTTP/2 is answer, called for each request in the
// order of its connection; it returns false to close the connection. By HTTP/1.1
// the server says so.
func frames(t *testing.T, o fetch.Options, answer func(stream) bool) (*fetch.Fetcher, string, *atomic.Int32) {
	t.Helper()
	var requests atomic.Int32
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.Proto) }))
	s.EnableHTTP2 = true
	s.Config.ErrorLog = quiet
	s.Config.TLSNextProto = map[string]func(*http.Server, *tls.Conn, http.Handler){
		"h2": func(_ *http.Server, c *tls.Conn, _ http.Handler) {
			defer c.Close()
			if _, err := io.ReadFull(c, make([]byte, len(http2.ClientPreface))); err != nil {
				return
			}
			fr := http2.NewFramer(c, c)
			fr.WriteSettings()
			for {
				f, err := fr.ReadFrame()
				if err != nil {
					return
				}
				switch f := f.(type) {
				case *http2.SettingsFrame:
					if !f.IsAck() {
						fr.WriteSettingsAck()
					}
				case *http2.PingFrame:
					if !f.IsAck() {
						fr.WritePing(true, f.Data)
					}
				case *http2.HeadersFrame:
					if !answer(stream{fr, f.StreamID, int(requests.Add(1)), c}) {
						return
					}
				}
			}
		},
	}
	s.StartTLS()
	t.Cleanup(s.Close)
	o.TLS = &tls.Config{RootCAs: s.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs}
	return newFetcher(t, o), s.URL, &requests
}

// Whatever HTTP/2 breaks off with, the page comes in the end, whole.
func TestHTTP2ThatBreaksOff(t *testing.T) {
	const whole = "the whole page"
	for _, c := range []struct {
		name   string
		method string
		first  func(stream) bool // what the first request meets; all others get the page
		tries  int
	}{
		{"reset without an answer", "GET", func(s stream) bool { s.WriteRSTStream(s.id, http2.ErrCodeInternal); return true }, 2},
		{"refused, so that it was not looked at", "GET", func(s stream) bool { s.WriteRSTStream(s.id, http2.ErrCodeRefusedStream); return true }, 1},
		{"a POST refused", "POST", func(s stream) bool { s.WriteRSTStream(s.id, http2.ErrCodeRefusedStream); return true }, 1},
		{"asked to be calm", "GET", func(s stream) bool { s.WriteRSTStream(s.id, http2.ErrCodeEnhanceYourCalm); return true }, 2},
		{"going away before the request", "GET", func(s stream) bool { s.WriteGoAway(0, http2.ErrCodeNo, nil); return true }, 1},
		{"a POST at a server that goes away", "POST", func(s stream) bool { s.WriteGoAway(0, http2.ErrCodeNo, nil); return true }, 1},
		{"going away with an error", "GET", func(s stream) bool { s.WriteGoAway(s.id, http2.ErrCodeInternal, nil); return false }, 2},
		{"closed without an answer", "GET", func(s stream) bool { return false }, 2},
		{"reset within the body", "GET", func(s stream) bool {
			s.headers(false, ":status", "200")
			s.WriteData(s.id, false, []byte("the whole"))
			s.WriteRSTStream(s.id, http2.ErrCodeInternal)
			return true
		}, 2},
		{"closed within the body", "GET", func(s stream) bool {
			s.headers(false, ":status", "200", "content-length", "14")
			s.WriteData(s.id, false, []byte("the whole"))
			return false
		}, 2},
		{"shorter than announced", "GET", func(s stream) bool {
			s.headers(false, ":status", "200", "content-length", "14")
			s.WriteData(s.id, true, []byte("the whole"))
			return true
		}, 2},
		{"longer than announced", "GET", func(s stream) bool {
			s.headers(false, ":status", "200", "content-length", "5")
			s.WriteData(s.id, true, []byte("much too long"))
			return true
		}, 2},
		{"data before headers", "GET", func(s stream) bool { s.WriteData(s.id, true, []byte("x")); return true }, 2},
		{"headers that do not decode", "GET", func(s stream) bool {
			s.WriteHeaders(http2.HeadersFrameParam{StreamID: s.id, BlockFragment: []byte{0xff, 0xff, 0xff}, EndHeaders: true})
			return true
		}, 2},
		{"a header no HTTP/2 has", "GET", func(s stream) bool { s.headers(true, ":status", "200", "Bad Name", "x"); return true }, 2},
		{"no status", "GET", func(s stream) bool { s.headers(true, "content-type", "text/html"); return true }, 2},
		{"an impossible status", "GET", func(s stream) bool { s.headers(true, ":status", "2000000000000000000000"); return true }, 2},
		{"rubbish instead of frames", "GET", func(s stream) bool { io.WriteString(s.conn, strings.Repeat("rubbish", 100)); return true }, 2},
		{"headers without end", "GET", func(s stream) bool {
			s.WriteHeaders(http2.HeadersFrameParam{StreamID: s.id, BlockFragment: []byte{0x88}})
			block := append([]byte{0, 1, 'x', 127}, 0x80, 0x7e) // the beginning of a long value
			for range 1000 {
				if s.WriteContinuation(s.id, false, append(block, make([]byte, 16000)...)) != nil {
					return false
				}
			}
			return false
		}, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, url, requests := frames(t, quick, func(s stream) bool {
				if s.n == 1 {
					return c.first(s)
				}
				s.page(whole)
				return true
			})
			resp, err := f.Do(t.Context(), fetch.Request{Method: c.method, URL: url, Body: strings.Repeat("x", len(c.method)-3)}, fetch.Policy{})
			if err != nil {
				t.Fatal(err)
			}
			if string(resp.Body) != whole || resp.Tries != c.tries || requests.Load() != 2 {
				t.Errorf("got %q after %d tries and %d requests, want %d tries and 2 requests", resp.Body, resp.Tries, requests.Load(), c.tries)
			}
		})
	}
}

// What may have been done is not asked for twice.
func TestPostOverHTTP2IsNotRepeated(t *testing.T) {
	f, url, requests := frames(t, quick, func(s stream) bool { s.WriteRSTStream(s.id, http2.ErrCodeInternal); return true })
	fail := refuse(t, f, fetch.Request{Method: "POST", URL: url, Body: "x"}, fetch.Policy{}, fetch.FailConnect)
	if requests.Load() != 1 || !strings.Contains(fail.Message, "INTERNAL_ERROR") {
		t.Errorf("the POST was sent %d times: %s", requests.Load(), fail.Message)
	}
}

// Where HTTP/2 is broken for good, HTTP/1.1 serves.
func TestBrokenHTTP2FallsBack(t *testing.T) {
	for code, want := range map[http2.ErrCode]struct{ tries, requests int }{
		http2.ErrCodeInternal:       {3, 2},
		http2.ErrCodeProtocol:       {3, 8}, // net/http asks again by itself, at once and without end
		http2.ErrCodeHTTP11Required: {2, 1},
	} {
		f, url, requests := frames(t, quick, func(s stream) bool { s.WriteRSTStream(s.id, code); return true })
		for i := range 3 {
			resp := get(t, f, url, fetch.Policy{})
			if string(resp.Body) != "HTTP/1.1" || i == 0 && resp.Tries != want.tries || i > 0 && resp.Tries != 1 {
				t.Errorf("%s: page %d came by %s after %d tries, want %d at first", code, i, resp.Body, resp.Tries, want.tries)
			}
		}
		if n := int(requests.Load()); n > want.requests {
			t.Errorf("%s: %d requests by HTTP/2, want at most %d", code, n, want.requests)
		}
	}
}

// A server that goes away after every few pages, as servers do to balance their
// load, costs no page; nor does the breaking of a connection with many streams
// look like many failures.
func TestHTTP2ThatGoesAwayAgainAndAgain(t *testing.T) {
	var mu sync.Mutex
	f, url, _ := frames(t, quick, func(s stream) bool {
		mu.Lock()
		defer mu.Unlock()
		switch {
		case s.n%60 == 30:
			s.WriteGoAway(s.id, http2.ErrCodeInternal, []byte("restart"))
			return false
		case s.n%10 == 0:
			s.page("page")
			s.WriteGoAway(s.id, http2.ErrCodeNo, nil)
			return true
		}
		s.page("page")
		return true
	})
	var left atomic.Int32
	left.Store(400)
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			for left.Add(-1) >= 0 {
				if resp := get(t, f, url, fetch.Policy{}); string(resp.Body) != "page" {
					t.Errorf("got %q, want it by HTTP/2", resp.Body)
				}
			}
		})
	}
	all.Wait()
	if why := f.Why(url, time.Now()); strings.Contains(why, "left alone") {
		t.Errorf("the circuit is open: %s", why)
	}
}

// Frames that are cheap to send and never bring the answer do not hold a call
// longer than silence would.
func TestHTTP2Floods(t *testing.T) {
	short := fetch.Options{HeaderTimeout: 300 * time.Millisecond, BodyWindow: 300 * time.Millisecond}
	for name, c := range map[string]struct {
		head  bool
		flood func(stream) error
	}{
		"pings":           {false, func(s stream) error { return s.WritePing(false, [8]byte{}) }},
		"settings":        {false, func(s stream) error { return s.WriteSettings() }},
		"window updates":  {false, func(s stream) error { return s.WriteWindowUpdate(0, 1) }},
		"empty data":      {true, func(s stream) error { return s.WriteData(s.id, false, nil) }},
		"padding":         {true, func(s stream) error { return s.WriteDataPadded(s.id, false, nil, make([]byte, 200)) }},
		"interim answers": {false, func(s stream) error { return s.headers(false, ":status", "103", "link", "<x>") }},
		"promised streams": {false, func(s stream) error {
			return s.WritePushPromise(http2.PushPromiseParam{StreamID: s.id, PromiseID: 2, EndHeaders: true})
		}},
	} {
		t.Run(name, func(t *testing.T) {
			f, url, _ := frames(t, short, func(s stream) bool {
				if c.head {
					s.headers(false, ":status", "200")
				}
				// Read what the client sends meanwhile, as a server has to.
				go io.Copy(io.Discard, s.conn)
				s.conn.SetWriteDeadline(time.Now().Add(5 * time.Second))
				for i := 0; c.flood(s) == nil; i++ {
					if i%64 == 63 {
						time.Sleep(time.Millisecond) // leaves something of the machine to the others
					}
				}
				return false
			})
			began := time.Now()
			resp, err := f.Do(t.Context(), fetch.Request{URL: url}, fetch.Policy{Retries: -1})
			if err == nil {
				t.Fatalf("got a page: %d", resp.Status)
			}
			if took := time.Since(began); took > 3*time.Second {
				t.Errorf("took %s: %v", took, err)
			}
		})
	}
}
