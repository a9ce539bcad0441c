package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"shoal"
	"shoal/internal/jobs"
)

// unfinished holds for runs that are active; a paused one counts.
const unfinished = `status IN ('pending', 'running', 'paused', 'uploading')`

// runsByPK returns runs by number.
func runsByPK(ctx context.Context, q querier, pks []int64) (map[int64]*shoal.Run, error) {
	runs := make(map[int64]*shoal.Run, len(pks))
	for chunk := range slices.Chunk(pks, inRows) {
		text := `SELECT ` + runColumns + runFrom + ` WHERE r.pk IN (` + params(1, len(chunk)) + `) AND r.deleted_at = 0`
		rows, err := collect(ctx, q, scanRun, text, anys(chunk)...)
		if err != nil {
			return nil, err
		}
		for _, r := range rows {
			runs[r.PK] = &r.Run
		}
	}
	return runs, nil
}

// Runs lists runs, newest first, of one squid or, when squid is empty, of the workspace.
func (s *Store) Runs(ctx context.Context, ws shoal.WorkspaceID, squid shoal.SquidID, w shoal.Window) (l shoal.Listing[shoal.Run], err error) {
	where, arg := ` WHERE deleted_at = 0 AND workspace_pk = (SELECT pk FROM workspaces WHERE id = $1)`, any(string(ws))
	if squid != "" {
		t, err := s.tally(ctx, s.read, "", ws, squid)
		if err != nil {
			return l, err
		}
		where, arg = ` WHERE deleted_at = 0 AND squid_pk = $1`, t.pk
	}
	// Both read an index alone.
	if err := s.read.QueryRowContext(ctx, `SELECT COUNT(*) FROM runs`+where, arg).Scan(&l.Total); err != nil {
		return l, fmt.Errorf("count runs: %w", err)
	}
	l.Items, err = s.runsWhere(ctx, s.read, `JOIN (SELECT pk FROM runs`+where+` ORDER BY pk DESC LIMIT $2 OFFSET $3) p
		ON p.pk = r.pk ORDER BY r.pk DESC`, arg, w.Limit, skip(w, l.Total))
	if err == nil {
		err = s.nextLaunches(ctx, l.Items)
	}
	return l, err
}

// runTaskColumns are read into a runTaskRow, from run_tasks rt, which may be missing.
const runTaskColumns = `COALESCE(rt.run_pk, 0), COALESCE(rt.seq, 0), COALESCE(rt.task_id, ''), COALESCE(rt.params, ''),
	COALESCE(rt.state, 0), COALESCE(rt.results, 0), COALESCE(rt.pages, 0), COALESCE(rt.started_at, 0),
	COALESCE(rt.ended_at, 0), COALESCE(rt.last_at, 0), COALESCE(rt.done_reason, ''), COALESCE(rt.done_desc, '')`

// runTaskRow is a run task as it is stored; seq is 0 when there is none.
type runTaskRow struct {
	runPK, seq, state, results, pages int64
	started, ended, last              int64
	task                              shoal.TaskID
	params                            []byte
	reason, desc                      string
}

func (r *runTaskRow) dest() []any {
	return []any{&r.runPK, &r.seq, &r.task, &r.params, &r.state, &r.results, &r.pages, &r.started,
		&r.ended, &r.last, &r.reason, &r.desc}
}

// runTaskStatuses are the states of a run task as they are stored.
var runTaskStatuses = [...]shoal.RunTaskStatus{shoal.RunTaskPending, shoal.RunTaskRunning, shoal.RunTaskCompleted,
	shoal.RunTaskAborted, shoal.RunTaskError}

func (r *runTaskRow) runTask(run shoal.RunID) shoal.RunTask {
	return shoal.RunTask{RunPK: r.runPK, RunID: run, Seq: r.seq, TaskID: r.task, Params: r.params,
		Status: runTaskStatuses[r.state], DoneReason: r.reason, DoneReasonDesc: r.desc,
		StartedAt: fromMicros(r.started), EndedAt: fromMicros(r.ended),
		TotalResults: r.results, TotalPages: r.pages, LastAt: fromMicros(r.last)}
}

const runTaskPage = `SELECT ` + runTaskColumns + ` FROM run_tasks rt WHERE rt.run_pk = $1 AND rt.seq <= $2 ORDER BY rt.seq DESC LIMIT $3`

// RunTasks lists a run's tasks, newest first.
func (s *Store) RunTasks(ctx context.Context, ws shoal.WorkspaceID, run shoal.RunID, w shoal.Window) (l shoal.Listing[shoal.RunTask], err error) {
	r, err := s.Run(ctx, ws, run)
	if err != nil {
		return l, err
	}
	l.Total = r.TasksTotal // dense, and none is ever removed
	l.Items, err = collect(ctx, s.read, func(row scanner) (shoal.RunTask, error) {
		var rt runTaskRow
		err := row.Scan(rt.dest()...)
		return rt.runTask(run), err
	}, runTaskPage, r.PK, l.Total-skip(w, l.Total), w.Limit)
	if err != nil {
		return l, fmt.Errorf("list run tasks: %w", err)
	}
	return l, nil
}

