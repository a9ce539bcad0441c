package xpath

import (
	"strings"
	"testing"
	"time"

	"shoal/internal/dom"
)

const page = `<!doctype html><html><head><title>T</title></head><body>
<ul id="l"><li class="a b">One <b>bold</b></li><li data-x="7"><a href="/two">Two</a></li><li>Three<!-- no --></li></ul>
<p>Price: <span>9</span></p><svg><title>s</title></svg></body></html>`

func parse(t testing.TB, s string) dom.Node {
	t.Helper()
	doc, err := dom.Parse([]byte(s), dom.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return doc.Node(dom.Root)
}

func find(t testing.TB, expr string, context dom.Node) ([]string, error) {
	t.Helper()
	e, err := Compile(expr)
	if err != nil {
		t.Fatalf("%s: %v", expr, err)
	}
	var out []string
	err = e.Find(context, func(i Item) bool {
		switch {
		case !i.Node.Exists():
			out = append(out, "="+i.Text)
		case i.Attr:
			out = append(out, "@"+i.Text)
		default:
			out = append(out, (&navigator{doc: i.Node.Document(), cur: i.Node.ID(), attr: -1, budget: &budget{1000, 1000}}).Value())
		}
		return true
	})
	return out, err
}

func TestFind(t *testing.T) {
	doc := parse(t, page)
	for _, c := range []struct{ expr, want string }{
		{`//li`, `One bold|Two|Three`},
		{`//li[2]/a/@href`, `@/two`},
		{`//li[@data-x]/a/text()`, `Two`},
		{`//li[contains(@class, 'b')]/b`, `bold`},
		{`//ul[@id="l"]/li[last()]`, `Three`},
		{`//li[position() < 3]`, `One bold|Two`},
		{`//a/ancestor::ul/@id`, `@l`},
		{`//b/parent::li/following-sibling::li[1]`, `Two`},
		{`count(//li)`, `=3`},
		{`string(//p/span)`, `=9`},
		{`normalize-space(//li[1])`, `=One bold`},
		{`substring-after(//p, ': ')`, `=9`},
		{`//li = 'Three'`, `=true`},
		{`//title`, `T|s`},
		{`//nothing`, ``},
		{`string(//nothing)`, ``},
		{`//b | //a`, `bold|Two`},
		{`(//li)[2]`, `Two`},
		{`//li[not(a)]`, `One bold|Three`},
		{`//@href`, `@/two`},
		{`//li/comment()`, ` no `},
	} {
		for range 2 { // a copy that was used must be good again
			got, err := find(t, c.expr, doc)
			if err != nil || strings.Join(got, "|") != c.want {
				t.Errorf("%s: got %q (%v), want %q", c.expr, strings.Join(got, "|"), err, c.want)
			}
		}
	}
}

// A relative expression begins at the context node; an absolute one at the root.
func TestContext(t *testing.T) {
	doc := parse(t, page)
	var li dom.Node
	e, err := Compile(`//li[2]`)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Find(doc, func(i Item) bool { li = i.Node; return false }); err != nil {
		t.Fatal(err)
	}
	for expr, want := range map[string]string{`.//a`: "Two", `a/@href`: "@/two", `@data-x`: "@7", `.`: "Two", `../@id`: "@l", `//title`: "T|s", `preceding-sibling::li`: "One bold"} {
		got, err := find(t, expr, li)
		if err != nil || strings.Join(got, "|") != want {
			t.Errorf("%s: got %q (%v), want %q", expr, strings.Join(got, "|"), err, want)
		}
	}
}

func TestBroken(t *testing.T) {
	for _, expr := range []string{``, `//li[`, `//li[@`, `foo(`, `//li[unknown-function()]`, `]`, `//*[` + strings.Repeat("(", 100) + `1` + strings.Repeat(")", 100) + `]`,
		strings.Repeat("//a", 1000), `matches(//a, '(')`} {
		if _, err := Compile(expr); err == nil {
			t.Errorf("%.60s was accepted", expr)
		}
	}
}

// Expressions that ask for every combination of the page's nodes end early.
func TestBombs(t *testing.T) {
	var b strings.Builder
	for range 3000 {
		b.WriteString("<div><p>x</p><i>y</i></div>")
	}
	flat := parse(t, b.String())
	deep := parse(t, strings.Repeat("<div>", 400)+"x")
	for _, expr := range []string{
		`//*[//*[//*[//*]]]`,
		`//*[count(//*) > count(//*[count(//*) > 1])]`,
		`//*//*//*//*//*//*//*//*`,
		`//*[contains(string(/), string(/))]`,
		`//*/following::*/preceding::*/following::*`,
		`//*/ancestor::*/descendant::*/ancestor::*/descendant::*`,
		`//p | //i | //div | //*`,
		`count(//*[string-length(concat(/, /, /, /, /, /, /, /)) > 1])`,
	} {
		for _, doc := range []dom.Node{flat, deep} {
			begin := time.Now()
			n := 0
			e, err := Compile(expr)
			if err != nil {
				t.Fatalf("%s: %v", expr, err)
			}
			err = e.Find(doc, func(Item) bool { n++; return n < 50_000 })
			if d := time.Since(begin); d > 20*time.Second {
				t.Errorf("%s took %v (%d items, %v)", expr, d, n, err)
			}
		}
	}
}

func FuzzFind(f *testing.F) {
	for _, s := range []string{`//li[2]/a/@href`, `count(//li)`, `//a | //b`, `//*[//*]`, `string(.)`, `a/../b[last()]`} {
		f.Add(s)
	}
	doc := parse(f, page)
	f.Fuzz(func(t *testing.T, source string) {
		e, err := Compile(source)
		if err != nil {
			return
		}
		begin := time.Now()
		_ = e.Find(doc, func(Item) bool { return true })
		if d := time.Since(begin); d > 20*time.Second {
			t.Errorf("%q took %v", source, d)
		}
	})
}
