package schedule

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"shoal"
	"shoal/internal/jobs"
	"shoal/internal/pgtest"
	"shoal/internal/store"
	"shoal/internal/store/storetest"
)

// clock is a clock that a test sets.
type clock struct{ micros atomic.Int64 }

func (c *clock) now() time.Time  { return time.UnixMicro(c.micros.Load()).UTC() }
func (c *clock) set(t time.Time) { c.micros.Store(t.UnixMicro()) }
func (c *clock) at(s string)     { c.set(at(s)) }
func at(s string) time.Time {
	t, err := time.Parse("2006-01-02 15:04:05", s)
	if err != nil {
		panic(err)
	}
	return t
}

// world is a database with a launcher on it. Its runs stay under way until the
// test ends them.
type world struct {
	*storetest.Env
	t     *testing.T
	clock *clock
	l     *Launcher
}

// each runs f on both databases, from noon of 1 March 2026 on.
func each(t *testing.T, f func(t *testing.T, w *world)) {
	t.Helper()
	for name, env := range map[string]func(*testing.T, store.Options) *storetest.Env{
		"sqlite": func(t *testing.T, o store.Options) *storetest.Env { return storetest.New(t, o) },
		"postgres": func(t *testing.T, o store.Options) *storetest.Env {
			o.DatabaseURL = pgtest.Database(t)
			return storetest.New(t, o)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := &clock{}
			c.at("2026-03-01 12:00:00")
			w := &world{t: t, clock: c, Env: env(t, store.Options{DataDir: t.TempDir(), Now: c.now})}
			w.l = w.launcher(w.Store)
			f(t, w)
		})
	}
}

func (w *world) launcher(s *store.Store) *Launcher {
	return NewLauncher(s, starter{s}, LauncherConfig{Now: w.clock.now, Log: w.Options.Logger})
}

// starter makes runs as internal/runs does, of a crawler that is always fit.
type starter struct{ store *store.Store }

func (s starter) Launch(ctx context.Context, c shoal.LaunchClaim) (shoal.Run, error) {
	return s.store.CreateRun(ctx, shoal.NewRun{
		ID: shoal.NewID[shoal.RunID](), WorkspaceID: c.Due.WorkspaceID, SquidID: c.Due.SquidID, Origin: shoal.OriginSchedule, Actor: "schedule",
		Version:  shoal.CrawlerVersion{CrawlerID: storetest.CrawlerID, Slug: "website", Version: 1, Digest: "d1"},
		Settings: shoal.RunSettings{Concurrency: 1}, Launch: &c,
		Begin: func(r *shoal.Run, _ *shoal.Standing, now time.Time) (shoal.Effects, error) {
			r.Status, r.StartedAt, r.ActiveSince = shoal.RunRunning, now, now
			return shoal.EffectSlots, nil
		},
	})
}

func ptr[T any](v T) *T { return &v }

// scheduled makes a squid with tasks and a schedule.
func (w *world) scheduled(tasks int, cron, zone string, more ...func(*shoal.SquidPatch)) shoal.SquidID {
	w.t.Helper()
	id := w.Squid(w.t, tasks)
	p := shoal.SquidPatch{CronExpression: &cron, Timezone: &zone}
	for _, set := range more {
		set(&p)
	}
	w.update(id, p)
	return id
}

func missed(p shoal.MissedPolicy) func(*shoal.SquidPatch) {
	return func(patch *shoal.SquidPatch) { patch.MissedLaunches = &p }
}

func (w *world) update(id shoal.SquidID, p shoal.SquidPatch) shoal.Squid {
	w.t.Helper()
	q, err := w.Store.UpdateSquid(w.t.Context(), w.Workspace, id, p)
	if err != nil {
		w.t.Fatal(err)
	}
	return q
}

// tick has everything launched that is due at the time given.
func (w *world) tick(s string) {
	w.t.Helper()
	w.clock.at(s)
	if w.l.launchDue(w.t.Context()) {
		w.t.Fatal("a launch failed")
	}
}

func (w *world) squid(id shoal.SquidID) shoal.Squid {
	w.t.Helper()
	q, err := w.Store.Squid(w.t.Context(), w.Workspace, id)
	if err != nil {
		w.t.Fatal(err)
	}
	return q
}

