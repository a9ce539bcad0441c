package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"shoal"
)

// The types of tasks, as the API names them: url for tasks whose params have a
// url, params for the others, empty for both.
const (
	urlType    = "url"
	paramsType = "params"
)

// The lists that gaps are counted for.
const (
	resultList     = "results"
	taskList       = "tasks"
	urlTaskList    = "url_tasks"
	paramsTaskList = "params_tasks"
)

// tally is what a squid's row knows of its tasks and results.
type tally struct {
	pk          int64
	crawlerID   shoal.CrawlerID
	nextSeq     int64
	nextTaskSeq int64
	tasks       int64 // living
	urlTasks    int64 // of those, with a url
	urlFloor    int64
	paramsFloor int64
	resultFloor int64
	lastRunPK   int64 // 0: none
}

const tallyQuery = `SELECT s.pk, s.crawler_id, s.next_seq, s.next_task_seq, s.task_count, s.url_task_count,
		s.url_floor, s.params_floor, s.result_floor, COALESCE(s.last_run_pk, 0)
	FROM squids s
	WHERE s.id = $1 AND s.deleted_at = 0 AND s.workspace_pk = (SELECT pk FROM workspaces WHERE id = $2)`

// tally reads a living squid's counters; lock, a dialect's forUpdate, makes
// them the transaction's own.
func (s *Store) tally(ctx context.Context, q querier, lock string, ws shoal.WorkspaceID, id shoal.SquidID) (t tally, err error) {
	err = q.QueryRowContext(ctx, tallyQuery+lock, string(id), string(ws)).Scan(&t.pk, &t.crawlerID, &t.nextSeq,
		&t.nextTaskSeq, &t.tasks, &t.urlTasks, &t.urlFloor, &t.paramsFloor, &t.resultFloor, &t.lastRunPK)
	if errors.Is(err, sql.ErrNoRows) {
		return t, shoal.ErrSquidNotFound
	}
	if err != nil {
		return t, fmt.Errorf("read squid: %w", err)
	}
	return t, nil
}

// taskList is the squid's list of tasks of a type, with its length.
func (t *tally) taskList(taskType string) (dense, int64) {
	d := dense{list: taskList, table: "tasks", squidPK: t.pk, top: t.nextTaskSeq,
		floor: min(t.urlFloor, t.paramsFloor)}
	n := t.tasks
	switch taskType {
	case urlType:
		n = t.urlTasks
	case paramsType:
		n = t.tasks - t.urlTasks
	}
	switch {
	case n == t.tasks: // all of one type: the plain list is the shorter way
		if t.urlFloor != t.paramsFloor {
			d.alive = fmt.Sprintf(" AND key > CASE WHEN has_url THEN %d ELSE %d END",
				keyOf(t.pk, t.urlFloor), keyOf(t.pk, t.paramsFloor))
		}
	case taskType == urlType:
		d.list, d.floor = urlTaskList, t.urlFloor
		d.alive = fmt.Sprintf(" AND squid_pk = %d AND has_url = TRUE", t.pk)
	default:
		d.list, d.floor = paramsTaskList, t.paramsFloor
		d.alive = fmt.Sprintf(" AND squid_pk = %d AND has_url = FALSE", t.pk)
	}
	return d, n
}

// preparedTask is a new task, read.
type preparedTask struct {
	shoal.NewTask
	params map[string]any
	hasURL bool
}

// prepareTasks reads new tasks and leaves out repeats among them.
func prepareTasks(tasks []shoal.NewTask) ([]preparedTask, error) {
	seen := make(map[[16]byte]bool, len(tasks))
	all := make([]preparedTask, 0, len(tasks))
	for i, n := range tasks {
		if seen[n.Digest] {
			continue
		}
		seen[n.Digest] = true
		p, err := decodeObject(n.Params)
		if err != nil {
			return nil, fmt.Errorf("task %d: %w", i, err)
		}
		_, hasURL := p["url"]
		all = append(all, preparedTask{n, p, hasURL})
	}
	return all, nil
}

