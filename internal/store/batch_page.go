package store

import (
	"context"
	"database/sql"
	"fmt"

	"shoal"
)

// The states of a run task, as stored.
const (
	taskPending = iota
	taskRunning
	taskCompleted
	taskAborted
	taskFailed
)

// The states of a request, as stored.
const (
	requestPending = iota
	requestClaimed
	requestDone
	requestFailed
	requestLeft // its task ended without it
)

// taskRow is a run task as the batch changes it.
type taskRow struct {
	seq       int64
	id        shoal.TaskID
	params    string
	state     int64
	claimedBy int64 // slot, -1: nobody
	firstDone bool
	known     int64
	finished  int64
	failed    int64
	unreached int64
	attempts  int64
	results   int64
	pages     int64
	firstKey  int64
	lastKey   int64
	startedAt int64
	endedAt   int64
	lastAt    int64
	reason    string
	desc      string
	changed   bool
}

func (t *taskRow) ended() bool { return t.state >= taskCompleted }

// requestState is a request of the frontier and the state it has or gets.
type requestState struct {
	seq, task, state, slot int64
}

var (
	selectTasks = &bulk{types: []string{"bigint", "bigint"}, text: `
		WITH v (run_pk, seq) AS ({rows})
		SELECT t.seq, t.task_id, t.params, t.state, COALESCE(t.claimed_by, -1), t.first_done, t.known, t.finished,
			t.failed, t.unreached, t.attempts, t.results, t.pages, t.first_key, t.last_key,
			t.started_at, t.ended_at, t.last_at, t.done_reason, t.done_desc
		FROM v CROSS JOIN run_tasks t WHERE t.run_pk = v.run_pk AND t.seq = v.seq`}
	selectRequests = &bulk{types: []string{"bigint", "bigint"}, text: `
		WITH v (run_pk, seq) AS ({rows})
		SELECT f.seq, f.task_seq, f.state, COALESCE(f.slot, -1)
		FROM v CROSS JOIN frontier f WHERE f.run_pk = v.run_pk AND f.seq = v.seq`}
)

// load reads the run tasks and requests of the pages, and which of their rows
// and found requests the runs have.
func (b *batch) load(ctx context.Context) error {
	for _, r := range b.runs {
		if len(r.pages) == 0 {
			continue
		}
		var tasks, requests []int64
		for _, o := range r.pages {
			tasks = append(tasks, o.page.TaskSeq)
			if _, known := r.states[o.page.RequestSeq]; o.page.RequestSeq != 0 && !known {
				requests = append(requests, o.page.RequestSeq)
			}
		}
		if err := b.loadTasks(ctx, r, tasks); err != nil {
			return err
		}
		if err := b.loadRequests(ctx, r, requests); err != nil {
			return err
		}
		if err := b.lookUp(ctx, r); err != nil {
			return err
		}
	}
	return nil
}

// loadTasks reads the run tasks with the given numbers that are not yet read.
func (b *batch) loadTasks(ctx context.Context, r *batchRun, seqs []int64) error {
	var missing []int64
	for _, seq := range seqs {
		if _, ok := r.tasks[seq]; !ok {
			r.tasks[seq] = nil
			missing = append(missing, seq)
		}
	}
	err := b.tx.query(ctx, selectTasks, len(missing),
		func(i int, args []any) { args[0], args[1] = r.PK, missing[i] },
		func(rows *sql.Rows) error {
			t := &taskRow{}
			err := rows.Scan(&t.seq, &t.id, &t.params, &t.state, &t.claimedBy, &t.firstDone, &t.known, &t.finished,
				&t.failed, &t.unreached, &t.attempts, &t.results, &t.pages, &t.firstKey, &t.lastKey,
				&t.startedAt, &t.endedAt, &t.lastAt, &t.reason, &t.desc)
			r.tasks[t.seq] = t
			return err
		})
	if err != nil {
		return fmt.Errorf("read run tasks: %w", err)
	}
	return nil
}

func (b *batch) loadRequests(ctx context.Context, r *batchRun, seqs []int64) error {
	err := b.tx.query(ctx, selectRequests, len(seqs),
		func(i int, args []any) { args[0], args[1] = r.PK, seqs[i] },
		func(rows *sql.Rows) error {
			var q requestState
			err := rows.Scan(&q.seq, &q.task, &q.state, &q.slot)
			r.states[q.seq] = q
			return err
		})
	if err != nil {
		return fmt.Errorf("read requests: %w", err)
	}
	return nil
}

// page applies one page to the run in memory; on SQLite found requests are
// written as they come.
func (b *batch) page(ctx context.Context, r *batchRun, o *op) error {
	p, t := o.page, r.tasks[o.page.TaskSeq]
	if t == nil || !r.claimed(p, t) {
		o.err = shoal.ErrFenced // the request is another's, or was committed before
		return nil
	}
	if p.End == shoal.PageReleased {
		r.release(p, t)
		return nil
	}
	if !t.ended() {
		if !b.rows(r, t, o) {
			return nil
		}
		if err := b.found(ctx, r, t, o); err != nil {
			return err
		}
	}
	r.count(p, t, b.now)
	b.use(p, o.result.Stored)
	r.finishRequest(p, t)
	r.closeTask(p, t, b.now)
	if r.full && !r.closed {
		r.closeAll(b.now)
	}
	r.log(p, b.now)
	o.result.TaskEnded = t.ended()
	o.result.RunEnded = r.TasksDone >= r.TasksTotal
	o.result.RunPending = r.KnownRequests - r.TotalRequests
	return nil
}