// endRun ends the squid's run that is under way.
func (w *world) endRun(id shoal.SquidID) {
	w.t.Helper()
	last := w.squid(id).LastRun
	if last == nil || last.Status.Terminal() {
		w.t.Fatalf("no run is under way: %+v", last)
	}
	_, err := w.Store.ChangeRun(w.t.Context(), last.ID, "engine", func(r *shoal.Run, now time.Time) (shoal.Effects, error) {
		r.Status, r.DoneReason, r.EndedAt = shoal.RunDone, shoal.ReasonTasksDone, now
		return shoal.EffectDropLeases, nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

// history returns what became of the squid's launches, oldest first, as
// "slot outcome(missed)".
func (w *world) history(id shoal.SquidID) string {
	w.t.Helper()
	l, err := w.Store.Launches(w.t.Context(), w.Workspace, id, shoal.Window{Page: 1, Limit: 100})
	if err != nil {
		w.t.Fatal(err)
	}
	var all []string
	for _, e := range l.Items {
		s := e.Slot.Format("02 15:04 ") + string(e.Outcome)
		if e.Missed > 0 {
			s += fmt.Sprintf("(%d)", e.Missed)
		}
		if (e.RunID != "") != (e.Outcome == shoal.LaunchStarted) {
			w.t.Errorf("%s has the run %q", s, e.RunID)
		}
		all = append([]string{s}, all...)
	}
	return strings.Join(all, ", ")
}

func (w *world) wantHistory(id shoal.SquidID, want string) {
	w.t.Helper()
	if got := w.history(id); got != want {
		w.t.Errorf("history\n got %s\nwant %s", got, want)
	}
}

func (w *world) wantNext(id shoal.SquidID, want string) {
	w.t.Helper()
	next := w.squid(id).NextLaunchAt
	if want == "" && next.IsZero() {
		return
	}
	if want == "" || !next.Equal(at(want)) {
		w.t.Errorf("the next launch is at %v, want %s", next, want)
	}
}

// A schedule launches at its time in its zone, through a change of the clock,
// and squid and run say when it launches next.
func TestLaunch(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		id := w.scheduled(2, "0 10 * * *", "Europe/Paris")
		w.clock.at("2026-03-27 12:00:00")
		w.update(id, shoal.SquidPatch{CronExpression: ptr("30 10 * * *")})
		w.update(id, shoal.SquidPatch{CronExpression: ptr("0 10 * * *")})
		w.wantNext(id, "2026-03-28 09:00:00")
		w.tick("2026-03-28 08:59:59")
		w.wantHistory(id, "")
		w.tick("2026-03-28 09:00:00")
		run := w.squid(id).LastRun
		if run == nil || run.Origin != shoal.OriginSchedule || run.Status != shoal.RunRunning {
			t.Fatalf("the launched run: %+v", run)
		}
		got, err := w.Store.Run(t.Context(), w.Workspace, run.ID)
		if err != nil || !got.NextLaunchAt.Equal(at("2026-03-29 08:00:00")) {
			t.Errorf("the run says the next launch is at %v, %v", got.NextLaunchAt, err)
		}
		w.wantNext(id, "2026-03-29 08:00:00")
		w.endRun(id)
		w.tick("2026-03-29 08:00:00")
		w.endRun(id)
		w.wantHistory(id, "28 09:00 launched, 29 08:00 launched")
		l, err := w.Store.Schedules(t.Context(), w.Workspace, shoal.Window{Page: 1, Limit: 10})
		if err != nil || l.Total != 1 || l.Items[0].ID != id || l.Items[0].LastLaunch == nil || !l.Items[0].LastLaunch.Slot.Equal(at("2026-03-29 08:00:00")) {
			t.Errorf("schedules: %+v, %v", l, err)
		}
		list, err := w.Store.Runs(t.Context(), w.Workspace, id, shoal.Window{Page: 1, Limit: 10})
		if err != nil || len(list.Items) != 2 || !list.Items[1].NextLaunchAt.Equal(at("2026-03-30 08:00:00")) {
			t.Errorf("runs: %+v, %v", list, err)
		}
	})
}

// What is missed while nothing runs is made up for as the squid wants it.
func TestMissedLaunches(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		once := w.scheduled(1, "0 * * * *", "UTC")
		skip := w.scheduled(1, "0 * * * *", "UTC", missed(shoal.MissedSkip))
		all := w.scheduled(1, "0 * * * *", "UTC", missed(shoal.MissedAll))
		w.tick("2026-03-01 17:20:00") // 13:00 … 17:00 were missed
		w.wantHistory(once, "01 17:00 launched(4)")
		w.wantHistory(skip, "01 17:00 missed(4)")
		w.wantHistory(all, "01 13:00 launched")
		if m := w.squid(skip).Message; !strings.Contains(m, "5 launches were left out") || !strings.Contains(m, "2026-03-01 13:00 (UTC)") {
			t.Errorf("the message is %q", m)
		}
		w.endRun(once)
		for range 4 {
			w.endRun(all)
			w.tick("2026-03-01 17:30:00")
		}
		w.endRun(all)
		w.tick("2026-03-01 17:40:00")
		w.wantHistory(all, "01 13:00 launched, 01 14:00 launched, 01 15:00 launched, 01 16:00 launched, 01 17:00 launched")
		w.tick("2026-03-01 18:00:30") // half a minute late is on time
		w.wantHistory(once, "01 17:00 launched(4), 01 18:00 launched")
		w.wantHistory(skip, "01 17:00 missed(4), 01 18:00 launched")
		if m := w.squid(skip).Message; m != "" {
			t.Errorf("the message stays after a launch: %q", m)
		}
		for _, id := range []shoal.SquidID{once, skip, all} {
			w.wantNext(id, "2026-03-01 19:00:00")
			w.endRun(id)
		}
		w.tick("2026-03-03 19:00:10") // 19:00 … 19:00 two days later: the last is on time
		w.wantHistory(skip, "01 17:00 missed(4), 01 18:00 launched, 03 19:00 launched(48)")
		for range 23 {
			w.endRun(all)
			w.tick("2026-03-03 19:00:20")
		}
		if h := w.history(all); !strings.Contains(h, "01 18:00 launched, 02 20:00 launched(25), 02 21:00 launched") || !strings.HasSuffix(h, "03 19:00 launched") {
			t.Errorf("more than %d are made up for: %s", shoal.MaxCatchUp, h)
		}
	})
}

