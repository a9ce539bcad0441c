package crawl

import (
	"net/url"
	"sync"
	"time"
)

// maxHosts bounds how many hosts a crawl remembers.
const maxHosts = 4096

// hosts remembers when each host last answered, so that a site that goes away
// for a while is told from one that was never there. It is lossy when a crawl
// visits very many hosts.
type hosts struct {
	mu      sync.Mutex
	last    map[string]time.Time
	failure map[string]string // the newest one, in words
}

func newHosts() *hosts { return &hosts{last: map[string]time.Time{}, failure: map[string]string{}} }

func (h *hosts) answered(host string, now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.last) >= maxHosts {
		clear(h.last)
	}
	h.last[host] = now
}

// failed notes why host did not answer.
func (h *hosts) failed(host, why string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.failure) >= maxHosts {
		clear(h.failure)
	}
	h.failure[host] = why
}

// why returns why host last did not answer; empty: nothing is known.
func (h *hosts) why(host string) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.failure[host]
}

// since returns how long host has not answered; ok is false when it never did.
func (h *hosts) since(host string, now time.Time) (d time.Duration, ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	at, ok := h.last[host]
	return now.Sub(at), ok
}

// hostOf returns the host of a URL with its port, as Why knows it; empty when
// it has none.
func hostOf(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return ""
	}
	return u.Host
}
