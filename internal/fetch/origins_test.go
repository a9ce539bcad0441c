package fetch

import (
	"fmt"
	"net/url"
	"testing"
	"testing/synctest"
	"time"
)

func mustURL(s string) *url.URL {
	u, err := url.Parse(s)
	if err != nil {
		panic(err)
	}
	return u
}

func TestWhoseBudgetAURLSpends(t *testing.T) {
	for raw, want := range map[string]string{
		"http://example.com/":             "example.com:80",
		"http://www.Example.com:80/":      "example.com:80",
		"https://a.b.example.co.uk":       "example.co.uk:443",
		"https://example.com:8443/":       "example.com:8443",
		"http://example.com.:8080/":       "example.com:8080",
		"http://user.github.io/":          "user.github.io:80",
		"http://github.io/":               "github.io:80",
		"http://localhost:99":             "localhost:99",
		"http://127.0.0.1:8080/":          "127.0.0.1:8080",
		"http://[::1]:8080/":              "[::1]:8080",
		"http://[::1]/":                   "[::1]:80",
		"https://www.münchen.de/":         "xn--mnchen-3ya.de:443",
		"https://www.xn--mnchen-3ya.de/":  "xn--mnchen-3ya.de:443",
		"http://user:pw@shop.example.com": "example.com:80",
	} {
		if got := paceKey(originKey(mustURL(raw))); got != want {
			t.Errorf("%s spends the budget of %s, want %s", raw, got, want)
		}
	}
	if originKey(mustURL("http://A.example.:80/x")) != originKey(mustURL("http://a.example/y")) {
		t.Error("one origin in two spellings is two")
	}
	if originKey(mustURL("http://a.example/")) == originKey(mustURL("https://a.example/")) {
		t.Error("two schemes are one origin")
	}
}

func TestHostsAreForgottenButNotThoseInUseOrHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const limit = 500
		table := newOrigins(limit)
		busy := table.get(mustURL("http://busy.example/"))
		held := table.get(mustURL("http://held.example/"))
		started, _ := held.host.enter(t.Context(), turn{})
		held.host.leave(started, outcome{answered: true, overloaded: true, retryAfter: time.Hour})
		held.put()
		for i := range 20_000 {
			table.get(mustURL(fmt.Sprintf("http://www%d.site%d.example/", i%7, i/7))).put()
			if n := len(table.byKey); n > limit+limit/4 {
				t.Fatalf("%d origins are remembered, want at most about %d", n, limit)
			}
			if len(table.hosts) > len(table.byKey) {
				t.Fatalf("%d hosts for %d origins", len(table.hosts), len(table.byKey))
			}
		}
		if table.get(mustURL("http://busy.example/")) != busy {
			t.Error("an origin in use was forgotten")
		}
		if table.get(mustURL("http://held.example/")) != held {
			t.Error("a host that asked to be left alone was forgotten")
		}
		held.put()
		time.Sleep(2 * time.Hour)
		for i := range 2 * limit {
			table.get(mustURL(fmt.Sprintf("http://later%d.example/", i))).put()
		}
		if table.get(mustURL("http://held.example/")) == held {
			t.Error("a host idle for hours is still remembered")
		}
	})
}