// A slot that comes while the run before is under way is skipped, and whoever
// looks is told: the squid, the run's log, the history.
func TestOverlap(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		id := w.scheduled(1, "*/10 * * * *", "UTC")
		w.tick("2026-03-01 12:10:00")
		w.tick("2026-03-01 12:20:00")
		w.wantHistory(id, "01 12:10 launched, 01 12:20 skipped")
		q := w.squid(id)
		if !strings.Contains(q.Message, "The launch of 2026-03-01 12:20 (UTC) was skipped") {
			t.Errorf("the squid's message is %q", q.Message)
		}
		log, err := w.Store.RunLog(t.Context(), w.Workspace, q.LastRun.ID, shoal.Window{Page: 1, Limit: 10})
		if err != nil || len(log.Items) == 0 || log.Items[0].Kind != shoal.EventNote || log.Items[0].Actor != "schedule" || !strings.Contains(string(log.Items[0].Payload), "was skipped") {
			t.Errorf("the run's log: %+v, %v", log, err)
		}
		storetest.Check(t, w.Env, q.LastRun.ID)
		w.endRun(id)
		w.tick("2026-03-01 12:30:00")
		w.wantHistory(id, "01 12:10 launched, 01 12:20 skipped, 01 12:30 launched")
		if m := w.squid(id).Message; m != "" {
			t.Errorf("the message stays after a launch: %q", m)
		}
	})
}

// A missed slot that is made up for waits for the run that is under way.
func TestMakingUpWaits(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		id := w.scheduled(1, "0 * * * *", "UTC", missed(shoal.MissedAll))
		w.tick("2026-03-01 14:10:00")
		w.wantNext(id, "")
		w.tick("2026-03-01 14:20:00")
		w.wantHistory(id, "01 13:00 launched")
		w.endRun(id)
		w.tick("2026-03-01 14:30:00")
		w.wantHistory(id, "01 13:00 launched, 01 14:00 launched")
		w.wantNext(id, "2026-03-01 15:00:00")
	})
}

