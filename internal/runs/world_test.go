package runs_test

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"shoal"
	"shoal/internal/blob"
	"shoal/internal/crawl"
	"shoal/internal/crawler"
	"shoal/internal/fetch"
	"shoal/internal/jobs"
	"shoal/internal/pgtest"
	"shoal/internal/runs"
	"shoal/internal/safedial"
	"shoal/internal/store"
	"shoal/internal/store/storetest"
)

// definition follows every link and makes one row of each page.
const definition = `
slug: walk
name: Walk
version: 1
input:
  - {name: url, level: task, type: string, required: true}
  - {name: max_pages, level: squid, type: int, min: 1}
start: {url: "{{ task.url }}", page: page}
pages:
  page:
    follow:
      - {select: a, page: page}
    rows:
      key: url
      fields:
        url: {from: url}
        title: {select: title}
`

// unreadable is a crawler whose stored definition this version does not accept.
const unreadable shoal.CrawlerID = "00000000000000000000000000000bad"

type catalogue struct{ program *crawler.Program }

func (c catalogue) Lookup(_ context.Context, _ shoal.WorkspaceID, idOrSlug string) (*crawler.Program, error) {
	if idOrSlug == string(unreadable) {
		return nil, shoal.Invalid("CrawlerInvalid", "definition", "the stored definition has a field that is none")
	}
	return c.program, nil
}

// clock is a clock that a test can move; it runs from where it was put.
type clock struct{ ahead atomic.Int64 }

func (c *clock) now() time.Time          { return time.Now().Add(time.Duration(c.ahead.Load())) }
func (c *clock) advance(d time.Duration) { c.ahead.Add(int64(d)) }

// world is a database with one process's engine on it.
type world struct {
	*storetest.Env
	t      testing.TB
	clock  *clock
	files  string
	source string // of the crawler; empty: definition
	owner  string // of the newest engine
	svc    *runs.Service
	engine *crawl.Engine
	stop   func()
}

// each runs f on both databases.
func each(t *testing.T, f func(t *testing.T, w *world)) {
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		f(t, newWorld(t, ""))
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		f(t, newWorld(t, pgtest.Database(t)))
	})
}

func newWorld(t testing.TB, databaseURL string) *world {
	w := &world{t: t, clock: &clock{}}
	dir := t.TempDir()
	w.files = filepath.Join(dir, "files")
	w.Env = storetest.New(t, store.Options{
		DataDir: dir, DatabaseURL: databaseURL, Now: w.clock.now,
		Logger: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelError})),
	})
	return w
}

// service makes an engine that is not at work yet.
func (w *world) service(c runs.Config) *runs.Service {
	w.t.Helper()
	p, err := crawler.Compile("walk.yaml", []byte(cmp.Or(w.source, definition)))
	if err != nil {
		w.t.Fatal(err)
	}
	f := fetch.New(fetch.Options{
		Dial:    safedial.New(safedial.Options{AllowPrivate: true}).DialContext,
		Backoff: time.Millisecond,
	})
	w.t.Cleanup(f.Close)
	files, err := blob.OpenDir(w.files)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { files.Close() })
	w.owner = "engine-" + shoal.NewID[string]()
	c.Owner = w.owner
	c.DataDir = filepath.Dir(w.files)
	if c.MinFree == 0 {
		c.MinFree = -1
	}
	c.Wake, c.Disk = cmp.Or(c.Wake, 20*time.Millisecond), cmp.Or(c.Disk, 20*time.Millisecond)
	w.engine = crawl.New(catalogue{p}, f, w.clock.now)
	svc, err := runs.New(w.Store, w.engine, files, w.clock.now, w.Options.Logger, c)
	if err != nil {
		w.t.Fatal(err)
	}
	return svc
}

// work sets an engine and the jobs to work until the test ends or stop is called.
func (w *world) work(c runs.Config) {
	w.t.Helper()
	c.Exclusive = true
	w.svc = w.service(c)
	ctx, cancel := context.WithCancel(context.WithoutCancel(w.t.Context()))
	var wg sync.WaitGroup
	svc, client := w.svc, w.Jobs
	wg.Go(func() {
		if err := svc.Run(ctx); err != nil {
			w.t.Errorf("engine: %v", err)
		}
	})
	wg.Go(func() {
		err := client.Run(ctx, map[jobs.Kind]jobs.Handler{jobs.KindSlot: svc.Slot, jobs.KindFinish: svc.Finish, jobs.KindConvert: svc.Convert})
		if err != nil {
			w.t.Errorf("jobs: %v", err)
		}
	})
	var once sync.Once
	w.stop = func() { once.Do(func() { cancel(); wg.Wait() }) }
	w.t.Cleanup(w.stop)
}

