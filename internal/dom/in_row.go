package dom

import "shoal/internal/dom/atom"

// inTableBody is § 13.2.6.4.13.
func (p *parser) inTableBody() bool {
	switch p.tok.kind {
	case tokenStart:
		switch p.tok.name {
		case atom.Tr:
			p.clearToBody()
			p.insertToken()
			p.mode = modeInRow
			return true
		case atom.Td, atom.Th:
			p.clearToBody()
			p.insert(tag(atom.Tr), span{})
			p.mode = modeInRow
			return false
		case atom.Caption, atom.Col, atom.Colgroup, atom.Tbody, atom.Tfoot, atom.Thead:
			return !p.endTableBody()
		}
	case tokenEnd:
		switch p.tok.name {
		case atom.Tbody, atom.Tfoot, atom.Thead:
			if p.inScope(p.tok.name, scopeTable) {
				p.clearToBody()
				p.pop()
				p.mode = modeInTable
			}
			return true
		case atom.Table:
			return !p.endTableBody()
		case atom.Body, atom.Caption, atom.Col, atom.Colgroup, atom.Html, atom.Td, atom.Th, atom.Tr:
			return true
		}
	}
	return p.inTable()
}

func (p *parser) clearToBody() { p.clearTo(atom.Tbody, atom.Tfoot, atom.Thead) }

// endTableBody closes the rows' group, if there is one.
func (p *parser) endTableBody() bool {
	if !p.inScope(atom.Tbody, scopeTable) && !p.inScope(atom.Thead, scopeTable) && !p.inScope(atom.Tfoot, scopeTable) {
		return false
	}
	p.clearToBody()
	p.pop()
	p.mode = modeInTable
	return true
}

// inRow is § 13.2.6.4.14.
func (p *parser) inRow() bool {
	switch p.tok.kind {
	case tokenStart:
		switch p.tok.name {
		case atom.Td, atom.Th:
			p.clearTo(atom.Tr)
			p.insertToken()
			p.mark()
			p.mode = modeInCell
			return true
		case atom.Caption, atom.Col, atom.Colgroup, atom.Tbody, atom.Tfoot, atom.Thead, atom.Tr:
			return !p.endRow()
		}
	case tokenEnd:
		switch p.tok.name {
		case atom.Tr:
			p.endRow()
			return true
		case atom.Table:
			return !p.endRow()
		case atom.Tbody, atom.Tfoot, atom.Thead:
			return !p.inScope(p.tok.name, scopeTable) || !p.endRow()
		case atom.Body, atom.Caption, atom.Col, atom.Colgroup, atom.Html, atom.Td, atom.Th:
			return true
		}
	}
	return p.inTable()
}

func (p *parser) endRow() bool {
	if !p.inScope(atom.Tr, scopeTable) {
		return false
	}
	p.clearTo(atom.Tr)
	p.pop()
	p.mode = modeInTableBody
	return true
}

// inCell is § 13.2.6.4.15.
func (p *parser) inCell() bool {
	switch p.tok.kind {
	case tokenStart:
		switch p.tok.name {
		case atom.Caption, atom.Col, atom.Colgroup, atom.Tbody, atom.Td, atom.Tfoot, atom.Th, atom.Thead, atom.Tr:
			return !p.endCell()
		}
	case tokenEnd:
		switch p.tok.name {
		case atom.Td, atom.Th:
			if p.close(p.tok.name, scopeTable) {
				p.unmark()
				p.mode = modeInRow
			}
			return true
		case atom.Body, atom.Caption, atom.Col, atom.Colgroup, atom.Html:
			return true
		case atom.Table, atom.Tbody, atom.Tfoot, atom.Thead, atom.Tr:
			return !p.inScope(p.tok.name, scopeTable) || !p.endCell()
		}
	}
	return p.inBody()
}

// endCell closes the cell that is open, if there is one.
func (p *parser) endCell() bool {
	i := p.findAny([]atom.Atom{atom.Td, atom.Th}, scopeTable)
	if i < 0 {
		return false
	}
	p.popTo(i)
	p.unmark()
	p.mode = modeInRow
	return true
}
