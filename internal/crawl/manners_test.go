package crawl_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"shoal"
	"shoal/internal/crawl"
	"shoal/internal/crawler"
	"shoal/internal/fetch"
	"shoal/internal/safedial"
)

// polite asks for two requests at a time, 200 ms apart.
const polite = `
slug: polite
name: Polite
version: 1
input:
  - {name: url, level: task, type: string, required: true}
fetch: {delay: 200ms, host_concurrency: 2}
start: {url: "{{ task.url }}", page: page}
pages:
  page:
    rows:
      each: p
      key: text
      fields:
        text: {select: b}
`

// target measures its visitors.
type target struct {
	mu     sync.Mutex
	starts []time.Time
	now    int
	most   int
}

func (v *target) visit(stay time.Duration) {
	v.mu.Lock()
	v.starts = append(v.starts, time.Now())
	v.now++
	v.most = max(v.most, v.now)
	v.mu.Unlock()
	time.Sleep(stay)
	v.mu.Lock()
	defer v.mu.Unlock()
	v.now--
}

// The pace is of the process and the host: two runs that know nothing of each
// other keep it together, as the target sees it.
func TestTwoRunsShareAHostsBudget(t *testing.T) {
	t.Parallel()
	var v target
	url := site(t, func(w http.ResponseWriter, r *http.Request) {
		v.visit(450 * time.Millisecond) // so that two at a time are the bound that matters now and then
		if r.URL.Path == "/robots.txt" {
			http.NotFound(w, r)
			return
		}
		fmt.Fprint(w, "<p><b>x</b>")
	})
	p, err := crawler.Compile("polite.yaml", []byte(polite))
	if err != nil {
		t.Fatal(err)
	}
	f := fetch.New(fetch.Options{Dial: safedial.New(safedial.Options{AllowPrivate: true}).DialContext})
	t.Cleanup(f.Close)
	e := crawl.New(catalogue{p}, f, nil)
	var all sync.WaitGroup
	for run := range 2 {
		c, err := e.Open(shoal.CrawlerVersion{PK: int64(run + 1), Slug: "polite", Definition: p.Source}, shoal.RunSettings{Concurrency: 8})
		if err != nil {
			t.Fatal(err)
		}
		for i := range 6 {
			all.Go(func() {
				w := work(fmt.Sprintf("%s/%d/%d", url, run, i))
				if s := c.Do(t.Context(), task(t, c, w), w, nil); s.Page == nil || s.Page.End != shoal.PageDone {
					t.Errorf("step %+v", s)
				}
			})
		}
	}
	all.Wait()
	if v.most > 2 || len(v.starts) != 13 {
		t.Errorf("the target saw %d requests, %d at once; want 13 and at most 2", len(v.starts), v.most)
	}
	for i := 1; i < len(v.starts); i++ {
		if gap := v.starts[i].Sub(v.starts[i-1]); gap < 200*time.Millisecond {
			t.Errorf("requests %d and %d came within %s, want 200 ms", i, i+1, gap)
		}
	}
}

