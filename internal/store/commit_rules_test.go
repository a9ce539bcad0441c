package store_test

import (
	"errors"
	"testing"
	"time"

	"shoal"
	"shoal/internal/store/storetest"
)

// taskState reads how a run task stands.
func taskState(t *testing.T, e *storetest.Env, run, seq int64) (state, results int64, reason string) {
	t.Helper()
	const q = `SELECT state, results, done_reason FROM run_tasks WHERE run_pk = $1 AND seq = $2`
	if err := e.DB.ReadDB().QueryRowContext(t.Context(), q, run, seq).Scan(&state, &results, &reason); err != nil {
		t.Fatal(err)
	}
	return state, results, reason
}

// max_results is exact: rows beyond it are dropped, duplicates count, and the
// task ends with its frontier left.
func TestMaxResults(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e *storetest.Env) {
		run := e.Run(t, e.Squid(t, 1), shoal.RunSettings{MaxResults: 5})
		l := e.Lease(t, run.ID, 0)
		first := storetest.Page(l, e.Claim(t, l, 1)[0], storetest.Row("a"), storetest.Row("b"), storetest.Row("a"))
		for _, u := range []string{"1", "2", "3", "4"} {
			first.Found = append(first.Found, storetest.Found(u))
		}
		e.Commit(t, first)
		next := e.Claim(t, l, 2)
		res := e.Commit(t, storetest.Page(l, next[0], storetest.Row("c"), storetest.Row("d"), storetest.Row("e")))
		if res.Stored != 2 || !res.TaskEnded || !res.RunEnded || res.RunPending != 0 {
			t.Fatalf("%+v, want two rows stored and the end of task and run", res)
		}
		if res := e.Commit(t, storetest.Page(l, next[1], storetest.Row("f"))); res.Stored != 0 || !res.TaskEnded {
			t.Fatalf("a page that was on its way: %+v, want nothing stored", res)
		}
		if left := e.Claim(t, l, 10); len(left) != 0 {
			t.Fatalf("claimed %+v of an ended task", left)
		}
		if state, n, reason := taskState(t, e, run.PK, 1); state != 2 || n != 5 || reason != shoal.TaskMaxResults {
			t.Errorf("state %d, results %d, reason %q; want completed, 5, max_results", state, n, reason)
		}
		storetest.Check(t, e, run.ID)
	})
}

// max_unique_results_per_run is exact over all tasks and ends the run.
func TestMaxUniqueResults(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e *storetest.Env) {
		run := e.Run(t, e.Squid(t, 4), shoal.RunSettings{MaxUniqueResults: 3})
		l := e.Lease(t, run.ID, 0)
		w := e.Claim(t, l, 3)
		e.Commit(t, storetest.Page(l, w[0], storetest.Row("a"), storetest.Row("b")))
		res := e.Commit(t, storetest.Page(l, w[1], storetest.Row("a"), storetest.Row("c"), storetest.Row("d"), storetest.Row("b")))
		if res.Stored != 1 || res.Duplicates != 2 || !res.RunEnded || res.RunPending != 0 {
			t.Fatalf("%+v, want one row stored, two duplicates and the end of the run", res)
		}
		e.Commit(t, storetest.Page(l, w[2], storetest.Row("e")))
		got, _ := e.Store.RunByID(t.Context(), run.ID)
		if got.UniqueResults != 3 || got.TotalResults != 5 || got.TasksDone != 4 {
			t.Errorf("unique %d, total %d, done %d; want 3, 5, 4", got.UniqueResults, got.TotalResults, got.TasksDone)
		}
		if n := e.Int(t, `SELECT count(*) FROM river_job WHERE kind = 'finish'`); n != 1 {
			t.Errorf("%d finish jobs, want 1", n)
		}
		storetest.Check(t, e, run.ID)
	})
}

