package dom

import (
	"hash/maphash"

	"shoal/internal/dom/atom"
)

// A formatted is an entry of the list of active formatting elements; its id is
// None if it is a marker.
type formatted struct {
	id  NodeID
	tag tag
	// print is the same for elements that have the same attributes; 0 before
	// it is asked for, which it hardly ever is.
	print uint64
}

// maxFormatting is how many elements the list keeps behind a marker. Pages
// have a handful; with thousands, each of them would be opened again in each
// paragraph.
const maxFormatting = 512

func (p *parser) mark() { p.formatting = append(p.formatting, formatted{}) }

// insertFormatting opens the element that the start tag says, to be opened
// again where its parent ends before it (§ 13.2.4.3, push onto the list).
func (p *parser) insertFormatting() {
	id := p.insertToken()
	p.nodes[id].open = true
	entry := formatted{id: id, tag: tag(p.tok.name)}
	same, earliest, i := 0, -1, len(p.formatting)
	for i > 0 && p.formatting[i-1].id != None {
		i--
		if f := &p.formatting[i]; f.tag == entry.tag && p.fingerprint(f) == p.fingerprint(&entry) {
			same, earliest = same+1, i
		}
	}
	if same >= 3 { // the Noah's Ark clause
		p.formatting = append(p.formatting[:earliest], p.formatting[earliest+1:]...)
	} else if len(p.formatting)-i >= maxFormatting {
		p.truncate(TruncatedFormatting)
		return
	}
	p.formatting = append(p.formatting, entry)
}

// fingerprint does not depend on the order of the attributes.
func (p *parser) fingerprint(f *formatted) uint64 {
	if f.print != 0 {
		return f.print
	}
	sum := uint64(1)
	for _, a := range p.Attrs(f.id) {
		h := maphash.Bytes(nameSeed, p.bytes(a.value)) + uint64(a.Name)
		sum += h * 0x9e3779b97f4a7c15
	}
	f.print = max(sum, 1)
	return f.print
}

// unmark drops the entries back to and with the last marker.
func (p *parser) unmark() {
	i := len(p.formatting)
	for i > 0 {
		i--
		if p.formatting[i].id == None {
			break
		}
	}
	p.formatting = p.formatting[:i]
}

// reconstruct opens the formatting elements again that were closed with their
// parents (§ 13.2.4.3, reconstruct the active formatting elements).
func (p *parser) reconstruct() {
	i := len(p.formatting)
	if i == 0 || !p.lapsed(p.formatting[i-1]) || len(p.stack) >= maxDepth {
		return
	}
	for i > 0 && p.lapsed(p.formatting[i-1]) {
		i--
	}
	for ; i < len(p.formatting) && len(p.stack) < maxDepth; i++ {
		if p.copies <= 0 {
			p.truncate(TruncatedFormatting)
			return
		}
		p.copies--
		f := &p.formatting[i]
		f.id = p.insert(f.tag, p.nodes[f.id].data)
		p.nodes[f.id].open = true
	}
}

// lapsed reports whether an entry is an element that is not open.
func (p *parser) lapsed(f formatted) bool { return f.id != None && !p.nodes[f.id].open }

// lastFormatting is where in the list the last element of a name behind the
// last marker is; -1 if there is none.
func (p *parser) lastFormatting(name atom.Atom) int {
	for i := len(p.formatting) - 1; i >= 0 && p.formatting[i].id != None; i-- {
		if p.formatting[i].tag == tag(name) {
			return i
		}
	}
	return -1
}

// formattingIndex is where in the list an element is; -1 if it is not.
func (p *parser) formattingIndex(id NodeID) int {
	for i := len(p.formatting) - 1; i >= 0; i-- {
		if p.formatting[i].id == id {
			return i
		}
	}
	return -1
}

func (p *parser) forget(i int) {
	p.formatting = append(p.formatting[:i], p.formatting[i+1:]...)
}
