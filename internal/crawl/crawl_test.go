package crawl_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"shoal"
	"shoal/internal/crawl"
	"shoal/internal/crawler"
	"shoal/internal/fetch"
	"shoal/internal/safedial"
)

const definition = `
slug: pages
name: Pages
version: 1
input:
  - {name: url, level: task, type: string, required: true}
start: {url: "{{ task.url }}", page: list}
pages:
  list:
    follow:
      - {select: a.next, page: list}
      - {select: "li a", page: item, carry: row}
    rows:
      each: li
      key: url
      fields:
        url: {select: a, attr: href, as: url}
        name: {select: a}
  item:
    rows:
      extends: row
      fields:
        price: {select: .price}
detect:
  - {when: "status == 403", reason: logged_out}
`

// catalogue holds the one crawler of these tests.
type catalogue struct{ program *crawler.Program }

func (c catalogue) Lookup(_ context.Context, _ shoal.WorkspaceID, id string) (*crawler.Program, error) {
	if id != string(c.program.Info.ID) {
		return nil, shoal.ErrCrawlerNotFound
	}
	return c.program, nil
}

func newEngine(t *testing.T, now func() time.Time) (*crawl.Engine, *crawler.Program) {
	t.Helper()
	p, err := crawler.Compile("pages.yaml", []byte(definition))
	if err != nil {
		t.Fatal(err)
	}
	f := fetch.New(fetch.Options{
		Dial:    safedial.New(safedial.Options{AllowPrivate: true}).DialContext,
		Backoff: time.Millisecond,
	})
	t.Cleanup(f.Close)
	return crawl.New(catalogue{p}, f, now), p
}

func open(t *testing.T) *crawl.Crawl { return openAt(t, nil) }

func openAt(t *testing.T, now func() time.Time) *crawl.Crawl {
	t.Helper()
	e, p := newEngine(t, now)
	c, err := e.Open(shoal.CrawlerVersion{PK: 1, Slug: "pages", Definition: p.Source}, shoal.RunSettings{})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func work(url string) *shoal.Work {
	params, _ := json.Marshal(map[string]string{"url": url})
	return &shoal.Work{TaskSeq: 3, TaskParams: params, First: true}
}

func task(t *testing.T, c *crawl.Crawl, w *shoal.Work) *crawl.Task {
	t.Helper()
	task, err := c.Task(w)
	if err != nil {
		t.Fatal(err)
	}
	return task
}

func site(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	return srv.URL
}

func TestDoFollowsAndCompletesRows(t *testing.T) {
	url := site(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		switch r.URL.Path {
		case "/":
			fmt.Fprint(w, `<ul><li><a href="/a">A</a></li><li><a href="/b">B</a></li></ul><a class="next" href="/?p=2">next</a><a class="next" href="/">first</a>`)
		case "/a":
			fmt.Fprint(w, `<b class="price">7</b>`)
		default:
			http.NotFound(w, r)
		}
	})
	c := open(t)
	w := work(url + "/")
	tk := task(t, c, w)
	s := c.Do(t.Context(), tk, w, nil)
	if s.Page == nil || s.Page.End != shoal.PageDone || s.Page.TaskSeq != 3 || s.Page.RequestSeq != 0 {
		t.Fatalf("page %+v", s.Page)
	}
	if got := len(s.Page.Found); got != 3 {
		t.Fatalf("%d requests found, want two items and the next page, without the way back to the start", got)
	}
	if s.Page.Log.Status != 200 || s.Page.Log.URL != url+"/" || s.Page.Log.Bytes == 0 {
		t.Errorf("log %+v", s.Page.Log)
	}
	rows := map[string]string{}
	for i, r := range s.Page.Found {
		if r.Page != "item" {
			continue
		}
		item := c.Do(t.Context(), tk, &shoal.Work{TaskSeq: 3, Request: withSeq(r, i+1)}, nil)
		for _, row := range item.Page.Rows {
			rows[strings.TrimPrefix(r.URL, url)] = string(row.Data)
		}
	}
	if !strings.Contains(rows["/a"], `"price":"7"`) || !strings.Contains(rows["/a"], `"name":"A"`) {
		t.Errorf("row of /a: %s", rows["/a"])
	}
	if !strings.Contains(rows["/b"], `"name":"B"`) {
		t.Errorf("the row that waited for a page that is not there is lost: %q", rows["/b"])
	}
}

func withSeq(r shoal.Request, seq int) shoal.Request {
	r.Seq = int64(seq)
	return r
}

