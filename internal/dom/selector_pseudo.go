package dom

import (
	"slices"
	"strconv"
	"strings"
)

// plainPseudo are the pseudo-classes without arguments.
var plainPseudo = map[string]test{
	"root": {kind: testRoot}, "scope": {kind: testScope}, "empty": {kind: testEmpty},
	"link": {kind: testLink}, "any-link": {kind: testLink}, "checked": {kind: testChecked},
	"enabled": {kind: testEnabled}, "disabled": {kind: testDisabled}, "required": {kind: testRequired}, "optional": {kind: testOptional},
	"input":         {kind: testInput},
	"first-child":   {kind: testFirst},
	"last-child":    {kind: testLast},
	"first-of-type": {kind: testNth, nth: nth{b: 1, ofType: true}},
	"last-of-type":  {kind: testNth, nth: nth{b: 1, ofType: true, end: true}},
	"visited":       {kind: testNever}, "hover": {kind: testNever}, "active": {kind: testNever}, "target": {kind: testNever},
	"focus": {kind: testNever}, "focus-within": {kind: testNever}, "focus-visible": {kind: testNever}, "target-within": {kind: testNever},
}

// functionNames are the pseudo-classes with arguments.
var functionNames = []string{"not", "is", "where", "has", "haschild", "contains", "icontains", "containsown", "matches", "matchesown",
	"nth-child", "nth-last-child", "nth-of-type", "nth-last-of-type", "lang"}

// function reads what stands in the brackets of one of them.
func (p *selectorParser) function(name string) test {
	switch name {
	case "has":
		return p.has()
	case "haschild":
		return p.hasChild()
	case "contains", "icontains", "containsown":
		return p.contains(name)
	case "matches", "matchesown":
		return p.matches(name)
	case "lang":
		return p.lang()
	case "not", "is", "where":
		return p.ofList(name)
	}
	return p.nth(name)
}

// instead are pseudo-classes of other libraries, with what to write here.
var instead = map[string]string{
	"first": "it is jQuery's; fields take the first match without it", "last": "it is jQuery's; write :last-child or :last-of-type",
	"eq": "it is jQuery's; write :nth-child(n), which counts from 1", "gt": "it is jQuery's; write :nth-child(n + 3)",
	"lt": "it is jQuery's; write :nth-child(-n + 3)", "odd": "it is jQuery's; write :nth-child(even), which counts from 1",
	"even": "it is jQuery's; write :nth-child(odd), which counts from 1", "text": "write :contains(\"…\")", "parent": "it is jQuery's; write :not(:empty)",
	"header": "it is jQuery's; write :is(h1, h2, h3, h4, h5, h6)", "button": "it is jQuery's; write button or input[type=button]",
	"visible": "nothing is shown here; test the attributes that hide", "hidden": "nothing is shown here; write [hidden]",
	"attr": "the attribute is named beside the selector, as attr", "any": "write :is(…)",
}

// pseudoClass reads a pseudo-class (§ 3.5).
func (p *selectorParser) pseudoClass() test {
	at := p.i
	p.i++
	if p.peek() == ':' {
		p.fail(at, "there are no pseudo-elements here, only elements; to read text or an attribute, say so beside the selector")
	}
	name := lowerASCII(p.identifier("the pseudo-class"))
	function := slices.Contains(functionNames, name)
	if p.peek() == '(' && function {
		p.i++
		p.space()
		t := p.function(name)
		p.space()
		if !p.eat(')') {
			p.unclosed(at, name)
		}
		return t
	}
	switch t, ok := plainPseudo[name]; {
	case ok && p.peek() == '(':
		p.fail(p.i, ":%s takes nothing in brackets", name)
	case ok:
		t.memo = -1
		return p.counted(t)
	case name == "only-child" || name == "only-of-type":
		return p.only(name == "only-of-type")
	case function:
		p.fail(p.i, ":%s needs brackets after it: :%s(…)", name, name)
	case instead[name] != "":
		p.fail(at, "there is no :%s; %s", name, instead[name])
	case pseudoElements[name]:
		p.fail(at, "there are no pseudo-elements such as :%s here, only elements", name)
	}
	p.fail(at, "there is no pseudo-class :%s%s", name, meant(name))
	return test{}
}

var pseudoElements = map[string]bool{"after": true, "before": true, "first-letter": true, "first-line": true, "marker": true,
	"placeholder": true, "selection": true, "backdrop": true, "cue": true}

