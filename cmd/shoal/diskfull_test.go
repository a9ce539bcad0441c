package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"shoal/client"
	"shoal/internal/fixtures"
)

// TestDiskFullUnwatched: nobody watches the disk, and it is full to the last
// byte. The run says so as soon as there is room to write it down, and goes on
// by itself when there is room to work.
func TestDiskFullUnwatched(t *testing.T) {
	t.Parallel()
	data := smallDisk(t, 64)
	paced := fixtures.Paced(300, 50*time.Millisecond)
	target := fixtures.Count(paced)
	srv := newServer(t, data, "", "--crawlers", "testdata", "--min-free", "0")
	srv.start()
	id := srv.begin("paced", site(t, target)+"/", 4)
	<-target.Reached(40)
	filler := filepath.Join(data, "filler")
	size := fill(t, filler)
	srv.awaitLog("the disk is full", 20*time.Second)
	if err := os.Truncate(filler, size-2<<20); err != nil {
		t.Fatal(err)
	}
	r := srv.await(id, 20*time.Second, func(r *client.Run) bool { return r.Status == "paused" })
	if r.Reason() != "storage_full" || r.Desc() == "" {
		t.Errorf("paused for %s (%s): want storage_full with a sentence", r.Reason(), r.Desc())
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	checkRun(t, srv, srv.await(id, time.Minute, func(r *client.Run) bool { return r.IsDone }), paced)
}

// awaitLog waits until the server has logged text.
func (s *server) awaitLog(text string, within time.Duration) {
	s.t.Helper()
	awaitLook(s.t, within, "the server's log has "+text, func(context.Context) bool { return strings.Contains(s.log.tail(1<<20), text) })
}

// fill writes a file until the disk has no room, and returns its length.
func fill(t *testing.T, name string) (size int64) {
	t.Helper()
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for block := make([]byte, 4096); ; {
		n, err := f.Write(block)
		size += int64(n)
		if errors.Is(err, syscall.ENOSPC) {
			return size
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}
