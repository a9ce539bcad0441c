package dom

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"shoal/internal/dom/atom"
)

// maxNesting is how deep functions such as :not may stand in each other.
const maxNesting = 20

// A selectorParser reads the grammar of Selectors Level 4, § 18, by recursive descent.
type selectorParser struct {
	s     string
	i     int
	set   *Set
	depth int
	inHas bool
}

func parseSelector(source string, set *Set) (list []*complexSelector, err error) {
	p := &selectorParser{s: source, set: set}
	defer func() {
		switch e := recover().(type) {
		case nil:
		case *SelectorError:
			err = e
		default:
			panic(e)
		}
	}()
	if len(source) > MaxSelector {
		p.fail(MaxSelector, "it has %d characters; the most is %d", len(source), MaxSelector)
	}
	if list = p.list(false); p.i < len(p.s) {
		p.fail(p.i, "%s", p.unexpected())
	}
	return list, nil
}

// fail ends the parsing; parseSelector recovers it.
func (p *selectorParser) fail(at int, format string, args ...any) {
	panic(&SelectorError{Source: p.s, Offset: at, Problem: fmt.Sprintf(format, args...)})
}

// unexpected says what stands where nothing of the kind can.
func (p *selectorParser) unexpected() string {
	switch c := p.peek(); c {
	case ')', ']':
		return fmt.Sprintf("%q closes nothing", c)
	case '|':
		return "namespaces are not supported; write the name alone"
	case '@', '/':
		return fmt.Sprintf("%q is not CSS; XPath goes into xpath", c)
	}
	r, _ := utf8.DecodeRuneInString(p.s[p.i:])
	return fmt.Sprintf("%q cannot stand here; a selector is a name, .class, #id, [attribute] or :pseudo-class, joined by spaces, >, + or ~", r)
}

func (p *selectorParser) peek() byte {
	if p.i < len(p.s) {
		return p.s[p.i]
	}
	return 0
}

// eat moves past c if it is next.
func (p *selectorParser) eat(c byte) bool {
	if p.peek() == c && p.i < len(p.s) {
		p.i++
		return true
	}
	return false
}

// space moves past white space and comments and reports whether there was some.
func (p *selectorParser) space() bool {
	from := p.i
	for p.i < len(p.s) {
		switch c := p.s[p.i]; {
		case whiteSpace(c):
			p.i++
		case strings.HasPrefix(p.s[p.i:], "/*"):
			end := strings.Index(p.s[p.i+2:], "*/")
			if end < 0 {
				p.fail(p.i, "the comment does not end; close it with */")
			}
			p.i += end + 4
		default:
			return p.i > from
		}
	}
	return p.i > from
}

// whiteSpace reports what separates words (Selectors, § 17).
func whiteSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' }

// list reads selectors separated by commas; relative ones may begin with a combinator.
func (p *selectorParser) list(relative bool) []*complexSelector {
	if p.depth++; p.depth > maxNesting {
		p.fail(p.i, "functions stand in each other more than %d deep", maxNesting)
	}
	defer func() { p.depth-- }()
	list := []*complexSelector{p.complex(relative)}
	for p.eat(',') {
		list = append(list, p.complex(relative))
	}
	return list
}

func (p *selectorParser) complex(relative bool) *complexSelector {
	p.space()
	c := &complexSelector{}
	if relative {
		anchor := part{compound: compound{[]test{{kind: testAnchor, memo: -1}}}, combinator: ' ', memo: -1}
		if b := p.peek(); b == '>' || b == '+' || b == '~' {
			p.i++
			p.space()
			anchor.combinator = b
		}
		c.parts = append(c.parts, anchor)
	}
	for {
		c.parts = append(c.parts, part{compound: p.compound(), memo: -1})
		combinator := p.combinator()
		if combinator == 0 {
			break
		}
		c.parts[len(c.parts)-1].combinator = combinator
	}
	slices.Reverse(c.parts)
	c.scoped = slices.ContainsFunc(c.parts, func(p part) bool { return p.scoped() })
	if !relative {
		p.remember(c)
	}
	return c
}

// remember gives those parts a memo whose search could be made again and
// again: siblings of siblings, what stands beyond one that looks far, and what
// is dear to try at all.
func (p *selectorParser) remember(c *complexSelector) {
	far := 0
	for _, part := range c.parts[1:] {
		if part.combinator == ' ' || part.combinator == '~' {
			far++
		}
	}
	dear := func(t test) bool { return cost(t.kind) == costDear }
	for i := range c.parts[1:] {
		if part := &c.parts[i+1]; far > 1 || part.combinator == '~' || slices.ContainsFunc(part.tests, dear) {
			part.memo = p.set.memos
			p.set.memos++
		}
	}
}

