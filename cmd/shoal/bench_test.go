package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"shoal/client"
	"shoal/internal/fixtures"
)

// BenchmarkGo crawls the site whose first page is SHOAL_BENCH_URL, as
// `shoal go` does, so that a whole crawl can be profiled:
//
//	SHOAL_BENCH_URL=http://127.0.0.1:8000/index.html go test ./cmd/shoal -run - -bench Go$ -benchtime 1x -cpuprofile cpu.out
func BenchmarkGo(b *testing.B) {
	url := os.Getenv("SHOAL_BENCH_URL")
	if url == "" {
		b.Skip("SHOAL_BENCH_URL names no site")
	}
	definition, err := filepath.Abs("../../bench/docsite.yaml")
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		dir := b.TempDir()
		var out, errs strings.Builder
		code := run([]string{"go", definition, url, "-c", "16", "-q", "--allow-private-targets",
			"--data", dir, "-o", filepath.Join(dir, "out.jsonl")}, nil, &out, &errs)
		if code != 0 {
			b.Fatalf("exit code %d: %s", code, errs.String())
		}
	}
}

// BenchmarkFirstRequest is the time from POST /v1/runs to the run's first
// request at the target, through a server process.
//
//	go test ./cmd/shoal -run - -bench FirstRequest -benchtime 50x
func BenchmarkFirstRequest(b *testing.B) {
	arrived := make(chan time.Time, 1)
	target := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		arrived <- time.Now()
		fmt.Fprint(w, "<title>One page</title>")
	}))
	defer target.Close()
	srv := newServer(b, b.TempDir(), "", "--crawlers", "testdata")
	srv.start()
	var took []time.Duration
	for b.Loop() {
		id, began := srv.beginAt("impatient", target.URL+"/", 1)
		took = append(took, (<-arrived).Sub(began))
		srv.await(id, time.Minute, func(r *client.Run) bool { return r.IsDone })
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "ms-median")
	b.ReportMetric(float64(took[len(took)-1].Microseconds())/1000, "ms-max")
}

// BenchmarkIdle is what a server without work costs: its CPU over 20 s, and its
// resident memory.
//
//	go test ./cmd/shoal -run - -bench Idle -benchtime 1x
func BenchmarkIdle(b *testing.B) {
	srv := newServer(b, b.TempDir(), "")
	srv.start()
	for b.Loop() {
		before := cpuOf(b, srv.cmd.Process.Pid)
		time.Sleep(20 * time.Second)
		b.ReportMetric((cpuOf(b, srv.cmd.Process.Pid)-before).Seconds()/20*100, "%-of-a-core")
	}
	b.ReportMetric(float64(peakMemory(b, srv.cmd.Process.Pid)>>20), "MB-peak")
}

// cpuOf is the user and system time that a process has used.
func cpuOf(tb testing.TB, pid int) time.Duration {
	tb.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		tb.Fatal(err)
	}
	// The fields after the name, which may hold spaces; utime and stime are the
	// 14th and 15th of all, in ticks of 10 ms (proc(5)).
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+2:]))
	var ticks int64
	for _, f := range fields[11:13] {
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			tb.Fatal(err)
		}
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}

// BenchmarkFlat crawls sites of 1,000 and of 10,000 pages, each in a process of
// its own, and compares their peak memory.
//
//	go test ./cmd/shoal -run - -bench Flat -benchtime 1x
func BenchmarkFlat(b *testing.B) {
	path, err := binary()
	if err != nil {
		b.Fatal(err)
	}
	crawl := func(pages int) (peakMB float64) {
		target := httptest.NewServer(fixtures.Paced(pages, 0))
		defer target.Close()
		dir := b.TempDir()
		cmd := exec.Command(path, "go", "testdata/paced.yaml", target.URL+"/", "-c", "16", "-q", "--allow-private-targets",
			"--data", dir, "-o", filepath.Join(dir, "out.csv"))
		if out, err := cmd.CombinedOutput(); err != nil {
			b.Fatalf("%v\n%s", err, out)
		}
		return float64(cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss) / 1024
	}
	for b.Loop() {
		small, large := crawl(1000), crawl(10_000)
		b.ReportMetric(small, "MB-1000")
		b.ReportMetric(large, "MB-10000")
		b.ReportMetric(large/small, "ratio")
	}
}
