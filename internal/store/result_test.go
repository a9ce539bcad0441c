package store_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"shoal"
	"shoal/internal/jobs"
	"shoal/internal/store/storetest"
)

func rowData(r shoal.Result) string { return string(r.Data) }

func resultPages(t *testing.T, e *storetest.Env, q shoal.ResultQuery, limit int) []shoal.Result {
	t.Helper()
	q.Workspace = e.Workspace
	return pages(t, limit, func(w shoal.Window) (shoal.Listing[shoal.Result], error) { return e.Store.Results(t.Context(), q, w) })
}

// streamed reads all results of q by keyset.
func streamed(t *testing.T, e *storetest.Env, q shoal.ResultQuery, limit int) []shoal.Result {
	t.Helper()
	q.Workspace, q.Limit = e.Workspace, limit
	var all []shoal.Result
	for {
		rows, err := e.Store.ReadResults(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		if len(rows) == 0 {
			return all
		}
		all = append(all, rows...)
		q.After = rows[len(rows)-1].Key
	}
}

// same fails t unless pages and keyset reads of q both give want.
func same(t *testing.T, e *storetest.Env, what string, q shoal.ResultQuery, limit int, want []string) {
	t.Helper()
	paged, read := resultPages(t, e, q, limit), streamed(t, e, q, limit)
	if len(paged) != len(want) || len(read) != len(want) {
		t.Fatalf("%s: %d rows by page, %d by key; want %d", what, len(paged), len(read), len(want))
	}
	for i := range want {
		if rowData(paged[i]) != want[i] || rowData(read[i]) != want[i] {
			t.Fatalf("%s: row %d is %s by page, %s by key; want %s", what, i, paged[i].Data, read[i].Data, want[i])
		}
	}
}

// A run's and a squid's results are read in order of collection, whichever
// runs are deleted and whenever the purge comes; a model of lists says what is right.
func TestResultListsAgreeWithAModel(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e *storetest.Env) {
		q := newSquid(t, e, "")
		addTasks(t, e, q.ID, newTasks("url", 0, 1))
		rnd := rand.New(rand.NewPCG(5, 6))
		type modelRun struct {
			run  shoal.Run
			rows []string
		}
		var living []modelRun
		var doomed []shoal.Run
		for step := range 12 {
			var rows []shoal.Row
			m := modelRun{}
			for i := range []int{0, 1, 7, 600, 1000, 2100}[rnd.IntN(6)] {
				rows = append(rows, storetest.Row(fmt.Sprint("run ", step, " row ", i)))
				m.rows = append(m.rows, string(rows[i].Data))
			}
			m.run = collectRun(t, e, q.ID, func(int64) []shoal.Row { return rows })
			living = append(living, m)
			if step > 3 && rnd.IntN(2) == 0 {
				at := rnd.IntN(len(living))
				if err := e.Store.DeleteRun(t.Context(), e.Workspace, living[at].run.ID); err != nil {
					t.Fatal(err)
				}
				doomed = append(doomed, living[at].run)
				living = append(living[:at:at], living[at+1:]...)
			}
			if len(doomed) > 0 && rnd.IntN(3) == 0 {
				purge(t, e, jobs.PurgeArgs{Noun: "run", PK: doomed[0].PK})
				doomed = doomed[1:]
			}
			var all []string
			for _, m := range living {
				all = append(all, m.rows...)
				same(t, e, "run", shoal.ResultQuery{Run: m.run.ID}, 1+len(m.rows)/(1+rnd.IntN(5)), m.rows)
			}
			same(t, e, "squid", shoal.ResultQuery{Squid: q.ID}, 1+len(all)/(1+rnd.IntN(20)), all)
		}
	})
}