// combinator reads what stands between two compounds; 0: the selector is at its end.
func (p *selectorParser) combinator() byte {
	spaced := p.space()
	switch c := p.peek(); c {
	case 0, ',', ')':
		return 0
	case '>', '+', '~':
		p.i++
		p.space()
		return c
	}
	if !spaced {
		p.fail(p.i, "%s", p.unexpected())
	}
	return ' '
}

func (p *selectorParser) compound() compound {
	var c compound
	from := p.i
	switch b := p.peek(); {
	case b == '*':
		p.i++
		if strings.HasPrefix(p.s[p.i:], "|*") {
			p.i += 2
		} else if strings.HasPrefix(p.s[p.i:], "|") && !strings.HasPrefix(p.s[p.i:], "|=") {
			p.i++
			c.tests = append(c.tests, p.typeTest())
		}
	case b == '.' || b == '#' || b == '[' || b == ':':
	case nameStart(b) || b == '-' || b == '\\':
		c.tests = append(c.tests, p.typeTest())
	}
	for {
		switch p.peek() {
		case '#':
			p.i++
			c.tests = append(c.tests, test{kind: testID, value: p.name("an id"), memo: -1})
		case '.':
			p.i++
			c.tests = append(c.tests, word(test{kind: testClass, value: p.identifier("a class"), memo: -1}))
		case '[':
			c.tests = append(c.tests, p.attribute())
		case ':':
			c.tests = append(c.tests, p.pseudoClass())
		default:
			if p.i == from {
				p.noCompound()
			}
			slices.SortStableFunc(c.tests, func(a, b test) int { return cost(a.kind) - cost(b.kind) })
			return c
		}
	}
}

// cost orders tests by how much they read: a name, attributes, relatives, and
// all that an element contains.
func cost(k testKind) int {
	switch {
	case k == testName:
		return 0
	case k <= testUnequal:
		return 1
	case k < testNot:
		return 2
	}
	return costDear
}

const costDear = 3

func (p *selectorParser) noCompound() {
	switch c := p.peek(); {
	case p.i >= len(p.s) && strings.TrimSpace(p.s) == "":
		p.fail(p.i, "there is no selector")
	case p.i >= len(p.s), c == ')', c == ',':
		p.fail(p.i, "a selector is missing here")
	case c == '>' || c == '+' || c == '~':
		p.fail(p.i, "nothing stands before %q; only in :has(…) a selector begins with it, elsewhere write :scope before it", c)
	case c >= '0' && c <= '9':
		p.fail(p.i, "a name cannot begin with a digit; write \\3%c with a space after it", c)
	}
	p.fail(p.i, "%s", p.unexpected())
}

func (p *selectorParser) typeTest() test {
	return p.named(test{kind: testName, memo: -1}, p.identifier("a name"))
}

// named sets a test's name, in lower case as HTML's are and as it is written.
func (p *selectorParser) named(t test, name string) test {
	t.name = p.set.nameRef(lowerASCII(name))
	t.exact = p.set.nameRef(name)
	return t
}

// nameRef returns the atom of a known name, and beyond them the place in names.
func (s *Set) nameRef(name string) atom.Atom {
	if a := atom.Lookup([]byte(name)); a != 0 {
		return a
	}
	i := slices.Index(s.names, name)
	if i < 0 {
		i = len(s.names)
		s.names = append(s.names, name)
	}
	return atom.NumKnown + atom.Atom(i)
}

func lowerASCII(s string) string {
	for i := range len(s) {
		if c := s[i]; c >= 'A' && c <= 'Z' {
			b := []byte(s)
			for j := range b {
				if c := b[j]; c >= 'A' && c <= 'Z' {
					b[j] = c + 'a' - 'A'
				}
			}
			return string(b)
		}
	}
	return s
}

func nameStart(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c >= 0x80
}

func nameChar(c byte) bool { return nameStart(c) || c >= '0' && c <= '9' || c == '-' }

// identifier reads an identifier (CSS Syntax, § 4.3.11).
func (p *selectorParser) identifier(what string) string {
	i := p.i
	for i < len(p.s) && p.s[i] == '-' {
		i++
	}
	if i >= len(p.s) || !nameStart(p.s[i]) && p.s[i] != '\\' {
		p.notNamed(i, what)
	}
	return p.name(what)
}

