package extract

import (
	"bytes"
	"encoding/json"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"shoal"
)

// heapUsed runs f and returns how far the live heap grew while its result was held.
func heapUsed(f func() any) int64 {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	keep := f()
	runtime.GC()
	runtime.ReadMemStats(&after)
	runtime.KeepAlive(keep)
	return int64(after.HeapAlloc) - int64(before.HeapAlloc)
}

func TestMillionLinks(t *testing.T) {
	var b bytes.Buffer
	b.WriteString("<title>many</title>")
	for i := range 1_000_000 {
		fmt.Fprintf(&b, "<a href=/%d></a>", i)
	}
	pl := plan(t, program(t, "crawlers/website.yaml"), nil, "links")
	task, req := start(t, pl, "https://example.com/")
	var o *Outcome
	held := heapUsed(func() any {
		o = read(t, pl, task, req, page("https://example.com/", b.String()))
		return o
	})
	if len(o.Found) != maxLinks || len(o.Rows) != 1 || !strings.Contains(o.Problem, "50000") {
		t.Fatalf("found %d, rows %d, problem %q; want %d requests, the row, and the limit named", len(o.Found), len(o.Rows), o.Problem, maxLinks)
	}
	if held > 40<<20 {
		t.Errorf("the outcome holds %d MB", held>>20)
	}
	small := heapUsed(func() any {
		for range 20 {
			o = read(t, pl, task, req, page("https://example.com/", "<a href=x>"))
		}
		return pl
	})
	if small > 10<<20 {
		t.Errorf("%d MB stay with the plan after the huge page", small>>20)
	}
}

func TestDeepNesting(t *testing.T) {
	deep := "<title>deep</title>" + strings.Repeat("<div>", 10_000) + `<h1>bottom</h1><a href="/next">x</a>` + strings.Repeat("</div>", 10_000)
	for _, tag := range []string{"div", "b", "table", "svg", "select", "template"} {
		body := strings.ReplaceAll(strings.ReplaceAll(deep, "<div>", "<"+tag+">"), "</div>", "</"+tag+">")
		pl := plan(t, program(t, "crawlers/website.yaml"), nil, "text", "markdown", "links")
		task, req := start(t, pl, "https://example.com/")
		o := read(t, pl, task, req, page("https://example.com/", body))
		if len(o.Rows) != 1 || !strings.Contains(string(o.Rows[0].Data), `"title":"deep"`) {
			t.Errorf("%s: %+v", tag, o)
		}
		if tag == "div" && len(o.Found) != 1 {
			t.Errorf("the link at the bottom is lost: %+v", o.Found)
		}
	}
}

func TestXMLBombs(t *testing.T) {
	pl := plan(t, program(t, "crawlers/sitemap.yaml"), nil)
	task, req := start(t, pl, "https://example.com/sitemap.xml")
	for name, c := range map[string]struct{ body, problem string }{
		"deep":     {strings.Repeat("<a>", 100_000), "nested"},
		"entities": {`<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><urlset><url><loc>https://h.example/&b;</loc></url></urlset>`, ""},
		"gzip":     {string(gzipped(t, bytes.Repeat([]byte("<url>"), maxUnpacked/5+100))), "nested"},
		"text":     {"not xml at all", "nothing of what was looked for"},
		"gz junk":  {"\x1f\x8bjunk", "unpack"},
	} {
		o := read(t, pl, task, req, &Page{URL: req.URL, Status: 200, MediaType: "text/xml", Body: []byte(c.body)})
		if !strings.Contains(o.Problem, c.problem) {
			t.Errorf("%s: problem %q; want one that says %q", name, o.Problem, c.problem)
		}
	}
	spaces := gzipped(t, append([]byte("<urlset>"), bytes.Repeat([]byte("<x>"+strings.Repeat(" ", 1000)+"</x>"), maxUnpacked/1000)...))
	o := read(t, pl, task, req, &Page{URL: req.URL, Status: 200, MediaType: "text/xml", Body: spaces})
	if !strings.Contains(o.Problem, "larger than") {
		t.Errorf("gzip bomb: problem %q", o.Problem)
	}
}

