package sqltable_test

import (
	"crypto/sha256"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"

	"shoal"
	"shoal/internal/mariatest"
	"shoal/internal/pgtest"
	"shoal/internal/sqltable"
)

// side is an empty database, and a writer that reaches it.
type side struct {
	name string
	url  string
	db   *sql.DB
	*sqltable.Writer
	dir string // of SQLite
}

const workspace = shoal.WorkspaceID("0123456789abcdef0123456789abcdef")

var dialer net.Dialer

// each runs a test on every kind of database.
func each(t *testing.T, test func(t *testing.T, s *side)) {
	for _, name := range []string{"postgres", "mariadb", "sqlite"} {
		t.Run(name, func(t *testing.T) {
			test(t, newSide(t, name, sqltable.Options{Dial: dialer.DialContext}))
		})
	}
}

func newSide(t testing.TB, name string, o sqltable.Options) *side {
	t.Helper()
	s := &side{name: name}
	switch name {
	case "postgres":
		s.url = pgtest.Database(t)
		s.db = open(t, "pgx", s.url)
	case "mariadb":
		s.url = mariatest.Database(t)
		s.db = mariatest.Open(t, s.url)
	default:
		s.dir = t.TempDir()
		d, err := sqltable.OpenDir(s.dir)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { d.Close() })
		o.Dir = d
		s.url = "sqlite:///out/shop.db"
		s.db = open(t, "sqlite", "file:"+filepath.Join(s.dir, string(workspace), "out", "shop.db")+"?_pragma=busy_timeout(10000)")
	}
	s.Writer = sqltable.New(o)
	return s
}

func open(t testing.TB, driver, address string) *sql.DB {
	t.Helper()
	db, err := sql.Open(driver, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// config is that of a table in the side's database.
func (s *side) config(name string, more ...func(*sqltable.Config)) sqltable.Config {
	c := sqltable.Config{URL: s.url, Table: name}
	for _, set := range more {
		set(&c)
	}
	return c
}

// exec runs statements on the side; SQLite's file is made first.
func (s *side) exec(t testing.TB, text string) {
	t.Helper()
	if s.name == "sqlite" {
		s.touch(t)
	}
	if _, err := s.db.ExecContext(t.Context(), text); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
}

func (s *side) touch(t testing.TB) {
	t.Helper()
	j := sqltable.Job{Config: s.config("empty"), Workspace: workspace, Rows: rows()}
	if _, err := s.Load(t.Context(), &j); err != nil {
		t.Fatal(err)
	}
	if _, err := s.db.ExecContext(t.Context(), "DROP TABLE empty"); err != nil {
		t.Fatal(err)
	}
}

// all returns what a query gives: values of a row between bars, rows in lines,
// NULL as ∅.
func (s *side) all(t testing.TB, query string) string {
	t.Helper()
	rows, err := s.db.QueryContext(t.Context(), query)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	defer rows.Close()
	columns, _ := rows.Columns()
	var out []string
	for rows.Next() {
		values := make([]sql.NullString, len(columns))
		to := make([]any, len(columns))
		for i := range values {
			to[i] = &values[i]
		}
		if err := rows.Scan(to...); err != nil {
			t.Fatal(err)
		}
		var texts []string
		for _, v := range values {
			if !v.Valid {
				v.String = "∅"
			}
			texts = append(texts, v.String)
		}
		out = append(out, strings.Join(texts, "|"))
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return strings.Join(out, "\n")
}

// expect fails t unless the query gives the lines.
func (s *side) expect(t testing.TB, query string, lines ...string) {
	t.Helper()
	if got := s.all(t, query); got != strings.Join(lines, "\n") {
		t.Errorf("%s gives\n%s\nwant\n%s", query, got, strings.Join(lines, "\n"))
	}
}

// load loads and fails t when that fails.
func (s *side) load(t testing.TB, c sqltable.Config, rows sqltable.Rows) sqltable.Report {
	t.Helper()
	r, err := s.Load(t.Context(), &sqltable.Job{Config: c, Workspace: workspace, Attributes: attributes, Rows: rows})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// refuses fails t unless the load fails with an error that says all of the parts.
func (s *side) refuses(t testing.TB, c sqltable.Config, rows sqltable.Rows, parts ...string) *sqltable.Error {
	t.Helper()
	_, err := s.Load(t.Context(), &sqltable.Job{Config: c, Workspace: workspace, Attributes: attributes, Rows: rows})
	var e *sqltable.Error
	if !errors.As(err, &e) {
		t.Fatalf("the load ended with %v, want a *sqltable.Error that says %q", err, parts)
	}
	for _, p := range parts {
		if !strings.Contains(strings.ToLower(e.Message), strings.ToLower(p)) {
			t.Errorf("the error is %q, want one that says %q", e.Message, p)
		}
	}
	return e
}

// attributes are the fields of the tests' crawler.
var attributes = []shoal.Attribute{
	{Name: "url", Type: shoal.AttrString}, {Name: "title", Type: shoal.AttrText}, {Name: "stock", Type: shoal.AttrInteger},
	{Name: "price", Type: shoal.AttrFloat}, {Name: "sold", Type: shoal.AttrBoolean}, {Name: "tags", Type: shoal.AttrJSON},
}

// result is a row of a run: the same key is the same thing.
func result(run int64, key, data string) shoal.Result {
	sum := sha256.Sum256([]byte(key))
	return shoal.Result{
		Digest: shoal.Digest(sum[:16]), RunPK: run, RunID: shoal.RunID(fmt.Sprintf("%032x", run)), SquidID: "5c1d", TaskID: "7a5c",
		Data: []byte(data), At: time.Date(2026, 1, int(run), 10, 0, 0, 123_456_000, time.UTC),
	}
}

// rows are results that may be ranged over again.
func rows(results ...shoal.Result) sqltable.Rows {
	return func(yield func(*shoal.Result, error) bool) {
		for i := range results {
			if !yield(&results[i], nil) {
				return
			}
		}
	}
}

// many are n rows of about 600 bytes, made one at a time.
func many(n int, run int64) sqltable.Rows {
	filler := strings.Repeat("lorem ipsum dolor sit amet ", 17)
	return iter.Seq2[*shoal.Result, error](func(yield func(*shoal.Result, error) bool) {
		for i := range n {
			key := fmt.Sprintf("https://example.com/things/%d", i)
			r := result(run, key, fmt.Sprintf(`{"url":%q,"title":"Thing %d, %s","stock":%d,"price":%d.25,"sold":%v,"tags":["a","b",{"n":%d}]}`,
				key, i, filler, i, i%1000, i%2 == 0, i))
			if !yield(&r, nil) {
				return
			}
		}
	})
}

func upsert(c *sqltable.Config)  { c.Mode = sqltable.Upsert }
func insert(c *sqltable.Config)  { c.Mode = sqltable.Insert }
func replace(c *sqltable.Config) { c.Mode = sqltable.Replace }

func keyed(fields ...string) func(*sqltable.Config) {
	return func(c *sqltable.Config) { c.Key = fields }
}

func asIs(c *sqltable.Config) {
	no := false
	c.Create = &no
}

func id(r shoal.Result) string { return r.ID() }

// jsonText is a text as JSON.
func jsonText(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	return string(b)
}

func openAt(t *testing.T, file string) *sql.DB { return open(t, "sqlite", "file:"+file) }
