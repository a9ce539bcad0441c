package dom

import "shoal/internal/dom/atom"

// inTable is § 13.2.6.4.9, with the text of § 13.2.6.4.10: the tokenizer
// gives the text of a table in one piece.
func (p *parser) inTable() bool {
	switch p.tok.kind {
	case tokenText:
		p.tok.data = p.withoutNUL(p.tok.data)
		if p.tok.data.len == 0 {
			return true
		}
		if t := p.current().tag; (t.traits()&tablePart != 0 || t == tag(atom.Template)) && p.blank(p.tok.data) {
			p.insertText(p.tok.data)
			return true
		}
	case tokenComment:
		p.insertComment(None)
		return true
	case tokenDoctype:
		return true
	case tokenEOF:
		return p.inBody()
	case tokenStart:
		if done, known := p.tableStart(); known {
			return done
		}
	case tokenEnd:
		switch p.tok.name {
		case atom.Table:
			if p.close(atom.Table, scopeTable) {
				p.resetMode()
			}
			return true
		case atom.Body, atom.Caption, atom.Col, atom.Colgroup, atom.Html, atom.Tbody, atom.Td, atom.Tfoot, atom.Th,
			atom.Thead, atom.Tr:
			return true
		case atom.Template:
			p.endTemplate()
			return true
		}
	}
	return p.fosterToken()
}

// fosterToken processes what does not belong into a table, by the rules of the
// body; it goes before the table.
func (p *parser) fosterToken() bool {
	p.fostering = true
	done := p.inBody()
	p.fostering = false
	return done
}

// tableStart handles the start tags that belong into a table.
func (p *parser) tableStart() (done, known bool) {
	switch p.tok.name {
	case atom.Caption:
		p.clearTo(atom.Table)
		p.mark()
		p.insertToken()
		p.mode = modeInCaption
	case atom.Colgroup:
		p.clearTo(atom.Table)
		p.insertToken()
		p.mode = modeInColumnGroup
	case atom.Col:
		p.clearTo(atom.Table)
		p.insert(tag(atom.Colgroup), span{})
		p.mode = modeInColumnGroup
		return false, true
	case atom.Tbody, atom.Tfoot, atom.Thead:
		p.clearTo(atom.Table)
		p.insertToken()
		p.mode = modeInTableBody
	case atom.Td, atom.Th, atom.Tr:
		p.clearTo(atom.Table)
		p.insert(tag(atom.Tbody), span{})
		p.mode = modeInTableBody
		return false, true
	case atom.Table:
		if !p.close(atom.Table, scopeTable) {
			return true, true
		}
		p.resetMode()
		return false, true
	case atom.Style, atom.Script, atom.Template:
		return p.inHead(), true
	case atom.Input:
		if !p.hiddenInput() {
			return false, false
		}
		p.insertVoid()
	case atom.Form:
		if p.form == None && !p.has(atom.Template) {
			p.form = p.insertVoid()
		}
	default:
		return false, false
	}
	return true, true
}

// inCaption is § 13.2.6.4.11.
func (p *parser) inCaption() bool {
	switch p.tok.kind {
	case tokenStart:
		switch p.tok.name {
		case atom.Caption, atom.Col, atom.Colgroup, atom.Tbody, atom.Td, atom.Tfoot, atom.Th, atom.Thead, atom.Tr:
			return !p.endCaption()
		}
	case tokenEnd:
		switch p.tok.name {
		case atom.Caption:
			p.endCaption()
			return true
		case atom.Table:
			return !p.endCaption()
		case atom.Body, atom.Col, atom.Colgroup, atom.Html, atom.Tbody, atom.Td, atom.Tfoot, atom.Th, atom.Thead, atom.Tr:
			return true
		}
	}
	return p.inBody()
}

func (p *parser) endCaption() bool {
	if !p.close(atom.Caption, scopeTable) {
		return false
	}
	p.unmark()
	p.mode = modeInTable
	return true
}

// inColumnGroup is § 13.2.6.4.12.
func (p *parser) inColumnGroup() bool {
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
	case tokenEOF:
		return p.inBody()
	case tokenStart:
		switch p.tok.name {
		case atom.Html:
			return p.inBody()
		case atom.Col:
			p.insertVoid()
			return true
		case atom.Template:
			return p.inHead()
		}
	case tokenEnd:
		switch p.tok.name {
		case atom.Colgroup:
			if p.currentIs(atom.Colgroup) {
				p.pop()
				p.mode = modeInTable
			}
			return true
		case atom.Col:
			return true
		case atom.Template:
			p.endTemplate()
			return true
		}
	}
	if !p.currentIs(atom.Colgroup) {
		return true
	}
	p.pop()
	p.mode = modeInTable
	return false
}
