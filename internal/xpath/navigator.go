package xpath

import (
	"strings"

	"github.com/antchfx/xpath"

	"shoal/internal/dom"
)

// navigator is a place in a tree. Only in XML have names prefixes; in HTML
// their colons are parts of them, but for those of SVG's attributes.
type navigator struct {
	doc    *dom.Document
	cur    dom.NodeID
	attr   int // of cur; -1: cur itself
	budget *budget
}

func (n *navigator) item() Item {
	at := n.doc.Node(n.cur)
	if n.attr >= 0 {
		return Item{Node: at, Text: n.doc.Value(n.doc.Attrs(n.cur)[n.attr]), Attr: true}
	}
	return Item{Node: at}
}

// NodeType returns the type of the place.
func (n *navigator) NodeType() xpath.NodeType {
	switch n.doc.Type(n.cur) {
	case dom.TextNode:
		return xpath.TextNode
	case dom.DocumentNode:
		return xpath.RootNode
	case dom.ElementNode:
		if n.attr >= 0 {
			return xpath.AttributeNode
		}
		return xpath.ElementNode
	}
	return xpath.CommentNode // a doctype is nothing that XPath knows
}

// name returns the prefix and the local name of the place.
func (n *navigator) name() (prefix, local string) {
	if n.doc.Type(n.cur) != dom.ElementNode {
		return "", ""
	}
	if n.attr < 0 {
		return split(n.doc.NameOf(n.doc.Name(n.cur)), n.doc.XML)
	}
	return split(n.doc.NameOf(n.doc.Attrs(n.cur)[n.attr].Name), n.doc.XML || n.doc.Namespace(n.cur) != dom.HTML)
}

func split(name string, prefixed bool) (prefix, local string) {
	if i := strings.IndexByte(name, ':'); i >= 0 && prefixed {
		return name[:i], name[i+1:]
	}
	return "", name
}

// LocalName returns the name without prefix.
func (n *navigator) LocalName() string {
	_, local := n.name()
	return local
}

// Prefix returns the name's prefix.
func (n *navigator) Prefix() string {
	prefix, _ := n.name()
	return prefix
}

// Value returns the text of the place, its descendants' included.
func (n *navigator) Value() string {
	switch {
	case n.attr >= 0:
		v := n.doc.Value(n.doc.Attrs(n.cur)[n.attr])
		n.budget.read(len(v) + 1)
		return v
	case n.doc.Type(n.cur) == dom.TextNode || n.doc.Type(n.cur) == dom.CommentNode:
		n.budget.read(len(n.doc.Data(n.cur)) + 1)
		return n.doc.Data(n.cur)
	}
	var b strings.Builder
	for m, end := n.cur+1, n.doc.End(n.cur); m < end; m++ {
		n.budget.move()
		if n.doc.Type(m) == dom.TextNode {
			n.budget.read(len(n.doc.Data(m)) + 1)
			b.WriteString(n.doc.Data(m))
		}
	}
	return b.String()
}

// Copy returns another navigator at the same place.
func (n *navigator) Copy() xpath.NodeNavigator {
	n.budget.move()
	c := *n
	return &c
}

// MoveToRoot goes to the document.
func (n *navigator) MoveToRoot() { n.cur, n.attr = dom.Root, -1 }

// MoveToParent goes to the parent, of an attribute to its element.
func (n *navigator) MoveToParent() bool {
	n.budget.move()
	if n.attr >= 0 {
		n.attr = -1
		return true
	}
	return n.to(n.doc.Parent(n.cur))
}

func (n *navigator) to(m dom.NodeID) bool {
	if m == dom.None {
		return false
	}
	n.cur = m
	return true
}

// MoveToNextAttribute goes to the element's first or next attribute.
func (n *navigator) MoveToNextAttribute() bool {
	n.budget.move()
	if n.doc.Type(n.cur) != dom.ElementNode || n.attr+1 >= len(n.doc.Attrs(n.cur)) {
		return false
	}
	n.attr++
	return true
}

// MoveToChild goes to the first child.
func (n *navigator) MoveToChild() bool {
	n.budget.move()
	return n.attr < 0 && n.to(n.doc.FirstChild(n.cur))
}

// MoveToFirst goes to the first sibling.
func (n *navigator) MoveToFirst() bool {
	n.budget.move()
	return n.attr < 0 && n.doc.PrevSibling(n.cur) != dom.None && n.to(n.doc.FirstChild(n.doc.Parent(n.cur)))
}

// MoveToNext goes to the next sibling.
func (n *navigator) MoveToNext() bool {
	n.budget.move()
	return n.attr < 0 && n.to(n.doc.NextSibling(n.cur))
}

// MoveToPrevious goes to the sibling before.
func (n *navigator) MoveToPrevious() bool {
	n.budget.move()
	return n.attr < 0 && n.to(n.doc.PrevSibling(n.cur))
}

// MoveTo goes where another navigator of the tree is.
func (n *navigator) MoveTo(other xpath.NodeNavigator) bool {
	o, ok := other.(*navigator)
	if !ok || o.doc != n.doc {
		return false
	}
	n.cur, n.attr = o.cur, o.attr
	return true
}

// String is the place as text; the library asks for it when it compares nodes.
func (n *navigator) String() string { return n.Value() }
