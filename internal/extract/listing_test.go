package extract

import (
	"bytes"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/andybalholm/cascadia"
	"golang.org/x/net/html"
)

// The listing page that the figures are about: 20 rows of 8 fields, within the
// markup that such a page has.
const listingPages = `
  p:
    rows:
      each: article.product
      key: url
      fields:
        url: {select: h3 a, attr: href, as: url}
        title: {select: h3 a, attr: title}
        price: {select: .price, as: float}
        rating: {select: p.rating, attr: class, match: 'rating (\w+)'}
        stock: {select: .stock}
        image: {select: img, attr: src, as: url}
        seller: {select: .seller a}
        reviews: {select: .reviews, match: '(\d+)', as: int}
`

func listingPage() []byte {
	var b bytes.Buffer
	b.WriteString(`<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>Products</title><link rel="stylesheet" href="style.css"></head><body><header><nav><ul>`)
	for i := range 40 {
		fmt.Fprintf(&b, `<li class="nav-item"><a href="/category/%d/">Category %d</a></li>`, i, i)
	}
	b.WriteString(`</ul></nav></header><main><section class="grid">`)
	for i := range 20 {
		fmt.Fprintf(&b, `<article class="product card"><div class="image"><a href="/p/%[1]d.html"><img src="../media/%[1]d.jpg" alt="Product %[1]d" class="thumb" loading="lazy"></a></div>
<p class="rating Four"><i class="star"></i><i class="star"></i><i class="star"></i><i class="star"></i></p>
<h3><a href="/p/%[1]d.html" title="Product %[1]d with a rather long name">Product %[1]d with a …</a></h3>
<div class="buy"><p class="price">51.%02[1]d</p><p class="stock available"><i class="icon-ok"></i> In stock </p>
<p class="seller">Sold by <a href="/s/%[1]d">Seller %[1]d</a></p><p class="reviews">%[1]d reviews</p><form><button type="submit" class="btn">Add to basket</button></form></div></article>`, i)
	}
	b.WriteString(`</section></main><footer><p>Imprint, terms and the like.</p></footer></body></html>`)
	return b.Bytes()
}

func BenchmarkListing(b *testing.B) {
	body := listingPage()
	b.Run("shoal", func(b *testing.B) {
		pl := pagesOf(b, listingPages, nil)
		task := &Task{Params: map[string]any{"url": "https://example.com/list/"}}
		req, err := pl.Start(task)
		if err != nil {
			b.Fatal(err)
		}
		measure(b, [][]byte{body}, func(body []byte) int {
			o, err := pl.Read(task, &req, &Page{URL: req.URL, Status: 200, MediaType: "text/html", Body: body})
			if err != nil || len(o.Rows) != 20 {
				b.Fatal(o, err)
			}
			return len(o.Rows[0].Data)
		})
	})
	b.Run("hand", func(b *testing.B) {
		measure(b, [][]byte{body}, func(body []byte) int { return len(handListing(b, body)) })
	})
}

// product is a row as a programmer would have it.
type product struct {
	URL, Title, Rating, Stock, Image, Seller string
	Price                                    float64
	Reviews                                  int
}

var (
	handEach    = cascadia.MustCompile("article.product")
	handLink    = cascadia.MustCompile("h3 a")
	handPrice   = cascadia.MustCompile(".price")
	handRating  = cascadia.MustCompile("p.rating")
	handStock   = cascadia.MustCompile(".stock")
	handImage   = cascadia.MustCompile("img")
	handSeller  = cascadia.MustCompile(".seller a")
	handReviews = cascadia.MustCompile(".reviews")
)

// handListing is the same extraction written by hand with the libraries.
func handListing(tb testing.TB, body []byte) []product {
	doc, err := html.ParseWithOptions(bytes.NewReader(body), html.ParseOptionEnableScripting(false))
	if err != nil {
		tb.Fatal(err)
	}
	base, err := url.Parse("https://example.com/list/")
	if err != nil {
		tb.Fatal(err)
	}
	attrOf := func(n *html.Node, name string) string {
		for _, a := range n.Attr {
			if a.Key == name {
				return a.Val
			}
		}
		return ""
	}
	abs := func(ref string) string {
		u, err := base.Parse(ref)
		if err != nil {
			return ""
		}
		return u.String()
	}
	text := func(n *html.Node) string { return strings.Join(strings.Fields(bareText(n)), " ") }
	var out []product
	for _, n := range handEach.MatchAll(doc) {
		var p product
		if a := handLink.MatchFirst(n); a != nil {
			p.URL, p.Title = abs(attrOf(a, "href")), attrOf(a, "title")
		}
		if m := handPrice.MatchFirst(n); m != nil {
			p.Price, _ = strconv.ParseFloat(text(m), 64)
		}
		if m := handRating.MatchFirst(n); m != nil {
			_, p.Rating, _ = strings.Cut(attrOf(m, "class"), "rating ")
		}
		if m := handStock.MatchFirst(n); m != nil {
			p.Stock = text(m)
		}
		if m := handImage.MatchFirst(n); m != nil {
			p.Image = abs(attrOf(m, "src"))
		}
		if m := handSeller.MatchFirst(n); m != nil {
			p.Seller = text(m)
		}
		if m := handReviews.MatchFirst(n); m != nil {
			digits, _, _ := strings.Cut(text(m), " ")
			p.Reviews, _ = strconv.Atoi(digits)
		}
		out = append(out, p)
	}
	return out
}

// The benchmark compares the same work: both find the same values.
func TestListingSameAsByHand(t *testing.T) {
	pl := pagesOf(t, listingPages, nil)
	task, req := start(t, pl, "https://example.com/list/")
	o := read(t, pl, task, req, page(req.URL, string(listingPage())))
	byHand := handListing(t, listingPage())
	if len(o.Rows) != 20 || len(byHand) != 20 {
		t.Fatalf("%d and %d rows", len(o.Rows), len(byHand))
	}
	for i, p := range byHand {
		want := fmt.Sprintf(`{"url":%q,"title":%q,"price":%v,"rating":%q,"stock":%q,"image":%q,"seller":%q,"reviews":%d}`,
			p.URL, p.Title, p.Price, p.Rating, p.Stock, p.Image, p.Seller, p.Reviews)
		if got := string(o.Rows[i].Data); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}
