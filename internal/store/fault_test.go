package store_test

import (
	"errors"
	"testing"

	"shoal"
	"shoal/internal/store/storetest"
)

// A full disk refuses the page and nothing else: the database stays whole, and
// the same page is committed once there is room.
func TestStorageFull(t *testing.T) {
	e := storetest.SQLite(t)
	run := e.Run(t, e.Squid(t, 1), shoal.RunSettings{})
	l := e.Lease(t, run.ID, 0)
	w := e.Claim(t, l, 1)[0]
	rows := make([]shoal.Row, 2000)
	for i := range rows {
		rows[i] = benchRow(i * 10)
	}
	pages := e.Int(t, `PRAGMA page_count`)
	if n := e.Int(t, `PRAGMA page_count`); n != pages {
		t.Fatalf("page count %d", n)
	}
	e.Exec(t, `PRAGMA max_page_count = 200`)
	_, err := e.Store.CommitPage(t.Context(), storetest.Page(l, w, rows...))
	if !errors.Is(err, shoal.ErrStorageFull) || shoal.KindOf(err) != shoal.KindStorageFull {
		t.Fatalf("commit on a full disk: %v, want ErrStorageFull", err)
	}
	storetest.Check(t, e, run.ID)
	if err := e.Store.AddNote(t.Context(), run.ID, "info", "still here"); err != nil {
		t.Fatalf("a small write: %v", err)
	}
	e.Exec(t, `PRAGMA max_page_count = 100000`)
	if res := e.Commit(t, storetest.Page(l, w, rows...)); res.Stored != len(rows) {
		t.Fatalf("%+v, want %d rows stored", res, len(rows))
	}
	storetest.Check(t, e, run.ID)
}

// A store that has stopped says so instead of keeping its callers.
func TestStoppedStore(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e *storetest.Env) {
		run := e.Run(t, e.Squid(t, 1), shoal.RunSettings{})
		l := e.Lease(t, run.ID, 0)
		stopped := e.Store
		e.Reopen(t)
		if _, err := stopped.Claim(t.Context(), l, 1); shoal.KindOf(err) != shoal.KindUnavailable {
			t.Fatalf("claim from a stopped store: %v, want unavailable", err)
		}
		if work := e.Claim(t, l, 1); len(work) != 1 {
			t.Fatalf("claimed %d requests after the restart, want 1", len(work))
		}
	})
}
