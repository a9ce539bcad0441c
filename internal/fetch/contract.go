// Package fetch turns a request into a page: transport, cookies, encodings, robots.txt,
// pace per host, retries and limits.
package fetch

import (
	"errors"
	"net/http"
	"time"

	"shoal/internal/safedial"
)

// Request is what to fetch.
type Request struct {
	Method string // empty: GET
	URL    string
	Header map[string]string
	Body   string
	// Attempt is 1 for the first try. Retries happen inside Do; a request that
	// was given back to the frontier arrives with a higher one.
	Attempt int
}

// Response is an answer, whatever its status: a 404 page is a page.
type Response struct {
	URL    string // after redirects
	Status int
	Header http.Header
	// MediaType is the type without parameters, lower case; sniffed when the
	// server sent none.
	MediaType string
	// Body is decompressed, and decoded to UTF-8 when it is text. It belongs to
	// the caller until Release.
	Body []byte
	// WireBytes is what came over the wire for the body.
	WireBytes int64
	// Elapsed is what the last exchange took, from its start to the body's last
	// byte; waiting for the host's turn and earlier tries are not in it.
	Elapsed time.Duration
	// Redirects are the URLs passed on the way, the first request's first.
	Redirects []string
	// Tries is how many attempts Do made.
	Tries int

	buf *buffer
}

// Release gives the body's memory back for other pages. Body must not be used
// afterwards. Calling it is an economy, not a duty; calling it twice is harmless.
func (r *Response) Release() {
	buf := r.buf
	r.buf, r.Body = nil, nil
	buf.release()
}

// Failure classes why no usable answer came.
type Failure string

// The failures of a request.
const (
	FailDNS         Failure = "dns"          // the name does not resolve
	FailConnect     Failure = "connect"      // refused, reset, unreachable
	FailTLS         Failure = "tls"          // handshake or certificate
	FailTimeout     Failure = "timeout"      // of any phase
	FailServer      Failure = "server_error" // 5xx after retries, 503 apart
	FailTooMany     Failure = "too_many_requests"
	FailTooLarge    Failure = "too_large"
	FailRedirects   Failure = "redirects"
	FailProtocol    Failure = "protocol"     // broken HTTP, encoding, truncated body
	FailRobots      Failure = "robots"       // robots.txt disallows it
	FailRefused     Failure = "refused"      // an address that Shoal does not visit (private, loopback, scheme)
	FailCircuitOpen Failure = "circuit_open" // the host failed so often that it is left alone for a while
)

// Error says why a request failed. Message is a sentence for the person who
// reads the run's log.
type Error struct {
	Failure    Failure
	Status     int           // of the last answer, 0 if none came
	RetryAfter time.Duration // asked for by the target, or for how long it is left alone; 0 if there is no such time
	Message    string
	Tries      int
	WireBytes  int64 // of the bodies that came in all tries
	Err        error
}

// Error returns the message.
func (e *Error) Error() string { return e.Message }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Unreached reports whether the failure means that the website itself could
// not be used: DNS, TCP, TLS, time-outs, 5xx, and an address that the guard
// refuses, which no later try will change.
func (e *Error) Unreached() bool {
	switch e.Failure {
	case FailDNS, FailConnect, FailTLS, FailTimeout, FailServer, FailCircuitOpen:
		return true
	}
	_, refused := errors.AsType[*safedial.RefusedError](e.Err)
	return refused
}
