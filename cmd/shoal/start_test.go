package main

import (
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"testing"
)

// TestPackagesStartLightly: what a package makes when it is initialized is paid
// at each start of the program, by each verb, and mostly stays alive. A pattern
// with large counted repetitions costs megabytes; what few need is made by
// sync.OnceValue.
func TestPackagesStartLightly(t *testing.T) {
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, "version")
	cmd.Env = append(os.Environ(), "GODEBUG=inittrace=1")
	trace, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, trace)
	}
	// "init shoal/internal/extract @9.2 ms, 0.34 ms clock, 139376 bytes, 936 allocs"
	inits := regexp.MustCompile(`(?m)^init (\S+) .* (\d+) bytes, \d+ allocs$`).FindAllSubmatch(trace, -1)
	if len(inits) < 50 {
		t.Fatalf("the trace has %d packages:\n%s", len(inits), trace)
	}
	total := 0
	for _, m := range inits {
		n, err := strconv.Atoi(string(m[2]))
		if err != nil {
			t.Fatal(err)
		}
		if total += n; n > 512<<10 {
			t.Errorf("the init of %s takes %d bytes, want 512 KiB at most", m[1], n)
		}
	}
	if total > 4<<20 {
		t.Errorf("all inits take %d bytes, want 4 MiB at most", total)
	}
}
