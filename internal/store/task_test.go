package store_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"shoal"
	"shoal/internal/jobs"
	"shoal/internal/store/storetest"
)

func taskID(x shoal.Task) string { return string(x.ID) }

// taskPages reads a squid's whole list of tasks of a type.
func taskPages(t *testing.T, e *storetest.Env, squid shoal.SquidID, taskType string, limit int) []shoal.Task {
	t.Helper()
	return pages(t, limit, func(w shoal.Window) (shoal.Listing[shoal.Task], error) {
		return e.Store.Tasks(t.Context(), e.Workspace, squid, taskType, w)
	})
}

func TestAddTasks(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e *storetest.Env) {
		ctx := t.Context()
		q := newSquid(t, e, "")
		first := append(newTasks("url", 0, 3), newTasks("city", 0, 2)...)
		added, duplicates, err := e.Store.AddTasks(ctx, e.Workspace, q.ID, append(first, first[1], first[4]))
		if err != nil || len(added) != 5 || duplicates != 2 {
			t.Fatalf("%d added, %d duplicates, %v; want 5 and 2", len(added), duplicates, err)
		}
		for i, a := range added {
			if got := fmt.Sprint(a.Params); !strings.HasSuffix(got, fmt.Sprintf("/%d]", []int{0, 1, 2, 0, 1}[i])) || a.SquidID != q.ID || a.CrawlerID != q.CrawlerID || !a.IsActive {
				t.Errorf("task %d: %+v", i, a)
			}
		}
		again, duplicates, err := e.Store.AddTasks(ctx, e.Workspace, q.ID, append(newTasks("url", 2, 4), newTask("city", "x")))
		if err != nil || len(again) != 2 || duplicates != 1 {
			t.Fatalf("%d added, %d duplicates, %v; want 2 and 1", len(again), duplicates, err)
		}
		all := append(added, again...)
		slices.Reverse(all)
		for _, limit := range []int{1, 3, 100} {
			if got, want := names(taskPages(t, e, q.ID, "", limit), taskID), names(all, taskID); got != want {
				t.Errorf("list in pages of %d: %s; want %s, newest first", limit, got, want)
			}
		}
		got, err := e.Store.Task(ctx, e.Workspace, all[0].ID)
		if err != nil || fmt.Sprint(got) != fmt.Sprint(all[0]) || got.Last != nil {
			t.Errorf("%+v, %v; want %+v", got, err, all[0])
		}
		if _, _, err := e.Store.AddTasks(ctx, e.Workspace, q.ID, []shoal.NewTask{{Params: []byte(`{"a":`)}}); err == nil {
			t.Error("params that are no JSON were stored")
		}
	})
}

func TestDeleteTask(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e *storetest.Env) {
		ctx := t.Context()
		q := newSquid(t, e, "")
		added := addTasks(t, e, q.ID, newTasks("url", 0, 5))
		collectRun(t, e, q.ID, oneRowEach("r"))
		if err := e.Store.DeleteTask(ctx, e.Workspace, added[2].ID); err != nil {
			t.Fatal(err)
		}
		wantErr(t, "deleted twice", e.Store.DeleteTask(ctx, e.Workspace, added[2].ID), shoal.ErrTaskNotFound)
		_, err := e.Store.Task(ctx, e.Workspace, added[2].ID)
		wantErr(t, "Task", err, shoal.ErrTaskNotFound)
		left := taskPages(t, e, q.ID, "url", 2)
		if len(left) != 4 {
			t.Fatalf("%d tasks are left, want 4", len(left))
		}
		for _, x := range left {
			if x.Last == nil || x.Last.Status != shoal.RunTaskCompleted || x.Last.TotalResults != 1 || x.Last.TaskID != x.ID || x.Last.RunID == "" {
				t.Errorf("task %s: its last run task is %+v", x.ID, x.Last)
			}
		}
		l, err := e.Store.Results(ctx, shoal.ResultQuery{Workspace: e.Workspace, Squid: q.ID, Task: added[2].ID}, window(1, 10))
		if err != nil || l.Total != 1 {
			t.Errorf("%d results of the deleted task, %v; want them kept", l.Total, err)
		}
		if back := addTasks(t, e, q.ID, newTasks("url", 2, 3)); len(back) != 1 || back[0].ID == added[2].ID {
			t.Errorf("added again: %+v", back)
		}
	})
}

