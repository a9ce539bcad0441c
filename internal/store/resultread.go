package store

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"slices"
	"unsafe"

	"shoal"
)

// resultPage reads the first rows of a range as they are stored.
const resultPage = `SELECT key, run_pk, task_seq, digest, at, data FROM results WHERE key > $1 AND key <= $2 ORDER BY key LIMIT $3`

// taskSpan reads the ids of the tasks of a run between two numbers, one after
// the other.
const taskSpan = `SELECT string_agg(task_id, '') FROM (
	SELECT task_id FROM run_tasks WHERE run_pk = $1 AND seq >= $2 AND seq <= $3 ORDER BY seq) t`

// mostAtOnce is for how many rows room is made before they are read.
const mostAtOnce = 2000

// idSize is how long an id is.
const idSize = 32

// readSpan returns the first limit living rows of a range. The ids that go
// with a row, its run's and its task's, are read once for many rows: joined to
// each they cost more than the rows do, and whole runs are read this way.
func (s *Store) readSpan(ctx context.Context, sc *resultScope, in span, limit int) ([]shoal.Result, error) {
	size := min(limit, mostAtOnce)
	all, tasks := make([]shoal.Result, 0, size), make([]int64, 0, size)
	for _, part := range sc.list.segments(in) {
		var err error
		if all, tasks, err = s.storedRows(ctx, all, tasks,
			keyOf(sc.list.squidPK, part.after), keyOf(sc.list.squidPK, part.upto), limit-len(all)); err != nil {
			return nil, err
		}
		if len(all) >= limit {
			break
		}
	}
	for i := range all {
		all[i].SquidID = sc.squid
	}
	return s.named(ctx, all, tasks)
}

// storedRows appends the rows between two keys to all, and the numbers of
// their tasks to tasks.
func (s *Store) storedRows(ctx context.Context, all []shoal.Result, tasks []int64, after, upto int64, limit int) ([]shoal.Result, []int64, error) {
	err := s.eachRow(ctx, func(v []driver.Value) {
		all = append(all, shoal.Result{
			Key: v[0].(int64), RunPK: v[1].(int64), Digest: shoal.Digest(v[3].([]byte)), At: fromMicros(v[4].(int64)), Data: bytesOf(v[5]),
		})
		tasks = append(tasks, v[2].(int64))
	}, resultPage, after, upto, int64(limit))
	return all, tasks, err
}

// eachRow gives take the columns of each row as the driver has them, in a
// slice that it uses again. For rows by the hundred thousand, sql.Rows costs
// as much as SQLite does: a lock, a closure and a conversion by reflection for
// each value.
func (s *Store) eachRow(ctx context.Context, take func([]driver.Value), query string, args ...int64) error {
	conn, err := s.read.Conn(ctx)
	if err != nil {
		return err
	}
	named := make([]driver.NamedValue, len(args))
	for i, v := range args {
		named[i] = driver.NamedValue{Ordinal: i + 1, Value: v}
	}
	err = conn.Raw(func(c any) error {
		rows, err := c.(driver.QueryerContext).QueryContext(ctx, query, named)
		if err != nil {
			return err
		}
		values := make([]driver.Value, len(rows.Columns()))
		for err == nil {
			if err = rows.Next(values); err == nil {
				take(values)
			}
		}
		if err == io.EOF {
			err = nil
		}
		return errors.Join(err, rows.Close())
	})
	return errors.Join(err, conn.Close())
}

// bytesOf returns the bytes of a text that a driver made for this row alone:
// nobody else has it, so that it need not be copied.
func bytesOf(v any) []byte {
	if b, ok := v.([]byte); ok {
		return b
	}
	text := v.(string)
	return unsafe.Slice(unsafe.StringData(text), len(text))
}

// named gives rows the ids of their runs and tasks. Rows whose run has been
// deleted meanwhile are left out.
func (s *Store) named(ctx context.Context, rows []shoal.Result, tasks []int64) ([]shoal.Result, error) {
	kept := rows[:0]
	for i := 0; i < len(rows); {
		end := i + 1
		for end < len(rows) && rows[end].RunPK == rows[i].RunPK {
			end++
		}
		run, ids, err := s.idsOf(ctx, rows[i].RunPK, tasks[i:end])
		if err != nil {
			return nil, err
		}
		for ; i < end; i++ {
			r := rows[i]
			if r.RunID, r.TaskID = run, ids(tasks[i]); r.RunID != "" && r.TaskID != "" {
				kept = append(kept, r)
			}
		}
	}
	return kept, nil
}

// idsOf returns a run's id, empty: it is gone, and what returns the ids of its
// tasks with the given numbers.
func (s *Store) idsOf(ctx context.Context, runPK int64, tasks []int64) (shoal.RunID, func(seq int64) shoal.TaskID, error) {
	ids, err := collect(ctx, s.read, scanText, `SELECT id FROM runs WHERE pk = $1`, runPK)
	if err != nil {
		return "", nil, fmt.Errorf("read a run's id: %w", err)
	}
	if len(ids) == 0 {
		return "", func(int64) shoal.TaskID { return "" }, nil
	}
	first, last := slices.Min(tasks), slices.Max(tasks)
	if last-first < 4*int64(len(tasks)) {
		if found, err := s.tasksBetween(ctx, runPK, first, last); found != nil || err != nil {
			return shoal.RunID(ids[0]), found, err
		}
	}
	found, err := s.tasksOf(ctx, runPK, tasks)
	return shoal.RunID(ids[0]), func(seq int64) shoal.TaskID { return found[seq] }, err
}

// tasksBetween returns what returns the ids of a run's tasks with the numbers
// from first to last. They come as one text: a row for each costs more.
func (s *Store) tasksBetween(ctx context.Context, runPK, first, last int64) (func(seq int64) shoal.TaskID, error) {
	var ids string
	err := s.eachRow(ctx, func(v []driver.Value) { ids, _ = v[0].(string) }, taskSpan, runPK, first, last)
	if err != nil {
		return nil, fmt.Errorf("read the ids of tasks: %w", err)
	}
	if int64(len(ids)) != (last-first+1)*idSize {
		return nil, nil
	}
	return func(seq int64) shoal.TaskID { return shoal.TaskID(ids[(seq-first)*idSize:][:idSize]) }, nil
}

// tasksOf returns the ids of a run's tasks with the given numbers.
func (s *Store) tasksOf(ctx context.Context, runPK int64, tasks []int64) (map[int64]shoal.TaskID, error) {
	const most = 500 // parameters of one statement
	found := make(map[int64]shoal.TaskID, len(tasks))
	for few := range slices.Chunk(slices.Compact(slices.Sorted(slices.Values(tasks))), most) {
		args := []any{runPK}
		for _, seq := range few {
			args = append(args, seq)
		}
		rows, err := collect(ctx, s.read, scanTaskID,
			`SELECT seq, task_id FROM run_tasks WHERE run_pk = $1 AND seq IN (`+params(2, len(few))+`)`, args...)
		if err != nil {
			return nil, fmt.Errorf("read the ids of tasks: %w", err)
		}
		for _, r := range rows {
			found[r.seq] = r.id
		}
	}
	return found, nil
}

type taskID struct {
	seq int64
	id  shoal.TaskID
}

func scanTaskID(r scanner) (t taskID, err error) { return t, r.Scan(&t.seq, &t.id) }
