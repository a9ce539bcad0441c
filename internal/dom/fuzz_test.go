package dom

import (
	"math/rand/v2"
	"path/filepath"
	"regexp"
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

var newlineFirst = regexp.MustCompile(`(?is)<(pre|listing|textarea).*(\n|&#0*1[03]|&#x0*[ad]|&newline)`)

var wellFormed = regexp.MustCompile(`<!doctype\s+html(\s+public\s+"[^">&\x00]*"(\s+"[^">&\x00]*")?|\s+system\s+"[^">&\x00]*")?\s*>`)

var bodyEnd = regexp.MustCompile(`(?is)</(body|html).*<!doctype`)

// explained reports the pages that x/net reads differently, and rightly or not
// by decision: those are not compared.
func explained(page string) bool {
	lower := strings.ToLower(page)
	switch {
	case strings.Contains(page, "</>"): // § 13.2.5.7: nothing; x/net makes a comment
		return true
	case strings.Contains(lower, "<template") && (strings.Contains(lower, "<svg") || strings.Contains(lower, "<math")):
		return true // x/net ignores what follows a template in foreign content
	case strings.Contains(lower, "<search"): // special (§ 13.2.4.2); not so for x/net
		return true
	case strings.Contains(lower, "<noscript"): // § 13.2.6.4.5: white space in it stays in it
		return true
	case strings.Contains(lower, "<frameset"): // x/net's tokenizer reads raw text though the parser ignores the tag
		return true
	case strings.Contains(lower, "<caption") && strings.Contains(lower, "<th"):
		return true // § 13.2.6.4.11: th ends a caption, as td does; x/net forgot it
	case strings.Contains(wellFormed.ReplaceAllString(lower, ""), "<!doctype"):
		// § 13.2.5.53 to 68: when a broken one means quirks mode, and that it has no character references
		return true
	case bodyEnd.MatchString(page): // § 13.2.6.4.17: a DOCTYPE behind the body is nothing; x/net goes on in the body
		return true
	case strings.HasSuffix(page, "<") || strings.HasSuffix(page, "</"):
		return true // § 13.2.6.4.10: the text of a table is in one place; x/net has the last < by itself
	case newlineFirst.MatchString(page): // § 13.2.6.4.7: only if it is the next token; x/net: if it is the first child
		return true
	}
	return false
}

// compareFuzzed fails the test if a page's tree is not what x/net makes of it.
func compareFuzzed(t *testing.T, page string) {
	var d Document
	err := compare(&d, page)
	if err != nil && !explained(page) {
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

func FuzzParse(f *testing.F) {
	f.Add("<script><!--script </script x")    // was read as a script in a script
	f.Add("<script><!---/script > </script>") // was read as its end
	files, _ := filepath.Glob(filepath.Join(suite(f), "html5lib-tests", "tree-construction", "*.dat"))
	for _, file := range files {
		for _, c := range readTreeCases(f, file) {
			f.Add(c.data)
		}
	}
	f.Fuzz(compareFuzzed)
}
