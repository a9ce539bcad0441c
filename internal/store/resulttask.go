package store

import (
	"context"
	"fmt"

	"shoal"
)

// taskPart is what one run holds of one task's results: those it found first,
// within keys, and those it found too, by links; all within the run's rows.
type taskPart struct {
	runPK, seq        int64
	firstKey, lastKey int64
	run               span
	count             int64 // its rows; only if asked for
}

// countPart counts, for run task rt, the rows of a taskPart behind key $3.
const countPart = `(SELECT COUNT(*) FROM results p WHERE p.key >= rt.first_key AND p.key <= rt.last_key AND p.key > $3
			AND p.task_seq = rt.seq)
		+ (SELECT COUNT(*) FROM result_links l JOIN results p ON p.key = l.key
			WHERE l.run_pk = rt.run_pk AND l.task_seq = rt.seq AND l.key > $3)`

// scopeTask narrows sc to one task, in one run or, with run nil, in all; count
// asks for how many rows each run holds of it.
func (s *Store) scopeTask(ctx context.Context, sc *resultScope, squidPK int64, run *shoal.Run, count bool) error {
	if run != nil && run.TasksTotal == 1 {
		if ok, err := s.soleTask(ctx, run, sc.task); ok || err != nil {
			return err // its rows are the run's
		}
	}
	columns := `SELECT rt.run_pk, rt.seq, rt.first_key, rt.last_key, r.first_seq, r.last_seq, `
	args := []any{string(sc.task), squidPK}
	if count {
		columns += countPart
		args = append(args, keyOf(squidPK, sc.list.floor))
	} else {
		columns += `0`
	}
	where := `r.squid_pk = $2 ORDER BY r.pk`
	if run != nil {
		where, args[1] = `r.pk = $2`, run.PK
	}
	var err error
	sc.parts, err = collect(ctx, s.read, func(r scanner) (p taskPart, err error) {
		return p, r.Scan(&p.runPK, &p.seq, &p.firstKey, &p.lastKey, &p.run.after, &p.run.upto, &p.count)
	}, columns+` FROM runs r JOIN run_tasks rt ON rt.run_pk = r.pk AND rt.task_id = $1 WHERE r.deleted_at = 0 AND `+where, args...)
	if err != nil {
		return fmt.Errorf("find the task's runs: %w", err)
	}
	if len(sc.parts) > 0 {
		return nil
	}
	sc.parts = []taskPart{}
	const known = `SELECT EXISTS (SELECT 1 FROM tasks WHERE id = $1 AND key > $2 AND key <= $3)`
	var ok bool
	err = s.read.QueryRowContext(ctx, known, string(sc.task), keyOf(squidPK, 0), keyOf(squidPK+1, 0)).Scan(&ok)
	if err != nil {
		return fmt.Errorf("find task: %w", err)
	}
	if !ok {
		return shoal.ErrTaskNotFound
	}
	return nil
}

// soleTask reports whether a run's only task is the given one.
func (s *Store) soleTask(ctx context.Context, run *shoal.Run, task shoal.TaskID) (ok bool, err error) {
	const q = `SELECT EXISTS (SELECT 1 FROM run_tasks WHERE run_pk = $1 AND task_id = $2)`
	if err := s.read.QueryRowContext(ctx, q, run.PK, string(task)).Scan(&ok); err != nil {
		return false, fmt.Errorf("find the run's task: %w", err)
	}
	return ok, nil
}

// taskResults returns one page of a task's results. Unlike the whole list's,
// a page of a task's rows costs as much as the run has rows before it: rows of
// tasks that ran side by side are mixed, and no index tells them apart.
func (s *Store) taskResults(ctx context.Context, sc *resultScope, w shoal.Window) (l shoal.Listing[shoal.Result], err error) {
	for _, p := range sc.parts {
		l.Total += p.count
	}
	left := skip(w, l.Total)
	for i, p := range sc.parts {
		if left < p.count {
			rest := *sc
			rest.parts = sc.parts[i:]
			l.Items, err = s.readParts(ctx, &rest, sc.in, w.Limit, left)
			return l, err
		}
		left -= p.count
	}
	return l, nil
}

// partPage merges the rows that the task found first with those it found too.
// Each arm is read in order and at most as far as the page needs. The keys are
// of one run: naming it again would make SQLite take the index of digests.
const partPage = `SELECT ` + resultColumns + ` FROM (
		SELECT key FROM (SELECT key FROM results WHERE key > $1 AND key <= $2 AND task_seq = $4
			ORDER BY key LIMIT $5) own
		UNION ALL
		SELECT key FROM (SELECT key FROM result_links WHERE run_pk = $3 AND task_seq = $4 AND key > $6 AND key <= $7
			ORDER BY key LIMIT $5) linked
		ORDER BY key LIMIT $8 OFFSET $9
	) k JOIN results p ON p.key = k.key JOIN runs r ON r.pk = p.run_pk
	JOIN run_tasks rt ON rt.run_pk = p.run_pk AND rt.seq = p.task_seq ORDER BY p.key`

// readParts returns the next limit rows of a task within in, leaving out the
// first offset of the first part.
func (s *Store) readParts(ctx context.Context, sc *resultScope, in span, limit int, offset int64) ([]shoal.Result, error) {
	var all []shoal.Result
	for _, p := range sc.parts {
		part := span{max(in.after, p.run.after), min(in.upto, p.run.upto)}
		if part.upto <= part.after {
			continue
		}
		after, upto := keyOf(sc.list.squidPK, part.after), keyOf(sc.list.squidPK, part.upto)
		rest := limit - len(all)
		rows, err := collect(ctx, s.read, scanResult, partPage, max(after, p.firstKey-1), min(upto, p.lastKey),
			p.runPK, p.seq, offset+int64(rest), after, upto, rest, offset)
		if err != nil {
			return nil, fmt.Errorf("read a task's results: %w", err)
		}
		offset = 0
		if all = append(all, rows...); len(all) >= limit {
			break
		}
	}
	for i := range all {
		// A linked row was found first by another task, and by this one too.
		all[i].SquidID, all[i].TaskID = sc.squid, sc.task
	}
	return all, nil
}
