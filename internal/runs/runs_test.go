package runs_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"shoal"
	"shoal/internal/jobs"
	"shoal/internal/runs"
	"shoal/internal/store/storetest"
)

func TestRunCollectsASite(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.work(runs.Config{})
		site := tree(t, 200, nil)
		r := w.awaitStatus(w.start(w.squid(8, nil, site.URL+"/0")).ID, shoal.RunDone)
		if r.DoneReason != shoal.ReasonTasksDone || r.UniqueResults != 200 || r.TotalRequests != 200 || !r.ExportDone || r.ExportCount != 1 {
			t.Errorf("%s, %d results of %d pages, exported %v (%d)", r.DoneReason, r.UniqueResults, r.TotalRequests, r.ExportDone, r.ExportCount)
		}
		csv := w.csv(r.ID)
		if n := strings.Count(csv, "\n"); n != 201 || !strings.HasPrefix(csv, "url,title,") || !strings.Contains(csv, "page 199") {
			t.Errorf("the export has %d lines and begins %.80q", n, csv)
		}
		storetest.Check(t, w.Env, r.ID)
	})
}

func TestManyTasks(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.work(runs.Config{})
		site := tree(t, 1, nil)
		var urls []string
		for i := range 300 {
			urls = append(urls, fmt.Sprintf("%s/0?task=%d", site.URL, i))
		}
		r := w.awaitStatus(w.start(w.squid(8, nil, urls...)).ID, shoal.RunDone)
		if r.TasksDone != 300 || r.TasksFailed != 0 {
			t.Errorf("%d tasks done, %d failed", r.TasksDone, r.TasksFailed)
		}
		storetest.Check(t, w.Env, r.ID)
	})
}

func TestStartRefuses(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.work(runs.Config{})
		start := func(q shoal.SquidID) error {
			_, err := w.svc.Start(t.Context(), runs.StartRequest{Workspace: w.Workspace, Squid: q})
			return err
		}
		if err := start(w.squid(1, nil)); shoal.CodeOf(err) != "NoTasksPresent" {
			t.Errorf("no task: %v", err)
		}
		hanging := newGate()
		defer hanging.open()
		site := tree(t, 1, hanging.wait)
		q := w.squid(1, nil, site.URL+"/0")
		if err := start(q); err != nil {
			t.Fatal(err)
		}
		if err := start(q); shoal.CodeOf(err) != "RunInProgress" {
			t.Errorf("a run in progress: %v", err)
		}
		if err := start(shoal.NewID[shoal.SquidID]()); shoal.CodeOf(err) != shoal.ErrSquidNotFound.Code {
			t.Errorf("no such squid: %v", err)
		}
		off := w.squid(1, nil, site.URL+"/0")
		inactive := false
		if _, err := w.Store.UpdateSquid(t.Context(), w.Workspace, off, shoal.SquidPatch{IsActive: &inactive}); err != nil {
			t.Fatal(err)
		}
		if err := start(off); shoal.CodeOf(err) != "SquidNotReady" {
			t.Errorf("a squid that is off: %v", err)
		}
	})
}

// gate holds requests until it is opened, and says when the first came.
type gate struct {
	came, opened chan struct{}
	first, once  sync.Once
}

func newGate() *gate { return &gate{came: make(chan struct{}), opened: make(chan struct{})} }

func (g *gate) open() { g.once.Do(func() { close(g.opened) }) }

func (g *gate) wait(w http.ResponseWriter, r *http.Request) bool {
	g.first.Do(func() { close(g.came) })
	select {
	case <-g.opened:
		return true
	case <-r.Context().Done():
		return false
	}
}

