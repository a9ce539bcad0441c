package runs_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"shoal"
	"shoal/internal/jobs"
	"shoal/internal/runs"
)

const day = 24 * time.Hour

// results returns how many results a query finds, by the list's count and by
// reading its last page.
func (w *world) results(q shoal.ResultQuery) (total int64, last []shoal.Result) {
	w.t.Helper()
	q.Workspace = w.Workspace
	l, err := w.Store.Results(w.t.Context(), q, shoal.Window{Page: 1, Limit: 7})
	if err != nil {
		w.t.Fatal(err)
	}
	pages := max(1, int((l.Total+6)/7))
	end, err := w.Store.Results(w.t.Context(), q, shoal.Window{Page: pages, Limit: 7})
	if err != nil {
		w.t.Fatal(err)
	}
	if want := l.Total - int64(pages-1)*7; int64(len(end.Items)) != want {
		w.t.Errorf("the last page has %d of %d results", len(end.Items), want)
	}
	return l.Total, end.Items
}

// TestOldResultsAreRemoved: whole runs, the oldest first; what they counted
// stays, what is younger stays, and lists are right with gaps before and behind.
func TestOldResultsAreRemoved(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		w.work(runs.Config{Sweep: 20 * time.Millisecond})
		q := w.squid(1, nil, tree(t, 30, nil).URL+"/0")
		var all []shoal.Run
		for range 5 {
			all = append(all, w.awaitStatus(w.start(q).ID, shoal.RunDone))
			w.clock.advance(10 * day)
		}
		// Gaps on both sides of what is to go.
		for _, i := range []int{1, 3} {
			if err := w.Store.DeleteRun(ctx, w.Workspace, all[i].ID); err != nil {
				t.Fatal(err)
			}
		}
		if n, _ := w.results(shoal.ResultQuery{Squid: q}); n != 90 {
			t.Fatalf("%d results", n)
		}
		// Run 2 ended 30 days ago, run 4 ten.
		days := 25
		change := shoal.RetentionChange{ResultDays: &days, Squid: q}
		if due, err := w.Store.RetentionDue(ctx, change); err != nil || due.Runs != 2 || due.Results != 60 {
			t.Errorf("due: %+v, %v", due, err)
		}
		if err := w.Store.SetRetention(ctx, change); err != nil {
			t.Fatal(err)
		}
		gone := w.await(all[2].ID, "its results removed", func(r *shoal.Run) bool { return !r.ResultsRemovedAt.IsZero() })
		if gone.UniqueResults != 30 || gone.Status != shoal.RunDone || !gone.ExportDone {
			t.Errorf("what the run says: %+v", gone)
		}
		kept, _ := w.Store.Run(ctx, w.Workspace, all[4].ID)
		if !kept.ResultsRemovedAt.IsZero() {
			t.Error("the youngest run lost its results too")
		}
		n, last := w.results(shoal.ResultQuery{Squid: q})
		if n != 30 || len(last) == 0 || last[0].RunID != all[4].ID {
			t.Errorf("the squid has %d results", n)
		}
		for i, want := range map[int]int64{0: 0, 2: 0, 4: 30} {
			if n, _ := w.results(shoal.ResultQuery{Run: all[i].ID}); n != want {
				t.Errorf("run %d has %d results, want %d", i, n, want)
			}
		}
		w.gone(&gone)
		for more := true; more; {
			var err error
			if more, err = w.Store.Purge(ctx, jobs.PurgeArgs{Noun: "results", PK: gone.SquidPK}); err != nil {
				t.Fatal(err)
			}
		}
		if n := w.Int(t, `SELECT COUNT(*) FROM results WHERE run_pk IN (SELECT pk FROM runs WHERE results_removed_at > 0)`); n != 0 {
			t.Errorf("%d rows are still stored", n)
		}
		// The squid goes on.
		r := w.awaitStatus(w.start(q).ID, shoal.RunDone)
		if n, _ := w.results(shoal.ResultQuery{Squid: q}); n != 60 || r.UniqueResults != 30 {
			t.Errorf("after another run the squid has %d results", n)
		}
	})
}

