package dom

import "shoal/internal/dom/atom"

// A mode is an insertion mode (§ 13.2.4.1): which rules hold for the next token.
type mode uint8

const (
	modeInitial mode = iota
	modeBeforeHTML
	modeBeforeHead
	modeInHead
	modeInHeadNoscript
	modeAfterHead
	modeInBody
	modeText
	modeInTable
	modeInCaption
	modeInColumnGroup
	modeInTableBody
	modeInRow
	modeInCell
	modeInTemplate
	modeAfterBody
	modeInFrameset
	modeAfterFrameset
	modeAfterAfterBody
	modeAfterAfterFrameset
)

// rules applies a mode's rules to the token, and reports whether they have
// used it; otherwise it is processed again, mostly in another mode.
func (p *parser) rules(m mode) (done bool) {
	switch m {
	case modeInitial:
		return p.initial()
	case modeBeforeHTML:
		return p.beforeHTML()
	case modeBeforeHead:
		return p.beforeHead()
	case modeInHead:
		return p.inHead()
	case modeInHeadNoscript:
		return p.inHeadNoscript()
	case modeAfterHead:
		return p.afterHead()
	case modeInBody:
		return p.inBody()
	case modeText:
		return p.inText()
	case modeInTable:
		return p.inTable()
	case modeInCaption:
		return p.inCaption()
	case modeInColumnGroup:
		return p.inColumnGroup()
	case modeInTableBody:
		return p.inTableBody()
	case modeInRow:
		return p.inRow()
	case modeInCell:
		return p.inCell()
	case modeInTemplate:
		return p.inTemplate()
	case modeAfterBody:
		return p.afterBodyMode()
	case modeInFrameset:
		return p.inFrameset()
	case modeAfterFrameset:
		return p.afterFrameset()
	case modeAfterAfterBody:
		return p.afterAfterBody()
	}
	return p.afterAfterFrameset()
}

// resetMode chooses the mode by what is open (§ 13.2.4.1, reset the insertion
// mode appropriately).
func (p *parser) resetMode() {
	for i := len(p.stack) - 1; i >= 0; i-- {
		t, last := p.stack[i].tag, i == 0
		if last && p.context != 0 {
			t = p.context
		}
		if m, ok := p.modeFor(t, last); ok {
			p.mode = m
			return
		}
	}
	p.mode = modeInBody
}

func (p *parser) modeFor(t tag, last bool) (m mode, ok bool) {
	switch t {
	case tag(atom.Td), tag(atom.Th):
		return modeInCell, !last
	case tag(atom.Tr):
		return modeInRow, true
	case tag(atom.Tbody), tag(atom.Thead), tag(atom.Tfoot):
		return modeInTableBody, true
	case tag(atom.Caption):
		return modeInCaption, true
	case tag(atom.Colgroup):
		return modeInColumnGroup, true
	case tag(atom.Table):
		return modeInTable, true
	case tag(atom.Template):
		return p.templateModes[len(p.templateModes)-1], true
	case tag(atom.Head):
		return modeInHead, !last
	case tag(atom.Body):
		return modeInBody, true
	case tag(atom.Frameset):
		return modeInFrameset, true
	case tag(atom.Html):
		if p.head == None {
			return modeBeforeHead, true
		}
		return modeAfterHead, true
	}
	return 0, false
}

// inText is § 13.2.6.4.8, the "text" insertion mode.
func (p *parser) inText() bool {
	switch p.tok.kind {
	case tokenText:
		p.insertText(p.tok.data)
		return true
	case tokenEOF:
		p.pop()
		p.mode = p.original
		return false
	}
	p.pop()
	p.mode = p.original
	return true
}
