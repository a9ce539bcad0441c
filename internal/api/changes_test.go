package api_test

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
)

// shop is a site of one page with articles that can be changed.
type shop struct {
	page atomic.Value
	url  string
}

// shopCrawler collects the articles of a shop. A field is called like a column of
// the table of changes.
const shopCrawler = `
slug: changing-shop
name: Changing shop
fetch: {robots: false, why: a test site of our own}
input:
  - {name: url, level: task, type: string, required: true}
start: {url: "{{ task.url }}", page: list}
pages:
  list:
    rows:
      each: li
      key: sku
      fields:
        sku: {attr: data-sku}
        price: {select: b, as: float}
        change: {select: i}
`

func newShop(t *testing.T) *shop {
	s := &shop{}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, "<title>shop</title><ul>"+s.page.Load().(string)+"</ul>")
	}))
	t.Cleanup(srv.Close)
	s.url = srv.URL
	return s
}

// sells sets the articles, each "sku price note".
func (s *shop) sells(articles ...string) {
	var b strings.Builder
	for _, a := range articles {
		f := strings.Fields(a)
		fmt.Fprintf(&b, "<li data-sku=%s><b>%s</b><i>%s</i></li>", f[0], f[1], f[2])
	}
	s.page.Store(b.String())
}

// visited makes a squid of the shop and runs it once for each assortment.
func (w *world) visited(assortments ...[]string) (squid string, runs []string) {
	w.t.Helper()
	shop := newShop(w.t)
	crawler := w.ok(201, "POST", "/v1/crawlers", map[string]string{"definition": shopCrawler}).str("id")
	squid = w.post("/v1/squids", map[string]any{"crawler": crawler}).str("id")
	w.addTasks(squid, shop.url)
	for _, articles := range assortments {
		shop.sells(articles...)
		run := w.post("/v1/runs", map[string]any{"squid": squid}).str("id")
		if a := w.ended(run); a.str("status") != "done" {
			w.t.Fatalf("the run ended as %s", a.body)
		}
		runs = append(runs, run)
	}
	return squid, runs
}

func (w *world) raw(path string, header map[string]string) *answer {
	w.t.Helper()
	a := w.do(request{method: "GET", path: path, header: header})
	if a.status != 200 {
		w.t.Fatalf("GET %s: %d %s", path, a.status, a.body)
	}
	return a
}

