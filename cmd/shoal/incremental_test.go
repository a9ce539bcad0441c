package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"shoal/client"
)

// changingShop is a site of four pages: when it is visited a second time, one is
// new, one has another title and one is gone.
func changingShop() http.Handler {
	var visits atomic.Int64
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		pages := map[string]string{"/": "Shop", "/jam": "Jam, 4", "/oil": "Oil", "/salt": "Salt"}
		if r.URL.Path == "/" {
			visits.Add(1)
		}
		if visits.Load() > 1 {
			pages = map[string]string{"/": "Shop", "/jam": "Jam, 5", "/tea": "Tea", "/salt": "Salt"}
		}
		title, ok := pages[r.URL.Path]
		if !ok {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(w, "<html lang=en><title>%s</title><h1>%s</h1>", title, title)
		if r.URL.Path == "/" {
			for _, path := range []string{"/jam", "/oil", "/salt", "/tea"} {
				if pages[path] != "" {
					fmt.Fprintf(w, "<a href=%s>one</a>", path)
				}
			}
		}
	})
}

// TestIncrementalDocs runs the commands of docs/incremental.md as they are written,
// in one folder, against a server of its own and a shop that changes.
func TestIncrementalDocs(t *testing.T) {
	t.Parallel()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("../../docs/incremental.md")
	if err != nil {
		t.Fatal(err)
	}
	var script strings.Builder
	for _, m := range regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
		script.WriteString(m[1])
	}
	url := site(t, changingShop())
	commands := strings.ReplaceAll(script.String(), "https://shop.example", url)
	if n := strings.Count(commands, "\n"); n < 15 || !strings.Contains(commands, url) {
		t.Fatalf("the page has %d lines of commands:\n%s", n, commands)
	}
	srv := newServer(t, t.TempDir(), "")
	srv.start()
	dir := t.TempDir()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	// Afterwards the file follows the second run, too.
	cmd := exec.CommandContext(ctx, "bash", "-exuo", "pipefail", "-c", commands+"\nshoal result follow $SQUID --as nightly -o shop.jsonl --once")
	cmd.WaitDelay = 5 * time.Second
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "SHOAL_TOKEN="+testKey, "SHOAL_SERVER=http://"+srv.addr, "HOME="+dir,
		"PATH="+filepath.Dir(path)+string(os.PathListSeparator)+os.Getenv("PATH"))
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, line := range []string{`(?m)^1 new, 1 changed, 1 gone, 2 the same$`, `(?m)^new +\S+/tea`, `(?m)^changed +\S+/jam +title +Jam, 4 +Jam, 5$`,
		`(?m)^gone +\S+/oil`, `(?m)^nightly +4 +0 `} {
		if !regexp.MustCompile(line).Match(out) {
			t.Errorf("nothing printed matches %s:\n%s", line, out)
		}
	}
	has := func(name string, want int) (rows []map[string]any) {
		t.Helper()
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil || strings.Count(string(b), "\n") != want {
			t.Errorf("%s has %d lines (%v), want %d: %.500s", name, strings.Count(string(b), "\n"), err, want, b)
		}
		for line := range strings.Lines(string(b)) {
			var row map[string]any
			if json.Unmarshal([]byte(line), &row) == nil {
				rows = append(rows, row)
			}
		}
		return rows
	}
	ids := map[any]bool{}
	for _, row := range has("shop.jsonl", 8) {
		ids[row["id"]] = true
	}
	if len(ids) != 8 {
		t.Errorf("shop.jsonl has %d different results, want 8", len(ids))
	}
	has("rows.jsonl", 4)
	has("titles.csv", 2)
	has("changes.csv", 4)
	var kinds []string
	for _, row := range has("changes.jsonl", 3) {
		kinds = append(kinds, fmt.Sprint(row["kind"]))
	}
	if !slices.Equal(kinds, []string{"new", "changed", "gone"}) {
		t.Errorf("changes.jsonl has %v", kinds)
	}
}

// A follower that writes CSV writes the header once, and to standard output what
// is not acknowledged.
func TestFollowCSV(t *testing.T) {
	t.Parallel()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	srv := newServer(t, t.TempDir(), "")
	srv.start()
	run := srv.begin("website", site(t, changingShop())+"/", 1)
	r := srv.await(run, time.Minute, func(r *client.Run) bool { return r.IsDone })
	file := filepath.Join(t.TempDir(), "shop.csv")
	follow := func(more ...string) (string, error) {
		cmd := exec.CommandContext(t.Context(), path, append([]string{"result", "follow", r.Squid, "--once", "--format", "csv",
			"--server", "http://" + srv.addr, "--key", testKey}, more...)...)
		out, err := cmd.Output()
		return string(out), err
	}
	for range 2 {
		if _, err := follow("--as", "file", "-o", file, "--batch", "3", "--fields", "title", "--fields", "run"); err != nil {
			t.Fatal(err)
		}
	}
	second, err := srv.client().StartRun(t.Context(), r.Squid)
	if err != nil {
		t.Fatal(err)
	}
	srv.await(second.ID, time.Minute, func(r *client.Run) bool { return r.IsDone })
	if _, err := follow("--as", "file", "-o", file, "--batch", "3", "--fields", "title", "--fields", "run"); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(b)), "\r\n")
	if len(lines) != 9 || lines[0] != "title,run" || strings.Count(string(b), "title,run") != 1 || strings.Count(string(b), second.ID) != 4 {
		t.Errorf("the file is\n%s", b)
	}
	if _, err := follow("--as", "file", "-o", file, "--fields", "title"); err != nil {
		t.Errorf("nothing new with other columns: %v", err)
	}
	if out, err := follow("--as", "pipe", "--batch", "3", "--fields", "title"); err != nil || strings.Count(out, "\n") != 9 || strings.Count(out, "title\r\n") != 1 {
		t.Errorf("standard output: %v\n%s", err, out)
	}
	if out, err := follow("--as", "pipe", "--fields", "title"); err != nil || out != "" {
		t.Errorf("again: %v\n%s", err, out)
	}
	if _, err := srv.client().SetCursor(t.Context(), r.Squid, "file", "beginning"); err != nil {
		t.Fatal(err)
	}
	if _, err := follow("--as", "file", "-o", file, "--fields", "title", "--fields", "run"); exitCodeOf(err) != exitUsage && exitCodeOf(err) != exitFailed {
		t.Errorf("behind a rewind: %v, want it refused", err)
	}
	if again, err := os.ReadFile(file); err != nil || string(again) != string(b) {
		t.Errorf("refused, and yet the file is now\n%s", again)
	}
}
