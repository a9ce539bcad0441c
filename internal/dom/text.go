package dom

// insertText puts text where the next node goes: into the text that is there,
// or as one of its own (§ 13.2.6.1, insert a character).
func (p *parser) insertText(s span) {
	if s.len == 0 {
		return
	}
	parent, before := p.place()
	at := p.nodes[parent].last
	if before != None {
		at = p.nodes[before].prev
	}
	if at != None && p.nodes[at].typ == TextNode {
		p.appendText(at, s)
		return
	}
	if p.nodes[parent].typ == DocumentNode && p.context == 0 {
		return
	}
	id := p.add(TextNode, 0, s)
	p.link(id, parent, before)
}

// appendText makes a text longer. One that lies directly before the addition
// takes it in; one at the arena's end grows there; another moves there, with as
// much room again, so that texts that grow by turns are copied a few times and
// not each time.
func (p *parser) appendText(id NodeID, s span) {
	have := p.nodes[id].data
	if have.off+have.len == s.off {
		p.nodes[id].data.len += s.len
		return
	}
	room := p.slack[id]
	atEnd := have.off&inArena != 0 && int(have.off&^inArena)+int(have.len+room) == len(p.arena)
	switch {
	case room >= s.len:
		copy(p.arena[have.off&^inArena+have.len:], p.bytes(s))
		p.setSlack(id, room-s.len)
	case atEnd && room == 0:
		p.arena = append(p.arena, p.bytes(s)...)
	default:
		start := len(p.arena)
		p.arena = append(p.arena, p.bytes(have)...)
		p.arena = append(p.arena, p.bytes(s)...)
		spare := len(p.arena) - start
		for range (spare + 7) / 8 {
			p.arena = append(p.arena, 0, 0, 0, 0, 0, 0, 0, 0)
		}
		p.setSlack(id, uint32((spare+7)/8*8))
		p.nodes[id].data.off = uint32(start) | inArena
	}
	p.nodes[id].data.len = have.len + s.len
}

func (p *parser) setSlack(id NodeID, room uint32) {
	if p.slack == nil {
		p.slack = map[NodeID]uint32{}
	}
	p.slack[id] = room
}

// withoutNUL is the token's text without its NULs, as in HTML (§ 13.2.6.4.7).
func (p *parser) withoutNUL(s span) span { return p.replaceNUL(s, "") }

// replaceNUL is a text with something else for its NULs.
func (p *parser) replaceNUL(s span, by string) span {
	if !p.hasNUL {
		return s
	}
	found := false
	for _, c := range p.bytes(s) {
		found = found || c == 0
	}
	if !found {
		return s
	}
	start := len(p.arena)
	for i := range s.len {
		if c := p.bytes(s)[i]; c != 0 {
			p.arena = append(p.arena, c)
		} else {
			p.arena = append(p.arena, by...)
		}
	}
	return span{uint32(start) | inArena, uint32(len(p.arena) - start)}
}

// splitSpace cuts the white space off that the token's text begins with, and
// returns it. The token has no text any more if that was all.
func (p *parser) splitSpace() span {
	n := leadingSpace(p.bytes(p.tok.data))
	space := span{p.tok.data.off, uint32(n)}
	p.tok.data = p.tok.data.from(n)
	return space
}

// blank reports whether a text is white space.
func (p *parser) blank(s span) bool { return leadingSpace(p.bytes(s)) == int(s.len) }
