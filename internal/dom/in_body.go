package dom

import (
	"strings"

	"shoal/internal/dom/atom"
)

// inBody is § 13.2.6.4.7, the "in body" insertion mode.
func (p *parser) inBody() bool {
	switch p.tok.kind {
	case tokenText:
		p.bodyText()
	case tokenStart:
		return p.bodyStart()
	case tokenEnd:
		return p.bodyEnd()
	case tokenComment:
		p.insertComment(None)
	case tokenEOF:
		if len(p.templateModes) > 0 {
			return p.inTemplate()
		}
	}
	return true
}

func (p *parser) bodyText() {
	text := p.withoutNUL(p.tok.data)
	if text.len == 0 {
		return
	}
	p.reconstruct()
	p.insertText(text)
	if p.framesetOK && !p.blank(text) {
		p.framesetOK = false
	}
}

// bodyStart handles the start tags, most frequent ones first.
func (p *parser) bodyStart() bool {
	switch name := p.tok.name; name {
	case atom.Address, atom.Article, atom.Aside, atom.Blockquote, atom.Center, atom.Details, atom.Dialog, atom.Dir,
		atom.Div, atom.Dl, atom.Fieldset, atom.Figcaption, atom.Figure, atom.Footer, atom.Header, atom.Hgroup, atom.Main,
		atom.Menu, atom.Nav, atom.Ol, atom.P, atom.Search, atom.Section, atom.Summary, atom.Ul:
		p.closeP()
		p.insertToken()
	case atom.A:
		p.startA()
	case atom.B, atom.Big, atom.Code, atom.Em, atom.Font, atom.I, atom.S, atom.Small, atom.Strike, atom.Strong, atom.Tt,
		atom.U:
		p.reconstruct()
		p.insertFormatting()
	case atom.Li:
		p.startItem(atom.Li, atom.Li)
	case atom.Dd, atom.Dt:
		p.startItem(atom.Dd, atom.Dt)
	case atom.H1, atom.H2, atom.H3, atom.H4, atom.H5, atom.H6:
		p.closeP()
		if p.current().tag.traits()&heading != 0 {
			p.pop()
		}
		p.insertToken()
	case atom.Pre, atom.Listing:
		p.closeP()
		p.insertToken()
		p.skipLF = true
		p.framesetOK = false
	case atom.Table:
		if !p.Quirks {
			p.closeP()
		}
		p.insertToken()
		p.framesetOK = false
		p.mode = modeInTable
	case atom.Area, atom.Br, atom.Embed, atom.Img, atom.Keygen, atom.Wbr:
		p.reconstruct()
		p.insertVoid()
		p.framesetOK = false
	case atom.Image: // the standard: don't ask
		p.tok.name = atom.Img
		return false
	case atom.Param, atom.Source, atom.Track:
		p.insertVoid()
	case atom.Base, atom.Basefont, atom.Bgsound, atom.Link, atom.Meta, atom.Noframes, atom.Script, atom.Style,
		atom.Template, atom.Title:
		return p.inHead()
	case atom.Form, atom.Button, atom.Input, atom.Textarea, atom.Select, atom.Option, atom.Optgroup, atom.Hr:
		p.startControl()
	case atom.Html, atom.Body, atom.Frameset:
		p.startRoot()
	case atom.Nobr, atom.Plaintext, atom.Applet, atom.Marquee, atom.Object, atom.Xmp, atom.Iframe, atom.Noembed,
		atom.Noscript, atom.Rb, atom.Rtc, atom.Rp, atom.Rt:
		p.startRare()
	case atom.Math:
		p.startForeign(MathML)
	case atom.Svg:
		p.startForeign(SVG)
	case atom.Selectedcontent:
		p.showing = true
		p.reconstruct()
		p.insertToken()
	case atom.Caption, atom.Col, atom.Colgroup, atom.Frame, atom.Head, atom.Tbody, atom.Td, atom.Tfoot, atom.Th,
		atom.Thead, atom.Tr:
	default:
		p.reconstruct()
		p.insertToken()
	}
	return true
}

// startA closes an a that is still open, as links do not nest.
func (p *parser) startA() {
	if i := p.lastFormatting(atom.A); i >= 0 {
		id := p.formatting[i].id
		p.adopt(atom.A)
		if i := p.formattingIndex(id); i >= 0 {
			p.forget(i)
		}
		if i := p.stackIndex(id); i >= 0 {
			p.remove(i)
		}
	}
	p.reconstruct()
	p.insertFormatting()
}

