package main

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"shoal/client"
	"shoal/internal/fixtures"
)

// shoal runs the command beside the server and returns what it printed.
func (s *server) shoal(env []string, args ...string) (said string, code int) {
	s.t.Helper()
	path, err := binary()
	if err != nil {
		s.t.Fatal(err)
	}
	cmd := exec.Command(path, args...)
	cmd.Env = append(append(s.env, "SHOAL_TOKEN=", "SHOAL_SECRET_KEY="), env...)
	out, err := cmd.CombinedOutput()
	return string(out), exitCodeOf(err)
}

// TestBackupWhileRunsWork: a copy taken in the middle of a run is whole. A
// server that starts on it ends the run with every row once, as the first one
// does, which was not disturbed; the key and what it sealed are there, too.
func TestBackupWhileRunsWork(t *testing.T) {
	t.Parallel()
	paced := fixtures.Paced(300, 20*time.Millisecond)
	target := fixtures.Count(paced)
	data, copied := filepath.Join(t.TempDir(), "data"), filepath.Join(t.TempDir(), "copies", "one")
	srv := newServer(t, data, "", "--crawlers", "testdata")
	srv.env = append(srv.env, "SHOAL_SECRET_KEY=") // so that it is in the data
	srv.start()
	id := srv.begin("paced", site(t, target)+"/", 4)
	<-target.Reached(60)
	if said, code := srv.shoal(nil, "admin", "backup", copied); code != 0 || !strings.Contains(said, "Backed up") {
		t.Fatalf("backup ended with %d: %s", code, said)
	}
	if said, code := srv.shoal([]string{"SHOAL_MIN_FREE=1"}, "admin", "doctor"); code != 0 || !strings.Contains(said, "process") {
		t.Errorf("doctor beside the server ended with %d: %s", code, said)
	}
	ended := func(r *client.Run) bool { return r.IsDone }
	checkRun(t, srv, srv.await(id, time.Minute, ended), paced)
	if _, err := srv.terminate(); err != nil {
		t.Fatal(err)
	}
	restored := newServer(t, copied, "", "--crawlers", "testdata")
	restored.env = append(restored.env, "SHOAL_SECRET_KEY=")
	restored.start()
	checkRun(t, restored, restored.await(id, time.Minute, ended), paced)
	if _, err := restored.terminate(); err != nil {
		t.Fatal(err)
	}
	if said, code := restored.shoal([]string{"SHOAL_MIN_FREE=1"}, "admin", "doctor"); code != 0 || strings.Contains(said, "broken") {
		t.Errorf("doctor on the restored data ended with %d: %s", code, said)
	}
}

// TestAdminThroughAServer: the admin verbs speak to a server with a key of the
// staff, tell who cannot what is missing, and who tries the data directory of a
// server to speak to it.
func TestAdminThroughAServer(t *testing.T) {
	t.Parallel()
	srv := newServer(t, t.TempDir(), "")
	srv.start()
	remote, staff := "SHOAL_SERVER=http://"+srv.addr, "SHOAL_TOKEN="+testKey
	if said, code := srv.shoal(nil, "admin", "user", "ls"); code != 1 || !strings.Contains(said, "--server http://") {
		t.Errorf("on the data of a server: %d %s", code, said)
	}
	said, code := srv.shoal([]string{remote, staff}, "admin", "user", "create", "ann@x.test")
	lines := strings.Split(strings.TrimSpace(said), "\n")
	key := lines[len(lines)-1]
	if code != 0 || !strings.HasPrefix(key, "shoal_") {
		t.Fatalf("create a user: %d %s", code, said)
	}
	ann := "SHOAL_TOKEN=" + key
	for _, c := range []struct {
		as, args string
		code     int
		want     string
	}{
		{ann, "admin user ls", 1, "is for the server's staff"},
		{ann, "admin key create mine --scope admin", 0, "shoal_"},
		{ann, "admin key ls", 0, "mine"},
		{ann, "admin key ls --all", 1, "is for the server's staff"},
		{ann, "admin doctor", 0, "not one of the staff"},
		{staff, "admin doctor", 0, "one of the staff"},
		{staff, "admin key ls --user ann@x.test", 0, "first"},
		{staff, "admin key ls", 0, "admin"},
		{staff, "admin workspace ls", 0, "ann@x.test"},
		{staff, "admin user disable ann@x.test", 0, "active no"},
		{ann, "admin key ls", 1, "credentials"},
		{ann, "admin doctor", 1, "does not accept the key"},
	} {
		said, code := srv.shoal([]string{remote, c.as}, strings.Fields(c.args)...)
		if code != c.code || !strings.Contains(said, c.want) {
			t.Errorf("shoal %s: %d, want %d with %q: %s", c.args, code, c.code, c.want, said)
		}
	}
	for _, secret := range []string{key, testKey} {
		if strings.Contains(srv.log.tail(1<<20), secret) {
			t.Error("the server's log has a key")
		}
	}
}
