package extract

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// Definitions that compile and would run for ever, or fill the memory, are
// bounded when they meet a page, and the page's problem says by what.
func TestDefinitionBombs(t *testing.T) {
	deep := "<title>t</title>" + strings.Repeat("<div>", 300) + strings.Repeat("<p>x</p>", 500)
	items := "[" + strings.Repeat(`{"id":1,"t":"xxxxxxxxxx"},`, 5000) + `{"id":2}]`
	for _, c := range []struct{ name, pages, body, says string }{
		{"jq field", `  p: {format: json, rows: {key: a, fields: {a: {jq: '[range(1e9)] | length'}}}}`, items, "jq"},
		{"jq rows", `  p: {format: json, rows: {jq: 'range(1e9)', key: a, fields: {a: {path: '@this'}}}}`, items, "jq "},
		{"jq that multiplies the page", `  p: {format: json, rows: {jq: '. as $d | range(100000) | $d', key: a, fields: {a: {path: '@this'}}}}`, items, "jq "},
		{"jq recursion", `  p: {format: json, rows: {jq: 'def f: [.] | f; f', key: a, fields: {a: {path: '@this'}}}}`, items, "jq"},
		{"xpath rows", `  p: {rows: {xpath: '//*[//*[//*[//*]]]/following::*/preceding::*', key: a, fields: {a: {as: string}}}}`, deep, "more than 200000 rows"},
		{"xpath field", `  p: {rows: {key: a, fields: {a: {xpath: 'count(//*[count(//*[count(//*) > 1]) > 1])'}}}}`, deep, "visits too much"},
		{"regular expression", `  p: {rows: {key: a, fields: {a: {select: title}, b: {from: body, match: '(x+x+)+y'}}}}`, deep + strings.Repeat("x", 200_000), ""},
		{"regular expression of many steps", `  p: {rows: {key: a, fields: {a: {select: title}, b: {from: body, match: '(x?){900}y'}}}}`, deep + strings.Repeat("x", 1<<20), "take too long"},
		{"replace that multiplies", `  p: {rows: {key: a, fields: {a: {select: title}, b: {from: body, replace: [{match: x, with: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx},
			{match: 'x', with: '$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0'}]}}}}`, deep + strings.Repeat("x", 200_000), "makes a text of more than"},
		{"follow that multiplies", `  p: {follow: [{select: p, url: "/{{ link }}?{{ url }}", page: p}], rows: {key: a, fields: {a: {select: title}}}}`, deep, ""},
		{"address that grows", `  p: {follow: [{url: "{{ raw(url) + raw('x') }}", page: p}], rows: {key: a, fields: {a: {select: title}}}}`, deep, ""},
		{"rows with the page in each", `  p: {rows: {each: p, key: a, fields: {a: {attr: id}, b: {from: body}}}}`, strings.Repeat("<p>"+strings.Repeat("x", 1000), 1500), "more than 256 MB"},
		{"a row with the page in each field", `  p: {rows: {key: a, fields: {a: {select: title}` + bodies(50) + `}}}`, strings.Repeat("x", 2<<20), "more than 64 MB"},
		{"selector", `  p: {rows: {key: a, fields: {a: {select: title}, b: {select: 'div:has(~ nosuch i)'}}}}`,
			"<title>t</title>" + strings.Repeat("<div><i></i></div>", 30_000), "selectors take too much work"},
		{"file", `  p: {follow: [{url: "{{ raw('file:///etc/passwd') }}", page: p}], rows: {key: a, fields: {a: {select: title}}}}`, deep, "no address that can be fetched"},
		{"paginate to a file", `  p: {paginate: {page: {url: "{{ raw('file:///') }}{{ page_number }}"}}, rows: {key: a, fields: {a: {select: title}}}}`, deep, "no address that can be fetched"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			pl := pagesOf(t, c.pages+"\n", nil)
			task, req := start(t, pl, "https://example.com/")
			begin := time.Now()
			o := read(t, pl, task, req, page(req.URL, c.body))
			if d := time.Since(begin); d > 90*time.Second {
				t.Errorf("it took %v", d)
			}
			if !strings.Contains(o.Problem, c.says) || c.says == "" && o.Problem != "" {
				t.Errorf("problem %q, want %q", o.Problem, c.says)
			}
			if len(o.Found) > 2 {
				t.Errorf("%d requests", len(o.Found))
			}
		})
	}
}

// bodies are fields each of which is the whole page.
func bodies(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, ", f%d: {from: body, as: raw}", i)
	}
	return b.String()
}

// A page that leads to itself with an address that grows comes to an end.
func TestRecursiveFollowEnds(t *testing.T) {
	pl := pagesOf(t, "  p: {follow: [{url: \"{{ raw(url) + raw('/a') }}\", page: p}], rows: {key: a, fields: {a: {select: title}}}}\n", nil)
	task, req := start(t, pl, "https://example.com/")
	for i := 0; ; i++ {
		if i > 1000 {
			t.Fatal("after 1000 pages it still leads on")
		}
		o := read(t, pl, task, req, page(req.URL, "<title>t</title>"))
		if len(o.Found) == 0 {
			break
		}
		req = o.Found[0]
	}
	if req.Depth == 0 {
		t.Error("it led nowhere at all")
	}
}

// The readers are pooled: what one page left must not be seen by another.
func TestPagesDoNotMix(t *testing.T) {
	pl := pagesOf(t, `
  p: {rows: {each: li, key: n, fields: {n: {as: string}, o: {select: b, fields: {x: {select: i}}}, d: {data: jsonld, path: name}}}}
`, nil)
	task, req := start(t, pl, "https://example.com/")
	for i := range 50 {
		name := fmt.Sprint("n", i)
		body := fmt.Sprintf(`<script type="application/ld+json">{"@type":"T","name":%q}</script><li>%s<b><i>%s</i></b></li>`, name, name, name)
		if i%2 == 1 {
			body = `<li>plain`
		}
		want := fmt.Sprintf(`{"n":"%s%s","o":{"x":%q},"d":%q}`, name, name, name, name)
		if i%2 == 1 {
			want = `{"n":"plain","o":null,"d":null}`
		}
		o := read(t, pl, task, req, page(req.URL, body))
		if got := rowsOf(t, o); got != want {
			t.Fatalf("page %d: %s\nwant %s", i, got, want)
		}
	}
}
