package api_test

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestWalk goes through every operation of openapi.yaml once, as a client does
// that makes a squid, runs it and reads its results, on both databases.
func TestWalk(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.walkServer()
		w.walkCrawlers()
		w.walkOwnCrawler()
		url := site(t, 25, nil)
		squid := w.walkSquid(url)
		w.walkTasks(squid, url)
		run := w.walkRun(squid)
		w.walkResults(squid, run)
		w.walkCursors(squid, run)
		w.walkRunVerbs(t)
		w.walkAccounts()
		w.walkDelivery(squid)
		w.walkDeliveries(squid)
		w.walkChain(squid)
		w.get("/v1/me")
		w.walkKeys()
		w.walkStaff()
		w.walkBilling(squid)
		w.get("/v1/user/balance")
		w.ok(200, "DELETE", "/v1/runs/"+run, nil)
		w.ok(404, "GET", "/v1/runs/"+run, nil)
		w.ok(200, "DELETE", "/v1/squids/"+squid, nil)
		w.ok(404, "GET", "/v1/squids/"+squid, nil)
		for path, item := range w.spec.doc.Paths.Map() {
			for method := range item.Operations() {
				if !w.spec.seen[method+" "+path] {
					t.Errorf("%s %s was not walked", method, path)
				}
			}
		}
	})
}

func (w *world) walkServer() {
	w.t.Helper()
	for _, path := range []string{"/healthz", "/readyz", "/v1/docs", "/v1/openapi.yaml", "/v1/openapi.json"} {
		if a := w.do(request{method: "GET", path: path, anonymous: true}); a.status != 200 {
			w.t.Errorf("%s = %d", path, a.status)
		}
	}
}

func (w *world) walkCrawlers() {
	w.t.Helper()
	all := w.get("/v1/crawlers").data()
	if len(all) < 3 {
		w.t.Fatalf("%d crawlers", len(all))
	}
	one := w.get("/v1/crawlers/website")
	if one.str("name") != "Website" || one.str("slug") != "website" {
		w.t.Errorf("the CLI looks website up by its name, which is %q", one.str("name"))
	}
	w.get("/v1/crawlers/" + one.str("id") + "/params")
	if a := w.do(request{method: "GET", path: "/v1/crawlers/website/attributes", anonymous: true}); a.status != 200 {
		w.t.Errorf("attributes of a public crawler without a key: %d", a.status)
	}
}

func (w *world) walkSquid(url string) string {
	w.t.Helper()
	made := w.post("/v1/squids", map[string]any{"crawler": w.get("/v1/crawlers/website").str("id")})
	squid := made.str("id")
	if made.str("name") != "Website (1)" || made.json["concurrency"] != 1.0 {
		w.t.Errorf("a new squid is %s", made.body)
	}
	changed := w.post("/v1/squids/"+squid, map[string]any{"name": "Mine", "concurrency": 3, "to_complete": 1,
		"cron_expression": "0 10 * * *", "params": map[string]any{"max_pages": "100", "markdown": true, "max_results": nil}})
	params := changed.json["params"].(map[string]any)
	if params["max_pages"] != 100.0 || params["functions"].(map[string]any)["markdown"] != true || changed.json["name"] != "Mine" || len(changed.json) != 5 {
		w.t.Errorf("changed fields: %s", changed.body)
	}
	got := w.get("/v1/squids/" + squid)
	if got.str("schedule_time") != "Daily at 10:00" || got.json["is_ready"] != false {
		w.t.Errorf("the squid: %s", got.body)
	}
	w.walkSchedule(squid)
	w.post("/v1/squids/"+squid, map[string]any{"cron_expression": nil, "run_notify": nil, "accounts": []any{}})
	if n := len(w.get("/v1/squids?name=MIN&page_size=10").data()); n != 1 {
		w.t.Errorf("%d squids by a part of the name", n)
	}
	w.addTasks(squid, url+"/gone")
	if a := w.post("/v1/squids/"+squid+"/empty", map[string]any{"type": "url"}); a.json["deleted_count"] != 1.0 {
		w.t.Errorf("emptied: %s", a.body)
	}
	return squid
}

