package dom

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/net/html"
)

// corpora are documentation sites that Debian packages, by what they are
// written with: the benchmarks' pages.
var corpora = map[string]string{
	"postgresql": "/usr/share/doc/postgresql-doc-*/html/*.html",
	"python":     "/usr/share/doc/python3.*-doc/html/library/*.html",
	"openjdk":    "/usr/share/doc/openjdk-*-doc/api/java.base/java/util/*.html",
}

func corpus(t testing.TB, name string) (pages [][]byte, size int64) {
	files, _ := filepath.Glob(corpora[name])
	for _, file := range files {
		page, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		pages, size = append(pages, page), size+int64(len(page))
	}
	if len(pages) == 0 {
		t.Fatalf("no pages at %s; install the Debian packages postgresql-doc, python3-doc and openjdk-17-doc", corpora[name])
	}
	return pages, size
}

func BenchmarkParse(b *testing.B) {
	for _, name := range []string{"postgresql", "python", "openjdk"} {
		pages, size := corpus(b, name)
		b.Run("dom/"+name, func(b *testing.B) {
			b.SetBytes(size)
			b.ReportAllocs()
			var d Document
			for _, page := range pages {
				d.Parse(page, Options{})
			}
			for b.Loop() {
				for _, page := range pages {
					if err := d.Parse(page, Options{}); err != nil {
						b.Fatal(err)
					}
				}
			}
		})
		b.Run("xnet/"+name, func(b *testing.B) {
			b.SetBytes(size)
			b.ReportAllocs()
			for b.Loop() {
				for _, page := range pages {
					if _, err := html.Parse(bytes.NewReader(page)); err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}
