package crawler

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"shoal/internal/dom"
	"shoal/internal/jq"
	"shoal/internal/xpath"
)

// xpath compiles an XPath for pages of p's format; nil when t is not set.
func (b *builder) xpath(p *Page, t text) *xpath.Expr {
	if !t.set() {
		return nil
	}
	if p.Format != HTML && p.Format != XML {
		b.fail(t.at, "xpath is for HTML and XML pages; this page's format is %s", p.Format)
		return nil
	}
	e, err := xpath.Compile(t.s)
	if err != nil {
		b.fail(t.at, "xpath %q is no valid XPath 1.0: %s", clip(t.s, 60), err)
		return nil
	}
	if p.Format == XML {
		p.Tree = true
	}
	return e
}

// jq compiles a jq program; nil when t is not set.
func (b *builder) jq(t text) *jq.Program {
	if !t.set() {
		return nil
	}
	p, err := jq.Compile(t.s)
	if err != nil {
		b.fail(t.at, "jq %q: %s", clip(t.s, 60), err)
		return nil
	}
	return p
}

// checkPath checks a dotted path. What gjson does with other characters is no
// part of the language.
func checkPath(b *builder, t text) {
	if len(t.s) > 500 || strings.ContainsAny(t.s, "|!{}") {
		b.fail(t.at, "path %q: write names joined by dots, such as data.items or items.0.name", clip(t.s, 60))
	}
}

// places compiles the selector, XPath, path or jq program of s and checks that
// it is one for p's format.
func (b *builder) places(p *Page, s *Source, sel, xp, path, program text) {
	s.Select, s.Path = sel.s, b.settled(path, "path")
	b.selector(p, sel)
	s.XPath = b.xpath(p, xp)
	s.JQ = b.jq(program)
	switch {
	case path.set() && p.Format == JSON:
		if lit, ok := literal(s.Path); ok {
			checkPath(b, text{path.at, lit})
		}
	case path.set() && p.Format != CSV:
		b.fail(path.at, "path is for JSON and CSV pages; this page's format is %s", p.Format)
	}
	if program.set() && p.Format != JSON {
		b.fail(program.at, "jq is for JSON pages; this page's format is %s", p.Format)
	}
}

// place compiles a place in an answer; link is true when it holds an address.
func (b *builder) place(p *Page, d *placeDef, what string, link bool) *Source {
	if d == nil {
		return nil
	}
	s := &Source{Attr: d.Attr.s, Match: b.regexp(d.Match, "match"), Header: http.CanonicalHeaderKey(d.Header.s)}
	if d.short.set() {
		switch p.Format {
		case JSON:
			d.Path = d.short
		case HTML, XML:
			d.Select = d.short
		default:
			b.fail(d.short.at, "%s: write where it stands, such as {header: X-Total}; this page's format is %s", what, p.Format)
			return s
		}
	}
	if p.Format == CSV && d.Path.set() {
		b.fail(d.Path.at, "%s: a CSV page has it in no column; use header", what)
	}
	b.places(p, s, d.Select, d.XPath, d.Path, d.JQ)
	n := count(d.Select.set(), d.XPath.set(), d.Path.set(), d.JQ.set(), d.Header.set())
	if n == 0 && p.Format == Text {
		n = count(d.Match.set())
	}
	if n != 1 {
		b.fail(d.at, "%s needs exactly one of %s and header", what, sourcesOf(p.Format))
	}
	if link && !d.Attr.set() && p.Format == HTML {
		s.Attr = "href"
	}
	return s
}

// settled compiles a template that a run's params decide.
func (b *builder) settled(t text, what string) *Template {
	tmpl := b.template(t, false, what)
	if tmpl != nil && tmpl.Uses.Page {
		b.fail(t.at, "%s %q is the same for all pages of a run: it can use params and functions only", what, clip(t.s, 60))
	}
	return tmpl
}

// options compiles the settings of rows' data.
func (b *builder) options(data *Data, d *rowsDef) {
	for _, o := range d.Options {
		t := b.settled(o.val, "option")
		if data == nil || Things[string(data.Kind)] == "" {
			b.fail(o.at, "options are for data: %s", strings.Join(slices.Sorted(maps.Keys(Things)), ", "))
			return
		}
		data.Options = append(data.Options, HeaderLine{o.key, t})
	}
}

// data compiles what says which embedded JSON is meant; nil when d is nil.
func (b *builder) data(p *Page, d *dataDef, types many[text], place at) *Data {
	if d != nil && d.line == 0 {
		return nil // it was of no usable type, which was said
	}
	if d == nil {
		if len(types) > 0 {
			b.fail(types[0].at, "type narrows the items of data; add data: jsonld or data: microdata")
		}
		return nil
	}
	want := HTML
	if f := Things[d.kind.s]; f != "" {
		want = f
	}
	if p.Format != want {
		b.fail(orAt(d.at, place), "data: %s is for pages of format %s; this page's format is %s", orNone(d.kind.s), want, p.Format)
	}
	out := &Data{Kind: DataKind(d.kind.s), Script: d.Script.s, Match: b.regexp(d.Match, "match")}
	if d.kind.set() {
		b.choice(d.kind, "data", append([]string{string(DataJSONLD), string(DataMicrodata), string(DataOpenGraph)}, slices.Sorted(maps.Keys(Things))...))
	} else {
		out.Kind = DataScript
		if !d.Script.set() {
			out.Script = "script"
			if !d.Match.set() {
				b.fail(d.at, "data needs script: a selector of the <script> elements, or match: a regular expression of what stands before the JSON")
			}
		} else if _, err := dom.Compile(d.Script.s); err != nil {
			b.fail(d.Script.at, "script %q is no valid CSS selector: %s", clip(d.Script.s, 60), err)
		}
	}
	for _, t := range types {
		if out.Kind != DataJSONLD && out.Kind != DataMicrodata {
			b.fail(t.at, "type narrows the items of data: jsonld and data: microdata; %s has no types", out.Kind)
		}
		out.Types = append(out.Types, t.s)
	}
	return out
}

func orNone(kind string) string {
	if kind == "" {
		return "{script, match}"
	}
	return kind
}

func (d *dataDef) decode(dec *decoder, n *node, what string) {
	switch n.value.(type) {
	case string:
		d.at = n.at
		d.kind.decode(dec, n, what)
	case []pair:
		type dataDefPlain dataDef
		dec.decode(n, (*dataDefPlain)(d), what)
	default:
		dec.wrong(n, what, fmt.Sprintf("%s, %s, %s or a mapping of script, match", DataJSONLD, DataMicrodata, DataOpenGraph))
	}
}

func (d *placeDef) decode(dec *decoder, n *node, what string) {
	if _, ok := n.value.([]pair); ok {
		type placeDefPlain placeDef
		dec.decode(n, (*placeDefPlain)(d), what)
		return
	}
	d.at = n.at
	d.short.decode(dec, n, what)
}
