package dom

import "shoal/internal/dom/atom"

// maxDepth is how many elements are open at most, as in browsers. It bounds
// every walk up the stack, and with it the time that a page takes.
const maxDepth = 512

// tooDeep handles a token where no more elements can be opened, and reports
// whether it has; the others follow the rules. Elements are put next to each
// other there instead of into each other. Their names are kept, so that their
// end tags close nothing else.
func (p *parser) tooDeep() bool {
	name := p.tok.name
	switch p.tok.kind {
	case tokenStart:
		if rawTextElement(name) && !p.inForeign() {
			return false
		}
		p.truncate(TruncatedDepth)
		p.kept = len(p.attrs)
		t := tag(name)
		if at := p.adjustedCurrent(); at >= foreignTag {
			t = makeTag(at.namespace(), name)
		}
		p.link(p.add(ElementNode, t, p.tok.data), p.current().id, None)
		if !p.tok.selfClosing && !void(name) {
			p.flat = append(p.flat, name)
		}
		return true
	case tokenEnd:
		for i := len(p.flat) - 1; i >= max(0, len(p.flat)-maxDepth); i-- {
			if p.flat[i] == name {
				p.flat = p.flat[:i]
				return true
			}
		}
		p.flat = p.flat[:0]
	}
	return false
}

// rawTextElement reports the elements that are closed before anything else can
// be opened in them.
func rawTextElement(name atom.Atom) bool {
	switch name {
	case atom.Title, atom.Textarea, atom.Style, atom.Xmp, atom.Iframe, atom.Noembed, atom.Noframes, atom.Script:
		return true
	}
	return false
}
