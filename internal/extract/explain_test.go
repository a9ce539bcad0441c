package extract

import (
	"strings"
	"testing"

	"shoal"
	"shoal/internal/crawler"
)

// TestExplain reads pages that lack what is looked for, in each way in which it
// can be looked for, and compares what is said of it.
func TestExplain(t *testing.T) {
	const shop = `<html><body class="shop"><ul id="all"><li class="item"><h2 title="A">A</h2><p class="price">call us</p></li><li class="item"><h2>B</h2></li></ul><p class="outside">x</p></body></html>`
	const list = `{"data":{"items":[{"id":7,"name":null,"sub":{"a":1}}],"none":[]}}`
	for name, c := range map[string]struct {
		page, body, typ string
		field           string // empty: the rows
		says            string
	}{
		"rows by a selector":      {"rows: {each: ul.all li, key: f, fields: {f: {select: h2}}}", shop, "text/html", "", `ul matches 1, and ul.all none`},
		"an alike class":          {"rows: {each: li.itm, key: f, fields: {f: {select: h2}}}", shop, "text/html", "", `li matches 2, and li.itm none; did you mean .item?`},
		"outside of the row":      {"rows: {each: li, key: g, fields: {g: {select: h2}, f: {select: p.outside}}}", shop, "text/html", "f", `p.outside none in this row's element (on the whole page p.outside matches 1: is it outside of the row?)`},
		"a number that is none":   {"rows: {each: li, key: g, fields: {g: {select: h2}, f: {select: .price, as: money}}}", shop, "text/html", "f", `the text "call us" is no money`},
		"a match that is none":    {`rows: {each: li, key: g, fields: {g: {select: h2}, f: {select: .price, match: '\d+'}}}`, shop, "text/html", "f", `match \d+ does not fit the text "call us"`},
		"a map without it":        {"rows: {each: li, key: g, fields: {g: {select: h2}, f: {select: .price, map: {yes: 1}}}}", shop, "text/html", "f", `map has no entry for the text "call us"`},
		"no attribute":            {"rows: {each: li, key: g, fields: {g: {select: h2}, f: {select: h2, attr: href}}}", shop, "text/html", "f", `no attribute "href"; it has title`},
		"an expression":           {"rows: {each: li, key: g, fields: {g: {select: h2}, f: {value: 'query(url, \"none\")'}}}", shop, "text/html", "f", "expression gives nothing"},
		"rows by XPath":           {"rows: {xpath: //ul/li/div, key: f, fields: {f: {select: h2}}}", shop, "text/html", "", `//ul/li matches 2, and //ul/li/div none`},
		"a field by XPath":        {"rows: {each: li, key: g, fields: {g: {select: h2}, f: {xpath: .//p/b}}}", shop, "text/html", "f", `.//p matches 1, and .//p/b none`},
		"an XPath at the root":    {"rows: {each: li, key: g, fields: {g: {select: h2}, f: {xpath: /p/b}}}", shop, "text/html", "f", `write .//`},
		"rows of JSON":            {"format: json\n    rows: {each: data.itmes, key: f, fields: {f: {path: id}}}", list, "application/json", "", `there is no "itmes" in data; there is items, none`},
		"an empty list":           {"format: json\n    rows: {each: data.none, key: f, fields: {f: {path: id}}}", list, "application/json", "", `data.none is an empty list`},
		"a path in JSON":          {"format: json\n    rows: {each: data.items, key: g, fields: {g: {path: id}, f: {path: sub.b.c}}}", list, "application/json", "f", `there is no "b" in sub; there is a`},
		"null in JSON":            {"format: json\n    rows: {each: data.items, key: g, fields: {g: {path: id}, f: {path: name}}}", list, "application/json", "f", `name is null`},
		"rows by jq":              {"format: json\n    rows: {jq: '.data.other[]?', key: f, fields: {f: {path: id}}}", list, "application/json", "", `jq .data.other[]? gives nothing; there is data`},
		"a field by jq":           {"format: json\n    rows: {each: data.items, key: g, fields: {g: {path: id}, f: {jq: .x}}}", list, "application/json", "f", `jq .x gives nothing that fits; there is id, name, sub`},
		"a column":                {"format: csv\n    rows: {key: g, fields: {g: {path: a}, f: {path: c}}}", "a,b\n1,2\n", "text/csv", "f", `there is no column "c"; the columns are a, b`},
		"a column's value":        {"format: csv\n    rows: {key: g, fields: {g: {path: a}, f: {path: b, as: int}}}", "a,b\n1,many\n", "text/csv", "f", `the text "many" is no int`},
		"a short line":            {"format: csv\n    rows: {key: g, fields: {g: {path: a}, f: {path: b}}}", "a,b\n1\n", "text/csv", "f", `the line has 1 columns`},
		"an XML element":          {"format: xml\n    rows: {each: item, key: g, fields: {g: {select: a}, f: {select: b}}}", "<x><item><a>1</a></item></x>", "text/xml", "f", `no element "b"`},
		"rows of XML":             {"format: xml\n    rows: {xpath: //x/entry, key: g, fields: {g: {select: a}}}", "<x><item><a>1</a></item></x>", "text/xml", "", `//x matches 1, and //x/entry none`},
		"a page that is no HTML":  {"rows: {each: li, key: f, fields: {f: {select: h2}}}", "%PDF", "application/pdf", "", `the answer is application/pdf, no HTML document`},
		"an object's own element": {"rows: {each: li, key: g, fields: {g: {select: h2}, f: {select: .seller, fields: {n: {select: b}}}}}", shop, "text/html", "f", `.seller matches nothing`},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := crawler.Compile("x.yaml", []byte("slug: a-b\nname: A\nstart: {url: https://a.example/, page: p}\npages:\n  p:\n    "+c.page+"\n"))
			if err != nil {
				t.Fatal(err)
			}
			pl, err := New(p, shoal.RunSettings{})
			if err != nil {
				t.Fatal(err)
			}
			task := &Task{}
			start, err := pl.Start(task)
			if err != nil {
				t.Fatal(err)
			}
			e := NewExplanation()
			if _, err := pl.Read(task, &start, &Page{URL: start.URL, RequestURL: start.URL, Status: 200, MediaType: c.typ, Body: []byte(c.body), Explain: e}); err != nil {
				t.Fatal(err)
			}
			miss := e.Rows["p"]
			if c.field != "" {
				miss = e.Fields[c.field]
			}
			if miss == nil {
				t.Fatalf("nothing is said; rows %v, fields %v", e.Rows, e.Fields)
			}
			if !strings.Contains(miss.Because, c.says) {
				t.Errorf("says %q\nwant %q", miss.Because, c.says)
			}
		})
	}
}
