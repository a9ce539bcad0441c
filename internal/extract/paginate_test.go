package extract

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/tidwall/gjson"

	"shoal"
)

// answer is what a pretended site says to a request.
type answer struct {
	body   string
	header http.Header
	json   bool
}

// walk follows a pagination to its end, as the engine would: every request is
// made of what is stored of it. It returns the requests, one a line.
func walk(t *testing.T, pl *Plan, start string, site func(u *url.URL, extra shoal.RequestExtra) answer) (requests []string, rows int, problem string) {
	t.Helper()
	task := &Task{Params: map[string]any{"url": start}}
	req, err := pl.Start(task)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[shoal.Digest]bool{req.Digest: true}
	todo := []shoal.Request{req}
	for len(todo) > 0 && len(requests) < 300 {
		req, todo = todo[0], todo[1:]
		var extra shoal.RequestExtra
		if req.Extra != nil {
			if err := json.Unmarshal(req.Extra, &extra); err != nil {
				t.Fatal(err)
			}
		}
		u, err := url.Parse(req.URL)
		if err != nil {
			t.Fatal(err)
		}
		line := strings.TrimPrefix(req.URL, "https://example.com")
		if extra.Body != "" {
			line = extra.Method + " " + line + " " + extra.Body
		}
		if v := extra.Header["X-Page"]; v != "" {
			line += " " + v
		}
		requests = append(requests, line)
		a := site(u, extra)
		pg := page(req.URL, a.body)
		if a.json {
			pg.MediaType = "application/json"
		}
		if a.header != nil {
			pg.Header = a.header
		}
		o, err := pl.Read(task, &req, pg)
		if err != nil {
			t.Fatal(err)
		}
		rows += len(o.Rows)
		if problem == "" {
			problem = o.Problem
		}
		for _, f := range o.Found {
			if f.Depth != 0 {
				t.Errorf("the next page stands at depth %d", f.Depth)
			}
			if !seen[f.Digest] {
				seen[f.Digest] = true
				todo = append(todo, f)
			}
		}
	}
	return requests, rows, problem
}

// items are n rows of JSON from the given one on, of total.
func items(from, n, total int) string {
	var list []string
	for i := from; i < min(from+n, total); i++ {
		list = append(list, fmt.Sprintf(`{"n":%d}`, i))
	}
	return "[" + strings.Join(list, ",") + "]"
}

const jsonRows = `, rows: {each: items, key: n, fields: {n: {path: n}}}}
`

