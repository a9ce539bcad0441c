package store_test

import (
	"fmt"
	"strings"
	"testing"

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
// bytes, and of a squid's million tasks: page 10,000 must cost what page 1 does.
func BenchmarkListPage(b *testing.B) {
	eachDatabase(b, func(b *testing.B, e *storetest.Env) {
		run := millionResults(b, e)
		for _, page := range []int{1, 10_000} {
			w := window(page, 100)
			b.Run(fmt.Sprint("results/page=", page), func(b *testing.B) {
				for b.Loop() {
					l, err := e.Store.Results(b.Context(), shoal.ResultQuery{Workspace: e.Workspace, Run: run.ID}, w)
					if err != nil || l.Total != 1_000_000 || len(l.Items) != 100 {
						b.Fatalf("%d of %d, %v", len(l.Items), l.Total, err)
					}
				}
			})
			b.Run(fmt.Sprint("tasks/page=", page), func(b *testing.B) {
				for b.Loop() {
					l, err := e.Store.Tasks(b.Context(), e.Workspace, run.SquidID, "", w)
					if err != nil || l.Total != 1_000_000 || len(l.Items) != 100 {
						b.Fatalf("%d of %d, %v", len(l.Items), l.Total, err)
					}
				}
			})
		}
	})
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