// AddTasks adds the tasks that the squid does not have and returns them in
// order, with the number left out as duplicates.
func (s *Store) AddTasks(ctx context.Context, ws shoal.WorkspaceID, squid shoal.SquidID, tasks []shoal.NewTask) ([]shoal.Task, int, error) {
	prepared, err := prepareTasks(tasks)
	if err != nil {
		return nil, 0, fmt.Errorf("add tasks: %w", err)
	}
	var added shoal.AddedTasks
	err = s.write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		t, err := s.tally(ctx, tx, s.db.dialect.forUpdate(), ws, squid)
		if err != nil {
			return err
		}
		fresh, err := s.addTasks(ctx, tx, &t, squid, prepared)
		if err != nil {
			return err
		}
		added = shoal.AddedTasks{Tasks: fresh, Duplicates: len(tasks) - len(fresh)}
		return s.remember(ctx, tx, added)
	})
	if err != nil {
		return nil, 0, fmt.Errorf("add tasks: %w", err)
	}
	return added.Tasks, added.Duplicates, nil
}

// addTasks adds those of tasks that the squid, which tx has locked, lacks.
func (s *Store) addTasks(ctx context.Context, tx *sql.Tx, t *tally, squid shoal.SquidID, tasks []preparedTask) ([]shoal.Task, error) {
	fresh, err := s.newTasks(ctx, tx, t, tasks)
	if err != nil {
		return nil, err
	}
	added, err := s.insertTasks(ctx, tx, t, fresh)
	if err != nil {
		return nil, err
	}
	var withURL, without []int64
	for i := range added {
		added[i].SquidID = squid
		if fresh[i].hasURL {
			withURL = append(withURL, seqOf(added[i].Key))
		} else {
			without = append(without, seqOf(added[i].Key))
		}
	}
	if len(added) == 0 {
		return added, nil
	}
	// A task of one type is a gap in the list of the other.
	if err := errors.Join(s.lose(ctx, tx, t.pk, urlTaskList, without), s.lose(ctx, tx, t.pk, paramsTaskList, withURL)); err != nil {
		return nil, err
	}
	const q = `UPDATE squids SET next_task_seq = next_task_seq + $1, task_count = task_count + $1,
		url_task_count = url_task_count + $2 WHERE pk = $3`
	if _, err := tx.ExecContext(ctx, q, len(added), len(withURL), t.pk); err != nil {
		return nil, fmt.Errorf("count tasks: %w", err)
	}
	return added, nil
}

var (
	// knownTasks looks tasks up one by one: given a list of digests PostgreSQL
	// reads the whole squid until it has statistics of the table.
	knownTasks = bulk{types: []string{"bigint", "bytea"}, text: `WITH v (squid_pk, digest) AS ({rows})
		SELECT t.digest, t.key, t.has_url FROM v CROSS JOIN tasks t WHERE t.squid_pk = v.squid_pk AND t.digest = v.digest`}
	deleteTasks = bulk{types: []string{"bigint"}, text: `DELETE FROM tasks WHERE key IN ({rows})`}
)