// A row that the run may not have takes nothing from what its task may have.
func TestMaxResultsBesideMaxUnique(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e *storetest.Env) {
		run := e.Run(t, e.Squid(t, 2), shoal.RunSettings{MaxResults: 2, MaxUniqueResults: 3})
		l := e.Lease(t, run.ID, 0)
		w := e.Claim(t, l, 2)
		e.Commit(t, storetest.Page(l, w[0], storetest.Row("a"), storetest.Row("b")))
		res := e.Commit(t, storetest.Page(l, w[1], storetest.Row("c"), storetest.Row("d"), storetest.Row("a"), storetest.Row("b")))
		if res.Stored != 1 || res.Duplicates != 1 {
			t.Fatalf("%+v, want c stored, d dropped, a counted and b beyond the task's limit", res)
		}
		storetest.Check(t, e, run.ID)
	})
}

// max_requests bounds what a task may know, its own request included.
func TestMaxRequests(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e *storetest.Env) {
		run := e.Run(t, e.Squid(t, 1), shoal.RunSettings{MaxRequests: 3})
		l := e.Lease(t, run.ID, 0)
		p := storetest.Page(l, e.Claim(t, l, 1)[0])
		for _, u := range []string{"1", "1", "2", "3", "4"} {
			p.Found = append(p.Found, storetest.Found(u))
		}
		if res := e.Commit(t, p); res.Found != 2 || res.RunPending != 2 {
			t.Fatalf("%+v, want two found", res)
		}
		storetest.Check(t, e, run.ID)
	})
}

// How a task ends says what became of its requests.
func TestTaskEnds(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e *storetest.Env) {
		run := e.Run(t, e.Squid(t, 6), shoal.RunSettings{})
		l := e.Lease(t, run.ID, 0)
		w := e.Claim(t, l, 6)
		page := func(i int, change func(p *shoal.Page), rows ...shoal.Row) {
			p := storetest.Page(l, w[i], rows...)
			change(p)
			e.Commit(t, p)
		}
		page(0, func(p *shoal.Page) {}, storetest.Row("a"))
		page(1, func(p *shoal.Page) {})
		page(2, func(p *shoal.Page) { p.End, p.Desc = shoal.PageFailed, "HTTP 404" })
		page(3, func(p *shoal.Page) { p.End, p.Unreached = shoal.PageFailed, true })
		page(4, func(p *shoal.Page) {
			p.CloseTask, p.CloseReason, p.Found = true, shoal.TaskFetchSince, []shoal.Request{storetest.Found("x")}
		}, storetest.Row("b"))
		page(5, func(p *shoal.Page) { p.CloseTask, p.CloseReason = true, shoal.TaskError }, storetest.Row("c"))
		want := []struct {
			state  int64
			reason string
		}{{2, shoal.TaskCompleted}, {2, shoal.TaskNoResults}, {4, shoal.TaskError}, {4, shoal.TaskError}, {2, shoal.TaskFetchSince}, {4, shoal.TaskError}}
		for i, x := range want {
			if state, _, reason := taskState(t, e, run.PK, int64(i+1)); state != x.state || reason != x.reason {
				t.Errorf("task %d: state %d, reason %q; want %d, %q", i+1, state, reason, x.state, x.reason)
			}
		}
		got, _ := e.Store.RunByID(t.Context(), run.ID)
		if got.TasksDone != 6 || got.TasksFailed != 3 || got.TasksUnreached != 1 || got.FailedRequests != 2 {
			t.Errorf("done %d, failed %d, unreached %d, failed requests %d", got.TasksDone, got.TasksFailed, got.TasksUnreached, got.FailedRequests)
		}
		storetest.Check(t, e, run.ID)
	})
}

