package dom

import (
	"strings"

	"golang.org/x/net/html"

	"shoal/internal/dom/atom"
)

// fromNode makes a Document of a tree of x/net/html, to compare the two.
func fromNode(root *html.Node) *Document {
	d := &Document{nodes: make([]node, 1)}
	var add func(n *html.Node, parent NodeID)
	add = func(n *html.Node, parent NodeID) {
		id := NodeID(len(d.nodes))
		d.nodes = append(d.nodes, node{parent: parent})
		me := &d.nodes[id]
		switch n.Type {
		case html.DocumentNode:
			me.typ = DocumentNode
		case html.TextNode:
			me.typ, me.data = TextNode, d.keep(n.Data)
		case html.CommentNode:
			me.typ, me.data = CommentNode, d.keep(n.Data)
		case html.DoctypeNode:
			me.typ, me.name = DoctypeNode, d.nameOf(n.Data)
		case html.ElementNode:
			me.typ, me.name = ElementNode, d.nameOf(n.Data)
			me.ns = map[string]Namespace{"": HTML, "svg": SVG, "math": MathML}[n.Namespace]
		}
		if n.Type == html.ElementNode || n.Type == html.DoctypeNode {
			me.data = span{uint32(len(d.attrs)), uint32(len(n.Attr))}
			for _, a := range n.Attr {
				key := a.Key
				if a.Namespace != "" {
					key = a.Namespace + ":" + key
				}
				d.attrs = append(d.attrs, Attr{Name: d.nameOf(key), value: d.keep(a.Val)})
			}
		}
		if parent != None {
			p := &d.nodes[parent]
			if p.last == None {
				p.first = id
			} else {
				d.nodes[p.last].next, me.prev = id, p.last
			}
			p.last = id
		}
		for c := n.FirstChild; c != nil; c = c.NextSibling {
			add(c, id)
		}
	}
	add(root, None)
	return d
}

func (d *Document) keep(s string) span {
	d.arena = append(d.arena, s...)
	return span{uint32(len(d.arena)-len(s)) | inArena, uint32(len(s))}
}

func (d *Document) nameOf(s string) atom.Atom {
	if a := atom.Lookup([]byte(s)); a != 0 || s == "" {
		return a
	}
	return d.names.intern(d, d.keep(s))
}

// theirs is x/net/html's reading of a page, as content without scripts.
func theirs(page string) (*Document, error) {
	root, err := html.ParseWithOptions(strings.NewReader(page), html.ParseOptionEnableScripting(false))
	if err != nil {
		return nil, err
	}
	return fromNode(root), nil
}
