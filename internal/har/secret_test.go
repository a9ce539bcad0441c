package har

import (
	"strings"
	"testing"
)

// Secrets are known by the names that sites give them.
func TestSecretsAreKnownByName(t *testing.T) {
	for _, u := range []string{
		"https://u:SECRET@a.example/", "https://a.example/?token=SECRET", "https://a.example/?api_key=SECRET&a=b", "https://a.example/?user%5Bpassword%5D=SECRET",
		"https://a.example/?user[password]=SECRET", "https://a.example/?PHPSESSID=SECRET", "https://a.example/?accessToken=SECRET", "https://a.example/#token=SECRET",
		"https://a.example/?X-Amz-Signature=SECRET", "https://a.example/?sig=SECRET",
	} {
		if got := safeURL(u); strings.Contains(got, "SECRET") {
			t.Errorf("%s is written as %s", u, got)
		}
	}
	for _, b := range []string{
		`{"password":"SECRET"}`, `{"newPassword":"SECRET"}`, `{"a":{"user_password":["SECRET"]}}`, `{"token":"SECRET"}`, `{"pin":{"otp":7357}}`,
		`login[password]=SECRET&a=b`, `user_pass=SECRET`, `[{"authToken":"SECRET"}]`,
	} {
		if got := safeBody(b); strings.Contains(got, "SECRET") || strings.Contains(got, "7357") {
			t.Errorf("%s is written as %s", b, got)
		}
	}
	for _, plain := range []string{
		"https://a.example/?pageToken=2", "https://a.example/?next_page_token=2", "https://a.example/?compass=n", "https://a.example/?author=x", "https://a.example/?key=x&side=2",
	} {
		if got := safeURL(plain); got != plain {
			t.Errorf("%s is written as %s", plain, got)
		}
	}
	if got := safeHeader(map[string][]string{"Location": {"/?token=SECRET"}}).Get("Location"); strings.Contains(got, "SECRET") {
		t.Errorf("a Location is written as %s", got)
	}
}
