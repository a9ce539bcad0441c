package crawler

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"shoal"
	"shoal/internal/dom"
)

// reserved are the names of a result's envelope; a field named like one is
// stored with a prefix.
var reserved = []string{"id", "object", "squid", "run", "task", "scraping_time"}

// ReservedPrefix begins the stored name of a field that is named like a member
// of the envelope; expressions know it by both names.
const ReservedPrefix = "result_"

func attributeName(field string) string {
	if slices.Contains(reserved, field) {
		return ReservedPrefix + field
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
	if f := b.choice(d.Format, "format", formats); f != "" {
		p.Format = Format(f)
	}
	p.AnyStatus = b.choice(d.Status, "status", []string{"any", "ok"}) == "any"
	b.csv(p, d)
	for i := range d.Follow {
		p.Follow = append(p.Follow, b.follow(p, &d.Follow[i], d.Rows))
	}
	if d.Rows != nil {
		p.Rows = b.rows(p, d.Rows)
	}
	for i := range d.Paginate {
		p.Paginate = append(p.Paginate, b.paginate(p, &d.Paginate[i]))
	}
	p.Refresh = p.Format == HTML && (len(p.Follow) > 0 || len(p.Paginate) > 0)
	if d.MetaRefresh != nil {
		p.Refresh = *d.MetaRefresh && p.Format == HTML
	}
	b.stops(p, d.Stop)
	p.Detect = b.detects(d.Detect)
	b.counts(p, d.Counts)
	return p
}

func (b *builder) csv(p *Page, d *pageDef) {
	p.CSV.Columns = d.Columns
	if p.Format != CSV {
		if d.Delimiter.set() || d.Columns != nil {
			b.fail(orAt(d.Delimiter.at, d.at), "delimiter and columns are for CSV pages; this page's format is %s", p.Format)
		}
		return
	}
	if d.Delimiter.set() {
		r, size := utf8.DecodeRuneInString(strings.ReplaceAll(d.Delimiter.s, `\t`, "\t"))
		if size == 0 || size != len(strings.ReplaceAll(d.Delimiter.s, `\t`, "\t")) || strings.ContainsRune("\r\n\"\uFFFD", r) {
			b.fail(d.Delimiter.at, "delimiter %q: write one character, such as ; or \\t", clip(d.Delimiter.s, 20))
		}
		p.CSV.Delimiter = r
	}
}

const maxNoNewRows = 1000

func (b *builder) stops(p *Page, stops []stopDef) {
	for _, s := range stops {
		switch {
		case s.When.set() == (s.NoNewRows != nil):
			b.fail(s.at, "a stop rule needs either when: a condition, or no_new_rows: a number of pages")
		case s.NoNewRows == nil:
			p.Stop = append(p.Stop, b.expr(s.When, "bool", "when"))
		case *s.NoNewRows < 1 || *s.NoNewRows > maxNoNewRows:
			b.fail(s.at, "no_new_rows is %d; it must be from 1 to %d pages", *s.NoNewRows, maxNoNewRows)
		default:
			p.NoNewRows = *s.NoNewRows
		}
	}
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
		Source: Source{Attr: d.Attr.s, Match: b.regexp(d.Match, "match")}, URL: b.addressOf(d.URL, "url"),
		Page: b.pageRef(d.Page, d.at), When: b.expr(d.When, "bool", "when"), Scope: b.template(d.Scope, false, "scope"), Traps: b.template(d.Traps, false, "traps"),
		Include: b.template(d.Include, false, "include"), Exclude: b.template(d.Exclude, false, "exclude"),
		Skip: d.Skip, MaxDepth: b.expr(d.MaxDepth, "", "max_depth"), Rel: strings.ToLower(d.LinkHeader.s),
		Message: b.message(d.at, message{d.Method, d.Header, d.Body, d.Form, d.JSON, d.GraphQL}),
	}
	if !d.Attr.set() && p.Format == HTML {
		f.Attr = "href"
	}
	b.places(p, &f.Source, d.Select, d.XPath, d.Path, d.JQ)
	n := count(d.Select.set(), d.XPath.set(), d.Path.set(), d.JQ.set(), d.LinkHeader.set())
	if n == 0 && p.Format == Text {
		n = count(d.Match.set())
	}
	if n > 1 || n == 0 && !d.URL.set() {
		b.fail(d.at, "a follow rule needs exactly one source of links: %s, link_header; or url (a template) alone", sourcesOf(p.Format))
	}
	b.bounds(d, f)
	if d.Carry.set() {
		f.Carry = true
		if d.Carry.s != "row" || rows == nil || p.Format == XML || p.Format == Text || d.LinkHeader.set() {
			b.fail(d.Carry.at, "carry: row needs a source of links within the rows of an HTML, JSON or CSV page, or a url; the row that the link stands in goes along")
		}
		if rows != nil && rows.Extends.set() {
			b.fail(d.Carry.at, "carry: row: the rows of this page are completed here; they cannot go on to another page")
		}
	} else if d.Path.set() && p.Format == CSV {
		b.fail(d.Path.at, "a column of a CSV page is followed from its rows: add carry: row")
	}
	return f
}

// sourcesOf names the keys that find something on a page of the given format.
func sourcesOf(f Format) string {
	switch f {
	case HTML, XML:
		return "select, xpath"
	case JSON:
		return "path, jq"
	case CSV:
		return "path (a column)"
	}
	return "match"
}

func count(set ...bool) int {
	n := 0
	for _, s := range set {
		if s {
			n++
		}
	}
	return n
}

