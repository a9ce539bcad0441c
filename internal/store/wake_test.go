package store_test

import (
	"testing"
	"time"

	"shoal"
	"shoal/internal/store/storetest"
)

func TestWakeRuns(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e *storetest.Env) {
		ctx := t.Context()
		pause := func(reason shoal.DoneReason) shoal.Run {
			run := e.Run(t, e.Squid(t, 1), shoal.RunSettings{})
			if _, err := e.Store.ChangeRun(ctx, run.ID, "engine", func(r *shoal.Run, now time.Time) (shoal.Effects, error) {
				r.Status, r.DoneReason, r.PausedAt = shoal.RunPaused, reason, now
				return 0, nil
			}); err != nil {
				t.Fatal(err)
			}
			return run
		}
		due := func() []shoal.RunID {
			t.Helper()
			runs, err := e.Store.RunsToWake(ctx, time.Now().Add(time.Hour), 10)
			if err != nil {
				t.Fatal(err)
			}
			var ids []shoal.RunID
			for _, r := range runs {
				ids = append(ids, r.ID)
			}
			return ids
		}
		broke, person := pause(shoal.ReasonNoCreditsLeft), pause(shoal.ReasonNone)
		repair := pause(shoal.ReasonModuleMaintenance)
		wake := func(c shoal.WakeCause) {
			t.Helper()
			if err := e.Store.WakeRuns(ctx, c); err != nil {
				t.Fatal(err)
			}
		}
		credits := []shoal.DoneReason{shoal.ReasonNoCreditsLeft}
		wake(shoal.WakeCause{Reasons: credits, Workspace: shoal.NewID[shoal.WorkspaceID]()})
		wake(shoal.WakeCause{Reasons: credits, Crawler: shoal.NewID[shoal.CrawlerID]()})
		wake(shoal.WakeCause{Reasons: credits, Squid: person.SquidID})
		if ids := due(); len(ids) != 0 {
			t.Fatalf("%v are woken by causes of others", ids)
		}
		wake(shoal.WakeCause{Reasons: credits, Workspace: e.Workspace, Crawler: storetest.CrawlerID, Squid: broke.SquidID})
		if ids := due(); len(ids) != 1 || ids[0] != broke.ID {
			t.Fatalf("%v are woken, want %s alone", ids, broke.ID)
		}
		if r, err := e.Store.RunByID(ctx, broke.ID); err != nil || r.WakeAt.IsZero() {
			t.Errorf("a reader sees the wake-up at %v, %v", r.WakeAt, err)
		}
		if list, err := e.Store.CrawlersPaused(ctx, shoal.ReasonModuleMaintenance); err != nil || len(list) != 1 ||
			list[0] != (shoal.PausedCrawler{Workspace: e.Workspace, Crawler: storetest.CrawlerID}) {
			t.Errorf("crawlers with waiting runs: %v, %v", list, err)
		}
		flag := shoal.CrawlerFlag{Crawler: storetest.CrawlerID, State: shoal.CrawlerMaintenance, Message: "The site was rebuilt."}
		if err := e.Store.FlagCrawler(ctx, flag); err != nil {
			t.Fatal(err)
		}
		if flags, err := e.Store.CrawlerFlags(ctx); err != nil || flags[storetest.CrawlerID].Message != flag.Message || len(flags) != 1 {
			t.Errorf("flags %v, %v", flags, err)
		}
		flag.State = shoal.CrawlerAvailable
		if err := e.Store.FlagCrawler(ctx, flag); err != nil {
			t.Fatal(err)
		}
		if flags, err := e.Store.CrawlerFlags(ctx); err != nil || len(flags) != 0 {
			t.Errorf("flags %v, %v; want none", flags, err)
		}
		if ids := due(); len(ids) != 2 || ids[1] != repair.ID {
			t.Errorf("%v are woken, want %s too", ids, repair.ID)
		}
	})
}

func TestAdmitRunIsToldHowThingsStand(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e *storetest.Env) {
		run := e.Run(t, e.Squid(t, 1), shoal.RunSettings{})
		look := func() (st shoal.Standing) {
			t.Helper()
			if _, err := e.Store.AdmitRun(t.Context(), run.ID, "engine", func(_ *shoal.Run, s *shoal.Standing, _ time.Time) (shoal.Effects, error) {
				st = *s
				return 0, nil
			}); err != nil {
				t.Fatal(err)
			}
			return st
		}
		if st := look(); !st.SquidActive || st.Credits >= 0 {
			t.Errorf("%+v, want an active squid and no limit", st)
		}
		off := false
		if _, err := e.Store.UpdateSquid(t.Context(), e.Workspace, run.SquidID, shoal.SquidPatch{IsActive: &off}); err != nil {
			t.Fatal(err)
		}
		if st := look(); st.SquidActive {
			t.Error("the squid is off, and the run is told otherwise")
		}
	})
}
