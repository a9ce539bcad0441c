package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/testscript"

	"shoal/internal/fixtures"
)

// TestScripts runs the scripts of testdata/script against the built command:
// what a person types, what comes out, and the exit code. $SITE is a bookshop
// of 60 books on loopback, and the directory club holds the crawler of a club with members. Besides testscript's own there are the commands
//
//	exits CODE ARG...     shoal ARG... ends with that code; stdout and stderr look at it
//	interrupted N ARG...  shoal ARG... gets SIGINT when the site has answered N requests
//	                      and holds the next ones; it must end with 130
//	resume                runs the command that was printed last on stderr
//	samerows A B          two .jsonl files hold the same rows, in any order
func TestScripts(t *testing.T) {
	t.Parallel()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		// The scripts take seconds, but wait for their turn beside the tests of faults.
		Deadline: time.Now().Add(15 * time.Minute),
		Setup: func(env *testscript.Env) error {
			gate := &gate{site: fixtures.Bookshop(fixtures.Options{Count: 60, SlowDelay: time.Millisecond})}
			gate.open()
			env.Values["gate"] = gate
			env.Setenv("SITE", site(t, gate))
			if err := clubCrawler(env.WorkDir, site(t, fixtures.Club())); err != nil {
				return err
			}
			env.Setenv("PATH", filepath.Dir(path)+string(os.PathListSeparator)+env.Getenv("PATH"))
			env.Setenv("SHOAL_ALLOW_PRIVATE_TARGETS", "true")
			env.Setenv("SHOAL_MIN_FREE", "0")
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"exits": exits, "interrupted": interrupted, "killed": killed, "resume": resume, "samerows": sameRows,
		},
	})
}

// clubCrawler writes the crawler of a club's site into the directory club.
func clubCrawler(dir, url string) error {
	src, err := os.ReadFile("../../docs/language/16-account-code.yaml")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(dir, "club"), 0o755); err != nil {
		return err
	}
	text := strings.ReplaceAll(string(src), "https://club.example", url)
	return os.WriteFile(filepath.Join(dir, "club", "club-news.yaml"), []byte(text), 0o644)
}

// gate is a site that can stop answering after some requests.
type gate struct {
	site http.Handler
	mu   sync.Mutex
	left atomic.Int64
	// reached is closed when the gate shuts, opened when it opens again.
	reached, opened chan struct{}
}

func (g *gate) open() { g.shutAfter(1 << 60) }

// shutAfter lets n requests pass, and those that wait at the gate.
func (g *gate) shutAfter(n int64) (reached <-chan struct{}) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.opened != nil {
		close(g.opened)
	}
	g.reached, g.opened = make(chan struct{}), make(chan struct{})
	g.left.Store(n)
	return g.reached
}

func (g *gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	g.mu.Lock()
	left := g.left.Add(-1)
	if left == -1 {
		close(g.reached)
	}
	opened := g.opened
	g.mu.Unlock()
	if left < 0 {
		select {
		case <-opened:
		case <-r.Context().Done():
			return
		}
	}
	g.site.ServeHTTP(w, r)
}

func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 {
		ts.Fatalf("usage: exits CODE ARG...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	if code := exitCodeOf(ts.Exec("shoal", args[1:]...)); code != want {
		ts.Fatalf("shoal %s ended with %d, want %d", strings.Join(args[1:], " "), code, want)
	}
}

// interrupted ends a command by Ctrl-C at its request N, and keeps what it said.
func interrupted(ts *testscript.TestScript, neg bool, args []string) {
	said, code := signalled(ts, syscall.SIGINT, neg, args)
	if code != exitInterrupted {
		ts.Fatalf("it ended with %d, want %d: %s", code, exitInterrupted, said)
	}
	ts.Check(os.WriteFile(ts.MkAbs("interrupted.err"), []byte(said), 0o644))
}

// killed ends a command by kill -9 at its request N.
func killed(ts *testscript.TestScript, neg bool, args []string) {
	signalled(ts, syscall.SIGKILL, neg, args)
}

func signalled(ts *testscript.TestScript, sig syscall.Signal, neg bool, args []string) (said string, code int) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: interrupted|killed N ARG...")
	}
	n, err := strconv.ParseInt(args[0], 10, 64)
	ts.Check(err)
	gate := ts.Value("gate").(*gate)
	reached := gate.shutAfter(n)
	defer gate.open()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	path, err := binary()
	ts.Check(err)
	cmd := exec.CommandContext(ctx, path, args[1:]...)
	cmd.Args[0] = "shoal"
	cmd.Dir, cmd.WaitDelay = ts.MkAbs("."), 5*time.Second
	cmd.Env = append(os.Environ(), "SHOAL_ALLOW_PRIVATE_TARGETS=true", "SHOAL_MIN_FREE=0")
	pipe, err := cmd.StderrPipe()
	ts.Check(err)
	ts.Check(cmd.Start())
	told := make(chan string, 1)
	go func() {
		var said strings.Builder
		for lines := bufio.NewScanner(pipe); lines.Scan(); {
			fmt.Fprintln(&said, lines.Text())
			if strings.Contains(lines.Text(), "--resume") {
				gate.open() // what is under way may end now
			}
		}
		told <- said.String()
	}()
	select {
	case <-reached:
		ts.Check(cmd.Process.Signal(sig))
		said = <-told
	case said = <-told:
		ts.Fatalf("it ended (%v) before %d requests: %s", cmd.Wait(), n, said)
	}
	return said, exitCodeOf(cmd.Wait())
}

var goOn = regexp.MustCompile(`(?m)^  (\S*shoal go --resume .*)$`)

func resume(ts *testscript.TestScript, neg bool, args []string) {
	m := goOn.FindStringSubmatch(ts.ReadFile("interrupted.err"))
	if neg || len(args) != 0 || m == nil {
		ts.Fatalf("no command to resume in: %s", ts.ReadFile("interrupted.err"))
	}
	ts.Check(ts.Exec("sh", "-c", m[1]))
}

func sameRows(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: samerows A B")
	}
	a, b := rowsOf(ts, args[0]), rowsOf(ts, args[1])
	if diff := cmp.Diff(a, b); diff != "" {
		ts.Fatalf("%s and %s differ: %.2000s", args[0], args[1], diff)
	}
}

// rowsOf reads rows by their url, without what differs from run to run.
func rowsOf(ts *testscript.TestScript, name string) map[string]map[string]any {
	rows := map[string]map[string]any{}
	for line := range strings.Lines(ts.ReadFile(name)) {
		var row map[string]any
		ts.Check(json.Unmarshal([]byte(line), &row))
		for _, key := range []string{"id", "run", "squid", "task", "scraping_time"} {
			if _, ok := row[key]; !ok {
				ts.Fatalf("%s: a row has no %s: %s", name, key, line)
			}
			delete(row, key)
		}
		url := fmt.Sprint(row["url"])
		if rows[url] != nil {
			ts.Fatalf("%s has %s twice", name, url)
		}
		rows[url] = row
	}
	if len(rows) == 0 {
		ts.Fatalf("%s has no rows", name)
	}
	return rows
}
