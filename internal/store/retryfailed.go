package store

import (
	"context"
	"database/sql"
	"fmt"
)

// retriedTask is a run task that is opened again.
type retriedTask struct {
	seq, state     int64
	firstDone      bool
	requests, read int64 // of its frontier: all, and those that were read
}

// retriedTasks is the condition for a run task to be opened again.
const retriedTasks = `run_pk = $1 AND (state = 4 OR state = 1 AND failed > 0)`

// reopenTasks makes failed tasks pending and forgets the failures of others.
var reopenTasks = &bulk{types: []string{"bigint", "bigint", "bigint", "bigint", "bigint", "bigint"}, text: `
	WITH v (run_pk, seq, state, first_done, known, finished) AS ({rows})
	UPDATE run_tasks AS t SET state = v.state, first_done = (v.first_done = 1), known = v.known, finished = v.finished,
		failed = 0, unreached = 0, ended_at = 0, done_reason = '', done_desc = ''
	FROM v WHERE t.run_pk = v.run_pk AND t.seq = v.seq`}

// retryFailed makes failed run tasks pending again, with every request of
// theirs that was not read, and the failed requests of tasks still under way.
// What succeeded stays, and so do the historical counts of failures.
func (s *Store) retryFailed(ctx context.Context, tx *sql.Tx, row *runRow) error {
	const requests = `UPDATE frontier SET state = 0, slot = NULL WHERE run_pk = $1 AND state IN (3, 4)
		AND task_seq IN (SELECT seq FROM run_tasks WHERE ` + retriedTasks + `)`
	if _, err := tx.ExecContext(ctx, requests, row.PK); err != nil {
		return fmt.Errorf("retry failed requests: %w", err)
	}
	tasks, err := retried(ctx, tx, row.PK)
	if err != nil {
		return fmt.Errorf("look for failed tasks: %w", err)
	}
	err = s.stmts.unprepared(tx).exec(ctx, reopenTasks, len(tasks), func(i int, args []any) {
		t := &tasks[i]
		state, first, finished := t.state, int64(0), t.read
		if state == taskFailed {
			state = taskPending // its own request is made again, read before or not
		} else if t.firstDone {
			first, finished = 1, finished+1
		}
		copy(args, []any{row.PK, t.seq, state, first, 1 + t.requests, finished})
	})
	if err != nil {
		return fmt.Errorf("retry failed tasks: %w", err)
	}
	const count = `SELECT COALESCE(SUM(CASE WHEN state < 2 THEN known - finished ELSE 0 END), 0),
		COALESCE(SUM(CASE WHEN state >= 2 THEN 1 ELSE 0 END), 0) FROM run_tasks WHERE run_pk = $1`
	var todo int64
	if err := tx.QueryRowContext(ctx, count, row.PK).Scan(&todo, &row.TasksDone); err != nil {
		return fmt.Errorf("count tasks: %w", err)
	}
	row.TasksFailed, row.TasksUnreached = 0, 0
	row.KnownRequests = row.TotalRequests + todo
	return nil
}

// retried reads the run tasks to open again, with what they know. The frontier
// is counted in one pass: counting per task would read all of it for each.
func retried(ctx context.Context, tx *sql.Tx, run int64) ([]retriedTask, error) {
	tasks, err := collect(ctx, tx, func(r scanner) (t retriedTask, err error) {
		return t, r.Scan(&t.seq, &t.state, &t.firstDone)
	}, `SELECT seq, state, first_done FROM run_tasks WHERE `+retriedTasks+` ORDER BY seq`, run)
	if err != nil {
		return nil, err
	}
	const count = `SELECT task_seq, COUNT(*), SUM(CASE WHEN state = 2 THEN 1 ELSE 0 END) FROM frontier
		WHERE run_pk = $1 AND task_seq IN (SELECT seq FROM run_tasks WHERE ` + retriedTasks + `) GROUP BY task_seq`
	counts, err := collect(ctx, tx, func(r scanner) (n [3]int64, err error) {
		return n, r.Scan(&n[0], &n[1], &n[2])
	}, count, run)
	if err != nil {
		return nil, err
	}
	byTask := make(map[int64][3]int64, len(counts))
	for _, n := range counts {
		byTask[n[0]] = n
	}
	for i := range tasks {
		n := byTask[tasks[i].seq]
		tasks[i].requests, tasks[i].read = n[1], n[2]
	}
	return tasks, nil
}
