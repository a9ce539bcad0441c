package dom

import (
	"errors"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/andybalholm/cascadia"
)

// A readOtherwise is what cascadia makes of a selector and the specification
// does not. It holds for the one test, and the compound that it stands in; only
// selectors and pages in which it occurs are not compared.
type readOtherwise struct {
	section, what string
	holds         func(t *test, at standing, p *pairs) bool
}

// standing is where a test stands.
type standing struct {
	compound *part
	subject  bool // of the whole selector, or of one in :not
	has      bool // within :has or :haschild
}

var readOtherwises = []readOtherwise{
	{"4.5", "what stands in `:has(…)` is sought from the element on; cascadia begins at the root",
		func(t *test, _ standing, _ *pairs) bool { return t.kind == testRelative }},
	{"3.1", "only elements are matched; cascadia tries texts and the document with `:contains`, `:matches` and `:lang`",
		func(_ *test, at standing, _ *pairs) bool { return (!at.subject || at.has) && onlyText(at.compound) }},
	{"6.2", "an empty `^=`, `$=`, `*=` or `~=` matches nothing; with cascadia what has the attribute",
		func(t *test, _ standing, _ *pairs) bool {
			part := t.kind == testPrefix || t.kind == testSuffix || t.kind == testPart
			return part && strings.TrimSpace(t.value) == "" || t.kind == testNever && t.name != 0 && t.value == ""
		}},
	{"5.1", "names in SVG and MathML keep their case, and are matched as they are written; cascadia knows lower case only",
		func(t *test, _ standing, p *pairs) bool {
			return (t.kind == testName || t.kind >= testHas && t.kind <= testPattern) && t.name != t.exact && p.foreign()
		}},
	{"7.2", "the language is that of the nearest element that declares one, in any case of its letters; with cascadia it is any of them",
		func(t *test, _ standing, p *pairs) bool { return t.kind == testLang && p.languages() }},
	{"", "the text of a regular expression is read with its escapes and classes; cascadia counts brackets",
		func(t *test, _ standing, _ *pairs) bool { return t.re != nil && !balanced(t.re.String()) }},
}

// onlyText reports a compound that asks for nothing that only elements have.
func onlyText(c *part) bool {
	return len(c.tests) > 0 && !slices.ContainsFunc(c.tests, func(t test) bool {
		return t.kind < testContains && t.kind != testLang
	})
}

// balanced reports whether counting brackets finds the end of a regular expression.
func balanced(re string) bool {
	open := 0
	for _, c := range re {
		switch c {
		case '(', '[':
			open++
		case ')', ']':
			if open--; open < 0 {
				return false
			}
		}
	}
	return open == 0
}

// foreign reports whether the page has elements of SVG or MathML.
func (p *pairs) foreign() bool {
	return slices.ContainsFunc(p.doc.nodes, func(n node) bool { return n.ns != HTML })
}

// languages reports whether a language of the page is declared within another,
// or in capitals.
func (p *pairs) languages() bool {
	lang := p.doc.Lookup("lang")
	for n := Root; n < NodeID(p.doc.Len()); n++ {
		v, ok := p.doc.Attr(n, lang)
		if !ok {
			continue
		}
		if v == "" || v != strings.ToLower(v) {
			return true
		}
		for a := p.doc.Parent(n); a != None; a = p.doc.Parent(a) {
			if _, ok := p.doc.Attr(a, lang); ok {
				return true
			}
		}
	}
	return false
}

// readOther says what of a selector cascadia reads otherwise; "" if nothing.
func readOther(list []*complexSelector, p *pairs, has, inner bool) string {
	for _, c := range list {
		for i := range c.parts {
			at := standing{&c.parts[i], i == 0 && !inner, has}
			for j := range at.compound.tests {
				t := &at.compound.tests[j]
				for _, r := range readOtherwises {
					if r.holds(t, at, p) {
						return r.what
					}
				}
				below := t.kind == testBelow || t.kind == testChild
				if what := readOther(t.list, p, has || below, inner || t.kind != testNot || i > 0); what != "" {
					return what
				}
			}
		}
	}
	return ""
}

// refusals are what only cascadia reads, by the message here.
var refusals = []struct{ why, message string }{
	{"§ 4.5: no :has within :has", ":has within :has is not supported"},
	{"the cost of :has is bounded", "one descendant or ~ combinator at most"},
	{"the cost is bounded", "functions stand in each other more than"},
	{"a memory that no page fills", "is too large"},
	{":haschild is of a child", ":haschild(…) is one element"},
}

// bracketsInPattern is in selectors with regular expressions that end elsewhere
// for cascadia, see readOtherwises.
var bracketsInPattern = regexp.MustCompile(`(?is)(:[^(]*m[^(]*\(|#=).*(\\[][()]|\[[^\]]*[][()])`)

// refused reports whether a selector is one that is refused on purpose.
func refused(err error) bool {
	var problem *SelectorError
	if !errors.As(err, &problem) {
		return false
	}
	if bracketsInPattern.MatchString(problem.Source) {
		return true
	}
	for _, r := range refusals {
		if strings.Contains(problem.Problem, r.message) {
			return true
		}
	}
	return false
}

// FuzzSelector checks that whatever cascadia reads is read here, and finds the
// same on any page.
func FuzzSelector(f *testing.F) {
	parts := stretches(f)
	random := rand.New(rand.NewPCG(8, 9))
	for i, source := range realSelectors {
		f.Add(source, soup)
		f.Add(source, parts[i%len(parts)])
		f.Add(source, mutate(random, parts[random.IntN(len(parts))]))
	}
	for _, source := range []string{`a:not(.x):has(b, i)`, `[class~="b" i]`, `:lang(fr)`, `:matches(^\d+$)`, `[href#=(html$)]`, `p:containsOwn("o")`, `\70:nth-last-of-type(-n+3)`} {
		f.Add(source, soup)
	}
	f.Fuzz(func(t *testing.T, source, page string) {
		const most = 5000
		compareSelector(t, source, []byte(page[:min(len(page), most)]))
	})
}

// compareSelector fails the test if a selector that cascadia reads is refused
// or finds something else, but for what is explained.
func compareSelector(t *testing.T, source string, page []byte) {
	set, err := Compile(source)
	_, theirs := cascadia.ParseGroup(source)
	switch {
	case theirs != nil && err == nil: // our own: it must only end
		p := parsePairs(t, page)
		var finder Finder
		finder.Reset(p.doc)
		finder.Find(set, Root, new(Matches))
		return
	case theirs != nil || len(source) > MaxSelector || refused(err):
		return
	case err != nil:
		t.Fatalf("%q: %v; cascadia reads it", source, err)
	}
	p := parsePairs(t, page)
	list, err := parseSelector(source, &Set{})
	if err != nil {
		t.Fatalf("%q: %v, but only alone", source, err)
	}
	if readOther(list, p, false, false) == "" {
		sameAsCascadia(t, "the page", p, source)
	}
}
