package dom

import (
	"fmt"
	"strings"
	"testing"

	"shoal/internal/dom/atom"
)

const families = `<!doctype html><html lang=en><body>
<div id=d1 class="box big"><h2 id=h>Head</h2><p id=p1>One <b id=b1>bold</b></p><p id=p2 class=x>Two</p><span id=s1><i id=i1>in</i></span><p id=p3>Three</p></div>
<div id=d2><p id=p4 class=x lang=fr>Quatre <a id=a1 href="/x">In stock</a></p><div id=d3><p id=p5 lang="">Five (5)</p></div></div>
<ul id=u><li id=l1 class=x>1<li id=l2>2<li id=l3 class=x>3<li id=l4 class=x>4<li id=l5>5</ul>
<form id=f><fieldset id=fs disabled><legend id=lg><input id=c1></legend><input id=c2 type=Checkbox checked required><select id=c3><option id=o1 selected>a</select></fieldset><input id=c4></form>
<svg id=v viewBox="0 0 1 1"><linearGradient id=g></linearGradient><a id=sa xlink:href="/svg"></a></svg><my-card id=m data-k="Ab c"></my-card><em id=e> <!-- c --> </em>
</body></html>`

// found lists the ids of what a selector matches.
func found(t testing.TB, doc *Document, source string, within NodeID) string {
	t.Helper()
	set, err := Compile(source)
	if err != nil {
		t.Fatalf("%s: %v", source, err)
	}
	var f Finder
	f.Reset(doc)
	var m Matches
	if !f.Find(set, within, &m) {
		t.Fatalf("%s: too much work", source)
	}
	var ids []string
	for _, n := range m[0] {
		id, ok := doc.Attr(n, atom.Id)
		if !ok {
			id = doc.NameOf(doc.Name(n))
		}
		ids = append(ids, id)
	}
	return strings.Join(ids, " ")
}

// The language beyond what cascadia knows, and where the two differ.
func TestSelectors(t *testing.T) {
	doc := parsePairs(t, []byte(families)).doc
	for _, c := range []struct{ source, want string }{
		// § 4.2, 4.4: matches-any, also of selectors with combinators
		{"div :is(h2, b)", "h b1"},
		{":is(#d1, #d2) > p", "p1 p2 p3 p4"},
		{":where(div > p.x)", "p2 p4"},
		{"p:is(.x):not(#d2 *)", "p2"},
		{"p:not(.x, #d1 p)", "p5"},
		// § 4.5: what stands in :has is relative to the element
		{"div:has(> h2)", "d1"},
		{"div:has(> p > a)", "d2"},
		{"p:has(+ span)", "p2"},
		{"p:has(~ span)", "p1 p2"},
		{"h2:has(~ p.x, + b)", "h"},
		{"div:has(a, h2)", "d1 d2"},
		{"div:has(div p)", "d2"}, // not d3, within which there is no div
		{"body:has(ul li)", "body"},
		{"ul:has(body li)", ""},
		{"div:has(:not(p):is(i))", "d1"},
		{"p:has(+ span + p)", "p2"},
		{"h2:has(~ span i)", "h"},
		{"div:not(:has(h2))", "d2 d3"},
		// § 13: counting
		{"li:nth-child(2 of .x)", "l3"},
		{"li:nth-last-child(1 of .x)", "l4"},
		{"li:nth-child(odd of .x, #l5)", "l1 l4"},
		{"li:nth-child(2n + 1)", "l1 l3 l5"},
		{"li:nth-child(-n+2)", "l1 l2"},
		{"li:nth-child( +3 )", "l3"},
		{"#d1 > :nth-last-of-type(1)", "h s1 p3"},
		{"#d1 :only-child", "b1 i1"},
		{"#d1 > :only-of-type", "h s1"},
		{":root", "html"},
		// § 7.2: the nearest language counts
		{"p:lang(fr)", "p4"},
		{"#a1:lang(en)", ""},
		{"a:lang(de, 'FR')", "a1"},
		{"#p5:lang(en)", ""},
		{"h2:lang(EN)", "h"},
		// § 6: attributes
		{"[data-k='aB C' i]", "m"},
		{"[data-k~='ab' i]", "m"},
		{"[data-k='Ab c' s]", "m"},
		{"[data-k^='']", ""},
		{"[data-k*=' ']", "m"},
		{"[ID=m][*|data-k]", "m"},
		{"[type='CHECKBOX' i]", "c2"},
		// names of SVG keep their case in the tree and need none here
		{"linearGradient", "g"},
		{"lineargradient", ""},
		{"[viewBox]", "v"},
		{"a[href]", "a1 sa"},
		{"MY-CARD, *|em", "m e"},
		// texts
		{":contains(In stock)", "html body d2 p4 a1"},
		{"a:contains('in STOCK')", "a1"},
		{"a:icontains('in STOCK')", "a1"},
		{"p:contains('One bold')", "p1"},
		{"p:containsOwn('bold')", ""},
		{`p:contains("Five (5)")`, "p5"},
		{`p:contains(Five \(5\))`, "p5"},
		{`p:matches(^Five \(\d\)$)`, "p5"},
		{`p:matches([)5]\)$)`, "p5"},
		{`[id#=^p[1-3]$]`, "p1 p2 p3"},
		// forms
		{":disabled", "fs c2 c3 o1"},
		{"input:enabled", "c1 c4"},
		{":checked", "c2 o1"},
		{"input:required, input:optional", "c1 c2 c4"},
		{"em:empty", "e"},
		{"a:hover, a:focus-within", ""},
		{"a:any-link", "a1 sa"},
		// writing
		{" div/* c */>/**/ h2 ", "h"},
		{`#\70 1`, "p1"},
		{`.\62 ox`, "d1"},
		{"div p b,h2", "h b1"},
	} {
		if got := found(t, doc, c.source, Root); got != c.want {
			t.Errorf("%s: %q, want %q", c.source, got, c.want)
		}
	}
}

