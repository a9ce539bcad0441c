// Package schedule starts what starts by itself: the launches of squids'
// schedules, and the runs that chains lead to.
//
// Every server looks for due launches, and none leads: a slot belongs to who
// takes its row, in the transaction that makes the run. Between two launches a
// server sleeps until the next is due.
package schedule

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"shoal"
)

// LaunchStore is what launches need of the store.
type LaunchStore interface {
	// DueLaunches returns the squids whose launch is due at now, soonest first.
	DueLaunches(ctx context.Context, now time.Time, limit int) ([]shoal.DueLaunch, error)
	// NextDue returns when the next launch is due; zero when none is planned.
	NextDue(ctx context.Context) (time.Time, error)
	// StillDue reports whether no server has dealt with the slot yet, as far as
	// can be seen without taking it.
	StillDue(ctx context.Context, d shoal.DueLaunch) (bool, error)
	// RecordLaunch takes a slot for which no run is made and says why.
	// ErrLaunchTaken when another server was first.
	RecordLaunch(ctx context.Context, c shoal.LaunchClaim, outcome shoal.LaunchOutcome, reason string) error
	// PassLaunch moves a schedule on without a launch.
	PassLaunch(ctx context.Context, c shoal.LaunchClaim) error
	// AwaitRun makes a launch wait for the squid's run to end; false when none
	// is under way.
	AwaitRun(ctx context.Context, d shoal.DueLaunch) (waits bool, err error)
	// Scheduled has something to receive when this process changed a schedule.
	Scheduled() <-chan struct{}
}

// Starter starts runs.
type Starter interface {
	// Launch starts a run for a slot: ErrLaunchTaken when it was dealt with
	// already, RunInProgress while the squid has a run, other Business errors
	// when none can be made.
	Launch(ctx context.Context, c shoal.LaunchClaim) (shoal.Run, error)
}

// LauncherConfig are the settings of a Launcher. Zero values stand for the defaults.
type LauncherConfig struct {
	Now func() time.Time // time.Now when nil
	Log *slog.Logger     // none when nil
	// Look is how long at most a server takes to notice a schedule that another
	// one changed. 5 s when 0.
	Look time.Duration
}

// How many launches are read, and how many are under way, at a time: enough
// that they get their share of the database beside the runs that they start.
const (
	batchOfDue = 200
	atOnce     = 16
)

// giveUp is how long a launch that fails for a fault of the platform is tried again.
const giveUp = time.Minute

// Launcher launches what is due.
type Launcher struct {
	store  LaunchStore
	starts Starter
	config LauncherConfig
}

// NewLauncher returns a launcher.
func NewLauncher(s LaunchStore, starts Starter, c LauncherConfig) *Launcher {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Look <= 0 {
		c.Look = 5 * time.Second
	}
	return &Launcher{store: s, starts: starts, config: c}
}

// Run launches until ctx ends. It returns nil then.
func (l *Launcher) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		failed := l.launchDue(ctx)
		timer := time.NewTimer(l.rest(ctx, failed))
		select {
		case <-ctx.Done():
		case <-timer.C:
		case <-l.store.Scheduled():
		}
		timer.Stop()
	}
	return nil
}

// rest returns how long to sleep. Besides looking for changes of others, the
// launcher looks at the turn of each minute: that is when what was scheduled a
// moment before on another server is due.
func (l *Launcher) rest(ctx context.Context, failed bool) time.Duration {
	now := l.config.Now()
	wait := min(l.config.Look, now.Truncate(time.Minute).Add(time.Minute).Sub(now))
	if failed {
		return min(wait, time.Second)
	}
	next, err := l.store.NextDue(ctx)
	if err != nil && ctx.Err() == nil {
		l.config.Log.Error("look for the next launch", "err", err)
	}
	if !next.IsZero() {
		wait = min(wait, next.Sub(now))
	}
	return max(wait, time.Millisecond)
}

// launchDue launches all that is due, and reports whether something failed
// that shall be tried again.
func (l *Launcher) launchDue(ctx context.Context) (failed bool) {
	for ctx.Err() == nil {
		due, err := l.store.DueLaunches(ctx, l.config.Now(), batchOfDue)
		if err != nil {
			if ctx.Err() == nil {
				l.config.Log.Error("look for due launches", "err", err)
			}
			return true
		}
		if len(due) == 0 {
			return false
		}
		// Servers that work on the same list begin at different places.
		rand.Shuffle(len(due), func(i, j int) { due[i], due[j] = due[j], due[i] })
		if l.all(ctx, due) > 0 {
			return true
		}
	}
	return false
}

