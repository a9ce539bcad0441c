package fetch_test

import (
	"bytes"
	"context"
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

// Answers that break HTTP/1.1 in ways beyond those of TestTargetThatBreaksHTTP:
// each ends soon, with a failure or a page as want says.
func TestHostileAnswers(t *testing.T) {
	const ok = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
	many := func(line string, n int) string { return strings.Repeat(line, n) }
	for _, c := range []struct {
		name  string
		reply string
		want  fetch.Failure // "" is a page
		body  string
	}{
		{"a few interim answers", many("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", 3) + ok + "Content-Length: 4\r\n\r\npage", "", "page"},
		{"a flood of interim answers", many("HTTP/1.1 100 Continue\r\n\r\n", 100_000), fetch.FailProtocol, ""},
		{"interim answers with large headers", many("HTTP/1.1 103 Early Hints\r\nLink: "+many("x", 300_000)+"\r\n\r\n", 5) + ok + "Content-Length: 4\r\n\r\npage", fetch.FailProtocol, ""},
		{"protocols are switched unasked", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", fetch.FailProtocol, ""},
		{"a million header fields", ok + many("a:b\r\n", 1_000_000) + "\r\npage", fetch.FailProtocol, ""},
		{"a huge header name", ok + many("a", 2_000_000) + ": b\r\n\r\npage", fetch.FailProtocol, ""},
		{"large headers within bounds", ok + "X-Big: " + many("a", 500_000) + "\r\nContent-Length: 4\r\n\r\npage", "", "page"},
		{"a status line without end", "HTTP/1.1 200 " + many("OK", 2_000_000), fetch.FailProtocol, ""},
		{"a negative length", ok + "Content-Length: -5\r\n\r\npage", fetch.FailProtocol, ""},
		{"a length that is no number", ok + "Content-Length: 4x\r\n\r\npage", fetch.FailProtocol, ""},
		{"a length beyond all numbers", ok + "Content-Length: 99999999999999999999999\r\n\r\npage", fetch.FailProtocol, ""},
		{"a length shorter than the body", ok + "Content-Length: 4\r\n\r\npage and more that belongs to nobody", "", "page"},
		{"no length and an end", ok + "\r\npage", "", "page"},
		{"chunked and a length", ok + "Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n4\r\npage\r\n0\r\n\r\n", "", "page"},
		{"a transfer coding that nobody knows", ok + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", fetch.FailProtocol, ""},
		{"a chunk of all bytes there are", ok + "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\npage", fetch.FailProtocol, ""},
		{"a chunk of a negative length", ok + "Transfer-Encoding: chunked\r\n\r\n-4\r\npage\r\n0\r\n\r\n", fetch.FailProtocol, ""},
		{"chunks without end of line", ok + "Transfer-Encoding: chunked\r\n\r\n4\r\npageXX0\r\n\r\n", fetch.FailProtocol, ""},
		{"chunk extensions without end", ok + "Transfer-Encoding: chunked\r\n\r\n4;" + many("x", 2_000_000), fetch.FailProtocol, ""},
		{"a byte in each chunk with long extensions", ok + "Transfer-Encoding: chunked\r\n\r\n" + many("1;"+many("x", 3000)+"\r\np\r\n", 1000) + "0\r\n\r\n", fetch.FailProtocol, ""},
		{"a flood of trailers", ok + "Transfer-Encoding: chunked\r\n\r\n4\r\npage\r\n0\r\n" + many("a: b\r\n", 1_000_000), fetch.FailProtocol, ""},
		{"a body where none may be", "HTTP/1.1 204 No Content\r\n\r\npage", "", ""},
		{"not modified, unasked", "HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\n\r\n", "", ""},
		{"a part, unasked", "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-3/9\r\nContent-Length: 4\r\n\r\npage", "", "page"},
		{"HTTP of the last century", "HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\npage", "", "page"},
		{"line feeds alone", "HTTP/1.1 200 OK\nContent-Length: 4\n\npage", "", "page"},
		{"a type that is none", "HTTP/1.1 200 OK\r\nContent-Type: \x01/\x02;;;=\r\nContent-Length: 4\r\n\r\npage", fetch.FailProtocol, ""},
		{"a type of nonsense", "HTTP/1.1 200 OK\r\nContent-Type: a;b=c;d;;charset\r\nContent-Length: 4\r\n\r\npage", "", "page"},
		{"a redirect to nowhere", "HTTP/1.1 302 Found\r\nLocation: \r\nContent-Length: 4\r\n\r\npage", "", "page"},
		{"a redirect to a URL without end", "HTTP/1.1 302 Found\r\nLocation: /" + many("x", 500_000) + "\r\nContent-Length: 0\r\n\r\n", fetch.FailRedirects, ""},
		{"compressed five times over", ok + "Content-Encoding: gzip, gzip, gzip, gzip, gzip\r\nContent-Length: 4\r\n\r\npage", fetch.FailProtocol, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			url := speak(t, func(conn net.Conn) {
				conn.SetDeadline(time.Now().Add(10 * time.Second))
				io.WriteString(conn, c.reply)
			})
			f := newFetcher(t, quick)
			began := time.Now()
			if c.want == "" {
				if resp := get(t, f, url, fetch.Policy{Retries: -1}); string(resp.Body) != c.body {
					t.Errorf("got %q, want %q", resp.Body, c.body)
				}
			} else if fail := failureOf(t, f, url); fail.Failure != c.want && fail.Failure != fetch.FailConnect {
				t.Errorf("got %s (%.200s), want %s", fail.Failure, fail.Message, c.want)
			}
			if took := time.Since(began); took > 5*time.Second {
				t.Errorf("took %s", took)
			}
		})
	}
}

// failureOf fetches what must fail, once.
func failureOf(t *testing.T, f *fetch.Fetcher, url string) *fetch.Error {
	t.Helper()
	resp, err := f.Do(t.Context(), fetch.Request{URL: url}, fetch.Policy{Retries: -1})
	if err == nil {
		t.Fatalf("got a page: %d, %.100q", resp.Status, resp.Body)
	}
	return err.(*fetch.Error)
}

// Every phase of a request has its end.
func TestEveryPhaseTimesOut(t *testing.T) {
	hang := func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
	for _, c := range []struct {
		name string
		dial func(ctx context.Context, network, address string) (net.Conn, error)
		url  string
		says string
		most time.Duration
	}{
		{"looking the name up", safedial.New(safedial.Options{Resolver: resolverFunc(hang)}).DialContext, "http://a.example/", "", 10 * time.Second},
		{"connecting", func(ctx context.Context, _, _ string) (net.Conn, error) { return nil, hang(ctx) }, "http://a.example/", "did not answer within 30s", 30 * time.Second},
		{"the handshake", func(context.Context, string, string) (net.Conn, error) {
			client, server := net.Pipe()
			go io.Copy(io.Discard, server)
			return client, nil
		}, "https://a.example/", "handshake", 10 * time.Second},
		{"sending", func(context.Context, string, string) (net.Conn, error) {
			client, _ := net.Pipe() // nobody reads
			return client, nil
		}, "http://a.example/", "did not answer within 30s", 30 * time.Second},
		{"headers that drip", func(context.Context, string, string) (net.Conn, error) {
			client, server := net.Pipe()
			go func() {
				server.Read(make([]byte, 4096))
				io.WriteString(server, "HTTP/1.1 200 OK\r\n")
				for i := 0; ; i++ {
					if _, err := fmt.Fprintf(server, "X-%d: a\r\n", i); err != nil {
						return
					}
					time.Sleep(time.Second)
				}
			}()
			return client, nil
		}, "http://a.example/", "did not answer within 30s", 30 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := fetch.New(fetch.Options{Dial: c.dial})
				defer time.Sleep(2 * time.Second) // of the bubble's clock: the dripping server ends
				defer f.Close()
				began := time.Now()
				fail := failureOf(t, f, c.url)
				if took := time.Since(began); took > c.most || !strings.Contains(fail.Message, c.says) {
					t.Errorf("ended after %s with %s: %s", took, fail.Failure, fail.Message)
				}
				if fail.Failure != fetch.FailTimeout && fail.Failure != fetch.FailDNS {
					t.Errorf("the failure is %s", fail.Failure)
				}
			})
		})
	}
}

