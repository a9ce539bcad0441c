package store_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"shoal"
	"shoal/internal/store/storetest"
)

func ownCrawler(ws shoal.WorkspaceID, slug, definition string) shoal.OwnCrawler {
	return shoal.OwnCrawler{ID: shoal.NewID[shoal.CrawlerID](), WorkspaceID: ws,
		Version: shoal.CrawlerVersion{Slug: slug, Digest: fmt.Sprintf("%x", definition), Definition: []byte(definition)}}
}

// An own crawler is made, found by id and slug by its workspace alone, changed
// in immutable versions, and deleted.
func TestOwnCrawlers(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e *storetest.Env) {
		ctx := t.Context()
		made, err := e.Store.CreateCrawler(ctx, ownCrawler(e.Workspace, "mine", "one"))
		if err != nil || made.Version.Version != 1 || string(made.Version.Definition) != "one" || made.CreatedAt.IsZero() || made.Version.PK == 0 {
			t.Fatalf("%+v, %v", made, err)
		}
		for _, key := range []string{string(made.ID), "mine"} {
			if got, err := e.Store.Crawler(ctx, e.Workspace, key); err != nil || got.ID != made.ID || got.Version.Slug != "mine" {
				t.Errorf("%s: %+v, %v", key, got, err)
			}
		}
		if _, err := e.Store.CreateCrawler(ctx, ownCrawler(e.Workspace, "mine", "other")); shoal.CodeOf(err) != "DuplicateModule" {
			t.Errorf("a slug twice: %v", err)
		}
		other, err := e.Store.CreateUser(ctx, shoal.User{Email: "other@shoal.test"}, "other")
		if err != nil {
			t.Fatal(err)
		}
		theirs := made
		theirs.WorkspaceID = other.WorkspaceID
		for what, err := range map[string]error{
			"read":   second(e.Store.Crawler(ctx, other.WorkspaceID, string(made.ID))),
			"change": second(e.Store.UpdateCrawler(ctx, theirs)),
			"delete": e.Store.DeleteCrawler(ctx, other.WorkspaceID, made.ID),
		} {
			if !errors.Is(err, shoal.ErrCrawlerNotFound) {
				t.Errorf("%s by another workspace: %v", what, err)
			}
		}
		if _, err := e.Store.CreateCrawler(ctx, ownCrawler(other.WorkspaceID, "mine", "one")); err != nil {
			t.Errorf("the slug in another workspace: %v", err)
		}
		changed := update(t, e, made, "mine-too", "two")
		if changed.Version.Version != 2 || changed.Version.Slug != "mine-too" || changed.CreatedAt != made.CreatedAt {
			t.Errorf("%+v", changed)
		}
		if v, err := e.Store.CrawlerVersion(ctx, made.Version.PK); err != nil || string(v.Definition) != "one" {
			t.Errorf("the first version is %+v, %v", v, err)
		}
		if again := update(t, e, made, "mine-too", "one"); again.Version.PK != made.Version.PK {
			t.Errorf("the same text is version %+v", again.Version)
		}
		all, err := e.Store.Crawlers(ctx, e.Workspace)
		if err != nil || len(all) != 1 || all[0].ID != made.ID {
			t.Errorf("%+v, %v", all, err)
		}
		if err := e.Store.DeleteCrawler(ctx, e.Workspace, made.ID); err != nil {
			t.Fatal(err)
		}
		if n := e.Int(t, `SELECT count(*) FROM crawler_versions WHERE crawler_id = $1`, string(made.ID)); n != 0 {
			t.Errorf("%d versions are left", n)
		}
	})
}

func second[T any](_ T, err error) error { return err }

func update(t *testing.T, e *storetest.Env, c shoal.OwnCrawler, slug, definition string) shoal.OwnCrawler {
	t.Helper()
	next := ownCrawler(c.WorkspaceID, slug, definition)
	next.ID = c.ID
	changed, err := e.Store.UpdateCrawler(t.Context(), next)
	if err != nil {
		t.Fatal(err)
	}
	return changed
}

