// Package mariatest gives tests a real MariaDB. The first test of a binary that
// asks for a database starts a throw-away server, which every later test of
// that binary shares; each call gets a fresh, empty database of it, with a user
// of its own.
//
// The server lives in a temporary directory, listens on a loopback port and
// forgets durability. A small supervisor process stops it and removes the
// directory when the test binary ends, however it ends.
package mariatest

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/hex"
	"fmt"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
)

// makeTimeout bounds the creation or removal of one database.
const makeTimeout = time.Minute

// shared is the server of this binary, by its address.
var shared = sync.OnceValues(startServer)

// Database creates an empty database and a user who may do everything in it for
// t, and returns them as mysql://user:password@host:port/database. Both are
// dropped when t ends. A missing MariaDB fails t: a test that needs it is never
// skipped.
func Database(t testing.TB) string {
	t.Helper()
	address, err := shared()
	if err != nil {
		t.Fatalf("mariatest: %v", err)
	}
	name, password := "shoal_"+randomHex(), randomHex()
	user := "'" + name + "'@'%'"
	for _, statement := range []string{
		"CREATE DATABASE " + name + " CHARACTER SET utf8mb4",
		"CREATE USER " + user + " IDENTIFIED BY '" + password + "'",
		"GRANT ALL ON " + name + ".* TO " + user,
	} {
		if err := execute(address, statement); err != nil {
			t.Fatalf("mariatest: %v", err)
		}
	}
	t.Cleanup(func() {
		for _, statement := range []string{"DROP USER " + user, "DROP DATABASE " + name} {
			if err := execute(address, statement); err != nil {
				t.Errorf("mariatest: %v", err)
			}
		}
	})
	return (&url.URL{Scheme: "mysql", User: url.UserPassword(name, password), Host: address, Path: "/" + name}).String()
}

// Root runs a statement as the server's administrator.
func Root(t testing.TB, statement string) {
	t.Helper()
	address, err := shared()
	if err == nil {
		err = execute(address, statement)
	}
	if err != nil {
		t.Fatalf("mariatest: %v", err)
	}
}

// Open connects to a database that Database returned, until t ends.
func Open(t testing.TB, address string) *sql.DB {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	password, _ := u.User.Password()
	db := open(u.Host, u.User.Username(), password, u.Path[1:])
	t.Cleanup(func() { db.Close() })
	return db
}

func open(address, user, password, database string) *sql.DB {
	c := mysql.NewConfig()
	c.Net, c.Addr, c.User, c.Passwd, c.DBName, c.MultiStatements, c.Logger = "tcp", address, user, password, database, true, &mysql.NopLogger{}
	connector, err := mysql.NewConnector(c)
	if err != nil {
		panic(err) // nothing in it comes from outside
	}
	return sql.OpenDB(connector)
}

func execute(address, statement string) error {
	ctx, cancel := context.WithTimeout(context.Background(), makeTimeout)
	defer cancel()
	db := open(address, "root", "", "")
	defer db.Close()
	if _, err := db.ExecContext(ctx, statement); err != nil {
		return fmt.Errorf("%s: %w", statement, err)
	}
	return nil
}

func randomHex() string {
	var b [8]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}
