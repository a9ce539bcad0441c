package crawl_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"shoal"
	"shoal/internal/crawl"
	"shoal/internal/crawler"
	"shoal/internal/fetch"
	"shoal/internal/har"
	"shoal/internal/safedial"
)

const tried = `
slug: tried
name: Tried
version: 1
input:
  - {name: url, level: task, type: string, form: url, required: true}
  - {name: max_pages, level: squid, type: int}
  - {name: more, level: squid, type: boolean, function: true}
start: {url: "{{ task.url }}", page: list}
pages:
  list:
    follow:
      - {select: a.next, page: list}
      - {select: h2 a, page: item, carry: row, when: functions.more}
    rows:
      each: li
      key: name
      where: "row.name != 'skip'"
      fields:
        name: {select: h2, required: true}
        price: {select: .price b, as: money}
        tags: {select: .tag, list: true}
        nope: {select: ".info > em.x", function: more}
    stop:
      - {when: "url contains 'last'"}
      - {no_new_rows: 3}
  item:
    rows:
      extends: row
      fields:
        stock: {select: .stock, as: int, function: more}
detect:
  - {when: "status == 403", reason: logged_out}
tests:
  - {task: {url: "https://a.example/"}, replay: x.har, rows: {min: 1}}
`

func trialOf(t *testing.T, definition, url string) (crawl.Trial, *fetch.Fetcher) {
	t.Helper()
	p, err := crawler.Compile("tried.yaml", []byte(definition))
	if err != nil {
		t.Fatal(err)
	}
	f := fetch.New(fetch.Options{Dial: safedial.New(safedial.Options{AllowPrivate: true}).DialContext, Backoff: time.Millisecond})
	t.Cleanup(f.Close)
	return crawl.Trial{Program: p, Task: map[string]any{"url": url}}, f
}

func items(from, to int, rest string) string {
	var b strings.Builder
	b.WriteString("<ul>")
	for i := from; i < to; i++ {
		price := fmt.Sprintf(`<p class="price"><b>%d,50 €</b></p>`, i)
		switch i % 4 {
		case 1:
			price = `<p class="price"><i>sold out</i></p>`
		case 2:
			price = `<p class="price"><b>on request</b></p>`
		}
		fmt.Fprintf(&b, `<li><h2><a href="/item/%d">Item %d</a></h2>%s</li>`, i, i, price)
	}
	return b.String() + `<li><h2>skip</h2></li><li>no name</li></ul>` + rest
}

func trySite(t *testing.T) string {
	return site(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		switch {
		case r.URL.Path == "/":
			fmt.Fprint(w, items(0, 6, `<a class="next" href="/2">next</a>`))
		case r.URL.Path == "/2":
			fmt.Fprint(w, items(4, 10, `<a class="next" href="/last">next</a>`))
		case r.URL.Path == "/last":
			fmt.Fprint(w, items(10, 12, `<a class="next" href="/never">next</a>`))
		case strings.HasPrefix(r.URL.Path, "/item/"):
			fmt.Fprint(w, `<p class="stock">17 left</p>`)
		case r.URL.Path == "/empty":
			fmt.Fprint(w, `<ol><li class="lis">x</ol>`)
		case strings.HasPrefix(r.URL.Path, "/same"):
			fmt.Fprintf(w, `<li><h2>Same</h2></li><a class="next" href="%sx">next</a>`, r.URL.Path)
		case r.URL.Path == "/out":
			w.WriteHeader(http.StatusForbidden)
		default:
			http.NotFound(w, r)
		}
	})
}

// TestTryReports: the rows, what is filled, why not, what was fetched, how it ended.
func TestTryReports(t *testing.T) {
	tr, f := trialOf(t, tried, trySite(t)+"/")
	tr.MaxRows = 100
	var watched []crawl.Exchange
	tr.Watch = func(x crawl.Exchange) { watched = append(watched, x) }
	r, err := crawl.Try(t.Context(), f, tr)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Rows) != 12 || r.Duplicates != 2 || r.Filtered != 3 || r.Incomplete["name"] != 3 || len(r.Requests) != 3 || len(watched) != 3 {
		t.Errorf("%d rows, %d duplicates, %d filtered, %v incomplete, %d requests", len(r.Rows), r.Duplicates, r.Filtered, r.Incomplete, len(r.Requests))
	}
	if r.Ended != crawl.EndedRule || r.Left != 1 {
		t.Errorf("ended %s (%s), %d left", r.Ended, r.Desc, r.Left)
	}
	fields := map[string]crawl.FieldReport{}
	for _, x := range r.Fields {
		fields[x.Name] = x
	}
	if x := fields["price"]; x.Filled != 6 || x.Miss == nil || !strings.Contains(x.Miss.Because, ".price matches 1, and .price b none in this row's element (on the whole page .price b matches 4") ||
		!strings.Contains(x.Miss.HTML, "Item 1") || !strings.Contains(x.Miss.Near, "sold out") {
		t.Errorf("price: %+v %+v", x, x.Miss)
	}
	if x := fields["tags"]; x.Filled != 0 || x.Miss == nil || !strings.Contains(x.Miss.Because, ".tag matches nothing in this row's element") {
		t.Errorf("an empty list: %+v %+v", x, x.Miss)
	}
	if x := fields["name"]; x.Filled != 12 || x.Miss == nil {
		t.Errorf("a required field that dropped rows is not explained: %+v", x)
	}
	if x := fields["stock"]; !x.Off || x.Function != "more" || x.Miss != nil {
		t.Errorf("a field of an add-on that is off: %+v", x)
	}
	if f := r.Follow[0]; len(r.Follow) != 1 || f.Rule != "select: a.next" || f.Pages != 3 || f.Found != 3 || f.Miss != nil || f.To != "list" {
		t.Errorf("follow: %+v", f)
	}
	first := r.Requests[0]
	if first.Status != 200 || first.Rows != 6 || first.Links != 1 || first.Page != "list" || first.Bytes == 0 || first.Method != "GET" {
		t.Errorf("the first request: %+v", first)
	}
}

