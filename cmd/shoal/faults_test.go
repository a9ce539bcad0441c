package main

import (
	"context"
	"database/sql"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"shoal/client"
	"shoal/internal/fixtures"
	"shoal/internal/pgtest"
)

// TestHostileTargets runs a task against each kind of misbehaviour: every run
// ends or pauses for the reason that is true, and the server goes on.
func TestHostileTargets(t *testing.T) {
	t.Parallel()
	srv := newServer(t, t.TempDir(), "", "--crawlers", "testdata")
	srv.start()
	for _, c := range []struct {
		path, status, reason string
		desc                 string // part of done_reason_desc
	}{
		{"/hang", "error", "website_inaccessible", ""},
		{"/reset", "error", "website_inaccessible", ""},
		{"/drip", "error", "website_inaccessible", ""},
		{"/500", "error", "website_inaccessible", "500"},
		{"/liar-length", "paused", "request_failed", ""},
		{"/gzip-bomb", "paused", "request_failed", ""},
		{"/huge", "paused", "request_failed", ""},
		{"/redirect-forever", "paused", "request_failed", "redirect"},
		{"/429?after=3600", "paused", "too_many_requests", ""},
		{"/503", "paused", "too_many_requests", ""},
		{"/liar-charset", "done", "tasks_done", ""},
		{"/paginate-forever", "done", "tasks_done", ""},
		{"/flaky", "done", "tasks_done", ""},
	} {
		t.Run(strings.Trim(c.path, "/"), func(t *testing.T) {
			s := *srv
			s.t = t
			// Each on a host of its own: a Retry-After holds the whole host.
			id := s.begin("impatient", site(t, fixtures.Hostile())+c.path, 2)
			r := s.await(id, time.Minute, func(r *client.Run) bool { return r.IsDone || r.Status == "paused" })
			if r.Status != c.status || r.Reason() != c.reason {
				t.Errorf("ended as %s/%s (%s): want %s/%s", r.Status, r.Reason(), r.Desc(), c.status, c.reason)
			}
			if r.Desc() == "" && c.status != "done" || !strings.Contains(r.Desc(), c.desc) {
				t.Errorf("done_reason_desc = %q: want a sentence with %q", r.Desc(), c.desc)
			}
		})
	}
	if peak := peakMemory(t, srv.cmd.Process.Pid); peak > 400<<20 {
		t.Errorf("the server's memory peaked at %d MB", peak>>20)
	}
}

// peakMemory is the largest resident size that the process had.
func peakMemory(t testing.TB, pid int) (bytes int64) {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		var kb int64
		if _, err := fmt.Sscanf(line, "VmHWM: %d kB", &kb); err == nil {
			return kb << 10
		}
	}
	t.Fatal("no VmHWM in /proc status")
	return 0
}

// TestAbortWhileTheTargetHangs: abort means gone within 10 s, with the partial
// results exported.
func TestAbortWhileTheTargetHangs(t *testing.T) {
	t.Parallel()
	hanging := make(chan struct{}, 100)
	mux := http.NewServeMux()
	mux.HandleFunc("/{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, `<title>Start</title><a href="/hang/1">1</a><a href="/hang/2">2</a>`)
	})
	mux.HandleFunc("/hang/", func(_ http.ResponseWriter, r *http.Request) {
		hanging <- struct{}{}
		<-r.Context().Done()
	})
	srv := newServer(t, t.TempDir(), "")
	srv.start()
	id := srv.begin("website", site(t, mux)+"/", 4)
	<-hanging
	<-hanging
	began := time.Now()
	if r, err := srv.client().AbortRun(t.Context(), id); err != nil || r.Reason() != "aborted" {
		t.Fatalf("abort: %+v, %v", r, err)
	}
	r := srv.await(id, 10*time.Second, func(r *client.Run) bool { return r.IsDone })
	if r.Status != "aborted" || r.Reason() != "aborted" || !r.ExportDone || r.TotalUniqueResults != 1 {
		t.Errorf("ended as %s/%s with %d results, export %v", r.Status, r.Reason(), r.TotalUniqueResults, r.ExportDone)
	}
	t.Logf("gone after %v", time.Since(began).Round(time.Millisecond))
	if _, err := srv.client().AbortRun(t.Context(), id); !client.IsNotFound(err) {
		t.Errorf("a second abort: %v: want 404", err)
	}
}

