package jobs

import (
	"database/sql"
	"fmt"

	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/riverdriver/riverdatabasesql"
	"github.com/riverqueue/river/riverdriver/riversqlite"
)

// Dialect names the database behind a pool.
type Dialect string

// The databases.
const (
	SQLite   Dialect = "sqlite"
	Postgres Dialect = "postgres"
)

// check refuses a dialect that does not exist.
func (d Dialect) check() error {
	if d != SQLite && d != Postgres {
		return fmt.Errorf("unknown dialect %q: want %q or %q", d, SQLite, Postgres)
	}
	return nil
}

// driver returns River's driver for a pool.
func (d Dialect) driver(db *sql.DB) riverdriver.Driver[*sql.Tx] {
	if d == Postgres {
		return riverdatabasesql.New(db)
	}
	return riversqlite.New(db)
}

// now is the database's clock as integer microseconds. PostgreSQL's now() is
// the start of the transaction, which a wait for a lock makes stale.
func (d Dialect) now() string {
	if d == Postgres {
		return "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint"
	}
	return "CAST(unixepoch('subsec') * 1000000 AS INTEGER)"
}

// claimant is the client that claimed a job last, as an expression over river_job.
func (d Dialect) claimant() string {
	if d == Postgres {
		return "attempted_by[array_upper(attempted_by, 1)]"
	}
	return "(attempted_by ->> '$[#-1]')"
}

// lockRows ends a subquery that picks rows to update, so that two processes
// that requeue at the same moment neither wait for nor deadlock each other.
func (d Dialect) lockRows() string {
	if d == Postgres {
		return " FOR UPDATE SKIP LOCKED"
	}
	return ""
}
