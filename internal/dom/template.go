package dom

import "shoal/internal/dom/atom"

// startTemplate is § 13.2.6.4.4, a start tag template. Its contents become its
// children here; the standard puts them into a document of their own.
func (p *parser) startTemplate() {
	p.insertToken()
	p.mark()
	p.framesetOK = false
	p.mode = modeInTemplate
	p.templateModes = append(p.templateModes, modeInTemplate)
}

func (p *parser) endTemplate() {
	if !p.has(atom.Template) {
		return
	}
	p.implyAllEndTags()
	p.leaveTemplate()
}

// leaveTemplate closes the innermost template.
func (p *parser) leaveTemplate() {
	for i := len(p.stack) - 1; i >= 0; i-- {
		if p.stack[i].tag == tag(atom.Template) {
			p.popTo(i)
			break
		}
	}
	p.unmark()
	p.templateModes = p.templateModes[:len(p.templateModes)-1]
	p.resetMode()
}

// inTemplate is § 13.2.6.4.16: the first tag that says what a template holds
// sets the mode.
func (p *parser) inTemplate() bool {
	switch p.tok.kind {
	case tokenText, tokenComment, tokenDoctype:
		return p.inBody()
	case tokenEnd:
		if p.tok.name == atom.Template {
			p.endTemplate()
		}
		return true
	case tokenEOF:
		if !p.has(atom.Template) {
			return true
		}
		p.leaveTemplate()
		return false
	}
	m := modeInBody
	switch p.tok.name {
	case atom.Base, atom.Basefont, atom.Bgsound, atom.Link, atom.Meta, atom.Noframes, atom.Script, atom.Style,
		atom.Template, atom.Title:
		return p.inHead()
	case atom.Caption, atom.Colgroup, atom.Tbody, atom.Tfoot, atom.Thead:
		m = modeInTable
	case atom.Col:
		m = modeInColumnGroup
	case atom.Tr:
		m = modeInTableBody
	case atom.Td, atom.Th:
		m = modeInRow
	}
	p.templateModes[len(p.templateModes)-1] = m
	p.mode = m
	return false
}
