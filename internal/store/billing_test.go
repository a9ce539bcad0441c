package store_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"shoal"
	"shoal/internal/pgtest"
	"shoal/internal/store"
	"shoal/internal/store/storetest"
)

// ticking is a clock that a test moves; it runs from where it was put.
type ticking struct{ ahead atomic.Int64 }

func (c *ticking) now() time.Time { return time.Now().Add(time.Duration(c.ahead.Load())) }

// eachAt is storetest.Each with a clock that the test moves.
func eachAt(t *testing.T, f func(t *testing.T, e *storetest.Env, c *ticking)) {
	t.Helper()
	for _, d := range []store.Dialect{store.SQLite, store.Postgres} {
		t.Run(string(d), func(t *testing.T) {
			t.Parallel()
			c := &ticking{}
			o := store.Options{DataDir: t.TempDir(), Now: c.now}
			if d == store.Postgres {
				o.DatabaseURL = pgtest.Database(t)
			}
			f(t, storetest.New(t, o), c)
		})
	}
}

// all does f n times at once.
func all(n int, f func(i int)) {
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { f(i) })
	}
	wg.Wait()
}

// Periods begin once, however many servers look at the same moment, and those
// that nobody was there to see are caught up.
func TestPeriodsBeginOnce(t *testing.T) {
	eachAt(t, func(t *testing.T, e *storetest.Env, c *ticking) {
		e.Plan(t, shoal.Plan{Credits: 100, Interval: "daily", RolloverMax: 30})
		servers := []*store.Store{e.Store}
		if e.Options.DatabaseURL != "" { // another server; SQLite has one
			servers = append(servers, store.New(e.DB, e.Jobs), store.New(e.DB, e.Jobs))
		}
		for _, days := range []int{1, 1, 400} {
			b, err := e.Store.Balance(t.Context(), e.Workspace)
			if err != nil {
				t.Fatal(err)
			}
			c.ahead.Add(int64(b.ResetTime.Add(time.Duration(days-1)*24*time.Hour + time.Minute).Sub(c.now())))
			all(12, func(i int) {
				if err := servers[i%len(servers)].SettleDue(t.Context()); err != nil {
					t.Error(err)
				}
			})
			b, err = e.Store.Balance(t.Context(), e.Workspace)
			if err != nil || b.Available != 130 || b.Rollover != 30 || b.Consumed != 0 || !b.ResetTime.After(c.now()) || b.ResetTime.Sub(c.now()) > 25*time.Hour {
				t.Errorf("after %d days: %+v, %v", days, b, err)
			}
			storetest.CheckCredits(t, e)
		}
		// 100 at the beginning, and 100 for each of 402 days.
		if n := e.Int(t, `SELECT CAST(SUM(credits) AS BIGINT) FROM credit_entries WHERE kind = 'allowance'`); n != 40300 {
			t.Errorf("allowances add up to %d, want 40300", n)
		}
		if n := e.Int(t, `SELECT COUNT(*) FROM credit_entries`); n > 1+3*5 {
			t.Errorf("%d entries: 400 missed days are to be as few as one", n)
		}
	})
}

// A plan that changes takes effect with the next period; a rollover expires in
// the middle of one.
func TestRolloverExpires(t *testing.T) {
	eachAt(t, func(t *testing.T, e *storetest.Env, c *ticking) {
		e.Plan(t, shoal.Plan{Name: "p", Credits: 100, RolloverMax: -1, RolloverDays: 3, Slots: 5})
		if _, err := e.Store.UpdatePlan(t.Context(), "p", func(p *shoal.Plan) error { p.Credits, p.Slots = 50, 9; return nil }); err != nil {
			t.Fatal(err)
		}
		look := func(what string, available, rollover shoal.Credits, slots int) {
			t.Helper()
			if err := e.Store.SettleDue(t.Context()); err != nil {
				t.Fatal(err)
			}
			b, err := e.Store.Balance(t.Context(), e.Workspace)
			if err != nil || b.Available != available || b.Rollover != rollover || b.TotalSlots != slots {
				t.Errorf("%s: %+v, %v; want %d available, %d of them rolled over, %d slots", what, b, err, available, rollover, slots)
			}
			storetest.CheckCredits(t, e)
		}
		look("the plan changed", 100, 0, 5)
		c.ahead.Add(int64(32 * 24 * time.Hour))
		look("in the next period", 150, 100, 9)
		c.ahead.Add(int64(3 * 24 * time.Hour))
		look("three days later", 50, 0, 9)
	})
}

