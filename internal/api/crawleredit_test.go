package api_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"shoal"
)

// ownPages is a definition that a workspace brings.
const ownPages = `
slug: my-pages
name: My pages
description: The heading of each page.
input:
  - {name: url, level: task, type: string, form: url, required: true}
start: {url: "{{ task.url }}", page: page}
pages:
  page:
    follow:
      - {select: a, page: page}
    rows:
      key: url
      fields:
        url: {from: url}
        heading: {select: h1}
`

// yaml sends a definition as YAML.
func (w *world) yaml(method, path, definition string) *answer {
	w.t.Helper()
	return w.do(request{method: method, path: path, body: strings.NewReader(definition), header: map[string]string{"Content-Type": "application/yaml"}})
}

// walkOwnCrawler makes, tries, uses, changes and deletes a crawler.
func (w *world) walkOwnCrawler() {
	w.t.Helper()
	url := site(w.t, 4, nil)
	made := w.yaml("POST", "/v1/crawlers", ownPages)
	id := made.str("id")
	if made.status != 201 || made.json["is_public"] != false || made.json["version"] != 1.0 || made.str("definition") != ownPages {
		w.t.Fatalf("made: %d %s", made.status, made.body)
	}
	tried := w.post("/v1/crawlers/my-pages/try", map[string]any{"task": map[string]any{"url": url + "/0"}, "max_results": 2})
	if rows := tried.json["rows"].([]any); len(rows) != 2 || tried.str("ended") != "max_rows" || rows[0].(map[string]any)["heading"] != "Page 0" {
		w.t.Errorf("tried: %s", tried.body)
	}
	if got := w.get("/v1/crawlers/my-pages"); got.str("id") != id || got.str("definition") != ownPages {
		w.t.Errorf("by its slug: %s", got.body)
	}
	w.get("/v1/crawlers/" + id + "/params")
	w.get("/v1/crawlers/" + id + "/attributes")
	squid := w.post("/v1/squids", map[string]any{"crawler": id}).str("id")
	if s := w.get("/v1/squids/" + squid); s.str("crawler") != id || s.str("crawler_name") != "My pages" || s.json["is_public"] != false {
		w.t.Errorf("its squid: %s", s.body)
	}
	changed := w.yaml("PUT", "/v1/crawlers/"+id, strings.Replace(ownPages, "heading:", "head:", 1))
	if changed.status != 200 || changed.str("id") != id || changed.json["version"] != 2.0 {
		w.t.Errorf("changed: %d %s", changed.status, changed.body)
	}
	if a := w.do(request{method: "DELETE", path: "/v1/crawlers/" + id}); a.status != 409 || a.code() != "ModuleInUse" || !strings.Contains(string(a.body), "My pages (1)") {
		w.t.Errorf("deleted while in use: %d %s", a.status, a.body)
	}
	w.ok(200, "DELETE", "/v1/squids/"+squid, nil)
	w.ok(200, "DELETE", "/v1/crawlers/"+id, nil)
	w.ok(404, "GET", "/v1/crawlers/my-pages", nil)
	w.ok(404, "DELETE", "/v1/crawlers/"+id, nil)
}

// TestDefinitionsComeInEveryForm: YAML, JSON, a text or an object under
// "definition", and what curl calls them.
func TestDefinitionsComeInEveryForm(t *testing.T) {
	w := newWorld(t, "", nil)
	asJSON := `{"slug":"in-json","name":"X","start":{"url":"https://a.example/","page":"p"},"pages":{"p":{"rows":{"key":"u","fields":{"u":{"from":"url"}}}}}}`
	text, _ := json.Marshal(map[string]string{"definition": strings.Replace(ownPages, "my-pages", "in-text", 1)})
	for slug, q := range map[string]struct{ body, typ string }{
		"in-yaml":   {strings.Replace(ownPages, "my-pages", "in-yaml", 1), "text/yaml; charset=utf-8"},
		"as-form":   {strings.Replace(ownPages, "my-pages", "as-form", 1), "application/x-www-form-urlencoded"},
		"in-json":   {asJSON, "application/json"},
		"in-text":   {string(text), "application/json"},
		"in-object": {`{"definition":` + strings.Replace(asJSON, "in-json", "in-object", 1) + `}`, "application/json"},
	} {
		a := w.do(request{method: "POST", path: "/v1/crawlers", body: q.body, header: map[string]string{"Content-Type": q.typ}})
		if a.status != 201 || a.str("slug") != slug {
			t.Errorf("%s: %d %s", slug, a.status, a.body)
		}
	}
	if n := len(w.get("/v1/crawlers").data()); n < 8 {
		t.Errorf("%d crawlers in the list", n)
	}
}

