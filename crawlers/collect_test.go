package crawlers_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"shoal/crawlers"
	"shoal/internal/crawl"
	"shoal/internal/crawler"
	"shoal/internal/fetch"
	"shoal/internal/fixtures"
	"shoal/internal/safedial"
)

// row is a result as a client sees it.
type row = map[string]any

// collected is what a crawler made of a site.
type collected struct {
	*crawl.Report
	rows  []row
	asked *fixtures.Counter // what the site was asked
}

// collect runs a built-in crawler over a served site to its end: real requests,
// the real plan, a frontier in memory. {SITE} in the task's texts is the site's
// address; in the rows and the report it is put back.
func collect(t *testing.T, slug string, site http.Handler, task, params row) collected {
	t.Helper()
	c, err := crawler.NewCatalogue(crawlers.FS, "")
	if err != nil {
		t.Fatal(err)
	}
	p, err := c.Lookup(slug)
	if err != nil {
		t.Fatal(err)
	}
	return collectWith(t, p, site, task, params)
}

// mostPages is more requests than any crawl of these tests should make.
const mostPages = 3000

func collectWith(t *testing.T, p *crawler.Program, site http.Handler, task, params row) collected {
	t.Helper()
	asked := fixtures.Count(site)
	server := httptest.NewServer(asked)
	t.Cleanup(server.Close)
	f := fetch.New(fetch.Options{
		Dial:    safedial.New(safedial.Options{AllowPrivate: true}).DialContext,
		Backoff: time.Millisecond,
	})
	t.Cleanup(f.Close)
	given := row{}
	for name, v := range task {
		if s, ok := v.(string); ok {
			v = strings.ReplaceAll(s, "{SITE}", server.URL)
		}
		given[name] = v
	}
	r, err := crawl.Try(t.Context(), f, crawl.Trial{Program: p, Task: given, Params: params, MaxRows: 200_000, MaxPages: mostPages})
	if err != nil {
		t.Fatal(err)
	}
	out := collected{Report: r, asked: asked}
	for _, data := range r.Rows {
		var v row
		text := strings.ReplaceAll(string(data), server.URL, "{SITE}")
		text = strings.ReplaceAll(text, strings.TrimPrefix(server.URL, "http://"), "{HOST}")
		if err := json.Unmarshal([]byte(text), &v); err != nil {
			t.Fatalf("%s: %v", data, err)
		}
		out.rows = append(out.rows, v)
	}
	for i := range r.Requests {
		r.Requests[i].URL = strings.Replace(r.Requests[i].URL, server.URL, "{SITE}", 1)
	}
	if r.Ended != crawl.EndedDone {
		t.Errorf("the crawl ended early: %s %s", r.Ended, r.Desc)
	}
	return out
}

// by returns the rows by the value of a field, and fails when two have the same.
func (c collected) by(t *testing.T, field string) map[string]row {
	t.Helper()
	m := map[string]row{}
	for _, r := range c.rows {
		key := fmt.Sprint(r[field])
		if _, dup := m[key]; dup {
			t.Errorf("two rows have the %s %s", field, key)
		}
		m[key] = r
	}
	return m
}

// compare takes the rows' wanted fields and compares them with want, by key.
func compare(t *testing.T, key string, want []row, got collected) {
	t.Helper()
	have := got.by(t, key)
	wanted := map[string]row{}
	for _, w := range want {
		wanted[fmt.Sprint(w[key])] = w
	}
	shown := map[string]row{}
	for k, r := range have {
		cut := row{}
		for name := range wanted[k] {
			cut[name] = r[name]
		}
		shown[k] = cut
	}
	if diff := cmp.Diff(plain(t, wanted), plain(t, shown)); diff != "" {
		t.Errorf("rows by %s (-truth +collected): %s", key, diff)
	}
}

// plain is a value as JSON would give it back.
func plain(t *testing.T, v any) any {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var out any
	if err := json.Unmarshal(b, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// values are the field's distinct values, sorted.
func (c collected) values(field string) []string {
	set := map[string]bool{}
	for _, r := range c.rows {
		set[fmt.Sprint(r[field])] = true
	}
	return slices.Sorted(maps.Keys(set))
}

// orNil is nil for the zero value, as a field without a value is null.
func orNil[T comparable](v T) any {
	var zero T
	if v == zero {
		return nil
	}
	return v
}