// A search within an element sees what is around it, and :scope is the element.
func TestScope(t *testing.T) {
	doc := parsePairs(t, []byte(families)).doc
	var f Finder
	f.Reset(doc)
	var m Matches
	set := &Set{}
	for _, source := range []string{"div", "#d2, #u", ":scope > p", "body p", ":scope", "html p"} {
		if _, err := set.Add(source, true); err != nil {
			t.Fatal(err)
		}
	}
	f.Find(set, Root, &m)
	if len(m[0]) != 3 || len(m[4]) != 1 || doc.NameOf(doc.Name(m[4][0])) != "html" {
		t.Fatalf("on the page: %v", m)
	}
	for _, n := range append([]NodeID(nil), m[1]...) {
		id, _ := doc.Attr(n, atom.Id)
		f.Find(set, n, &m)
		got := fmt.Sprint(len(m[0]), len(m[2]), len(m[3]), len(m[4]), len(m[5]))
		if want := map[string]string{"d2": "1 1 2 0 2", "u": "0 0 0 0 0"}[id]; got != want {
			t.Errorf("within %s: %s, want %s", id, got, want)
		}
	}
}

// The same list has one number; one of which only the first match is wanted has no second.
func TestSet(t *testing.T) {
	doc := parsePairs(t, []byte(families)).doc
	set := &Set{}
	first, _ := set.Add("p", false)
	other, _ := set.Add("h2", false)
	if again, _ := set.Add("p", false); again != first || other == first || set.Len() != 2 {
		t.Fatalf("numbers %d, %d, again %d", first, other, again)
	}
	var f Finder
	f.Reset(doc)
	var m Matches
	f.Find(set, Root, &m)
	if len(m[first]) != 1 || m.First(first) != m[first][0] || len(m[other]) != 1 {
		t.Errorf("%v", m)
	}
	set = &Set{}
	set.Add("p", false)
	set.Add("p", true)
	f.Find(set, Root, &m)
	if len(m[0]) != 5 {
		t.Errorf("%d matches, want all", len(m[0]))
	}
	f.Find(&Set{}, Root, &m)
}