type resolverFunc func(context.Context) error

func (r resolverFunc) LookupNetIP(ctx context.Context, _, host string) ([]netip.Addr, error) {
	return nil, r(ctx)
}

// A body that nobody needs is not waited for.
func TestSlowBodyOfARedirectIsNotWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := serveMemory(t, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/end" {
				io.WriteString(w, "page")
				return
			}
			w.Header().Set("Location", "/end")
			w.Header().Set("Content-Length", "1000")
			w.WriteHeader(302)
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		}, fetch.Options{})
		began := time.Now()
		if resp := get(t, f, "http://a.example/", fetch.Policy{}); string(resp.Body) != "page" || time.Since(began) > time.Second {
			t.Errorf("got %q after %s", resp.Body, time.Since(began))
		}
	})
}

// Who gives a request more time than usual gives it to the server's work before
// the headers, too.
func TestLongTimeoutIsForTheHeadersToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := serveMemory(t, func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(100 * time.Second)
			io.WriteString(w, "page")
		}, fetch.Options{})
		if resp := get(t, f, "http://a.example/", fetch.Policy{Timeout: 2 * time.Minute}); string(resp.Body) != "page" {
			t.Errorf("got %q", resp.Body)
		}
	})
}

// After each kind of error the site's pages still come, over as few connections
// as the errors leave.
func TestConnectionsServeOnAfterErrors(t *testing.T) {
	var conns atomic.Int32
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/404":
			http.Error(w, strings.Repeat("not here ", 3000), 404)
		case "/500", "/429":
			var status int
			fmt.Sscanf(r.URL.Path, "/%d", &status)
			http.Error(w, "sorry", status)
		case "/cut":
			w.Header().Set("Content-Length", "100")
			io.WriteString(w, "too short")
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		case "/large":
			w.Write(make([]byte, 200_000))
		case "/broken":
			w.Header().Set("Content-Encoding", "gzip")
			w.Write([]byte{0x1f, 0x8b, 8, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9})
		default:
			io.WriteString(w, "page")
		}
	}))
	s.Config.ErrorLog = quiet
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			conns.Add(1)
		}
	}
	s.Start()
	defer s.Close()
	for path, most := range map[string]int32{"/404": 0, "/500": 0, "/429": 0, "/cut": 1, "/large": 1, "/broken": 1} {
		f := newFetcher(t, quick)
		get(t, f, s.URL, fetch.Policy{})
		before := conns.Load()
		for range 3 {
			f.Do(t.Context(), fetch.Request{URL: s.URL + path}, fetch.Policy{Retries: -1, MaxBytes: 100_000})
			if resp := get(t, f, s.URL, fetch.Policy{}); string(resp.Body) != "page" {
				t.Errorf("after %s: %q", path, resp.Body)
			}
		}
		if n := conns.Load() - before; n > 3*most {
			t.Errorf("%s: %d new connections for three errors, want at most %d each", path, n, most)
		}
	}
}

