package deliver

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"strings"
	"syscall"
	"time"
	"unicode"

	"shoal/internal/safedial"
)

// explain says why there was no answer and what would be right. It leaves out
// what an error quotes of an address: paths and queries hold secrets.
func explain(err error, host string, within time.Duration) string {
	if e, ok := errors.AsType[*url.Error](err); ok {
		err = e.Err
	}
	if refused, ok := errors.AsType[*safedial.RefusedError](err); ok {
		return refused.Error()
	}
	if slow, ok := errors.AsType[*slowError](err); ok {
		return host + " " + slow.Error()
	}
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		if dns.IsNotFound {
			return fmt.Sprintf("The name %s has no address: check its spelling", host)
		}
		return fmt.Sprintf("The name %s could not be looked up: %s", host, dns.Err)
	}
	if said := explainTLS(err, host); said != "" {
		return said
	}
	timeout, ok := errors.AsType[net.Error](err)
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded), ok && timeout.Timeout():
		return fmt.Sprintf("%s did not answer within %s", host, within)
	case errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Sprintf("%s refuses the connection: nothing listens at that port, or a firewall rejects it", host)
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return fmt.Sprintf("There is no way to %s from here: check the address and this machine's network", host)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE),
		errors.Is(err, net.ErrClosed): // the transport closes what the other side has ended
		return fmt.Sprintf("%s closed the connection before it answered", host)
	}
	return clip(err.Error(), maxDetail)
}

// explainTLS says what is wrong with the other side's certificate, "" when the
// error is of another kind.
func explainTLS(err error, host string) string {
	if e, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		err = e.Err
	}
	if e, ok := errors.AsType[x509.HostnameError](err); ok {
		return fmt.Sprintf("The certificate of %s is for another name: %s", host, strings.TrimPrefix(e.Error(), "x509: "))
	}
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return fmt.Sprintf("The certificate of %s is signed by an authority that this machine does not know: add that one to the machine's (or to the file that SSL_CERT_FILE names), or have it signed by a public one", host)
	}
	if e, ok := errors.AsType[x509.CertificateInvalidError](err); ok {
		return fmt.Sprintf("The certificate of %s is not valid: %s", host, strings.TrimPrefix(e.Error(), "x509: "))
	}
	_, plain := errors.AsType[tls.RecordHeaderError](err)
	if plain || strings.Contains(err.Error(), "server gave HTTP response to HTTPS client") {
		return fmt.Sprintf("%s does not speak TLS at that port: take another port, or an address that begins with http://", host)
	}
	return ""
}

// maxDetail bounds what is kept of an answer, in bytes.
const maxDetail = 500

// clip cuts s to n bytes of whole, printable characters on one line.
func clip(s string, n int) string {
	s = strings.Join(strings.Fields(strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) || r == ' ' {
			return r
		}
		return ' '
	}, strings.ToValidUTF8(s, "\uFFFD"))), " ")
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "") + "…"
}
