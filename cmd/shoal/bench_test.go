package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
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
