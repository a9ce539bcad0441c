package runs

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"shoal"
)

var (
	t0 = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	t1 = t0.Add(10 * time.Minute)
)

const (
	slots    = shoal.EffectSlots
	drop     = shoal.EffectDropLeases
	finish   = shoal.EffectFinish
	retry    = shoal.EffectRetryFailed
	abort    = shoal.EffectAbortTasks
	conflict = "RunStateConflict"
	notFound = "RunDoesNotExist"
)

// outcome is what one (state, event) pair must give: either a refusal or a
// state with reason and effects.
type outcome struct {
	refused string // error code; empty: accepted
	status  shoal.RunStatus
	reason  shoal.DoneReason
	effects shoal.Effects
}

func no(code string) outcome { return outcome{refused: code} }

func to(s shoal.RunStatus, reason shoal.DoneReason, effects ...shoal.Effects) outcome {
	o := outcome{status: s, reason: reason}
	for _, e := range effects {
		o.effects |= e
	}
	return o
}

// events is one representative event per trigger.
var events = [triggers]Event{
	OnStart:        {On: OnStart},
	OnPause:        {On: OnPause},
	OnHold:         {On: OnHold, Reason: shoal.ReasonNoCreditsLeft},
	OnResume:       {On: OnResume},
	OnWake:         {On: OnWake},
	OnExpire:       {On: OnExpire},
	OnAbort:        {On: OnAbort},
	OnFail:         {On: OnFail, Reason: shoal.ReasonLastInvoiceNotPaid},
	OnTasksEnded:   {On: OnTasksEnded},
	OnTaskFailed:   {On: OnTaskFailed},
	OnLimit:        {On: OnLimit, Desc: "Stopped at its cap of 10 bytes."},
	OnAccount:      {On: OnAccount, Account: 7},
	OnExportAsked:  {On: OnExportAsked},
	OnExported:     {On: OnExported},
	OnExportFailed: {On: OnExportFailed, Desc: "No space left on device."},
}

// states are the states of a run, one run for each, with the variants that an
// event may tell apart.
var states = map[string]shoal.Run{
	"pending":          {Status: shoal.RunPending, TasksTotal: 4},
	"running":          running(4, 2, 0, 0),
	"running, all in":  running(4, 4, 0, 0),
	"running, failing": running(4, 2, 1, 0),
	"running, dead":    running(4, 4, 4, 4),
	"paused by person": paused(shoal.ReasonNone, 2),
	"paused by engine": paused(shoal.ReasonNoCreditsLeft, 2),
	"paused, failed":   paused(shoal.ReasonRequestFailed, 4),
	"paused, all in":   paused(shoal.ReasonNone, 4),
	"paused too long":  expired(),
	"uploading":        uploading(shoal.RunDone, shoal.ReasonTasksDone),
	"uploading, stop":  uploading(shoal.RunAborted, shoal.ReasonAborted),
	"done":             ended(shoal.RunDone, shoal.ReasonTasksDone, true),
	"done, exporting":  ended(shoal.RunDone, shoal.ReasonTasksDone, false),
	"aborted":          ended(shoal.RunAborted, shoal.ReasonAborted, true),
	"error":            ended(shoal.RunError, shoal.ReasonWebsiteInaccessible, true),
	"error, no export": exportFailed(),
}

func running(total, done, failed, unreached int64) shoal.Run {
	return shoal.Run{
		Status: shoal.RunRunning, StartedAt: t0, ActiveSince: t0,
		TasksTotal: total, TasksDone: done, TasksFailed: failed, TasksUnreached: unreached,
		Settings: shoal.RunSettings{ErrorBudget: 0.1},
	}
}

func paused(reason shoal.DoneReason, done int64) shoal.Run {
	r := running(4, done, 0, 0)
	r.Status, r.DoneReason = shoal.RunPaused, reason
	r.Active, r.ActiveSince = 5*time.Minute, time.Time{}
	r.PausedAt = t0.Add(5 * time.Minute)
	return r
}

func expired() shoal.Run {
	r := paused(shoal.ReasonCookiesExpired, 2)
	r.PausedAt = t1.Add(-DefaultRules.MaxPaused)
	return r
}