// 10,000 tasks go in with one call, and come out in order.
func TestAddManyTasks(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e *storetest.Env) {
		q := newSquid(t, e, "")
		added := addTasks(t, e, q.ID, newTasks("url", 0, 10_000))
		if len(added) != 10_000 || !slices.IsSortedFunc(added, func(a, b shoal.Task) int { return int(a.Key - b.Key) }) {
			t.Fatalf("%d added", len(added))
		}
		if more := addTasks(t, e, q.ID, newTasks("url", 5000, 15_000)); len(more) != 5000 {
			t.Fatalf("%d of 10,000 added, want the 5,000 new ones", len(more))
		}
		l, err := e.Store.Tasks(t.Context(), e.Workspace, q.ID, "", window(150, 100))
		if err != nil || l.Total != 15_000 || len(l.Items) != 100 || l.Items[99].ID != added[0].ID {
			t.Fatalf("the last page: %d of %d, %v", len(l.Items), l.Total, err)
		}
	})
}

// taskModel is what a squid's lists of tasks must show.
type taskModel struct {
	tasks []listedTask // oldest first
}

type listedTask struct {
	id    shoal.TaskID
	param string
}

// ids are the tasks of a type, newest first.
func (m *taskModel) ids(taskType string) []shoal.TaskID {
	var ids []shoal.TaskID
	for _, x := range slices.Backward(m.tasks) {
		if taskType == "" || (taskType == "url") == (x.param == "url") {
			ids = append(ids, x.id)
		}
	}
	return ids
}

func (m *taskModel) remove(keep func(listedTask) bool) {
	m.tasks = slices.DeleteFunc(m.tasks, func(x listedTask) bool { return !keep(x) })
}

// check compares random pages of each list with the model, and the first and last.
func (m *taskModel) check(t *testing.T, e *storetest.Env, squid shoal.SquidID, rnd *rand.Rand) {
	t.Helper()
	for _, taskType := range []string{"", "url", "params"} {
		want := m.ids(taskType)
		limit := 1 + rnd.IntN(100)
		last := max(1, (len(want)+limit-1)/limit)
		for _, page := range []int{1, last, last + 1, 1 + rnd.IntN(last), 1 + rnd.IntN(last)} {
			l, err := e.Store.Tasks(t.Context(), e.Workspace, squid, taskType, window(page, limit))
			if err != nil || l.Total != int64(len(want)) {
				t.Fatalf("type %q: total %d, %v; want %d", taskType, l.Total, err, len(want))
			}
			from := min((page-1)*limit, len(want))
			part := want[from:min(from+limit, len(want))]
			if got := names(l.Items, taskID); got != names(part, func(id shoal.TaskID) string { return string(id) }) {
				t.Fatalf("type %q, page %d of %d by %d differs: %d rows, want %d", taskType, page, last, limit, len(l.Items), len(part))
			}
		}
	}
}

// Lists of tasks agree with a model through random additions of both types,
// single deletions, emptyings and a purge that comes when it comes.
func TestTaskListsAgreeWithAModel(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e *storetest.Env) {
		q := newSquid(t, e, "")
		rnd := rand.New(rand.NewPCG(7, 11))
		m := &taskModel{}
		for step := range 40 {
			switch choice := rnd.IntN(10); {
			case choice < 4:
				param := []string{"url", "city"}[rnd.IntN(2)]
				from := rnd.IntN(4000)
				for _, a := range addTasks(t, e, q.ID, newTasks(param, from, from+rnd.IntN(1200))) {
					m.tasks = append(m.tasks, listedTask{a.ID, param})
				}
			case choice < 8:
				for range min(len(m.tasks), 20) {
					at := rnd.IntN(len(m.tasks))
					if err := e.Store.DeleteTask(t.Context(), e.Workspace, m.tasks[at].id); err != nil {
						t.Fatal(err)
					}
					m.tasks = slices.Delete(m.tasks, at, at+1)
				}
			case choice == 8 && step > 12:
				taskType := []string{"", "url", "params"}[rnd.IntN(3)]
				n, err := e.Store.EmptySquid(t.Context(), e.Workspace, q.ID, taskType)
				if err != nil || n != int64(len(m.ids(taskType))) {
					t.Fatalf("emptied of %q: %d, %v; want %d", taskType, n, err, len(m.ids(taskType)))
				}
				m.remove(func(x listedTask) bool { return taskType != "" && (taskType == "url") != (x.param == "url") })
			default:
				if _, err := e.Store.Purge(t.Context(), jobs.PurgeArgs{Noun: "tasks", PK: q.PK}); err != nil {
					t.Fatal(err)
				}
			}
			m.check(t, e, q.ID, rnd)
		}
		purge(t, e, jobs.PurgeArgs{Noun: "tasks", PK: q.PK})
		m.check(t, e, q.ID, rnd)
		if n := e.Int(t, `SELECT count(*) FROM tasks`); n != int64(len(m.tasks)) {
			t.Errorf("%d tasks are stored after the purge, want %d", n, len(m.tasks))
		}
	})
}

