package extract

import (
	"encoding/json"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

const (
	maxMicroDepth = 20     // of items within items
	maxMicroNodes = 20_000 // elements that one item's properties are looked for in, itemref included
)

// microdata returns the page's microdata items, at most max, as
// https://html.spec.whatwg.org/multipage/microdata.html has them: every element
// with itemscope, also those within others, as {"@type": "Product", "@id": …,
// property: value}. A value is a text, an address made absolute by resolve, or
// an item; a property that occurs more than once is a list. Unlike the
// standard, a content attribute counts on every element, since so it is used.
func microdata(root *node, resolve func(string) string, max int) [][]byte {
	m := &microReader{root: root, resolve: resolve, items: map[*node]map[string]any{}}
	var scopes []*node
	for n := next(root, root, true); n != nil && len(scopes) < max; n = next(n, root, n.DataAtom != atom.Template) {
		if n.Type == html.ElementNode && hasAttr(n, "itemscope") {
			scopes = append(scopes, n)
		}
	}
	var out [][]byte
	for _, n := range scopes {
		if b, err := json.Marshal(m.item(n, 0)); err == nil {
			out = append(out, b)
		}
	}
	return out
}

// microReader keeps what was read of the page's items.
type microReader struct {
	root    *node
	resolve func(string) string
	items   map[*node]map[string]any
	ids     map[string]*node // read when the first itemref asks for it
}

func hasAttr(n *node, name string) bool {
	_, ok := attr(n, name)
	return ok
}

// item reads an item once. One that is under way, which only a loop of itemrefs
// meets, and one too deep are left empty.
func (m *microReader) item(n *node, depth int) map[string]any {
	if have, ok := m.items[n]; ok {
		return have
	}
	item := map[string]any{}
	if depth > maxMicroDepth {
		return item
	}
	m.items[n] = map[string]any{}
	if types, _ := attr(n, "itemtype"); strings.TrimSpace(types) != "" {
		for _, t := range strings.Fields(types) {
			put(item, "@type", lastPart(t))
		}
	}
	if id, ok := attr(n, "itemid"); ok {
		item["@id"] = m.resolve(id)
	}
	left := maxMicroNodes
	m.properties(item, n, depth, &left)
	if refs, ok := attr(n, "itemref"); ok {
		for _, id := range strings.Fields(refs) {
			if other := m.byID(id); other != nil && other != n {
				m.property(item, other, depth, &left)
				if !hasAttr(other, "itemscope") {
					m.properties(item, other, depth, &left)
				}
			}
		}
	}
	m.items[n] = item
	return item
}

// properties reads those that stand below n, but not within another item.
func (m *microReader) properties(item map[string]any, n *node, depth int, left *int) {
	for c := next(n, n, true); c != nil && *left > 0; {
		*left--
		into := true
		if c.Type == html.ElementNode {
			m.property(item, c, depth, left)
			into = !hasAttr(c, "itemscope") && c.DataAtom != atom.Template
		}
		c = next(c, n, into)
	}
}

func (m *microReader) property(item map[string]any, n *node, depth int, left *int) {
	names, ok := attr(n, "itemprop")
	if !ok || *left <= 0 {
		return
	}
	var value any
	if hasAttr(n, "itemscope") {
		value = m.item(n, depth+1)
	} else {
		value = m.value(n)
	}
	for _, name := range strings.Fields(names) {
		put(item, lastPart(name), value)
	}
}

// lastPart is what stands after the last slash, hash or colon of a vocabulary's address.
func lastPart(s string) string {
	return s[strings.LastIndexAny(strings.TrimSpace(s), "/#:")+1:]
}

// put adds a value to a property; the second makes it a list.
func put(item map[string]any, name string, value any) {
	switch have := item[name].(type) {
	case nil:
		item[name] = value
	case []any:
		item[name] = append(have, value)
	default:
		item[name] = []any{have, value}
	}
}

// addresses are the elements whose property is an address, by its attribute.
var addressAttrs = map[atom.Atom]string{
	atom.Audio: "src", atom.Embed: "src", atom.Iframe: "src", atom.Img: "src", atom.Source: "src", atom.Track: "src", atom.Video: "src",
	atom.A: "href", atom.Area: "href", atom.Link: "href", atom.Object: "data",
}

func (m *microReader) value(n *node) any {
	if v, ok := attr(n, "content"); ok {
		return strings.Join(strings.Fields(v), " ")
	}
	if name := addressAttrs[n.DataAtom]; name != "" {
		for _, name := range []string{name, "data-src"} { // pictures that load late
			if v, ok := attr(n, name); ok && !strings.HasPrefix(v, "data:") {
				return m.resolve(v)
			}
		}
		if n.DataAtom != atom.A {
			return ""
		}
	}
	for _, name := range map[atom.Atom][]string{atom.Data: {"value"}, atom.Meter: {"value"}, atom.Time: {"datetime"}}[n.DataAtom] {
		if v, ok := attr(n, name); ok {
			return strings.TrimSpace(v)
		}
	}
	return line(n)
}

func (m *microReader) byID(id string) *node {
	if m.ids == nil {
		m.ids = map[string]*node{}
		for n := next(m.root, m.root, true); n != nil; n = next(n, m.root, true) {
			if v, ok := attr(n, "id"); ok && m.ids[v] == nil {
				m.ids[v] = n
			}
		}
	}
	return m.ids[id]
}
