package dom

import "shoal/internal/dom/atom"

const (
	// maxSteps is how much work the searches in one page may make: elements
	// tried, relatives visited, text read. An ordinary set needs a few for each
	// element of the page; the most takes about a second.
	maxSteps = 300_000_000
	// patternCost is what a regular expression costs per byte of text.
	patternCost = 16
	// maxKept is the largest page, in nodes, whose memory a Finder keeps.
	maxKept = 200_000
)

// A Finder finds what selectors match in a document. It remembers what it
// found out about the page, so that the cost is bounded by the page's size
// times the selectors' however they are nested, and is used for page after
// page. It belongs to one goroutine at a time.
type Finder struct {
	doc   *Document
	page  uint64 // counts documents
	left  int    // steps
	known *findings
	sets  map[*Set]*findings
	texts texts
	own   []byte // scratch for the text of one element

	anchor NodeID // the element that :has is tried at
}

// findings is what is known of one set in a document.
type findings struct {
	page  uint64 // the Finder's when it was found
	scope NodeID // the element searched within
	names []atom.Atom
	memos []memo
}

// Matches are the elements that each list of a set matched, by its number, in
// document order.
type Matches [][]NodeID

// First is the first match of a list, or None.
func (m Matches) First(id int) NodeID {
	if len(m[id]) == 0 {
		return None
	}
	return m[id][0]
}

// Reset empties m for the lists of a set.
func (m *Matches) Reset(s *Set) {
	for len(*m) < len(s.choices) {
		*m = append(*m, nil)
	}
	for i, list := range *m {
		if cap(list) > maxKept {
			list = nil
		}
		(*m)[i] = list[:0]
	}
}

// Reset makes f ready for a document, also one that it knows and that was
// parsed anew.
func (f *Finder) Reset(d *Document) {
	f.doc, f.left = d, maxSteps
	f.page++
	f.texts.reset()
	if cap(f.own) > maxKept {
		f.own = nil
	}
}

// Find collects the matches below within, which is not among them, in one
// pass. What stands in a template is no part of the page. false: the set asks
// for more work than a page may make, and the matches are those of the
// beginning; all searches after it find nothing.
func (f *Finder) Find(s *Set, within NodeID, m *Matches) bool {
	m.Reset(s)
	if len(s.choices) == 0 {
		return true
	}
	f.use(s, within)
	d := f.doc
	for n, end := within+1, d.End(within); n < end && f.left >= 0; n++ {
		e := &d.nodes[n]
		if e.typ != ElementNode {
			continue
		}
		if e.name < atom.NumElements {
			if at := s.byName[e.name]; at != 0 {
				f.offer(s, s.lists[at], 1, n, *m)
			}
		}
		if s.any != nil {
			f.offer(s, s.any, 0, n, *m)
		}
		if e.name == atom.Template {
			n = d.End(n) - 1
		}
	}
	return f.left >= 0
}

// offer tries an element, of whose tests the first so many are passed.
func (f *Finder) offer(s *Set, list []candidate, passed int, n NodeID, m Matches) {
	for i := range list {
		c := &list[i]
		have := m[c.id]
		if len(have) > 0 && (!s.choices[c.id].all || have[len(have)-1] == n) {
			continue
		}
		if f.pass(c.sel.parts[0].tests[passed:], n) && (len(c.sel.parts) == 1 || f.reach(c.sel, 1, n)) {
			m[c.id] = append(have, n)
		}
	}
}

// use makes ready what is known of s.
func (f *Finder) use(s *Set, within NodeID) {
	k := f.sets[s]
	if k == nil {
		if f.sets == nil {
			f.sets = map[*Set]*findings{}
		}
		k = &findings{memos: make([]memo, s.memos), names: make([]atom.Atom, len(s.names))}
		f.sets[s] = k
	}
	f.known = k
	if k.page != f.page {
		for i, name := range s.names {
			k.names[i] = f.doc.Lookup(name)
		}
	}
	if k.page != f.page || s.scoped && k.scope != within {
		for i := range k.memos {
			k.memos[i].used = false
		}
	}
	k.page, k.scope = f.page, within
}

