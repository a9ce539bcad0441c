package runs

import (
	"fmt"
	"strings"
	"time"

	"shoal"
)

// Effects of the ways out of collecting: nobody may commit any more, what is
// unfinished ends as aborted, and the results so far are exported.
const stopEffects = shoal.EffectDropLeases | shoal.EffectAbortTasks | shoal.EffectFinish

// Next decides every transition of a run: what event e makes of run r at time
// now, and the effects that the store carries out in the same transaction. It
// is pure. The error is ErrRunNotFound for aborting a run that has ended (the
// wire contract wants it so), a Conflict for every other event that the run's
// state does not admit, and an internal error for a reason that the event
// cannot have.
func Next(r shoal.Run, e Event, now time.Time) (shoal.Run, shoal.Effects, error) {
	if err := checkReason(e); err != nil {
		return r, 0, err
	}
	switch r.Status {
	case shoal.RunPending:
		return nextPending(r, e, now)
	case shoal.RunRunning:
		return nextRunning(r, e, now)
	case shoal.RunPaused:
		return nextPaused(r, e, now)
	case shoal.RunUploading:
		return nextUploading(r, e, now)
	case shoal.RunDone, shoal.RunAborted, shoal.RunError:
		return nextEnded(r, e, now)
	}
	return r, 0, fmt.Errorf("run %s is in the unknown state %q", r.ID, r.Status)
}

func nextPending(r shoal.Run, e Event, now time.Time) (shoal.Run, shoal.Effects, error) {
	switch e.On {
	case OnStart:
		r.StartedAt = now
		r.AccountPK = e.Account
		return run(r, now), shoal.EffectSlots, nil
	case OnPause, OnHold:
		return hold(r, e, now)
	case OnAbort:
		return upload(r, shoal.RunAborted, abortReason(e), e.Desc, now), stopEffects, nil
	case OnFail:
		return upload(r, shoal.RunError, e.Reason, e.Desc, now), stopEffects, nil
	}
	return refuse(r, e)
}

func nextRunning(r shoal.Run, e Event, now time.Time) (shoal.Run, shoal.Effects, error) {
	switch e.On {
	case OnPause, OnHold:
		return hold(r, e, now)
	case OnAbort:
		return upload(r, shoal.RunAborted, abortReason(e), e.Desc, now), stopEffects, nil
	case OnFail:
		return upload(r, shoal.RunError, e.Reason, e.Desc, now), stopEffects, nil
	case OnLimit:
		return upload(r, shoal.RunDone, shoal.ReasonTasksDone, e.Desc, now), stopEffects, nil
	case OnAccount:
		r.AccountPK = e.Account
		return r, 0, nil
	case OnTaskFailed:
		if overBudget(&r) {
			return hold(r, budgetEvent(&r, e), now)
		}
		return r, 0, nil
	case OnTasksEnded:
		if tasksLeft(&r) {
			return refuse(r, e)
		}
		return tasksEnded(r, e, now)
	}
	return refuse(r, e)
}

func nextPaused(r shoal.Run, e Event, now time.Time) (shoal.Run, shoal.Effects, error) {
	switch e.On {
	case OnResume:
		r.PauseCount = 0 // a person looked at it: the waits count anew
		r.AccountPK = e.Account
		return wake(r, now)
	case OnWake:
		if r.DoneReason == shoal.ReasonNone {
			return refuse(r, e) // a person's pause; only a person wakes it
		}
		r.AccountPK = e.Account
		return wake(r, now)
	case OnHold:
		return holdOn(r, e, now)
	case OnExpire:
		if now.Sub(r.PausedAt) < e.rules().MaxPaused {
			return refuse(r, e)
		}
		return expire(r, e, r.DoneReason, now), stopEffects, nil
	case OnAbort:
		return upload(r, shoal.RunAborted, abortReason(e), e.Desc, now), stopEffects, nil
	case OnFail:
		return upload(r, shoal.RunError, e.Reason, e.Desc, now), stopEffects, nil
	}
	return refuse(r, e)
}

