package fetch

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"strings"
	"time"
)

// maxHeaderBytes bounds an answer's headers.
const maxHeaderBytes = 1 << 20

// newTransports tunes net/http for many pages of few hosts: connections are kept,
// HTTP/2 is spoken where offered, and what the transport would do by itself
// (compression, proxies from the environment) is off because this package must
// see it. The second one speaks HTTP/1.1 alone, for hosts whose HTTP/2 is broken.
//
// held says of a host to which a connection has just been made that it asked to
// be left alone meanwhile.
func newTransports(o Options, held func(scheme, address string) bool) (both, http1 *http.Transport) {
	d := &dialer{dial: o.Dial, held: held, timeout: o.TLSTimeout, config: &tls.Config{}}
	if o.TLS != nil {
		d.config = o.TLS.Clone()
	}
	if d.config.ClientSessionCache == nil {
		d.config.ClientSessionCache = tls.NewLRUClientSessionCache(1024)
	}
	old := *d
	old.config = d.config.Clone()
	old.config.NextProtos = []string{"http/1.1"}
	d.config.NextProtos = []string{"h2", "http/1.1"}

	both, http1 = newTransport(d), newTransport(&old)
	both.ForceAttemptHTTP2 = true
	both.HTTP2 = &http.HTTP2Config{
		SendPingTimeout:           15 * time.Second,
		PingTimeout:               15 * time.Second,
		WriteByteTimeout:          30 * time.Second,
		MaxReceiveBufferPerStream: 1 << 20,
	}
	return both, http1
}

func newTransport(d *dialer) *http.Transport {
	return &http.Transport{
		DialContext:            d.plain,
		DialTLSContext:         d.tls,
		DisableCompression:     true,
		MaxIdleConns:           1024,
		MaxIdleConnsPerHost:    64,
		IdleConnTimeout:        90 * time.Second,
		ReadBufferSize:         16 << 10,
		MaxResponseHeaderBytes: maxHeaderBytes,
	}
}

// connError is a failure before anything of the request was sent.
type connError struct {
	handshake bool
	err       error
}

func (e *connError) Error() string { return e.err.Error() }
func (e *connError) Unwrap() error { return e.err }

// dialer opens connections and marks which step failed.
type dialer struct {
	dial    func(ctx context.Context, network, address string) (net.Conn, error)
	held    func(scheme, address string) bool
	config  *tls.Config
	timeout time.Duration
}

// errHeld ends a request whose host sent a Retry-After to another one while this
// one still connected: it must not go out now.
var errHeld = errors.New("the host asked to be left alone")

func (d *dialer) plain(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := d.dial(ctx, network, address)
	if err != nil {
		return nil, &connError{err: err}
	}
	return d.unlessHeld(conn, "http", address)
}

func (d *dialer) unlessHeld(conn net.Conn, scheme, address string) (net.Conn, error) {
	if d.held(scheme, address) {
		conn.Close()
		return nil, errHeld
	}
	return conn, nil
}

func (d *dialer) tls(ctx context.Context, network, address string) (net.Conn, error) {
	raw, err := d.dial(ctx, network, address)
	if err != nil {
		return nil, &connError{err: err}
	}
	config := d.config
	if config.ServerName == "" {
		host, _, err := net.SplitHostPort(address)
		if err != nil {
			raw.Close()
			return nil, &connError{err: err}
		}
		config = config.Clone()
		config.ServerName = strings.TrimSuffix(host, ".")
	}
	ctx, cancel := context.WithTimeout(ctx, d.timeout)
	defer cancel()
	conn := tls.Client(raw, config)
	if err := conn.HandshakeContext(ctx); err != nil {
		raw.Close()
		return nil, &connError{handshake: true, err: err}
	}
	return d.unlessHeld(conn, "https", address)
}