// name returns the document's atom for a selector's name; 0: it has none of that name.
func (f *Finder) name(a atom.Atom) atom.Atom {
	if a < atom.NumKnown {
		return a
	}
	return f.known.names[a-atom.NumKnown]
}

// spend takes steps; false: there are none left.
func (f *Finder) spend(steps int) bool {
	f.left -= steps
	return f.left >= 0
}

// A memo is what one part or test found out of a document.
type memo struct {
	used bool
	is   []int8  // of each node: 0 unknown, or yes or no
	at   []int32 // of each node: its place among the siblings that count
	// places is where a text occurs, in order.
	places []int32
}

const (
	yes int8 = 1
	no  int8 = 2
)

// memo returns a memo of the document at hand, with what is known of each node.
func (f *Finder) memo(number int) *memo {
	m := &f.known.memos[number]
	if !m.used {
		m.used = true
		m.is = resized(m.is, f.doc.Len())
		m.at = m.at[:0]
		m.places = m.places[:0]
	}
	return m
}

// resized returns a slice of n zeros, in the same memory if that fits and is not much too large.
func resized[T any](s []T, n int) []T {
	if cap(s) < n || cap(s) > maxKept && cap(s) > 4*n {
		return make([]T, n, n+n/4)
	}
	s = s[:n]
	clear(s)
	return s
}

// fits reports whether n is what a selector matches.
func (f *Finder) fits(c *complexSelector, n NodeID) bool {
	return f.pass(c.parts[0].tests, n) && (len(c.parts) == 1 || f.reach(c, 1, n))
}

// fitsAny reports whether n is what one of the selectors matches.
func (f *Finder) fitsAny(list []*complexSelector, n NodeID) bool {
	for _, c := range list {
		if f.fits(c, n) {
			return true
		}
	}
	return false
}

// reach reports whether the parts from i on can be placed, when n is the place
// of the part before.
func (f *Finder) reach(c *complexSelector, i int, n NodeID) bool {
	p := &c.parts[i]
	switch {
	case p.combinator == '>' || p.combinator == '+':
		n = f.beyond(p.combinator, n)
		return n != None && f.place(c, i, n)
	case p.memo >= 0:
		return f.reachFar(c, i, n)
	}
	for n = f.beyond(p.combinator, n); n != None && f.left >= 0; n = f.beyond(p.combinator, n) {
		if f.place(c, i, n) {
			return true
		}
	}
	return false
}

// reachFar is reach for a part that remembers of which elements it reaches a place.
func (f *Finder) reachFar(c *complexSelector, i int, n NodeID) bool {
	p := &c.parts[i]
	is := f.memo(p.memo).is
	found, last := no, n
	for f.left >= 0 {
		if is[last] != 0 {
			found = is[last]
			break
		}
		at := f.beyond(p.combinator, last)
		if at == None {
			break
		}
		if f.place(c, i, at) {
			found = yes
			break
		}
		last = at
	}
	for ; n != last; n = f.beyond(p.combinator, n) {
		is[n] = found
	}
	is[last] = found
	return found == yes
}

// place reports whether part i fits n and those after it can be placed too.
func (f *Finder) place(c *complexSelector, i int, n NodeID) bool {
	return f.pass(c.parts[i].tests, n) && (i+1 == len(c.parts) || f.reach(c, i+1, n))
}

// beyond is the nearest element that a combinator looks at from n, or None.
func (f *Finder) beyond(combinator byte, n NodeID) NodeID {
	f.left--
	if combinator == '+' || combinator == '~' {
		return f.doc.elementBefore(n)
	}
	if n = f.doc.nodes[n].parent; f.doc.nodes[n].typ != ElementNode {
		return None
	}
	return n
}

// elementBefore is the sibling element before n, or None.
func (d *Document) elementBefore(n NodeID) NodeID {
	for n = d.nodes[n].prev; n != None && d.nodes[n].typ != ElementNode; n = d.nodes[n].prev {
	}
	return n
}

// elementAfter is the sibling element after n, or None.
func (d *Document) elementAfter(n NodeID) NodeID {
	for n = d.nodes[n].next; n != None && d.nodes[n].typ != ElementNode; n = d.nodes[n].next {
	}
	return n
}
