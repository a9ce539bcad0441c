package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"shoal"
	"shoal/internal/jobs"
)

// actorChain is who changes that come from a chain are said to come from.
const actorChain = "chain"

func chainJob(run shoal.RunID) jobs.Job {
	return jobs.New(jobs.KindChain, jobs.RunArgs{Run: string(run)})
}

// runEnded lets go on what waits for the run, which tx makes terminal, and
// begins the hand-over of its results when its squid has a chain. A run hands
// over when it first becomes done: one that was done but for its export, and
// one that was made again, lead to nothing.
func (s *Store) runEnded(ctx context.Context, tx *sql.Tx, was, row *runRow) error {
	if err := s.wakeLaunch(ctx, tx, row.SquidPK); err != nil {
		return err
	}
	if err := s.wakeHandovers(ctx, tx, row.SquidPK); err != nil {
		return err
	}
	if row.Status != shoal.RunDone || was.Status != shoal.RunUploading {
		return nil
	}
	const begin = `INSERT INTO handovers (run_pk, workspace_pk, squid_pk, target_crawler_id, field_map, autostart,
			cluster_name, cluster_concurrency, state, created_at)
		SELECT CAST($1 AS BIGINT), c.workspace_pk, c.squid_pk, c.target_crawler_id, c.field_map, c.autostart, c.cluster_name,
			c.cluster_concurrency, 'moving', CAST($2 AS BIGINT)
		FROM chains c WHERE c.squid_pk = $3 AND c.is_active ON CONFLICT (run_pk) DO NOTHING`
	res, err := tx.ExecContext(ctx, begin, row.PK, micros(s.now()), row.SquidPK)
	if err != nil {
		return fmt.Errorf("begin the hand-over: %w", err)
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return err
	}
	return s.enqueue(ctx, tx, chainJob(row.ID))
}

const wakeWaitingHandovers = `UPDATE handovers SET state = 'starting' WHERE target_pk = $1 AND state = 'waiting' RETURNING run_pk`

// wakeHandovers starts what waited for the squid's run to end.
func (s *Store) wakeHandovers(ctx context.Context, tx *sql.Tx, squidPK int64) error {
	pks, err := collect(ctx, tx, scanInt, wakeWaitingHandovers, squidPK)
	if err != nil {
		return fmt.Errorf("wake hand-overs: %w", err)
	}
	for _, pk := range pks {
		var run shoal.RunID
		err := tx.QueryRowContext(ctx, `SELECT id FROM runs WHERE pk = $1`, pk).Scan(&run)
		if errors.Is(err, sql.ErrNoRows) {
			continue // deleted, and with it what it would lead to
		}
		if err != nil {
			return fmt.Errorf("wake hand-overs: %w", err)
		}
		if err := s.enqueue(ctx, tx, chainJob(run)); err != nil {
			return err
		}
	}
	return nil
}

const handoverQuery = `SELECT h.run_pk, r.id, w.id, s.id, COALESCE(t.id, ''), h.target_crawler_id, h.field_map, h.autostart,
		h.cluster_name, h.cluster_concurrency, h.state, h.cursor, h.looked_at, h.added, h.duplicates, h.lacking, h.invalid,
		h.first_invalid, h.started_run, h.message, h.created_at, h.ended_at
	FROM handovers h JOIN runs r ON r.pk = h.run_pk JOIN workspaces w ON w.pk = h.workspace_pk
	JOIN squids s ON s.pk = h.squid_pk LEFT JOIN squids t ON t.pk = h.target_pk`

