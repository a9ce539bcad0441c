package extract

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"shoal/internal/dom"
)

func joinBytes(list [][]byte) string {
	var s []string
	for _, b := range list {
		s = append(s, string(b))
	}
	return strings.Join(s, " ")
}

func TestJSONLD(t *testing.T) {
	script := func(s string) string { return `<script type="application/ld+json">` + s + `</script>` }
	for html, want := range map[string]string{
		script(`{"@type":"A","b":{"@type":"B"}}`):                                            `{"@type":"A","b":{"@type":"B"}} {"@type":"B"}`,
		script(`[{"@type":"A"},{"@graph":[{"@type":["B","C"]},{"no":"type"}]}]`):             `{"@type":"A"} {"@type":["B","C"]}`,
		script("{\"@type\":\"A\", // note\n \"n\": \"two\nlines\", /* x */ 'q': 'it\\'s',}"): `{"@type":"A","n":"two\nlines","q":"it's"}`,
		script("\n<!--\n//<![CDATA[\n{\"@type\":\"A\"}\n//]]>\n-->"):                         `{"@type":"A"}`,
		script(`/*<![CDATA[*/{"@type":"A"}/*]]>*/`):                                          `{"@type":"A"}`,
		script(`{"@type":"A"}{"@type":"B"};`):                                                `{"@type":"A"} {"@type":"B"}`,
		script(`{&quot;@type&quot;:&quot;A&quot;}`):                                          `{"@type":"A"}`,
		script(`[{"@type":"A"},{"@type":"B"},{"@type":"C","x`):                               `{"@type":"A"} {"@type":"B"}`,
		script(`{"@type":"A","p":007,"q":.5,"r":1.,"s":NaN,"t":"\u00e9\ud83d\ude00\x41\q"}`): `{"@type":"A","p":"007","q":0.5,"r":1.0,"s":null,"t":"é😀Aq"}`,
		script(`{"@type":"A"`): ``,
		script(``):             ``,
		script(`nonsense`):     ``,
		`<script type='Application/LD+JSON; charset=utf-8'>{"@type":"A"}</script><script>{"@type":"B"}</script>`: `{"@type":"A"}`,
	} {
		if got := joinBytes(jsonLD(parseHTML(&dom.Document{}, []byte(html)), 100)); got != want {
			t.Errorf("%s:\n%s, want\n%s", html, got, want)
		}
	}
	if n := len(jsonLD(parseHTML(&dom.Document{}, []byte(script("["+strings.Repeat(`{"@type":"A"},`, 50)+"]"))), 7)); n != 7 {
		t.Error(n)
	}
	deep := script(strings.Repeat(`{"@type":"A","x":`, 5000) + "1" + strings.Repeat("}", 5000))
	if n := len(jsonLD(parseHTML(&dom.Document{}, []byte(deep)), 10_000)); n > 100 {
		t.Error(n, "items of one in another")
	}
}

func TestMicrodata(t *testing.T) {
	resolve := func(ref string) string { return "R(" + ref + ")" }
	for html, want := range map[string]string{
		`<div itemscope itemtype="https://schema.org/Product http://x/Y"><b itemprop="name title"> A  b </b><a itemprop=url href=/p>x</a><img itemprop=image src=1.jpg><img itemprop=image data-src=2.jpg src="data:x"></div>`: `{"@type":["Product","Y"],"image":["R(1.jpg)","R(2.jpg)"],"name":"A b","title":"A b","url":"R(/p)"}`,
		`<p itemscope><time itemprop=d datetime=2024-01-02>x</time><time itemprop=e>May</time><meta itemprop=m content=" v "><data itemprop=n value=5>five</data><span itemprop=c content=9>nine</span></p>`:                   `{"c":"9","d":"2024-01-02","e":"May","m":"v","n":"5"}`,
		`<div itemscope itemtype=P><div itemprop=offers itemscope itemtype=Offer itemid=/o><i itemprop=price>5</i></div><div itemscope itemtype=Other><i itemprop=not>mine</i></div><i itemprop=yes>y</i></div>`:               `{"@type":"P","offers":{"@id":"R(/o)","@type":"Offer","price":"5"},"yes":"y"} {"@id":"R(/o)","@type":"Offer","price":"5"} {"@type":"Other","not":"mine"}`,
		`<div itemscope itemref="a b none"><i itemprop=x>1</i></div><p id=a itemprop=y>2</p><div id=b><i itemprop=x>3</i></div>`:                                                                                               `{"x":["1","3"],"y":"2"}`,
		`<div itemscope id=l itemref=l><i itemprop=x>1</i></div>`:                                                                            `{"x":"1"}`,
		`<div itemscope id=a itemref=b></div><div itemprop=p itemscope id=b itemref=c></div><div itemprop=q itemscope id=c itemref=b></div>`: `{"p":{"q":{"p":{}}}} {"q":{"p":{}}} {"p":{}}`,
		`<i itemprop=orphan>x</i>`: ``,
	} {
		got := joinBytes(microdata(parseHTML(&dom.Document{}, []byte(html)), resolve, 100))
		if strings.Contains(html, "id=a itemref=b") { // a circle: what counts is that it ends
			if got == "" || len(got) > 500 {
				t.Error(got)
			}
			continue
		}
		if got != want {
			t.Errorf("%s:\n%s, want\n%s", html, got, want)
		}
	}
	var shared strings.Builder // each item takes the same two of the next level: 2^30 copies
	for i := range 30 {
		for _, c := range "ab" {
			fmt.Fprintf(&shared, "<div id=%c%d itemscope itemprop=p itemref='a%d b%d'></div>", c, i, i+1, i+1)
		}
	}
	if n := len(joinBytes(microdata(parseHTML(&dom.Document{}, []byte(shared.String())), resolve, 1000))); n > 32<<20 {
		t.Error(n, "bytes of shared items")
	}
	deep := strings.Repeat("<div itemscope itemprop=x>", 400)
	if n := len(joinBytes(microdata(parseHTML(&dom.Document{}, []byte(deep)), resolve, 1000))); n > 1<<20 {
		t.Error(n, "bytes of items in items")
	}
}

