package api_test

import (
	"strings"
	"testing"
	"time"
)

// TestRetention: rules are set, tried and taken away, and what a run says whose
// results are gone.
func TestRetention(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		run := w.ranRun(3)
		link := w.get("/v1/runs/" + run + "/download").str("s3")
		squid := w.get("/v1/runs/" + run).str("squid")
		if r := w.get("/v1/admin/retention"); r.json["file_days"] != 0.0 || r.json["result_days"] != 0.0 || len(r.json["rules"].([]any)) != 0 {
			t.Errorf("at first: %s", r.body)
		}
		w.clock.advance(40 * 24 * time.Hour)
		dry := w.post("/v1/admin/retention", map[string]any{"result_days": 30, "file_days": 30, "dry_run": true})
		due := dry.json["due"].(map[string]any)
		if dry.json["result_days"] != 0.0 || due["runs"] != 1.0 || due["results"] != 3.0 || due["files"] != 1.0 {
			t.Errorf("a dry run: %s", dry.body)
		}
		w.post("/v1/admin/retention", map[string]any{"result_days": 100, "workspace": string(w.Workspace)})
		set := w.post("/v1/admin/retention", map[string]any{"result_days": 30, "squid": squid})
		if rules := set.json["rules"].([]any); len(rules) != 2 || rules[0].(map[string]any)["squid"] != nil || rules[1].(map[string]any)["squid"] != squid {
			t.Errorf("two rules: %s", set.body)
		}
		expired, err := w.Store.ExpiredRuns(t.Context(), 10)
		if err != nil || len(expired) != 1 || expired[0].Days != 30 {
			t.Fatalf("expired: %+v, %v", expired, err)
		}
		for _, x := range expired {
			if _, err := w.Store.RemoveResults(t.Context(), x); err != nil {
				t.Fatal(err)
			}
		}
		if r := w.get("/v1/runs/" + run); r.json["results_removed_at"] == nil || r.json["total_unique_results"] != 3.0 || r.json["export_done"] != true {
			t.Errorf("the run: %s", r.body)
		}
		for _, path := range []string{"/v1/results?run=" + run, "/v1/runs/" + run + "/download"} {
			if a := w.do(request{method: "GET", path: path}); a.status != 404 || !strings.Contains(string(a.body), "ResultsRemoved") {
				t.Errorf("%s = %d %s", path, a.status, a.body)
			}
		}
		if a := w.do(request{method: "GET", path: link, anonymous: true}); a.status != 404 {
			t.Errorf("a link from before = %d", a.status)
		}
		if a := w.do(request{method: "POST", path: "/v1/runs/" + run + "/exports", body: map[string]any{"format": "csv"}}); a.status != 404 {
			t.Errorf("another file = %d %s", a.status, a.body)
		}
		if l := w.get("/v1/results?squid=" + squid); l.json["total_results"] != 0.0 {
			t.Errorf("the squid's results: %s", l.body)
		}
		if all := w.post("/v1/admin/retention", map[string]any{"result_days": 0, "squid": squid}); len(all.json["rules"].([]any)) != 1 {
			t.Errorf("taken away: %s", all.body)
		}
		for _, body := range []map[string]any{
			{}, {"file_days": -1}, {"file_days": "many"}, {"result_days": 40_000}, {"file_days": 1, "squid": squid},
			{"result_days": 1, "squid": squid, "workspace": string(w.Workspace)},
		} {
			if a := w.do(request{method: "POST", path: "/v1/admin/retention", body: body}); a.status != 400 {
				t.Errorf("%v = %d %s", body, a.status, a.body)
			}
		}
		if a := w.do(request{method: "POST", path: "/v1/admin/retention", body: map[string]any{"result_days": 1, "squid": run}}); a.status != 404 {
			t.Errorf("a squid that there is not = %d", a.status)
		}
	})
}
