package crawler

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"shoal"
)

const sample = `
slug: sample-crawler
name: Sample crawler
max_concurrency: 8
error_budget: 0.25
credits_per_row: 1.5
input:
  - {name: url, level: task, type: string, required: true, form: url, regex: '^https?://', example: 'https://h/'}
  - {name: pages, level: task, type: int, min: 1, max: 9, default: 2}
  - {name: zip, level: squid, type: string}
  - {name: city, level: squid, type: string, required: true, example: Paris}
  - {name: radius, level: squid, type: float, min: 0.5, max: 10}
  - {name: size, level: squid, type: string, allowed: [S, M, L], default: M}
  - {name: exact, level: squid, type: boolean}
  - {name: langs, level: squid, type: array, allowed: [en, fr]}
  - {name: pattern, level: squid, type: string, form: regex}
  - {name: max_pages, level: squid, type: int, min: 1, default: 500}
  - {name: details, level: squid, type: boolean, function: true, credits_per_function: 2}
  - {name: photos, level: squid, type: boolean, function: true, credits_per_function: 0.5, default: true}
start: {url: "{{ task.url }}"}
pages: {p: {rows: {key: u, fields: {u: {from: url}}}}}
`

func compileSample(t *testing.T) *Program {
	t.Helper()
	p, err := Compile("sample.yaml", []byte(sample))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

type object = map[string]any

func TestCheckParams(t *testing.T) {
	p := compileSample(t)
	cases := []struct {
		name                  string
		params, functions     object
		want, wantFunctions   object
		code, param, contains string
	}{
		{name: "nothing"},
		{name: "number for a text", params: object{"zip": 75001.0}, want: object{"zip": "75001"}},
		{name: "literal number for a text", params: object{"zip": json.Number("0075")}, want: object{"zip": "0075"}},
		{name: "boolean for a text", params: object{"zip": true}, want: object{"zip": "true"}},
		{name: "text for numbers", params: object{"radius": " 2.5", "max_results": "10"}, want: object{"radius": 2.5, "max_results": int64(10)}},
		{name: "whole float for an int", params: object{"max_results": 10.0}, want: object{"max_results": int64(10)}},
		{name: "text for a boolean", params: object{"exact": "Yes"}, want: object{"exact": true}},
		{name: "scalar for a list", params: object{"langs": "en"}, want: object{"langs": []any{"en"}}},
		{name: "null is the default", params: object{"size": nil, "details": nil}},
		{name: "flat function", params: object{"details": true, "size": "L"}, want: object{"size": "L"}, wantFunctions: object{"details": true}},
		{name: "nested functions", params: object{"functions": object{"photos": 0.0}}, wantFunctions: object{"photos": false}},
		{name: "given functions win", params: object{"details": true}, functions: object{"details": false}, wantFunctions: object{"details": false}},
		{name: "since", params: object{"fetch_since": "2w", "fetch_since_timezone": "Europe/Paris"}, want: object{"fetch_since": "2w", "fetch_since_timezone": "Europe/Paris"}},
		{name: "unknown", params: object{"citty": "x"}, code: "ParamsInvalid", param: "citty", contains: `did you mean "city"`},
		{name: "unknown function", functions: object{"detail": true}, code: "ParamsInvalid", param: "detail", contains: `did you mean "details"`},
		{name: "fraction for an int", params: object{"max_results": 1.5}, code: "InvalidParamType", param: "max_results", contains: "whole number"},
		{name: "huge float for an int", params: object{"max_results": 1e300}, code: "InvalidParamType", param: "max_results"},
		{name: "object for a text", params: object{"zip": object{}}, code: "InvalidParamType", param: "zip"},
		{name: "list for a text", params: object{"zip": []any{"x"}}, code: "InvalidParamType", param: "zip"},
		{name: "text for a function", params: object{"details": "perhaps"}, code: "InvalidParamType", param: "details"},
		{name: "functions no object", params: object{"functions": []any{"details"}}, code: "InvalidParamType", param: "functions"},
		{name: "not allowed", params: object{"size": "XL"}, code: "ParamsInvalid", param: "size", contains: "S, M, L"},
		{name: "list not allowed", params: object{"langs": []any{"en", "de"}}, code: "ParamsInvalid", param: "langs"},
		{name: "too small", params: object{"radius": 0.1}, code: "ParamsInvalid", param: "radius", contains: "the least is 0.5"},
		{name: "too large", params: object{"radius": 11}, code: "ParamsInvalid", param: "radius", contains: "the most is 10"},
		{name: "zero results", params: object{"max_results": 0}, code: "ParamsInvalid", param: "max_results"},
		{name: "bad since", params: object{"fetch_since": "yesterday"}, code: "ParamsInvalid", param: "fetch_since", contains: "7d"},
		{name: "bad zone", params: object{"fetch_since_timezone": "Mars"}, code: "ParamsInvalid", param: "fetch_since_timezone"},
		{name: "bad pattern", params: object{"pattern": "("}, code: "ParamsInvalid", param: "pattern"},
		{name: "bad UTF-8", params: object{"zip": "\xff"}, code: "ParamsInvalid", param: "zip"},
		{name: "too long", params: object{"zip": strings.Repeat("x", maxParamLength+1)}, code: "ParamsInvalid", param: "zip"},
		{name: "task input as param", params: object{"url": "http://h/"}, code: "ParamsInvalid", param: "url"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			params, functions, err := p.CheckParams(c.params, c.functions)
			if checkError(t, err, c.code, c.param, c.contains) {
				return
			}
			if d := cmp.Diff(orEmpty(c.want), params); d != "" {
				t.Errorf("params (-want +got):\n%s", d)
			}
			if d := cmp.Diff(orEmpty(c.wantFunctions), functions); d != "" {
				t.Errorf("functions (-want +got):\n%s", d)
			}
		})
	}
}

