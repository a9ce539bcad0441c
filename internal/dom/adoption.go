package dom

import (
	"slices"

	"shoal/internal/dom/atom"
)

// adopt closes a formatting element (§ 13.2.6.4.7, the adoption agency
// algorithm). Where blocks begin in it and end behind it, it is split, and the
// parts take over what was theirs: <b>1<p>2</b>3</p> reads as
// <b>1</b><p><b>2</b>3</p>.
func (p *parser) adopt(name atom.Atom) {
	top := p.current()
	if n := len(p.formatting); n > 0 && p.formatting[n-1].id == top.id && top.tag == tag(name) {
		// As nearly always: the element that was opened last is closed.
		p.pop()
		p.formatting = p.formatting[:n-1]
		return
	}
	if top.tag == tag(name) && p.formattingIndex(top.id) < 0 {
		p.pop()
		return
	}
	for range 8 {
		f := p.lastFormatting(name)
		if f < 0 {
			p.closeOther(name)
			return
		}
		if !p.adoptOnce(f) {
			return
		}
	}
}

// adoptOnce is one round for the element at f of the list, and reports whether
// there is to be another.
func (p *parser) adoptOnce(f int) bool {
	element := p.formatting[f]
	at := p.stackIndex(element.id)
	if at < 0 {
		p.forget(f)
		return false
	}
	if !p.openInScope(at) {
		return false
	}
	block := at + 1
	for block < len(p.stack) && p.stack[block].tag.traits()&special == 0 {
		block++
	}
	if block == len(p.stack) {
		p.popTo(at)
		p.forget(f)
		return false
	}
	furthest := p.stack[block].id
	last, bookmark := p.splitBetween(at, block, f)

	// The furthest block goes where the element was, and its contents into a
	// copy of the element inside of it.
	ancestor := p.stack[at-1]
	p.unlink(last)
	if p.fostering && ancestor.tag.traits()&tablePart != 0 {
		parent, before := p.fosterPlace()
		p.link(last, parent, before)
	} else {
		p.link(last, ancestor.id, None)
	}
	clone := p.copyElement(element)
	p.moveChildren(furthest, clone.id)
	p.link(clone.id, furthest, None)

	f = p.formattingIndex(element.id)
	if f < bookmark {
		bookmark--
	}
	p.forget(f)
	p.formatting = slices.Insert(p.formatting, bookmark, clone)
	p.remove(at)
	below := p.stackIndex(furthest) + 1
	p.stack = slices.Insert(p.stack, below, opened{clone.id, clone.tag})
	p.count[clone.tag]++
	return true
}

// splitBetween copies the formatting elements that are open between the one at
// at and the block, puts the block into them, and takes what is no formatting
// element off the stack. It returns the outermost of what moved, and where in
// the list the copy of the element itself belongs.
func (p *parser) splitBetween(at, block, f int) (last NodeID, bookmark int) {
	last, bookmark = p.stack[block].id, f
	furthest := last
	for i, rounds := block-1, 1; i > at; i, rounds = i-1, rounds+1 {
		entry := p.formattingIndex(p.stack[i].id)
		if entry >= 0 && rounds > 3 {
			p.forget(entry)
			if entry < bookmark {
				bookmark--
			}
			entry = -1
		}
		if entry < 0 {
			p.remove(i)
			continue
		}
		p.nodes[p.stack[i].id].open = false
		clone := p.copyElement(p.formatting[entry])
		p.formatting[entry] = clone
		p.stack[i].id = clone.id
		if last == furthest {
			bookmark = entry + 1
		}
		p.unlink(last)
		p.link(last, clone.id, None)
		last = clone.id
	}
	return last, bookmark
}

// copyElement makes an element of the same name and attributes, open and
// linked nowhere.
func (p *parser) copyElement(f formatted) formatted {
	f.id = p.add(ElementNode, f.tag, p.nodes[f.id].data)
	p.nodes[f.id].open = true
	p.unordered = true
	return f
}

func (p *parser) moveChildren(from, to NodeID) {
	a, b := &p.nodes[from], &p.nodes[to]
	for c := a.first; c != None; c = p.nodes[c].next {
		p.nodes[c].parent = to
	}
	b.first, b.last = a.first, a.last
	a.first, a.last = None, None
}

// stackIndex is where in the stack an element is; -1 if it is not open.
func (p *parser) stackIndex(id NodeID) int {
	for i := len(p.stack) - 1; i >= 0; i-- {
		if p.stack[i].id == id {
			return i
		}
	}
	return -1
}

// openInScope reports whether the element at i of the stack is in scope.
func (p *parser) openInScope(i int) bool {
	for j := len(p.stack) - 1; j > i; j-- {
		if p.stack[j].tag.traits()&scopeDefault != 0 {
			return false
		}
	}
	return true
}
