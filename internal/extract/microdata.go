package extract

import (
	"encoding/json"
	"strings"

	"shoal/internal/dom/atom"
)

const (
	maxMicroDepth = 20       // of items within items
	maxMicroNodes = 20_000   // elements that one item's properties are looked for in, itemref included
	maxMicroItem  = 1 << 20  // bytes of one item, those within it included: itemref lets many share a few
	maxMicroBytes = 16 << 20 // bytes of a page's items
)

// microdata returns the page's microdata items, at most max, as
// https://html.spec.whatwg.org/multipage/microdata.html has them: every element
// with itemscope, also those within others, as {"@type": "Product", "@id": …,
// property: value}. A value is a text, an address made absolute by resolve, or
// an item; a property that occurs more than once is a list. Unlike the
// standard, a content attribute counts on every element, since so it is used.
func microdata(root node, resolve func(string) string, max int) [][]byte {
	m := &microReader{root: root, resolve: resolve, items: map[node]*microItem{}}
	var scopes []node
	for n := next(root, root, true); n.Exists() && len(scopes) < max; n = next(n, root, n.Atom() != atom.Template) {
		if n.IsElement() && hasAttr(n, "itemscope") {
			scopes = append(scopes, n)
		}
	}
	var out [][]byte
	left := maxMicroBytes
	for _, n := range scopes {
		item := m.item(n, 0)
		if left -= item.size; left < 0 {
			break
		}
		if b, err := json.Marshal(item.values); err == nil {
			out = append(out, b)
		}
	}
	return out
}

// microItem is an item with about how many bytes it takes as JSON.
type microItem struct {
	values map[string]any
	size   int
}

// put adds a value of the given size to a property, if the item has room for
// it; the second value makes the property a list.
func (it *microItem) put(name string, value any, size int) {
	if size += len(name) + 8; it.size+size > maxMicroItem {
		return
	}
	it.size += size
	switch have := it.values[name].(type) {
	case nil:
		it.values[name] = value
	case []any:
		it.values[name] = append(have, value)
	default:
		it.values[name] = []any{have, value}
	}
}

// microReader keeps what was read of the page's items.
type microReader struct {
	root    node
	resolve func(string) string
	items   map[node]*microItem
	ids     map[string]node // read when the first itemref asks for it
}

func hasAttr(n node, name string) bool {
	_, ok := attr(n, name)
	return ok
}

// item reads an item once. One that is under way, which only a loop of itemrefs
// meets, and one too deep are left empty.
func (m *microReader) item(n node, depth int) *microItem {
	if have, ok := m.items[n]; ok {
		return have
	}
	item := &microItem{values: map[string]any{}}
	if depth > maxMicroDepth {
		return item
	}
	m.items[n] = &microItem{values: map[string]any{}}
	if types, _ := attr(n, "itemtype"); strings.TrimSpace(types) != "" {
		for _, t := range strings.Fields(types) {
			item.put("@type", lastPart(t), len(t))
		}
	}
	if id, ok := attr(n, "itemid"); ok {
		item.put("@id", m.resolve(id), len(id))
	}
	left := maxMicroNodes
	m.properties(item, n, depth, &left)
	m.references(item, n, depth, &left)
	m.items[n] = item
	return item
}

// references reads the properties in the elements that itemref names, each once.
func (m *microReader) references(item *microItem, n node, depth int, left *int) {
	refs, _ := attr(n, "itemref")
	seen := map[node]bool{n: true}
	for _, id := range strings.Fields(refs) {
		other := m.byID(id)
		if !other.Exists() || seen[other] {
			continue
		}
		seen[other] = true
		m.property(item, other, depth, left)
		if !hasAttr(other, "itemscope") {
			m.properties(item, other, depth, left)
		}
	}
}

// properties reads those that stand below n, but not within another item.
func (m *microReader) properties(item *microItem, n node, depth int, left *int) {
	for c := next(n, n, true); c.Exists() && *left > 0; {
		*left--
		into := true
		if c.IsElement() {
			m.property(item, c, depth, left)
			into = !hasAttr(c, "itemscope") && c.Atom() != atom.Template
		}
		c = next(c, n, into)
	}
}

func (m *microReader) property(item *microItem, n node, depth int, left *int) {
	names, ok := attr(n, "itemprop")
	if !ok || *left <= 0 {
		return
	}
	var value any
	size := 0
	if hasAttr(n, "itemscope") {
		inner := m.item(n, depth+1)
		value, size = inner.values, inner.size
	} else {
		text := m.value(n)
		value, size = text, len(text)
	}
	for _, name := range strings.Fields(names) {
		item.put(lastPart(name), value, size)
	}
}

// lastPart is what stands after the last slash, hash or colon of a vocabulary's address.
func lastPart(s string) string {
	return s[strings.LastIndexAny(strings.TrimSpace(s), "/#:")+1:]
}

// addresses are the elements whose property is an address, by its attribute.
var addressAttrs = map[atom.Atom]string{
	atom.Audio: "src", atom.Embed: "src", atom.Iframe: "src", atom.Img: "src", atom.Source: "src", atom.Track: "src", atom.Video: "src",
	atom.A: "href", atom.Area: "href", atom.Link: "href", atom.Object: "data",
}

func (m *microReader) value(n node) string {
	if v, ok := attr(n, "content"); ok {
		return strings.Join(strings.Fields(v), " ")
	}
	if name := addressAttrs[n.Atom()]; name != "" {
		for _, name := range []string{name, "data-src"} { // pictures that load late
			if v, ok := attr(n, name); ok && !strings.HasPrefix(v, "data:") {
				return m.resolve(v)
			}
		}
		if n.Atom() != atom.A {
			return ""
		}
	}
	for _, name := range map[atom.Atom][]string{atom.Data: {"value"}, atom.Meter: {"value"}, atom.Time: {"datetime"}}[n.Atom()] {
		if v, ok := attr(n, name); ok {
			return strings.TrimSpace(v)
		}
	}
	return line(n)
}

func (m *microReader) byID(id string) node {
	if m.ids == nil {
		m.ids = map[string]node{}
		for n := next(m.root, m.root, true); n.Exists(); n = next(n, m.root, true) {
			if v, ok := attr(n, "id"); ok && !m.ids[v].Exists() {
				m.ids[v] = n
			}
		}
	}
	return m.ids[id]
}
