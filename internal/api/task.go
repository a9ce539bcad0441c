package api

import (
	"errors"
	"fmt"
	"net/http"

	"shoal"
)

// wireTask is a task as it was added.
type wireTask struct {
	ID        shoal.TaskID    `json:"id"`
	HashValue shoal.TaskID    `json:"hash_value"`
	Object    string          `json:"object"`
	CreatedAt stamp           `json:"created_at"`
	IsActive  bool            `json:"is_active"`
	Params    map[string]any  `json:"params"`
	Module    shoal.CrawlerID `json:"module"`
}

// wireTaskStatus is a task with what became of it in its newest run.
type wireTaskStatus struct {
	wireTask
	Squid  shoal.SquidID `json:"squid"`
	Status taskStatus    `json:"status"`
}

type taskStatus struct {
	Status       string   `json:"status"`
	StartedAt    stamp    `json:"started_at"`
	EndedAt      stamp    `json:"ended_at"`
	IsDone       bool     `json:"is_done"`
	TotalResults int64    `json:"total_results"`
	TotalPages   int64    `json:"total_pages"`
	DoneReason   orNull   `json:"done_reason"`
	HasErrors    bool     `json:"has_errors"`
	Errors       []string `json:"errors"`
}

func showTask(t *shoal.Task) wireTask {
	w := wireTask{ID: t.ID, HashValue: t.ID, Object: "task", CreatedAt: stamp(t.CreatedAt),
		IsActive: t.IsActive, Params: t.Params, Module: t.CrawlerID}
	if w.Params == nil {
		w.Params = map[string]any{}
	}
	return w
}

func appendTask(b []byte, t *shoal.Task) []byte {
	w := wireTaskStatus{wireTask: showTask(t), Squid: t.SquidID,
		Status: taskStatus{Status: string(shoal.RunTaskPending), Errors: []string{}}}
	if last := t.Last; last != nil {
		st := &w.Status
		st.Status, st.StartedAt, st.EndedAt = string(last.Status), stamp(last.StartedAt), stamp(last.EndedAt)
		st.IsDone = last.Status != shoal.RunTaskPending && last.Status != shoal.RunTaskRunning
		st.TotalResults, st.TotalPages, st.DoneReason = last.TotalResults, last.TotalPages, orNull(last.DoneReason)
		if last.Status == shoal.RunTaskError {
			st.HasErrors = true
			st.Errors = append(st.Errors, last.DoneReasonDesc)
		}
	}
	return appendJSON(b, w)
}

// maxTasks is the most tasks in one call.
const maxTasks = 100_000

// addTasks adds all the tasks or, if one is wrong, none.
func (a *API) addTasks(c *call) error {
	f, err := c.decode()
	if err != nil {
		return err
	}
	f.required("squid", "tasks")
	squidID, list := f.text("squid"), f.array("tasks")
	if len(list) == 0 {
		f.fail(shoal.Invalid("ParamsNeeded", "tasks", "tasks is empty; give at least one task"))
	}
	if len(list) > maxTasks {
		f.fail(&shoal.Error{Kind: shoal.KindTooLarge, Code: "ParamsInvalid", Param: "tasks",
			Message: fmt.Sprintf("tasks has %d tasks; the most in one call is %d", len(list), maxTasks)})
	}
	if err := f.error(); err != nil {
		return err
	}
	squid, program, err := c.squidProgram(squidID)
	if err != nil {
		return err
	}
	tasks, err := checkTasks(program, list)
	if err != nil {
		return err
	}
	added, duplicates, err := a.store.AddTasks(effectCtx(c, http.StatusOK, renderAdded), c.ws, squid.ID, tasks)
	if err != nil {
		return err
	}
	return c.send(http.StatusOK, renderAdded(shoal.AddedTasks{Tasks: added, Duplicates: duplicates}))
}

// squidProgram loads a squid and its crawler.
func (c *call) squidProgram(id string) (shoal.Squid, Program, error) {
	if !shoal.ValidID(id) {
		return shoal.Squid{}, nil, shoal.ErrSquidNotFound
	}
	squid, err := c.a.store.Squid(c.ctx(), c.ws, shoal.SquidID(id))
	if err != nil {
		return squid, nil, err
	}
	program, err := c.lookup(string(squid.CrawlerID))
	return squid, program, err
}

// checkTasks checks every task; the error names the first wrong one's index and key.
func checkTasks(p Program, list []any) ([]shoal.NewTask, error) {
	out := make([]shoal.NewTask, 0, len(list))
	for i, v := range list {
		params, ok := v.(map[string]any)
		if !ok {
			return nil, shoal.Invalid("InvalidParamType", fmt.Sprintf("tasks[%d]", i),
				"tasks[%d] is %s; it must be an object of the task's params", i, typeOf(v))
		}
		plain(params)
		canonical, digest, err := p.CheckTask(params)
		if err != nil {
			return nil, taskError(err, fmt.Sprintf("tasks[%d]", i))
		}
		out = append(out, shoal.NewTask{Params: canonical, Digest: digest})
	}
	return out, nil
}

// taskError says which of the tasks err is about.
func taskError(err error, task string) error {
	e, ok := errors.AsType[*shoal.Error](err)
	if !ok {
		return fmt.Errorf("check %s: %w", task, err)
	}
	named := *e
	named.Message = task + ": " + e.Message
	named.Param = task
	if e.Param != "" {
		named.Param = task + "." + e.Param
	}
	return &named
}

func renderAdded(added shoal.AddedTasks) []byte {
	b := append([]byte(nil), `{"duplicated_count":`...)
	b = append(b, itoa(added.Duplicates)...)
	b = append(b, `,"tasks":[`...)
	for i := range added.Tasks {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendJSON(b, showTask(&added.Tasks[i]))
	}
	return append(b, ']', '}')
}

func (a *API) listTasks(c *call) error {
	q, err := c.query()
	if err != nil {
		return err
	}
	w, err := window(q)
	if err != nil {
		return err
	}
	typ, err := taskType(q.Get("type"))
	if err != nil {
		return err
	}
	squid, err := needID[shoal.SquidID](q, "squid", shoal.ErrSquidNotFound)
	if err != nil {
		return err
	}
	l, err := a.store.Tasks(c.ctx(), c.ws, squid, typ, w)
	if err != nil {
		return err
	}
	return sendList(c, l, w, appendTask)
}

func (a *API) getTask(c *call) error {
	id, err := id32[shoal.TaskID](c, shoal.ErrTaskNotFound)
	if err != nil {
		return err
	}
	t, err := a.store.Task(c.ctx(), c.ws, id)
	if err != nil {
		return err
	}
	c.buf = appendTask(c.buf[:0], &t)
	return c.send(http.StatusOK, c.buf)
}

func (a *API) deleteTask(c *call) error {
	id, err := id32[shoal.TaskID](c, shoal.ErrTaskNotFound)
	if err != nil {
		return err
	}
	if err := a.store.DeleteTask(c.ctx(), c.ws, id); err != nil {
		return err
	}
	return c.json(http.StatusOK, deleted{string(id), "task", true})
}
