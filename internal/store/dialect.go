package store

import (
	"errors"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// Dialect names one of the two databases. Every statement is one text for
// both; what must differ is in this file.
type Dialect string

// The dialects.
const (
	SQLite   Dialect = "sqlite"
	Postgres Dialect = "postgres"
)

// forUpdate ends a SELECT whose rows the transaction is going to change. On
// SQLite every writing transaction holds the only write lock already.
func (d Dialect) forUpdate() string {
	if d == Postgres {
		return " FOR UPDATE"
	}
	return ""
}

// forUpdateOf is forUpdate for one table of a join.
func (d Dialect) forUpdateOf(table string) string {
	if d == Postgres {
		return " FOR UPDATE OF " + table
	}
	return ""
}

// lockTable makes transactions that begin with it take turns. On SQLite all
// that write do: empty.
func (d Dialect) lockTable(name string) string {
	if d == Postgres {
		return "LOCK TABLE " + name + " IN SHARE ROW EXCLUSIVE MODE"
	}
	return ""
}

// now is an expression of the database's clock in microseconds: leases are
// judged by one clock however many machines there are. On SQLite the database
// is this process, and its injected clock is used: empty.
func (d Dialect) now() string {
	if d == Postgres {
		return "(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000)::BIGINT"
	}
	return ""
}

// retryable reports whether a transaction failed only because it met another
// (serialization failure, deadlock) and may be run again.
func retryable(err error) bool {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return e.Code == "40001" || e.Code == "40P01"
	}
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		return e.Code()&0xff == sqlite3.SQLITE_BUSY
	}
	return false
}

// storageFull reports whether err says that the database's disk has no room.
// SQLite reports a full quota as a failed write and a full disk under its
// shared-memory file as SHMSIZE.
func storageFull(err error) bool {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return e.Code == "53100"
	}
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		switch e.Code() {
		case sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_SHMSIZE:
			return true
		}
	}
	return false
}

// uniqueViolation reports whether err says that a unique index refused a row.
func uniqueViolation(err error) bool {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return e.Code == "23505"
	}
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		return e.Code() == sqlite3.SQLITE_CONSTRAINT_UNIQUE || e.Code() == sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY
	}
	return false
}

// pageSize is SQLite's page size in bytes. Keys are random, so that each commit
// rewrites most leaves of their index: larger pages are more bytes to write.
const pageSize = 4096

// sqlitePragmas set up every connection to the data file, in this order:
// page_size and auto_vacuum count only before the file's first write.
//
// synchronous=NORMAL: a power cut may take back the newest page commits, never
// a part of one, and never corrupts; those pages are fetched again. A killed
// process loses nothing. Writes on behalf of people are made FULL by
// Store.write. Checkpoints are made by the store, off the writer.
var sqlitePragmas = []string{
	"page_size(" + strconv.Itoa(pageSize) + ")",
	"auto_vacuum(INCREMENTAL)",
	"journal_mode(WAL)",
	"synchronous(NORMAL)",
	"foreign_keys(ON)",
	"wal_autocheckpoint(0)",
	"temp_store(MEMORY)",
	"journal_size_limit(67108864)",
}

// sqliteDSN names the data file in dir. cache is the page cache of each
// connection in KiB.
func sqliteDSN(dir string, cache string, readOnly bool) string {
	var b strings.Builder
	b.WriteString("file:")
	b.WriteString(strings.NewReplacer("%", "%25", "?", "%3f", "#", "%23").Replace(filepath.Join(dir, dataFile)))
	b.WriteString("?_busy_timeout=10000&_txlock=immediate")
	for _, p := range sqlitePragmas {
		b.WriteString("&_pragma=" + p)
	}
	b.WriteString("&_pragma=cache_size(-" + cache + ")")
	if readOnly {
		b.WriteString("&_pragma=query_only(ON)")
	}
	return b.String()
}
