package store_test

import (
	"testing"

	"modernc.org/libc"
	sqlite3 "modernc.org/sqlite/lib"

	"shoal/internal/store/storetest"
)

// The pages that SQLite keeps are in the memory reserved for them, however many
// more there are in the file.
func TestPagesAreKeptInTheirSlots(t *testing.T) {
	e := storetest.SQLite(t)
	e.Squid(t, 60_000) // tasks of a hundred bytes and more with their indexes: thousands of pages
	if pages := e.Int(t, `PRAGMA page_count`); pages < 2_000 {
		t.Fatalf("the file has %d pages: too few to overflow a cache", pages)
	}
	if used := cacheStatus(t, sqlite3.SQLITE_STATUS_PAGECACHE_USED); used < 256 || used > 512 {
		t.Errorf("%d slots in use, want most of 512", used)
	}
	const few = 256 * 4368 // what one transaction holds on to at once
	if over := cacheStatus(t, sqlite3.SQLITE_STATUS_PAGECACHE_OVERFLOW); over > few {
		t.Errorf("%d bytes of pages are outside of the slots, want %d at most", over, few)
	}
}

// cacheStatus returns one of SQLite's counters.
func cacheStatus(t *testing.T, counter int32) int32 {
	t.Helper()
	tls := libc.NewTLS()
	defer tls.Close()
	p := libc.Xcalloc(tls, 2, 8)
	defer libc.Xfree(tls, p)
	if rc := sqlite3.Xsqlite3_status(tls, counter, p, p+8, 0); rc != sqlite3.SQLITE_OK {
		t.Fatalf("sqlite3_status: %d", rc)
	}
	return libc.AtomicLoadPInt32(p)
}
