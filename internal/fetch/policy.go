package fetch

import (
	"net/http"
	"time"
)

// Policy says how one call behaves towards the site. Zero numbers stand for the
// default where one is named; the zero Policy has no pace and no robots.txt, so
// start from DefaultPolicy.
type Policy struct {
	// UserAgent replaces the Fetcher's.
	UserAgent string
	// Robots obeys robots.txt, its Crawl-delay (up to 30 s) included.
	Robots bool
	// Delay is the least time between two starts at one host, as the host sees
	// it, before and after each request of this call, whoever makes the other;
	// 0: none.
	Delay time.Duration
	// Jitter lengthens each delay by a random part of it, up to this share.
	Jitter float64
	// HostConcurrency bounds the requests under way at one host, counted over
	// all calls of the process; 0: no bound. One below the default of eight
	// binds the other calls too while a request with it is under way.
	HostConcurrency int
	// MaxBytes bounds a decompressed body. 16 MiB when 0.
	MaxBytes int64
	// Timeout bounds one exchange, from its start to the body's last byte. 60 s
	// when 0.
	Timeout time.Duration
	// Retries is how often a failure that may pass is tried again. 2 when 0,
	// none when negative.
	Retries int
	// MaxRedirects is how many redirects are followed. 10 when 0; negative:
	// none, the redirect itself is the answer.
	MaxRedirects int
	// MaxWait is the longest Retry-After that is waited for. A host that asks
	// for more gives FailTooMany at once. 60 s when 0.
	MaxWait time.Duration
	// Header is sent with every request; an empty value removes a default one.
	// A Request's own headers win.
	Header map[string]string
	// Home, a URL, is the site that secrets in Header (Authorization and the
	// like) are for: other registrable domains are not sent them. Empty: every
	// site is.
	Home string
	// Cookies belong to the caller, one jar per run task (NewJar); nil: none are
	// kept.
	Cookies http.CookieJar
}

// DefaultPolicy is polite: robots.txt obeyed, eight requests at a time per host,
// a delay lengthened by up to a quarter.
func DefaultPolicy() Policy {
	return Policy{Robots: true, HostConcurrency: defaultHostConcurrency, Jitter: 0.25}
}

const (
	defaultMaxBytes     = 16 << 20
	defaultTimeout      = time.Minute
	defaultRetries      = 2
	defaultMaxRedirects = 10
	defaultMaxWait      = time.Minute
)

// filled puts the defaults in.
func (p Policy) filled() Policy {
	if p.MaxBytes <= 0 {
		p.MaxBytes = defaultMaxBytes
	}
	if p.Timeout <= 0 {
		p.Timeout = defaultTimeout
	}
	if p.Retries == 0 {
		p.Retries = defaultRetries
	}
	if p.MaxRedirects == 0 {
		p.MaxRedirects = defaultMaxRedirects
	}
	if p.MaxWait <= 0 {
		p.MaxWait = defaultMaxWait
	}
	return p
}
