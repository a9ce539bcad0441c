package dom

import (
	"strings"

	"shoal/internal/dom/atom"
)

// attributeTests are the operators of attribute selectors.
var attributeTests = map[string]testKind{
	"=": testEqual, "~=": testWord, "|=": testDash, "^=": testPrefix, "$=": testSuffix, "*=": testPart, "!=": testUnequal, "#=": testPattern,
}

// attribute reads an attribute selector (§ 6).
func (p *selectorParser) attribute() test {
	at := p.i
	p.i++
	p.space()
	if strings.HasPrefix(p.s[p.i:], "*|") || strings.HasPrefix(p.s[p.i:], "|") {
		p.i = strings.IndexByte(p.s[p.i:], '|') + p.i + 1
	}
	t := p.named(test{kind: testHas, memo: -1}, p.identifier("the attribute's name"))
	p.space()
	if p.eat(']') {
		return t
	}
	t.kind = p.operator(at)
	p.space()
	if t.kind == testPattern {
		t.re = p.pattern("the attribute")
	} else {
		t.value = p.attributeValue()
		t.fold = p.flag()
	}
	p.space()
	if !p.eat(']') {
		p.attributeEnd(at)
	}
	if t.kind == testWord {
		return word(t)
	}
	return t
}

// word makes a test for a word that no list can have match nothing.
func word(t test) test {
	if t.value == "" || strings.ContainsAny(t.value, " \t\n\r\f") {
		t.kind = testNever
	}
	return t
}

func (p *selectorParser) operator(at int) testKind {
	if p.eat('=') {
		return testEqual
	}
	if p.i+1 < len(p.s) && p.s[p.i+1] == '=' {
		if k, ok := attributeTests[p.s[p.i:p.i+2]]; ok {
			p.i += 2
			return k
		}
	}
	if p.i >= len(p.s) {
		p.fail(at, "the bracket [ is not closed")
	}
	p.fail(p.i, "%q is no operator of attributes; there are =, ~=, |=, ^=, $=, *=, != and #=", p.s[p.i:min(p.i+2, len(p.s))])
	return 0
}

func (p *selectorParser) attributeValue() string {
	switch c := p.peek(); {
	case p.i >= len(p.s):
		p.fail(p.i, "the attribute's value is missing")
	case c == '"' || c == '\'':
		return p.quoted()
	case !nameStart(c) && c != '-' && c != '\\':
		p.fail(p.i, "the attribute's value must stand in quotes, since it does not begin with a letter")
	}
	return p.identifier("the attribute's value")
}

// flag reads i or s, which say whether case counts.
func (p *selectorParser) flag() bool {
	p.space()
	switch p.peek() {
	case 'i', 'I':
		p.i++
		return true
	case 's', 'S':
		p.i++
	}
	return false
}

func (p *selectorParser) attributeEnd(at int) {
	if p.i >= len(p.s) {
		p.fail(at, "the bracket [ is not closed")
	}
	p.fail(p.i, "%q stands in the attribute's value, which then needs quotes", p.s[p.i])
}

// attribute reports whether n has an attribute that passes the test.
func (f *Finder) attribute(t *test, n NodeID) bool {
	d := f.doc
	name, exact := f.name(t.name), f.name(t.exact)
	foreign := d.nodes[n].ns != HTML
	for i, list := 0, d.Attrs(n); i < len(list); i++ {
		a := list[i].Name
		if a != name && (!foreign || a != exact && !(namespaced(a) && localName(a) == d.NameOf(name))) {
			continue
		}
		if t.kind == testHas || f.value(t, d.text(list[i].value)) {
			return true
		}
	}
	return false
}

// localName is what stands after the prefix of an attribute such as xlink:href,
// which a selector tests without it.
func localName(a atom.Atom) string {
	_, local, _ := strings.Cut(a.String(), ":")
	return local
}

// value reports whether an attribute's value passes the test.
func (f *Finder) value(t *test, v string) bool {
	want := t.value
	if t.fold && t.kind != testPattern {
		return foldedValue(t.kind, v, want)
	}
	switch t.kind {
	case testEqual, testUnequal:
		return v == want
	case testWord:
		return hasWord(v, want)
	case testDash:
		return strings.HasPrefix(v, want) && (len(v) == len(want) || v[len(want)] == '-')
	case testPrefix:
		return want != "" && strings.HasPrefix(v, want)
	case testSuffix:
		return want != "" && strings.HasSuffix(v, want)
	case testPart:
		f.spend(len(v) / 16)
		return want != "" && strings.Contains(v, want)
	case testPattern:
		f.spend(len(v) * patternCost)
		return t.re.MatchString(v)
	}
	return false
}

// foldedValue compares without regard to the case of letters, those beyond
// ASCII included.
func foldedValue(kind testKind, v, want string) bool {
	switch kind {
	case testEqual, testUnequal:
		return strings.EqualFold(v, want)
	case testWord:
		for word := range strings.FieldsFuncSeq(v, func(r rune) bool { return r < 0x80 && whiteSpace(byte(r)) }) {
			if strings.EqualFold(word, want) {
				return true
			}
		}
		return false
	case testDash:
		return strings.EqualFold(v, want) || len(v) > len(want) && v[len(want)] == '-' && strings.EqualFold(v[:len(want)], want)
	}
	v, want = strings.ToLower(v), strings.ToLower(want)
	switch kind {
	case testPrefix:
		return want != "" && strings.HasPrefix(v, want)
	case testSuffix:
		return want != "" && strings.HasSuffix(v, want)
	}
	return want != "" && strings.Contains(v, want)
}

// hasWord reports whether a list of words separated by white space names one.
func hasWord(list, word string) bool {
	if len(list) == len(word) {
		return list == word
	}
	for from := 0; ; from++ {
		i := strings.Index(list[from:], word)
		if i < 0 {
			return false
		}
		from += i
		end := from + len(word)
		if (from == 0 || whiteSpace(list[from-1])) && (end == len(list) || whiteSpace(list[end])) {
			return true
		}
	}
}
