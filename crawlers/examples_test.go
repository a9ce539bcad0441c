package crawlers_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"shoal/internal/crawler"
	"shoal/internal/fixtures"
)

// example compiles a definition of docs/examples.
func example(t *testing.T, name string) *crawler.Program {
	t.Helper()
	src, err := os.ReadFile(filepath.Join("..", "docs", "examples", name+".yaml"))
	if err != nil {
		t.Fatal(err)
	}
	p, err := crawler.Compile(name+".yaml", src)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// examples is what each definition of docs/examples must collect.
var examples = map[string]func(t *testing.T, p *crawler.Program){
	"01-list": func(t *testing.T, p *crawler.Program) {
		s := fixtures.Paced(3, 0)
		var want []row
		for _, i := range s.Pages()[0].Items {
			want = append(want, row{"id_text": i.Key, "name": i.Name, "value": i.Value})
		}
		compare(t, "id_text", want, collectWith(t, p, s, row{"url": "{SITE}/"}, nil))
	},
	"02-next-page": func(t *testing.T, p *crawler.Program) {
		s := fixtures.Forum(30)
		var want []row
		for _, th := range s.Threads {
			want = append(want, row{"title": th.Title, "replies": len(th.Posts) - 1, "views": th.Views})
		}
		got := collectWith(t, p, s, row{"url": "{SITE}/viewforum.php?f=2"}, nil)
		if len(got.rows) != len(want) {
			t.Fatalf("%d threads of %d", len(got.rows), len(want))
		}
		for i, w := range want {
			r := got.rows[i]
			if r["title"] != w["title"] || r["replies"] != float64(w["replies"].(int)) || r["views"] != float64(w["views"].(int)) {
				t.Errorf("%v, want %v", r, w)
			}
		}
	},
	"03-two-kinds": func(t *testing.T, p *crawler.Program) {
		s := fixtures.Forum(20)
		var want []row
		for _, th := range s.Threads {
			for _, post := range th.Posts {
				want = append(want, row{"post": post.ID, "author": post.Author, "posted": post.At.Format(time.RFC3339), "text": post.Text, "thread": fmt.Sprintf("{SITE}/viewtopic.php?f=2&t=%d", th.ID)})
			}
		}
		compare(t, "post", want, collectWith(t, p, s, row{"url": "{SITE}/viewforum.php?f=2"}, nil))
	},
	"04-details": func(t *testing.T, p *crawler.Program) {
		s := fixtures.Bookshop(fixtures.Options{Count: 60, SlowDelay: 1})
		var want []row
		for _, b := range s.Books() {
			if b.PricePence < 4000 && b.Rating >= 2 {
				want = append(want, row{"url": "{SITE}" + b.Path(), "title": b.Title, "price": float64(b.PricePence) / 100, "rating": b.Rating, "upc": b.UPC, "stock": b.Stock, "category": b.Category})
			}
		}
		compare(t, "url", want, collectWith(t, p, s, row{"url": "{SITE}/"}, row{"details": true}))
		if plain := collectWith(t, p, s, row{"url": "{SITE}/"}, nil); len(plain.rows) != len(want) || len(plain.Requests) != 3 || plain.rows[0]["upc"] != nil {
			t.Errorf("without details: %d rows, %d requests", len(plain.rows), len(plain.Requests))
		}
	},
	"05-whole-site": func(t *testing.T, p *crawler.Program) {
		s := fixtures.Traps()
		got := collectWith(t, p, s, row{"url": "{SITE}/"}, nil)
		rows := got.by(t, "url")
		for _, path := range s.Good {
			if rows["{SITE}"+path] == nil {
				t.Errorf("%s is missing", path)
			}
		}
		if len(got.Requests) > 150 {
			t.Errorf("%d requests", len(got.Requests))
		}
	},
	"06-json-api": func(t *testing.T, p *crawler.Program) {
		s := fixtures.API(47)
		var want []row
		for _, ship := range s.Ships {
			if ship.Active {
				r := row{"number": ship.ID, "name": ship.Name, "kind": ship.Kind, "tonnage": ship.Tonnage, "built": ship.Built + "T00:00:00Z", "ports": ship.Ports, "first_port": "unknown",
					"owner": row{"name": ship.Owner.Name, "country": ship.Owner.Country}, "label": fmt.Sprintf("%s (%s)", ship.Name, ship.Owner.Country)}
				if len(ship.Ports) > 0 {
					r["first_port"] = ship.Ports[0]
				}
				want = append(want, r)
			}
		}
		got := collectWith(t, p, s, row{"url": "{SITE}/pages"}, nil)
		compare(t, "number", want, got)
		if len(got.Requests) != 5 {
			t.Errorf("%d requests", len(got.Requests))
		}
		if kinds := collectWith(t, p, s, row{"url": "{SITE}/pages"}, row{"kind": "tug"}).values("kind"); !slices.Equal(kinds, []string{"tug"}) {
			t.Error(kinds)
		}
	},
	"07-feed": func(t *testing.T, p *crawler.Program) {
		s := fixtures.Feeds(20)
		var want []row
		for _, e := range s.Entries {
			r := row{"url": "{SITE}" + e.Path, "title": esc(e.Title), "published": e.Published.UTC().Format(time.RFC3339), "author": e.Author, "tags": append([]string{}, e.Categories...), "sound": nil}
			if e.Enclosure != "" {
				r["sound"] = "{SITE}" + e.Enclosure
			}
			want = append(want, r)
		}
		compare(t, "url", want, collectWith(t, p, s, row{"url": "{SITE}/atom-1.xml"}, nil))
	},
	"08-structured-data": func(t *testing.T, p *crawler.Program) {
		s := fixtures.Emporium(40)
		var want []row
		for _, it := range s.Products {
			if slices.Contains([]string{"jsonld", "graph", "careless", "aggregate"}, it.Markup) {
				want = append(want, row{"sku": it.SKU, "name": it.Name, "brand": it.Brand, "price": it.Price, "currency": it.Currency, "in_stock": it.Availability == "InStock",
					"breadcrumb": "Home > " + it.Category + " > " + it.Name, "page": "{SITE}" + it.Path})
			}
			for i, v := range it.Variants {
				want = append(want, row{"sku": v.SKU, "price": v.Price, "name": it.Name + " " + []string{"red", "green", "blue"}[i], "in_stock": v.InStock})
			}
		}
		compare(t, "sku", want, collectWith(t, p, s, row{"url": "{SITE}/"}, nil))
	},
	"09-search": func(t *testing.T, p *crawler.Program) {
		s := fixtures.API(47)
		var want []row
		for _, ship := range s.Ships {
			if ship.Kind == "ferry" {
				r := row{"number": ship.ID, "name": ship.Name, "tonnage": ship.Tonnage, "country": ship.Owner.Country, "notes": nil}
				if ship.Notes != nil {
					r["notes"] = *ship.Notes
				}
				want = append(want, r)
			}
		}
		compare(t, "number", want, collectWith(t, p, s, row{"url": "{SITE}/search", "kind": "ferry"}, nil))
	},
	"10-graphql": func(t *testing.T, p *crawler.Program) {
		s := fixtures.API(47)
		var want []row
		for _, ship := range s.Ships {
			want = append(want, row{"number": ship.ID, "name": ship.Name, "tonnage": ship.Tonnage, "owner": ship.Owner.Name, "country": ship.Owner.Country, "ports": ship.Ports, "active": ship.Active})
		}
		compare(t, "number", want, collectWith(t, p, s, row{"url": "{SITE}/graphql"}, nil))
		if got := collectWith(t, p, s, row{"url": "{SITE}/graphql"}, row{"details": false, "page_size": 7}); len(got.rows) != 47 || len(got.Requests) != 7 {
			t.Errorf("without details: %d rows, %d requests", len(got.rows), len(got.Requests))
		}
	},
}

// esc is a text as the title of the Atom feed holds it: HTML in XML.
func esc(s string) string {
	return strings.NewReplacer("&", "&amp;", "'", "&#39;", `"`, "&#34;").Replace(s)
}

// TestExamples runs every definition of docs/examples; one without a test fails.
func TestExamples(t *testing.T) {
	files, err := filepath.Glob("../docs/examples/*.yaml")
	if err != nil || len(files) != len(examples) {
		t.Fatalf("%d examples, %d tests of them: %v", len(files), len(examples), err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".yaml")
		t.Run(name, func(t *testing.T) {
			test := examples[name]
			if test == nil {
				t.Fatal("has no test")
			}
			test(t, example(t, name))
		})
	}
}
