package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"

	"shoal"
	"shoal/crawlers"
	"shoal/internal/accounts"
	"shoal/internal/api"
	"shoal/internal/blob"
	"shoal/internal/crawl"
	"shoal/internal/crawler"
	"shoal/internal/deliver"
	"shoal/internal/fetch"
	"shoal/internal/jobs"
	"shoal/internal/pgtest"
	"shoal/internal/runs"
	"shoal/internal/safedial"
	"shoal/internal/seal"
	"shoal/internal/store"
	"shoal/internal/store/storetest"
)

// world is a whole server: store, engine, jobs and API, on a real database.
// Every answer that it gives is held against openapi.yaml.
type world struct {
	clock *clock
	svc   *runs.Service
	*storetest.Env
	t    *testing.T
	url  string
	spec *spec
}

type catalogue struct {
	*crawler.Workspaces
	fetcher crawl.Fetcher
}

func (c catalogue) Lookup(ctx context.Context, ws shoal.WorkspaceID, id string) (api.Program, error) {
	p, err := c.Workspaces.Lookup(ctx, ws, id)
	return program{p, c.fetcher}, err
}

func (c catalogue) Version(ctx context.Context, pk int64) (api.Program, error) {
	p, err := c.Workspaces.Version(ctx, pk)
	return program{p, c.fetcher}, err
}

func (c catalogue) Compile(src []byte) (api.Program, error) {
	p, err := c.Workspaces.Compile(src)
	return program{p, c.fetcher}, err
}

type program struct {
	*crawler.Program
	fetcher crawl.Fetcher
}

func (p program) Info() *shoal.Crawler { return &p.Program.Info }

func (p program) Try(ctx context.Context, t api.Trial) (*crawl.Report, error) {
	return crawl.Try(ctx, p.fetcher, crawl.Trial{Program: p.Program, Task: t.Task, Params: t.Params, MaxRows: t.MaxRows, MaxPages: t.MaxPages})
}

type engine struct{ *runs.Service }

func (e engine) Start(ctx context.Context, s api.StartRun) (shoal.Run, error) {
	return e.Service.Start(ctx, runs.StartRequest(s))
}

func (e engine) Progress(r, seen *shoal.Run, now time.Time) (int, time.Duration, bool) {
	p := runs.ProgressOf(r, seen, now)
	return p.Percent, p.ETA, p.Known
}

// clock is a clock that a test can move; it runs from where it was put.
type clock struct{ ahead atomic.Int64 }

func (c *clock) now() time.Time          { return time.Now().Add(time.Duration(c.ahead.Load())) }
func (c *clock) advance(d time.Duration) { c.ahead.Add(int64(d)) }

// each runs f on both databases.
func each(t *testing.T, f func(t *testing.T, w *world)) {
	t.Run("sqlite", func(t *testing.T) { t.Parallel(); f(t, newWorld(t, "", nil)) })
	t.Run("postgres", func(t *testing.T) { t.Parallel(); f(t, newWorld(t, pgtest.Database(t), nil)) })
}

// newWorld starts a server; set may change its options.
func newWorld(t *testing.T, databaseURL string, set func(*api.Options)) *world {
	t.Helper()
	dir := t.TempDir()
	log := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelError}))
	w := &world{t: t, spec: loadSpec(t), clock: &clock{}}
	w.Env = storetest.New(t, store.Options{DataDir: dir, DatabaseURL: databaseURL, Now: w.clock.now, Logger: log})
	files, err := blob.OpenDir(filepath.Join(dir, "files"))
	if err != nil {
		t.Fatal(err)
	}
	keys, err := seal.Load("", filepath.Join(dir, "secret.key"))
	if err != nil {
		t.Fatal(err)
	}
	shared, err := crawler.NewCatalogue(crawlers.FS, "")
	if err != nil {
		t.Fatal(err)
	}
	known := crawler.NewWorkspaces(shared, w.Store, nil)
	f := fetch.New(fetch.Options{Dial: safedial.New(safedial.Options{AllowPrivate: true}).DialContext, Backoff: time.Millisecond})
	svc, err := runs.New(w.Store, crawl.New(known, f, w.clock.now), files, w.clock.now, log,
		runs.Config{Owner: "test-" + shoal.NewID[string](), Exclusive: true, DataDir: dir, MinFree: -1, Cookies: accounts.Cookies{Seal: keys}})
	if err != nil {
		t.Fatal(err)
	}
	w.svc = svc
	sessions := &accounts.Service{Store: w.Store, Types: known, Fetcher: f, Seal: keys, Log: log, Now: w.clock.now}
	o := api.Options{Store: w.Store, Runs: engine{svc}, Catalogue: catalogue{known, f}, Accounts: sessions, Seal: keys, Blob: files, Version: "test", Logger: log, Now: w.clock.now,
		Deliver: deliver.New(deliver.Options{Store: w.Store, Seal: keys, Now: w.clock.now, Dial: safedial.New(safedial.Options{AllowPrivate: true}).DialContext, UserAgent: "Shoal/test", Logger: log})}
	if set != nil {
		set(&o)
	}
	w.work(svc, o.Deliver.(*deliver.Service), sessions, &api.Importer{Store: w.Store, Catalogue: o.Catalogue, Blob: files})
	server := httptest.NewServer(api.New(o))
	t.Cleanup(func() { server.Close(); f.Close(); files.Close() })
	w.url = server.URL
	return w
}