func orEmpty(m object) object {
	if m == nil {
		return object{}
	}
	return m
}

// checkError compares err with what is wanted; true: there was, rightly, one.
func checkError(t *testing.T, err error, code, param, contains string) bool {
	t.Helper()
	if code == "" {
		if err != nil {
			t.Fatal(err)
		}
		return false
	}
	e, ok := err.(*shoal.Error)
	if !ok || e.Code != code || e.Param != param || !strings.Contains(e.Message, contains) {
		t.Fatalf("error %#v; want %s for %q with %q", err, code, param, contains)
	}
	return true
}

func TestCheckTask(t *testing.T) {
	p := compileSample(t)
	cases := []struct {
		name                        string
		params                      object
		want, code, param, contains string
	}{
		{name: "plain", params: object{"url": "https://h/?a=1&b=<2>"}, want: `{"url":"https://h/?a=1&b=<2>"}`},
		{name: "sorted", params: object{"url": " https://h/ ", "pages": "3"}, want: `{"pages":3,"url":"https://h/"}`},
		{name: "empty optional", params: object{"url": "https://h/", "pages": ""}, want: `{"url":"https://h/"}`},
		{name: "null optional", params: object{"url": "https://h/", "pages": nil}, want: `{"url":"https://h/"}`},
		{name: "missing", params: object{"pages": 1}, code: "ParamsNeeded", param: "url", contains: "https://h/"},
		{name: "null required", params: object{"url": nil}, code: "ParamsNeeded", param: "url"},
		{name: "no object", params: nil, code: "ParamsNeeded", param: "url"},
		{name: "unknown", params: object{"url": "https://h/", "page": 1}, code: "ParamsInvalid", param: "page", contains: `did you mean "pages"`},
		{name: "regex", params: object{"url": "ftp://h/"}, code: "ParamsInvalid", param: "url", contains: "http://"},
		{name: "no host", params: object{"url": "http://a b/"}, code: "ParamsInvalid", param: "url"},
		{name: "empty host", params: object{"url": "http:///x"}, code: "ParamsInvalid", param: "url"},
		{name: "type", params: object{"url": "https://h/", "pages": "many"}, code: "InvalidParamType", param: "pages"},
		{name: "range", params: object{"url": "https://h/", "pages": 10}, code: "ParamsInvalid", param: "pages"},
		{name: "squid param", params: object{"url": "https://h/", "zip": "1"}, code: "ParamsInvalid", param: "zip"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			canonical, digest, err := p.CheckTask(c.params)
			if checkError(t, err, c.code, c.param, c.contains) {
				return
			}
			if string(canonical) != c.want || digest == ([16]byte{}) {
				t.Errorf("got %s %x; want %s", canonical, digest, c.want)
			}
		})
	}
	_, a, _ := p.CheckTask(object{"url": "https://h/", "pages": 3})
	_, b, _ := p.CheckTask(object{"pages": "3", "url": "https://h/"})
	if a != b {
		t.Error("the same task in another spelling has another digest")
	}
}

