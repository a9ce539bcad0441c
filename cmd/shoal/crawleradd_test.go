package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"shoal/client"
	"shoal/internal/fixtures"
)

const myBooks = `slug: my-books
name: My books
description: Every title.
input:
  - {name: url, level: task, type: string, form: url, required: true}
start: {url: "{{ task.url }}", page: listing}
pages:
  listing:
    rows:
      each: article.product_pod
      key: title
      fields:
        title: {select: h3 a, attr: title}
`

// TestCrawlerOfAServer adds a definition to a server, changes it, runs it and
// removes it; and a file in the server's directory that breaks keeps working and
// is said to be broken.
func TestCrawlerOfAServer(t *testing.T) {
	t.Parallel()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	shop := site(t, fixtures.Bookshop(fixtures.Options{Count: 20}))
	dir, crawlers := t.TempDir(), t.TempDir()
	write := func(path, text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	shared := filepath.Join(crawlers, "shared.yaml")
	write(shared, strings.NewReplacer("my-books", "shared-one", "My books", "Shared one").Replace(myBooks))
	srv := newServer(t, t.TempDir(), "", "--crawlers", crawlers)
	srv.start()
	file := filepath.Join(dir, "my.yaml")
	write(file, myBooks)
	shoal := func(args ...string) string {
		t.Helper()
		cmd := exec.Command(path, args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "SHOAL_SERVER=http://"+srv.addr, "SHOAL_TOKEN="+testKey)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("shoal %v: %v: %s", args, err, out)
		}
		return string(out)
	}
	if out := shoal("crawler", "add", file); !strings.Contains(out, "version 1 of your crawler my-books") {
		t.Errorf("added: %s", out)
	}
	write(file, strings.Replace(myBooks, "Every title", "Each title", 1))
	if out := shoal("crawler", "add", file); !strings.Contains(out, "version 2 of your crawler my-books") {
		t.Errorf("changed: %s", out)
	}
	if out := shoal("go", "my-books", shop+"/", "--format", "jsonl", "-q"); strings.Count(out, `"title":`) != 20 {
		t.Errorf("rows: %s", out)
	}
	api := client.New("http://"+srv.addr, testKey, nil)
	report, err := api.TryCrawler(t.Context(), "my-books", client.Trial{Task: map[string]any{"url": shop + "/"}, MaxResults: 2})
	if err != nil || strings.Count(string(report), `"title":`) != 2 {
		t.Errorf("tried: %s, %v", report, err)
	}
	write(shared, "slug: [")
	out := shoal("crawler", "ls")
	for _, want := range []string{"my-books ", "Each title.", "shared-one has issues. Its definition was changed and has mistakes", "shared.yaml:1:"} {
		if !strings.Contains(out, want) {
			t.Errorf("the list has no %q:\n%s", want, out)
		}
	}
	if k, err := api.Crawler(t.Context(), "shared-one"); err != nil || !k.HasIssues || !k.IsAvailable {
		t.Errorf("%+v, %v", k, err)
	}
	squids, err := api.Squids(t.Context(), "", client.Window{})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range squids.Data {
		if err := api.DeleteSquid(t.Context(), s.ID); err != nil {
			t.Fatal(err)
		}
	}
	if out := shoal("crawler", "rm", "my-books"); !strings.Contains(out, "removed") {
		t.Errorf("removed: %s", out)
	}
	if _, err := api.Crawler(t.Context(), "my-books"); !client.IsNotFound(err) {
		t.Errorf("after its removal: %v", err)
	}
	srv.kill() // its log is whole then
	if log := srv.log.tail(8000); !strings.Contains(log, "shared.yaml:1:") {
		t.Errorf("the server's log does not say what is wrong: %s", log)
	}
}
