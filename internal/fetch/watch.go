package fetch

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// leastProgress is how many bytes of a body must come in each window. A timer
// that every byte resets would let a body that drips a byte a second go on for
// ever.
const leastProgress = 512

// watch ends an exchange whose phase takes too long: no headers, a body that
// stalls or drips, the whole beyond its time. One timer serves all phases, and
// reading costs an addition only.
type watch struct {
	cancel   context.CancelCauseFunc
	header   time.Duration
	window   time.Duration
	total    time.Duration
	deadline time.Time
	came     atomic.Int64

	mu     sync.Mutex
	timer  *time.Timer
	inBody bool
	before int64 // came, when the window began
	done   bool
}

// newWatch starts with the wait for the headers.
func newWatch(cancel context.CancelCauseFunc, started time.Time, header, window, total time.Duration) *watch {
	w := &watch{cancel: cancel, header: min(header, total), window: window, total: total, deadline: started.Add(total)}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.timer = time.AfterFunc(w.header, w.fire)
	return w
}

// body says that the headers are there and the body comes.
func (w *watch) body() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.inBody = true
	w.timer.Reset(min(w.window, time.Until(w.deadline)))
}

// within ends the exchange unless it is over in so short a time.
func (w *watch) within(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.deadline = time.Now().Add(min(d, time.Until(w.deadline)))
	w.timer.Reset(d)
}

// progress counts bytes of the body.
func (w *watch) progress(n int) { w.came.Add(int64(n)) }

// stop ends the watching.
func (w *watch) stop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.done = true
	w.timer.Stop()
}

func (w *watch) fire() {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := time.Now()
	came := w.came.Load()
	switch {
	case w.done:
	case !w.inBody:
		w.cancel(tooSlow("did not answer within", w.header))
	case !now.Before(w.deadline):
		w.cancel(tooSlow("had not sent all of its answer after", w.total))
	case came-w.before < leastProgress:
		w.cancel(tooSlow("sends its body too slowly: under 512 bytes in", w.window))
	default:
		w.before = came
		w.timer.Reset(min(w.window, w.deadline.Sub(now)))
	}
}
