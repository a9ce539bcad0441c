package dom

import "shoal/internal/dom/atom"

// nth reports whether n has a place an+b among its siblings (§ 13.3). The
// children of a parent are counted once, when the first of them is asked.
func (f *Finder) nth(t *test, n NodeID) bool {
	m := f.memo(t.memo)
	if len(m.at) == 0 {
		m.at = resized(m.at, f.doc.Len())
	}
	if parent := f.doc.nodes[n].parent; m.is[parent] == 0 {
		m.is[parent] = yes
		f.count(t, parent, m.at)
	}
	place := int(m.at[n])
	if place == 0 {
		return false // not one that counts
	}
	place -= t.nth.b
	if t.nth.a == 0 {
		return place == 0
	}
	return place%t.nth.a == 0 && place/t.nth.a >= 0
}

// count numbers those children of a parent that count, from 1.
func (f *Finder) count(t *test, parent NodeID, at []int32) {
	d := f.doc
	c := d.nodes[parent].first
	if t.nth.end {
		c = d.nodes[parent].last
	}
	all := int32(0)
	var byName map[atom.Atom]int32
	if t.nth.ofType {
		byName = map[atom.Atom]int32{}
	}
	for c != None && f.spend(1) {
		e := &d.nodes[c]
		switch {
		case e.typ != ElementNode || t.list != nil && !f.fitsAny(t.list, c):
		case byName != nil:
			byName[e.name]++
			at[c] = byName[e.name]
		default:
			all++
			at[c] = all
		}
		if c = e.next; t.nth.end {
			c = e.prev
		}
	}
}
