package jobs

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/riverqueue/river/rivermigrate"
)

// migrateLock is the key of PostgreSQL's advisory lock under which one process
// at a time migrates: "shoaljob" in ASCII.
const migrateLock = 0x73686f616c6a6f62

// createClients holds one row per working client. heartbeat_at is in
// microseconds by the database's clock.
const createClients = `CREATE TABLE IF NOT EXISTS job_clients (
	id text NOT NULL PRIMARY KEY,
	heartbeat_at bigint NOT NULL
)`

// Migrate brings the tables of River and of this package up to date. It is
// idempotent. On PostgreSQL, where processes may start together, it works under
// an advisory lock, for which the pool must allow two connections.
func Migrate(ctx context.Context, db *sql.DB, d Dialect) (err error) {
	if err := d.check(); err != nil {
		return fmt.Errorf("migrate jobs: %w", err)
	}
	if d == Postgres {
		unlock, err := lockMigrations(ctx, db)
		if err != nil {
			return fmt.Errorf("migrate jobs: wait for the lock: %w", err)
		}
		defer func() { err = errors.Join(err, unlock()) }()
	}
	migrator, err := rivermigrate.New(d.driver(db), &rivermigrate.Config{Logger: quiet(nil)})
	if err != nil {
		return fmt.Errorf("migrate jobs: %w", err)
	}
	if _, err := migrator.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
		return fmt.Errorf("migrate jobs: %w", err)
	}
	if _, err := db.ExecContext(ctx, createClients); err != nil {
		return fmt.Errorf("migrate jobs: create job_clients: %w", err)
	}
	return nil
}

// lockMigrations takes the advisory lock, which belongs to a connection.
func lockMigrations(ctx context.Context, db *sql.DB) (unlock func() error, err error) {
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	if _, err := conn.ExecContext(ctx, "SELECT pg_advisory_lock($1)", int64(migrateLock)); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return func() error {
		_, err := conn.ExecContext(context.WithoutCancel(ctx), "SELECT pg_advisory_unlock($1)", int64(migrateLock))
		return errors.Join(err, conn.Close())
	}, nil
}