// A launch that cannot start is recorded, with the reason, and not repeated.
func TestCannotStart(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		id := w.scheduled(0, "0 * * * *", "UTC")
		w.tick("2026-03-01 13:00:00")
		w.tick("2026-03-01 13:00:01")
		w.wantHistory(id, "01 13:00 failed")
		l, err := w.Store.Launches(t.Context(), w.Workspace, id, shoal.Window{Page: 1, Limit: 10})
		if err != nil || l.Items[0].Reason != "NoTasksPresent" || !strings.Contains(l.Items[0].Message, "2026-03-01 13:00 (UTC) could not start: This squid has no active task") {
			t.Errorf("history: %+v, %v", l, err)
		}
		if w.squid(id).Message != l.Items[0].Message {
			t.Errorf("the squid's message is %q", w.squid(id).Message)
		}
		w.wantNext(id, "2026-03-01 14:00:00")
	})
}

// Who is switched off, deleted or unscheduled is not launched, and what passed
// while a squid was switched off was not missed.
func TestNotPlanned(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		off := w.scheduled(1, "0 * * * *", "UTC")
		gone := w.scheduled(1, "0 * * * *", "UTC")
		never := w.scheduled(1, "0 * * * *", "UTC")
		w.update(off, shoal.SquidPatch{IsActive: ptr(false)})
		w.update(never, shoal.SquidPatch{CronExpression: ptr("")})
		if err := w.Store.DeleteSquid(t.Context(), w.Workspace, gone); err != nil {
			t.Fatal(err)
		}
		w.wantNext(off, "")
		w.wantNext(never, "")
		if next, err := w.Store.NextDue(t.Context()); err != nil || !next.IsZero() {
			t.Errorf("something is due at %v, %v", next, err)
		}
		w.tick("2026-03-01 15:30:00")
		w.update(off, shoal.SquidPatch{IsActive: ptr(true)})
		w.wantNext(off, "2026-03-01 16:00:00")
		w.tick("2026-03-01 15:59:59")
		w.wantHistory(off, "")
		w.tick("2026-03-01 16:00:00")
		w.wantHistory(off, "01 16:00 launched")
		w.wantHistory(never, "")
	})
}

// Jitter spreads launches, is the same for all who look, and stays in bounds.
func TestJitter(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		jitter := func(p *shoal.SquidPatch) { p.LaunchJitter = ptr(10 * time.Minute) }
		delays := map[time.Duration]bool{}
		for range 20 {
			id := w.scheduled(1, "0 13 * * *", "UTC", jitter)
			next := w.squid(id).NextLaunchAt
			d := next.Sub(at("2026-03-01 13:00:00"))
			if d < 0 || d > 10*time.Minute {
				t.Errorf("put off by %v", d)
			}
			delays[d] = true
			w.clock.set(next.Add(-time.Millisecond))
			w.l.launchDue(t.Context())
			w.wantHistory(id, "")
			w.clock.set(next)
			w.l.launchDue(t.Context())
			w.wantHistory(id, "01 13:00 launched")
			w.clock.at("2026-03-01 12:00:00")
		}
		if len(delays) < 10 {
			t.Errorf("20 squids are spread over %d moments", len(delays))
		}
	})
}

// A clock that is set back launches nothing twice.
func TestClockSetBack(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		id := w.scheduled(1, "0 * * * *", "UTC")
		w.tick("2026-03-01 13:00:00")
		w.endRun(id)
		w.clock.at("2026-03-01 12:30:00")
		w.update(id, shoal.SquidPatch{CronExpression: ptr("@hourly")})
		w.tick("2026-03-01 13:00:00")
		w.wantHistory(id, "01 13:00 launched")
		w.wantNext(id, "2026-03-01 14:00:00")
	})
}

