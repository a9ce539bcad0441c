package main

import (
	"fmt"
	"strings"
	"testing"
)

// TestCookieFiles: a session in every form that browsers export it in, cut to a site.
func TestCookieFiles(t *testing.T) {
	for name, c := range map[string]struct{ text, site, want string }{
		"object":           {`{"sid": "a b", "n": 12345678901234567890, "on": true}`, "", "map[n:12345678901234567890 on:true sid:a b]"},
		"list":             {`[{"name": "sid", "value": "x", "domain": ".shop.example", "path": "/", "secure": true}, {"name": "o", "value": "y", "domain": "other.example"}]`, "shop.example", "map[sid:x]"},
		"wrapped list":     {`{"url": "https://shop.example", "cookies": [{"name": "sid", "value": "x"}]}`, "shop.example", "map[sid:x]"},
		"cookies.txt":      {"# Netscape HTTP Cookie File\n\n.shop.example\tTRUE\t/\tTRUE\t1\tsid\tx=y\r\n#HttpOnly_www.shop.example\tFALSE\t/\tTRUE\t0\tcart\t\n", "shop.example", "map[cart: sid:x=y]"},
		"parent's domain":  {"shop.example\tTRUE\t/\tTRUE\t1\tsid\tx\n", "www.shop.example", "map[sid:x]"},
		"another's ending": {"notshop.example\tTRUE\t/\tTRUE\t1\tsid\tx\n", "shop.example", "map[]"},
		"header":           {"Cookie: a=1; b=\"2=3\"\n", "shop.example", `map[a:1 b:"2=3"]`},
		"bare header":      {"\uFEFFa=1", "", "map[a:1]"},
	} {
		found, err := parseCookies([]byte(c.text))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		values := map[string]any{}
		found.into(c.site, values)
		if got := fmt.Sprint(values); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
	for name, text := range map[string]string{"nothing": " \n", "a password": "hunter2hunter2", "prose": "hunter2 is = my secret", "half JSON": `{"sid": "hunter2"`,
		"nested": `{"sid": {"a": "hunter2"}}`, "null": `[{"name": "hunter2", "value": null}]`, "nameless": `[{"value": "hunter2"}]`, "few fields": "a\thunter2\n", "empty list": "[]"} {
		if found, err := parseCookies([]byte(text)); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v, %v", name, found, err)
		}
	}
}

func FuzzCookieFile(f *testing.F) {
	for _, s := range []string{`{"a": "b"}`, `[{"name": "a", "value": 1}]`, "a=b; c=d", ".a.b\tTRUE\t/\tFALSE\t0\tn\tv", `{"cookies": [{"name": "a", "value": "b"}]}`, `{"cookies": [[]]}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		found, err := parseCookies(text)
		if err == nil && len(found) == 0 {
			t.Error("no cookies and no error")
		}
		for _, c := range found {
			if c.Name == "" {
				t.Error("a cookie without a name")
			}
		}
	})
}
