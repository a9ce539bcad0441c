package api_test

import (
	"encoding/csv"
	"mime/multipart"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"shoal"
)

// These tests pin what the published clients send and read: lobstr.io's Python
// SDK, its command line, its MCP server and its n8n node. Each says which of
// them depends on it.

// TestResultsOfATaskAlone: the SDK's results.list(task=…) and the MCP server
// send neither squid nor run.
func TestResultsOfATaskAlone(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		few, many := site(t, 3, nil), site(t, 7, nil)
		squid := w.squid(few+"/0", many+"/0")
		for range 2 {
			w.ended(w.post("/v1/runs", map[string]any{"squid": squid}).str("id"))
		}
		for _, item := range w.get("/v1/tasks?squid=" + squid).data() {
			task := item.(map[string]any)
			want := 2 * 3.0
			if strings.HasPrefix(task["params"].(map[string]any)["url"].(string), many) {
				want = 2 * 7
			}
			id := task["id"].(string)
			page := w.get("/v1/results?page=1&page_size=100&task=" + id)
			if page.json["total_results"] != want {
				t.Errorf("%v results of the task in two runs; want %v", page.json["total_results"], want)
			}
			for _, row := range page.data() {
				if got := row.(map[string]any)["task"]; got != id {
					t.Errorf("a row of task %v", got)
				}
			}
		}
		if a := w.ok(404, "GET", "/v1/results?task="+shoal.NewID[string](), nil); a.code() != "TaskDoesNotExist" {
			t.Errorf("an unknown task: %s", a.body)
		}
		if a := w.ok(400, "GET", "/v1/results", nil); a.code() != "ParamsNeeded" || a.param() != "squid,run" {
			t.Errorf("none of the three: %s", a.body)
		}
		if a := w.ok(400, "GET", "/v1/results?squid=&task="+shoal.NewID[string](), nil); a.code() != "ParamsNeeded" {
			t.Errorf("an empty squid: %s", a.body)
		}
	})
}

// TestEstimate: the SDK's squids.estimate and the command line's squid estimate
// read services[].name/results/credits, total_credits, estimated_time,
// max_results and tasks.count.
func TestEstimate(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		url := site(t, 10, nil)
		squid := w.squid()
		ask := map[string]any{"squid": squid}
		if a := w.ok(400, "POST", "/v1/squid/estimate", ask); a.code() != "NoTasksPresent" {
			t.Errorf("without a task: %s", a.body)
		}
		w.addTasks(squid, url+"/0")
		e := w.post("/v1/squid/estimate", ask)
		if e.json["total_credits"] != nil || e.json["max_results"] != nil || e.json["estimated_time"] != nil {
			t.Errorf("nothing can be known yet: %s", e.body)
		}

		settings := map[string]any{"params": map[string]any{"max_results": 40, "functions": map[string]any{"markdown": true}}}
		w.post("/v1/squids/"+squid, settings)
		w.addTasks(squid, url+"/1", url+"/2")
		e = w.post("/v1/squid/estimate", ask)
		// Three tasks of at most 40 rows: 1 credit each, and 0.5 for the markdown.
		if e.json["max_results"] != 120.0 || e.json["total_credits"] != 180.0 {
			t.Errorf("bounded by its limits: %s", e.body)
		}
		services := e.json["services"].([]any)
		base, markdown := services[0].(map[string]any), services[1].(map[string]any)
		if len(services) != 2 || base["name"] != "Website" || base["results"] != 120.0 || base["credits"] != 120.0 ||
			markdown["name"] != "markdown" || markdown["credits"] != 60.0 {
			t.Errorf("services: %v", services)
		}
		tasks := e.json["tasks"].(map[string]any)
		if tasks["count"] != 3.0 || len(tasks["preview"].([]any)) != 3 {
			t.Errorf("tasks: %v", tasks)
		}

		run := w.ended(w.post("/v1/runs", ask).str("id"))
		e = w.post("/v1/squid/estimate", ask)
		if got := e.json["services"].([]any)[0].(map[string]any)["results"]; got != run.json["total_unique_results"] {
			t.Errorf("%v results expected; the run of the same tasks had %v", got, run.json["total_unique_results"])
		}
		if e.json["max_results"] != 120.0 || !regexp.MustCompile(`^[1-9]\d* secs?$`).MatchString(e.str("estimated_time")) {
			t.Errorf("after a run: %s", e.body)
		}

		w.post("/v1/squids/"+squid, map[string]any{"params": map[string]any{"max_unique_results_per_run": 4}})
		if e = w.post("/v1/squid/estimate", ask); e.json["max_results"] != 4.0 || e.json["total_credits"] != 6.0 {
			t.Errorf("at most 4 in all: %s", e.body)
		}
		w.ok(404, "POST", "/v1/squid/estimate", map[string]any{"squid": shoal.NewID[string]()})
		w.ok(400, "POST", "/v1/squid/estimate", map[string]any{})
	})
}