func uploading(o shoal.RunStatus, reason shoal.DoneReason) shoal.Run {
	r := running(4, 4, 0, 0)
	r.Status, r.Outcome, r.OutcomeReason, r.DoneReason = shoal.RunUploading, o, reason, reason
	return r
}

func ended(s shoal.RunStatus, reason shoal.DoneReason, exported bool) shoal.Run {
	r := uploading(s, reason)
	r.Status, r.EndedAt = s, t0.Add(time.Minute)
	r.ExportTime, r.ExportCount, r.ExportDone = t0.Add(time.Minute), 1, exported
	r.Active, r.ActiveSince = time.Minute, time.Time{}
	return r
}

func exportFailed() shoal.Run {
	r := ended(shoal.RunError, shoal.ReasonExportFailed, false)
	r.ExportTime, r.ExportCount = time.Time{}, 0
	r.Outcome, r.OutcomeReason = shoal.RunAborted, shoal.ReasonAborted
	return r
}

// table names every pair of a state and an event.
var table = map[string][triggers]outcome{
	"pending": {
		OnStart: to(shoal.RunRunning, "", slots), OnPause: to(shoal.RunPaused, ""),
		OnHold: to(shoal.RunPaused, shoal.ReasonNoCreditsLeft), OnResume: no(conflict), OnWake: no(conflict), OnExpire: no(conflict),
		OnAbort:      to(shoal.RunUploading, shoal.ReasonAborted, drop, abort, finish),
		OnFail:       to(shoal.RunUploading, shoal.ReasonLastInvoiceNotPaid, drop, abort, finish),
		OnTasksEnded: no(conflict), OnTaskFailed: no(conflict), OnLimit: no(conflict),
		OnAccount: no(conflict), OnExportAsked: no(conflict), OnExported: no(conflict), OnExportFailed: no(conflict),
	},
	"running": {
		OnStart: no(conflict), OnPause: to(shoal.RunPaused, ""),
		OnHold: to(shoal.RunPaused, shoal.ReasonNoCreditsLeft), OnResume: no(conflict), OnWake: no(conflict), OnExpire: no(conflict),
		OnAbort:      to(shoal.RunUploading, shoal.ReasonAborted, drop, abort, finish),
		OnFail:       to(shoal.RunUploading, shoal.ReasonLastInvoiceNotPaid, drop, abort, finish),
		OnTasksEnded: no(conflict), OnTaskFailed: to(shoal.RunRunning, ""),
		OnLimit:   to(shoal.RunUploading, shoal.ReasonTasksDone, drop, abort, finish),
		OnAccount: to(shoal.RunRunning, ""), OnExportAsked: no(conflict), OnExported: no(conflict), OnExportFailed: no(conflict),
	},
	"running, all in": {
		OnStart: no(conflict), OnPause: to(shoal.RunPaused, ""),
		OnHold: to(shoal.RunPaused, shoal.ReasonNoCreditsLeft), OnResume: no(conflict), OnWake: no(conflict), OnExpire: no(conflict),
		OnAbort:      to(shoal.RunUploading, shoal.ReasonAborted, drop, abort, finish),
		OnFail:       to(shoal.RunUploading, shoal.ReasonLastInvoiceNotPaid, drop, abort, finish),
		OnTasksEnded: to(shoal.RunUploading, shoal.ReasonTasksDone, finish), OnTaskFailed: to(shoal.RunRunning, ""),
		OnLimit:   to(shoal.RunUploading, shoal.ReasonTasksDone, drop, abort, finish),
		OnAccount: to(shoal.RunRunning, ""), OnExportAsked: no(conflict), OnExported: no(conflict), OnExportFailed: no(conflict),
	},
	"running, failing": {
		OnStart: no(conflict), OnPause: to(shoal.RunPaused, ""),
		OnHold: to(shoal.RunPaused, shoal.ReasonNoCreditsLeft), OnResume: no(conflict), OnWake: no(conflict), OnExpire: no(conflict),
		OnAbort:      to(shoal.RunUploading, shoal.ReasonAborted, drop, abort, finish),
		OnFail:       to(shoal.RunUploading, shoal.ReasonLastInvoiceNotPaid, drop, abort, finish),
		OnTasksEnded: no(conflict), OnTaskFailed: to(shoal.RunPaused, shoal.ReasonRequestFailed),
		OnLimit:   to(shoal.RunUploading, shoal.ReasonTasksDone, drop, abort, finish),
		OnAccount: to(shoal.RunRunning, ""), OnExportAsked: no(conflict), OnExported: no(conflict), OnExportFailed: no(conflict),
	},
	"running, dead": {
		OnStart: no(conflict), OnPause: to(shoal.RunPaused, ""),
		OnHold: to(shoal.RunPaused, shoal.ReasonNoCreditsLeft), OnResume: no(conflict), OnWake: no(conflict), OnExpire: no(conflict),
		OnAbort:      to(shoal.RunUploading, shoal.ReasonAborted, drop, abort, finish),
		OnFail:       to(shoal.RunUploading, shoal.ReasonLastInvoiceNotPaid, drop, abort, finish),
		OnTasksEnded: to(shoal.RunUploading, shoal.ReasonWebsiteInaccessible, finish), OnTaskFailed: to(shoal.RunRunning, ""),
		OnLimit:   to(shoal.RunUploading, shoal.ReasonTasksDone, drop, abort, finish),
		OnAccount: to(shoal.RunRunning, ""), OnExportAsked: no(conflict), OnExported: no(conflict), OnExportFailed: no(conflict),
	},
	"paused by person": pausedWant(outcome{refused: conflict}, no(conflict), to(shoal.RunRunning, "", slots)),
	"paused by engine": pausedWant(to(shoal.RunRunning, "", slots), no(conflict), to(shoal.RunRunning, "", slots)),
	"paused, failed":   pausedWant(to(shoal.RunRunning, "", slots, retry), no(conflict), to(shoal.RunRunning, "", slots, retry)),
	"paused, all in":   pausedWant(outcome{refused: conflict}, no(conflict), to(shoal.RunRunning, "", slots, finish)),
	"paused too long": pausedWant(to(shoal.RunRunning, "", slots),
		to(shoal.RunUploading, shoal.ReasonCookiesExpired, drop, abort, finish), to(shoal.RunRunning, "", slots)),
	"uploading": {
		OnStart: no(conflict), OnPause: no(conflict), OnHold: no(conflict), OnResume: no(conflict), OnWake: no(conflict), OnExpire: no(conflict),
		OnAbort: to(shoal.RunUploading, shoal.ReasonAborted), OnFail: no(conflict),
		OnTasksEnded: no(conflict), OnTaskFailed: no(conflict), OnLimit: no(conflict),
		OnAccount: no(conflict), OnExportAsked: no(conflict), OnExported: to(shoal.RunDone, shoal.ReasonTasksDone),
		OnExportFailed: to(shoal.RunError, shoal.ReasonExportFailed),
	},
	"uploading, stop": {
		OnStart: no(conflict), OnPause: no(conflict), OnHold: no(conflict), OnResume: no(conflict), OnWake: no(conflict), OnExpire: no(conflict),
		OnAbort: to(shoal.RunUploading, shoal.ReasonAborted), OnFail: no(conflict),
		OnTasksEnded: no(conflict), OnTaskFailed: no(conflict), OnLimit: no(conflict),
		OnAccount: no(conflict), OnExportAsked: no(conflict), OnExported: to(shoal.RunAborted, shoal.ReasonAborted),
		OnExportFailed: to(shoal.RunError, shoal.ReasonExportFailed),
	},
	"done":            endedWant(shoal.RunDone, shoal.ReasonTasksDone, no(conflict), no(conflict)),
	"aborted":         endedWant(shoal.RunAborted, shoal.ReasonAborted, no(conflict), no(conflict)),
	"error":           endedWant(shoal.RunError, shoal.ReasonWebsiteInaccessible, no(conflict), no(conflict)),
	"done, exporting": endedWant(shoal.RunDone, shoal.ReasonTasksDone, to(shoal.RunDone, shoal.ReasonTasksDone), to(shoal.RunDone, shoal.ReasonTasksDone)),
	"error, no export": endedWant(shoal.RunError, shoal.ReasonExportFailed,
		to(shoal.RunAborted, shoal.ReasonExportFix), to(shoal.RunError, shoal.ReasonExportFailed)),
}