func TestAbortWhileTheTargetHangs(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.work(runs.Config{})
		g := newGate()
		defer g.open()
		site := tree(t, 50, func(rw http.ResponseWriter, r *http.Request) bool { return r.URL.Path == "/0" || g.wait(rw, r) })
		run := w.start(w.squid(4, nil, site.URL+"/0"))
		<-g.came
		w.await(run.ID, "with a result", func(r *shoal.Run) bool { return r.UniqueResults == 1 })
		begin := time.Now()
		r, err := w.svc.Abort(t.Context(), w.Workspace, run.ID, "user")
		if err != nil || r.Status != shoal.RunUploading || r.DoneReason != shoal.ReasonAborted {
			t.Fatalf("abort gives %s/%s, %v", r.Status, r.DoneReason, err)
		}
		r = w.awaitStatus(run.ID, shoal.RunAborted)
		if took := time.Since(begin); took > 10*time.Second {
			t.Errorf("gone after %v", took)
		}
		if r.DoneReason != shoal.ReasonAborted || !r.ExportDone || strings.Count(w.csv(r.ID), "\n") != 2 {
			t.Errorf("%s, exported %v", r.DoneReason, r.ExportDone)
		}
		if _, err := w.svc.Abort(t.Context(), w.Workspace, run.ID, "user"); shoal.CodeOf(err) != shoal.ErrRunNotFound.Code {
			t.Errorf("a second abort gives %v", err)
		}
		storetest.Check(t, w.Env, r.ID)
	})
}

func TestOwnership(t *testing.T) {
	w := newWorld(t, "")
	w.work(runs.Config{})
	g := newGate()
	defer g.open()
	run := w.start(w.squid(1, nil, tree(t, 1, g.wait).URL+"/0"))
	other := shoal.NewID[shoal.WorkspaceID]()
	for name, verb := range map[string]func() (shoal.Run, error){
		"pause":  func() (shoal.Run, error) { return w.svc.Pause(t.Context(), other, run.ID, "user") },
		"resume": func() (shoal.Run, error) { return w.svc.Resume(t.Context(), other, run.ID, "user") },
		"abort":  func() (shoal.Run, error) { return w.svc.Abort(t.Context(), other, run.ID, "user") },
		"export": func() (shoal.Run, error) { return w.svc.Export(t.Context(), other, run.ID) },
		"share":  func() (shoal.Run, error) { return w.svc.Share(t.Context(), other, run.ID, true) },
	} {
		if _, err := verb(); shoal.CodeOf(err) != shoal.ErrRunNotFound.Code {
			t.Errorf("another workspace's %s gives %v", name, err)
		}
	}
	if r, err := w.svc.Share(t.Context(), w.Workspace, run.ID, true); err != nil || !r.Shared || r.Status != shoal.RunRunning {
		t.Errorf("share gives %v, %v", r.Shared, err)
	}
}

// A worker that stood still past its lease must not commit: another one took
// its work over.
func TestLateCommitIsRefused(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		slow := newGate()
		var stuck atomic.Bool
		site := tree(t, 60, func(rw http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path == "/5" && stuck.CompareAndSwap(false, true) {
				return slow.wait(rw, r)
			}
			return true
		})
		w.svc = w.service(runs.Config{LeaseTTL: 300 * time.Millisecond})
		run := w.start(w.squid(1, nil, site.URL+"/0"))
		args, _ := json.Marshal(jobs.SlotArgs{Run: string(run.ID), Slot: 0})
		ended := make(chan error, 1)
		late := w.svc // it renews no leases: its Run is not called
		go func() {
			_, err := late.Slot(context.WithoutCancel(t.Context()), args)
			ended <- err
		}()
		<-slow.came
		w.clock.advance(time.Second) // SQLite judges leases by this clock
		w.work(runs.Config{Reconcile: 100 * time.Millisecond})
		r := w.awaitStatus(run.ID, shoal.RunDone)
		slow.open()
		if err := <-ended; err != nil {
			t.Errorf("the late slot ends with %v", err)
		}
		after, err := w.Store.RunByID(t.Context(), run.ID)
		if err != nil || after.TotalRequests != r.TotalRequests || r.UniqueResults != 60 || r.TotalRequests != 60 {
			t.Errorf("%d results of %d pages, and %d after the late commit", r.UniqueResults, r.TotalRequests, after.TotalRequests)
		}
		storetest.Check(t, w.Env, run.ID)
	})
}

// A process that stops gives its work back; the next one goes on.
func TestStopAndGoOn(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.work(runs.Config{StopDrain: 100 * time.Millisecond})
		g := newGate()
		site := tree(t, 80, func(rw http.ResponseWriter, r *http.Request) bool { return r.URL.Path != "/30" || g.wait(rw, r) })
		run := w.start(w.squid(3, nil, site.URL+"/0"))
		<-g.came
		begin := time.Now()
		w.stop()
		if took := time.Since(begin); took > 10*time.Second {
			t.Errorf("stopped after %v", took)
		}
		g.open()
		w.Reopen(t)
		w.work(runs.Config{})
		r := w.awaitStatus(run.ID, shoal.RunDone)
		if r.UniqueResults != 80 {
			t.Errorf("%d results", r.UniqueResults)
		}
		storetest.Check(t, w.Env, run.ID)
	})
}

