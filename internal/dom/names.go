package dom

import (
	"hash/maphash"

	"shoal/internal/dom/atom"
)

// A nameTable numbers the names of one document that are no known atoms. It
// is a hash table with open addressing; its seed is the process's, so that no
// page can be written to make it slow.
type nameTable struct {
	spans []span   // by atom - NumKnown
	slots []uint32 // index in spans + 1; its length is a power of two
}

var nameSeed = maphash.MakeSeed()

func (t *nameTable) reset() {
	if len(t.spans) > 0 {
		clear(t.slots)
		t.spans = t.spans[:0]
	}
}

func (t *nameTable) find(d *Document, name []byte) atom.Atom {
	if len(t.spans) == 0 {
		return 0
	}
	mask := uint64(len(t.slots) - 1)
	for i := maphash.Bytes(nameSeed, name) & mask; ; i = (i + 1) & mask {
		k := t.slots[i]
		if k == 0 {
			return 0
		}
		if string(d.bytes(t.spans[k-1])) == string(name) {
			return atom.NumKnown + atom.Atom(k-1)
		}
	}
}

// intern returns the number of a name that lies at s in the document.
func (t *nameTable) intern(d *Document, s span) atom.Atom {
	if 2*len(t.spans) >= len(t.slots) {
		t.grow(d)
	}
	name := d.bytes(s)
	mask := uint64(len(t.slots) - 1)
	i := maphash.Bytes(nameSeed, name) & mask
	for ; t.slots[i] != 0; i = (i + 1) & mask {
		k := t.slots[i]
		if string(d.bytes(t.spans[k-1])) == string(name) {
			return atom.NumKnown + atom.Atom(k-1)
		}
	}
	t.spans = append(t.spans, s)
	t.slots[i] = uint32(len(t.spans))
	return atom.NumKnown + atom.Atom(len(t.spans)-1)
}

func (t *nameTable) grow(d *Document) {
	t.slots = make([]uint32, max(64, 2*len(t.slots)))
	mask := uint64(len(t.slots) - 1)
	for k, s := range t.spans {
		i := maphash.Bytes(nameSeed, d.bytes(s)) & mask
		for t.slots[i] != 0 {
			i = (i + 1) & mask
		}
		t.slots[i] = uint32(k + 1)
	}
}
