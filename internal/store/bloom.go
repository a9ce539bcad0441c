package store

import (
	"encoding/binary"
	"math/bits"

	"shoal"
)

// Bounds of a digestFilter.
const (
	filterFirst = 1 << 18 // digests of the first stage; each next one takes twice as many
	filterMost  = 1 << 24 // digests of all stages: 24 MB
	filterBits  = 12      // per digest: about one false hit in 200
)

// digestFilter tells most digests that were never added from those that were:
// a Bloom filter whose bits of one digest lie in one cache line (Putze, Sanders
// and Singler, "Cache-, hash- and space-efficient Bloom filters", 2007), in
// stages that grow with what is added. The zero value is empty.
type digestFilter struct {
	stages []filterStage
	n      int // digests added
}

type filterStage struct {
	blocks [][8]uint64
	room   int // digests that it still takes
}

// add enters d. It reports false when the filter is full and d is not in it.
func (f *digestFilter) add(d *shoal.Digest) bool {
	last := len(f.stages) - 1
	if last < 0 || f.stages[last].room == 0 {
		if f.n >= filterMost {
			return false
		}
		size := filterFirst << len(f.stages)
		f.stages = append(f.stages, filterStage{make([][8]uint64, size*filterBits/512), size})
		last++
	}
	s := &f.stages[last]
	block, set := s.place(d)
	for range 6 {
		block[set>>6&7] |= 1 << (set & 63)
		set >>= 9
	}
	s.room--
	f.n++
	return true
}

// has reports whether d may have been added; false is certain.
func (f *digestFilter) has(d *shoal.Digest) bool {
	for i := range f.stages {
		block, set := f.stages[i].place(d)
		hit := true
		for range 6 {
			hit = hit && block[set>>6&7]&(1<<(set&63)) != 0
			set >>= 9
		}
		if hit {
			return true
		}
	}
	return false
}

// place returns d's block and six numbers of nine bits, its bits in there. A
// digest is a hash already.
func (s *filterStage) place(d *shoal.Digest) (*[8]uint64, uint64) {
	at, _ := bits.Mul64(binary.LittleEndian.Uint64(d[:8]), uint64(len(s.blocks)))
	return &s.blocks[at], binary.LittleEndian.Uint64(d[8:])
}
