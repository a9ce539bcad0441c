package export_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"shoal"
	"shoal/internal/export"
)

// peakEnv makes a process of this test binary write one file and say what
// memory that took: "csv 10000".
const peakEnv = "SHOAL_EXPORT_PEAK"

func TestMain(m *testing.M) {
	if job := os.Getenv(peakEnv); job != "" {
		if err := writeForPeak(job); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

func writeForPeak(job string) error {
	var f shoal.Format
	var n int
	if _, err := fmt.Sscan(job, &f, &n); err != nil {
		return err
	}
	_, cols, _ := benchRows(1)
	rows := export.Read(context.Background(), &source{n: int64(n), make: benchRow}, shoal.ResultQuery{})
	if wrote, err := export.Write(context.Background(), io.Discard, f, cols, rows); err != nil || wrote != int64(n) {
		return fmt.Errorf("%d rows, %w", wrote, err)
	}
	status, err := os.ReadFile("/proc/self/status")
	fmt.Printf("%s", status)
	return err
}

// peakOf returns the peak resident memory, in kB, of a process that writes n
// rows of about 600 bytes.
func peakOf(tb testing.TB, f shoal.Format, n int) int {
	tb.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s %d", peakEnv, f, n))
	var errs strings.Builder
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		tb.Fatalf("%s of %d rows: %v\n%s", f, n, err, errs.String())
	}
	m := regexp.MustCompile(`VmHWM:\s+(\d+) kB`).FindSubmatch(out)
	if m == nil {
		tb.Fatalf("no peak in %s", out)
	}
	kb, err := strconv.Atoi(string(m[1]))
	if err != nil {
		tb.Fatal(err)
	}
	return kb
}

// mostGrowth is by how much more rows may raise the peak, in kB.
const mostGrowth = 20 << 10

// TestMemoryStaysFlat: ten times the rows take no more memory.
func TestMemoryStaysFlat(t *testing.T) {
	for _, f := range export.Formats {
		t.Run(string(f), func(t *testing.T) {
			few, many := peakOf(t, f, 10_000), peakOf(t, f, 100_000)
			if many-few > mostGrowth {
				t.Errorf("10,000 rows took %d kB at most, 100,000 took %d", few, many)
			}
		})
	}
}

// BenchmarkMemory compares the peak memory of a process that writes 10,000 rows
// with that of one that writes 1,000,000.
//
//	go test ./internal/export -run - -bench Memory -benchtime 1x
func BenchmarkMemory(b *testing.B) {
	for _, f := range export.Formats {
		b.Run(string(f), func(b *testing.B) {
			for b.Loop() {
				few, many := peakOf(b, f, 10_000), peakOf(b, f, 1_000_000)
				b.ReportMetric(float64(few)/1024, "MB-10k")
				b.ReportMetric(float64(many)/1024, "MB-1M")
				b.ReportMetric(float64(many-few)/1024, "MB-growth")
			}
		})
	}
}