func TestDoDropsWhatIsKnown(t *testing.T) {
	url := site(t, func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, `<html><a class="next" href="/2">2</a><a class="next" href="/3">3</a>`)
	})
	c := open(t)
	w := work(url)
	s := c.Do(t.Context(), task(t, c, w), w, func(task int64, found []shoal.Request) []shoal.Request {
		if task != 3 || len(found) != 2 {
			t.Errorf("asked about task %d and %d requests", task, len(found))
		}
		return found[1:]
	})
	if len(s.Page.Found) != 1 || s.Page.Found[0].URL != url+"/3" {
		t.Errorf("found %+v", s.Page.Found)
	}
}

func TestOutcomes(t *testing.T) {
	status := func(code int) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(code) }
	}
	gone := httptest.NewServer(status(200))
	gone.Close()
	for _, c := range []struct {
		name      string
		url       string
		end       shoal.PageEnd
		unreached bool
		hold      shoal.DoneReason
		says      string
	}{
		{"not found is an answer", site(t, status(404)), shoal.PageDone, false, "", "status 404"},
		{"down, robots.txt too", site(t, status(500)), shoal.PageFailed, true, "", "500"},
		{"server error", site(t, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/robots.txt" {
				w.WriteHeader(500)
			}
		}), shoal.PageFailed, true, "", "500"},
		{"nobody listens", gone.URL, shoal.PageFailed, true, "", "refused"},
		{"redirects for ever", site(t, func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, r.URL.Path+"x", http.StatusFound)
		}), shoal.PageFailed, false, "", "redirect"},
		{"detected", site(t, status(403)), 0, false, shoal.ReasonLoggedOut, ""},
		{"robots", site(t, func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprint(w, "User-agent: *\nDisallow: /\n")
		}), shoal.PageDone, false, "", "robots.txt"},
	} {
		t.Run(c.name, func(t *testing.T) {
			cr := open(t)
			w := work(c.url + "/page")
			s := cr.Do(t.Context(), task(t, cr, w), w, nil)
			if s.Hold.Reason != c.hold {
				t.Fatalf("hold %+v, want %q", s.Hold, c.hold)
			}
			if c.hold != "" {
				if s.Page != nil {
					t.Error("the page that calls for a pause is committed: it must be fetched again")
				}
				return
			}
			if s.Page.End != c.end || s.Page.Unreached != c.unreached || !strings.Contains(s.Page.Desc, c.says) {
				t.Errorf("end %d, unreached %v, desc %q", s.Page.End, s.Page.Unreached, s.Page.Desc)
			}
		})
	}
}

func TestTooManyRequestsHolds(t *testing.T) {
	url := site(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Retry-After", "3600")
		w.WriteHeader(429)
	})
	c := open(t)
	w := work(url)
	s := c.Do(t.Context(), task(t, c, w), w, nil)
	if s.Page != nil || s.Hold.Reason != shoal.ReasonTooManyRequests || s.Hold.RetryAfter < 3590*time.Second || s.Hold.RetryAfter > time.Hour {
		t.Errorf("page %v, hold %+v", s.Page, s.Hold)
	}
}

func TestContextGivesBack(t *testing.T) {
	asked := make(chan struct{})
	url := site(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/robots.txt" {
			http.NotFound(w, r)
			return
		}
		close(asked)
		<-r.Context().Done()
	})
	c := open(t)
	w := work(url + "/hang")
	tk := task(t, c, w)
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-asked; cancel() }()
	s := c.Do(ctx, tk, w, nil)
	if s.Page != nil || s.Cut || s.Hold.Reason != "" {
		t.Errorf("step %+v, want the request to go back", s)
	}
}

// A request that outlasts slot after slot must end some time.
func TestLongRequestIsGivenUp(t *testing.T) {
	url := site(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/robots.txt" {
			http.NotFound(w, r)
			return
		}
		<-r.Context().Done()
	})
	c := open(t)
	for attempts, given := range []bool{false, false, true} {
		w := work(url + "/hang")
		w.Request.Attempts = attempts
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		s := c.Do(ctx, task(t, c, w), w, nil)
		cancel()
		if (s.Page != nil) != given || !s.Cut {
			t.Errorf("attempt %d: step %+v", attempts+1, s)
		}
		if given && (s.Page.End != shoal.PageFailed || !s.Page.Unreached) {
			t.Errorf("page %+v", s.Page)
		}
	}
}

