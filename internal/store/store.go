// Package store keeps everything in one database, SQLite or PostgreSQL, by
// one text of SQL. One exported method is one transaction. Pages of running
// runs are committed in groups by one writer per process (see CommitPage).
package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"golang.org/x/sync/errgroup"

	"shoal"
	"shoal/internal/jobs"
)

// Store is the database in Shoal's words. Its methods may be called from any
// goroutine; Serve must be running for pages, claims and leases to go through.
type Store struct {
	db   *DB
	jobs jobs.Inserter
	log  *slog.Logger
	// read answers queries outside transactions.
	read *sql.DB
	// turn is held by the one transaction that writes on SQLite. Waiters get it
	// in order of arrival, so that a person's request waits for at most one
	// batch of pages.
	turn chan struct{}
	// runs serves runs from memory; nil on PostgreSQL.
	runs *runCache
	keys *keyCache // valid keys, in memory
	// launches are the times of scheduled launches; used where runs are.
	launches *launchTimes
	// scheduled has something to receive when this process changed a schedule.
	scheduled chan struct{}
	stmts     *statements
	hot       *hotState // nil: nothing is known
	// digests are what is known of the results of runs, by primary key.
	digests map[int64]*digestSet
	// ops are for the writer, which closes stopped when it ends.
	ops     chan *op
	stopped chan struct{}
	wal     *walKeeper // nil on PostgreSQL
}

// New returns a store on an open, migrated database.
func New(db *DB, inserter jobs.Inserter) *Store {
	s := &Store{
		db: db, jobs: inserter, log: db.log, read: db.read,
		turn: make(chan struct{}, 1), stmts: newStatements(db),
		keys:      newKeyCache(db.dialect),
		launches:  &launchTimes{bySquid: map[int64]int64{}},
		scheduled: make(chan struct{}, 1),
		digests:   map[int64]*digestSet{},
		ops:       make(chan *op, maxPages), stopped: make(chan struct{}),
	}
	if db.dialect == SQLite {
		s.runs, s.wal = newRunCache(), newWALKeeper(db)
	}
	return s
}

// Ready reports whether the database answers and its schema is this program's.
func (s *Store) Ready(ctx context.Context) error { return s.db.Ready(ctx) }

// Serve does the store's work in the background (group commits, checkpoints,
// removal of what has expired) until ctx ends. It returns nil then.
func (s *Store) Serve(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return s.writer(ctx) })
	g.Go(func() error { return s.tend(ctx) })
	g.Go(func() error { return s.settle(ctx) })
	g.Go(func() error { return s.keepUses(ctx) })
	g.Go(func() error { return s.wal.run(ctx, s) })
	err := g.Wait()
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return nil
	}
	return err
}

// now is the time by the injected clock, to the microsecond that is stored.
func (s *Store) now() time.Time { return s.db.now().UTC().Truncate(time.Microsecond) }

// micros is how a time is stored: microseconds since 1970, 0 when unset.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// fromMicros is the reverse of micros.
func fromMicros(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}

// unit is one transaction and what follows its commit.
type unit struct {
	after []func()
	kick  bool
}

type unitKey struct{}

// afterCommit has f called once the transaction of ctx is durable, before its
// caller returns and before another transaction can begin on SQLite. If the
// transaction fails f is dropped.
func (s *Store) afterCommit(ctx context.Context, f func()) {
	u := ctx.Value(unitKey{}).(*unit)
	u.after = append(u.after, f)
}

// enqueue adds jobs in the transaction of ctx; they are announced to this
// process's workers once it is durable.
func (s *Store) enqueue(ctx context.Context, tx *sql.Tx, js ...jobs.Job) error {
	if len(js) == 0 {
		return nil
	}
	if err := s.jobs.Insert(ctx, tx, js...); err != nil {
		return fmt.Errorf("enqueue %s: %w", js[0].Kind, err)
	}
	ctx.Value(unitKey{}).(*unit).kick = true
	return nil
}

