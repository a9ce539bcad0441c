package fetch

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// sent is what a jar sends to a URL, sorted.
func sent(t *testing.T, j *Jar, to string) string {
	t.Helper()
	parts := strings.Split(cookieHeader(j.Cookies(mustURL(to))), "; ")
	slices.Sort(parts)
	return strings.Join(parts, "; ")
}

// TestJarIsKept: a jar that was stored and restored sends to every address
// what the first one sent.
func TestJarIsKept(t *testing.T) {
	j := NewJar()
	set := func(from, lines string) {
		u := mustURL(from)
		j.SetCookies(u, cookiesOf(u, http.Header{"Set-Cookie": strings.Split(lines, "\n")}))
	}
	set("https://www.shop.example/a/b", "host=1\nsite=2; Domain=shop.example; Path=/\nclosed=3; Secure; HttpOnly; Path=/\ndeep=4; Path=/a/b\nodd={\"a\": \"b c\"}; Path=/\nquoted=\"q\"; Path=/")
	set("https://www.shop.example/", "short=5; Max-Age=60; Path=/\nlong=6; Expires=Fri, 01 Jan 2100 00:00:00 GMT; Path=/")
	set("https://www.shop.example/", "gone=7; Path=/")
	set("https://www.shop.example/", "gone=; Path=/; Max-Age=0")
	set("https://www.shop.example/", "site=2b; Domain=shop.example; Path=/")
	set("http://127.0.0.1:8080/", "plain=8")

	b, err := json.Marshal(j.Stored(time.Now()))
	if err != nil {
		t.Fatal(err)
	}
	var stored []StoredCookie
	if err := json.Unmarshal(b, &stored); err != nil {
		t.Fatal(err)
	}
	again := NewJar()
	again.Restore(stored, nil)
	for _, to := range []string{"https://www.shop.example/", "https://www.shop.example/a/b/c", "http://www.shop.example/a/", "https://cdn.shop.example/", "https://other.example/", "http://127.0.0.1:8080/x", "http://127.0.0.2/"} {
		if want, got := sent(t, j, to), sent(t, again, to); want != got {
			t.Errorf("to %s: %q, want %q", to, got, want)
		}
	}
	if s := sent(t, again, "https://www.shop.example/a/b"); !strings.Contains(s, `odd={"a": "b c"}`) || !strings.Contains(s, "site=2b") || strings.Contains(s, "gone") {
		t.Errorf("sent %q", s)
	}
	later := j.Stored(time.Now().Add(2 * time.Minute))
	if slices.ContainsFunc(later, func(c StoredCookie) bool { return c.Name == "short" }) {
		t.Error("a cookie that has expired is kept")
	}
}

// TestHomelessCookies belong to the site of the home that is given, all its
// hosts, and to nobody without one.
func TestHomelessCookies(t *testing.T) {
	cookies := []StoredCookie{{Name: "sid", Value: "x"}, {Name: "__Host-id", Value: "y", Secure: true}}
	j := NewJar()
	j.Restore(cookies, mustURL("https://www.shop.example/list?page=1"))
	for to, want := range map[string]string{
		"https://www.shop.example/": "__Host-id=y; sid=x", "https://api.shop.example/": "sid=x", "https://evil.example/": "",
	} {
		if got := sent(t, j, to); got != want {
			t.Errorf("to %s: %q, want %q", to, got, want)
		}
	}
	none := NewJar()
	none.Restore(cookies, nil)
	if got := sent(t, none, "https://www.shop.example/"); got != "" {
		t.Errorf("sent %q", got)
	}
}
