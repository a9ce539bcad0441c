package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"shoal"
)

// CreateRun writes a pending run, its run tasks (copied from the squid's
// active tasks in one statement) and its first event, and then what n.Begin
// makes of it. It returns a Business error RunInProgress when the squid has an
// active run (a paused one counts) and NoTasksPresent when it has no active
// task; an error of n.Begin is returned as it is. In each case nothing is written.
func (s *Store) CreateRun(ctx context.Context, n shoal.NewRun) (shoal.Run, error) {
	var out shoal.Run
	var refused error
	write := s.write
	if n.Launch != nil {
		// A power cut may take the run back together with its slot, which is then
		// still due: a thousand launches need not wait for the disk each.
		write = s.writeSoon
	}
	err := write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		refused = nil
		row, err := s.insertRun(ctx, tx, n)
		if err != nil {
			return err
		}
		if row.TasksTotal, err = copyTasks(ctx, tx, row); err != nil {
			return err
		}
		row.KnownRequests = row.TasksTotal
		if err := s.addEvent(ctx, tx, row, shoal.EventStatus, n.Actor, shoal.StatusPayload{Status: shoal.RunPending}); err != nil {
			return err
		}
		was := *row
		if refused = s.begin(ctx, tx, row, n.Begin); refused != nil {
			return refused
		}
		if err := s.writeState(ctx, tx, &was, row, n.Actor); err != nil {
			return err
		}
		const count = `UPDATE runs SET tasks_total = $2 WHERE pk = $1`
		if _, err := tx.ExecContext(ctx, count, row.PK, row.TasksTotal); err != nil {
			return fmt.Errorf("count tasks: %w", err)
		}
		if n.Launch != nil {
			if err := s.claimLaunch(ctx, tx, n.Launch, shoal.LaunchStarted, row.ID, ""); err != nil {
				return err
			}
		}
		if n.Handover != nil {
			if err := s.endWith(ctx, tx, n.Handover.Of, row, n.Handover.Said); err != nil {
				return err
			}
		}
		s.publishRun(ctx, row)
		out = row.Run
		if n.Launch != nil {
			out.NextLaunchAt = n.Launch.NextDue
		} else if err := s.nextLaunch(ctx, tx, &out); err != nil {
			return err
		}
		return s.remember(ctx, tx, out)
	})
	if refused != nil {
		return shoal.Run{}, refused
	}
	if err != nil {
		return shoal.Run{}, fmt.Errorf("create run: %w", err)
	}
	return out, nil
}

// begin decides what becomes of a run that has just been made; the workspace
// and the squid are locked.
func (s *Store) begin(ctx context.Context, tx *sql.Tx, row *runRow, decide shoal.Admission) error {
	if decide == nil {
		return nil
	}
	st, err := s.standing(ctx, tx, row)
	if err != nil {
		return err
	}
	effects, err := decide(&row.Run, &st, row.CreatedAt)
	if err != nil {
		return err
	}
	row.slots = slotsOf(row, &st)
	if row.Status == shoal.RunRunning {
		row.LastProgressAt = row.CreatedAt
	}
	return s.carryOut(ctx, tx, row, effects)
}

