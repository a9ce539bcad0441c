package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite" // registers the "sqlite" driver

	"shoal"
)

// dataFile is the embedded database's file in the data directory.
const dataFile = "shoal.db"

// Exists reports whether dir holds an embedded database.
func Exists(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, dataFile))
	return err == nil
}

// Options say which database to open.
type Options struct {
	// DataDir is the data directory. It is made if missing, readable by its owner
	// alone, and locked for as long as the DB is open when it holds the database.
	DataDir string
	// DatabaseURL is a PostgreSQL URL or connection string; empty: the embedded
	// SQLite in DataDir.
	DatabaseURL string
	Logger      *slog.Logger     // nil: slog.Default
	Now         func() time.Time // nil: time.Now
}

// DB is the open database: on SQLite one connection that writes and a pool
// that reads, on PostgreSQL one pool.
type DB struct {
	dialect Dialect
	write   *sql.DB
	read    *sql.DB
	dataDir string
	lock    *dirLock // nil on PostgreSQL
	log     *slog.Logger
	now     func() time.Time
}

// OpenDB opens the database, without touching its schema. A data directory
// that another process holds is a Conflict naming that process.
func OpenDB(ctx context.Context, o Options) (*DB, error) {
	db := &DB{dialect: SQLite, dataDir: o.DataDir, log: o.Logger, now: o.Now}
	if db.log == nil {
		db.log = slog.Default()
	}
	if db.now == nil {
		db.now = time.Now
	}
	open := db.openSQLite
	if o.DatabaseURL != "" {
		db.dialect = Postgres
		open = func() error { return db.openPostgres(o.DatabaseURL) }
	}
	if err := open(); err != nil {
		return nil, err
	}
	if err := db.ping(ctx); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

func (db *DB) openSQLite() error {
	if db.dataDir == "" {
		return errors.New("open database: a data directory or a database URL is needed")
	}
	if err := os.MkdirAll(db.dataDir, 0o700); err != nil {
		return fmt.Errorf("make the data directory: %w", err)
	}
	held, err := lockDir(db.dataDir)
	if err != nil {
		return err
	}
	db.lock = held
	reservePages()
	if db.write, err = sql.Open("sqlite", sqliteDSN(db.dataDir, "8192", false)); err != nil {
		return errors.Join(fmt.Errorf("open %s: %w", dataFile, err), held.release())
	}
	// One connection writes: SQLite allows one writer, and waiting in a queue of
	// ours is fair where waiting for its lock is not.
	db.write.SetMaxOpenConns(1)
	db.write.SetConnMaxIdleTime(0)
	if db.read, err = sql.Open("sqlite", sqliteDSN(db.dataDir, "4096", true)); err != nil {
		return errors.Join(fmt.Errorf("open %s: %w", dataFile, err), db.write.Close(), held.release())
	}
	readers := max(4, runtime.GOMAXPROCS(0))
	db.read.SetMaxOpenConns(readers)
	db.read.SetMaxIdleConns(readers)
	return nil
}

func (db *DB) openPostgres(url string) error {
	if scheme, _, ok := strings.Cut(url, "://"); ok && scheme != "postgres" && scheme != "postgresql" {
		return fmt.Errorf("the database URL begins with %s://; Shoal keeps its data in PostgreSQL (postgres://user@host/database) or, without a URL, in SQLite in its data directory", scheme)
	}
	cfg, err := pgx.ParseConfig(url)
	if err != nil {
		return fmt.Errorf("read the database URL: %w", err)
	}
	// A process that freezes in the middle of a transaction must not hold its
	// locks against those that take its work over.
	cfg.RuntimeParams["idle_in_transaction_session_timeout"] = "10s"
	if cfg.RuntimeParams["application_name"] == "" {
		cfg.RuntimeParams["application_name"] = "shoal"
	}
	pool := stdlib.OpenDB(*cfg, stdlib.OptionAfterConnect(preferIndexOrder))
	conns := max(8, 2*runtime.GOMAXPROCS(0))
	pool.SetMaxOpenConns(conns)
	pool.SetMaxIdleConns(conns)
	pool.SetConnMaxIdleTime(5 * time.Minute)
	db.write, db.read = pool, pool
	return nil
}

// preferIndexOrder makes PostgreSQL read a few rows in the order of an index
// rather than gather all candidates and sort them. Its statistics know nothing
// of a run whose tasks were just written: by them it would read 100,000 pending
// tasks to claim 16.
func preferIndexOrder(ctx context.Context, conn *pgx.Conn) error {
	_, err := conn.Exec(ctx, "SET enable_bitmapscan = off")
	return err
}

// ping makes sure that the database answers. The writer comes first: it is
// the one that may create the data file.
func (db *DB) ping(ctx context.Context) error {
	if err := db.write.PingContext(ctx); err != nil {
		if db.dialect == SQLite {
			return fmt.Errorf("open %s: %w", filepath.Join(db.dataDir, dataFile), err)
		}
		return fmt.Errorf("open database: %w", err)
	}
	if err := db.read.PingContext(ctx); err != nil {
		return fmt.Errorf("open database for reading: %w", err)
	}
	return nil
}

// Dialect returns which database it is.
func (db *DB) Dialect() Dialect { return db.dialect }

// WriteDB returns the pool that writes. On SQLite it has one connection: a
// query on the pool while a transaction of it is open waits for ever.
func (db *DB) WriteDB() *sql.DB { return db.write }

// ReadDB returns the pool that reads; on SQLite it cannot write.
func (db *DB) ReadDB() *sql.DB { return db.read }

// Ready reports whether the database answers and its schema is this program's.
func (db *DB) Ready(ctx context.Context) error {
	const q = `SELECT COALESCE(MAX(version_id), 0) FROM goose_db_version WHERE is_applied`
	var version int64
	if err := db.read.QueryRowContext(ctx, q).Scan(&version); err != nil {
		return fmt.Errorf("database: %w", err)
	}
	if version != schemaVersion {
		return &shoal.Error{Kind: shoal.KindUnavailable, Code: "SchemaVersion",
			Message: fmt.Sprintf("the database's schema has version %d, this program needs %d", version, schemaVersion)}
	}
	return nil
}

// Close closes the database and gives the data directory back.
func (db *DB) Close() error {
	var errs []error
	if db.read != db.write {
		errs = append(errs, db.read.Close())
	}
	errs = append(errs, db.write.Close())
	if db.lock != nil {
		errs = append(errs, db.lock.release())
	}
	return errors.Join(errs...)
}