func (w *world) walkSchedule(squid string) {
	w.t.Helper()
	changed := w.post("/v1/squids/"+squid, map[string]any{"timezone": "Asia/Tokyo", "missed_launches": "skip", "launch_jitter": 90})
	if changed.str("missed_launches") != "skip" || changed.json["launch_jitter"] != 90.0 || len(changed.json) != 3 {
		w.t.Errorf("changed fields: %s", changed.body)
	}
	got := w.get("/v1/squids/" + squid)
	schedule, _ := got.json["schedule"].(map[string]any)
	if schedule["timezone"] != "Asia/Tokyo" || schedule["missed_launches"] != "skip" || schedule["launch_jitter"] != 90.0 || !strings.Contains(got.str("next_launch_at"), "T01:0") {
		w.t.Errorf("the squid: %s", got.body)
	}
	list := w.get("/v1/schedules").data()
	if len(list) != 1 || list[0].(map[string]any)["schedule_time"] != "Daily at 10:00" || list[0].(map[string]any)["last_launch"] != nil {
		w.t.Errorf("schedules: %v", list)
	}
	if n := len(w.get("/v1/squids/" + squid + "/launches").data()); n != 0 {
		w.t.Errorf("%d launches before the first", n)
	}
}

func (w *world) walkTasks(squid, url string) {
	w.t.Helper()
	added := w.addTasks(squid, url+"/0", url+"/0", url+"/x")
	if added.json["duplicated_count"] != 1.0 || len(added.json["tasks"].([]any)) != 2 {
		w.t.Errorf("added: %s", added.body)
	}
	list := w.get("/v1/tasks?squid=" + squid + "&type=url").data()
	if len(list) != 2 {
		w.t.Fatalf("%d tasks", len(list))
	}
	newest := list[0].(map[string]any)["id"].(string)
	w.get("/v1/tasks/" + newest)
	w.post("/v1/squid/estimate", map[string]any{"squid": squid})
	w.ok(200, "DELETE", "/v1/tasks/"+newest, nil)
	w.ok(404, "GET", "/v1/tasks/"+newest, nil)
	up := w.upload(squid, "tasks.csv", []byte("url\n"+url+"/1\nnot a url\n"+url+"/0\n"), nil)
	if up.status != 200 {
		w.t.Fatalf("upload: %d %s", up.status, up.body)
	}
	st := w.uploaded(up.str("id"))
	meta := st.json["meta"].(map[string]any)
	if st.str("state") != "SUCCESS" || meta["inserted"] != 1.0 || meta["duplicates"] != 1.0 || meta["invalid"] != 1.0 {
		w.t.Errorf("upload: %s", st.body)
	}
	if e := st.json["errors"].([]any); len(e) != 1 || e[0].(map[string]any)["line"] != 3.0 {
		w.t.Errorf("wrong rows: %v", e)
	}
}

// upload sends a file; before, if not nil, are parts that come first.
func (w *world) upload(squid, name string, content []byte, header map[string]string) *answer {
	w.t.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	part, err := form.CreateFormFile("file", name)
	if err != nil {
		w.t.Fatal(err)
	}
	if _, err := part.Write(content); err != nil {
		w.t.Fatal(err)
	}
	if squid != "" {
		if err := form.WriteField("squid", squid); err != nil {
			w.t.Fatal(err)
		}
	}
	if err := form.Close(); err != nil {
		w.t.Fatal(err)
	}
	h := map[string]string{"Content-Type": form.FormDataContentType()}
	for k, v := range header {
		h[k] = v
	}
	return w.do(request{method: "POST", path: "/v1/tasks/upload", body: &body, header: h})
}