func (p *selectorParser) notNamed(at int, what string) {
	if at >= len(p.s) {
		p.fail(at, "%s is missing here", what)
	}
	if c := p.s[at]; c >= '0' && c <= '9' {
		p.fail(at, "%s cannot begin with a digit; write it as \\3%c and a space, or test the attribute: [class~=\"…\"]", what, c)
	}
	r, _ := utf8.DecodeRuneInString(p.s[at:])
	p.fail(at, "%s is missing before %q", what, r)
}

// name reads the characters of a name, which may begin with any of them.
func (p *selectorParser) name(what string) string {
	var b strings.Builder
	for p.i < len(p.s) {
		switch c := p.s[p.i]; {
		case nameChar(c):
			b.WriteByte(c)
			p.i++
		case c == '\\':
			p.escape(&b)
		default:
			if b.Len() == 0 {
				p.notNamed(p.i, what)
			}
			return b.String()
		}
	}
	if b.Len() == 0 {
		p.notNamed(p.i, what)
	}
	return b.String()
}

// escape reads an escape (CSS Syntax, § 4.3.7).
func (p *selectorParser) escape(b *strings.Builder) {
	at := p.i
	p.i++
	if p.i >= len(p.s) || p.s[p.i] == '\n' || p.s[p.i] == '\r' || p.s[p.i] == '\f' {
		p.fail(at, "a backslash needs a character after it")
	}
	end := p.i
	for end < len(p.s) && end < p.i+6 && isHex(p.s[end]) {
		end++
	}
	if end == p.i {
		_, size := utf8.DecodeRuneInString(p.s[p.i:])
		b.WriteString(p.s[p.i : p.i+size])
		p.i += size
		return
	}
	v, _ := strconv.ParseUint(p.s[p.i:end], 16, 32)
	r := rune(v)
	if r == 0 || !utf8.ValidRune(r) {
		r = utf8.RuneError
	}
	b.WriteRune(r)
	p.i = end
	if strings.HasPrefix(p.s[p.i:], "\r\n") {
		p.i += 2
	} else if p.i < len(p.s) && whiteSpace(p.s[p.i]) {
		p.i++
	}
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}

// quoted reads a string in quotes (CSS Syntax, § 4.3.5).
func (p *selectorParser) quoted() string {
	at, quote := p.i, p.s[p.i]
	p.i++
	var b strings.Builder
	for p.i < len(p.s) {
		switch c := p.s[p.i]; {
		case c == quote:
			p.i++
			return b.String()
		case c == '\n' || c == '\r' || c == '\f':
			p.fail(p.i, "a text in quotes cannot go over lines; write \\a and a space for a line break")
		case c == '\\' && strings.HasPrefix(p.s[p.i+1:], "\r\n"):
			p.i += 3
		case c == '\\' && p.i+1 < len(p.s) && (p.s[p.i+1] == '\n' || p.s[p.i+1] == '\r' || p.s[p.i+1] == '\f'):
			p.i += 2
		case c == '\\':
			p.escape(&b)
		default:
			b.WriteByte(c)
			p.i++
		}
	}
	p.fail(at, "the quote %q is not closed", quote)
	return ""
}

// pattern reads a regular expression up to the bracket that closes what it stands in.
func (p *selectorParser) pattern(what string) *regexp.Regexp {
	from, open, class := p.i, 0, false
	for ; p.i < len(p.s); p.i++ {
		switch c := p.s[p.i]; {
		case c == '\\':
			p.i++
		case class:
			class = c != ']'
		case c == '[':
			class = true
			if strings.HasPrefix(p.s[p.i+1:], "^]") {
				p.i += 2
			} else if strings.HasPrefix(p.s[p.i+1:], "]") {
				p.i++
			}
		case c == '(':
			open++
		case c == ')' || c == ']':
			if open--; open < 0 {
				return p.compilePattern(from, p.s[from:p.i])
			}
		}
	}
	p.fail(from, "the regular expression of %s does not end; close it, and write \\( for a bracket that opens nothing", what)
	return nil
}

func (p *selectorParser) compilePattern(at int, source string) *regexp.Regexp {
	re, err := regexp.Compile(source)
	if err != nil {
		p.fail(at, "%q is no regular expression: %v", source, err)
	}
	return re
}