func (w *world) work(svc *runs.Service, deliveries *deliver.Service, sessions *accounts.Service, importer *api.Importer) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(w.t.Context()))
	var wg sync.WaitGroup
	client := w.Jobs
	wg.Go(func() {
		if err := svc.Run(ctx); err != nil {
			w.t.Errorf("engine: %v", err)
		}
	})
	wg.Go(func() {
		err := client.Run(ctx, map[jobs.Kind]jobs.Handler{
			jobs.KindSlot: svc.Slot, jobs.KindFinish: svc.Finish, jobs.KindConvert: svc.Convert, jobs.KindDeliver: deliveries.Deliver, jobs.KindSync: sessions.Sync,
			jobs.KindImport: func(ctx context.Context, raw json.RawMessage) (jobs.Outcome, error) {
				var args jobs.UploadArgs
				if err := json.Unmarshal(raw, &args); err != nil {
					return jobs.Done, err
				}
				return jobs.Done, importer.Import(ctx, shoal.UploadID(args.Upload))
			},
		})
		if err != nil {
			w.t.Errorf("jobs: %v", err)
		}
	})
	w.t.Cleanup(func() { cancel(); wg.Wait() })
}

// site serves n pages, each linking to the next two; hold, if not nil, may
// keep a request waiting.
func site(t *testing.T, n int, hold func(*http.Request)) string {
	s := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if hold != nil {
			hold(r)
		}
		var i int
		if _, err := fmt.Sscanf(r.URL.Path, "/%d", &i); err != nil || i >= n {
			http.NotFound(rw, r)
			return
		}
		rw.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprintf(rw, `<html lang="en"><title>page %d, "quoted"</title><h1>Page %d</h1>`, i, i)
		for j := 2*i + 1; j <= 2*i+2 && j < n; j++ {
			fmt.Fprintf(rw, `<a href="/%d">next</a>`, j)
		}
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// answer is a response, read.
type answer struct {
	status int
	header http.Header
	body   []byte
	json   map[string]any
}

func (a *answer) str(key string) string { s, _ := a.json[key].(string); return s }

func (a *answer) data() []any { d, _ := a.json["data"].([]any); return d }

// code returns the error's code.
func (a *answer) code() string {
	e, _ := a.json["error"].(map[string]any)
	code, _ := e["code"].(string)
	return code
}

func (a *answer) param() string {
	e, _ := a.json["error"].(map[string]any)
	p, _ := e["param"].(string)
	return p
}

// request is one request; body may be nil, a string as it is, or what to encode.
type request struct {
	method, path string
	body         any
	header       map[string]string
	anonymous    bool
}

// do sends a request and checks the answer against openapi.yaml.
func (w *world) do(q request) *answer {
	w.t.Helper()
	var body io.Reader
	switch b := q.body.(type) {
	case nil:
	case string:
		body = strings.NewReader(b)
	case io.Reader:
		body = b
	default:
		raw, err := json.Marshal(b)
		if err != nil {
			w.t.Fatal(err)
		}
		body = bytes.NewReader(raw)
	}
	path := q.path
	if !strings.HasPrefix(path, "http") {
		path = w.url + path
	}
	r, err := http.NewRequestWithContext(w.t.Context(), q.method, path, body)
	if err != nil {
		w.t.Fatal(err)
	}
	if q.body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if !q.anonymous {
		r.Header.Set("Authorization", "Token "+w.Key)
	}
	for k, v := range q.header {
		r.Header.Set(k, v)
	}
	return w.send(r)
}

var client = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}

func (w *world) send(r *http.Request) *answer {
	w.t.Helper()
	resp, err := client.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	a := &answer{status: resp.StatusCode, header: resp.Header}
	if a.body, err = io.ReadAll(resp.Body); err != nil {
		w.t.Fatalf("%s %s: %v", r.Method, r.URL.Path, err)
	}
	_ = json.Unmarshal(a.body, &a.json) // lists and files have none
	w.spec.check(w.t, r.Method, r.URL.Path, a)
	return a
}

// ok is do for an answer that must have the status.
func (w *world) ok(status int, method, path string, body any) *answer {
	w.t.Helper()
	a := w.do(request{method: method, path: path, body: body})
	if a.status != status {
		w.t.Fatalf("%s %s = %d %s; want %d", method, path, a.status, a.body, status)
	}
	return a
}

func (w *world) get(path string) *answer { w.t.Helper(); return w.ok(200, "GET", path, nil) }

func (w *world) post(path string, body any) *answer {
	w.t.Helper()
	return w.ok(200, "POST", path, body)
}

// squid makes a squid of the website crawler with a task per URL.
func (w *world) squid(urls ...string) string {
	w.t.Helper()
	id := w.post("/v1/squids", map[string]any{"crawler": "website"}).str("id")
	w.addTasks(id, urls...)
	return id
}

