package runs

import (
	"crypto/md5"
	"encoding/binary"
	"sync"
	"testing"

	"shoal"
)

func requests(from, to int) []shoal.Request {
	out := make([]shoal.Request, 0, to-from)
	for i := from; i < to; i++ {
		var b [8]byte
		binary.LittleEndian.PutUint64(b[:], uint64(i))
		out = append(out, shoal.Request{Digest: md5.Sum(b[:])})
	}
	return out
}

func TestSeenCache(t *testing.T) {
	var c seenCache
	if got := c.Unseen(1, requests(0, 50)); len(got) != 50 {
		t.Fatalf("an empty cache knows %d of 50", 50-len(got))
	}
	c.Mark(1, requests(0, 50))
	got := c.Unseen(1, requests(40, 60))
	if len(got) < 10 || len(got) > 12 {
		t.Errorf("%d of 20 are unknown, want the 10 new ones and at most a collision or two", len(got))
	}
	want := requests(50, 60)
	for i, r := range got[len(got)-10:] {
		if r.Digest != want[i].Digest {
			t.Errorf("request %d is not the new one", i)
		}
	}
	if got := c.Unseen(2, requests(0, 50)); len(got) != 50 {
		t.Errorf("another task's requests are known: %d of 50", 50-len(got))
	}
}

// What the cache drops is lost for good, so it may forget and never invent.
func TestSeenCacheNeverInvents(t *testing.T) {
	var c seenCache
	const n = 3 * maxSeen
	for i := 0; i < n; i += 1000 {
		c.Mark(7, requests(i, min(i+1000, n)))
	}
	if len(c.table) != maxSeen {
		t.Errorf("%d entries, want growth to stop at %d", len(c.table), maxSeen)
	}
	if got := c.Unseen(7, requests(n, n+100_000)); len(got) != 100_000 {
		t.Errorf("%d requests that were never marked are dropped", 100_000-len(got))
	}
}

func TestSeenCacheHelps(t *testing.T) {
	var c seenCache
	const site = 100_000
	for i := 0; i < site; i += 100 { // twice: the table grew on the way
		c.Mark(1, requests(i, i+100))
	}
	for i := 0; i < site; i += 100 {
		c.Mark(1, requests(i, i+100))
	}
	if got := len(c.Unseen(1, requests(0, site))); got > site/4 {
		t.Errorf("%d of %d known requests were forgotten", got, site)
	}
}

func TestSeenCacheIsSharedBySlots(t *testing.T) {
	var c seenCache
	var wg sync.WaitGroup
	for slot := range 8 {
		wg.Go(func() {
			for i := range 50 {
				c.Unseen(int64(slot), requests(i*100, i*100+100))
				c.Mark(int64(slot), requests(i*100, i*100+100))
			}
		})
	}
	wg.Wait()
}

func BenchmarkSeenCache(b *testing.B) {
	var c seenCache
	all := requests(0, 10_000)
	c.Mark(1, all)
	c.Mark(1, all)
	buf := make([]shoal.Request, 100)
	for i := 0; b.Loop(); i++ {
		copy(buf, all[i*100%9000:])
		c.Unseen(1, buf)
	}
}