// meant names the pseudo-class that a slip of the keyboard may stand for.
func meant(name string) string {
	best, least := "", len(name)/3+1
	for known := range plainPseudo {
		if d := distance(known, name); d < least || d == least && known < best {
			best, least = known, d
		}
	}
	for _, known := range functionNames {
		if d := distance(known, name); d < least || d == least && known < best {
			best, least = known, d
		}
	}
	if best == "" {
		return ""
	}
	return "; did you mean :" + best + "?"
}

// distance is Levenshtein's, of short names.
func distance(a, b string) int {
	if len(a) > 40 || len(b) > 40 {
		return 40
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost = 1 + min(diagonal, row[j], row[j+1])
			}
			diagonal, row[j+1] = row[j+1], cost
		}
	}
	return row[len(b)]
}

func (p *selectorParser) unclosed(at int, name string) {
	if p.i >= len(p.s) {
		p.fail(at, "the bracket of :%s is not closed", name)
	}
	p.fail(p.i, "%q cannot stand in :%s(…)", p.s[p.i], name)
}

// counted gives a test that counts a memo of its own.
func (p *selectorParser) counted(t test) test {
	if t.kind == testNth {
		t.memo = p.set.memos
		p.set.memos++
	}
	return t
}

// only is the first that is the last too.
func (p *selectorParser) only(ofType bool) test {
	tests := []test{{kind: testFirst, memo: -1}, {kind: testLast, memo: -1}}
	if ofType {
		tests = []test{
			p.counted(test{kind: testNth, nth: nth{b: 1, ofType: true}}),
			p.counted(test{kind: testNth, nth: nth{b: 1, ofType: true, end: true}}),
		}
	}
	both := &complexSelector{parts: []part{{compound: compound{tests}, memo: -1}}}
	return test{kind: testIs, list: []*complexSelector{both}, memo: -1}
}

func (p *selectorParser) ofList(name string) test {
	t := test{kind: testIs, memo: -1}
	if name == "not" {
		t.kind = testNot
	}
	t.list = p.list(false)
	return t
}

// has reads the relational pseudo-class (§ 4.5).
func (p *selectorParser) has() test {
	if p.inHas {
		p.fail(p.i, ":has within :has is not supported; CSS has none either")
	}
	at := p.i
	p.inHas = true
	list := p.list(true)
	p.inHas = false
	byKind := map[testKind]*test{}
	var kinds []testKind
	for _, c := range list {
		if distant(c) > 1 {
			p.fail(at, "what stands in :has(…) can have one descendant or ~ combinator at most")
		}
		k := relation(c)
		if k != testRelative {
			c.parts = c.parts[:1]
		}
		if byKind[k] == nil {
			byKind[k] = &test{kind: k, memo: p.set.memos}
			p.set.memos++
			kinds = append(kinds, k)
		}
		byKind[k].list = append(byKind[k].list, c)
	}
	if len(kinds) == 1 {
		return *byKind[kinds[0]]
	}
	either := test{kind: testIs, memo: -1}
	for _, k := range kinds {
		either.list = append(either.list, &complexSelector{parts: []part{{compound: compound{[]test{*byKind[k]}}, memo: -1}}})
	}
	return either
}

// relation says how an element stands to what a relative selector of one
// compound matches; testRelative: it has more than one, or depends on more.
func relation(c *complexSelector) testKind {
	if len(c.parts) != 2 || c.parts[0].scoped() {
		return testRelative
	}
	switch c.parts[1].combinator {
	case '>':
		return testChild
	case '+':
		return testAdjacent
	case '~':
		return testAfter
	}
	return testBelow
}

// distant counts the combinators that look far, but for the one before the
// first compound.
func distant(c *complexSelector) int {
	n := 0
	for _, part := range c.parts[1 : len(c.parts)-1] {
		if part.combinator == ' ' || part.combinator == '~' {
			n++
		}
	}
	return n
}

// hasChild reads what :has(> …) says too.
func (p *selectorParser) hasChild() test {
	t := test{kind: testChild, list: p.list(false), memo: -1}
	for _, c := range t.list {
		if len(c.parts) > 1 {
			p.fail(p.i, "what stands in :haschild(…) is one element; write :has(> …) for more")
		}
	}
	return t
}