func TestChangesBetweenRuns(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		squid, runs := w.visited([]string{"a 1 x", "b 2 x", "c 3 x", "d 4 x"}, []string{"e 5 x", "d 4 x", "c 3.5 y", "b 2 z"})
		path := "/v1/runs/" + runs[1] + "/changes"
		first := w.get("/v1/runs/" + runs[0] + "/changes")
		if first.json["since"] != nil || !reflect.DeepEqual(first.json["summary"], map[string]any{"new": 4.0, "changed": 0.0, "gone": 0.0, "same": 0.0}) {
			t.Errorf("the first run: %s", first.body)
		}
		a := w.get(path)
		since, run := a.json["since"].(map[string]any), a.json["run"].(map[string]any)
		if since["id"] != runs[0] || since["complete"] != true || run["id"] != runs[1] || !reflect.DeepEqual(run["key"], []any{"sku"}) {
			t.Errorf("%v since %v", run, since)
		}
		if !reflect.DeepEqual(a.json["summary"], map[string]any{"new": 1.0, "changed": 2.0, "gone": 1.0, "same": 1.0}) || a.json["total_results"] != 4.0 {
			t.Errorf("summary: %s", a.body)
		}
		told := func(a *answer) (out []string) {
			for _, item := range a.data() {
				ch := item.(map[string]any)
				row, _ := ch["after"].(map[string]any)
				if row == nil {
					row = ch["before"].(map[string]any)
				}
				fields, err := json.Marshal(ch["fields"])
				if err != nil {
					t.Fatal(err)
				}
				out = append(out, fmt.Sprint(ch["kind"], " ", row["sku"], " ", string(fields)))
			}
			return out
		}
		want := []string{`new e {}`, `changed c {"change":{"after":"y","before":"x"},"price":{"after":3.5,"before":3}}`,
			`changed b {"change":{"after":"z","before":"x"}}`, `gone a {}`}
		if got := told(a); !slices.Equal(got, want) {
			t.Errorf("changes:\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		for query, want := range map[string][]string{
			"?since=" + runs[0] + "&kind=gone,new":    {want[0], want[3]},
			"?fields=price":                           {want[0], `changed c {"price":{"after":3.5,"before":3}}`, want[3]},
			"?omit=price&kind=changed":                {`changed c {"change":{"after":"y","before":"x"}}`, want[2]},
			"?limit=1&page=3":                         {want[2]},
			"?since=previous&kind=changed&page=9":     nil,
			"?page_size=2&page=2&kind=new&kind=gone":  nil,
			"?omit=price,change&kind=changed&limit=5": nil,
		} {
			if got := told(w.get(path + query)); !slices.Equal(got, want) {
				t.Errorf("%s:\n%s\nwant\n%s", query, strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
		}
		w.changeFiles(path, runs, want)
		refusals := map[string]int{"?since=x": 404, "?since=" + squid: 404, "?since=" + runs[1]: 400, "?kind=old": 400, "?fields=title": 400, "?omit=id": 400, "?format=pdf": 400, "?format=json&bom=true": 400}
		for query, status := range refusals {
			if a := w.do(request{method: "GET", path: path + query}); a.status != status {
				t.Errorf("%s: %d %s, want %d", query, a.status, a.body, status)
			}
		}
		if a := w.do(request{method: "GET", path: "/v1/runs/" + runs[0] + "/changes?since=" + runs[1]}); a.status != 400 || !strings.Contains(string(a.body), "later") {
			t.Errorf("the wrong way round: %d %s", a.status, a.body)
		}
		w.post("/v1/squids/"+squid+"/empty", map[string]any{})
		if a := w.do(request{method: "GET", path: path}); a.status != 409 || a.code() != "ResultsRemoved" {
			t.Errorf("of an emptied squid: %d %s", a.status, a.body)
		}
	})
}

// changeFiles holds the files of changes against the list.
func (w *world) changeFiles(path string, runs []string, want []string) {
	t := w.t
	t.Helper()
	lines := w.raw(path, map[string]string{"Accept": "application/x-ndjson"})
	if n := strings.Count(string(lines.body), "\n"); n != 4 || lines.header.Get("X-Shoal-Changed") != "2" || lines.header.Get("X-Shoal-Since") != runs[0] {
		t.Errorf("%d lines, %v", n, lines.header)
	}
	var list []map[string]any
	if err := json.Unmarshal(w.raw(path+"?format=json", nil).body, &list); err != nil || len(list) != 4 || list[3]["kind"] != "gone" {
		t.Errorf("as JSON: %v, %v", list, err)
	}
	rows, err := csv.NewReader(strings.NewReader(string(w.raw(path+"?format=csv&omit=price", nil).body))).ReadAll()
	if err != nil || len(rows) != 5 {
		t.Fatalf("%v, %v", rows, err)
	}
	if got := strings.Join(rows[0][:7], " "); got != "change change_fields sku price result_change change_before id" {
		t.Errorf("the table's columns are %s", got)
	}
	for i, want := range []string{"new||e|5|x|", `changed|change|c|3.5|y|{"change":"x"}`, `changed|change|b|2|z|{"change":"x"}`, "gone||a|1|x|"} {
		if got := strings.Join(rows[i+1][:6], "|"); got != want {
			t.Errorf("row %d is %s, want %s", i, got, want)
		}
	}
	for _, f := range []string{"xlsx", "parquet"} {
		if a := w.raw(path+"?format="+f, nil); len(a.body) < 500 {
			t.Errorf("as %s: %d bytes", f, len(a.body))
		}
	}
}

// What is incomplete is said to be so, and is not chosen unasked.
func TestChangesOfIncompleteRuns(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		hold := make(chan struct{})
		release := func() { close(hold) }
		url := site(t, 3, func(r *http.Request) {
			if r.URL.Path == "/2" {
				select {
				case <-hold:
				case <-r.Context().Done():
				}
			}
		})
		squid := w.post("/v1/squids", map[string]any{"crawler": "website", "params": map[string]any{"max_depth": 0}}).str("id")
		w.addTasks(squid, url+"/0", url+"/1", url+"/2")
		first := w.post("/v1/runs", map[string]any{"squid": squid}).str("id")
		if a := w.do(request{method: "GET", path: "/v1/runs/" + first + "/changes"}); a.status != 409 || a.code() != "RunInProgress" {
			t.Errorf("while it runs: %d %s", a.status, a.body)
		}
		w.post("/v1/runs/"+first+"/abort", nil)
		w.ended(first)
		release()
		second := w.post("/v1/runs", map[string]any{"squid": squid}).str("id")
		w.ended(second)
		a := w.do(request{method: "GET", path: "/v1/runs/" + second + "/changes"})
		if a.status != 409 || a.code() != "NoCompleteRun" || !strings.Contains(string(a.body), "since="+first) {
			t.Errorf("behind an aborted run: %d %s", a.status, a.body)
		}
		a = w.get("/v1/runs/" + second + "/changes?since=" + first)
		if since := a.json["since"].(map[string]any); since["complete"] != false || since["status"] != "aborted" || since["lacks"] == nil {
			t.Errorf("since an aborted run: %s", a.body)
		}
	})
}

// A squid whose crawler has changed has results of both versions: a table of them
// has the fields of both.
func TestTableOfASquidWhoseCrawlerChanged(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		squid, _ := w.visited([]string{"a 1 x"})
		crawler := w.get("/v1/squids/" + squid).str("crawler")
		w.ok(200, "PUT", "/v1/crawlers/"+crawler, map[string]string{"definition": strings.Replace(shopCrawler, "change: {select: i}", "note: {select: i}", 1)})
		w.ended(w.post("/v1/runs", map[string]any{"squid": squid}).str("id"))
		path := "/v1/results?squid=" + squid
		rows, err := csv.NewReader(strings.NewReader(string(w.raw(path, map[string]string{"Accept": "text/csv"}).body))).ReadAll()
		if err != nil || len(rows) != 3 || strings.Join(rows[0][:4], ",") != "sku,price,note,change" {
			t.Fatalf("%v, %v", rows, err)
		}
		if rows[1][3] != "x" || rows[1][2] != "" || rows[2][2] != "x" || rows[2][3] != "" {
			t.Errorf("the rows are %v", rows[1:])
		}
		if row := w.get(path + "&fields=change").data()[0].(map[string]any); row["change"] != "x" {
			t.Errorf("a field that was: %v", row)
		}
		if a := w.do(request{method: "GET", path: path + "&fields=colour"}); a.status != 400 {
			t.Errorf("a field that never was: %d %s", a.status, a.body)
		}
	})
}