// gone checks that nothing hands out the results of a run that lost them.
func (w *world) gone(r *shoal.Run) {
	w.t.Helper()
	file := filepath.Join(w.files, "runs", string(r.ID), "results.csv")
	for { // the sweep that hid the results removes the files next
		if _, err := os.Stat(file); errors.Is(err, os.ErrNotExist) {
			break
		}
	}
	form := shoal.ExportForm{Format: shoal.FormatJSONL}
	if _, err := w.svc.Want(w.t.Context(), r, form, false); !errors.Is(err, shoal.ErrResultsRemoved) {
		w.t.Errorf("a file is wanted: %v", err)
	}
	if _, err := w.svc.WriteExport(w.t.Context(), &strings.Builder{}, r, form); !errors.Is(err, shoal.ErrResultsRemoved) {
		w.t.Errorf("a stream is wanted: %v", err)
	}
	// Who began to read before gets an error and no end.
	before := *r
	before.ResultsRemovedAt = time.Time{}
	if _, err := w.svc.WriteExport(w.t.Context(), &strings.Builder{}, &before, form); !errors.Is(err, shoal.ErrResultsRemoved) {
		w.t.Errorf("a stream that had begun: %v", err)
	}
	log, err := w.Store.RunLog(w.t.Context(), w.Workspace, r.ID, shoal.Window{Page: 1, Limit: 1})
	if err != nil || len(log.Items) != 1 || !strings.Contains(string(log.Items[0].Payload), "keeps them for 25 days") {
		w.t.Errorf("its log: %+v, %v", log.Items, err)
	}
}

// TestActiveRunsKeepTheirResults: whatever the rule.
func TestActiveRunsKeepTheirResults(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.work(runs.Config{Sweep: 20 * time.Millisecond})
		g := newGate()
		defer g.open()
		run := w.start(w.squid(1, nil, tree(t, 5, g.wait).URL+"/0"))
		<-g.came
		w.clock.advance(400 * day)
		days := 1
		if err := w.Store.SetRetention(t.Context(), shoal.RetentionChange{ResultDays: &days}); err != nil {
			t.Fatal(err)
		}
		other := w.awaitStatus(w.start(w.squid(1, nil, tree(t, 3, nil).URL+"/0")).ID, shoal.RunDone)
		w.clock.advance(2 * day)
		w.await(other.ID, "its results removed", func(r *shoal.Run) bool { return !r.ResultsRemovedAt.IsZero() })
		if r, err := w.Store.Run(t.Context(), w.Workspace, run.ID); err != nil || !r.ResultsRemovedAt.IsZero() || r.Status != shoal.RunRunning {
			t.Errorf("the active run: %+v, %v", r, err)
		}
	})
}

// TestUnusedFilesAreThrownAway: and can be had again.
func TestUnusedFilesAreThrownAway(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		w.work(runs.Config{Sweep: 20 * time.Millisecond})
		q := w.squid(1, nil, tree(t, 3, nil).URL+"/0")
		old, used := w.awaitStatus(w.start(q).ID, shoal.RunDone), w.awaitStatus(w.start(q).ID, shoal.RunDone)
		w.clock.advance(10 * day)
		before, _, _ := w.read(used.ID, shoal.ExportForm{Format: shoal.FormatCSV})
		days := 7
		if due, err := w.Store.RetentionDue(ctx, shoal.RetentionChange{FileDays: &days}); err != nil || due.Files != 1 || due.Bytes == 0 || due.Runs != 0 {
			t.Errorf("due: %+v, %v", due, err)
		}
		if err := w.Store.SetRetention(ctx, shoal.RetentionChange{FileDays: &days}); err != nil {
			t.Fatal(err)
		}
		for {
			if all, err := w.Store.Exports(ctx, w.Workspace, old.ID); err != nil {
				t.Fatal(err)
			} else if len(all) == 0 {
				break
			}
		}
		if _, err := os.Stat(filepath.Join(w.files, "runs", string(old.ID), "results.csv")); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the file is still there: %v", err)
		}
		if _, _, stored := w.read(used.ID, shoal.ExportForm{Format: shoal.FormatCSV}); !stored {
			t.Error("the file that was used is gone")
		}
		again, _, stored := w.read(old.ID, shoal.ExportForm{Format: shoal.FormatCSV})
		if stored || strings.Count(again, "\n") != strings.Count(before, "\n") {
			t.Errorf("had again: stored %v, %d lines", stored, strings.Count(again, "\n"))
		}
		if e := w.want(&old, shoal.ExportForm{Format: shoal.FormatCSV}); e.State != shoal.ExportDone {
			t.Errorf("made again: %+v", e)
		}
	})
}
