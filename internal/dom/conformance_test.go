package dom

import (
	"bufio"
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

var update = flag.Bool("update", false, "write CONFORMANCE.md")

// suite is where the module golang.org/x/net keeps html5lib-tests.
func suite(t testing.TB) string {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "golang.org/x/net").Output()
	if err != nil {
		t.Fatalf("find golang.org/x/net in the module cache: %v", err)
	}
	dir := filepath.Join(strings.TrimSpace(string(out)), "html", "testdata")
	if _, err := os.Stat(filepath.Join(dir, "html5lib-tests")); err != nil {
		t.Fatalf("golang.org/x/net has no html5lib-tests in %s: version 0.62 or later has", dir)
	}
	return dir
}

// A treeCase is a case of tree-construction/*.dat.
type treeCase struct {
	data, want, context string
	scripting           []bool // the modes in which it holds
}

func readTreeCases(t testing.TB, path string) []treeCase {
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var list []treeCase
	r := bufio.NewReader(bytes.NewReader(content))
	section := ""
	var c *treeCase
	var lines []string
	flush := func() {
		text := strings.Join(lines, "\n")
		lines = nil
		switch section {
		case "#data":
			c.data = text
		case "#document":
			c.want = strings.TrimRight(text, "\n") + "\n"
		case "#document-fragment":
			c.context = strings.TrimSpace(text)
		case "#script-on":
			c.scripting = []bool{true}
		case "#script-off":
			c.scripting = []bool{false}
		}
	}
	for {
		line, err := r.ReadString('\n')
		if line == "" && errors.Is(err, io.EOF) {
			break
		}
		line = strings.TrimSuffix(line, "\n")
		switch {
		case line == "#data" && (section == "" || len(lines) > 0 && lines[len(lines)-1] == "" || section == "#document"):
			if c != nil {
				flush()
			}
			list = append(list, treeCase{scripting: []bool{false, true}})
			c, section = &list[len(list)-1], line
		case section != "" && (line == "#errors" || line == "#new-errors" || line == "#document-fragment" ||
			line == "#script-on" || line == "#script-off" || line == "#document"):
			flush()
			section = line
		default:
			lines = append(lines, line)
		}
	}
	flush()
	return list
}

func (c treeCase) ours(scripting bool) (got string) {
	defer func() {
		if r := recover(); r != nil {
			got = fmt.Sprintf("panic: %v\n", r)
		}
	}()
	d, err := Parse([]byte(c.data), Options{Scripting: scripting, Context: c.context})
	if err != nil {
		return err.Error()
	}
	return d.Dump(Root)
}

func (c treeCase) theirs(scripting bool) (got string) {
	defer func() {
		if r := recover(); r != nil {
			got = fmt.Sprintf("panic: %v\n", r)
		}
	}()
	option := html.ParseOptionEnableScripting(scripting)
	if c.context == "" {
		root, err := html.ParseWithOptions(strings.NewReader(c.data), option)
		if err != nil {
			return err.Error()
		}
		return fromNode(root).Dump(Root)
	}
	ns, name, found := strings.Cut(c.context, " ")
	if !found {
		ns, name = "", c.context
	}
	context := &html.Node{Type: html.ElementNode, Data: name, DataAtom: atom.Lookup([]byte(name)), Namespace: ns}
	nodes, err := html.ParseFragmentWithOptions(strings.NewReader(c.data), context, option)
	if err != nil {
		return err.Error()
	}
	root := &html.Node{Type: html.DocumentNode}
	for _, n := range nodes {
		root.AppendChild(n)
	}
	return fromNode(root).Dump(Root)
}

// different are the cases that the parser does not pass, by their input, and why.
var different = map[string]string{
	"<!DOCTYPE &gt; PUBLIC \"&gt;\" \"&gt;\">": "a case of x/net's own, which decodes character references in a DOCTYPE. The standard has none there (§ 13.2.5.54)",
	"a\uffffb":            "for parsers that make XML (§ 13.2.9, coercing an HTML DOM into an infoset), which this one does not",
	"a\fb":                "for parsers that make XML",
	"<!-- foo -- bar -->": "for parsers that make XML",
}

// A score counts the cases of a file. Those that a parser cannot be asked
// about count as neither.
type score struct{ cases, ours, theirs, unasked int }

// A report is CONFORMANCE.md while it is made.
type report struct {
	t       *testing.T
	rows    []string
	total   score
	reasons []string
	seen    map[string]bool
}

// count adds a case, and fails the test if it has no right to be failed.
func (r *report) count(s *score, file, about, input, ours, theirs, want string) {
	s.cases++
	if theirs == want {
		s.theirs++
	} else if theirs == unasked {
		s.unasked++
	}
	if ours == want {
		s.ours++
		return
	}
	reason, known := different[input]
	if !known {
		r.t.Errorf("%s, %s: %q\ngot\n%swant\n%sx/net passes: %v", file, about, input, ours, want, theirs == want)
	} else if line := fmt.Sprintf("- `%s`, %q: %s.", file, input, reason); !r.seen[line] {
		r.seen[line] = true
		r.reasons = append(r.reasons, line)
	}
}

func (r *report) row(file string, s score) {
	theirs := fmt.Sprintf("%d | %d", s.theirs, s.cases-s.theirs-s.unasked)
	if s.unasked > 0 {
		theirs += fmt.Sprintf(" (%d not to be asked)", s.unasked)
	}
	r.rows = append(r.rows, fmt.Sprintf("| %s | %d | %d | %s |", file, s.ours, s.cases-s.ours, theirs))
	r.total.cases, r.total.ours = r.total.cases+s.cases, r.total.ours+s.ours
	r.total.theirs, r.total.unasked = r.total.theirs+s.theirs, r.total.unasked+s.unasked
}