// However many runs of a workspace commit at once, the balance is spent to the
// last credit and no further.
func TestBalanceIsNeverBelowZero(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e *storetest.Env) {
		const runs, pages = 4, 12
		e.Plan(t, shoal.Plan{Credits: shoal.CreditsOf(17)})
		if _, err := e.Store.GrantCredits(t.Context(), e.Workspace, shoal.CreditsOf(4), "", "test"); err != nil {
			t.Fatal(err)
		}
		var paid, refused atomic.Int64
		var ids [runs]shoal.RunID
		for i := range runs {
			ids[i] = e.Run(t, e.Squid(t, pages), shoal.RunSettings{CreditsPerRow: shoal.CreditsOf(0.5), CreditsPerFunction: map[string]shoal.Credits{"x": shoal.CreditsOf(0.25)}, FunctionOrder: []string{"x"}}).ID
		}
		all(runs, func(i int) {
			l := e.Lease(t, ids[i], 0)
			work := e.Claim(t, l, pages)
			all(len(work), func(j int) {
				row := storetest.Row(fmt.Sprint(i, j))
				row.Functions = 1
				_, err := e.Store.CommitPage(context.WithoutCancel(t.Context()), storetest.Page(l, work[j], row, storetest.Row(fmt.Sprint(i, j, "b"))))
				switch {
				case err == nil:
					paid.Add(1)
				case shoal.CodeOf(err) == "NotEnoughBalance":
					refused.Add(1)
				default:
					t.Error(err)
				}
			})
		})
		// A page costs 1.25; 21 credits pay 16 of them.
		if paid.Load() != 16 || refused.Load() != runs*pages-16 {
			t.Errorf("%d pages were paid and %d refused, want 16 and %d", paid.Load(), refused.Load(), runs*pages-16)
		}
		for _, id := range ids {
			storetest.Check(t, e, id)
		}
	})
}

// gated puts a new run to work if there is room, as the engine's gate does.
func gated(r *shoal.Run, st *shoal.Standing, now time.Time) (shoal.Effects, error) {
	if st.Room(r.Settings.Concurrency) {
		return storetest.Started(r, st, now)
	}
	r.Status, r.DoneReason, r.PausedAt, r.WakeAt = shoal.RunPaused, shoal.ReasonSlotsLimitExceeded, now, time.Time{}
	return 0, nil
}

