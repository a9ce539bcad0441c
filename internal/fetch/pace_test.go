package fetch_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"shoal/internal/fetch"
)

// visits is what a target saw: when requests began and how many ran at once.
type visits struct {
	mu     sync.Mutex
	starts []time.Time
	now    int
	most   int
}

func (v *visits) begin() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.starts = append(v.starts, time.Now())
	v.now++
	v.most = max(v.most, v.now)
}

func (v *visits) end() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.now--
}

// gaps gives the least time between two starts.
func (v *visits) gaps() time.Duration {
	v.mu.Lock()
	defer v.mu.Unlock()
	least := time.Hour
	for i := 1; i < len(v.starts); i++ {
		least = min(least, v.starts[i].Sub(v.starts[i-1]))
	}
	return least
}

// fetchAll fetches n pages at once and fails the test unless all come.
func fetchAll(t *testing.T, f *fetch.Fetcher, n int, url func(int) string, p fetch.Policy) {
	t.Helper()
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			if _, err := f.Do(t.Context(), fetch.Request{URL: url(i)}, p); err != nil {
				t.Errorf("page %d: %v", i, err)
			}
		})
	}
	all.Wait()
}

func TestDelayAndConcurrencyAsTheTargetSeesThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var v visits
		f := serveMemory(t, func(w http.ResponseWriter, r *http.Request) {
			v.begin()
			time.Sleep(time.Second) // slower than the delay, so both bounds matter
			v.end()
		}, fetch.Options{})
		began := time.Now()
		fetchAll(t, f, 20, func(i int) string { return fmt.Sprintf("http://www%d.polite.example/%d", i%3, i) },
			fetch.Policy{Delay: 200 * time.Millisecond, HostConcurrency: 2})
		if v.most != 2 {
			t.Errorf("%d requests ran at once, want 2", v.most)
		}
		if gap := v.gaps(); gap < 200*time.Millisecond {
			t.Errorf("two requests began within %s, want at least 200 ms", gap)
		}
		// Two at a time of a second each: ten rounds, the second lane 200 ms later.
		// and a little that is added for the way to the host.
		if took := time.Since(began); took != 10*time.Second+205*time.Millisecond {
			t.Errorf("20 pages took %s, want 10.205 s", took)
		}
	})
}

// The same over real sockets and the real clock.
func TestDelayMeasuredAtARealTarget(t *testing.T) {
	var v visits
	s := serve(t, func(http.ResponseWriter, *http.Request) { v.begin(); v.end() })
	f := newFetcher(t, fetch.Options{})
	began := time.Now()
	fetchAll(t, f, 6, func(int) string { return s.URL }, fetch.Policy{Delay: 200 * time.Millisecond, HostConcurrency: 2})
	for i, at := range v.starts {
		if due := time.Duration(i) * 200 * time.Millisecond; at.Sub(began) < due {
			t.Errorf("request %d came after %s, before its turn at %s", i, at.Sub(began), due)
		}
	}
}

func TestJitterOnlyLengthens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var v visits
		f := serveMemory(t, func(http.ResponseWriter, *http.Request) { v.begin(); v.end() }, fetch.Options{Rand: func() float64 { return 0.5 }})
		fetchAll(t, f, 5, func(int) string { return "http://a.example/" }, fetch.Policy{Delay: time.Second, Jitter: 0.4})
		if gap := v.gaps(); gap != 1205*time.Millisecond {
			t.Errorf("the gap is %s, want 1.205 s", gap)
		}
	})
}

func TestHostsDoNotWaitForEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := serveMemory(t, func(http.ResponseWriter, *http.Request) {}, fetch.Options{})
		began := time.Now()
		fetchAll(t, f, 50, func(i int) string { return fmt.Sprintf("http://site%d.example/", i) }, fetch.Policy{Delay: time.Minute})
		if took := time.Since(began); took != 0 {
			t.Errorf("50 hosts took %s, want no waiting", took)
		}
	})
}

func TestRetryAfterHoldsTheWholeHost(t *testing.T) {
	for _, c := range []struct {
		name, value string
		status      int
		hold        time.Duration
	}{
		{"seconds", "7", 429, 7 * time.Second},
		{"503", "7", 503, 7 * time.Second},
		{"date", "", 429, 9 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var v visits
				var refused atomic.Bool
				f := serveMemory(t, func(w http.ResponseWriter, r *http.Request) {
					v.begin()
					defer v.end()
					if refused.CompareAndSwap(false, true) {
						value := c.value
						if value == "" {
							value = time.Now().Add(c.hold).UTC().Format(http.TimeFormat)
						}
						w.Header().Set("Retry-After", value)
						w.WriteHeader(c.status)
					}
				}, fetch.Options{})
				began := time.Now()
				var first sync.WaitGroup
				first.Go(func() {
					if resp := get(t, f, "http://www.busy.example/", fetch.Policy{}); resp.Tries != 2 {
						t.Errorf("%d tries, want 2", resp.Tries)
					}
				})
				synctest.Wait()
				if why := f.Why("www.busy.example", time.Now()); !strings.Contains(why, "Retry-After until "+began.Add(c.hold).Format(time.TimeOnly)) {
					t.Errorf("Why says %q", why)
				}
				// Other pages, other runs, other names of the same site: all wait.
				fetchAll(t, f, 5, func(i int) string { return fmt.Sprintf("http://m.busy.example/%d", i) }, fetch.Policy{})
				first.Wait()
				if len(v.starts) != 7 {
					t.Fatalf("the target saw %d requests, want 7", len(v.starts))
				}
				for _, at := range v.starts[1:] {
					if at.Sub(began) < c.hold {
						t.Errorf("a request came %s after the refusal, within the Retry-After", at.Sub(began))
					}
				}
			})
		})
	}
}

func TestRetryAfterBeyondTheLimitFailsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var v visits
		f := serveMemory(t, func(w http.ResponseWriter, r *http.Request) {
			v.begin()
			defer v.end()
			w.Header().Set("Retry-After", "3600")
			w.WriteHeader(429)
		}, fetch.Options{})
		began := time.Now()
		for i := range 3 {
			fail := refuse(t, f, fetch.Request{URL: fmt.Sprint("http://busy.example/", i)}, fetch.Policy{}, fetch.FailTooMany)
			if fail.RetryAfter != time.Hour || i == 0 && fail.Status != 429 {
				t.Errorf("got %+v, want an hour", fail)
			}
		}
		if len(v.starts) != 1 || time.Since(began) != 0 {
			t.Errorf("the target saw %d requests in %s, want one and no waiting", len(v.starts), time.Since(began))
		}
		// One that waits longer is served after the hour.
		fail := refuse(t, f, fetch.Request{URL: "http://busy.example/x"}, fetch.Policy{MaxWait: 2 * time.Hour, Retries: -1}, fetch.FailTooMany)
		if time.Since(began) != time.Hour || fail.Status != 429 {
			t.Errorf("after %s: %+v", time.Since(began), fail)
		}
	})
}

func TestQueuedCallsFailWhenTheHoldOutlastsThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := serveMemory(t, func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(time.Second)
			w.Header().Set("Retry-After", "3600")
			w.WriteHeader(429)
		}, fetch.Options{})
		began := time.Now()
		var all sync.WaitGroup
		for range 5 {
			all.Go(func() {
				refuse(t, f, fetch.Request{URL: "http://busy.example/"}, fetch.Policy{HostConcurrency: 1}, fetch.FailTooMany)
			})
		}
		all.Wait()
		if took := time.Since(began); took != time.Second {
			t.Errorf("the queue ended after %s, want one second", took)
		}
	})
}

func TestOverloadSlowsTheHostDownAndSuccessSpeedsItUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const capacity = 4
		var v visits
		var overloads atomic.Int32
		var strict atomic.Bool
		strict.Store(true)
		f := serveMemory(t, func(w http.ResponseWriter, r *http.Request) {
			v.begin()
			defer v.end()
			v.mu.Lock()
			over := v.now > capacity && strict.Load()
			v.mu.Unlock()
			time.Sleep(100 * time.Millisecond)
			if over {
				overloads.Add(1)
				w.WriteHeader(503)
			}
		}, fetch.Options{})
		page := func(i int) string { return fmt.Sprint("http://small.example/", i) }
		policy := fetch.Policy{HostConcurrency: 32, Retries: 20}
		fetchAll(t, f, 32, page, policy)
		early := overloads.Load()
		if early == 0 {
			t.Fatal("the target was never overloaded: the test proves nothing")
		}
		overloads.Store(0)
		fetchAll(t, f, 300, page, policy)
		if late := overloads.Load(); late > 40 {
			t.Errorf("%d of 300 pages met an overloaded target after the host was slowed down (%d of the first 32)", late, early)
		}
		strict.Store(false)
		fetchAll(t, f, 3000, page, policy)
		v.mu.Lock()
		v.most = 0
		v.mu.Unlock()
		fetchAll(t, f, 100, page, policy)
		if v.most != 32 {
			t.Errorf("%d requests at once after the recovery, want 32 again", v.most)
		}
	})
}

func TestOverloadAtOneAtATimeLengthensTheDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var v visits
		var sick atomic.Bool
		sick.Store(true)
		f := serveMemory(t, func(w http.ResponseWriter, r *http.Request) {
			v.begin()
			defer v.end()
			if sick.Load() {
				w.WriteHeader(429)
			}
		}, fetch.Options{})
		for range 3 {
			refuse(t, f, fetch.Request{URL: "http://a.example/"}, fetch.Policy{Retries: -1}, fetch.FailTooMany)
		}
		if s := f.Stats("http://a.example/"); s.Delay != time.Second || s.Concurrency != 1 {
			t.Errorf("after three 429 the delay is %s and the concurrency %d, want 1 s and 1", s.Delay, s.Concurrency)
		}
		sick.Store(false)
		for range 60 {
			get(t, f, "http://a.example/", fetch.Policy{})
		}
		if s := f.Stats("a.example"); s.Delay != 0 {
			t.Errorf("after 60 pages the delay is still %s", s.Delay)
		}
	})
}

