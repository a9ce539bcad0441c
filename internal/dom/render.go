package dom

import (
	"strings"

	"shoal/internal/dom/atom"
)

// AppendOuterHTML appends n and what it contains as HTML (§ 13.3, serializing
// HTML fragments). Parsing it again gives the same tree, but for the trees
// that the standard names which no HTML can say.
func (d *Document) AppendOuterHTML(b []byte, n NodeID) []byte {
	return d.render(b, n, n, d.nodes[n].parent)
}

// AppendInnerHTML appends what n contains as HTML.
func (d *Document) AppendInnerHTML(b []byte, n NodeID) []byte { return d.render(b, n, n+1, n) }

// render writes the nodes of top's subtree from first on. Elements are closed
// when the walk leaves them, up to but without stop; it goes by ids, so that
// depth costs no stack.
func (d *Document) render(b []byte, top, first, stop NodeID) []byte {
	for n, end := first, d.End(top); n < end; n++ {
		b = d.renderOpen(b, n)
		if d.nodes[n].first != None {
			continue
		}
		for m := n; m != stop; m = d.nodes[m].parent {
			b = d.renderClose(b, m)
			if m == top || d.nodes[m].next != None {
				break
			}
		}
	}
	return b
}

func (d *Document) renderOpen(b []byte, n NodeID) []byte {
	e := &d.nodes[n]
	switch e.typ {
	case TextNode:
		if p := &d.nodes[e.parent]; p.typ == ElementNode && p.ns == HTML && d.literalText(p.name) {
			return append(b, d.bytes(e.data)...)
		}
		return escape(b, d.text(e.data), false)
	case CommentNode:
		return append(append(append(b, "<!--"...), d.bytes(e.data)...), "-->"...)
	case DoctypeNode:
		return d.renderDoctype(b, n)
	case ElementNode:
		b = append(append(b, '<'), d.NameOf(e.name)...)
		for _, a := range d.Attrs(n) {
			b = append(append(append(b, ' '), d.NameOf(a.Name)...), `="`...)
			b = append(escape(b, d.Value(a), true), '"')
		}
		b = append(b, '>')
		if e.ns == HTML && d.startsWithNewline(n) {
			b = append(b, '\n') // the parser drops the first one
		}
	}
	return b
}

func (d *Document) renderClose(b []byte, n NodeID) []byte {
	e := &d.nodes[n]
	if e.typ != ElementNode || e.ns == HTML && void(e.name) {
		return b
	}
	return append(append(append(b, "</"...), d.NameOf(e.name)...), '>')
}

// renderDoctype writes the identifiers too, which § 13.3 leaves out: without
// them a page in quirks mode would be read in another mode.
func (d *Document) renderDoctype(b []byte, n NodeID) []byte {
	b = append(append(b, "<!DOCTYPE "...), d.NameOf(d.Name(n))...)
	public, hasPublic := d.Attr(n, atom.Public)
	system, hasSystem := d.Attr(n, atom.System)
	switch {
	case hasPublic:
		b = append(quote(append(b, " PUBLIC "...), public), ' ')
	case hasSystem:
		b = append(b, " SYSTEM "...)
	}
	if hasSystem {
		b = quote(b, system)
	}
	return append(b, '>')
}

func quote(b []byte, s string) []byte {
	q := byte('"')
	if strings.IndexByte(s, '"') >= 0 {
		q = '\''
	}
	return append(append(append(b, q), s...), q)
}

// startsWithNewline reports the elements whose first newline is not content.
func (d *Document) startsWithNewline(n NodeID) bool {
	switch d.nodes[n].name {
	case atom.Pre, atom.Listing, atom.Textarea:
		first := d.nodes[n].first
		return first != None && strings.HasPrefix(d.Data(first), "\n")
	}
	return false
}

// literalText reports the elements whose text is written as it is.
func (d *Document) literalText(name atom.Atom) bool {
	switch name {
	case atom.Style, atom.Script, atom.Xmp, atom.Iframe, atom.Noembed, atom.Noframes, atom.Plaintext:
		return true
	}
	return name == atom.Noscript && d.scripting
}

// void reports the elements that have no contents (§ 13.1.2), and the
// obsolete ones that are serialized without an end tag as they are.
func void(name atom.Atom) bool {
	switch name {
	case atom.Area, atom.Base, atom.Br, atom.Col, atom.Embed, atom.Hr, atom.Img, atom.Input, atom.Link, atom.Meta,
		atom.Source, atom.Track, atom.Wbr, atom.Basefont, atom.Bgsound, atom.Frame, atom.Keygen, atom.Param:
		return true
	}
	return false
}

// escape appends s as text, or as the value of an attribute (§ 13.3, escaping a string).
func escape(b []byte, s string, attribute bool) []byte {
	from := 0
	for i := 0; i < len(s); i++ {
		var to string
		size := 1
		switch c := s[i]; {
		case c == '&':
			to = "&amp;"
		case c == '<':
			to = "&lt;"
		case c == '>':
			to = "&gt;"
		case c == '"' && attribute:
			to = "&quot;"
		case c == 0xC2 && i+1 < len(s) && s[i+1] == 0xA0:
			to, size = "&nbsp;", 2
		default:
			continue
		}
		b = append(append(b, s[from:i]...), to...)
		from, i = i+size, i+size-1
	}
	return append(b, s[from:]...)
}
