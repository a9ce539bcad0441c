package fetch

import (
	"net"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/net/idna"
	"golang.org/x/net/publicsuffix"
)

// idleOrigin is how long an origin is remembered that nobody visits.
const idleOrigin = 10 * time.Minute

// maxRobotsBytes bounds the robots.txt files remembered of all origins.
const maxRobotsBytes = 64 << 20

// origin is what is known of one scheme, host and port: its circuit breaker and
// its robots.txt. The pace is its host's.
type origin struct {
	key     keyOf
	name    string // as people write it
	host    *host
	breaker breaker
	http2   http2Health
	robots  robots

	uses atomic.Int32 // calls that hold it
	used atomic.Int64 // when the last one let go, Unix nanoseconds
}

// put lets the origin go.
func (o *origin) put() {
	o.used.Store(time.Now().UnixNano())
	o.uses.Add(-1)
}

// origins remembers origins and hosts, a bounded number of them.
type origins struct {
	limit int

	mu    sync.RWMutex
	byKey map[keyOf]*origin
	hosts map[string]*host
	sweep int // the number of origins at which idle ones are dropped next
}

func newOrigins(limit int) *origins {
	return &origins{limit: limit, byKey: map[keyOf]*origin{}, hosts: map[string]*host{}, sweep: min(limit, 256)}
}

// get finds the origin of a URL or begins one. The caller puts it back.
func (t *origins) get(u *url.URL) *origin {
	key := originKey(u)
	t.mu.RLock()
	o := t.byKey[key]
	if o != nil {
		o.uses.Add(1)
	}
	t.mu.RUnlock()
	if o != nil {
		return o
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if o = t.byKey[key]; o == nil {
		if len(t.byKey) >= t.sweep {
			t.shrink(time.Now())
		}
		o = t.begin(key)
	}
	o.uses.Add(1)
	return o
}

// find gives an origin that is known already, nil if it is not.
func (t *origins) find(key keyOf) *origin {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.byKey[key]
}

// held reports whether the host of an address asked to be left alone still.
func (t *origins) held(scheme, address string) bool {
	t.mu.RLock()
	h := t.hosts[paceKey(originKey(&url.URL{Scheme: scheme, Host: address}))]
	t.mu.RUnlock()
	return h != nil && h.held(time.Now())
}

func (t *origins) begin(key keyOf) *origin {
	name := paceKey(key)
	h := t.hosts[name]
	if h == nil {
		h = &host{name: name}
		t.hosts[name] = h
	}
	h.origins++
	o := &origin{key: key, name: key.host, host: h}
	t.byKey[key] = o
	return o
}

// shrink drops the origins that have been idle for long, then, while there are
// too many, any that nobody uses. Hosts that asked to be left alone are kept to
// the end of that time.
func (t *origins) shrink(now time.Time) {
	long := now.Add(-idleOrigin).UnixNano()
	var text int
	for _, o := range t.byKey {
		if o.uses.Load() == 0 && o.used.Load() < long && !o.host.held(now) {
			t.drop(o)
		} else {
			text += o.robots.size()
		}
	}
	for _, o := range t.byKey {
		if len(t.byKey) < t.limit && text < maxRobotsBytes {
			break
		}
		if o.uses.Load() == 0 && !o.host.held(now) {
			text -= o.robots.size()
			t.drop(o)
		}
	}
	// Looking again only after some growth keeps the cost per origin constant.
	t.sweep = min(2*len(t.byKey)+256, max(t.limit, len(t.byKey)+len(t.byKey)/8+1))
}

func (t *origins) drop(o *origin) {
	delete(t.byKey, o.key)
	if o.host.origins--; o.host.origins == 0 {
		delete(t.hosts, o.host.name)
	}
}

// paceKey names whose budget an origin spends: the registrable domain and the
// port, because the hosts of one domain are mostly one site's.
func paceKey(key keyOf) string {
	u := url.URL{Host: key.host}
	name, port := u.Hostname(), u.Port()
	if port == "" {
		port = "80"
		if key.scheme == "https" {
			port = "443"
		}
	}
	return net.JoinHostPort(registrable(name), port)
}

func registrable(name string) string {
	if _, err := netip.ParseAddr(name); err == nil {
		return name
	}
	if ascii, err := idna.Lookup.ToASCII(name); err == nil {
		name = ascii
	}
	if domain, err := publicsuffix.EffectiveTLDPlusOne(strings.TrimSuffix(name, ".")); err == nil {
		return domain
	}
	return name
}
