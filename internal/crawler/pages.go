package crawler

import (
	"fmt"
	"slices"
	"strings"

	"github.com/andybalholm/cascadia"

	"shoal"
)

// reserved are the names of a result's envelope; a field named like one is
// stored with a prefix.
var reserved = []string{"id", "object", "squid", "run", "task", "scraping_time"}

func attributeName(field string) string {
	if slices.Contains(reserved, field) {
		return "result_" + field
	}
	return field
}

func (b *builder) pages() {
	b.attributes = map[string]int{}
	b.program.Pages = map[string]*Page{}
	if len(b.def.Pages) == 0 {
		b.fail(b.def.at, "pages is missing; name at least one kind of page with its rows")
	}
	for i := range b.def.Pages {
		e := &b.def.Pages[i]
		b.program.Pages[e.key] = b.page(e.key, &e.val)
	}
	if len(b.program.Info.Result) == 0 && len(b.def.Pages) > 0 {
		b.fail(b.def.Pages[0].at, "no page has rows with fields; a crawler must return something")
	}
	for i, a := range b.program.Info.Result {
		if a.Type == "" {
			b.program.Info.Result[i].Type = shoal.AttrString
		}
	}
}

func (b *builder) page(name string, d *pageDef) *Page {
	p := &Page{Name: name, Format: HTML}
	if f := b.choice(d.Format, "format", []string{"html", "xml", "json", "text"}); f != "" {
		p.Format = Format(f)
	}
	p.AnyStatus = b.choice(d.Status, "status", []string{"any", "ok"}) == "any"
	for i := range d.Follow {
		p.Follow = append(p.Follow, b.follow(p, &d.Follow[i], d.Rows))
	}
	if d.Rows != nil {
		p.Rows = b.rows(p, d.Rows)
	}
	for _, s := range d.Stop {
		p.Stop = append(p.Stop, b.expr(s.When, "bool", "when"))
	}
	p.Detect = b.detects(d.Detect)
	return p
}

func (b *builder) pageNames() []string {
	var known []string
	for _, e := range b.def.Pages {
		known = append(known, e.key)
	}
	return known
}

func (b *builder) pageRef(t text, p at) string {
	if !t.set() {
		if len(b.def.Pages) == 1 {
			return b.def.Pages[0].key
		}
		b.fail(p, "page is missing; say which kind of page the answer is: %s", strings.Join(b.pageNames(), ", "))
		return ""
	}
	if !slices.Contains(b.pageNames(), t.s) {
		b.fail(t.at, "%s", unknown("page", t.s, "pages", b.pageNames()))
	}
	return t.s
}

func (b *builder) follow(p *Page, d *followDef, rows *rowsDef) *Follow {
	f := &Follow{
		Select: d.Select.s, Attr: d.Attr.s, Match: b.regexp(d.Match, "match"), URL: b.template(d.URL, true, "url"),
		Page: b.pageRef(d.Page, d.at), When: b.expr(d.When, "bool", "when"), Scope: b.template(d.Scope, false, "scope"), Traps: b.template(d.Traps, false, "traps"),
		Include: b.template(d.Include, false, "include"), Exclude: b.template(d.Exclude, false, "exclude"),
		Skip: d.Skip, MaxDepth: b.expr(d.MaxDepth, "", "max_depth"),
		Message: b.message(d.Method, d.Header, d.Body),
	}
	if !d.Attr.set() && p.Format == HTML {
		f.Attr = "href"
	}
	b.selector(p, d.Select)
	sources := 0
	for _, set := range []bool{d.Select.set(), d.URL.set(), d.Match.set() && p.Format == Text} {
		if set {
			sources++
		}
	}
	if sources != 1 {
		b.fail(d.at, "a follow rule needs exactly one of select (where the links are), url (a template) and, on a text page, match")
	}
	if lit, ok := literal(f.Traps); ok && !slices.Contains(trapWords, lit) {
		b.fail(d.Traps.at, "%s", unknown("value of traps", lit, "this place", trapWords))
	}
	if lit, ok := literal(f.Scope); ok && !slices.Contains(Scopes, lit) {
		b.fail(d.Scope.at, "%s", unknown("scope", lit, "this place", Scopes))
	}
	for _, ext := range d.Skip {
		if !strings.HasPrefix(ext, ".") || ext != strings.ToLower(ext) {
			b.fail(d.at, "skip %q: write extensions in lower case with their dot, such as .pdf", clip(ext, 20))
		}
	}
	if d.Carry.set() {
		f.Carry = true
		if d.Carry.s != "row" || rows == nil || !d.Select.set() || p.Format != HTML {
			b.fail(d.Carry.at, "carry: row needs a select within an HTML page that has rows; the row that the link stands in goes along")
		}
	}
	return f
}

func literal(t *Template) (string, bool) {
	if t == nil {
		return "", false
	}
	return t.Literal()
}

func (b *builder) message(method text, header ordered[text], body text) Message {
	m := Message{Body: b.template(body, false, "body")}
	if s := strings.ToUpper(method.s); s != "" && s != "GET" {
		if !slices.Contains([]string{"POST", "PUT", "PATCH", "HEAD", "DELETE"}, s) {
			b.fail(method.at, "method %q: use GET, POST, PUT, PATCH, DELETE or HEAD", clip(method.s, 20))
		}
		m.Method = s
	}
	for _, h := range header {
		if !validHeaderName(h.key) {
			b.fail(h.at, "header %q is not a valid HTTP header name", clip(h.key, 60))
		}
		if t := b.template(h.val, false, "header"); t != nil {
			m.Header = append(m.Header, HeaderLine{h.key, t})
		}
	}
	return m
}

