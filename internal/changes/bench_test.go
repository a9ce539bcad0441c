package changes

import (
	"encoding/binary"
	"flag"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"shoal"
	"shoal/internal/store/storetest"
)

// benchRows is how many results each of the compared runs has.
var benchRows = flag.Int("rows", 20_000, "results of each run that the benchmark compares")

// benchRow is row i of a run: ten fields, about 600 bytes.
func benchRow(i, price int) shoal.Row {
	row := shoal.Row{Data: fmt.Appendf(nil, `{"url":"https://site.test/books/%d","title":"A book about the number %d","price":%d.50,"in_stock":true,"rating":4,`+
		`"category":"Poetry","upc":"a897fe39b105%d","images":["https://site.test/1.jpg","https://site.test/2.jpg"],"language":null,"text":"%s"}`,
		i, i, price, i, strings.Repeat("It was a bright cold day in April. ", 8))}
	// Spread as hashes are.
	binary.BigEndian.PutUint64(row.Key[:], uint64(i)*0x9e3779b97f4a7c15)
	binary.BigEndian.PutUint64(row.Key[8:], uint64(i))
	return row
}

// BenchmarkCompare compares two runs of -rows results, of which one in ten is new,
// one changed and one gone, and reads all changes:
//
//	go test ./internal/changes -run - -bench Compare -benchtime 1x -rows 300000
func BenchmarkCompare(b *testing.B) {
	for name, open := range map[string]func(testing.TB) *storetest.Env{"sqlite": storetest.SQLite, "postgres": storetest.Postgres} {
		b.Run(name, func(b *testing.B) {
			e, n := open(b), *benchRows
			squid := e.Squid(b, 1)
			run := func(first int, price func(i int) int) shoal.Run {
				r := e.Fill(b, e.Run(b, squid, shoal.RunSettings{}), n, func(i int) shoal.Row { return benchRow(first+i, price(first+i)) })
				r, err := e.Store.ChangeRun(b.Context(), r.ID, "test", func(r *shoal.Run, now time.Time) (shoal.Effects, error) {
					r.Status, r.EndedAt = shoal.RunDone, now
					return 0, nil
				})
				if err != nil {
					b.Fatal(err)
				}
				return r
			}
			older := run(0, func(int) int { return 1 })
			newer := run(n/10, func(i int) int {
				if i%10 == 0 && i < n {
					return 2
				}
				return 1
			})
			for b.Loop() {
				compareOnce(b, e, &older, &newer)
			}
		})
	}
}

func compareOnce(b *testing.B, e *storetest.Env, older, newer *shoal.Run) {
	c := NewComparer(e.Store, b.TempDir())
	grown := heapGrowth()
	begin := time.Now()
	cmp, err := c.Compare(b.Context(), older, newer, Selection{})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(time.Since(begin).Seconds(), "s/compare")
	b.ReportMetric(float64(grown())/(1<<20), "MB/compare")
	begin = time.Now()
	seen := 0
	for _, err := range cmp.Changes(b.Context(), Kinds, 0) {
		if err != nil {
			b.Fatal(err)
		}
		seen++
	}
	b.ReportMetric(float64(seen)/time.Since(begin).Seconds(), "changes/s")
	if int64(seen) != cmp.Total(Kinds) || seen < *benchRows/4 {
		b.Fatalf("%d changes, counted %d", seen, cmp.Total(Kinds))
	}
	begin = time.Now()
	if _, err := cmp.Page(b.Context(), Kinds, cmp.Total(Kinds)-50, 50); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(time.Since(begin).Microseconds()), "µs/last-page")
	if err := cmp.Close(); err != nil {
		b.Fatal(err)
	}
}

// heapGrowth returns what tells by how much the heap has grown at most since.
func heapGrowth() func() uint64 {
	runtime.GC()
	var at runtime.MemStats
	runtime.ReadMemStats(&at)
	before, peak := at.HeapInuse, at.HeapInuse
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				return
			case <-tick.C:
				runtime.ReadMemStats(&at)
				peak = max(peak, at.HeapInuse)
			}
		}
	}()
	return func() uint64 {
		close(stop)
		<-stopped
		return peak - before
	}
}
