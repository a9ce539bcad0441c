package crawler

import "strings"

// maxPages is the most pages that any pagination goes through, and
// defaultMaxPages how many when the definition does not say.
const maxPages, defaultMaxPages = 1_000_000, 10_000

// Paginate finds the page after a page. Exactly one of Next, LinkHeader,
// Counter and Cursor is set.
type Paginate struct {
	When       *Expr // on params; nil: always
	Next       *Source
	LinkHeader bool
	Counter    *Counter
	Cursor     *Cursor
	// Until ends it; nil: never.
	Until *Expr
	// MaxPages gives the most pages, looked at once per run; nil: Most.
	MaxPages *Expr
	Most     int
	// Total and TotalPages are where the answer says how many rows and pages
	// there are; nil: nowhere.
	Total, TotalPages *Source
}

// Into is where the next request holds a number or a text: one of its fields
// is set.
// Param, Header and Body are templates over params.
type Into struct {
	Param  *Template
	Header *Template
	Body   *Template // dotted path in the JSON body
	URL    *Template
}

// Counter is a number that grows from page to page.
type Counter struct {
	Into
	From *Expr // nil: 1, or 0 for an offset
	// Step is how much it grows; nil: 1, for an offset by the rows of the page.
	Step *Expr
	// Offset is true when it counts rows, not pages.
	Offset bool
}

// Cursor is a text that one answer gives and the next request sends.
type Cursor struct {
	Source
	Into
}

// PageLimit returns the most pages of one pagination.
func (p *Paginate) PageLimit(env *Env) (int, error) {
	if p.MaxPages == nil {
		return p.Most, nil
	}
	v, err := p.MaxPages.Eval(env)
	if err != nil {
		return p.Most, err
	}
	if n, ok := toInt(v); ok && n.(int64) > 0 {
		return int(min(n.(int64), maxPages)), nil
	}
	return p.Most, nil
}

func (b *builder) paginate(p *Page, d *paginateDef) *Paginate {
	out := &Paginate{LinkHeader: d.LinkHeader, Most: defaultMaxPages, Until: b.expr(d.Until, "bool", "until"),
		When: b.settledExpr(d.When, "bool", "when")}
	if count(d.Next != nil, d.LinkHeader, d.Page != nil, d.Offset != nil, d.Cursor != nil) != 1 {
		b.fail(d.at, "paginate needs exactly one of next (a link), link_header, page (a number), offset and cursor")
	}
	out.Next = b.place(p, d.Next, "next", true)
	out.Total = b.place(p, d.Total, "total", false)
	out.TotalPages = b.place(p, d.TotalPages, "total_pages", false)
	if d.Page != nil {
		out.Counter = b.counter(d.Page, "page")
	}
	if d.Offset != nil {
		out.Counter = b.counter(d.Offset, "offset")
	}
	if d.Cursor != nil {
		out.Cursor = b.cursor(p, d.Cursor)
	}
	b.pageLimit(out, d.MaxPages)
	if out.Next == nil && p.Rows == nil && out.Cursor == nil && !out.LinkHeader && d.Until.s == "" && d.Total == nil && d.TotalPages == nil && len(p.Follow) == 0 {
		b.fail(d.at, "nothing ends this: a page without rows would, but this kind of page has none; add rows, until or total")
	}
	if p.Rows != nil && p.Rows.Extends {
		b.fail(d.at, "a page that completes a carried row is one page; it has no next one")
	}
	return out
}

func (b *builder) pageLimit(out *Paginate, t text) {
	out.MaxPages = b.settledExpr(t, "", "max_pages")
	if out.MaxPages == nil {
		return
	}
	if n, ok := out.MaxPages.constant(); ok {
		if n < 1 || n > maxPages {
			b.fail(t.at, "max_pages is %s; it must be from 1 to %d", clip(t.s, 20), maxPages)
		}
		out.Most = n
	}
}

// settledExpr compiles an expression that a run's params decide.
func (b *builder) settledExpr(t text, want, what string) *Expr {
	e := b.expr(t, want, what)
	if e != nil && e.Uses.Page {
		b.fail(t.at, "%s %q is the same for all pages of a run: it can use params and functions only", what, clip(t.s, 60))
	}
	return e
}

func (b *builder) counter(d *counterDef, what string) *Counter {
	c := &Counter{Into: b.into(d.at, what, d.Param, d.Header, d.Body, d.URL), Offset: what == "offset",
		From: b.settledExpr(d.From, "", "from"), Step: b.settledExpr(d.Step, "", "step")}
	if c.Step != nil {
		if n, ok := c.Step.constant(); ok && n == 0 {
			b.fail(d.Step.at, "step is 0; every page would be the first one")
		}
	}
	return c
}

func (b *builder) cursor(p *Page, d *cursorDef) *Cursor {
	source := &placeDef{at: d.at, Select: d.Select, Attr: d.Attr, XPath: d.XPath, Path: d.Path, JQ: d.JQ, Header: d.FromHeader, Match: d.Match}
	return &Cursor{Source: *b.place(p, source, "cursor", false), Into: b.into(d.at, "cursor", d.Param, d.Header, d.Body, d.URL)}
}

// into compiles where the next request holds what grows.
func (b *builder) into(place at, what string, param, header, body, url text) Into {
	i := Into{Param: b.settled(param, "param"), Header: b.settled(header, "header"), Body: b.settled(body, "body"), URL: b.addressOf(url, "url")}
	if count(param.set(), header.set(), body.set(), url.set()) != 1 {
		b.fail(place, "%s needs exactly one of param (in the query), header, body (a path in the JSON body) and url (a template)", what)
	}
	if lit, ok := literal(i.Header); ok && !validHeaderName(lit) {
		b.fail(header.at, "header %q is not a valid HTTP header name", clip(header.s, 60))
	}
	if lit, ok := literal(i.Body); ok && strings.ContainsAny(lit, "|!{}#@*?") {
		b.fail(body.at, "body %q: write names joined by dots, such as variables.after", clip(body.s, 60))
	}
	return i
}
