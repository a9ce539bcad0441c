package runs

import (
	"testing"
	"time"

	"shoal"
)

func TestProgressOf(t *testing.T) {
	now := t0.Add(100 * time.Second)
	on := func(total, done, known, requests int64) shoal.Run {
		return shoal.Run{ID: "r", Status: shoal.RunRunning, StartedAt: t0, ActiveSince: t0, LastProgressAt: now,
			TasksTotal: total, TasksDone: done, KnownRequests: known, TotalRequests: requests}
	}
	as := func(r shoal.Run, s shoal.RunStatus) shoal.Run { r.Status = s; return r }
	for name, c := range map[string]struct {
		run, seen shoal.Run
		want      Progress
	}{
		"nothing yet":                      {run: on(1, 0, 1, 0), want: Progress{}},
		"within one task":                  {run: on(1, 0, 200, 50), want: Progress{Percent: 25, ETA: 300 * time.Second, Known: true}},
		"single-request tasks":             {run: on(1000, 250, 1000, 250), want: Progress{Percent: 25, ETA: 300 * time.Second, Known: true}},
		"tasks to come have as many pages": {run: on(10, 1, 19, 10), want: Progress{Percent: 10, ETA: 900 * time.Second, Known: true}},
		"all in, not ended":                {run: on(1, 1, 10, 10), want: Progress{Percent: 99, Known: true}},
		"exporting":                        {run: as(on(1, 1, 10, 10), shoal.RunUploading), want: Progress{Percent: 99}},
		"paused knows no end":              {run: as(on(1, 0, 200, 50), shoal.RunPaused), want: Progress{Percent: 25}},
		"aborted halfway":                  {run: as(on(1, 0, 200, 50), shoal.RunAborted), want: Progress{Percent: 100, Known: true}},
		"done":                             {run: as(on(1, 1, 10, 10), shoal.RunDone), want: Progress{Percent: 100, Known: true}},
		"no task at all":                   {run: on(0, 0, 0, 0), want: Progress{}},
		"moving rate": {run: on(1, 0, 200, 50),
			seen: shoal.Run{ID: "r", TotalRequests: 40, LastProgressAt: now.Add(-time.Second)},
			want: Progress{Percent: 25, ETA: 15 * time.Second, Known: true}},
		"another run's look does not count": {run: on(1, 0, 200, 50),
			seen: shoal.Run{ID: "x", TotalRequests: 40, LastProgressAt: now.Add(-time.Second)},
			want: Progress{Percent: 25, ETA: 300 * time.Second, Known: true}},
	} {
		if got := ProgressOf(&c.run, &c.seen, now); got != c.want {
			t.Errorf("%s: got %+v, want %+v", name, got, c.want)
		}
	}
}
