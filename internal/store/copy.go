package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"shoal"
)

// Files of an embedded database that a copy of its directory must not take as
// they are: Copy takes their content.
var DatabaseFiles = []string{dataFile, dataFile + "-wal", dataFile + "-shm", dataFile + "-journal"}

// Copy writes the embedded database of dir into the directory target as it is
// at one instant, while a server may work on it: that goes on, though its
// write-ahead log grows meanwhile. The copy is on disk and was read through
// when Copy returns; there must be none in target before.
func Copy(ctx context.Context, dir, target string) (err error) {
	name := filepath.Join(target, dataFile)
	if _, err := os.Lstat(name); err == nil {
		return shoal.Conflict("FileExists", "", "there is a %s already", name)
	}
	db, err := sql.Open("sqlite", looseDSN(filepath.Join(dir, dataFile), "rw"))
	if err != nil {
		return fmt.Errorf("open %s: %w", dataFile, err)
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if _, err := db.ExecContext(ctx, `VACUUM INTO $1`, name); err != nil {
		return fmt.Errorf("copy the database: %w", copyError(err))
	}
	if err := syncFile(name); err != nil {
		return fmt.Errorf("copy the database: %w", err)
	}
	return checkCopy(ctx, name)
}

func copyError(err error) error {
	if storageFull(err) {
		return fmt.Errorf("%w: %w", shoal.ErrStorageFull, err)
	}
	return err
}

// syncFile makes a file outlive a power cut, and private: SQLite makes neither
// sure of a file that it vacuums into.
func syncFile(name string) (err error) {
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if err := f.Chmod(0o600); err != nil {
		return err
	}
	return f.Sync()
}

// checkCopy reads a copy through.
func checkCopy(ctx context.Context, name string) (err error) {
	db, err := sql.Open("sqlite", looseDSN(name, "ro"))
	if err != nil {
		return fmt.Errorf("open the copy: %w", err)
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	damage, err := damageOf(ctx, db)
	if err != nil {
		return fmt.Errorf("check the copy: %w", err)
	}
	if len(damage) > 0 {
		return fmt.Errorf("the copy of the database is damaged, and so is the database: %s", damage[0])
	}
	return nil
}

// looseDSN names a database file that another process may be working on: no
// setting of the file is touched, and no checkpoint made.
func looseDSN(name, mode string) string {
	escaped := strings.NewReplacer("%", "%25", "?", "%3f", "#", "%23").Replace(name)
	return "file:" + escaped + "?mode=" + mode + "&_busy_timeout=10000&_pragma=wal_autocheckpoint(0)&_pragma=temp_store(MEMORY)"
}

// damageOf returns what SQLite finds wrong with a database; nil is nothing.
func damageOf(ctx context.Context, db querier) ([]string, error) {
	found, err := collect(ctx, db, scanText, `PRAGMA quick_check(20)`)
	if err != nil {
		return nil, err
	}
	if len(found) == 1 && found[0] == "ok" {
		found = nil
	}
	const broken = `SELECT "table" || ' row ' || COALESCE(rowid, 0) || ' names a row of ' || "parent" || ' that is not there'
		FROM pragma_foreign_key_check LIMIT 20`
	orphans, err := collect(ctx, db, scanText, broken)
	return append(found, orphans...), err
}
