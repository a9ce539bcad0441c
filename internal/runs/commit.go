package runs

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"shoal"
	"shoal/internal/crawl"
)

// submit hands a page to a committer. It waits only when maxUncommitted pages
// of the slot wait for their commit already.
func (w *worker) submit(ctx context.Context, page *shoal.Page, u *use) {
	page.Lease = w.lease
	// The store may let a page wait for company, but not when the slot is about
	// to wait for it, nor when other slots have nothing to do without its links.
	page.Urgent = w.uncommitted.Add(1) >= maxUncommitted || len(page.Found) > 0 && w.ses.idle.Load() > 0
	select {
	case w.queue <- used{page, u}:
		return
	default:
	}
	if w.committers < maxUncommitted {
		w.committers++
		w.wg.Go(func() { w.commit(ctx) })
	}
	w.queue <- used{page, u}
}

// flush waits for the commits that are under way.
func (w *worker) flush() {
	close(w.queue)
	w.wg.Wait()
}

// commit commits pages until the queue is closed.
func (w *worker) commit(ctx context.Context) {
	for page := range w.queue {
		w.commitOne(ctx, page)
		w.settled()
	}
}

func (w *worker) commitOne(ctx context.Context, page used) {
	result, err := w.s.store.CommitPage(ctx, page.Page)
	w.uncommitted.Add(-1)
	if err != nil {
		page.use.settle(nil, 0)
		w.refused(ctx, page.Page, err)
		return
	}
	page.use.settle(page.Page, result.Stored)
	w.s.committed(ctx, w.ses, page.Page, result)
}

// capPause is how often a slot that may not begin a request looks whether it may.
const capPause = 20 * time.Millisecond

// mayBegin counts a request that is to begin against the run's cap, and waits
// while those under way may use it up. false: the run wants none any more. Each
// true is followed by one call of settled.
func (w *worker) mayBegin(ctx context.Context) bool {
	limit := w.ses.run.Settings.MaxRunRequests
	if limit == 0 {
		return true
	}
	for w.wanted(ctx) {
		if w.ses.begun.Add(1)+w.ses.requests.Load() <= limit {
			return true
		}
		w.ses.begun.Add(-1)
		w.pauseFor(ctx, capPause)
	}
	return false
}

// settled ends what mayBegin began: its page is in the store, or will never be.
func (w *worker) settled() {
	if w.ses.run.Settings.MaxRunRequests > 0 {
		w.ses.begun.Add(-1)
	}
}

// refused handles a page that the store did not take: it is fetched again.
func (w *worker) refused(ctx context.Context, page *shoal.Page, err error) {
	switch {
	case errors.Is(err, shoal.ErrFenced):
		w.lost.Store(true)
		w.stop()
	case errors.Is(err, shoal.ErrStorageFull):
		w.s.disk.found(ctx, w.ses)
	case shoal.CodeOf(err) == "NotEnoughBalance":
		w.s.hold(ctx, w.ses, crawl.Hold{Reason: shoal.ReasonNoCreditsLeft})
	case ctx.Err() != nil:
	default:
		w.fail(fmt.Errorf("commit page %s of run %s: %w", page.Log.URL, w.ses.id, err))
	}
}

func (w *worker) fail(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err == nil {
		w.err = err
	}
}

// committed takes note of a page that is in the store.
func (s *Service) committed(ctx context.Context, ses *session, page *shoal.Page, r shoal.PageResult) {
	ses.pending.Store(r.RunPending)
	if page.End == shoal.PageReleased {
		ses.announce(1)
		return
	}
	ses.progress.Store(s.now().UnixNano())
	if ses.stalled.CompareAndSwap(true, false) {
		if err := s.store.SetRunMessage(ctx, ses.id, ""); err != nil {
			s.log.Warn("clear the run's message", "run", ses.id, "err", err)
		}
	}
	if len(page.Found) > 0 {
		ses.seen.Mark(page.TaskSeq, page.Found)
		ses.announce(r.Found)
	}
	if page.NoNewRows > 0 {
		ses.countQuiet(page.TaskSeq, r.Stored, page.NoNewRows)
	}
	if r.TaskEnded {
		ses.forget(page.TaskSeq)
	}
	if r.RunEnded {
		ses.over.Store(true)
		ses.drain(s.config.Drain)
		return
	}
	if r.TaskEnded && page.End == shoal.PageFailed {
		s.checkBudget(ctx, ses, page.Log.Error)
	}
	s.checkCaps(ctx, ses, ses.requests.Add(1), ses.bytes.Add(page.Log.Bytes))
}