func nextUploading(r shoal.Run, e Event, now time.Time) (shoal.Run, shoal.Effects, error) {
	switch e.On {
	case OnAbort:
		// Collecting is over and the export goes on, but the person's wish counts:
		// nothing that follows a run that is done (a chain) shall happen.
		if r.Outcome == shoal.RunDone {
			return upload(r, shoal.RunAborted, abortReason(e), e.Desc, now), 0, nil
		}
		return r, 0, nil
	case OnExported:
		r = exported(r, now)
		r.OutcomeDesc = strings.TrimSpace(r.OutcomeDesc + " " + e.Desc)
		return end(r, r.Outcome, r.OutcomeReason, r.OutcomeDesc, now), 0, nil
	case OnExportFailed:
		r.ExportDone = false
		return end(r, shoal.RunError, shoal.ReasonExportFailed, e.Desc, now), 0, nil
	}
	return refuse(r, e)
}

// nextEnded handles runs that have ended: they are immutable but for their
// exports. ExportDone false on such a run means that one is wanted or failed.
func nextEnded(r shoal.Run, e Event, now time.Time) (shoal.Run, shoal.Effects, error) {
	switch e.On {
	case OnAbort:
		return r, 0, shoal.ErrRunNotFound
	case OnExportAsked:
		r.ExportDone = false
		return r, shoal.EffectFinish, nil
	case OnExported:
		if r.ExportDone {
			return refuse(r, e) // a repeated job: this export is already counted
		}
		r = exported(r, now)
		if r.DoneReason == shoal.ReasonExportFailed {
			r.Status = r.Outcome
			r.DoneReason = shoal.ReasonExportFix
			r.DoneReasonDesc = exportFixDesc(&r)
		}
		return r, 0, nil
	case OnExportFailed:
		if r.ExportDone {
			return refuse(r, e)
		}
		// The file of an earlier export is replaced only by a complete one.
		r.ExportDone = !r.ExportTime.IsZero()
		if r.DoneReason == shoal.ReasonExportFailed {
			r.DoneReasonDesc = descOr(shoal.ReasonExportFailed, e.Desc)
		}
		return r, 0, nil
	}
	return refuse(r, e)
}

// tasksEnded decides where a run goes whose tasks have all ended.
func tasksEnded(r shoal.Run, e Event, now time.Time) (shoal.Run, shoal.Effects, error) {
	switch {
	case r.TasksTotal > 0 && r.TasksUnreached >= r.TasksTotal:
		desc := inaccessibleDesc(&r, e.Desc)
		return upload(r, shoal.RunError, shoal.ReasonWebsiteInaccessible, desc, now), shoal.EffectFinish, nil
	case overBudget(&r):
		return hold(r, budgetEvent(&r, e), now)
	}
	return upload(r, shoal.RunDone, shoal.ReasonTasksDone, tasksDoneDesc(&r, e.Desc), now), shoal.EffectFinish, nil
}

// overBudget reports whether more tasks failed than the run tolerates. While
// every task so far failed because the website could not be reached, the
// verdict waits for the end: that is website_inaccessible's to say.
func overBudget(r *shoal.Run) bool {
	if r.TasksFailed == 0 || r.TasksUnreached >= r.TasksDone {
		return false
	}
	return r.TasksFailed > int64(r.Settings.ErrorBudget*float64(r.TasksTotal))
}

func budgetEvent(r *shoal.Run, e Event) Event {
	e.On, e.Reason = OnHold, shoal.ReasonRequestFailed
	e.Desc = requestFailedDesc(r, e.Desc)
	return e
}

func tasksLeft(r *shoal.Run) bool { return r.TasksDone < r.TasksTotal }

// run puts r into running from now.
func run(r shoal.Run, now time.Time) shoal.Run {
	r.Status = shoal.RunRunning
	r.DoneReason, r.DoneReasonDesc = shoal.ReasonNone, ""
	r.ActiveSince = now
	r.PausedAt, r.WakeAt = time.Time{}, time.Time{}
	if r.StartedAt.IsZero() {
		r.StartedAt = now
	}
	return r
}

// wake puts a paused run back to work.
func wake(r shoal.Run, now time.Time) (shoal.Run, shoal.Effects, error) {
	effects := shoal.EffectSlots
	switch {
	case r.DoneReason == shoal.ReasonRequestFailed:
		effects |= shoal.EffectRetryFailed
	case r.TasksTotal > 0 && !tasksLeft(&r):
		// Its last page was committed after it was paused; there is only the end left.
		effects |= shoal.EffectFinish
	}
	return run(r, now), effects, nil
}

