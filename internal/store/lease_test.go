package store_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"shoal"
	"shoal/internal/store"
	"shoal/internal/store/storetest"
)

// A slot has one holder; the next one's token is greater, and what the former
// one left is the next one's work.
func TestLeaseFencing(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e *storetest.Env) {
		ctx := t.Context()
		run := e.Run(t, e.Squid(t, 3), shoal.RunSettings{})
		old := e.Lease(t, run.ID, 0)
		if _, err := e.Store.AcquireLease(ctx, run.ID, 0, "other", time.Minute); !errors.Is(err, shoal.ErrLeaseHeld) {
			t.Fatalf("acquire a held slot: %v, want ErrLeaseHeld", err)
		}
		first := e.Claim(t, old, 1)
		p := storetest.Page(old, first[0], storetest.Row("a"))
		p.Found = []shoal.Request{storetest.Found("https://site.test/x")}
		e.Commit(t, p)
		held := e.Claim(t, old, 2)
		if len(held) != 2 || held[0].First || !held[1].First {
			t.Fatalf("claimed %+v, want the found request before a new task", held)
		}
		if err := e.Store.Reconcile(ctx, true); err != nil {
			t.Fatal(err)
		}
		if _, err := e.Store.CommitPage(ctx, storetest.Page(old, held[0], storetest.Row("late"))); !errors.Is(err, shoal.ErrFenced) {
			t.Fatalf("commit after the lease ended: %v, want ErrFenced", err)
		}
		l, err := e.Store.AcquireLease(ctx, run.ID, 0, "other", time.Minute)
		if err != nil || l.Token <= old.Token {
			t.Fatalf("next lease %+v, %v; want a token above %d", l, err, old.Token)
		}
		if _, err := e.Store.CommitPage(ctx, storetest.Page(old, held[0], storetest.Row("late"))); !errors.Is(err, shoal.ErrFenced) {
			t.Fatalf("commit with the old token: %v, want ErrFenced", err)
		}
		if _, err := e.Store.Claim(ctx, old, 1); !errors.Is(err, shoal.ErrFenced) {
			t.Fatalf("claim with the old token: %v, want ErrFenced", err)
		}
		again := e.Claim(t, l, 10)
		if len(again) != 3 || again[0].Request.Seq != held[0].Request.Seq || again[1].TaskSeq != held[1].TaskSeq {
			t.Fatalf("claimed %+v, want the returned work first", again)
		}
		for _, w := range again {
			e.Commit(t, storetest.Page(l, w, storetest.Row("b")))
		}
		got, _ := e.Store.RunByID(ctx, run.ID)
		if got.TasksDone != 3 || got.UniqueResults != 2 {
			t.Errorf("%d tasks done with %d results, want 3 with 2", got.TasksDone, got.UniqueResults)
		}
		storetest.Check(t, e, run.ID)
	})
}

// Leases are renewed together, and one that has expired stays lost.
func TestLeaseExpiry(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e *storetest.Env) {
		ctx := t.Context()
		run := e.Run(t, e.Squid(t, 2), shoal.RunSettings{Concurrency: 2})
		l, err := e.Store.AcquireLease(ctx, run.ID, 0, "worker", time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		if n, err := e.Store.RenewLeases(ctx, "worker", time.Minute); n != 1 || err != nil {
			t.Fatalf("renewed %d, %v; want 1", n, err)
		}
		w := e.Claim(t, l, 1)[0]
		if n, err := e.Store.RenewLeases(ctx, "worker", -time.Second); n != 1 || err != nil {
			t.Fatalf("renewed %d, %v; want 1", n, err)
		}
		if n, err := e.Store.RenewLeases(ctx, "worker", time.Minute); n != 0 || err != nil {
			t.Fatalf("renewed %d expired leases, %v; want none", n, err)
		}
		if _, err := e.Store.CommitPage(ctx, storetest.Page(l, w)); !errors.Is(err, shoal.ErrFenced) {
			t.Fatalf("commit with an expired lease: %v, want ErrFenced", err)
		}
		if err := e.Store.Reconcile(ctx, false); err != nil {
			t.Fatal(err)
		}
		next := e.Lease(t, run.ID, 1)
		if work := e.Claim(t, next, 10); len(work) != 2 {
			t.Fatalf("claimed %d requests, want both", len(work))
		}
		if err := e.Store.ReleaseLease(ctx, next); err != nil {
			t.Fatal(err)
		}
		if err := e.Store.ReleaseLease(ctx, next); err != nil {
			t.Fatalf("release twice: %v", err)
		}
		if work := e.Claim(t, e.Lease(t, run.ID, 0), 10); len(work) != 2 {
			t.Fatalf("claimed %d requests, want the released ones", len(work))
		}
		storetest.Check(t, e, run.ID)
	})
}

