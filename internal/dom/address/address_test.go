package address

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
)

var bases = []string{
	"http://example.com/", "https://example.com/a/b/c.html", "http://example.com", "https://example.com/a/b/?q=1#f",
	"http://127.0.0.1:8000/docs/library/page.html", "https://user:pw@example.com/x/", "http://example.com/a//b/../c",
	"http://example.com/%7euser/a%2Fb/", "http://example.com/ü/x", "http://[::1]:80/x",
}

var references = []string{
	"", "x", "x.html", "./x", "../x", "../../x", "../../../../x", "/x", "/", "//host/x", "?q", "?", "?q=1&b=ü", "x?", "x?a=b?c",
	"a/./b", "a/../b", ".", "..", "./", "../", "a/..", "a//b", "//", "///x", "http://h.example", "http://h.example/", "https://H.example/A/../b",
	"http://h.example?x", "HTTP://h.example/", "http:x", "http:/x", "mailto:a@b", "javascript:x", "a:b", "./a:b", "x:y/z", "1:2",
	"a b", "a%20b", "a%zz", "%", "ü", "a\"b", "<x>", "a|b", "a^b", "a`b", "{a}", "[a]", "a;b=c", "a,b", "a'b", "(a)", "a*b", "a!b", "$", "&", "+",
	".x", "x/.y", "..x", "...", "./.x", "../.x", "./..", ".././x", "x/", "http://h.example/a//b", "http://h.example/.x", "http://u@h.example/x",
	"http://h.example:80/x", "http://h.example:/x", "https:///x", "*", "/*", "?a|b[c]", "/a?x=%zz",
}

// TestResolve checks the fast path against net/url on every pair.
func TestResolve(t *testing.T) {
	for _, base := range bases {
		for _, ref := range references {
			sameAsNetURL(t, base, ref)
		}
	}
}

func sameAsNetURL(t *testing.T, base, ref string) {
	t.Helper()
	r, err := NewResolver(base)
	if err != nil {
		return
	}
	b, err := url.Parse(base)
	if err != nil {
		t.Fatal(err)
	}
	b.Fragment, b.RawFragment = "", ""
	want, wantOK := "", false
	if u, err := b.Parse(ref); err == nil {
		want, wantOK = u.String(), true
	}
	got, ok := r.Resolve(ref)
	if ok != wantOK || got != want {
		t.Errorf("Resolve(%q, %q) = %q, %v; net/url gives %q, %v", base, ref, got, ok, want, wantOK)
	}
}

func FuzzResolve(f *testing.F) {
	for _, b := range bases {
		for _, r := range references[:20] {
			f.Add(b, r)
		}
	}
	f.Fuzz(func(t *testing.T, base, ref string) {
		ref, _ = Split(ref)
		sameAsNetURL(t, base, ref)
		// The fast path knows plain bases only: try it on one whatever base is.
		sameAsNetURL(t, "http://example.com/a/b/c", ref)
	})
}

// FuzzFragment checks that a fragment that is copied unread is what net/url writes.
func FuzzFragment(f *testing.F) {
	f.Add("part")
	f.Add("a/b?c=d")
	f.Fuzz(func(t *testing.T, fragment string) {
		if fragment == "" || !fragmentBytes.all(fragment) {
			return
		}
		u, err := url.Parse("http://example.com/#" + fragment)
		if err != nil {
			t.Fatal(err)
		}
		if got := u.String(); got != "http://example.com/#"+fragment {
			t.Errorf("net/url writes %q", got)
		}
	})
}