const eventQuery = `SELECT run_pk, seq, kind, at, actor, payload FROM run_events WHERE run_pk = $1`

func scanEvent(r scanner) (e shoal.Event, err error) {
	var at int64
	err = r.Scan(&e.RunPK, &e.Seq, &e.Kind, &at, &e.Actor, &e.Payload)
	e.At = fromMicros(at)
	return e, err
}

// Events returns events of a run with Seq > after, oldest first, of the given
// kinds (none: all).
func (s *Store) Events(ctx context.Context, ws shoal.WorkspaceID, run shoal.RunID, after int64, limit int, kinds ...shoal.EventKind) ([]shoal.Event, error) {
	r, err := s.Run(ctx, ws, run)
	if err != nil {
		return nil, err
	}
	events, err := s.events(ctx, r.PK, after, limit, kinds)
	if err != nil {
		return nil, fmt.Errorf("read events: %w", err)
	}
	return events, nil
}

// eventsOfKind reads events that are not requests, which are most and which
// the inner query's index leaves out.
const eventsOfKind = eventQuery + ` AND seq IN (SELECT seq FROM run_events
	WHERE run_pk = $1 AND kind <> 'request' AND kind = $2 AND seq > $3 ORDER BY seq LIMIT $4) ORDER BY seq`

func (s *Store) events(ctx context.Context, runPK, after int64, limit int, kinds []shoal.EventKind) ([]shoal.Event, error) {
	if len(kinds) == 0 {
		return collect(ctx, s.read, scanEvent, eventQuery+` AND seq > $2 ORDER BY seq LIMIT $3`, runPK, after, limit)
	}
	if slices.Contains(kinds, shoal.EventRequest) {
		q := eventQuery + ` AND seq > $2 AND kind IN (` + params(4, len(kinds)) + `) ORDER BY seq LIMIT $3`
		args := []any{runPK, after, limit}
		for _, k := range kinds {
			args = append(args, string(k))
		}
		return collect(ctx, s.read, scanEvent, q, args...)
	}
	var all []shoal.Event
	for _, k := range kinds {
		events, err := collect(ctx, s.read, scanEvent, eventsOfKind, runPK, string(k), after, limit)
		if err != nil {
			return nil, err
		}
		all = append(all, events...)
	}
	slices.SortFunc(all, func(a, b shoal.Event) int { return cmp.Compare(a.Seq, b.Seq) })
	return all[:min(limit, len(all))], nil
}

const (
	logPage      = eventQuery + ` AND seq <= $2 ORDER BY seq DESC LIMIT $3`
	timelineSize = `SELECT COUNT(*) FROM run_events WHERE run_pk = $1 AND kind <> 'request' AND kind = 'status'`
	timelinePage = eventQuery + ` AND seq IN (SELECT seq FROM run_events
		WHERE run_pk = $1 AND kind <> 'request' AND kind = 'status' ORDER BY seq LIMIT $2 OFFSET $3) ORDER BY seq`
)

// RunLog lists all that happened to a run, newest first.
func (s *Store) RunLog(ctx context.Context, ws shoal.WorkspaceID, run shoal.RunID, w shoal.Window) (l shoal.Listing[shoal.Event], err error) {
	r, err := s.Run(ctx, ws, run)
	if err != nil {
		return l, err
	}
	l.Total = r.EventSeq // dense
	if l.Items, err = collect(ctx, s.read, scanEvent, logPage, r.PK, l.Total-skip(w, l.Total), w.Limit); err != nil {
		return l, fmt.Errorf("read the run's log: %w", err)
	}
	return l, nil
}

// RunTimeline lists the changes of a run's state, oldest first: few, beside its requests.
func (s *Store) RunTimeline(ctx context.Context, ws shoal.WorkspaceID, run shoal.RunID, w shoal.Window) (l shoal.Listing[shoal.Event], err error) {
	r, err := s.Run(ctx, ws, run)
	if err != nil {
		return l, err
	}
	if err := s.read.QueryRowContext(ctx, timelineSize, r.PK).Scan(&l.Total); err != nil {
		return l, fmt.Errorf("count the run's changes of state: %w", err)
	}
	if l.Items, err = collect(ctx, s.read, scanEvent, timelinePage, r.PK, w.Limit, skip(w, l.Total)); err != nil {
		return l, fmt.Errorf("read the run's changes of state: %w", err)
	}
	return l, nil
}

const creditsQuery = `SELECT function, CAST(SUM(credits) AS BIGINT) AS total, CAST(SUM(attempts) AS BIGINT) FROM ledger
	WHERE run_pk = $1 GROUP BY function ORDER BY total DESC, function`

// RunCredits returns what each function of a run cost, highest first.
func (s *Store) RunCredits(ctx context.Context, ws shoal.WorkspaceID, run shoal.RunID) ([]shoal.FunctionCredits, error) {
	r, err := s.Run(ctx, ws, run)
	if err != nil {
		return nil, err
	}
	costs, err := collect(ctx, s.read, func(row scanner) (c shoal.FunctionCredits, err error) {
		return c, row.Scan(&c.Function, &c.Credits, &c.Attempts)
	}, creditsQuery, r.PK)
	if err != nil {
		return nil, fmt.Errorf("read the run's credits: %w", err)
	}
	return costs, nil
}

