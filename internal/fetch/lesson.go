package fetch

import (
	"slices"
	"time"
)

const (
	// leastSlow and mostSlow bound the delay that an overloaded host gets.
	leastSlow = 250 * time.Millisecond
	mostSlow  = 30 * time.Second
	// mostUnavailable bounds the delay that 503 brings: it is also what a broken
	// page answers on a site that is well.
	mostUnavailable = 2 * time.Second
	// freeLimit is the concurrency at which a host counts as recovered.
	freeLimit = 256
	// slowAnswer is the time to an answer beyond which it is looked into whether
	// the visitors are the cause. Below, no host is slowed down for its latency.
	slowAnswer = time.Second
	// maxRound bounds the answers that are judged together.
	maxRound = 32
)

// lesson is what a host's answers have taught about how much it bears: additive
// increase, multiplicative decrease. A host says that it is too much by 429, 503
// or by not answering at all; or it only becomes slow, and then a trial tells
// whether fewer requests at a time make it faster.
type lesson struct {
	limit   float64       // concurrency; 0: as the policy says
	slow    time.Duration // delay
	lowered time.Time     // the last decrease

	// The answers of this round, to requests that began after since.
	round []time.Duration
	peak  int // requests at a time
	since time.Time
	// A trial is on while before, the latency that caused it, is set.
	before  time.Duration
	restore float64 // the limit before the trial
	// eased: a trial has set the limit; it rises by one a round while that does
	// not make the host slow again.
	eased bool
	// own is a latency that a trial found to be the host's own.
	own time.Duration
}

// learn takes in how an exchange that began at started went.
func (h *host) learn(started time.Time, o outcome, now time.Time) {
	l := &h.lesson
	h.problem = o.problem
	// Answers to requests sent before the last decrease tell nothing new.
	news := started.After(l.lowered)
	switch {
	case o.overloaded:
		h.answered = now
		if until := now.Add(o.retryAfter); o.retryAfter > 0 && until.After(h.hold) {
			h.hold = until
		}
		if news {
			most := mostSlow
			if o.unavailable {
				most = mostUnavailable
			}
			l.lower(h.inflight, most, now)
		}
	case o.answered:
		h.answered = now
		if l.before == 0 && !l.eased {
			l.raise()
		}
		l.weigh(started, o.latency, h.inflight, now)
	case o.silent && news && !h.answered.After(started) && h.inflight > 1:
		// Nobody else was answered meanwhile: it is the host, not the page.
		l.set(float64(h.inflight)/2, now)
		l.lowered = now
	}
}

// lower halves the concurrency and, at one request at a time, doubles the delay,
// up to most.
func (l *lesson) lower(inflight int, most time.Duration, now time.Time) {
	l.lowered, l.eased = now, false
	if inflight > 1 && l.limit != 1 {
		l.set(float64(inflight)/2, now)
		return
	}
	l.set(1, now)
	l.slow = max(l.slow, min(max(2*l.slow, leastSlow), most))
}

// set puts the limit, which ends a trial and begins a round.
func (l *lesson) set(limit float64, now time.Time) {
	l.limit, l.before, l.since, l.round, l.peak = max(1, limit), 0, now, l.round[:0], 0
}

// raise takes an eighth off the delay or, without one, lets one request more in
// for each round of them.
func (l *lesson) raise() {
	switch {
	case l.slow > 0:
		if l.slow -= l.slow / 8; l.slow < leastSlow/8 {
			l.slow = 0
		}
	case l.limit > 0:
		if l.limit += 1 / l.limit; l.limit >= freeLimit {
			l.limit = 0
		}
	}
}

// weigh looks at the answers' latency a round at a time. When it is long, half as
// many requests go on trial; when they are answered clearly sooner it was the
// load, and the limit stays, else the host just takes its time.
func (l *lesson) weigh(started time.Time, latency time.Duration, inflight int, now time.Time) {
	if started.Before(l.since) {
		return
	}
	l.peak = max(l.peak, inflight)
	l.round = append(l.round, latency)
	if len(l.round) < min(max(8, 2*l.peak), maxRound) {
		return
	}
	slices.Sort(l.round)
	median, peak := l.round[len(l.round)/2], l.peak
	l.round, l.peak = l.round[:0], 0
	switch {
	case l.before > 0 && median > l.before/4*3:
		l.own = max(median, l.before)
		restore := l.restore
		l.set(restore, now)
		l.limit = restore // which may be 0
	case median > slowAnswer && median > 2*l.own && peak > 1:
		restore := l.limit
		l.eased = l.before > 0 || l.eased
		l.set(float64(peak)/2, now)
		l.before, l.restore = median, restore
	default:
		l.eased = l.before > 0 || l.eased
		l.before = 0
		if l.eased && median <= max(slowAnswer, l.own+l.own/4) {
			if l.limit++; l.limit >= freeLimit {
				l.limit, l.eased = 0, false
			}
		}
		if median < slowAnswer/2 {
			l.own = 0
		}
	}
}
