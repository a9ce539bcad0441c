package extract

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"shoal/internal/dom/address"
	"shoal/internal/dom/atom"
)

// A thing is what a person sees on a page though no selector finds it on every
// site: its article, its tables, the contacts, products and links that it
// shows, the records of an API's answer. A definition names one as the data of
// its rows; the fields then read JSON objects, whose members each reader's
// struct describes.

// thingPage is what a reader of things gets: a page, and its settings.
type thingPage struct {
	root    node // none: the answer is no HTML
	body    []byte
	res     *address.Resolver // what the page's references are relative to
	url     string            // canonical
	options map[string]string
}

// maxThings is how many things of one sort a page may give.
const maxThings = 50_000

// things are the readers of what Shoal finds on pages of any site, by the
// names of crawler.Things. Each returns JSON objects; none changes the tree or
// keeps it.
var things = map[string]func(thingPage) [][]byte{
	"article":   onTree(readArticle),
	"products":  onTree(readProducts),
	"tables":    onTree(readTables),
	"links":     onTree(readLinks),
	"records":   func(p thingPage) [][]byte { return readRecords(&p) },
	"jsonld":    onTree(func(p *thingPage) [][]byte { return jsonLD(p.root, maxThings) }),
	"microdata": onTree(func(p *thingPage) [][]byte { return microdata(p.root, p.reference, maxThings) }),
	"opengraph": onTree(readOpenGraph),
	"contacts":  onTree(readContacts),
	"feed":      func(p thingPage) [][]byte { return readFeed(&p) },
}

// onTree is a reader that has nothing to say of an answer that is no HTML.
func onTree(read func(*thingPage) [][]byte) func(thingPage) [][]byte {
	return func(p thingPage) [][]byte {
		if !p.root.Exists() {
			return nil
		}
		return read(&p)
	}
}

// appendThing encodes a value, which holds nothing that JSON cannot.
func appendThing(list [][]byte, v any) [][]byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return list
	}
	return append(list, bytes.TrimRight(b.Bytes(), "\n"))
}

// all calls visit for every element of the page in document order, templates
// left out, until it returns false.
func (p *thingPage) all(visit func(n node) bool) {
	for n := next(p.root, p.root, true); n.Exists(); n = next(n, p.root, n.Atom() != atom.Template) {
		if n.IsElement() && !visit(n) {
			return
		}
	}
}

// first returns the first element that fits, or none.
func (p *thingPage) first(fits func(n node) bool) (found node) {
	p.all(func(n node) bool {
		if fits(n) {
			found = n
		}
		return !found.Exists()
	})
	return found
}

// link returns a reference of the page as an absolute URL; "": it is none.
func (p *thingPage) link(ref string) string {
	if ref = address.Trim(ref); ref == "" || address.Inert(ref) || p.res == nil {
		return ""
	}
	bare, fragment := address.Split(ref)
	abs, ok := p.res.Resolve(bare)
	if !ok || !strings.HasPrefix(abs, "http") {
		return ""
	}
	if len(fragment) > 1 {
		abs += fragment
	}
	return abs
}

// same reports whether a reference is the page itself.
func (p *thingPage) same(ref string) bool {
	c, ok := address.Canonical(p.link(ref))
	return ok && strings.TrimSuffix(c, "/") == strings.TrimSuffix(p.url, "/")
}

// line is the element's text on one line.
func line(n node) string {
	if !n.Exists() {
		return ""
	}
	return string(appendText(nil, n, false))
}

// heading is a heading's text without the sign of the link to itself that
// manuals put at its end.
func heading(n node) string { return strings.TrimRight(line(n), "¶# \u00a0🔗") }

// oneOf reports whether the attribute's value, a list of words, has one of the words.
func oneOf(n node, name string, words ...string) bool {
	v, ok := attr(n, name)
	if !ok {
		return false
	}
	for word := range strings.FieldsSeq(v) {
		for _, w := range words {
			if strings.EqualFold(word, w) {
				return true
			}
		}
	}
	return false
}

// isAddress reports whether a text is a web address.
func isAddress(s string) bool {
	return strings.HasPrefix(s, "http://") || strings.HasPrefix(s, "https://")
}

// firstText is the first of the texts that is not empty.
func firstText(list ...string) string {
	for _, s := range list {
		if s != "" {
			return s
		}
	}
	return ""
}

// object is a decoded JSON object of structured data, read leniently: a member
// may be a text, a list, or an object that has the text as its name.
type object map[string]any