func TestSettings(t *testing.T) {
	p := compileSample(t)
	now := time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC)
	_, err := p.settings(&shoal.Squid{}, now)
	if shoal.KindOf(err) != shoal.KindBusiness || shoal.CodeOf(err) != "SquidNotReady" || !strings.Contains(err.Error(), "not ready") {
		t.Errorf("without a required param: %v", err)
	}
	got, err := p.settings(&shoal.Squid{Concurrency: 99, NoLineBreaks: true, Functions: object{"details": true},
		Params: object{"city": "Paris", "max_results": 7.0, "max_unique_results_per_run": "9", "max_requests_per_run": 500.0, "max_megabytes_per_run": 2.0, "max_minutes_per_run": 90.0, "fetch_since": "2026-03-01 10:00", "fetch_since_timezone": "Europe/Paris"}}, now)
	if err != nil {
		t.Fatal(err)
	}
	want := shoal.RunSettings{
		CrawlerSlug: "sample-crawler", Concurrency: 8, MaxResults: 7, MaxUniqueResults: 9, MaxRequests: 500, ErrorBudget: 0.25,
		MaxRunRequests: 500, MaxBytes: 2 << 20, MaxDuration: 90 * time.Minute,
		Params: object{"city": "Paris", "max_results": int64(7), "max_unique_results_per_run": int64(9),
			"max_requests_per_run": int64(500), "max_megabytes_per_run": int64(2), "max_minutes_per_run": int64(90), "max_pages": int64(500), "size": "M",
			"fetch_since": "2026-03-01T09:00:00Z", "fetch_since_timezone": "Europe/Paris"},
		Functions: []string{"details", "photos"}, FunctionOrder: []string{"details", "photos"}, CreditsPerRow: 1_500_000,
		CreditsPerFunction: map[string]shoal.Credits{"details": 2_000_000, "photos": 500_000}, NoLineBreaks: true,
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
	for since, want := range map[string]string{"24h": "2026-03-09T12:00:00Z", "7d": "2026-03-03T12:00:00Z", "2w": "2026-02-24T12:00:00Z", "2026-03-01 10:00:30": "2026-03-01T10:00:30Z"} {
		s, err := p.settings(&shoal.Squid{Params: object{"city": "x", "fetch_since": since}}, now)
		if err != nil || s.Params["fetch_since"] != want {
			t.Errorf("fetch_since %s = %v, %v; want %s", since, s.Params["fetch_since"], err, want)
		}
	}
}

func TestInfo(t *testing.T) {
	p := compileSample(t)
	if !shoal.ValidID(string(p.Info.ID)) || p.Info.ID != ID("sample-crawler") || p.Info.ID == ID("other") {
		t.Errorf("id %q", p.Info.ID)
	}
	var names []string
	for _, in := range p.Info.Input {
		names = append(names, in.Name)
	}
	want := "url pages zip city radius size exact langs pattern max_pages details photos max_results max_unique_results_per_run max_requests_per_run max_megabytes_per_run max_minutes_per_run fetch_since fetch_since_timezone"
	if got := strings.Join(names, " "); got != want {
		t.Errorf("inputs %s", got)
	}
	if len(p.Info.Functions) != 2 || p.Info.Functions[1].Default != true || p.Info.Functions[0].Credits != shoal.CreditsOf(2) {
		t.Errorf("functions %+v", p.Info.Functions)
	}
}

func definitionOf(slug, name string) string {
	return strings.NewReplacer("sample-crawler", slug, "Sample crawler", name).Replace(sample)
}

func TestCatalogue(t *testing.T) {
	builtin := fstest.MapFS{
		"one.yaml":     {Data: []byte(definitionOf("one", "One"))},
		"two-two.yaml": {Data: []byte(definitionOf("two-two", "Two"))},
		"broken.yaml":  {Data: []byte("slug: [")},
	}
	c, err := NewCatalogue(builtin, "")
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"one", "One", string(ID("one"))} {
		if p, err := c.Lookup(key); err != nil || p.Info.Slug != "one" {
			t.Errorf("Lookup(%q): %v", key, err)
		}
	}
	if len(c.compiled) != 1 {
		t.Errorf("%d crawlers compiled to find one", len(c.compiled))
	}
	if _, err := c.Lookup("broken"); err == nil {
		t.Error("a broken built-in must be an error")
	}
	if _, err := c.List(); err == nil {
		t.Error("a broken built-in must be an error")
	}
	delete(builtin, "broken.yaml")
	if c, err = NewCatalogue(builtin, ""); err != nil {
		t.Fatal(err)
	}
	list, err := c.List()
	if err != nil || len(list) != 2 || list[0].Slug != "one" {
		t.Errorf("List: %v, %v", list, err)
	}
	if p, err := c.Lookup("two"); err != nil || p.Info.Slug != "two-two" {
		t.Errorf("by name: %v", err)
	}
	if _, err := c.Lookup("three"); shoal.CodeOf(err) != shoal.ErrCrawlerNotFound.Code {
		t.Errorf("unknown: %v", err)
	}
}

