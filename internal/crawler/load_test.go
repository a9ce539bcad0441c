package crawler

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// library makes sixty definitions of those that there are.
func library(tb testing.TB) [][]byte {
	tb.Helper()
	paths, err := filepath.Glob("../../crawlers/*.yaml")
	if err != nil || len(paths) == 0 {
		tb.Fatalf("no definitions: %v", err)
	}
	var out [][]byte
	for i := range 60 {
		src, err := os.ReadFile(paths[i%len(paths)])
		if err != nil {
			tb.Fatal(err)
		}
		src = bytes.Replace(src, []byte("slug: "), fmt.Appendf(nil, "slug: n%d-", i), 1)
		out = append(out, src)
	}
	return out
}

// BenchmarkLoad compiles sixty definitions.
func BenchmarkLoad(b *testing.B) {
	defs := library(b)
	b.ReportAllocs()
	for b.Loop() {
		for i, src := range defs {
			if _, err := Compile(fmt.Sprint(i), src); err != nil {
				b.Fatal(err)
			}
		}
	}
}
