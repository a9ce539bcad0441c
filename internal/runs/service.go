// Package runs is the life of a run: its state machine, the slots that work
// for it, its pauses and their ends, and the export that finishes it. The
// store is the truth; what lives here may be killed at any instant.
package runs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"shoal"
	"shoal/internal/blob"
	"shoal/internal/crawl"
)

// Config are the settings of a Service. Zero values stand for the defaults.
type Config struct {
	// Owner names this process among all that share the database; never empty.
	Owner string
	// Exclusive says that this process alone uses the database, so that every
	// lease found at the start of Run is a dead one's.
	Exclusive bool
	// DataDir is where the disk's free space is watched; empty: nowhere.
	DataDir string
	// MinFree is the free space, in bytes, below which runs pause. 256 MB when
	// 0, no watch when negative.
	MinFree int64
	// Stall is how long a run may go without a page before it says why. 5 min when 0.
	Stall time.Duration
	// Cookies opens the cookies of accounts; nil: no run works with accounts.
	Cookies Cookies
	// Rules are the waits of paused runs; DefaultRules when zero.
	Rules Rules
	// SlotTime is how long a slot job works for a run before others get a turn. 20 s when 0.
	SlotTime time.Duration
	// LeaseTTL is how long a dead process keeps its slots, and Heartbeat how
	// often leases are renewed. 20 s and 5 s when 0.
	LeaseTTL, Heartbeat time.Duration
	// Reconcile, Wake and Disk are how often missing slots are given, paused
	// runs are looked at, and the disk is. 10 s, 2 s and 1 s when 0.
	Reconcile, Wake, Disk time.Duration
	// Sweep is how often old results and files are looked for. 15 min when 0.
	Sweep time.Duration
	// Drain is how long pages in flight have to commit when a run pauses, and
	// StopDrain when the process stops. 10 s and 3 s when 0.
	Drain, StopDrain time.Duration
}

func (c *Config) setDefaults() {
	for at, or := range map[*time.Duration]time.Duration{
		&c.Stall: 5 * time.Minute, &c.SlotTime: 20 * time.Second, &c.LeaseTTL: 20 * time.Second,
		&c.Heartbeat: 5 * time.Second, &c.Reconcile: 10 * time.Second, &c.Wake: 2 * time.Second,
		&c.Sweep: 15 * time.Minute, &c.Disk: time.Second, &c.Drain: 10 * time.Second, &c.StopDrain: 3 * time.Second,
	} {
		if *at <= 0 {
			*at = or
		}
	}
	if c.MinFree == 0 {
		c.MinFree = 256 << 20
	}
	if c.Rules == (Rules{}) {
		c.Rules = DefaultRules
	}
}

// Service starts runs, works for them and ends them. It is safe for
// concurrent use.
type Service struct {
	store  Store
	engine *crawl.Engine
	blobs  blob.Store
	now    func() time.Time
	log    *slog.Logger
	config Config

	sessions *sessions
	exports  exporting
	disk     *diskWatch
}

// New returns a service. now is the clock (nil: time.Now) and log may be nil.
func New(s Store, e *crawl.Engine, b blob.Store, now func() time.Time, log *slog.Logger, c Config) (*Service, error) {
	if c.Owner == "" {
		return nil, errors.New("runs: Config.Owner is empty; it names this process among all that share the database")
	}
	c.setDefaults()
	if now == nil {
		now = time.Now
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	service := &Service{
		store: s, engine: e, blobs: b, now: now, log: log, config: c,
		sessions: newSessions(), exports: exporting{files: map[string]bool{}},
	}
	service.disk = newDiskWatch(service)
	return service, nil
}

// Run keeps runs alive until ctx ends: it takes over what dead processes left,
// renews leases, wakes paused runs, and watches the disk and runs that stand
// still. Then it makes the slots of this process give their work back, and
// returns when they have, within some seconds.
func (s *Service) Run(ctx context.Context) error {
	if err := s.store.Reconcile(ctx, s.config.Exclusive); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return fmt.Errorf("take over the slots of a former process: %w", err)
	}
	var wg sync.WaitGroup
	// Leases are renewed until the last slot is through with its work.
	beating, stopBeating := context.WithCancel(context.WithoutCancel(ctx))
	wg.Go(func() { s.every(beating, s.config.Heartbeat, "renew leases", s.heartbeat) })
	wg.Go(func() { s.every(ctx, s.config.Reconcile, "reconcile runs", s.reconcile) })
	wg.Go(func() { s.every(ctx, s.config.Wake, "wake paused runs", s.wakeDue) })
	wg.Go(func() { s.every(ctx, s.config.Wake, "look at accounts", s.watchAccounts) })
	wg.Go(func() { s.every(ctx, s.config.Sweep, "throw away what is old", s.sweep) })
	wg.Go(func() { s.every(ctx, s.config.Stall/4, "look for stalled runs", s.lookForStalls) })
	wg.Go(func() { s.every(ctx, s.config.Disk, "watch the disk", s.disk.look) })
	<-ctx.Done()
	err := s.sessions.stop(s.config.StopDrain)
	stopBeating()
	wg.Wait()
	return err
}

// every calls f now and then every d until ctx ends.
func (s *Service) every(ctx context.Context, d time.Duration, what string, f func(context.Context) error) {
	ticker := time.NewTicker(max(d, time.Millisecond))
	defer ticker.Stop()
	for {
		if err := f(ctx); err != nil && ctx.Err() == nil {
			s.log.Error(what, "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// reconcile gives running runs the slots that they lack, and ends runs that
// were paused for too long.
func (s *Service) reconcile(ctx context.Context) error {
	if err := s.store.Reconcile(ctx, false); err != nil {
		return err
	}
	spent, err := s.store.RunsPausedBefore(ctx, s.now().Add(-s.config.Rules.MaxPaused), 1000)
	if err != nil {
		return err
	}
	for i := range spent {
		if err := s.tell(ctx, spent[i].ID, Event{On: OnExpire}); err != nil {
			return err
		}
	}
	return nil
}

// change sends e to a run and makes this process obey what came of it.
func (s *Service) change(ctx context.Context, id shoal.RunID, actor string, e Event) (shoal.Run, error) {
	e.Rules = &s.config.Rules
	r, err := s.store.ChangeRun(ctx, id, actor, func(r *shoal.Run, now time.Time) (shoal.Effects, error) {
		return advance(r, e, now)
	})
	if err != nil {
		return r, err
	}
	s.obey(&r)
	return r, nil
}

// engineActor is who the engine's own changes are said to come from.
const engineActor = "engine"

// tell is change for the engine's own events: one that the run's state does
// not admit came too late, which is no error.
func (s *Service) tell(ctx context.Context, id shoal.RunID, e Event) error {
	_, err := s.change(ctx, id, engineActor, e)
	if kind := shoal.KindOf(err); err != nil && kind != shoal.KindConflict && kind != shoal.KindNotFound {
		return fmt.Errorf("tell run %s %q: %w", id, e.On, err)
	}
	return nil
}

// obey stops this process's slots of a run that is not running any more.
func (s *Service) obey(r *shoal.Run) {
	ses := s.sessions.find(r.ID)
	if ses == nil {
		return
	}
	switch r.Status {
	case shoal.RunRunning:
	case shoal.RunPaused:
		ses.drain(s.config.Drain)
	default:
		ses.kill()
	}
}
