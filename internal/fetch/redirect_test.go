package fetch_test

import (
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"shoal/internal/fetch"
)

func TestRedirectsAreFollowed(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/a":
			http.Redirect(w, r, "b?x=1", http.StatusMovedPermanently)
		case "/b":
			http.Redirect(w, r, "/c#part", http.StatusFound)
		case "/bare":
			w.WriteHeader(302)
		default:
			io.WriteString(w, r.URL.Path)
		}
	})
	f := newFetcher(t, quick)
	resp := get(t, f, s.URL+"/a#top", fetch.Policy{})
	if resp.URL != s.URL+"/c" || string(resp.Body) != "/c" || !slices.Equal(resp.Redirects, []string{s.URL + "/a", s.URL + "/b?x=1"}) {
		t.Errorf("got %s by way of %v", resp.URL, resp.Redirects)
	}
	if resp := get(t, f, s.URL+"/bare", fetch.Policy{}); resp.Status != 302 {
		t.Errorf("a redirect that leads nowhere has status %d, want the 302 as a page", resp.Status)
	}
	if resp := get(t, f, s.URL+"/a", fetch.Policy{MaxRedirects: -1}); resp.Status != 301 || resp.URL != s.URL+"/a" {
		t.Errorf("got %d from %s, want the redirect itself", resp.Status, resp.URL)
	}
}

func TestEndlessRedirects(t *testing.T) {
	var n atomic.Int32
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		n.Add(1)
		switch r.URL.Path {
		case "/self":
			http.Redirect(w, r, "/self", http.StatusFound)
		case "/ping":
			http.Redirect(w, r, "/pong", http.StatusTemporaryRedirect)
		case "/pong":
			http.Redirect(w, r, "/ping", http.StatusTemporaryRedirect)
		case "/bad":
			w.Header().Set("Location", "http://%zz")
			w.WriteHeader(302)
		default:
			http.Redirect(w, r, r.URL.Path+"x", http.StatusFound)
		}
	})
	f := newFetcher(t, quick)
	for path, want := range map[string]struct {
		requests int32
		says     string
	}{"/self": {1, "circle"}, "/ping": {2, "circle"}, "/x": {11, "more than 10 times"}, "/bad": {1, "not a URL"}} {
		n.Store(0)
		fail := refuse(t, f, fetch.Request{URL: s.URL + path}, fetch.Policy{}, fetch.FailRedirects)
		if n.Load() != want.requests || fail.Tries != 1 || !strings.Contains(fail.Message, want.says) {
			t.Errorf("%s: %d requests, %d tries, %q; want %d requests", path, n.Load(), fail.Tries, fail.Message, want.requests)
		}
	}
}

func TestRedirectToItselfWithACookie(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if _, err := r.Cookie("seen"); err != nil {
			http.SetCookie(w, &http.Cookie{Name: "seen", Value: "yes", Path: "/"})
			http.Redirect(w, r, r.URL.Path, http.StatusFound)
			return
		}
		io.WriteString(w, r.Header.Get("Cookie"))
	})
	f := newFetcher(t, quick)
	jar, _ := cookiejar.New(nil)
	resp, err := f.Do(t.Context(), fetch.Request{URL: s.URL + "/gate", Header: map[string]string{"Cookie": "own=1"}}, fetch.Policy{Cookies: jar})
	if err != nil || string(resp.Body) != "own=1; seen=yes" {
		t.Errorf("got %v, %v; want the page behind the gate, with both cookies sent", resp, err)
	}
	refuse(t, f, fetch.Request{URL: s.URL + "/gate"}, fetch.Policy{}, fetch.FailRedirects)
	other, _ := cookiejar.New(nil)
	if resp := get(t, f, s.URL+"/gate", fetch.Policy{Cookies: other}); len(resp.Redirects) != 1 {
		t.Error("the cookies of one jar reached another")
	}
}

func TestMethodAndBodyThroughRedirects(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		var status int
		if _, err := fmt.Sscanf(r.URL.Path, "/%d", &status); err == nil {
			http.Redirect(w, r, "/end", status)
			return
		}
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %q %s", r.Method, body, r.Header.Get("Content-Type"))
	})
	f := newFetcher(t, quick)
	for _, c := range []struct {
		method string
		status int
		want   string
	}{
		{"POST", 301, `GET "" `}, {"POST", 302, `GET "" `}, {"POST", 303, `GET "" `}, {"POST", 307, `POST "data" text/x`}, {"POST", 308, `POST "data" text/x`},
		{"PUT", 302, `PUT "data" text/x`}, {"PUT", 303, `GET "" `},
	} {
		resp, err := f.Do(t.Context(), fetch.Request{Method: c.method, URL: fmt.Sprint(s.URL, "/", c.status), Body: "data", Header: map[string]string{"Content-Type": "text/x"}}, fetch.Policy{})
		if err != nil || string(resp.Body) != c.want {
			t.Errorf("%s through %d: %v, %v; want %s", c.method, c.status, resp, err, c.want)
		}
	}
	resp, err := f.Do(t.Context(), fetch.Request{Method: "HEAD", URL: s.URL + "/303"}, fetch.Policy{})
	if err != nil || resp.Status != 200 || len(resp.Body) != 0 {
		t.Errorf("HEAD: %v, %v", resp, err)
	}
}

