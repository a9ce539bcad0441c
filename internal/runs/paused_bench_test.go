package runs_test

import (
	"fmt"
	"runtime/debug"
	"syscall"
	"testing"
	"time"

	"shoal"
	"shoal/internal/pgtest"
	"shoal/internal/runs"
	"shoal/internal/store/storetest"
)

// BenchmarkPausedRuns is what 10,000 paused runs cost a server that does
// nothing else, in percent of a core, and how long one of them takes from the
// end of its cause to its first page.
//
//	go test ./internal/runs -run - -bench PausedRuns -benchtime 1x -timeout 20m
func BenchmarkPausedRuns(b *testing.B) {
	for _, many := range []int{1, 10_000} {
		b.Run(fmt.Sprint("sqlite/", many), func(b *testing.B) { pausedRuns(b, "", many) })
		b.Run(fmt.Sprint("postgres/", many), func(b *testing.B) { pausedRuns(b, pgtest.Database(b), many) })
	}
}

func pausedRuns(b *testing.B, url string, many int) {
	w := newWorld(b, url)
	reasons := []shoal.DoneReason{shoal.ReasonNoCreditsLeft, shoal.ReasonCookiesExpired, shoal.ReasonBatchWait, shoal.ReasonNone}
	var broke shoal.Run
	for i := range many {
		reason := reasons[i%len(reasons)]
		run, err := w.Store.CreateRun(b.Context(), shoal.NewRun{
			ID: shoal.NewID[shoal.RunID](), WorkspaceID: w.Workspace, SquidID: w.Env.Squid(b, 1), Origin: shoal.OriginUser,
			Version:  shoal.CrawlerVersion{CrawlerID: storetest.CrawlerID, Slug: "walk", Version: 1, Digest: "d1", Definition: []byte(definition)},
			Settings: shoal.RunSettings{CrawlerSlug: "walk", Concurrency: 1},
			Begin: func(r *shoal.Run, _ *shoal.Standing, now time.Time) (shoal.Effects, error) {
				r.Status, r.DoneReason, r.StartedAt, r.PausedAt = shoal.RunPaused, reason, now, now
				return 0, nil
			},
		})
		if err != nil {
			b.Fatal(err)
		}
		if reason == shoal.ReasonNoCreditsLeft {
			broke = run
		}
	}
	w.Reopen(b) // what it took to make them is forgotten
	debug.FreeOSMemory()
	w.work(runs.Config{Wake: 2 * time.Second, Disk: time.Second})
	time.Sleep(30 * time.Second) // what a start costs is not asked either
	before, began := cpuTime(b), time.Now()
	time.Sleep(20 * time.Second)
	b.ReportMetric(100*float64(cpuTime(b)-before)/float64(time.Since(began)), "%core")

	began = time.Now()
	if err := w.Store.WakeRuns(b.Context(), shoal.WakeCause{Reasons: []shoal.DoneReason{shoal.ReasonNoCreditsLeft}, Squid: broke.SquidID}); err != nil {
		b.Fatal(err)
	}
	w.await(broke.ID, "awake", func(r *shoal.Run) bool { return r.Status != shoal.RunPaused })
	b.ReportMetric(time.Since(began).Seconds(), "s/wake")
	b.ReportMetric(0, "ns/op")
}

func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
