// Package safedial is the only dialer to addresses that a user gave: targets,
// webhooks, buckets, mail servers. It resolves the name itself, refuses every
// address that is not part of the public Internet, and checks again in the
// socket's control hook, on the very address being connected to. So neither a
// redirect, nor a name that changes its answer between two look-ups, nor an odd
// spelling of an address leads inside.
package safedial

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"syscall"
	"time"
)

// Resolver turns a name into addresses. *net.Resolver is one.
type Resolver interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// Options say what a Dialer admits. The zero value admits public addresses
// alone, on every port.
type Options struct {
	// AllowPrivate admits every address.
	AllowPrivate bool
	// Allow admits single addresses besides the public ones, such as a site
	// that this process serves itself. Port 0 stands for every port.
	Allow []netip.AddrPort
	// Hint ends the message of a refusal: what a person does to allow it, for
	// example "start with --allow-private-targets to allow it".
	Hint string
	// Resolver is net.DefaultResolver when nil.
	Resolver Resolver
	// Timeout bounds the look-up of a name and, apart, the connecting to all
	// of its addresses. 10 s when 0.
	Timeout time.Duration
	// CacheTTL is how long a name's addresses are remembered. 60 s when 0;
	// negative: never.
	CacheTTL time.Duration
}

// Dialer connects to admitted addresses. It is safe for concurrent use.
type Dialer struct {
	options Options
	dialer  net.Dialer
	names   *names
}

// New makes a Dialer.
func New(o Options) *Dialer {
	if o.Resolver == nil {
		o.Resolver = net.DefaultResolver
	}
	if o.Timeout <= 0 {
		o.Timeout = 10 * time.Second
	}
	if o.CacheTTL == 0 {
		o.CacheTTL = time.Minute
	}
	d := &Dialer{options: o, names: newNames(o.Resolver, o.Timeout, o.CacheTTL)}
	d.dialer = net.Dialer{KeepAlive: 30 * time.Second, ControlContext: d.control}
	return d
}

// RefusedError says that an address is one that Shoal does not visit.
type RefusedError struct {
	Host string     // as given by the caller
	Addr netip.Addr // what it resolved to
	Why  string     // the kind of address: "a loopback address"
	Hint string     // Options.Hint
}

// Error names the host, its address, why it is refused and what allows it.
func (e *RefusedError) Error() string {
	what := e.Addr.String()
	if e.Host != "" && e.Host != what {
		what = e.Host + " (" + what + ")"
	}
	s := what + " is not visited: it is " + e.Why
	if e.Hint != "" {
		s += "; " + e.Hint
	}
	return s
}

// DialContext connects to address ("host:port") over "tcp", "tcp4" or "tcp6".
// Its errors hold a *RefusedError when the host has no admitted address, a
// *net.DNSError when it has none at all, else what the connecting gave.
func (d *Dialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	host, port, err := split(network, address)
	if err != nil {
		return nil, err
	}
	addrs, err := d.resolve(ctx, network, host)
	if err != nil {
		return nil, err
	}
	targets, err := d.admit(host, addrs, port)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, d.options.Timeout)
	defer cancel()
	conn, err := d.race(ctx, network, targets)
	if err != nil {
		// The name may have moved: ask again next time.
		d.names.forget(host)
		return nil, named(err, host)
	}
	return conn, nil
}

// split takes the address apart and refuses what is not TCP.
func split(network, address string) (host string, port uint16, err error) {
	switch network {
	case "tcp", "tcp4", "tcp6":
	default:
		return "", 0, fmt.Errorf("dial %s: the network %q is not tcp", address, network)
	}
	host, service, err := net.SplitHostPort(address)
	if err != nil {
		return "", 0, fmt.Errorf("dial %s: %w", address, err)
	}
	n, err := strconv.ParseUint(service, 10, 16)
	if err != nil || n == 0 {
		return "", 0, fmt.Errorf("dial %s: the port %q is not a number from 1 to 65535", address, service)
	}
	if host == "" {
		return "", 0, fmt.Errorf("dial %s: the host is missing", address)
	}
	return host, uint16(n), nil
}

// resolve gives the addresses of a host that is a name or an address in any
// spelling that browsers know.
func (d *Dialer) resolve(ctx context.Context, network, host string) ([]netip.Addr, error) {
	addrs, err := literal(host)
	if err != nil {
		return nil, err
	}
	if addrs == nil {
		if addrs, err = d.names.lookup(ctx, host); err != nil {
			return nil, err
		}
	}
	addrs = ofFamily(network, addrs)
	if len(addrs) == 0 {
		return nil, &net.DNSError{Err: "no address of the family " + network, Name: host, IsNotFound: true}
	}
	return addrs, nil
}

func ofFamily(network string, addrs []netip.Addr) []netip.Addr {
	if network == "tcp" {
		return addrs
	}
	var of []netip.Addr
	for _, a := range addrs {
		if (a.Is4() || a.Is4In6()) == (network == "tcp4") {
			of = append(of, a)
		}
	}
	return of
}

// maxAddrs bounds how many addresses of one name are tried.
const maxAddrs = 8

// admit keeps the addresses that may be visited. A name that has public and
// private ones is visited at the public ones only.
func (d *Dialer) admit(host string, addrs []netip.Addr, port uint16) ([]netip.AddrPort, error) {
	var refused error
	targets := make([]netip.AddrPort, 0, min(len(addrs), maxAddrs))
	for _, a := range addrs {
		target := netip.AddrPortFrom(a, port)
		if err := d.Check(target); err != nil {
			if refused == nil {
				refused = named(err, host)
			}
			continue
		}
		if targets = append(targets, target); len(targets) == maxAddrs {
			break
		}
	}
	if len(targets) == 0 {
		return nil, refused
	}
	return targets, nil
}

// Check gives a *RefusedError when the address is one that is not visited.
func (d *Dialer) Check(target netip.AddrPort) error {
	if d.options.AllowPrivate {
		return nil
	}
	addr := target.Addr().WithZone("")
	why := Special(addr)
	if why == "" {
		return nil
	}
	for _, a := range d.options.Allow {
		if a.Addr().Unmap() == addr.Unmap() && (a.Port() == 0 || a.Port() == target.Port()) {
			return nil
		}
	}
	return &RefusedError{Addr: target.Addr(), Why: why, Hint: d.options.Hint}
}

// control runs on the socket just before it connects: whatever led here, this
// is the address that would be reached.
func (d *Dialer) control(_ context.Context, network, address string, _ syscall.RawConn) error {
	target, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("check the address %q before connecting: %w", address, err)
	}
	// The kernel is given mapped addresses as plain IPv4.
	return d.Check(netip.AddrPortFrom(target.Addr().Unmap(), target.Port()))
}

// named puts the caller's host into a refusal, which knows the address only.
func named(err error, host string) error {
	if refused, ok := errors.AsType[*RefusedError](err); ok {
		refused.Host = host
		return refused
	}
	return err
}
