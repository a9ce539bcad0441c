package crawlers_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"shoal/internal/fixtures"
)

func TestArticlesOfAMagazine(t *testing.T) {
	s := fixtures.Magazine(24)
	var want []row
	for _, a := range s.Articles {
		r := row{"url": "{SITE}" + a.Path, "title": a.Title, "authors": a.Authors, "published": a.Published.Format(time.RFC3339), "language": a.Language, "section": a.Section, "text": a.Text(), "image": nil}
		if a.Image != "" {
			r["image"] = "{SITE}" + a.Image
		}
		want = append(want, r)
	}
	got := collect(t, "articles", s, row{"url": "{SITE}/"}, nil)
	compare(t, "url", want, got)
	one := collect(t, "articles", s, row{"url": "{SITE}" + s.Articles[3].Path}, row{"crawl": false, "markdown": true})
	if len(one.rows) != 1 || len(one.Requests) != 1 || !strings.Contains(fmt.Sprint(one.rows[0]["markdown"]), s.Articles[3].Paragraphs[1][:60]) {
		t.Errorf("%+v", one.rows)
	}
	if since := collect(t, "articles", s, row{"url": "{SITE}/"}, row{"fetch_since": "2023-01-15 00:00"}); len(since.rows) == 0 || len(since.rows) >= len(got.rows) {
		t.Errorf("%d articles since", len(since.rows))
	}
}

func TestArticlesOfABlog(t *testing.T) {
	s := fixtures.Blog(25)
	var want []row
	for _, p := range s.Posts {
		want = append(want, row{"url": "{SITE}" + p.Path, "title": p.Title, "authors": []string{p.Author}, "published": p.Published.UTC().Format(time.RFC3339),
			"modified": p.Modified.UTC().Format(time.RFC3339), "section": p.Category, "text": strings.Join(p.Paragraphs, "\n"), "language": "en-US"})
	}
	compare(t, "url", want, collect(t, "articles", s, row{"url": "{SITE}/"}, nil))
}

func TestTablesOfAPage(t *testing.T) {
	var want []row
	for i, table := range fixtures.StaticTables {
		for j, cells := range table.Rows {
			record := row{}
			for k, name := range table.Headers {
				record[name] = orNil(cells[k])
			}
			want = append(want, row{"key": fmt.Sprint(i+1, j+1), "table": i + 1, "row": j + 1, "caption": orNil(table.Caption), "headers": table.Headers, "record": record, "heading": "Tide tables"})
		}
	}
	got := collect(t, "tables", fixtures.Static(), row{"url": "{SITE}/tables.html"}, nil)
	for _, r := range got.rows {
		r["key"] = fmt.Sprint(r["table"], r["row"])
	}
	compare(t, "key", want, got)
	if len(got.Requests) != 1 {
		t.Error(got.Requests)
	}
	books := collect(t, "tables", fixtures.Bookshop(fixtures.Options{Count: 30, SlowDelay: 1}), row{"url": "{SITE}/"}, row{"crawl": true})
	if n := len(books.rows); n != 30 || books.rows[0]["record"].(row)["UPC"] == nil {
		t.Errorf("%d tables of 30 books: %v", n, books.rows[0])
	}
}

func TestProductsOfAShop(t *testing.T) {
	s := fixtures.Emporium(40)
	var want []row
	for _, p := range s.Products {
		images := []string{}
		for _, i := range p.Images {
			images = append(images, "{SITE}"+i)
		}
		r := row{"url": "{SITE}" + p.Path, "name": p.Name, "brand": p.Brand, "sku": p.SKU, "gtin": orNil(p.GTIN), "price": p.Price, "currency": p.Currency, "availability": p.Availability,
			"condition": orNil(p.Condition), "rating": orNil(p.Rating), "reviews": orNil(p.Reviews), "images": images, "description": p.Description, "category": p.Category}
		if p.HighPrice > p.Price {
			r["price_high"] = p.HighPrice
		}
		if len(p.Variants) > 0 {
			r["source"] = "jsonld"
		}
		want = append(want, r)
	}
	got := collect(t, "products", s, row{"url": "{SITE}/"}, nil)
	compare(t, "url", want, got)
	for _, r := range got.rows {
		i := slices.IndexFunc(s.Products, func(p fixtures.Product) bool { return "{SITE}"+p.Path == r["url"] })
		variants, _ := r["variants"].([]any)
		if i < 0 || len(variants) != len(s.Products[i].Variants) {
			t.Errorf("%s: %d variants", r["url"], len(variants))
		}
	}
}

