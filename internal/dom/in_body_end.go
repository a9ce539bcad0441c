package dom

import "shoal/internal/dom/atom"

// bodyEnd handles the end tags of § 13.2.6.4.7.
func (p *parser) bodyEnd() bool {
	switch name := p.tok.name; name {
	case atom.Address, atom.Article, atom.Aside, atom.Blockquote, atom.Button, atom.Center, atom.Details, atom.Dialog,
		atom.Dir, atom.Div, atom.Dl, atom.Fieldset, atom.Figcaption, atom.Figure, atom.Footer, atom.Header, atom.Hgroup,
		atom.Listing, atom.Main, atom.Menu, atom.Nav, atom.Ol, atom.Pre, atom.Search, atom.Section, atom.Select,
		atom.Summary, atom.Ul:
		p.endBlock(name, scopeDefault, 0)
	case atom.A, atom.B, atom.Big, atom.Code, atom.Em, atom.Font, atom.I, atom.Nobr, atom.S, atom.Small, atom.Strike,
		atom.Strong, atom.Tt, atom.U:
		p.adopt(name)
	case atom.P:
		if !p.inScope(atom.P, scopeButton) {
			p.insert(tag(atom.P), span{})
		}
		p.close(atom.P, scopeButton)
	case atom.Li:
		p.endBlock(name, scopeList, name)
	case atom.Dd, atom.Dt:
		p.endBlock(name, scopeDefault, name)
	case atom.H1, atom.H2, atom.H3, atom.H4, atom.H5, atom.H6:
		p.endHeading()
	case atom.Form:
		p.endForm()
	case atom.Applet, atom.Marquee, atom.Object:
		if p.endBlock(name, scopeDefault, 0) {
			p.unmark()
		}
	case atom.Br:
		p.attrs = p.attrs[:p.kept]
		p.tok.kind, p.tok.data, p.tok.selfClosing = tokenStart, span{uint32(p.kept), 0}, false
		return false
	case atom.Body:
		if p.inScope(atom.Body, scopeDefault) {
			p.mode = modeAfterBody
		}
	case atom.Html:
		if p.inScope(atom.Body, scopeDefault) {
			p.mode = modeAfterBody
			return false
		}
	case atom.Template:
		p.endTemplate()
	default:
		p.closeOther(name)
	}
	return true
}

// endBlock closes an element that is in scope, and what is open in it.
func (p *parser) endBlock(name atom.Atom, scope uint16, except atom.Atom) bool {
	if p.currentIs(name) {
		p.pop()
		return true
	}
	if !p.inScope(name, scope) {
		return false
	}
	p.implyEndTags(except)
	return p.close(name, scope)
}

// endHeading closes any heading, whichever number the end tag has.
func (p *parser) endHeading() {
	for i := len(p.stack) - 1; i >= 0; i-- {
		traits := p.stack[i].tag.traits()
		if traits&heading != 0 {
			p.popTo(i)
			return
		}
		if traits&scopeDefault != 0 {
			return
		}
	}
}

func (p *parser) endForm() {
	if p.has(atom.Template) {
		p.endBlock(atom.Form, scopeDefault, 0)
		return
	}
	form := p.form
	p.form = None
	i := p.stackIndex(form)
	if form == None || i < 0 || !p.openInScope(i) {
		return
	}
	p.implyEndTags(0)
	p.remove(p.stackIndex(form))
}

// closeOther is "any other end tag": the nearest element of that name is
// closed, unless a special one is open in it.
func (p *parser) closeOther(name atom.Atom) {
	for i := len(p.stack) - 1; i > 0; i-- {
		t := p.stack[i].tag
		if t == tag(name) {
			p.implyEndTags(name)
			p.popTo(i)
			return
		}
		if t.traits()&special != 0 {
			return
		}
	}
}
