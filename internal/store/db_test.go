package store_test

import (
	"os"
	"strconv"
	"strings"
	"testing"

	"shoal"
	"shoal/internal/store"
	"shoal/internal/store/storetest"
)

// A second opener of a data directory is told who holds it, and the first goes on.
func TestDataDirIsHeldByOne(t *testing.T) {
	e := storetest.SQLite(t)
	_, err := store.OpenDB(t.Context(), e.Options)
	if shoal.KindOf(err) != shoal.KindConflict || !strings.Contains(err.Error(), "process "+strconv.Itoa(os.Getpid())) {
		t.Fatalf("second open: %v, want a conflict that names process %d", err, os.Getpid())
	}
	if err := e.Store.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	e.Reopen(t)
}

func TestDataDirIsPrivate(t *testing.T) {
	dir := t.TempDir() + "/a/b"
	storetest.New(t, store.Options{DataDir: dir})
	info, err := os.Stat(dir)
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Fatalf("mode %v, %v; want 0700", info.Mode(), err)
	}
}

// Migrations run twice change nothing, and a schema of another version is not ready.
func TestMigrateAndReady(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e *storetest.Env) {
		if err := e.DB.Migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := e.Store.Ready(t.Context()); err != nil {
			t.Fatal(err)
		}
		e.Squid(t, 3)
		if n := e.Int(t, `SELECT count(*) FROM tasks`); n != 3 {
			t.Fatalf("%d tasks, want 3", n)
		}
		e.Exec(t, `INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, TRUE)`)
		if err := e.Store.Ready(t.Context()); shoal.KindOf(err) != shoal.KindUnavailable {
			t.Fatalf("ready with a newer schema: %v, want unavailable", err)
		}
	})
}
