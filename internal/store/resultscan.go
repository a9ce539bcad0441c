package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"shoal"
)

const resultScan = `SELECT key, run_pk, digest, data FROM results WHERE key > $1 AND key <= $2 ORDER BY key LIMIT $3`

// ScanResults is ReadResults without the task, with Key, RunPK, Digest and Data of
// each row alone: what takes no look at other tables.
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
	for _, part := range sc.list.segments(in) {
		rows, err := collect(ctx, s.read, func(r scanner) (row shoal.Result, err error) {
			var digest []byte
			if err = r.Scan(&row.Key, &row.RunPK, &digest, &row.Data); err == nil {
				row.Digest = shoal.Digest(digest)
			}
			return row, err
		}, resultScan, keyOf(sc.list.squidPK, part.after), keyOf(sc.list.squidPK, part.upto), q.Limit-len(all))
		if err != nil {
			return nil, fmt.Errorf("scan results: %w", err)
		}
		if all = append(all, rows...); len(all) >= q.Limit {
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

const (
	// completeRun finds the newest earlier run that collected completely.
	completeRun = `SELECT pk FROM runs WHERE squid_pk = $1 AND pk < $2 AND deleted_at = 0
		AND status = 'done' AND tasks_failed = 0 ORDER BY pk DESC LIMIT 1`
	// endedRun finds the newest earlier run that has ended in any way.
	endedRun = `SELECT pk FROM runs WHERE squid_pk = $1 AND pk < $2 AND deleted_at = 0
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