func TestUnreachableWebsite(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.work(runs.Config{})
		gone := httptest.NewServer(http.NotFoundHandler())
		gone.Close()
		var urls []string
		for i := range 5 {
			urls = append(urls, fmt.Sprintf("%s/%d", gone.URL, i))
		}
		r := w.awaitStatus(w.start(w.squid(2, nil, urls...)).ID, shoal.RunError)
		if r.DoneReason != shoal.ReasonWebsiteInaccessible || !r.ExportDone || !strings.Contains(r.DoneReasonDesc, "refused") {
			t.Errorf("%s %q, exported %v", r.DoneReason, r.DoneReasonDesc, r.ExportDone)
		}
		storetest.Check(t, w.Env, r.ID)
	})
}

func TestExportFailsAndIsFixed(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.work(runs.Config{})
		// A file stands where the directory of exports should be.
		if err := os.WriteFile(w.files+"/runs", nil, 0o600); err != nil {
			t.Fatal(err)
		}
		run := w.start(w.squid(1, nil, tree(t, 3, nil).URL+"/0"))
		r := w.awaitStatus(run.ID, shoal.RunError)
		if r.DoneReason != shoal.ReasonExportFailed || r.ExportDone || !strings.Contains(r.DoneReasonDesc, "not a directory") {
			t.Fatalf("%s %q, exported %v", r.DoneReason, r.DoneReasonDesc, r.ExportDone)
		}
		if err := os.Remove(w.files + "/runs"); err != nil {
			t.Fatal(err)
		}
		if _, err := w.svc.Export(t.Context(), w.Workspace, run.ID); err != nil {
			t.Fatal(err)
		}
		r = w.awaitStatus(run.ID, shoal.RunDone)
		if r.DoneReason != shoal.ReasonExportFix || !r.ExportDone || r.ExportCount != 1 || strings.Count(w.csv(run.ID), "\n") != 4 {
			t.Errorf("%s, exported %v (%d)", r.DoneReason, r.ExportDone, r.ExportCount)
		}
		// A run that is fine can be exported again, and stays what it is.
		r, err := w.svc.Export(t.Context(), w.Workspace, run.ID)
		if err != nil || r.ExportDone {
			t.Fatalf("exported %v, %v", r.ExportDone, err)
		}
		r = w.await(run.ID, "exported again", func(r *shoal.Run) bool { return r.ExportDone })
		if r.Status != shoal.RunDone || r.DoneReason != shoal.ReasonExportFix || r.ExportCount != 2 {
			t.Errorf("%s/%s, %d exports", r.Status, r.DoneReason, r.ExportCount)
		}
	})
}

func TestCapOnPagesHolds(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.work(runs.Config{})
		run := w.start(w.squid(4, map[string]any{"max_pages": 25}, tree(t, 500, nil).URL+"/0"))
		r := w.awaitStatus(run.ID, shoal.RunDone)
		if r.UniqueResults != 25 || r.TotalRequests != 25 {
			t.Errorf("%d results of %d pages, want 25", r.UniqueResults, r.TotalRequests)
		}
		storetest.Check(t, w.Env, run.ID)
	})
}

func TestCapsOfTheRun(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.work(runs.Config{Heartbeat: 50 * time.Millisecond})
		site := tree(t, 400, nil)
		r := w.startWith(w.squid(2, nil, site.URL+"/0"), func(s *shoal.RunSettings) { s.MaxBytes = 1000 })
		r = w.awaitStatus(r.ID, shoal.RunDone)
		if r.DoneReason != shoal.ReasonTasksDone || !strings.Contains(r.DoneReasonDesc, "1000 bytes") || r.BytesFetched < 1000 || r.BytesFetched > 3000 {
			t.Errorf("%s %q after %d bytes", r.DoneReason, r.DoneReasonDesc, r.BytesFetched)
		}
		storetest.Check(t, w.Env, r.ID)

		r = w.start(w.squid(2, map[string]any{"max_requests_per_run": 20}, site.URL+"/0", site.URL+"/1"))
		r = w.awaitStatus(r.ID, shoal.RunDone)
		if !strings.Contains(r.DoneReasonDesc, "cap of 20 requests") || r.TotalRequests != 20 {
			t.Errorf("%s %q after %d requests", r.DoneReason, r.DoneReasonDesc, r.TotalRequests)
		}
		storetest.Check(t, w.Env, r.ID)

		g := newGate()
		defer g.open()
		r = w.startWith(w.squid(2, nil, tree(t, 9, g.wait).URL+"/0"), func(s *shoal.RunSettings) { s.MaxDuration = time.Hour })
		<-g.came
		w.clock.advance(time.Hour)
		r = w.awaitStatus(r.ID, shoal.RunDone)
		if !strings.Contains(r.DoneReasonDesc, "cap of 1 hour") {
			t.Errorf("%s %q", r.DoneReason, r.DoneReasonDesc)
		}
	})
}