// Slots are counted exactly, however many runs begin and end at once; who frees
// some wakes the oldest that fit, and no others.
func TestSlotsAreCountedExactly(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e *storetest.Env) {
		e.Plan(t, shoal.Plan{Credits: -1, Slots: 5})
		const n = 9
		var ids [n]shoal.RunID
		var squids [n]shoal.SquidID
		for i := range squids {
			squids[i] = e.Squid(t, 1)
		}
		all(n, func(i int) {
			r, err := e.Store.CreateRun(t.Context(), shoal.NewRun{ID: shoal.NewID[shoal.RunID](), WorkspaceID: e.Workspace, SquidID: squids[i],
				Origin: shoal.OriginSchedule, Settings: shoal.RunSettings{Concurrency: 2}, Begin: gated,
				Version: shoal.CrawlerVersion{CrawlerID: storetest.CrawlerID, Slug: "website", Version: 1, Digest: "d"}})
			if err != nil {
				t.Error(err)
			}
			ids[i] = r.ID
		})
		in := func(status string) int64 { return e.Int(t, `SELECT COUNT(*) FROM runs WHERE status = $1`, status) }
		used := func() int {
			b, err := e.Store.Balance(t.Context(), e.Workspace)
			if err != nil {
				t.Fatal(err)
			}
			return b.UsedSlots
		}
		if in("running") != 2 || in("paused") != n-2 || used() != 4 {
			t.Fatalf("%d run and %d wait, %d slots used; want 2, %d and 4", in("running"), in("paused"), used(), n-2)
		}
		woken := `SELECT COUNT(*) FROM runs WHERE status = 'paused' AND wake_at > 0`
		// Both running ones end at once: two may go on, the oldest.
		for _, id := range ids {
			r, err := e.Store.RunByID(t.Context(), id)
			if err != nil {
				t.Fatal(err)
			}
			if r.Status != shoal.RunRunning {
				continue
			}
			_, err = e.Store.ChangeRun(t.Context(), id, "test", func(r *shoal.Run, now time.Time) (shoal.Effects, error) {
				r.Status = shoal.RunAborted
				return 0, nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		if m := e.Int(t, woken); m != 2 || used() != 0 {
			t.Fatalf("%d are woken with %d slots used, want 2 and 0", m, used())
		}
		if m := e.Int(t, `SELECT COUNT(*) FROM runs WHERE status = 'paused' AND wake_at = 0 AND pk < (SELECT MAX(pk) FROM runs WHERE status = 'paused' AND wake_at > 0)`); m != 0 {
			t.Errorf("%d older ones were passed by", m)
		}
		// All that wait look at once: no more than fit go on.
		all(n, func(i int) {
			_, err := e.Store.AdmitRun(t.Context(), ids[i], "test", func(r *shoal.Run, st *shoal.Standing, now time.Time) (shoal.Effects, error) {
				if r.Status != shoal.RunPaused {
					return 0, nil
				}
				return gated(r, st, now)
			})
			if err != nil {
				t.Error(err)
			}
		})
		if in("running") != 2 || used() != 4 {
			t.Errorf("%d run, %d slots used; want 2 and 4", in("running"), used())
		}
		// A plan with fewer slots than a run asks for lets it have those.
		e.Plan(t, shoal.Plan{Credits: -1, Slots: 1})
		if m := e.Int(t, woken); m != 0 {
			t.Errorf("%d are woken while 4 of 1 slots are used", m)
		}
		if err := e.Store.DeleteSquid(t.Context(), e.Workspace, squids[0]); err != nil {
			t.Fatal(err)
		}
		e.Plan(t, shoal.Plan{Credits: -1})
		if m, w := e.Int(t, woken), in("paused"); m != w {
			t.Errorf("%d of %d are woken on a plan without a limit", m, w)
		}
	})
}

// A run that is woken for slots and takes none lets the next have them.
func TestSlotsThatAreNotTakenWakeTheNext(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e *storetest.Env) {
		e.Plan(t, shoal.Plan{Credits: -1, Slots: 1})
		start := func() shoal.Run {
			r, err := e.Store.CreateRun(t.Context(), shoal.NewRun{ID: shoal.NewID[shoal.RunID](), WorkspaceID: e.Workspace, SquidID: e.Squid(t, 1),
				Origin: shoal.OriginSchedule, Settings: shoal.RunSettings{Concurrency: 1}, Begin: gated,
				Version: shoal.CrawlerVersion{CrawlerID: storetest.CrawlerID, Slug: "website", Version: 1, Digest: "d"}})
			if err != nil {
				t.Fatal(err)
			}
			return r
		}
		become := func(r shoal.Run, status shoal.RunStatus, reason shoal.DoneReason) {
			t.Helper()
			_, err := e.Store.ChangeRun(t.Context(), r.ID, "test", func(r *shoal.Run, now time.Time) (shoal.Effects, error) {
				r.Status, r.DoneReason, r.WakeAt = status, reason, time.Time{}
				return 0, nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		woken := func(want shoal.Run) {
			t.Helper()
			due, err := e.Store.RunsToWake(t.Context(), time.Now().Add(time.Minute), 10)
			if err != nil || len(due) != 1 || due[0].ID != want.ID {
				t.Fatalf("%d runs are woken, %v; want %s alone", len(due), err, want.ID)
			}
		}
		works, first, second, third := start(), start(), start(), start()
		become(works, shoal.RunAborted, shoal.ReasonAborted)
		woken(first)
		become(first, shoal.RunPaused, shoal.ReasonModuleMaintenance)
		woken(second)
		become(second, shoal.RunUploading, shoal.ReasonAborted)
		woken(third)
	})
}

// Credits that come while a run is about to pause for want of them wake it all
// the same: whoever gave them saw no paused run.
func TestCreditsThatComeMeanwhile(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e *storetest.Env) {
		e.Plan(t, shoal.Plan{Credits: 1})
		hold := func(id shoal.RunID) shoal.Run {
			r, err := e.Store.ChangeRun(t.Context(), id, "engine", func(r *shoal.Run, now time.Time) (shoal.Effects, error) {
				r.Status, r.DoneReason, r.PausedAt, r.ActiveSince = shoal.RunPaused, shoal.ReasonNoCreditsLeft, now, time.Time{}
				return 0, nil
			})
			if err != nil {
				t.Fatal(err)
			}
			return r
		}
		late, early := e.Run(t, e.Squid(t, 1), shoal.RunSettings{}), e.Run(t, e.Squid(t, 1), shoal.RunSettings{})
		if r := hold(early.ID); !r.WakeAt.IsZero() {
			t.Errorf("no credits came, and the run looks again at %v", r.WakeAt)
		}
		if _, err := e.Store.GrantCredits(t.Context(), e.Workspace, 5, "", "test"); err != nil {
			t.Fatal(err)
		}
		for what, id := range map[string]shoal.RunID{"paused before": early.ID, "about to pause": hold(late.ID).ID} {
			if r, err := e.Store.RunByID(t.Context(), id); err != nil || r.WakeAt.IsZero() {
				t.Errorf("the run that was %s stays paused: %+v, %v", what, r, err)
			}
		}
	})
}

