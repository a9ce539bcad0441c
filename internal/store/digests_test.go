package store_test

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"shoal"
	"shoal/internal/jobs"
	"shoal/internal/store"
	"shoal/internal/store/storetest"
)

func numberedRow(n int) shoal.Row {
	sum := sha256.Sum256(binary.BigEndian.AppendUint64(nil, uint64(n)))
	return shoal.Row{Key: shoal.Digest(sum[:16]), Data: fmt.Appendf(nil, `{"n":%d}`, n)}
}

// A row is stored once however long ago its twin was stored: in the writer's
// memory, on the way to the table, in the table, or before a restart.
func TestRowsAreStoredOnceInLongRuns(t *testing.T) {
	const pages, rowsPerPage = 36, 4000
	storetest.Each(t, func(t *testing.T, e *storetest.Env) {
		run := e.Run(t, e.Squid(t, pages), shoal.RunSettings{})
		l := e.Lease(t, run.ID, 0)
		rnd := rand.New(rand.NewPCG(1, 2))
		distinct := 0
		for i := range pages {
			if i == pages/3 || i == pages*2/3 {
				e.Reopen(t)
				l = e.Lease(t, run.ID, 0)
			}
			work := e.Claim(t, l, 1)
			p, news := storetest.Page(l, work[0]), 0
			for range rowsPerPage {
				n := distinct + news
				if n == 0 || rnd.IntN(10) > 0 {
					news++
				} else {
					n = rnd.IntN(n)
				}
				p.Rows = append(p.Rows, numberedRow(n))
			}
			got := e.Commit(t, p)
			if got.Stored != news || got.Duplicates != rowsPerPage-news {
				t.Fatalf("page %d: %d stored, %d duplicates, want %d and %d", i, got.Stored, got.Duplicates, news, rowsPerPage-news)
			}
			distinct += news
		}
		if n := e.Int(t, `SELECT count(DISTINCT digest) FROM results WHERE run_pk = $1`, run.PK); n != int64(distinct) {
			t.Errorf("%d different rows are stored, want %d", n, distinct)
		}
		storetest.Check(t, e, run.ID)
		checkDigestsAreDropped(t, e, run)
	})
}

// checkDigestsAreDropped ends a long run: on SQLite most of its digests were in
// the table, and none is kept for a run that stores no more.
func checkDigestsAreDropped(t *testing.T, e *storetest.Env, run shoal.Run) {
	t.Helper()
	const count = `SELECT count(*) FROM result_keys WHERE run_pk = $1`
	if n := e.Int(t, count, run.PK); (n > 0) != (e.DB.Dialect() == store.SQLite) {
		t.Errorf("%d digests are in the table of %s", n, e.DB.Dialect())
	}
	_, err := e.Store.ChangeRun(t.Context(), run.ID, "test", func(r *shoal.Run, now time.Time) (shoal.Effects, error) {
		r.Status, r.EndedAt = shoal.RunDone, now
		return 0, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for more := true; more; {
		if more, err = e.Store.Purge(t.Context(), jobs.PurgeArgs{Noun: "keys", PK: run.PK}); err != nil {
			t.Fatal(err)
		}
	}
	if n := e.Int(t, count, run.PK); n != 0 {
		t.Errorf("%d digests are kept of a run that has ended", n)
	}
	if n := e.Int(t, `SELECT count(*) FROM results WHERE run_pk = $1`, run.PK); n == 0 {
		t.Error("the results went with their digests")
	}
}

// Two processes that find the same rows of one run, by turns, store each once.
func TestTwoProcessesStoreRowsOnce(t *testing.T) {
	const pages, rowsPerPage = 24, 50
	e := storetest.Postgres(t)
	db, err := store.OpenDB(t.Context(), e.Options)
	if err != nil {
		t.Fatal(err)
	}
	other := store.New(db, e.Jobs)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- other.Serve(ctx) }()
	defer func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}()
	run := e.Run(t, e.Squid(t, pages), shoal.RunSettings{})
	l := e.Lease(t, run.ID, 0)
	for i := range pages {
		p := storetest.Page(l, e.Claim(t, l, 1)[0])
		for n := range rowsPerPage {
			p.Rows = append(p.Rows, numberedRow(i*rowsPerPage/2+n)) // half of them the page before had
		}
		s := []*store.Store{e.Store, other}[i/2%2]
		got, err := s.CommitPage(t.Context(), p)
		if err != nil {
			t.Fatal(err)
		}
		want := rowsPerPage / 2
		if i == 0 {
			want = rowsPerPage
		}
		if got.Stored != want {
			t.Fatalf("page %d: %d stored, want %d", i, got.Stored, want)
		}
	}
	storetest.Check(t, e, run.ID)
}