// A released request goes back as it was and is claimed again before new tasks.
func TestReleasedPage(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e *storetest.Env) {
		run := e.Run(t, e.Squid(t, 2), shoal.RunSettings{})
		l := e.Lease(t, run.ID, 0)
		w := e.Claim(t, l, 1)[0]
		p := storetest.Page(l, w, storetest.Row("ignored"))
		p.End = shoal.PageReleased
		if res := e.Commit(t, p); res != (shoal.PageResult{}) {
			t.Fatalf("%+v, want nothing", res)
		}
		again := e.Claim(t, l, 1)[0]
		if again.TaskSeq != w.TaskSeq || again.Request.Attempts != w.Request.Attempts {
			t.Fatalf("claimed %+v, want %+v again", again, w)
		}
		p = storetest.Page(l, again)
		p.Found = []shoal.Request{storetest.Found("x")}
		p.Found[0].Carry, p.Found[0].Extra = []byte(`{"a":1}`), []byte(`{"method":"POST"}`)
		e.Commit(t, p)
		x := e.Claim(t, l, 1)[0]
		release := storetest.Page(l, x)
		release.End = shoal.PageReleased
		e.Commit(t, release)
		if y := e.Claim(t, l, 1)[0]; y.Request.Seq != x.Request.Seq || string(y.Request.Carry) != `{"a":1}` || string(y.Request.Extra) != `{"method":"POST"}` {
			t.Fatalf("claimed %+v, want %+v again", y, x)
		}
		storetest.Check(t, e, run.ID)
	})
}

// A page that the workspace cannot pay is refused whole and leaves the others.
func TestUnaffordablePage(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e *storetest.Env) {
		e.Plan(t, shoal.Plan{Credits: shoal.CreditsOf(2)})
		if _, err := e.Store.GrantCredits(t.Context(), e.Workspace, shoal.CreditsOf(1), "", "test"); err != nil {
			t.Fatal(err)
		}
		run := e.Run(t, e.Squid(t, 3), shoal.RunSettings{CreditsPerRow: shoal.CreditsOf(1)})
		l := e.Lease(t, run.ID, 0)
		w := e.Claim(t, l, 3)
		e.Commit(t, storetest.Page(l, w[0], storetest.Row("a"), storetest.Row("b")))
		_, err := e.Store.CommitPage(t.Context(), storetest.Page(l, w[1], storetest.Row("c"), storetest.Row("d")))
		if shoal.CodeOf(err) != "NotEnoughBalance" {
			t.Fatalf("a page of 2 credits with 1 left: %v, want NotEnoughBalance", err)
		}
		if res := e.Commit(t, storetest.Page(l, w[2], storetest.Row("a"), storetest.Row("c"), storetest.Row("c"))); res.Stored != 1 {
			t.Fatalf("%+v, want the one new row stored", res)
		}
		got, _ := e.Store.RunByID(t.Context(), run.ID)
		if got.CreditsUsed != shoal.CreditsOf(3) || got.TotalRequests != 2 {
			t.Errorf("used %v in %d requests, want 3 in 2", got.CreditsUsed.Float(), got.TotalRequests)
		}
		if _, err := e.Store.GrantCredits(t.Context(), e.Workspace, shoal.CreditsOf(2), "", "test"); err != nil {
			t.Fatal(err)
		}
		e.Commit(t, storetest.Page(l, w[1], storetest.Row("c"), storetest.Row("d")))
		storetest.Check(t, e, run.ID)
	})
}

// One page that the database cannot store does not fail its neighbours, and
// odd bytes are stored as text.
func TestOddBytes(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e *storetest.Env) {
		run := e.Run(t, e.Squid(t, 1), shoal.RunSettings{})
		l := e.Lease(t, run.ID, 0)
		row := storetest.Row("a")
		row.Data = []byte("{\"a\":\"\xff\xfe\"}")
		p := storetest.Page(l, e.Claim(t, l, 1)[0], row)
		p.Found = []shoal.Request{storetest.Found("https://site.test/\xff\x00")}
		p.Log.URL, p.Log.Error, p.Desc = "\"\xff\u2028", "a\x00b<\n", "x\x00"
		e.Commit(t, p)
		events, err := e.Store.Events(t.Context(), e.Workspace, run.ID, 0, 10, shoal.EventRequest)
		if err != nil || len(events) != 1 {
			t.Fatalf("%d events, %v", len(events), err)
		}
		storetest.Check(t, e, run.ID)
	})
}

