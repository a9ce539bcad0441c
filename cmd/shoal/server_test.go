package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
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
)

// binary builds the command once for all tests that need a process to kill.
var binary = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "shoal-bin-")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "shoal")
	out, err := exec.Command("go", "build", "-o", path, ".").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return path, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if path, err := binary(); err == nil {
		os.RemoveAll(filepath.Dir(path))
	}
	os.Exit(code)
}

const testKey = "shoal_0123456789abcdef0123456789abcdef01234567"

// server is a `shoal serve` process that can be killed and started again.
type server struct {
	t    testing.TB
	addr string
	env  []string
	args []string
	cmd  *exec.Cmd
	log  *lockedBuffer
	// ended carries the process's end.
	ended chan error
}

// newServer describes a server on its own port and data directory; database
// "" means SQLite.
func newServer(t testing.TB, data, database string, args ...string) *server {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := listener.Addr().String()
	listener.Close()
	s := &server{t: t, addr: addr, log: &lockedBuffer{}}
	s.env = append(os.Environ(), "SHOAL_TOKEN="+testKey, "SHOAL_DATA="+data, "SHOAL_DATABASE="+database,
		"SHOAL_SECRET_KEY="+strings.Repeat("5a", 32))
	s.args = append([]string{"serve", "--addr", addr, "--allow-private-targets"}, args...)
	t.Cleanup(func() {
		s.kill()
		if t.Failed() {
			t.Logf("the server's log:\n%s", s.log.tail(8000))
		}
	})
	return s
}

// start starts the process and waits until it answers.
func (s *server) start() {
	s.t.Helper()
	path, err := binary()
	if err != nil {
		s.t.Fatal(err)
	}
	s.cmd = exec.Command(path, s.args...)
	s.cmd.Env = s.env
	stderr, err := s.cmd.StderrPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	ready := make(chan struct{})
	ended := make(chan error, 1)
	cmd := s.cmd
	go func() {
		lines := bufio.NewReader(stderr)
		for {
			line, err := lines.ReadString('\n')
			io.WriteString(s.log, line)
			if strings.Contains(line, "serves http://") {
				close(ready)
			}
			if err != nil {
				break
			}
		}
		ended <- cmd.Wait()
	}()
	s.ended = ended
	select {
	case <-ready:
	case err := <-ended:
		s.cmd = nil
		s.t.Fatalf("the server ended at its start: %v\n%s", err, s.log.tail(4000))
	case <-time.After(30 * time.Second):
		s.t.Fatalf("the server was not up within 30 s\n%s", s.log.tail(4000))
	}
}

// kill ends the process as a power cut would, and waits until it is gone.
func (s *server) kill() {
	if s.cmd == nil {
		return
	}
	s.cmd.Process.Signal(syscall.SIGKILL)
	<-s.ended
	s.cmd = nil
}

// terminate asks the process to stop and returns how long it took and its exit error.
func (s *server) terminate() (time.Duration, error) {
	began := time.Now()
	s.cmd.Process.Signal(syscall.SIGTERM)
	err := <-s.ended
	s.cmd = nil
	return time.Since(began), err
}

func (s *server) client() *client.Client {
	return client.New("http://"+s.addr, testKey, &http.Client{Timeout: time.Minute})
}

// begin makes a squid with one task and starts a run of it.
func (s *server) begin(crawler, url string, concurrency int) (run string) {
	s.t.Helper()
	run, _ = s.beginAt(crawler, url, concurrency)
	return run
}

// beginAt is begin, and tells when the start was asked for.
func (s *server) beginAt(crawler, url string, concurrency int) (run string, at time.Time) {
	s.t.Helper()
	ctx, api := s.t.Context(), s.client()
	squid, err := api.CreateSquid(ctx, crawler, "")
	if err != nil {
		s.t.Fatal(err)
	}
	if err := api.UpdateSquid(ctx, squid.ID, map[string]any{"concurrency": concurrency}); err != nil {
		s.t.Fatal(err)
	}
	if _, err := api.AddTasks(ctx, squid.ID, []map[string]any{{"url": url}}); err != nil {
		s.t.Fatal(err)
	}
	at = time.Now()
	r, err := api.StartRun(ctx, squid.ID)
	if err != nil {
		s.t.Fatal(err)
	}
	return r.ID, at
}

// await waits until the run's state satisfies ok.
func (s *server) await(run string, within time.Duration, ok func(*client.Run) bool) *client.Run {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), within)
	defer cancel()
	var last *client.Run
	for {
		r, err := s.client().WaitRun(ctx, run, time.Second)
		// 503 asks to come again: the database is away for a moment.
		if e, ok := errors.AsType[*client.Error](err); ok && e.Status == http.StatusServiceUnavailable {
			continue
		}
		if err != nil && ctx.Err() == nil {
			s.t.Fatal(err)
		}
		if err == nil {
			if last = r; ok(r) {
				return r
			}
		}
		if ctx.Err() != nil {
			s.t.Fatalf("not within %v; the run was last: %+v", within, last)
		}
	}
}

// site serves h on loopback for the test.
func site(t *testing.T, h http.Handler) string {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	return srv.URL
}

// lockedBuffer is a log that a goroutine writes and a test reads.
type lockedBuffer struct {
	mu sync.Mutex
	b  []byte
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.b = append(l.b, p...)
	return len(p), nil
}

func (l *lockedBuffer) tail(n int) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(l.b[max(0, len(l.b)-n):])
}

// exitCodeOf returns the exit code that a process's end carries.
func exitCodeOf(err error) int {
	if e, ok := errors.AsType[*exec.ExitError](err); ok {
		return e.ExitCode()
	}
	if err != nil {
		return -1
	}
	return 0
}
