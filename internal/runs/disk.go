package runs

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"sync"
	"time"

	"shoal"
)

const (
	// diskSettle is how long a run whose commit found the disk full rests
	// before it tries again, when the file system itself shows free space: a
	// quota may say otherwise.
	diskSettle = 30 * time.Second
	// diskLooks is how many looks at the disk there are to one at paused runs.
	diskLooks = 5
	// unwatchedRoom is how much must be free for runs that met a full disk to go
	// on, when no limit is set.
	unwatchedRoom = 16 << 20
)

// diskWatch pauses runs before the disk is full, and those that find it full
// nevertheless, and wakes them when there is room again.
type diskWatch struct {
	s     *Service
	low   bool // at the last look; runs that a former process paused are looked at first thing
	looks int

	mu sync.Mutex
	// full are the runs whose pages found no room, when there was none to write
	// down their pause either.
	full map[shoal.RunID]struct{}
}

func newDiskWatch(s *Service) *diskWatch {
	return &diskWatch{s: s, low: true, full: map[shoal.RunID]struct{}{}}
}

// watchesDisk reports whether runs are paused before the disk is full.
func (s *Service) watchesDisk() bool { return s.config.DataDir != "" && s.config.MinFree >= 0 }

// look compares the free space with what is wanted. Room counts as room again
// only a tenth above the limit, so that runs do not flap.
func (d *diskWatch) look(ctx context.Context) error {
	if err := d.tellFull(ctx); err != nil {
		return err
	}
	free, err := d.free()
	if err != nil {
		return err
	}
	least, room := d.s.config.MinFree, d.s.config.MinFree+d.s.config.MinFree/10
	if !d.s.watchesDisk() {
		least, room = 0, unwatchedRoom
	}
	switch {
	case free < least:
		d.low = true
		return d.pause(ctx, free)
	case free < room:
		d.low = d.low || least == 0
		return nil
	}
	wasLow := d.low
	if d.looks++; !wasLow && d.looks%diskLooks != 0 {
		return nil
	}
	if err := d.wake(ctx, wasLow); err != nil {
		return err
	}
	d.low = false
	return nil
}

// free is the free space in bytes, without end when the disk is not known.
func (d *diskWatch) free() (int64, error) {
	if d.s.config.DataDir == "" {
		return math.MaxInt64, nil
	}
	free, err := FreeBytes(d.s.config.DataDir)
	if err != nil {
		return 0, fmt.Errorf("read the free space of %s: %w", d.s.config.DataDir, err)
	}
	return free, nil
}

// fullEvent pauses a run whose pages found no room.
var fullEvent = Event{On: OnHold, Reason: shoal.ReasonStorageFull,
	Desc: "The disk of the database is full. Free some space and the run goes on by itself."}

// found pauses a run whose page found no room. When there is none for the pause
// either, it is written as soon as there is, and until then no slot works for
// the run: its pages would be lost again.
func (d *diskWatch) found(ctx context.Context, ses *session) {
	if !ses.holding.CompareAndSwap(false, true) {
		return
	}
	if err := d.s.tell(ctx, ses.id, fullEvent); err != nil {
		ses.holding.Store(false)
		d.s.log.Warn("the disk is full, and the run's pause waits for room to be written", "run", ses.id, "err", err)
		d.mu.Lock()
		d.full[ses.id] = struct{}{}
		d.mu.Unlock()
	}
	ses.drain(d.s.config.Drain)
}

// waits reports whether a run's pause waits for room.
func (d *diskWatch) waits(id shoal.RunID) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	_, ok := d.full[id]
	return ok
}

// tellFull pauses the runs whose pause waits for room. A disk that is still
// full is no error: that was said when it began.
func (d *diskWatch) tellFull(ctx context.Context) error {
	d.mu.Lock()
	waiting := slices.Collect(maps.Keys(d.full))
	d.mu.Unlock()
	for _, id := range waiting {
		err := d.s.tell(ctx, id, fullEvent)
		if errors.Is(err, shoal.ErrStorageFull) {
			return nil
		}
		if err != nil {
			return err
		}
		d.mu.Lock()
		delete(d.full, id)
		d.mu.Unlock()
	}
	return nil
}

func (d *diskWatch) pause(ctx context.Context, free int64) error {
	running, err := d.s.store.RunsIn(ctx, 1000, shoal.RunRunning)
	if err != nil {
		return err
	}
	for i := range running {
		if err := d.s.tell(ctx, running[i].ID, d.s.lowEvent(free)); err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) lowEvent(free int64) Event {
	return Event{On: OnHold, Reason: shoal.ReasonStorageFull, Desc: fmt.Sprintf(
		"%s has %s free and needs %s. Free some space and the run goes on by itself.",
		s.config.DataDir, size(free), size(s.config.MinFree))}
}

// holdWhenLow pauses a run that has just started when the disk is low already.
func (s *Service) holdWhenLow(ctx context.Context, id shoal.RunID) error {
	if !s.watchesDisk() {
		return nil
	}
	free, err := FreeBytes(s.config.DataDir)
	if err != nil || free >= s.config.MinFree {
		return err
	}
	return s.tell(ctx, id, s.lowEvent(free))
}

func (d *diskWatch) wake(ctx context.Context, wasLow bool) error {
	paused, err := d.s.store.RunsPausedFor(ctx, shoal.ReasonStorageFull, 1000)
	if err != nil {
		return err
	}
	for i := range paused {
		r := &paused[i]
		if !wasLow && d.s.now().Sub(r.PausedAt) < diskSettle {
			continue
		}
		if err := d.s.wakeOne(ctx, r); err != nil {
			return err
		}
	}
	return nil
}

// size writes bytes for people.
func size(n int64) string {
	switch {
	case n >= 10<<30:
		return fmt.Sprintf("%d GB", n>>30)
	case n >= 1<<20:
		return fmt.Sprintf("%d MB", n>>20)
	}
	return fmt.Sprintf("%d bytes", n)
}