func TestReadRefusesForeignPages(t *testing.T) {
	pl := plan(t, program(t, "crawlers/website.yaml"), nil)
	task, req := start(t, pl, "https://example.com/")
	req.Page = "elsewhere"
	if _, err := pl.Read(task, &req, page("https://example.com/", "")); err == nil {
		t.Error("a page kind that the crawler has not must be an error")
	}
}

func FuzzRead(f *testing.F) {
	for _, s := range []string{listing, detail, sitemapXML, "<a href='x'>", "\x1f\x8b", `{"data":{"items":[{"n":2}]}}`} {
		f.Add([]byte(s))
	}
	var plans []*Plan
	for _, path := range []string{"crawlers/website.yaml", "crawlers/bookshop.yaml", "crawlers/sitemap.yaml", "bench/docsite.yaml"} {
		p := program(f, path)
		var on []string
		for _, fn := range p.Info.Functions {
			on = append(on, fn.Name)
		}
		plans = append(plans, plan(f, p, nil, on...))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, pl := range plans {
			for kind := range pl.pages {
				task := &Task{Params: map[string]any{"url": "https://example.com/sitemap.xml"}}
				req := shoal.Request{URL: "https://example.com/x", Page: kind, Depth: 1}
				o, err := pl.Read(task, &req, &Page{URL: req.URL, Status: 200, MediaType: "text/html", Body: body})
				if err != nil {
					t.Fatal(err)
				}
				show(t, o) // every row must be JSON
			}
		}
	})
}

// What a page gives does not change when its body and the memory that it was
// read into are used again: nothing of it is a view of either.
func TestOutcomeOutlivesPage(t *testing.T) {
	const body = `<!doctype html><html lang=en><head><title>A &amp; B</title><base href="http://example.com/base/"><link rel=canonical href="http://example.com/canon"></head>
<body><h1>One</h1><a href="http://other.example/abs">x</a><a href="rel?a=1#f">y</a><a href="/root/">z</a><a href="mailto:a@example.com">m</a>
<script type="application/ld+json">{"@type":"Product","name":"Thing","offers":{"price":"3"}}</script><p title="t">Text</p><my-tag data-odd=1>odd</my-tag></body></html>`
	plans := []*Plan{plan(t, program(t, "crawlers/website.yaml"), nil, "text", "markdown", "links"), plan(t, program(t, "bench/docsite.yaml"), nil),
		pagesOf(t, `
  p: {follow: [{select: a, attr: href, page: p}], rows: {key: a, fields: {a: {select: title}, b: {data: jsonld, path: name}, c: {select: a, attr: href, list: true, unique: true},
    d: {xpath: '//my-tag/@data-odd'}, e: {select: body, as: html}, f: {fields: {g: {select: p, attr: title}}}}}}
`, nil)}
	for _, pl := range plans {
		task := &Task{Params: map[string]any{"url": "http://example.com/"}}
		req, err := pl.Start(task)
		if err != nil {
			t.Fatal(err)
		}
		explained := NewExplanation()
		readOnce := func(b []byte, e *Explanation) *Outcome {
			o, err := pl.Read(task, &req, &Page{URL: req.URL, Status: 200, MediaType: "text/html", Body: b, Explain: e})
			if err != nil {
				t.Fatal(err)
			}
			return o
		}
		mine := []byte(body)
		o := readOnce(mine, explained)
		before := told(t, o, explained)
		for i := range mine {
			mine[i] = 'X'
		}
		for range 3 {
			readOnce(bytes.Repeat([]byte("<z-z data-q='&lt;overwritten&gt;'>&amp;other&lt;</z-z><a href='http://zzz.example/q&amp;r'>"), 50), nil)
		}
		if after := told(t, o, explained); after != before {
			t.Errorf("%s\nwas\n%s", after, before)
		}
	}
}

// told is all that a reading gave.
func told(t *testing.T, o *Outcome, e *Explanation) string {
	t.Helper()
	b, err := json.Marshal([]any{o.Found, e.Fields, e.Rows, e.Follow})
	if err != nil {
		t.Fatal(err)
	}
	return show(t, o) + string(b)
}