// TestSIGTERM stops within 10 s in the middle of a run, and the run is
// finished by the next start without a row lost or doubled.
func TestSIGTERM(t *testing.T) {
	t.Parallel()
	paced := fixtures.Paced(200, 50*time.Millisecond)
	target := fixtures.Count(paced)
	srv := newServer(t, t.TempDir(), "", "--crawlers", "testdata")
	srv.start()
	id := srv.begin("paced", site(t, target)+"/", 4)
	<-target.Reached(50)
	took, err := srv.terminate()
	if took > 10*time.Second || exitCodeOf(err) != 0 {
		t.Errorf("the server took %v to stop and ended with %v", took, err)
	}
	srv.start()
	checkRun(t, srv, srv.await(id, time.Minute, func(r *client.Run) bool { return r.IsDone }), paced)
}

// TestSecondServerIsRefused: one process per data directory.
func TestSecondServerIsRefused(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	first := newServer(t, data, "")
	first.start()
	second := newServer(t, data, "")
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, second.args...)
	cmd.Env = second.env
	out, err := cmd.CombinedOutput()
	if exitCodeOf(err) != exitFailed || !strings.Contains(string(out), fmt.Sprint(first.cmd.Process.Pid)) {
		t.Errorf("the second server ended with %v and said %q: want exit code 1 and the first one's process id", err, out)
	}
	if _, err := first.client().Me(t.Context()); err != nil {
		t.Errorf("the first server: %v", err)
	}
}

// TestDiskFull: a run pauses before the disk is full, says so, and goes on by
// itself when there is room.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	data := smallDisk(t, 160)
	paced := fixtures.Paced(300, 50*time.Millisecond)
	target := fixtures.Count(paced)
	srv := newServer(t, data, "", "--crawlers", "testdata", "--min-free", "64")
	srv.start()
	id := srv.begin("paced", site(t, target)+"/", 4)
	<-target.Reached(40)
	filler := filepath.Join(data, "filler")
	if err := os.WriteFile(filler, make([]byte, 100<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	r := srv.await(id, 20*time.Second, func(r *client.Run) bool { return r.Status == "paused" })
	if r.Reason() != "storage_full" || r.Desc() == "" {
		t.Errorf("paused for %s (%s): want storage_full with a sentence", r.Reason(), r.Desc())
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	checkRun(t, srv, srv.await(id, time.Minute, func(r *client.Run) bool { return r.IsDone }), paced)
}

// smallDisk mounts a file system of the given size for the test.
func smallDisk(t *testing.T, megabytes int) string {
	t.Helper()
	dir := t.TempDir()
	out, err := exec.Command("mount", "-t", "tmpfs", "-o", fmt.Sprintf("size=%dm,mode=700", megabytes), "tmpfs", dir).CombinedOutput()
	if err != nil {
		t.Fatalf("this test mounts a small disk, which only root may do (sudo ./test): %v: %s", err, out)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("umount", "-l", dir).CombinedOutput(); err != nil {
			t.Errorf("umount: %v: %s", err, out)
		}
	})
	return dir
}

// TestTooManyRequestsGoesOn: 429 with a Retry-After beyond the retry budget
// pauses the run; when the time has come it goes on by itself.
func TestTooManyRequestsGoesOn(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var first time.Time
	asked := 0
	target := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		asked++
		if first.IsZero() {
			first = time.Now()
		}
		if time.Since(first) < 62*time.Second {
			w.Header().Set("Retry-After", "62")
			w.WriteHeader(http.StatusTooManyRequests)
			return
		}
		fmt.Fprint(w, "<title>Open again</title>")
	}))
	t.Cleanup(target.Close)
	srv := newServer(t, t.TempDir(), "", "--crawlers", "testdata")
	srv.start()
	id := srv.begin("impatient", target.URL+"/", 1)
	r := srv.await(id, 20*time.Second, func(r *client.Run) bool { return r.Status == "paused" })
	if r.Reason() != "too_many_requests" {
		t.Errorf("paused for %s (%s)", r.Reason(), r.Desc())
	}
	r = srv.await(id, 90*time.Second, func(r *client.Run) bool { return r.IsDone })
	if r.Status != "done" || r.TotalUniqueResults != 1 {
		t.Errorf("ended as %s/%s with %d results", r.Status, r.Reason(), r.TotalUniqueResults)
	}
	mu.Lock()
	defer mu.Unlock()
	if asked != 2 {
		t.Errorf("the target was asked %d times: want once before Retry-After and once after", asked)
	}
}

