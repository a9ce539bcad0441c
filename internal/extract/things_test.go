package extract

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"shoal/internal/dom"
	"shoal/internal/dom/address"
	"shoal/internal/fixtures"
)

// thingsOn reads a fixture's page.
func thingsOn[T any](t *testing.T, h http.Handler, path, name string, options map[string]string) []T {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "http://site.example"+path, nil))
	return thingsIn[T](t, "http://site.example"+path, w.Body.String(), name, options)
}

func thingsIn[T any](t *testing.T, url, text, name string, options map[string]string) []T {
	t.Helper()
	p := thingPage{body: []byte(text), url: url, options: options}
	if name != "records" && name != "feed" {
		p.root = parseHTML(&dom.Document{}, p.body)
	}
	var err error
	if p.res, err = address.NewResolver(url); err != nil {
		t.Fatal(err)
	}
	list := []T{}
	for _, b := range things[name](p) {
		var v T
		if err := json.Unmarshal(b, &v); err != nil {
			t.Fatalf("%s: %v", b, err)
		}
		list = append(list, v)
	}
	return list
}

type tableOut struct {
	Table   int
	Caption string
	Headers []string
	Cells   []*string
	Record  map[string]any
	Row     int
}

func TestTables(t *testing.T) {
	rows := thingsOn[tableOut](t, fixtures.Static(), "/tables.html", "tables", nil)
	var got []fixtures.Table
	for _, r := range rows {
		if r.Row == 1 {
			got = append(got, fixtures.Table{Caption: r.Caption, Headers: r.Headers})
		}
		var cells []string
		for _, c := range r.Cells {
			if c == nil {
				c = new("")
			}
			cells = append(cells, *c)
		}
		got[r.Table-1].Rows = append(got[r.Table-1].Rows, cells)
	}
	if diff := cmp.Diff(fixtures.StaticTables, got); diff != "" {
		t.Error(diff)
	}
}