// Abort ends every task and fences who still works.
func TestAbortEffects(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e *storetest.Env) {
		run := e.Run(t, e.Squid(t, 3), shoal.RunSettings{})
		l := e.Lease(t, run.ID, 0)
		w := e.Claim(t, l, 2)
		e.Commit(t, storetest.Page(l, w[0], storetest.Row("a")))
		got, err := e.Store.ChangeRun(t.Context(), run.ID, "user", func(r *shoal.Run, now time.Time) (shoal.Effects, error) {
			r.Status, r.DoneReason, r.Outcome = shoal.RunUploading, shoal.ReasonAborted, shoal.RunAborted
			return shoal.EffectDropLeases | shoal.EffectAbortTasks | shoal.EffectFinish, nil
		})
		if err != nil || got.TasksDone != 3 || got.Status != shoal.RunUploading {
			t.Fatalf("%+v, %v", got, err)
		}
		if _, err := e.Store.CommitPage(t.Context(), storetest.Page(l, w[1], storetest.Row("b"))); !errors.Is(err, shoal.ErrFenced) {
			t.Fatalf("commit after the abort: %v, want ErrFenced", err)
		}
		if _, err := e.Store.AcquireLease(t.Context(), run.ID, 0, "x", time.Minute); !errors.Is(err, shoal.ErrRunNotFound) {
			t.Fatalf("lease after the abort: %v, want ErrRunNotFound", err)
		}
		if state, _, reason := taskState(t, e, run.PK, 2); state != 3 || reason != shoal.TaskRunAborted {
			t.Errorf("state %d, reason %q; want aborted", state, reason)
		}
		storetest.Check(t, e, run.ID)
	})
}

// Failed tasks and requests are worked again; what succeeded stays.
func TestRetryFailed(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e *storetest.Env) {
		run := e.Run(t, e.Squid(t, 3), shoal.RunSettings{})
		l := e.Lease(t, run.ID, 0)
		w := e.Claim(t, l, 3)
		fail := func(w shoal.Work) {
			p := storetest.Page(l, w)
			p.End = shoal.PageFailed
			e.Commit(t, p)
		}
		p := storetest.Page(l, w[0], storetest.Row("a"))
		p.Found = []shoal.Request{storetest.Found("1"), storetest.Found("2"), storetest.Found("3")}
		e.Commit(t, p)
		fail(w[1])
		e.Commit(t, storetest.Page(l, w[2], storetest.Row("c")))
		found := e.Claim(t, l, 3)
		fail(found[0])
		e.Commit(t, storetest.Page(l, found[1], storetest.Row("b")))
		got, err := e.Store.ChangeRun(t.Context(), run.ID, "user", func(r *shoal.Run, now time.Time) (shoal.Effects, error) {
			return shoal.EffectDropLeases | shoal.EffectRetryFailed | shoal.EffectSlots, nil
		})
		if err != nil || got.TasksDone != 1 || got.TasksFailed != 0 {
			t.Fatalf("%d done, %d failed, %v; want 1 and 0", got.TasksDone, got.TasksFailed, err)
		}
		storetest.Check(t, e, run.ID)
		l = e.Lease(t, run.ID, 0)
		again := e.Claim(t, l, 10)
		if len(again) != 3 || again[0].Request.Seq != found[0].Request.Seq || again[1].Request.Seq != found[2].Request.Seq || !again[2].First {
			t.Fatalf("claimed %+v, want the failed request, the unread one and the failed task", again)
		}
		for _, w := range again {
			e.Commit(t, storetest.Page(l, w, storetest.Row("again")))
		}
		got, _ = e.Store.RunByID(t.Context(), run.ID)
		if got.TasksDone != 3 || got.TasksFailed != 0 {
			t.Errorf("%d done, %d failed; want 3 and 0", got.TasksDone, got.TasksFailed)
		}
		storetest.Check(t, e, run.ID)
	})
}
