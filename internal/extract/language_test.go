package extract

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"shoal"
	"shoal/internal/crawler"
)

// pagesOf compiles a crawler whose pages are given, and binds it.
func pagesOf(t testing.TB, pages string, params map[string]any) *Plan {
	t.Helper()
	return settledPlan(t, "slug: my-test\nname: My test\ninput:\n  - {name: url, level: task}\n  - {name: size, level: squid, type: int, default: 2}\n"+
		"start: {url: '{{ task.url }}', page: p}\npages:\n"+pages, params)
}

// planOf compiles and binds a whole definition.
func planOf(t testing.TB, src string) *Plan {
	t.Helper()
	return settledPlan(t, src, nil)
}

func settledPlan(t testing.TB, src string, params map[string]any) *Plan {
	t.Helper()
	p, err := crawler.Compile("test.yaml", []byte(src))
	if err != nil {
		t.Fatalf("%v\n%s", err, src)
	}
	pl, err := New(p, shoal.RunSettings{Params: params})
	if err != nil {
		t.Fatal(err)
	}
	return pl
}

// reading is what a definition makes of a page.
type reading struct {
	name   string
	pages  string // the definition's pages, the first named p
	media  string
	body   string
	header http.Header
	url    string
	want   string // the rows, one a line
	found  string // the requests, one a line
	says   string // in the problem
}

func (c *reading) read(t *testing.T) *Outcome {
	t.Helper()
	pl := pagesOf(t, c.pages, nil)
	url := c.url
	if url == "" {
		url = "https://example.com/dir/"
	}
	task, req := start(t, pl, url)
	pg := page(url, c.body)
	if c.media != "" {
		pg.MediaType = c.media
	}
	if c.header != nil {
		pg.Header = c.header
	}
	return read(t, pl, task, req, pg)
}

func rowsOf(t *testing.T, o *Outcome) string {
	t.Helper()
	var lines []string
	for _, r := range o.Rows {
		if !json.Valid(r.Data) {
			t.Errorf("no JSON: %s", r.Data)
		}
		lines = append(lines, string(r.Data))
	}
	return strings.Join(lines, "\n")
}

