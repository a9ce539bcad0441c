package api

import (
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"shoal"
)

// wireStats is a run's live progress.
type wireStats struct {
	ID             shoal.RunID `json:"id"`
	Object         string      `json:"object"`
	Duration       string      `json:"duration"`
	StartedAt      stamp       `json:"started_at"`
	EndedAt        stamp       `json:"ended_at"`
	IsDone         bool        `json:"is_done"`
	PercentDone    string      `json:"percent_done"`
	ETA            string      `json:"eta"`
	TotalRequests  int64       `json:"total_requests"`
	FailedRequests int64       `json:"failed_requests"`
	TotalTasks     int64       `json:"total_tasks"`
	TotalTasksDone int64       `json:"total_tasks_done"`
	TotalTasksLeft int64       `json:"total_tasks_left"`
	TotalResults   int64       `json:"total_results"`
	TotalUnique    int64       `json:"total_unique_results"`
	ResultsTotal   *int64      `json:"results_total"`
	ResultsDone    int64       `json:"results_done"`
	CreditUsed     credits     `json:"credit_used"`
	CurrentTask    string      `json:"current_task"`
	UpdatedAt      stamp       `json:"updated_at"`
	// ResumesAt is when a paused run looks again by itself; null: not by time.
	ResumesAt stamp `json:"resumes_at"`
}

func (a *API) stats(r *shoal.Run) wireStats {
	now := a.now()
	seen := a.looks.last(r, now)
	percent, eta, known := a.runs.Progress(r, &seen, now)
	s := wireStats{
		ID: r.ID, Object: "run", Duration: clockDuration(r.Duration(now), true),
		StartedAt: stamp(r.StartedAt), EndedAt: stamp(r.EndedAt), IsDone: r.Status.Terminal(),
		PercentDone: fmt.Sprintf("%d%%", percent), ETA: "∞",
		TotalRequests: r.TotalRequests, FailedRequests: r.FailedRequests,
		TotalTasks: r.TasksTotal, TotalTasksDone: r.TasksDone, TotalTasksLeft: r.TasksTotal - r.TasksDone,
		TotalResults: r.TotalResults, TotalUnique: r.UniqueResults, ResultsDone: r.TotalResults,
		CreditUsed: credits(r.CreditsUsed), CurrentTask: currentTask(r.CurrentTask),
		UpdatedAt: stamp(lastOf(r.CreatedAt, r.StartedAt, r.LastProgressAt, r.PausedAt, r.EndedAt)),
		ResumesAt: stamp(r.WakeAt),
	}
	if known {
		s.ETA = clockDuration(eta, false)
	}
	if s.IsDone {
		s.CurrentTask = ""
	}
	return s
}

func lastOf(times ...time.Time) time.Time {
	return slices.MaxFunc(times, time.Time.Compare)
}

// clockDuration writes d as "0:01:10", with fraction "0:00:15.175532".
func clockDuration(d time.Duration, fraction bool) string {
	s := int64(d / time.Second)
	text := fmt.Sprintf("%d:%02d:%02d", s/3600, s/60%60, s%60)
	if fraction {
		text += fmt.Sprintf(".%06d", d.Microseconds()%1e6)
	}
	return text
}

// currentTask names the task last worked on: its URL, else its params.
func currentTask(params string) string {
	if v, err := parseJSON([]byte(params)); err == nil {
		if m, ok := v.(map[string]any); ok {
			if u, ok := m["url"].(string); ok {
				return u
			}
		}
	}
	return params
}

func (a *API) runStats(c *call) error {
	r, err := c.run()
	if err != nil {
		return err
	}
	return c.json(http.StatusOK, a.stats(&r))
}

// looks remembers an earlier look at each run that someone watches, some
// seconds to a minute old, for the moving rate of the ETA.
type looks struct {
	mu  sync.Mutex
	run map[shoal.RunID]*look
}

// look is two earlier looks; the older one is handed out until the newer one
// has some seconds itself.
type look struct {
	older, newer     shoal.Run
	olderAt, newerAt time.Time
}

const (
	lookAge  = 5 * time.Second
	lookLife = time.Minute
	maxLooks = 1000
)

// last returns the earlier look at r, the zero Run if there is none, and takes note of this one.
func (l *looks) last(r *shoal.Run, now time.Time) shoal.Run {
	l.mu.Lock()
	defer l.mu.Unlock()
	k := l.run[r.ID]
	if r.Status.Terminal() {
		delete(l.run, r.ID)
		return shoal.Run{}
	}
	if k == nil || now.Sub(k.newerAt) > lookLife {
		l.add(r, now)
		return shoal.Run{}
	}
	if now.Sub(k.newerAt) >= lookAge {
		k.older, k.olderAt = k.newer, k.newerAt
		k.newer, k.newerAt = *r, now
	}
	return k.older
}

func (l *looks) add(r *shoal.Run, now time.Time) {
	if l.run == nil {
		l.run = map[shoal.RunID]*look{}
	}
	for id, k := range l.run {
		if len(l.run) < maxLooks {
			break
		}
		if now.Sub(k.newerAt) > lookLife {
			delete(l.run, id)
		}
	}
	if len(l.run) < maxLooks {
		l.run[r.ID] = &look{newer: *r, newerAt: now}
	}
}

// wireCredits says what a run cost, and for what.
type wireCredits struct {
	RunID        shoal.RunID        `json:"run_id"`
	TotalCredits credits            `json:"total_credits"`
	TotalResults int64              `json:"total_results"`
	Breakdown    []functionCredits  `json:"breakdown"`
	Rates        map[string]credits `json:"rates"`
	Colors       map[string]color   `json:"function_colors"`
	BaseLabel    string             `json:"base_function_label"`
	Filters      []struct{}         `json:"filter_breakdown"`
}

type functionCredits struct {
	Function string  `json:"function"`
	Credits  credits `json:"credits"`
	Attempts int64   `json:"attempts"`
}

type color struct {
	Background string `json:"bg_color"`
	Text       string `json:"txt_color"`
}

// palette gives the functions of a run their colours, in order.
var palette = []color{
	{"#e0f2fe", "#075985"}, {"#dcfce7", "#166534"}, {"#fef9c3", "#854d0e"},
	{"#fae8ff", "#86198f"}, {"#ffe4e6", "#9f1239"}, {"#e0e7ff", "#3730a3"},
}

func (a *API) runCredits(c *call) error {
	r, err := c.run()
	if err != nil {
		return err
	}
	parts, err := a.store.RunCredits(c.ctx(), c.ws, r.ID)
	if err != nil {
		return err
	}
	out := wireCredits{RunID: r.ID, TotalCredits: credits(r.CreditsUsed), TotalResults: r.TotalResults,
		Breakdown: []functionCredits{}, Filters: []struct{}{}, BaseLabel: shoal.BaseFunction,
		Rates:  map[string]credits{"credits_per_row": credits(r.Settings.CreditsPerRow)},
		Colors: map[string]color{}}
	for name, price := range r.Settings.CreditsPerFunction {
		out.Rates[name] = credits(price)
	}
	for _, p := range parts {
		out.Breakdown = append(out.Breakdown, functionCredits{p.Function, credits(p.Credits), p.Attempts})
	}
	// A function has the same colour in every run of a crawler.
	for i, name := range append([]string{shoal.BaseFunction}, r.Settings.FunctionOrder...) {
		out.Colors[name] = palette[i%len(palette)]
	}
	return c.json(http.StatusOK, out)
}
