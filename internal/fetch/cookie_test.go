package fetch

import (
	"net/http"
	"net/url"
	"testing"

	"golang.org/x/net/http/httpguts"
)

// Whatever a site sets can be sent back, or is not kept.
func FuzzCookies(f *testing.F) {
	for _, line := range []string{"a=1", `a={"b": 1}; Path=/`, "a=é, b; Expires=soon", "=; Secure", "a\x00=b", "a==;;=", "__Host-a=1;Path=/;Secure", "a=\x80\xff"} {
		f.Add(line, "https://www.example.com/x/y")
	}
	f.Fuzz(func(t *testing.T, line, at string) {
		u, err := url.Parse(at)
		if err != nil {
			return
		}
		jar := NewJar()
		jar.SetCookies(u, cookiesOf(u, http.Header{"Set-Cookie": {line, "other=2"}}))
		if value := cookieHeader(jar.Cookies(u)); !httpguts.ValidHeaderFieldValue(value) {
			t.Errorf("%q set at %s would be sent as %q", line, at, value)
		}
	})
}
