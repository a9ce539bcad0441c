package fetch_test

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"shoal/internal/fetch"
	"shoal/internal/safedial"
)

// slowly dials this machine and takes its time, each time another one.
func slowly(most time.Duration) func(context.Context, string, string) (net.Conn, error) {
	d := safedial.New(safedial.Options{AllowPrivate: true})
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		select {
		case <-time.After(rand.N(most)):
		case <-ctx.Done():
		}
		return d.DialContext(ctx, network, address)
	}
}

// Connections that take longer to make than the next do not bring two requests
// closer together at the target, nor do kept ones beside new ones, nor two
// callers that know nothing of each other.
func TestDelayHoldsAtTheTargetWhateverConnectingTakes(t *testing.T) {
	t.Parallel()
	const delay = 200 * time.Millisecond
	var v visits
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		v.begin()
		defer v.end()
		if rand.N(2) == 0 { // some answers outlast the delay
			time.Sleep(delay + delay/2)
		}
		w.Header().Set("Connection", []string{"close", "keep-alive"}[rand.N(2)])
	})
	f := newFetcher(t, fetch.Options{Dial: slowly(delay / 2)})
	policy := fetch.DefaultPolicy()
	policy.Robots, policy.Delay, policy.HostConcurrency = false, delay, 2
	var runs sync.WaitGroup
	for run := range 2 {
		runs.Go(func() { fetchAll(t, f, 7, func(i int) string { return fmt.Sprint(s.URL, "/", run, "/", i) }, policy) })
	}
	runs.Wait()
	if gap := v.gaps(); gap < delay {
		t.Errorf("the target saw two requests within %s, want %s", gap, delay)
	}
	if v.most > 2 || len(v.starts) != 14 {
		t.Errorf("the target saw %d requests, %d at once", len(v.starts), v.most)
	}
}

// A request whose connection is still being made when another one is told to
// come back in three seconds does not go out in those three seconds.
func TestRetryAfterHoldsThoseThatStillConnect(t *testing.T) {
	t.Parallel()
	var v visits
	var refused atomic.Int64
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		v.begin()
		defer v.end()
		if refused.CompareAndSwap(0, time.Now().UnixNano()) {
			w.Header().Set("Retry-After", "3")
			w.WriteHeader(429)
		}
	})
	f := newFetcher(t, fetch.Options{Dial: slowly(100 * time.Millisecond)})
	fetchAll(t, f, 8, func(i int) string { return fmt.Sprint(s.URL, "/", i) }, fetch.DefaultPolicy())
	if len(v.starts) < 9 {
		t.Fatalf("the target saw %d requests, want the refused one again", len(v.starts))
	}
	for _, at := range v.starts[1:] {
		if after := at.Sub(time.Unix(0, refused.Load())); after < 3*time.Second {
			t.Errorf("a request came %s after the 429 that asked for 3 s", after)
		}
	}
}

// robots.txt as a target measures it: nothing that it disallows is asked for, and
// its Crawl-delay lies between any two requests, whoever makes them.
func TestRobotsIsObeyedAtTheTarget(t *testing.T) {
	t.Parallel()
	var v visits
	var forbidden atomic.Int32
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		v.begin()
		defer v.end()
		switch {
		case r.URL.Path == "/robots.txt":
			io.WriteString(w, "User-agent: *\nDisallow: /\n\nUser-agent: shoal\nCrawl-delay: 0.3\nDisallow: /private\nAllow: /private/open$\nDisallow: /*.pdf$\n")
		case r.URL.Path != "/private/open" && (strings.HasPrefix(r.URL.Path, "/private") || strings.HasSuffix(r.RequestURI, ".pdf")):
			forbidden.Add(1)
		}
	})
	f := newFetcher(t, fetch.Options{Dial: slowly(100 * time.Millisecond)})
	paths := []string{"/", "/private", "/private/open", "/private/open/x", "/a.pdf", "/a.pdf?x", "/priv", "/x?private"}
	var all sync.WaitGroup
	for range 2 {
		for _, path := range paths {
			all.Go(func() { f.Do(t.Context(), fetch.Request{URL: s.URL + path}, fetch.DefaultPolicy()) })
		}
	}
	all.Wait()
	if forbidden.Load() != 0 || len(v.starts) != 11 {
		t.Errorf("the target saw %d requests, %d of them for what it disallows; want 11 and none", len(v.starts), forbidden.Load())
	}
	if gap := v.gaps(); gap < 300*time.Millisecond {
		t.Errorf("two requests came within %s, want the Crawl-delay of 300 ms", gap)
	}
}

func TestStricterCallBindsTheOthersWhileItIsUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var strict, now, wrong, most int
		f := serveMemory(t, func(w http.ResponseWriter, r *http.Request) {
			count := func(by int) {
				mu.Lock()
				defer mu.Unlock()
				if now += by; r.URL.Path == "/strict" {
					strict += by
				}
				if strict > 0 && now > 2 {
					wrong++
				}
				most = max(most, now)
			}
			count(1)
			time.Sleep(rand.N(2 * time.Second))
			count(-1)
		}, fetch.Options{})
		var runs sync.WaitGroup
		runs.Go(func() {
			fetchAll(t, f, 100, func(int) string { return "http://a.example/free" }, fetch.Policy{HostConcurrency: 8})
		})
		runs.Go(func() {
			for range 10 {
				fetchAll(t, f, 2, func(int) string { return "http://a.example/strict" }, fetch.Policy{HostConcurrency: 2})
			}
		})
		runs.Wait()
		if wrong > 0 || most != 8 {
			t.Errorf("%d times a request bound to two at a time ran beside more; the most at a time was %d, want 8", wrong, most)
		}
	})
}

