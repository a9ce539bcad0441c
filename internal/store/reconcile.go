package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"shoal"
)

// requeueAfter is how long a slot's job may wait before it is believed lost,
// and finishAfter how long a finish job may wait and work. Jobs outlive any
// kill, so this is a second net: a job too many finds nothing to do.
const (
	requeueAfter = 5 * time.Minute
	finishAfter  = time.Hour
)

const (
	expiredRuns = `SELECT run_pk FROM leases WHERE owner IS NOT NULL AND expires_at <= $1`
	lackingRuns = `SELECT r.pk FROM runs r WHERE r.status IN ('running', 'uploading') AND r.deleted_at = 0` + ofUnfinished + ` AND (
		(r.status = 'uploading' OR r.tasks_done >= r.tasks_total) AND NOT EXISTS (
			SELECT 1 FROM leases l WHERE l.run_pk = r.pk AND l.slot = -1 AND l.queued_at > $1)
		OR r.status = 'running' AND r.tasks_done < r.tasks_total AND (
			EXISTS (SELECT 1 FROM run_tasks t WHERE t.run_pk = r.pk AND t.state = 0)
			OR EXISTS (SELECT 1 FROM frontier f WHERE f.run_pk = r.pk AND f.state = 0)))`
)

// Reconcile ends expired leases, returns their work and enqueues the slot jobs
// that running runs lack, and the finish job of a run that has no more to do.
// all treats every lease as expired: right only at the start of a process that
// holds the data directory's lock.
func (s *Store) Reconcile(ctx context.Context, all bool) error {
	if err := s.expireLeases(ctx, all); err != nil {
		return fmt.Errorf("reconcile: end leases: %w", err)
	}
	lacking, err := s.lacking(ctx)
	if err != nil {
		return fmt.Errorf("reconcile: look for runs without workers: %w", err)
	}
	slices.Sort(lacking)
	for _, pk := range lacking {
		err := s.writeSoon(ctx, func(ctx context.Context, tx *sql.Tx) error { return s.supply(ctx, tx, pk) })
		if err != nil && !errors.Is(err, shoal.ErrRunNotFound) {
			return fmt.Errorf("reconcile run %d: %w", pk, err)
		}
	}
	return nil
}

// expireLeases returns the work of leases whose time is over, run by run.
func (s *Store) expireLeases(ctx context.Context, all bool) error {
	now, err := s.clock(ctx, s.read)
	if err != nil {
		return err
	}
	if all {
		now = 1<<63 - 1
	}
	runs, err := collect(ctx, s.read, scanInt, expiredRuns, now)
	if err != nil {
		return err
	}
	slices.Sort(runs)
	for _, pk := range slices.Compact(runs) {
		err := s.writeSoon(ctx, func(ctx context.Context, tx *sql.Tx) error {
			if _, err := s.lockRun(ctx, tx, `r.pk = $1`, pk); err != nil {
				return err
			}
			const end = `UPDATE leases SET owner = NULL, expires_at = 0, queued_at = 0
				WHERE run_pk = $1 AND owner IS NOT NULL AND expires_at <= $2 RETURNING slot`
			slots, err := collect(ctx, tx, scanInt, end, pk, now)
			if err != nil {
				return err
			}
			for _, slot := range slots {
				if err := s.returnWork(ctx, tx, pk, slot); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil && !errors.Is(err, shoal.ErrRunNotFound) {
			return err
		}
	}
	return nil
}

// lacking returns the runs that may need a job: those under way of which a
// slot is neither held nor queued though something is claimable, and those
// that have no more to do and no finish job.
func (s *Store) lacking(ctx context.Context) ([]int64, error) {
	now, err := s.clock(ctx, s.read)
	if err != nil {
		return nil, err
	}
	return collect(ctx, s.read, scanInt, lackingRuns, now-finishAfter.Microseconds())
}

// supply gives one run the jobs that it lacks.
func (s *Store) supply(ctx context.Context, tx *sql.Tx, pk int64) error {
	row, err := s.lockRun(ctx, tx, `r.pk = $1`, pk)
	if err != nil {
		return err
	}
	now, err := s.clock(ctx, tx)
	if err != nil {
		return err
	}
	if row.Status == shoal.RunUploading || row.Status == shoal.RunRunning && row.TasksDone >= row.TasksTotal {
		queued, err := collect(ctx, tx, scanInt, `SELECT queued_at FROM leases WHERE run_pk = $1 AND slot = $2`, pk, finishSlot)
		if err != nil || len(queued) > 0 && queued[0] > now-finishAfter.Microseconds() {
			return err
		}
		return s.enqueueFinish(ctx, tx, row, now)
	}
	if row.Status != shoal.RunRunning {
		return nil
	}
	const q = `INSERT INTO leases (run_pk, slot, queued_at) VALUES ($1, $2, $3)
		ON CONFLICT (run_pk, slot) DO UPDATE SET queued_at = excluded.queued_at
		WHERE leases.owner IS NULL AND leases.queued_at <= $4`
	for slot := range row.held() {
		res, err := tx.ExecContext(ctx, q, pk, slot, now, now-requeueAfter.Microseconds())
		if err != nil {
			return fmt.Errorf("queue slot: %w", err)
		}
		n, err := res.RowsAffected()
		if err != nil {
			return err
		}
		if n == 0 {
			continue
		}
		if err := s.enqueue(ctx, tx, slotJob(row.ID, slot)); err != nil {
			return err
		}
	}
	return nil
}