// newTasks returns those of tasks whose digest no living task of the squid has.
func (s *Store) newTasks(ctx context.Context, tx *sql.Tx, t *tally, tasks []preparedTask) ([]preparedTask, error) {
	known := map[[16]byte]bool{}
	var dead []int64
	err := s.queryBulk(ctx, tx, &knownTasks, len(tasks), func(i int, args []any) {
		args[0], args[1] = t.pk, tasks[i].Digest[:]
	}, func(r scanner) error {
		var digest []byte
		var key int64
		var hasURL bool
		if err := r.Scan(&digest, &key, &hasURL); err != nil {
			return err
		}
		if hasURL && seqOf(key) <= t.urlFloor || !hasURL && seqOf(key) <= t.paramsFloor {
			dead = append(dead, key)
		} else {
			known[[16]byte(digest)] = true
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("look for known tasks: %w", err)
	}
	// Tasks that EmptySquid took away and the purge has not reached would stand
	// in the way of their return.
	err = s.execBulk(ctx, tx, &deleteTasks, len(dead), func(i int, args []any) { args[0] = dead[i] })
	if err != nil {
		return nil, fmt.Errorf("make way for tasks: %w", err)
	}
	fresh := make([]preparedTask, 0, len(tasks)-len(known))
	for _, n := range tasks {
		if !known[n.Digest] {
			fresh = append(fresh, n)
		}
	}
	return fresh, nil
}

var insertTask = bulk{
	text:  `INSERT INTO tasks (key, id, squid_pk, digest, params, has_url, created_at) {rows}`,
	types: []string{"bigint", "text", "bigint", "bytea", "text", "boolean", "bigint"},
}

// insertTasks writes new tasks and gives them the squid's next sequence numbers.
func (s *Store) insertTasks(ctx context.Context, tx *sql.Tx, t *tally, tasks []preparedTask) ([]shoal.Task, error) {
	now := s.now()
	added := make([]shoal.Task, len(tasks))
	for i := range tasks {
		added[i] = shoal.Task{Key: keyOf(t.pk, t.nextTaskSeq+int64(i)+1), ID: shoal.NewID[shoal.TaskID](),
			CrawlerID: t.crawlerID, Params: tasks[i].params, IsActive: true, CreatedAt: now}
	}
	err := s.execBulk(ctx, tx, &insertTask, len(tasks), func(i int, args []any) {
		args[0], args[1], args[2], args[3] = added[i].Key, string(added[i].ID), t.pk, tasks[i].Digest[:]
		args[4], args[5], args[6] = string(tasks[i].Params), tasks[i].hasURL, micros(now)
	})
	if err != nil {
		return nil, fmt.Errorf("insert tasks: %w", err)
	}
	return added, nil
}

// taskColumns are read by scanTask, from tasks t, squids s and, for the newest
// run task, run_tasks rt and runs r, which may be missing.
const taskColumns = `t.key, t.id, s.id, s.crawler_id, t.params, t.is_active, t.created_at, COALESCE(r.id, ''), ` + runTaskColumns

// Every active task is in every run, so a task's newest run task is that of
// the squid's newest run, if the run is younger than the task.
const taskJoins = ` LEFT JOIN runs r ON r.pk = s.last_run_pk
	LEFT JOIN run_tasks rt ON rt.run_pk = s.last_run_pk AND rt.task_id = t.id`

func scanTask(r scanner) (t shoal.Task, err error) {
	var created int64
	var params []byte
	var run shoal.RunID
	var last runTaskRow
	dest := append([]any{&t.Key, &t.ID, &t.SquidID, &t.CrawlerID, &params, &t.IsActive, &created, &run}, last.dest()...)
	if err = r.Scan(dest...); err != nil {
		return t, err
	}
	t.CreatedAt = fromMicros(created)
	if last.seq > 0 {
		rt := last.runTask(run)
		t.Last = &rt
	}
	t.Params, err = decodeObject(params)
	return t, err
}

// Tasks lists a squid's tasks of a type, newest first.
func (s *Store) Tasks(ctx context.Context, ws shoal.WorkspaceID, squid shoal.SquidID, taskType string, w shoal.Window) (shoal.Listing[shoal.Task], error) {
	l, err := s.tasks(ctx, ws, squid, taskType, w)
	if err != nil {
		return l, fmt.Errorf("list tasks: %w", err)
	}
	return l, nil
}

func (s *Store) tasks(ctx context.Context, ws shoal.WorkspaceID, squid shoal.SquidID, taskType string, w shoal.Window) (l shoal.Listing[shoal.Task], err error) {
	t, err := s.tally(ctx, s.read, "", ws, squid)
	if err != nil {
		return l, err
	}
	d, total := t.taskList(taskType)
	l.Total = total
	left := total - skip(w, total)
	if left == 0 {
		return l, nil
	}
	if err := d.look(ctx, s.read); err != nil {
		return l, err
	}
	from, err := d.find(ctx, s.read, left)
	if err != nil {
		return l, err
	}
	l.Items, err = collect(ctx, s.read, scanTask, taskPage(d.alive), keyOf(t.pk, d.floor), keyOf(t.pk, from), w.Limit)
	return l, err
}

// taskPage reads the last tasks of a range that are alive, then what goes with each.
func taskPage(alive string) string {
	return `SELECT ` + taskColumns + ` FROM (
			SELECT key, id, squid_pk, params, is_active, created_at FROM tasks
			WHERE key > $1 AND key <= $2` + alive + ` ORDER BY key DESC LIMIT $3
		) t JOIN squids s ON s.pk = t.squid_pk` + taskJoins + ` ORDER BY t.key DESC`
}

const taskQuery = `SELECT ` + taskColumns + ` FROM tasks t JOIN squids s ON s.pk = t.squid_pk` + taskJoins + `
	WHERE t.id = $1 AND s.deleted_at = 0 AND s.workspace_pk = (SELECT pk FROM workspaces WHERE id = $2)
	AND t.key > (s.pk << 40) + CASE WHEN t.has_url THEN s.url_floor ELSE s.params_floor END`

// Task returns one task.
func (s *Store) Task(ctx context.Context, ws shoal.WorkspaceID, id shoal.TaskID) (shoal.Task, error) {
	t, err := scanTask(s.read.QueryRowContext(ctx, taskQuery, string(id), string(ws)))
	if errors.Is(err, sql.ErrNoRows) {
		return t, shoal.ErrTaskNotFound
	}
	if err != nil {
		return t, fmt.Errorf("read task: %w", err)
	}
	return t, nil
}

// DeleteTask removes a task. Its results stay: they are the runs'.
func (s *Store) DeleteTask(ctx context.Context, ws shoal.WorkspaceID, id shoal.TaskID) error {
	err := s.write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		const q = `SELECT s.id FROM tasks t JOIN squids s ON s.pk = t.squid_pk
			WHERE t.id = $1 AND s.workspace_pk = (SELECT pk FROM workspaces WHERE id = $2)`
		var squid shoal.SquidID
		err := tx.QueryRowContext(ctx, q, string(id), string(ws)).Scan(&squid)
		if errors.Is(err, sql.ErrNoRows) {
			return shoal.ErrTaskNotFound
		}
		if err != nil {
			return fmt.Errorf("find squid: %w", err)
		}
		// The squid first, as everywhere, or two transactions could wait for each other.
		t, err := s.tally(ctx, tx, s.db.dialect.forUpdate(), ws, squid)
		if errors.Is(err, shoal.ErrSquidNotFound) {
			return shoal.ErrTaskNotFound
		}
		if err != nil {
			return err
		}
		if err := s.deleteTask(ctx, tx, &t, id); err != nil {
			return err
		}
		return s.remember(ctx, tx, nil)
	})
	if err != nil {
		return fmt.Errorf("delete task: %w", err)
	}
	return nil
}