func scanHandover(r scanner) (h shoal.Handover, err error) {
	var fields []byte
	t := times{}
	err = r.Scan(&h.RunPK, &h.RunID, &h.WorkspaceID, &h.SquidID, &h.Target, &h.TargetCrawler, &fields, &h.Autostart,
		&h.ClusterName, &h.ClusterConcurrency, &h.State, &h.Cursor, &h.LookedAt, &h.Added, &h.Duplicates, &h.Lacking, &h.Invalid,
		&h.FirstInvalid, &h.StartedRun, &h.Message, t.into(&h.CreatedAt), t.into(&h.EndedAt))
	if errors.Is(err, sql.ErrNoRows) {
		return h, shoal.ErrRunNotFound
	}
	if err != nil {
		return h, fmt.Errorf("read hand-over: %w", err)
	}
	if err := json.Unmarshal(fields, &h.FieldMap); err != nil {
		return h, fmt.Errorf("read hand-over: its field map: %w", err)
	}
	return h, nil
}

// Handover returns the hand-over of a run; ErrRunNotFound when it has none or
// was deleted. The engine alone may call it.
func (s *Store) Handover(ctx context.Context, run shoal.RunID) (shoal.Handover, error) {
	return scanHandover(s.read.QueryRowContext(ctx, handoverQuery+` WHERE r.id = $1 AND r.deleted_at = 0`, string(run)))
}

// LastHandover returns the newest hand-over of a squid's runs; ErrRunNotFound
// when there is none.
func (s *Store) LastHandover(ctx context.Context, ws shoal.WorkspaceID, squid shoal.SquidID) (shoal.Handover, error) {
	const last = ` WHERE h.run_pk = (SELECT MAX(l.run_pk) FROM handovers l JOIN squids q ON q.pk = l.squid_pk
		WHERE q.id = $1 AND q.deleted_at = 0 AND q.workspace_pk = (SELECT pk FROM workspaces WHERE id = $2))`
	return scanHandover(s.read.QueryRowContext(ctx, handoverQuery+last, string(squid), string(ws)))
}

// lockHandover locks a hand-over that is in one of the states; ErrHandoverMoved
// when it is in another. The squids concerned are locked before it.
func (s *Store) lockHandover(ctx context.Context, tx *sql.Tx, run shoal.RunID, states ...shoal.HandoverState) (h shoal.Handover, err error) {
	h, err = scanHandover(tx.QueryRowContext(ctx, handoverQuery+` WHERE r.id = $1`+s.db.dialect.forUpdateOf("h"), string(run)))
	if err == nil && !slices.Contains(states, h.State) {
		err = shoal.ErrHandoverMoved
	}
	return h, err
}

// TargetOf finds the squid that a hand-over's results go to, and makes it when
// the chain has none yet or its own was deleted: with q's settings, named
// q.Name or, if that is taken or empty, baseName with a number.
func (s *Store) TargetOf(ctx context.Context, run shoal.RunID, q shoal.Squid, baseName string) (target shoal.SquidID, err error) {
	for range nameTries {
		err = s.write(ctx, func(ctx context.Context, tx *sql.Tx) error {
			target, err = s.targetOf(ctx, tx, run, q, baseName)
			return err
		})
		if !uniqueViolation(err) {
			break
		}
		// Another squid has the name: it is numbered then.
		if q.Name != "" {
			q.Name, baseName = "", q.Name
		}
	}
	if err != nil && !errors.Is(err, shoal.ErrHandoverMoved) {
		return "", fmt.Errorf("find the chain's target: %w", err)
	}
	return target, err
}

