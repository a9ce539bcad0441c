package extract

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"shoal"
	"shoal/internal/dom/address"
)

// TestSameAsByHand checks that the one-walk extractor gives what the libraries
// give when used one after the other: on the synthetic page, on the test's
// shop, and on awkward markup.
func TestSameAsByHand(t *testing.T) {
	pages := map[string]string{
		"synthetic": string(syntheticPage(50)),
		"listing":   listing,
		"detail":    detail,
		"awkward": `<title>A <b>title</b></title><h1> x </h1><svg><title>no</title><a href="s">s</a></svg><h1>y<br>z</h1>
<a href>empty</a><a href="">self</a><a href="#f">f</a><a href="q?x=1#f">q</a><a href=" sp ">sp</a><a href="ü%20">u</a><a href="%zz">bad</a>
<table><a href="foster">foster</a><tr><td>cell</table><p>one<div>two<p>three <a href="open">unclosed<a href="nested">nested</a>
<noscript><a href="ns">ns</a></noscript><textarea><a href="no"></textarea>` + "\u00a0nbsp\u2003em\n",
	}
	pl := plan(t, program(t, "bench/docsite.yaml"), nil)
	task := &Task{Params: map[string]any{"url": "http://127.0.0.1:8000/docs/index.html"}}
	for name, body := range pages {
		t.Run(name, func(t *testing.T) { sameAsByHand(t, pl, task, body) })
	}
	// Differential runs over real documentation: SHOAL_TEST_PAGES names a directory of HTML files.
	if dir := os.Getenv("SHOAL_TEST_PAGES"); dir != "" {
		paths, err := filepath.Glob(filepath.Join(resolved(dir), "*.html"))
		if err != nil || len(paths) == 0 {
			t.Fatalf("no pages in %s: %v", dir, err)
		}
		for _, path := range paths {
			body, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			t.Run(filepath.Base(path), func(t *testing.T) { sameAsByHand(t, pl, task, string(body)) })
		}
	}
}

func sameAsByHand(t *testing.T, pl *Plan, task *Task, body string) {
	t.Helper()
	req := shoal.Request{URL: benchURL, Page: "page", Depth: 1}
	o := read(t, pl, task, req, page(benchURL, body))
	if len(o.Rows) != 1 {
		t.Fatalf("%d rows: %s", len(o.Rows), o.Problem)
	}
	var row struct {
		Title  string   `json:"title"`
		H1     []string `json:"h1"`
		Links  []string `json:"links"`
		Length int      `json:"text_length"`
	}
	if err := json.Unmarshal(o.Rows[0].Data, &row); err != nil {
		t.Fatal(err)
	}
	got := barePage{title: row.Title, links: row.Links, length: row.Length}
	got.h1 = append(got.h1, row.H1...)
	for _, f := range o.Found {
		got.follow = append(got.follow, f.URL)
	}
	want := handWritten(t, []byte(body))
	want.follow = canonicals(want.follow)
	if d := cmp.Diff(want, got, cmp.AllowUnexported(barePage{}), cmpopts.EquateEmpty()); d != "" {
		t.Errorf("-by hand +extracted:\n%s", d)
	}
}

// canonicals brings hand-made links to the form of requests.
func canonicals(urls []string) []string {
	var out []string
	seen := map[string]bool{benchURL: true}
	for _, u := range urls {
		if c, ok := address.Canonical(u); ok && !seen[c] {
			seen[c] = true
			out = append(out, c)
		}
	}
	return out
}
