package runs

import (
	"encoding/binary"
	"sync"

	"shoal"
)

// Bounds of the seen-cache, in entries of 8 bytes.
const (
	minSeen = 1 << 10
	maxSeen = 1 << 20
)

// seenCache remembers requests that the store is known to have, so that the
// links which every page of a site repeats do not reach the database. It is a
// direct-mapped table: a newcomer takes the place of whom it meets, and what
// was forgotten costs one look-up in the unique index. An entry is half of a
// digest and its place comes from the other half, so two requests are mistaken
// for one with a chance of 2^-64 per look-up. It is safe for concurrent use.
type seenCache struct {
	mu    sync.Mutex
	table []uint64 // length a power of two; 0: free
	used  int
}

// slotOf returns the place of a request before masking, and its entry.
func slotOf(task int64, d *shoal.Digest) (place, entry uint64) {
	// Tasks have frontiers of their own: the same link of another task is another request.
	mixed := uint64(task) * 0x9e3779b97f4a7c15
	place = binary.LittleEndian.Uint64(d[:8]) ^ mixed
	entry = binary.LittleEndian.Uint64(d[8:]) ^ mixed
	if entry == 0 {
		entry = 1
	}
	return place, entry
}

// Unseen removes the requests that are known from found, in place.
func (c *seenCache) Unseen(task int64, found []shoal.Request) []shoal.Request {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.table) == 0 {
		return found
	}
	mask := uint64(len(c.table) - 1)
	kept := found[:0]
	for i := range found {
		place, entry := slotOf(task, &found[i].Digest)
		if c.table[place&mask] != entry {
			kept = append(kept, found[i])
		}
	}
	return kept
}

// Mark notes that the store has the requests. Call it only when their commit
// is acknowledged, else a lost commit would lose its links for good.
func (c *seenCache) Mark(task int64, found []shoal.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range found {
		c.grow()
		place, entry := slotOf(task, &found[i].Digest)
		at := &c.table[place&uint64(len(c.table)-1)]
		if *at == 0 {
			c.used++
		}
		*at = entry
	}
}

// grow starts a table twice as large when this one is half full. The entries
// do not tell their places, so it starts empty: pages repeat their links, and
// it fills again at once.
func (c *seenCache) grow() {
	if c.used < len(c.table)/2 || len(c.table) == maxSeen {
		return
	}
	c.table, c.used = make([]uint64, max(minSeen, 4*len(c.table))), 0
}