// uploaded asks until the upload has ended.
func (w *world) uploaded(id string) *answer {
	w.t.Helper()
	for {
		a := w.do(request{method: "GET", path: "/v1/tasks/upload/" + id})
		if a.status == 200 {
			return a
		}
		if a.status != 202 || a.json["meta"] != nil {
			w.t.Fatalf("upload in progress: %d %s", a.status, a.body)
		}
	}
}

func (w *world) walkRun(squid string) string {
	w.t.Helper()
	started := w.post("/v1/runs", map[string]any{"squid": squid})
	run := started.str("id")
	if started.json["total_results"] != 0.0 || started.str("origin") != "user" {
		w.t.Errorf("a run just started: %s", started.body)
	}
	end := w.ended(run)
	if end.str("status") != "done" || end.str("done_reason") != "tasks_done" || end.json["total_unique_results"] != 25.0 {
		w.t.Fatalf("the run ended as %s", end.body)
	}
	if end.json["export_done"] != true || end.json["export_count"] != 1.0 {
		w.t.Errorf("its export: %s", end.body)
	}
	stats := w.get("/v1/runs/" + run + "/stats")
	if stats.str("percent_done") != "100%" || stats.json["total_tasks"] != 2.0 {
		w.t.Errorf("stats: %s", stats.body)
	}
	w.get("/v1/runs/" + run + "/tasks")
	if n := len(w.get("/v1/runtasks?run=" + run).data()); n != 2 {
		w.t.Errorf("%d run tasks", n)
	}
	if n := len(w.get("/v1/runs/" + run + "/log?limit=100").data()); n < 20 {
		w.t.Errorf("%d entries in the log", n)
	}
	w.timeline(run, "pending", "running", "uploading", "done")
	w.get("/v1/runs/" + run + "/credits")
	if n := len(w.get("/v1/runs?squid=" + squid).data()); n != 1 {
		w.t.Errorf("%d runs", n)
	}
	w.walkEvents(run)
	return run
}

// walkEvents reads an ended run's whole stream, then the rest after an id.
func (w *world) walkEvents(run string) {
	w.t.Helper()
	a := w.get("/v1/runs/" + run + "/events")
	kinds, last, first := map[string]int{}, "", ""
	scanner := bufio.NewScanner(bytes.NewReader(a.body))
	scanner.Buffer(nil, 1<<20)
	for scanner.Scan() {
		if name, ok := strings.CutPrefix(scanner.Text(), "event: "); ok {
			kinds[name]++
		}
		if id, ok := strings.CutPrefix(scanner.Text(), "id: "); ok {
			if last = id; first == "" {
				first = id
			}
		}
		if data, ok := strings.CutPrefix(scanner.Text(), "data: "); ok && !json.Valid([]byte(data)) {
			w.t.Errorf("an event's data is %s", data)
		}
	}
	if kinds["status"] < 2 || kinds["log"] < 20 || kinds["progress"] != 1 || first != "1" {
		w.t.Errorf("events %v from %s", kinds, first)
	}
	rest := w.do(request{method: "GET", path: "/v1/runs/" + run + "/events", header: map[string]string{"Last-Event-ID": last}})
	if strings.Contains(string(rest.body), "id: ") {
		w.t.Errorf("after the last event there is %s", rest.body)
	}
}

