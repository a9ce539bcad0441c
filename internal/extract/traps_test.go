package extract

import (
	"strings"
	"testing"
)

func TestTempting(t *testing.T) {
	for url, want := range map[string]bool{
		"https://h/":                               false,
		"https://h/a/b.html?page=2":                false,
		"https://h/p/?replytocom=12":               true,
		"https://h/list?sort=price":                true,
		"https://h/list?color=red&order_by=a":      true,
		"https://h/list?sort=":                     false,
		"https://h/?view=article&id=3":             false,
		"https://h/t?id=3&view=print":              true,
		"https://h/p?share=Twitter":                true,
		"https://h/p?share=1234":                   false,
		"https://h/login?next=%2Fhome":             true,
		"https://h/list?next=20":                   false,
		"https://h/w?title=X&action=edit":          true,
		"https://h/w?title=X&action=view":          false,
		"https://h/cal?month=2024-05":              true,
		"https://h/cal?month=may":                  false,
		"https://h/events/2024/05/":                true,
		"https://h/events/2024/05/12":              true,
		"https://h/events/2024/05/12/regatta":      false,
		"https://h/events/2024/regatta-2024":       false,
		"https://h/blog/2024/05/":                  false,
		"https://h/calendar/month/2024-05/":        true,
		"https://h/(S(abcdefghijklmnopqrstuvwx))/": true,
		"https://h/wiki/Foo_(disambiguation)/":     false,
		"https://h":                                false,
	} {
		if got := tempting(url); got != want {
			t.Errorf("%s: %v", url, got)
		}
	}
}

func BenchmarkTempting(b *testing.B) {
	for b.Loop() {
		tempting("https://example.com/shop/articles/a-longer-name-of-a-page-2024?page=2&lang=en&category=tools")
	}
}

func TestScope(t *testing.T) {
	home := newSite("https://www.example.co.uk/docs/index.html")
	cases := []struct {
		url                  string
		host, domain, prefix bool
	}{
		{"https://www.example.co.uk/docs/x", true, true, true},
		{"https://www.example.co.uk/other", true, true, false},
		{"https://example.co.uk/docs/x", true, true, false},
		{"http://www.example.co.uk/docs/x", true, true, false},
		{"https://sub.example.co.uk/docs/", false, true, false},
		{"https://other.co.uk/docs/", false, false, false},
		{"https://www.example.co.uk.evil.example/docs/", false, false, false},
		{"https://www.example.co.uk:8443/docs/", false, false, false},
	}
	for _, c := range cases {
		if got := [3]bool{home.has(c.url, "host"), home.has(c.url, "domain"), home.has(c.url, "prefix")}; got != [3]bool{c.host, c.domain, c.prefix} {
			t.Errorf("%s: host, domain, prefix = %v", c.url, got)
		}
	}
	local := newSite("http://127.0.0.1:8000/")
	if local.has("http://10.0.0.1:8000/", "domain") {
		t.Error("two addresses that end alike are not one domain")
	}
}

func TestTrap(t *testing.T) {
	for u, want := range map[string]bool{
		"http://h/a/b/c/d/e/f/g/h":          false,
		"http://h/a/b/a/b/a/b/x":            false,
		"http://h/a/b/a/b/a/b/a/b":          true,
		"http://h/2024/01/01/01/01/x/y/":    true,
		"http://h" + strings.Repeat("/", 9): false,
	} {
		if trap(u) != want {
			t.Errorf("trap(%q) = %v", u, !want)
		}
	}
}
