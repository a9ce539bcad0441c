package crawler

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// TestProblems compiles each testdata/bad/*.yaml and compares all its problems
// with the .txt file beside it.
func TestProblems(t *testing.T) {
	paths, err := filepath.Glob("testdata/bad/*.yaml")
	if err != nil || len(paths) < 5 {
		t.Fatalf("found %d definitions: %v", len(paths), err)
	}
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			src, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			_, err = Compile(filepath.Base(path), src)
			if _, ok := errors.AsType[Problems](err); !ok {
				t.Fatalf("error %v is no Problems", err)
			}
			got := err.Error() + "\n"
			file := strings.TrimSuffix(path, ".yaml") + ".txt"
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(string(want), got); d != "" {
				t.Errorf("-want +got:\n%s", d)
			}
		})
	}
}

// Hostile definitions must be refused, quickly and in little memory.
func TestHostileDefinitions(t *testing.T) {
	bomb := "a: &a [x, x, x, x, x, x, x, x, x]\n"
	for c := 'b'; c < 'l'; c++ {
		bomb += string(c) + ": &" + string(c) + " [" + strings.Repeat("*"+string(c-1)+", ", 9) + "x]\n"
	}
	many := func(s string) string { return strings.Repeat(s, (maxDefinition-10)/len(s)) }
	for name, src := range map[string]string{
		"large":          strings.Repeat("# nothing\n", 1<<20),
		"alias bomb":     bomb,
		"merge":          "a: &a {b: 1}\nc: {<<: *a}\n",
		"flow nesting":   many("["),
		"map nesting":    many("{"),
		"mixed nesting":  many("[{a: "),
		"dashes":         many("- "),
		"keys":           many("? "),
		"colons":         many("a: "),
		"tags":           many("!a "),
		"anchors":        many("&a "),
		"items":          many("- a\n"),
		"long key":       many("k") + ": x",
		"quotes":         many(`"`),
		"single quotes":  many("'"),
		"pipes":          many("|\n"),
		"percent":        many("%"),
		"indents":        strings.Join(indents(600), ""),
		"binary":         "\x00\x01\xff\xfe" + many("\x80"),
		"empty":          "",
		"comment":        "# only\n",
		"two documents":  "slug: a\n---\nslug: b\n",
		"scalar":         "just text",
		"number":         "42",
		"regex of regex": "slug: x\ninput: [{name: a, regex: '((a{1000}){1000}){1000}'}]",
	} {
		t.Run(name, func(t *testing.T) {
			begin := time.Now()
			_, err := Compile("x.yaml", []byte(src))
			if _, ok := errors.AsType[Problems](err); !ok {
				t.Errorf("error %v; want Problems", err)
			}
			if d := time.Since(begin); d > 20*time.Second {
				t.Errorf("it took %v", d)
			}
		})
	}
}

func indents(n int) []string {
	var out []string
	for i := range n {
		out = append(out, strings.Repeat(" ", i)+"a:\n")
	}
	return out
}

func FuzzCompile(f *testing.F) {
	for _, pattern := range []string{"testdata/bad/*.yaml", "../../crawlers/*.yaml", "../../bench/*.yaml", "testdata/good/*.yaml"} {
		paths, err := filepath.Glob(pattern)
		if err != nil {
			f.Fatal(err)
		}
		for _, p := range paths {
			src, err := os.ReadFile(p)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(src)
		}
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		p, err := Compile("x.yaml", src)
		if err == nil {
			if p.Info.Slug == "" || len(p.Starts) == 0 || len(p.Pages) == 0 || len(p.Info.Result) == 0 {
				t.Errorf("a program without %+v", p.Info)
			}
			return
		}
		if ps, ok := errors.AsType[Problems](err); !ok || len(ps) == 0 {
			t.Errorf("error %v is no Problems", err)
		}
	})
}

func TestNearest(t *testing.T) {
	known := []string{"select", "attr", "default", "required"}
	for in, want := range map[string]string{"selct": "select", "sleect": "select", "Attr": "attr", "requird": "required", "banana": "", "def": "default"} {
		if got := nearest(in, known); got != want {
			t.Errorf("nearest(%q) = %q; want %q", in, got, want)
		}
	}
}

func TestExpressionsAreBounded(t *testing.T) {
	for _, source := range []string{
		"len(filter(1..100, any(1..100, # > 1)))", // a loop within a loop
		"1..1000000", "1..status", "status..3", // ranges without a small bound
		"repeat('x', 1000000)", "now()", "unknown", "task.nope", strings.Repeat("1+", 3000) + "1", strings.Repeat("[", 500),
		"env()", "1 +",
	} {
		if _, err := compileExpr(source, "", &names{task: []string{"url"}}); err == nil {
			t.Errorf("%.60s: compiled", source)
		}
	}
	e, err := compileExpr("reduce(1..10000, #acc + [#], [])", "", &names{})
	if err == nil {
		if _, err = e.Eval(&Env{}); err == nil {
			t.Error("building ten thousand growing lists must exceed the budget")
		}
	}
}

func TestTemplates(t *testing.T) {
	n := &names{task: []string{"url", "q", "n"}}
	env := &Env{Task: map[string]any{"url": "https://h/x?y=1", "q": "a b&c/d", "n": int64(3)}}
	for source, want := range map[string]string{
		"{{ task.url }}":                "https://h/x?y=1",
		"https://h/{{ task.q }}/z":      "https://h/a%20b&c%2Fd/z",
		"https://h/?q={{ task.q }}":     "https://h/?q=a+b%26c%2Fd",
		"https://h/{{ raw(task.q) }}":   "https://h/a b&c/d",
		"https://h/{{task.n+1}}":        "https://h/4",
		"https://h/":                    "https://h/",
		"{{ resolve(task.url, '/r') }}": "https://h/r",
		"https://h/{{ '}' }}{{ 'x' }}":  "https://h/%7Dx",
		"{{ task.n > 2 ? 'a' : 'b' }}":  "a",
	} {
		tmpl, err := compileTemplate(source, true, n)
		if err != nil {
			t.Errorf("%s: %v", source, err)
			continue
		}
		if got, err := tmpl.Expand(env); err != nil || got != want {
			t.Errorf("%s = %q, %v; want %q", source, got, err, want)
		}
	}
	for _, bad := range []string{"{{ task.url", "{{ }}", "{{ task.url }} {{ task.nope }}"} {
		if _, err := compileTemplate(bad, true, n); err == nil {
			t.Errorf("%s: compiled", bad)
		}
	}
}