func (b *builder) bounds(d *followDef, f *Follow) {
	if lit, ok := literal(f.Traps); ok && !slices.Contains(trapWords, lit) {
		b.fail(d.Traps.at, "%s", unknown("value of traps", lit, "this place", trapWords))
	}
	if lit, ok := literal(f.Scope); ok && !slices.Contains(Scopes, lit) {
		b.fail(d.Scope.at, "%s", unknown("scope", lit, "this place", Scopes))
	}
	for _, pattern := range []struct {
		t    text
		tmpl *Template
	}{{d.Include, f.Include}, {d.Exclude, f.Exclude}} {
		if lit, ok := literal(pattern.tmpl); ok {
			b.regexp(text{pattern.t.at, lit}, "the pattern")
		}
	}
	for _, ext := range d.Skip {
		if !strings.HasPrefix(ext, ".") || ext != strings.ToLower(ext) {
			b.fail(d.at, "skip %q: write extensions in lower case with their dot, such as .pdf", clip(ext, 20))
		}
	}
}

func literal(t *Template) (string, bool) {
	if t == nil {
		return "", false
	}
	return t.Literal()
}

// selector checks the syntax of t for the page's format.
func (b *builder) selector(p *Page, t text) {
	if !t.set() {
		return
	}
	switch p.Format {
	case HTML:
		if _, err := dom.Compile(t.s); err != nil {
			b.fail(t.at, "select %q is no valid CSS selector: %s", clip(t.s, 60), err)
		}
	case XML:
		for _, name := range strings.FieldsFunc(t.s, func(r rune) bool { return r == '|' || r == '>' || r == ' ' }) {
			if strings.ContainsAny(name, "[]#.:*,/") {
				b.fail(t.at, "select %q: on an XML page, write element names without prefix: name, one | other, parent > child", clip(t.s, 60))
				return
			}
		}
	default:
		b.fail(t.at, "select is for HTML and XML pages; use path on JSON and CSV, and match on text")
	}
}

func (b *builder) rows(p *Page, d *rowsDef) *Rows {
	r := &Rows{Data: b.data(p, d.Data, d.Type, d.at)}
	b.options(r.Data, d)
	b.rowSource(p, r, d)
	for _, w := range d.Where {
		if e := b.expr(w, "bool", "where"); e != nil {
			r.Where = append(r.Where, e)
		}
	}
	if d.Extends.set() {
		r.Extends = true
		if d.Extends.s != "row" || d.Each.set() || d.XPath.set() || d.JQ.set() {
			b.fail(d.Extends.at, "write extends: row, without each, xpath and jq: the page completes the one row that was carried to it")
		}
	}
	if len(d.Fields) == 0 {
		b.fail(d.at, "rows has no fields; name at least one")
	}
	for i := range d.Fields {
		r.Fields = append(r.Fields, b.field(p, d.Data != nil, d.Fields[i].at, d.Fields[i].key, &d.Fields[i].val))
	}
	b.key(r, d)
	return r
}

// rowSource compiles what finds the rows.
func (b *builder) rowSource(p *Page, r *Rows, d *rowsDef) {
	if count(d.Each.set(), d.XPath.set(), d.JQ.set()) > 1 {
		b.fail(d.at, "rows are found by one of each, xpath and jq")
	}
	r.Each = d.Each.s
	switch {
	case d.Data != nil || p.Format == JSON:
		checkPath(b, d.Each)
		r.JQ = b.jq(d.JQ)
		if d.XPath.set() {
			b.fail(d.XPath.at, "xpath is for HTML and XML; rows of JSON are found by each (a path) or jq")
		}
		return
	case p.Format == CSV || p.Format == Text:
		if t := orText(d.Each, orText(d.XPath, d.JQ)); t.set() {
			b.fail(t.at, "each, xpath and jq are for HTML, XML and JSON pages; on a %s page %s", p.Format,
				map[Format]string{CSV: "each line is a row", Text: "the page is the row"}[p.Format])
		}
		return
	}
	b.selector(p, d.Each)
	r.XPath = b.xpath(p, d.XPath)
	if d.JQ.set() {
		b.fail(d.JQ.at, "jq is for JSON pages and for data; this page's format is %s", p.Format)
	}
	if p.Format == XML && !d.Each.set() && !d.XPath.set() && !d.Extends.set() {
		b.fail(d.at, "rows of an XML page need each: the name of the element that is one row, or xpath")
	}
}

func orText(a, b text) text {
	if a.set() {
		return a
	}
	return b
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
		if info := &b.program.Info; !slices.Contains(info.Key, attributeName(k.s)) {
			info.Key = append(info.Key, attributeName(k.s))
		}
	}
	if len(d.Key) == 0 && !r.Extends {
		b.fail(d.at, "key is missing; name the field (or fields) that tell one row from another, for example key: url")
	}
}

func (b *builder) detects(ds []detectDef) []*Detect { return b.detectsOf(ds, detectReasons) }

func (b *builder) detectsOf(ds []detectDef, reasons []string) []*Detect {
	var out []*Detect
	for _, d := range ds {
		if !d.When.set() || !d.Reason.set() {
			b.fail(d.at, "a detect rule needs when: a condition, and reason: what it means")
			continue
		}
		reason := b.choice(d.Reason, "reason", reasons)
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
		s := &Start{When: b.expr(d.When, "bool", "when"), URL: b.addressOf(d.URL, "url"), Page: b.pageRef(d.Page, d.at),
			Message: b.message(d.at, message{d.Method, d.Header, d.Body, d.Form, d.JSON, d.GraphQL})}
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