// A site that answered is waited for when it goes away, and then the run
// pauses; one that never answered is given up at once.
func TestOutage(t *testing.T) {
	var down atomic.Bool
	url := site(t, func(w http.ResponseWriter, r *http.Request) {
		if down.Load() {
			panic(http.ErrAbortHandler)
		}
	})
	var ahead atomic.Int64
	c := openAt(t, func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) })
	do := func(path string) crawl.Step {
		w := work(url + path)
		return c.Do(t.Context(), task(t, c, w), w, nil)
	}
	if s := do("/"); s.Page == nil || s.Page.End != shoal.PageDone {
		t.Fatalf("step %+v", s)
	}
	down.Store(true)
	var s crawl.Step
	for i := 0; s.Wait == 0; i++ {
		if s = do("/a"); i > 50 {
			t.Fatalf("a host that fails 50 times is not left alone: %+v", s)
		}
	}
	if s.Page != nil || s.Hold.Reason != "" {
		t.Errorf("step %+v, want the request to wait", s)
	}
	ahead.Store(int64(10 * time.Minute))
	s = do("/a")
	if s.Page != nil || s.Hold.Reason != shoal.ReasonRequestFailed || !strings.Contains(s.Hold.Desc, "has not answered for 10m") {
		t.Errorf("step %+v, want the run to pause", s)
	}
	fresh := openAt(t, nil)
	for range 20 {
		w := work(url + "/a")
		if s := fresh.Do(t.Context(), task(t, fresh, w), w, nil); s.Page == nil || s.Page.End != shoal.PageFailed || !s.Page.Unreached {
			t.Fatalf("step %+v, want a failed page", s)
		}
	}
}

func TestUnusableTask(t *testing.T) {
	c := open(t)
	for _, params := range []string{`{"url": "gopher://x"}`, `{"url": 7`, `{}`} {
		if _, err := c.Task(&shoal.Work{TaskParams: []byte(params), First: true}); err == nil {
			t.Errorf("%s was accepted", params)
		}
	}
}

func TestPrepare(t *testing.T) {
	e, p := newEngine(t, nil)
	v, s, err := e.Prepare(t.Context(), &shoal.Squid{CrawlerID: p.Info.ID, Concurrency: 3})
	if err != nil || v.Slug != "pages" || v.Digest == "" || string(v.Definition) != definition || s.Concurrency < 1 {
		t.Errorf("version %+v, settings %+v, error %v", v, s, err)
	}
	if _, _, err := e.Prepare(t.Context(), &shoal.Squid{CrawlerID: "gone", CrawlerSlug: "gone"}); shoal.CodeOf(err) != "ModuleUnavailable" {
		t.Errorf("a crawler that is gone gives %v", err)
	}
	fields, err := e.Attributes(v, s)
	var names []string
	for _, f := range fields {
		names = append(names, f.Name)
	}
	if err != nil || strings.Join(names, ",") != "url,name,price" {
		t.Errorf("fields %v, error %v", names, err)
	}
}

// A server that answers HEAD otherwise than GET is asked again by GET.
func TestHeadIsAskedAgainByGet(t *testing.T) {
	var asked []string
	url := site(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/" && r.URL.Path != "/robots.txt" {
			asked = append(asked, r.Method+" "+r.URL.Path)
		}
		switch {
		case r.URL.Path == "/":
			w.Header().Set("Content-Type", "text/html")
			fmt.Fprint(w, `<ul><li><a href="/refuses">A</a></li><li><a href="/allows">B</a></li><li><a href="/gone">C</a></li></ul>`)
		case r.URL.Path == "/refuses" && r.Method == http.MethodHead:
			w.WriteHeader(http.StatusMethodNotAllowed)
		case r.URL.Path == "/gone":
			w.WriteHeader(http.StatusGone)
		}
	})
	head := strings.Replace(definition, `{select: "li a", page: item, carry: row}`, `{select: "li a", page: item, carry: row, method: HEAD}`, 1)
	head = strings.Replace(head, "extends: row\n      fields:\n        price: {select: .price}", "extends: row\n      fields:\n        status: {from: status}", 1)
	head = strings.Replace(head, "  item:\n", "  item:\n    status: any\n", 1)
	p, err := crawler.Compile("head.yaml", []byte(head))
	if err != nil {
		t.Fatal(err)
	}
	f := fetch.New(fetch.Options{Dial: safedial.New(safedial.Options{AllowPrivate: true}).DialContext, Backoff: time.Millisecond})
	t.Cleanup(f.Close)
	r, err := crawl.Try(t.Context(), f, crawl.Trial{Program: p, Task: map[string]any{"url": url + "/"}})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, row := range r.Rows {
		var v struct {
			Name   string
			Status int
		}
		if err := json.Unmarshal(row, &v); err != nil {
			t.Fatal(err)
		}
		got = append(got, fmt.Sprint(v.Name, v.Status))
	}
	if want := "[A200 B200 C410]"; fmt.Sprint(got) != want {
		t.Errorf("%v, want %s", got, want)
	}
	if want := "[HEAD /refuses GET /refuses HEAD /allows HEAD /gone GET /gone]"; fmt.Sprint(asked) != want {
		t.Errorf("%v, want %s", asked, want)
	}
}