// budgetPause is how often at most a run's error budget is looked at.
const budgetPause = 250 * time.Millisecond

// checkBudget pauses the run when more tasks failed than it tolerates.
func (s *Service) checkBudget(ctx context.Context, ses *session, desc string) {
	now, last := time.Now().UnixNano(), ses.checked.Load()
	if now-last < int64(budgetPause) || !ses.checked.CompareAndSwap(last, now) {
		return // the next failure, or the end of the run, looks again
	}
	r, err := s.store.RunByID(ctx, ses.id)
	if err == nil && r.Status == shoal.RunRunning && overBudget(&r) {
		err = s.tell(ctx, ses.id, Event{On: OnTaskFailed, Desc: desc})
	}
	if err != nil {
		s.log.Warn("check the run's error budget", "run", ses.id, "err", err)
	}
}

// checkCaps ends the run's collecting when its cap on requests or bytes is reached.
func (s *Service) checkCaps(ctx context.Context, ses *session, requests, bytes int64) {
	if limit := ses.run.Settings.MaxRunRequests; limit > 0 && requests >= limit {
		s.limit(ctx, ses, fmt.Sprintf("Stopped at the run's cap of %d requests.", limit))
	}
	if limit := ses.run.Settings.MaxBytes; limit > 0 && bytes >= limit {
		s.limit(ctx, ses, fmt.Sprintf("Stopped at the run's cap of %d bytes fetched.", limit))
	}
}

// limit ends the run's collecting; desc says which cap is reached.
func (s *Service) limit(ctx context.Context, ses *session, desc string) {
	s.once(ctx, ses, Event{On: OnLimit, Desc: desc})
}

// hold pauses the run for a cause that a page met.
func (s *Service) hold(ctx context.Context, ses *session, h crawl.Hold) {
	e := Event{On: OnHold, Reason: h.Reason, Desc: h.Desc, RetryAfter: h.RetryAfter}
	switch {
	case reasons[h.Reason].class == fails:
		e.On = OnFail
	case h.Reason == shoal.ReasonLimitExceeded: // of the site's own; the run has no account whose day would count
		e.Until = (&shoal.AccountType{}).NextReset(s.now())
	case h.Reason == shoal.ReasonAccountTooManyRequests:
		e.Until = s.now().Add(cmp.Or(h.RetryAfter, 15*time.Minute))
	}
	s.once(ctx, ses, e)
}

// once sends an event that ends the session's work; of many slots that meet the
// same cause, one does.
func (s *Service) once(ctx context.Context, ses *session, e Event) {
	if !ses.holding.CompareAndSwap(false, true) {
		return
	}
	if err := s.tell(ctx, ses.id, e); err != nil {
		ses.holding.Store(false)
		s.log.Error("the run could not be told", "run", ses.id, "event", e.On.String(), "reason", e.Reason, "err", err)
	}
	// Whatever became of the event, this session must not go on as if nothing
	// had happened; slots to come look at the run anew.
	ses.drain(s.config.Drain)
}

// note adds a note to the run's history, once per session.
func (s *Service) note(ctx context.Context, ses *session, message string) {
	if !ses.noteOnce(message) {
		return
	}
	if err := s.store.AddNote(ctx, ses.id, "warning", message); err != nil {
		s.log.Warn("add a note to the run", "run", ses.id, "err", err)
	}
}