// TestExportFailsAndIsFixed: an export that cannot be written ends the run as
// export_failed; made again, the run returns to the outcome it had.
func TestExportFailsAndIsFixed(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	srv := newServer(t, data, "", "--crawlers", "testdata")
	srv.start()
	files := filepath.Join(data, "files", "runs")
	if err := os.WriteFile(files, []byte("a file where a directory should be"), 0o600); err != nil {
		t.Fatal(err)
	}
	id := srv.begin("paced", site(t, fixtures.Paced(5, 0))+"/", 1)
	r := srv.await(id, time.Minute, func(r *client.Run) bool { return r.IsDone })
	if r.Status != "error" || r.Reason() != "export_failed" || r.ExportDone || r.Desc() == "" {
		t.Fatalf("ended as %s/%s (%s), export %v", r.Status, r.Reason(), r.Desc(), r.ExportDone)
	}
	if err := os.Remove(files); err != nil {
		t.Fatal(err)
	}
	if _, err := srv.client().ExportRun(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	r = srv.await(id, time.Minute, func(r *client.Run) bool { return r.Status == "done" })
	if r.Reason() != "export_fix" || !r.ExportDone {
		t.Errorf("fixed as %s/%s, export %v", r.Status, r.Reason(), r.ExportDone)
	}
}

// TestPauseAndResume by a person: no request while paused, and a whole result.
func TestPauseAndResume(t *testing.T) {
	t.Parallel()
	paced := fixtures.Paced(150, 30*time.Millisecond)
	target := fixtures.Count(paced)
	srv := newServer(t, t.TempDir(), "", "--crawlers", "testdata")
	srv.start()
	id := srv.begin("paced", site(t, target)+"/", 4)
	<-target.Reached(30)
	r, err := srv.client().PauseRun(t.Context(), id)
	if err != nil || r.Status != "paused" || r.DoneReason != nil {
		t.Fatalf("pause: %+v, %v", r, err)
	}
	quiet(t, target)
	if _, err := srv.client().ResumeRun(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	checkRun(t, srv, srv.await(id, time.Minute, func(r *client.Run) bool { return r.IsDone }), paced)
}

// quiet waits until the target's requests are answered and sees that no new
// one comes for a second.
func quiet(t *testing.T, target *fixtures.Counter) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for target.Active() > 0 {
		select {
		case <-ctx.Done():
			t.Fatal("requests are still under way 10 s after the pause")
		case <-time.After(20 * time.Millisecond):
		}
	}
	select {
	case <-target.Reached(target.Total() + 1):
		t.Error("a paused run made a request")
	case <-time.After(time.Second):
	}
}

// TestFrozenWorker: two servers on one PostgreSQL, one of which is frozen past
// its leases and thawed when its work is long done by the other.
func TestFrozenWorker(t *testing.T) {
	t.Parallel()
	database := pgtest.Database(t)
	paced := fixtures.Paced(400, 100*time.Millisecond)
	target := fixtures.Count(paced)
	first := newServer(t, t.TempDir(), database, "--crawlers", "testdata")
	first.start()
	id := first.begin("paced", site(t, target)+"/", 4)
	<-target.Reached(40)
	second := newServer(t, t.TempDir(), database, "--crawlers", "testdata")
	second.start()
	if err := first.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	frozen := target.Total()
	// The leases of the frozen one run out after 20 s; then the other works.
	select {
	case <-target.Reached(frozen + 20):
	case <-time.After(45 * time.Second):
		t.Fatal("the second server did not take the work over within 45 s")
	}
	if err := first.cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	checkRun(t, second, second.await(id, 2*time.Minute, func(r *client.Run) bool { return r.IsDone }), paced)
}

// TestDatabaseConnectionsAreCut: PostgreSQL ends every connection of the
// server, several times in one run.
func TestDatabaseConnectionsAreCut(t *testing.T) {
	t.Parallel()
	database := pgtest.Database(t)
	paced := fixtures.Paced(300, 50*time.Millisecond)
	target := fixtures.Count(paced)
	srv := newServer(t, t.TempDir(), database, "--crawlers", "testdata")
	srv.start()
	id := srv.begin("paced", site(t, target)+"/", 4)
	admin, err := sql.Open("pgx", database)
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	for n := 30; n <= 150; n += 30 {
		<-target.Reached(n)
		const cut = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
			WHERE datname = current_database() AND pid <> pg_backend_pid()`
		if _, err := admin.ExecContext(t.Context(), cut); err != nil {
			t.Fatal(err)
		}
	}
	checkRun(t, srv, srv.await(id, 2*time.Minute, func(r *client.Run) bool { return r.IsDone }), paced)
}