// An abort that another process took must end the requests of this one.
func TestAbortByAnotherProcess(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.work(runs.Config{Heartbeat: 50 * time.Millisecond})
		came, gone := make(chan struct{}), make(chan struct{})
		site := tree(t, 1, func(rw http.ResponseWriter, r *http.Request) bool {
			close(came)
			<-r.Context().Done()
			close(gone)
			return false
		})
		run := w.start(w.squid(1, nil, site.URL+"/0"))
		<-came
		if _, err := w.service(runs.Config{}).Abort(t.Context(), w.Workspace, run.ID, "user"); err != nil {
			t.Fatal(err)
		}
		select {
		case <-gone:
		case <-time.After(10 * time.Second):
			t.Error("the request goes on")
		}
		w.awaitStatus(run.ID, shoal.RunAborted)
		storetest.Check(t, w.Env, run.ID)
	})
}

// The export of a squid that wants only new results leaves out what a former
// run collected.
func TestExportUniqueResults(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.work(runs.Config{})
		var pages atomic.Int64
		pages.Store(3)
		site := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			for i := range pages.Load() {
				fmt.Fprintf(rw, "<html><a href=/%d>%d</a>", i, i)
			}
		}))
		defer site.Close()
		q := w.squid(1, nil, site.URL+"/0")
		on := true
		if _, err := w.Store.UpdateSquid(t.Context(), w.Workspace, q, shoal.SquidPatch{ExportUniqueResults: &on}); err != nil {
			t.Fatal(err)
		}
		r := w.awaitStatus(w.start(q).ID, shoal.RunDone)
		if n := strings.Count(w.csv(r.ID), "\n"); n != 4 {
			t.Errorf("the first export has %d lines", n)
		}
		pages.Store(5)
		r = w.awaitStatus(w.start(q).ID, shoal.RunDone)
		if n := strings.Count(w.csv(r.ID), "\n"); n != 3 || r.UniqueResults != 5 {
			t.Errorf("the second export has %d lines of %d results", n, r.UniqueResults)
		}
	})
}

// The answer to a lease may be lost on its way. The process holds a slot then
// that it knows nothing of, and renews it with the others: it must be able to
// take it again.
func TestLeaseWhoseAnswerWasLost(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.svc = w.service(runs.Config{})
		run := w.start(w.squid(1, nil, tree(t, 7, nil).URL+"/0"))
		lost, err := w.Store.AcquireLease(t.Context(), run.ID, 0, w.owner, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		if work, err := w.Store.Claim(t.Context(), lost, 1); err != nil || len(work) != 1 {
			t.Fatalf("claimed %d, %v", len(work), err)
		}
		slot, _ := json.Marshal(jobs.SlotArgs{Run: string(run.ID)})
		if outcome, err := w.svc.Slot(t.Context(), slot); err != nil || outcome != jobs.Done {
			t.Errorf("the slot ends with %v, %v", outcome, err)
		}
		finish, _ := json.Marshal(jobs.RunArgs{Run: string(run.ID)})
		for range 2 { // a finish job may be repeated
			if outcome, err := w.svc.Finish(t.Context(), finish); err != nil || outcome != jobs.Done {
				t.Errorf("the finish ends with %v, %v", outcome, err)
			}
		}
		r := w.awaitStatus(run.ID, shoal.RunDone)
		if r.UniqueResults != 7 || r.ExportCount != 1 {
			t.Errorf("%d results, %d exports", r.UniqueResults, r.ExportCount)
		}
		storetest.Check(t, w.Env, run.ID)
	})
}
