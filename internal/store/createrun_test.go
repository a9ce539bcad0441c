package store_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"shoal"
	"shoal/internal/store"
	"shoal/internal/store/storetest"
)

func newRun(e *storetest.Env, squid shoal.SquidID) shoal.NewRun {
	return shoal.NewRun{ID: shoal.NewID[shoal.RunID](), WorkspaceID: e.Workspace, SquidID: squid, Origin: shoal.OriginUser, Actor: "user",
		Version: shoal.CrawlerVersion{CrawlerID: storetest.CrawlerID, Slug: "website", Version: 1, Digest: "d1"}, Settings: shoal.RunSettings{Concurrency: 2}}
}

// Of many who start a squid at once one gets a run, and the others are told why not.
func TestCreateRunOnce(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e *storetest.Env) {
		squid := e.Squid(t, 2)
		errs := make([]error, 8)
		var wg sync.WaitGroup
		for i := range errs {
			wg.Go(func() { _, errs[i] = e.Store.CreateRun(t.Context(), newRun(e, squid)) })
		}
		wg.Wait()
		started := 0
		for _, err := range errs {
			switch {
			case err == nil:
				started++
			case shoal.CodeOf(err) != "RunInProgress":
				t.Errorf("%v, want RunInProgress", err)
			}
		}
		if started != 1 {
			t.Errorf("%d runs were started, want 1", started)
		}
		if _, err := e.Store.CreateRun(t.Context(), newRun(e, e.Squid(t, 0))); shoal.CodeOf(err) != "NoTasksPresent" {
			t.Errorf("a squid without tasks: %v, want NoTasksPresent", err)
		}
		if _, err := e.Store.CreateRun(t.Context(), newRun(e, shoal.NewID[shoal.SquidID]())); !errors.Is(err, shoal.ErrSquidNotFound) {
			t.Errorf("no squid: %v, want ErrSquidNotFound", err)
		}
	})
}

// A pending run starts by ChangeRun; its history says so, and lists find it.
func TestChangeRun(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e *storetest.Env) {
		ctx := t.Context()
		run, err := e.Store.CreateRun(ctx, newRun(e, e.Squid(t, 2)))
		if err != nil || run.Status != shoal.RunPending || run.TasksTotal != 2 || run.KnownRequests != 2 {
			t.Fatalf("%+v, %v", run, err)
		}
		refused := errors.New("refused")
		if _, err := e.Store.ChangeRun(ctx, run.ID, "user", func(r *shoal.Run, now time.Time) (shoal.Effects, error) {
			r.Status = shoal.RunError
			return 0, refused
		}); err != refused {
			t.Fatalf("%v, want the error of decide as it is", err)
		}
		wake := time.Now().Add(time.Hour)
		if _, err := e.Store.ChangeRun(ctx, run.ID, "user", func(r *shoal.Run, now time.Time) (shoal.Effects, error) {
			r.Status, r.DoneReason, r.WakeAt = shoal.RunPaused, shoal.ReasonTooManyRequests, wake
			return 0, nil
		}); err != nil {
			t.Fatal(err)
		}
		if runs, err := e.Store.RunsToWake(ctx, wake.Add(-time.Second), 10); err != nil || len(runs) != 0 {
			t.Errorf("%d runs to wake too early, %v", len(runs), err)
		}
		if runs, err := e.Store.RunsToWake(ctx, wake.Add(time.Second), 10); err != nil || len(runs) != 1 {
			t.Errorf("%d runs to wake, %v; want 1", len(runs), err)
		}
		if runs, err := e.Store.RunsIn(ctx, 10, shoal.RunRunning, shoal.RunPaused); err != nil || len(runs) != 1 || runs[0].ID != run.ID {
			t.Errorf("runs in paused: %+v, %v", runs, err)
		}
		if err := e.Store.AddNote(ctx, run.ID, "warning", "slow"); err != nil {
			t.Fatal(err)
		}
		events, err := e.Store.Events(ctx, e.Workspace, run.ID, 0, 10)
		if err != nil || len(events) != 3 || string(events[1].Payload) != `{"from":"pending","status":"paused","done_reason":"too_many_requests"}` {
			t.Errorf("events %+v, %v", events, err)
		}
		v, err := e.Store.CrawlerVersion(ctx, run.VersionPK)
		if err != nil || v.Slug != "website" || v.Digest != "d1" {
			t.Errorf("version %+v, %v", v, err)
		}
		storetest.Check(t, e, run.ID)
	})
}

