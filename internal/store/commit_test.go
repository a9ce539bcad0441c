package store_test

import (
	"errors"
	"testing"

	"shoal"
	"shoal/internal/store/storetest"
)

// A page's rows, links, counters and credits are there when CommitPage returns.
func TestCommitPage(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e *storetest.Env) {
		run := e.Run(t, e.Squid(t, 2), shoal.RunSettings{CreditsPerRow: shoal.CreditsOf(1),
			FunctionOrder: []string{"markdown"}, CreditsPerFunction: map[string]shoal.Credits{"markdown": shoal.CreditsOf(0.5)}})
		l := e.Lease(t, run.ID, 0)
		work := e.Claim(t, l, 10)
		if len(work) != 2 || !work[0].First || work[0].TaskSeq != 1 || string(work[1].TaskParams) != `{"url":"https://site.test/2"}` {
			t.Fatalf("claimed %+v, want both tasks in order", work)
		}
		b := storetest.Row("b")
		b.Functions = 1
		p := storetest.Page(l, work[0], storetest.Row("a"), b, storetest.Row("a"))
		p.Found = []shoal.Request{storetest.Found("https://site.test/x"), storetest.Found("https://site.test/x"), storetest.Found("https://site.test/y")}
		res := e.Commit(t, p)
		want := shoal.PageResult{Stored: 2, Duplicates: 1, Found: 2, RunPending: 3}
		if res != want {
			t.Fatalf("first page: %+v, want %+v", res, want)
		}
		res = e.Commit(t, storetest.Page(l, work[1], storetest.Row("b"), storetest.Row("c")))
		want = shoal.PageResult{Stored: 1, Duplicates: 1, TaskEnded: true, RunPending: 2}
		if res != want {
			t.Fatalf("second page: %+v, want %+v", res, want)
		}
		if _, err := e.Store.CommitPage(t.Context(), p); !errors.Is(err, shoal.ErrFenced) {
			t.Fatalf("the same page again: %v, want ErrFenced", err)
		}
		more := e.Claim(t, l, 10)
		if len(more) != 2 || more[0].Request.URL != "https://site.test/x" || more[0].TaskResults != 3 || more[0].TaskPages != 1 {
			t.Fatalf("claimed %+v, want the two found requests", more)
		}
		e.Commit(t, storetest.Page(l, more[0]))
		res = e.Commit(t, storetest.Page(l, more[1]))
		if !res.TaskEnded || !res.RunEnded || res.RunPending != 0 {
			t.Fatalf("last page: %+v, want task and run ended", res)
		}
		got, err := e.Store.Run(t.Context(), e.Workspace, run.ID)
		if err != nil {
			t.Fatal(err)
		}
		if got.TotalResults != 5 || got.UniqueResults != 3 || got.TotalRequests != 4 || got.KnownRequests != 4 ||
			got.TasksDone != 2 || got.CreditsUsed != shoal.CreditsOf(3.5) || got.BytesFetched != 400 {
			t.Errorf("run counters: %+v", got)
		}
		storetest.Check(t, e, run.ID)
		if n := e.Int(t, `SELECT count(*) FROM river_job WHERE kind = 'finish'`); n != 1 {
			t.Errorf("%d finish jobs, want 1", n)
		}
	})
}