func TestOpenGraph(t *testing.T) {
	for html, want := range map[string]string{
		`<meta property="og:title" content="A &amp; b"><meta property="OG:Image" content=1><meta property="og:image" content=2><meta property="og:image:width" content=9>`:                                                                                            `{"title":"A & b","image":["1","2"],"image:width":"9"}`,
		`<meta name="og:type" content=product><meta property="product:price:amount" content=5><meta property="product:price:currency" content=EUR><meta name="twitter:card" content=s><meta property="article:tag" content=x><meta property="article:tag" content=y>`: `{"type":"product","product":{"price":{"amount":"5","currency":"EUR"}},"twitter":{"card":"s"},"article":{"tag":["x","y"]}}`,
		`<meta name=description content=x><meta property="og:title">`: ``,
	} {
		got := string(openGraph(parseHTML(&dom.Document{}, []byte(html))))
		if got != want || got != "" && !json.Valid([]byte(got)) {
			t.Errorf("%s:\n%s, want\n%s", html, got, want)
		}
	}
}

func TestScriptJSON(t *testing.T) {
	state := regexp.MustCompile(`window\.__STATE__`)
	for _, c := range []struct {
		text  string
		match *regexp.Regexp
		want  string
	}{
		{`{"a":1}`, nil, `{"a":1}`},
		{`var x = {"a":[1,2,],};`, nil, `{"a":[1,2]}`},
		{`let y=1; window.__STATE__ = {a: 'x', "b": undefined, c: {d: [true]}}; more({})`, state, `{"a":"x","b":null,"c":{"d":[true]}}`},
		{`if (window.__STATE__) {} window.__STATE__ = [1]`, state, `[1]`},
		{`window.__STATE__ = JSON.parse("{\"a\":\"\\u00e9\"}")`, state, `{"a":"é"}`},
		{`window.__STATE__=JSON.parse(decodeURIComponent("%7B%22a%22%3A1%7D"));`, state, `{"a":1}`},
		{`window.__STATE__ = load();`, state, ``},
		{`nothing here`, state, ``},
		{`"text"`, nil, ``},
		{``, nil, ``},
	} {
		got, ok := scriptJSON(c.text, c.match)
		if string(got) != c.want || ok != (c.want != "") {
			t.Errorf("%s: %s, want %s", c.text, got, c.want)
		}
	}
}

func FuzzLooseJSON(f *testing.F) {
	for _, s := range []string{`{"a":[1,'b',{c:.5}],}`, "<!-- //x\n[/**/]", `{"a":"\ud83d\ude00\x4"`, `[-0.e5,+1,00]`, `{$x:NaN}`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if b, rest, ok := looseValue(s); ok && (!json.Valid(b) || len(rest) > len(s)) {
			t.Errorf("%q: %q is no JSON", s, b)
		}
		if json.Valid([]byte(s)) {
			if _, rest, ok := looseValue(s); !ok && strings.Count(s, "[")+strings.Count(s, "{") < maxLooseDepth || strings.TrimSpace(rest) != "" && ok {
				t.Errorf("%q is JSON and was not read: %q", s, rest)
			}
		}
	})
}
