package fetch

import (
	"context"
	"slices"
	"sync"
	"time"
)

const (
	// leastSlow and mostSlow bound the delay that an overloaded host gets.
	leastSlow = 250 * time.Millisecond
	mostSlow  = 30 * time.Second
	// freeLimit is the concurrency at which a host counts as recovered.
	freeLimit = 256
)

// host is the pace of one registrable domain and port, shared by all calls of the
// process: how many requests run, when the next may start, and who waits, first
// come first served.
type host struct {
	name    string
	origins int // guarded by the table

	mu       sync.Mutex
	inflight int
	started  time.Time // the last start
	hold     time.Time // nobody starts before: Retry-After
	queue    []*waiter
	timer    *time.Timer

	// What overload has taught (additive increase, multiplicative decrease).
	limit  float64       // concurrency; 0: as the policy says
	slow   time.Duration // delay
	slowed time.Time     // the last decrease

	answered time.Time
	problem  string // of the last exchange, "" if it went well
}

// turn is what a call wants of the pace.
type turn struct {
	limit   int
	delay   time.Duration
	maxWait time.Duration
}

// waiter is a call in the queue; done is closed when it may start or has failed.
type waiter struct {
	turn
	done  chan struct{}
	at    time.Time // the start, once there is one
	fails *failure
}

// enter waits until the call may start and gives the time of it. Each start is
// followed by leave.
func (h *host) enter(ctx context.Context, t turn) (time.Time, *failure) {
	now := time.Now()
	h.mu.Lock()
	if fail := h.heldTooLong(t, now); fail != nil {
		h.mu.Unlock()
		return now, fail
	}
	if len(h.queue) == 0 && h.free(t) && !h.earliest(t).After(now) {
		h.start(now)
		h.mu.Unlock()
		return now, nil
	}
	w := &waiter{turn: t, done: make(chan struct{})}
	h.queue = append(h.queue, w)
	h.dispatch(now)
	h.mu.Unlock()
	select {
	case <-w.done:
		return w.at, w.fails
	case <-ctx.Done():
		return h.giveUp(w), failf(FailTimeout, ctx.Err(), "the wait for %s ended", h.name)
	}
}

// giveUp takes a call out of the queue, or gives back the start it just got.
func (h *host) giveUp(w *waiter) time.Time {
	h.mu.Lock()
	i := slices.Index(h.queue, w)
	if i >= 0 {
		h.queue = slices.Delete(h.queue, i, i+1)
		h.dispatch(time.Now())
	}
	h.mu.Unlock()
	if i < 0 && w.fails == nil {
		h.leave(w.at, outcome{})
	}
	return w.at
}

// leave ends an exchange that began at started and learns from it.
func (h *host) leave(started time.Time, o outcome) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if o.answered || o.problem != "" {
		h.learn(started, o)
	}
	h.inflight--
	if len(h.queue) > 0 {
		h.dispatch(time.Now())
	}
}

func (h *host) learn(started time.Time, o outcome) {
	h.problem = o.problem
	now := time.Now()
	if o.overloaded {
		h.answered = now
		if until := now.Add(o.retryAfter); o.retryAfter > 0 && until.After(h.hold) {
			h.hold = until
		}
		// Answers to requests sent before the last decrease tell nothing new.
		if started.After(h.slowed) {
			h.slowed = now
			h.decrease()
		}
		return
	}
	if o.answered {
		h.answered = now
		h.increase()
	}
}

// decrease halves the concurrency and, at one request at a time, doubles the
// delay.
func (h *host) decrease() {
	if h.inflight > 1 && h.limit != 1 {
		h.limit = max(1, float64(h.inflight)/2)
		return
	}
	h.limit = 1
	h.slow = min(max(2*h.slow, leastSlow), mostSlow)
}

// increase takes an eighth off the delay or, without one, lets one request more
// in for each round of them.
func (h *host) increase() {
	switch {
	case h.slow > 0:
		if h.slow -= h.slow / 8; h.slow < leastSlow/8 {
			h.slow = 0
		}
	case h.limit > 0:
		if h.limit += 1 / h.limit; h.limit >= freeLimit {
			h.limit = 0
		}
	}
}

// start counts a request in.
func (h *host) start(now time.Time) {
	h.inflight++
	h.started = now
}

// free reports whether the concurrency leaves room.
func (h *host) free(t turn) bool {
	return (t.limit <= 0 || h.inflight < t.limit) && (h.limit == 0 || h.inflight < int(h.limit))
}

// earliest is when the call may start as far as time is concerned.
func (h *host) earliest(t turn) time.Time {
	delay := max(t.delay, h.slow)
	if delay == 0 {
		return h.hold
	}
	if at := h.started.Add(delay); !h.started.IsZero() && at.After(h.hold) {
		return at
	}
	return h.hold
}

// dispatch starts the calls whose turn it is and sets the timer for the next.
func (h *host) dispatch(now time.Time) {
	h.failHeld(now)
	for len(h.queue) > 0 {
		w := h.queue[0]
		if !h.free(w.turn) {
			return // the next leave comes here again
		}
		if at := h.earliest(w.turn); at.After(now) {
			h.wake(at.Sub(now))
			return
		}
		h.queue[0] = nil
		h.queue = h.queue[1:]
		h.start(now)
		w.at = now
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