func (w *world) addTasks(squid string, urls ...string) *answer {
	w.t.Helper()
	if len(urls) == 0 {
		return nil
	}
	tasks := []map[string]any{}
	for _, u := range urls {
		tasks = append(tasks, map[string]any{"url": u})
	}
	return w.post("/v1/tasks", map[string]any{"squid": squid, "tasks": tasks})
}

// ended waits by long polls until the run has ended.
func (w *world) ended(run string) *answer {
	w.t.Helper()
	for {
		a := w.get("/v1/runs/" + run + "?wait=20")
		if a.json["is_done"] == true {
			return a
		}
	}
}

// timeline checks which states a run went through, and that each change says why.
func (w *world) timeline(run string, states ...string) []any {
	w.t.Helper()
	line := w.get("/v1/runs/" + run + "/timeline").data()
	var got []string
	for _, e := range line {
		entry := e.(map[string]any)
		got = append(got, entry["status"].(string))
		if entry["message"] == "" || entry["actor"] == nil || entry["at"] == nil {
			w.t.Errorf("an entry of the timeline says too little: %v", entry)
		}
	}
	if !slices.Equal(got, states) {
		w.t.Errorf("the run went through %v, want %v", got, states)
	}
	return line
}

// spec is openapi.yaml, and which of its operations have succeeded.
type spec struct {
	doc  *openapi3.T
	mu   sync.Mutex
	seen map[string]bool
}

func loadSpec(t testing.TB) *spec {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromData(api.OpenAPI())
	if err != nil {
		t.Fatal(err)
	}
	return &spec{doc: doc, seen: map[string]bool{}}
}

// check holds an answer against its operation: status, media type and schema,
// and the headers that every answer has.
func (s *spec) check(t testing.TB, method, path string, a *answer) {
	t.Helper()
	for _, h := range []string{"X-Request-Id", "X-Ratelimit-Limit", "X-Ratelimit-Remaining", "X-Ratelimit-Reset"} {
		if a.header.Get(h) == "" {
			t.Errorf("%s %s: no header %s", method, path, h)
		}
	}
	if method == http.MethodHead {
		return // a GET without its body
	}
	template, item := s.find(strings.TrimSuffix(path, "/"))
	var op *openapi3.Operation
	if item != nil {
		op = item.GetOperation(method)
	}
	if op == nil {
		s.checkError(t, method+" "+path, a)
		return
	}
	resp := op.Responses.Status(a.status)
	if resp == nil {
		s.checkError(t, method+" "+path, a)
		return
	}
	if a.status < 300 {
		s.mu.Lock()
		s.seen[method+" "+template] = true
		s.mu.Unlock()
	}
	s.checkContent(t, method+" "+path, resp.Value, a)
}

func (s *spec) find(path string) (string, *openapi3.PathItem) {
	parts := strings.Split(path, "/")
	best, fixed := "", -1
	for template := range s.doc.Paths.Map() {
		if n := match(strings.Split(template, "/"), parts); n > fixed {
			best, fixed = template, n
		}
	}
	return best, s.doc.Paths.Find(best)
}

// match returns how many parts are equal, -1 when the path is not of the template.
func match(template, path []string) int {
	if len(template) != len(path) {
		return -1
	}
	n := 0
	for i := range template {
		switch {
		case template[i] == path[i]:
			n++
		case !strings.HasPrefix(template[i], "{"):
			return -1
		}
	}
	return n
}

func (s *spec) checkContent(t testing.TB, what string, resp *openapi3.Response, a *answer) {
	t.Helper()
	if len(resp.Content) == 0 {
		if len(a.body) > 0 {
			t.Errorf("%s: %d has a body: %s", what, a.status, a.body)
		}
		return
	}
	media, _, _ := strings.Cut(a.header.Get("Content-Type"), ";")
	content := resp.Content.Get(media)
	if content == nil {
		t.Errorf("%s: %d is %s, which is not described", what, a.status, media)
		return
	}
	if media == "application/json" {
		validate(t, what, content.Schema.Value, a.body)
	}
}

// checkError holds an answer against the form of errors.
func (s *spec) checkError(t testing.TB, what string, a *answer) {
	t.Helper()
	if a.status < 400 || a.header.Get("Content-Type") != "application/json" {
		t.Errorf("%s: %d %s is not described: %.200s", what, a.status, a.header.Get("Content-Type"), a.body)
		return
	}
	validate(t, what, s.doc.Components.Schemas["Error"].Value, a.body)
	if strings.Contains(string(a.body), "goroutine") {
		t.Errorf("%s: a stack trace", what)
	}
}

func validate(t testing.TB, what string, schema *openapi3.Schema, body []byte) {
	t.Helper()
	var v any
	if err := json.Unmarshal(body, &v); err != nil {
		t.Errorf("%s: %v in %.200s", what, err, body)
		return
	}
	if err := schema.VisitJSON(v, openapi3.EnableJSONSchema2020(), openapi3.MultiErrors()); err != nil {
		t.Errorf("%s: %v in %.2000s", what, err, body)
	}
}
