package store_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"shoal"
	"shoal/internal/store/storetest"
)

// eachDatabase is storetest.Each for benchmarks.
func eachDatabase(b *testing.B, f func(b *testing.B, e *storetest.Env)) {
	b.Run("sqlite", func(b *testing.B) { f(b, storetest.SQLite(b)) })
	b.Run("postgres", func(b *testing.B) { f(b, storetest.Postgres(b)) })
}

// BenchmarkAddTasks adds 10,000 tasks with one call, to a squid that grows.
func BenchmarkAddTasks(b *testing.B) {
	eachDatabase(b, func(b *testing.B, e *storetest.Env) {
		squid, n := e.Squid(b, 1), 0
		for b.Loop() {
			tasks := newTasks("url", n, n+10_000)
			if _, _, err := e.Store.AddTasks(b.Context(), e.Workspace, squid, tasks); err != nil {
				b.Fatal(err)
			}
			n += 10_000
		}
	})
}

// BenchmarkListPage reads pages of 100 of a run's million results, of 600
// bytes, and of its squid's million tasks, page 1 and page 10,000 by turns, and
// reports the medians and how many times the first the other costs.
func BenchmarkListPage(b *testing.B) {
	eachDatabase(b, func(b *testing.B, e *storetest.Env) {
		run := millionResults(b, e)
		b.Run("results", func(b *testing.B) {
			comparePages(b, func(w shoal.Window) (int64, int, error) {
				l, err := e.Store.Results(b.Context(), shoal.ResultQuery{Workspace: e.Workspace, Run: run.ID}, w)
				return l.Total, len(l.Items), err
			})
		})
		b.Run("tasks", func(b *testing.B) {
			comparePages(b, func(w shoal.Window) (int64, int, error) {
				l, err := e.Store.Tasks(b.Context(), e.Workspace, run.SquidID, "", w)
				return l.Total, len(l.Items), err
			})
		})
	})
}

func comparePages(b *testing.B, read func(w shoal.Window) (total int64, n int, err error)) {
	numbers := []int{1, 10_000}
	took := make([][]time.Duration, len(numbers))
	for b.Loop() {
		for i, page := range numbers {
			begin := time.Now()
			total, n, err := read(window(page, 100))
			took[i] = append(took[i], time.Since(begin))
			if err != nil || total != 1_000_000 || n != 100 {
				b.Fatalf("page %d: %d of %d, %v", page, n, total, err)
			}
		}
	}
	median := func(i int) float64 {
		slices.Sort(took[i])
		return float64(took[i][len(took[i])/2].Microseconds())
	}
	b.ReportMetric(median(0), "µs/page-1")
	b.ReportMetric(median(1), "µs/page-10000")
	b.ReportMetric(median(1)/median(0), "ratio")
}

// millionResults makes a run of a million tasks with a result each.
func millionResults(b *testing.B, e *storetest.Env) shoal.Run {
	b.Helper()
	squid := e.Squid(b, 0)
	for n := 0; n < 1_000_000; n += 25_000 {
		if _, _, err := e.Store.AddTasks(b.Context(), e.Workspace, squid, newTasks("url", n, n+25_000)); err != nil {
			b.Fatal(err)
		}
	}
	r := e.Run(b, squid, shoal.RunSettings{})
	const insert = `INSERT INTO results (key, run_pk, task_seq, digest, at, data)
		SELECT k.key, rt.run_pk, rt.seq, k.digest, 1, $1 FROM tasks k JOIN run_tasks rt ON rt.task_key = k.key WHERE rt.run_pk = $2`
	e.Exec(b, insert, fmt.Sprintf(`{"text":%q}`, strings.Repeat("x", 580)), r.PK)
	e.Exec(b, `UPDATE squids SET next_seq = 1000000 WHERE pk = $1`, r.SquidPK)
	e.Exec(b, `UPDATE runs SET last_seq = 1000000 WHERE pk = $1`, r.PK)
	e.Reopen(b)
	e.Exec(b, `ANALYZE`)
	return r
}
