package dom

import (
	"strings"

	"shoal/internal/dom/atom"
)

// inForeign reports whether the token is for the rules of foreign content
// (§ 13.2.6, the tree construction dispatcher).
func (p *parser) inForeign() bool {
	t := p.adjustedCurrent()
	if t < foreignTag || p.tok.kind == tokenEOF {
		return false
	}
	start, text := p.tok.kind == tokenStart, p.tok.kind == tokenText
	if textIntegrationPoint(t) && (text || start && p.tok.name != atom.Mglyph && p.tok.name != atom.Malignmark) {
		return false
	}
	if t == makeTag(MathML, atom.AnnotationXml) && start && p.tok.name == atom.Svg {
		return false
	}
	return !(start || text) || !p.htmlIntegrationPoint(p.current().id, t)
}

// textIntegrationPoint is a MathML text integration point (§ 13.2.6).
func textIntegrationPoint(t tag) bool {
	if t.namespace() != MathML {
		return false
	}
	switch t.name() {
	case atom.Mi, atom.Mo, atom.Mn, atom.Ms, atom.Mtext:
		return true
	}
	return false
}

func (p *parser) htmlIntegrationPoint(id NodeID, t tag) bool {
	switch t {
	case makeTag(SVG, atom.ForeignObject), makeTag(SVG, atom.Desc), makeTag(SVG, atom.Title):
		return true
	case makeTag(MathML, atom.AnnotationXml):
		encoding, _ := p.Attr(id, atom.Encoding)
		return strings.EqualFold(encoding, "text/html") || strings.EqualFold(encoding, "application/xhtml+xml")
	}
	return false
}

// foreign is § 13.2.6.5, the rules for parsing tokens in foreign content.
func (p *parser) foreign() bool {
	switch p.tok.kind {
	case tokenText:
		if p.framesetOK && strings.Trim(p.text(p.tok.data), " \t\n\f\x00") != "" {
			p.framesetOK = false
		}
		p.insertText(p.replaceNUL(p.tok.data, "\uFFFD"))
	case tokenComment:
		p.insertComment(None)
	case tokenStart:
		if p.breaksOut() {
			return p.breakOut()
		}
		ns := p.adjustedCurrent().namespace()
		name := p.tok.name
		if ns == SVG {
			name = svgName(name)
		}
		p.insertForeign(makeTag(ns, name))
	case tokenEnd:
		if p.tok.name == atom.Br || p.tok.name == atom.P {
			return p.breakOut()
		}
		return p.endForeign()
	}
	return true
}

// startForeign is the start tag svg or math in HTML.
func (p *parser) startForeign(ns Namespace) {
	p.reconstruct()
	p.insertForeign(makeTag(ns, p.tok.name))
}

func (p *parser) insertForeign(t tag) {
	list := p.attrs[p.tok.data.off : p.tok.data.off+p.tok.data.len]
	for i := range list {
		switch {
		case t.namespace() == SVG && list[i].Name < atom.NumKnown:
			if a := svgAttrs[list[i].Name]; a != 0 {
				list[i].Name = a
			}
		case t.namespace() == MathML && list[i].Name == atom.Definitionurl:
			list[i].Name = atom.DefinitionURL
		}
	}
	p.kept = len(p.attrs)
	if p.tok.selfClosing {
		p.insertLeaf(t, p.tok.data)
	} else {
		p.insert(t, p.tok.data)
	}
}

// breaksOut reports the start tags that end foreign content, as they were
// forgotten to be kept out of it.
func (p *parser) breaksOut() bool {
	switch p.tok.name {
	case atom.B, atom.Big, atom.Blockquote, atom.Body, atom.Br, atom.Center, atom.Code, atom.Dd, atom.Div, atom.Dl,
		atom.Dt, atom.Em, atom.Embed, atom.H1, atom.H2, atom.H3, atom.H4, atom.H5, atom.H6, atom.Head, atom.Hr, atom.I,
		atom.Img, atom.Li, atom.Listing, atom.Menu, atom.Meta, atom.Nobr, atom.Ol, atom.P, atom.Pre, atom.Ruby, atom.S,
		atom.Small, atom.Span, atom.Strong, atom.Strike, atom.Sub, atom.Sup, atom.Table, atom.Tt, atom.U, atom.Ul,
		atom.Var:
		return true
	case atom.Font:
		for _, a := range p.attrs[p.tok.data.off : p.tok.data.off+p.tok.data.len] {
			if a.Name == atom.Color || a.Name == atom.Face || a.Name == atom.Size {
				return true
			}
		}
	}
	return false
}

// breakOut closes the foreign elements and processes the token as HTML.
func (p *parser) breakOut() bool {
	for i := len(p.stack) - 1; ; i-- {
		at := p.stack[i]
		if i == 0 || at.tag < foreignTag || textIntegrationPoint(at.tag) || p.htmlIntegrationPoint(at.id, at.tag) {
			p.popTo(i + 1)
			return p.rules(p.mode)
		}
	}
}

// endForeign closes the element of the end tag's name, up to the first one of
// HTML, where HTML's rules go on.
func (p *parser) endForeign() bool {
	for i := len(p.stack) - 1; i > 0; i-- {
		t := p.stack[i].tag
		if t < foreignTag {
			return p.rules(p.mode)
		}
		if name := t.name(); name == p.tok.name || t.namespace() == SVG && name == svgName(p.tok.name) {
			p.popTo(i)
			return true
		}
	}
	return true
}

// svgName is how SVG spells the name of an element.
func svgName(name atom.Atom) atom.Atom {
	if name < atom.NumElements && svgTags[name] != 0 {
		return svgTags[name]
	}
	return name
}
