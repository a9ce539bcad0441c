package fetch

import (
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/publicsuffix"
)

// The bounds of a jar: a site can set cookies without end, and servers refuse
// requests with too many of them. RFC 6265, section 6.1, has the least that a
// browser keeps; most servers read headers of 8 KiB.
const (
	maxCookieBytes = 4 << 10  // of a name and its value
	maxSiteCookies = 100      // of a registrable domain
	maxSiteBytes   = 16 << 10 // of a registrable domain
	maxJarCookies  = 3000
)

// Jar keeps the cookies of one run task, by the rules that browsers follow: a
// host sets cookies for itself and its own registrable domain alone, never for a
// public suffix. It is bounded: the oldest cookies go first. It is safe for
// concurrent use.
type Jar struct {
	inner *cookiejar.Jar

	mu    sync.Mutex
	sites map[string]*siteCookies
	total int
	clock int
}

// siteCookies are the cookies that the hosts of a registrable domain have set,
// the oldest first.
type siteCookies struct {
	kept  []keptCookie
	bytes int
	used  int // the jar's clock, when one was last set
}

type keptCookie struct {
	from               *url.URL
	name, domain, path string
	size               int
	cookie             *http.Cookie // as it was set
	at                 time.Time    // when
}

// NewJar makes an empty jar.
func NewJar() *Jar {
	inner, err := cookiejar.New(&cookiejar.Options{PublicSuffixList: publicsuffix.List})
	if err != nil {
		panic("fetch: the cookie jar has options that it refuses: " + err.Error()) // it knows no such option
	}
	return &Jar{inner: inner}
}

// Cookies gives what is sent to a URL.
func (j *Jar) Cookies(u *url.URL) []*http.Cookie { return j.inner.Cookies(u) }

// SetCookies keeps the cookies of an answer from a URL, as far as its host may
// set them.
func (j *Jar) SetCookies(u *url.URL, cookies []*http.Cookie) {
	j.mu.Lock()
	defer j.mu.Unlock()
	cookies = slices.DeleteFunc(slices.Clone(cookies), func(c *http.Cookie) bool {
		return len(c.Name)+len(c.Value) > maxCookieBytes
	})
	if len(cookies) == 0 {
		return
	}
	name := site(u)
	s := j.sites[name]
	if s == nil {
		if j.sites == nil {
			j.sites = map[string]*siteCookies{}
		}
		s = &siteCookies{}
		j.sites[name] = s
	}
	j.clock++
	s.used = j.clock
	now := time.Now()
	for _, c := range cookies {
		j.inner.SetCookies(u, []*http.Cookie{c})
		j.keep(s, keptCookie{u, c.Name, strings.ToLower(c.Domain), c.Path, len(c.Name) + len(c.Value), c, now}, gone(c, now))
	}
	for j.total > maxJarCookies {
		j.dropStalest()
	}
}

// gone reports whether setting a cookie takes it away.
func gone(c *http.Cookie, now time.Time) bool {
	return c.MaxAge < 0 || c.MaxAge == 0 && !c.Expires.IsZero() && !c.Expires.After(now)
}

// keep notes a cookie and drops the site's oldest while it has too many.
func (j *Jar) keep(s *siteCookies, c keptCookie, gone bool) {
	i := slices.IndexFunc(s.kept, func(k keptCookie) bool {
		return k.name == c.name && k.domain == c.domain && k.path == c.path && k.from.Host == c.from.Host
	})
	if i >= 0 {
		j.forget(s, i)
	}
	if gone {
		return
	}
	s.kept = append(s.kept, c)
	s.bytes += c.size
	j.total++
	for len(s.kept) > maxSiteCookies || s.bytes > maxSiteBytes {
		j.expire(s.kept[0])
		j.forget(s, 0)
	}
}

func (j *Jar) forget(s *siteCookies, i int) {
	s.bytes -= s.kept[i].size
	s.kept = slices.Delete(s.kept, i, i+1)
	j.total--
}

// expire takes a cookie out of the inner jar.
func (j *Jar) expire(c keptCookie) {
	j.inner.SetCookies(c.from, []*http.Cookie{{Name: c.name, Domain: c.domain, Path: c.path, MaxAge: -1}})
}

// dropStalest drops the cookies of the site that has set none for longest.
func (j *Jar) dropStalest() {
	var stalest string
	for name, s := range j.sites {
		if stalest == "" || s.used < j.sites[stalest].used {
			stalest = name
		}
	}
	s := j.sites[stalest]
	for _, c := range s.kept {
		j.expire(c)
	}
	j.total -= len(s.kept)
	delete(j.sites, stalest)
}

// prefixHolds reports whether a cookie keeps what the prefix of its name promises
// (RFC 6265bis, section 4.1.3).
func prefixHolds(u *url.URL, c *http.Cookie) bool {
	name := strings.ToLower(c.Name)
	switch {
	case strings.HasPrefix(name, "__secure-"):
		return c.Secure && u.Scheme == "https"
	case strings.HasPrefix(name, "__host-"):
		return c.Secure && u.Scheme == "https" && c.Domain == "" && c.Path == "/"
	}
	return true
}

// cookiesOf reads the Set-Cookie lines of an answer from u. Values that the standard
// forbids and browsers keep, such as JSON, are kept as they are.
func cookiesOf(u *url.URL, h http.Header) []*http.Cookie {
	lines := h["Set-Cookie"]
	if len(lines) == 0 {
		return nil
	}
	cookies := make([]*http.Cookie, 0, min(len(lines), maxSiteCookies))
	for _, line := range lines {
		if c := parseCookie(line); c != nil && len(cookies) < maxSiteCookies && prefixHolds(u, c) {
			cookies = append(cookies, c)
		}
	}
	return cookies
}

func parseCookie(line string) *http.Cookie {
	if c, err := http.ParseSetCookie(line); err == nil {
		return c
	}
	pair, attributes, _ := strings.Cut(line, ";")
	name, value, ok := strings.Cut(pair, "=")
	name, value = strings.TrimSpace(name), strings.TrimSpace(value)
	if !ok || name == "" || strings.ContainsFunc(pair, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return nil
	}
	c, err := http.ParseSetCookie("x=;" + attributes)
	if err != nil {
		c = &http.Cookie{}
	}
	c.Name, c.Value, c.Raw = name, value, line
	return c
}

// cookieHeader writes cookies as they were set: net/http would put some values
// into quotes, which servers take for a part of the value.
func cookieHeader(cookies []*http.Cookie) string {
	var b strings.Builder
	for i, c := range cookies {
		if i > 0 {
			b.WriteString("; ")
		}
		b.WriteString(c.Name)
		b.WriteByte('=')
		if c.Quoted {
			b.WriteString(`"` + c.Value + `"`)
		} else {
			b.WriteString(c.Value)
		}
	}
	return b.String()
}
