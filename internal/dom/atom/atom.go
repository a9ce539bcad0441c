// Package atom gives the names of HTML's elements and attributes numbers, so
// that names are compared by comparing integers. The table is constant data:
// a program that looks nothing up pays nothing for it.
package atom

import "encoding/binary"

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
	return names[a]
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
	for slot := hash(head, tail, n); ; slot = (slot + 1) % slots {
		a := table[slot]
		if a == 0 {
			return 0
		}
		if heads[a] == head && tails[a] == tail && len(names[a]) == n && (n <= 16 || names[a] == string(name)) {
			return Atom(a)
		}
	}
}

// words returns the first and the last bytes of a name as numbers. Together
// with its length they tell names of up to 16 bytes apart.
func words(b []byte) (head, tail uint64) {
	n := len(b)
	switch {
	case n >= 8:
		return binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[n-8:])
	case n >= 4:
		return uint64(binary.LittleEndian.Uint32(b)) | uint64(binary.LittleEndian.Uint32(b[n-4:]))<<32, 0
	}
	return uint64(b[0]) | uint64(b[n/2])<<8 | uint64(b[n-1])<<16, 0
}

func hash(head, tail uint64, n int) uint32 {
	const k1, k2 = 0x9e3779b97f4a7c15, 0xc2b2ae3d27d4eb4f // the golden ratio, and a prime of xxHash
	h := (head ^ uint64(n)*k2) * k1
	h ^= (tail ^ h>>32) * k2
	return uint32(h>>40) % slots
}
