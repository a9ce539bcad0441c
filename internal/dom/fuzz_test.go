package dom

import (
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// pieces are what FuzzPieces puts pages together from: tags that have rules of
// their own, and what confuses them.
var pieces = strings.Split(`<a>|</a>|<a href=x>|<b>|</b>|<i>|</i>|<i id=1>|<nobr>|</nobr>|<font color=red>|</font>|<em>|</em>|<p>|</p>|<div>|</div>|`+
	`<h1>|</h2>|<ul>|</ul>|<ol>|<li>|</li>|<dl>|<dd>|<dt>|</dl>|</dd>|<address>|<pre>|
|</pre>|<br>|</br>|<hr>|<img>|<image>|<form>|</form>|<button>|</button>|`+
	`<input>|<input type=hidden>|<textarea>|</textarea>|<select>|</select>|<option>|</option>|<optgroup>|</optgroup>|<table>|</table>|`+
	`<tbody>|</tbody>|<thead>|<tfoot>|<tr>|</tr>|<td>|</td>|<th>|</th>|<caption>|</caption>|<colgroup>|</colgroup>|<col>|`+
	`<html>|<html lang=x>|</html>|<head>|</head>|<body>|<body class=y>|</body>|<frameset>|</frameset>|<frame>|<noframes>|</noframes>|`+
	`<title>|</title>|<script>|</script>|<style>|</style>|<noscript>|</noscript>|<meta>|<link>|<base>|<iframe>|</iframe>|<xmp>|</xmp>|`+
	`<plaintext>|<object>|</object>|<applet>|</applet>|<marquee>|<ruby>|<rb>|<rt>|<rp>|<rtc>|</ruby>|<svg>|</svg>|<math>|</math>|`+
	`<mi>|</mi>|<mtext>|<mglyph>|<annotation-xml>|<annotation-xml encoding=text/html>|</annotation-xml>|<foreignObject>|</foreignObject>|`+
	`<desc>|</desc>|<path/>|<svg/>|<g viewbox=1 xlink:href=2>|</g>|<![CDATA[x]]>|<!--c-->|<!--|-->|<!doctype html>|<!doctype>|<?pi>|</ x>|`+
	`x|y | |  |&amp;|&lt|&notit;|&#x41;|&#0;|&|<|</|>|"|'|=|<x|<x y|<x y=|<x y="|<x-y>|</x-y>|<DIV CLASS="A&amp;B" class=c>|<template>|</template>|`+
	`<main>|</main>|<section>|</section>|<details>|<summary>|</summary>|<menu>|<center>|</center>|<span>|</span>|<u>|</u>|<code>|</code>|`+
	`<embed>|<param>|<source>|<wbr>|<keygen>|<area>|<dialog>|</dialog>|<search>|<listing>|<sub>|</sub>|<hgroup>|<table><tr><td>|</table></div>`, "|")

// compareFuzzed fails the test if a page's tree is not what x/net makes of it,
// but for what is explained.
func compareFuzzed(t *testing.T, page string) {
	if err := unexplained(new(Document), page); err != nil {
		t.Errorf("%q\n%v", page, err)
	}
}

// TestPieces is a stretch of FuzzPieces, always the same.
func TestPieces(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 30_000 {
		var page strings.Builder
		for range 1 + random.IntN(16) {
			page.WriteString(pieces[random.IntN(len(pieces))])
		}
		compareFuzzed(t, page.String())
	}
}

func FuzzPieces(f *testing.F) {
	f.Add([]byte("123"))
	f.Fuzz(func(t *testing.T, choice []byte) {
		var page strings.Builder
		for _, c := range choice {
			page.WriteString(pieces[int(c)%len(pieces)])
		}
		compareFuzzed(t, page.String())
	})
}

// What the fuzzers found is right now, by the standard and by x/net.
func TestFoundByFuzzing(t *testing.T) {
	for _, page := range []string{
		"&#xD;x", "<table>&#13;<tr>", "<frameset>&#13;x", // a carriage return by reference is white space
		"<a></a><b><frameset></frameset></html> x", "<b><frameset></frameset></html>x", // formatting is opened again behind a frameset
		"<script><!--script </script x",    // was read as a script in a script
		"<script><!---/script > </script>", // was read as its end
	} {
		compareFuzzed(t, page)
	}
}

func FuzzParse(f *testing.F) {
	files, _ := filepath.Glob(filepath.Join(suite(f), "html5lib-tests", "tree-construction", "*.dat"))
	for _, file := range files {
		for _, c := range readTreeCases(f, file) {
			f.Add(c.data)
		}
	}
	random := rand.New(rand.NewPCG(5, 6))
	for _, page := range stretches(f) {
		f.Add(page)
		f.Add(mutate(random, page))
	}
	f.Fuzz(compareFuzzed)
}

// stretches are parts of real pages, short enough that a fuzzer tries many a
// second: of the documentation that is installed and of what the crawlers'
// tests have recorded.
func stretches(t testing.TB) (list []string) {
	const most = 4096
	cut := func(page string) {
		list = append(list, page[:min(len(page), most)])
		if middle := len(page) / 2; len(page) > 2*most {
			list = append(list, page[middle:middle+most])
		}
	}
	all := pages(t, 8)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		cut(string(all[name]))
	}
	for _, page := range recorded(t) {
		cut(page)
	}
	return list
}
