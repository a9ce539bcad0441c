package api_test

import (
	"net/http"
	"strings"
	"sync"
	"testing"
)

// heldSite serves n pages, of which the one at path waits until open is called.
func heldSite(t *testing.T, n int, path string) (url string, came <-chan struct{}, open func()) {
	arrived, opened := make(chan struct{}), make(chan struct{})
	var first, last sync.Once
	open = func() { last.Do(func() { close(opened) }) }
	url = site(t, n, func(r *http.Request) {
		if r.URL.Path != path {
			return
		}
		first.Do(func() { close(arrived) })
		select {
		case <-opened:
		case <-r.Context().Done():
		}
	})
	t.Cleanup(open)
	return url, arrived, open
}

// until waits by long polls until the run has the status.
func (w *world) until(run, status string) *answer {
	w.t.Helper()
	for {
		a := w.get("/v1/runs/" + run + "?wait=20")
		if a.str("status") == status {
			return a
		}
		if a.json["is_done"] == true {
			w.t.Fatalf("the run ended as %s %s, want it %s: %s", a.str("status"), a.str("done_reason"), status, a.str("done_reason_desc"))
		}
	}
}

// TestDeactivatedSquidEndsItsRun: what was collected is exported.
func TestDeactivatedSquidEndsItsRun(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		url, came, _ := heldSite(t, 10, "/7")
		squid := w.squid(url + "/0")
		run := w.post("/v1/runs", map[string]any{"squid": squid}).str("id")
		<-came
		w.post("/v1/squids/"+squid, map[string]any{"is_active": false})
		a := w.ended(run)
		if a.str("status") != "aborted" || a.str("done_reason") != "deactivated" || !strings.Contains(a.str("done_reason_desc"), "squid was switched off") {
			t.Errorf("%s %s: %s", a.str("status"), a.str("done_reason"), a.str("done_reason_desc"))
		}
		if a.json["export_done"] != true || a.json["total_unique_results"].(float64) < 1 {
			t.Errorf("partial results: %s", a.body)
		}
		if a := w.do(request{method: "POST", path: "/v1/runs", body: map[string]any{"squid": squid}}); a.code() != "SquidNotReady" {
			t.Errorf("starting it again: %s", a.body)
		}
	})
}

// TestMaintenanceHoldsRuns: they wait, nobody can start one, and they go on by
// themselves when the crawler is available again.
func TestMaintenanceHoldsRuns(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		url, came, open := heldSite(t, 10, "/7")
		squid := w.squid(url + "/0")
		run := w.post("/v1/runs", map[string]any{"squid": squid}).str("id")
		<-came
		w.post("/v1/admin/crawlers/website", map[string]any{"state": "maintenance", "message": "The site was rebuilt; back on Monday."})
		if k := w.get("/v1/crawlers/website"); k.json["has_issues"] != true || k.json["is_available"] != false || !strings.Contains(k.str("issue"), "Monday") {
			t.Errorf("the crawler shows has_issues %v, is_available %v, issue %q", k.json["has_issues"], k.json["is_available"], k.str("issue"))
		}
		a := w.until(run, "paused")
		if a.str("done_reason") != "module_under_maintenance" || !strings.Contains(a.str("done_reason_desc"), "Monday") {
			t.Errorf("%s: %s", a.str("done_reason"), a.str("done_reason_desc"))
		}
		other := w.squid(url + "/1")
		if a := w.do(request{method: "POST", path: "/v1/runs", body: map[string]any{"squid": other}}); a.code() != "ModuleUnavailable" {
			t.Errorf("starting another: %s", a.body)
		}
		// A person cannot go past it, and the run says what holds it.
		if a := w.post("/v1/runs/"+run+"/resume", nil); a.str("status") != "paused" || a.str("done_reason") != "module_under_maintenance" {
			t.Errorf("resumed all the same: %s", a.body)
		}
		if n := len(w.get("/v1/admin/crawlers").data()); n != 1 {
			t.Errorf("%d crawlers are flagged", n)
		}
		open()
		w.post("/v1/admin/crawlers/website", map[string]any{"state": "available"})
		if a := w.ended(run); a.str("status") != "done" || a.json["total_unique_results"] != 10.0 {
			t.Errorf("after it: %s", a.body)
		}
		w.timeline(run, "pending", "running", "paused", "running", "uploading", "done")
	})
}

// TestCrawlerSwitchedOffEndsItsRuns: those that run and those that wait.
func TestCrawlerSwitchedOffEndsItsRuns(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		url, came, _ := heldSite(t, 10, "/7")
		squid := w.squid(url + "/0")
		run := w.post("/v1/runs", map[string]any{"squid": squid}).str("id")
		<-came
		w.post("/v1/admin/crawlers/website", map[string]any{"state": "maintenance"})
		w.until(run, "paused")
		w.post("/v1/admin/crawlers/website", map[string]any{"state": "off", "message": "Use contacts instead"})
		a := w.ended(run)
		if a.str("status") != "aborted" || a.str("done_reason") != "deactivated" || !strings.Contains(a.str("done_reason_desc"), "contacts") {
			t.Errorf("%s %s: %s", a.str("status"), a.str("done_reason"), a.str("done_reason_desc"))
		}
		if a := w.do(request{method: "POST", path: "/v1/squids", body: map[string]any{"crawler": "website"}}); a.code() != "ModuleUnavailable" {
			t.Errorf("a squid of it: %s", a.body)
		}
		for _, q := range []struct {
			path, state string
			status      int
		}{{"no-such", "off", 404}, {"website", "odd", 400}, {"ffffffffffffffffffffffffffffffff", "off", 404}} {
			w.ok(q.status, "POST", "/v1/admin/crawlers/"+q.path, map[string]any{"state": q.state})
		}
	})
}
