package main

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

// gcHeadroom is how much may be allocated between two collections at least.
// The runtime's rule, as much again as is alive, makes a process whose live heap
// is a few megabytes collect often. Pages are read almost without garbage, so
// that little is enough: 12 MB cost 9 MB more at the peak and saved no CPU.
const gcHeadroom = 4 << 20

// gcLarge is the growth in per cent where more is alive: parse trees of large
// pages. Half of the runtime's own: memory is dearer there than the tenth of the
// CPU that it costs.
const gcLarge = 50

// keepHeadroom makes the collector leave gcHeadroom, or gcLarge where that is
// more, for as long as the process lives. GOGC in the environment is left alone.
func keepHeadroom() {
	if os.Getenv("GOGC") == "" {
		runtime.SetFinalizer(&collected{percent: 100}, (*collected).next)
	}
}

// collected is garbage at once: its finalizer runs after each collection. Its
// 16 bytes keep it out of the blocks that smaller values share, where one live
// neighbour would hold the finalizer back.
type collected struct {
	percent int
	alive   uint64
}

func (c *collected) next() {
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(live)
	if c.alive = live[0].Value.Uint64(); c.alive > 0 {
		// Four times what is alive at most: when that grows all at once, the goal
		// set for the small heap must not be tens of times the large one.
		want := min(400, max(gcLarge, int(gcHeadroom*100/c.alive)))
		// A change stops the world for a moment: not for trifles.
		if want > c.percent*5/4 || want < c.percent*4/5 {
			c.percent = want
			debug.SetGCPercent(want)
		}
	}
	runtime.SetFinalizer(c, (*collected).next)
}
