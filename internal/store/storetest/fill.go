package storetest

import (
	"fmt"
	"strings"
	"testing"

	"shoal"
)

// fillRows is how many rows one statement of Fill inserts.
const fillRows = 100

// Fill gives a run that has collected nothing n results of its first task, many
// at a time and around the store, and reopens the database. n is a multiple of
// 100. It returns the run.
func (e *Env) Fill(t testing.TB, r shoal.Run, n int, row func(i int) shoal.Row) shoal.Run {
	t.Helper()
	first := e.Int(t, `SELECT next_seq FROM squids WHERE pk = $1`, r.SquidPK)
	var q strings.Builder
	q.WriteString(`INSERT INTO results (key, run_pk, task_seq, digest, at, data) VALUES `)
	for i := range fillRows {
		if i > 0 {
			q.WriteByte(',')
		}
		fmt.Fprintf(&q, "($%d,$%d,$%d,$%d,$%d,$%d)", i*6+1, i*6+2, i*6+3, i*6+4, i*6+5, i*6+6)
	}
	tx, err := e.DB.WriteDB().BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	insert, err := tx.PrepareContext(t.Context(), q.String())
	if err != nil {
		t.Fatal(err)
	}
	defer insert.Close()
	args := make([]any, 0, 6*fillRows)
	for i := 0; i < n; {
		args = args[:0]
		for range fillRows {
			x := row(i)
			i++
			args = append(args, r.SquidPK<<40|(first+int64(i)), r.PK, int64(1), x.Key[:], int64(i), string(x.Data))
		}
		if _, err := insert.ExecContext(t.Context(), args...); err != nil {
			t.Fatal(err)
		}
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	last := first + int64(n)
	e.Exec(t, `UPDATE squids SET next_seq = $1 WHERE pk = $2`, last, r.SquidPK)
	e.Exec(t, `UPDATE runs SET first_seq = $1, last_seq = $2, unique_results = $3, total_results = $3 WHERE pk = $4`, first, last, n, r.PK)
	e.Reopen(t)
	e.Exec(t, `ANALYZE`)
	if r, err = e.Store.RunByID(t.Context(), r.ID); err != nil {
		t.Fatal(err)
	}
	return r
}