func foundOf(o *Outcome) string {
	var lines []string
	for _, f := range o.Found {
		line := fmt.Sprintf("%s %s", f.Page, f.URL)
		if f.Carry != nil {
			line += " " + string(f.Carry)
		}
		if f.Extra != nil {
			line += " " + string(f.Extra)
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}

const booth = `<base href="/shop/"><title>Shop</title>
<div class="p" data-id="1"><h2>One</h2><a href="one">x</a><i class="price">€ 9,50</i>
 <ul><li><b>S</b> <em>3</em></li><li><b>M</b> <em>0</em></li></ul></div>
<div class="p" data-id="2"><h2>Two <small>new</small></h2><a href="two#top">x</a><ul></ul></div>
<nav><a rel="next" href="?page=2">more</a></nav>`

func TestLanguage(t *testing.T) {
	for _, c := range []reading{
		{name: "xpath rows and fields", body: booth, pages: `
  p:
    rows:
      xpath: //div[@class='p']
      key: id
      fields:
        id: {xpath: '@data-id', as: int}
        name: {xpath: h2/text()}
        url: {xpath: './/a/@href', as: url}
        sizes: {xpath: .//li/b, list: true}
        n: {xpath: .//li, as: count}
        sum: {xpath: 'sum(.//em)', as: int}
        html: {xpath: h2, as: html}
`, want: `{"result_id":1,"name":"One","url":"https://example.com/shop/one","sizes":["S","M"],"n":2,"sum":3,"html":"<h2>One</h2>"}
{"result_id":2,"name":"Two","url":"https://example.com/shop/two#top","sizes":[],"n":0,"sum":0,"html":"<h2>Two <small>new</small></h2>"}`},
		{name: "addresses and texts", body: `<nav>Home</nav><main><p>One<p hidden>no</p><p>two</main><a href="/A/../b?utm_source=x&amp;sid=1&amp;q=%7e#f">x</a><i>HTTP://H.example:80/?fbclid=1</i><b>ftp://h/</b>`, pages: `
  p:
    rows:
      key: url
      fields:
        url: {select: a, attr: href, as: url}
        untracked: {select: a, attr: href, as: untracked}
        canonical: {select: a, attr: href, as: canonical}
        said: {select: i, as: canonical}
        none: {select: b, as: canonical}
        main: {select: body, as: main_text}
        text: {select: main, as: text}
`, want: `{"url":"https://example.com/b?utm_source=x&sid=1&q=%7e#f","untracked":"https://example.com/b?sid=1&q=%7e#f","canonical":"https://example.com/b?q=~","said":"http://h.example/","none":null,"main":"One\ntwo","text":"One\ntwo"}`},
		{name: "objects", body: booth, pages: `
  p:
    rows:
      each: .p
      key: id
      fields:
        id: {attr: data-id, as: int}
        first: {select: li, fields: {size: {select: b}, left: {select: em, as: int}}}
        sizes: {select: li, list: true, fields: {size: {select: b}, left: {select: em, as: int}, deep: {fields: {all: {as: text}}}}}
`, want: `{"result_id":1,"first":{"size":"S","left":3},"sizes":[{"size":"S","left":3,"deep":{"all":"S 3"}},{"size":"M","left":0,"deep":{"all":"M 0"}}]}
{"result_id":2,"first":null,"sizes":[]}`},
		{name: "types", body: `<i>1.234,56 €</i><b>03/04/2024 10:00</b><u>yes</u><s>50 %</s><a href="mailto:a@b.example">jo [at] b.example</a><em>vor 3 Tagen</em><tt>Tel. 01 23 45 67 89</tt><var>Deutschland</var>`, pages: `
  p:
    rows:
      key: money
      fields:
        money: {select: i, as: money}
        currency: {select: i, as: currency}
        day: {select: b, as: date, day_first: true, timezone: Europe/Paris}
        month: {select: b, as: date, day_first: false}
        format: {select: b, as: date, format: 'DD/MM/YYYY HH:mm'}
        bool: {select: u, as: boolean}
        percent: {select: s, as: percent}
        email: {select: a, as: email}
        none: {select: i, as: date, default: no}
        phone: {select: tt, as: phone, region: FR}
        country: {select: var, as: country}
`, want: `{"money":1234.56,"currency":"EUR","day":"2024-04-03T08:00:00Z","month":"2024-03-04T10:00:00Z","format":"2024-04-03T10:00:00Z","bool":true,"percent":50,"email":"jo@b.example","none":"no","phone":"+33123456789","country":"DE"}`},
		{name: "data of a page", body: `<title>T</title><script type="application/ld+json">{"@context":"https://schema.org","@graph":[
{"@type":"Product","sku":"a","name":"A","offers":[{"@type":"Offer","price":"1.50"},{"@type":"Offer","price":2}]},{"@type":["Thing","https://schema.org/Product"],"sku":"b"},{"@type":"Person","name":"P"}]}</script>
<meta property="og:title" content="O"><script>window.S = {a: [1,2], "b": {"c": "d"}};</script><div itemscope itemtype="http://schema.org/Book"><b itemprop="name">M</b></div>`, pages: `
  p:
    rows:
      data: jsonld
      type: Product
      key: sku
      fields:
        sku: {path: sku}
        prices: {path: 'offers.#.price', list: true, as: float}
        first: {jq: '.offers[0].price? // 0', as: float}
        offers: {path: offers, list: true, fields: {price: {path: price, as: float}}}
        title: {select: title}
        og: {data: opengraph, path: title}
        state: {data: {script: script, match: 'window\.S\s*='}, jq: .b.c}
        who: {data: jsonld, type: Person, path: name}
        book: {data: microdata, type: [Book], fields: {name: {path: name}}}
`, want: `{"sku":"a","prices":[1.5,2],"first":1.5,"offers":[{"price":1.5},{"price":2}],"title":"T","og":"O","state":"d","who":"P","book":{"name":"M"}}
{"sku":"b","prices":null,"first":0,"offers":[],"title":"T","og":"O","state":"d","who":"P","book":{"name":"M"}}`},
		{name: "where is a list", body: booth, pages: `
  p:
    rows:
      each: .p
      key: id
      where: [row.id > 0, row.id != 1]
      fields: {id: {attr: data-id, as: int}}
`, want: `{"result_id":2}`},
		{name: "json paths and jq", media: "application/json", pages: `
  p:
    format: json
    rows:
      jq: .data.items[] | select(.price != null)
      key: id
      fields:
        id: {path: id}
        tags: {path: tags, list: true}
        upper: {jq: .name | ascii_upcase}
        price: {path: price, as: money}
        prices: {jq: '.price, 1', list: true, as: money}
        dims: {path: dims, fields: {w: {path: w}, area: {jq: .w * .h}}}
        links: {path: links, list: true, fields: {href: {path: href, as: url, required: true}}}
        raw: {path: dims, as: json}
`, body: `{"data":{"items":[{"id":12345678901234567890,"name":"ä b","tags":["x", 1],"price":9.5,"dims":{"w":2, "h":3},"links":[{"href":"/a"},{"x":1}]},
{"id":2,"price":null}]}}`,
			want: `{"result_id":12345678901234567890,"tags":["x",1],"upper":"ä B","price":9.5,"prices":[9.5,1],"dims":{"w":2,"area":6},"links":[{"href":"https://example.com/a"}],"raw":{"h":3,"w":2}}`},
		{name: "json lines, guards", media: "application/json", body: ")]}',\n{\"id\":1}", pages: `
  p: {format: json, rows: {key: id, fields: {id: {path: id}}}}
`, want: `{"result_id":1}`},
		{name: "json lines", body: "{\"id\":1}\n\n{\"id\":2}\n", pages: `
  p: {format: json, rows: {each: '@this', key: id, fields: {id: {path: id}}}}
`, want: "{\"result_id\":1}\n{\"result_id\":2}"},
		{name: "jsonp", body: "/**/cb({\"id\":1});", pages: `
  p: {format: json, rows: {key: id, fields: {id: {path: id}}}}
`, want: `{"result_id":1}`},
		{name: "json follow", media: "application/json", body: `{"ids":[7,8],"next":"/more","users":[{"u":"a b"},{"u":"c"}]}`, pages: `
  p:
    format: json
    follow:
      - {path: ids, url: 'https://example.com/item/{{ link }}.json', page: q}
      - {path: next, page: q}
      - {jq: '.users[].u', url: "/u?name={{ link }}", page: q, header: {X-Of: '{{ link }}'}}
  q: {format: json, rows: {key: a, fields: {a: {path: a}}}}
`, found: `q https://example.com/item/7.json
q https://example.com/item/8.json
q https://example.com/more
q https://example.com/u?name=a+b {"header":{"X-Of":"a b"}}
q https://example.com/u?name=c {"header":{"X-Of":"c"}}`},
		{name: "rows carried by url", media: "application/json", body: `[{"id":7},{"id":8}]`, pages: `
  p:
    format: json
    follow: [{url: "https://example.com/item/{{ row.id }}", page: q, carry: row}]
    rows: {each: '@this', key: id, fields: {id: {path: id}}}
  q: {format: json, rows: {extends: row, fields: {a: {path: a}}}}
`, found: `q https://example.com/item/7 {"key":"bb153e97380f82aa57033add2c11b28a","functions":0,"row":{"result_id":7}}
q https://example.com/item/8 {"key":"0c59629d81806b2b169bcd633f8a9cb7","functions":0,"row":{"result_id":8}}`},
		{name: "csv", media: "text/csv", body: "\ufeffName;Price EUR;Note\r\n\"A \"\"x\"\"; y\";9,50;\r\nB;;\"two\nlines\"\n\n", pages: `
  p:
    format: csv
    rows: {key: name, fields: {name: {path: Name}, price: {path: price eur, as: float}, note: {path: '3'}}}
`, want: `{"name":"A \"x\"; y","price":9.5,"note":null}
{"name":"B","price":null,"note":"two lines"}`},
		{name: "csv without names", body: "a\t1\nb\t2", pages: `
  p: {format: csv, columns: [name, n], rows: {key: name, fields: {name: {path: name}, n: {path: n, as: int}}}}
`, want: "{\"name\":\"a\",\"n\":1}\n{\"name\":\"b\",\"n\":2}"},
		{name: "csv links", body: "name,link\na,/x\n", pages: `
  p:
    format: csv
    follow: [{path: link, page: q, carry: row}]
    rows: {key: name, fields: {name: {path: name}}}
  q: {rows: {extends: row, fields: {t: {select: title}}}}
`, found: `q https://example.com/x {"key":"1f0033aa97a57b85d7185f3259d93e6f","functions":0,"row":{"name":"a"}}`},
		{name: "xml by xpath", media: "application/xml", body: `<feed xmlns:dc="d"><entry id="1"><title>A &amp; b</title><dc:creator>Me</dc:creator><link rel="self" href="/s"/><link rel="alternate" href="/a"/>
<author><name>N</name><email>e</email></author></entry><entry id="2"><title>C</title></entry></feed>`, pages: `
  p:
    format: xml
    follow: [{xpath: "//link[@rel='self']/@href", page: p}]
    rows:
      xpath: //entry
      key: id
      fields:
        id: {xpath: '@id'}
        title: {select: title}
        by: {xpath: dc:creator}
        link: {xpath: "link[@rel='alternate']/@href", as: url}
        author: {select: author, fields: {name: {select: name}, email: {select: author > email}}}
`, want: `{"result_id":"1","title":"A & b","by":"Me","link":"https://example.com/a","author":{"name":"N","email":"e"}}
{"result_id":"2","title":"C","by":null,"link":null,"author":null}`, found: `p https://example.com/s`},
		{name: "link header", body: `<p>x`, header: http.Header{"Link": {`</a>; rel="prev", </b,c>; title="x, y"; rel="next nofollow"`, `<d>; rel=next`}}, pages: `
  p: {follow: [{link_header: next, page: p}], rows: {key: t, fields: {t: {select: p}}}}
`, want: `{"t":"x"}`, found: "p https://example.com/b,c\np https://example.com/dir/d"},
		{name: "follow by match", body: `<a href="javascript:go('/x?id=7')">a</a><a onclick="open(12)">b</a>`, pages: `
  p:
    follow:
      - {select: a, match: "go\\('([^']+)'\\)", page: p}
      - {xpath: //a/@onclick, match: 'open\((\d+)\)', url: '/item/{{ link }}', page: p}
` + `    rows: {key: n, fields: {n: {select: a, as: count}}}
`, want: `{"n":2}`, found: "p https://example.com/x?id=7\np https://example.com/item/12"},
		{name: "templates cannot leave the web", body: `<a href="x">/etc/passwd</a>`, pages: `
  p:
    follow: [{select: a, attr: href, url: "{{ raw('file:///etc/') + link }}", page: p}]
    rows: {key: n, fields: {n: {select: a, as: count}}}
`, want: `{"n":1}`, says: `"file:///etc/x" is no address that can be fetched`},
		{name: "broken fragment", body: `<a href="x#%_idx_288">1</a><a href="#a b">2</a><a href="y#ä%">3</a>`, pages: `
  p: {rows: {key: l, fields: {l: {select: a, attr: href, as: url, list: true}}}}
`, want: `{"l":["https://example.com/dir/x#%_idx_288","https://example.com/dir/#a%20b","https://example.com/dir/y#%C3%A4%"]}`},
		{name: "meta refresh", body: `<meta http-equiv="Refresh" content="0; URL='/new?a=1&amp;b=2'"><p>moved`, pages: `
  p: {follow: [{select: .none, page: p, scope: host}], rows: {each: .none, key: a, fields: {a: {select: b}}}}
`, found: `p https://example.com/new?a=1&b=2 {"vars":{"refreshed":1}}`},
		{name: "meta refresh elsewhere moves the scope", body: `<meta http-equiv=refresh content="1;https://other.example/">`, pages: `
  p: {follow: [{select: .none, page: p, scope: host}], rows: {each: .none, key: a, fields: {a: {select: b}}}}
`, found: `p https://other.example/ {"vars":{"refreshed":1,"scope":"https://other.example/"}}`},
		{name: "late refresh, reload", body: `<meta http-equiv=refresh content="300;url=/x"><meta http-equiv=refresh content="5"><noscript><meta http-equiv=refresh content="0;url=/nojs"></noscript>`, pages: `
  p: {follow: [{select: .none, page: p, scope: host}], rows: {each: .none, key: a, fields: {a: {select: b}}}}
`},
		{name: "expression functions", body: `<a href="/x?q=a%20b&p=1">x</a>`, pages: `
  p:
    rows:
      key: q
      fields:
        u: {select: a, attr: href, as: url}
        q: {value: "query(row.u, 'q')"}
        w: {value: "with_query(row.u, 'p', 2)"}
        n: {value: "with_query(row.u, 'q', nil)"}
        at: {value: "at('{\"a\":[{\"b\":3}]}', 'a.0.b')"}
        r: {from: request_url}
        f: {from: redirected}
`, want: `{"u":"https://example.com/x?q=a%20b&p=1","q":"a b","w":"https://example.com/x?q=a%20b&p=2","n":"https://example.com/x?p=1","at":3,"r":"https://example.com/dir/","f":false}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := c.read(t)
			if got := rowsOf(t, o); got != c.want {
				t.Errorf("rows:\n%s\nwant:\n%s", got, c.want)
			}
			if got := foundOf(o); got != c.found {
				t.Errorf("found:\n%s\nwant:\n%s", got, c.found)
			}
			if c.says == "" && o.Problem != "" || !strings.Contains(o.Problem, c.says) {
				t.Errorf("problem %q, want %q", o.Problem, c.says)
			}
		})
	}
}
