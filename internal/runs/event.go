package runs

import (
	"time"

	"shoal"
)

// Trigger names what happened to a run.
type Trigger int

// The triggers. People cause OnPause, OnResume, OnAbort and OnExportAsked; the
// engine and its services cause the rest.
const (
	// OnStart: a pending run may begin.
	OnStart Trigger = iota
	// OnPause: a person halts the run. Only a person wakes it.
	OnPause
	// OnHold: the engine halts the run for Event.Reason until its cause is gone.
	OnHold
	// OnResume: a person lets the run go on.
	OnResume
	// OnWake: the cause of a hold is gone, or its time has come.
	OnWake
	// OnExpire: the run has been paused for longer than Rules.MaxPaused.
	OnExpire
	// OnAbort: a person stops the run; with Reason deactivated, its squid or
	// crawler was switched off.
	OnAbort
	// OnFail: the run cannot go on, for Event.Reason.
	OnFail
	// OnTasksEnded: no task has anything left to do.
	OnTasksEnded
	// OnTaskFailed: a task was given up; is the error budget spent?
	OnTaskFailed
	// OnLimit: one of the run's own caps is reached; Event.Desc says which.
	OnLimit
	// OnAccount: the run goes on with Event.Account.
	OnAccount
	// OnExportAsked: a person wants the export made again.
	OnExportAsked
	// OnExported: the export file is complete; Event.Desc says what the results
	// lack against those of former runs.
	OnExported
	// OnExportFailed: the export could not be written; Event.Desc says why.
	OnExportFailed

	triggers // how many there are
)

var triggerNames = [triggers]string{
	"start", "pause", "hold", "resume", "wake", "expire", "abort", "fail",
	"tasks ended", "task failed", "limit", "account", "export asked", "exported", "export failed",
}

// String returns the trigger in words.
func (t Trigger) String() string {
	if t < 0 || t >= triggers {
		return "unknown trigger"
	}
	return triggerNames[t]
}

// Event is one thing that happened to a run.
type Event struct {
	On Trigger
	// Reason is why, for OnHold, OnFail and OnAbort (empty there: a person's wish).
	Reason shoal.DoneReason
	// Desc is a sentence for the person who reads the run; empty: the reason's
	// own. For OnTasksEnded and OnTaskFailed it is what went wrong last.
	Desc string
	// RetryAfter is the wait that the target asked for; 0: it asked for none.
	RetryAfter time.Duration
	// Until is when a hold ends by itself; zero: the reason's own rule.
	Until time.Time
	// Asked says that a person wanted the run to go on, so that a hold which
	// stands against it begins a pause of its own.
	Asked bool
	// Account is the account that the run works with, for OnStart, OnResume,
	// OnWake and OnAccount; 0: none.
	Account int64
	// Rules are the waits in force; nil: DefaultRules.
	Rules *Rules
}

// Rules are the waits of paused runs.
type Rules struct {
	// TooManyFirst and TooManyMax bound the doubling wait after
	// too_many_requests when the target names none.
	TooManyFirst, TooManyMax time.Duration
	// RequestFailed is the wait after request_failed.
	RequestFailed time.Duration
	// MaxPaused is how long a run may stay paused, and how long the waits of
	// pauses in a row may add up to, before it ends as an error.
	MaxPaused time.Duration
}

// DefaultRules are the waits unless the operator chose others.
var DefaultRules = Rules{
	TooManyFirst:  15 * time.Minute,
	TooManyMax:    6 * time.Hour,
	RequestFailed: 6 * time.Hour,
	MaxPaused:     7 * 24 * time.Hour,
}

func (e *Event) rules() *Rules {
	if e.Rules != nil {
		return e.Rules
	}
	return &DefaultRules
}

// wait returns how long the (n+1)-th pause in a row for reason lasts; 0 when
// the reason has no time of its own.
func (ru *Rules) wait(reason shoal.DoneReason, n int) time.Duration {
	switch reason {
	case shoal.ReasonRequestFailed:
		return ru.RequestFailed
	case shoal.ReasonTooManyRequests:
		w := ru.TooManyFirst
		for range n {
			if w *= 2; w >= ru.TooManyMax {
				return ru.TooManyMax
			}
		}
		return w
	}
	return 0
}

// spent reports whether n pauses in a row for reason have used up MaxPaused,
// so that a run which fails after each wake does not block its squid for ever.
func (ru *Rules) spent(reason shoal.DoneReason, n int) bool {
	var sum time.Duration
	for i := range n {
		if sum += ru.wait(reason, i); sum >= ru.MaxPaused {
			return true
		}
	}
	return false
}
