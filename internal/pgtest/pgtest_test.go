package pgtest_test

import (
	"bufio"
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"shoal/internal/pgtest"
)

// hold is set in the environment of the child process that
// TestClusterEndsWithItsProcess kills.
const hold = "SHOAL_PGTEST_HOLD"

func TestDatabasesAreFreshAndSeparate(t *testing.T) {
	t.Parallel()
	for range 2 {
		db, err := sql.Open("pgx", pgtest.Database(t))
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		if _, err := db.ExecContext(t.Context(), "CREATE TABLE only_once (n bigint)"); err != nil {
			t.Fatalf("the database is not empty: %v", err)
		}
	}
}

func TestDatabaseIsDroppedWithItsTest(t *testing.T) {
	var address string
	t.Run("owner", func(t *testing.T) {
		address = pgtest.Database(t)
		db, err := sql.Open("pgx", address)
		if err != nil {
			t.Fatal(err)
		}
		if err := db.PingContext(t.Context()); err != nil {
			t.Fatal(err)
		}
		// db stays open on purpose: the database must go all the same.
	})
	db, err := sql.Open("pgx", address)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.PingContext(t.Context()); err == nil || !strings.Contains(err.Error(), "3D000") {
		t.Fatalf("after its test the database answers %v, want invalid_catalog_name (3D000)", err)
	}
}

// TestClusterEndsWithItsProcess kills a test process that holds a cluster, as
// kill -9 does, and waits until the cluster's server is gone.
func TestClusterEndsWithItsProcess(t *testing.T) {
	if os.Getenv(hold) != "" {
		fmt.Println("url " + pgtest.Database(t))
		select {}
	}
	if os.Getenv(pgtest.Env) != "" {
		t.Setenv(pgtest.Env, "") // the child must start a cluster of its own
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestClusterEndsWithItsProcess$")
	cmd.Env = append(os.Environ(), hold+"=1")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Process.Kill()

	address := ""
	for lines := bufio.NewScanner(out); address == "" && lines.Scan(); {
		address, _ = strings.CutPrefix(lines.Text(), "url ")
	}
	db, err := sql.Open("pgx", address)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	db.SetMaxIdleConns(0) // each ping dials
	if err := db.PingContext(t.Context()); err != nil {
		t.Fatalf("the child's cluster does not answer: %v", err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	deadline := time.Now().Add(30 * time.Second)
	for tick := time.NewTicker(20 * time.Millisecond); ; <-tick.C {
		if err := db.PingContext(t.Context()); err != nil && strings.Contains(err.Error(), "refused") {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("the cluster still runs 30 s after its test process was killed")
		}
	}
}
