package crawlers_test

import (
	"slices"
	"strings"
	"testing"

	"shoal/internal/fixtures"
)

// TestWebsiteStatic collects the hand-written site: each page once, whatever
// its links look like, the dead links as rows with their status, nothing that
// only looks like a link, and no address that robots.txt forbids.
func TestWebsiteStatic(t *testing.T) {
	s := fixtures.Static()
	got := collect(t, "website", s, row{"url": "{SITE}/"}, nil)
	var want []row
	for _, d := range s.Documents {
		want = append(want, row{"url": "{SITE}" + d.Path, "status": 200, "title": d.Title, "h1": orNil(d.H1), "description": orNil(d.Description),
			"language": orNil(d.Language), "robots": orNil(d.Robots), "noindex": strings.Contains(d.Robots, "noindex"), "images_count": d.Images, "content_type": "text/html"})
	}
	for _, f := range s.Files {
		if !strings.HasSuffix(f.Path, ".pdf") { // known by its ending, not asked for
			want = append(want, row{"url": "{SITE}" + f.Path, "status": 200, "title": nil, "content_type": f.Type})
		}
	}
	for _, path := range s.Dead {
		status := 404
		if path == "/gone.html" {
			status = 410
		}
		want = append(want, row{"url": "{SITE}" + path, "status": status})
	}
	compare(t, "url", want, got)
	if n := got.asked.Requests("/private/ledger.html"); n != 0 {
		t.Error("robots.txt forbids /private/, and it was asked for")
	}
	rows := got.by(t, "url")
	if r := rows["{SITE}/about.html"]; r["links_internal_count"] != 2.0 {
		t.Error(r)
	}
}

func TestWebsiteBlog(t *testing.T) {
	s := fixtures.Blog(30)
	got := collect(t, "website", s, row{"url": "{SITE}/"}, nil)
	rows := got.by(t, "url")
	for _, p := range s.Posts {
		r := rows["{SITE}"+p.Path]
		if r == nil || r["h1"] != p.Title || r["og_type"] != "article" || r["canonical"] != "{SITE}"+p.Path {
			t.Errorf("%s: %v", p.Path, r)
		}
	}
	for url := range rows {
		if strings.ContainsAny(url, "?") {
			t.Errorf("%s is a reply form, a share button, a log-in or a calendar, and no page of its own", url)
		}
	}
	lists := 0
	for _, path := range s.Paths() {
		if strings.Contains(path, "/page/") {
			lists++
			if rows["{SITE}"+path] == nil {
				t.Errorf("%s is missing", path)
			}
		}
	}
	if lists < 5 {
		t.Errorf("the blog has only %d further pages of lists", lists)
	}
}

// TestWebsiteForum: every session id names the same pages.
func TestWebsiteForum(t *testing.T) {
	s := fixtures.Forum(20)
	got := collect(t, "website", s, row{"url": "{SITE}/"}, nil)
	titles := got.values("title")
	for _, thread := range s.Threads {
		if !slices.Contains(titles, thread.Title) {
			t.Errorf("the thread %q is missing", thread.Title)
		}
	}
	for _, url := range got.values("url") {
		if strings.Contains(url, "sid=") || strings.Contains(url, "view=print") || strings.Contains(url, "sk=") {
			t.Error(url)
		}
	}
}

// TestWebsiteTraps: the good pages, and an end.
func TestWebsiteTraps(t *testing.T) {
	s := fixtures.Traps()
	got := collect(t, "website", s, row{"url": "{SITE}/"}, row{"max_depth": 30})
	rows := got.by(t, "url")
	for _, path := range s.Good {
		if r := rows["{SITE}"+path]; r == nil || r["status"] != 200.0 {
			t.Errorf("%s: %v", path, r)
		}
	}
	if n := len(got.Requests); n > 400 {
		t.Errorf("%d requests for %d good pages", n, len(s.Good))
	}
	soft := rows["{SITE}/soft404/no-such-thing"]
	if soft == nil || soft["says_not_found"] != true || rows["{SITE}/"]["says_not_found"] != false {
		t.Error("a page that says it is not there:", soft)
	}
	if deep := rows["{SITE}/deep"]; deep == nil || deep["h1"] != "Deep" {
		t.Error(deep)
	}
	if mixed := rows["{SITE}/mixed"]; mixed == nil || !strings.HasPrefix(mixed["h1"].(string), "café, caf") {
		t.Error(mixed)
	}
}

func TestWebsiteTrapsFollowed(t *testing.T) {
	got := collect(t, "website", fixtures.Blog(8), row{"url": "{SITE}/"}, row{"max_depth": 3, "traps": "follow"})
	if urls := strings.Join(got.values("url"), " "); !strings.Contains(urls, "/calendar/?month=2024-02") || !strings.Contains(urls, "replytocom") {
		t.Error(urls)
	}
}

func TestWebsiteCharsets(t *testing.T) {
	s := fixtures.Charsets()
	got := collect(t, "website", s, row{"url": "{SITE}/"}, row{"text": true})
	want := []row{{"url": "{SITE}/", "title": "Encodings"}}
	for _, p := range s.Pages {
		want = append(want, row{"url": "{SITE}" + p.Path, "title": p.Title, "text": p.Text})
	}
	compare(t, "url", want, got)
}

// TestWebsiteManyLinks: a page of 400,000 links is read as far as is sensible;
// one of a million is more than a page may have, which is said.
func TestWebsiteManyLinks(t *testing.T) {
	got := collect(t, "website", fixtures.MillionLinks(400_000), row{"url": "{SITE}/"}, row{"max_depth": 0})
	if len(got.rows) != 1 || got.rows[0]["h1"] != "Links" || got.rows[0]["links_internal_count"].(float64) < 10_000 {
		t.Errorf("%d rows", len(got.rows))
	}
	got = collect(t, "website", fixtures.MillionLinks(1_000_000), row{"url": "{SITE}/"}, row{"max_depth": 0})
	if len(got.Requests) != 1 || !strings.Contains(got.Requests[0].Error, "larger than") {
		t.Errorf("%+v", got.Requests)
	}
}
