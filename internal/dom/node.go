package dom

import (
	"strings"

	"shoal/internal/dom/atom"
)

// A Node is a node together with its document, for code that hands nodes on.
// The zero Node is none. Two are equal when they are the same node.
type Node struct {
	doc *Document
	id  NodeID
}

// Node returns a node of the document.
func (d *Document) Node(id NodeID) Node {
	if id == None {
		return Node{}
	}
	return Node{d, id}
}

// Exists reports whether n is a node; all other methods but IsElement, Is and
// Parent, which have nothing to say of none, are for those that are.
func (n Node) Exists() bool { return n.id != None }

// Document is the document that n belongs to, and ID its number there.
func (n Node) Document() *Document { return n.doc }
func (n Node) ID() NodeID          { return n.id }

// IsElement reports whether n is an element, of any namespace.
func (n Node) IsElement() bool { return n.id != None && n.doc.nodes[n.id].typ == ElementNode }

// IsText reports whether n is a text.
func (n Node) IsText() bool { return n.id != None && n.doc.nodes[n.id].typ == TextNode }

// Type is what n is.
func (n Node) Type() NodeType { return n.doc.nodes[n.id].typ }

// Is reports whether n is an element with one of the names, of any namespace.
func (n Node) Is(names ...atom.Atom) bool {
	if n.id == None {
		return false
	}
	e := &n.doc.nodes[n.id]
	if e.typ != ElementNode {
		return false
	}
	for _, a := range names {
		if e.name == a {
			return true
		}
	}
	return false
}

// Atom is an element's name, 0 for other nodes and for none.
func (n Node) Atom() atom.Atom {
	if !n.IsElement() {
		return 0
	}
	return n.doc.nodes[n.id].name
}

// Name is an element's name.
func (n Node) Name() string { return n.doc.NameOf(n.doc.nodes[n.id].name) }

// LocalName is an element's name without the prefix that it has in XML.
func (n Node) LocalName() string {
	name := n.Name()
	if n.doc.XML {
		name = name[strings.IndexByte(name, ':')+1:]
	}
	return name
}

// Data is the text of a text or comment.
func (n Node) Data() string { return n.doc.Data(n.id) }

// Parent, FirstChild, NextSibling and PrevSibling are n's relatives, which may
// be none.
func (n Node) Parent() Node {
	if n.id == None {
		return n
	}
	return n.doc.Node(n.doc.nodes[n.id].parent)
}
func (n Node) FirstChild() Node  { return n.doc.Node(n.doc.nodes[n.id].first) }
func (n Node) NextSibling() Node { return n.doc.Node(n.doc.nodes[n.id].next) }
func (n Node) PrevSibling() Node { return n.doc.Node(n.doc.nodes[n.id].prev) }

// Root is the document that n stands in, as a node.
func (n Node) Root() Node { return Node{n.doc, Root} }

// Attr returns the value of an attribute and whether n has it. A prefix that
// the attribute has in XML, or in SVG (xlink:href), is not asked for.
func (n Node) Attr(name string) (string, bool) {
	if n.id == None {
		return "", false
	}
	d := n.doc
	list := d.Attrs(n.id)
	if len(list) == 0 {
		return "", false
	}
	a := d.Lookup(name)
	prefixed := d.XML || d.nodes[n.id].ns != HTML
	for i := range list {
		if list[i].Name == a && a != 0 || prefixed && localPart(d.NameOf(list[i].Name)) == name {
			return d.text(list[i].value), true
		}
	}
	return "", false
}

// AttrNames are the names of n's attributes.
func (n Node) AttrNames() []string {
	var names []string
	for _, a := range n.doc.Attrs(n.id) {
		names = append(names, n.doc.NameOf(a.Name))
	}
	return names
}

func localPart(name string) string { return name[strings.IndexByte(name, ':')+1:] }

// Next is the node after n in document order within root, entering what n
// contains if into is true; none at the end. n lies within root.
func (n Node) Next(root Node, into bool) Node {
	d := n.doc
	if into && d.nodes[n.id].first != None {
		return Node{d, d.nodes[n.id].first}
	}
	for at := n.id; at != root.id; at = d.nodes[at].parent {
		if next := d.nodes[at].next; next != None {
			return Node{d, next}
		}
	}
	return Node{}
}
