package dom

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/html"

	"shoal/internal/dom/atom"
)

// plainText is AppendText and AppendLines told another way: the text of n with
// a mark for each line that begins or ends, and its white space then collapsed.
func plainText(d *Document, n NodeID, lines bool) string {
	const mark = '\uE000'
	var b strings.Builder
	var walk func(NodeID)
	walk = func(m NodeID) {
		kind := d.nodes[m].reading()
		if m != n && (kind == readsNot || lines && d.Type(m) == ElementNode && d.hidden(m)) {
			return
		}
		if lines && kind == readsBlock {
			b.WriteRune(mark)
		} else if lines && kind == readsCell {
			b.WriteByte(' ')
		}
		if d.Type(m) == TextNode {
			b.WriteString(d.Data(m))
		}
		for c := d.nodes[m].first; c != None; c = d.nodes[c].next {
			walk(c)
		}
		if lines && kind == readsBlock {
			b.WriteRune(mark)
		}
	}
	walk(n)
	gap, out := "", ""
	for _, r := range b.String() {
		switch {
		case r == mark:
			gap = "\n"
		case unicode.IsSpace(r):
			if gap == "" {
				gap = " "
			}
		default:
			if out != "" {
				out += gap
			}
			gap = ""
			out += string(r)
		}
	}
	return out
}

func TestReading(t *testing.T) {
	doc, err := Parse([]byte(`<!doctype html><title> T </title><body> a  b<script>x</script><p>c<b> d</b>e</p>f<br>g
		<table><tr><td>1<td>2<tr><td>3<td>4</table><template>no</template><!-- no --><ul><li>é&nbsp;x<li>y</ul><span>h </span><i> i</i></body>`), Options{})
	if err != nil {
		t.Fatal(err)
	}
	body := doc.find(atom.Body)
	if got, want := string(doc.AppendText([]byte("> "), body)), "> a bc defg 1234é xyh i"; got != want {
		t.Errorf("text %q, want %q", got, want)
	}
	if got, want := string(doc.AppendLines([]byte("> "), body)), "> a b\nc de\nf\ng\n1 2\n3 4\né x\ny\nh i"; got != want {
		t.Errorf("lines %q, want %q", got, want)
	}
	if got := string(doc.AppendText(nil, doc.find(atom.Script))); got != "x" {
		t.Errorf("a script that is asked for says %q", got)
	}
	if got := string(doc.AppendRaw(nil, doc.find(atom.P))); got != "c de" {
		t.Errorf("raw text %q", got)
	}
}

func (d *Document) find(name atom.Atom) NodeID {
	for n := Root; n < NodeID(d.Len()); n++ {
		if d.nodes[n].typ == ElementNode && d.nodes[n].name == name {
			return n
		}
	}
	return None
}

// On real pages, each element reads as a plain walk says; it comes back from
// another library's tree as it went; and what is built by hand is what was parsed.
func TestReadingOfPages(t *testing.T) {
	for name, page := range pages(t, 3) {
		if len(page) > 40_000 {
			page = page[:40_000]
		}
		doc, err := Parse(page, Options{})
		if err != nil {
			t.Fatal(err)
		}
		step := NodeID(1 + doc.Len()/200)
		for n := Root; n < NodeID(doc.Len()); n += step {
			if got, want := string(doc.AppendText(nil, n)), plainText(doc, n, false); got != want || doc.TextLength(n) != utf8.RuneCountInString(got) {
				t.Fatalf("%s: node %d reads %.200q (%d), want %.200q", name, n, got, doc.TextLength(n), want)
			}
			if got, want := string(doc.AppendLines(nil, n)), plainText(doc, n, true); got != want {
				t.Fatalf("%s: node %d has the lines %.200q, want %.200q", name, n, got, want)
			}
		}
		tree := ToNode(doc.Node(Root), nil)
		var b bytes.Buffer
		if err := html.Render(&b, tree); err != nil {
			t.Fatal(err)
		}
		var back Document
		FromNode(&back, tree)
		want := doc.Dump(Root)
		if before, doctype, ok := strings.Cut(want, "| <!DOCTYPE"); ok {
			_, after, _ := strings.Cut(doctype, "\n|")
			want = before + "|" + after
		}
		if back.Dump(Root) != want {
			t.Fatalf("%s: the tree does not come back:\n%.1000s\nwant\n%.1000s", name, back.Dump(Root), want)
		}
	}
}