func (s *Store) deleteTask(ctx context.Context, tx *sql.Tx, t *tally, id shoal.TaskID) error {
	const q = `DELETE FROM tasks WHERE id = $1 AND key > CASE WHEN has_url THEN CAST($2 AS BIGINT) ELSE CAST($3 AS BIGINT) END RETURNING key, has_url`
	var key, withURL int64
	var hasURL bool
	err := tx.QueryRowContext(ctx, q, string(id), keyOf(t.pk, t.urlFloor), keyOf(t.pk, t.paramsFloor)).Scan(&key, &hasURL)
	if errors.Is(err, sql.ErrNoRows) {
		return shoal.ErrTaskNotFound
	}
	if err != nil {
		return err
	}
	own := paramsTaskList
	if hasURL {
		own, withURL = urlTaskList, 1
	}
	for _, list := range []string{taskList, own} {
		if err := s.lose(ctx, tx, t.pk, list, []int64{seqOf(key)}); err != nil {
			return err
		}
	}
	const count = `UPDATE squids SET task_count = task_count - 1, url_task_count = url_task_count - $1 WHERE pk = $2`
	if _, err := tx.ExecContext(ctx, count, withURL, t.pk); err != nil {
		return fmt.Errorf("count tasks: %w", err)
	}
	return nil
}
