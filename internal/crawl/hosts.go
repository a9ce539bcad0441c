package crawl

import (
	"net/url"
	"sync"
	"time"
)

// maxHosts bounds how many hosts a crawl remembers, twice over.
const maxHosts = 4096

// standing is what a crawl knows of a host.
type standing struct {
	answered time.Time // the last time; zero: never
	failure  string    // why it last did not answer, in words
}

// hosts remembers when each host last answered, so that a site that goes away
// for a while is told from one that was never there. When there are too many, the
// half that was looked at longest ago is forgotten.
type hosts struct {
	mu         sync.Mutex
	young, old map[string]standing
}

func newHosts() *hosts { return &hosts{young: map[string]standing{}} }

func (h *hosts) answered(host string, now time.Time) {
	h.change(host, func(s *standing) { s.answered = now })
}

// failed notes why host did not answer.
func (h *hosts) failed(host, why string) {
	h.change(host, func(s *standing) { s.failure = why })
}

func (h *hosts) change(host string, by func(*standing)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := h.find(host)
	by(&s)
	h.young[host] = s
}

// find gives a host's standing, which makes it young.
func (h *hosts) find(host string) standing {
	s, ok := h.young[host]
	if ok {
		return s
	}
	if s, ok = h.old[host]; ok {
		delete(h.old, host)
	}
	if len(h.young) >= maxHosts {
		h.young, h.old = map[string]standing{}, h.young
	}
	if ok {
		h.young[host] = s
	}
	return s
}

// why returns why host last did not answer; empty: nothing is known.
func (h *hosts) why(host string) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.find(host).failure
}

// since returns how long host has not answered; ok is false when it never did.
func (h *hosts) since(host string, now time.Time) (d time.Duration, ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	at := h.find(host).answered
	return now.Sub(at), !at.IsZero()
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
