package crawler

import (
	"regexp"
	"slices"
	"strings"
	"time"

	"shoal"
)

var fieldName = regexp.MustCompile(`^[a-z][a-z0-9_]{0,62}$`)

var froms = []string{"url", "request_url", "final_url", "redirected", "status", "error", "depth", "content_type", "bytes", "elapsed", "body"}

// field compiles a field of a row; inData is true when the rows are embedded JSON.
func (b *builder) field(p *Page, inData bool, place at, name string, d *fieldDef) *Field {
	f := b.oneField(p, inData, place, name, d, 1)
	f.Name = attributeName(name)
	b.addonOf(f, d)
	f.Index = b.attribute(place, f, d)
	return f
}

// oneField compiles a field of a row or, with a depth over 1, of an object.
func (b *builder) oneField(p *Page, inData bool, place at, name string, d *fieldDef, depth int) *Field {
	if !fieldName.MatchString(name) {
		b.fail(place, "field %q: use lower-case letters, digits and underscores, beginning with a letter", clip(name, 40))
	}
	f := &Field{
		Name: name, Index: -1, Select: d.Select.s, Attr: d.Attr.s, Path: d.Path.s, From: d.From.s,
		XPath: b.xpath(p, d.XPath), JQ: b.jq(d.JQ), Data: b.data(p, d.Data, d.Type, d.at),
		Value: b.expr(d.Value, "", "value"), Match: b.regexp(d.Match, "match"), Split: d.Split.s,
		List: d.List, Unique: d.Unique, Required: d.Required, Default: d.Default.v, Function: -1, As: AsString,
	}
	if as := b.choice(d.As, "type", asNames); as != "" {
		f.As = As(as)
	}
	b.dateOptions(f, d)
	if f.Region = strings.ToUpper(d.Region.s); d.Region.set() && (!regionForm.MatchString(f.Region) || f.As != AsPhone) {
		b.fail(d.Region.at, "region %q: with as: phone, write a country's two letters, such as FR", clip(d.Region.s, 20))
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
	b.source(p, inData, place, f, d)
	b.valueMap(f, d)
	b.object(p, inData, place, f, d, depth)
	return f
}

// maxObjects is how deep objects may stand in objects.
const maxObjects = 5

// object compiles the fields of a field that is an object.
func (b *builder) object(p *Page, inData bool, place at, f *Field, d *fieldDef, depth int) {
	if depth > 1 && (d.Function.set() || d.Main) {
		b.fail(orAt(d.Function.at, place), "function and main are for the fields of rows, not for those within an object")
	}
	if len(d.Fields) == 0 {
		return
	}
	if depth > maxObjects {
		b.fail(place, "objects within objects go at most %d deep", maxObjects)
		return
	}
	if f.From != "" || f.Value != nil || p.Format == CSV || p.Format == Text || f.Attr != "" ||
		count(d.As.set(), d.Match.set(), d.Replace != nil, d.Split.set(), d.Map != nil, d.Keep.set(), d.Format.set()) > 0 {
		b.fail(place, "fields make an object of what select, xpath, path or jq found: leave out attr, from, value, as, match, replace, split, map, keep and format")
	}
	json := inData || p.Format == JSON || f.Data != nil
	if d.Select.set() || d.XPath.set() {
		json = false
	}
	for i := range d.Fields {
		e := &d.Fields[i]
		child := b.oneField(p, json, e.at, e.key, &e.val, depth+1)
		if json && (child.Element || child.XPath != nil) && f.Data == nil && !inData {
			b.fail(e.at, "field %q: within JSON there are no elements; use path or jq", clip(e.key, 40))
		}
		f.Fields = append(f.Fields, child)
	}
	if p.Format == XML {
		p.Tree = true
	}
}

// source checks that the field says in exactly one way where it comes from.
func (b *builder) source(p *Page, inData bool, place at, f *Field, d *fieldDef) {
	n := count(d.Select.set(), d.XPath.set(), d.From.set(), d.Path.set(), d.JQ.set(), d.Value.set())
	element := p.Format == HTML || p.Format == XML
	own := n == 0 && element && (d.Attr.set() || d.As.set()) && d.Data == nil
	regex := n == 0 && p.Format == Text && d.Match.set()
	whole := n == 0 && (len(d.Fields) > 0 || d.Data != nil)
	if n != 1 && !own && !regex && !whole {
		b.fail(place, "a field needs exactly one source: select or xpath (an element), path or jq (JSON), from (the response) or value (an expression)")
	}
	f.Element = d.Select.set() || own || whole && element && d.Data == nil && !inData
	b.selector(p, d.Select)
	b.jsonSource(p, inData, f, d)
	if regex {
		f.From = "body"
	}
	if d.From.set() {
		b.from(d.From)
	}
	switch f.As {
	case AsCount:
		if (!f.Element || !d.Select.set()) && !d.XPath.set() {
			b.fail(orAt(d.As.at, place), "as: count needs a select or an xpath whose matches it counts")
		}
	case AsText, AsMainText, AsHTML, AsMarkdown, AsTextLength, AsLength:
		if p.Format != HTML || !f.Element && f.XPath == nil {
			b.fail(d.As.at, "as: %s reads elements of an HTML page; give the field a select", f.As)
		} else if f.Attr != "" {
			b.fail(d.Attr.at, "as: %s reads the element, not its attribute; remove attr", f.As)
		}
	}
}

// jsonSource checks path, jq and data.
func (b *builder) jsonSource(p *Page, inData bool, f *Field, d *fieldDef) {
	json := p.Format == JSON || inData || f.Data != nil
	if d.Path.set() {
		switch {
		case json:
			checkPath(b, d.Path)
		case p.Format != CSV:
			b.fail(d.Path.at, "path is for JSON and CSV pages and for data; this page's format is %s", p.Format)
		}
	}
	if d.JQ.set() && !json {
		b.fail(d.JQ.at, "jq is for JSON pages and for data; this page's format is %s", p.Format)
	}
	if d.Data != nil && (f.Select != "" || f.XPath != nil || f.From != "" || f.Value != nil) {
		b.fail(d.Data.at, "data is what path and jq read; leave out select, xpath, from and value")
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

// dateOptions compiles how a date is read.
func (b *builder) dateOptions(f *Field, d *fieldDef) {
	for _, t := range []text{d.Format, d.Timezone, d.Language} {
		if t.set() && f.As != AsDate {
			b.fail(t.at, "format, timezone, day_first and language say how a date is read; add as: date")
			return
		}
	}
	if d.Format.set() {
		f.Date.Layout = b.layout(d.Format)
	}
	f.Date.DayFirst, f.Date.Language = d.DayFirst, d.Language.s
	if d.Language.set() && !languageForm.MatchString(d.Language.s) {
		b.fail(d.Language.at, "language %q: write a code such as fr or pt-BR", clip(d.Language.s, 20))
	}
	if d.Timezone.set() {
		zone, err := time.LoadLocation(d.Timezone.s)
		if err != nil || d.Timezone.s == "Local" {
			b.fail(d.Timezone.at, "timezone %q: write an IANA name such as Europe/Paris or UTC", clip(d.Timezone.s, 40))
		}
		f.Date.Zone = zone
	}
}

var regionForm = regexp.MustCompile(`^[A-Z]{2}$`)

var languageForm = regexp.MustCompile(`^[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8})*$`)

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
	case f.List || f.Split != "" || f.As == AsJSON || f.Fields != nil:
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
	case AsText, AsMainText, AsHTML, AsMarkdown:
		return shoal.AttrText
	}
	switch f.From {
	case "status", "depth", "bytes", "elapsed":
		return shoal.AttrInteger
	case "redirected":
		return shoal.AttrBoolean
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