func TestBackoffDoublesWithJitter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var v visits
		f := serveMemory(t, func(w http.ResponseWriter, r *http.Request) { v.begin(); v.end(); w.WriteHeader(500) },
			fetch.Options{Rand: func() float64 { return 0.5 }})
		refuse(t, f, fetch.Request{URL: "http://a.example/"}, fetch.Policy{Retries: 4}, fetch.FailServer)
		for i, want := range []time.Duration{375, 750, 1500, 3000} {
			if gap := v.starts[i+1].Sub(v.starts[i]); gap != want*time.Millisecond {
				t.Errorf("wait %d is %s, want %d ms", i+1, gap, want)
			}
		}
	})
}

func TestCircuitOpensAndOneProbes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var dials atomic.Int32
		var up atomic.Bool
		m := newMemory()
		server := &http.Server{Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})}
		var running sync.WaitGroup
		running.Go(func() { server.Serve(m) })
		f := newFetcher(t, fetch.Options{Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
			dials.Add(1)
			if !up.Load() {
				time.Sleep(time.Second)
				return nil, &net.OpError{Op: "dial", Err: errors.New("unreachable")}
			}
			return m.DialContext(ctx, network, address)
		}})
		t.Cleanup(func() { f.Close(); server.Close(); running.Wait() })
		one := fetch.Policy{Retries: -1}
		for range 10 {
			refuse(t, f, fetch.Request{URL: "http://down.example/"}, one, fetch.FailConnect)
		}
		fail := refuse(t, f, fetch.Request{URL: "http://down.example/"}, one, fetch.FailCircuitOpen)
		if !fail.Unreached() || dials.Load() != 10 {
			t.Errorf("the open circuit let %d connections through: %s", dials.Load(), fail.Message)
		}
		if why := f.Why("http://down.example/", time.Now()); !strings.Contains(why, "left alone until") {
			t.Errorf("Why says %q", why)
		}
		if other := refuse(t, f, fetch.Request{URL: "http://www.down.example/"}, one, fetch.FailConnect); other == nil {
			t.Error("another host of the domain shares the circuit")
		}
		// After the pause one of many goes to look; it fails, and the pause begins anew.
		time.Sleep(30 * time.Second)
		before := dials.Load()
		var all sync.WaitGroup
		for range 5 {
			all.Go(func() { f.Do(t.Context(), fetch.Request{URL: "http://down.example/"}, one) })
		}
		all.Wait()
		if n := dials.Load() - before; n != 1 {
			t.Errorf("%d requests probed, want 1", n)
		}
		refuse(t, f, fetch.Request{URL: "http://down.example/"}, one, fetch.FailCircuitOpen)
		// The site is back: the next probe closes the circuit.
		up.Store(true)
		time.Sleep(30 * time.Second)
		fetchAll(t, f, 1, func(int) string { return "http://down.example/" }, one)
		fetchAll(t, f, 5, func(int) string { return "http://down.example/" }, one)
	})
}

func TestCancelledWaitersLeaveTheQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := serveMemory(t, func(http.ResponseWriter, *http.Request) {}, fetch.Options{})
		policy := fetch.Policy{Delay: time.Minute, HostConcurrency: 1}
		get(t, f, "http://a.example/", policy)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var all sync.WaitGroup
		for range 10 {
			all.Go(func() {
				if _, err := f.Do(ctx, fetch.Request{URL: "http://a.example/"}, policy); err != context.DeadlineExceeded {
					t.Errorf("got %v, want the context's own error", err)
				}
			})
		}
		synctest.Wait()
		if s := f.Stats("a.example"); s.Waiting != 10 {
			t.Errorf("%d wait, want 10", s.Waiting)
		}
		if why := f.Why("a.example", time.Now()); why != "waiting for a.example:80: the delay between requests, 10 in the queue" {
			t.Errorf("Why says %q", why)
		}
		all.Wait()
		if s := f.Stats("a.example"); s.Waiting != 0 || s.InFlight != 0 {
			t.Errorf("%d wait and %d run after all have gone", s.Waiting, s.InFlight)
		}
		began := time.Now()
		get(t, f, "http://a.example/", policy)
		if took := time.Since(began); took != 59*time.Second+5*time.Millisecond {
			t.Errorf("the next page waited %s, want the rest of the delay, 59.005 s", took)
		}
	})
}

// A call with a narrow bound that gives up must not leave those behind it asleep.
func TestCancelledHeadOfTheQueueLetsTheNextGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := serveMemory(t, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/long" {
				time.Sleep(20 * time.Second)
			}
		}, fetch.Options{})
		var all sync.WaitGroup
		all.Go(func() { get(t, f, "http://a.example/long", fetch.Policy{}) })
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		all.Go(func() { f.Do(ctx, fetch.Request{URL: "http://a.example/"}, fetch.Policy{HostConcurrency: 1}) })
		synctest.Wait()
		began := time.Now()
		get(t, f, "http://a.example/", fetch.Policy{HostConcurrency: 2})
		if took := time.Since(began); took != time.Second {
			t.Errorf("waited %s, want only until the call before it gave up", took)
		}
		all.Wait()
	})
}
