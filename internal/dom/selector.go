package dom

import (
	"fmt"
	"regexp"
	"slices"

	"shoal/internal/dom/atom"
)

// MaxSelector is the longest selector, in bytes.
const MaxSelector = 2000

// A Set is compiled lists of CSS selectors, which a Finder looks for in one
// pass over a page. It is made by adding to it; once a Finder uses it, it must
// not change any more, and may be shared.
//
// The language is Selectors Level 4 (https://www.w3.org/TR/selectors-4/) as far
// as it makes sense in a page that nobody looks at, with what scrapers are used
// to from other libraries:
//
//	:contains("text"), :icontains, :containsOwn   the text, in any case of its letters
//	:matches(regexp), :matchesOwn                 the text, by a regular expression (RE2)
//	[name!="value"], [name#=(regexp)]
//	:haschild(list), :input
//
// Text is all text within an element, however it is shown, scripts included;
// that of :containsOwn and :matchesOwn stands in the element directly. Names
// of elements and attributes are compared without regard to case; values,
// classes and ids with it, unless an attribute's test ends in i. What depends
// on somebody who looks, such as :hover, matches nothing.
type Set struct {
	byText  map[string]int
	choices []choice
	// byName are the lists to try at an element of a known name, 0: none; any is
	// what is tried at every element.
	byName [atom.NumElements]uint16
	lists  [][]candidate
	any    []candidate

	names  []string // those that each document numbers itself
	memos  int      // how many parts and tests remember what they found
	scoped bool     // :scope is among them
}

// A choice is a list of selectors with what is wanted of it.
type choice struct {
	source string
	all    bool // every match; else the first
}

// A candidate is one selector of the list with the given number.
type candidate struct {
	id  int
	sel *complexSelector
}

// Add enters a list of selectors and returns its number. Of one that is there
// already, that is the number it has. all asks for every match, not only the
// first. The error is a *SelectorError.
func (s *Set) Add(source string, all bool) (int, error) {
	if id, ok := s.byText[source]; ok {
		s.choices[id].all = s.choices[id].all || all
		return id, nil
	}
	list, err := parseSelector(source, s)
	if err != nil {
		return 0, err
	}
	if s.byText == nil {
		s.byText = map[string]int{}
		s.lists = [][]candidate{nil}
	}
	id := len(s.choices)
	s.byText[source] = id
	s.choices = append(s.choices, choice{source, all})
	for _, sel := range list {
		s.scoped = s.scoped || sel.scoped
		s.enter(candidate{id, sel})
	}
	return id, nil
}

// enter puts a selector where the elements that may fit it find it.
func (s *Set) enter(c candidate) {
	name := c.sel.parts[0].elementName()
	if name == 0 || name >= atom.NumElements {
		s.any = append(s.any, c)
		return
	}
	at := &s.byName[name]
	if *at == 0 {
		*at = uint16(len(s.lists))
		s.lists = append(s.lists, nil)
	}
	s.lists[*at] = append(s.lists[*at], c)
}

// Len is how many lists there are; their numbers are those below it.
func (s *Set) Len() int { return len(s.choices) }

// Compile returns a set of one list, number 0, of which all matches are wanted.
func Compile(source string) (*Set, error) {
	s := &Set{}
	_, err := s.Add(source, true)
	return s, err
}

// A SelectorError says what is wrong with a selector, where, and what would be right.
type SelectorError struct {
	Source  string
	Offset  int // in bytes
	Problem string
}

// Error names the place as people count it, from 1 and in characters.
func (e *SelectorError) Error() string {
	column := 1
	for range e.Source[:min(e.Offset, len(e.Source))] {
		column++
	}
	return fmt.Sprintf("at character %d: %s", column, e.Problem)
}

// A complexSelector is compounds with combinators between them, the last
// compound (the one that the element itself must fit) first.
type complexSelector struct {
	parts  []part
	scoped bool // it says :scope
}

// A part is a compound and how it stands to the compound right of it: the
// element is its ancestor ' ', parent '>', sibling directly before it '+' or
// somewhere before it '~'.
type part struct {
	compound
	combinator byte
	// memo numbers the part among those whose search is remembered for each
	// element, since it looks far; -1: it is not.
	memo int
}

// A compound is tests that one element must pass, cheap ones first. The name is
// the first, unless it is *.
type compound struct{ tests []test }

// elementName is the name that HTML's elements must have, 0 for any.
func (c *compound) elementName() atom.Atom {
	if len(c.tests) > 0 && c.tests[0].kind == testName && c.tests[0].name == c.tests[0].exact {
		return c.tests[0].name
	}
	return 0
}

func (c *compound) scoped() bool {
	return slices.ContainsFunc(c.tests, func(t test) bool {
		return t.kind == testScope || slices.ContainsFunc(t.list, func(c *complexSelector) bool { return c.scoped })
	})
}

// A testKind is what a test looks at.
type testKind uint8

const (
	testName testKind = iota
	testID
	testClass
	testHas // the attribute is there
	testEqual
	testWord
	testDash
	testPrefix
	testSuffix
	testPart
	testUnequal
	testPattern
	testRoot
	testScope
	testAnchor // the element that :has is tried at
	testLink
	testChecked
	testEnabled
	testDisabled
	testRequired
	testOptional
	testInput
	testNever
	testLang
	testEmpty
	testFirst
	testLast
	testNth
	testNot
	testIs
	testBelow    // :has of one compound
	testChild    // :has of one compound, with >
	testAdjacent // :has of one compound, with +
	testAfter    // :has of one compound, with ~
	testRelative // :has of several
	testContains
	testContainsOwn
	testMatches
	testMatchesOwn
)

// A test is one simple selector.
type test struct {
	kind testKind
	fold bool // compare without regard to case
	// name is the element's or the attribute's as HTML has it, exact as it was
	// written, for SVG and MathML. From NumKnown on they are places in Set.names.
	name, exact atom.Atom
	value       string // in lower case for :contains
	re          *regexp.Regexp
	nth         nth
	list        []*complexSelector
	// memo numbers the test among those that remember what they found for each
	// element; -1: it does not.
	memo int
}

// nth is an+b, counted among the siblings, or among those of the same name or
// those that a list matches.
type nth struct {
	a, b   int
	end    bool // from the end
	ofType bool
}
