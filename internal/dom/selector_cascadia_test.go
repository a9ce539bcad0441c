package dom

import (
	"bytes"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/andybalholm/cascadia"
	"golang.org/x/net/html"
)

// realSelectors are of the kind that people write for scraping.
var realSelectors = []string{
	"title", "h1", "a[href]", "body", "a[href], area[href]", `meta[name="description" i]`, `link[rel~="canonical" i][href]`, "html[lang]",
	"div.navheader th a", "dl > dt > a", "table.informaltable td:nth-child(2)", "ul.toc li a", "#content p", "div[class*=section] h2",
	"code.literal", "a.headerlink", "li.toctree-l1 > a", "td:first-child", "tr:nth-child(odd) td", "h2 + p", "h2 ~ p", "p:not([class])",
	"div.body > div section h3", "a[href^='http']", "a[href$='.html']", "span.pre", "pre", "table tr td a", "dt:has(code)", "div:has(> p > code)",
	"p:contains('function')", "h1, h2, h3", "dd p:first-of-type", "ul > li:last-child", "*[id]", "a[title]:not([href*='#'])", ".refsect1 .synopsis",
	"dl.py dt.sig", "em.parameter code", "section:has(h2):not(:has(table))", "li:nth-last-child(2)", "p:empty", "div div div p",
}

// pages are documentation that nobody here wrote, where it is installed, and
// the recorded pages of the definitions' tests.
func pages(t testing.TB, each int) map[string][]byte {
	out := map[string][]byte{"soup": []byte(soup)}
	for _, dir := range []string{"/usr/share/doc/python3.11-doc/html/library", "/usr/share/doc/postgresql-doc-15/html",
		"/usr/share/doc/openjdk-17-doc/api/java.base/java/util", "../extract/testdata", "../../crawlers"} {
		if real, err := filepath.EvalSymlinks(dir); err == nil {
			dir = real
		}
		var paths []string
		_ = filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
			if err == nil && !e.IsDir() && strings.HasSuffix(path, ".html") {
				paths = append(paths, path)
			}
			return nil
		})
		for i := 0; i < len(paths); i += max(1, len(paths)/each) {
			body, err := os.ReadFile(paths[i])
			if err != nil {
				t.Fatal(err)
			}
			out[paths[i]] = body
		}
	}
	return out
}

const soup = `<!doctype html><html lang=en><head><title>T</title><meta name=Description content=x></head><body class="a b">
<div id=x class="A b  c"><p class=a>One <b>Two</b> three</p><p lang=fr-CA>Deux<!-- c --></p><p> </p><p></p></div>
<form><fieldset disabled><legend><input type=checkbox checked></legend><input required><select><option selected>1<option>2</select></fieldset><button>b</button></form>
<ul><li>1<li class="x y">2<li>3 <ul><li>3.1<li class=x>3.2</ul><li data-n="5">4</ul>
<table><tr><th>UPC</th><td>abc</td></tr><tr><th>Tax (excl. tax)</th><td>£ 5</td></tr></table>
<svg viewBox="0 0 1 1"><foreignObject><p>in</p></foreignObject><a xlink:href="/s"><text>S</text></a><linearGradient/></svg>
<template><p class=a>no</p></template><my-element data-foo="bar baz"><i>ü Ärger</i></my-element>
<a href="/a?b=c" title="">A</a><a href="http://h/x.html" rel="nofollow noopener">B</a><area href=z></body></html>`

// pairs are a tree of x/net/html and the same as a Document, with the nodes of
// the former by the ids of the latter.
type pairs struct {
	root *html.Node
	doc  *Document
	byID []*html.Node
}

func parsePairs(t testing.TB, body []byte) *pairs {
	t.Helper()
	root, err := html.ParseWithOptions(bytes.NewReader(body), html.ParseOptionEnableScripting(false))
	if err != nil {
		t.Fatal(err)
	}
	return &pairs{root, fromNode(root), nodesOf(root)}
}

// nodesOf lists the nodes as fromNode numbers them.
func nodesOf(root *html.Node) []*html.Node {
	list := []*html.Node{nil}
	var add func(*html.Node)
	add = func(n *html.Node) {
		list = append(list, n)
		for c := n.FirstChild; c != nil; c = c.NextSibling {
			add(c)
		}
	}
	add(root)
	return list
}

// outside drops what stands in a template, which a Finder does not look into.
func outside(list []*html.Node) []*html.Node {
	var out []*html.Node
	for _, n := range list {
		in := false
		for p := n.Parent; p != nil; p = p.Parent {
			in = in || p.Data == "template" && p.Type == html.ElementNode
		}
		if !in && n.Type == html.ElementNode {
			out = append(out, n)
		}
	}
	return out
}

