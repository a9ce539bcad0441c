package crawler

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"shoal"
)

// typed is a definition with an account block.
func typed(slug, block string) string {
	return "slug: " + slug + "\nname: " + strings.ToUpper(slug[:1]) + slug[1:] + "\naccount: " + block + `
start: {url: "https://club.example/", page: p}
pages: {p: {rows: {key: a, fields: {a: {select: a}}}}}
`
}

const (
	clubBlock  = `{slug: club, name: Club, baseurl: "https://club.example/", cookies: [{name: sid, required: true}]}`
	clubAgain  = `{cookies: [{name: sid, required: true}], name: Club, requires: optional, slug: club, baseurl: "https://club.example/"}`
	otherBlock = `{slug: club, name: Club, baseurl: "https://evil.example/"}`
)

type noOwn struct{}

func (noOwn) Crawler(context.Context, shoal.WorkspaceID, string) (shoal.OwnCrawler, error) {
	return shoal.OwnCrawler{}, shoal.ErrCrawlerNotFound
}
func (noOwn) Crawlers(context.Context, shoal.WorkspaceID) ([]shoal.OwnCrawler, error) {
	return nil, nil
}
func (noOwn) CrawlerFlags(context.Context) (map[shoal.CrawlerID]shoal.CrawlerFlag, error) {
	return nil, nil
}
func (noOwn) CrawlerVersion(context.Context, int64) (shoal.CrawlerVersion, error) {
	return shoal.CrawlerVersion{}, shoal.ErrCrawlerNotFound
}

// TestSharedTypes: crawlers share an account type by the same block, in any
// order of its keys; a directory with two blocks of one slug is refused, and
// while a server runs, the last good version stays until both agree.
func TestSharedTypes(t *testing.T) {
	dir := t.TempDir()
	times := 0
	write := func(name, text string) {
		t.Helper()
		path := filepath.Join(dir, name+".yaml")
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		times++
		when := time.Now().Add(time.Duration(times) * time.Second) // so that the change is seen
		if err := os.Chtimes(path, when, when); err != nil {
			t.Fatal(err)
		}
	}
	write("alpha", typed("alpha", clubBlock))
	write("beta", typed("beta", clubAgain))
	c, err := NewCatalogue(nil, dir)
	if err != nil {
		t.Fatal(err)
	}
	look := func(slug string) *Program {
		t.Helper()
		p, err := c.Lookup(slug)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	if !look("alpha").Info.AccountRequired || look("beta").Info.AccountRequired {
		t.Error("whether an account is required is each crawler's own")
	}
	types, err := NewWorkspaces(c, noOwn{}, nil).AccountTypes(t.Context(), "")
	if err != nil || len(types) != 2 || types[0].Slug != "cookie-session" || types[1].Slug != "club" || types[1].Domain != "club.example" {
		t.Errorf("%+v, %v", types, err)
	}

	write("beta", typed("beta", otherBlock))
	if p := look("beta"); p.Account.Type.BaseURL != "https://club.example/" || !p.Info.HasIssues || !strings.Contains(p.Info.Issue, `the account type "club" is defined otherwise by`) {
		t.Errorf("beta is %+v", p.Info)
	}
	if p := look("alpha"); p.Info.HasIssues {
		t.Errorf("alpha has issues: %s", p.Info.Issue)
	}
	_, err = NewCatalogue(nil, dir)
	ps, ok := errors.AsType[Problems](err)
	if !ok || len(ps) != 1 || ps[0].Line != 3 || !strings.Contains(ps[0].Message, "alpha.yaml") {
		t.Errorf("a fresh start: %v", err)
	}

	write("alpha", typed("alpha", otherBlock))
	for _, slug := range []string{"alpha", "beta"} {
		if p := look(slug); p.Account.Type.BaseURL != "https://evil.example/" || p.Info.HasIssues {
			t.Errorf("%s after both agree: %+v", slug, p.Info)
		}
	}
}
