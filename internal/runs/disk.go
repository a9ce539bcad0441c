package runs

import (
	"context"
	"fmt"
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
)

// diskWatch pauses runs before the disk is full, since a full disk could not
// even record the pause, and wakes them when there is room again.
type diskWatch struct {
	s     *Service
	low   bool // at the last look
	looks int
}

// newDiskWatch returns nil when there is nothing to watch.
func (s *Service) newDiskWatch() *diskWatch {
	if s.config.DataDir == "" || s.config.MinFree < 0 {
		return nil
	}
	// Runs that a former process paused are looked at first thing.
	return &diskWatch{s: s, low: true}
}

// look compares the free space with what is wanted. Room counts as room again
// only a tenth above the limit, so that runs do not flap.
func (d *diskWatch) look(ctx context.Context) error {
	free, err := FreeBytes(d.s.config.DataDir)
	if err != nil {
		return fmt.Errorf("read the free space of %s: %w", d.s.config.DataDir, err)
	}
	least := d.s.config.MinFree
	switch {
	case free < least:
		d.low = true
		return d.pause(ctx, free)
	case free < least+least/10:
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
	if s.newDiskWatch() == nil {
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