func TestPaginate(t *testing.T) {
	number := func(s string, other int) int {
		if n, err := strconv.Atoi(s); err == nil {
			return n
		}
		return other
	}
	byPage := func(u *url.URL, _ shoal.RequestExtra) answer {
		n := number(u.Query().Get("page"), 1)
		return answer{body: fmt.Sprintf(`{"total":5,"pages":3,"items":%s}`, items(2*(n-1), 2, 5)), json: true}
	}
	byOffset := func(u *url.URL, _ shoal.RequestExtra) answer {
		return answer{body: fmt.Sprintf(`{"total":5,"items":%s}`, items(number(u.Query().Get("offset"), 0), 2, 5)), json: true}
	}
	for _, c := range []struct {
		name, pages, start string
		site               func(*url.URL, shoal.RequestExtra) answer
		want               []string
		rows               int
		says               string
	}{
		{name: "page", pages: "  p: {format: json, paginate: {page: {param: page}}" + jsonRows, start: "/l?q=a", site: byPage,
			want: []string{"/l?q=a", "/l?q=a&page=2", "/l?q=a&page=3", "/l?q=a&page=4"}, rows: 5},
		{name: "page, total", pages: "  p: {format: json, paginate: {page: {param: page}, total: total}" + jsonRows, start: "/l", site: byPage,
			want: []string{"/l", "/l?page=2", "/l?page=3"}, rows: 5},
		{name: "page, total pages", pages: "  p: {format: json, paginate: {page: {param: page}, total_pages: {jq: .pages}}" + jsonRows, start: "/l", site: byPage,
			want: []string{"/l", "/l?page=2", "/l?page=3"}, rows: 5},
		{name: "page that the start names", pages: "  p: {format: json, paginate: {page: {param: page}}" + jsonRows, start: "/l?page=2&q=a", site: byPage,
			want: []string{"/l?page=2&q=a", "/l?page=3&q=a", "/l?page=4&q=a"}, rows: 3},
		{name: "max_pages", pages: "  p: {format: json, paginate: {page: {param: page}, max_pages: params.size}" + jsonRows, start: "/l", site: byPage,
			want: []string{"/l", "/l?page=2"}, rows: 4},
		{name: "until", pages: "  p: {format: json, paginate: {page: {param: page}, until: rows < 2 or page_number >= 9}" + jsonRows, start: "/l", site: byPage,
			want: []string{"/l", "/l?page=2", "/l?page=3"}, rows: 5},
		{name: "when", pages: "  p: {format: json, paginate: [{when: params.size == 7, page: {param: x}}, {page: {param: \"{{ 'pa' + 'ge' }}\", step: params.size - 1}, max_pages: 2}]" + jsonRows,
			start: "/l", site: byPage, want: []string{"/l", "/l?page=2"}, rows: 4},
		{name: "offset by rows", pages: "  p: {format: json, paginate: {offset: {param: offset}}" + jsonRows, start: "/l", site: byOffset,
			want: []string{"/l", "/l?offset=2", "/l?offset=4", "/l?offset=5"}, rows: 5},
		{name: "offset by step", pages: "  p: {format: json, paginate: {offset: {param: offset, step: params.size}, total: total}" + jsonRows, start: "/l?offset=0", site: byOffset,
			want: []string{"/l?offset=0", "/l?offset=2", "/l?offset=4"}, rows: 5},
		{name: "page in the path", pages: "  p: {format: json, paginate: {page: {url: '/l/page/{{ page_number }}/'}}" + jsonRows, start: "/l/", site: func(u *url.URL, _ shoal.RequestExtra) answer {
			n := number(strings.Trim(strings.TrimPrefix(u.Path, "/l/page"), "/"), 1)
			return answer{body: fmt.Sprintf(`{"items":%s}`, items(2*(n-1), 2, 3)), json: true}
		}, want: []string{"/l/", "/l/page/2/", "/l/page/3/"}, rows: 3},
		{name: "cursor", pages: "  p: {format: json, paginate: {cursor: {path: next, param: after}}" + jsonRows, start: "/l", site: func(u *url.URL, _ shoal.RequestExtra) answer {
			n := number(u.Query().Get("after"), 0)
			next := fmt.Sprintf(`"%d"`, n+2)
			if n > 2 {
				next = "null"
			}
			return answer{body: fmt.Sprintf(`{"next":%s,"items":%s}`, next, items(n, 2, 5)), json: true}
		}, want: []string{"/l", "/l?after=2", "/l?after=4"}, rows: 5},
		{name: "cursor that repeats", pages: "  p: {format: json, paginate: {cursor: {path: next, param: after}}" + jsonRows, start: "/l", site: func(u *url.URL, _ shoal.RequestExtra) answer {
			return answer{body: fmt.Sprintf(`{"next":"same","items":%s}`, items(number(u.Query().Get("after"), 7), 1, 99)), json: true}
		}, want: []string{"/l", "/l?after=same"}, rows: 1 + 1},
		{name: "cursors in a circle", pages: "  p: {format: json, paginate: {cursor: {path: next, param: after}}" + jsonRows, start: "/l", site: func(u *url.URL, _ shoal.RequestExtra) answer {
			n := number(u.Query().Get("after"), 0)
			return answer{body: fmt.Sprintf(`{"next":%d,"items":[{"n":%d}]}`, n%3+1, n), json: true}
		}, want: []string{"/l", "/l?after=1", "/l?after=2", "/l?after=3"}, rows: 4},
		{name: "cursor into a JSON body", pages: "  p: {format: json, paginate: {cursor: {jq: .page.next, body: variables.after}}" + jsonRows, start: "/graphql", site: func(_ *url.URL, e shoal.RequestExtra) answer {
			n := int(gjson.Get(e.Body, "variables.after").Int())
			next := strconv.Itoa(n + 2)
			if n > 2 {
				next = "null"
			}
			return answer{body: fmt.Sprintf(`{"page":{"next":%s},"items":%s}`, next, items(n, 2, 5)), json: true}
		}, want: []string{`POST /graphql {"query":"{x}","variables":{"after":null,"first":2}}`, `POST /graphql {"query":"{x}","variables":{"after":"2","first":2}}`,
			`POST /graphql {"query":"{x}","variables":{"after":"4","first":2}}`}, rows: 5},
		{name: "page in a form", pages: "  p: {format: json, paginate: {page: {body: p}}" + jsonRows, start: "/form", site: func(_ *url.URL, e shoal.RequestExtra) answer {
			form, _ := url.ParseQuery(e.Body)
			return answer{body: fmt.Sprintf(`{"items":%s}`, items(2*(number(form.Get("p"), 1)-1), 2, 3)), json: true}
		}, want: []string{"POST /form p=1&q=a+b", "POST /form p=2&q=a+b", "POST /form p=3&q=a+b"}, rows: 3},
		{name: "cursor from header to header", pages: "  p: {format: json, paginate: {cursor: {from_header: x-next, header: X-Page}}" + jsonRows, start: "/l", site: func(_ *url.URL, e shoal.RequestExtra) answer {
			n := number(e.Header["X-Page"], 0)
			h := http.Header{}
			if n < 4 {
				h.Set("X-Next", strconv.Itoa(n+2))
			}
			return answer{body: fmt.Sprintf(`{"items":%s}`, items(n, 2, 5)), json: true, header: h}
		}, want: []string{"/l", "/l 2", "/l 4"}, rows: 5},
		{name: "link header", pages: "  p: {format: json, paginate: {link_header: true}" + jsonRows, start: "/l", site: func(u *url.URL, _ shoal.RequestExtra) answer {
			n := number(u.Query().Get("p"), 1)
			h := http.Header{}
			if n < 3 {
				h.Set("Link", fmt.Sprintf(`</l?p=%d>; rel="next", </l?p=3>; rel="last"`, n+1))
			}
			return answer{body: fmt.Sprintf(`{"items":%s}`, items(2*(n-1), 2, 5)), json: true, header: h}
		}, want: []string{"/l", "/l?p=2", "/l?p=3"}, rows: 5},
		{name: "next link", pages: "  p: {paginate: {next: a.next}, rows: {each: li, key: n, fields: {n: {as: string}}}}\n", start: "/l", site: func(u *url.URL, _ shoal.RequestExtra) answer {
			n := number(u.Query().Get("p"), 1)
			body := fmt.Sprintf("<li>%d<li>%d", 2*n, 2*n+1)
			if n < 3 {
				body += fmt.Sprintf(`<a class=next href="?p=%d">`, n+1)
			}
			return answer{body: body}
		}, want: []string{"/l", "/l?p=2", "/l?p=3"}, rows: 6},
		{name: "next by xpath", pages: "  p: {paginate: {next: {xpath: \"//a[text()='more']/@href\"}}, rows: {each: li, key: n, fields: {n: {as: string}}}}\n", start: "/l", site: func(u *url.URL, _ shoal.RequestExtra) answer {
			n := number(u.Query().Get("p"), 1)
			body := fmt.Sprintf("<li>%d", n)
			if n < 2 {
				body += `<a href=x>less</a><a href="?p=2">more</a>`
			}
			return answer{body: body}
		}, want: []string{"/l", "/l?p=2"}, rows: 2},
		{name: "a site that gives its last page for ever", pages: "  p: {paginate: {page: {param: p}}, rows: {each: li, key: n, fields: {n: {as: string}}}}\n", start: "/l", site: func(u *url.URL, _ shoal.RequestExtra) answer {
			return answer{body: fmt.Sprintf("<li>%d", min(3, number(u.Query().Get("p"), 1)))}
		}, want: []string{"/l", "/l?p=2", "/l?p=3", "/l?p=4"}, rows: 4},
		{name: "a site that begins again", pages: "  p: {paginate: {page: {param: p}}, rows: {each: li, key: n, fields: {n: {as: string}}}}\n", start: "/l", site: func(u *url.URL, _ shoal.RequestExtra) answer {
			return answer{body: fmt.Sprintf("<li>%d", number(u.Query().Get("p"), 1)%3)}
		}, want: []string{"/l", "/l?p=2", "/l?p=3", "/l?p=4"}, rows: 4},
		{name: "next links without end and without rows", pages: "  p: {paginate: {next: a}, rows: {each: li, key: n, fields: {n: {as: string}}}}\n", start: "/l", site: func(u *url.URL, _ shoal.RequestExtra) answer {
			return answer{body: fmt.Sprintf("<a href='?p=%d'>", number(u.Query().Get("p"), 1)+1)}
		}, want: []string{"/l", "/l?p=2", "/l?p=3", "/l?p=4", "/l?p=5"}},
		{name: "an empty page between", pages: "  p: {format: json, paginate: {cursor: {path: next, param: after}}" + jsonRows, start: "/l", site: func(u *url.URL, _ shoal.RequestExtra) answer {
			n := number(u.Query().Get("after"), 0)
			if n == 1 {
				return answer{body: `{"next":2,"items":[]}`, json: true}
			}
			return answer{body: fmt.Sprintf(`{"next":%s,"items":[{"n":%d}]}`, map[bool]string{true: "null", false: "1"}[n == 2], n), json: true}
		}, want: []string{"/l", "/l?after=1", "/l?after=2"}, rows: 2},
		{name: "pages of links", pages: "  p: {paginate: {page: {param: p}}, follow: [{select: li a, page: q, when: 1 == 2}, {select: b a, page: p}]}\n  q: {rows: {key: n, fields: {n: {select: b}}}}\n", start: "/l",
			site: func(u *url.URL, _ shoal.RequestExtra) answer { return answer{body: "<b>"} }, want: []string{"/l"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			pages := c.pages
			pl := pagesOf(t, pages, nil)
			switch c.start {
			case "/graphql":
				pl = graphPlan(t, pages, `graphql: {query: "{x}", variables: {first: "{{ params.size }}", after: null}}`)
			case "/form":
				pl = graphPlan(t, pages, `form: {p: "1", q: a b}`)
			}
			got, rows, problem := walk(t, pl, "https://example.com"+c.start, c.site)
			if d := cmp.Diff(c.want, got); d != "" {
				t.Errorf("requests (-want +got):\n%s", d)
			}
			if rows != c.rows {
				t.Errorf("%d rows, want %d", rows, c.rows)
			}
			if c.says == "" && problem != "" || !strings.Contains(problem, c.says) {
				t.Errorf("problem %q, want %q", problem, c.says)
			}
		})
	}
}

