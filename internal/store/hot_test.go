package store_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"shoal"
	"shoal/internal/store/storetest"
)

// claimFirst claims n requests and fails unless they are the first of those
// that the database says nobody works on, as they were found.
func claimFirst(t *testing.T, e *storetest.Env, l shoal.Lease, n int) []shoal.Work {
	t.Helper()
	var want, got []string
	rows, err := e.DB.ReadDB().QueryContext(t.Context(),
		`SELECT seq, url FROM frontier WHERE run_pk = $1 AND state = 0 ORDER BY seq LIMIT $2`, l.RunPK, n)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var seq int64
		var url string
		if err := rows.Scan(&seq, &url); err != nil {
			t.Fatal(err)
		}
		want = append(want, fmt.Sprint(seq, url, url))
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	work := e.Claim(t, l, n)
	for _, w := range work {
		got = append(got, fmt.Sprint(w.Request.Seq, w.Request.URL, string(w.Request.Carry)))
	}
	if !slices.Equal(got, want) {
		t.Fatalf("claimed %v, want %v", got, want)
	}
	return work
}

// Whatever the writer remembers of the frontier, a claim gives what is stored:
// of a frontier longer than it remembers, after requests were given back, after
// others have written, and whatever becomes of the page's memory.
func TestClaimsFollowTheFrontier(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e *storetest.Env) {
		run := e.Run(t, e.Squid(t, 1), shoal.RunSettings{})
		l := e.Lease(t, run.ID, 0)
		links := 0
		visit := func(w shoal.Work, n int) {
			t.Helper()
			p := storetest.Page(l, w)
			for range n {
				q := storetest.Found(fmt.Sprintf("https://site.test/%d", links))
				q.Carry = []byte(q.URL)
				p.Found, links = append(p.Found, q), links+1
			}
			e.Commit(t, p)
			for i := range p.Found {
				copy(p.Found[i].Carry, strings.Repeat("x", 100))
			}
		}
		visit(e.Claim(t, l, 1)[0], 10)
		for i, w := range claimFirst(t, e, l, 8) {
			visit(w, []int{0, 1, 700, 700, 2, 0, 3, 1}[i])
		}
		work := claimFirst(t, e, l, 16)
		for _, i := range []int{3, 1, 9} {
			p := storetest.Page(l, work[i])
			p.End = shoal.PageReleased
			e.Commit(t, p)
		}
		visit(work[0], 5)
		claimFirst(t, e, l, 5)
		for range 9 {
			claimFirst(t, e, l, 100)
		}
		if _, err := e.Store.RenewLeases(t.Context(), l.Owner, time.Minute); err != nil {
			t.Fatal(err)
		}
		visit(claimFirst(t, e, l, 300)[0], 40)
		if err := e.Store.ReleaseLease(t.Context(), l); err != nil {
			t.Fatal(err)
		}
		l = e.Lease(t, run.ID, 0)
		for work := claimFirst(t, e, l, 100); len(work) > 0; work = claimFirst(t, e, l, 100) {
			for _, w := range work {
				visit(w, 0)
			}
		}
		got, err := e.Store.RunByID(t.Context(), run.ID)
		if err != nil {
			t.Fatal(err)
		}
		if got.TasksDone != 1 || got.TotalRequests != int64(links)+1 {
			t.Errorf("%d tasks and %d requests done, want 1 and %d", got.TasksDone, got.TotalRequests, links+1)
		}
		storetest.Check(t, e, run.ID)
	})
}
