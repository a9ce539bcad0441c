package extract

import (
	"net/netip"
	"net/url"
	"strings"

	"golang.org/x/net/publicsuffix"

	"shoal/internal/crawler"
)

// site is a place that links are compared with: a task's start or a page.
type site struct {
	origin string // scheme://host[:port]/
	prefix string // origin and the directory of the path
	host   string // without "www.", with its port
	domain string // registrable, with its port
}

func newSite(canonical string) site {
	s := site{origin: canonical, prefix: canonical}
	u, err := url.Parse(canonical)
	if err != nil {
		return s
	}
	s.origin = u.Scheme + "://" + u.Host + "/"
	dir := u.EscapedPath()
	s.prefix = u.Scheme + "://" + u.Host + dir[:strings.LastIndexByte(dir, '/')+1]
	s.host = bare(u.Host)
	s.domain = registrable(u.Host)
	return s
}

func bare(host string) string { return strings.TrimPrefix(host, "www.") }

func registrable(host string) string {
	name, port := host, ""
	if i := strings.LastIndexByte(host, ':'); i >= 0 && !strings.HasSuffix(host, "]") {
		name, port = host[:i], host[i:]
	}
	if _, err := netip.ParseAddr(strings.Trim(name, "[]")); err == nil {
		return host
	}
	if d, err := publicsuffix.EffectiveTLDPlusOne(name); err == nil {
		name = d
	}
	return name + port
}

// hostOf returns the host of a canonical URL.
func hostOf(canonical string) string {
	_, rest, _ := strings.Cut(canonical, "://")
	if i := strings.IndexAny(rest, "/?"); i >= 0 {
		rest = rest[:i]
	}
	return rest
}

// sameHost reports whether a canonical URL is on the site's host.
func (s *site) sameHost(canonical string) bool {
	return strings.HasPrefix(canonical, s.origin) || bare(hostOf(canonical)) == s.host
}

// has reports whether a canonical URL is within scope of the site.
func (s *site) has(canonical string, scope crawler.Scope) bool {
	switch scope {
	case crawler.ScopeHost:
		return s.sameHost(canonical)
	case crawler.ScopeDomain:
		return strings.HasPrefix(canonical, s.origin) || registrable(hostOf(canonical)) == s.domain
	case crawler.ScopePrefix:
		return strings.HasPrefix(canonical, s.prefix)
	}
	return true
}
