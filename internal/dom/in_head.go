package dom

import "shoal/internal/dom/atom"

// initial is § 13.2.6.4.1, before anything but comments.
func (p *parser) initial() bool {
	switch p.tok.kind {
	case tokenText:
		if p.splitSpace(); p.tok.data.len == 0 {
			return true
		}
	case tokenComment:
		p.insertComment(Root)
		return true
	case tokenDoctype:
		p.kept = len(p.attrs)
		id := p.add(DoctypeNode, tag(p.tok.name), p.tok.data)
		p.link(id, Root, None)
		p.Quirks = p.quirky()
		p.mode = modeBeforeHTML
		return true
	}
	p.Quirks = true
	p.mode = modeBeforeHTML
	return false
}

// beforeHTML is § 13.2.6.4.2.
func (p *parser) beforeHTML() bool {
	switch p.tok.kind {
	case tokenDoctype:
		return true
	case tokenComment:
		p.insertComment(Root)
		return true
	case tokenText:
		if p.splitSpace(); p.tok.data.len == 0 {
			return true
		}
	case tokenStart:
		if p.tok.name == atom.Html {
			p.kept = len(p.attrs)
			p.openHTML(p.tok.data)
			return true
		}
	case tokenEnd:
		if !p.endsHeadOrBody() {
			return true
		}
	}
	p.openHTML(span{})
	return false
}

func (p *parser) openHTML(attrs span) {
	id := p.add(ElementNode, tag(atom.Html), attrs)
	p.link(id, Root, None)
	p.push(id, tag(atom.Html))
	p.mode = modeBeforeHead
}

// endsHeadOrBody reports the end tags that are not ignored early in a page.
func (p *parser) endsHeadOrBody() bool {
	switch p.tok.name {
	case atom.Head, atom.Body, atom.Html, atom.Br:
		return true
	}
	return false
}

// beforeHead is § 13.2.6.4.3.
func (p *parser) beforeHead() bool {
	switch p.tok.kind {
	case tokenText:
		if p.splitSpace(); p.tok.data.len == 0 {
			return true
		}
	case tokenComment:
		p.insertComment(None)
		return true
	case tokenDoctype:
		return true
	case tokenStart:
		switch p.tok.name {
		case atom.Html:
			return p.inBody()
		case atom.Head:
			p.head = p.insertToken()
			p.mode = modeInHead
			return true
		}
	case tokenEnd:
		if !p.endsHeadOrBody() {
			return true
		}
	}
	p.head = p.insert(tag(atom.Head), span{})
	p.mode = modeInHead
	return false
}

// inHead is § 13.2.6.4.4.
func (p *parser) inHead() bool {
	switch p.tok.kind {
	case tokenText:
		if p.insertText(p.splitSpace()); p.tok.data.len == 0 {
			return true
		}
	case tokenComment:
		p.insertComment(None)
		return true
	case tokenDoctype:
		return true
	case tokenStart:
		if done, known := p.headStart(); known {
			return done
		}
	case tokenEnd:
		switch p.tok.name {
		case atom.Head:
			p.pop()
			p.mode = modeAfterHead
			return true
		case atom.Template:
			p.endTemplate()
			return true
		case atom.Body, atom.Html, atom.Br:
		default:
			return true
		}
	}
	p.pop()
	p.mode = modeAfterHead
	return false
}

// headStart handles the start tags that the head has rules for.
func (p *parser) headStart() (done, known bool) {
	switch p.tok.name {
	case atom.Html:
		return p.inBody(), true
	case atom.Base, atom.Basefont, atom.Bgsound, atom.Link, atom.Meta:
		p.insertVoid()
	case atom.Title, atom.Noframes, atom.Style, atom.Script:
		p.insertRawText()
	case atom.Noscript:
		if p.scripting {
			p.insertRawText()
		} else {
			p.insertToken()
			p.mode = modeInHeadNoscript
		}
	case atom.Template:
		p.startTemplate()
	case atom.Head:
	default:
		return false, false
	}
	return true, true
}

// inHeadNoscript is § 13.2.6.4.5.
func (p *parser) inHeadNoscript() bool {
	switch p.tok.kind {
	case tokenDoctype:
		return true
	case tokenComment:
		return p.inHead()
	case tokenText:
		if p.insertText(p.splitSpace()); p.tok.data.len == 0 {
			return true
		}
	case tokenStart:
		switch p.tok.name {
		case atom.Html:
			return p.inBody()
		case atom.Basefont, atom.Bgsound, atom.Link, atom.Meta, atom.Noframes, atom.Style:
			return p.inHead()
		case atom.Head, atom.Noscript:
			return true
		}
	case tokenEnd:
		switch p.tok.name {
		case atom.Noscript:
			p.pop()
			p.mode = modeInHead
			return true
		case atom.Br:
		default:
			return true
		}
	}
	p.pop()
	p.mode = modeInHead
	return false
}

// afterHead is § 13.2.6.4.6.
func (p *parser) afterHead() bool {
	switch p.tok.kind {
	case tokenText:
		if p.insertText(p.splitSpace()); p.tok.data.len == 0 {
			return true
		}
	case tokenComment:
		p.insertComment(None)
		return true
	case tokenDoctype:
		return true
	case tokenStart:
		switch p.tok.name {
		case atom.Html:
			return p.inBody()
		case atom.Body:
			p.insertToken()
			p.framesetOK = false
			p.mode = modeInBody
			return true
		case atom.Frameset:
			p.insertToken()
			p.mode = modeInFrameset
			return true
		case atom.Base, atom.Basefont, atom.Bgsound, atom.Link, atom.Meta, atom.Noframes, atom.Script, atom.Style,
			atom.Template, atom.Title:
			return p.backInHead()
		case atom.Head:
			return true
		}
	case tokenEnd:
		switch p.tok.name {
		case atom.Template:
			p.endTemplate()
			return true
		case atom.Body, atom.Html, atom.Br:
		default:
			return true
		}
	}
	p.insert(tag(atom.Body), span{})
	p.mode = modeInBody
	return false
}

// backInHead puts what belongs into the head there though it is closed.
func (p *parser) backInHead() bool {
	if p.nodes[p.head].next != None {
		p.unordered = true
	}
	p.push(p.head, tag(atom.Head))
	done := p.inHead()
	if i := p.stackIndex(p.head); i >= 0 {
		p.remove(i)
	}
	return done
}