// Old versions are forgotten, but not those that runs use; a crawler that squids
// use stays.
func TestVersionsOfRunsAreKept(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e *storetest.Env) {
		ctx := t.Context()
		made, err := e.Store.CreateCrawler(ctx, ownCrawler(e.Workspace, "mine", "v1"))
		if err != nil {
			t.Fatal(err)
		}
		squid, err := e.Store.CreateSquid(ctx, shoal.Squid{ID: shoal.NewID[shoal.SquidID](), WorkspaceID: e.Workspace, CrawlerID: made.ID, CrawlerSlug: "mine"}, "Mine")
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := e.Store.AddTasks(ctx, e.Workspace, squid.ID, []shoal.NewTask{{Params: []byte(`{"url":"https://a.example/"}`), Digest: [16]byte{1}}}); err != nil {
			t.Fatal(err)
		}
		run, err := e.Store.CreateRun(ctx, shoal.NewRun{ID: shoal.NewID[shoal.RunID](), WorkspaceID: e.Workspace, SquidID: squid.ID, Version: made.Version})
		if err != nil || run.VersionPK != made.Version.PK {
			t.Fatalf("the run has version %d, not %d: %v", run.VersionPK, made.Version.PK, err)
		}
		last := made
		for i := range 40 {
			last = update(t, e, made, "mine", fmt.Sprintf("v%d", i+2))
		}
		if n := e.Int(t, `SELECT count(*) FROM crawler_versions WHERE crawler_id = $1`, string(made.ID)); n != 21 || last.Version.Version != 41 {
			t.Errorf("%d versions are kept, the last is %d; want 20 and the run's", n, last.Version.Version)
		}
		if v, err := e.Store.CrawlerVersion(ctx, run.VersionPK); err != nil || string(v.Definition) != "v1" {
			t.Errorf("the run's version is %q, %v", v.Definition, err)
		}
		renamed := update(t, e, made, "renamed", "v50")
		if s, err := e.Store.Squid(ctx, e.Workspace, squid.ID); err != nil || s.CrawlerSlug != renamed.Version.Slug {
			t.Errorf("the squid's crawler is called %q, %v", s.CrawlerSlug, err)
		}
		if err := e.Store.DeleteCrawler(ctx, e.Workspace, made.ID); shoal.CodeOf(err) != "ModuleInUse" || !strings.Contains(err.Error(), `"Mine (1)"`) {
			t.Errorf("deleted while a squid uses it: %v", err)
		}
		if err := e.Store.DeleteSquid(ctx, e.Workspace, squid.ID); err != nil {
			t.Fatal(err)
		}
		if err := e.Store.DeleteCrawler(ctx, e.Workspace, made.ID); err != nil {
			t.Fatal(err)
		}
		if _, err := e.Store.CrawlerVersion(ctx, run.VersionPK); err != nil {
			t.Errorf("the version of a run that is not purged yet: %v", err)
		}
	})
}

// A workspace may have so many crawlers and no more.
func TestOwnCrawlersAreCounted(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e *storetest.Env) {
		e.Exec(t, `INSERT INTO crawler_versions (crawler_id, slug, version, digest, definition, created_at) VALUES ('x', 'x', 1, 'x', 'x', 1)`)
		pk := e.Int(t, `SELECT max(pk) FROM crawler_versions`)
		for i := range 500 {
			e.Exec(t, `INSERT INTO crawlers (id, workspace_pk, slug, version_pk, created_at, updated_at)
				VALUES ($1, (SELECT pk FROM workspaces WHERE id = $2), $1, $3, 1, 1)`, fmt.Sprintf("c%d", i), string(e.Workspace), pk)
		}
		_, err := e.Store.CreateCrawler(context.WithoutCancel(t.Context()), ownCrawler(e.Workspace, "one-more", "x"))
		if shoal.CodeOf(err) != "UsageLimitExceeded" {
			t.Errorf("%v", err)
		}
	})
}

// The definitions of a workspace have a bound together, for new ones and changes.
func TestDefinitionsHaveABoundTogether(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e *storetest.Env) {
		large := func(slug string, n int) shoal.OwnCrawler {
			c := ownCrawler(e.Workspace, slug, slug)
			c.Version.Definition = []byte(strings.Repeat("x", n))
			return c
		}
		var last shoal.OwnCrawler
		for i := range 8 {
			made, err := e.Store.CreateCrawler(t.Context(), large(fmt.Sprintf("c-%d", i), 1<<20))
			if err != nil {
				t.Fatal(err)
			}
			last = made
		}
		if _, err := e.Store.CreateCrawler(t.Context(), large("one-more", 1)); shoal.CodeOf(err) != "UsageLimitExceeded" {
			t.Errorf("one more: %v", err)
		}
		longer := large("c-7", 1<<20+1)
		longer.ID, longer.Version.Digest = last.ID, "longer"
		if _, err := e.Store.UpdateCrawler(t.Context(), longer); shoal.CodeOf(err) != "UsageLimitExceeded" {
			t.Errorf("a longer one: %v", err)
		}
		if all, err := e.Store.Crawlers(t.Context(), e.Workspace); err != nil || len(all) != 8 {
			t.Errorf("%d crawlers, %v", len(all), err)
		}
	})
}