// Errors say where and what would be right.
func TestSelectorErrors(t *testing.T) {
	for source, want := range map[string]string{
		"":                                   "at character 1: there is no selector",
		"a >":                                "at character 4: a selector is missing here",
		"a,":                                 "at character 3: a selector is missing here",
		"> a":                                "at character 1: nothing stands before '>'",
		"a:frist-child":                      "at character 2: there is no pseudo-class :frist-child; did you mean :first-child?",
		"li:eq(3)":                           "at character 3: there is no :eq; it is jQuery's; write :nth-child(n)",
		"a::text":                            "at character 2: there are no pseudo-elements here",
		"a:before":                           "at character 2: there are no pseudo-elements such as :before",
		"[href='x]":                          "at character 7: the quote '\\'' is not closed",
		"[href":                              "at character 1: the bracket [ is not closed",
		"[page=5]":                           "at character 7: the attribute's value must stand in quotes",
		"[href=a.html]":                      "at character 8: '.' stands in the attribute's value, which then needs quotes",
		"[href%='x']":                        "at character 6: \"%=\" is no operator",
		".5col":                              "at character 2: a class cannot begin with a digit",
		"ü:nth-child(x)":                     "at character 13: :nth-child needs a number, odd, even, or a step",
		"a:not(b":                            "at character 2: the bracket of :not is not closed",
		"a:not":                              "at character 6: :not needs brackets after it",
		"a:empty()":                          "at character 8: :empty takes nothing in brackets",
		"a)":                                 "at character 2: ')' closes nothing",
		"//div/a":                            "at character 1: '/' is not CSS; XPath goes into xpath",
		"svg|a":                              "at character 4: namespaces are not supported",
		"p:matches((a)":                      "does not end",
		"p:matches(a**)":                     "no regular expression",
		"p:contains()":                       "needs a text",
		"p:contains(a(b)":                    "must stand in quotes",
		"div:has(a:has(b))":                  ":has within :has is not supported",
		"div:has(a b ~ i)":                   "one descendant or ~ combinator at most",
		"a /* x":                             "the comment does not end",
		"a\\":                                "a backslash needs a character",
		"a$":                                 "'$' cannot stand here",
		strings.Repeat("a", MaxSelector+1):   "the most is 2000",
		strings.Repeat(":not(", 30) + "a":    "more than 20 deep",
		"li:nth-child(99999999999999999999)": "is too large",
	} {
		_, err := Compile(source)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: %v; want %q", source, err, want)
		}
	}
}

// What selectors cost is bounded by the page, however they are nested, or ends.
func TestSelectorBombs(t *testing.T) {
	deep := strings.Repeat("<div>", 400) + strings.Repeat("<i>x</i>", 1500)
	flat := strings.Repeat("<i>x</i><b>y</b>", 60_000)
	for _, c := range []struct {
		source, body string
		whole        bool // it must come to its end
	}{
		{"nosuch" + strings.Repeat(" div", 12) + " i", deep, true},
		{"nosuch > div" + strings.Repeat(" div", 12), deep, true},
		{"nosuch" + strings.Repeat(" ~ i", 8), strings.Repeat("<i>x</i>", 50_000), true},
		{"nosuch ~ b", flat, true},
		{"nosuch ~ b:not(nosuch ~ i ~ b)", flat, true},
		{"b:nth-child(7n + 3), b:nth-last-of-type(5n), b:nth-last-child(2n of :not(i))", flat, true},
		{"div:has(nosuch), i:has(~ nosuch), div:has(+ nosuch, > nosuch)", deep + flat, true},
		{"div:has(nosuch i)", deep, false},
		{"div:has(~ nosuch i)", strings.Repeat("<div><i></i></div>", 30_000), false},
		{"nosuch div:not(.a b) div:has(.nosuch) div i", deep, true},
		{":contains('no such text')", deep + flat, true},
		{":matches(no such (x|y)+ text)", deep + flat, false},
		{"b" + strings.Repeat(":not(:not(b ~ i", 9) + strings.Repeat("))", 9), flat, true},
		{strings.Repeat("* ", 300) + "i", deep, true},
		{strings.Repeat("*~", 300) + "i", strings.Repeat("<i>x</i>", 20_000), true},
	} {
		doc := parsePairs(t, []byte(c.body)).doc
		set, err := Compile(c.source)
		if err != nil {
			t.Fatalf("%s: %v", c.source, err)
		}
		var f Finder
		f.Reset(doc)
		f.left = 30_000_000 // a tenth of what a page may take
		whole := f.Find(set, Root, new(Matches))
		if whole != c.whole {
			t.Errorf("%.60s: it came to its end: %v, want %v; steps left: %d", c.source, whole, c.whole, f.left)
		}
	}
}