// TestTryEnds ends trials by each of their bounds and by what the site does.
func TestTryEnds(t *testing.T) {
	url := trySite(t)
	for name, c := range map[string]struct {
		path  string
		set   func(*crawl.Trial)
		ended crawl.Ended
		rows  int
		pages int
	}{
		"enough rows":      {"/", func(tr *crawl.Trial) { tr.MaxRows = 3 }, crawl.EndedRows, 3, 1},
		"its own maximum":  {"/", func(tr *crawl.Trial) { tr.Params = map[string]any{"max_results": 2} }, crawl.EndedRows, 2, 1},
		"enough pages":     {"/", func(tr *crawl.Trial) { tr.MaxPages = 1 }, crawl.EndedPages, 6, 1},
		"its own pages":    {"/", func(tr *crawl.Trial) { tr.Params = map[string]any{"max_pages": 1} }, crawl.EndedPages, 6, 1},
		"rows by details":  {"/", func(tr *crawl.Trial) { tr.Params = map[string]any{"more": true}; tr.MaxRows = 2 }, crawl.EndedRows, 2, 3},
		"nothing there":    {"/none", func(*crawl.Trial) {}, crawl.EndedDone, 0, 1},
		"nothing new":      {"/same", func(tr *crawl.Trial) { tr.MaxPages = 1000 }, crawl.EndedRule, 1, 4},
		"a detected state": {"/out", func(*crawl.Trial) {}, crawl.EndedPaused, 0, 1},
	} {
		t.Run(name, func(t *testing.T) {
			tr, f := trialOf(t, tried, url+c.path)
			c.set(&tr)
			r, err := crawl.Try(t.Context(), f, tr)
			if err != nil || r.Ended != c.ended || len(r.Rows) != c.rows || len(r.Requests) != c.pages {
				t.Errorf("%v: %s (%s), %d rows, %d requests", err, r.Ended, r.Desc, len(r.Rows), len(r.Requests))
			}
		})
	}
	tr, f := trialOf(t, tried, url+"/empty")
	r, err := crawl.Try(t.Context(), f, tr)
	if err != nil || len(r.Rows) != 0 || r.Incomplete["name"] != 1 {
		t.Errorf("%v, %+v", err, r)
	}
	hang := site(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/robots.txt" {
			<-r.Context().Done()
		}
	})
	tr, f = trialOf(t, tried, hang)
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if r, err = crawl.Try(ctx, f, tr); err != nil || r.Ended != crawl.EndedTime || len(r.Requests) != 1 {
		t.Errorf("a site that hangs: %v, %+v", err, r)
	}
	for what, change := range map[string]func(*crawl.Trial){
		"task":  func(tr *crawl.Trial) { tr.Task = map[string]any{"url": "nope"} },
		"param": func(tr *crawl.Trial) { tr.Params = map[string]any{"nope": 1} },
	} {
		tr, f := trialOf(t, tried, url)
		change(&tr)
		if _, err := crawl.Try(t.Context(), f, tr); shoal.KindOf(err) != shoal.KindInvalid {
			t.Errorf("a wrong %s: %v", what, err)
		}
	}
}

// TestCheck runs a recorded test that holds, and ones that differ in each way.
func TestCheck(t *testing.T) {
	tr, f := trialOf(t, tried, trySite(t)+"/")
	rec := har.Record(f)
	tr.MaxRows = 1000
	if _, err := crawl.Try(t.Context(), rec, tr); err != nil {
		t.Fatal(err)
	}
	file := rec.File()
	for name, c := range map[string]struct {
		change func(*crawler.Test)
		want   string
	}{
		"holds": {func(*crawler.Test) {}, ""},
		"exact": {func(c *crawler.Test) { c.Min, c.Max = 12, 12 }, ""},
		"first": {func(c *crawler.Test) {
			c.First = map[string]any{"name": "Item 0", "price": 0.5, "tags": []any{}, "stock": nil}
		}, ""},
		"too few":     {func(c *crawler.Test) { c.Min = 13 }, "rows: want at least 13, got 12"},
		"too many":    {func(c *crawler.Test) { c.Max = 11 }, "rows: want at most 11, got 12"},
		"other value": {func(c *crawler.Test) { c.First = map[string]any{"price": int64(1)} }, "row 1, price: want 1, got 0.5"},
		"all":         {func(c *crawler.Test) { c.All = []map[string]any{{"name": "Item 0"}, {"name": "x"}} }, `rows: want exactly the 2 of all:, got 12; row 2, name: want "x", got "Item 1"`},
		"unrecorded":  {func(c *crawler.Test) { c.Params = map[string]any{"more": true}; c.Pages = 3 }, "requests: want only recorded ones, got GET http"},
		"other task":  {func(c *crawler.Test) { c.Task["url"] = "https://a.example/" }, "requests: want only recorded ones, got GET https://a.example/"},
	} {
		t.Run(name, func(t *testing.T) {
			test := crawler.Test{Task: map[string]any{"url": tr.Task["url"]}, Min: 1}
			c.change(&test)
			_, diffs, err := crawl.Check(t.Context(), tr.Program, test, file.Replay())
			if err != nil {
				t.Fatal(err)
			}
			var said []string
			for _, d := range diffs {
				said = append(said, d.String())
			}
			if got := strings.Join(said, "; "); c.want == "" && got != "" || !strings.HasPrefix(got, c.want) {
				t.Errorf("%s\nwant %s", got, c.want)
			}
		})
	}
}
