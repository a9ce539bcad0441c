package fetch

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"
	"time"

	"shoal/internal/safedial"
)

// failure is an Error with what the retrying and the host's pace need to know.
type failure struct {
	*Error
	// passing: another try may go better.
	passing bool
	// unsent: the host has seen nothing of the request.
	unsent bool
	// unreached: no answer came at all; it counts for the circuit breaker.
	unreached bool
	// http2 names what HTTP/2 failed with, "" when it is not the cause.
	http2 string
	// held: the host asked to be left alone while this request connected to it.
	held bool
}

func failf(kind Failure, err error, format string, args ...any) *failure {
	message := fmt.Sprintf(format, args...)
	if err != nil {
		message += ": " + err.Error()
	}
	return &failure{Error: &Error{Failure: kind, Message: message, Err: err}}
}

// noAnswer classes what the transport gave instead of an answer's headers. cause
// is why the exchange's own context ended, nil if it has not.
func noAnswer(host string, err, cause error) *failure {
	if t, ok := errors.AsType[*timeoutError](cause); ok {
		f := failf(FailTimeout, nil, "%s %s", host, t.what)
		f.Err, f.passing, f.unreached = t, true, true
		return f
	}
	if refused, ok := errors.AsType[*safedial.RefusedError](err); ok {
		f := failf(FailRefused, nil, "%s", refused.Error())
		f.Err, f.unsent = refused, true
		return f
	}
	if errors.Is(err, errHeld) {
		f := failf(FailTooMany, nil, "%s asked to be left alone", host)
		f.Err, f.passing, f.unsent, f.held = errHeld, true, true, true
		return f
	}
	if c, ok := errors.AsType[*connError](err); ok {
		return unconnected(host, c)
	}
	what := http2Error(err)
	if errors.Is(cause, errResent) {
		what = refusedStream
	}
	if what != "" {
		f := failf(FailConnect, nil, "%s broke off its HTTP/2 without an answer: %s", host, what)
		f.Err, f.http2, f.passing = err, what, true
		f.unsent, f.unreached = what == refusedStream || what == http11Required, what != http11Required
		return f
	}
	f := unanswered(host, err)
	f.passing, f.unreached = true, f.Failure != FailProtocol
	return f
}

// unconnected classes a failure to connect: nothing was sent.
func unconnected(host string, c *connError) *failure {
	var f *failure
	dns, isDNS := errors.AsType[*net.DNSError](c.err)
	switch {
	case isDNS:
		f = failf(FailDNS, nil, "the name %s does not resolve: %s", host, dns.Err)
		f.Err, f.passing = c.err, !dns.IsNotFound
	case c.handshake:
		f = handshake(host, c.err)
	case isTimeout(c.err):
		f = failf(FailTimeout, c.err, "connecting to %s took too long", host)
		f.passing = true
	default:
		f = failf(FailConnect, c.err, "%s cannot be connected to", host)
		f.passing = true
	}
	f.unsent, f.unreached = true, true
	return f
}

// handshake classes a failed TLS handshake. A certificate that is wrong stays
// wrong.
func handshake(host string, err error) *failure {
	if isTimeout(err) {
		f := failf(FailTimeout, nil, "the TLS handshake with %s took too long", host)
		f.Err, f.passing = err, true
		return f
	}
	f := failf(FailTLS, err, "the TLS handshake with %s failed", host)
	_, certificate := errors.AsType[*tls.CertificateVerificationError](err)
	_, authority := errors.AsType[x509.UnknownAuthorityError](err)
	_, record := errors.AsType[tls.RecordHeaderError](err)
	if record {
		f.Message += "; perhaps it speaks http:// there, not https://"
	}
	f.passing = !certificate && !authority && !record
	return f
}

// unanswered classes a connection that broke before the headers were complete.
func unanswered(host string, err error) *failure {
	switch {
	case isReset(err), errors.Is(err, io.EOF):
		return failf(FailConnect, err, "%s closed the connection without an answer", host)
	case isTimeout(err):
		return failf(FailTimeout, err, "%s did not answer in time", host)
	}
	if _, ok := errors.AsType[*net.OpError](err); ok {
		return failf(FailConnect, err, "the connection to %s broke", host)
	}
	return failf(FailProtocol, err, "%s does not answer in proper HTTP", host)
}

// brokenBody classes an error while reading the body: of the wire when wire is
// not nil, else of decoding it.
func brokenBody(host string, err, wire, cause error) *failure {
	var f *failure
	t, timedOut := errors.AsType[*timeoutError](cause)
	switch {
	case timedOut:
		f = failf(FailTimeout, nil, "%s %s", host, t.what)
		f.Err = t
	case wire == nil:
		f = failf(FailProtocol, err, "the body from %s cannot be decompressed", host)
	case http2Error(wire) != "":
		f = failf(FailConnect, nil, "%s broke off its HTTP/2 within the body: %s", host, http2Error(wire))
		f.Err, f.http2 = wire, http2Error(wire)
	case isReset(wire):
		f = failf(FailConnect, wire, "%s broke the connection within the body", host)
	case isTimeout(wire):
		f = failf(FailTimeout, wire, "the body from %s did not come in time", host)
	case errors.Is(wire, io.ErrUnexpectedEOF):
		f = failf(FailProtocol, nil, "%s closed the connection within the body: it is shorter than announced", host)
		f.Err = wire
	default:
		f = failf(FailProtocol, wire, "the body from %s broke off", host)
	}
	f.passing = true
	return f
}

func isTimeout(err error) bool {
	if errors.Is(err, context.DeadlineExceeded) {
		return true
	}
	n, ok := errors.AsType[net.Error](err)
	return ok && n.Timeout()
}

func isReset(err error) bool {
	return errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNABORTED)
}

// timeoutError ends an exchange's context when a phase took too long.
type timeoutError struct{ what string }

func (e *timeoutError) Error() string { return e.what }

func tooSlow(what string, after time.Duration) error {
	return &timeoutError{fmt.Sprintf("%s %s", what, after)}
}