// hold pauses r, or ends it when pauses in a row for the same reason have used
// up the time that a run may stay paused.
func hold(r shoal.Run, e Event, now time.Time) (shoal.Run, shoal.Effects, error) {
	ru := e.rules()
	wait := ru.wait(e.Reason, 0)
	if wait > 0 {
		// Failed pages are no progress, and request_failed has nothing else to tell by.
		if e.Reason == shoal.ReasonTooManyRequests && r.LastProgressAt.After(r.ActiveSince) {
			r.PauseCount = 0
		}
		if ru.spent(e.Reason, r.PauseCount) {
			return expire(r, e, e.Reason, now), stopEffects, nil
		}
		wait = ru.wait(e.Reason, r.PauseCount)
		r.PauseCount++
	}
	if e.Reason == shoal.ReasonTooManyRequests && e.RetryAfter > 0 {
		wait = min(e.RetryAfter, ru.MaxPaused)
	}
	r = stopClock(r, now)
	r.Status, r.AccountPK = shoal.RunPaused, 0
	r.DoneReason, r.DoneReasonDesc = e.Reason, descOr(e.Reason, e.Desc)
	r.PausedAt = now
	r.WakeAt = time.Time{}
	switch {
	case e.On == OnPause:
	case !e.Until.IsZero():
		r.WakeAt = e.Until
	case wait > 0:
		r.WakeAt = now.Add(wait)
	}
	return r, 0, nil
}

// holdOn gives a paused run the reason that now holds. It stays paused since
// when it was, unless a person has looked at it meanwhile.
func holdOn(r shoal.Run, e Event, now time.Time) (shoal.Run, shoal.Effects, error) {
	since := r.PausedAt
	next, effects, err := hold(r, e, now)
	if next.Status == shoal.RunPaused && !e.Asked && r.DoneReason != shoal.ReasonNone {
		next.PausedAt = since
	}
	return next, effects, err
}

// expire ends r because it was paused for too long.
func expire(r shoal.Run, e Event, reason shoal.DoneReason, now time.Time) shoal.Run {
	desc := descOr(reason, e.Desc)
	if r.Status == shoal.RunPaused && e.Desc == "" {
		desc = r.DoneReasonDesc
	}
	return upload(r, shoal.RunError, reason, expireDesc(desc, e.rules().MaxPaused), now)
}

// upload ends the collecting of r and remembers the outcome that the export leads to.
func upload(r shoal.Run, outcome shoal.RunStatus, reason shoal.DoneReason, desc string, now time.Time) shoal.Run {
	r.Status, r.AccountPK = shoal.RunUploading, 0
	r.Outcome, r.OutcomeReason, r.OutcomeDesc = outcome, reason, descOr(reason, desc)
	r.DoneReason, r.DoneReasonDesc = r.OutcomeReason, r.OutcomeDesc
	r.PausedAt, r.WakeAt = time.Time{}, time.Time{}
	if r.ActiveSince.IsZero() && !r.StartedAt.IsZero() {
		r.ActiveSince = now // exporting is execution, too
	}
	return r
}

func end(r shoal.Run, status shoal.RunStatus, reason shoal.DoneReason, desc string, now time.Time) shoal.Run {
	r = stopClock(r, now)
	r.Status = status
	r.DoneReason, r.DoneReasonDesc = reason, descOr(reason, desc)
	r.EndedAt = now
	return r
}

func exported(r shoal.Run, now time.Time) shoal.Run {
	r.ExportDone, r.ExportTime = true, now
	r.ExportCount++
	return r
}

// stopClock adds the present stretch to the execution time.
func stopClock(r shoal.Run, now time.Time) shoal.Run {
	r.Active, r.ActiveSince = r.Duration(now), time.Time{}
	return r
}

func abortReason(e Event) shoal.DoneReason {
	if e.Reason == shoal.ReasonNone {
		return shoal.ReasonAborted
	}
	return e.Reason
}

// refuse returns the error of an event that the run's state does not admit.
func refuse(r shoal.Run, e Event) (shoal.Run, shoal.Effects, error) {
	return r, 0, shoal.Conflict("RunStateConflict", "run_hash", "%s", refusal(&r, e))
}
