package dom

import (
	"strings"

	"shoal/internal/dom/atom"
)

// How an element takes part in the text of what is around it.
const (
	readsInline uint8 = iota
	readsBlock        // it begins a line of its own
	readsCell         // it is told apart from the cell before
	readsNot          // its text is not for readers
)

var reading = func() (t [atom.NumElements]uint8) {
	for _, a := range []atom.Atom{atom.Address, atom.Article, atom.Aside, atom.Blockquote, atom.Br, atom.Caption, atom.Dd,
		atom.Details, atom.Dialog, atom.Div, atom.Dl, atom.Dt, atom.Fieldset, atom.Figcaption, atom.Figure, atom.Footer,
		atom.Form, atom.H1, atom.H2, atom.H3, atom.H4, atom.H5, atom.H6, atom.Header, atom.Hgroup, atom.Hr, atom.Li,
		atom.Main, atom.Menu, atom.Nav, atom.Ol, atom.Option, atom.P, atom.Pre, atom.Section, atom.Summary, atom.Table,
		atom.Tbody, atom.Tfoot, atom.Thead, atom.Title, atom.Tr, atom.Ul} {
		t[a] = readsBlock
	}
	t[atom.Td], t[atom.Th] = readsCell, readsCell
	t[atom.Script], t[atom.Style], t[atom.Template] = readsNot, readsNot, readsNot
	return t
}()

func (e *node) reading() uint8 {
	if e.typ != ElementNode || e.name >= atom.NumElements {
		return readsInline
	}
	return reading[e.name]
}

// AppendText appends the text of n for readers, on one line: white space
// collapsed, and without what scripts, styles and templates hold, unless n is one.
func (d *Document) AppendText(dst []byte, n NodeID) []byte {
	c := collapser{dst: dst, start: len(dst)}
	for m, end := n, d.End(n); m < end; m++ {
		e := &d.nodes[m]
		if e.typ == TextNode {
			c.write(d.text(e.data))
		} else if e.reading() == readsNot && m != n {
			m = d.End(m) - 1
		}
	}
	return c.dst
}

// AppendLines is AppendText with a line for each block and for what <br>
// separates, and without what is hidden, unless n is (HTML, § 3.2.7, the
// innerText getter, as far as it goes without a style sheet).
func (d *Document) AppendLines(dst []byte, n NodeID) []byte { return d.lines(dst, n, nil) }

// lines is AppendLines without the elements that beside names.
func (d *Document) lines(dst []byte, n NodeID, beside func(NodeID) bool) []byte {
	c := collapser{dst: dst, start: len(dst)}
	in := n // what the node before stood in, or was
	for m, end := n, d.End(n); m < end; m++ {
		e := &d.nodes[m]
		if m != n {
			for ; in != e.parent; in = d.nodes[in].parent {
				if d.nodes[in].reading() == readsBlock {
					c.pending = '\n'
				}
			}
			in = m
		}
		if e.typ == TextNode {
			c.write(d.text(e.data))
			continue
		}
		if m != n && e.typ == ElementNode && (e.data.len > 0 && d.hidden(m) || beside != nil && beside(m)) {
			in, m = e.parent, d.End(m)-1
			continue
		}
		switch e.reading() {
		case readsBlock:
			c.pending = '\n'
		case readsCell:
			c.space()
		case readsNot:
			if m != n {
				m = d.End(m) - 1
			}
		}
	}
	return c.dst
}

// AppendRaw appends all text of n as it stands.
func (d *Document) AppendRaw(dst []byte, n NodeID) []byte {
	for m, end := n, d.End(n); m < end; m++ {
		if d.nodes[m].typ == TextNode {
			dst = append(dst, d.text(d.nodes[m].data)...)
		}
	}
	return dst
}

// TextLength counts the characters (code points) that AppendText would append.
func (d *Document) TextLength(n NodeID) int {
	var c counter
	for m, end := n, d.End(n); m < end; m++ {
		e := &d.nodes[m]
		if e.typ == TextNode {
			c.add(d.bytes(e.data))
		} else if e.reading() == readsNot && m != n {
			m = d.End(m) - 1
		}
	}
	return c.count
}

// hidden reports whether an element says itself that it is not shown: by its
// hidden attribute (§ 6.1), or by its style. One that is found by searching
// (hidden=until-found) is content.
func (d *Document) hidden(n NodeID) bool {
	for _, a := range d.Attrs(n) {
		switch a.Name {
		case atom.Hidden:
			if !strings.EqualFold(d.text(a.value), "until-found") {
				return true
			}
		case atom.Style:
			if hidingStyle(d.text(a.value)) {
				return true
			}
		}
	}
	return false
}

// hidingStyle reports whether a style attribute hides its element: display:
// none (CSS Display, § 2.6) or visibility: hidden or collapse.
func hidingStyle(style string) bool {
	if strings.IndexByte(style, ':') < 0 {
		return false
	}
	for declaration := range strings.SplitSeq(style, ";") {
		name, value, _ := strings.Cut(declaration, ":")
		value, _, _ = strings.Cut(value, "!")
		value = strings.TrimSpace(value)
		switch name = strings.TrimSpace(name); {
		case strings.EqualFold(name, "display"):
			if strings.EqualFold(value, "none") {
				return true
			}
		case strings.EqualFold(name, "visibility"):
			if strings.EqualFold(value, "hidden") || strings.EqualFold(value, "collapse") {
				return true
			}
		}
	}
	return false
}
