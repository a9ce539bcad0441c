package dom

import "shoal/internal/dom/atom"

// A tag is an element's name with its namespace, as one number to compare. A
// name in HTML is its atom.
type tag uint32

const (
	namespaceShift = 30
	foreignTag     = tag(1 << namespaceShift) // tags from here on are not HTML
)

func makeTag(ns Namespace, name atom.Atom) tag { return tag(ns)<<namespaceShift | tag(name) }

func (t tag) name() atom.Atom      { return atom.Atom(t &^ (3 << namespaceShift)) }
func (t tag) namespace() Namespace { return Namespace(t >> namespaceShift) }

// An opened is an element on the stack of open elements.
type opened struct {
	id  NodeID
	tag tag
}

// What the standard says of elements by name.
const (
	special     = 1 << iota // § 13.2.4.2, the special category
	stopDefault             // ends the scope of § 13.2.4.2
	stopList                // and that of list items,
	stopButton              // of buttons,
	stopTable               // of tables
	formattingElement
	impliedEnd   // its end tag may be left out
	impliedTable // and those that belong to tables besides
	tablePart    // text and elements do not belong into it: they are foster-parented
	heading
)

const (
	scopeDefault = stopDefault
	scopeList    = stopDefault | stopList
	scopeButton  = stopDefault | stopButton
	scopeTable   = stopTable
)

var traits = [atom.NumElements]uint16{
	atom.Address: special, atom.Applet: special | stopDefault, atom.Area: special, atom.Article: special,
	atom.Aside: special, atom.Base: special, atom.Basefont: special, atom.Bgsound: special, atom.Blockquote: special,
	atom.Body: special, atom.Br: special, atom.Button: special | stopButton,
	atom.Caption: special | stopDefault | impliedTable, atom.Center: special, atom.Col: special,
	atom.Colgroup: special | impliedTable, atom.Dd: special | impliedEnd, atom.Details: special, atom.Dir: special,
	atom.Div: special, atom.Dl: special, atom.Dt: special | impliedEnd, atom.Embed: special, atom.Fieldset: special,
	atom.Figcaption: special, atom.Figure: special, atom.Footer: special, atom.Form: special, atom.Frame: special,
	atom.Frameset: special, atom.H1: special | heading, atom.H2: special | heading, atom.H3: special | heading,
	atom.H4: special | heading, atom.H5: special | heading, atom.H6: special | heading, atom.Head: special,
	atom.Header: special, atom.Hgroup: special, atom.Hr: special, atom.Html: special | stopDefault | stopTable,
	atom.Iframe: special, atom.Img: special, atom.Input: special, atom.Keygen: special, atom.Li: special | impliedEnd,
	atom.Link: special, atom.Listing: special, atom.Main: special, atom.Marquee: special | stopDefault,
	atom.Menu: special, atom.Meta: special, atom.Nav: special, atom.Noembed: special, atom.Noframes: special,
	atom.Noscript: special, atom.Object: special | stopDefault, atom.Ol: special | stopList,
	atom.Optgroup: impliedEnd, atom.Option: impliedEnd, atom.P: special | impliedEnd, atom.Param: special,
	atom.Plaintext: special, atom.Pre: special, atom.Rb: impliedEnd, atom.Rp: impliedEnd, atom.Rt: impliedEnd,
	atom.Rtc: impliedEnd, atom.Script: special, atom.Search: special, atom.Section: special,
	atom.Select: special | stopDefault, atom.Source: special, atom.Style: special, atom.Summary: special,
	atom.Table: special | stopDefault | stopTable | tablePart, atom.Tbody: special | impliedTable | tablePart,
	atom.Td: special | stopDefault | impliedTable, atom.Template: special | stopDefault | stopTable,
	atom.Textarea: special, atom.Tfoot: special | impliedTable | tablePart,
	atom.Th: special | stopDefault | impliedTable, atom.Thead: special | impliedTable | tablePart,
	atom.Title: special, atom.Tr: special | impliedTable | tablePart, atom.Track: special, atom.Ul: special | stopList,
	atom.Wbr: special, atom.Xmp: special,
	atom.A: formattingElement, atom.B: formattingElement, atom.Big: formattingElement, atom.Code: formattingElement,
	atom.Em: formattingElement, atom.Font: formattingElement, atom.I: formattingElement,
	atom.Nobr: formattingElement, atom.S: formattingElement, atom.Small: formattingElement,
	atom.Strike: formattingElement, atom.Strong: formattingElement, atom.Tt: formattingElement, atom.U: formattingElement,
}

func (t tag) traits() uint16 {
	if t < atom.NumElements {
		return traits[t]
	}
	return t.foreignTraits()
}

