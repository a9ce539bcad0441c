package dom

import "shoal/internal/dom/atom"

// A Builder makes a document by hand, node after node in document order: of a
// page that is no HTML, or of another library's tree.
type Builder struct {
	doc  *Document
	open []NodeID
}

// NewBuilder empties a document and returns a Builder for it. In XML, names
// keep their prefixes.
func NewBuilder(d *Document, xml bool) *Builder {
	d.Reset()
	d.XML = xml
	d.nodes = append(d.nodes, node{}, node{typ: DocumentNode})
	return &Builder{doc: d, open: []NodeID{Root}}
}

// Depth is how many elements are open.
func (b *Builder) Depth() int { return len(b.open) - 1 }

// Open begins an element in the one that is open.
func (b *Builder) Open(ns Namespace, name string) {
	b.open = append(b.open, b.add(node{typ: ElementNode, ns: ns, name: b.name(name), data: span{off: uint32(len(b.doc.attrs))}}))
}

// Attr gives the element that was opened last, and has nothing in it yet, an attribute.
func (b *Builder) Attr(name, value string) {
	d := b.doc
	d.attrs = append(d.attrs, Attr{Name: b.name(name), value: b.keep(value)})
	d.nodes[len(d.nodes)-1].data.len++
}

// Text adds a text.
func (b *Builder) Text(s string) {
	if s != "" {
		b.add(node{typ: TextNode, data: b.keep(s)})
	}
}

// Comment adds a comment.
func (b *Builder) Comment(s string) { b.add(node{typ: CommentNode, data: b.keep(s)}) }

// Close ends the innermost open element; at the root it does nothing.
func (b *Builder) Close() {
	if len(b.open) > 1 {
		b.open = b.open[:len(b.open)-1]
	}
}

// CloseNamed ends the innermost open element of a name, its prefix left aside,
// and those in it; if there is none, nothing.
func (b *Builder) CloseNamed(name string) {
	for i := len(b.open) - 1; i > 0; i-- {
		if b.doc.Node(b.open[i]).LocalName() == name {
			b.open = b.open[:i]
			return
		}
	}
}

func (b *Builder) add(n node) NodeID {
	d := b.doc
	id := NodeID(len(d.nodes))
	n.parent = b.open[len(b.open)-1]
	p := &d.nodes[n.parent]
	if n.prev = p.last; n.prev == None {
		p.first = id
	} else {
		d.nodes[n.prev].next = id
	}
	p.last = id
	d.nodes = append(d.nodes, n)
	return id
}

func (b *Builder) keep(s string) span {
	d := b.doc
	d.arena = append(d.arena, s...)
	return span{uint32(len(d.arena)-len(s)) | inArena, uint32(len(s))}
}

func (b *Builder) name(s string) atom.Atom {
	if a := atom.Lookup([]byte(s)); a != 0 {
		return a
	}
	d := b.doc
	if a := d.names.find(d, []byte(s)); a != 0 {
		return a
	}
	return d.names.intern(d, b.keep(s))
}