func TestTablesOfOtherMakes(t *testing.T) {
	for name, c := range map[string]struct {
		html string
		want []string // records
	}{
		"standing": {`<table><tr><th>UPC:</th><td>a8</td></tr><tr><th>Price</th><td>£5</td></tr></table>`, []string{`{"Price":"£5","UPC":"a8"}`}},
		"one row":  {`<table><tr><td>a<td>b</table>`, nil},
		"no heads": {`<table><tr><td>a<td>b<tr><td>c<td>d</table>`, []string{`{"column_1":"a","column_2":"b"}`, `{"column_1":"c","column_2":"d"}`}},
		"row heads": {`<table><tr><td><th>Mon<th>Tue<tr><th>Ada<td>1<td>2<tr><th>Bo<td>3<td></table>`,
			[]string{`{"Mon":"1","Tue":"2","column_1":"Ada"}`, `{"Mon":"3","Tue":null,"column_1":"Bo"}`}},
		"equal heads": {`<table><tr><th>A<th>A<th><tr><td>1<td>2<td>3</table>`, []string{`{"A":"1","A_2":"2","column_3":"3"}`}},
		"title rows":  {`<table><tr><th>A<th>B<th>C<tr><td colspan=3>Group<tr><td>1<td>2<td>3</table>`, []string{`{"A":"1","B":"2","C":"3"}`}},
		"huge spans":  {`<table><tr><th>A<th>B<tr><td rowspan=99999999>1<td colspan=-3>2<tr><td>3</table>`, []string{`{"A":"1","B":"2"}`, `{"A":"1","B":"3"}`}},
		"layout":      {`<table role=presentation><tr><td>a<td>b<tr><td>c<td>d</table>`, nil},
		"navigation":  {`<div class=navheader><table><tr><th colspan=3>1. Types<tr><td>Prev<td>Up<td>Next</table></div><nav><div><table><tr><td>a<td>b<tr><td>c<td>d</table></div></nav>`, nil},
		"navbox":      {`<table class="navbox plain"><tr><td>a<td>b<tr><td>c<td>d</table><table summary="Navigation footer"><tr><td>a<td>b<tr><td>c<td>d</table>`, nil},
		"one column":  {`<table><thead><tr><th>Column<tbody><tr><td>oid<tr><td>relname</table>`, []string{`{"Column":"oid"}`, `{"Column":"relname"}`}},
		"a box":       {`<table><tr><th>News<tr><td>All that is new</table><table><tr><td>a<tr><td>b<tr><td>c</table>`, nil},
	} {
		var got []string
		for _, r := range thingsIn[tableOut](t, "http://h/", c.html, "tables", nil) {
			b, err := json.Marshal(r.Record)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, string(b))
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	wide := `<table><tr>` + strings.Repeat(`<td colspan=1000 rowspan=60000>x`, 2000) + strings.Repeat(`<tr><td>y`, 2000) + `</table>`
	if rows := thingsIn[tableOut](t, "http://h/", wide, "tables", nil); len(rows) > 2000 {
		t.Errorf("%d rows of a table of spans", len(rows))
	}
}

func TestHeadingsWithoutTheirMark(t *testing.T) {
	page := "<h1>A manual<a class=headerlink href='#m'>¶</a></h1><table><tr><th>A<th>B<tr><td>1<td>2</table><p>" + strings.Repeat("Some words of it. ", 60)
	if list := thingsIn[article](t, "http://h/x", page, "article", nil); len(list) != 1 || list[0].Title != "A manual" {
		t.Error(list)
	}
	if list := thingsIn[struct{ Heading string }](t, "http://h/x", page, "tables", nil); len(list) != 1 || list[0].Heading != "A manual" {
		t.Error(list)
	}
}

func TestTableCaptions(t *testing.T) {
	for _, c := range []struct{ html, want string }{
		{`<table summary=Other><caption>Tides</caption><tr><th>A<th>B<tr><td>1<td>2</table>`, "Tides"},
		{`<table summary=" pg_class  Columns"><tr><th>A<th>B<tr><td>1<td>2</table>`, "pg_class Columns"},
		{`<figure><div><table><tr><th>A<th>B<tr><td>1<td>2</table></div><figcaption>Table 1: <b>Tides</b></figcaption></figure>`, "Table 1: Tides"},
		{`<table><tr><th>A<th>B<tr><td>1<td>2</table>`, ""},
	} {
		rows := thingsIn[tableOut](t, "http://h/", c.html, "tables", nil)
		if len(rows) != 1 || rows[0].Caption != c.want {
			t.Errorf("%s: %+v, want the caption %q", c.html, rows, c.want)
		}
	}
}

func TestArticles(t *testing.T) {
	s := fixtures.Magazine(24)
	for _, want := range s.Articles {
		list := thingsOn[article](t, s, want.Path, "article", nil)
		if len(list) != 1 {
			t.Errorf("%s (%s): %d articles", want.Path, want.Markup, len(list))
			continue
		}
		got := list[0]
		image := ""
		if want.Image != "" {
			image = "http://site.example" + want.Image
		}
		at := want.Published.Format("2006-01-02T15:04:05Z")
		if slices.Contains([]string{"meta", "html5", "divs"}, want.Markup) {
			at = want.Published.Format("2006-01-02")
		}
		diff := cmp.Diff([]any{want.Title, want.Authors, at, want.Language, want.Section, image, want.Text()},
			[]any{got.Title, got.Authors, got.Published, got.Language, got.Section, got.Image, got.Text})
		if diff != "" {
			t.Errorf("%s (%s): %s", want.Path, want.Markup, diff)
		}
	}
	for _, path := range s.Others {
		if list := thingsOn[article](t, s, path, "article", nil); len(list) != 0 {
			t.Errorf("%s is no article: %+v", path, list[0].Why)
		}
	}
}

func TestProducts(t *testing.T) {
	s := fixtures.Emporium(40)
	for _, want := range s.Products {
		list := thingsOn[goods](t, s, want.Path, "products", nil)
		if len(list) != 1 {
			t.Errorf("%s (%s): %d products", want.Path, want.Markup, len(list))
			continue
		}
		if diff := cmp.Diff(productTruth(want), list[0]); diff != "" {
			t.Errorf("%s (%s): %s", want.Path, want.Markup, diff)
		}
	}
	for _, path := range []string{"/", "/imprint", "/c/lamps"} {
		if list := thingsOn[goods](t, s, path, "products", nil); len(list) != 0 {
			t.Errorf("%s sells nothing: %+v", path, list)
		}
	}
}

// productTruth is a fixture's product as the reader writes it.
func productTruth(p fixtures.Product) goods {
	const at = "http://site.example"
	w := goods{Name: p.Name, Brand: p.Brand, SKU: p.SKU, GTIN: p.GTIN, Price: &p.Price, Currency: p.Currency, Availability: p.Availability, Condition: p.Condition,
		Description: p.Description, Category: p.Category, URL: at + p.Path, Source: "jsonld"}
	if p.HighPrice > p.Price {
		w.PriceHigh = &p.HighPrice
	}
	if p.Reviews > 0 {
		n := int64(p.Reviews)
		w.Rating, w.Reviews = &p.Rating, &n
	}
	for _, i := range p.Images {
		w.Images = append(w.Images, at+i)
	}
	switch p.Markup {
	case "microdata", "itemref":
		w.Source = "microdata"
	case "opengraph":
		w.Source = "opengraph"
	}
	if w.Source == "jsonld" && w.Rating != nil {
		w.BestRating = new(5.0)
	}
	for _, v := range p.Variants {
		availability := "OutOfStock"
		if v.InStock {
			availability = "InStock"
		}
		w.Variants = append(w.Variants, goods{SKU: v.SKU, Name: p.Name + " " + v.Color, Color: v.Color, Price: &v.Price, Currency: p.Currency, Availability: availability, Condition: "NewCondition", URL: at + p.Path})
	}
	return w
}

func TestRecords(t *testing.T) {
	for body, want := range map[string]string{
		`[{"a":1},{"a":2}]`: `{"a":1} {"a":2}`,
		`{"meta":{"total":2},"results":[{"a":1}],"facets":[{"x":1},{"x":2}]}`:        `{"a":1}`,
		`{"response":{"docs":[{"a":1}]}}`:                                            `{"a":1}`,
		`{"data":{"ships":{"edges":[{"cursor":"x","node":{"a":1}}],"pageInfo":{}}}}`: `{"a":1}`,
		`{"short":[{"x":1}],"long":[{"a":1},{"a":2}]}`:                               `{"a":1} {"a":2}`,
		`{"items":[]}`:             ``,
		`{"a":1}`:                  `{"a":1}`,
		"{\"a\":1}\n\n{\"a\":2}\n": `{"a":1} {"a":2}`,
		`"text"`:                   ``,
		`not json`:                 ``,
	} {
		var got []string
		for _, r := range thingsIn[struct{ Record json.RawMessage }](t, "http://h/", body, "records", nil) {
			got = append(got, string(r.Record))
		}
		if s := strings.Join(got, " "); s != want {
			t.Errorf("%s: %s, want %s", body, s, want)
		}
	}
	for path, want := range map[string]string{"x.y": `1 2`, "x": `[1,2] 3`, "nowhere": ``} {
		var got []string
		for _, r := range thingsIn[struct{ Record json.RawMessage }](t, "http://h/", `{"x":{"y":[1,2],"z":3}}`, "records", map[string]string{"items": path}) {
			got = append(got, string(r.Record))
		}
		if s := strings.Join(got, " "); s != want {
			t.Errorf("%s: %s, want %s", path, s, want)
		}
	}
}

func TestLinks(t *testing.T) {
	list := thingsIn[pageLink](t, "http://h.example/dir/", `<a href="a#x">A <b>link</b></a><a href=a>again</a><a href="//other.example/"><img alt="Other"></a><a href="#here">no</a><a href="mailto:x@y">no</a>
<iframe src=f></iframe><img src=i.png><area href=m alt=Map><a href="http://www.h.example/w?utm_source=x" rel="nofollow" title=T></a>`, "links", nil)
	var got []string
	for _, l := range list {
		got = append(got, strings.Join([]string{l.URL, l.Text, l.Kind, l.Rel, l.Fragment, map[bool]string{true: "in", false: "out"}[l.Internal]}, "|"))
	}
	want := []string{"http://h.example/dir/a|A link|link||x|in", "http://other.example/|Other|link|||out", "http://h.example/dir/f||frame|||in", "http://h.example/dir/m|Map|link|||in", "http://www.h.example/w|T|link|nofollow||in"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if n := len(thingsIn[pageLink](t, "http://h/", `<img src=i.png><script src=s.js></script><link rel=stylesheet href=c.css><link rel=canonical href=x>`, "links", map[string]string{"kinds": "all"})); n != 3 {
		t.Error(n)
	}
}

func TestFeeds(t *testing.T) {
	s := fixtures.Feeds(15)
	for path, dialect := range map[string]string{"/rss.xml": "rss", "/rdf.xml": "rdf", "/atom.xml": "atom", "/old.xml": "rss", "/feed.json": "json"} {
		list := thingsOn[feedEntry](t, s, path, "feed", nil)
		if len(list) != len(s.Entries) {
			t.Errorf("%s: %d entries of %d", path, len(list), len(s.Entries))
			continue
		}
		for i, e := range s.Entries {
			got := list[i]
			want := feedEntry{ID: got.ID, URL: "http://site.example" + e.Path, Title: e.Title, Summary: e.Summary, Feed: got.Feed}
			if path != "/old.xml" {
				want.Authors, want.Content, want.Categories = []string{e.Author}, e.Content, e.Categories
				want.Published, want.Updated = got.Published, got.Updated
				if got.Published == "" || dialect != "rdf" && got.ID != e.ID {
					t.Errorf("%s: %q of %q", path, got.Published, got.ID)
				}
			}
			if e.Enclosure != "" && dialect != "rdf" && path != "/old.xml" {
				want.Enclosure = &enclosure{URL: "http://site.example" + e.Enclosure, Type: "audio/mpeg", Bytes: int64(e.Bytes)}
			}
			if dialect == "rss" && path != "/old.xml" {
				want.Image = "http://media.invalid/x.jpg"
			}
			if diff := cmp.Diff(want, got, cmp.AllowUnexported(feedHead{})); diff != "" {
				t.Errorf("%s %d: %s", path, i, diff)
			}
			if got.Feed.Dialect != dialect || !strings.HasPrefix(got.Feed.Title, "The Bay") {
				t.Errorf("%s: %+v", path, got.Feed)
			}
		}
	}
	for text, want := range map[string]int{"": 0, "<html><body><p>no feed": 0, "<rss><channel><item><title>cut": 0, "<rss><channel><item><title>A</title></item><item><title>cut off": 1,
		"<feed xmlns='http://www.w3.org/2005/Atom'><entry><title type='xhtml'><div>A <b>b</b></div></title></entry>": 1, `{"version":"x","items":[{}]}`: 0} {
		if n := len(thingsIn[feedEntry](t, "http://h/", text, "feed", nil)); n != want {
			t.Errorf("%q: %d entries", text, n)
		}
	}
}

func TestThingsOnHostilePages(t *testing.T) {
	pages := []string{"", "<", strings.Repeat("<table><tr><td>", 3000), strings.Repeat("<div>", 20000) + "text", strings.Repeat("<p>word word word <a href=x>y</a>", 20000),
		strings.Repeat("<article><h2><a href=x>t</a></h2>", 2000), "<script type=application/ld+json>" + strings.Repeat("[", 50000) + "</script>", strings.Repeat("a@b.de +49 30 901820 ", 50_000),
		"<article>" + strings.Repeat("<header class=author>", 400) + strings.Repeat("word ", 1_000_000)}
	for _, text := range pages {
		for name := range things {
			thingsIn[map[string]any](t, "http://h/", text, name, nil)
		}
	}
}

func FuzzThings(f *testing.F) {
	f.Add("<table><tr><th>a<td rowspan=3>b</table><a href=mailto:a@b.de>x</a>")
	f.Add(`<script type="application/ld+json">{"@type":"Product","offers":[{"price":"1"}]}</script>`)
	f.Fuzz(func(t *testing.T, text string) {
		for name := range things {
			thingsIn[map[string]any](t, "http://h/", text, name, nil)
		}
	})
}

func TestContacts(t *testing.T) {
	s := fixtures.Company()
	got := map[string]bool{}
	for _, path := range []string{"/", "/contact", "/imprint", "/team", "/world", "/press", "/ld"} {
		for _, c := range thingsOn[contact](t, s, path, "contacts", map[string]string{"region": s.Region}) {
			got[c.Kind+" "+c.Value] = true
		}
	}
	for _, c := range s.Contacts {
		if !got[c.Kind+" "+c.Value] {
			t.Errorf("%s: %s %s is not found", c.Path, c.Kind, c.Value)
		}
		delete(got, c.Kind+" "+c.Value)
	}
	for c := range got {
		t.Errorf("%s is no contact", c)
	}
}

func TestSocialProfiles(t *testing.T) {
	for address, want := range map[string]string{
		"https://de-de.facebook.com/Some.Page/?ref=x": "facebook https://www.facebook.com/Some.Page",
		"https://www.facebook.com/profile.php?id=42":  "facebook https://www.facebook.com/profile.php?id=42",
		"https://www.facebook.com/sharer.php?u=x":     " ",
		"https://facebook.com/":                       " ",
		"https://twitter.com/intent/tweet?text=x":     " ",
		"https://mobile.twitter.com/ann/status/1":     "x https://x.com/ann",
		"https://uk.linkedin.com/in/ann-lee":          "linkedin https://www.linkedin.com/in/ann-lee",
		"https://www.linkedin.com/shareArticle?url=x": " ",
		"https://www.youtube.com/watch?v=1":           " ",
		"https://youtube.com/channel/UC1/videos":      "youtube https://www.youtube.com/channel/UC1",
		"https://api.whatsapp.com/send?phone=4917012": "whatsapp https://wa.me/4917012",
		"https://discord.com/invite/abc":              "discord https://discord.gg/abc",
		"https://notfacebook.com/ann":                 " ",
		"https://mastodon.social/@ann":                "mastodon https://mastodon.social/@ann",
		"https://example.com/@ann":                    " ",
	} {
		kind, profile := socialProfile(address, false)
		if got := kind + " " + profile; got != want {
			t.Errorf("%s: %q, want %q", address, got, want)
		}
	}
}
