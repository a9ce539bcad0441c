package main

import (
	"context"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"shoal/internal/fixtures"
)

// TestREADME runs the commands of the README's sh blocks as they are written,
// in one folder, against a site of the test's own and a server of its own.
func TestREADME(t *testing.T) {
	t.Parallel()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	shop := site(t, fixtures.Bookshop(fixtures.Options{Count: 60}))
	quotes := site(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `<div class="quote"><q class="text">Still waters</q> <b class="author">a proverb</b></div>`)
	}))
	srv := newServer(t, t.TempDir(), "")
	srv.start()
	dir := t.TempDir()
	if err := os.Symlink(path, filepath.Join(dir, "shoal")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "quotes.yaml"), []byte(readmeBlock(t, root, "yaml")[0]), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "my-crawlers"), 0o755); err != nil {
		t.Fatal(err)
	}
	script := strings.Join(readmeBlock(t, root, "sh"), "\n")
	for _, r := range []struct{ from, to string }{
		{"go run ./cmd/shoal", "./shoal"},
		{"./test\n", ""}, // this is a part of it
		{"go build -o shoal ./cmd/shoal", "test -x shoal"},
		{"https://example.com/", shop + "/"},
		{"https://quotes.toscrape.com/", quotes + "/"},
		{"http://127.0.0.1:8080", "http://" + srv.addr},
		// It would stay up: what it prints and serves is what newServer waits for.
		{"./shoal serve --crawlers ./my-crawlers", "./shoal crawler ls --crawlers ./my-crawlers"},
	} {
		if !strings.Contains(script, r.from) {
			t.Errorf("the README has no %q any more", r.from)
		}
		script = strings.ReplaceAll(script, r.from, r.to)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "-exuo", "pipefail", "-c", script)
	cmd.WaitDelay = 5 * time.Second
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "SHOAL_TOKEN="+testKey, "SHOAL_ALLOW_PRIVATE_TARGETS=true", "SHOAL_MIN_FREE=0")
	// The remote verbs find the server, the embedded ones must not.
	cmd.Env = append(cmd.Env, "HOME="+dir)
	out, err := runWithServer(cmd, srv.addr)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	csv, err := os.ReadFile(filepath.Join(dir, "pages.csv"))
	if err != nil || strings.Count(string(csv), "\n") < 60 {
		t.Errorf("pages.csv has %d lines (%v): want the whole shop", strings.Count(string(csv), "\n"), err)
	}
	if csv, err := os.ReadFile(filepath.Join(dir, "quotes.csv")); err != nil || !strings.Contains(string(csv), "Still waters,a proverb") {
		t.Errorf("quotes.csv is %q (%v): want the quote and its author", csv, err)
	}
	if !strings.Contains(out, "Where to look:") {
		t.Errorf("the demo did not say where to look:\n%.3000s", out)
	}
}

// runWithServer runs cmd with the remote verbs' default server, port 8080,
// replaced by addr: only `shoal go` must stay embedded.
func runWithServer(cmd *exec.Cmd, addr string) (string, error) {
	script := cmd.Args[len(cmd.Args)-1]
	remote := regexp.MustCompile(`\./shoal (squid|task|run|result) `)
	script = remote.ReplaceAllString(script, "SHOAL_SERVER=http://"+addr+" ./shoal $1 ")
	cmd.Args[len(cmd.Args)-1] = script
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// readmeBlock returns the fenced blocks of the README in the given language.
func readmeBlock(t *testing.T, root, language string) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	var blocks []string
	for _, m := range regexp.MustCompile("(?s)```"+language+"\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
		blocks = append(blocks, m[1])
	}
	if len(blocks) == 0 {
		t.Fatalf("the README has no %s block", language)
	}
	return blocks
}

// TestSettings: a place in shoal.yaml and an environment variable for a flag,
// the command line winning.
func TestSettings(t *testing.T) {
	t.Parallel()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	taken := listener.Addr().String()
	for name, c := range map[string]struct {
		yaml string
		env  string
		args []string
	}{
		"file, under the verb": {yaml: "serve:\n  addr: " + taken + "\n"},
		"file, for all verbs":  {yaml: "addr: " + taken + "\n"},
		"environment":          {yaml: "addr: 127.0.0.1:1\n", env: taken},
		"command line":         {yaml: "addr: 127.0.0.1:1\n", env: "127.0.0.1:2", args: []string{"--addr", taken}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "shoal.yaml"), []byte(c.yaml), 0o644); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			cmd := exec.CommandContext(ctx, path, append([]string{"serve"}, c.args...)...)
			cmd.Dir = dir
			cmd.Env = os.Environ()
			if c.env != "" {
				cmd.Env = append(cmd.Env, "SHOAL_ADDR="+c.env)
			}
			out, err := cmd.CombinedOutput()
			if exitCodeOf(err) != exitFailed || !strings.Contains(string(out), "listen on "+taken) {
				t.Errorf("ended with %v: want it to fail at the taken address %s\n%s", err, taken, out)
			}
		})
	}
}

// TestDocsNameTests: every test that the docs name as a proof exists.
func TestDocsNameTests(t *testing.T) {
	t.Parallel()
	var sources strings.Builder
	err := filepath.WalkDir("../..", func(path string, _ fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, "_test.go") {
			var b []byte
			b, err = os.ReadFile(path)
			sources.Write(b)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, doc := range []string{"../../docs/promises.md", "../../docs/run-lifecycle.md", "../../docs/deliveries.md"} {
		text, err := os.ReadFile(doc)
		if err != nil {
			t.Fatal(err)
		}
		named := regexp.MustCompile(`\bTest[A-Z]\w*`).FindAllString(string(text), -1)
		if len(named) == 0 {
			t.Errorf("%s names no test", doc)
		}
		for _, name := range named {
			if !strings.Contains(sources.String(), "func "+name+"(") {
				t.Errorf("%s names %s, which does not exist", doc, name)
			}
		}
	}
}
