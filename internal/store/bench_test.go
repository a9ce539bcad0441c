package store_test

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"flag"
	"fmt"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"shoal"
	"shoal/internal/store/storetest"
)

// benchRows is how many results BenchmarkCommitPage stores in one run of a
// database. The figures of bench/RESULTS.md use a million:
//
//	go test ./internal/store -run '^$' -bench CommitPage -benchtime 1x -rows 1000000
var benchRows = flag.Int("rows", 100_000, "results that the commit benchmarks extract")

const rowsPerPage = 20

// benchRow is a row of about 600 bytes. One in ten repeats the row before it.
func benchRow(i int) shoal.Row {
	if i%10 == 9 {
		i -= 7
	}
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], uint64(i))
	sum := sha256.Sum256(b[:])
	return shoal.Row{Key: shoal.Digest(sum[:16]), Data: fmt.Appendf(nil,
		`{"url":"https://site.test/books/%d","title":"A book about the number %d","text":"%s"}`, i, i, benchText)}
}

var benchText = strings.Repeat("It was a bright cold day in April. ", 15)

// BenchmarkCommitPage extracts -rows results of about 600 bytes, one in ten a
// duplicate, through CommitPage: 20 rows a page, 64 slots with up to 4 pages
// that wait for their commit, as the engine works.
func BenchmarkCommitPage(b *testing.B) {
	b.Run("sqlite", func(b *testing.B) { benchCommit(b, storetest.SQLite) })
	b.Run("postgres", func(b *testing.B) { benchCommit(b, storetest.Postgres) })
}

func benchCommit(b *testing.B, open func(testing.TB) *storetest.Env) {
	for range b.N {
		b.StopTimer()
		e := open(b)
		pages := *benchRows / rowsPerPage
		run := e.Run(b, e.Squid(b, pages), shoal.RunSettings{Concurrency: benchSlots, CreditsPerRow: 1})
		b.StartTimer()
		start, used := time.Now(), cpu()
		last := commitAll(b, e, run, pages)
		took := time.Since(start)
		b.ReportMetric(float64((cpu()-used).Microseconds())/float64(*benchRows), "cpu-µs/row")
		b.StopTimer()
		b.ReportMetric(float64(pages*rowsPerPage)/took.Seconds(), "rows/s")
		b.ReportMetric(float64(pages*rowsPerPage/10)/last.Seconds(), "rows/s-in-last-tenth")
		storetest.Check(b, e, run.ID)
		e.Close(b)
	}
}

const (
	benchSlots   = 64
	pagesPerSlot = 4
	claimAhead   = 8
)

func commitBenchPage(b *testing.B, e *storetest.Env, l shoal.Lease, w shoal.Work) {
	rows := make([]shoal.Row, rowsPerPage)
	for i := range rows {
		rows[i] = benchRow(int(w.TaskSeq-1)*rowsPerPage + i)
	}
	if _, err := e.Store.CommitPage(context.Background(), storetest.Page(l, w, rows...)); err != nil {
		b.Error(err)
	}
}

// cpu returns what the process has used so far.
func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// commitAll works the run with benchSlots goroutines and returns what the last
// tenth of the pages took.
func commitAll(b *testing.B, e *storetest.Env, run shoal.Run, pages int) time.Duration {
	var wg sync.WaitGroup
	var mu sync.Mutex
	done, mark := 0, time.Now()
	for slot := range benchSlots {
		l := e.Lease(b, run.ID, slot)
		for range pagesPerSlot {
			wg.Go(func() {
				for work := e.Claim(b, l, claimAhead); len(work) > 0; work = e.Claim(b, l, claimAhead) {
					for _, w := range work {
						commitBenchPage(b, e, l, w)
						mu.Lock()
						if done++; done == pages*9/10 {
							mark = time.Now()
						}
						mu.Unlock()
					}
				}
			})
		}
	}
	wg.Wait()
	if done != pages {
		b.Errorf("%d pages were committed, want %d", done, pages)
	}
	return time.Since(mark)
}

// BenchmarkBareInsert is what BenchmarkCommitPage is measured against: the
// same rows into the same table and nothing else, in the fastest way that each
// driver has been found to offer: on SQLite a prepared statement per row, 5,000
// to a transaction, on PostgreSQL statements of 500 rows.
func BenchmarkBareInsert(b *testing.B) {
	b.Run("sqlite", func(b *testing.B) { benchBare(b, storetest.SQLite, 1, 5000) })
	b.Run("postgres", func(b *testing.B) { benchBare(b, storetest.Postgres, 500, 10) })
}

func benchBare(b *testing.B, open func(testing.TB) *storetest.Env, rows, statements int) {
	var q strings.Builder
	q.WriteString(`INSERT INTO results (key, run_pk, task_seq, digest, at, data) VALUES `)
	for i := range rows {
		if i > 0 {
			q.WriteByte(',')
		}
		fmt.Fprintf(&q, "($%d,$%d,$%d,$%d,$%d,$%d)", i*6+1, i*6+2, i*6+3, i*6+4, i*6+5, i*6+6)
	}
	q.WriteString(` ON CONFLICT (run_pk, digest) DO NOTHING`)
	for range b.N {
		b.StopTimer()
		e := open(b)
		const index = `CREATE UNIQUE INDEX IF NOT EXISTS results_digest ON results (run_pk, digest)`
		if _, err := e.DB.WriteDB().ExecContext(b.Context(), index); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		start, used := time.Now(), cpu()
		for i := 0; i < *benchRows; i += rows * statements {
			insertBare(b, e, q.String(), i, rows, statements)
		}
		b.ReportMetric(float64(*benchRows)/time.Since(start).Seconds(), "rows/s")
		b.ReportMetric(float64((cpu()-used).Microseconds())/float64(*benchRows), "cpu-µs/row")
		b.StopTimer()
		e.Close(b)
	}
}

// insertBare inserts rows from number i on in one transaction.
func insertBare(b *testing.B, e *storetest.Env, q string, i, rows, statements int) {
	ctx := context.Background()
	tx, err := e.DB.WriteDB().BeginTx(ctx, nil)
	if err != nil {
		b.Fatal(err)
	}
	defer tx.Rollback()
	st, err := tx.PrepareContext(ctx, q)
	if err != nil {
		b.Fatal(err)
	}
	defer st.Close()
	args := make([]any, 0, rows*6)
	for range statements {
		args = args[:0]
		for range rows {
			r := benchRow(i)
			args = append(args, int64(1)<<40|int64(i), int64(1), int64(i/rowsPerPage), r.Key[:], int64(1), string(r.Data))
			i++
		}
		if _, err := st.ExecContext(ctx, args...); err != nil {
			b.Fatal(err)
		}
	}
	if err := tx.Commit(); err != nil {
		b.Fatal(err)
	}
}