// Rows that two tasks found are both tasks' results.
func TestResultsOfATask(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e *storetest.Env) {
		ctx := t.Context()
		q := newSquid(t, e, "")
		tasks := addTasks(t, e, q.ID, newTasks("url", 0, 3))
		row := func(run, task int64, i int) shoal.Row {
			if i%3 == 0 {
				return storetest.Row(fmt.Sprint("shared ", run, " ", i))
			}
			return storetest.Row(fmt.Sprint("own ", run, " ", task, " ", i))
		}
		var runs []shoal.Run
		want := map[shoal.TaskID]map[string]int{}
		for n := range int64(3) {
			runs = append(runs, collectRun(t, e, q.ID, func(task int64) []shoal.Row {
				var rows []shoal.Row
				for i := range 40 {
					r := row(n, task, i)
					rows = append(rows, r)
					id := tasks[task-1].ID
					if want[id] == nil {
						want[id] = map[string]int{}
					}
					want[id][string(r.Data)]++
				}
				return rows
			}))
		}
		for _, task := range tasks {
			for _, limit := range []int{7, 200} {
				paged := resultPages(t, e, shoal.ResultQuery{Squid: q.ID, Task: task.ID}, limit)
				read := streamed(t, e, shoal.ResultQuery{Squid: q.ID, Task: task.ID}, limit)
				if len(paged) != 120 || len(read) != 120 {
					t.Fatalf("task %s in all runs: %d by page, %d by key; want 120", task.ID, len(paged), len(read))
				}
				for i := range paged {
					if paged[i].Key != read[i].Key || i > 0 && paged[i].Key <= paged[i-1].Key || paged[i].TaskID != task.ID || want[task.ID][rowData(paged[i])] != 1 {
						t.Fatalf("task %s, row %d: %+v", task.ID, i, paged[i])
					}
				}
			}
			if rows := resultPages(t, e, shoal.ResultQuery{Run: runs[1].ID, Task: task.ID}, 9); len(rows) != 40 || rows[0].RunID != runs[1].ID {
				t.Errorf("task %s in one run: %d rows, want 40", task.ID, len(rows))
			}
		}
		if err := e.Store.DeleteRun(ctx, e.Workspace, runs[0].ID); err != nil {
			t.Fatal(err)
		}
		if rows := resultPages(t, e, shoal.ResultQuery{Squid: q.ID, Task: tasks[1].ID}, 9); len(rows) != 80 {
			t.Errorf("without the first run: %d rows, want 80", len(rows))
		}
		late := addTasks(t, e, q.ID, newTasks("url", 9, 10))[0]
		if rows := resultPages(t, e, shoal.ResultQuery{Squid: q.ID, Task: late.ID}, 9); len(rows) != 0 {
			t.Errorf("a task that never ran has %d results", len(rows))
		}
		_, err := e.Store.Results(ctx, shoal.ResultQuery{Workspace: e.Workspace, Squid: q.ID, Task: "nope"}, window(1, 1))
		wantErr(t, "no such task", err, shoal.ErrTaskNotFound)
		for _, bad := range []shoal.ResultQuery{{}, {Squid: q.ID, Run: runs[1].ID}} {
			bad.Workspace = e.Workspace
			if _, err := e.Store.Results(ctx, bad, window(1, 1)); shoal.KindOf(err) != shoal.KindInvalid {
				t.Errorf("%+v: %v, want it refused", bad, err)
			}
		}
	})
}

// A run's only task has all the run's results.
func TestResultsOfASoleTask(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e *storetest.Env) {
		q := newSquid(t, e, "")
		task := addTasks(t, e, q.ID, newTasks("url", 0, 1))[0]
		run := collectRun(t, e, q.ID, func(int64) []shoal.Row {
			return []shoal.Row{storetest.Row("a"), storetest.Row("b"), storetest.Row("a")}
		})
		l, err := e.Store.Results(t.Context(), shoal.ResultQuery{Workspace: e.Workspace, Run: run.ID, Task: task.ID}, window(1, 9))
		if err != nil || l.Total != 2 || len(l.Items) != 2 {
			t.Fatalf("%+v, %v", l, err)
		}
		r := l.Items[1]
		if r.SquidID != q.ID || r.RunID != run.ID || r.TaskID != task.ID || r.RunPK != run.PK || r.At.IsZero() || !shoal.ValidID(r.ID()) {
			t.Errorf("%+v", r)
		}
	})
}

func TestRunLists(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e *storetest.Env) {
		ctx := t.Context()
		q, other := newSquid(t, e, "q"), newSquid(t, e, "other")
		addTasks(t, e, q.ID, newTasks("url", 0, 5))
		addTasks(t, e, other.ID, newTasks("url", 0, 1))
		var ids []shoal.RunID
		for range 5 {
			ids = append(ids, collectRun(t, e, q.ID, oneRowEach("r")).ID)
		}
		collectRun(t, e, other.ID, oneRowEach("r"))
		runID := func(r shoal.Run) string { return string(r.ID) }
		list := func(squid shoal.SquidID) []shoal.Run {
			return pages(t, 2, func(w shoal.Window) (shoal.Listing[shoal.Run], error) {
				return e.Store.Runs(ctx, e.Workspace, squid, w)
			})
		}
		if got := list(q.ID); len(got) != 5 || got[0].ID != ids[4] || got[4].ID != ids[0] {
			t.Errorf("runs of the squid: %s", names(got, runID))
		}
		if got := list(""); len(got) != 6 {
			t.Errorf("%d runs in all, want 6", len(got))
		}
		active := e.Run(t, q.ID, shoal.RunSettings{})
		if err := e.Store.DeleteRun(ctx, e.Workspace, active.ID); shoal.KindOf(err) != shoal.KindConflict {
			t.Errorf("deleting an active run: %v, want a conflict", err)
		}
		finish(t, e, active.ID, shoal.RunAborted)
		if err := errors.Join(e.Store.DeleteRun(ctx, e.Workspace, active.ID), e.Store.DeleteRun(ctx, e.Workspace, ids[1])); err != nil {
			t.Fatal(err)
		}
		wantErr(t, "deleted twice", e.Store.DeleteRun(ctx, e.Workspace, ids[1]), shoal.ErrRunNotFound)
		got, err := e.Store.Squid(ctx, e.Workspace, q.ID)
		if err != nil || got.TotalRuns != 4 || got.LastRun == nil || got.LastRun.ID != ids[4] {
			t.Errorf("%+v, %v; want 4 runs, the newest the one before the deleted", got, err)
		}
		l, err := e.Store.RunTasks(ctx, e.Workspace, ids[0], window(2, 2))
		if err != nil || l.Total != 5 || len(l.Items) != 2 || l.Items[0].Seq != 3 || l.Items[1].Status != shoal.RunTaskCompleted || l.Items[0].RunID != ids[0] || len(l.Items[0].Params) == 0 {
			t.Errorf("%+v, %v", l, err)
		}
	})
}

