package api

import (
	"fmt"
	"math"
	"math/bits"
	"net/http"
	"time"

	"shoal"
)

// previewTasks is how many of a squid's tasks an estimate shows.
const previewTasks = 5

// wireEstimate says what a run of a squid is likely to bring and to cost. What
// cannot be known (no limit is set and no run has shown what its tasks bring) is null.
type wireEstimate struct {
	Services      []wireService  `json:"services"`
	TotalCredits  *credits       `json:"total_credits"`
	EstimatedTime orNull         `json:"estimated_time"`
	MaxResults    *int64         `json:"max_results"`
	UpgradePlan   *string        `json:"recommended_upgrade_plan"` // plans are not sold here
	Tasks         estimatedTasks `json:"tasks"`
}

// wireService is what one function's rows cost; the core step is the first.
type wireService struct {
	Name    string   `json:"name"`
	Results *int64   `json:"results"`
	Credits *credits `json:"credits"`
}

type estimatedTasks struct {
	Count   int64      `json:"count"`
	Preview []wireTask `json:"preview"`
}

// estimate answers what a run of the squid would be like. It starts and stores nothing.
func (a *API) estimate(c *call) error {
	f, err := c.decode()
	if err != nil {
		return err
	}
	f.required("squid")
	id := f.text("squid")
	if err := f.error(); err != nil {
		return err
	}
	s, p, err := c.squidProgram(id)
	if err != nil {
		return err
	}
	if !s.IsReady() {
		return shoal.Business("NoTasksPresent", "This squid has no active task: add one, then estimate it")
	}
	tasks, err := a.store.Tasks(c.ctx(), c.ws, s.ID, "", shoal.Window{Page: 1, Limit: previewTasks})
	if err != nil {
		return err
	}
	last, err := c.lastFullRun(s.ID)
	if err != nil {
		return err
	}
	return c.json(http.StatusOK, newEstimate(p.Info(), &s, tasks, last))
}

// lastFullRun returns the newest run of the squid that did all its tasks, nil
// if none of the last ones has.
func (c *call) lastFullRun(id shoal.SquidID) (*shoal.Run, error) {
	l, err := c.a.store.Runs(c.ctx(), c.ws, id, shoal.Window{Page: 1, Limit: 20})
	if err != nil {
		return nil, err
	}
	for i := range l.Items {
		if r := &l.Items[i]; r.Status == shoal.RunDone && r.TasksTotal > 0 {
			return r, nil
		}
	}
	return nil, nil
}

func newEstimate(info *shoal.Crawler, s *shoal.Squid, tasks shoal.Listing[shoal.Task], last *shoal.Run) wireEstimate {
	params := paramsInForce(info, s)
	most, bounded := mostResults(params, tasks.Total)
	rows, known := most, bounded
	w := wireEstimate{Tasks: estimatedTasks{tasks.Total, []wireTask{}}}
	if last != nil {
		rows, known = perTask(last.UniqueResults, last.TasksTotal, tasks.Total), true
		if bounded {
			rows = min(rows, most)
		}
		if last.UniqueResults > 0 {
			spent := float64(last.Active) / float64(last.UniqueResults)
			w.EstimatedTime = orNull(roughly(time.Duration(spent * float64(rows))))
		}
	}
	if bounded {
		w.MaxResults = &most
	}
	w.price(info, params["functions"].(map[string]any), rows, known)
	for i := range tasks.Items {
		w.Tasks.Preview = append(w.Tasks.Preview, showTask(&tasks.Items[i]))
	}
	return w
}

// price fills in what rows cost: the core step, and each function that is on as
// if it filled all of them.
func (w *wireEstimate) price(info *shoal.Crawler, on map[string]any, rows int64, known bool) {
	var sum credits
	add := func(name string, price shoal.Credits) {
		svc := wireService{Name: name}
		if known {
			cost := credits(product(int64(price), rows))
			sum = credits(min(int64(sum), math.MaxInt64-int64(cost))) + cost
			svc.Results, svc.Credits = &rows, &cost
		}
		w.Services = append(w.Services, svc)
	}
	add(info.Name, info.CreditsPerRow)
	for _, fn := range info.Functions {
		if enabled, _ := on[fn.Name].(bool); enabled {
			add(fn.Name, fn.Credits)
		}
	}
	if known {
		w.TotalCredits = &sum
	}
}

// mostResults is the most rows that the squid's limits allow; false: no limit is set.
func mostResults(params map[string]any, tasks int64) (int64, bool) {
	most, bounded := int64(math.MaxInt64), false
	if n := wholeParam(params["max_results"]); n > 0 {
		most, bounded = product(n, tasks), true
	}
	if n := wholeParam(params["max_unique_results_per_run"]); n > 0 {
		most, bounded = min(most, n), true
	}
	return most, bounded
}

// perTask scales what so many tasks brought to another number of tasks, rounded up.
func perTask(rows, of, tasks int64) int64 {
	return int64(math.Ceil(float64(rows) / float64(of) * float64(tasks)))
}

// product multiplies two counts; what no int64 holds is the largest one.
func product(a, b int64) int64 {
	hi, lo := bits.Mul64(uint64(a), uint64(b))
	if hi != 0 || lo > math.MaxInt64 {
		return math.MaxInt64
	}
	return int64(lo)
}

// wholeParam returns a param that is a whole number; 0 when it is not set.
func wholeParam(v any) int64 {
	switch v := v.(type) {
	case int64:
		return v
	case float64:
		return int64(v)
	}
	return 0
}

// roughly writes a duration as people say it.
func roughly(d time.Duration) string {
	unit, n := "sec", int64(math.Ceil(d.Seconds()))
	switch {
	case n >= 2*3600:
		unit, n = "hour", (n+3599)/3600
	case n >= 2*60:
		unit, n = "min", (n+59)/60
	}
	n = max(n, 1)
	if n == 1 {
		return "1 " + unit
	}
	return fmt.Sprintf("%d %ss", n, unit)
}
