package mariatest_test

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"shoal/internal/mariatest"
)

// hold is set in the environment of the child process that
// TestServerEndsWithItsProcess kills.
const hold = "SHOAL_MARIATEST_HOLD"

func TestDatabasesAreFreshAndSeparate(t *testing.T) {
	for range 2 {
		db := mariatest.Open(t, mariatest.Database(t))
		if _, err := db.ExecContext(t.Context(), "CREATE TABLE only_once (n bigint)"); err != nil {
			t.Fatalf("the database is not empty: %v", err)
		}
	}
}

// TestServerEndsWithItsProcess kills a test process that holds a server, as
// kill -9 does, and waits until the server is gone.
func TestServerEndsWithItsProcess(t *testing.T) {
	if os.Getenv(hold) != "" {
		fmt.Println("url " + mariatest.Database(t))
		select {}
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestServerEndsWithItsProcess$")
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
	db := mariatest.Open(t, address)
	db.SetMaxIdleConns(0) // each ping dials
	if err := db.PingContext(t.Context()); err != nil {
		t.Fatalf("the child's server does not answer: %v", err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	deadline := time.Now().Add(30 * time.Second)
	for tick := time.NewTicker(20 * time.Millisecond); ; <-tick.C {
		if err := db.PingContext(t.Context()); errors.Is(err, syscall.ECONNREFUSED) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("the server still runs 30 s after its test process was killed")
		}
	}
}
