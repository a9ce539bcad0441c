package fetch

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// StoredCookie is a cookie of a Jar as it can be kept and given to another jar
// later: who set it, and with which attributes. Its JSON has no field that only
// this program could read.
type StoredCookie struct {
	// From is the URL whose answer set it, without query; empty: no site has, and
	// whoever fills a jar says where it belongs.
	From     string    `json:"from,omitempty"`
	Name     string    `json:"name"`
	Value    string    `json:"value"`
	Quoted   bool      `json:"quoted,omitempty"`
	Domain   string    `json:"domain,omitempty"` // empty: the host of From alone
	Path     string    `json:"path,omitempty"`
	Expires  time.Time `json:"expires,omitzero"` // zero: with the session
	Secure   bool      `json:"secure,omitempty"`
	HTTPOnly bool      `json:"http_only,omitempty"`
}

// Cookie is the cookie as a site sets it.
func (c *StoredCookie) Cookie() *http.Cookie {
	return &http.Cookie{Name: c.Name, Value: c.Value, Quoted: c.Quoted, Domain: c.Domain, Path: c.Path,
		Expires: c.Expires, Secure: c.Secure, HttpOnly: c.HTTPOnly}
}

// Stored returns the cookies that the jar holds and now still sends, in the
// order in which they were set.
func (j *Jar) Stored(now time.Time) []StoredCookie {
	j.mu.Lock()
	var kept []keptCookie
	for _, s := range j.sites {
		kept = append(kept, s.kept...)
	}
	j.mu.Unlock()
	slices.SortStableFunc(kept, func(a, b keptCookie) int {
		return cmp.Or(a.at.Compare(b.at), strings.Compare(a.name, b.name))
	})
	out := make([]StoredCookie, 0, len(kept))
	for _, k := range kept {
		c := StoredCookie{From: bare(k.from), Name: k.cookie.Name, Value: k.cookie.Value, Quoted: k.cookie.Quoted,
			Domain: k.cookie.Domain, Path: k.cookie.Path, Secure: k.cookie.Secure, HTTPOnly: k.cookie.HttpOnly}
		switch {
		case k.cookie.MaxAge > 0: // it has precedence (RFC 6265, section 5.3)
			c.Expires = k.at.Add(time.Duration(k.cookie.MaxAge) * time.Second).UTC()
		case !k.cookie.Expires.IsZero():
			c.Expires = k.cookie.Expires.UTC()
		}
		if c.Expires.IsZero() || c.Expires.After(now) {
			out = append(out, c)
		}
	}
	return out
}

// bare is a URL without what may be secret and does not matter to cookies.
func bare(u *url.URL) string {
	b := url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path, RawPath: u.RawPath}
	return b.String()
}

// Restore puts stored cookies into the jar. Those without a site belong to home
// and the hosts of its registrable domain; without a home they are left out.
func (j *Jar) Restore(cookies []StoredCookie, home *url.URL) {
	for i := range cookies {
		c := cookies[i]
		from := home
		if c.From != "" {
			u, err := url.Parse(c.From)
			if err != nil {
				continue
			}
			from = u
		} else if home != nil {
			c.Domain, c.Path = homeDomain(home, c.Name), "/"
		}
		if from != nil {
			j.SetCookies(from, []*http.Cookie{c.Cookie()})
		}
	}
}

// homeDomain is the registrable domain of a URL; empty for a cookie whose name
// promises that it is one host's.
func homeDomain(u *url.URL, cookie string) string {
	if strings.HasPrefix(strings.ToLower(cookie), "__host-") {
		return ""
	}
	return site(u)
}
