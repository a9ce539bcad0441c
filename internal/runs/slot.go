package runs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"shoal"
	"shoal/internal/jobs"
)

// hardStop is how long after its start a slot job gives up a request that is
// still under way: well within the time that jobs grant a slot.
const hardStop = 150 * time.Second

// Slot works for a run for a slot's time at most. It is the handler of jobs.KindSlot.
func (s *Service) Slot(ctx context.Context, raw json.RawMessage) (jobs.Outcome, error) {
	var args jobs.SlotArgs
	if err := json.Unmarshal(raw, &args); err != nil {
		return jobs.Done, shoal.Invalid("InvalidParam", "args", "slot job with unreadable arguments %s: %v", raw, err)
	}
	ses, err := s.sessions.join(ctx, shoal.RunID(args.Run), func(ses *session) error { return s.load(ctx, ses) })
	switch {
	case errors.Is(err, errStopping):
		return s.waitForStop(ctx)
	case errors.Is(err, errNotRunning), errors.Is(err, shoal.ErrRunNotFound):
		return jobs.Done, nil
	case err != nil:
		return jobs.Done, fmt.Errorf("join run %s: %w", args.Run, err)
	}
	defer s.sessions.leave(ses)
	return s.workSlot(ctx, ses, args.Slot)
}

var errNotRunning = errors.New("the run is not running")

// waitForStop answers a slot job that arrived while the service is stopping:
// the job belongs to the next process.
func (s *Service) waitForStop(ctx context.Context) (jobs.Outcome, error) {
	select {
	case <-ctx.Done():
		return jobs.Done, ctx.Err()
	case <-time.After(time.Second):
		return jobs.Again, nil
	}
}

// load fills a new session in.
func (s *Service) load(ctx context.Context, ses *session) error {
	r, err := s.store.RunByID(ctx, ses.id)
	if err != nil {
		return err
	}
	if r.Status != shoal.RunRunning {
		return errNotRunning
	}
	version, err := s.store.CrawlerVersion(ctx, r.VersionPK)
	if err != nil {
		return fmt.Errorf("read crawler version %d: %w", r.VersionPK, err)
	}
	if ses.crawl, err = s.engine.Open(version, r.Settings); err != nil {
		// Tried again, since another version of the program may read it.
		return errors.Join(err, s.store.SetRunMessage(ctx, ses.id, "The run's crawler cannot be used: "+err.Error()))
	}
	ses.run = r
	if r.AccountPK > 0 {
		if err := s.openAccount(ctx, ses); err != nil {
			return err
		}
	}
	ses.bytes.Store(r.BytesFetched)
	ses.requests.Store(r.TotalRequests)
	ses.pending.Store(r.TasksTotal - r.TasksDone)
	ses.stalled.Store(r.DoneReasonDesc != "")
	ses.progress.Store(later(r.LastProgressAt, r.ActiveSince).UnixNano())
	ses.ready.Store(true)
	return nil
}

// raise sets v to at least n.
func raise(v *atomic.Int64, n int64) {
	for old := v.Load(); old < n; old = v.Load() {
		if v.CompareAndSwap(old, n) {
			return
		}
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// workSlot takes the slot's lease, works and gives it back.
func (s *Service) workSlot(ctx context.Context, ses *session, slot int) (outcome jobs.Outcome, err error) {
	if !ses.take(slot) {
		return jobs.Done, nil // another job of this process works the slot
	}
	defer ses.give(slot)
	lease, err := s.store.AcquireLease(ctx, ses.id, slot, s.config.Owner, s.config.LeaseTTL)
	switch {
	case errors.Is(err, shoal.ErrLeaseHeld), errors.Is(err, shoal.ErrRunNotFound):
		// Another process has the slot, or the run has moved on; the reconciler
		// gives a slot whose holder dies a new job.
		return jobs.Done, nil
	case errors.Is(err, shoal.ErrStorageFull):
		s.disk.found(ctx, ses)
		return jobs.Done, nil
	case err != nil:
		return jobs.Done, fmt.Errorf("acquire slot %d of run %s: %w", slot, ses.id, err)
	}
	w := newWorker(s, ses, lease)
	err = s.workAndRelease(ctx, w)
	switch {
	case ctx.Err() != nil, s.sessions.stopping():
		return jobs.Again, nil // for the next process
	case s.disk.waits(ses.id):
		return jobs.Done, nil // even the lease could not be given back: it runs out
	case err != nil:
		return jobs.Done, err
	case w.lost.Load(), ses.draining():
		return s.wantsMore(ctx, ses.id)
	}
	return jobs.Again, nil
}

// workAndRelease works, and gives the lease back whatever happens: leases are
// renewed for as long as this process lives. When even that fails, the job is
// tried again, and takes over what its process holds already.
func (s *Service) workAndRelease(ctx context.Context, w *worker) (err error) {
	defer func() {
		if released := s.release(ctx, w.lease); err == nil {
			err = released
		}
		if a := w.ses.account.Load(); a != nil && err == nil {
			err = s.keepCookies(context.WithoutCancel(ctx), a, 0)
		}
	}()
	return w.work(ctx)
}

// wantsMore decides about the successor of a slot job that was made to stop: a
// pause ends it, but the run may have been resumed while its last page was on its way.
func (s *Service) wantsMore(ctx context.Context, id shoal.RunID) (jobs.Outcome, error) {
	r, err := s.store.RunByID(ctx, id)
	if errors.Is(err, shoal.ErrRunNotFound) {
		return jobs.Done, nil
	}
	if err != nil {
		return jobs.Done, err
	}
	if r.Status == shoal.RunRunning && tasksLeft(&r) {
		return jobs.Again, nil
	}
	return jobs.Done, nil
}

// release gives the lease back even when the job's time is over.
func (s *Service) release(ctx context.Context, l shoal.Lease) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	err := s.store.ReleaseLease(ctx, l)
	if err != nil && !errors.Is(err, shoal.ErrFenced) {
		return fmt.Errorf("release slot %d of run %s: %w", l.Slot, l.RunID, err)
	}
	return nil
}

func (ss *sessions) stopping() bool {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	return ss.stopped
}
