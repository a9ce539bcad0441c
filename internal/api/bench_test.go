package api_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"testing"
	"time"

	"shoal"
	"shoal/crawlers"
	"shoal/internal/api"
	"shoal/internal/blob"
	"shoal/internal/crawler"
	"shoal/internal/runs"
	"shoal/internal/seal"
	"shoal/internal/store"
	"shoal/internal/store/storetest"
)

// hot is the API on a real SQLite with one run in it, and a static handler
// that writes the bytes and headers of that run's answer.
type hot struct {
	api, static http.Handler
	path, key   string
}

func newHot(b *testing.B) *hot {
	b.Helper()
	dir := b.TempDir()
	e := storetest.New(b, store.Options{DataDir: dir})
	files, err := blob.OpenDir(filepath.Join(dir, "files"))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { files.Close() })
	keys, err := seal.Load("", filepath.Join(dir, "secret.key"))
	if err != nil {
		b.Fatal(err)
	}
	known, err := crawler.NewCatalogue(crawlers.FS, "")
	if err != nil {
		b.Fatal(err)
	}
	h := &hot{key: e.Key, path: "/v1/runs/" + string(benchRun(b, e, known))}
	h.api = api.New(api.Options{Store: e.Store, Runs: engine{}, Catalogue: catalogue{crawler.NewWorkspaces(known, e.Store, nil), nil}, Seal: keys, Blob: files})
	rec := httptest.NewRecorder()
	h.api.ServeHTTP(rec, h.request())
	if rec.Code != 200 {
		b.Fatalf("%d %s", rec.Code, rec.Body)
	}
	body, header := rec.Body.Bytes(), rec.Header()
	h.static = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		out := w.Header()
		for k, v := range header {
			out[k] = v
		}
		w.Write(body)
	})
	return h
}

// benchRun makes a run that runs.
func benchRun(b *testing.B, e *storetest.Env, known *crawler.Catalogue) shoal.RunID {
	b.Helper()
	p, err := known.Lookup("website")
	if err != nil {
		b.Fatal(err)
	}
	squid, err := e.Store.CreateSquid(b.Context(), shoal.Squid{ID: shoal.NewID[shoal.SquidID](), WorkspaceID: e.Workspace,
		CrawlerID: p.Info.ID, CrawlerSlug: "website", Concurrency: 1, IsActive: true}, "bench")
	if err != nil {
		b.Fatal(err)
	}
	params, digest, err := p.CheckTask(map[string]any{"url": "https://example.com/"})
	if err != nil {
		b.Fatal(err)
	}
	if _, _, err := e.Store.AddTasks(b.Context(), e.Workspace, squid.ID, []shoal.NewTask{{Params: params, Digest: digest}}); err != nil {
		b.Fatal(err)
	}
	settings, err := p.Settings(&squid)
	if err != nil {
		b.Fatal(err)
	}
	r, err := e.Store.CreateRun(b.Context(), runs.NewRun{ID: shoal.NewID[shoal.RunID](), WorkspaceID: e.Workspace, SquidID: squid.ID,
		Version: shoal.CrawlerVersion{CrawlerID: p.Info.ID, Slug: "website", Version: 1, Digest: p.Info.Digest, Definition: p.Source},
		Origin:  shoal.OriginUser, Actor: "user", Settings: settings, Begin: storetest.Started})
	if err != nil {
		b.Fatal(err)
	}
	return r.ID
}

func (h *hot) request() *http.Request {
	r := httptest.NewRequest("GET", h.path, nil)
	r.Header.Set("Authorization", "Token "+h.key)
	return r
}

// sink is a ResponseWriter that costs nothing.
type sink struct{ header http.Header }

func (s *sink) Header() http.Header         { return s.header }
func (s *sink) Write(b []byte) (int, error) { return len(b), nil }
func (s *sink) WriteHeader(int)             {}

// BenchmarkGetRun is what GET /v1/runs/{id} costs beside net/http itself.
func BenchmarkGetRun(b *testing.B) {
	h := newHot(b)
	for name, handler := range map[string]http.Handler{"api": h.api, "static": h.static} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			r, u := h.request(), url.URL{}
			for b.Loop() {
				u = *r.URL
				r.URL = &u
				handler.ServeHTTP(&sink{http.Header{}}, r)
			}
		})
	}
}

var requestsPerSecond = regexp.MustCompile(`Requests/sec:\s+([\d.]+)`)

// BenchmarkGetRunUnderWrk serves both handlers over loopback to wrk (Debian's
// package wrk), turn by turn, and reports how the API's rate compares with the
// static handler's: the median of the rounds.
func BenchmarkGetRunUnderWrk(b *testing.B) {
	h := newHot(b)
	var servers [2]*httptest.Server
	for i, handler := range []http.Handler{h.api, h.static} {
		servers[i] = httptest.NewServer(handler)
		defer servers[i].Close()
	}
	measure := func(s *httptest.Server) float64 {
		out, err := exec.Command("wrk", "-t1", "-c32", "-d"+strconv.Itoa(int(wrkRound.Seconds()))+"s",
			"-H", "Authorization: Token "+h.key, s.URL+h.path).CombinedOutput()
		if err != nil {
			b.Fatalf("wrk (apt-get install wrk): %v\n%s", err, out)
		}
		m := requestsPerSecond.FindSubmatch(out)
		if m == nil {
			b.Fatalf("wrk says nothing of its rate:\n%s", out)
		}
		rate, err := strconv.ParseFloat(string(m[1]), 64)
		if err != nil {
			b.Fatal(err)
		}
		return rate
	}
	for b.Loop() {
		var rates, ratios []float64
		for range wrkRounds {
			rate, static := measure(servers[0]), measure(servers[1])
			rates, ratios = append(rates, rate), append(ratios, rate/static)
		}
		slices.Sort(rates)
		slices.Sort(ratios)
		b.ReportMetric(rates[len(rates)/2], "api-req/s")
		b.ReportMetric(ratios[len(ratios)/2], "of-static")
	}
}

const (
	wrkRounds = 5
	wrkRound  = 2 * time.Second
)