// TestProfile: the command line's whoami shows the first plan's name and status.
func TestProfile(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		plan := w.get("/v1/me").json["plan"].([]any)[0].(map[string]any)
		if plan["name"] == "" || plan["status"] != "active" {
			t.Errorf("plan: %v", plan)
		}
		balance := w.get("/v1/user/balance").json
		for _, key := range []string{"available", "consumed", "used_slots", "total_available_slots"} {
			if n, ok := balance[key].(float64); !ok || n != float64(int64(n)) {
				t.Errorf("%s is %v; the SDK wants a whole number", key, balance[key])
			}
		}
	})
}

// TestAttributesByFunction: the command line groups columns by function and
// marks the main ones, which are those that are always collected.
func TestAttributesByFunction(t *testing.T) {
	w := newWorld(t, "", nil)
	main := map[string]bool{}
	for _, item := range w.get("/v1/crawlers/website/attributes").data() {
		at := item.(map[string]any)
		function, isMain := at["function"].(string), at["is_main"].(bool)
		if function == "" || isMain != (function == shoal.BaseFunction) {
			t.Errorf("%v: function %q, is_main %v", at["name"], function, isMain)
		}
		main[at["name"].(string)] = isMain
	}
	for name, want := range map[string]bool{"url": true, "status": true, "markdown": false, "text": false} {
		if main[name] != want {
			t.Errorf("%s: is_main %v", name, main[name])
		}
	}
}

// TestSquidAccounts: the SDK's attach_accounts reads accounts[].id, and the
// command line shows accounts[].status.
func TestSquidAccounts(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		kind := w.get("/v1/account_types").data()[0].(map[string]any)["name"]
		sync := w.post("/v1/accounts/cookies", map[string]any{"type": kind, "cookies": map[string]any{"session": "s", "n": 7}})
		account := w.get("/v1/synchronize/" + sync.str("id")).str("account_hash")
		squid := w.squid()
		if a := w.ok(404, "POST", "/v1/squids/"+squid, map[string]any{"accounts": []string{strings.Repeat("0", 32)}}); a.code() != "AccountDoesNotExist" {
			t.Errorf("an account that does not exist: %s", a.body)
		}
		w.post("/v1/squids/"+squid, map[string]any{"accounts": []string{account}})
		linked := w.get("/v1/squids/" + squid).json["accounts"].([]any)
		if len(linked) != 1 {
			t.Fatalf("accounts: %v", linked)
		}
		if got := linked[0].(map[string]any); got["id"] != account || got["status"] != "synchronized" {
			t.Errorf("the linked account: %v", got)
		}
		w.post("/v1/squids/"+squid, map[string]any{"accounts": []string{}})
		if a := w.get("/v1/squids/" + squid); len(a.json["accounts"].([]any)) != 0 {
			t.Errorf("unlinked: %s", a.body)
		}
	})
}

