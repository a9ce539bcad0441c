package fetch_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"syscall"
	"testing"

	"shoal/internal/fetch"
)

// page is what the benchmarks' server sends: the size of a common page.
var page = append([]byte("<!doctype html><title>page</title>"), bytes.Repeat([]byte("<p>All work and no play makes a shoal.</p>\n"), 500)...)

func benchServer(b *testing.B) *httptest.Server {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Write(page)
	}))
	b.Cleanup(s.Close)
	return s
}

// reportCPU adds the process's CPU time for one page, the server's included:
// both benchmarks pay the same for it.
func reportCPU(b *testing.B, run func()) {
	before := cpu(b)
	run()
	b.ReportMetric(float64(cpu(b)-before)/float64(b.N), "cpu-ns/op")
}

func cpu(b *testing.B) int64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return u.Utime.Nano() + u.Stime.Nano()
}

// BenchmarkDo is a page through Do without pace or robots.txt; compare with
// BenchmarkClient.
func BenchmarkDo(b *testing.B) {
	s := benchServer(b)
	f := newFetcher(b, fetch.Options{})
	req, policy := fetch.Request{URL: s.URL}, fetch.Policy{}
	b.ReportAllocs()
	reportCPU(b, func() {
		for b.Loop() {
			resp, err := f.Do(b.Context(), req, policy)
			if err != nil || len(resp.Body) != len(page) {
				b.Fatal(resp, err)
			}
			resp.Release()
		}
	})
}

// BenchmarkDoPolite is the same with robots.txt and a bound per host.
func BenchmarkDoPolite(b *testing.B) {
	s := benchServer(b)
	f := newFetcher(b, fetch.Options{})
	req, policy := fetch.Request{URL: s.URL}, fetch.DefaultPolicy()
	b.ReportAllocs()
	reportCPU(b, func() {
		for b.Loop() {
			resp, err := f.Do(b.Context(), req, policy)
			if err != nil || len(resp.Body) != len(page) {
				b.Fatal(resp, err)
			}
			resp.Release()
		}
	})
}

// BenchmarkDoPoliteMany is the same for sixteen slots at one host, each of which
// asks for the next page at once: the pace must not be what bounds them.
func BenchmarkDoPoliteMany(b *testing.B) {
	s := benchServer(b)
	f := newFetcher(b, fetch.Options{})
	req, policy := fetch.Request{URL: s.URL}, fetch.DefaultPolicy()
	policy.HostConcurrency = 16
	b.ReportAllocs()
	b.SetParallelism(max(1, 16/runtime.GOMAXPROCS(0)))
	reportCPU(b, func() {
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				resp, err := f.Do(b.Context(), req, policy)
				if err != nil || len(resp.Body) != len(page) {
					b.Error(resp, err)
					return
				}
				resp.Release()
			}
		})
	})
}

// BenchmarkClient is the floor: net/http as one would use it by hand.
func BenchmarkClient(b *testing.B) {
	s := benchServer(b)
	b.ReportAllocs()
	reportCPU(b, func() {
		for b.Loop() {
			req, err := http.NewRequestWithContext(b.Context(), "GET", s.URL, nil)
			if err != nil {
				b.Fatal(err)
			}
			res, err := s.Client().Do(req)
			if err != nil {
				b.Fatal(err)
			}
			body, err := io.ReadAll(res.Body)
			res.Body.Close()
			if err != nil || len(body) != len(page) {
				b.Fatal(len(body), err)
			}
		}
	})
}
