package dom

import (
	"bytes"

	"shoal/internal/dom/atom"
)

// afterBodyMode is § 13.2.6.4.17.
func (p *parser) afterBodyMode() bool {
	switch p.tok.kind {
	case tokenText:
		if p.blank(p.tok.data) {
			p.unordered = p.unordered || p.afterBody
			return p.inBody()
		}
	case tokenComment:
		p.insertComment(p.stack[0].id)
		p.afterBody = true
		return true
	case tokenDoctype, tokenEOF:
		return true
	case tokenStart:
		if p.tok.name == atom.Html {
			return p.inBody()
		}
	case tokenEnd:
		if p.tok.name == atom.Html {
			if p.context == 0 {
				p.mode = modeAfterAfterBody
			}
			return true
		}
	}
	return p.backInBody()
}

// backInBody goes on with content behind the body's end.
func (p *parser) backInBody() bool {
	p.unordered = p.unordered || p.afterBody
	p.mode = modeInBody
	return false
}

// afterAfterBody is § 13.2.6.4.20.
func (p *parser) afterAfterBody() bool {
	switch p.tok.kind {
	case tokenComment:
		p.insertComment(Root)
		p.afterBody = true
		return true
	case tokenDoctype:
		return true
	case tokenText:
		if p.blank(p.tok.data) {
			p.unordered = p.unordered || p.afterBody
			return p.inBody()
		}
	case tokenStart:
		if p.tok.name == atom.Html {
			return p.inBody()
		}
	case tokenEOF:
		return true
	}
	return p.backInBody()
}

// inFrameset is § 13.2.6.4.18.
func (p *parser) inFrameset() bool {
	switch p.tok.kind {
	case tokenText:
		p.insertSpaces()
	case tokenComment:
		p.insertComment(None)
	case tokenStart:
		switch p.tok.name {
		case atom.Html:
			return p.inBody()
		case atom.Frameset:
			p.insertToken()
		case atom.Frame:
			p.insertVoid()
		case atom.Noframes:
			return p.inHead()
		}
	case tokenEnd:
		if p.tok.name == atom.Frameset && len(p.stack) > 1 {
			p.pop()
			if p.context == 0 && !p.currentIs(atom.Frameset) {
				p.mode = modeAfterFrameset
			}
		}
	}
	return true
}

// insertSpaces inserts the white space of a text and nothing else of it.
func (p *parser) insertSpaces() {
	text := p.tok.data
	for text.len > 0 {
		if n := leadingSpace(p.bytes(text)); n > 0 {
			p.insertText(span{text.off, uint32(n)})
			text = text.from(n)
		} else {
			text = text.from(1)
		}
	}
}

// afterFrameset is § 13.2.6.4.19.
func (p *parser) afterFrameset() bool {
	switch p.tok.kind {
	case tokenText:
		p.insertSpaces()
	case tokenComment:
		p.insertComment(None)
	case tokenStart:
		switch p.tok.name {
		case atom.Html:
			return p.inBody()
		case atom.Noframes:
			return p.inHead()
		}
	case tokenEnd:
		if p.tok.name == atom.Html {
			p.mode = modeAfterAfterFrameset
		}
	}
	return true
}

// afterAfterFrameset is § 13.2.6.4.21.
func (p *parser) afterAfterFrameset() bool {
	switch p.tok.kind {
	case tokenComment:
		p.insertComment(Root)
		p.afterBody = true
	case tokenText:
		p.unordered = p.unordered || p.afterBody
		if bytes.ContainsAny(p.bytes(p.tok.data), " \t\n\f\r") {
			p.reconstruct() // by the rules of the body, whose elements may still be to open
		}
		p.insertSpaces()
	case tokenStart:
		switch p.tok.name {
		case atom.Html:
			return p.inBody()
		case atom.Noframes:
			p.unordered = p.unordered || p.afterBody
			return p.inHead()
		}
	}
	return true
}
