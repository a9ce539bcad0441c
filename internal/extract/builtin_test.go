package extract

import (
	"os"
	"path/filepath"
	"testing"

	"shoal"
	"shoal/internal/crawler"
)

// program compiles a definition of this repository.
func program(t testing.TB, path string) *crawler.Program {
	t.Helper()
	src, err := os.ReadFile(filepath.Join("..", "..", path))
	if err != nil {
		t.Fatal(err)
	}
	p, err := crawler.Compile(path, src)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// plan binds a program to params, with the named functions on.
func plan(t testing.TB, p *crawler.Program, params map[string]any, functions ...string) *Plan {
	t.Helper()
	on := map[string]any{}
	for _, f := range functions {
		on[f] = true
	}
	s, err := p.Settings(&shoal.Squid{Params: params, Functions: on, Concurrency: 1})
	if err != nil {
		t.Fatal(err)
	}
	pl, err := New(p, s)
	if err != nil {
		t.Fatal(err)
	}
	return pl
}

func TestBuiltinsCompile(t *testing.T) {
	for _, path := range []string{"crawlers/website.yaml", "crawlers/sitemap.yaml", "crawlers/bookshop.yaml", "bench/docsite.yaml"} {
		t.Run(path, func(t *testing.T) {
			plan(t, program(t, path), nil)
		})
	}
}