func TestProductsOfABookshop(t *testing.T) {
	s := fixtures.Bookshop(fixtures.Options{Count: 40, SlowDelay: 1})
	var want []row
	for _, b := range s.Books() {
		want = append(want, row{"url": "{SITE}" + b.Path(), "name": b.Title, "price": float64(b.PricePence) / 100, "currency": "GBP"})
	}
	compare(t, "url", want, collect(t, "products", s, row{"url": "{SITE}/"}, nil))
}

// TestJSONAPIs collects the ships by every way of paging: told, and found out.
func TestJSONAPIs(t *testing.T) {
	s := fixtures.API(47)
	for path, params := range map[string]row{
		"/cursor":                  {"pagination": "cursor", "items": "data", "cursor_path": "meta.next_cursor"},
		"/cursor?limit=7":          nil,
		"/pages":                   {"pagination": "page"},
		"/pages?page=1":            nil,
		"/pages?page=1&per_page=5": nil,
		"/offset":                  {"pagination": "offset", "items": "response.docs"},
		"/offset?offset=0":         nil,
		"/link":                    {"pagination": "link"},
		"/link?page=1":             nil,
		"/next":                    {"pagination": "next", "items": "results"},
		"/next?start=0":            nil,
		"/bare":                    nil,
		"/lines":                   nil,
	} {
		got := collect(t, "json-api", s, row{"url": "{SITE}" + path}, params)
		ids := map[int]bool{}
		for _, r := range got.rows {
			record := r["record"].(row)
			id := int(record["id"].(float64))
			ids[id] = true
			ship := s.Ships[id-1000]
			if record["name"] != ship.Name || record["tonnage"] != ship.Tonnage || record["owner"].(row)["country"] != ship.Owner.Country || record["notes"] != nil && record["notes"] != *ship.Notes || r["name"] != ship.Name {
				t.Errorf("%s: %v", path, record)
			}
		}
		if len(got.rows) != 47 || len(ids) != 47 {
			t.Errorf("%s: %d rows, %d ships", path, len(got.rows), len(ids))
		}
	}
	if got := collect(t, "json-api", fixtures.Blog(23), row{"url": "{SITE}/wp-json/wp/v2/posts"}, nil); len(got.rows) != 23 {
		t.Errorf("%d posts", len(got.rows))
	}
	if one := collect(t, "json-api", s, row{"url": "{SITE}/cursor"}, row{"pagination": "none"}); len(one.rows) != 10 {
		t.Errorf("%d rows of one page", len(one.rows))
	}
}

func TestJSONAPIAuthorization(t *testing.T) {
	s := fixtures.API(25)
	guarded := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/robots.txt" && r.Header.Get("Authorization") != "Bearer abc" {
			http.Error(w, `{"error":"who are you?"}`, http.StatusUnauthorized)
			return
		}
		s.ServeHTTP(w, r)
	})
	for _, pagination := range []string{"auto", "next"} {
		if got := collect(t, "json-api", guarded, row{"url": "{SITE}/next"}, row{"authorization": "Bearer abc", "pagination": pagination}); len(got.rows) != 25 {
			t.Errorf("%s: %d rows", pagination, len(got.rows))
		}
	}
}

func TestLinksOfAStaticSite(t *testing.T) {
	s := fixtures.Static()
	got := collect(t, "link-checker", s, row{"url": "{SITE}/"}, nil)
	rows := got.by(t, "url")
	for _, d := range s.Documents {
		if r := rows["{SITE}"+d.Path]; d.Path != "/" && d.Path != "/refreshed.html" && (r == nil || r["status"] != 200.0 || r["internal"] != true || r["error"] != nil) {
			t.Errorf("%s: %v", d.Path, r)
		}
	}
	for _, path := range s.Dead {
		if r := rows["{SITE}"+path]; r == nil || r["status"].(float64) < 404 {
			t.Errorf("%s: %v", path, r)
		}
	}
	if r := rows["{SITE}/old.html"]; r == nil || r["redirected"] != true || r["final_url"] != "{SITE}/about.html" || r["page"] != "{SITE}/" || r["text"] != "Old address" {
		t.Error(r)
	}
	if r := rows["https://elsewhere.invalid/page"]; r == nil || r["error"] == nil || r["internal"] != false || r["text"] != "Elsewhere" {
		t.Error(r)
	}
	if r := rows["{SITE}/private/ledger.html"]; r == nil || !strings.Contains(fmt.Sprint(r["error"]), "robots.txt") {
		t.Error(r)
	}
	broken := collect(t, "link-checker", s, row{"url": "{SITE}/"}, row{"report": "broken", "external": false})
	for _, r := range broken.rows {
		if status := r["status"].(float64); status > 0 && status < 400 || r["internal"] != true {
			t.Error(r)
		}
	}
	if len(broken.rows) < len(s.Dead) {
		t.Errorf("%d broken links of %d", len(broken.rows), len(s.Dead))
	}
}

