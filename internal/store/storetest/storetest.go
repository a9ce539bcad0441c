// Package storetest runs tests of the store, and of what stands on it, on both
// databases: a real SQLite in a temporary directory and a real PostgreSQL.
package storetest

import (
	"cmp"
	"context"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"shoal"
	"shoal/internal/jobs"
	"shoal/internal/pgtest"
	"shoal/internal/store"
)

// Env is one open, migrated database with a workspace, a user and an admin key.
type Env struct {
	DB    *store.DB
	Store *store.Store
	// Jobs enqueues; nothing works the jobs unless the test calls its Run.
	Jobs      *jobs.Client
	Options   store.Options // to open the same database again
	Workspace shoal.WorkspaceID
	User      shoal.UserID
	Key       string // of scope admin
	stop      func()
}

// Each runs f on SQLite and on PostgreSQL, as two parallel subtests.
func Each(t *testing.T, f func(t *testing.T, e *Env)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) { t.Parallel(); f(t, SQLite(t)) })
	t.Run("postgres", func(t *testing.T) { t.Parallel(); f(t, Postgres(t)) })
}

// SQLite returns an Env on a fresh data directory.
func SQLite(t testing.TB) *Env {
	t.Helper()
	return New(t, store.Options{DataDir: t.TempDir()})
}

// Postgres returns an Env on a fresh PostgreSQL database.
func Postgres(t testing.TB) *Env {
	t.Helper()
	return New(t, store.Options{DataDir: t.TempDir(), DatabaseURL: pgtest.Database(t)})
}

// New returns an Env on the database of o, made and seeded anew.
func New(t testing.TB, o store.Options) *Env {
	t.Helper()
	if o.Logger == nil {
		o.Logger = slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	}
	e := &Env{Options: o}
	e.open(t)
	e.seed(t)
	t.Cleanup(func() { e.Close(t) })
	return e
}

// Reopen closes the database and opens it again, as a restart does.
func (e *Env) Reopen(t testing.TB) {
	t.Helper()
	e.Close(t)
	e.open(t)
}

// Close stops the store's writer and closes the database.
func (e *Env) Close(t testing.TB) {
	t.Helper()
	if e.stop != nil {
		e.stop()
		e.stop = nil
	}
}

func (e *Env) open(t testing.TB) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	db, err := store.OpenDB(ctx, e.Options)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	if err := db.Migrate(ctx); err != nil {
		t.Fatalf("migrate: %v", err)
	}
	client, err := jobs.Open(jobs.Options{
		DB: db.WriteDB(), Dialect: jobs.Dialect(db.Dialect()), Owner: "test-" + shoal.NewID[string](),
		SlotWorkers: 8, DeliverWorkers: 8, OtherWorkers: 4, Logger: e.Options.Logger, Exclusive: true,
	})
	if err != nil {
		t.Fatalf("jobs: %v", err)
	}
	e.DB, e.Jobs, e.Store = db, client, store.New(db, client)
	e.stop = run(t, e.Store, db)
}

// run runs the store's background work and returns what ends it.
func run(t testing.TB, s *store.Store, db *store.DB) func() {
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx) }()
	return func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("store.Serve: %v", err)
		}
		if err := db.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	}
}

// seed writes a workspace on the unlimited plan, its user and an admin key.
func (e *Env) seed(t testing.TB) {
	t.Helper()
	e.Workspace, e.User = shoal.NewID[shoal.WorkspaceID](), shoal.NewID[shoal.UserID]()
	e.Key = "key-" + shoal.NewID[string]()
	hash, now := sha256.Sum256([]byte(e.Key)), time.Now().UnixMicro()
	e.Exec(t, `INSERT INTO workspaces (id, name, created_at, plan_name, credits_available) VALUES ($1, 'test', $2, 'unlimited', -1)`,
		string(e.Workspace), now)
	e.Exec(t, `INSERT INTO users (id, workspace_pk, email, is_staff, created_at)
		SELECT CAST($1 AS TEXT), pk, 'owner@shoal.test', TRUE, CAST($2 AS BIGINT) FROM workspaces WHERE id = $3`,
		string(e.User), now, string(e.Workspace))
	e.Exec(t, `INSERT INTO api_keys (id, workspace_pk, user_pk, name, hash, prefix, scope, created_at)
		SELECT CAST($1 AS TEXT), workspace_pk, pk, 'test', $2, 'key', 'admin', CAST($3 AS BIGINT) FROM users WHERE id = $4`,
		shoal.NewID[string](), hash[:], now, string(e.User))
}

// Exec runs one statement outside the store.
func (e *Env) Exec(t testing.TB, query string, args ...any) {
	t.Helper()
	if _, err := e.DB.WriteDB().ExecContext(context.WithoutCancel(t.Context()), query, args...); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
}

// Int returns the one integer that query selects.
func (e *Env) Int(t testing.TB, query string, args ...any) int64 {
	t.Helper()
	var n int64
	if err := e.DB.ReadDB().QueryRowContext(context.WithoutCancel(t.Context()), query, args...).Scan(&n); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return n
}