func TestBridgeLeavesOut(t *testing.T) {
	doc, err := Parse([]byte(`<body><p>a<b>b<i>c</i></b></p><svg><a xlink:href=x></a></svg>`), Options{Context: "body"})
	if err != nil {
		t.Fatal(err)
	}
	tree := ToNode(doc.Node(Root), func(n Node, depth int) bool { return !n.Is(atom.I) && depth < 3 })
	var b strings.Builder
	if err := html.Render(&b, tree); err != nil {
		t.Fatal(err)
	}
	if got, want := b.String(), `<p>a<b>b</b></p><svg><a xlink:href="x"></a></svg>`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestBuilder(t *testing.T) {
	var d Document
	b := NewBuilder(&d, true)
	b.Open(HTML, "rss")
	b.Open(HTML, "media:content")
	b.Attr("xlink:href", "u")
	b.Attr("href", "v")
	b.Text("x")
	b.CloseNamed("none")
	b.CloseNamed("content")
	b.Text("y")
	b.Close()
	b.Close()
	rss := d.Node(Root).FirstChild()
	content := rss.FirstChild()
	if rss.Name() != "rss" || content.LocalName() != "content" || content.NextSibling().Data() != "y" || content.FirstChild().Data() != "x" || content.Parent() != rss {
		t.Errorf("%s", d.Dump(Root))
	}
	if v, ok := content.Attr("href"); !ok || v != "u" { // the first of that local name, as XML pages are read
		t.Errorf("href %q, %v", v, ok)
	}
	if got := content.Next(rss, true); !got.IsText() || got.Next(rss, true).Data() != "y" || got.Next(rss, true).Next(rss, true).Exists() {
		t.Error("the walk goes another way")
	}
	if (Node{}).IsElement() || (Node{}).Parent().Exists() || (Node{}).Is(atom.A) || !rss.Is(d.Lookup("rss")) {
		t.Error("what is none is something")
	}
}

// Characters are counted eight at a time where they can be: for texts of every
// kind that is the length of the text.
func TestTextLength(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 5))
	for range 3000 {
		var d Document
		b := NewBuilder(&d, false)
		for range 1 + r.IntN(4) {
			text := make([]rune, r.IntN(40))
			for i := range text {
				text[i] = []rune{rune(1 + r.IntN(126)), ' ', '\n', 'x', '\u00a0', 'é', '\u2003', 0x1F600}[min(r.IntN(12), 7)]
			}
			b.Text(string(text))
		}
		text := d.AppendText(nil, Root)
		if got, want := d.TextLength(Root), utf8.RuneCount(text); got != want {
			t.Fatalf("length %d of %q, want %d", got, text, want)
		}
	}
}

// What is hidden is not in the lines, but for the element that is asked for.
func TestHidden(t *testing.T) {
	for page, want := range map[string]string{
		`a<p hidden>b</p>c`:                             "ac",
		`<p hidden>b<i hidden>c</i></p>`:                "",
		`a<p hidden=until-found>b</p>c`:                 "a\nb\nc",
		`a<b style="color: red; DISPLAY : None ">b</b>`: "a",
		`a<b style="display:none!important">b</b>`:      "a",
		`a<b style="visibility:hidden">b</b>`:           "a",
		`a<b style="visibility:visible">b</b>`:          "ab",
		`a<b style="display:none-such">b</b>`:           "ab",
		`a<b style="x-display:none">b</b>`:              "ab",
		`a<b style="display">b</b>`:                     "ab",
		`<div hidden><p>a</div><p>b`:                    "b",
	} {
		d, err := Parse([]byte(page), Options{})
		if err != nil {
			t.Fatal(err)
		}
		if got := string(d.AppendLines(nil, Root)); got != want {
			t.Errorf("%s: %q, want %q", page, got, want)
		}
	}
	d, err := Parse([]byte("<p hidden>b<i hidden>c</i>"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if got := string(d.AppendLines(nil, d.LastChild(d.LastChild(d.FirstChild(Root))))); got != "b" {
		t.Errorf("the text of a hidden element is %q, want that of what it shows", got)
	}
}