// TestDefinitionsAreRefused says what is wrong with a definition, where, and what
// would be right, and refuses what is not the workspace's to change.
func TestDefinitionsAreRefused(t *testing.T) {
	w := newWorld(t, "", nil)
	w.yaml("POST", "/v1/crawlers", ownPages)
	for name, c := range map[string]struct {
		method, path, body string
		status             int
		code, says         string
	}{
		"a typing error":     {"POST", "/v1/crawlers", strings.Replace(strings.Replace(ownPages, "select: h1", "selct: h1", 1), "my-pages", "x-y", 1), 400, "ParamsInvalid", `line 16, column 19: unknown key \"selct\" in heading; did you mean \"select\"`},
		"several":            {"POST", "/v1/crawlers", strings.NewReplacer("select: h1", "select: 'h1['", "level: task", "level: tsk").Replace(ownPages), 400, "ParamsInvalid", `\nline `},
		"not YAML":           {"POST", "/v1/crawlers", "slug: [", 400, "ParamsInvalid", "not valid YAML"},
		"nothing":            {"POST", "/v1/crawlers", " \n", 400, "ParamsNeeded", "The body is empty"},
		"not text":           {"POST", "/v1/crawlers", "slug: a\x00b", 400, "BadEncoding", "not UTF-8"},
		"an alias bomb":      {"POST", "/v1/crawlers", "a: &a [x]\nb: [*a, *a]\n", 400, "ParamsInvalid", "anchors, aliases"},
		"large answers":      {"POST", "/v1/crawlers", strings.Replace(strings.Replace(ownPages, "my-pages", "x-y", 1), "pages:\n", "fetch: {max_bytes: 2GB}\npages:\n", 1), 400, "ParamsInvalid", "the most for a crawler that is sent"},
		"too long":           {"POST", "/v1/crawlers", ownPages + strings.Repeat("# more\n", 1<<18), 400, "ParamsInvalid", "the most is 1048576"},
		"far too long":       {"POST", "/v1/crawlers", ownPages + strings.Repeat("# more\n", 1<<19), 413, "FileSizeLimitExceeded", "2 MiB"},
		"a slug of its own":  {"POST", "/v1/crawlers", ownPages, 409, "DuplicateModule", "change that one with PUT"},
		"a built-in slug":    {"POST", "/v1/crawlers", strings.NewReplacer("my-pages", "website", "My pages", "Website").Replace(ownPages), 409, "DuplicateModule", "everybody here has"},
		"to a built-in slug": {"PUT", "/v1/crawlers/my-pages", strings.NewReplacer("my-pages", "website", "My pages", "Website").Replace(ownPages), 409, "DuplicateModule", "everybody here has"},
		"a built-in one":     {"PUT", "/v1/crawlers/website", ownPages, 400, "ModuleRestricted", "make one of your own"},
		"delete a built-in":  {"DELETE", "/v1/crawlers/website", "", 400, "ModuleRestricted", "make one of your own"},
		"none":               {"PUT", "/v1/crawlers/nope", ownPages, 404, "ModuleNotFound", "Crawler not found"},
	} {
		a := w.yaml(c.method, c.path, c.body)
		if a.status != c.status || a.code() != c.code || !strings.Contains(string(a.body), c.says) {
			t.Errorf("%s: %d %.600s", name, a.status, a.body)
		}
	}
	if a := w.do(request{method: "POST", path: "/v1/crawlers", body: ownPages, header: map[string]string{"Content-Type": "image/png"}}); a.status != 400 || a.param() != "Content-Type" {
		t.Errorf("an image: %d %s", a.status, a.body)
	}
	if got := w.get("/v1/crawlers/my-pages"); got.json["version"] != 1.0 {
		t.Errorf("refusals changed it: %s", got.body)
	}
}

// TestRunsKeepTheirVersion changes a crawler while a run of it is paused: the run
// goes on as it began, its results keep their fields, and the next run is new.
func TestRunsKeepTheirVersion(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		open := make(chan struct{})
		url := site(t, 5, func(r *http.Request) {
			if r.URL.Path != "/0" && r.URL.Path != "/robots.txt" {
				select {
				case <-open:
				case <-r.Context().Done():
				}
			}
		})
		w.yaml("POST", "/v1/crawlers", ownPages)
		squid := w.post("/v1/squids", map[string]any{"crawler": "my-pages"}).str("id")
		w.addTasks(squid, url+"/0")
		run := w.post("/v1/runs", map[string]any{"squid": squid}).str("id")
		w.post("/v1/runs/"+run+"/pause", nil)
		for _, text := range []string{"head:", "title: {value: \"'new'\"}\n        head:", "head:"} {
			if a := w.yaml("PUT", "/v1/crawlers/my-pages", strings.Replace(ownPages, "heading:", text, 1)); a.status != 200 {
				t.Fatalf("%d %s", a.status, a.body)
			}
		}
		if got := w.get("/v1/crawlers/my-pages"); got.json["version"] != 2.0 {
			t.Errorf("the text of version 2 is version %v", got.json["version"])
		}
		close(open)
		w.post("/v1/runs/"+run+"/resume", nil)
		if end := w.ended(run); end.json["total_unique_results"] != 5.0 || end.str("status") != "done" {
			t.Fatalf("%s", end.body)
		}
		row := w.get("/v1/results?run=" + run + "&fields=heading,url").data()[0].(map[string]any)
		if !strings.HasPrefix(fmt.Sprint(row["heading"]), "Page ") {
			t.Errorf("a row of the old version: %v", row)
		}
		csv := w.do(request{method: "GET", path: w.get("/v1/runs/" + run + "/download").str("s3"), anonymous: true})
		if head, _, _ := strings.Cut(string(csv.body), "\n"); !strings.Contains(head, "heading") {
			t.Errorf("the old run's file begins with %s", head)
		}
		next := w.post("/v1/runs", map[string]any{"squid": squid}).str("id")
		w.ended(next)
		if row := w.get("/v1/results?run=" + next).data()[0].(map[string]any); row["head"] == nil || row["heading"] != nil {
			t.Errorf("a row of the new version: %v", row)
		}
	})
}