func (s *Store) targetOf(ctx context.Context, tx *sql.Tx, run shoal.RunID, q shoal.Squid, baseName string) (shoal.SquidID, error) {
	const source = `SELECT h.squid_pk FROM handovers h JOIN runs r ON r.pk = h.run_pk WHERE r.id = $1`
	var pk, targetPK int64
	if err := tx.QueryRowContext(ctx, source, string(run)).Scan(&pk); err != nil {
		return "", fmt.Errorf("read hand-over: %w", err)
	}
	if err := s.lockSquid(ctx, tx, pk); err != nil {
		return "", err
	}
	h, err := s.lockHandover(ctx, tx, run, shoal.HandoverMoving)
	if err != nil || h.Target != "" {
		return h.Target, err
	}
	const known = `SELECT t.id, t.pk FROM chains c JOIN squids t ON t.id = c.target_squid_id AND t.workspace_pk = c.workspace_pk
		WHERE c.squid_pk = $1 AND t.crawler_id = $2 AND t.deleted_at = 0`
	target := q.ID
	err = tx.QueryRowContext(ctx, known, pk, string(h.TargetCrawler)).Scan(&target, &targetPK)
	if errors.Is(err, sql.ErrNoRows) {
		made, err := s.createSquid(ctx, tx, q, baseName)
		if err != nil {
			return "", err
		}
		target, targetPK = made.ID, made.PK
		const keep = `UPDATE chains SET target_squid_id = $2 WHERE squid_pk = $1 AND target_crawler_id = $3`
		if _, err := tx.ExecContext(ctx, keep, pk, string(target), string(h.TargetCrawler)); err != nil {
			return "", fmt.Errorf("keep the chain's target: %w", err)
		}
	} else if err != nil {
		return "", err
	}
	_, err = tx.ExecContext(ctx, `UPDATE handovers SET target_pk = $2 WHERE run_pk = $1`, h.RunPK, targetPK)
	return target, err
}

// HandOver adds a batch's tasks to the target and moves the hand-over's cursor
// on, in one transaction: a batch that is repeated after a kill is refused with
// ErrHandoverMoved. h is the hand-over as it was before the batch.
func (s *Store) HandOver(ctx context.Context, h shoal.Handover, b shoal.HandoverBatch) (shoal.Handover, error) {
	prepared, err := prepareTasks(b.Tasks)
	if err != nil {
		return h, fmt.Errorf("hand tasks over: %w", err)
	}
	err = s.writeSoon(ctx, func(ctx context.Context, tx *sql.Tx) error {
		t, err := s.tally(ctx, tx, s.db.dialect.forUpdate(), h.WorkspaceID, h.Target)
		if err != nil {
			return err
		}
		now, err := s.lockHandover(ctx, tx, h.RunID, shoal.HandoverMoving)
		if err != nil {
			return err
		}
		if now.Cursor != h.Cursor {
			return shoal.ErrHandoverMoved
		}
		added, err := s.addTasks(ctx, tx, &t, h.Target, prepared)
		if err != nil {
			return err
		}
		now.Cursor, now.LookedAt = b.Cursor, now.LookedAt+b.LookedAt
		now.Added, now.Duplicates = now.Added+int64(len(added)), now.Duplicates+int64(len(b.Tasks)-len(added))
		now.Lacking, now.Invalid = now.Lacking+b.Lacking, now.Invalid+b.Invalid
		if now.FirstInvalid == "" {
			now.FirstInvalid = plain(b.FirstInvalid)
		}
		const q = `UPDATE handovers SET cursor = $2, looked_at = $3, added = $4, duplicates = $5, lacking = $6, invalid = $7,
			first_invalid = $8 WHERE run_pk = $1`
		_, err = tx.ExecContext(ctx, q, now.RunPK, now.Cursor, now.LookedAt, now.Added, now.Duplicates, now.Lacking, now.Invalid, now.FirstInvalid)
		h = now
		return err
	})
	if err != nil {
		return h, fmt.Errorf("hand tasks over: %w", err)
	}
	return h, nil
}

// HandedOver says that all results of the run were looked at: its target's run
// is to be started.
func (s *Store) HandedOver(ctx context.Context, h shoal.Handover) error {
	const q = `UPDATE handovers SET state = 'starting' WHERE run_pk = $1 AND state = 'moving' AND cursor = $2`
	return s.writeSoon(ctx, func(ctx context.Context, tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, q, h.RunPK, h.Cursor)
		return oneRow(res, err, shoal.ErrHandoverMoved)
	})
}