// Nothing is asked conditionally, so tags that change with every answer, or with
// none, change nothing.
func TestChangingETagsChangeNothing(t *testing.T) {
	n := 0
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		n++
		if r.Header.Get("If-None-Match") != "" || r.Header.Get("If-Modified-Since") != "" {
			w.WriteHeader(304)
			return
		}
		w.Header().Set("ETag", fmt.Sprintf(`W/"%d"`, n))
		w.Header().Set("Last-Modified", time.Now().Add(time.Duration(n)*time.Hour).UTC().Format(http.TimeFormat))
		io.WriteString(w, "page")
	})
	f := newFetcher(t, quick)
	for range 5 {
		if resp := get(t, f, s.URL, fetch.Policy{Cookies: fetch.NewJar()}); resp.Status != 200 || string(resp.Body) != "page" {
			t.Errorf("got %d %q", resp.Status, resp.Body)
		}
	}
}

// The statuses that mean "not now" are tried again, all others are pages.
func TestRefusalsOfTheMoment(t *testing.T) {
	for _, status := range []int{408, 425, 429, 500, 502, 503, 504, 520, 529, 599} {
		n := 0
		s := serve(t, func(w http.ResponseWriter, r *http.Request) {
			if n++; n == 1 {
				w.WriteHeader(status)
				return
			}
			io.WriteString(w, "page")
		})
		if resp := get(t, newFetcher(t, quick), s.URL, fetch.Policy{}); string(resp.Body) != "page" || resp.Tries != 2 {
			t.Errorf("%d: got %q after %d tries", status, resp.Body, resp.Tries)
		}
	}
}