func TestSecretsStayWithTheirHost(t *testing.T) {
	var got http.Header
	other := serve(t, func(w http.ResponseWriter, r *http.Request) { got = r.Header })
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/here" {
			got = r.Header
			return
		}
		http.Redirect(w, r, r.URL.Query().Get("to"), http.StatusFound)
	})
	f := newFetcher(t, quick)
	user := strings.Replace(s.URL, "http://", "http://user:secret@", 1)
	req := fetch.Request{Header: map[string]string{"Cookie": "s=1", "X-Mine": "2"}}
	req.URL = user + "/?to=" + other.URL + "/"
	resp, err := f.Do(t.Context(), req, fetch.Policy{})
	if err != nil || got.Get("Cookie") != "" || got.Get("Authorization") != "" || got.Get("X-Mine") != "2" {
		t.Errorf("the other host got %v (%v)", got, err)
	}
	if strings.Contains(fmt.Sprint(resp.Redirects, resp.URL), "secret") {
		t.Errorf("the password is shown: %v %s", resp.Redirects, resp.URL)
	}
	req.URL = user + "/?to=/here"
	if _, err = f.Do(t.Context(), req, fetch.Policy{}); err != nil || got.Get("Cookie") != "s=1" || !strings.HasPrefix(got.Get("Authorization"), "Basic ") {
		t.Errorf("the same host got %v (%v)", got, err)
	}
}

func TestHeaders(t *testing.T) {
	var got *http.Request
	s := serve(t, func(w http.ResponseWriter, r *http.Request) { got = r })
	f := newFetcher(t, fetch.Options{UserAgent: fetch.DefaultUserAgent("1.2.3")})
	get(t, f, s.URL, fetch.Policy{})
	if ua := got.UserAgent(); ua != "Shoal/1.2.3 (self-hosted web crawler)" {
		t.Errorf("the User-Agent is %q", ua)
	}
	policy := fetch.Policy{UserAgent: "Own/1", Header: map[string]string{"accept": "text/plain", "X-A": "policy", "X-B": "policy"}}
	req := fetch.Request{URL: s.URL, Header: map[string]string{"x-a": "request", "Host": "other.example", "Connection": "close", "Content-Length": "9"}}
	if _, err := f.Do(t.Context(), req, policy); err != nil {
		t.Fatal(err)
	}
	if got.UserAgent() != "Own/1" || got.Header.Get("Accept") != "text/plain" || got.Header.Get("X-A") != "request" || got.Header.Get("X-B") != "policy" || got.Host != "other.example" || got.Close {
		t.Errorf("sent %v to %s", got.Header, got.Host)
	}
	if _, err := f.Do(t.Context(), fetch.Request{URL: s.URL, Header: map[string]string{"User-Agent": "", "Accept": ""}}, fetch.Policy{}); err != nil {
		t.Fatal(err)
	}
	if _, has := got.Header["User-Agent"]; has || got.Header.Get("Accept") != "" {
		t.Errorf("removed headers were sent: %v", got.Header)
	}
	for name, value := range map[string]string{"Bad Name": "x", "X-Bad": "a\r\nInjected: yes", "": "x"} {
		refuse(t, f, fetch.Request{URL: s.URL, Header: map[string]string{name: value}}, fetch.Policy{}, fetch.FailRefused)
	}
	refuse(t, f, fetch.Request{Method: "GET /x HTTP/1.1\r\n", URL: s.URL}, fetch.Policy{}, fetch.FailRefused)
}

func TestHTTP2SharesAConnection(t *testing.T) {
	var conns atomic.Int32
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.Proto) }))
	s.EnableHTTP2 = true
	s.StartTLS()
	defer s.Close()
	f := newFetcher(t, fetch.Options{TLS: &tls.Config{RootCAs: s.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs},
		Dial: counting(&conns)})
	get(t, f, s.URL, fetch.Policy{})
	fetchAll(t, f, 50, func(int) string { return s.URL }, fetch.Policy{})
	if resp := get(t, f, s.URL, fetch.Policy{}); string(resp.Body) != "HTTP/2.0" {
		t.Errorf("spoke %s", resp.Body)
	}
	if conns.Load() != 1 {
		t.Errorf("%d connections, want one", conns.Load())
	}
}

func TestConnectionsAreKept(t *testing.T) {
	var conns atomic.Int32
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/redirect":
			w.Header().Set("Location", "/")
			w.WriteHeader(302)
			io.WriteString(w, strings.Repeat("moved ", 2000))
		case "/gzip":
			w.Header().Set("Content-Encoding", "gzip")
			w.Write(gzipped([]byte(strings.Repeat("text", 50_000))))
		case "/deflate":
			w.Header().Set("Content-Encoding", "deflate")
			w.Write(pack([]byte(strings.Repeat("text", 50_000)), packers["deflate"]))
			w.(http.Flusher).Flush() // chunks, so that the end comes apart
		case "/500":
			w.WriteHeader(500)
			io.WriteString(w, strings.Repeat("sorry ", 2000))
		default:
			io.WriteString(w, strings.Repeat("text", 50_000))
		}
	})
	f := newFetcher(t, fetch.Options{Dial: counting(&conns)})
	for range 5 {
		for _, path := range []string{"/", "/redirect", "/gzip", "/deflate"} {
			get(t, f, s.URL+path, fetch.Policy{}).Release()
		}
		refuse(t, f, fetch.Request{URL: s.URL + "/500"}, fetch.Policy{Retries: -1}, fetch.FailServer)
	}
	if conns.Load() != 1 {
		t.Errorf("%d connections for pages one after another, want one", conns.Load())
	}
}