// write runs f in one transaction, again if it met another one. What it wrote
// survives a power cut when write returns. f must use the ctx it is given and
// no other connection. A full disk is ErrStorageFull.
func (s *Store) write(ctx context.Context, f func(ctx context.Context, tx *sql.Tx) error) error {
	release, err := s.takeTurn(ctx)
	if err != nil {
		return err
	}
	defer release()
	return s.transact(ctx, true, f)
}

// takeTurn waits for the right to write on SQLite; PostgreSQL needs none. What
// the writer knows may be wrong afterwards.
func (s *Store) takeTurn(ctx context.Context) (release func(), err error) {
	if s.db.dialect != SQLite {
		return func() {}, nil
	}
	select {
	case s.turn <- struct{}{}:
		s.hot = nil
		return func() { <-s.turn }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// transact is write for callers that hold the turn. durable false lets a power
// cut take the newest transactions back, on SQLite.
func (s *Store) transact(ctx context.Context, durable bool, f func(ctx context.Context, tx *sql.Tx) error) error {
	const attempts = 8
	var err error
	for attempt := range attempts {
		u := &unit{}
		err = s.once(context.WithValue(ctx, unitKey{}, u), durable, f)
		if err == nil {
			s.committed(u)
			return nil
		}
		if !retryable(err) || ctx.Err() != nil {
			break
		}
		s.log.Debug("transaction is run again", "attempt", attempt+1, "cause", err)
	}
	if storageFull(err) {
		return fmt.Errorf("%w: %w", shoal.ErrStorageFull, err)
	}
	return err
}

func (s *Store) committed(u *unit) {
	for _, f := range u.after {
		f()
	}
	if u.kick {
		s.jobs.Kick()
	}
}

// once runs f in one transaction on one connection. synchronous can only be
// set outside a transaction, and holds for the connection until set again.
func (s *Store) once(ctx context.Context, durable bool, f func(ctx context.Context, tx *sql.Tx) error) (err error) {
	conn, err := s.db.write.Conn(ctx)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer conn.Close()
	if durable && s.db.dialect == SQLite {
		if _, err := conn.ExecContext(ctx, "PRAGMA synchronous=FULL"); err != nil {
			return fmt.Errorf("begin: %w", err)
		}
		defer func() {
			back := context.WithoutCancel(ctx)
			if _, e := conn.ExecContext(back, "PRAGMA synchronous=NORMAL"); e != nil {
				s.log.Warn("writes stay fully synchronous", "cause", e)
			}
		}()
	}
	tx, err := conn.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	if err := f(ctx, tx); err != nil {
		if e := tx.Rollback(); e != nil && !errors.Is(e, sql.ErrTxDone) {
			return errors.Join(err, fmt.Errorf("roll back: %w", e))
		}
		return err
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}

// remember keeps the answer for the request's idempotency key, if ctx has
// one, in the transaction of its effect. A twin that came first is a Conflict.
func (s *Store) remember(ctx context.Context, tx *sql.Tx, result any) error {
	i := shoal.IdempotencyFrom(ctx)
	if i == nil {
		return nil
	}
	status, body := i.Render(result)
	if body == nil {
		body = []byte{}
	}
	const q = `INSERT INTO idempotency_keys
		(workspace_pk, route, key, body_hash, status, body, created_at)
		VALUES ((SELECT pk FROM workspaces WHERE id = $1), $2, $3, $4, $5, $6, $7)
		ON CONFLICT (workspace_pk, route, key) DO UPDATE SET
			body_hash = excluded.body_hash, status = excluded.status,
			body = excluded.body, created_at = excluded.created_at
		WHERE idempotency_keys.created_at <= $8`
	now := s.now()
	res, err := tx.ExecContext(ctx, q, string(i.WorkspaceID), i.Route, i.Key, i.BodyHash[:],
		status, body, micros(now), micros(now.Add(-idempotencyLife)))
	if err != nil {
		return fmt.Errorf("keep the answer of an idempotency key: %w", err)
	}
	if n, err := res.RowsAffected(); err != nil || n == 1 {
		return err
	}
	return shoal.Conflict("IdempotencyConflict", "Idempotency-Key",
		"a request with this idempotency key has just been answered: send it again to get that answer")
}
