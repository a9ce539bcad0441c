package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"shoal"
)

// finishSlot is the row among a run's leases that says when its finish job was
// last enqueued. No slot has that number.
const finishSlot = -1

// AcquireLease takes a slot of a running run for ttl. ErrLeaseHeld when a live
// worker has it; ErrRunNotFound when the run is not running. An owner that holds
// the slot takes it anew: it lost sight of the lease when an answer got lost. What
// a former holder left unfinished is returned to the run first.
func (s *Store) AcquireLease(ctx context.Context, run shoal.RunID, slot int, owner string, ttl time.Duration) (shoal.Lease, error) {
	l := shoal.Lease{RunID: run, Slot: slot, Owner: owner}
	if slot < 0 {
		return l, fmt.Errorf("acquire lease: slot %d: want 0 or more", slot)
	}
	err := s.writeSoon(ctx, func(ctx context.Context, tx *sql.Tx) error {
		r, err := s.lockRun(ctx, tx, `r.id = $1`, run)
		if err != nil {
			return err
		}
		if r.Status != shoal.RunRunning || r.deleted {
			return shoal.ErrRunNotFound
		}
		now, err := s.clock(ctx, tx)
		if err != nil {
			return err
		}
		const take = `INSERT INTO leases (run_pk, slot, owner, token, expires_at, queued_at) VALUES ($1, $2, $3, 1, $4, 0)
			ON CONFLICT (run_pk, slot) DO UPDATE SET owner = excluded.owner, token = leases.token + 1,
				expires_at = excluded.expires_at, queued_at = 0
			WHERE leases.owner IS NULL OR leases.owner = excluded.owner OR leases.expires_at <= $5
			RETURNING token`
		l.RunPK = r.PK
		err = tx.QueryRowContext(ctx, take, r.PK, slot, owner, now+ttl.Microseconds(), now).Scan(&l.Token)
		if errors.Is(err, sql.ErrNoRows) {
			return shoal.ErrLeaseHeld
		}
		if err != nil {
			return err
		}
		return s.returnWork(ctx, tx, r.PK, int64(slot))
	})
	if err != nil {
		return l, fmt.Errorf("acquire lease: %w", err)
	}
	return l, nil
}

// ReleaseLease gives the slot back and returns its unfinished work. A lease
// that is no longer in force is released already.
func (s *Store) ReleaseLease(ctx context.Context, l shoal.Lease) error {
	err := s.writeSoon(ctx, func(ctx context.Context, tx *sql.Tx) error {
		if _, err := s.lockRun(ctx, tx, `r.pk = $1`, l.RunPK); err != nil {
			return err
		}
		const give = `UPDATE leases SET owner = NULL, expires_at = 0 WHERE run_pk = $1 AND slot = $2 AND owner = $3 AND token = $4`
		res, err := tx.ExecContext(ctx, give, l.RunPK, l.Slot, l.Owner, l.Token)
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 {
			return err
		}
		return s.returnWork(ctx, tx, l.RunPK, int64(l.Slot))
	})
	if errors.Is(err, shoal.ErrRunNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("release lease: %w", err)
	}
	return nil
}

// RenewLeases extends every lease of owner to ttl from now, by the database's
// clock. It returns how many it extended. A lease that has expired is lost,
// even if nobody has taken it yet.
func (s *Store) RenewLeases(ctx context.Context, owner string, ttl time.Duration) (int, error) {
	var n int64
	err := s.writeSoon(ctx, func(ctx context.Context, tx *sql.Tx) error {
		now, err := s.clock(ctx, tx)
		if err != nil {
			return err
		}
		// In the order in which everybody locks leases, or PostgreSQL deadlocks.
		q := `SELECT run_pk, slot FROM leases WHERE owner = $1 AND expires_at > $2 ORDER BY run_pk, slot` + s.db.dialect.forUpdate()
		if _, err := collect(ctx, tx, func(r scanner) (x [2]int64, err error) { return x, r.Scan(&x[0], &x[1]) }, q, owner, now); err != nil {
			return err
		}
		res, err := tx.ExecContext(ctx, `UPDATE leases SET expires_at = $3 WHERE owner = $1 AND expires_at > $2`,
			owner, now, now+ttl.Microseconds())
		if err != nil {
			return err
		}
		n, err = res.RowsAffected()
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("renew leases: %w", err)
	}
	return int(n), nil
}

// writeSoon is write for what a restart makes good: it need not survive a
// power cut, and costs no wait for the disk on SQLite.
func (s *Store) writeSoon(ctx context.Context, f func(ctx context.Context, tx *sql.Tx) error) error {
	release, err := s.takeTurn(ctx)
	if err != nil {
		return err
	}
	defer release()
	return s.transact(ctx, false, f)
}

const (
	claimedRequests = `SELECT seq FROM frontier WHERE run_pk = $1 AND slot = $2 AND state = 1`
	claimedTasks    = `SELECT seq FROM run_tasks WHERE run_pk = $1 AND claimed_by = $2`
)

// returnTasks gives tasks back that had claimed their own request. One that
// has ended while the request was on its way stays ended.
var returnTasks = &bulk{types: []string{"bigint", "bigint"}, text: `
	WITH v (run_pk, seq) AS ({rows})
	UPDATE run_tasks AS t SET state = CASE WHEN t.state = 1 THEN 0 ELSE t.state END, claimed_by = NULL
	FROM v WHERE t.run_pk = v.run_pk AND t.seq = v.seq`}

// returnWork makes what a slot has claimed claimable again. The caller has
// locked the run.
func (s *Store) returnWork(ctx context.Context, tx *sql.Tx, run, slot int64) error {
	hot := s.stmts.unprepared(tx)
	requests, err := collect(ctx, tx, scanInt, claimedRequests, run, slot)
	if err != nil {
		return fmt.Errorf("look for claimed requests: %w", err)
	}
	err = hot.exec(ctx, updateRequests, len(requests), func(i int, args []any) {
		args[0], args[1], args[2] = run, requests[i], int64(requestPending)
	})
	if err != nil {
		return fmt.Errorf("return requests: %w", err)
	}
	tasks, err := collect(ctx, tx, scanInt, claimedTasks, run, slot)
	if err != nil {
		return fmt.Errorf("look for claimed tasks: %w", err)
	}
	err = hot.exec(ctx, returnTasks, len(tasks), func(i int, args []any) { args[0], args[1] = run, tasks[i] })
	if err != nil {
		return fmt.Errorf("return tasks: %w", err)
	}
	return nil
}

// dropLeases ends every slot's right to commit and returns its work. Tokens
// stay, so that the next holder's is greater.
func (s *Store) dropLeases(ctx context.Context, tx *sql.Tx, run int64) error {
	slots, err := collect(ctx, tx, scanInt, `SELECT slot FROM leases WHERE run_pk = $1 AND owner IS NOT NULL ORDER BY slot`, run)
	if err != nil {
		return fmt.Errorf("read leases: %w", err)
	}
	for _, slot := range slots {
		if err := s.returnWork(ctx, tx, run, slot); err != nil {
			return err
		}
	}
	_, err = tx.ExecContext(ctx, `UPDATE leases SET owner = NULL, expires_at = 0, queued_at = 0 WHERE run_pk = $1`, run)
	if err != nil {
		return fmt.Errorf("drop leases: %w", err)
	}
	return nil
}
