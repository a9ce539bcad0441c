package store

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"

	"shoal"
)

// What is claimable is looked up by number, in the order of its partial index,
// then read and changed row by row: neither database can be trusted to do it in
// one statement without reading the whole run.
const (
	claimableRequests = `SELECT seq FROM frontier WHERE run_pk = $1 AND state = 0 ORDER BY seq LIMIT $2`
	claimableTasks    = `SELECT seq FROM run_tasks WHERE run_pk = $1 AND state = 0 ORDER BY seq LIMIT $2`
)

var (
	readRequests = &bulk{types: []string{"bigint", "bigint"}, text: `
		WITH v (run_pk, seq) AS ({rows})
		SELECT f.seq, f.task_seq, f.digest, f.url, f.page, f.depth, f.attempts, f.carry, f.extra
		FROM v CROSS JOIN frontier f WHERE f.run_pk = v.run_pk AND f.seq = v.seq`}
	claimRequests = &bulk{types: []string{"bigint", "bigint", "bigint", "bigint"}, text: `
		WITH v (run_pk, seq, state, slot) AS ({rows})
		UPDATE frontier AS f SET state = v.state, slot = NULLIF(v.slot, -1) FROM v WHERE f.run_pk = v.run_pk AND f.seq = v.seq`}
	claimTasks = &bulk{types: []string{"bigint", "bigint", "bigint", "bigint"}, text: `
		WITH v (run_pk, seq, slot, at) AS ({rows})
		UPDATE run_tasks AS t SET state = 1, claimed_by = v.slot, started_at = CASE WHEN t.started_at = 0 THEN v.at ELSE t.started_at END
		FROM v WHERE t.run_pk = v.run_pk AND t.seq = v.seq`}
)

// leftStep is how many requests are looked at once some have turned out to be
// left by an ended task, which may have left many.
const leftStep = 1000

// claim takes requests for the slots of the run's claims: those of started
// tasks first, so that tasks end before others begin.
func (b *batch) claim(ctx context.Context, r *batchRun) error {
	for _, o := range r.claims {
		for look := o.max; len(o.work) < o.max; look = max(o.max, leftStep) {
			again, err := b.claimRequests(ctx, r, o, look)
			if err != nil {
				return err
			}
			if !again {
				break
			}
		}
	}
	return b.claimTasks(ctx, r)
}

// claimRequests claims requests among the first look of the frontier. Those
// that an ended task has left are marked as such here, when they come up: the
// end of a task touches none of its requests, however many they are. It
// reports whether there were such, so that more may be behind them.
func (b *batch) claimRequests(ctx context.Context, r *batchRun, o *op, look int) (again bool, err error) {
	if err := b.claimable(ctx, r, look); err != nil {
		return false, err
	}
	var changed []requestState
	var kept []shoal.Work
	looked := r.pending[:min(look, len(r.pending))]
	for _, w := range looked {
		t := r.tasks[w.TaskSeq]
		switch {
		case t.ended():
			changed = append(changed, requestState{seq: w.Request.Seq, state: requestLeft, slot: -1})
			again = true
		case len(o.work) < o.max:
			changed = append(changed, requestState{seq: w.Request.Seq, task: w.TaskSeq, state: requestClaimed, slot: int64(o.lease.Slot)})
			w.TaskID, w.TaskParams = t.id, []byte(t.params)
			w.TaskResults, w.TaskPages = t.results, t.finished
			o.work = append(o.work, w)
		default:
			kept = append(kept, w)
		}
	}
	clear(looked)
	if r.pending = r.pending[len(looked):]; len(kept) > 0 {
		r.pending = append(kept, r.pending...)
	}
	err = b.tx.exec(ctx, claimRequests, len(changed), func(i int, args []any) {
		args[0], args[1], args[2], args[3] = r.PK, changed[i].seq, changed[i].state, changed[i].slot
	})
	if err != nil {
		return false, fmt.Errorf("claim requests: %w", err)
	}
	for _, q := range changed {
		if q.state == requestClaimed {
			r.states[q.seq] = q
		}
	}
	return again, nil
}

// claimable makes the first n requests that nobody works on known, with their
// tasks. What is known of them already is not read again.
func (b *batch) claimable(ctx context.Context, r *batchRun, n int) error {
	if len(r.pending) < n && !r.whole {
		if err := b.readPending(ctx, r, n); err != nil {
			return err
		}
	}
	tasks := make([]int64, 0, n)
	for i := range r.pending[:min(n, len(r.pending))] {
		tasks = append(tasks, r.pending[i].TaskSeq)
	}
	return b.loadTasks(ctx, r, tasks)
}

func (b *batch) readPending(ctx context.Context, r *batchRun, n int) error {
	seqs, err := collect(ctx, b.tx, scanInt, claimableRequests, r.PK, n)
	if err != nil {
		return fmt.Errorf("look for requests: %w", err)
	}
	r.pending, r.whole = r.pending[:0], len(seqs) < n
	err = b.tx.query(ctx, readRequests, len(seqs),
		func(i int, args []any) { args[0], args[1] = r.PK, seqs[i] },
		func(rows *sql.Rows) error {
			var w shoal.Work
			var digest []byte
			q := &w.Request
			err := rows.Scan(&q.Seq, &w.TaskSeq, &digest, &q.URL, &q.Page, &q.Depth, &q.Attempts, &q.Carry, &q.Extra)
			if err != nil {
				return err
			}
			q.Digest = shoal.Digest(digest)
			r.pending = append(r.pending, w)
			return nil
		})
	if err != nil {
		return fmt.Errorf("read requests: %w", err)
	}
	slices.SortFunc(r.pending, func(x, y shoal.Work) int { return cmp.Compare(x.Request.Seq, y.Request.Seq) })
	return nil
}

// claimTasks claims the first requests of new tasks, for all claims that have
// room for more at once.
func (b *batch) claimTasks(ctx context.Context, r *batchRun) error {
	room := 0
	for _, o := range r.claims {
		room += o.max - len(o.work)
	}
	if room == 0 {
		return nil
	}
	seqs, err := collect(ctx, b.tx, scanInt, claimableTasks, r.PK, room)
	if err != nil {
		return fmt.Errorf("look for tasks: %w", err)
	}
	if err := b.loadTasks(ctx, r, seqs); err != nil {
		return err
	}
	next := 0
	for _, o := range r.claims {
		for len(o.work) < o.max && next < len(seqs) {
			o.work = append(o.work, r.tasks[seqs[next]].claim(o.lease.Slot))
			next++
		}
	}
	err = b.tx.exec(ctx, claimTasks, len(seqs), func(i int, args []any) {
		args[0], args[1], args[2], args[3] = r.PK, seqs[i], r.tasks[seqs[i]].claimedBy, b.now
	})
	if err != nil {
		return fmt.Errorf("claim tasks: %w", err)
	}
	return nil
}

// claim gives the task's own first request to a slot.
func (t *taskRow) claim(slot int) shoal.Work {
	t.state, t.claimedBy = taskRunning, int64(slot)
	return shoal.Work{
		First: true, TaskSeq: t.seq, TaskID: t.id, TaskParams: []byte(t.params),
		TaskResults: t.results, TaskPages: t.finished, Request: shoal.Request{Attempts: int(t.attempts)},
	}
}