func TestWaitsThatAreAskedForInOtherWays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		now := time.Now()
		for _, c := range []struct {
			name   string
			status int
			header map[string]string
			want   time.Duration
		}{
			{"a date by the server's wrong clock", 429, map[string]string{"Date": "Mon, 01 Jan 2035 00:00:00 GMT", "Retry-After": "Mon, 01 Jan 2035 00:01:30 GMT"}, 90 * time.Second},
			{"seconds of a draft", 429, map[string]string{"RateLimit-Reset": "70"}, 70 * time.Second},
			{"the second of an interface", 429, map[string]string{"X-RateLimit-Reset": fmt.Sprint(now.Unix() + 600)}, 600 * time.Second},
			{"Retry-After wins", 429, map[string]string{"X-RateLimit-Reset": "500", "Retry-After": "100"}, 100 * time.Second},
			{"not with 503", 503, map[string]string{"X-RateLimit-Reset": "500"}, 0},
			{"nonsense", 429, map[string]string{"X-RateLimit-Reset": "soon", "RateLimit-Reset": "-4"}, 0},
			{"the past", 429, map[string]string{"X-RateLimit-Reset": "1000000001"}, 0},
			{"beyond a day", 429, map[string]string{"Retry-After": "99999999999"}, 24 * time.Hour},
		} {
			f := serveMemory(t, func(w http.ResponseWriter, r *http.Request) {
				for name, value := range c.header {
					w.Header().Set(name, value)
				}
				w.WriteHeader(c.status)
			}, fetch.Options{})
			fail := refuse(t, f, fetch.Request{URL: "http://a.example/"}, fetch.Policy{Retries: -1}, fetch.FailTooMany)
			if d := fail.RetryAfter - c.want; d < -time.Second || d > time.Second {
				t.Errorf("%s: %s, want %s", c.name, fail.RetryAfter, c.want)
			}
		}
	})
}

// A site that sends on to its own https gets its secrets there; nobody else does.
func TestSecretsGoOnToTheHostsOwnHTTPS(t *testing.T) {
	var secure http.Header
	ts := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { secure = r.Header }))
	defer ts.Close()
	to := "https://example.com/"
	ps := serve(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, to, http.StatusMovedPermanently) })
	d := safedial.New(safedial.Options{AllowPrivate: true})
	f := newFetcher(t, fetch.Options{
		TLS: ts.Client().Transport.(*http.Transport).TLSClientConfig,
		Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
			if strings.HasSuffix(address, ":443") {
				return d.DialContext(ctx, network, ts.Listener.Addr().String())
			}
			return d.DialContext(ctx, network, ps.Listener.Addr().String())
		},
	})
	for url, want := range map[string]string{"http://example.com/": "Bearer x", "http://www.example.com/": ""} {
		req := fetch.Request{URL: url, Header: map[string]string{"Authorization": "Bearer x", "X-Api-Key": "k", "Cookie": "s=1"}}
		if _, err := f.Do(t.Context(), req, fetch.Policy{}); err != nil {
			t.Fatal(err)
		}
		if got := secure.Get("Authorization"); got != want || (secure.Get("Cookie") == "") != (want == "") || (secure.Get("X-Api-Key") == "") != (want == "") {
			t.Errorf("from %s: %v, want the secrets: %v", url, secure, want != "")
		}
	}
}

// A crawler's fixed headers may hold secrets of the site that it is for. Links
// that lead away do not carry them there.
func TestSecretsOfThePolicyStayAtHome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got http.Header
		f := serveMemory(t, func(w http.ResponseWriter, r *http.Request) { got = r.Header }, fetch.Options{})
		policy := fetch.Policy{Home: "https://www.shop.co.uk/start", Header: map[string]string{"authorization": "Bearer x", "Cookie": "s=1", "X-Plain": "p"}}
		for url, want := range map[string]bool{
			"http://www.shop.co.uk/": true, "http://api.shop.co.uk:8080/": true, "http://WWW.Shop.co.uk./": true,
			"http://other.co.uk/": false, "http://shop.co.uk.evil.example/": false, "http://10.0.0.1/": false,
		} {
			get(t, f, url, policy)
			if (got.Get("Authorization") != "") != want || (got.Get("Cookie") != "") != want || got.Get("X-Plain") != "p" {
				t.Errorf("%s got %v", url, got)
			}
		}
		// What a request itself says is meant for where it leads.
		req := fetch.Request{URL: "http://other.example/", Header: map[string]string{"Authorization": "Bearer y"}}
		if _, err := f.Do(t.Context(), req, policy); err != nil || got.Get("Authorization") != "Bearer y" {
			t.Errorf("got %v, %v", got, err)
		}
	})
}