// TestGoOfTheCommandLine: lobstr go looks the crawler up, sends every squid
// param it found as null, adds tasks by key, starts, polls the stats and downloads.
func TestGoOfTheCommandLine(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		url := site(t, 5, nil)
		id := w.get("/v1/crawlers/website").str("id")
		squid := w.post("/v1/squids", map[string]any{"crawler": id, "name": "by the command line"}).str("id")
		found := w.get("/v1/crawlers/" + id + "/params").json["squid"].(map[string]any)
		params := map[string]any{}
		for name := range found {
			if name != "functions" {
				params[name] = nil
			}
		}
		w.post("/v1/squids/"+squid, map[string]any{"params": params})
		if a := w.get("/v1/squids?limit=50&page=1&name=BY+THE"); len(a.data()) != 1 {
			t.Errorf("found by a part of its name: %s", a.body)
		}
		added := w.addTasks(squid, url+"/0")
		if len(added.json["tasks"].([]any)) != 1 || added.json["duplicated_count"] != 0.0 {
			t.Errorf("added: %s", added.body)
		}
		run := w.post("/v1/runs", map[string]any{"squid": squid}).str("id")
		w.ended(run)
		stats := w.get("/v1/runs/" + run + "/stats").json
		if stats["percent_done"] != "100%" || stats["is_done"] != true || stats["total_tasks_left"] != 0.0 {
			t.Errorf("stats: %v", stats)
		}
		for _, query := range []string{"", "?file_format=csv"} {
			link := w.get("/v1/runs/" + run + "/download" + query).str("s3")
			file := w.do(request{method: "GET", path: link, anonymous: true})
			if rows, err := csv.NewReader(strings.NewReader(string(file.body))).ReadAll(); err != nil || len(rows) != 6 {
				t.Errorf("download%s: %d records, %v", query, len(rows), err)
			}
		}
		if a := w.get("/v1/runs/" + run + "/download?file_format=jsonl"); !strings.Contains(a.str("s3"), "/v1/download/") {
			t.Errorf("the MCP server's name for the format: %s", a.body)
		}
	})
}

// TestN8NBodies: the n8n node says application/json also where it sends no
// body, and compares the webhook's address and events with its own.
func TestN8NBodies(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		squid := w.squid(site(t, 2, nil) + "/0")
		bare := func(status int, method, path string) *answer {
			a := w.do(request{method: method, path: path, header: map[string]string{"Content-Type": "application/json"}})
			if a.status != status {
				t.Errorf("%s %s without a body = %d %s", method, path, a.status, a.body)
			}
			return a
		}
		bare(200, "GET", "/v1/me")
		run := w.post("/v1/runs", map[string]any{"squid": squid}).str("id")
		w.ended(run)
		bare(404, "POST", "/v1/runs/"+run+"/abort") // complete already
		if a := bare(200, "POST", "/v1/squids/"+squid+"/empty"); a.json["deleted_count"] != 1.0 {
			t.Errorf("emptied without a type: %s", a.body)
		}
		hook := map[string]any{"url": "http://127.0.0.1:5678/webhook/a1b2?x=1", "is_active": true, "retry": true,
			"events": map[string]any{"run.done": true, "run.error": false, "run.paused": false, "run.running": true}}
		w.ok(201, "POST", "/v1/delivery?squid="+squid, map[string]any{"webhook_fields": hook})
		shown := w.get("/v1/squids/" + squid).json["webhook_fields"].(map[string]any)
		if shown["url"] != hook["url"] || shown["is_active"] != true {
			t.Errorf("the webhook as shown: %v", shown)
		}
		for event, want := range hook["events"].(map[string]any) {
			if got := shown["events"].(map[string]any)[event]; got != want {
				t.Errorf("%s is %v", event, got)
			}
		}
		bare(200, "DELETE", "/v1/squids/"+squid)
	})
}

// TestUploadAsTheSDKSendsIt: a form with the squid first, then a file that says
// it is tab-separated.
func TestUploadAsTheSDKSendsIt(t *testing.T) {
	w := newWorld(t, "", nil)
	squid := w.squid()
	var form strings.Builder
	parts := multipart.NewWriter(&form)
	if err := parts.WriteField("squid", squid); err != nil {
		t.Fatal(err)
	}
	head := map[string][]string{"Content-Disposition": {`form-data; name="file"; filename="t.tsv"`}, "Content-Type": {"text/tab-separated-values"}}
	file, err := parts.CreatePart(head)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.Write([]byte("url\nhttp://one.example/\n\nhttp://one.example/\nnothing\n")); err != nil {
		t.Fatal(err)
	}
	if err := parts.Close(); err != nil {
		t.Fatal(err)
	}
	a := w.do(request{method: http.MethodPost, path: "/v1/tasks/upload", body: form.String(),
		header: map[string]string{"Content-Type": parts.FormDataContentType()}})
	if a.status != http.StatusOK && a.status != http.StatusAccepted || !shoal.ValidID(a.str("id")) {
		t.Fatalf("upload = %d %s", a.status, a.body)
	}
	meta := w.uploaded(a.str("id")).json["meta"].(map[string]any)
	for key, want := range map[string]float64{"valid": 2, "inserted": 1, "duplicates": 1, "invalid": 1} {
		if meta[key] != want {
			t.Errorf("%s = %v; want %v", key, meta[key], want)
		}
	}
}
