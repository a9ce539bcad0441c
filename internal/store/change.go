package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"shoal"
	"shoal/internal/jobs"
)

// ChangeRun loads a run for update, lets decide change it (status, reasons,
// outcome, times, wake-up, export bookkeeping, Shared) and writes it, an
// EventStatus if the status or reason changed, and the effects, in one
// transaction. decide is pure and may be called again if the transaction is
// retried. Its error is returned as it is and nothing is written.
func (s *Store) ChangeRun(ctx context.Context, id shoal.RunID, actor string,
	decide func(r *shoal.Run, now time.Time) (shoal.Effects, error)) (shoal.Run, error) {
	return s.changeRun(ctx, id, actor, func(_ context.Context, _ *sql.Tx, r *runRow) (shoal.Effects, error) {
		return decide(&r.Run, s.now())
	}, func(ctx context.Context, tx *sql.Tx) error { return s.lockLimited(ctx, tx, id) },
		func(ctx context.Context, tx *sql.Tx) error { return s.lockHeld(ctx, tx, id) })
}

// AdmitRun is ChangeRun for what may put a run to work: decide is told how the
// run's workspace and squid stand, which nobody can change meanwhile.
func (s *Store) AdmitRun(ctx context.Context, id shoal.RunID, actor string, decide shoal.Admission) (shoal.Run, error) {
	known, err := s.runByID(ctx, id)
	if err != nil {
		return shoal.Run{}, err
	}
	var st shoal.Standing
	return s.changeRun(ctx, id, actor, func(ctx context.Context, tx *sql.Tx, r *runRow) (shoal.Effects, error) {
		effects, err := decide(&r.Run, &st, s.now())
		r.slots = slotsOf(r, &st)
		return effects, err
	}, func(ctx context.Context, tx *sql.Tx) (err error) {
		st, err = s.lockStanding(ctx, tx, known)
		return err
	})
}

// changeRun is ChangeRun; before takes the locks that come before the run's.
func (s *Store) changeRun(ctx context.Context, id shoal.RunID, actor string,
	decide func(ctx context.Context, tx *sql.Tx, r *runRow) (shoal.Effects, error),
	before ...func(ctx context.Context, tx *sql.Tx) error) (shoal.Run, error) {
	var out shoal.Run
	var refused error
	err := s.write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		refused = nil
		for _, f := range before {
			if err := f(ctx, tx); err != nil {
				return err
			}
		}
		was, err := s.lockRun(ctx, tx, `r.id = $1`, id)
		if err != nil {
			return err
		}
		row := *was
		effects, err := decide(ctx, tx, &row)
		if err != nil {
			refused = err
			return err
		}
		if err := s.carryOut(ctx, tx, &row, effects); err != nil {
			return err
		}
		if err := s.writeState(ctx, tx, was, &row, actor); err != nil {
			return err
		}
		s.publishRun(ctx, &row)
		out = row.Run
		if err := s.nextLaunch(ctx, tx, &out); err != nil {
			return err
		}
		return s.remember(ctx, tx, out)
	})
	if refused != nil {
		return shoal.Run{}, refused
	}
	if err != nil {
		return shoal.Run{}, fmt.Errorf("change run %s: %w", id, err)
	}
	return out, nil
}