// A thousand schedules that are due together are launched by three servers,
// each once, within 10 seconds.
func TestThousandAtOnce(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		const squids = 1000
		w.Exec(t, `INSERT INTO squids (id, workspace_pk, crawler_id, crawler_slug, name, name_lower, next_task_seq, task_count, url_task_count,
				created_at, updated_at, cron_expression, timezone)
			WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000)
			SELECT 'squid' || n.i, w.pk, $1, 'website', 'squid' || n.i, 'squid' || n.i, 1, 1, 1, 0, 0, '* * * * *', 'UTC' FROM n, workspaces w`, storetest.CrawlerID)
		w.Exec(t, `INSERT INTO tasks (key, id, squid_pk, digest, params, has_url, created_at)
			SELECT pk * 1099511627776 + 1, 'task' || pk, pk, $1, '{"url":"https://site.test/"}', TRUE, 0 FROM squids`, []byte("0123456789abcdef"))
		w.Exec(t, `INSERT INTO schedules (squid_pk, plan, due_at) SELECT pk, cron_expression || '|' || timezone, 1 FROM squids`)
		w.tick("2026-03-01 12:00:30") // finds their times out, as after an update of the program
		if n := w.Int(t, `SELECT count(*) FROM schedules WHERE slot = $1 AND due_at = slot`, at("2026-03-01 12:01:00").UnixMicro()); n != squids {
			t.Fatalf("%d are planned", n)
		}
		w.clock.at("2026-03-01 12:01:00")
		var servers sync.WaitGroup
		began := time.Now()
		for _, l := range []*Launcher{w.l, w.other(), w.other()} {
			servers.Go(func() {
				if l.launchDue(t.Context()) {
					t.Error("a launch failed")
				}
			})
		}
		servers.Wait()
		took := time.Since(began)
		t.Logf("%d launches took %v", squids, took.Round(time.Millisecond))
		if n := w.Int(t, `SELECT count(*) FROM runs`); n != squids {
			t.Errorf("%d runs, want %d", n, squids)
		}
		if n := w.Int(t, `SELECT count(*) FROM launches WHERE outcome = 'launched'`); n != squids {
			t.Errorf("%d of %d are launched in the history", n, squids)
		}
		if n := w.Int(t, `SELECT count(DISTINCT squid_pk) FROM runs WHERE origin = 'schedule'`); n != squids {
			t.Errorf("%d squids were launched", n)
		}
	})
}

// other returns another server's launcher on the same database; on SQLite,
// which belongs to one process, a second one of this.
func (w *world) other() *Launcher {
	w.t.Helper()
	if w.Options.DatabaseURL == "" {
		return w.launcher(w.Store)
	}
	db, err := store.OpenDB(w.t.Context(), w.Options)
	if err != nil {
		w.t.Fatal(err)
	}
	client, err := jobs.Open(jobs.Options{DB: db.WriteDB(), Dialect: jobs.Dialect(db.Dialect()), Owner: "test-" + shoal.NewID[string](), OtherWorkers: 1})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { db.Close() })
	return w.launcher(store.New(db, client))
}

// Run launches at the minute, and notices at once what this process schedules.
func TestRunSleepsUntilDue(t *testing.T) {
	w := &world{t: t, clock: &clock{}, Env: storetest.SQLite(t)}
	id := w.Squid(t, 1)
	started := make(chan shoal.Run, 1)
	l := NewLauncher(w.Store, reporting{starter{w.Store}, started}, LauncherConfig{Look: time.Hour})
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := l.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	defer wg.Wait()
	defer cancel()
	w.update(id, shoal.SquidPatch{CronExpression: ptr("@yearly")})
	// The turn of the year may be far: let it be in a moment.
	slot := time.Now().Add(300 * time.Millisecond).UnixMicro()
	w.Exec(t, `UPDATE schedules SET slot = $1, due_at = $1`, slot)
	w.update(id, shoal.SquidPatch{LaunchJitter: ptr(time.Duration(0))})
	run := <-started
	if late := run.CreatedAt.Sub(time.UnixMicro(slot)); late < 0 || late > time.Second {
		t.Errorf("launched %v after its time", late)
	}
}

// reporting tells of the runs that it starts.
type reporting struct {
	starter
	started chan<- shoal.Run
}

func (r reporting) Launch(ctx context.Context, c shoal.LaunchClaim) (shoal.Run, error) {
	run, err := r.starter.Launch(ctx, c)
	if err == nil {
		r.started <- run
	}
	return run, err
}
