package extract

import (
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"shoal"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// golden compares got with testdata/name.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v (make it with: go test ./internal/extract -update)", err)
	}
	if d := cmp.Diff(string(want), got); d != "" {
		t.Errorf("%s (-want +got):\n%s", path, d)
	}
}

// show writes an outcome for a golden file, one fact per line.
func show(t *testing.T, o *Outcome) string {
	t.Helper()
	var b strings.Builder
	for i, r := range o.Rows {
		if !json.Valid(r.Data) {
			t.Errorf("row %d is not JSON: %s", i, r.Data)
		}
		fmt.Fprintf(&b, "row functions=%b\n", r.Functions)
		var ordered map[string]json.RawMessage
		if err := json.Unmarshal(r.Data, &ordered); err != nil {
			t.Error(err)
		}
		d := json.NewDecoder(strings.NewReader(string(r.Data)))
		d.Token()
		for d.More() {
			k, _ := d.Token()
			var v json.RawMessage
			if err := d.Decode(&v); err != nil {
				t.Error(err)
				break
			}
			if string(v) != "null" {
				fmt.Fprintf(&b, "  %s: %s\n", k, v)
			}
		}
	}
	for _, f := range o.Found {
		fmt.Fprintf(&b, "found %d %s %s", f.Depth, f.Page, f.URL)
		if f.Carry != nil {
			fmt.Fprintf(&b, " carry %s", f.Carry)
		}
		if f.Extra != nil {
			fmt.Fprintf(&b, " extra %s", f.Extra)
		}
		b.WriteByte('\n')
	}
	if o.Links > 0 {
		fmt.Fprintf(&b, "links %d\n", o.Links)
	}
	if o.StopTask || o.Detected != "" || o.Problem != "" {
		fmt.Fprintf(&b, "stop %v %q detected %q problem %q\n", o.StopTask, o.StopReason, o.Detected, o.Problem)
	}
	return b.String()
}

// page makes an HTML answer with status 200.
func page(url, body string) *Page {
	return &Page{URL: url, RequestURL: url, Status: 200, Header: http.Header{"Content-Type": {"text/html"}},
		MediaType: "text/html", Body: []byte(body), WireBytes: int64(len(body))}
}

// start returns a task and its first request.
func start(t *testing.T, pl *Plan, url string) (*Task, shoal.Request) {
	t.Helper()
	task := &Task{Seq: 1, Params: map[string]any{"url": url}}
	req, err := pl.Start(task)
	if err != nil {
		t.Fatal(err)
	}
	return task, req
}

func TestWebsite(t *testing.T) {
	const site = "https://example.com/docs/"
	all := []string{"text", "markdown", "links"}
	cases := []struct {
		name      string
		params    map[string]any
		functions []string
		depth     int
		page      *Page
	}{
		{name: "plain", functions: all, page: page(site, `<!doctype html><html lang="en-GB"><head><title> A
			title </title><meta NAME="Description" content="What it is"><link rel="canonical" href="/docs/"></head>
			<body><h1>First <em>head</em></h1><h1>Second</h1><p>Some text &amp; more.</p><script>var hidden = 1</script>
			<a href="one.html">One</a> <a href="/two?utm_source=x&b=2#part">Two</a> <a href="http://other.example/">Other</a></body></html>`)},
		{name: "messy", functions: all, page: page(site, `<title>Unclosed <b>tags</title><p>one<p>two<div><a href=' x.html '>X</a><a href=x.html#a>again</a>
			<a href="mailto:a@b.example">mail</a><a href="JavaScript:void(0)">js</a><a href="tel:+1">tel</a><a href="">self</a><a href="#top">top</a>
			<a href="//EXAMPLE.com:443/a/../b/./c?PHPSESSID=1&q=%7euser">proto</a><a href="http://[::1">broken</a><a name=no>none</a>
			<a href="photo.JPG">img</a><a href="https://www.example.com/www">www</a><area href="area.html"><svg><a xlink:href="svg.html">s</a></svg>
			<noscript><a href="noscript.html">n</a></noscript><template><a href="template.html">t</a></template>`)},
		{name: "base", page: page(site, `<base href="/other/"><base href="/ignored/"><a href="x">x</a><a href="?q=1">q</a>`)},
		{name: "not found", page: func() *Page {
			p := page(site+"gone", `<title>Not found</title><a href="/">home</a>`)
			p.Status = 404
			return p
		}(), depth: 2},
		{name: "pdf", page: func() *Page {
			p := page(site+"file", "%PDF-1.7 <a href=no>")
			p.MediaType = "application/pdf"
			return p
		}(), depth: 1},
		{name: "empty", page: page(site, "")},
		{name: "prefix", params: map[string]any{"scope": "prefix"}, page: page(site, `<a href="in.html">in</a><a href="/out.html">out</a><a href="../docs/in2">in2</a>`)},
		{name: "domain", params: map[string]any{"scope": "domain"}, page: page(site, `<a href="https://sub.example.com/x">in</a><a href="https://example.org/">out</a>`)},
		{name: "patterns", params: map[string]any{"include": "/blog/", "exclude": `\?page=`}, page: page(site, `<a href="/blog/1">1</a><a href="/blog/?page=2">2</a><a href="/shop">3</a>`)},
		{name: "depth", params: map[string]any{"max_depth": 2}, depth: 2, page: page(site+"deep", `<a href="deeper">x</a>`)},
		{name: "trap", page: page(site+"a/b/a/b/a/b/", `<a href="a/b/">deeper</a><a href="c">fine</a>`)},
		{name: "redirected start", page: func() *Page {
			p := page("https://moved.example/home/", `<a href="in">in</a><a href="https://example.com/docs/">old</a>`)
			p.RequestURL = site
			return p
		}()},
		{name: "redirected away", depth: 1, page: page("https://elsewhere.example/", `<title>Not ours</title><a href="https://example.com/docs/back">back</a>`)},
		{name: "unicode", functions: []string{"text"}, page: page(site, "<title>Zażółć\u00a0 gęślą</title><body>\u2003日本語\u3000テキスト<br>emoji 🦑\x00\"quoted\" back\\slash<pre>a\n  b</pre><table><tr><td>c1<td>c2</table></body>")},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			pl := plan(t, program(t, "crawlers/website.yaml"), c.params, c.functions...)
			task, req := start(t, pl, site)
			if req.Depth = c.depth; c.depth > 0 {
				req.URL = c.page.URL
			}
			o, err := pl.Read(task, &req, c.page)
			if err != nil {
				t.Fatal(err)
			}
			golden(t, "website/"+strings.ReplaceAll(c.name, " ", "_")+".txt", show(t, o))
		})
	}
}