// all deals with each of due, and returns how many failed.
func (l *Launcher) all(ctx context.Context, due []shoal.DueLaunch) (failed int64) {
	var wg sync.WaitGroup
	var errs, next atomic.Int64
	for range min(atOnce, len(due)) {
		wg.Go(func() {
			for i := int(next.Add(1) - 1); i < len(due) && ctx.Err() == nil; i = int(next.Add(1) - 1) {
				if err := l.one(ctx, due[i]); err != nil && ctx.Err() == nil {
					errs.Add(1)
					l.config.Log.Error("launch", "squid", due[i].SquidID, "err", err)
				}
			}
		})
	}
	wg.Wait()
	return errs.Load()
}

// one deals with one due slot.
func (l *Launcher) one(ctx context.Context, d shoal.DueLaunch) error {
	// Much cheaper than to find out by losing the race for it.
	if still, err := l.store.StillDue(ctx, d); err != nil || !still {
		return err
	}
	now := l.config.Now()
	p, err := read(d)
	if err != nil {
		// Stored by a version that checked less. There is no next time until it is changed.
		c := shoal.LaunchClaim{Due: d, Slot: now, Message: "The schedule cannot be read: " + err.Error()}
		return taken(l.store.RecordLaunch(ctx, c, shoal.LaunchFailed, shoal.CodeOf(err)))
	}
	if d.Slot.IsZero() {
		c := shoal.LaunchClaim{Due: d}
		p.goOn(&c, now)
		return l.store.PassLaunch(ctx, c)
	}
	v := p.decide(now)
	if v.leaveOut {
		return taken(l.store.RecordLaunch(ctx, v.claim, shoal.LaunchMissed, ""))
	}
	return l.start(ctx, &p, v, now)
}

// start makes the run of a claim, or records why there is none.
func (l *Launcher) start(ctx context.Context, p *plan, v verdict, now time.Time) error {
	c := v.claim
	run, err := l.starts.Launch(ctx, c)
	switch kind := shoal.KindOf(err); {
	case err == nil:
		l.config.Log.Debug("launched", "squid", c.Due.SquidID, "slot", c.Slot, "run", run.ID)
		return nil
	case errors.Is(err, shoal.ErrLaunchTaken):
		return l.store.PassLaunch(ctx, c)
	case errors.Is(err, shoal.ErrSquidNotFound):
		return nil // deleted with its schedule
	case shoal.CodeOf(err) == "RunInProgress":
		return l.overlap(ctx, p, v)
	case kind == shoal.KindInternal, kind == shoal.KindUnavailable, kind == shoal.KindStorageFull:
		if now.Sub(c.Due.DueAt) < giveUp {
			return fmt.Errorf("start its run: %w", err)
		}
		l.config.Log.Error("launch given up", "squid", c.Due.SquidID, "err", err)
		c.Message = fmt.Sprintf("The launch of %s failed for a fault of the platform, which its log tells.", p.spell(c.Slot))
		return taken(l.store.RecordLaunch(ctx, c, shoal.LaunchFailed, "SomethingWentWrong"))
	}
	c.Message = fmt.Sprintf("The launch of %s could not start: %s", p.spell(c.Slot), message(err))
	return taken(l.store.RecordLaunch(ctx, c, shoal.LaunchFailed, shoal.CodeOf(err)))
}

// overlap deals with a slot whose squid is still at work: one that makes up for
// a missed launch waits for its turn, any other is skipped.
func (l *Launcher) overlap(ctx context.Context, p *plan, v verdict) error {
	if v.makesUp {
		// When none is under way after all, the launch is still due.
		_, err := l.store.AwaitRun(ctx, v.claim.Due)
		return err
	}
	c := v.claim
	c.Message = fmt.Sprintf("The launch of %s was skipped: the run before it was still under way.", p.spell(c.Slot))
	return taken(l.store.RecordLaunch(ctx, c, shoal.LaunchSkipped, "RunInProgress"))
}

// taken drops the error of a slot that another server dealt with.
func taken(err error) error {
	if errors.Is(err, shoal.ErrLaunchTaken) || errors.Is(err, shoal.ErrSquidNotFound) {
		return nil
	}
	return err
}

// message is what an error says to people.
func message(err error) string {
	if e, ok := errors.AsType[*shoal.Error](err); ok {
		return e.Message
	}
	return err.Error()
}
