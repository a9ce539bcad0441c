// Package pgtest gives tests a real PostgreSQL. The first test of a binary
// that asks for a database starts a throw-away cluster, which every later test
// of that binary shares; each call gets a fresh, empty database of it.
//
// The cluster lives in a temporary directory, listens on a Unix socket there
// and on a loopback port, and forgets durability (fsync off): it is fast, and
// worth nothing after a crash. A small supervisor process stops it and removes
// the directory when the test binary ends, however it ends.
//
// When the environment variable SHOAL_TEST_POSTGRES holds the URL of a server
// on which databases may be created, that server is used instead.
package pgtest

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/hex"
	"fmt"
	"net/url"
	"os"
	"sync"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // registers the "pgx" driver
)

// Env is the environment variable that names a server to use instead of a
// throw-away cluster, as postgres://user:password@host:port/database.
const Env = "SHOAL_TEST_POSTGRES"

// createTimeout bounds the creation or removal of one database.
const createTimeout = time.Minute

// admin is the server shared by every test of this binary.
var admin = sync.OnceValues(func() (*url.URL, error) {
	if given := os.Getenv(Env); given != "" {
		u, err := url.Parse(given)
		if err != nil || u.Host == "" && u.Query().Get("host") == "" {
			return nil, fmt.Errorf("%s must be a URL such as postgres://user:password@host:5432/postgres", Env)
		}
		return u, nil
	}
	return startCluster()
})

// Database creates an empty database for t and returns its URL, for the driver
// "pgx". The database is dropped when t ends, open connections or not. A
// missing PostgreSQL fails t: a test that needs it is never skipped.
func Database(t testing.TB) string {
	t.Helper()
	server, err := admin()
	if err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	name := "shoal_test_" + randomHex()
	if err := execute(server, "CREATE DATABASE "+name); err != nil {
		t.Fatalf("pgtest: create database: %v", err)
	}
	t.Cleanup(func() {
		if err := execute(server, "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)"); err != nil {
			t.Errorf("pgtest: drop database: %v", err)
		}
	})
	own := *server
	own.Path = "/" + name
	return own.String()
}

// execute runs one statement on the server's administrative database, on a
// connection of its own: CREATE DATABASE allows no transaction.
func execute(server *url.URL, statement string) error {
	ctx, cancel := context.WithTimeout(context.Background(), createTimeout)
	defer cancel()
	db, err := sql.Open("pgx", server.String())
	if err != nil {
		return err
	}
	defer db.Close()
	_, err = db.ExecContext(ctx, statement)
	return err
}

func randomHex() string {
	var b [8]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}