// The log has all that happened, the timeline the changes of state alone; events
// of a kind are found among any number of others.
func TestRunLogAndEvents(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e *storetest.Env) {
		ctx := t.Context()
		r := e.Run(t, e.Squid(t, 30), shoal.RunSettings{})
		l := e.Lease(t, r.ID, 0)
		states := []shoal.RunStatus{shoal.RunPaused, shoal.RunRunning}
		for i := range 30 {
			work := e.Claim(t, l, 1)
			e.Commit(t, storetest.Page(l, work[0], storetest.Row(fmt.Sprint(i))))
			if i%4 == 0 {
				if err := e.Store.AddNote(ctx, r.ID, "info", fmt.Sprint("note ", i)); err != nil {
					t.Fatal(err)
				}
			}
			if i%10 == 9 {
				for _, to := range states {
					if _, err := e.Store.ChangeRun(ctx, r.ID, "user", func(r *shoal.Run, now time.Time) (shoal.Effects, error) { r.Status = to; return 0, nil }); err != nil {
						t.Fatal(err)
					}
				}
			}
		}
		all, err := e.Store.Events(ctx, e.Workspace, r.ID, 0, 1000)
		if err != nil {
			t.Fatal(err)
		}
		count := map[shoal.EventKind]int{}
		for i, ev := range all {
			count[ev.Kind]++
			if ev.Seq != int64(i+1) {
				t.Fatalf("event %d has number %d", i, ev.Seq)
			}
		}
		if count[shoal.EventRequest] != 30 || count[shoal.EventNote] != 8 || count[shoal.EventStatus] < 7 {
			t.Fatalf("events %v", count)
		}
		log := pages(t, 7, func(w shoal.Window) (shoal.Listing[shoal.Event], error) {
			return e.Store.RunLog(ctx, e.Workspace, r.ID, w)
		})
		if len(log) != len(all) {
			t.Fatalf("%d entries of the log, want %d", len(log), len(all))
		}
		for i, ev := range log {
			if ev.Seq != int64(len(all)-i) {
				t.Fatalf("entry %d of the log: %+v", i, ev)
			}
		}
		line := pages(t, 3, func(w shoal.Window) (shoal.Listing[shoal.Event], error) {
			return e.Store.RunTimeline(ctx, e.Workspace, r.ID, w)
		})
		if len(line) != count[shoal.EventStatus] {
			t.Fatalf("%d entries of the timeline, want %d", len(line), count[shoal.EventStatus])
		}
		for i, ev := range line {
			if ev.Kind != shoal.EventStatus || i > 0 && ev.Seq <= line[i-1].Seq {
				t.Fatalf("entry %d of the timeline: %+v", i, ev)
			}
		}
		for kinds, want := range map[*[]shoal.EventKind]int{
			{shoal.EventStatus}: count[shoal.EventStatus], {shoal.EventNote, shoal.EventStatus}: 8 + count[shoal.EventStatus], {shoal.EventRequest, shoal.EventNote}: 38,
		} {
			events, err := e.Store.Events(ctx, e.Workspace, r.ID, 0, 1000, *kinds...)
			if err != nil || len(events) != want {
				t.Errorf("%v: %d events, %v; want %d", *kinds, len(events), err, want)
			}
			rest, err := e.Store.Events(ctx, e.Workspace, r.ID, events[1].Seq, 2, *kinds...)
			if err != nil || len(rest) != 2 || rest[0].Seq != events[2].Seq || rest[1].Seq != events[3].Seq {
				t.Errorf("%v after %d: %+v, %v", *kinds, events[1].Seq, rest, err)
			}
		}
	})
}

func TestRunCredits(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e *storetest.Env) {
		r := e.Run(t, e.Squid(t, 1), shoal.RunSettings{CreditsPerRow: 10, FunctionOrder: []string{"text", "mail"},
			CreditsPerFunction: map[string]shoal.Credits{"text": 1, "mail": 100}})
		l := e.Lease(t, r.ID, 0)
		a, b := storetest.Row("a"), storetest.Row("b")
		a.Functions, b.Functions = 3, 1
		e.Commit(t, storetest.Page(l, e.Claim(t, l, 1)[0], a, b))
		got, err := e.Store.RunCredits(t.Context(), e.Workspace, r.ID)
		if want := "[{mail 100 1} {base 20 2} {text 2 2}]"; err != nil || fmt.Sprint(got) != want {
			t.Errorf("%v, %v; want %s", got, err, want)
		}
	})
}
