package xpath

import (
	"strings"

	"github.com/antchfx/xpath"
	"golang.org/x/net/html"
)

// navigator is a place in a tree. An element's prefix stands in its Namespace
// on XML pages; on HTML pages it is empty but for SVG and MathML.
type navigator struct {
	root, cur *html.Node
	attr      int // of cur; -1: cur itself
	budget    *budget
}

func (n *navigator) item() Item {
	if n.attr >= 0 {
		return Item{Node: n.cur, Text: n.cur.Attr[n.attr].Val, Attr: true}
	}
	return Item{Node: n.cur}
}

// NodeType returns the type of the place.
func (n *navigator) NodeType() xpath.NodeType {
	switch n.cur.Type {
	case html.TextNode:
		return xpath.TextNode
	case html.DocumentNode:
		return xpath.RootNode
	case html.ElementNode:
		if n.attr >= 0 {
			return xpath.AttributeNode
		}
		return xpath.ElementNode
	}
	return xpath.CommentNode // a doctype is nothing that XPath knows
}

// LocalName returns the name without prefix.
func (n *navigator) LocalName() string {
	if n.attr >= 0 {
		return n.cur.Attr[n.attr].Key
	}
	if n.cur.Type != html.ElementNode {
		return ""
	}
	return n.cur.Data
}

// Prefix returns the name's prefix.
func (n *navigator) Prefix() string {
	if n.attr >= 0 {
		return n.cur.Attr[n.attr].Namespace
	}
	if n.cur.Namespace == "svg" || n.cur.Namespace == "math" {
		return "" // the parser's word for where it is, not the page's
	}
	return n.cur.Namespace
}

// Value returns the text of the place, its descendants' included.
func (n *navigator) Value() string {
	switch {
	case n.attr >= 0:
		n.budget.read(len(n.cur.Attr[n.attr].Val) + 1)
		return n.cur.Attr[n.attr].Val
	case n.cur.Type == html.TextNode || n.cur.Type == html.CommentNode:
		n.budget.read(len(n.cur.Data) + 1)
		return n.cur.Data
	}
	var b strings.Builder
	for m := n.cur.FirstChild; m != nil; m = after(m, n.cur) {
		n.budget.move()
		if m.Type == html.TextNode {
			n.budget.read(len(m.Data) + 1)
			b.WriteString(m.Data)
		}
	}
	return b.String()
}

// after returns the node after m in document order within root, nil at the end.
func after(m, root *html.Node) *html.Node {
	if m.FirstChild != nil {
		return m.FirstChild
	}
	for m != root {
		if m.NextSibling != nil {
			return m.NextSibling
		}
		m = m.Parent
	}
	return nil
}

// Copy returns another navigator at the same place.
func (n *navigator) Copy() xpath.NodeNavigator {
	n.budget.move()
	c := *n
	return &c
}

// MoveToRoot goes to the document.
func (n *navigator) MoveToRoot() { n.cur, n.attr = n.root, -1 }

// MoveToParent goes to the parent, of an attribute to its element.
func (n *navigator) MoveToParent() bool {
	n.budget.move()
	if n.attr >= 0 {
		n.attr = -1
		return true
	}
	return n.to(n.cur.Parent)
}

func (n *navigator) to(m *html.Node) bool {
	if m == nil {
		return false
	}
	n.cur = m
	return true
}

// MoveToNextAttribute goes to the element's first or next attribute.
func (n *navigator) MoveToNextAttribute() bool {
	n.budget.move()
	if n.cur.Type != html.ElementNode || n.attr+1 >= len(n.cur.Attr) {
		return false
	}
	n.attr++
	return true
}

// MoveToChild goes to the first child.
func (n *navigator) MoveToChild() bool {
	n.budget.move()
	return n.attr < 0 && n.to(n.cur.FirstChild)
}

// MoveToFirst goes to the first sibling.
func (n *navigator) MoveToFirst() bool {
	n.budget.move()
	return n.attr < 0 && n.cur.Parent != nil && n.cur.PrevSibling != nil && n.to(n.cur.Parent.FirstChild)
}

// MoveToNext goes to the next sibling.
func (n *navigator) MoveToNext() bool {
	n.budget.move()
	return n.attr < 0 && n.to(n.cur.NextSibling)
}

// MoveToPrevious goes to the sibling before.
func (n *navigator) MoveToPrevious() bool {
	n.budget.move()
	return n.attr < 0 && n.to(n.cur.PrevSibling)
}

// MoveTo goes where another navigator of the tree is.
func (n *navigator) MoveTo(other xpath.NodeNavigator) bool {
	o, ok := other.(*navigator)
	if !ok || o.root != n.root {
		return false
	}
	n.cur, n.attr = o.cur, o.attr
	return true
}

// String is the place as text; the library asks for it when it compares nodes.
func (n *navigator) String() string { return n.Value() }
