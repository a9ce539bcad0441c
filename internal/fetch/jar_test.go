package fetch_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"

	"shoal/internal/fetch"
)

// Cookies as a site sets them and as its hosts get them back, by names of every
// kind: all lead to the same server.
func TestCookiesGoWhereTheyMay(t *testing.T) {
	for _, c := range []struct {
		name, from, set string
		to, want        string
	}{
		{"to the same host", "http://shop.example.com/", "a=1", "http://shop.example.com/x", "a=1"},
		{"not to another host of the domain", "http://shop.example.com/", "a=1", "http://www.example.com/", ""},
		{"not to the parent", "http://shop.example.com/", "a=1", "http://example.com/", ""},
		{"to the whole domain when it says so", "http://shop.example.com/", "a=1; Domain=example.com", "http://www.example.com/", "a=1"},
		{"with the old dot", "http://shop.example.com/", "a=1; Domain=.Example.COM", "http://example.com/", "a=1"},
		{"not for another domain", "http://evil.example.net/", "a=1; Domain=example.com", "http://example.com/", ""},
		{"nor kept for oneself then", "http://evil.example.net/", "a=1; Domain=example.com", "http://evil.example.net/", ""},
		{"not for a name that merely ends alike", "http://badexample.com/", "a=1; Domain=example.com", "http://example.com/", ""},
		{"not for a subdomain", "http://example.com/", "a=1; Domain=shop.example.com", "http://shop.example.com/", ""},
		{"not for a top-level domain", "http://example.com/", "a=1; Domain=com", "http://other.com/", ""},
		{"not for a public suffix", "http://shop.co.uk/", "a=1; Domain=co.uk", "http://other.co.uk/", ""},
		{"not for a suffix of many owners", "http://one.github.io/", "a=1; Domain=github.io", "http://two.github.io/", ""},
		{"not for an address's network", "http://10.0.0.1/", "a=1; Domain=10.0.0", "http://10.0.0.2/", ""},
		{"below its path only", "http://a.example/dir/x", "a=1; Path=/dir", "http://a.example/other", ""},
		{"by the path of the page", "http://a.example/dir/x", "a=1", "http://a.example/dir/y", "a=1"},
		{"to another port", "http://a.example/", "a=1", "http://a.example:8080/", "a=1"},
		{"secure ones not in the clear", "http://a.example/", "a=1; Secure", "http://a.example/", ""},
		{"a prefix that is a lie", "http://a.example/", "__Host-a=1; Secure; Path=/", "http://a.example/", ""},
		{"deleted ones", "http://a.example/", "a=1; Max-Age=0", "http://a.example/", ""},
		{"expired ones", "http://a.example/", "a=1; Expires=Thu, 01 Jan 1970 00:00:00 GMT", "http://a.example/", ""},
		{"spaces and commas as they are", "http://a.example/", "a=one, two three", "http://a.example/", "a=one, two three"},
		{"quotes as they are", "http://a.example/", `a="q"`, "http://a.example/", `a="q"`},
		{"JSON as it is", "http://a.example/", `a={"b":"c"}; Path=/`, "http://a.example/x", `a={"b":"c"}`},
		{"UTF-8 as it is", "http://a.example/", "a=é; HttpOnly", "http://a.example/", "a=é"},
		{"no name", "http://a.example/", "=1", "http://a.example/", ""},
		{"too large", "http://a.example/", "a=" + strings.Repeat("x", 5000), "http://a.example/", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var got string
				f := serveMemory(t, func(w http.ResponseWriter, r *http.Request) {
					got = r.Header.Get("Cookie")
					w.Header().Set("Set-Cookie", c.set)
				}, fetch.Options{})
				jar := fetch.NewJar()
				get(t, f, c.from, fetch.Policy{Cookies: jar})
				get(t, f, c.to, fetch.Policy{Cookies: jar})
				if got != c.want {
					t.Errorf("%q set at %s reached %s as %q, want %q", c.set, c.from, c.to, got, c.want)
				}
				get(t, f, c.to, fetch.Policy{Cookies: fetch.NewJar()})
				if got != "" {
					t.Errorf("another jar sent %q", got)
				}
			})
		})
	}
}

func TestJarIsBounded(t *testing.T) {
	jar := fetch.NewJar()
	at := func(host string) *url.URL { return &url.URL{Scheme: "http", Host: host, Path: "/"} }
	for i := range 5000 {
		jar.SetCookies(at("a.example"), []*http.Cookie{{Name: fmt.Sprint("c", i), Value: strings.Repeat("x", i%200)}})
	}
	kept := jar.Cookies(at("a.example"))
	size := 0
	for _, c := range kept {
		size += len(c.Name) + len(c.Value)
	}
	if len(kept) > 100 || len(kept) < 50 || size > 16<<10 {
		t.Errorf("%d cookies of %d bytes are kept", len(kept), size)
	}
	if last := jar.Cookies(at("a.example")); last[len(last)-1].Name != "c4999" && !hasCookie(last, "c4999") {
		t.Error("the newest cookie is not among them")
	}
	// One that is set again and again is one.
	for range 1000 {
		jar.SetCookies(at("b.example"), []*http.Cookie{{Name: "same", Value: "1"}, {Name: "other", Value: "2"}})
	}
	if n := len(jar.Cookies(at("b.example"))); n != 2 {
		t.Errorf("%d cookies, want 2", n)
	}
	for i := range 5000 {
		jar.SetCookies(at(fmt.Sprintf("site%d.example", i)), []*http.Cookie{{Name: "a", Value: "1"}})
	}
	if len(jar.Cookies(at("a.example"))) != 0 || len(jar.Cookies(at("site4999.example"))) != 1 {
		t.Error("of thousands of sites, not the ones of long ago are forgotten")
	}
}

func hasCookie(list []*http.Cookie, name string) bool {
	for _, c := range list {
		if c.Name == name {
			return true
		}
	}
	return false
}

// Every redirect sets other cookies, grows the URL, and never ends.
func TestEndlessRedirectsWithChangingCookies(t *testing.T) {
	n, most := 0, 0
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		n++
		most = max(most, len(r.Header.Get("Cookie")))
		for i := range 40 {
			http.SetCookie(w, &http.Cookie{Name: fmt.Sprintf("c%d-%d", n, i), Value: strings.Repeat("x", 900)})
		}
		http.Redirect(w, r, fmt.Sprintf("/%s?n=%d", strings.Repeat("x", min(n*900, 25_000)), n), http.StatusFound)
	})
	jar := fetch.NewJar()
	for range 3 {
		refuse(t, newFetcher(t, quick), fetch.Request{URL: s.URL}, fetch.Policy{Cookies: jar}, fetch.FailRedirects)
	}
	if n != 33 || most > 17<<10 {
		t.Errorf("%d requests, with up to %d bytes of cookies", n, most)
	}
}
