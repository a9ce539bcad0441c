package dom

import (
	"encoding/binary"
	"math/bits"
	"unicode"
	"unicode/utf8"

	"shoal/internal/dom/atom"
)

// asciiClass says of each byte whether it is a letter of a text (0), white
// space (1), or the beginning of a longer character (2).
var asciiClass = func() (t [256]uint8) {
	for _, c := range "\t\n\v\f\r " {
		t[c] = 1
	}
	for c := utf8.RuneSelf; c < 256; c++ {
		t[c] = 2
	}
	return t
}()

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

// collapser appends text with its white space collapsed: runs become one
// space, the ends are trimmed, and a break within a run makes it a newline.
type collapser struct {
	dst     []byte
	start   int
	pending byte // the separator to write before the next character; 0: none
}

func (c *collapser) write(s string) {
	for i := 0; i < len(s); {
		switch asciiClass[s[i]] {
		case 0:
			j := i + 1
			for j < len(s) && asciiClass[s[j]] == 0 {
				j++
			}
			c.put(s[i:j])
			i = j
		case 1:
			c.space()
			i++
		default:
			r, size := utf8.DecodeRuneInString(s[i:])
			if unicode.IsSpace(r) {
				c.space()
			} else {
				c.put(s[i : i+size])
			}
			i += size
		}
	}
}

func (c *collapser) put(s string) {
	if c.pending != 0 {
		if len(c.dst) > c.start {
			c.dst = append(c.dst, c.pending)
		}
		c.pending = 0
	}
	c.dst = append(c.dst, s...)
}

func (c *collapser) space() {
	if c.pending == 0 {
		c.pending = ' '
	}
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

// AppendLines is AppendText with a line for each block, and for what <br> separates.
func (d *Document) AppendLines(dst []byte, n NodeID) []byte {
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

// counter counts the characters of a text as its white space collapses.
type counter struct{ count, pending int }

func (c *counter) add(s []byte) {
	for i := 0; i < len(s); {
		if c.count > 0 && len(s)-i >= 8 && c.eight(binary.LittleEndian.Uint64(s[i:])) {
			i += 8
			continue
		}
		switch asciiClass[s[i]] {
		case 0:
			c.count += c.pending + 1
			c.pending = 0
			i++
		case 1:
			c.pending = min(c.count, 1)
			i++
		default:
			r, size := utf8.DecodeRune(s[i:])
			if i += size; unicode.IsSpace(r) {
				c.pending = min(c.count, 1)
			} else {
				c.count += c.pending + 1
				c.pending = 0
			}
		}
	}
}

// eight counts eight characters at once; false: not all of them are ASCII.
// Each byte of the words below says by its high bit whether its character is
// white space: 0x20, or from 9 to 13.
func (c *counter) eight(x uint64) bool {
	const low, high = 0x0101010101010101, 0x8080808080808080
	if x&high != 0 {
		return false
	}
	space := ^((x ^ 0x20*low) + 0x7f*low) & high
	space |= (x + (0x80-9)*low) &^ (x + (0x80-14)*low) & high
	first := ^space & (space<<8 | uint64(c.pending)<<7) & high // letters behind white space
	c.count += 8 - bits.OnesCount64(space) + bits.OnesCount64(first)
	c.pending = int(space >> 63)
	return true
}
