package extract

import (
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
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

// unread reports whether an element's text is not for readers.
func unread(a atom.Atom) bool {
	return a == atom.Script || a == atom.Style || a == atom.Template
}

// block reports whether an element begins a line of its own.
func block(a atom.Atom) bool { return blocks[a] }

var blocks = func() map[atom.Atom]bool {
	m := map[atom.Atom]bool{}
	for _, a := range []atom.Atom{atom.Address, atom.Article, atom.Aside, atom.Blockquote, atom.Br, atom.Caption, atom.Dd,
		atom.Details, atom.Dialog, atom.Div, atom.Dl, atom.Dt, atom.Fieldset, atom.Figcaption, atom.Figure, atom.Footer,
		atom.Form, atom.H1, atom.H2, atom.H3, atom.H4, atom.H5, atom.H6, atom.Header, atom.Hgroup, atom.Hr, atom.Li,
		atom.Main, atom.Menu, atom.Nav, atom.Ol, atom.Option, atom.P, atom.Pre, atom.Section, atom.Summary, atom.Table,
		atom.Tbody, atom.Tfoot, atom.Thead, atom.Title, atom.Tr, atom.Ul} {
		m[a] = true
	}
	return m
}()

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

// appendText appends the readable text of n. With lines, blocks and <br>
// begin a new line; without, all stands on one.
func appendText(dst []byte, n *node, lines bool) []byte {
	c := collapser{dst: dst, start: len(dst)}
	for m, into := n, true; m != nil; m = step(m, n, into, lines, &c) {
		into = true
		switch m.Type {
		case html.TextNode:
			c.write(m.Data)
		case html.ElementNode:
			if into = !unread(m.DataAtom) || m == n; into && lines && block(m.DataAtom) {
				c.pending = '\n'
			} else if m.DataAtom == atom.Td || m.DataAtom == atom.Th {
				if lines {
					c.space()
				}
			}
		}
	}
	return c.dst
}

// step is next, and notes the end of each block on the way up.
func step(m, root *node, into, lines bool, c *collapser) *node {
	if into && m.FirstChild != nil {
		return m.FirstChild
	}
	for m != root {
		if lines && m.Type == html.ElementNode && block(m.DataAtom) {
			c.pending = '\n'
		}
		if m.NextSibling != nil {
			return m.NextSibling
		}
		m = m.Parent
	}
	return nil
}

// textLength counts the characters (code points) of the text that appendText
// without lines would give, without making it.
func textLength(n *node) int {
	count, pending := 0, 0
	for m, into := n, true; m != nil; m = next(m, n, into) {
		into = true
		if m.Type == html.ElementNode {
			into = !unread(m.DataAtom) || m == n
			continue
		}
		if m.Type != html.TextNode {
			continue
		}
		s := m.Data
		for i := 0; i < len(s); {
			switch asciiClass[s[i]] {
			case 0:
				j := i + 1
				for j < len(s) && asciiClass[s[j]] == 0 {
					j++
				}
				count += pending + j - i
				pending = 0
				i = j
			case 1:
				pending = min(count, 1)
				i++
			default:
				r, size := utf8.DecodeRuneInString(s[i:])
				if i += size; unicode.IsSpace(r) {
					pending = min(count, 1)
				} else {
					count += pending + 1
					pending = 0
				}
			}
		}
	}
	return count
}
