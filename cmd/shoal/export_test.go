package main

import (
	"bytes"
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"shoal/client"
	"shoal/internal/fixtures"
	"shoal/internal/pgtest"
)

// shop collects a bookshop of 60 books at a server and returns the run.
func (s *server) shop() string {
	s.t.Helper()
	t, ok := s.t.(*testing.T)
	if !ok {
		s.t.Fatal("a shop needs a test")
	}
	run := s.begin("bookshop", site(t, fixtures.Bookshop(fixtures.Options{Count: 60}))+"/", 4)
	s.await(run, time.Minute, func(r *client.Run) bool { return r.IsDone && r.ExportDone })
	return run
}

// verb runs a verb against the server.
func (s *server) verb(args ...string) (stdout, stderr string, code int) {
	s.t.Helper()
	path, err := binary()
	if err != nil {
		s.t.Fatal(err)
	}
	var out, errs bytes.Buffer
	cmd := exec.Command(path, args...)
	cmd.Env = append(s.env, "SHOAL_SERVER=http://"+s.addr)
	cmd.Stdout, cmd.Stderr = &out, &errs
	err = cmd.Run()
	return out.String(), errs.String(), exitCodeOf(err)
}

// TestRunExport: shoal run export makes a file at the server and fetches it.
func TestRunExport(t *testing.T) {
	t.Parallel()
	srv := newServer(t, t.TempDir(), "")
	srv.start()
	run, dir := srv.shop(), t.TempDir()
	for _, c := range []struct {
		args       []string
		file, want string
		lines      int
	}{
		{[]string{"-o", "a.jsonl"}, "a.jsonl", `{"`, 60},
		{[]string{"--format", "csv", "--bom", "--fields", "title", "-o", "b.csv"}, "b.csv", "\ufefftitle\r\n", 61},
		{[]string{"-o", "c.xlsx"}, "c.xlsx", "PK", -1},
		{[]string{"-o", "d.parquet"}, "d.parquet", "PAR1", -1},
	} {
		name := filepath.Join(dir, c.file)
		args := append([]string{"run", "export", run}, c.args...)
		args[len(args)-1] = name
		if _, stderr, code := srv.verb(args...); code != 0 || !strings.Contains(stderr, "60 rows") {
			t.Errorf("%v = %d %s", c.args, code, stderr)
		}
		text, err := os.ReadFile(name)
		if err != nil || !strings.HasPrefix(string(text), c.want) || c.lines > 0 && bytes.Count(text, []byte("\n")) != c.lines {
			t.Errorf("%v wrote %.40q…, %v", c.args, text, err)
		}
	}
	if stdout, _, code := srv.verb("run", "export", run, "--format", "json", "-o", "-"); code != 0 || !strings.HasPrefix(stdout, "[{") {
		t.Errorf("to standard output = %d %.40q", code, stdout)
	}
	if stdout, _, code := srv.verb("run", "export", run, "--format", "json"); code != 0 || !strings.Contains(stdout, "/v1/download/") {
		t.Errorf("its link = %d %q", code, stdout)
	}
	if _, stderr, code := srv.verb("run", "export", run, "--format", "json", "--bom"); code != exitUsage || !strings.Contains(stderr, "bom") {
		t.Errorf("a form that there is not = %d %s", code, stderr)
	}
	if _, stderr, code := srv.verb("run", "export", run, "--bom"); code != exitUsage || !strings.Contains(stderr, "--format") {
		t.Errorf("a form without a format = %d %s", code, stderr)
	}
}

func TestKillNineDuringAConversionSQLite(t *testing.T) {
	t.Parallel()
	killConversion(t, "")
}

func TestKillNineDuringAConversionPostgres(t *testing.T) {
	t.Parallel()
	killConversion(t, pgtest.Database(t))
}

// killConversion kills the server again and again while it writes a large file:
// the file appears once, whole, and nothing else is left.
func killConversion(t *testing.T, database string) {
	const rows, kills = 300_000, 4
	data := t.TempDir()
	srv := newServer(t, data, database)
	srv.start()
	run := srv.shop()
	srv.kill()
	multiply(t, data, database, rows)
	srv.start()
	form := client.ExportForm{Format: "csv", GuardFormulas: true}
	e, err := srv.client().MakeExport(t.Context(), run, form)
	for range kills {
		// It is killed when it has begun, and what it has is not the whole.
		for err == nil && e.State == "pending" {
			e, err = srv.client().Export(t.Context(), run, e.ID)
		}
		if err != nil || e.State != "converting" {
			t.Fatalf("%+v, %v", e, err)
		}
		srv.kill()
		srv.start()
		e, err = srv.client().MakeExport(t.Context(), run, form)
	}
	for err == nil && !e.Ended() {
		e, err = srv.client().Export(t.Context(), run, e.ID)
	}
	if err != nil || e.State != "done" || e.Progress.Rows != rows+60 {
		t.Fatalf("%+v, %v", e, err)
	}
	var file bytes.Buffer
	if n, err := srv.client().Fetch(t.Context(), e.URL, &file); err != nil || n != e.Size || bytes.Count(file.Bytes(), []byte("\r\n")) != rows+61 {
		t.Errorf("the file has %d bytes of %d, %d lines, %v", n, e.Size, bytes.Count(file.Bytes(), []byte("\r\n")), err)
	}
	left, err := os.ReadDir(filepath.Join(data, "files", "runs", run))
	if err != nil || len(left) != 2 {
		t.Errorf("there are the files %v, %v; want two", left, err)
	}
}

// multiply gives the only run of a server that is not up so many more results.
func multiply(t *testing.T, data, database string, rows int) {
	t.Helper()
	driver, source := "sqlite", filepath.Join(data, "shoal.db")
	digest, numbers := `randomblob(16)`, `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)`
	if database != "" {
		driver, source = "pgx", database
		digest, numbers = `decode(md5(n.i::text), 'hex')`, `WITH n AS (SELECT generate_series(1, %d) AS i)`
	}
	db, err := sql.Open(driver, source)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, q := range []string{
		fmt.Sprintf(`INSERT INTO results (key, run_pk, task_seq, digest, at, data) `+numbers+`
			SELECT last.key + n.i, last.run_pk, last.task_seq, `+digest+`, last.at, last.data
			FROM n CROSS JOIN (SELECT * FROM results ORDER BY key DESC LIMIT 1) last`, rows),
		fmt.Sprintf(`UPDATE runs SET last_seq = last_seq + %d, unique_results = unique_results + %[1]d, total_results = total_results + %[1]d`, rows),
		fmt.Sprintf(`UPDATE squids SET next_seq = next_seq + %d`, rows),
	} {
		if _, err := db.ExecContext(t.Context(), q); err != nil {
			t.Fatalf("%s: %v", q, err)
		}
	}
}