func pausedWant(wake, expire, resume outcome) [triggers]outcome {
	return [triggers]outcome{
		OnStart: no(conflict), OnPause: no(conflict), OnHold: to(shoal.RunPaused, shoal.ReasonNoCreditsLeft), OnResume: resume, OnWake: wake, OnExpire: expire,
		OnAbort:      to(shoal.RunUploading, shoal.ReasonAborted, drop, abort, finish),
		OnFail:       to(shoal.RunUploading, shoal.ReasonLastInvoiceNotPaid, drop, abort, finish),
		OnTasksEnded: no(conflict), OnTaskFailed: no(conflict), OnLimit: no(conflict), OnAccount: no(conflict),
		OnExportAsked: no(conflict), OnExported: no(conflict), OnExportFailed: no(conflict),
	}
}

func endedWant(s shoal.RunStatus, reason shoal.DoneReason, exported, failed outcome) [triggers]outcome {
	return [triggers]outcome{
		OnStart: no(conflict), OnPause: no(conflict), OnHold: no(conflict), OnResume: no(conflict), OnWake: no(conflict), OnExpire: no(conflict),
		OnAbort: no(notFound), OnFail: no(conflict),
		OnTasksEnded: no(conflict), OnTaskFailed: no(conflict), OnLimit: no(conflict), OnAccount: no(conflict),
		OnExportAsked: to(s, reason, finish), OnExported: exported, OnExportFailed: failed,
	}
}

