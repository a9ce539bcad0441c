package extract

import (
	"bytes"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"unicode/utf8"

	"github.com/andybalholm/cascadia"
	"golang.org/x/net/html"

	"shoal"
	"shoal/internal/dom"
)

// corpora are the pages to measure with: a synthetic one, and Debian's
// documentation packages where they are installed.
func corpora(b *testing.B) map[string][][]byte {
	out := map[string][][]byte{"synthetic": {syntheticPage(400)}}
	for name, dir := range map[string]string{
		"python":     "/usr/share/doc/python3.11-doc/html/library",
		"postgresql": "/usr/share/doc/postgresql-doc-15/html",
		"openjdk":    "/usr/share/doc/openjdk-17-doc/api/java.base/java/util",
	} {
		if pages := load(b, dir, 60); len(pages) > 0 {
			out[name] = pages
		}
	}
	return out
}

// load reads up to n HTML files below dir, spread evenly.
func load(b *testing.B, dir string, n int) [][]byte {
	var paths []string
	_ = filepath.WalkDir(resolved(dir), func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && strings.HasSuffix(path, ".html") {
			paths = append(paths, path)
		}
		return nil
	})
	var pages [][]byte
	for i := 0; i < len(paths); i += max(1, len(paths)/n) {
		body, err := os.ReadFile(paths[i])
		if err != nil {
			b.Fatal(err)
		}
		pages = append(pages, body)
	}
	return pages
}

// syntheticPage makes a page with the given number of entries, each a heading,
// a paragraph and links.
func syntheticPage(entries int) []byte {
	var b bytes.Buffer
	b.WriteString(`<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>Synthetic page</title>
<link rel="stylesheet" href="style.css"><meta name="description" content="A page for measuring"></head><body><h1>Synthetic</h1><nav><ul>`)
	for i := range 60 {
		fmt.Fprintf(&b, `<li class="nav-item"><a class="reference internal" href="../chapter%d/index.html">Chapter %d</a></li>`, i, i)
	}
	b.WriteString(`</ul></nav><main>`)
	for i := range entries {
		fmt.Fprintf(&b, `<section id="s%d"><h2>Entry %d<a class="headerlink" href="#s%d" title="Link">¶</a></h2>
<p>Some <em>running</em> text with <code class="literal"><span class="pre">code_%d()</span></code>, a <a href="entry-%d.html#top">link</a> &amp; more words to read.</p></section>`, i, i, i, i, i%97)
	}
	b.WriteString(`</main></body></html>`)
	return b.Bytes()
}

const benchURL = "http://127.0.0.1:8000/docs/library/page.html"

// BenchmarkPage reads pages with the benchmark's definition; BenchmarkBare does
// the same by hand with x/net/html, cascadia and net/url.
func BenchmarkPage(b *testing.B) {
	for name, pages := range corpora(b) {
		b.Run(name, func(b *testing.B) {
			pl := plan(b, program(b, "bench/docsite.yaml"), nil)
			task := &Task{Params: map[string]any{"url": "http://127.0.0.1:8000/docs/index.html"}}
			req := shoal.Request{URL: benchURL, Page: "page", Depth: 1}
			measure(b, pages, func(body []byte) int {
				o, err := pl.Read(task, &req, &Page{URL: benchURL, Status: 200, MediaType: "text/html", Body: body})
				if err != nil || len(o.Rows) != 1 {
					b.Fatal(o, err)
				}
				return len(o.Rows[0].Data) + len(o.Found)
			})
		})
	}
}

func BenchmarkBare(b *testing.B) {
	for name, pages := range corpora(b) {
		b.Run(name, func(b *testing.B) {
			measure(b, pages, func(body []byte) int {
				p := handWritten(b, body)
				return len(p.links) + p.length + len(p.title) + len(p.h1)
			})
		})
	}
}

// BenchmarkParse is the parser alone: the part of both that neither can change.
func BenchmarkParse(b *testing.B) {
	for name, pages := range corpora(b) {
		b.Run(name, func(b *testing.B) {
			doc := &dom.Document{}
			measure(b, pages, func(body []byte) int {
				if !parseHTML(doc, body).Exists() {
					b.Fatal("no document")
				}
				return 1
			})
		})
	}
}

// cpuTime is what the process has used, garbage collection included: on a busy
// machine the only figure that can be compared.
func cpuTime(b *testing.B) int64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return u.Utime.Nano() + u.Stime.Nano()
}

func measure(b *testing.B, pages [][]byte, f func([]byte) int) {
	size := 0
	for _, p := range pages {
		size += len(p)
	}
	b.SetBytes(int64(size / len(pages)))
	b.ReportAllocs()
	total, i, before := 0, 0, cpuTime(b)
	for b.Loop() {
		total += f(pages[i%len(pages)])
		i++
	}
	runtime.KeepAlive(total)
	b.ReportMetric(float64(cpuTime(b)-before)/float64(b.N)/1000, "cpu-µs/op")
}

var (
	bareTitle = cascadia.MustCompile("title")
	bareH1    = cascadia.MustCompile("h1")
	bareLinks = cascadia.MustCompile("a[href]")
	bareBody  = cascadia.MustCompile("body")
)

type barePage struct {
	title  string
	h1     []string
	links  []string
	follow []string
	length int
}

// handWritten is what a programmer writes who uses the libraries directly.
func handWritten(tb testing.TB, body []byte) barePage {
	doc, err := html.ParseWithOptions(bytes.NewReader(body), html.ParseOptionEnableScripting(false))
	if err != nil {
		tb.Fatal(err)
	}
	base, err := url.Parse(benchURL)
	if err != nil {
		tb.Fatal(err)
	}
	var p barePage
	if n := bareTitle.MatchFirst(doc); n != nil {
		p.title = strings.Join(strings.Fields(bareText(n)), " ")
	}
	for _, n := range bareH1.MatchAll(doc) {
		p.h1 = append(p.h1, strings.Join(strings.Fields(bareText(n)), " "))
	}
	seen, queued := map[string]bool{}, map[string]bool{}
	for _, n := range bareLinks.MatchAll(doc) {
		for _, a := range n.Attr {
			if a.Key != "href" {
				continue
			}
			u, err := base.Parse(strings.TrimSpace(a.Val))
			if err != nil {
				continue
			}
			if s := u.String(); !seen[s] {
				seen[s] = true
				p.links = append(p.links, s)
			}
			u.Fragment, u.RawFragment = "", ""
			if s := u.String(); strings.HasPrefix(s, "http://127.0.0.1:8000/docs/") && !queued[s] {
				queued[s] = true
				p.follow = append(p.follow, s)
			}
		}
	}
	if n := bareBody.MatchFirst(doc); n != nil {
		p.length = utf8.RuneCountInString(strings.Join(strings.Fields(bareText(n)), " "))
	}
	return p
}

func bareText(n *html.Node) string {
	var b strings.Builder
	var walk func(*html.Node)
	walk = func(n *html.Node) {
		if n.Type == html.TextNode {
			b.WriteString(n.Data)
		}
		if n.Type == html.ElementNode && (n.Data == "script" || n.Data == "style" || n.Data == "template") {
			return
		}
		for c := n.FirstChild; c != nil; c = c.NextSibling {
			walk(c)
		}
	}
	walk(n)
	return b.String()
}

// resolved follows the symbolic links that Debian puts before documentation.
func resolved(dir string) string {
	if real, err := filepath.EvalSymlinks(dir); err == nil {
		return real
	}
	return dir
}
