package export_test

import (
	"bytes"
	"database/sql"
	"fmt"
	"io"
	"testing"
	"time"

	"shoal"
	"shoal/internal/export"
	"shoal/internal/store/storetest"
)

// storedRows are the rows of BenchmarkStored.
const storedRows = 100_000

// BenchmarkStored writes a run of 100,000 results of about 600 bytes from SQLite
// in each format, beside a bare loop that selects the rows by key and copies
// their bytes, a line each.
//
//	go test ./internal/export -run - -bench Stored -benchtime 5x
func BenchmarkStored(b *testing.B) {
	e := storetest.SQLite(b)
	run, cols := store(b, e, storedRows)
	cols.Rows = storedRows
	perSecond := func(b *testing.B) {
		b.ReportMetric(storedRows*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
	}
	b.Run("bare", func(b *testing.B) {
		for b.Loop() {
			if n := bareCopy(b, e.DB.ReadDB(), run.SquidPK, io.Discard); n != storedRows {
				b.Fatalf("%d rows", n)
			}
		}
		perSecond(b)
	})
	for _, f := range export.Formats {
		b.Run(string(f), func(b *testing.B) {
			for b.Loop() {
				rows := export.Read(b.Context(), e.Store, shoal.ResultQuery{Workspace: e.Workspace, Run: run.ID})
				if n, err := export.Write(b.Context(), io.Discard, f, cols, rows); err != nil || n != storedRows {
					b.Fatalf("%d rows, %v", n, err)
				}
			}
			perSecond(b)
		})
	}
}

// bareCopy is what JSON lines are measured by: it reads the stored rows and
// copies them, and knows nothing of ids.
func bareCopy(b *testing.B, db *sql.DB, squidPK int64, w io.Writer) (n int) {
	rows, err := db.QueryContext(b.Context(), `SELECT data FROM results WHERE key > $1 AND key <= $2 ORDER BY key`, squidPK<<40, (squidPK+1)<<40-1)
	if err != nil {
		b.Fatal(err)
	}
	defer rows.Close()
	var out bytes.Buffer
	var data sql.RawBytes
	for ; rows.Next(); n++ {
		if err := rows.Scan(&data); err != nil {
			b.Fatal(err)
		}
		out.Write(data)
		out.WriteByte('\n')
		if out.Len() > 64<<10 {
			if _, err := out.WriteTo(w); err != nil {
				b.Fatal(err)
			}
		}
	}
	if err := rows.Err(); err != nil {
		b.Fatal(err)
	}
	return n
}

// store puts n of benchRows into the database, as the results of a run with a
// task for each.
func store(tb testing.TB, e *storetest.Env, n int) (shoal.Run, export.Columns) {
	tb.Helper()
	squid := e.Squid(tb, n)
	r := e.Run(tb, squid, shoal.RunSettings{})
	supply, cols, _ := benchRows(n)
	tx, err := e.DB.WriteDB().BeginTx(tb.Context(), nil)
	if err != nil {
		tb.Fatal(err)
	}
	defer tx.Rollback()
	insert, err := tx.PrepareContext(tb.Context(), `INSERT INTO results (key, run_pk, task_seq, digest, at, data) VALUES ($1, $2, $3, $4, $5, $6)`)
	if err != nil {
		tb.Fatal(err)
	}
	defer insert.Close()
	seq := int64(0)
	for row := range supply {
		seq++
		digest := fmt.Appendf(nil, "%016d", seq)
		if _, err := insert.ExecContext(tb.Context(), r.SquidPK<<40|seq, r.PK, seq, digest, time.Now().UnixMicro(), string(row.Data)); err != nil {
			tb.Fatal(err)
		}
	}
	if err := tx.Commit(); err != nil {
		tb.Fatal(err)
	}
	e.Exec(tb, `UPDATE squids SET next_seq = $1 WHERE pk = $2`, seq, r.SquidPK)
	e.Exec(tb, `UPDATE runs SET last_seq = $1 WHERE pk = $2`, seq, r.PK)
	e.Reopen(tb)
	e.Exec(tb, `ANALYZE`)
	return r, cols
}
