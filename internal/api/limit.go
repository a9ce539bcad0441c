package api

import (
	"fmt"
	"math"
	"net/http"
	"strconv"
	"sync"
	"time"

	"shoal"
)

// Limits are the most requests a key may make; 0 switches one off.
type Limits struct {
	Squids   int // per minute
	Tasks    int // per minute
	RunTasks int // per minute
	Runs     int // per minute
	Results  int // per second
}

// HostedLimits are the limits of the contract, for a server with many users.
var HostedLimits = Limits{Squids: 120, Tasks: 90, RunTasks: 90, Runs: 120, Results: 2}

// class is a group of routes that share one limit.
type class int

const (
	classNone class = iota
	classSquids
	classTasks
	classRunTasks
	classRuns
	classResults
	classCount
)

// limiter counts requests by key and class in token buckets.
type limiter struct {
	now    Now
	rates  [classCount]rate
	mu     sync.Mutex
	bucket map[bucketID]*bucket
}

type rate struct {
	burst int           // requests at once; 0: no limit
	each  time.Duration // how long one takes to come back
	text  []string      // burst as a header
}

type bucketID struct {
	key   shoal.KeyID
	class class
}

type bucket struct {
	tokens float64
	at     time.Time
}

// maxBuckets bounds the memory; beyond it full buckets, which say nothing, go.
const maxBuckets = 10_000

func newLimiter(l Limits, now Now) *limiter {
	per := func(n int, period time.Duration) rate {
		if n <= 0 {
			return rate{}
		}
		return rate{burst: n, each: period / time.Duration(n), text: []string{strconv.Itoa(n)}}
	}
	return &limiter{now: now, bucket: map[bucketID]*bucket{}, rates: [classCount]rate{
		classSquids:   per(l.Squids, time.Minute),
		classTasks:    per(l.Tasks, time.Minute),
		classRunTasks: per(l.RunTasks, time.Minute),
		classRuns:     per(l.Runs, time.Minute),
		classResults:  per(l.Results, time.Second),
	}}
}

// take counts one request and returns how many are left, and how long until
// the bucket is full again; ok is false when there was none left, and wait says
// when there is one.
func (l *limiter) take(id bucketID, r rate) (left int, full, wait time.Duration, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	b := l.bucket[id]
	if b == nil {
		if len(l.bucket) >= maxBuckets {
			l.prune(now)
		}
		b = &bucket{tokens: float64(r.burst), at: now}
		l.bucket[id] = b
	}
	b.refill(now, r)
	if ok = b.tokens >= 1; ok {
		b.tokens--
	} else {
		wait = time.Duration((1 - b.tokens) * float64(r.each))
	}
	full = time.Duration((float64(r.burst) - b.tokens) * float64(r.each))
	return int(b.tokens), full, wait, ok
}

func (b *bucket) refill(now time.Time, r rate) {
	if d := now.Sub(b.at); d > 0 {
		b.tokens = math.Min(float64(r.burst), b.tokens+float64(d)/float64(r.each))
	}
	b.at = now
}

func (l *limiter) prune(now time.Time) {
	for id, b := range l.bucket {
		r := l.rates[id.class]
		if b.refill(now, r); b.tokens >= float64(r.burst) {
			delete(l.bucket, id)
		}
	}
}

// What the headers say where there is no limit: the number that stands for
// "unlimited" everywhere in the contract.
var (
	headerUnlimited = []string{strconv.FormatInt(shoal.Unlimited, 10)}
	headerZero      = []string{"0"}
)

func (c *call) unlimited(h http.Header) {
	h["X-Ratelimit-Limit"] = headerUnlimited
	h["X-Ratelimit-Remaining"] = headerUnlimited
	h["X-Ratelimit-Reset"] = headerZero
}

// countRequest counts the request against its key's limit and says in the
// headers what is left; Reset is the time, in seconds since 1970, at which all of it is back.
func (c *call) countRequest() error {
	r := &c.a.limits.rates[c.route.class]
	if r.burst == 0 || c.key.ID == "" {
		return nil
	}
	left, full, wait, ok := c.a.limits.take(bucketID{c.key.ID, c.route.class}, *r)
	h := c.w.Header()
	h["X-Ratelimit-Limit"] = r.text
	h["X-Ratelimit-Remaining"] = []string{strconv.Itoa(left)}
	h["X-Ratelimit-Reset"] = []string{strconv.FormatInt(ceilUnix(c.a.now().Add(full)), 10)}
	if ok {
		return nil
	}
	seconds := int64(math.Ceil(wait.Seconds()))
	h["Retry-After"] = []string{strconv.FormatInt(max(seconds, 1), 10)}
	return &shoal.Error{Kind: shoal.KindRateLimited, Code: "RateLimitExceeded",
		Message: fmt.Sprintf("Too many requests: the limit here is %d per %v. Try again in %d s",
			r.burst, r.each*time.Duration(r.burst), max(seconds, 1))}
}

func ceilUnix(t time.Time) int64 {
	return t.Add(time.Second - 1).Unix()
}