func (r *report) trees(dir string, files ...string) {
	for _, file := range files {
		var s score
		name, _ := filepath.Rel(dir, file)
		for i, c := range readTreeCases(r.t, file) {
			for _, scripting := range c.scripting {
				about := fmt.Sprintf("case %d, scripting %v, context %q", i, scripting, c.context)
				r.count(&s, name, about, c.data, c.ours(scripting), c.theirs(scripting), c.want)
			}
		}
		r.row(name, s)
	}
}

func (r *report) tokens(dir string, files ...string) {
	for _, file := range files {
		var s score
		name, _ := filepath.Rel(dir, file)
		for _, c := range readTokenCases(r.t, file) {
			about := c.Description + ", " + c.InitialStates[0]
			r.count(&s, name, about, c.Input, c.ours(r.t), c.theirs(), c.want())
		}
		r.row(name, s)
	}
}

// TestConformance is the standard's suite, html5lib-tests, and the few cases
// that x/net adds. Its result is CONFORMANCE.md.
func TestConformance(t *testing.T) {
	dir := suite(t)
	files := func(pattern string) []string {
		list, _ := filepath.Glob(filepath.Join(dir, pattern))
		if len(list) == 0 {
			t.Fatalf("no %s in %s", pattern, dir)
		}
		return list
	}
	r := &report{t: t, seen: map[string]bool{}}
	r.tokens(dir, files("html5lib-tests/tokenizer/*.test")...)
	r.trees(dir, files("html5lib-tests/tree-construction/*.dat")...)
	r.trees(dir, files("go/*.dat")...)
	r.row("**all**", r.total)
	got := strings.Replace(conformance, "{rows}", strings.Join(r.rows, "\n"), 1)
	got = strings.Replace(got, "{reasons}", strings.Join(r.reasons, "\n"), 1)
	got = strings.Replace(got, "{differences}", listDifferences(), 1)
	got = strings.Replace(got, "{selectors}", listSelectorDifferences(), 1)
	if *update {
		if err := os.WriteFile("CONFORMANCE.md", []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if have, _ := os.ReadFile("CONFORMANCE.md"); string(have) != got {
		t.Errorf("CONFORMANCE.md is not what the suite says; look at what changed, then run: go test ./internal/dom -run Conformance -update\n%s", got)
	}
}

const conformance = `# Conformance

Made by ` + "`go test ./internal/dom -run Conformance -update`" + ` and checked by each run of it: the cases of
[html5lib-tests](https://github.com/html5lib/html5lib-tests), as the module golang.org/x/net carries them, and the
few that it adds (go/). A case that holds with and without scripts counts twice, one with several initial states once
for each. Its parser x/net/html is beside ours; its tokenizer has no initial states and no tokens of DOCTYPEs, so that
it cannot be asked about those.

| file | passed | failed | x/net passed | x/net failed |
|---|---|---|---|---|
{rows}

## What we do not pass

{reasons}

## What x/net/html does not pass, and we do

- ` + "`</>`" + ` is nothing (§ 13.2.5.7); it makes a comment of it (tokenizer/test1 to test4).
- Templates in SVG and MathML: it ignores the rest of such a page (go/template.dat).
- ` + "`selectedcontent`" + ` shows what the selected option holds (§ 4.10.10); it leaves that empty (webkit02.dat).

## Fuzzing

` + "`FuzzParse` and `FuzzPieces`" + ` compare the tree of any page with that of x/net/html, ` + "`FuzzSelector`" + ` what any selector finds in
any page with what cascadia finds. They begin with the cases of html5lib-tests, parts of Debian's postgresql-doc, python3-doc
and openjdk-17-doc where those are installed, the pages in the recordings of the crawlers' tests, and mutations of them all.

    go test ./internal/dom -run - -fuzz FuzzParse -fuzztime 15m -parallel 1 -fuzzminimizetime 1x

A difference is explained only by a construct of the lists below, and a page's only if the two agree on the page once that
construct is taken out of it. The last runs, with no difference left: FuzzParse 571 s of CPU (14 minutes beside other work),
FuzzSelector 393 s (3.2 million selectors); on a quiet machine afterwards FuzzParse for 6 minutes and FuzzPieces for 4. With those before,
which ended in what is named here or mended: 40 minutes, more than 17 million pages and selectors. Pages that reach the cap
on depth are not compared.

What they found and is mended: a carriage return by reference is white space (§ 13.2.6.4.1 and others); white space behind a
frameset's page opens the formatting elements again (§ 13.2.6.4.21); ` + "`odd` and `even`" + ` may be escaped, and a text without quotes
keeps escaped white space (CSS Syntax, § 4.3.7).

### What x/net/html reads otherwise than the standard

{differences}
- § 13.2.6.1: text that is fostered into a template joins the text there; x/net puts it beside.
- § 13.2.5.45: comments have no character references; x/net decodes them.

### What cascadia reads otherwise than the specification of selectors

{selectors}
`

// listDifferences are the constructs of differences_test.go, as a list.
func listDifferences() string {
	var lines []string
	for _, d := range differences {
		lines = append(lines, fmt.Sprintf("- § %s: %s.", d.section, d.what))
	}
	return strings.Join(lines, "\n")
}

func listSelectorDifferences() string {
	var lines []string
	for _, r := range readOtherwises {
		section := ""
		if r.section != "" {
			section = "§ " + r.section + ": "
		}
		lines = append(lines, fmt.Sprintf("- %s%s.", section, r.what))
	}
	for _, r := range refusals {
		lines = append(lines, fmt.Sprintf("- Refused here: %s (`%s`).", r.why, r.message))
	}
	return strings.Join(lines, "\n")
}
