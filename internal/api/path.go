package api

import (
	"net/url"
	"path"
	"strings"
)

// cleanPath takes trailing and doubled slashes and dot segments out of u's
// path, so that they are served in place.
func cleanPath(u *url.URL) {
	if isClean(u.Path) && isClean(u.RawPath) {
		return
	}
	u.Path = cleaned(u.Path)
	if u.RawPath != "" {
		u.RawPath = cleaned(u.RawPath)
	}
}

func isClean(p string) bool {
	if len(p) <= 1 {
		return true
	}
	return p[0] == '/' && p[len(p)-1] != '/' && !strings.Contains(p, "//") && !strings.Contains(p, "/.")
}

func cleaned(p string) string {
	if p == "" || p[0] != '/' {
		p = "/" + p
	}
	return path.Clean(p)
}

// clip cuts text that a client sent to what fits into a message.
func clip(s string, n int) string {
	if len(s) <= n {
		return strings.ToValidUTF8(s, "?")
	}
	return strings.ToValidUTF8(s[:n], "?") + "…"
}
