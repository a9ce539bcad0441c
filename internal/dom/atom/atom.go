// Package atom gives the names of HTML's elements and attributes numbers, so
// that names are compared by comparing integers. The table is constant data:
// a program that looks nothing up pays nothing for it.
package atom

import (
	"encoding/binary"
	"math/bits"
)

//go:generate go run gen.go

// An Atom is a name. Atoms up to NumKnown stand for the same name everywhere;
// higher ones are given out by each document to the names that only it knows.
// Names are compared exactly: those of HTML are in lower case, those that SVG
// spells in mixed case (viewBox) have an atom for each spelling.
type Atom uint32

// String returns the name of a known atom, "" for 0 and for those of documents.
func (a Atom) String() string {
	if a >= NumKnown {
		return ""
	}
	return entries[a].name
}

// Known reports whether the atom means the same name in every document.
func (a Atom) Known() bool { return a-1 < NumKnown-1 }

// Lookup returns the atom of a name, or 0 if it is not a known one.
func Lookup(name []byte) Atom {
	n := len(name)
	if n == 0 || n > maxLen {
		return 0
	}
	head, tail := words(name)
	for slot := hash(head, tail, n); ; slot++ {
		a := table[slot%slots]
		if a == 0 {
			return 0
		}
		e := &entries[a%NumKnown]
		if e.head == head && e.tail == tail && len(e.name) == n && (n <= 16 || e.name == string(name)) {
			return Atom(a)
		}
	}
}

// An entry is a name and its words.
type entry struct {
	head, tail uint64
	name       string
}

// words returns the first and the last bytes of a name as numbers. Together
// with its length they tell names of up to 16 bytes apart.
func words(b []byte) (head, tail uint64) {
	n := len(b)
	if n > 8 {
		return binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[n-8:])
	}
	if cap(b) >= 8 { // a name in a page: what follows it is read along, and cut off
		return binary.LittleEndian.Uint64(b[:8]) & (^uint64(0) >> (64 - 8*n)), 0
	}
	for i, c := range b {
		head |= uint64(c) << (8 * i)
	}
	return head, 0
}

func hash(head, tail uint64, n int) uint64 {
	const golden = 0x9e3779b97f4a7c15 // 2^64 by the golden ratio
	return (head ^ bits.RotateLeft64(tail, 27) ^ uint64(n)<<58) * golden >> (64 - slotBits)
}