// claimed reports whether the page's request is claimed by the page's slot.
func (r *batchRun) claimed(p *shoal.Page, t *taskRow) bool {
	if p.RequestSeq == 0 {
		return t.claimedBy == int64(p.Lease.Slot)
	}
	q, ok := r.states[p.RequestSeq]
	return ok && q.task == t.seq && q.state == requestClaimed && q.slot == int64(p.Lease.Slot)
}

// release gives a request back untouched; one whose task has ended is left.
func (r *batchRun) release(p *shoal.Page, t *taskRow) {
	r.touched = true
	if p.RequestSeq != 0 {
		state := int64(requestPending)
		if t.ended() {
			state = requestLeft
		}
		r.setRequest(p.RequestSeq, state)
		r.pending, r.whole = nil, false // it comes before others
		return
	}
	t.claimedBy = -1
	r.change(t)
	if !t.ended() {
		t.state = taskPending
	}
}

// change has t written at the end of the batch.
func (r *batchRun) change(t *taskRow) {
	if !t.changed {
		t.changed = true
		r.changed = append(r.changed, t)
	}
}

func (r *batchRun) setRequest(seq, state int64) {
	q := r.states[seq]
	q.state, q.slot = state, -1
	r.states[seq] = q
	r.ended = append(r.ended, q)
}

// count adds a finished request to the run's counters.
func (r *batchRun) count(p *shoal.Page, t *taskRow, now int64) {
	r.touched = true
	r.TotalRequests++
	r.BytesFetched += p.Log.Bytes
	if p.End == shoal.PageFailed {
		r.FailedRequests++
	}
	if t.ended() {
		r.KnownRequests++ // it was taken off when its task ended
	}
	r.LastProgressAt = fromMicros(now)
	r.CurrentTask = t.params
}

// finishRequest ends the page's request within its task.
func (r *batchRun) finishRequest(p *shoal.Page, t *taskRow) {
	state := int64(requestDone)
	switch {
	case t.ended():
		state = requestLeft
	case p.End == shoal.PageFailed:
		state = requestFailed
	}
	if p.RequestSeq == 0 {
		t.claimedBy, t.firstDone = -1, true
	} else {
		r.setRequest(p.RequestSeq, state)
	}
	r.change(t)
	if t.ended() {
		return
	}
	t.finished++
	t.lastAt = micros(p.At)
	switch {
	case p.End == shoal.PageDone:
		t.pages++
	case p.Unreached:
		t.failed++
		t.unreached++
	default:
		t.failed++
	}
}

// closeTask ends the task if the page was its last, or says so.
func (r *batchRun) closeTask(p *shoal.Page, t *taskRow, now int64) {
	limit := r.Settings.MaxResults
	switch {
	case t.ended():
	case p.CloseTask:
		r.endTask(t, closeState(p.CloseReason), p.CloseReason, p.Desc, now)
	case limit > 0 && t.results >= limit:
		r.endTask(t, taskCompleted, shoal.TaskMaxResults, p.Desc, now)
	case t.finished < t.known:
	case t.failed == t.finished:
		r.endTask(t, taskFailed, shoal.TaskError, p.Desc, now)
	case t.results == 0:
		r.endTask(t, taskCompleted, shoal.TaskNoResults, p.Desc, now)
	default:
		r.endTask(t, taskCompleted, shoal.TaskCompleted, p.Desc, now)
	}
}

// closeState is the state of a task that a page closed for a reason.
func closeState(reason string) int64 {
	switch reason {
	case shoal.TaskError:
		return taskFailed
	case shoal.TaskRunAborted:
		return taskAborted
	default:
		return taskCompleted
	}
}

// endTask ends a task; its requests still to do no longer count as known.
func (r *batchRun) endTask(t *taskRow, state int64, reason, desc string, now int64) {
	t.state, t.reason, t.desc, t.endedAt = state, reason, plain(desc), now
	r.KnownRequests -= t.known - t.finished
	r.TasksDone++
	if state != taskFailed {
		return
	}
	r.TasksFailed++
	if t.unreached == t.finished && t.finished > 0 {
		r.TasksUnreached++
	}
}

// closeAll ends every task of a run that has all the rows it may have. Tasks
// that the batch has not read are ended by a statement of flush.
func (r *batchRun) closeAll(now int64) {
	for _, t := range r.tasks {
		if t != nil && !t.ended() {
			t.state, t.reason, t.endedAt = taskCompleted, shoal.TaskMaxResults, now
			r.change(t)
		}
	}
	r.closed = true
	r.TasksDone, r.KnownRequests = r.TasksTotal, r.TotalRequests
}
