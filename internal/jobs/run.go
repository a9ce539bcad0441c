package jobs

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/riverqueue/river"
)

// Pace of the queues. The cooldown bounds throughput (workers ÷ cooldown) and
// how soon a kick in a busy moment is heard; the poll is only the safety net.
const (
	fetchCooldown     = 5 * time.Millisecond
	fetchPollInterval = time.Second
)

// convertWorkers is how many conversions are worked at a time: each takes a core.
const convertWorkers = 2

// slotTimeout bounds a slot job. It claims for 20 s and then lets its last
// request end, which at a slow site takes up to 150 s with retries.
const slotTimeout = 3 * time.Minute

// never switches River's rescue by age off: heartbeats do it here, and an
// import or export may well take hours.
const never = 100 * 365 * 24 * time.Hour

// How long the records of ended jobs are kept.
const (
	keepCompleted = 10 * time.Minute
	keepCancelled = 24 * time.Hour
	keepDiscarded = 7 * 24 * time.Hour
)

// endGrace is what handlers get to return in once their context has ended, and
// what the last writes to the database may take.
const endGrace = 3 * time.Second

// ErrLost is the cause with which a handler's context ends when this process
// was silent for so long that others took its jobs over.
var ErrLost = errors.New("this process was thought dead, and its jobs were taken over")

// Run works jobs with the handlers of their kinds until ctx ends; jobs of
// other kinds are left alone. It first requeues orphans (see Options). Then it
// stops: no new jobs, the handlers finish or, after StopTimeout, have their
// context ended, and what they leave is requeued. It returns nil when all
// handlers returned. A client runs once.
func (c *Client) Run(ctx context.Context, handlers map[Kind]Handler) error {
	if !c.running.CompareAndSwap(false, true) {
		return errors.New("run jobs: the client ran already")
	}
	w := &work{client: c, handlers: handlers, ends: map[*context.CancelCauseFunc]bool{}}
	d := newDriver(&c.Options)
	d.pilot.alive = c.alive
	rc, err := river.NewClient(d, c.config(w))
	if err != nil {
		return fmt.Errorf("run jobs: %w", err)
	}
	if err := c.join(ctx); err != nil {
		if ctx.Err() != nil {
			return nil // stopped before it began: nothing was claimed
		}
		return fmt.Errorf("run jobs: %w", err)
	}
	// River must not see ctx end: Stop below does it in order.
	steady := context.WithoutCancel(ctx)
	if err := rc.Start(steady); err != nil {
		return errors.Join(fmt.Errorf("run jobs: start River: %w", err), c.leave(steady))
	}
	// River's producers can be woken from here on. Wake them once, for jobs
	// committed between their first look and now.
	kick := d.pilot.kick
	c.kick.Store(&kick)
	c.Kick()

	stopped, markStopped := context.WithCancel(steady)
	var wg sync.WaitGroup
	wg.Go(func() { c.keepAlive(stopped, w) })
	if c.Dialect == Postgres {
		wg.Go(func() { c.listen(stopped) })
	}
	<-ctx.Done()
	err = c.stop(steady, rc, w)
	markStopped()
	wg.Wait()
	return errors.Join(err, c.leave(steady))
}

// stop stops River in an orderly way, within StopTimeout and a grace.
func (c *Client) stop(ctx context.Context, rc interface{ Stop(context.Context) error }, w *work) error {
	c.kick.Store(nil)
	ctx, cancel := context.WithTimeout(ctx, c.StopTimeout+endGrace)
	defer cancel()
	if err := rc.Stop(ctx); err != nil {
		return fmt.Errorf("stop jobs: %d handlers did not return: %w", w.active(), err)
	}
	return nil
}

// config returns River's configuration.
func (c *Client) config(w *work) *river.Config {
	queues := map[string]river.QueueConfig{}
	for name, workers := range map[string]int{queueSlots: c.SlotWorkers, queueDeliver: c.DeliverWorkers,
		queueConvert: min(c.OtherWorkers, convertWorkers), queueOther: c.OtherWorkers} {
		if workers > 0 {
			queues[name] = river.QueueConfig{MaxWorkers: workers}
		}
	}
	workers := river.NewWorkers()
	for kind := range w.handlers {
		river.AddWorkerArgs(workers, payload{kind: kind}, w)
	}
	return &river.Config{
		ID:                          c.Owner,
		Queues:                      queues,
		Workers:                     workers,
		Logger:                      quiet(c.Logger),
		FetchCooldown:               fetchCooldown,
		FetchPollInterval:           fetchPollInterval,
		FetchOnlyKnownKinds:         true,
		JobTimeout:                  -1,
		MaxAttempts:                 maxAttempts,
		RescueStuckJobsAfter:        never,
		RetryPolicy:                 backoff{now: time.Now},
		SoftStopTimeout:             c.StopTimeout,
		CompletedJobRetentionPeriod: keepCompleted,
		CancelledJobRetentionPeriod: keepCancelled,
		DiscardedJobRetentionPeriod: keepDiscarded,
	}
}

// keepAlive writes heartbeats until ctx ends.
func (c *Client) keepAlive(ctx context.Context, w *work) {
	ticker := time.NewTicker(c.Heartbeat)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		err := c.beat(ctx, func() {
			c.Logger.Warn("this process was thought dead: its jobs are given up", "jobs", w.active())
			w.endAll(ErrLost)
		})
		if err != nil && ctx.Err() == nil {
			c.Logger.Error("heartbeat failed", "err", err)
		}
	}
}
