package extract

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"shoal"
	"shoal/internal/crawler"
)

// program compiles a definition of this repository.
func program(t testing.TB, path string) *crawler.Program {
	t.Helper()
	src, err := os.ReadFile(filepath.Join("..", "..", path))
	if err != nil {
		t.Fatal(err)
	}
	return compile(t, path, string(src))
}

func compile(t testing.TB, name, src string) *crawler.Program {
	t.Helper()
	p, err := crawler.Compile(name, []byte(src))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// plan binds a program to params, with the named functions on.
func plan(t testing.TB, p *crawler.Program, params map[string]any, functions ...string) *Plan {
	t.Helper()
	on := map[string]any{}
	for _, f := range functions {
		on[f] = true
	}
	s, err := p.Settings(&shoal.Squid{Params: params, Functions: on, Concurrency: 1})
	if err != nil {
		t.Fatal(err)
	}
	pl, err := New(p, s)
	if err != nil {
		t.Fatal(err)
	}
	return pl
}

func read(t *testing.T, pl *Plan, task *Task, req shoal.Request, pg *Page) *Outcome {
	t.Helper()
	o, err := pl.Read(task, &req, pg)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

const shop = "https://books.example/catalogue/page-1.html"

const listing = `<html><body><section><ol class="row">
<li><article class="product_pod"><div class="image_container"><a href="a-light_1000/index.html"><img src="x.jpg"></a></div>
<p class="star-rating Three"><i></i></p><h3><a href="a-light_1000/index.html" title="A Light in the Attic">A Light in ...</a></h3>
<div class="product_price"><p class="price_color">£51.77</p><p class="instock availability"><i></i>
    In stock
</p></div></article></li>
<li><article class="product_pod"><p class="star-rating Five"></p><h3><a href="../catalogue/second_999/index.html" title="Second &quot;quoted&quot;">Second</a></h3>
<p class="price_color">£1,053.74</p><p class="availability">Out of stock</p></article></li>
<li><article class="product_pod"><p class="star-rating Seven"></p><h3><a title="No link">No link</a></h3><p class="price_color">free</p></article></li>
</ol><ul class="pager"><li class="current">Page 1 of 50</li><li class="next"><a href="page-2.html">next</a></li></ul></section></body></html>`

const detail = `<html><body><ul class="breadcrumb"><li><a href="/">Home</a></li><li><a href="/b">Books</a></li><li><a href="/p">Poetry</a></li><li>A Light</li></ul>
<h1>A Light in the Attic</h1><table class="table table-striped"><tr><th>UPC</th><td>a897fe39b1053632</td></tr><tr><th>Product Type</th><td>Books</td></tr>
<tr><th>Price (excl. tax)</th><td>£51.77</td></tr><tr><th>Availability</th><td>In stock (22 available)</td></tr></table>
<div id="product_description"><h2>Product Description</h2></div><p>It's hard to imagine a world without it.<br>Truly.</p></body></html>`

func TestBookshop(t *testing.T) {
	p := program(t, "crawlers/bookshop.yaml")
	t.Run("rows", func(t *testing.T) {
		pl := plan(t, p, nil)
		task, req := start(t, pl, shop)
		golden(t, "bookshop/listing.txt", show(t, read(t, pl, task, req, page(shop, listing))))
	})
	t.Run("details", func(t *testing.T) {
		pl := plan(t, p, nil, "details")
		task, req := start(t, pl, shop)
		o := read(t, pl, task, req, page(shop, listing))
		if len(o.Rows) != 0 || len(o.Found) != 3 {
			t.Fatalf("rows wait for their details: %d rows, %d requests", len(o.Rows), len(o.Found))
		}
		var book shoal.Request
		for _, f := range o.Found {
			if f.Page == "book" {
				book = f
				break
			}
		}
		golden(t, "bookshop/carried.txt", show(t, o))
		done := read(t, pl, task, book, page(book.URL, detail))
		golden(t, "bookshop/book.txt", show(t, done))
		plain := read(t, plan(t, p, nil), task, req, page(shop, listing))
		if done.Rows[0].Key != plain.Rows[0].Key {
			t.Error("the key of a row must not depend on its details")
		}
	})
}

// A carried row becomes a result exactly once, whatever becomes of its page,
// and costs only what was filled.
func TestCarriedRowSurvives(t *testing.T) {
	pl := plan(t, program(t, "crawlers/bookshop.yaml"), nil, "details")
	task, req := start(t, pl, shop)
	o := read(t, pl, task, req, page(shop, listing))
	book := o.Found[0]
	for name, pg := range map[string]*Page{
		"failed":    {RequestURL: book.URL, URL: book.URL, Failed: "connection reset"},
		"not found": {RequestURL: book.URL, URL: book.URL, Status: 404, MediaType: "text/html", Body: []byte(detail)},
		"not HTML":  {RequestURL: book.URL, URL: book.URL, Status: 200, MediaType: "image/png", Body: []byte("\x89PNG")},
		"empty":     {RequestURL: book.URL, URL: book.URL, Status: 200, MediaType: "text/html"},
	} {
		t.Run(name, func(t *testing.T) {
			got := read(t, pl, task, book, pg)
			if len(got.Rows) != 1 || got.Rows[0].Functions != 0 {
				t.Fatalf("got %+v; want the listing's row, uncharged for details", got)
			}
			var row map[string]any
			if err := json.Unmarshal(got.Rows[0].Data, &row); err != nil {
				t.Fatal(err)
			}
			if row["title"] != "A Light in the Attic" || row["price"] != 51.77 || row["upc"] != nil {
				t.Errorf("row = %v", row)
			}
		})
	}
	if again := read(t, pl, task, req, page(shop, listing)); again.Found[0].Digest != book.Digest {
		t.Error("the same book found again must be the same request")
	}
}

const sitemapXML = `<?xml version="1.0" encoding="ISO-8859-1"?><urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9" xmlns:image="x">
<url><loc> https://example.com/a?x=1&amp;y=2 </loc><lastmod>2024-05-01T10:00:00+02:00</lastmod><changefreq>daily</changefreq><priority>0.8</priority>
<image:image><image:loc>https://example.com/1.jpg</image:loc></image:image><image:image><image:loc>https://example.com/2.jpg</image:loc></image:image></url>
<url><loc><![CDATA[https://example.com/b]]></loc><lastmod>2020-01-02</lastmod></url><url><lastmod>2024-01-01</lastmod></url></urlset>`

const sitemapIndex = `<sitemapindex><sitemap><loc>https://example.com/s1.xml.gz</loc></sitemap><sitemap><loc>https://example.com/s2.xml</loc></sitemap></sitemapindex>`

func TestSitemap(t *testing.T) {
	p := program(t, "crawlers/sitemap.yaml")
	xml := func(url, body string) *Page {
		return &Page{URL: url, RequestURL: url, Status: 200, MediaType: "application/xml", Body: []byte(body)}
	}
	cases := []struct {
		name, url string
		params    map[string]any
		page      *Page
	}{
		{"urls", "https://example.com/sitemap.xml", nil, xml("https://example.com/sitemap.xml", sitemapXML)},
		{"gzip", "https://example.com/s1.xml.gz", nil, xml("https://example.com/s1.xml.gz", string(gzipped(t, []byte(sitemapXML))))},
		{"index", "https://example.com/sitemap_index.xml", nil, xml("https://example.com/sitemap_index.xml", sitemapIndex)},
		{"since", "https://example.com/sitemap.xml", map[string]any{"fetch_since": "2021-01-01 00:00"}, xml("https://example.com/sitemap.xml", sitemapXML)},
		{"truncated", "https://example.com/sitemap.xml", nil, xml("https://example.com/sitemap.xml", sitemapXML[:400])},
		{"robots", "https://example.com/some/page", nil, xml("https://example.com/robots.txt", "User-agent: *\nSitemap: https://example.com/one.xml\r\n sitemap:https://cdn.example/two.xml\n")},
		{"no robots", "https://example.com/", nil, &Page{URL: "https://example.com/robots.txt", Status: 404, MediaType: "text/html", Body: []byte("<h1>404</h1>")}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			pl := plan(t, p, c.params)
			task, req := start(t, pl, c.url)
			golden(t, "sitemap/"+strings.ReplaceAll(c.name, " ", "_")+".txt",
				fmt.Sprintf("start %s %s\n%s", req.Page, req.URL, show(t, read(t, pl, task, req, c.page))))
		})
	}
}

func gzipped(t *testing.T, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

const api = `
slug: api-items
name: API items
input:
  - {name: q, level: task, type: string, required: true}
  - {name: token, level: squid, type: string, default: secret}
start:
  url: "https://api.example/search/{{ task.q }}?q={{ task.q }}&n=1"
  method: POST
  header: {X-Token: "{{ params.token }}"}
  body: '{"q": "{{ task.q }}"}'
  page: items
pages:
  items:
    format: json
    status: any
    rows:
      each: data.items
      key: [kind, number]
      where: row.number > 1
      fields:
        kind: {value: "'k' + string(status)"}
        number: {path: n, as: int, required: true}
        id: {path: id}
        tags: {path: tags, list: true}
        name: {path: user.name, replace: [{match: '^Dr\. ', with: ''}], default: nobody}
        late: {header: x, from: header.X-Late, as: boolean}
    stop:
      - {when: rows < 3}
detect:
  - {when: status == 429, reason: too_many_requests}
  - {when: 'header["x-login"] == "yes"', reason: cookies_expired}
`

func TestJSONAndRequests(t *testing.T) {
	p := compile(t, "api.yaml", strings.Replace(api, "header: x, ", "", 1))
	pl := plan(t, p, nil)
	task := &Task{Params: map[string]any{"q": "a b/c&d"}}
	req, err := pl.Start(task)
	if err != nil {
		t.Fatal(err)
	}
	pg := &Page{URL: req.URL, Status: 200, MediaType: "application/json", Header: http.Header{"X-Late": {"yes"}, "X-Login": {"yes"}},
		Body: []byte(`{"data": {"items": [{"n": 1}, {"n": "2", "id": 7, "tags": ["x"], "user": {"name": "Dr. Who"}}, {"id": 9}]}}`)}
	golden(t, "api.txt", fmt.Sprintf("%s\n%s\n%s", req.URL, req.Extra, show(t, read(t, pl, task, req, pg))))
	pg.Status, pg.Header = 429, nil
	if o := read(t, pl, task, req, pg); o.Detected != shoal.ReasonTooManyRequests {
		t.Errorf("detected %q", o.Detected)
	}
	pg.Body = []byte("<html>")
	if o := read(t, pl, task, req, pg); !strings.Contains(o.Problem, "not JSON") {
		t.Errorf("problem %q", o.Problem)
	}
}

const feed = `
slug: a-feed
name: A feed
input: [{name: url, level: task}]
start: {url: "{{ task.url }}"}
pages:
  feed:
    format: xml
    follow:
      - {select: feed > link, attr: href, exclude: self}
    rows:
      each: item | entry
      key: url
      fields:
        url: {select: link, attr: href, as: url}
        title: {select: title, required: true}
        tags: {select: category, list: true}
        author: {select: author > name}
`

func TestXMLAttributesAndLists(t *testing.T) {
	pl := plan(t, compile(t, "feed.yaml", feed), nil)
	task, req := start(t, pl, "https://example.com/feed")
	o := read(t, pl, task, req, &Page{URL: req.URL, Status: 200, MediaType: "application/atom+xml", Body: []byte(`<feed><link href="/self"/><link href="/next"/>
<title>Feed</title><name>nobody</name><entry><link href="/1"/><title>One <![CDATA[& only]]></title><category>a</category><category> </category><category>b</category>
<author><name>Ann</name></author></entry><entry><link href="/2"/></entry></feed>`)})
	golden(t, "feed.txt", show(t, o))
}

// TestConcurrentReads reads with one plan and one task from many goroutines.
func TestConcurrentReads(t *testing.T) {
	pl := plan(t, program(t, "crawlers/website.yaml"), nil, "text", "markdown", "links")
	task, req := start(t, pl, "https://example.com/")
	bodies := []string{listing, detail, string(syntheticPage(20)), ""}
	var want []string
	for _, b := range bodies {
		want = append(want, show(t, read(t, pl, task, req, page("https://example.com/", b))))
	}
	fresh := &Task{Params: task.Params}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for i := range 40 {
				o, err := pl.Read(fresh, &req, page("https://example.com/", bodies[i%len(bodies)]))
				if err != nil {
					t.Error(err)
					return
				}
				if got := show(t, o); got != want[i%len(bodies)] {
					t.Errorf("page %d gave something else among others:\n%s", i, got)
				}
			}
		})
	}
	wg.Wait()
}

func TestStartRefusesWhatCannotBeFetched(t *testing.T) {
	p := compile(t, "x.yaml", `{slug: x, name: X, input: [{name: url, level: task}], start: {url: "{{ task.url }}"},
  pages: {p: {rows: {key: u, fields: {u: {from: url}}}}}}`)
	pl := plan(t, p, nil)
	for _, bad := range []string{"file:///etc/passwd", "ftp://h/x", "javascript:alert(1)", "gopher://h/", "/etc/passwd", "", "http://", "http://a b/", "data:,x"} {
		_, err := pl.Start(&Task{Params: map[string]any{"url": bad}})
		if shoal.KindOf(err) != shoal.KindInvalid || shoal.CodeOf(err) != "TaskNotValidError" {
			t.Errorf("Start(%q) = %v; want a TaskNotValidError", bad, err)
		}
	}
}
