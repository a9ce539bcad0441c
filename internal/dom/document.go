package dom

import (
	"unsafe"

	"shoal/internal/dom/atom"
)

// A NodeID is a node's place in document order (the order of start tags in
// the tree, also where the parser moved nodes): of two nodes the one with the
// smaller id comes first, and a node's descendants are the ids from n+1 up to,
// but excluding, End(n). Every id from Root up to Len-1 is a node of the tree.
type NodeID int32

const (
	None NodeID = 0 // no node: the parent of the root, the child of a leaf
	Root NodeID = 1 // the document itself
)

// A NodeType is what a node is.
type NodeType uint8

const (
	DocumentNode NodeType = iota + 1
	ElementNode
	TextNode
	CommentNode
	DoctypeNode // Name is its name; attributes public and system its identifiers
)

// A Namespace is the vocabulary that an element belongs to.
type Namespace uint8

const (
	HTML Namespace = iota
	SVG
	MathML
)

// String is the namespace as the conformance suite writes it; empty for HTML.
func (ns Namespace) String() string {
	switch ns {
	case SVG:
		return "svg"
	case MathML:
		return "math"
	}
	return ""
}

// A node is 40 bytes without pointers, so that the collector has nothing to
// follow in a page.
type node struct {
	parent, first, last, prev, next NodeID

	name atom.Atom
	typ  NodeType
	ns   Namespace
	open bool // while parsing, of formatting elements: on the stack of open elements

	// data is the text of a text or comment; of an element and a doctype the
	// index of the first attribute and their number.
	data span
	pos  uint32 // where in the source its token begins
}

// A span is a part of the source, or of the arena if inArena is set in off.
type span struct{ off, len uint32 }

const inArena = 1 << 31

// An Attr is an attribute of an element of the document that gave it.
type Attr struct {
	Name  atom.Atom
	value span
}

// A Document is a parsed page. The strings it gives are views of its memory:
// they hold until the document is parsed into again or reset, and as long as
// the bytes it was parsed from stay as they are. Who keeps a string longer
// clones it. A Document may be read from several goroutines.
type Document struct {
	nodes []node
	attrs []Attr
	src   []byte // the input, or its repaired copy
	arena []byte
	names nameTable

	// Quirks is whether the page is shown in quirks mode (§ 13.2.6.4.1). It
	// decides whether a table closes a paragraph. Browsers compare class names
	// and ids without case then; selectors here do not.
	Quirks bool
	// XML is whether the document was made of an XML page, whose names may have
	// prefixes.
	XML bool
	// Truncated says what of a page that exceeds the parser's limits was left
	// out, or is empty.
	Truncated Truncation

	scripting bool    // noscript is raw text
	parser    *parser // its memory, for the next page
}

// Len is one more than the highest id.
func (d *Document) Len() int { return len(d.nodes) }

// Type, Parent, FirstChild, LastChild, NextSibling and PrevSibling are the
// shape of the tree. The parent of the root and missing relatives are None.
// The contents of a template are its children.
func (d *Document) Type(n NodeID) NodeType       { return d.nodes[n].typ }
func (d *Document) Parent(n NodeID) NodeID       { return d.nodes[n].parent }
func (d *Document) FirstChild(n NodeID) NodeID   { return d.nodes[n].first }
func (d *Document) LastChild(n NodeID) NodeID    { return d.nodes[n].last }
func (d *Document) NextSibling(n NodeID) NodeID  { return d.nodes[n].next }
func (d *Document) PrevSibling(n NodeID) NodeID  { return d.nodes[n].prev }
func (d *Document) Namespace(n NodeID) Namespace { return d.nodes[n].ns }

// Name is the name of an element or doctype; 0 for other nodes.
func (d *Document) Name(n NodeID) atom.Atom { return d.nodes[n].name }

// IsElement reports whether n is an element of that name in HTML.
func (d *Document) IsElement(n NodeID, name atom.Atom) bool {
	return d.nodes[n].name == name && d.nodes[n].typ == ElementNode && d.nodes[n].ns == HTML
}

// End is the id after the last descendant of n.
func (d *Document) End(n NodeID) NodeID {
	for n != None {
		if next := d.nodes[n].next; next != None {
			return next
		}
		n = d.nodes[n].parent
	}
	return NodeID(len(d.nodes))
}

// Data is the text of a text or a comment; empty for other nodes.
func (d *Document) Data(n NodeID) string {
	if t := d.nodes[n].typ; t == TextNode || t == CommentNode {
		return d.text(d.nodes[n].data)
	}
	return ""
}

// Attrs are the attributes of an element in the order of the source, each
// name once. The slice belongs to the document.
func (d *Document) Attrs(n NodeID) []Attr {
	e := &d.nodes[n]
	if e.typ == TextNode || e.typ == CommentNode {
		return nil
	}
	return d.attrs[e.data.off : e.data.off+e.data.len]
}

// Attr returns the value of an attribute, and whether n has it.
func (d *Document) Attr(n NodeID, name atom.Atom) (string, bool) {
	list := d.Attrs(n)
	for i := range list {
		if list[i].Name == name {
			return d.text(list[i].value), true
		}
	}
	return "", false
}

// Value is the value of one of the document's attributes.
func (d *Document) Value(a Attr) string { return d.text(a.value) }

// NameOf is the text of an atom that the document uses, known or its own.
func (d *Document) NameOf(a atom.Atom) string {
	if a < atom.NumKnown {
		return a.String()
	}
	return d.text(d.names.spans[a-atom.NumKnown])
}

// Lookup returns the atom by which the document knows a name, spelled exactly
// (those of HTML's elements and attributes in lower case); 0 if the name is
// neither known nor in the document, so that nothing in it can bear it.
func (d *Document) Lookup(name string) atom.Atom {
	b := unsafe.Slice(unsafe.StringData(name), len(name))
	if a := atom.Lookup(b); a != 0 {
		return a
	}
	return d.names.find(d, b)
}

// text is a view, without a copy.
func (d *Document) text(s span) string {
	b := d.bytes(s)
	return unsafe.String(unsafe.SliceData(b), len(b))
}

func (d *Document) bytes(s span) []byte {
	if s.off&inArena != 0 {
		off := s.off &^ inArena
		return d.arena[off : off+s.len]
	}
	return d.src[s.off : s.off+s.len]
}
