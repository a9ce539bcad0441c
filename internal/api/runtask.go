package api

import (
	"encoding/binary"
	"encoding/json"

	"shoal"
)

// wireRunTask is one task within one run.
type wireRunTask struct {
	ID             string          `json:"id"`
	Object         string          `json:"object"`
	Run            shoal.RunID     `json:"run"`
	Task           shoal.TaskID    `json:"task"`
	Status         string          `json:"status"`
	Params         json.RawMessage `json:"params"`
	StartedAt      stamp           `json:"started_at"`
	EndedAt        stamp           `json:"ended_at"`
	TotalResults   int64           `json:"total_results"`
	LastResult     int64           `json:"last_result"`
	TotalPages     int64           `json:"total_pages"`
	LastPage       int64           `json:"last_page"`
	DoneReason     orNull          `json:"done_reason"`
	DoneReasonDesc orNull          `json:"done_reason_desc"`
	LastAt         stamp           `json:"last_collection_at"`
}

func appendRunTask(b []byte, t *shoal.RunTask) []byte {
	params := json.RawMessage(t.Params)
	if len(params) == 0 {
		params = json.RawMessage("{}")
	}
	return appendJSON(b, wireRunTask{
		ID: runTaskID(t), Object: "runtask", Run: t.RunID, Task: t.TaskID, Status: string(t.Status),
		Params: params, StartedAt: stamp(t.StartedAt), EndedAt: stamp(t.EndedAt),
		TotalResults: t.TotalResults, LastResult: t.TotalResults, TotalPages: t.TotalPages, LastPage: t.TotalPages,
		DoneReason: orNull(t.DoneReason), DoneReasonDesc: orNull(t.DoneReasonDesc), LastAt: stamp(t.LastAt),
	})
}

// runTaskID returns the wire id of a run task, computed like a result's from
// what identifies it within its run.
func runTaskID(t *shoal.RunTask) string {
	d := shoal.Digest{'r', 'u', 'n', 't', 'a', 's', 'k'}
	binary.BigEndian.PutUint64(d[8:], uint64(t.Seq))
	return shoal.ResultID(t.RunPK, d)
}

func (a *API) listRunTasks(c *call) error {
	q, err := c.query()
	if err != nil {
		return err
	}
	run, err := needID[shoal.RunID](q, "run", shoal.ErrRunNotFound)
	if err != nil {
		return err
	}
	return c.sendRunTasks(run)
}

func (a *API) tasksOfRun(c *call) error {
	run, err := id32[shoal.RunID](c, shoal.ErrRunNotFound)
	if err != nil {
		return err
	}
	return c.sendRunTasks(run)
}

func (c *call) sendRunTasks(run shoal.RunID) error {
	q, err := c.query()
	if err != nil {
		return err
	}
	w, err := window(q)
	if err != nil {
		return err
	}
	l, err := c.a.store.RunTasks(c.ctx(), c.ws, run, w)
	if err != nil {
		return err
	}
	return sendList(c, l, w, appendRunTask)
}