func (w *world) walkResults(squid, run string) {
	w.t.Helper()
	page := w.get("/v1/results?run=" + run + "&page=2&page_size=7")
	if len(page.data()) != 7 || page.json["result_from"] != 8.0 || page.str("next") == "" || page.str("previous") == "" {
		w.t.Errorf("page 2: %.300s", page.body)
	}
	if p := w.get(strings.TrimPrefix(page.str("next"), w.url)); p.json["page"] != 3.0 || p.json["limit"] != 7.0 {
		w.t.Errorf("next leads to %.200s", p.body)
	}
	total := int(page.json["total_results"].(float64))
	past := w.get("/v1/results?squid=" + squid + "&page=1000")
	if len(past.data()) != 0 || past.json["next"] != nil {
		w.t.Errorf("past the end: %s", past.body)
	}
	row := w.get("/v1/results?squid=" + squid + "&fields=title,run&unique=true").data()[0].(map[string]any)
	if len(row) != 2 || row["run"] != run || !strings.HasPrefix(row["title"].(string), "page ") {
		w.t.Errorf("two fields: %v", row)
	}
	stream := w.do(request{method: "GET", path: "/v1/results?run=" + run, header: map[string]string{"Accept": "application/x-ndjson"}})
	if n := bytes.Count(stream.body, []byte("\n")); n != total {
		w.t.Errorf("%d of %d rows streamed", n, total)
	}
	for _, query := range []string{"", "?format=jsonl", "?format=csv&fields=title,url", "?format=json&omit=text"} {
		link := w.get("/v1/runs/" + run + "/download" + query).str("s3")
		file := w.do(request{method: "GET", path: link, anonymous: true})
		if file.status != 200 || len(file.body) == 0 || file.header.Get("Etag") == "" {
			w.t.Errorf("download%s = %d, %d bytes", query, file.status, len(file.body))
		}
		if records, err := csv.NewReader(bytes.NewReader(file.body)).ReadAll(); query == "" && (err != nil || len(records) != total+1) {
			w.t.Errorf("the CSV has %d records, %v", len(records), err)
		}
		if same := w.do(request{method: "GET", path: link, anonymous: true, header: map[string]string{"If-None-Match": file.header.Get("Etag")}}); same.status != 304 {
			w.t.Errorf("If-None-Match%s = %d", query, same.status)
		}
		if bad := w.do(request{method: "GET", path: link[:len(link)-1] + "~", anonymous: true}); bad.status != 404 {
			w.t.Errorf("a changed link = %d", bad.status)
		}
		if strings.Contains(query, "json&") {
			continue // a part of it is no JSON, which every answer is held to
		}
		if part := w.do(request{method: "GET", path: link, anonymous: true, header: map[string]string{"Range": "bytes=3-9"}}); part.status != 206 || !bytes.Equal(part.body, file.body[3:10]) {
			w.t.Errorf("a range%s = %d %q", query, part.status, part.body)
		}
	}
	w.walkShare(run)
	file := w.ok(202, "POST", "/v1/runs/"+run+"/exports", map[string]any{"format": "jsonl"}).str("id")
	w.made(run, file)
	w.get("/v1/runs/" + run + "/exports")
	w.ok(200, "DELETE", "/v1/runs/"+run+"/exports/"+file, nil)
}

// walkShare makes the run public and private again.
func (w *world) walkShare(run string) {
	w.t.Helper()
	paths := []string{"/v1/runs/" + run, "/v1/results?run=" + run, "/v1/runs/" + run + "/download"}
	for _, shared := range []bool{true, false} {
		w.post("/v1/runs/"+run+"/share", map[string]any{"shared": shared})
		want := map[bool]int{true: 200, false: 401}[shared]
		for _, path := range paths {
			if a := w.do(request{method: "GET", path: path, anonymous: true}); a.status != want {
				w.t.Errorf("shared %v: %s without a key = %d", shared, path, a.status)
			}
		}
	}
}