func TestDelayIsKeptOnBothSidesOfARequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var v visits
		f := serveMemory(t, func(http.ResponseWriter, *http.Request) { v.begin(); v.end() }, fetch.Options{})
		get(t, f, "http://a.example/", fetch.Policy{})
		get(t, f, "http://a.example/", fetch.Policy{Delay: time.Second})
		get(t, f, "http://a.example/", fetch.Policy{})
		get(t, f, "http://a.example/", fetch.Policy{})
		first, second, third := v.starts[1].Sub(v.starts[0]), v.starts[2].Sub(v.starts[1]), v.starts[3].Sub(v.starts[2])
		if first < time.Second || second < time.Second || third != 0 {
			t.Errorf("the gaps are %s, %s and %s, want a second around the call that asked for it and none after", first, second, third)
		}
	})
}

// machine is a server that works at a fixed number of pages at a time, each for
// the same time; the rest wait in its queue.
type machine struct {
	visits
	places chan struct{}
	work   time.Duration
}

func newMachine(places int, work time.Duration) *machine {
	return &machine{places: make(chan struct{}, places), work: work}
}

func (m *machine) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	m.begin()
	defer m.end()
	m.places <- struct{}{}
	time.Sleep(m.work)
	<-m.places
	io.WriteString(w, "page")
}

// crawl has n slots fetch pages one after another, and gives what it took.
func (m *machine) crawl(t *testing.T, slots, pages int) (took time.Duration, meanQueue float64) {
	f := serveMemory(t, m.ServeHTTP, fetch.Options{})
	policy := fetch.Policy{HostConcurrency: slots}
	var left atomic.Int32
	left.Store(int32(pages))
	began := time.Now()
	var all sync.WaitGroup
	var waited atomic.Int64
	for range slots {
		all.Go(func() {
			for left.Add(-1) >= 0 {
				resp := get(t, f, "http://m.example/", policy)
				waited.Add(int64(resp.Elapsed))
			}
		})
	}
	all.Wait()
	took = time.Since(began)
	return took, float64(waited.Load()) / float64(took)
}

// A server that can do one page at a time is not asked for eight at a time: that
// would only lengthen its queue.
func TestSlowTargetThatQueuesIsEasedOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		took, atOnce := newMachine(1, 600*time.Millisecond).crawl(t, 8, 400)
		if atOnce > 4 {
			t.Errorf("%.1f requests at a time on average, want at most 4 of the 8", atOnce)
		}
		if ideal := 400 * 600 * time.Millisecond; took > ideal*11/10 {
			t.Errorf("400 pages took %s, want hardly more than the target's own %s", took, ideal)
		}
	})
}

// A server that takes its time for each page but minds no company is not slowed
// down for long.
func TestSlowTargetThatDoesNotQueueKeepsItsPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		took, _ := newMachine(1000, 3*time.Second).crawl(t, 8, 800)
		if ideal := 100 * 3 * time.Second; took > ideal*11/10 {
			t.Errorf("800 pages took %s, want about %s: fewer at a time do not help", took, ideal)
		}
	})
}

func TestFastTargetIsNeverThrottled(t *testing.T) {
	for _, work := range []time.Duration{time.Millisecond, 50 * time.Millisecond, 900 * time.Millisecond} {
		synctest.Test(t, func(t *testing.T) {
			took, _ := newMachine(1000, work).crawl(t, 16, 1600)
			if took > 100*work {
				t.Errorf("1600 pages of %s took %s, want %s", work, took, 100*work)
			}
		})
	}
}

// One page that never answers says nothing about its site; a site where nothing
// answers is asked for less at a time.
func TestTimeoutsSlowDownOnlyWhereNothingAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var dead atomic.Bool
		f := serveMemory(t, func(w http.ResponseWriter, r *http.Request) {
			if dead.Load() || r.URL.Path == "/hangs" {
				<-r.Context().Done()
			}
		}, fetch.Options{})
		policy := fetch.Policy{HostConcurrency: 8, Retries: -1}
		var all sync.WaitGroup
		all.Go(func() { refuse(t, f, fetch.Request{URL: "http://a.example/hangs"}, policy, fetch.FailTimeout) })
		for range 60 {
			get(t, f, "http://a.example/", policy)
			time.Sleep(time.Second)
		}
		all.Wait()
		if s := f.Stats("a.example"); s.Concurrency != 0 {
			t.Errorf("one page that hangs brought its site to %d at a time", s.Concurrency)
		}
		dead.Store(true)
		for range 8 {
			all.Go(func() { refuse(t, f, fetch.Request{URL: "http://a.example/"}, policy, fetch.FailTimeout) })
		}
		all.Wait()
		if s := f.Stats("a.example"); s.Concurrency != 4 {
			t.Errorf("a silent site may be asked for %d at a time, want 4 of the 8", s.Concurrency)
		}
	})
}