func TestCanonical(t *testing.T) {
	cases := []struct{ raw, want string }{
		{"http://Example.COM", "http://example.com/"},
		{"HTTPS://example.com:443/a#frag", "https://example.com/a"},
		{"http://example.com:80", "http://example.com/"},
		{"http://example.com:8080/", "http://example.com:8080/"},
		{"https://example.com:80/", "https://example.com:80/"},
		{"http://example.com./x", "http://example.com/x"},
		{"http://user:pw@example.com/x", "http://example.com/x"},
		{"http://example.com/a/./b/../c/", "http://example.com/a/c/"},
		{"http://example.com/../../x", "http://example.com/x"},
		{"http://example.com/a/..", "http://example.com/"},
		{"http://example.com/%7Euser/%c3%bc", "http://example.com/~user/%C3%BC"},
		{"http://example.com/ü b", "http://example.com/%C3%BC%20b"},
		{"http://example.com/a%2fb", "http://example.com/a%2Fb"},
		{"http://example.com/?", "http://example.com/"},
		{"http://example.com/?utm_source=a&x=1&UTM_Medium=b&fbclid=c&gclid=d", "http://example.com/?x=1"},
		{"http://example.com/p;jsessionid=0A?x=1", "http://example.com/p?x=1"},
		{"http://example.com/p;v=1.2;JSESSIONID=A/q", "http://example.com/p;v=1.2/q"},
		{"http://example.com/?PHPSESSID=1&sid=2&page=3", "http://example.com/?page=3"},
		{"http://example.com/?b=2&a=1&a=1", "http://example.com/?b=2&a=1&a=1"},
		{"http://example.com/a//b", "http://example.com/a//b"},
		{"http://Bücher.example/", "http://xn--bcher-kva.example/"},
		{"http://my_host.example/", "http://my_host.example/"},
		{"http://[::1]:80/x", "http://[::1]/x"},
		{"mailto:a@b.example", ""}, {"javascript:void(0)", ""}, {"file:///etc/passwd", ""}, {"ftp://example.com/", ""}, {"data:text/html,x", ""},
		{"/relative", ""}, {"", ""}, {"http://", ""}, {"http:///x", ""}, {"http:example.com", ""}, {"http://exa mple.com/", ""},
		{"http://example.com/%zz", ""}, {"http://example.com:port/", ""}, {"http://example.com/" + strings.Repeat("a", maxURL), ""},
	}
	for _, c := range cases {
		got, ok := Canonical(c.raw)
		if got2 := got; !ok {
			got2 = ""
			if c.want != "" || got2 != c.want {
				t.Errorf("Canonical(%q): refused; want %q", c.raw, c.want)
			}
			continue
		}
		if got != c.want {
			t.Errorf("Canonical(%q) = %q; want %q", c.raw, got, c.want)
		}
	}
}

// FuzzCanonical checks that a canonical URL is a web address, stays itself,
// and that the shortcut for common URLs agrees with the long way.
func FuzzCanonical(f *testing.F) {
	for _, s := range append(append([]string{}, bases...), "http://a.b/%2e%2e/x", "http://a/;sid=1", "http://a.b/?&&x", "http://a/%", "http://ﬀ.example/") {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		c, ok := Canonical(raw)
		if !ok {
			return
		}
		if !strings.HasPrefix(c, "http://") && !strings.HasPrefix(c, "https://") {
			t.Fatalf("Canonical(%q) = %q", raw, c)
		}
		if strings.ContainsAny(c, "# \t\r\n\x00") {
			t.Fatalf("Canonical(%q) = %q holds what no request may", raw, c)
		}
		if _, err := url.Parse(c); err != nil {
			t.Fatalf("Canonical(%q) = %q: %v", raw, c, err)
		}
		again, ok := Canonical(c)
		if !ok || again != c {
			t.Fatalf("Canonical(%q) = %q, whose canonical form is %q, %v", raw, c, again, ok)
		}
	})
}

