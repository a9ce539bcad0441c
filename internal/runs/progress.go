package runs

import (
	"time"

	"shoal"
)

// Progress is how far a run is.
type Progress struct {
	// Percent is 0..100, and 100 exactly when the run has ended.
	Percent int
	// ETA is the expected time left; meaningful only when Known.
	ETA   time.Duration
	Known bool
}

// ProgressOf returns how far r is at now. seen is an earlier look at the same
// run, from some seconds to a minute ago, for the moving rate of the ETA; the
// zero Run: the rate is the run's average.
//
// A run's work is its requests, done of known, as far as its tasks have shown
// them; tasks that have not started yet count as what the started ones came to
// on average, so that the figure does not jump back with each new task.
func ProgressOf(r, seen *shoal.Run, now time.Time) Progress {
	if r.Status.Terminal() {
		return Progress{Percent: 100, Known: true}
	}
	if r.Status == shoal.RunUploading {
		return Progress{Percent: 99}
	}
	done, total := work(r)
	p := Progress{}
	if total > 0 {
		p.Percent = min(99, int(100*done/total))
	}
	if r.Status != shoal.RunRunning {
		return p
	}
	if rate := rateOf(r, seen, now); rate > 0 && total > 0 {
		p.ETA, p.Known = time.Duration((total-done)/rate*float64(time.Second)).Round(time.Second), true
	}
	return p
}

// work returns the requests done and expected. KnownRequests counts every
// task's own request from the start.
func work(r *shoal.Run) (done, total float64) {
	done, total = float64(r.TotalRequests), float64(r.KnownRequests)
	if total < done {
		total = done
	}
	if r.TasksTotal <= 0 {
		return done, total
	}
	left := float64(r.TasksTotal - r.TasksDone)
	if r.TasksDone == 0 || left <= 0 {
		return done, total
	}
	// What the ended tasks came to is the best guess for those not begun; what
	// is known already stands within it.
	guess := done / float64(r.TasksDone) * float64(r.TasksTotal)
	return done, max(total, guess)
}

// rateOf returns requests per second of execution: since seen when it tells
// anything, else over the whole run.
func rateOf(r, seen *shoal.Run, now time.Time) float64 {
	if seen != nil && seen.ID == r.ID && !seen.LastProgressAt.IsZero() && r.LastProgressAt.After(seen.LastProgressAt) {
		n := r.TotalRequests - seen.TotalRequests
		if span := r.LastProgressAt.Sub(seen.LastProgressAt).Seconds(); n > 0 && span > 0 {
			return float64(n) / span
		}
	}
	if d := r.Duration(now).Seconds(); d > 0 {
		return float64(r.TotalRequests) / d
	}
	return 0
}
