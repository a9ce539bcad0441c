package runs_test

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"shoal"
	"shoal/internal/runs"
	"shoal/internal/store/storetest"
)

func TestPauseAndResume(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.work(runs.Config{})
		g := newGate()
		defer g.open()
		site := tree(t, 100, func(rw http.ResponseWriter, r *http.Request) bool { return r.URL.Path != "/20" || g.wait(rw, r) })
		run := w.start(w.squid(4, nil, site.URL+"/0"))
		<-g.came
		r, err := w.svc.Pause(t.Context(), w.Workspace, run.ID, "user")
		if err != nil || r.Status != shoal.RunPaused || r.DoneReason != shoal.ReasonNone || !r.WakeAt.IsZero() {
			t.Fatalf("pause gives %s/%q waking at %v, %v", r.Status, r.DoneReason, r.WakeAt, err)
		}
		if _, err := w.svc.Pause(t.Context(), w.Workspace, run.ID, "user"); shoal.KindOf(err) != shoal.KindConflict {
			t.Errorf("a second pause gives %v", err)
		}
		// The page in flight still counts.
		before := r.TotalRequests
		g.open()
		w.await(run.ID, "through with its page in flight", func(r *shoal.Run) bool { return r.TotalRequests > before })
		if r, err = w.svc.Resume(t.Context(), w.Workspace, run.ID, "user"); err != nil || r.Status != shoal.RunRunning {
			t.Fatalf("resume gives %s, %v", r.Status, err)
		}
		r = w.awaitStatus(run.ID, shoal.RunDone)
		if r.UniqueResults != 100 || r.TotalRequests != 100 {
			t.Errorf("%d results of %d pages", r.UniqueResults, r.TotalRequests)
		}
		storetest.Check(t, w.Env, r.ID)
	})
}

func TestTooManyRequestsPausesAndWakes(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.work(runs.Config{})
		var calm atomic.Bool
		site := tree(t, 40, func(rw http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path != "/11" || calm.Load() {
				return true
			}
			rw.WriteHeader(http.StatusTooManyRequests)
			return false
		})
		run := w.start(w.squid(2, nil, site.URL+"/0"))
		r := w.awaitStatus(run.ID, shoal.RunPaused)
		if wait := r.WakeAt.Sub(r.PausedAt); r.DoneReason != shoal.ReasonTooManyRequests || wait != 15*time.Minute {
			t.Fatalf("%s waking after %v: %s", r.DoneReason, wait, r.DoneReasonDesc)
		}
		calm.Store(true)
		w.clock.advance(time.Hour)
		r = w.awaitStatus(run.ID, shoal.RunDone)
		if r.UniqueResults != 40 || r.FailedRequests != 0 {
			t.Errorf("%d results, %d failed requests", r.UniqueResults, r.FailedRequests)
		}
		if d := r.Duration(w.clock.now()); d > 30*time.Minute {
			t.Errorf("duration %v: the pause counts", d)
		}
		storetest.Check(t, w.Env, run.ID)
	})
}

func TestRequestFailedIsTriedAgain(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.work(runs.Config{})
		var mended atomic.Bool
		site := tree(t, 1, func(rw http.ResponseWriter, r *http.Request) bool {
			if mended.Load() || r.URL.RawQuery == "" {
				return true
			}
			http.Redirect(rw, r, r.URL.Path+"?"+r.URL.RawQuery+"x", http.StatusFound)
			return false
		})
		run := w.start(w.squid(1, nil, site.URL+"/0", site.URL+"/0?a", site.URL+"/0?b"))
		r := w.awaitStatus(run.ID, shoal.RunPaused)
		if r.DoneReason != shoal.ReasonRequestFailed || !strings.Contains(r.DoneReasonDesc, "of 3 tasks failed") || r.WakeAt.Sub(r.PausedAt) != 6*time.Hour {
			t.Fatalf("%s waking after %v: %s", r.DoneReason, r.WakeAt.Sub(r.PausedAt), r.DoneReasonDesc)
		}
		mended.Store(true)
		// A request that was under way when the run paused may fail after the
		// resume, which pauses the run once more.
		for range 2 {
			if _, err := w.svc.Resume(t.Context(), w.Workspace, run.ID, "user"); err != nil {
				t.Fatal(err)
			}
			if r = w.awaitStatus(run.ID, shoal.RunDone, shoal.RunPaused); r.Status == shoal.RunDone {
				break
			}
		}
		if r.Status != shoal.RunDone || r.UniqueResults != 3 || r.TasksFailed != 0 {
			t.Errorf("%d results, %d failed tasks", r.UniqueResults, r.TasksFailed)
		}
		storetest.Check(t, w.Env, run.ID)
	})
}