// walkRunVerbs pauses, resumes, aborts and exports a run that its target holds.
func (w *world) walkRunVerbs(t *testing.T) {
	t.Helper()
	open := make(chan struct{})
	url := site(t, 5, func(r *http.Request) {
		select {
		case <-open:
		case <-r.Context().Done():
		}
	})
	defer close(open)
	squid := w.squid(url + "/0")
	run := w.post("/v1/runs", map[string]any{"squid": squid}).str("id")
	again := w.do(request{method: "POST", path: "/v1/runs", body: map[string]any{"squid": squid}})
	if again.status != 400 || again.code() != "RunInProgress" {
		t.Errorf("a second run: %d %s", again.status, again.body)
	}
	paused := w.post("/v1/runs/"+run+"/pause", nil)
	if paused.str("status") != "paused" || paused.json["done_reason"] != nil {
		t.Errorf("paused: %s", paused.body)
	}
	if s := w.get("/v1/runs/" + run + "/stats"); s.str("eta") != "∞" || s.json["is_done"] != false {
		t.Errorf("stats while paused: %s", s.body)
	}
	w.ok(409, "DELETE", "/v1/runs/"+run, nil)
	if r := w.post("/v1/runs/"+run+"/resume", nil); r.str("status") != "running" {
		t.Errorf("resumed: %s", r.body)
	}
	if a := w.post("/v1/runs/"+run+"/abort", nil); a.str("done_reason") != "aborted" {
		t.Errorf("aborted: %s", a.body)
	}
	if end := w.ended(run); end.str("status") != "aborted" {
		t.Errorf("ended: %s", end.body)
	}
	if a := w.ok(404, "POST", "/v1/runs/"+run+"/abort", nil); a.param() != "run_hash" {
		t.Errorf("a second abort: %s", a.body)
	}
	w.post("/v1/runs/"+run+"/export", nil)
	w.ended(run)
}

func (w *world) walkAccounts() {
	w.t.Helper()
	types := w.get("/v1/account_types").data()
	name := types[0].(map[string]any)["name"]
	sync := w.post("/v1/accounts/cookies", map[string]any{"type": name, "cookies": map[string]any{"sid": "secret-value", "n": json.Number("12345678901234567890"), "b": true}})
	if sync.json["status_code"] != 100.0 {
		w.t.Errorf("sync: %s", sync.body)
	}
	account := w.get("/v1/synchronize/" + sync.str("id")).str("account_hash")
	one := w.get("/v1/accounts/" + account)
	if len(one.data()) != 1 || strings.Contains(string(one.body), "secret-value") {
		w.t.Errorf("account: %s", one.body)
	}
	w.post("/v1/accounts", map[string]any{"account": account, "type": name, "params": map[string]any{}})
	w.post("/v1/accounts/cookies", map[string]any{"type": name, "account": account, "cookies": map[string]any{"sid": "x"}})
	if n := len(w.get("/v1/accounts").data()); n != 1 {
		w.t.Errorf("%d accounts after a refresh", n)
	}
	w.ok(200, "DELETE", "/v1/accounts/"+account, nil)
	w.ok(404, "GET", "/v1/accounts/"+account, nil)
	w.walkLogin()
}

func (w *world) walkDelivery(squid string) {
	w.t.Helper()
	set := func(part map[string]any) *answer {
		w.t.Helper()
		return w.ok(201, "POST", "/v1/delivery?squid="+squid, part)
	}
	set(map[string]any{"email": "me@example.com", "notifications": true})
	set(map[string]any{"google_sheet_fields": map[string]any{"url": "https://docs.google.com/spreadsheets/d/1", "append": true, "is_active": true}})
	echo := set(map[string]any{"s3_fields": map[string]any{"bucket": "results", "target_path": "a/b", "aws_access_key": "AKIA123", "aws_secret_key": "topsecretvalue", "is_active": true}})
	if f := echo.json["s3_fields"].(map[string]any); f["aws_secret_key"] != "tops****" || f["bucket"] != "results" {
		w.t.Errorf("S3 echo: %s", echo.body)
	}
	set(map[string]any{"ftp_fields": map[string]any{"host": "files.example.com", "port": 2222, "username": "u", "password": "hunter22", "directory": "/in"}})
	hook := set(map[string]any{"webhook_fields": map[string]any{"url": "https://example.com/h", "events": map[string]any{"run": map[string]any{"running": true, "done": false}}}})
	events := hook.json["webhook_fields"].(map[string]any)["events"].(map[string]any)
	if events["run.running"] != true || events["run.done"] != false || events["run.error"] != true {
		w.t.Errorf("nested events: %s", hook.body)
	}
	set(map[string]any{"slack_fields": map[string]any{"url": "https://hooks.slack.com/services/x"}})
	shown := w.get("/v1/squids/" + squid)
	for _, secret := range []string{"topsecretvalue", "hunter22"} {
		if strings.Contains(string(shown.body), secret) {
			w.t.Errorf("the squid shows %s", secret)
		}
	}
	if shown.str("email") != "me@example.com" || shown.json["ftp_fields"].(map[string]any)["password"] != "hunt****" {
		w.t.Errorf("the squid's deliveries: %s", shown.body)
	}
	set(map[string]any{"slack_fields": nil})
	for path, body := range map[string]map[string]any{
		"email": {"email": "me@example.com"}, "googlesheet": {"url": "https://docs.google.com/spreadsheets/d/1"},
		"slack": {"url": "https://hooks.slack.com/services/x"}, "s3": {"bucket": "results"}, "webhook": {"url": "https://example.com/h"},
		"sftp":     {"host": "h", "port": 22, "username": "u", "password": "p", "directory": "/"},
		"database": {"url": "mysql://u:p@db.invalid/d", "table": "t", "key": "a,b", "columns": map[string]any{"a": "b"}},
	} {
		if a := w.post("/v1/delivery/test-"+path, body); a.json["success"] != false || a.str("detail") == "" {
			w.t.Errorf("test %s: %s", path, a.body)
		}
	}
}