// squid makes a squid with a task for each URL.
func (w *world) squid(concurrency int, params map[string]any, urls ...string) shoal.SquidID {
	w.t.Helper()
	q, err := w.Store.CreateSquid(w.t.Context(), shoal.Squid{
		ID: shoal.NewID[shoal.SquidID](), WorkspaceID: w.Workspace, CrawlerID: storetest.CrawlerID, CrawlerSlug: "walk",
		Concurrency: concurrency, IsActive: true, Params: params,
	}, "walk")
	if err != nil {
		w.t.Fatal(err)
	}
	var tasks []shoal.NewTask
	for _, u := range urls {
		b, _ := json.Marshal(map[string]string{"url": u})
		sum := sha256.Sum256(b)
		tasks = append(tasks, shoal.NewTask{Params: b, Digest: [16]byte(sum[:16])})
	}
	if _, _, err := w.Store.AddTasks(w.t.Context(), w.Workspace, q.ID, tasks); err != nil {
		w.t.Fatal(err)
	}
	return q.ID
}

// start starts a run of a squid.
func (w *world) start(q shoal.SquidID) shoal.Run {
	w.t.Helper()
	r, err := w.svc.Start(w.t.Context(), runs.StartRequest{Workspace: w.Workspace, Squid: q, Actor: "user"})
	if err != nil {
		w.t.Fatal(err)
	}
	if r.Status != shoal.RunPending || r.TotalRequests != 0 || !r.StartedAt.IsZero() {
		w.t.Errorf("a started run is answered as %s", r.Status)
	}
	return r
}

// startWith starts a run of a squid with settings that a person cannot set yet.
func (w *world) startWith(q shoal.SquidID, set func(*shoal.RunSettings)) shoal.Run {
	w.t.Helper()
	squid, err := w.Store.Squid(w.t.Context(), w.Workspace, q)
	if err != nil {
		w.t.Fatal(err)
	}
	version, settings, err := w.engine.Prepare(w.t.Context(), &squid)
	if err != nil {
		w.t.Fatal(err)
	}
	set(&settings)
	r, err := w.Store.CreateRun(w.t.Context(), shoal.NewRun{
		ID: shoal.NewID[shoal.RunID](), WorkspaceID: w.Workspace, SquidID: q, Version: version,
		Origin: shoal.OriginUser, Actor: "user", Settings: settings, Begin: storetest.Started,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

// await waits until the run is as ok wants it.
func (w *world) await(id shoal.RunID, what string, ok func(r *shoal.Run) bool) shoal.Run {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), 30*time.Second)
	defer cancel()
	r, err := w.Store.RunByID(ctx, id)
	for err == nil && !ok(&r) {
		r, err = w.Store.WaitRun(ctx, id, r, true)
		if ctx.Err() != nil {
			w.t.Fatalf("the run is not %s: %s/%s %q, %d of %d tasks, %d pages", what, r.Status, r.DoneReason, r.DoneReasonDesc,
				r.TasksDone, r.TasksTotal, r.TotalRequests)
		}
	}
	if err != nil {
		w.t.Fatalf("wait until the run is %s: %v", what, err)
	}
	return r
}

// awaitStatus waits until the run has one of the given states.
func (w *world) awaitStatus(id shoal.RunID, any ...shoal.RunStatus) shoal.Run {
	w.t.Helper()
	return w.await(id, fmt.Sprint(any), func(r *shoal.Run) bool { return slices.Contains(any, r.Status) })
}

// csv returns the run's export.
func (w *world) csv(id shoal.RunID) string {
	w.t.Helper()
	e, err := w.Store.ExportOf(w.t.Context(), id, shoal.FormatCSV, "")
	if err != nil {
		w.t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(w.files, filepath.FromSlash(e.Blob)))
	if err != nil {
		w.t.Fatal(err)
	}
	return string(b)
}

// tree is a site of n pages at /0 … /n-1, page i linking to 2i+1, 2i+2 and the
// start. hook, if set, is called with each page's path before it answers.
func tree(t *testing.T, n int, hook func(w http.ResponseWriter, r *http.Request) bool) *httptest.Server {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var i int
		if _, err := fmt.Sscanf(r.URL.Path, "/%d", &i); err != nil || i >= n {
			http.NotFound(w, r)
			return
		}
		if hook != nil && !hook(w, r) {
			return
		}
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(w, "<html><title>page %d</title><a href=/0>start</a>", i)
		for _, to := range []int{2*i + 1, 2*i + 2} {
			if to < n {
				fmt.Fprintf(w, "<a href=/%d>%d</a>", to, to)
			}
		}
	}))
	t.Cleanup(srv.Close)
	return srv
}