// writeState writes what ChangeRun may change, and the event of a new state.
func (s *Store) writeState(ctx context.Context, tx *sql.Tx, was, row *runRow, actor string) error {
	if was.Status != row.Status || was.DoneReason != row.DoneReason {
		payload := shoal.StatusPayload{Status: row.Status, Reason: row.DoneReason, Desc: row.DoneReasonDesc}
		if was.Status != row.Status {
			payload.From = was.Status
		}
		if err := s.addEvent(ctx, tx, row, shoal.EventStatus, actor, payload); err != nil {
			return err
		}
		if was.Status != row.Status {
			if err := s.addDeliveries(ctx, tx, row); err != nil {
				return err
			}
		}
	}
	freed := was.Status == shoal.RunRunning && row.Status != shoal.RunRunning
	if freed {
		row.slots = slotsOf(row, nil)
	}
	if err := s.credited(ctx, tx, was, row); err != nil {
		return err
	}
	const q = `UPDATE runs SET status = $2, done_reason = $3, done_reason_desc = $4, outcome = $5, outcome_reason = $6,
		outcome_desc = $7, started_at = $8, ended_at = $9, active = $10, active_since = $11, wake_at = $12, paused_at = $13,
		pause_count = $14, shared = $15, known_requests = $16, tasks_done = $17, tasks_failed = $18, tasks_unreached = $19,
		export_done = $20, export_time = $21, export_count = $22, email_done = $23, email_time = $24, event_seq = $25,
		last_progress_at = $26, slots = $27, account_pk = $28
		WHERE pk = $1`
	_, err := tx.ExecContext(ctx, q, row.PK, string(row.Status), string(row.DoneReason), row.DoneReasonDesc, string(row.Outcome),
		string(row.OutcomeReason), row.OutcomeDesc, micros(row.StartedAt), micros(row.EndedAt), row.Active.Microseconds(),
		micros(row.ActiveSince), micros(row.WakeAt), micros(row.PausedAt), row.PauseCount, row.Shared, row.KnownRequests,
		row.TasksDone, row.TasksFailed, row.TasksUnreached, row.ExportDone, micros(row.ExportTime), row.ExportCount,
		row.EmailDone, micros(row.EmailTime), row.EventSeq, micros(row.LastProgressAt), row.slots, row.AccountPK)
	if err != nil {
		return fmt.Errorf("write run: %w", err)
	}
	if was.AccountPK > 0 && was.AccountPK != row.AccountPK {
		if err := s.wakeWaiting(ctx, tx, was.AccountPK, shoal.ReasonNoAccountAvailable); err != nil {
			return err
		}
	}
	if freed || passedSlots(was, row) {
		if err := s.wakeForSlots(ctx, tx, row.workspacePK); err != nil {
			return err
		}
	}
	if row.Status.Terminal() && !was.Status.Terminal() {
		if err := s.runEnded(ctx, tx, was, row); err != nil {
			return err
		}
		return s.dropDigests(ctx, tx, row.PK)
	}
	return nil
}

// addEvent appends an event to the run's history and advances row.EventSeq,
// which the caller writes.
func (s *Store) addEvent(ctx context.Context, tx *sql.Tx, row *runRow, kind shoal.EventKind, actor string, payload any) error {
	b, err := json.Marshal(payload)
	if err != nil {
		return fmt.Errorf("encode event: %w", err)
	}
	row.EventSeq++
	const q = `INSERT INTO run_events (run_pk, seq, kind, at, actor, payload) VALUES ($1, $2, $3, $4, $5, $6)`
	if _, err := tx.ExecContext(ctx, q, row.PK, row.EventSeq, string(kind), micros(s.now()), actor, plain(string(b))); err != nil {
		return fmt.Errorf("write event: %w", err)
	}
	return nil
}

// carryOut carries out the effects of a change of state.
func (s *Store) carryOut(ctx context.Context, tx *sql.Tx, row *runRow, effects shoal.Effects) error {
	steps := []struct {
		effect shoal.Effects
		do     func(ctx context.Context, tx *sql.Tx, row *runRow) error
	}{
		{shoal.EffectDropLeases, func(ctx context.Context, tx *sql.Tx, row *runRow) error { return s.dropLeases(ctx, tx, row.PK) }},
		{shoal.EffectRetryFailed, s.retryFailed},
		{shoal.EffectAbortTasks, s.abortTasks},
		{shoal.EffectSlots, s.queueSlots},
		{shoal.EffectFinish, func(ctx context.Context, tx *sql.Tx, row *runRow) error {
			now, err := s.clock(ctx, tx)
			if err != nil {
				return err
			}
			return s.enqueueFinish(ctx, tx, row, now)
		}},
	}
	for _, step := range steps {
		if effects&step.effect == 0 {
			continue
		}
		if err := step.do(ctx, tx, row); err != nil {
			return err
		}
	}
	return nil
}