func (t tag) foreignTraits() uint16 {
	switch t {
	case makeTag(MathML, atom.Mi), makeTag(MathML, atom.Mo), makeTag(MathML, atom.Mn), makeTag(MathML, atom.Ms),
		makeTag(MathML, atom.Mtext), makeTag(MathML, atom.AnnotationXml),
		makeTag(SVG, atom.ForeignObject), makeTag(SVG, atom.Desc), makeTag(SVG, atom.Title):
		return special | stopDefault
	}
	return 0
}

func (p *parser) push(id NodeID, t tag) {
	p.stack = append(p.stack, opened{id, t})
	if t < atom.NumElements {
		p.count[t]++
	}
}

func (p *parser) pop() { p.popTo(len(p.stack) - 1) }

// popTo pops the stack down to n elements.
func (p *parser) popTo(n int) {
	for i := len(p.stack) - 1; i >= n; i-- {
		if t := p.stack[i].tag; t < atom.NumElements {
			p.count[t]--
			if traits[t]&formattingElement != 0 {
				p.nodes[p.stack[i].id].open = false
			}
		}
	}
	p.stack = p.stack[:n]
}

// remove takes the i-th element out of the stack.
func (p *parser) remove(i int) {
	if t := p.stack[i].tag; t < atom.NumElements {
		p.count[t]--
		p.nodes[p.stack[i].id].open = false
	}
	p.stack = append(p.stack[:i], p.stack[i+1:]...)
}

// current is the current node; 0, 0 before there is any.
func (p *parser) current() opened {
	if len(p.stack) == 0 {
		return opened{}
	}
	return p.stack[len(p.stack)-1]
}

// adjustedCurrent is the tag of the current node, or of the context element
// that it stands for.
func (p *parser) adjustedCurrent() tag {
	if len(p.stack) == 1 && p.context != 0 {
		return p.context
	}
	return p.current().tag
}

func (p *parser) currentIs(name atom.Atom) bool { return p.current().tag == tag(name) }

// has reports whether an HTML element of that name is open.
func (p *parser) has(name atom.Atom) bool { return p.count[name] > 0 }

// find is where in the stack the topmost element of a name is, if none that
// ends the scope lies above it; -1 otherwise.
func (p *parser) find(name atom.Atom, scope uint16) int {
	if p.count[name] == 0 {
		return -1
	}
	for i := len(p.stack) - 1; i >= 0; i-- {
		t := p.stack[i].tag
		if t == tag(name) {
			return i
		}
		if t.traits()&scope != 0 {
			return -1
		}
	}
	return -1
}

func (p *parser) inScope(name atom.Atom, scope uint16) bool { return p.find(name, scope) >= 0 }

// close pops the stack through the topmost element of a name, if it is in
// scope, and reports whether it was.
func (p *parser) close(name atom.Atom, scope uint16) bool {
	i := p.find(name, scope)
	if i >= 0 {
		p.popTo(i)
	}
	return i >= 0
}

// closeP closes a p element that is in button scope.
func (p *parser) closeP() {
	if p.count[atom.P] > 0 {
		p.close(atom.P, scopeButton)
	}
}

// findAny is find for the topmost of several elements, told by their trait.
func (p *parser) findAny(names []atom.Atom, scope uint16) int {
	for i := len(p.stack) - 1; i >= 0; i-- {
		t := p.stack[i].tag
		for _, name := range names {
			if t == tag(name) {
				return i
			}
		}
		if t.traits()&scope != 0 {
			return -1
		}
	}
	return -1
}

// clearTo pops elements until the current node is one of names or template or
// html (§ 13.2.6.4.9, clear the stack back to a table context).
func (p *parser) clearTo(names ...atom.Atom) {
	for i := len(p.stack) - 1; i > 0; i-- {
		t := p.stack[i].tag
		if t == tag(atom.Template) || t == tag(atom.Html) {
			p.popTo(i + 1)
			return
		}
		for _, name := range names {
			if t == tag(name) {
				p.popTo(i + 1)
				return
			}
		}
	}
	p.popTo(1)
}

// implyEndTags pops the elements whose end tags may be left out, except for
// one name (§ 13.2.6.3).
func (p *parser) implyEndTags(except atom.Atom) {
	i := len(p.stack)
	for i > 0 {
		t := p.stack[i-1].tag
		if t == tag(except) || t.traits()&impliedEnd == 0 {
			break
		}
		i--
	}
	p.popTo(i)
}

// implyAllEndTags generates all implied end tags thoroughly.
func (p *parser) implyAllEndTags() {
	i := len(p.stack)
	for i > 0 && p.stack[i-1].tag.traits()&(impliedEnd|impliedTable) != 0 {
		i--
	}
	p.popTo(i)
}