// insertRun locks the workspace and the squid, and inserts the run.
func (s *Store) insertRun(ctx context.Context, tx *sql.Tx, n shoal.NewRun) (*runRow, error) {
	row := &runRow{Run: shoal.Run{
		ID: n.ID, WorkspaceID: n.WorkspaceID, SquidID: n.SquidID, CrawlerID: n.Version.CrawlerID,
		Origin: n.Origin, Status: shoal.RunPending, CreatedAt: s.now(), ForceLaunch: n.ForceLaunch, Settings: n.Settings,
	}}
	if err := s.lockWorkspaceOf(ctx, tx, n.WorkspaceID); err != nil {
		return nil, err
	}
	squid := `SELECT s.pk, s.workspace_pk FROM squids s JOIN workspaces w ON w.pk = s.workspace_pk
		WHERE s.id = $1 AND w.id = $2 AND s.deleted_at = 0` + s.db.dialect.forUpdateOf("s")
	err := tx.QueryRowContext(ctx, squid, string(n.SquidID), string(n.WorkspaceID)).Scan(&row.SquidPK, &row.workspacePK)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, shoal.ErrSquidNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("lock squid: %w", err)
	}
	if row.VersionPK, err = s.keepVersion(ctx, tx, n.Version); err != nil {
		return nil, err
	}
	settings, err := json.Marshal(n.Settings)
	if err != nil {
		return nil, fmt.Errorf("encode settings: %w", err)
	}
	const insert = `INSERT INTO runs (id, workspace_pk, squid_pk, crawler_id, version_pk, origin, status, created_at, force_launch, settings)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
		ON CONFLICT (squid_pk) WHERE status IN ('pending', 'running', 'paused', 'uploading') DO NOTHING RETURNING pk`
	err = tx.QueryRowContext(ctx, insert, string(row.ID), row.workspacePK, row.SquidPK, string(row.CrawlerID), row.VersionPK,
		string(row.Origin), string(row.Status), micros(row.CreatedAt), row.ForceLaunch, string(settings)).Scan(&row.PK)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, shoal.Business("RunInProgress", "This squid has a run that is not over: wait for it, or abort it")
	}
	if err != nil {
		return nil, fmt.Errorf("insert run: %w", err)
	}
	const count = `UPDATE squids SET total_runs = total_runs + 1, last_run_pk = $2 WHERE pk = $1`
	if _, err := tx.ExecContext(ctx, count, row.SquidPK, row.PK); err != nil {
		return nil, fmt.Errorf("count runs: %w", err)
	}
	return row, nil
}

// copyTasks gives the run the squid's active tasks and returns how many.
func copyTasks(ctx context.Context, tx *sql.Tx, row *runRow) (int64, error) {
	const q = `INSERT INTO run_tasks (run_pk, seq, task_key, task_id, params)
		SELECT $1, ROW_NUMBER() OVER (ORDER BY t.key), t.key, t.id, t.params
		FROM tasks t JOIN squids s ON s.pk = $2
		WHERE t.key > $3 AND t.key <= $4 AND t.is_active
			AND t.key > $3 + CASE WHEN t.has_url THEN s.url_floor ELSE s.params_floor END
		ORDER BY t.key`
	res, err := tx.ExecContext(ctx, q, row.PK, row.SquidPK, keyOf(row.SquidPK, 0), keyOf(row.SquidPK+1, 0)-1)
	if err != nil {
		return 0, fmt.Errorf("copy tasks: %w", err)
	}
	n, err := res.RowsAffected()
	if err == nil && n == 0 {
		err = shoal.Business("NoTasksPresent", "This squid has no active task: add one, then start it")
	}
	return n, err
}

// keepVersion stores the definition if its digest is new.
func (s *Store) keepVersion(ctx context.Context, tx *sql.Tx, v shoal.CrawlerVersion) (pk int64, err error) {
	const q = `INSERT INTO crawler_versions (crawler_id, slug, version, digest, definition, created_at)
		VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (crawler_id, digest) DO NOTHING`
	definition := v.Definition
	if definition == nil {
		definition = []byte{}
	}
	_, err = tx.ExecContext(ctx, q, string(v.CrawlerID), v.Slug, v.Version, v.Digest, definition, micros(s.now()))
	if err == nil {
		err = tx.QueryRowContext(ctx, `SELECT pk FROM crawler_versions WHERE crawler_id = $1 AND digest = $2`,
			string(v.CrawlerID), v.Digest).Scan(&pk)
	}
	if err != nil {
		return 0, fmt.Errorf("keep the crawler's version: %w", err)
	}
	return pk, nil
}