// AwaitTarget makes a hand-over wait for the target's run to end, and says so
// in the log of the finished run. It reports false when no run is under way:
// the start may be tried again at once.
func (s *Store) AwaitTarget(ctx context.Context, h shoal.Handover, message string) (waits bool, err error) {
	err = s.writeSoon(ctx, func(ctx context.Context, tx *sql.Tx) error {
		waits = false
		t, err := s.tally(ctx, tx, s.db.dialect.forUpdate(), h.WorkspaceID, h.Target)
		if err != nil {
			return err
		}
		source, err := s.lockRun(ctx, tx, `r.id = $1`, h.RunID)
		if err != nil {
			return err
		}
		run, err := s.activeRun(ctx, tx, t.pk)
		if err != nil || run == nil {
			return err
		}
		now, err := s.lockHandover(ctx, tx, h.RunID, shoal.HandoverStarting)
		if err != nil {
			return err
		}
		waits = true
		const q = `UPDATE handovers SET state = 'waiting', message = $2 WHERE run_pk = $1`
		if _, err := tx.ExecContext(ctx, q, h.RunPK, message); err != nil || now.Message == message {
			return err
		}
		return s.note(ctx, tx, source, actorChain, "info", message)
	})
	if err != nil {
		return false, fmt.Errorf("let a chain wait: %w", err)
	}
	return waits, nil
}

// EndHandover ends a hand-over that leads to no run, and says why in the log of
// the finished run.
func (s *Store) EndHandover(ctx context.Context, h shoal.Handover, level, message string) error {
	err := s.writeSoon(ctx, func(ctx context.Context, tx *sql.Tx) error {
		source, err := s.lockRun(ctx, tx, `r.id = $1`, h.RunID)
		if err != nil {
			return err
		}
		if _, err := s.lockHandover(ctx, tx, h.RunID, shoal.HandoverMoving, shoal.HandoverStarting); err != nil {
			return err
		}
		const q = `UPDATE handovers SET state = 'ended', message = $2, ended_at = $3 WHERE run_pk = $1`
		if _, err := tx.ExecContext(ctx, q, h.RunPK, message, micros(s.now())); err != nil {
			return err
		}
		return s.note(ctx, tx, source, actorChain, level, message)
	})
	if err != nil && !errors.Is(err, shoal.ErrHandoverMoved) && !errors.Is(err, shoal.ErrRunNotFound) {
		return fmt.Errorf("end a hand-over: %w", err)
	}
	return nil
}

// endWith ends the hand-overs that the new run row, of their target, is the
// goal of: the one that asked for it and those that waited beside it. said
// is the sentence for the log of each finished run.
func (s *Store) endWith(ctx context.Context, tx *sql.Tx, asked shoal.RunID, row *runRow, said func(shoal.Handover) string) error {
	const together = handoverQuery + ` WHERE h.target_pk = $1 AND h.state IN ('starting', 'waiting') ORDER BY h.run_pk`
	all, err := collect(ctx, tx, scanHandover, together, row.SquidPK)
	if err != nil {
		return err
	}
	found := false
	for _, h := range all {
		source, err := s.lockRun(ctx, tx, `r.id = $1`, h.RunID)
		if err != nil {
			return err
		}
		const end = `UPDATE handovers SET state = 'ended', started_run = $2, message = $3, ended_at = $4
			WHERE run_pk = $1 AND state IN ('starting', 'waiting')`
		message := said(h)
		res, err := tx.ExecContext(ctx, end, h.RunPK, string(row.ID), message, micros(s.now()))
		if err := oneRow(res, err, shoal.ErrHandoverMoved); err != nil {
			return err
		}
		if err := s.note(ctx, tx, source, actorChain, "info", message); err != nil {
			return err
		}
		found = found || h.RunID == asked
	}
	if !found {
		return shoal.ErrHandoverMoved
	}
	return nil
}
