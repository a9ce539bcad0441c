package dom

import (
	"bytes"
	"sort"
	"strings"
	"unicode"
	"unicode/utf8"
)

// texts is all text of a document, one after the other. That of an element is
// a part of it, since ids are in document order.
type texts struct {
	raw, low     []byte
	rawAt, lowAt []int32 // where the text of a node and those after it begins
}

func (t *texts) reset() {
	if cap(t.rawAt) > maxKept || cap(t.lowAt) > maxKept {
		*t = texts{}
	}
	t.raw, t.low, t.rawAt, t.lowAt = t.raw[:0], t.low[:0], t.rawAt[:0], t.lowAt[:0]
}

// gather appends the text of each node, and notes where it begins.
func (d *Document) gather(to []byte, at []int32, add func([]byte, string) []byte) ([]byte, []int32) {
	for n := range d.nodes {
		at = append(at, int32(len(to)))
		if d.nodes[n].typ == TextNode {
			to = add(to, d.text(d.nodes[n].data))
		}
	}
	return to, append(at, int32(len(to)))
}

// raw is the text of n.
func (f *Finder) raw(n NodeID) []byte {
	t := &f.texts
	if len(t.rawAt) == 0 {
		t.raw, t.rawAt = f.doc.gather(t.raw, t.rawAt, func(b []byte, s string) []byte { return append(b, s...) })
		f.spend(len(t.raw) / 8)
	}
	return t.raw[t.rawAt[n]:t.rawAt[f.doc.End(n)]]
}

// appendLower appends s in lower case, as strings.ToLower has it.
func appendLower(b []byte, s string) []byte {
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			if c >= 'A' && c <= 'Z' {
				c += 'a' - 'A'
			}
			b = append(b, c)
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		b = utf8.AppendRune(b, unicode.ToLower(r))
		i += size
	}
	return b
}

// reads reports whether the text of n passes a test.
func (f *Finder) reads(t *test, n NodeID) bool {
	switch t.kind {
	case testContains:
		return f.contains(t, n)
	case testMatches:
		text := f.raw(n)
		return f.spend(len(text)*patternCost) && t.re.Match(text)
	}
	f.own = f.own[:0]
	for c := f.doc.nodes[n].first; c != None; c = f.doc.nodes[c].next {
		if f.doc.nodes[c].typ == TextNode {
			f.own = append(f.own, f.doc.text(f.doc.nodes[c].data)...)
		}
		f.left--
	}
	if t.kind == testMatchesOwn {
		return f.spend(len(f.own)*patternCost) && t.re.Match(f.own)
	}
	f.spend(len(f.own) / 4)
	return strings.Contains(string(appendLower(nil, string(f.own))), t.value)
}

// contains reports whether the test's text occurs in that of n. Where it
// occurs in the page is found once.
func (f *Finder) contains(t *test, n NodeID) bool {
	x := &f.texts
	if len(x.lowAt) == 0 {
		x.low, x.lowAt = f.doc.gather(x.low, x.lowAt, appendLower)
		f.spend(len(x.low) / 2)
	}
	m := &f.known.memos[t.memo]
	if !m.used {
		m.used = true
		m.places = occurrences(m.places[:0], x.low, t.value)
		f.spend(len(x.low) / 8)
	}
	from, to := x.lowAt[n], int(x.lowAt[f.doc.End(n)])
	i := sort.Search(len(m.places), func(i int) bool { return m.places[i] >= from })
	return t.value == "" || i < len(m.places) && int(m.places[i])+len(t.value) <= to
}

// occurrences lists where s occurs in text, overlapping ones included.
func occurrences(places []int32, text []byte, s string) []int32 {
	if s == "" {
		return places
	}
	for from := 0; ; from++ {
		i := bytes.Index(text[from:], []byte(s))
		if i < 0 {
			return places
		}
		from += i
		places = append(places, int32(from))
	}
}