func TestCatalogueDirectory(t *testing.T) {
	dir := t.TempDir()
	write := func(name, content string, age time.Duration) {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		when := time.Now().Add(-age)
		if err := os.Chtimes(path, when, when); err != nil {
			t.Fatal(err)
		}
	}
	write("mine.yaml", definitionOf("one", "One"), time.Hour)
	write("notes.txt", "not a crawler", time.Hour)
	builtin := fstest.MapFS{"one.yaml": {Data: []byte(definitionOf("one", "ONE"))}}
	c, err := NewCatalogue(builtin, dir)
	if err != nil {
		t.Fatal(err)
	}
	find := func(slug string) string {
		t.Helper()
		p, err := c.Lookup(slug)
		if err != nil {
			return err.Error()
		}
		return p.Info.Name
	}
	if got := find("one"); got != "One" {
		t.Errorf("the directory's crawler must take the built-in one's place; got %s", got)
	}
	write("mine.yaml", definitionOf("one", "oNe"), 50*time.Minute)
	if got := find("one"); got != "oNe" {
		t.Errorf("a changed file was not read: %s", got)
	}
	write("mine.yaml", "slug: [", 40*time.Minute)
	if got := find("one"); got != "oNe" {
		t.Errorf("a broken file must leave the last good version: %s", got)
	}
	if p, err := c.Lookup("one"); err != nil || !p.Info.HasIssues || !strings.Contains(p.Info.Issue, "mine.yaml:1:") || !p.Info.IsAvailable {
		t.Errorf("a broken file is not said: %+v, %v", p.Info, err)
	}
	write("mine.yaml", definitionOf("one", "ONe"), 30*time.Minute)
	if p, err := c.Lookup("one"); err != nil || p.Info.HasIssues || p.Info.Issue != "" || p.Info.Name != "ONe" {
		t.Errorf("a mended file: %+v, %v", p.Info, err)
	}
	write("new.yaml", definitionOf("new", "New"), time.Hour)
	if got := find("new"); got != "New" {
		t.Errorf("a new file was not read: %s", got)
	}
	if err := os.Remove(filepath.Join(dir, "mine.yaml")); err != nil {
		t.Fatal(err)
	}
	if got := find("one"); got != "ONE" {
		t.Errorf("a deleted file stays: %s", got)
	}
	write("bad.yaml", "slug: [", time.Hour)
	if c, err := NewCatalogue(builtin, dir); err == nil || !strings.Contains(err.Error(), "bad.yaml:1:") {
		t.Errorf("a broken file at start: %v", err)
	} else if _, err := c.Lookup("new"); err != nil {
		t.Errorf("the others beside a broken file: %v", err)
	}
	write("bad.yaml", definitionOf("new", "NEW"), time.Hour)
	if _, err := NewCatalogue(builtin, dir); err == nil || !strings.Contains(err.Error(), "already that of") {
		t.Errorf("two files with one slug: %v", err)
	}
	if _, err := c.LoadFile(filepath.Join(dir, "absent.yaml")); shoal.KindOf(err) != shoal.KindNotFound {
		t.Errorf("absent file: %v", err)
	}
}

// A directory that is named for later need not exist, and is read once it does.
func TestCatalogueOfADirectoryToCome(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "crawlers")
	c, err := NewCatalogue(nil, "", dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Lookup("one"); shoal.KindOf(err) != shoal.KindNotFound {
		t.Errorf("before: %v", err)
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "one.yaml")
	if err := os.WriteFile(path, []byte(definitionOf("one", "One")), 0o644); err != nil {
		t.Fatal(err)
	}
	p, err := c.Lookup("one")
	if err != nil || c.FileOf(p) != path {
		t.Errorf("after: %v, of %s", err, c.FileOf(p))
	}
	if _, err := NewCatalogue(nil, filepath.Join(dir, "missing")); err == nil {
		t.Error("a directory that must exist does not, and nothing is said")
	}
}
