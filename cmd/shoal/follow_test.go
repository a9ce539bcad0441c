package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"shoal/client"
	"shoal/internal/fixtures"
	"shoal/internal/pgtest"
)

func TestFollowUnderFireSQLite(t *testing.T) {
	t.Parallel()
	followUnderFire(t, "")
}

func TestFollowUnderFirePostgres(t *testing.T) {
	t.Parallel()
	followUnderFire(t, pgtest.Database(t))
}

// followUnderFire kills the follower of a live run at 40 random instants, and
// the server at some of them too: in the end the file has every row once, in the
// order in which the server has them.
func followUnderFire(t *testing.T, database string) {
	paced := fixtures.Paced(800, 60*time.Millisecond)
	srv := newServer(t, t.TempDir(), database, "--crawlers", "testdata")
	srv.start()
	run := srv.begin("paced", site(t, paced)+"/", 8)
	r, err := srv.client().Run(t.Context(), run)
	if err != nil {
		t.Fatal(err)
	}
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "rows.jsonl")
	follower := func(more ...string) *exec.Cmd {
		cmd := exec.CommandContext(t.Context(), path, append([]string{"result", "follow", r.Squid, "--as", "load", "-o", file, "--batch", "7",
			"--server", "http://" + srv.addr, "--key", testKey}, more...)...)
		cmd.Stderr = t.Output()
		return cmd
	}
	rng := rand.New(rand.NewPCG(3, uint64(len(database))))
	for kill := range 40 {
		cmd := follower()
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		wait := time.NewTimer(time.Duration(20+rng.IntN(250)) * time.Millisecond)
		<-wait.C
		if kill%5 == 4 {
			srv.kill()
			wait.Reset(time.Duration(rng.IntN(50)) * time.Millisecond)
			<-wait.C
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Wait(); err == nil || exitCodeOf(err) != -1 {
			t.Fatalf("the follower ended by itself: %v", err)
		}
		if kill%5 == 4 {
			srv.start()
		}
	}
	// One follower sees the server die and come back, and goes on by itself.
	last := follower()
	if err := last.Start(); err != nil {
		t.Fatal(err)
	}
	srv.kill()
	srv.start()
	srv.await(run, 2*time.Minute, func(r *client.Run) bool { return r.IsDone })
	if err := last.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := last.Wait(); exitCodeOf(err) != exitInterrupted {
		t.Fatalf("interrupted it ended with %v", err)
	}
	if err := follower("--once").Run(); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var want bytes.Buffer
	if _, err := srv.client().StreamResults(t.Context(), run, "application/x-ndjson", &want); err != nil {
		t.Fatal(err)
	}
	if n := bytes.Count(want.Bytes(), []byte("\n")); n != len(paced.Items()) || !bytes.Equal(got, want.Bytes()) {
		t.Errorf("the file has %d rows, the server %d, in truth there are %d; they must be the same, in the same order",
			bytes.Count(got, []byte("\n")), n, len(paced.Items()))
	}
}

// mark is a note as the follower of squid s would have it.
func mark(format string) progress { return progress{Squid: "s", Cursor: "c", Format: format} }

// Wherever a follower died, the file goes on behind what is noted of it.
func TestFollowFileSetsItselfBack(t *testing.T) {
	name := filepath.Join(t.TempDir(), "rows.jsonl")
	open := func() *followFile {
		t.Helper()
		f, err := openFollowFile(name, mark("jsonl"))
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	f := open()
	if _, err := openFollowFile(name, mark("jsonl")); exitOf(err) != exitUsage || !strings.Contains(err.Error(), "another") {
		t.Errorf("a second follower of the file: %v", err)
	}
	if n, err := f.add(strings.NewReader("1\n2\n"), "two"); n != 4 || err != nil {
		t.Fatal(n, err)
	}
	broken := errors.New("broken")
	if _, err := f.add(io.MultiReader(strings.NewReader("3\nhalf"), iotest.ErrReader(broken)), "three"); !errors.Is(err, broken) {
		t.Errorf("half an answer: %v", err)
	}
	if _, err := f.file.WriteString("3\n4\n"); err != nil { // killed before it is noted
		t.Fatal(err)
	}
	f.close()
	f = open()
	if f.at.Ack != "two" || f.at.Offset != 4 {
		t.Errorf("it goes on from %+v", f.at)
	}
	if _, err := f.add(strings.NewReader("3\n"), "three"); err != nil {
		t.Fatal(err)
	}
	f.close()
	if b, err := os.ReadFile(name); string(b) != "1\n2\n3\n" || err != nil {
		t.Errorf("the file is %q, %v", b, err)
	}
	var note progress
	if b, err := os.ReadFile(noteOf(name)); err != nil || json.Unmarshal(b, &note) != nil || note != (progress{"s", "c", "jsonl", 6, "three"}) {
		t.Errorf("the note is %s, %v", b, err)
	}
}

// exitOf is the exit code that an error carries.
func exitOf(err error) int {
	var e *exit
	if errors.As(err, &e) {
		return e.code
	}
	return 0
}

// A file that is not what its note says is left as it is.
func TestFollowFileRefusesStrangeFiles(t *testing.T) {
	for name, c := range map[string]struct{ file, note, want string }{
		"no note":         {"rows\n", "", "beside it"},
		"another's":       {"", `{"squid":"x","cursor":"c","format":"jsonl"}`, "holds results of squid x"},
		"another format":  {"", `{"squid":"s","cursor":"c","format":"csv"}`, "as csv"},
		"cut":             {"ro", `{"squid":"s","cursor":"c","format":"jsonl","offset":5,"ack":"a"}`, "something has cut it"},
		"no note at all":  {"", `{`, "does not say"},
		"a strange place": {"", `{"squid":"s","cursor":"c","format":"jsonl","offset":-5}`, "does not say"},
	} {
		file := filepath.Join(t.TempDir(), "rows")
		if err := os.WriteFile(file, []byte(c.file), 0o644); err != nil {
			t.Fatal(err)
		}
		if c.note != "" {
			if err := os.WriteFile(noteOf(file), []byte(c.note), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := openFollowFile(file, mark("jsonl")); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want it to say %q", name, err, c.want)
		}
		if b, err := os.ReadFile(file); string(b) != c.file || err != nil {
			t.Errorf("%s: the file is now %q, %v", name, b, err)
		}
	}
	if _, err := openFollowFile("/dev/null", mark("jsonl")); exitOf(err) != exitUsage {
		t.Errorf("a device: %v", err)
	}
}
