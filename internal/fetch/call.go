package fetch

import (
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"
)

// call is one Do: the request as it was asked for and how far it has got.
type call struct {
	f      *Fetcher
	policy Policy
	first  hop
	tries  int
	held   int // of those, how many ended before anything was sent

	// The state of one try.
	hop    hop
	passed []string // the URLs redirected from
	sent   string   // the Cookie header of the last request
	seen   []string // what was requested, to tell a loop
	// wasted is the bytes of bodies that did not become a page.
	wasted int64
	// latency is what the last exchange's headers took to come.
	latency time.Duration
	// cut keeps the first MaxBytes of a longer body instead of failing: for
	// robots.txt.
	cut bool
}

// hop is one request on the wire.
type hop struct {
	method string
	url    *url.URL
	// header is shared between tries and never changed in place.
	header http.Header
	host   string // overrides the Host header when set
	body   string
}

// newCall checks the request and prepares its headers.
func (f *Fetcher) newCall(req Request, p Policy) (*call, error) {
	u, err := url.Parse(req.URL)
	if err != nil {
		return nil, failf(FailRefused, err, "%q is not a URL", req.URL).Error
	}
	if fail := visitable(u); fail != nil {
		return nil, fail.Error
	}
	method := req.Method
	if method == "" {
		method = http.MethodGet
	}
	if !httpguts.ValidHeaderFieldName(method) {
		return nil, failf(FailRefused, nil, "%q is not an HTTP method", method).Error
	}
	c := &call{f: f, policy: p.filled(), first: hop{method: method, url: u, body: req.Body}}
	if fail := c.headers(req.Header); fail != nil {
		return nil, fail.Error
	}
	return c, nil
}

// visitable refuses what is not the web.
func visitable(u *url.URL) *failure {
	switch {
	case u.Scheme != "http" && u.Scheme != "https":
		return failf(FailRefused, nil, "%s is not visited: its scheme is %q, and only http and https are", u.Redacted(), u.Scheme)
	case u.Hostname() == "":
		return failf(FailRefused, nil, "%s is not visited: it names no host", u.Redacted())
	}
	return nil
}

const (
	accept         = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
	acceptEncoding = "gzip, br, zstd"
)

// headers lays the request's headers over the policy's over the defaults.
func (c *call) headers(own map[string]string) *failure {
	agent := c.policy.UserAgent
	if agent == "" {
		agent = c.f.options.UserAgent
	}
	values := []string{agent, accept, acceptEncoding}
	h := make(http.Header, 4+len(own)+len(c.policy.Header))
	h["User-Agent"], h["Accept"], h["Accept-Encoding"] = values[0:1:1], values[1:2:2], values[2:3:3]
	c.first.header = h
	abroad := c.abroad()
	for i, from := range []map[string]string{c.policy.Header, own} {
		for name, value := range from {
			if i == 0 && abroad && slices.Contains(secrets, http.CanonicalHeaderKey(name)) {
				continue
			}
			if fail := c.set(name, value); fail != nil {
				return fail
			}
		}
	}
	if u := c.first.url; u.User != nil && h["Authorization"] == nil {
		password, _ := u.User.Password()
		r := http.Request{Header: h}
		r.SetBasicAuth(u.User.Username(), password)
	}
	return nil
}

// secrets are the headers that tell who asks.
var secrets = []string{"Authorization", "Cookie", "Proxy-Authorization", "X-Api-Key", "X-Auth-Token"}

// abroad reports whether the request leads away from the site that the policy's
// secrets are for.
func (c *call) abroad() bool {
	if c.policy.Home == "" || len(c.policy.Header) == 0 {
		return false
	}
	home, err := url.Parse(c.policy.Home)
	return err != nil || site(home) != site(c.first.url)
}

// site is a URL's registrable domain.
func site(u *url.URL) string { return registrable(strings.ToLower(u.Hostname())) }

// set puts one header, or removes it when the value is empty. Those that frame
// the message on the connection are net/http's alone.
func (c *call) set(name, value string) *failure {
	if !httpguts.ValidHeaderFieldName(name) {
		return failf(FailRefused, nil, "the header name %q holds a character that HTTP forbids", name)
	}
	if !httpguts.ValidHeaderFieldValue(value) {
		return failf(FailRefused, nil, "the value of the header %s holds a character that HTTP forbids", name)
	}
	switch name = http.CanonicalHeaderKey(name); name {
	case "Connection", "Content-Length", "Transfer-Encoding", "Upgrade", "Te", "Trailer", "Keep-Alive", "Proxy-Connection":
	case "Host":
		c.first.host = value
	default:
		if value != "" {
			c.first.header[name] = []string{value}
		} else if name == "User-Agent" {
			c.first.header[name] = nil // absent would mean net/http's own
		} else {
			delete(c.first.header, name)
		}
	}
	return nil
}

// request makes what net/http sends. The cookies of the jar are added to a copy
// of the headers.
func (c *call) request() *http.Request {
	h := &c.hop
	r := &http.Request{
		Method: h.method, URL: h.url, Header: h.header, Host: h.host,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}
	if h.host == "" {
		r.Host = h.url.Host
	}
	if h.body != "" {
		r.ContentLength = int64(len(h.body))
		r.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(h.body)), nil }
		r.Body, _ = r.GetBody()
	}
	c.sent = c.cookies(h.url)
	if c.sent != "" {
		own := h.header["Cookie"]
		r.Header = h.header.Clone()
		r.Header.Set("Cookie", strings.Join(append(own[:len(own):len(own)], c.sent), "; "))
	}
	return r
}

// cookies is what the jar sends to a URL.
func (c *call) cookies(u *url.URL) string {
	if c.policy.Cookies == nil {
		return ""
	}
	cookies := c.policy.Cookies.Cookies(u)
	if len(cookies) == 0 {
		return ""
	}
	return cookieHeader(cookies)
}

// shown is a URL as it is reported: without password and fragment.
func shown(u *url.URL) string {
	if u.User == nil && u.Fragment == "" && u.RawFragment == "" {
		return u.String()
	}
	bare := *u
	bare.User, bare.Fragment, bare.RawFragment = nil, "", ""
	return strings.TrimSuffix(bare.String(), "#")
}
