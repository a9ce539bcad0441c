package dom

import "shoal/internal/dom/atom"

// startTag reads a start tag, and reports whether it is whole: one that the
// page ends in is no token (§ 13.2.5.8 and following).
func (p *parser) startTag() bool {
	i, name := p.tagName(p.pos + 1)
	p.attrs = p.attrs[:p.kept]
	p.tok.kind, p.tok.name, p.tok.selfClosing = tokenStart, name, false
	if i < len(p.src) && p.src[i] == '>' { // as most tags end
		p.tok.data = span{uint32(p.kept), 0}
		p.pos = i + 1
		return true
	}
	if !p.tagRest(i) {
		return false
	}
	p.tok.data = span{uint32(p.kept), uint32(len(p.attrs) - p.kept)}
	return true
}

// endTag reads an end tag; its attributes say nothing.
func (p *parser) endTag() bool {
	i, name := p.tagName(p.pos + 2)
	p.tok.kind, p.tok.name, p.tok.selfClosing = tokenEnd, name, false
	if i < len(p.src) && p.src[i] == '>' {
		p.pos = i + 1
		return true
	}
	p.attrs = p.attrs[:p.kept]
	ok := p.tagRest(i)
	p.attrs = p.attrs[:p.kept]
	return ok
}

// tagName reads the name at i and returns where it ends.
func (p *parser) tagName(i int) (int, atom.Atom) {
	src, start, seen := p.src, i, uint8(0)
	for i < len(src) {
		c := class[src[i]]
		if c&endsTag != 0 {
			break
		}
		seen |= c
		i++
	}
	return i, p.intern(start, i, seen)
}

// intern is the atom of the name in the source from i up to j, whose bytes
// are of the classes seen.
func (p *parser) intern(i, j int, seen uint8) atom.Atom {
	if seen&needsLower == 0 {
		if a := atom.Lookup(p.src[i:j]); a != 0 {
			return a
		}
		return p.names.intern(&p.Document, span{uint32(i), uint32(j - i)})
	}
	before := len(p.arena)
	s := p.literal(i, j, true)
	known := len(p.names.spans)
	a := atom.Lookup(p.bytes(s))
	if a == 0 {
		a = p.names.intern(&p.Document, s)
	}
	if len(p.names.spans) == known { // the name is somewhere else already
		p.arena = p.arena[:before]
	}
	return a
}

// tagRest reads from the end of a tag's name to the end of the tag.
func (p *parser) tagRest(i int) bool {
	src := p.src
	for {
		for i < len(src) && class[src[i]]&isSpace != 0 {
			i++
		}
		if i >= len(src) {
			p.pos = i
			return false
		}
		switch src[i] {
		case '>':
			p.pos = i + 1
			return true
		case '/':
			if i++; i < len(src) && src[i] == '>' {
				p.tok.selfClosing = true
				p.pos = i + 1
				return true
			}
		default:
			i = p.attribute(i)
		}
	}
}

// attribute reads the attribute at i and returns where the tag goes on.
func (p *parser) attribute(i int) int {
	src, start := p.src, i
	seen := class[src[i]] // an = here is part of the name
	for i++; i < len(src); i++ {
		c := class[src[i]]
		if c&endsAttr != 0 {
			break
		}
		seen |= c
	}
	a := Attr{Name: p.intern(start, i, seen), value: span{uint32(i), 0}}
	for i < len(src) && class[src[i]]&isSpace != 0 {
		i++
	}
	if i < len(src) && src[i] == '=' {
		i, a.value = p.value(i + 1)
	}
	if !p.hasAttr(a.Name) {
		p.attrs = append(p.attrs, a)
	}
	return i
}

// value reads an attribute's value behind the = sign.
func (p *parser) value(i int) (int, span) {
	src := p.src
	for i < len(src) && class[src[i]]&isSpace != 0 {
		i++
	}
	if i >= len(src) {
		return i, span{uint32(i), 0}
	}
	quote := src[i]
	if quote != '"' && quote != '\'' {
		return p.unquoted(i)
	}
	i++
	end := indexEither(src, i, quote, '&')
	if end < len(src) && src[end] == quote && !p.hasNUL {
		return end + 1, span{uint32(i), uint32(end - i)}
	}
	w := p.write(i)
	w.nul(i, end)
	for end < len(src) && src[end] != quote {
		next := w.reference(end, true)
		end = indexEither(src, next, quote, '&')
		w.nul(next, end)
	}
	return min(end+1, len(src)), w.end(end)
}

func (p *parser) unquoted(i int) (int, span) {
	src, from := p.src, i
	w := p.write(i)
	for i < len(src) {
		if class[src[i]]&endsValue == 0 {
			i++
			continue
		}
		if src[i] != '&' {
			break
		}
		w.nul(from, i)
		i = w.reference(i, true)
		from = i
	}
	w.nul(from, i)
	return i, w.end(i)
}

// nul writes U+FFFD for the NULs in the source from i up to j.
func (w *writer) nul(i, j int) {
	if !w.p.hasNUL {
		return
	}
	for ; i < j; i++ {
		if w.p.src[i] == 0 {
			w.put(i, i+1, "\uFFFD")
		}
	}
}

// manyAttrs is from how many attributes on they are not compared one by one.
const manyAttrs = 16

// hasAttr reports whether the tag has an attribute of that name already: the
// first one counts (§ 13.2.5.33).
func (p *parser) hasAttr(name atom.Atom) bool {
	list := p.attrs[p.kept:]
	if len(list) < manyAttrs {
		for i := range list {
			if list[i].Name == name {
				return true
			}
		}
		return false
	}
	if len(list) == manyAttrs {
		p.tags++
		for i := range list {
			p.stamp(list[i].Name)
		}
	}
	return p.stamp(name)
}

// stamp notes that the tag has a name, and reports whether it had it before.
func (p *parser) stamp(name atom.Atom) bool {
	if missing := int(name) + 1 - len(p.stamps); missing > 0 {
		p.stamps = append(p.stamps, make([]uint32, max(missing, atom.NumKnown, len(p.stamps)))...)
	}
	had := p.stamps[name] == p.tags
	p.stamps[name] = p.tags
	return had
}