// TestTryIsBounded: rows, pages, a draft, what is wrong with the request, and how
// many at once.
func TestTryIsBounded(t *testing.T) {
	open, asked := make(chan struct{}), make(chan struct{}, 100)
	url := site(t, 200, func(r *http.Request) {
		if r.URL.Query().Has("hold") {
			asked <- struct{}{}
			select {
			case <-open:
			case <-r.Context().Done():
			}
		}
	})
	w := newWorld(t, "", nil)
	try := func(path, body string) *answer {
		t.Helper()
		return w.do(request{method: "POST", path: path, body: body})
	}
	task := fmt.Sprintf(`"task":{"url":"%s/0"}`, url)
	a := try("/v1/crawlers/website/try", `{`+task+`,"max_results":100}`)
	if n := len(a.json["requests"].([]any)); n != 20 || a.str("ended") != "max_pages" || a.json["requests_left"] == 0.0 {
		t.Errorf("%d requests: %.300s", n, a.body)
	}
	draft, _ := json.Marshal(strings.Replace(ownPages, "select: h1", "select: h2", 1))
	a = try("/v1/crawlers/website/try", `{`+task+`,"max_results":1,"definition":`+string(draft)+`}`)
	if a.str("crawler") != "my-pages" || !strings.Contains(string(a.body), `h2 matches nothing`) {
		t.Errorf("a draft: %s", a.body)
	}
	for body, param := range map[string]string{
		`{}`:                                 "task",
		`{"task":{}}`:                        "url",
		`{"task":{"url":"nope"}}`:            "url",
		`{"task":{"nope":1}}`:                "nope",
		`{"task":[]}`:                        "task",
		`{` + task + `,"params":{"nope":1}}`: "nope",
		`{` + task + `,"max_results":101}`:   "max_results",
		`{` + task + `,"max_pages":21}`:      "max_pages",
		`{` + task + `,"definition":"slug"}`: "definition",
	} {
		if a := try("/v1/crawlers/website/try", body); a.status != 400 || a.param() != param {
			t.Errorf("%s: %d %s", body, a.status, a.body)
		}
	}
	ended := make(chan *answer)
	for i := range 4 {
		go func() {
			ended <- try("/v1/crawlers/website/try", fmt.Sprintf(`{"task":{"url":"%s/0?hold=%d"},"max_pages":1}`, url, i))
		}()
	}
	for range 4 {
		<-asked
	}
	if a := try("/v1/crawlers/website/try", `{`+task+`}`); a.status != 429 || a.header.Get("Retry-After") == "" {
		t.Errorf("a fifth at once: %d %s", a.status, a.body)
	}
	other, err := w.Store.CreateUser(t.Context(), shoal.User{Email: "stranger@shoal.test"}, "other")
	if err != nil {
		t.Fatal(err)
	}
	_, key, err := w.Store.CreateKey(t.Context(), other.WorkspaceID, other.ID, "other", shoal.ScopeAdmin, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	if a := w.do(request{method: "POST", path: "/v1/crawlers/website/try", body: `{` + task + `,"max_pages":1}`,
		header: map[string]string{"Authorization": "Token " + key}}); a.status != 200 {
		t.Errorf("another workspace meanwhile: %d %s", a.status, a.body)
	}
	close(open)
	for range 4 {
		if a := <-ended; a.status != 200 {
			t.Errorf("%d %s", a.status, a.body)
		}
	}
}

func TestCreateCrawlerOnce(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		send := func() *answer {
			return w.do(request{method: "POST", path: "/v1/crawlers", body: ownPages, header: map[string]string{"Content-Type": "application/yaml", "Idempotency-Key": "k"}})
		}
		first, second := send(), send()
		if first.status != 201 || second.status != 201 || string(first.body) != string(second.body) || second.header.Get("Idempotency-Replayed") != "true" {
			t.Errorf("%d %s, then %d %s", first.status, first.body, second.status, second.body)
		}
		if a := w.do(request{method: "GET", path: "/v1/crawlers/my-pages/attributes", anonymous: true}); a.status != 404 {
			t.Errorf("an own crawler's attributes without a key: %d", a.status)
		}
	})
}