// An import that is killed anywhere and repeated adds each task once and counts
// each once.
func TestImportTasksOnce(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e *storetest.Env) {
		ctx := t.Context()
		q := newSquid(t, e, "")
		addTasks(t, e, q.ID, newTasks("url", 0, 2))
		u := shoal.TaskUpload{ID: shoal.NewID[shoal.UploadID](), WorkspaceID: e.Workspace, SquidID: q.ID, Blob: "blob", FileName: "f.csv"}
		before := e.Int(t, `SELECT count(*) FROM river_job`)
		if err := e.Store.CreateUpload(ctx, u); err != nil {
			t.Fatal(err)
		}
		if n := e.Int(t, `SELECT count(*) FROM river_job`) - before; n != 1 {
			t.Errorf("%d jobs were enqueued, want the import", n)
		}
		u, err := e.Store.UploadByID(ctx, u.ID)
		if err != nil || u.State != shoal.UploadPending || u.FileName != "f.csv" || u.Blob != "blob" || u.CreatedAt.IsZero() {
			t.Fatalf("%+v, %v", u, err)
		}
		u.State, u.Line, u.Valid, u.Invalid = shoal.UploadProgress, 6, 5, 1
		u.Errors = []shoal.UploadError{{Line: 3, Param: "url", Message: "no url"}}
		batch := append(newTasks("url", 0, 4), newTask("url", "https://site.test/3"))
		for i, want := range []int{2, 0} { // and again, as after a kill before the answer
			if n, err := e.Store.ImportTasks(ctx, u, batch); err != nil || n != want {
				t.Fatalf("import %d: %d, %v; want %d", i, n, err, want)
			}
		}
		got, err := e.Store.Upload(ctx, e.Workspace, u.ID)
		if err != nil || got.Line != 6 || got.Valid != 5 || got.Inserted != 2 || got.Duplicates != 3 || got.Invalid != 1 || fmt.Sprint(got.Errors) != fmt.Sprint(u.Errors) {
			t.Fatalf("%+v, %v", got, err)
		}
		u.State, u.Line = shoal.UploadSuccess, 6
		if _, err := e.Store.ImportTasks(ctx, u, nil); err != nil {
			t.Fatal(err)
		}
		u.State, u.Line = shoal.UploadProgress, 9 // a worker that was away
		if n, err := e.Store.ImportTasks(ctx, u, newTasks("url", 50, 60)); err != nil || n != 0 {
			t.Fatalf("into an upload that has ended: %d, %v", n, err)
		}
		if got, err := e.Store.Upload(ctx, e.Workspace, u.ID); err != nil || got.State != shoal.UploadSuccess || got.Line != 6 {
			t.Fatalf("%+v, %v", got, err)
		}
		if n := len(taskPages(t, e, q.ID, "", 100)); n != 4 {
			t.Errorf("%d tasks, want 4", n)
		}
	})
}