// Each request is worked by one slot and counted once, however many commit at once.
func TestConcurrentCommits(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e *storetest.Env) {
		const tasks, slots = 60, 6
		squid := e.Squid(t, tasks)
		run := e.Run(t, squid, shoal.RunSettings{Concurrency: slots, CreditsPerRow: shoal.CreditsOf(1)})
		var wg sync.WaitGroup
		for slot := range slots {
			l := e.Lease(t, run.ID, slot)
			wg.Go(func() { work(t, e, l, 3) })
		}
		wg.Wait()
		got, err := e.Store.RunByID(t.Context(), run.ID)
		if err != nil {
			t.Fatal(err)
		}
		// Every task: its own page and two found ones, each with a row of its own
		// and one that all share.
		if got.TasksDone != tasks || got.TotalRequests != tasks*3 || got.UniqueResults != tasks*3+1 || got.TotalResults != tasks*6 {
			t.Errorf("done %d, requests %d, unique %d, total %d", got.TasksDone, got.TotalRequests, got.UniqueResults, got.TotalResults)
		}
		if n := e.Int(t, `SELECT count(*) FROM result_links WHERE run_pk = $1`, run.PK); n != tasks-1 {
			t.Errorf("%d links, want one for each task but the owner", n)
		}
		if n := e.Int(t, `SELECT count(*) FROM river_job WHERE kind = 'finish'`); n != 1 {
			t.Errorf("%d finish jobs, want 1", n)
		}
		storetest.Check(t, e, run.ID)
	})
}

// work commits everything that can be claimed; each task's first page finds two more.
func work(t *testing.T, e *storetest.Env, l shoal.Lease, batch int) {
	for {
		claimed, err := e.Store.Claim(t.Context(), l, batch)
		if err != nil {
			t.Error(err)
			return
		}
		if len(claimed) == 0 {
			return
		}
		var wg sync.WaitGroup
		for _, w := range claimed {
			wg.Go(func() {
				name := w.Request.URL + string(w.TaskID)
				p := storetest.Page(l, w, storetest.Row(name), storetest.Row("shared"))
				if w.First {
					p.Found = []shoal.Request{storetest.Found(name + "/1"), storetest.Found(name + "/2")}
				}
				if _, err := e.Store.CommitPage(context.WithoutCancel(t.Context()), p); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	}
}

// The files of a killed process hold every page that was answered, whole, and
// the run goes on from there.
func TestKilledProcess(t *testing.T) {
	e := storetest.SQLite(t)
	run := e.Run(t, e.Squid(t, 20), shoal.RunSettings{Concurrency: 2})
	l := e.Lease(t, run.ID, 0)
	answered := 0
	for _, w := range e.Claim(t, l, 10) {
		p := storetest.Page(l, w, storetest.Row(string(w.TaskID)))
		p.Found = []shoal.Request{storetest.Found(string(w.TaskID))}
		e.Commit(t, p)
		answered++
	}
	e.Claim(t, l, 5) // in flight when the process dies
	dead := t.TempDir()
	for _, name := range []string{"shoal.db", "shoal.db-wal"} {
		data, err := os.ReadFile(filepath.Join(e.Options.DataDir, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dead, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	e.Close(t)
	e.Options = store.Options{DataDir: dead, Logger: e.Options.Logger}
	e.Reopen(t)
	got, err := e.Store.RunByID(t.Context(), run.ID)
	if err != nil || got.TotalRequests != int64(answered) {
		t.Fatalf("%d requests after the kill, %v; want the %d answered", got.TotalRequests, err, answered)
	}
	storetest.Check(t, e, run.ID)
	if err := e.Store.Reconcile(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	work(t, e, e.Lease(t, run.ID, 0), 4)
	got, _ = e.Store.RunByID(t.Context(), run.ID)
	if got.TasksDone != 20 {
		t.Errorf("%d tasks done, want all 20", got.TasksDone)
	}
	storetest.Check(t, e, run.ID)
	if n := e.Int(t, `SELECT count(*) FROM pragma_integrity_check WHERE integrity_check = 'ok'`); n != 1 {
		t.Error("the database is not intact")
	}
}

// A running run without workers gets its slots back, one that is over its finish job.
func TestReconcileSupplies(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e *storetest.Env) {
		ctx := t.Context()
		run := e.Run(t, e.Squid(t, 2), shoal.RunSettings{Concurrency: 3})
		slots := func() int64 { return e.Int(t, `SELECT count(*) FROM river_job WHERE kind = 'slot'`) }
		if slots() != 3 {
			t.Fatalf("%d slot jobs at the start, want 3", slots())
		}
		e.Lease(t, run.ID, 0)
		if err := e.Store.Reconcile(ctx, false); err != nil || slots() != 3 {
			t.Fatalf("%d slot jobs, %v; want no more while they are queued", slots(), err)
		}
		if err := e.Store.Reconcile(ctx, true); err != nil || slots() != 4 {
			t.Fatalf("%d slot jobs, %v; want one more for the ended lease", slots(), err)
		}
		l := e.Lease(t, run.ID, 0)
		for _, w := range e.Claim(t, l, 2) {
			e.Commit(t, storetest.Page(l, w))
		}
		finish := func() int64 { return e.Int(t, `SELECT count(*) FROM river_job WHERE kind = 'finish'`) }
		e.Exec(t, `DELETE FROM river_job WHERE kind = 'finish'`)
		if err := e.Store.Reconcile(ctx, false); err != nil || finish() != 0 {
			t.Fatalf("%d finish jobs, %v; want none so soon", finish(), err)
		}
		e.Exec(t, `UPDATE leases SET queued_at = 1 WHERE slot = -1`)
		if err := e.Store.Reconcile(ctx, false); err != nil || finish() != 1 {
			t.Fatalf("%d finish jobs, %v; want the lost one again", finish(), err)
		}
	})
}