// walkDeliveries has a run told to a receiver, and reads the log of it.
func (w *world) walkDeliveries(squid string) {
	w.t.Helper()
	got := make(chan http.Header, 10)
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got <- r.Header }))
	defer receiver.Close()
	hook := map[string]any{"url": receiver.URL, "events": map[string]any{"run.done": true}}
	w.ok(201, "POST", "/v1/delivery?squid="+squid, map[string]any{"webhook_fields": nil})
	made := w.ok(201, "POST", "/v1/delivery?squid="+squid, map[string]any{"webhook_fields": hook, "s3_fields": nil, "ftp_fields": nil,
		"google_sheet_fields": nil, "notifications": false})
	secret, _ := made.json["webhook_fields"].(map[string]any)["secret"].(string)
	if strings.HasSuffix(secret, "****") || len(secret) < 30 {
		w.t.Errorf("no secret was made: %s", made.body)
	}
	if shown := w.get("/v1/delivery?squid=" + squid); strings.Contains(string(shown.body), secret) {
		w.t.Errorf("the secret is shown again: %s", shown.body)
	}
	rotated := w.ok(201, "POST", "/v1/delivery?squid="+squid, map[string]any{"webhook_fields": map[string]any{"url": receiver.URL, "secret": "whsec_mine"}})
	if f := rotated.json["webhook_fields"].(map[string]any); f["former_secret"] != "whse****" || f["secret"] != "whse****" || f["former_secret_until"] == nil {
		w.t.Errorf("a secret replaced: %s", rotated.body)
	}
	if a := w.post("/v1/delivery/test-webhook?squid="+squid, nil); a.json["success"] != true {
		w.t.Errorf("test of what is stored: %s", a.body)
	}
	if h := <-got; strings.Count(h.Get("X-Shoal-Signature"), "v1=") != 2 {
		w.t.Errorf("the test is signed %q, want by both secrets", h.Get("X-Shoal-Signature"))
	}
	run := w.post("/v1/runs", map[string]any{"squid": squid}).str("id")
	w.ended(run)
	id := (<-got).Get("X-Shoal-Delivery")
	one := w.get("/v1/deliveries/" + id)
	for one.str("status") == "pending" { // the answer is recorded after it was given
		one = w.get("/v1/deliveries/" + id)
	}
	if one.str("event") != "run.done" || one.str("run") != run || one.str("status") != "delivered" {
		w.t.Errorf("delivery: %s", one.body)
	}
	for _, query := range []string{"run=" + run, "squid=" + squid, "run=" + run + "&status=delivered", ""} {
		if list := w.get("/v1/deliveries?" + query).data(); len(list) != 1 {
			w.t.Errorf("%s: %d deliveries", query, len(list))
		}
	}
	w.ok(400, "GET", "/v1/deliveries?status=lost", nil)
	if a := w.post("/v1/deliveries/"+id+"/redeliver", nil); a.str("status") != "pending" {
		w.t.Errorf("redelivered: %s", a.body)
	}
	if again := (<-got).Get("X-Shoal-Delivery"); again != id {
		w.t.Errorf("redelivered as %s, want %s", again, id)
	}
	w.post("/v1/delivery/pause?squid="+squid, map[string]any{"channel": "webhook"})
	if a := w.post("/v1/deliveries/"+id+"/redeliver", nil); a.json["held"] != true {
		w.t.Errorf("redelivered through a paused channel: %s, want it held", a.body)
	}
	w.post("/v1/delivery/resume?squid="+squid, map[string]any{"channel": "webhook"})
	if again := (<-got).Get("X-Shoal-Delivery"); again != id {
		w.t.Errorf("resumed, %s came, want %s", again, id)
	}
	w.ok(400, "POST", "/v1/delivery/pause?squid="+squid, map[string]any{"channel": "pigeon"})
	w.ok(400, "POST", "/v1/delivery/resume?squid="+squid, map[string]any{"channel": "pigeon"})
	if targets, _ := w.get("/v1/delivery?squid=" + squid).json["targets"].([]any); len(targets) != 1 {
		w.t.Errorf("targets: %v", targets)
	}
}

