package safedial

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"
)

const (
	maxNames = 4096
	// missingTTL is how long it is remembered that a name does not exist.
	missingTTL = 5 * time.Second
)

// names remembers the addresses of names for a short while and asks for each
// name once at a time. What it gives is still checked at every dial.
type names struct {
	resolver Resolver
	timeout  time.Duration
	ttl      time.Duration

	mu     sync.Mutex
	byName map[string]*answer
}

// answer is what a look-up gave, or will give once ready is closed.
type answer struct {
	ready   chan struct{}
	addrs   []netip.Addr
	err     error
	expires time.Time // zero while not ready
}

func newNames(r Resolver, timeout, ttl time.Duration) *names {
	return &names{resolver: r, timeout: timeout, ttl: ttl, byName: map[string]*answer{}}
}

// lookup gives the addresses of a name. The slice is shared: callers only read.
func (n *names) lookup(ctx context.Context, host string) ([]netip.Addr, error) {
	a := n.answer(ctx, key(host))
	select {
	case <-a.ready:
		return a.addrs, a.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// answer finds a fresh answer or a look-up under way, else starts one.
func (n *names) answer(ctx context.Context, host string) *answer {
	n.mu.Lock()
	defer n.mu.Unlock()
	if a := n.byName[host]; a != nil && (a.expires.IsZero() || time.Now().Before(a.expires)) {
		return a
	}
	if len(n.byName) >= maxNames {
		n.shrink(time.Now())
	}
	a := &answer{ready: make(chan struct{})}
	n.byName[host] = a
	// Others wait for this look-up too, so it outlives the one that asked
	// first; its own time-out ends it.
	go n.ask(context.WithoutCancel(ctx), host, a)
	return a
}

func (n *names) ask(ctx context.Context, host string, a *answer) {
	ctx, cancel := context.WithTimeout(ctx, n.timeout)
	defer cancel()
	found, err := n.resolver.LookupNetIP(ctx, "ip", host)
	addrs := make([]netip.Addr, len(found))
	for i, addr := range found {
		// Resolvers give IPv4 addresses in either form.
		addrs[i] = addr.Unmap()
	}
	if err == nil && len(addrs) == 0 {
		err = &net.DNSError{Err: "no addresses", Name: host, IsNotFound: true}
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	a.addrs, a.err, a.expires = interleave(addrs), err, time.Now().Add(n.keep(err))
	close(a.ready)
}

// keep says for how long an answer holds.
func (n *names) keep(err error) time.Duration {
	if err == nil {
		return n.ttl
	}
	if dns, ok := errors.AsType[*net.DNSError](err); ok && dns.IsNotFound {
		return min(missingTTL, n.ttl)
	}
	return -1
}

// forget drops an answer, unless it is still being awaited.
func (n *names) forget(host string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	host = key(host)
	if a := n.byName[host]; a != nil && !a.expires.IsZero() {
		delete(n.byName, host)
	}
}

// shrink drops what has expired and, if that is not enough, half of the rest.
func (n *names) shrink(now time.Time) {
	for host, a := range n.byName {
		if !a.expires.IsZero() && !now.Before(a.expires) {
			delete(n.byName, host)
		}
	}
	for host := range n.byName {
		if len(n.byName) <= maxNames/2 {
			return
		}
		delete(n.byName, host)
	}
}

func key(host string) string { return strings.ToLower(strings.TrimSuffix(host, ".")) }

// interleave alternates the families, IPv6 first (RFC 8305, section 4), so that
// one broken family costs one attempt and not as many as it has addresses.
func interleave(addrs []netip.Addr) []netip.Addr {
	var six, four []netip.Addr
	for _, a := range addrs {
		if a.Is4() {
			four = append(four, a)
		} else {
			six = append(six, a)
		}
	}
	out := addrs[:0:0]
	for i := 0; i < max(len(six), len(four)); i++ {
		if i < len(six) {
			out = append(out, six[i])
		}
		if i < len(four) {
			out = append(out, four[i])
		}
	}
	return out
}
