package crawler

import (
	"regexp"
	"slices"
	"strings"

	"shoal"
)

var fieldName = regexp.MustCompile(`^[a-z][a-z0-9_]{0,62}$`)

var froms = []string{"url", "request_url", "status", "depth", "content_type", "bytes", "body"}

func (b *builder) field(p *Page, place at, name string, d *fieldDef) *Field {
	if !fieldName.MatchString(name) {
		b.fail(place, "field %q: use lower-case letters, digits and underscores, beginning with a letter", clip(name, 40))
	}
	f := &Field{
		Name: attributeName(name), Select: d.Select.s, Attr: d.Attr.s, Path: d.Path.s, From: d.From.s,
		Value: b.expr(d.Value, "", "value"), Match: b.regexp(d.Match, "match"), Split: d.Split.s,
		List: d.List, Unique: d.Unique, Required: d.Required, Default: d.Default.v, Function: -1, As: AsString,
	}
	if as := b.choice(d.As, "type", asNames); as != "" {
		f.As = As(as)
	}
	if d.Format.set() {
		f.Layout = b.layout(d.Format)
	}
	f.Keep = Keep(b.choice(d.Keep, "keep", []string{string(KeepInternal), string(KeepExternal)}))
	if f.Keep != KeepAll && (f.As != AsURL && f.As != AsCount || f.Attr == "") {
		b.fail(d.Keep.at, "keep narrows URLs: it needs attr: href and as: url or as: count")
	}
	for _, r := range d.Replace {
		if !r.Match.set() {
			b.fail(r.at, "a replacement needs match: a regular expression, and with: the text instead")
		}
		f.Replace = append(f.Replace, Replace{b.regexp(r.Match, "match"), r.With})
	}
	b.source(p, place, f, d)
	b.valueMap(f, d)
	b.addonOf(f, d)
	f.Index = b.attribute(place, f, d)
	return f
}

// source checks that the field says in exactly one way where it comes from.
func (b *builder) source(p *Page, place at, f *Field, d *fieldDef) {
	n := 0
	for _, set := range []bool{d.Select.set(), d.From.set(), d.Path.set(), d.Value.set()} {
		if set {
			n++
		}
	}
	element := p.Format == HTML || p.Format == XML
	own := n == 0 && element && (d.Attr.set() || d.As.set())
	regex := n == 0 && p.Format == Text && d.Match.set()
	if n != 1 && !own && !regex {
		b.fail(place, "a field needs exactly one source: select (an element), path (JSON), from (the response) or value (an expression)")
	}
	f.Element = d.Select.set() || own
	b.selector(p, d.Select)
	if d.Path.set() {
		if p.Format != JSON {
			b.fail(d.Path.at, "path is for JSON pages; this page's format is %s", p.Format)
		}
		checkPath(b, d.Path)
	}
	if regex {
		f.From = "body"
	}
	if d.From.set() {
		b.from(d.From)
	}
	switch f.As {
	case AsCount:
		if !f.Element || !d.Select.set() {
			b.fail(orAt(d.As.at, place), "as: count needs a select whose matches it counts")
		}
	case AsText, AsHTML, AsMarkdown, AsTextLength, AsLength:
		if p.Format != HTML || !f.Element {
			b.fail(d.As.at, "as: %s reads elements of an HTML page; give the field a select", f.As)
		} else if f.Attr != "" {
			b.fail(d.Attr.at, "as: %s reads the element, not its attribute; remove attr", f.As)
		}
	}
}

func (b *builder) from(t text) {
	kind, name, dotted := strings.Cut(t.s, ".")
	switch {
	case !dotted:
		b.choice(t, "source", froms)
	case kind == "header" && name != "":
	case kind == "task" && slices.Contains(b.names.task, name):
	case kind == "task":
		b.fail(t.at, "%s", unknown("task input", name, "from", b.names.task))
	default:
		b.fail(t.at, "%s", unknown("source", t.s, "from", append(slices.Clone(froms), "header.NAME", "task.NAME")))
	}
}

func (b *builder) valueMap(f *Field, d *fieldDef) {
	if len(d.Map) == 0 {
		return
	}
	f.Map = make(map[string]any, len(d.Map))
	for _, e := range d.Map {
		f.Map[e.key] = e.val.v
	}
}

func (b *builder) addonOf(f *Field, d *fieldDef) {
	if !d.Function.set() {
		return
	}
	f.Function = slices.Index(b.names.functions, d.Function.s)
	if f.Function < 0 {
		b.fail(d.Function.at, "%s", unknown("function", d.Function.s, "input (those with function: true)", b.names.functions))
	}
}

// layout turns a date pattern (YYYY-MM-DD HH:mm:ss) into Go's.
func (b *builder) layout(t text) string {
	out := strings.NewReplacer("YYYY", "2006", "YY", "06", "MMMM", "January", "MMM", "Jan", "MM", "01", "DD", "02",
		"HH", "15", "hh", "03", "mm", "04", "ss", "05", "A", "PM", "ZZ", "-0700", "Z", "Z07:00").Replace(t.s)
	if out == t.s {
		b.fail(t.at, "format %q has no part of a date; use YYYY, MM, MMM, DD, HH, mm, ss", clip(t.s, 40))
	}
	return out
}

// attribute enters the field among the crawler's results and returns its
// place; a field that several pages fill is entered once.
func (b *builder) attribute(place at, f *Field, d *fieldDef) int {
	a := shoal.Attribute{Name: f.Name, Type: attrType(f), Example: d.Example.v, Function: d.Function.s, IsMain: d.Main, Description: d.Description}
	if i, ok := b.attributes[f.Name]; ok {
		if have := b.program.Info.Result[i].Type; have != a.Type {
			b.fail(place, "field %q is %s here and %s on another page; give it one type", f.Name, a.Type, have)
		}
		return i
	}
	i := len(b.program.Info.Result)
	b.attributes[f.Name] = i
	b.program.Info.Result = append(b.program.Info.Result, a)
	return i
}

func attrType(f *Field) shoal.AttributeType {
	switch {
	case f.As == AsCount || f.As == AsLength || f.As == AsTextLength:
		return shoal.AttrInteger
	case f.List || f.Split != "" || f.As == AsJSON:
		return shoal.AttrJSON
	case len(f.Map) > 0 && f.As == AsString:
		return mapType(f.Map)
	}
	switch f.As {
	case AsInt:
		return shoal.AttrInteger
	case AsFloat, AsMoney, AsPercent:
		return shoal.AttrFloat
	case AsBoolean:
		return shoal.AttrBoolean
	case AsText, AsHTML, AsMarkdown:
		return shoal.AttrText
	}
	if f.From == "status" || f.From == "depth" || f.From == "bytes" {
		return shoal.AttrInteger
	}
	return shoal.AttrString
}

func mapType(m map[string]any) shoal.AttributeType {
	kind := shoal.AttributeType("")
	for _, v := range m {
		k := shoal.AttrString
		switch v.(type) {
		case int64:
			k = shoal.AttrInteger
		case float64:
			k = shoal.AttrFloat
		case bool:
			k = shoal.AttrBoolean
		}
		if kind != "" && kind != k {
			return shoal.AttrString
		}
		kind = k
	}
	return kind
}
