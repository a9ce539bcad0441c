package jobs_test

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"shoal/internal/jobs"
	"shoal/internal/pgtest"

	_ "modernc.org/sqlite"
)

// patience bounds every wait for a signal that must come.
const patience = 60 * time.Second

// database is one test database that several processes can open.
type database struct {
	Dialect jobs.Dialect
	DSN     string
}

// eachDatabase runs f on an empty, migrated database of both kinds.
func eachDatabase(t *testing.T, f func(t *testing.T, d database)) {
	t.Run("sqlite", func(t *testing.T) { f(t, newDatabase(t, jobs.SQLite)) })
	t.Run("postgres", func(t *testing.T) { f(t, newDatabase(t, jobs.Postgres)) })
}

func newDatabase(t testing.TB, dialect jobs.Dialect) database {
	t.Helper()
	d := database{Dialect: dialect}
	if dialect == jobs.Postgres {
		d.DSN = pgtest.Database(t)
	} else {
		d.DSN = "file:" + filepath.Join(t.TempDir(), "jobs.db") +
			"?_busy_timeout=10000&_txlock=immediate&_pragma=journal_mode(WAL)&_pragma=synchronous(NORMAL)"
	}
	if err := jobs.Migrate(t.Context(), d.pool(t), dialect); err != nil {
		t.Fatal(err)
	}
	return d
}

// pool opens the write pool of one process.
func (d database) pool(t testing.TB) *sql.DB {
	t.Helper()
	db, err := d.open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

func (d database) open() (*sql.DB, error) {
	name, conns := "sqlite", 1
	if d.Dialect == jobs.Postgres {
		name, conns = "pgx", 16
	}
	db, err := sql.Open(name, d.DSN)
	if err == nil {
		db.SetMaxOpenConns(conns)
		db.SetMaxIdleConns(conns)
	}
	return db, err
}

// process is a client as one process has it.
type process struct {
	*jobs.Client
	DB   *sql.DB
	Log  *lockedBuffer
	stop func() error // ends Run and returns its error
}

// client opens a client named owner; edit may change its options.
func (d database) client(t testing.TB, owner string, edit func(*jobs.Options)) *process {
	t.Helper()
	p := &process{DB: d.pool(t), Log: &lockedBuffer{}}
	o := jobs.Options{
		DB: p.DB, Dialect: d.Dialect, Owner: owner, SlotWorkers: 16, OtherWorkers: 4,
		Logger: slog.New(slog.NewTextHandler(p.Log, nil)),
	}
	if edit != nil {
		edit(&o)
	}
	client, err := jobs.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	p.Client = client
	return p
}

// run starts Run; the test ends with it stopped.
func (p *process) run(t testing.TB, handlers map[jobs.Kind]jobs.Handler) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx, handlers) }()
	p.stop = sync.OnceValue(func() error {
		cancel()
		return <-ended
	})
	t.Cleanup(func() { _ = p.stop() })
}

// mustStop ends Run, after which the state of every job worked is recorded.
func (p *process) mustStop(t testing.TB) {
	t.Helper()
	if err := p.stop(); err != nil {
		t.Fatalf("Run returned %v; log:\n%s", err, p.Log)
	}
}

// enqueue commits jobs in a transaction of their own and kicks.
func (p *process) enqueue(t testing.TB, list ...jobs.Job) {
	t.Helper()
	tx, err := p.DB.BeginTx(context.Background(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Insert(context.Background(), tx, list...); err != nil {
		_ = tx.Rollback()
		t.Fatal(err)
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	p.Kick()
}

// row is what is recorded of a job.
type row struct {
	State   string
	Attempt int
	Args    string
	Errors  bool
}

// rows returns the jobs in the order of their insertion.
func (p *process) rows(t testing.TB) []row {
	t.Helper()
	args := "json(args)" // SQLite stores it in a form of its own
	if p.Dialect == jobs.Postgres {
		args = "args"
	}
	found, err := p.DB.Query("SELECT state, attempt, CAST(" + args + " AS text), errors IS NOT NULL FROM river_job ORDER BY id")
	if err != nil {
		t.Fatal(err)
	}
	defer found.Close()
	var list []row
	for found.Next() {
		var r row
		if err := found.Scan(&r.State, &r.Attempt, &r.Args, &r.Errors); err != nil {
			t.Fatal(err)
		}
		list = append(list, r)
	}
	if err := found.Err(); err != nil {
		t.Fatal(err)
	}
	return list
}

// wantStates checks the states of all jobs, in the order of their insertion.
func (p *process) wantStates(t testing.TB, want ...string) {
	t.Helper()
	list := p.rows(t)
	ok := len(list) == len(want)
	for i := 0; ok && i < len(want); i++ {
		ok = list[i].State == want[i]
	}
	if !ok {
		t.Fatalf("jobs are %+v, want states %q; log:\n%s", list, want, p.Log)
	}
}

// awaitState waits until the i-th job is in the given state, as another process
// brings it there.
func (p *process) awaitState(t testing.TB, i int, want string) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); p.rows(t)[i].State != want; <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("jobs are %+v, want the state %q of number %d; log:\n%s", p.rows(t), want, i, p.Log)
		}
	}
}

// receive waits for a signal that must come.
func receive[T any](t testing.TB, c <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patience):
		t.Fatalf("no %s within %s", what, patience)
		panic("unreachable")
	}
}

// done is a handler that signals each job's arguments and completes it.
func done(c chan<- string) jobs.Handler {
	return func(_ context.Context, args json.RawMessage) (jobs.Outcome, error) {
		c <- string(args)
		return jobs.Done, nil
	}
}

// lockedBuffer is a log that handlers write while the test reads it.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