// sameAsCascadia compares what both find in a page.
func sameAsCascadia(t testing.TB, name string, p *pairs, source string) {
	t.Helper()
	theirs, err := cascadia.ParseGroup(source)
	if err != nil {
		t.Fatalf("cascadia: %q: %v", source, err)
	}
	ours, err := Compile(source)
	if err != nil {
		t.Fatalf("%q: %v", source, err)
	}
	var f Finder
	f.Reset(p.doc)
	var m Matches
	if !f.Find(ours, Root, &m) {
		t.Fatalf("%q in %s: too much work", source, name)
	}
	want := outside(cascadia.QueryAll(p.root, theirs))
	if len(m[0]) != len(want) {
		t.Fatalf("%q in %s: %d elements, cascadia has %d", source, name, len(m[0]), len(want))
	}
	for i, n := range m[0] {
		if p.byID[n] != want[i] {
			t.Fatalf("%q in %s: element %d is <%s>, cascadia has <%s>", source, name, i, p.byID[n].Data, want[i].Data)
		}
	}
}

// Real selectors find on real pages what cascadia finds.
func TestSameAsCascadia(t *testing.T) {
	for name, body := range pages(t, 12) {
		p := parsePairs(t, body)
		for _, source := range realSelectors {
			if strings.Contains(source, "has(>") {
				continue // cascadia does not know it
			}
			sameAsCascadia(t, name, p, source)
		}
	}
}

// randomSelectors makes selectors of the parts that both know.
type randomSelectors struct {
	*rand.Rand
	names, classes, attrs, values []string
}

func (r *randomSelectors) pick(list []string) string { return list[r.IntN(len(list))] }

func (r *randomSelectors) simple(depth int) string {
	switch k := r.IntN(14); {
	case k < 3:
		return "." + r.pick(r.classes)
	case k == 3:
		return fmt.Sprintf("[%s%s='%s'%s]", r.pick(r.attrs), r.pick([]string{"", "~", "|", "^", "$", "*", "!"}), r.pick(r.values), r.pick([]string{"", " i"}))
	case k == 4:
		return "[" + r.pick(r.attrs) + "]"
	case k == 5:
		return fmt.Sprintf(":nth-%s(%s)", r.pick([]string{"child", "last-child", "of-type", "last-of-type"}), r.pick([]string{"odd", "even", "2", "2n+1", "-n + 3", "3n-1", "n", "0n+2"}))
	case k == 6:
		return r.pick([]string{":first-child", ":last-child", ":only-child", ":first-of-type", ":last-of-type", ":only-of-type", ":empty", ":root", ":link", ":enabled", ":disabled", ":checked", ":input", ":hover"})
	case k == 7 && depth < 2:
		return ":not(" + r.group(depth+1) + ")"
	case k == 8 && depth == 0:
		return ":has(" + r.compound(2) + ")"
	case k == 9 && depth == 0:
		return ":haschild(" + r.compound(2) + ")"
	case k == 10 && depth < 2: // in :has, cascadia tries texts as if they were elements
		return fmt.Sprintf(":%s('%s')", r.pick([]string{"contains", "containsOwn"}), r.pick([]string{"o", "Three", "ü", "1", "function", " ", "ärg"}))
	case k == 11 && depth < 2:
		return fmt.Sprintf(":%s(%s)", r.pick([]string{"matches", "matchesOwn"}), r.pick([]string{`\d`, "^[A-Z]", "(one|two)", "(?i)deux$"}))
	}
	return "." + r.pick(r.classes)
}

func (r *randomSelectors) compound(depth int) string {
	out := r.pick(r.names)
	if r.IntN(3) == 0 {
		out = ""
	}
	for range r.IntN(3) {
		out += r.simple(depth)
	}
	if out == "" {
		return "*"
	}
	return out
}

func (r *randomSelectors) group(depth int) string {
	out := r.compound(depth)
	for range r.IntN(4) {
		out += r.pick([]string{" ", " ", " > ", " + ", " ~ ", ", "}) + r.compound(depth)
	}
	return out
}

// What generated selectors find is what cascadia finds.
func TestGeneratedSameAsCascadia(t *testing.T) {
	r := &randomSelectors{rand.New(rand.NewPCG(7, 11)),
		[]string{"div", "p", "li", "ul", "a", "b", "i", "td", "tr", "span", "input", "h2", "code", "my-element", "*"},
		[]string{"a", "b", "x", "y", "A", "literal", "pre", "reference"},
		[]string{"class", "id", "href", "data-foo", "lang", "title", "rel"},
		[]string{"a", "x", "bar", "en", "http", ".html", "nofollow", "fr", "B"}}
	all := pages(t, 2)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		body := all[name]
		if len(body) > 60_000 {
			body = body[:60_000]
		}
		p := parsePairs(t, body)
		for range 400 {
			sameAsCascadia(t, name, p, r.group(0))
		}
	}
}

// What FuzzSelector found is right now.
func TestSelectorsFoundByFuzzing(t *testing.T) {
	for _, source := range []string{`li:nth-of-type(e\ven)`, `li:nth-child(\6f dd)`, `li:nth-child(N)`, `p:contains(\20)`, `:contains( one )`} {
		compareSelector(t, source, []byte(soup))
	}
}