// contains reads a text: in quotes, or as it stands up to the closing bracket.
func (p *selectorParser) contains(name string) test {
	t := test{kind: testContains, memo: -1}
	if name == "containsown" {
		t.kind = testContainsOwn
	} else {
		t.memo = p.set.memos
		p.set.memos++
	}
	if c := p.peek(); c == '"' || c == '\'' {
		t.value = strings.ToLower(p.quoted())
		return t
	}
	if t.value = strings.ToLower(p.bareText(name)); t.value == "" {
		p.fail(p.i, ":%s needs a text", name)
	}
	return t
}

// bareText reads a text without quotes up to the closing bracket. The white
// space around it is none of it, unless it is escaped.
func (p *selectorParser) bareText(name string) string {
	var b strings.Builder
	p.space()
	ends := 0
	for from := p.i; p.peek() != ')'; {
		switch c := p.peek(); {
		case p.i >= len(p.s):
			p.unclosed(from, name)
		case c == '\\':
			p.escape(&b)
			ends = b.Len()
		case c == '(' || c == '"' || c == '\'':
			p.fail(p.i, "a text with %q must stand in quotes", c)
		default:
			b.WriteByte(c)
			p.i++
			if !whiteSpace(c) {
				ends = b.Len()
			}
		}
	}
	return b.String()[:ends]
}

func (p *selectorParser) matches(name string) test {
	t := test{kind: testMatches, memo: -1}
	if name == "matchesown" {
		t.kind = testMatchesOwn
	}
	t.re = p.pattern(":" + name)
	return t
}

// lang reads languages, of which one is to fit (§ 7.2).
func (p *selectorParser) lang() test {
	t := test{kind: testLang, memo: -1}
	for {
		p.space()
		tag := ""
		if c := p.peek(); c == '"' || c == '\'' {
			tag = p.quoted()
		} else {
			p.eat('*')
			tag = p.identifier("a language")
		}
		if t.value != "" {
			t.value += ","
		}
		t.value += lowerASCII(tag)
		p.space()
		if !p.eat(',') {
			return t
		}
	}
}

// nth reads an+b (CSS Syntax, § 6), and for children the list that counts.
func (p *selectorParser) nth(name string) test {
	t := test{kind: testNth, memo: p.set.memos}
	p.set.memos++
	t.nth = p.step(name)
	t.nth.end = strings.Contains(name, "last")
	t.nth.ofType = strings.HasSuffix(name, "type")
	p.space()
	if rest := lowerASCII(p.s[p.i:]); !t.nth.ofType && strings.HasPrefix(rest, "of") && len(rest) > 2 && !nameChar(rest[2]) {
		p.i += 2
		t.list = p.list(false)
	}
	return t
}

// step reads an+b, odd or even.
func (p *selectorParser) step(name string) nth {
	at := p.i
	if c := p.peek(); nameStart(c) || c == '\\' {
		switch lowerASCII(p.name("a number")) {
		case "odd":
			return nth{a: 2, b: 1}
		case "even":
			return nth{a: 2}
		}
		p.i = at
	}
	sign := p.sign()
	digits := p.digits()
	if c := p.peek(); c != 'n' && c != 'N' {
		if digits == "" {
			p.fail(at, ":%s needs a number, odd, even, or a step such as 2n + 1", name)
		}
		return nth{b: sign * p.number(at, digits)}
	}
	p.i++
	n := nth{a: sign}
	if digits != "" {
		n.a = sign * p.number(at, digits)
	}
	back := p.i
	p.space()
	if c := p.peek(); c != '+' && c != '-' {
		p.i = back
		return n
	}
	sign = p.sign()
	p.space()
	if digits = p.digits(); digits == "" {
		p.fail(p.i, "a number is missing after the sign")
	}
	n.b = sign * p.number(at, digits)
	return n
}

func (p *selectorParser) sign() int {
	if p.eat('-') {
		return -1
	}
	p.eat('+')
	return 1
}

func (p *selectorParser) digits() string {
	from := p.i
	for p.i < len(p.s) && p.s[p.i] >= '0' && p.s[p.i] <= '9' {
		p.i++
	}
	return p.s[from:p.i]
}

func (p *selectorParser) number(at int, digits string) int {
	n, err := strconv.Atoi(digits)
	if err != nil || n > 1<<30 {
		p.fail(at, "the number %s is too large", digits)
	}
	return n
}
