package crawl_test

import (
	"encoding/json"
	"net/http"
	"testing"

	"shoal"
	"shoal/internal/crawl"
	"shoal/internal/crawler"
	"shoal/internal/fetch"
	"shoal/internal/safedial"
)

// TestSessionsAreNoRows: a definition that reads the answer's cookies gets them
// without an account; those of an account's session it never sees, and the
// session goes on with them all the same.
func TestSessionsAreNoRows(t *testing.T) {
	url := site(t, func(w http.ResponseWriter, r *http.Request) {
		http.SetCookie(w, &http.Cookie{Name: "session", Value: "renewed", Path: "/"})
		w.Write([]byte("<h1>Members</h1>"))
	})
	p, err := crawler.Compile("x", []byte(`
slug: x
name: X
input: [{name: url, level: task}]
start: {url: "{{ task.url }}", page: p}
pages: {p: {rows: {key: title, fields: {title: {select: h1}, cookie: {from: header.set-cookie}}}}}
`))
	if err != nil {
		t.Fatal(err)
	}
	f := fetch.New(fetch.Options{Dial: safedial.New(safedial.Options{AllowPrivate: true}).DialContext})
	t.Cleanup(f.Close)
	c, err := crawl.New(catalogue{p}, f, nil).Open(shoal.CrawlerVersion{PK: 1, Slug: "x", Definition: p.Source}, shoal.RunSettings{Concurrency: 1})
	if err != nil {
		t.Fatal(err)
	}
	for name, jar := range map[string]*fetch.Jar{"without an account": nil, "with one": fetch.NewJar()} {
		w := work(url)
		s := c.DoAs(t.Context(), task(t, c, w), w, jar, nil)
		if s.Page == nil || len(s.Page.Rows) != 1 {
			t.Fatalf("%s: %+v", name, s)
		}
		var row struct{ Cookie *string }
		if err := json.Unmarshal(s.Page.Rows[0].Data, &row); err != nil {
			t.Fatal(err)
		}
		if (row.Cookie == nil) != (jar != nil) {
			t.Errorf("%s the row is %s", name, s.Page.Rows[0].Data)
		}
		if jar != nil && len(jar.Stored(s.Page.At)) != 1 {
			t.Error("the session lost the cookie that the site renewed")
		}
	}
}
