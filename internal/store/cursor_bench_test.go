package store_test

import (
	"testing"
	"time"

	"shoal"
	"shoal/internal/store/storetest"
)

// BenchmarkReadByCursor reads a squid's -rows results, of about 600 bytes, by their
// keys, and by a cursor that acknowledges 1,000 and 10,000 at a time:
//
//	go test ./internal/store -run - -bench ReadByCursor -benchtime 1x -rows 1000000
func BenchmarkReadByCursor(b *testing.B) {
	eachDatabase(b, func(b *testing.B, e *storetest.Env) {
		squid := e.Squid(b, 1)
		e.Fill(b, e.Run(b, squid, shoal.RunSettings{}), *benchRows, func(i int) shoal.Row {
			row := benchRow(i)
			row.Key[0], row.Key[1], row.Key[2], row.Key[3] = byte(i), byte(i>>8), byte(i>>16), byte(i>>24) // none repeats another
			return row
		})
		read := func(b *testing.B, after, upto int64) int {
			n := 0
			q := shoal.ResultQuery{Workspace: e.Workspace, Squid: squid, After: after, Upto: upto, Limit: 1000}
			for {
				rows, err := e.Store.ReadResults(b.Context(), q)
				if err != nil {
					b.Fatal(err)
				}
				if n += len(rows); len(rows) < q.Limit {
					return n
				}
				q.After = rows[len(rows)-1].Key
			}
		}
		report := func(b *testing.B, n int, begin time.Time) {
			if n != *benchRows {
				b.Fatalf("%d rows were read, want %d", n, *benchRows)
			}
			b.ReportMetric(float64(n)/time.Since(begin).Seconds(), "rows/s")
		}
		b.Run("keys", func(b *testing.B) {
			for b.Loop() {
				begin := time.Now()
				report(b, read(b, 0, 0), begin)
			}
		})
		for name, limit := range map[string]int64{"cursor-1000": 1000, "cursor-10000": 10_000} {
			b.Run(name, func(b *testing.B) {
				for b.Loop() {
					begin, n := time.Now(), 0
					ask := shoal.CursorQuery{Workspace: e.Workspace, Squid: squid, Name: shoal.NewID[string](), Limit: limit}
					for {
						taken, err := e.Store.TakeResults(b.Context(), ask)
						if err != nil {
							b.Fatal(err)
						}
						if !taken.More {
							break
						}
						n += read(b, taken.After, taken.Upto)
						ask.Ack = &taken.Mark
					}
					report(b, n, begin)
				}
			})
		}
	})
}