// abortTasks ends every unfinished run task as aborted.
func (s *Store) abortTasks(ctx context.Context, tx *sql.Tx, row *runRow) error {
	const q = `UPDATE run_tasks SET state = 3, claimed_by = NULL, ended_at = $2, done_reason = 'run_aborted'
		WHERE run_pk = $1 AND state < 2`
	if _, err := tx.ExecContext(ctx, q, row.PK, micros(s.now())); err != nil {
		return fmt.Errorf("abort tasks: %w", err)
	}
	row.TasksDone, row.KnownRequests = row.TasksTotal, row.TotalRequests
	return nil
}

// queueSlots enqueues a job for each slot that nobody holds.
func (s *Store) queueSlots(ctx context.Context, tx *sql.Tx, row *runRow) error {
	now, err := s.clock(ctx, tx)
	if err != nil {
		return err
	}
	const q = `INSERT INTO leases (run_pk, slot, queued_at) VALUES ($1, $2, $3)
		ON CONFLICT (run_pk, slot) DO UPDATE SET queued_at = excluded.queued_at WHERE leases.owner IS NULL`
	var queued []jobs.Job
	for slot := range row.held() {
		res, err := tx.ExecContext(ctx, q, row.PK, slot, now)
		if err != nil {
			return fmt.Errorf("queue slot: %w", err)
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 {
			if err != nil {
				return err
			}
			continue
		}
		queued = append(queued, slotJob(row.ID, slot))
	}
	return s.enqueue(ctx, tx, queued...)
}

func slotJob(run shoal.RunID, slot int) jobs.Job {
	return jobs.New(jobs.KindSlot, jobs.SlotArgs{Run: string(run), Slot: slot})
}

// enqueueFinish enqueues the job that exports and ends the run, and notes when.
func (s *Store) enqueueFinish(ctx context.Context, tx *sql.Tx, row *runRow, now int64) error {
	const q = `INSERT INTO leases (run_pk, slot, queued_at) VALUES ($1, $2, $3)
		ON CONFLICT (run_pk, slot) DO UPDATE SET queued_at = excluded.queued_at`
	if _, err := tx.ExecContext(ctx, q, row.PK, finishSlot, now); err != nil {
		return fmt.Errorf("note the finish job: %w", err)
	}
	return s.enqueue(ctx, tx, finishJob(row.ID))
}

// AddNote adds an EventNote to the run's history.
func (s *Store) AddNote(ctx context.Context, run shoal.RunID, level, message string) error {
	err := s.writeSoon(ctx, func(ctx context.Context, tx *sql.Tx) error { return s.addNote(ctx, tx, run, level, message) })
	if err != nil {
		return fmt.Errorf("add note to run %s: %w", run, err)
	}
	return nil
}

// addNote is AddNote within a transaction that holds no lock of a run.
func (s *Store) addNote(ctx context.Context, tx *sql.Tx, run shoal.RunID, level, message string) error {
	was, err := s.lockRun(ctx, tx, `r.id = $1`, run)
	if err != nil {
		return err
	}
	row := *was
	if err := s.addEvent(ctx, tx, &row, shoal.EventNote, actorEngine, shoal.NotePayload{Level: level, Message: message}); err != nil {
		return err
	}
	s.publishRun(ctx, &row)
	_, err = tx.ExecContext(ctx, `UPDATE runs SET event_seq = $2 WHERE pk = $1`, row.PK, row.EventSeq)
	return err
}

// SetRunMessage sets done_reason_desc of a running run without changing its
// state; empty clears it. A run in another state keeps what it says.
func (s *Store) SetRunMessage(ctx context.Context, run shoal.RunID, desc string) error {
	err := s.writeSoon(ctx, func(ctx context.Context, tx *sql.Tx) error {
		was, err := s.lockRun(ctx, tx, `r.id = $1`, run)
		if err != nil || was.Status != shoal.RunRunning || was.DoneReasonDesc == desc {
			return err
		}
		row := *was
		row.DoneReasonDesc = plain(desc)
		s.publishRun(ctx, &row)
		_, err = tx.ExecContext(ctx, `UPDATE runs SET done_reason_desc = $2 WHERE pk = $1`, row.PK, row.DoneReasonDesc)
		return err
	})
	if err != nil {
		return fmt.Errorf("set message of run %s: %w", run, err)
	}
	return nil
}