func TestFeedsOfEveryDialect(t *testing.T) {
	s := fixtures.Feeds(15)
	for path, c := range map[string]struct{ dialect, feed string }{
		"/rss.xml": {"rss", "/rss.xml"}, "/rdf.xml": {"rdf", "/rdf.xml"}, "/atom.xml": {"atom", "/atom.xml"}, "/feed.json": {"json", "/feed.json"},
		"/old.xml": {"rss", "/old.xml"}, "/atom-1.xml": {"atom", ""}, "/": {"rss", "/rss.xml"}, "/feed": {"rss", "/rss.xml"},
	} {
		var want []row
		for _, e := range s.Entries {
			r := row{"url": "{SITE}" + e.Path, "title": e.Title, "summary": e.Summary, "dialect": c.dialect}
			if path != "/old.xml" {
				r["published"], r["authors"], r["content"] = e.Published.UTC().Format(time.RFC3339), []string{e.Author}, e.Content
				r["categories"] = slices.Concat([]string{}, e.Categories)
			}
			if c.dialect != "rdf" && path != "/old.xml" {
				r["enclosure"], r["entry_id"] = nil, e.ID
				if e.Enclosure != "" {
					r["enclosure"], r["enclosure_bytes"] = "{SITE}"+e.Enclosure, e.Bytes
				}
			}
			if c.feed != "" {
				r["feed"] = "{SITE}" + c.feed
			}
			want = append(want, r)
		}
		t.Run(path, func(t *testing.T) {
			compare(t, "url", want, collect(t, "feed", s, row{"url": "{SITE}" + path}, nil))
		})
	}
	if got := collect(t, "feed", s, row{"url": "{SITE}/feed-page.html"}, nil); len(got.rows) < 15 || len(got.Requests) != 3 {
		t.Errorf("%d rows, %d requests", len(got.rows), len(got.Requests))
	}
	if got := collect(t, "feed", s, row{"url": "{SITE}/none.html"}, nil); len(got.rows) != 15 {
		t.Errorf("the usual place gave %d rows", len(got.rows))
	}
	if got := collect(t, "feed", s, row{"url": "{SITE}/rss.xml"}, row{"fetch_since": "2024-06-25 00:00"}); len(got.rows) == 0 || len(got.rows) > 6 {
		t.Errorf("%d rows since", len(got.rows))
	}
	if got := collect(t, "feed", fixtures.Blog(12), row{"url": "{SITE}/"}, nil); len(got.rows) != 10 {
		t.Errorf("%d posts of the blog's feed", len(got.rows))
	}
}

func TestContactsOfACompany(t *testing.T) {
	s := fixtures.Company()
	got := collect(t, "contacts", s, row{"url": "{SITE}/"}, row{"region": "de"})
	have := map[string]row{}
	for _, r := range got.rows {
		have[fmt.Sprint(r["kind"], " ", r["value"])] = r
		if r["site"] != "127.0.0.1" {
			t.Error("site", r["site"])
		}
	}
	for _, c := range s.Contacts {
		r := have[c.Kind+" "+c.Value]
		if r == nil {
			t.Errorf("%v is missing", c)
		} else if r["page"] != "{SITE}"+c.Path {
			t.Errorf("%v was found on %s", c, r["page"])
		}
		delete(have, c.Kind+" "+c.Value)
	}
	for c := range have {
		t.Errorf("%s is no contact", c)
	}
	if kinds := collect(t, "contacts", s, row{"url": "{SITE}/"}, row{"kinds": "email"}).values("kind"); len(kinds) != 1 || kinds[0] != "email" {
		t.Error(kinds)
	}
}

func TestContactsOfEachPage(t *testing.T) {
	s := fixtures.Company()
	got := collect(t, "contacts", s, row{"url": "{SITE}/"}, row{"rows": "page", "region": "DE"})
	if n := len(got.rows); n != len(s.Contacts)+2 { // sales@ stands on the press page too, the number on the imprint
		t.Errorf("%d contacts on pages, %d in all", n, len(s.Contacts))
	}
}
