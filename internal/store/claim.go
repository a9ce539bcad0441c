package store

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"

	"shoal"
)

const (
	claimRequests = `UPDATE frontier SET state = 1, slot = $2 WHERE run_pk = $1 AND seq IN (
			SELECT seq FROM frontier WHERE run_pk = $1 AND state = 0 ORDER BY seq LIMIT $3)
		RETURNING seq, task_seq, digest, url, page, depth, attempts, carry, extra`
	claimTasks = `UPDATE run_tasks SET state = 1, claimed_by = $2, started_at = CASE WHEN started_at = 0 THEN $4 ELSE started_at END
		WHERE run_pk = $1 AND seq IN (SELECT seq FROM run_tasks WHERE run_pk = $1 AND state = 0 ORDER BY seq LIMIT $3)
		RETURNING seq, task_id, params, attempts, results, finished`
	leaveRequests = `UPDATE frontier SET state = 4, slot = NULL WHERE run_pk = $1 AND task_seq = $2 AND (state = 0 OR state = 1 AND seq = $3)`
)

// claim takes requests for the op's slot: those of started tasks first, so
// that tasks end before others begin.
func (b *batch) claim(ctx context.Context, r *batchRun, o *op) error {
	for len(o.work) < o.max {
		taken, err := b.claimRequests(ctx, r, o)
		if err != nil {
			return err
		}
		if taken == 0 {
			break
		}
	}
	if len(o.work) < o.max {
		return b.claimTasks(ctx, r, o)
	}
	return nil
}

// claimRequests claims requests of the frontier. It returns how many it took,
// those that turned out to be left behind by an ended task included: the end
// of a task touches none of its requests, however many they are, until one
// comes up here.
func (b *batch) claimRequests(ctx context.Context, r *batchRun, o *op) (taken int, err error) {
	var work []shoal.Work
	var tasks []int64
	args := []any{r.PK, int64(o.lease.Slot), int64(o.max - len(o.work))}
	err = b.tx.scan(ctx, claimRequests, args, func(rows *sql.Rows) error {
		var w shoal.Work
		var digest []byte
		q := &w.Request
		if err := rows.Scan(&q.Seq, &w.TaskSeq, &digest, &q.URL, &q.Page, &q.Depth, &q.Attempts, &q.Carry, &q.Extra); err != nil {
			return err
		}
		q.Digest = shoal.Digest(digest)
		work, tasks = append(work, w), append(tasks, w.TaskSeq)
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("claim requests: %w", err)
	}
	slices.SortFunc(work, func(x, y shoal.Work) int { return cmp.Compare(x.Request.Seq, y.Request.Seq) })
	if err := b.loadTasks(ctx, r, tasks); err != nil {
		return 0, err
	}
	for _, w := range work {
		t := r.tasks[w.TaskSeq]
		if t.ended() {
			if _, err := b.tx.ExecContext(ctx, leaveRequests, r.PK, t.seq, w.Request.Seq); err != nil {
				return 0, fmt.Errorf("leave the requests of an ended task: %w", err)
			}
			continue
		}
		w.TaskID, w.TaskParams = t.id, []byte(t.params)
		w.TaskResults, w.TaskPages = t.results, t.finished
		o.work = append(o.work, w)
	}
	return len(work), nil
}

// claimTasks claims the first requests of new tasks.
func (b *batch) claimTasks(ctx context.Context, r *batchRun, o *op) error {
	from := len(o.work)
	args := []any{r.PK, int64(o.lease.Slot), int64(o.max - from), b.now}
	err := b.tx.scan(ctx, claimTasks, args, func(rows *sql.Rows) error {
		w := shoal.Work{First: true}
		if err := rows.Scan(&w.TaskSeq, &w.TaskID, &w.TaskParams, &w.Request.Attempts, &w.TaskResults, &w.TaskPages); err != nil {
			return err
		}
		delete(r.tasks, w.TaskSeq) // what was read of it is out of date
		o.work = append(o.work, w)
		return nil
	})
	if err != nil {
		return fmt.Errorf("claim tasks: %w", err)
	}
	slices.SortFunc(o.work[from:], func(x, y shoal.Work) int { return cmp.Compare(x.TaskSeq, y.TaskSeq) })
	return nil
}