// graphPlan is pagesOf with a body in the first request.
func graphPlan(t *testing.T, pages, body string) *Plan {
	t.Helper()
	return planOf(t, "slug: my-test\nname: My test\ninput:\n  - {name: url, level: task}\n  - {name: size, level: squid, type: int, default: 2}\n"+
		"start: {url: '{{ task.url }}', page: p, "+body+"}\npages:\n"+pages)
}

// However a site names its next page, a pagination ends.
func TestPaginationEnds(t *testing.T) {
	pl := pagesOf(t, "  p: {paginate: {next: a}, rows: {each: li, key: n, fields: {n: {as: string}}}}\n", nil)
	n := 0
	requests, _, _ := walk(t, pl, "https://example.com/", func(*url.URL, shoal.RequestExtra) answer {
		n++
		return answer{body: fmt.Sprintf("<li>%d<a href='?x=%d'>", n, n)}
	})
	if len(requests) != 300 {
		t.Fatalf("%d requests: the site has rows and next links as long as it is asked", len(requests))
	}
	pl = pagesOf(t, "  p: {paginate: {next: a, max_pages: 50}, rows: {each: li, key: n, fields: {n: {as: string}}}}\n", nil)
	if requests, _, _ = walk(t, pl, "https://example.com/", func(*url.URL, shoal.RequestExtra) answer {
		n++
		return answer{body: fmt.Sprintf("<li>%d<a href='?x=%d'>", n, n)}
	}); len(requests) != 50 {
		t.Errorf("%d requests, want 50", len(requests))
	}
}