// objectsOf decodes items; what is no object is left out.
func objectsOf(items [][]byte) []object {
	var list []object
	for _, b := range items {
		var o object
		if json.Unmarshal(b, &o) == nil && o != nil {
			list = append(list, o)
		}
	}
	return list
}

// types are the item's types without their vocabulary's address.
func (o object) types() []string {
	var list []string
	for _, t := range listOf(o["@type"]) {
		if s, ok := t.(string); ok {
			list = append(list, lastPart(s))
		}
	}
	return list
}

// is reports whether the item has one of the types, in any case of letters.
func (o object) is(types ...string) bool {
	for _, t := range o.types() {
		if slices.ContainsFunc(types, func(want string) bool { return strings.EqualFold(t, want) }) {
			return true
		}
	}
	return false
}

// text is the first text of the members named.
func (o object) text(names ...string) string {
	for _, name := range names {
		if list := textsOf(o[name]); len(list) > 0 {
			return list[0]
		}
	}
	return ""
}

// sub is the first object of the member.
func (o object) sub(name string) object {
	for _, v := range listOf(o[name]) {
		if m, ok := v.(map[string]any); ok {
			return m
		}
	}
	return nil
}

// subs are the objects of the member.
func (o object) subs(name string) []object {
	var list []object
	for _, v := range listOf(o[name]) {
		if m, ok := v.(map[string]any); ok {
			list = append(list, m)
		}
	}
	return list
}

func listOf(v any) []any {
	switch v := v.(type) {
	case nil:
		return nil
	case []any:
		return v
	}
	return []any{v}
}

// textsOf are the texts of a member: of an object its name, value or address.
func textsOf(v any) []string {
	var list []string
	for _, item := range listOf(v) {
		switch item := item.(type) {
		case string:
			if s := strings.Join(strings.Fields(item), " "); s != "" {
				list = append(list, s)
			}
		case float64:
			list = append(list, strconv.FormatFloat(item, 'f', -1, 64))
		case bool:
			list = append(list, strconv.FormatBool(item))
		case map[string]any:
			for _, name := range []string{"@value", "name", "url", "contentUrl", "@id", "value"} {
				if inner := textsOf(item[name]); len(inner) > 0 {
					list = append(list, inner[0])
					break
				}
			}
		}
	}
	return list
}

// addressesOf are the addresses of a member: of an object its url or @id.
func addressesOf(v any) []string {
	var list []string
	for _, item := range listOf(v) {
		switch item := item.(type) {
		case string:
			list = append(list, item)
		case map[string]any:
			for _, name := range []string{"contentUrl", "url", "@id"} {
				if s, ok := item[name].(string); ok && s != "" {
					list = append(list, s)
					break
				}
			}
		}
	}
	return list
}

// ldItems are the page's JSON-LD items, with what they refer to by an @id.
func (p *thingPage) ldItems() []object {
	return joined(objectsOf(jsonLD(p.root, maxThings)))
}

// microItems are the page's microdata items.
func (p *thingPage) microItems() []object {
	return objectsOf(microdata(p.root, p.reference, maxThings))
}

// reference makes a reference absolute; one that is no web address stays as it is.
func (p *thingPage) reference(ref string) string {
	if abs := p.link(ref); abs != "" {
		return abs
	}
	return address.Trim(ref)
}

// readOpenGraph is the page's tags as one item.
func readOpenGraph(p *thingPage) [][]byte {
	if tags := openGraph(p.root); tags != nil {
		return [][]byte{tags}
	}
	return nil
}

// joined puts items in the place of references to them: {"@id": "#ann"} stands
// for the item of this @id, as in the graphs that many blogs have.
func joined(list []object) []object {
	byID := map[string]object{}
	for _, o := range list {
		if id, ok := o["@id"].(string); ok && len(o) > 2 && byID[id] == nil {
			byID[id] = o
		}
	}
	if len(byID) == 0 {
		return list
	}
	target := func(v any) any {
		m, ok := v.(map[string]any)
		if id, isID := m["@id"].(string); ok && isID && len(m) <= 2 && byID[id] != nil && (len(m) == 1 || m["@type"] != nil) {
			return map[string]any(byID[id])
		}
		return v
	}
	for i, o := range list {
		// A copy, so that two items that refer to each other make no circle.
		c := make(object, len(o))
		for name, v := range o {
			if many, ok := v.([]any); ok {
				all := make([]any, len(many))
				for k := range many {
					all[k] = target(many[k])
				}
				c[name] = all
				continue
			}
			c[name] = target(v)
		}
		list[i] = c
	}
	return list
}

// structured are the page's JSON-LD and microdata items.
func (p *thingPage) structured() []object {
	return slices.Concat(p.ldItems(), p.microItems())
}