// What is read from memory is what is stored, after every change.
func TestRunIsNeverStale(t *testing.T) {
	e := storetest.SQLite(t)
	ctx := t.Context()
	run := e.Run(t, e.Squid(t, 40), shoal.RunSettings{Concurrency: 4})
	other := store.New(e.DB, e.Jobs) // reads without the first one's memory
	same := func(what string) {
		t.Helper()
		got, err := e.Store.RunByID(ctx, run.ID)
		if err != nil {
			t.Fatal(err)
		}
		want, err := other.RunByID(ctx, run.ID)
		if err != nil {
			t.Fatal(err)
		}
		if got.TotalRequests != want.TotalRequests || got.EventSeq != want.EventSeq || got.Status != want.Status ||
			got.KnownRequests != want.KnownRequests || !got.LastProgressAt.Equal(want.LastProgressAt) || got.DoneReasonDesc != want.DoneReasonDesc {
			t.Fatalf("after %s memory has %+v, the database %+v", what, got, want)
		}
		other = store.New(e.DB, e.Jobs)
	}
	l := e.Lease(t, run.ID, 0)
	for _, w := range e.Claim(t, l, 10) {
		e.Commit(t, storetest.Page(l, w, storetest.Row("a")))
		same("a page")
	}
	if err := e.Store.AddNote(ctx, run.ID, "info", "hello"); err != nil {
		t.Fatal(err)
	}
	same("a note")
	if err := e.Store.SetRunMessage(ctx, run.ID, "waiting"); err != nil {
		t.Fatal(err)
	}
	same("a message")
	if _, err := e.Store.ChangeRun(ctx, run.ID, "user", func(r *shoal.Run, now time.Time) (shoal.Effects, error) {
		r.Status, r.Shared = shoal.RunPaused, true
		return shoal.EffectDropLeases, nil
	}); err != nil {
		t.Fatal(err)
	}
	same("a pause")
	if got, err := e.Store.SharedRun(ctx, run.ID); err != nil || got.ID != run.ID {
		t.Errorf("shared run: %+v, %v", got, err)
	}
	if _, err := e.Store.Run(ctx, shoal.NewID[shoal.WorkspaceID](), run.ID); !errors.Is(err, shoal.ErrRunNotFound) {
		t.Errorf("another workspace's run: %v, want ErrRunNotFound", err)
	}
}

// WaitRun returns on the change that it waits for, and on no other.
func TestWaitRun(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e *storetest.Env) {
		run := e.Run(t, e.Squid(t, 2), shoal.RunSettings{})
		l := e.Lease(t, run.ID, 0)
		w := e.Claim(t, l, 2)
		seen, _ := e.Store.RunByID(t.Context(), run.ID)
		progress, status := make(chan shoal.Run, 1), make(chan shoal.Run, 1)
		wait := func(ch chan shoal.Run, progress bool) {
			got, err := e.Store.WaitRun(t.Context(), run.ID, seen, progress)
			if err != nil {
				t.Error(err)
			}
			ch <- got
		}
		go wait(progress, true)
		go wait(status, false)
		e.Commit(t, storetest.Page(l, w[0], storetest.Row("a")))
		if got := <-progress; got.TotalRequests != 1 {
			t.Errorf("progress: %+v", got)
		}
		if _, err := e.Store.ChangeRun(t.Context(), run.ID, "user", func(r *shoal.Run, now time.Time) (shoal.Effects, error) {
			r.Status = shoal.RunPaused
			return shoal.EffectDropLeases, nil
		}); err != nil {
			t.Fatal(err)
		}
		if got := <-status; got.Status != shoal.RunPaused {
			t.Errorf("status: %+v", got)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := e.Store.WaitRun(ctx, run.ID, shoal.Run{Status: shoal.RunPaused}, false); !errors.Is(err, context.Canceled) {
			t.Errorf("wait with an ended context: %v", err)
		}
	})
}