// Emptying hides tasks and results at once; what was emptied can come back.
func TestEmptySquid(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e *storetest.Env) {
		ctx := t.Context()
		q := newSquid(t, e, "")
		old := addTasks(t, e, q.ID, newTasks("url", 0, 50))
		first := collectRun(t, e, q.ID, oneRowEach("a"))
		if n, err := e.Store.EmptySquid(ctx, e.Workspace, q.ID, "params"); err != nil || n != 0 {
			t.Fatalf("emptied of params: %d, %v", n, err)
		}
		if _, err := e.Store.EmptySquid(ctx, e.Workspace, q.ID, "urls"); shoal.KindOf(err) != shoal.KindInvalid {
			t.Errorf("type urls: %v", err)
		}
		if n, err := e.Store.EmptySquid(ctx, e.Workspace, q.ID, "url"); err != nil || n != 50 {
			t.Fatalf("emptied of url: %d, %v", n, err)
		}
		empty := func(what string, rq shoal.ResultQuery) {
			t.Helper()
			rq.Workspace, rq.Limit = e.Workspace, 100
			l, err := e.Store.Results(ctx, rq, window(1, 100))
			rows, err2 := e.Store.ReadResults(ctx, rq)
			if err := errors.Join(err, err2); err != nil || l.Total != 0 || len(l.Items) != 0 || len(rows) != 0 {
				t.Errorf("results of %s: %d, %d and %d, %v; want none", what, l.Total, len(l.Items), len(rows), err)
			}
		}
		empty("the squid", shoal.ResultQuery{Squid: q.ID})
		empty("the run", shoal.ResultQuery{Run: first.ID})
		if got := taskPages(t, e, q.ID, "", 10); len(got) != 0 {
			t.Errorf("%d tasks are left", len(got))
		}
		_, err := e.Store.Task(ctx, e.Workspace, old[0].ID)
		wantErr(t, "an emptied task", err, shoal.ErrTaskNotFound)
		wantErr(t, "deleting it", e.Store.DeleteTask(ctx, e.Workspace, old[0].ID), shoal.ErrTaskNotFound)
		if _, err := e.Store.CreateRun(ctx, shoal.NewRun{ID: shoal.NewID[shoal.RunID](), WorkspaceID: e.Workspace, SquidID: q.ID, Begin: storetest.Started}); shoal.CodeOf(err) != "NoTasksPresent" {
			t.Errorf("a run of an empty squid: %v", err)
		}
		if back := addTasks(t, e, q.ID, newTasks("url", 10, 30)); len(back) != 20 {
			t.Fatalf("%d tasks came back before the purge, want 20", len(back))
		}
		second := collectRun(t, e, q.ID, oneRowEach("b"))
		if second.UniqueResults != 20 {
			t.Errorf("the next run has %d results, want 20", second.UniqueResults)
		}
		for range 2 { // before the purge, and after it
			l, err := e.Store.Results(ctx, shoal.ResultQuery{Workspace: e.Workspace, Squid: q.ID}, window(2, 15))
			if err != nil || l.Total != 20 || len(l.Items) != 5 || l.Items[0].RunID != second.ID {
				t.Errorf("results: %d of %d, %v", len(l.Items), l.Total, err)
			}
			if got := taskPages(t, e, q.ID, "url", 7); len(got) != 20 {
				t.Errorf("%d tasks, want 20", len(got))
			}
			purge(t, e, jobs.PurgeArgs{Noun: "tasks", PK: q.PK})
			purge(t, e, jobs.PurgeArgs{Noun: "results", PK: q.PK})
		}
		if tasks, rows := e.Int(t, `SELECT count(*) FROM tasks`), e.Int(t, `SELECT count(*) FROM results`); tasks != 20 || rows != 20 {
			t.Errorf("%d tasks and %d results are stored after the purge, want 20 of each", tasks, rows)
		}
	})
}

// A squid of mixed tasks that is emptied of one type keeps the other type's
// results, and pages through them.
func TestEmptyMixedSquid(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e *storetest.Env) {
		ctx := t.Context()
		q := newSquid(t, e, "")
		for i := range 60 {
			addTasks(t, e, q.ID, newTasks([]string{"url", "city"}[i%2], i, i+1))
		}
		run := collectRun(t, e, q.ID, func(task int64) []shoal.Row {
			var rows []shoal.Row
			for i := range 50 {
				rows = append(rows, storetest.Row(fmt.Sprint(task, "-", i)))
			}
			return rows
		})
		active := e.Run(t, q.ID, shoal.RunSettings{})
		if _, err := e.Store.EmptySquid(ctx, e.Workspace, q.ID, "url"); shoal.CodeOf(err) != "RunInProgress" {
			t.Fatalf("with an active run: %v, want RunInProgress", err)
		}
		finish(t, e, active.ID, shoal.RunAborted)
		if n, err := e.Store.EmptySquid(ctx, e.Workspace, q.ID, "url"); err != nil || n != 30 {
			t.Fatalf("emptied: %d, %v", n, err)
		}
		for _, rq := range []shoal.ResultQuery{{Squid: q.ID}, {Run: run.ID}} {
			rq.Workspace = e.Workspace
			rows := pages(t, 37, func(w shoal.Window) (shoal.Listing[shoal.Result], error) { return e.Store.Results(ctx, rq, w) })
			if len(rows) != 1500 {
				t.Errorf("%d results are left, want those of 30 tasks", len(rows))
			}
			for _, r := range rows {
				if x, err := e.Store.Task(ctx, e.Workspace, r.TaskID); err != nil || x.Params["city"] == nil {
					t.Fatalf("a result of task %s, %v", r.TaskID, err)
				}
			}
		}
		if got := taskPages(t, e, q.ID, "", 7); len(got) != 30 || got[0].Params["city"] == nil {
			t.Errorf("%d tasks are left, want 30", len(got))
		}
	})
}