func TestNextNamesEveryPair(t *testing.T) {
	covered := map[shoal.RunStatus]bool{}
	for name, r := range states {
		covered[r.Status] = true
		row, ok := table[name]
		if !ok {
			t.Errorf("the table has no row for the state %q", name)
			continue
		}
		for on, want := range row {
			t.Run(name+"/"+Trigger(on).String(), func(t *testing.T) { checkPair(t, r, events[on], want) })
		}
	}
	for _, s := range []shoal.RunStatus{shoal.RunPending, shoal.RunRunning, shoal.RunPaused, shoal.RunUploading, shoal.RunDone, shoal.RunAborted, shoal.RunError} {
		if !covered[s] {
			t.Errorf("no state of the table is %q", s)
		}
	}
}

func checkPair(t *testing.T, r shoal.Run, e Event, want outcome) {
	if want == (outcome{}) {
		t.Fatal("the table does not name this pair")
	}
	got, effects, err := Next(r, e, t1)
	if want.refused != "" {
		if shoal.CodeOf(err) != want.refused {
			t.Fatalf("error %v, want the code %s", err, want.refused)
		}
		if effects != 0 || fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", r) {
			t.Error("a refused event changed the run")
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	if got.Status != want.status || got.DoneReason != want.reason || effects != want.effects {
		t.Errorf("got %s/%s with effects %b, want %s/%s with %b",
			got.Status, got.DoneReason, effects, want.status, want.reason, want.effects)
	}
	checkInvariants(t, got)
}

// checkInvariants holds for every run that Next returns.
func checkInvariants(t *testing.T, r shoal.Run) {
	t.Helper()
	ticking := r.Status == shoal.RunRunning || r.Status == shoal.RunUploading && !r.StartedAt.IsZero()
	if ticking == r.ActiveSince.IsZero() {
		t.Errorf("%s: ActiveSince is %v", r.Status, r.ActiveSince)
	}
	if (r.Status == shoal.RunPaused) == r.PausedAt.IsZero() {
		t.Errorf("%s: PausedAt is %v", r.Status, r.PausedAt)
	}
	if r.Status.Terminal() == r.EndedAt.IsZero() {
		t.Errorf("%s: EndedAt is %v", r.Status, r.EndedAt)
	}
	if r.Status != shoal.RunPaused && !r.WakeAt.IsZero() {
		t.Errorf("%s: WakeAt is %v", r.Status, r.WakeAt)
	}
	if r.Status == shoal.RunUploading && !r.Outcome.Terminal() {
		t.Errorf("uploading towards %q", r.Outcome)
	}
	if r.Status == shoal.RunPaused && r.DoneReasonDesc == "" {
		t.Error("a paused run says nothing")
	}
}

func TestReasonsOfEvents(t *testing.T) {
	for reason, want := range reasons {
		for on, class := range map[Trigger]class{OnHold: holds, OnFail: fails, OnAbort: stops} {
			_, _, err := Next(states["running"], Event{On: on, Reason: reason}, t1)
			if (err == nil) != (want.class == class) {
				t.Errorf("%s with the reason %s: error %v", on, reason, err)
			}
		}
		if want.desc == "" {
			t.Errorf("%s has no sentence", reason)
		}
	}
	for _, on := range []Trigger{OnHold, OnFail} {
		if _, _, err := Next(states["running"], Event{On: on}, t1); err == nil {
			t.Errorf("%s without a reason was accepted", on)
		}
	}
	if _, _, err := Next(states["running"], Event{On: OnPause, Reason: shoal.ReasonStorageFull}, t1); err == nil {
		t.Error("a person's pause with a reason was accepted")
	}
}

// apply applies events one after another, each minutes after the last.
func send(t *testing.T, r shoal.Run, at *time.Time, steps ...Event) shoal.Run {
	t.Helper()
	for _, e := range steps {
		*at = at.Add(time.Minute)
		var err error
		if r, _, err = Next(r, e, *at); err != nil {
			t.Fatal(err)
		}
		checkInvariants(t, r)
	}
	return r
}

func TestDurationLeavesPausesOut(t *testing.T) {
	at := t0
	r := send(t, shoal.Run{Status: shoal.RunPending, TasksTotal: 1}, &at, Event{On: OnStart}, Event{On: OnPause})
	at = at.Add(5 * time.Hour)
	r = send(t, r, &at, Event{On: OnResume}, Event{On: OnAbort}, Event{On: OnExported})
	if d := r.Duration(at.Add(time.Hour)); d != 3*time.Minute {
		t.Errorf("duration %v, want 3m: running 1m, running again 1m, exporting 1m", d)
	}
	if r.Status != shoal.RunAborted || r.ExportCount != 1 || !r.EndedAt.Equal(at) {
		t.Errorf("got %s, %d exports, ended %v", r.Status, r.ExportCount, r.EndedAt)
	}
}

func TestClockJumpsBack(t *testing.T) {
	r, _, err := Next(states["running"], Event{On: OnPause}, t0.Add(-time.Hour))
	if err != nil || r.Active != 0 {
		t.Errorf("active %v, error %v; want 0: a clock that jumps back takes no time away", r.Active, err)
	}
}

func TestTooManyRequestsWaits(t *testing.T) {
	r, at := states["running"], t0
	want := []time.Duration{15 * time.Minute, 30 * time.Minute, time.Hour, 2 * time.Hour, 4 * time.Hour, 6 * time.Hour, 6 * time.Hour}
	for i, w := range want {
		r = send(t, r, &at, Event{On: OnHold, Reason: shoal.ReasonTooManyRequests})
		if got := r.WakeAt.Sub(at); got != w {
			t.Errorf("wait %d is %v, want %v", i, got, w)
		}
		r = send(t, r, &at, Event{On: OnWake})
	}
	r.LastProgressAt = at.Add(time.Second)
	r = send(t, r, &at, Event{On: OnHold, Reason: shoal.ReasonTooManyRequests})
	if got := r.WakeAt.Sub(at); got != want[0] {
		t.Errorf("after progress the wait is %v, want %v", got, want[0])
	}
	r = send(t, r, &at, Event{On: OnWake}, Event{On: OnHold, Reason: shoal.ReasonTooManyRequests, RetryAfter: 90 * time.Second})
	if got := r.WakeAt.Sub(at); got != 90*time.Second {
		t.Errorf("the target asked for 90s and the wait is %v", got)
	}
}

func TestFailingForeverEnds(t *testing.T) {
	for _, reason := range []shoal.DoneReason{shoal.ReasonRequestFailed, shoal.ReasonTooManyRequests} {
		r, at := states["running"], t0
		for n := 0; r.Status == shoal.RunRunning; n++ {
			if n > 100 {
				t.Fatalf("%s: paused and woken for ever", reason)
			}
			if r = send(t, r, &at, Event{On: OnHold, Reason: reason}); r.Status == shoal.RunPaused {
				at = r.WakeAt
				r = send(t, r, &at, Event{On: OnWake})
			}
		}
		if r.Outcome != shoal.RunError || r.OutcomeReason != reason || !strings.Contains(r.OutcomeDesc, "7 days") {
			t.Errorf("ended towards %s/%s: %s", r.Outcome, r.OutcomeReason, r.OutcomeDesc)
		}
		if waited := at.Sub(t0); waited < DefaultRules.MaxPaused || waited > DefaultRules.MaxPaused+24*time.Hour {
			t.Errorf("%s: ended after %v", reason, waited)
		}
	}
}

// TestAnotherReasonHolds: a paused run that may not go on after all says what
// holds it now, and its pause goes on, unless a person had looked at it.
func TestAnotherReasonHolds(t *testing.T) {
	r := shoal.Run{Status: shoal.RunPaused, DoneReason: shoal.ReasonTooManyRequests, PausedAt: t0, WakeAt: t1, Active: time.Minute}
	e := Event{On: OnHold, Reason: shoal.ReasonNoCreditsLeft}
	held, effects, err := Next(r, e, t1)
	if err != nil || effects != 0 || held.DoneReason != shoal.ReasonNoCreditsLeft || !held.PausedAt.Equal(t0) || !held.WakeAt.IsZero() || held.Active != time.Minute {
		t.Errorf("%+v, %v, %v", held, effects, err)
	}
	e.Asked = true
	if held, _, err = Next(r, e, t1); err != nil || !held.PausedAt.Equal(t1) {
		t.Errorf("asked for by a person: paused since %v, %v", held.PausedAt, err)
	}
}

func TestPersonResumesWaitsAnew(t *testing.T) {
	at := t0
	r := send(t, states["running"], &at,
		Event{On: OnHold, Reason: shoal.ReasonTooManyRequests}, Event{On: OnWake},
		Event{On: OnHold, Reason: shoal.ReasonTooManyRequests}, Event{On: OnResume},
		Event{On: OnHold, Reason: shoal.ReasonTooManyRequests})
	if got := r.WakeAt.Sub(at); got != DefaultRules.TooManyFirst {
		t.Errorf("wait %v, want %v", got, DefaultRules.TooManyFirst)
	}
}

func TestErrorBudget(t *testing.T) {
	for _, c := range []struct {
		total, done, failed, unreached int64
		budget                         float64
		status                         shoal.RunStatus
		reason                         shoal.DoneReason
		desc                           string
	}{
		{1, 1, 1, 0, 0.1, shoal.RunPaused, shoal.ReasonRequestFailed, "The task failed: no such page."},
		{1, 1, 1, 1, 0.1, shoal.RunUploading, shoal.ReasonWebsiteInaccessible, "The website could not be reached: no such page."},
		{10, 10, 1, 0, 0.1, shoal.RunUploading, shoal.ReasonTasksDone, "1 of 10 tasks failed: no such page."},
		{10, 10, 1, 1, 0.1, shoal.RunUploading, shoal.ReasonTasksDone, "1 of 10 tasks failed"},
		{10, 10, 2, 0, 0.1, shoal.RunPaused, shoal.ReasonRequestFailed, "2 of 10 tasks failed"},
		{10, 10, 10, 9, 0.1, shoal.RunPaused, shoal.ReasonRequestFailed, "10 of 10 tasks failed"},
		{10, 10, 10, 10, 0.1, shoal.RunUploading, shoal.ReasonWebsiteInaccessible, "any of the 10 tasks"},
		{10, 10, 10, 0, 1, shoal.RunUploading, shoal.ReasonTasksDone, "10 of 10 tasks failed"},
		{10, 10, 0, 0, 0, shoal.RunUploading, shoal.ReasonTasksDone, "All tasks are done."},
	} {
		r := running(c.total, c.done, c.failed, c.unreached)
		r.Settings.ErrorBudget = c.budget
		got, _, err := Next(r, Event{On: OnTasksEnded, Desc: "no such page"}, t1)
		if err != nil || got.Status != c.status || got.DoneReason != c.reason || !strings.Contains(got.DoneReasonDesc, c.desc) {
			t.Errorf("%+v: got %s/%s %q, error %v", c, got.Status, got.DoneReason, got.DoneReasonDesc, err)
		}
	}
}

func TestBudgetWaitsWhileNothingIsReached(t *testing.T) {
	r, _, err := Next(running(100, 50, 50, 50), Event{On: OnTaskFailed}, t1)
	if err != nil || r.Status != shoal.RunRunning {
		t.Errorf("got %s, error %v: a site that no task has reached is judged at the end", r.Status, err)
	}
	r, _, err = Next(running(100, 51, 50, 50), Event{On: OnTaskFailed}, t1)
	if err != nil || r.Status != shoal.RunPaused || !r.WakeAt.Equal(t1.Add(6*time.Hour)) {
		t.Errorf("got %s waking at %v, error %v; want a pause of 6 h", r.Status, r.WakeAt, err)
	}
}

func TestExportFixReturnsToTheOutcome(t *testing.T) {
	for _, o := range []struct {
		status shoal.RunStatus
		reason shoal.DoneReason
	}{
		{shoal.RunDone, shoal.ReasonTasksDone},
		{shoal.RunAborted, shoal.ReasonAborted},
		{shoal.RunError, shoal.ReasonWebsiteInaccessible},
	} {
		at := t0
		r := send(t, uploading(o.status, o.reason), &at, Event{On: OnExportFailed, Desc: "The disk is on fire."})
		if r.DoneReason != shoal.ReasonExportFailed || r.DoneReasonDesc != "The disk is on fire." || r.ExportDone {
			t.Fatalf("got %s %q, exported %v", r.DoneReason, r.DoneReasonDesc, r.ExportDone)
		}
		endedAt, duration := r.EndedAt, r.Duration(at)
		r = send(t, r, &at, Event{On: OnExportAsked}, Event{On: OnExported})
		if r.Status != o.status || r.DoneReason != shoal.ReasonExportFix || !r.ExportDone || r.ExportCount != 1 {
			t.Errorf("got %s/%s, exported %v", r.Status, r.DoneReason, r.ExportDone)
		}
		if !r.EndedAt.Equal(endedAt) || r.Duration(at) != duration {
			t.Error("repairing the export changed when the run ended or how long it took")
		}
		if _, _, err := Next(r, Event{On: OnExported}, at); shoal.KindOf(err) != shoal.KindConflict {
			t.Errorf("a repeated job counted its export again: %v", err)
		}
	}
}

func TestFailedRepeatKeepsTheOldExport(t *testing.T) {
	at := t0
	r := send(t, states["done"], &at, Event{On: OnExportAsked}, Event{On: OnExportFailed, Desc: "no room"})
	if r.Status != shoal.RunDone || !r.ExportDone || r.ExportCount != 1 {
		t.Errorf("got %s, exported %v, %d exports", r.Status, r.ExportDone, r.ExportCount)
	}
}

func TestAbortOfUploadingKeepsAnError(t *testing.T) {
	r, _, err := Next(uploading(shoal.RunError, shoal.ReasonWebsiteInaccessible), Event{On: OnAbort}, t1)
	if err != nil || r.Outcome != shoal.RunError {
		t.Errorf("outcome %s, error %v", r.Outcome, err)
	}
}

func TestAbortOfEndedIsNotFound(t *testing.T) {
	if _, _, err := Next(states["done"], Event{On: OnAbort}, t1); !errors.Is(err, shoal.ErrRunNotFound) {
		t.Errorf("got %v", err)
	}
}

// TestLifecycleNamesEveryReason: docs/run-lifecycle.md has a row with a test for
// every status and every done reason of the contract.
func TestLifecycleNamesEveryReason(t *testing.T) {
	text, err := os.ReadFile("../../docs/run-lifecycle.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]bool{}
	for _, m := range regexp.MustCompile("(?m)^\\| `(\\w+)` \\|.*`Test\\w+` \\|$").FindAllSubmatch(text, -1) {
		rows[string(m[1])] = true
	}
	for reason := range reasons {
		if !rows[string(reason)] {
			t.Errorf("no row with a test for the reason %s", reason)
		}
	}
	for _, s := range []shoal.RunStatus{shoal.RunPending, shoal.RunRunning, shoal.RunPaused, shoal.RunUploading, shoal.RunDone, shoal.RunAborted, shoal.RunError} {
		if !rows[string(s)] {
			t.Errorf("no row with a test for the status %s", s)
		}
	}
}
