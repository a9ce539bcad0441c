package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"shoal"
)

// ScanResults is ReadResults without the task, and without the ids that stand in
// other tables: Key, RunPK, Digest, At and Data of each row.
func (s *Store) ScanResults(ctx context.Context, q shoal.ResultQuery) ([]shoal.Result, error) {
	q.Task = ""
	sc, err := s.scope(ctx, q, false)
	if err != nil {
		return nil, fmt.Errorf("scan results: %w", err)
	}
	in := sc.in
	if q.After > keyOf(sc.list.squidPK, in.after) {
		in.after = seqOf(min(q.After, keyOf(sc.list.squidPK, in.upto)))
	}
	var all []shoal.Result
	var tasks []int64
	for _, part := range sc.list.segments(in) {
		after, upto := keyOf(sc.list.squidPK, part.after), keyOf(sc.list.squidPK, part.upto)
		if all, tasks, err = s.storedRows(ctx, all, tasks, after, upto, q.Limit-len(all)); err != nil {
			return nil, fmt.Errorf("scan results: %w", err)
		}
		if len(all) >= q.Limit {
			break
		}
	}
	return all, nil
}

// resultsAt reads rows by their keys, of runs that are not deleted.
func resultsAt(n int) string {
	return `SELECT ` + resultColumns + ` FROM results p JOIN runs r ON r.pk = p.run_pk
		JOIN run_tasks rt ON rt.run_pk = p.run_pk AND rt.seq = p.task_seq
		WHERE p.key IN (` + params(1, n) + `) AND r.deleted_at = 0`
}

// ResultsAt returns the results with the given keys by their keys, of those that
// the squid has; ErrSquidNotFound.
func (s *Store) ResultsAt(ctx context.Context, ws shoal.WorkspaceID, squid shoal.SquidID, keys []int64) (map[int64]*shoal.Result, error) {
	t, err := s.tally(ctx, s.read, "", ws, squid)
	if err != nil {
		return nil, fmt.Errorf("read results: %w", err)
	}
	keys = slices.DeleteFunc(slices.Clone(keys), func(key int64) bool {
		return key <= keyOf(t.pk, t.resultFloor) || key > keyOf(t.pk, t.nextSeq)
	})
	slices.Sort(keys)
	found := make(map[int64]*shoal.Result, len(keys))
	for chunk := range slices.Chunk(keys, inRows) {
		rows, err := collect(ctx, s.read, scanResult, resultsAt(len(chunk)), anys(chunk)...)
		if err != nil {
			return nil, fmt.Errorf("read results: %w", err)
		}
		for i := range rows {
			rows[i].SquidID = squid
			found[rows[i].Key] = &rows[i]
		}
	}
	return found, nil
}

const resultVersions = `SELECT DISTINCT version_pk FROM runs WHERE squid_pk = $1 AND deleted_at = 0 AND last_seq > first_seq
	ORDER BY version_pk DESC`

// ResultVersions returns the versions of the crawler by which a squid's results
// were collected, the newest first; ErrSquidNotFound.
func (s *Store) ResultVersions(ctx context.Context, ws shoal.WorkspaceID, squid shoal.SquidID) ([]int64, error) {
	pk, err := squidPK(ctx, s.read, ws, squid)
	if err != nil {
		return nil, err
	}
	versions, err := collect(ctx, s.read, scanInt, resultVersions, pk)
	if err != nil {
		return nil, fmt.Errorf("find the versions of a squid's results: %w", err)
	}
	return versions, nil
}

// runLacks counts a run's tasks by what they may have left out, of tasks of at
// most $2 requests (0: any number).
const runLacks = `SELECT COALESCE(SUM(CASE WHEN state = 4 THEN 1 ELSE 0 END), 0),
		COALESCE(SUM(CASE WHEN state <> 2 AND state <> 4 THEN 1 ELSE 0 END), 0),
		COALESCE(SUM(CASE WHEN state = 2 AND (done_reason IN ('max_results', 'fetch_since') OR finished < known
			OR CAST($2 AS BIGINT) > 0 AND known >= CAST($2 AS BIGINT)) THEN 1 ELSE 0 END), 0)
	FROM run_tasks WHERE run_pk = $1`

// RunLacks says why results may be lacking from a run that collects no more.
func (s *Store) RunLacks(ctx context.Context, r *shoal.Run) (l shoal.RunLacks, err error) {
	err = s.read.QueryRowContext(ctx, runLacks, r.PK, r.Settings.MaxRequests).Scan(&l.TasksFailed, &l.TasksCut, &l.TasksLimited)
	if err != nil {
		return l, fmt.Errorf("find what run %s lacks: %w", r.ID, err)
	}
	l.RequestsFailed = r.FailedRequests
	return l, nil
}

const (
	// completeRun finds the newest earlier run that collected completely.
	completeRun = `SELECT pk FROM runs WHERE squid_pk = $1 AND pk < $2 AND deleted_at = 0 AND results_removed_at = 0
		AND status = 'done' AND tasks_failed = 0 ORDER BY pk DESC LIMIT 1`
	// endedRun finds the newest earlier run that has ended in any way.
	endedRun = `SELECT pk FROM runs WHERE squid_pk = $1 AND pk < $2 AND deleted_at = 0 AND results_removed_at = 0
		AND status IN ('done', 'aborted', 'error') ORDER BY pk DESC LIMIT 1`
)

// RunBefore returns the newest run of r's squid before r that collected
// completely: it is done, and none of its tasks failed. Without such a run, nil
// and, if any run before r has ended, the newest that did.
func (s *Store) RunBefore(ctx context.Context, r *shoal.Run) (complete, ended *shoal.Run, err error) {
	if complete, err = s.runBefore(ctx, completeRun, r); err == nil && complete == nil {
		ended, err = s.runBefore(ctx, endedRun, r)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("find the run before %s: %w", r.ID, err)
	}
	return complete, ended, nil
}

func (s *Store) runBefore(ctx context.Context, query string, r *shoal.Run) (*shoal.Run, error) {
	var pk int64
	err := s.read.QueryRowContext(ctx, query, r.SquidPK, r.PK).Scan(&pk)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	found, err := runsByPK(ctx, s.read, []int64{pk})
	return found[pk], err
}