// Squid creates a squid with n active tasks {"url":"https://site.test/<i>"},
// i from 1, in the workspace of e.
func (e *Env) Squid(t testing.TB, n int) shoal.SquidID {
	t.Helper()
	id, now := shoal.NewID[shoal.SquidID](), time.Now().UnixMicro()
	e.Exec(t, `INSERT INTO squids (id, workspace_pk, crawler_id, crawler_slug, name, name_lower, next_task_seq, task_count, url_task_count, created_at, updated_at)
		SELECT CAST($1 AS TEXT), pk, CAST($2 AS TEXT), 'website', CAST($3 AS TEXT), CAST($3 AS TEXT), CAST($4 AS BIGINT), CAST($4 AS BIGINT), CAST($4 AS BIGINT), CAST($5 AS BIGINT), CAST($5 AS BIGINT)
		FROM workspaces WHERE id = $6`,
		string(id), CrawlerID, "squid "+string(id), n, now, string(e.Workspace))
	pk := e.Int(t, `SELECT pk FROM squids WHERE id = $1`, string(id))
	e.insertTasks(t, pk, n, now)
	return id
}

// CrawlerID is the crawler of the squids that Env makes.
const CrawlerID = "00000000000000000000000000000c01"

func (e *Env) insertTasks(t testing.TB, squidPK int64, n int, now int64) {
	t.Helper()
	tx, err := e.DB.WriteDB().BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	insert, err := tx.PrepareContext(t.Context(), `INSERT INTO tasks (key, id, squid_pk, digest, params, has_url, created_at)
		VALUES ($1, $2, $3, $4, $5, TRUE, $6)`)
	if err != nil {
		t.Fatal(err)
	}
	defer insert.Close()
	for i := 1; i <= n; i++ {
		params := fmt.Sprintf(`{"url":"https://site.test/%d"}`, i)
		digest := sha256.Sum256([]byte(params))
		if _, err := insert.ExecContext(t.Context(), squidPK<<40|int64(i), shoal.NewID[string](), squidPK, digest[:16], params, now); err != nil {
			t.Fatal(err)
		}
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
}

// Run creates and starts a run of squid with the given settings.
func (e *Env) Run(t testing.TB, squid shoal.SquidID, settings shoal.RunSettings) shoal.Run {
	t.Helper()
	if settings.Concurrency == 0 {
		settings.Concurrency = 1
	}
	r, err := e.Store.CreateRun(t.Context(), shoal.NewRun{
		ID: shoal.NewID[shoal.RunID](), WorkspaceID: e.Workspace, SquidID: squid, Origin: shoal.OriginUser, Actor: "user",
		Version:  shoal.CrawlerVersion{CrawlerID: CrawlerID, Slug: "website", Version: 1, Digest: "d1", Definition: []byte("name: Website")},
		Settings: settings, Begin: Started,
	})
	if err != nil {
		t.Fatalf("create run: %v", err)
	}
	return r
}

// Started puts a new run to work, whatever stands against it.
func Started(r *shoal.Run, _ *shoal.Standing, now time.Time) (shoal.Effects, error) {
	r.Status, r.StartedAt, r.ActiveSince = shoal.RunRunning, now, now
	return shoal.EffectSlots, nil
}

// Plan makes a plan with p's terms and puts the workspace of e on it. An empty
// interval is monthly.
func (e *Env) Plan(t testing.TB, p shoal.Plan) shoal.Balance {
	t.Helper()
	p.Name, p.Interval = cmp.Or(p.Name, "plan-"+shoal.NewID[string]()), cmp.Or(p.Interval, "monthly")
	p, err := e.Store.CreatePlan(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	b, err := e.Store.AssignPlan(t.Context(), e.Workspace, p.ID, "", "test")
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Lease takes a slot of a run for an hour.
func (e *Env) Lease(t testing.TB, run shoal.RunID, slot int) shoal.Lease {
	t.Helper()
	l, err := e.Store.AcquireLease(t.Context(), run, slot, "owner-of-"+fmt.Sprint(slot), time.Hour)
	if err != nil {
		t.Fatalf("acquire lease: %v", err)
	}
	return l
}

// Claim claims up to max requests.
func (e *Env) Claim(t testing.TB, l shoal.Lease, max int) []shoal.Work {
	t.Helper()
	work, err := e.Store.Claim(t.Context(), l, max)
	if err != nil {
		t.Fatalf("claim: %v", err)
	}
	return work
}

// Page returns the page that answers w, with the given rows.
func Page(l shoal.Lease, w shoal.Work, rows ...shoal.Row) *shoal.Page {
	return &shoal.Page{Lease: l, TaskSeq: w.TaskSeq, RequestSeq: w.Request.Seq, Rows: rows, At: time.Now(),
		Log: shoal.RequestLog{Task: w.TaskSeq, URL: "https://site.test/", Status: 200, Bytes: 100, Results: len(rows)}}
}

// Row returns a row whose key is made from name.
func Row(name string) shoal.Row {
	sum := sha256.Sum256([]byte(name))
	return shoal.Row{Key: shoal.Digest(sum[:16]), Data: []byte(fmt.Sprintf(`{"name":%q}`, name))}
}

// Found returns a request whose digest is made from its URL.
func Found(url string) shoal.Request {
	sum := sha256.Sum256([]byte(url))
	return shoal.Request{URL: url, Page: "page", Depth: 1, Digest: shoal.Digest(sum[:16])}
}

// Commit commits a page.
func (e *Env) Commit(t testing.TB, p *shoal.Page) shoal.PageResult {
	t.Helper()
	res, err := e.Store.CommitPage(t.Context(), p)
	if err != nil {
		t.Fatalf("commit page: %v", err)
	}
	return res
}