// A page that answers 503 for ever, on a site that is well, is tried again a few
// times later and must not hold the run.
func TestPageThatIsAlwaysUnavailableIsGivenUp(t *testing.T) {
	t.Parallel()
	met := make(chan struct{}, 1)
	url := site(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/broken":
			select {
			case met <- struct{}{}:
			default:
			}
			w.WriteHeader(503)
		case "/robots.txt":
			http.NotFound(w, r)
		default:
			fmt.Fprint(w, "fine")
		}
	})
	p, err := crawler.Compile("pages.yaml", []byte(strings.Replace(definition, "start:", "fetch: {retries: 1}\nstart:", 1)))
	if err != nil {
		t.Fatal(err)
	}
	e, _ := newEngine(t, nil)
	c, err := e.Open(shoal.CrawlerVersion{PK: 2, Slug: "pages", Definition: p.Source}, shoal.RunSettings{})
	if err != nil {
		t.Fatal(err)
	}
	do := func(path string, attempts int) crawl.Step {
		w := work(url + path)
		w.Request.Attempts = attempts
		return c.Do(t.Context(), task(t, c, w), w, nil)
	}
	for attempts := range 3 {
		var all sync.WaitGroup
		all.Go(func() {
			<-met
			do("/fine", 0)
		})
		s := do("/broken", attempts)
		all.Wait()
		switch {
		case s.Hold.Reason != "":
			t.Fatalf("attempt %d holds the run: %+v", attempts+1, s.Hold)
		case attempts < 2 && (s.Page != nil || !s.Cut || s.Wait != time.Duration(attempts+1)*5*time.Second):
			t.Errorf("attempt %d: step %+v, want it tried again later", attempts+1, s)
		case attempts == 2 && (s.Page == nil || s.Page.End != shoal.PageFailed || !strings.Contains(s.Page.Desc, "503")):
			t.Errorf("attempt %d: step %+v, want a failed page", attempts+1, s)
		}
		select { // what the page's later tries left
		case <-met:
		default:
		}
	}
	// Where nothing else is answered meanwhile, the site is overloaded and waited for.
	if s := do("/broken", 2); s.Hold.Reason != shoal.ReasonTooManyRequests {
		t.Errorf("step %+v, want the run to wait", s)
	}
}

// A site that answered before is waited for when its robots.txt fails later; one
// that never did is given up.
func TestRobotsThatFailsLaterIsWaitedFor(t *testing.T) {
	var down atomic.Bool
	url := site(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/robots.txt" && down.Load() {
			w.WriteHeader(500)
		}
	})
	other := site(t, func(w http.ResponseWriter, r *http.Request) {})
	p, err := crawler.Compile("pages.yaml", []byte(definition))
	if err != nil {
		t.Fatal(err)
	}
	// One that remembers a single host, so that robots.txt is asked for anew.
	f := fetch.New(fetch.Options{Dial: safedial.New(safedial.Options{AllowPrivate: true}).DialContext, Backoff: time.Millisecond, MaxHosts: 1})
	t.Cleanup(f.Close)
	do := func(c *crawl.Crawl, url string) crawl.Step {
		w := work(url)
		return c.Do(t.Context(), task(t, c, w), w, nil)
	}
	run := func() *crawl.Crawl {
		c, err := crawl.New(catalogue{p}, f, nil).Open(shoal.CrawlerVersion{PK: 1, Slug: "pages", Definition: p.Source}, shoal.RunSettings{})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	c := run()
	do(c, url)
	do(c, other)
	down.Store(true)
	if s := do(c, url); s.Page != nil || s.Hold.Reason != "" || s.Wait != 10*time.Second {
		t.Errorf("step %+v, want the request to wait", s)
	}
	if s := do(run(), url); s.Page == nil || s.Page.End != shoal.PageFailed || !s.Page.Unreached {
		t.Errorf("step %+v, want a site that was never reached", s)
	}
}

// The cookies of a run task are its own: two tasks of a run never share them,
// and all requests of one task do.
func TestCookiesAreOfOneTask(t *testing.T) {
	url := site(t, func(w http.ResponseWriter, r *http.Request) {
		if c, err := r.Cookie("who"); err == nil {
			fmt.Fprintf(w, "<html><ul><li><a href=/x>%s</a></li></ul>", c.Value)
			return
		}
		http.SetCookie(w, &http.Cookie{Name: "who", Value: strings.Trim(r.URL.Path, "/"), Path: "/"})
	})
	c := open(t)
	tasks := map[string]*crawl.Task{}
	for _, name := range []string{"first", "second"} {
		w := work(url + "/" + name)
		tasks[name] = task(t, c, w)
		c.Do(t.Context(), tasks[name], w, nil)
	}
	for name, tk := range tasks {
		s := c.Do(t.Context(), tk, &shoal.Work{TaskSeq: 3, Request: shoal.Request{Seq: 1, URL: url + "/", Page: "list"}}, nil)
		if s.Page == nil || len(s.Page.Found) != 1 || !strings.Contains(string(s.Page.Found[0].Carry), name) {
			t.Errorf("the %s task's page is %+v", name, s.Page)
		}
	}
}
