package api_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// moodySite answers as mood says, path by path.
func moodySite(t *testing.T, mood func(rw http.ResponseWriter, r *http.Request) bool) string {
	s := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/robots.txt" || !mood(rw, r) {
			if r.URL.Path == "/robots.txt" {
				http.NotFound(rw, r)
			}
			return
		}
		rw.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(rw, "<title>page %s</title>", r.URL.Path)
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// hangUp ends the connection without an answer.
func hangUp(rw http.ResponseWriter) {
	conn, _, err := rw.(http.Hijacker).Hijack()
	if err == nil {
		_ = conn.Close()
	}
}

// TestRequestFailedGoesOn: more tasks fail than the budget allows; six hours
// later the failed ones alone are tried again.
func TestRequestFailedGoesOn(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		var down atomic.Bool
		var good atomic.Int64
		down.Store(true)
		url := moodySite(t, func(rw http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path == "/good" {
				good.Add(1)
				return true
			}
			if down.Load() {
				hangUp(rw)
				return false
			}
			return true
		})
		run := w.post("/v1/runs", map[string]any{"squid": w.squid(url+"/good", url+"/bad")}).str("id")
		a := w.until(run, "paused")
		if a.str("done_reason") != "request_failed" || !strings.Contains(a.str("done_reason_desc"), "1 of 2 tasks failed") {
			t.Errorf("%s: %s", a.str("done_reason"), a.str("done_reason_desc"))
		}
		if a.json["is_done"] == true {
			t.Error("a paused run counts as done")
		}
		down.Store(false)
		w.clock.advance(6*time.Hour + time.Second)
		if a := w.ended(run); a.str("status") != "done" || a.str("done_reason") != "tasks_done" || a.json["total_unique_results"] != 2.0 {
			t.Errorf("after it: %s", a.body)
		}
		if n := good.Load(); n != 1 {
			t.Errorf("the page that was in was fetched %d times", n)
		}
		w.timeline(run, "pending", "running", "paused", "running", "uploading", "done")
	})
}

// TestTooManyRequestsWaits: the target names no wait, so the first is a quarter
// of an hour, the next twice as long, and a person may cut it short.
func TestTooManyRequestsWaits(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		var busy atomic.Bool
		busy.Store(true)
		url := moodySite(t, func(rw http.ResponseWriter, r *http.Request) bool {
			if busy.Load() {
				rw.WriteHeader(http.StatusTooManyRequests)
			}
			return !busy.Load()
		})
		run := w.post("/v1/runs", map[string]any{"squid": w.squid(url + "/0")}).str("id")
		wait := func(want time.Duration) {
			t.Helper()
			a := w.until(run, "paused")
			if a.str("done_reason") != "too_many_requests" {
				t.Fatalf("%s: %s", a.str("done_reason"), a.str("done_reason_desc"))
			}
			at, err := time.Parse("2006-01-02T15:04:05.000000", w.get("/v1/runs/"+run+"/stats").str("resumes_at"))
			if err != nil {
				t.Fatal(err)
			}
			if d := at.Sub(w.clock.now()); d > want || d < want-time.Minute {
				t.Errorf("it waits %s, want %s", d, want)
			}
		}
		wait(15 * time.Minute)
		w.clock.advance(15 * time.Minute)
		for len(w.get("/v1/runs/"+run+"/timeline").data()) < 5 {
			w.get("/v1/runs/" + run + "?wait=1")
		}
		wait(30 * time.Minute)
		busy.Store(false)
		w.post("/v1/runs/"+run+"/resume", nil)
		if a := w.ended(run); a.str("status") != "done" || a.json["total_unique_results"] != 1.0 {
			t.Errorf("resumed by a person: %s", a.body)
		}
	})
}

// TestWebsiteInaccessible: nothing listens there.
func TestWebsiteInaccessible(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		gone := httptest.NewServer(http.NotFoundHandler())
		gone.Close()
		run := w.post("/v1/runs", map[string]any{"squid": w.squid(gone.URL+"/a", gone.URL+"/b")}).str("id")
		a := w.ended(run)
		if a.str("status") != "error" || a.str("done_reason") != "website_inaccessible" || !strings.Contains(a.str("done_reason_desc"), "any of the 2 tasks") {
			t.Errorf("%s %s: %s", a.str("status"), a.str("done_reason"), a.str("done_reason_desc"))
		}
		said := false
		for _, e := range w.get("/v1/runs/" + run + "/log").data() {
			said = said || strings.Contains(fmt.Sprint(e.(map[string]any)["message"]), "given up")
		}
		if !said {
			t.Error("the log does not say what was given up")
		}
	})
}

// TestAbortedRunExportsWhatItHas: and ends without a chain or a wait.
func TestAbortedRunExportsWhatItHas(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		url, came, _ := heldSite(t, 10, "/7")
		run := w.post("/v1/runs", map[string]any{"squid": w.squid(url + "/0")}).str("id")
		<-came
		if a := w.post("/v1/runs/"+run+"/abort", nil); a.str("done_reason") != "aborted" {
			t.Errorf("%s", a.body)
		}
		a := w.ended(run)
		if a.str("status") != "aborted" || a.str("done_reason") != "aborted" || a.json["export_done"] != true || a.json["total_unique_results"].(float64) < 1 {
			t.Errorf("%s", a.body)
		}
		w.get("/v1/runs/" + run + "/download")
	})
}
