package dom

import (
	"strings"

	"golang.org/x/net/html"
	nodeatom "golang.org/x/net/html/atom"
)

// ToNode copies n and what it contains into a tree of x/net/html, for
// libraries that work on one and may change it. Its strings are the
// document's, and hold as long as those. keep leaves out the nodes, with what
// they contain, of which it returns false; depth is how many elements of n are
// around them. nil keeps everything.
func ToNode(n Node, keep func(n Node, depth int) bool) *html.Node {
	if n.doc.nodes[n.id].typ == DoctypeNode {
		return &html.Node{Type: html.DoctypeNode, Data: n.Name()}
	}
	return n.doc.toNode(n.id, 0, keep)
}

// toNode recurses: no document is deeper than maxDepth allows.
func (d *Document) toNode(id NodeID, depth int, keep func(Node, int) bool) *html.Node {
	e := &d.nodes[id]
	out := &html.Node{}
	switch e.typ {
	case DocumentNode:
		out.Type = html.DocumentNode
	case TextNode:
		out.Type, out.Data = html.TextNode, d.text(e.data)
	case CommentNode:
		out.Type, out.Data = html.CommentNode, d.text(e.data)
	case ElementNode:
		out.Type, out.Data, out.Namespace = html.ElementNode, d.NameOf(e.name), e.ns.String()
		out.DataAtom = nodeatom.Lookup([]byte(out.Data))
		out.Attr = d.nodeAttrs(id)
	}
	for c := e.first; c != None; c = d.nodes[c].next {
		if d.nodes[c].typ != DoctypeNode && (keep == nil || keep(Node{d, c}, depth)) {
			out.AppendChild(d.toNode(c, depth+1, keep))
		}
	}
	return out
}

func (d *Document) nodeAttrs(id NodeID) []html.Attribute {
	list := d.Attrs(id)
	if len(list) == 0 {
		return nil
	}
	out := make([]html.Attribute, len(list))
	for i, a := range list {
		out[i].Key, out[i].Val = d.NameOf(a.Name), d.text(a.value)
		if d.nodes[id].ns != HTML && namespaced(a.Name) {
			out[i].Namespace, out[i].Key, _ = strings.Cut(out[i].Key, ":")
		}
	}
	return out
}

// FromNode copies a tree of x/net/html into a document, in place of what it
// held; the tree's root stands below the document's. It recurses as deep as
// the tree is.
func FromNode(d *Document, root *html.Node) {
	b := NewBuilder(d, false)
	if root.Type == html.DocumentNode {
		for c := root.FirstChild; c != nil; c = c.NextSibling {
			b.fromNode(c)
		}
		return
	}
	b.fromNode(root)
}

func (b *Builder) fromNode(n *html.Node) {
	switch n.Type {
	case html.TextNode:
		b.Text(n.Data)
	case html.CommentNode:
		b.Comment(n.Data)
	case html.ElementNode:
		b.Open(map[string]Namespace{"svg": SVG, "math": MathML}[n.Namespace], n.Data)
		for _, a := range n.Attr {
			if a.Namespace != "" {
				a.Key = a.Namespace + ":" + a.Key
			}
			b.Attr(a.Key, a.Val)
		}
		for c := n.FirstChild; c != nil; c = c.NextSibling {
			b.fromNode(c)
		}
		b.Close()
	}
}
