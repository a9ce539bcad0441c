package runs_test

import (
	"net/http"
	"testing"
	"time"

	"shoal"
	"shoal/internal/runs"
	"shoal/internal/store/storetest"
)

// A paused run whose crawler cannot be read is in no other run's way.
func TestARunThatCannotBeWokenHoldsNobodyUp(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.svc = w.service(runs.Config{})
		site := tree(t, 1, func(http.ResponseWriter, *http.Request) bool { return true })
		pause := func(run shoal.Run, reason shoal.DoneReason, wake time.Duration) {
			t.Helper()
			_, err := w.Store.ChangeRun(t.Context(), run.ID, "test", func(r *shoal.Run, now time.Time) (shoal.Effects, error) {
				r.Status, r.DoneReason, r.PausedAt, r.WakeAt = shoal.RunPaused, reason, now, now.Add(wake)
				return 0, nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		good := w.start(w.squid(1, nil, site.URL+"/0"))
		pause(good, shoal.ReasonTooManyRequests, -time.Minute)
		var first shoal.Run
		for i, reason := range []shoal.DoneReason{shoal.ReasonTooManyRequests, shoal.ReasonModuleMaintenance} {
			run, err := w.Store.CreateRun(t.Context(), shoal.NewRun{
				ID: shoal.NewID[shoal.RunID](), WorkspaceID: w.Workspace, SquidID: w.squid(1, nil, site.URL+"/0"), Origin: shoal.OriginSchedule,
				Version:  shoal.CrawlerVersion{CrawlerID: unreadable, Slug: "bad", Version: 1, Digest: "bad"},
				Settings: shoal.RunSettings{Concurrency: 1}, Begin: storetest.Started,
			})
			if err != nil {
				t.Fatal(err)
			}
			pause(run, reason, -time.Hour)
			if i == 0 {
				first = run
			}
		}
		w.work(runs.Config{})
		w.awaitStatus(good.ID, shoal.RunDone)
		r := w.await(first.ID, "to be looked at later", func(r *shoal.Run) bool { return r.WakeAt.After(w.clock.now()) })
		if r.Status != shoal.RunPaused || r.DoneReason != shoal.ReasonTooManyRequests {
			t.Errorf("the run that cannot be looked at is %s, %s", r.Status, r.DoneReason)
		}
	})
}