// selector checks the syntax of t for the page's format.
func (b *builder) selector(p *Page, t text) {
	if !t.set() {
		return
	}
	switch p.Format {
	case HTML:
		if len(t.s) > 2000 {
			b.fail(t.at, "select has %d characters; the most is 2000", len(t.s))
		} else if _, err := cascadia.ParseGroup(t.s); err != nil {
			b.fail(t.at, "select %q is no valid CSS selector: %s", clip(t.s, 60), err)
		}
	case XML:
		for _, name := range strings.FieldsFunc(t.s, func(r rune) bool { return r == '|' || r == '>' || r == ' ' }) {
			if strings.ContainsAny(name, "[]#.:*,/") {
				b.fail(t.at, "select %q: on an XML page, write element names without prefix: name, one | other, parent > child", clip(t.s, 60))
				return
			}
		}
	case JSON, Text:
		b.fail(t.at, "select is for HTML and XML pages; use path on JSON and match on text")
	}
}

func (b *builder) rows(p *Page, d *rowsDef) *Rows {
	r := &Rows{Each: d.Each.s, Where: b.expr(d.Where, "bool", "where")}
	if p.Format == JSON {
		checkPath(b, d.Each)
	} else {
		b.selector(p, d.Each)
	}
	if p.Format == XML && !d.Each.set() {
		b.fail(d.at, "rows of an XML page need each: the name of the element that is one row")
	}
	if d.Extends.set() {
		r.Extends = true
		if d.Extends.s != "row" || d.Each.set() {
			b.fail(d.Extends.at, "write extends: row, without each: the page completes the one row that was carried to it")
		}
	}
	if len(d.Fields) == 0 {
		b.fail(d.at, "rows has no fields; name at least one")
	}
	for i := range d.Fields {
		r.Fields = append(r.Fields, b.field(p, d.Fields[i].at, d.Fields[i].key, &d.Fields[i].val))
	}
	b.key(r, d)
	return r
}

func (b *builder) key(r *Rows, d *rowsDef) {
	for _, k := range d.Key {
		if !slices.ContainsFunc(d.Fields, func(f entry[fieldDef]) bool { return f.key == k.s }) {
			var known []string
			for _, f := range d.Fields {
				known = append(known, f.key)
			}
			b.fail(k.at, "%s", unknown("field", k.s, "key", known))
		}
		r.Key = append(r.Key, attributeName(k.s))
	}
	if len(d.Key) == 0 && !r.Extends {
		b.fail(d.at, "key is missing; name the field (or fields) that tell one row from another, for example key: url")
	}
}

func checkPath(b *builder, t text) {
	if len(t.s) > 500 || strings.ContainsAny(t.s, "|!{}") {
		b.fail(t.at, "path %q: write names joined by dots, such as data.items or items.0.name", clip(t.s, 60))
	}
}

func (b *builder) detects(ds []detectDef) []*Detect {
	var out []*Detect
	for _, d := range ds {
		if !d.When.set() || !d.Reason.set() {
			b.fail(d.at, "a detect rule needs when: a condition, and reason: what it means")
			continue
		}
		reason := b.choice(d.Reason, "reason", detectReasons)
		out = append(out, &Detect{b.expr(d.When, "bool", "when"), shoal.DoneReason(reason)})
	}
	return out
}

var detectReasons = []string{
	string(shoal.ReasonTooManyRequests), string(shoal.ReasonCookiesExpired), string(shoal.ReasonWrongCredentials),
	string(shoal.ReasonCheckpointReached), string(shoal.ReasonOTPNeeded), string(shoal.ReasonAccountBlocked),
	string(shoal.ReasonLoggedOut), string(shoal.ReasonChallengeRequired), string(shoal.ReasonAccountTooManyRequests),
	string(shoal.ReasonWebsiteInaccessible), string(shoal.ReasonLimitExceeded),
}

func (b *builder) starts() {
	if len(b.def.Start) == 0 {
		b.fail(b.def.at, `start is missing; add for example: start: {url: "{{ task.url }}", page: %s}`, firstOr(b.pageNames(), "page"))
	}
	for i := range b.def.Start {
		d := &b.def.Start[i]
		s := &Start{When: b.expr(d.When, "bool", "when"), URL: b.template(d.URL, true, "url"), Page: b.pageRef(d.Page, d.at),
			Message: b.message(d.Method, d.Header, d.Body)}
		if !d.URL.set() {
			b.fail(d.at, `url is missing in start; for example "{{ task.url }}"`)
		}
		b.program.Starts = append(b.program.Starts, s)
	}
}

func firstOr(list []string, other string) string {
	if len(list) > 0 {
		return list[0]
	}
	return other
}

func (b *builder) since() {
	t := b.def.Since
	b.program.NewestFirst = b.def.NewestFirst
	if !t.set() {
		return
	}
	var known []string
	for _, a := range b.program.Info.Result {
		known = append(known, a.Name)
	}
	name := attributeName(t.s)
	if !slices.Contains(known, name) {
		b.fail(t.at, "%s", unknown("field", t.s, "since", known))
	}
	for _, p := range b.program.Pages {
		if p.Rows == nil {
			continue
		}
		for _, f := range p.Rows.Fields {
			if f != nil && f.Name == name && f.As != AsDate {
				b.fail(t.at, "since names %q, which is no date; give that field as: date", t.s)
			}
		}
	}
	b.program.Since = name
}

func (b *builder) input(name string) string { return fmt.Sprintf("input %q", clip(name, 40)) }