// Spellings of inside addresses that only a resolver or a normalizer sees through.
func TestUnusualSpellingsOfInsideAddresses(t *testing.T) {
	inside := serve(t, func(w http.ResponseWriter, r *http.Request) { t.Errorf("the inside was reached: %s", r.URL) })
	port := inside.URL[strings.LastIndex(inside.URL, ":"):]
	f := fetch.New(fetch.Options{Dial: safedial.New(safedial.Options{}).DialContext})
	defer f.Close()
	for _, host := range []string{
		"１２７.0.0.1", "127。0。0。1", "①②⑦.⓪.⓪.①", "%31%32%37.0.0.1", "localhoſt", "LOCALHOST.", "0x7f.0.0.0x1", "0177.1", "127.0.0.1.", "0", "00000000000",
		"[::ffff:7f00:1]", "[0:0:0:0:0:ffff:127.0.0.1]", "[::127.0.0.1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "[2001:0:0:0:0:0:80ff:fffe]", "[fe80::1%25lo]", "[fd00::1]", "[ff02::1]",
		"255.255.255.255", "224.0.0.1", "100.64.0.1", "198.18.0.1", "169.254.169.254", "[fd00:ec2::254]",
	} {
		resp, err := f.Do(t.Context(), fetch.Request{URL: "http://" + host + port + "/"}, fetch.Policy{Retries: -1})
		if err == nil {
			t.Errorf("%s gave a page: %d", host, resp.Status)
			continue
		}
		if fail := err.(*fetch.Error); fail.Failure != fetch.FailRefused && fail.Failure != fetch.FailDNS {
			t.Errorf("%s: %s: %s", host, fail.Failure, fail.Message)
		}
	}
}

// A name that is public when it is looked up first and private when it is again
// leads nowhere, whether a page, a redirect or a robots.txt asks for it.
func TestRebindingNamesLeadNowhere(t *testing.T) {
	inside := serve(t, func(w http.ResponseWriter, r *http.Request) { t.Errorf("the inside was reached: %s", r.URL) })
	port := inside.URL[strings.LastIndex(inside.URL, ":"):]
	outside := serve(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://rebound.example"+port+r.URL.Path, http.StatusFound)
	})
	at := netip.MustParseAddrPort(strings.TrimPrefix(outside.URL, "http://"))
	var asked atomic.Int32
	d := safedial.New(safedial.Options{CacheTTL: -1, Allow: []netip.AddrPort{at}, Resolver: lookupFunc(func(host string) netip.Addr {
		if asked.Add(1) == 1 {
			return netip.MustParseAddr("203.0.114.1") // public, and nobody's
		}
		return netip.MustParseAddr("127.0.0.1")
	})})
	f := fetch.New(fetch.Options{Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
		ctx, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
		defer cancel()
		return d.DialContext(ctx, network, address)
	}})
	defer f.Close()
	f.Do(t.Context(), fetch.Request{URL: "http://rebound.example" + port}, fetch.Policy{Retries: -1})
	for _, url := range []string{"http://rebound.example" + port, outside.URL + "/page"} {
		for _, robots := range []bool{false, true} {
			refuse(t, f, fetch.Request{URL: url}, fetch.Policy{Retries: -1, Robots: robots}, fetch.FailRefused)
		}
	}
}

type lookupFunc func(host string) netip.Addr

func (l lookupFunc) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	return []netip.Addr{l(host)}, nil
}

// gzip files of text are unpacked by name or label, however they are put together.
func TestZippedText(t *testing.T) {
	const sitemap = `<?xml version="1.0"?><urlset></urlset>`
	two := append(gzipped([]byte(sitemap[:20])), gzipped([]byte(sitemap[20:]))...)
	for _, c := range []struct {
		name, path, contentType string
		sent                    []byte
		want, media             string
	}{
		{"by name", "/sitemap.xml.gz", "application/octet-stream", gzipped([]byte(sitemap)), sitemap, "text/xml"},
		{"of two members", "/sitemap.xml.gz", "application/gzip", two, sitemap, "text/xml"},
		{"with rubbish behind", "/sitemap.xml.gz", "application/gzip", append(gzipped([]byte(sitemap)), "rubbish"...), sitemap, "text/xml"},
		{"labelled as what is within", "/sitemap", "application/xml", gzipped([]byte(sitemap)), sitemap, "application/xml"},
		{"unpacked on the way", "/sitemap.xml.gz", "application/x-gzip", []byte(sitemap), sitemap, "text/xml"},
		{"a table", "/prices.csv.gz", "application/gzip", gzipped([]byte("a,b\n1,2\n")), "a,b\n1,2\n", "text/plain"},
		{"broken", "/sitemap.xml.gz", "application/gzip", gzipped([]byte(sitemap))[:30], string(gzipped([]byte(sitemap))[:30]), "application/gzip"},
		{"an archive", "/files.tar.gz", "application/gzip", gzipped([]byte(sitemap)), string(gzipped([]byte(sitemap))), "application/gzip"},
	} {
		s := serve(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", c.contentType)
			w.Write(c.sent)
		})
		if resp := get(t, newFetcher(t, quick), s.URL+c.path, fetch.Policy{}); !bytes.Equal(resp.Body, []byte(c.want)) || resp.MediaType != c.media {
			t.Errorf("%s: got %s %q, want %s %q", c.name, resp.MediaType, resp.Body, c.media, c.want)
		}
	}
}
