package dom

import (
	"strings"
	"testing"
)

const prose = "The harbour was built in 1871, when the fishing fleet had outgrown the old quay, and it has been widened twice since then."

// The main content is found by what the page says, else by where its text is.
func TestMainContent(t *testing.T) {
	menu := `<ul class=x><li><a href=1>Home and news</a><li><a href=2>Boats for hire</a><li><a href=3>Prices of berths</a><li><a href=4>Contact us now</a></ul>`
	text := "<h1>Harbour</h1><p>" + prose + "</p><p>" + prose + "</p>"
	want := "Harbour\n" + prose + "\n" + prose
	for name, page := range map[string]string{
		"main":             `<header>Kestrel Bay</header><main>` + text + `</main><footer>Imprint</footer>`,
		"role":             `<div id=top>Kestrel Bay</div><div role="MAIN region">` + text + `</div><div>` + prose + `</div>`,
		"hidden main":      `<main hidden>Old</main><main>` + text + `</main>`,
		"article":          `<div>Kestrel Bay</div><article>` + text + `</article><div>Imprint</div>`,
		"header in it":     `<article><header><h1>Harbour</h1></header><p>` + prose + `</p><p>` + prose + `</p></article>`,
		"nothing said":     `<div><div>Kestrel Bay</div>` + menu + `<div><div>` + text + `</div></div><div>Imprint</div></div>`,
		"a menu in it":     `<main>` + menu + text + `<div class="share">Tell your friends about us</div></main>`,
		"beside by class":  `<body><div class="sidebar wide">` + prose + prose + prose + `</div><div>` + text + `</div>`,
		"beside by role":   `<body><div role=complementary>` + prose + prose + prose + `</div><div>` + text + `</div>`,
		"in a table":       `<table><tr><td>` + menu + `<td>` + text + `</table>`,
		"custom elements":  `<app-root><app-nav>` + menu + `</app-nav><app-page>` + text + `</app-page></app-root>`,
		"an ASP.NET page":  `<form action=x><div>` + menu + `</div><div>` + text + `</div></form>`,
		"a form in it":     `<main>` + text + `<form><select><option>One<option>Two</select><textarea>Three</textarea><button>Send</button></form></main>`,
		"what no one sees": `<main>` + text + `<p style="display:none">Tracked</p><script>x</script></main>`,
	} {
		d, err := Parse([]byte("<!doctype html><title>T</title>"+page), Options{})
		if err != nil {
			t.Fatal(err)
		}
		if got := string(d.AppendMain(nil, Root)); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

// A page without one is its own main content, and a page of links has their text.
func TestMainContentOfLists(t *testing.T) {
	links := strings.Repeat("<li><a href=x>Boats</a>", 6)
	for page, want := range map[string]string{
		"":              "",
		"<p>a<p>b":      "a\nb",
		"<ul>" + links:  strings.TrimSpace(strings.Repeat("Boats\n", 6)),
		"<nav>" + links: strings.TrimSpace(strings.Repeat("Boats\n", 6)),
		"<article>" + prose + "</article><article>" + prose + "</article>": prose + "\n" + prose,
	} {
		d, err := Parse([]byte(page), Options{})
		if err != nil {
			t.Fatal(err)
		}
		if got := string(d.AppendMain(nil, Root)); got != want {
			t.Errorf("%s: %q, want %q", page, got, want)
		}
	}
}

// Of real pages, the main content is the documentation, not what is around it.
func TestMainContentOfPages(t *testing.T) {
	const page = `<html><body><div class="related" role="navigation"><h3>Navigation</h3><ul><li><a href=a>index</a></li></ul></div>
<div class="document"><div class="documentwrapper"><div class="bodywrapper"><div class="body" role="main"><section id="abc"><h1>abc</h1><p>` + prose +
		`</p></section></div></div></div><div class="sphinxsidebar"><h4>Previous topic</h4></div></div></body></html>`
	d, err := Parse([]byte(page), Options{})
	if err != nil {
		t.Fatal(err)
	}
	n := d.MainContent(Root)
	if role, _ := d.Node(n).Attr("role"); role != "main" {
		t.Errorf("the main content is %s", d.AppendOuterHTML(nil, n))
	}
}
