package crawlers_test

import (
	"testing"

	"shoal/internal/fixtures"
)

func sitemapRow(e fixtures.SitemapEntry) row {
	r := row{"url": "{SITE}" + e.Path, "lastmod": nil, "changefreq": orNil(e.ChangeFreq), "priority": orNil(e.Priority), "sitemap": "{SITE}" + e.File}
	if !e.LastMod.IsZero() {
		r["lastmod"] = e.LastMod.Format("2006-01-02T15:04:05Z")
	}
	return r
}

// TestSitemapOfAllItsSitemaps begins at the site: robots.txt names an index of
// indexes of gzipped sitemaps, one with every extension, and a list of lines.
func TestSitemapOfAllItsSitemaps(t *testing.T) {
	s := fixtures.Sitemaps()
	got := collect(t, "sitemap", s, row{"url": "{SITE}/some/page"}, nil)
	var want []row
	for _, e := range s.Entries {
		want = append(want, sitemapRow(e))
	}
	for _, e := range s.Extra {
		r := sitemapRow(e)
		r["images"], r["images_count"] = []string{}, len(e.Images)
		for _, i := range e.Images {
			r["images"] = append(r["images"].([]string), "{SITE}"+i)
		}
		r["news_title"], r["video_title"] = orNil(e.NewsTitle), orNil(e.Video)
		if !e.NewsDate.IsZero() {
			r["news_date"] = e.NewsDate.Format("2006-01-02T15:04:05Z")
		}
		want = append(want, r)
	}
	for _, path := range s.List {
		want = append(want, row{"url": "{SITE}" + path, "sitemap": "{SITE}/list.txt"})
	}
	compare(t, "url", want, got)
	if n := len(got.rows); n != 50_007 {
		t.Errorf("%d rows", n)
	}
	rows := got.by(t, "url")
	if r := rows["{SITE}/en/page.html"]; len(r["alternates"].([]any)) != 3 || r["alternates"].([]any)[1] != "{SITE}/de/page.html" || r["languages"].([]any)[1] != "de" {
		t.Error(r)
	}
}

func TestSitemapGivenOne(t *testing.T) {
	s := fixtures.Sitemaps()
	for _, c := range []struct {
		url  string
		rows int
	}{{"{SITE}/sitemaps/part-3.xml.gz", 2500}, {"{SITE}/extra.xml", 4}, {"{SITE}/list.txt", 3}, {"{SITE}/sitemap_index.xml.gz", 50_000}} {
		if got := collect(t, "sitemap", s, row{"url": c.url}, nil); len(got.rows) != c.rows {
			t.Errorf("%s: %d rows, want %d", c.url, len(got.rows), c.rows)
		}
	}
	got := collect(t, "sitemap", s, row{"url": "{SITE}/sitemap_index.xml.gz"}, row{"fetch_since": "2025-08-01 00:00"})
	if n := len(got.rows); n == 0 || n > 1500 {
		t.Errorf("%d rows since August 2025", n)
	}
}

// TestSitemapWithoutRobots: the usual place is tried.
func TestSitemapWithoutRobots(t *testing.T) {
	shop := fixtures.Bookshop(fixtures.Options{Count: 50})
	if got := collect(t, "sitemap", shop, row{"url": "{SITE}/sitemap.xml"}, nil); len(got.rows) != len(shop.Sitemap()) {
		t.Errorf("%d rows of %d", len(got.rows), len(shop.Sitemap()))
	}
	blog := fixtures.Blog(12)
	if got := collect(t, "sitemap", blog, row{"url": "{SITE}/"}, nil); len(got.rows) != 12 {
		t.Errorf("%d rows", len(got.rows))
	}
}