func TestLowDiskPausesAndRoomWakes(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.work(runs.Config{MinFree: 1 << 60, StopDrain: 50 * time.Millisecond})
		g := newGate()
		site := tree(t, 20, func(rw http.ResponseWriter, r *http.Request) bool { return r.URL.Path != "/3" || g.wait(rw, r) })
		run := w.start(w.squid(1, nil, site.URL+"/0"))
		r := w.awaitStatus(run.ID, shoal.RunPaused)
		if r.DoneReason != shoal.ReasonStorageFull || !strings.Contains(r.DoneReasonDesc, "free") {
			t.Fatalf("%s %q", r.DoneReason, r.DoneReasonDesc)
		}
		g.open()
		w.stop()
		w.Reopen(t)
		w.work(runs.Config{MinFree: 1})
		r = w.awaitStatus(run.ID, shoal.RunDone)
		if r.UniqueResults != 20 {
			t.Errorf("%d results", r.UniqueResults)
		}
		storetest.Check(t, w.Env, run.ID)
	})
}

func TestStalledRunSaysWhy(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.work(runs.Config{Stall: 200 * time.Millisecond})
		g := newGate()
		defer g.open()
		site := tree(t, 4, func(rw http.ResponseWriter, r *http.Request) bool { return r.URL.Path == "/0" || g.wait(rw, r) })
		run := w.start(w.squid(1, nil, site.URL+"/0"))
		host := strings.TrimPrefix(site.URL, "http://")
		r := w.await(run.ID, "saying what it waits for", func(r *shoal.Run) bool { return strings.Contains(r.DoneReasonDesc, host) })
		if r.Status != shoal.RunRunning {
			t.Errorf("it is %s", r.Status)
		}
		g.open()
		r = w.awaitStatus(run.ID, shoal.RunDone)
		log, err := w.Store.RunLog(t.Context(), w.Workspace, run.ID, shoal.Window{Page: 1, Limit: 50})
		if err != nil {
			t.Fatal(err)
		}
		notes := 0
		for _, e := range log.Items {
			if e.Kind == shoal.EventNote && strings.Contains(string(e.Payload), "No page since") {
				notes++
			}
		}
		if notes == 0 || strings.Contains(r.DoneReasonDesc, host) {
			t.Errorf("%d notes; at the end it says %q", notes, r.DoneReasonDesc)
		}
	})
}

func TestPausedTooLongEnds(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.work(runs.Config{Reconcile: 50 * time.Millisecond})
		g := newGate()
		site := tree(t, 9, func(rw http.ResponseWriter, r *http.Request) bool { return r.URL.Path == "/0" || g.wait(rw, r) })
		run := w.start(w.squid(1, nil, site.URL+"/0"))
		<-g.came
		if _, err := w.svc.Pause(t.Context(), w.Workspace, run.ID, "user"); err != nil {
			t.Fatal(err)
		}
		g.open()
		w.clock.advance(8 * 24 * time.Hour)
		r := w.awaitStatus(run.ID, shoal.RunError)
		if r.DoneReason != shoal.ReasonNone || !r.ExportDone || !strings.Contains(r.DoneReasonDesc, "7 days") {
			t.Errorf("%q %q, exported %v", r.DoneReason, r.DoneReasonDesc, r.ExportDone)
		}
	})
}