// What was spent is told by crawler and squid, a deleted squid for 30 days, and
// by days.
func TestUsage(t *testing.T) {
	eachAt(t, func(t *testing.T, e *storetest.Env, c *ticking) {
		dear, cheap := e.Squid(t, 2), e.Squid(t, 1)
		spend := func(q shoal.SquidID, price float64, rows ...shoal.Row) shoal.Run {
			r := e.Run(t, q, shoal.RunSettings{CreditsPerRow: shoal.CreditsOf(price)})
			l := e.Lease(t, r.ID, 0)
			e.Commit(t, storetest.Page(l, e.Claim(t, l, 1)[0], rows...))
			storetest.Check(t, e, r.ID)
			return r
		}
		spend(cheap, 1, storetest.Row("a"))
		run := spend(dear, 2, storetest.Row("a"), storetest.Row("b"), storetest.Row("a"))
		today := c.now().UTC().Truncate(24 * time.Hour)
		squids, err := e.Store.SquidUsage(t.Context(), e.Workspace, today)
		if err != nil || len(squids) != 2 || squids[0].ID != string(dear) || squids[0].Credits != shoal.CreditsOf(4) || squids[0].Results != 2 || squids[0].IsDeleted {
			t.Fatalf("by squid: %+v, %v", squids, err)
		}
		crawlers, err := e.Store.CrawlerUsage(t.Context(), e.Workspace, today)
		if err != nil || len(crawlers) != 1 || crawlers[0].Credits != shoal.CreditsOf(5) || crawlers[0].Runs != 2 || crawlers[0].Results != 3 {
			t.Fatalf("by crawler: %+v, %v", crawlers, err)
		}
		cost, err := e.Store.RunsUsage(t.Context(), e.Workspace, []shoal.Run{run})
		if u := cost[run.ID]; err != nil || u.Credits != shoal.CreditsOf(4) || len(u.Functions) != 1 || u.Functions[0].Attempts != 2 {
			t.Fatalf("of the run: %+v, %v", cost, err)
		}
		if tomorrow, err := e.Store.SquidUsage(t.Context(), e.Workspace, today.AddDate(0, 0, 1)); err != nil || len(tomorrow) != 0 {
			t.Errorf("tomorrow: %+v, %v", tomorrow, err)
		}
		if err := e.Store.DeleteSquid(t.Context(), e.Workspace, dear); err != nil {
			t.Fatal(err)
		}
		c.ahead.Add(int64(29 * 24 * time.Hour))
		if squids, err = e.Store.SquidUsage(t.Context(), e.Workspace, today); err != nil || len(squids) != 2 || !squids[0].IsDeleted || squids[1].IsDeleted {
			t.Errorf("29 days after it was deleted: %+v, %v", squids, err)
		}
		c.ahead.Add(int64(2 * 24 * time.Hour))
		if squids, err := e.Store.SquidUsage(t.Context(), e.Workspace, today); err != nil || len(squids) != 1 || squids[0].ID != string(cheap) {
			t.Errorf("31 days after: %+v, %v", squids, err)
		}
		if crawlers, err := e.Store.CrawlerUsage(t.Context(), e.Workspace, today); err != nil || crawlers[0].Credits != shoal.CreditsOf(5) {
			t.Errorf("what was spent stays spent: %+v, %v", crawlers, err)
		}
	})
}