// The shortcut for URLs that are canonical already says what the long way says,
// ports included.
func TestCanonicalShortcut(t *testing.T) {
	for _, raw := range []string{"http://h:8080/a", "http://127.0.0.1:80/", "https://h:443/x", "http://h:443/x", "https://h:80/x", "http://h:/x", "http://h:08/x",
		"http://h:99999999/x", "http://h:1:2/x", "http://:80/x", "http://a..b:8/x", "http://.a:8/x", "http://a.:8/x", "http://xn--bcher-kva.example:8/x", "http://H:8/x"} {
		got, ok := Canonical(raw)
		long, longOK := Canonical(strings.Replace(raw, "http", "HTTP", 1)) // no shortcut for this form
		if got != long || ok != longOK {
			t.Errorf("Canonical(%q) = %q, %v; the long way gives %q, %v", raw, got, ok, long, longOK)
		}
	}
}

func TestUntracked(t *testing.T) {
	for abs, want := range map[string]string{
		"https://h/":                         "https://h/",
		"https://h/?utm_source=a":            "https://h/",
		"https://h/?utm_source=a#f":          "https://h/#f",
		"https://h/?a=1&utm_medium=b&gclid=": "https://h/?a=1",
		"https://h/?UTM_X=1&fbclid=2&b=%7e":  "https://h/?b=%7e",
		"https://h/?sid=1&a=1&a=1&":          "https://h/?sid=1&a=1&a=1&",
		"https://h/utm_source=a":             "https://h/utm_source=a",
		"https://h/#?utm_source=a":           "https://h/#?utm_source=a",
	} {
		if got := Untracked(abs); got != want {
			t.Errorf("Untracked(%q) = %q; want %q", abs, got, want)
		}
	}
}

func TestAbsolute(t *testing.T) {
	r, err := NewResolver("https://h/a/b?c#d")
	if err != nil {
		t.Fatal(err)
	}
	for ref, want := range map[string]string{
		" x\n": "https://h/a/x", "#f": "https://h/a/b?c#f", "y#": "https://h/a/y", "y#a b": "https://h/a/y#a%20b", "y#%zz": "https://h/a/y#%zz", "\t/\tz": "https://h/z",
	} {
		if got, ok := r.Absolute(ref); !ok || got != want {
			t.Errorf("Absolute(%q) = %q, %v; want %q", ref, got, ok, want)
		}
	}
	if got, ok := r.Absolute("http://[x"); ok {
		t.Errorf("a broken address is %q", got)
	}
}

// A spelling is resolved once for a page, and nothing of a page stays for the next.
func TestReferences(t *testing.T) {
	var l References
	reset := func(base string) {
		r, err := NewResolver(base)
		if err != nil {
			t.Fatal(err)
		}
		l.Reset(r)
	}
	reset("https://h/a/")
	first := l.Get("x?utm_id=1")
	first.Marks = 7
	if again := l.Get("x?utm_id=1"); again != first || again.Absolute != "https://h/a/x?utm_id=1" || again.Canonical() != "https://h/a/x" {
		t.Errorf("again it is %+v, at first %+v", again, first)
	}
	for _, inert := range []string{"javascript:void(0)", "DATA:text/plain,x", "about:blank"} {
		if got := l.Get(inert); got.Absolute != "" || got.Canonical() != "" {
			t.Errorf("%s leads to %+v", inert, got)
		}
	}
	if got := l.Get("mailto:a@b"); got.Absolute == "" || got.Canonical() != "" {
		t.Errorf("mailto: is %+v, want an address that no request gets", got)
	}
	reset("https://i/")
	if got := l.Get("x?utm_id=1"); got.Absolute != "https://i/x?utm_id=1" || got.Marks != 0 {
		t.Errorf("on the next page it is %+v", got)
	}
	for i := range maxReferences + 10 {
		l.Get(fmt.Sprint("p", i))
	}
	if got := l.Get("one more"); got.Absolute != "" || len(l.list) > maxReferences {
		t.Errorf("%d references are kept, and the next is %q", len(l.list), got.Absolute)
	}
	reset("https://j/")
	if cap(l.list) > keptReferences || len(l.bySpelling) > 0 {
		t.Errorf("the memory of %d references is kept", cap(l.list))
	}
}
