package fetch

import (
	"context"
	"sync/atomic"
	"time"
)

const (
	// circuitFailures in a row open the circuit.
	circuitFailures = 10
	// circuitPause is how long it stays open before one request probes.
	circuitPause = 30 * time.Second
)

// breaker spares a dead origin (and this machine) requests that would only wait
// for their time-outs: after ten failures in a row to get any answer, requests
// fail at once for 30 s, then one probes.
type breaker struct {
	failures atomic.Int32
	until    atomic.Int64 // Unix nanoseconds; 0: closed
	probing  atomic.Bool
}

// peek fails a request whose origin is to be left alone, before it waits for the
// host's turn.
func (b *breaker) peek(name string) *failure {
	until := b.until.Load()
	if until == 0 || time.Now().UnixNano() >= until && !b.probing.Load() {
		return nil
	}
	return b.open(name, until)
}

// enter admits a request, or the one that probes. Each admitted one leaves.
func (b *breaker) enter(name string, now time.Time) *failure {
	until := b.until.Load()
	if until == 0 || now.UnixNano() >= until && b.probing.CompareAndSwap(false, true) {
		return nil
	}
	return b.open(name, until)
}

func (b *breaker) open(name string, until int64) *failure {
	f := failf(FailCircuitOpen, nil, "%s failed to answer %d times in a row and is left alone until %s",
		name, b.failures.Load(), time.Unix(0, until).Format(time.TimeOnly))
	f.RetryAfter = max(0, time.Until(time.Unix(0, until)))
	return f
}

// leave counts how the request went. One that the caller ended counts as nothing.
func (b *breaker) leave(ctx context.Context, fail *failure) {
	switch {
	case fail == nil || !fail.unreached && fail.Failure != FailRefused:
		if b.failures.Load() != 0 || b.until.Load() != 0 {
			b.failures.Store(0)
			b.until.Store(0)
		}
	case ctx.Err() != nil || fail.Failure == FailRefused:
	case b.failures.Add(1) >= circuitFailures:
		b.until.Store(time.Now().Add(circuitPause).UnixNano())
	}
	// Only a probe finds the circuit open; for the others this changes nothing
	// but lets a second probe go a little early.
	if b.probing.Load() {
		b.probing.Store(false)
	}
}