// DeleteRun deletes an ended run with its results, at once for everybody who
// looks, and from the database by the purge behind. What it cost stays in the
// ledger. It is a Conflict while the run is active.
func (s *Store) DeleteRun(ctx context.Context, ws shoal.WorkspaceID, run shoal.RunID) error {
	err := s.write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		const find = `SELECT s.id FROM runs r JOIN squids s ON s.pk = r.squid_pk
			WHERE r.id = $1 AND r.workspace_pk = (SELECT pk FROM workspaces WHERE id = $2)`
		var squid shoal.SquidID
		err := tx.QueryRowContext(ctx, find, string(run), string(ws)).Scan(&squid)
		if errors.Is(err, sql.ErrNoRows) {
			return shoal.ErrRunNotFound
		}
		if err != nil {
			return fmt.Errorf("find squid: %w", err)
		}
		t, err := s.tally(ctx, tx, s.db.dialect.forUpdate(), ws, squid)
		if errors.Is(err, shoal.ErrSquidNotFound) {
			return shoal.ErrRunNotFound
		}
		if err != nil {
			return err
		}
		if err := s.deleteRun(ctx, tx, &t, run); err != nil {
			return err
		}
		return s.remember(ctx, tx, nil)
	})
	if err != nil {
		return fmt.Errorf("delete run: %w", err)
	}
	return nil
}

// deleteRun deletes a run of a squid that tx has locked.
func (s *Store) deleteRun(ctx context.Context, tx *sql.Tx, t *tally, run shoal.RunID) error {
	q := `SELECT pk, first_seq, last_seq, CASE WHEN ` + unfinished + ` THEN TRUE ELSE FALSE END
		FROM runs WHERE id = $1 AND deleted_at = 0` + s.db.dialect.forUpdate()
	var pk int64
	var rows span
	var active bool
	err := tx.QueryRowContext(ctx, q, string(run)).Scan(&pk, &rows.after, &rows.upto, &active)
	if errors.Is(err, sql.ErrNoRows) {
		return shoal.ErrRunNotFound
	}
	if err != nil {
		return fmt.Errorf("read run: %w", err)
	}
	if active {
		return shoal.Conflict("RunInProgress", "run_hash", "The run is still active: abort it and wait until it has ended, then delete it")
	}
	list, err := t.resultList(ctx, tx)
	if err != nil {
		return err
	}
	if err := s.loseSpan(ctx, tx, &list, rows); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, `UPDATE runs SET deleted_at = $1 WHERE pk = $2`, micros(s.now()), pk); err != nil {
		return fmt.Errorf("mark run: %w", err)
	}
	const count = `UPDATE squids SET total_runs = total_runs - 1,
		last_run_pk = (SELECT MAX(pk) FROM runs WHERE squid_pk = $1 AND deleted_at = 0) WHERE pk = $1`
	if _, err := tx.ExecContext(ctx, count, t.pk); err != nil {
		return fmt.Errorf("count runs: %w", err)
	}
	s.forgetRun(ctx, run)
	return s.enqueue(ctx, tx, jobs.New(jobs.KindPurge, jobs.PurgeArgs{Noun: purgeRun, PK: pk}))
}

// deleteRunsOf marks all runs of a deleted squid. An active one ends here and
// loses its leases, so that nothing commits to it any more.
func (s *Store) deleteRunsOf(ctx context.Context, tx *sql.Tx, workspacePK, squidPK int64, now time.Time) error {
	if err := s.freeAccounts(ctx, tx, squidPK); err != nil {
		return err
	}
	const q = `UPDATE runs SET deleted_at = $1,
			done_reason = CASE WHEN ` + unfinished + ` THEN 'aborted' ELSE done_reason END,
			active = CASE WHEN active_since > 0 THEN active + ($1 - active_since) ELSE active END, active_since = 0,
			wake_at = 0, paused_at = 0,
			ended_at = CASE WHEN ` + unfinished + ` THEN $1 ELSE ended_at END,
			status = CASE WHEN ` + unfinished + ` THEN 'aborted' ELSE status END
		WHERE squid_pk = $2 AND deleted_at = 0 RETURNING id`
	ids, err := collect(ctx, tx, scanText, q, micros(now), squidPK)
	if err != nil {
		return fmt.Errorf("delete runs: %w", err)
	}
	const drop = `DELETE FROM leases WHERE run_pk IN (SELECT pk FROM runs WHERE squid_pk = $1)`
	if _, err := tx.ExecContext(ctx, drop, squidPK); err != nil {
		return fmt.Errorf("drop leases: %w", err)
	}
	for _, id := range ids {
		s.forgetRun(ctx, shoal.RunID(id))
	}
	return s.wakeForSlots(ctx, tx, workspacePK)
}
