package store_test

import (
	"fmt"
	"testing"

	"shoal"
	"shoal/internal/store/storetest"
)

// Each row comes with the ids of its run, squid and task, whether the rows of
// one reading are of tasks side by side, of few among many, or of several runs.
func TestRowsKnowWhoseTheyAre(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e *storetest.Env) {
		const tasks = 90
		squid := e.Squid(t, tasks)
		every := collectRun(t, e, squid, oneRowEach("every"))
		few := collectRun(t, e, squid, func(task int64) []shoal.Row {
			if task%70 != 1 {
				return nil
			}
			return []shoal.Row{storetest.Row(fmt.Sprint("few", task)), storetest.Row(fmt.Sprint("more", task))}
		})
		ids := map[string]string{} // the task that a row's data is of
		for _, r := range []shoal.Run{every, few} {
			l, err := e.Store.RunTasks(t.Context(), e.Workspace, r.ID, window(1, tasks))
			if err != nil {
				t.Fatal(err)
			}
			for _, task := range l.Items {
				for _, prefix := range []string{"every", "few", "more"} {
					ids[fmt.Sprintf(`{"name":"%s%d"}`, prefix, task.Seq)] = string(task.TaskID)
				}
			}
		}
		for _, c := range []struct {
			q    shoal.ResultQuery
			want int
		}{{shoal.ResultQuery{Run: every.ID}, tasks}, {shoal.ResultQuery{Run: few.ID}, 4}, {shoal.ResultQuery{Squid: squid}, tasks + 4}} {
			rows := streamed(t, e, c.q, 100)
			if len(rows) != c.want {
				t.Fatalf("%+v: %d rows, want %d", c.q, len(rows), c.want)
			}
			for i, r := range rows {
				run := every
				if i >= tasks || c.q.Run == few.ID {
					run = few
				}
				if r.RunID != run.ID || r.RunPK != run.PK || r.SquidID != squid || string(r.TaskID) != ids[rowData(r)] || r.TaskID == "" || r.At.IsZero() {
					t.Errorf("%s is of run %s, squid %s, task %s, at %v; want run %s, task %s", r.Data, r.RunID, r.SquidID, r.TaskID, r.At, run.ID, ids[rowData(r)])
				}
			}
		}
	})
}
