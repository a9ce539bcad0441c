package dom

import (
	"slices"

	"shoal/internal/dom/atom"
)

// add makes a node that is linked nowhere yet.
func (p *parser) add(t NodeType, tg tag, data span) NodeID {
	id := len(p.nodes)
	if id == cap(p.nodes) {
		p.nodes = slices.Grow(p.nodes, 1)
	}
	p.nodes = p.nodes[:id+1]
	n := &p.nodes[id]
	*n = node{}
	n.name, n.typ, n.ns, n.data, n.pos = tg.name(), t, tg.namespace(), data, p.tok.pos
	return NodeID(id)
}

// link puts a node behind the children of parent, or before one of them.
func (p *parser) link(id, parent, before NodeID) {
	if before != None {
		p.linkBefore(id, parent, before)
		return
	}
	n, up := &p.nodes[id], &p.nodes[parent]
	n.parent, n.prev = parent, up.last
	if up.last != None {
		p.nodes[up.last].next = id
	} else {
		up.first = id
	}
	up.last = id
}

func (p *parser) linkBefore(id, parent, before NodeID) {
	p.unordered = true
	n, b := &p.nodes[id], &p.nodes[before]
	n.parent, n.prev, n.next = parent, b.prev, before
	if b.prev != None {
		p.nodes[b.prev].next = id
	} else {
		p.nodes[parent].first = id
	}
	b.prev = id
}

// unlink takes a node with what it contains out of the tree.
func (p *parser) unlink(id NodeID) {
	p.unordered = true
	n := &p.nodes[id]
	if n.parent == None {
		return
	}
	if n.prev != None {
		p.nodes[n.prev].next = n.next
	} else {
		p.nodes[n.parent].first = n.next
	}
	if n.next != None {
		p.nodes[n.next].prev = n.prev
	} else {
		p.nodes[n.parent].last = n.prev
	}
	n.parent, n.prev, n.next = None, None, None
}

// place is where the next node goes: behind the children of parent, or before
// one of them (§ 13.2.6.1, the appropriate place for inserting a node).
func (p *parser) place() (parent, before NodeID) {
	at := p.current()
	if p.fostering && at.tag < atom.NumElements && traits[at.tag]&tablePart != 0 {
		return p.fosterPlace()
	}
	return at.id, None
}

// fosterPlace is where what does not belong into a table goes: before the table.
func (p *parser) fosterPlace() (parent, before NodeID) {
	p.unordered = true
	for i := len(p.stack) - 1; i > 0; i-- {
		switch p.stack[i].tag {
		case tag(atom.Template):
			return p.stack[i].id, None
		case tag(atom.Table):
			table := p.stack[i].id
			if parent := p.nodes[table].parent; parent != None {
				return parent, table
			}
			return p.stack[i-1].id, None
		}
	}
	return p.stack[0].id, None
}

// insert makes an element and opens it.
func (p *parser) insert(t tag, attrs span) NodeID {
	id := p.insertLeaf(t, attrs)
	p.push(id, t)
	return id
}

// insertLeaf makes an element that has no contents.
func (p *parser) insertLeaf(t tag, attrs span) NodeID {
	parent, before := p.place()
	id := p.add(ElementNode, t, attrs)
	p.link(id, parent, before)
	return id
}

// insertToken makes the element that the start tag says and opens it.
func (p *parser) insertToken() NodeID {
	p.kept = len(p.attrs)
	return p.insert(tag(p.tok.name), p.tok.data)
}

// insertVoid makes the element that the start tag says, without contents.
func (p *parser) insertVoid() NodeID {
	p.kept = len(p.attrs)
	return p.insertLeaf(tag(p.tok.name), p.tok.data)
}

// insertRawText makes an element whose contents are text (§ 13.2.6.2).
func (p *parser) insertRawText() {
	p.insertToken()
	p.enterRawText(p.tok.name)
	p.original, p.mode = p.mode, modeText
}

// insertComment makes a comment: in the current node, or in the one given.
func (p *parser) insertComment(in NodeID) {
	parent, before := in, None
	if in == None {
		parent, before = p.place()
	}
	id := p.add(CommentNode, 0, p.tok.data)
	p.link(id, parent, before)
}

// addAttrs gives an element those of the token's attributes that it has not
// (§ 13.2.6.4.7, start tags html and body). The attributes of a node lie
// together, so all are written again.
func (p *parser) addAttrs(id NodeID) {
	n := &p.nodes[id]
	if n.typ != ElementNode || p.tok.data.len == 0 {
		return
	}
	if p.copies -= int(n.data.len); p.copies < 0 {
		p.truncate(TruncatedAttributes)
		return
	}
	added := p.attrs[p.tok.data.off:]
	own := p.attrs[n.data.off : n.data.off+n.data.len]
	start := len(p.attrs)
	p.tags++
	for _, list := range [][]Attr{own, added} {
		for _, a := range list {
			if !p.stamp(a.Name) {
				p.attrs = append(p.attrs, a)
			}
		}
	}
	n.data = span{uint32(start), uint32(len(p.attrs) - start)}
	p.kept = len(p.attrs)
}