// startItem opens an item of a list, and closes the one before it if only
// inline elements and paragraphs are open in that.
func (p *parser) startItem(name, other atom.Atom) {
	p.framesetOK = false
	if p.has(name) || p.has(other) {
		for i := len(p.stack) - 1; i > 0; i-- {
			t := p.stack[i].tag
			if t == tag(name) || t == tag(other) {
				p.implyEndTags(t.name())
				p.popTo(i)
				break
			}
			if t.traits()&special != 0 && t != tag(atom.Address) && t != tag(atom.Div) && t != tag(atom.P) {
				break
			}
		}
	}
	p.closeP()
	p.insertToken()
}

// startRoot handles a second html or body, which add attributes to the first,
// and a frameset, which takes the place of an empty body.
func (p *parser) startRoot() {
	body := opened{}
	if len(p.stack) > 1 && p.stack[1].tag == tag(atom.Body) {
		body = p.stack[1]
	}
	switch p.tok.name {
	case atom.Html:
		if !p.has(atom.Template) {
			p.addAttrs(p.stack[0].id)
		}
	case atom.Body:
		if body.id != None && !p.has(atom.Template) {
			p.framesetOK = false
			p.addAttrs(body.id)
		}
	case atom.Frameset:
		if body.id != None && p.framesetOK {
			p.unlink(body.id)
			p.popTo(1)
			p.insertToken()
			p.mode = modeInFrameset
		}
	}
}

// startControl handles forms and what is in them.
func (p *parser) startControl() {
	switch p.tok.name {
	case atom.Form:
		inTemplate := p.has(atom.Template)
		if p.form != None && !inTemplate {
			return
		}
		p.closeP()
		id := p.insertToken()
		if !inTemplate {
			p.form = id
		}
	case atom.Button:
		if p.inScope(atom.Button, scopeDefault) {
			p.implyEndTags(0)
			p.close(atom.Button, scopeDefault)
		}
		p.reconstruct()
		p.insertToken()
		p.framesetOK = false
	case atom.Input:
		if p.context == tag(atom.Select) {
			return
		}
		p.close(atom.Select, scopeDefault)
		p.reconstruct()
		p.insertVoid()
		if !p.hiddenInput() {
			p.framesetOK = false
		}
	case atom.Textarea:
		p.insertRawText()
		p.skipLF = true
		p.framesetOK = false
	case atom.Hr:
		p.closeP()
		if p.inScope(atom.Select, scopeDefault) {
			p.implyEndTags(0)
		}
		p.insertVoid()
		p.framesetOK = false
	default:
		p.startSelect()
	}
}

// startSelect handles a select and its options, which may hold any content
// since 2025.
func (p *parser) startSelect() {
	switch p.tok.name {
	case atom.Select:
		if p.context == tag(atom.Select) || p.close(atom.Select, scopeDefault) {
			return
		}
		p.framesetOK = false
	case atom.Option:
		if p.inScope(atom.Select, scopeDefault) {
			p.implyEndTags(atom.Optgroup)
		} else if p.currentIs(atom.Option) {
			p.pop()
		}
	case atom.Optgroup:
		if p.inScope(atom.Select, scopeDefault) {
			p.implyEndTags(0)
		} else if p.currentIs(atom.Option) {
			p.pop()
		}
	}
	p.reconstruct()
	p.insertToken()
}

func (p *parser) hiddenInput() bool {
	kind, _ := p.tokenAttr(atom.Type)
	return strings.EqualFold(kind, "hidden")
}

func (p *parser) startRare() {
	switch name := p.tok.name; name {
	case atom.Nobr:
		p.reconstruct()
		if p.inScope(atom.Nobr, scopeDefault) {
			p.adopt(atom.Nobr)
			p.reconstruct()
		}
		p.insertFormatting()
	case atom.Applet, atom.Marquee, atom.Object:
		p.reconstruct()
		p.insertToken()
		p.mark()
		p.framesetOK = false
	case atom.Plaintext:
		p.closeP()
		p.insertToken()
		p.enterRawText(name)
	case atom.Xmp:
		p.closeP()
		p.reconstruct()
		p.framesetOK = false
		p.insertRawText()
	case atom.Iframe:
		p.framesetOK = false
		p.insertRawText()
	case atom.Noembed:
		p.insertRawText()
	case atom.Noscript:
		if p.scripting {
			p.insertRawText()
			return
		}
		p.reconstruct()
		p.insertToken()
	case atom.Rb, atom.Rtc:
		if p.inScope(atom.Ruby, scopeDefault) {
			p.implyEndTags(0)
		}
		p.insertToken()
	case atom.Rp, atom.Rt:
		if p.inScope(atom.Ruby, scopeDefault) {
			p.implyEndTags(atom.Rtc)
		}
		p.insertToken()
	}
}