func (w *world) walkChain(squid string) {
	w.t.Helper()
	path := "/v1/squids/" + squid + "/chain"
	if a := w.get(path); string(a.body) != "null" {
		w.t.Errorf("no chain: %s", a.body)
	}
	w.ok(404, "PATCH", path, map[string]any{"autostart": false})
	body := map[string]any{"target_module_id": "sitemap", "field_map": map[string]any{"url": "url"}}
	made := w.ok(201, "POST", path, body)
	if made.json["target_cluster"] != nil || made.json["autostart"] != true {
		w.t.Errorf("chain: %s", made.body)
	}
	w.ok(409, "POST", path, body)
	if a := w.ok(200, "PATCH", path, map[string]any{"autostart": false, "cluster_name": "after"}); a.json["autostart"] != false {
		w.t.Errorf("changed chain: %s", a.body)
	}
	w.get(path)
	if a := w.ok(422, "PATCH", path, map[string]any{"target_module_id": "website"}); a.param() != "target_module_id" {
		w.t.Errorf("a circle: %s", a.body)
	}
	if a := w.ok(400, "PATCH", path, map[string]any{"field_map": map[string]any{"url": "nothing"}}); a.param() != "field_map.url" {
		w.t.Errorf("a wrong param: %s", a.body)
	}
	w.ok(204, "DELETE", path, nil)
	w.ok(404, "DELETE", path, nil)
}

// TestManyTasksInOneCall adds 10,000 tasks at once.
func TestManyTasksInOneCall(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		squid := w.squid()
		var urls []string
		for i := range 10_000 {
			urls = append(urls, fmt.Sprintf("https://example.com/%d", i))
		}
		a := w.addTasks(squid, urls...)
		if n := len(a.json["tasks"].([]any)); n != 10_000 || a.json["duplicated_count"] != 0.0 {
			t.Errorf("%d added", n)
		}
		if a := w.addTasks(squid, urls...); a.json["duplicated_count"] != 10_000.0 {
			t.Errorf("again: %s duplicates", a.body)
		}
		list := w.get("/v1/tasks?squid=" + squid + "&page=100&limit=100")
		if list.json["total_results"] != 10_000.0 || len(list.data()) != 100 {
			t.Errorf("page 100: %v of %v", len(list.data()), list.json["total_results"])
		}
	})
}
