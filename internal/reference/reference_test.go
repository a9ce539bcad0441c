package reference_test

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"shoal/crawlers"
	"shoal/docs"
	"shoal/internal/crawl"
	"shoal/internal/crawler"
	"shoal/internal/har"
	"shoal/internal/reference"
)

const remedy = "; run: go generate ./internal/crawler ./internal/reference"

func examples(t *testing.T) []reference.Example {
	t.Helper()
	all, err := reference.Examples(docs.Language)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestLanguageReferenceIsCommitted compares docs/language.md with what the types,
// their comments and the examples say now.
func TestLanguageReferenceIsCommitted(t *testing.T) {
	got, err := os.ReadFile("../../docs/language.md")
	if err != nil || string(got) != reference.Language(examples(t)) {
		t.Errorf("docs/language.md is out of date (%v)"+remedy, err)
	}
}

// TestPagesOfCrawlersAreCommitted compares docs/crawlers with the built-in definitions.
func TestPagesOfCrawlersAreCommitted(t *testing.T) {
	catalogue, err := crawler.NewCatalogue(crawlers.FS, "")
	if err != nil {
		t.Fatal(err)
	}
	known, err := catalogue.List()
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, k := range known {
		p, err := catalogue.Lookup(k.Slug)
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Join("../../docs/crawlers", k.Slug+".md")
		want = append(want, name)
		if got, err := os.ReadFile(name); err != nil || string(got) != reference.Crawler(p) {
			t.Errorf("%s is out of date (%v)"+remedy, name, err)
		}
	}
	have, err := filepath.Glob("../../docs/crawlers/*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range have {
		if !slices.Contains(want, name) {
			t.Errorf("%s is the page of no crawler; remove it", name)
		}
	}
}

// TestEveryConstructHasAnExample: each key of the language is in an example.
func TestEveryConstructHasAnExample(t *testing.T) {
	if unused := reference.Unused(examples(t)); len(unused) > 0 {
		t.Errorf("no example in docs/language has %s", strings.Join(unused, ", "))
	}
	for _, c := range crawler.Constructs() {
		for _, k := range c.Keys {
			if k.Doc == "" {
				t.Errorf("%s.%s has no comment in definition.go", c.Name, k.Name)
			}
		}
	}
}

// TestExamplesRun compiles each example and runs its recorded tests.
func TestExamplesRun(t *testing.T) {
	all := examples(t)
	if len(all) < 10 {
		t.Fatalf("%d examples", len(all))
	}
	for _, e := range all {
		t.Run(e.Name, func(t *testing.T) {
			p, err := crawler.Compile(e.Name, []byte(e.Source))
			if err != nil {
				t.Fatal(err)
			}
			if len(p.Tests) == 0 {
				t.Error("it has no test")
			}
			for _, test := range p.Tests {
				file, err := har.OpenFS(docs.Language, path.Join("language", test.Replay))
				if err != nil {
					t.Fatal(err)
				}
				_, diffs, err := crawl.Check(t.Context(), p, test, file.Replay())
				if err != nil {
					t.Fatal(err)
				}
				for _, d := range diffs {
					t.Errorf("line %d: %s", test.Line, d)
				}
			}
		})
	}
}

// TestVariablesAreDocumented: the reference names what expressions can read, all
// of it and nothing else.
func TestVariablesAreDocumented(t *testing.T) {
	text := reference.Language(nil)
	for _, name := range crawler.Variables() {
		if !strings.Contains(text, "\n| `"+name+"` | ") {
			t.Errorf("the variable %s is not in the reference", name)
		}
	}
	if n := strings.Count(text[strings.Index(text, "| name | what it is |"):strings.Index(text, "Functions besides")], "\n| `"); n != len(crawler.Variables()) {
		t.Errorf("the reference has %d variables, expressions %d", n, len(crawler.Variables()))
	}
}

// TestRecordingsAreUsed: no recording of the examples is left over.
func TestRecordingsAreUsed(t *testing.T) {
	used := ""
	for _, e := range examples(t) {
		used += e.Source
	}
	names, err := fs.Glob(docs.Language, "language/testdata/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if !strings.Contains(used, "testdata/"+path.Base(name)) {
			t.Errorf("%s is used by no example", name)
		}
	}
}
