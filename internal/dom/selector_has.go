package dom

// has reports whether a relative selector finds something from n (§ 4.5).
func (f *Finder) has(t *test, n NodeID) bool {
	switch t.kind {
	case testBelow:
		return f.hasBelow(t, n)
	case testAfter:
		return f.hasAfter(t, n)
	case testAdjacent:
		next := f.doc.elementAfter(n)
		return next != None && f.fitsAny(t.list, next)
	case testChild:
		for c := f.doc.nodes[n].first; c != None && f.spend(1); c = f.doc.nodes[c].next {
			if f.doc.nodes[c].typ == ElementNode && f.fitsAny(t.list, c) {
				return true
			}
		}
		return false
	}
	for _, c := range t.list {
		if f.hasRelative(c, n) {
			return true
		}
	}
	return false
}

// hasBelow looks for a match among the descendants of n, each of which is
// looked at once, whichever element is asked first.
func (f *Finder) hasBelow(t *test, n NodeID) bool {
	is := f.memo(t.memo).is
	if is[n] != 0 {
		return is[n] == yes
	}
	d := f.doc
	is[n] = no
	for m, end := n+1, d.End(n); m < end && f.spend(1); {
		if d.nodes[m].typ != ElementNode {
			m++
			continue
		}
		if is[m] == yes || f.fitsAny(t.list, m) {
			for p := d.nodes[m].parent; ; p = d.nodes[p].parent {
				if is[p] = yes; p == n {
					return true
				}
			}
		}
		if is[m] == no {
			m = d.End(m)
			continue
		}
		is[m] = no // unless something below it matches, which is seen next
		m++
	}
	return false
}

// hasAfter looks for a match among the siblings after n.
func (f *Finder) hasAfter(t *test, n NodeID) bool {
	is := f.memo(t.memo).is
	found, last := no, n
	for f.spend(1) {
		if is[last] != 0 {
			found = is[last]
			break
		}
		next := f.doc.elementAfter(last)
		if next == None {
			break
		}
		if f.fitsAny(t.list, next) {
			found = yes
			break
		}
		last = next
	}
	for ; n != last; n = f.doc.elementAfter(n) {
		is[n] = found
	}
	is[last] = found
	return found == yes
}

// hasRelative tries every element that could be what the selector asks for,
// seen from n.
func (f *Finder) hasRelative(c *complexSelector, n NodeID) bool {
	d := f.doc
	first, end := n+1, d.End(n)
	if b := c.parts[len(c.parts)-1].combinator; b == '+' || b == '~' {
		if first = d.elementAfter(n); first == None {
			return false
		}
		end = d.End(d.nodes[n].parent)
	}
	around := f.anchor
	f.anchor = n
	defer func() { f.anchor = around }()
	for m := first; m < end && f.left >= 0; m++ {
		if d.nodes[m].typ == ElementNode && f.fits(c, m) {
			return true
		}
	}
	return false
}
