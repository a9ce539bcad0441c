package jobs_test

import (
	"context"
	"encoding/json"
	"syscall"
	"testing"
	"time"

	"shoal/internal/jobs"
)

// idleFor is how long BenchmarkIdle watches; its work comes in ticks of up to 5 s.
const idleFor = 20 * time.Second

// BenchmarkIdle reports what Run costs this process when there is nothing to
// do, in percent of a core. Run it with -benchtime 1x.
func BenchmarkIdle(b *testing.B) {
	for _, dialect := range []jobs.Dialect{jobs.SQLite, jobs.Postgres} {
		b.Run(string(dialect), func(b *testing.B) {
			p := newDatabase(b, dialect).client(b, "one", func(o *jobs.Options) { o.Exclusive = dialect == jobs.SQLite })
			worked := make(chan string, 1)
			p.run(b, map[jobs.Kind]jobs.Handler{jobs.KindSlot: done(worked)})
			p.enqueue(b, jobs.New(jobs.KindSlot, jobs.SlotArgs{}))
			receive(b, worked, "job")
			before := cpu(b)
			for b.Loop() {
				time.Sleep(idleFor)
			}
			b.ReportMetric(100*(cpu(b)-before).Seconds()/b.Elapsed().Seconds(), "%core")
			p.mustStop(b)
		})
	}
}

// BenchmarkChain reports the cost of a job that does nothing and asks to be
// done again: claimed, completed and replaced by its successor.
func BenchmarkChain(b *testing.B) {
	for _, dialect := range []jobs.Dialect{jobs.SQLite, jobs.Postgres} {
		b.Run(string(dialect), func(b *testing.B) {
			p := newDatabase(b, dialect).client(b, "one", nil)
			turn := make(chan bool)
			p.run(b, map[jobs.Kind]jobs.Handler{jobs.KindSlot: func(ctx context.Context, _ json.RawMessage) (jobs.Outcome, error) {
				select {
				case again := <-turn:
					if again {
						return jobs.Again, nil
					}
				case <-ctx.Done():
				}
				return jobs.Done, nil
			}})
			for range 16 {
				p.enqueue(b, jobs.New(jobs.KindSlot, jobs.SlotArgs{}))
			}
			before := cpu(b)
			for b.Loop() {
				turn <- true
			}
			b.ReportMetric(float64((cpu(b)-before).Microseconds())/float64(b.N), "cpu-µs/job")
			for range 16 {
				turn <- false
			}
			p.mustStop(b)
		})
	}
}

// cpu is the processor time this process has used.
func cpu(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
