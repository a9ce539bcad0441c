package fetch

import (
	"context"
	"slices"
	"sync"
	"time"
)

// defaultHostConcurrency is how many requests run at a host at a time unless a
// policy says otherwise. A bound below it is a promise to the site.
const defaultHostConcurrency = 8

// host is the pace of one registrable domain and port, shared by all calls of the
// process: how many requests run, when the next may start, and who waits, first
// come first served. What the strictest call under way keeps to, all keep to.
type host struct {
	name    string
	origins int // guarded by the table

	mu       sync.Mutex
	inflight int
	strict   [defaultHostConcurrency]int // of those, how many have each bound below the default
	started  time.Time                   // the last start
	gap      time.Duration               // the delay of the call that started last
	leaving  int                         // paced calls that started and are not on the wire yet
	hold     time.Time                   // nobody starts before: Retry-After
	queue    []*waiter
	timer    *time.Timer
	lesson   lesson

	answered time.Time
	problem  string // of the last exchange, "" if it went well
}

// turn is what a call wants of the pace.
type turn struct {
	limit   int
	delay   time.Duration
	maxWait time.Duration
	// first is set for robots.txt: the delay that it may ask for counts from it.
	first bool
}

// pass is the leave to make one exchange.
type pass struct {
	turn
	at time.Time // the start
	// wire is set when the next start counts from the moment at which this
	// request is on the wire: a connection may have to be made first.
	wire *departure
}

// waiter is a call in the queue; done is closed when it may start or has failed.
type waiter struct {
	turn
	done  chan struct{}
	pass  pass
	fails *failure
}

// enter waits until the call may start. Each pass is given back to leave.
func (h *host) enter(ctx context.Context, t turn) (pass, *failure) {
	now := time.Now()
	h.mu.Lock()
	if fail := h.heldTooLong(t, now); fail != nil {
		h.mu.Unlock()
		return pass{}, fail
	}
	if len(h.queue) == 0 && h.free(t) {
		if at, known := h.due(t); known && !at.After(now) {
			p := h.start(t, now)
			h.mu.Unlock()
			return p, nil
		}
	}
	w := &waiter{turn: t, done: make(chan struct{})}
	h.queue = append(h.queue, w)
	h.dispatch(now)
	h.mu.Unlock()
	select {
	case <-w.done:
		return w.pass, w.fails
	case <-ctx.Done():
		h.giveUp(w)
		return pass{}, failf(FailTimeout, ctx.Err(), "the wait for %s ended", h.name)
	}
}

// giveUp takes a call out of the queue, or gives back the start it just got.
func (h *host) giveUp(w *waiter) {
	h.mu.Lock()
	i := slices.Index(h.queue, w)
	if i >= 0 {
		h.queue = slices.Delete(h.queue, i, i+1)
		h.dispatch(time.Now())
	}
	h.mu.Unlock()
	if i < 0 && w.fails == nil {
		h.leave(w.pass, outcome{})
	}
}

// leave ends an exchange and learns from it.
func (h *host) leave(p pass, o outcome) {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := time.Now()
	if o.answered || o.problem != "" {
		h.learn(p.at, o, now)
	}
	h.inflight--
	if p.limit > 0 && p.limit < len(h.strict) {
		h.strict[p.limit]--
	}
	if p.wire != nil {
		h.departed(p.wire)
		p.wire.over = true
	}
	if len(h.queue) > 0 {
		h.dispatch(now)
	}
}

// start counts a request in.
func (h *host) start(t turn, now time.Time) pass {
	p := pass{turn: t, at: now}
	h.inflight++
	if t.limit > 0 && t.limit < len(h.strict) {
		h.strict[t.limit]++
	}
	h.started, h.gap = now, t.delay
	if t.first || max(t.delay, h.lesson.slow) > 0 {
		p.wire = &departure{host: h, quick: max(t.delay/10, 20*time.Millisecond)}
		h.leaving++
	}
	return p
}

// free reports whether the concurrency leaves room.
func (h *host) free(t turn) bool {
	for limit := 1; limit < len(h.strict); limit++ {
		if h.strict[limit] > 0 {
			if h.inflight >= limit {
				return false
			}
			break
		}
	}
	taught := h.lesson.limit
	return (t.limit <= 0 || h.inflight < t.limit) && (taught == 0 || h.inflight < int(taught))
}

// due is when the call may start as far as time is concerned. That is not known
// while a start that it keeps its distance from is not on the wire.
func (h *host) due(t turn) (at time.Time, known bool) {
	delay := max(t.delay, h.gap, h.lesson.slow)
	if delay == 0 || h.started.IsZero() {
		return h.hold, true
	}
	if at = h.started.Add(delay); at.Before(h.hold) {
		at = h.hold
	}
	return at, h.leaving == 0
}

// dispatch starts the calls whose turn it is and sets the timer for the next.
func (h *host) dispatch(now time.Time) {
	h.failHeld(now)
	for len(h.queue) > 0 {
		w := h.queue[0]
		if !h.free(w.turn) {
			return // the next leave comes here again
		}
		at, known := h.due(w.turn)
		if !known {
			return // so does the departure
		}
		if at.After(now) {
			h.wake(at.Sub(now))
			return
		}
		h.queue[0] = nil
		h.queue = h.queue[1:]
		w.pass = h.start(w.turn, now)
		close(w.done)
	}
	h.queue = nil
}

// failHeld fails the calls that will not wait as long as the host asked.
func (h *host) failHeld(now time.Time) {
	if !h.hold.After(now) {
		return
	}
	h.queue = slices.DeleteFunc(h.queue, func(w *waiter) bool {
		if w.fails = h.heldTooLong(w.turn, now); w.fails != nil {
			close(w.done)
		}
		return w.fails != nil
	})
}

func (h *host) heldTooLong(t turn, now time.Time) *failure {
	left := h.hold.Sub(now)
	if left <= t.maxWait {
		return nil
	}
	f := failf(FailTooMany, nil, "%s asked to be left alone until %s, longer than this run waits", h.name, h.hold.Format(time.TimeOnly))
	f.RetryAfter, f.passing = left, true
	return f
}

func (h *host) wake(after time.Duration) {
	if h.timer == nil {
		h.timer = time.AfterFunc(after, h.tick)
		return
	}
	h.timer.Reset(after)
}

func (h *host) tick() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.dispatch(time.Now())
}

// held reports whether the host asked to be left alone still.
func (h *host) held(now time.Time) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.hold.After(now)
}
