package schedule_test

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"shoal"
	"shoal/internal/crawler"
	"shoal/internal/jobs"
	"shoal/internal/schedule"
	"shoal/internal/store/storetest"
)

// details takes web addresses and a page number.
const details = `
slug: details
name: Details
version: 1
max_concurrency: 4
input:
  - {name: url, level: task, type: string, required: true, regex: '^https?://'}
  - {name: page, level: task, type: int}
start: {url: "{{ task.url }}", page: page}
pages:
  page:
    rows:
      key: url
      fields:
        url: {from: url}
`

type known struct{ *crawler.Program }

func (k known) Info() *shoal.Crawler { return &k.Program.Info }

func (k known) Lookup(context.Context, shoal.WorkspaceID, string) (schedule.Program, error) {
	return k, nil
}

// chained is a squid with a chain, on a database.
type chained struct {
	*storetest.Env
	t      *testing.T
	squid  shoal.SquidID
	known  known
	chains *schedule.Chains
}

func newChained(t *testing.T, e *storetest.Env, set func(*shoal.Chain)) *chained {
	t.Helper()
	p, err := crawler.Compile("details.yaml", []byte(details))
	if err != nil {
		t.Fatal(err)
	}
	c := &chained{Env: e, t: t, squid: e.Squid(t, 1), known: known{p}}
	ch := shoal.Chain{ID: shoal.NewID[shoal.ChainID](), SquidID: c.squid, TargetCrawler: p.Info.ID, IsActive: true, Autostart: true,
		FieldMap: map[string]string{"link": "url"}, ClusterName: "after", ClusterConcurrency: 3}
	if set != nil {
		set(&ch)
	}
	if err := e.Store.SetChain(t.Context(), e.Workspace, ch, false); err != nil {
		t.Fatal(err)
	}
	c.chains = &schedule.Chains{Store: e.Store, Catalogue: c.known, Starts: starts{c}}
	return c
}

// starts makes runs as internal/runs does.
type starts struct{ c *chained }

func (s starts) Chain(ctx context.Context, h shoal.Handover, said func(shoal.Handover, shoal.RunID) string) (shoal.Run, error) {
	n := shoal.NewRun{
		ID: shoal.NewID[shoal.RunID](), WorkspaceID: h.WorkspaceID, SquidID: h.Target, Origin: shoal.OriginChain, Actor: "chain",
		Version:  shoal.CrawlerVersion{CrawlerID: s.c.known.Info().ID, Slug: "details", Version: 1, Digest: "d2"},
		Settings: shoal.RunSettings{Concurrency: 1},
		Begin: func(r *shoal.Run, _ *shoal.Standing, now time.Time) (shoal.Effects, error) {
			r.Status, r.StartedAt, r.ActiveSince = shoal.RunRunning, now, now
			return shoal.EffectSlots, nil
		},
	}
	n.Handover = &shoal.HandoverEnd{Of: h.RunID, Said: func(h shoal.Handover) string { return said(h, n.ID) }}
	return s.c.Store.CreateRun(ctx, n)
}

// finish makes a run of the squid with rows that have the links, done.
func (c *chained) finish(rows ...string) shoal.Run {
	c.t.Helper()
	run := c.Run(c.t, c.squid, shoal.RunSettings{})
	l := c.Lease(c.t, run.ID, 0)
	var all []shoal.Row
	for i, data := range rows {
		key := sha256.Sum256(fmt.Append(nil, i))
		all = append(all, shoal.Row{Key: shoal.Digest(key[:16]), Data: []byte(data)})
	}
	c.Commit(c.t, storetest.Page(l, c.Claim(c.t, l, 1)[0], all...))
	c.to(run.ID, shoal.RunUploading)
	return c.to(run.ID, shoal.RunDone)
}

// to moves a run to a state.
func (c *chained) to(run shoal.RunID, status shoal.RunStatus) shoal.Run {
	c.t.Helper()
	r, err := c.Store.ChangeRun(c.t.Context(), run, "engine", func(r *shoal.Run, now time.Time) (shoal.Effects, error) {
		r.Status, r.DoneReason, r.ActiveSince = status, shoal.ReasonTasksDone, time.Time{}
		if status.Terminal() {
			r.EndedAt = now
		}
		return shoal.EffectDropLeases, nil
	})
	if err != nil {
		c.t.Fatal(err)
	}
	return r
}

// work does the run's chain job, and its successors, as the queue would.
func (c *chained) work(run shoal.RunID) error {
	c.t.Helper()
	args, _ := json.Marshal(jobs.RunArgs{Run: string(run)})
	for range 1000 {
		outcome, err := c.chains.Work(c.t.Context(), args)
		if err != nil || outcome == jobs.Done {
			return err
		}
	}
	c.t.Fatal("the job never ends")
	return nil
}

func (c *chained) mustWork(run shoal.RunID) shoal.Handover {
	c.t.Helper()
	if err := c.work(run); err != nil {
		c.t.Fatal(err)
	}
	h, err := c.Store.Handover(c.t.Context(), run)
	if err != nil {
		c.t.Fatal(err)
	}
	return h
}

// tasks returns the params of a squid's tasks, oldest first.
func (c *chained) tasks(squid shoal.SquidID) []string {
	c.t.Helper()
	l, err := c.Store.Tasks(c.t.Context(), c.Workspace, squid, "", shoal.Window{Page: 1, Limit: 5000})
	if err != nil {
		c.t.Fatal(err)
	}
	var all []string
	for i := range l.Items {
		b, _ := json.Marshal(l.Items[len(l.Items)-1-i].Params)
		all = append(all, string(b))
	}
	return all
}

func (c *chained) runsOf(squid shoal.SquidID) []shoal.Run {
	c.t.Helper()
	l, err := c.Store.Runs(c.t.Context(), c.Workspace, squid, shoal.Window{Page: 1, Limit: 100})
	if err != nil {
		c.t.Fatal(err)
	}
	return l.Items
}

// logOf returns the run's notes, joined.
func (c *chained) logOf(run shoal.RunID) string {
	c.t.Helper()
	events, err := c.Store.Events(c.t.Context(), c.Workspace, run, 0, 100, shoal.EventNote)
	if err != nil {
		c.t.Fatal(err)
	}
	var all []string
	for _, e := range events {
		all = append(all, string(e.Payload))
	}
	return strings.Join(all, "\n")
}

func (c *chained) jobs() int64 {
	return c.Int(c.t, `SELECT count(*) FROM river_job WHERE kind = 'chain'`)
}

// Results become tasks: once each, without those that lack a value or are
// refused; then the target's run starts, and the finished run's log says all.
func TestHandOver(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e *storetest.Env) {
		c := newChained(t, e, nil)
		run := c.finish(`{"link":"https://a.test/1"}`, `{"link":"https://a.test/2"}`, `{"link":"https://a.test/1"}`, `{"link":""}`,
			`{"link":null}`, `{"name":"x"}`, `{"link":"ftp://a.test/"}`, `{"link":["https://a.test/3"]}`, `{"link":" "}`)
		if n := c.jobs(); n != 1 {
			t.Fatalf("%d chain jobs", n)
		}
		h := c.mustWork(run.ID)
		if h.State != shoal.HandoverEnded || h.LookedAt != 9 || h.Added != 2 || h.Duplicates != 1 || h.Lacking != 4 || h.Invalid != 2 {
			t.Errorf("%+v", h)
		}
		if got := c.tasks(h.Target); fmt.Sprint(got) != `[{"url":"https://a.test/1"} {"url":"https://a.test/2"}]` {
			t.Errorf("tasks %v", got)
		}
		target, err := e.Store.Squid(t.Context(), e.Workspace, h.Target)
		if err != nil || target.Name != "after" || target.Concurrency != 3 || target.CrawlerSlug != "details" {
			t.Errorf("target %+v, %v", target, err)
		}
		ch, err := e.Store.Chain(t.Context(), e.Workspace, c.squid)
		if err != nil || ch.TargetSquid != h.Target {
			t.Errorf("the chain's target is %q, %v", ch.TargetSquid, err)
		}
		runs := c.runsOf(h.Target)
		if len(runs) != 1 || runs[0].Origin != shoal.OriginChain || runs[0].ID != h.StartedRun || runs[0].TasksTotal != 2 {
			t.Fatalf("runs %+v", runs)
		}
		for _, want := range []string{"made tasks of 9 results", "2 new and 1 that it had already", "4 had no value of link", "2 were refused by its crawler; the first because: ", string(h.StartedRun) + " has begun"} {
			if log := c.logOf(run.ID); !strings.Contains(log, want) {
				t.Errorf("the log says %s, want %q", log, want)
			}
		}
		c.mustWork(run.ID) // a repeated job
		if n := len(c.runsOf(h.Target)); n != 1 {
			t.Errorf("%d runs after a repeated job", n)
		}
		last, err := e.Store.LastHandover(t.Context(), e.Workspace, c.squid)
		if err != nil || last.RunID != run.ID {
			t.Errorf("the last hand-over %+v, %v", last, err)
		}
		if _, err := e.Store.LastHandover(t.Context(), shoal.NewID[shoal.WorkspaceID](), c.squid); !errors.Is(err, shoal.ErrRunNotFound) {
			t.Errorf("a stranger gets %v", err)
		}
		storetest.Check(t, e, run.ID)
	})
}

// While the target's run is under way the next waits, and what waits together
// becomes one run.
func TestChainWaits(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e *storetest.Env) {
		c := newChained(t, e, nil)
		first := c.mustWork(c.finish(`{"link":"https://a.test/1"}`).ID)
		second := c.finish(`{"link":"https://a.test/2"}`)
		third := c.finish(`{"link":"https://a.test/3"}`)
		for _, run := range []shoal.RunID{second.ID, third.ID} {
			h := c.mustWork(run)
			if h.State != shoal.HandoverWaiting || h.Target != first.Target || !strings.Contains(c.logOf(run), "begins when the one of that squid that is under way has ended") {
				t.Fatalf("%+v: %s", h, c.logOf(run))
			}
		}
		before := c.jobs()
		c.to(first.StartedRun, shoal.RunUploading)
		c.to(first.StartedRun, shoal.RunAborted)
		if n := c.jobs() - before; n != 2 {
			t.Errorf("%d chain jobs by the end of the target's run, want 2", n)
		}
		two, three := c.mustWork(second.ID), c.mustWork(third.ID)
		if n := len(c.runsOf(first.Target)); n != 2 || two.StartedRun != three.StartedRun || two.StartedRun == first.StartedRun || two.State != shoal.HandoverEnded {
			t.Errorf("%d runs; %+v %+v", n, two, three)
		}
		if n := len(c.tasks(first.Target)); n != 3 {
			t.Errorf("%d tasks", n)
		}
	})
}

// Only a run that is done hands over, and only if a task came of it.
func TestChainDoesNotFire(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e *storetest.Env) {
		c := newChained(t, e, nil)
		for _, status := range []shoal.RunStatus{shoal.RunAborted, shoal.RunError} {
			run := e.Run(t, c.squid, shoal.RunSettings{})
			c.to(run.ID, shoal.RunUploading)
			c.to(run.ID, status)
			if status == shoal.RunError {
				c.to(run.ID, shoal.RunDone) // its export was made again
			}
		}
		if n := c.jobs(); n != 0 {
			t.Errorf("%d chain jobs", n)
		}
		run := c.finish(`{"link":""}`)
		if h := c.mustWork(run.ID); h.State != shoal.HandoverEnded || h.StartedRun != "" || !strings.Contains(c.logOf(run.ID), "No run was started") {
			t.Errorf("%+v: %s", h, c.logOf(run.ID))
		}
		off := newChained(t, e, func(ch *shoal.Chain) { ch.IsActive = false; ch.ClusterName = "off" })
		off.finish(`{"link":"https://a.test/1"}`)
		if n := c.jobs(); n != 1 {
			t.Errorf("%d chain jobs, the squid with its chain off included", n)
		}
	})
}

// A target that was deleted is made anew by the next run; one that is deleted
// meanwhile ends the hand-over, and the log says why.
func TestChainTargetDeleted(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e *storetest.Env) {
		c := newChained(t, e, func(ch *shoal.Chain) { ch.ClusterName = "" })
		first := c.mustWork(c.finish(`{"link":"https://a.test/1"}`).ID)
		waiting := c.finish(`{"link":"https://a.test/2"}`)
		if h := c.mustWork(waiting.ID); h.State != shoal.HandoverWaiting {
			t.Fatalf("%+v", h)
		}
		if err := e.Store.DeleteSquid(t.Context(), e.Workspace, first.Target); err != nil {
			t.Fatal(err)
		}
		if h := c.mustWork(waiting.ID); h.State != shoal.HandoverEnded || h.StartedRun != "" || !strings.Contains(c.logOf(waiting.ID), "was deleted") {
			t.Errorf("%+v: %s", h, c.logOf(waiting.ID))
		}
		again := c.mustWork(c.finish(`{"link":"https://a.test/3"}`).ID)
		if again.Target == first.Target || again.StartedRun == "" || len(c.tasks(again.Target)) != 1 {
			t.Errorf("%+v", again)
		}
		target, err := e.Store.Squid(t.Context(), e.Workspace, again.Target)
		if err != nil || target.Name != "Details (1)" {
			t.Errorf("the new target is called %q, %v", target.Name, err)
		}
	})
}

// killer is the store of a process that is killed at its n-th step, before the
// step's transaction or right behind it.
type killer struct {
	schedule.ChainStore
	schedule.ChainStarter
	left   *int
	behind bool
}

var errKilled = errors.New("killed")

// step does a step, or dies.
func step[T any](k killer, do func() (T, error)) (v T, err error) {
	*k.left--
	if *k.left > 0 || *k.left == 0 && k.behind {
		v, err = do()
	}
	if *k.left <= 0 {
		return v, errKilled
	}
	return v, err
}

func (k killer) TargetOf(ctx context.Context, run shoal.RunID, q shoal.Squid, base string) (shoal.SquidID, error) {
	return step(k, func() (shoal.SquidID, error) { return k.ChainStore.TargetOf(ctx, run, q, base) })
}

func (k killer) HandOver(ctx context.Context, h shoal.Handover, b shoal.HandoverBatch) (shoal.Handover, error) {
	return step(k, func() (shoal.Handover, error) { return k.ChainStore.HandOver(ctx, h, b) })
}

func (k killer) HandedOver(ctx context.Context, h shoal.Handover) error {
	_, err := step(k, func() (int, error) { return 0, k.ChainStore.HandedOver(ctx, h) })
	return err
}

func (k killer) Chain(ctx context.Context, h shoal.Handover, said func(shoal.Handover, shoal.RunID) string) (shoal.Run, error) {
	return step(k, func() (shoal.Run, error) { return k.ChainStarter.Chain(ctx, h, said) })
}

// A hand-over that is killed at any step, once and twice, hands the same tasks
// over, to one squid, and starts one run.
func TestChainKilledAnywhere(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e *storetest.Env) {
		var rows []string
		for i := range 250 {
			rows = append(rows, fmt.Sprintf(`{"link":"https://a.test/%d"}`, i/2))
		}
		steps := 0
		for n := 1; ; n++ {
			died := false
			for _, behind := range []bool{false, true} {
				c := newChained(t, e, func(ch *shoal.Chain) { ch.ClusterName = "" })
				run := c.finish(rows...)
				whole := *c.chains
				for range 2 {
					left := n
					k := killer{whole.Store, whole.Starts, &left, behind}
					c.chains = &schedule.Chains{Store: k, Catalogue: c.known, Starts: k}
					if err := c.work(run.ID); errors.Is(err, errKilled) {
						died = true
					} else if err != nil {
						t.Fatal(err)
					}
				}
				c.chains = &whole
				h := c.mustWork(run.ID)
				if h.State != shoal.HandoverEnded || h.LookedAt != 250 || h.Added != 125 || h.Duplicates != 125 || h.StartedRun == "" {
					t.Errorf("killed at step %d: %+v", n, h)
				}
				if tasks, runs := c.tasks(h.Target), c.runsOf(h.Target); len(tasks) != 125 || len(runs) != 1 {
					t.Errorf("killed at step %d: %d tasks, %d runs", n, len(tasks), len(runs))
				}
				if log := c.logOf(run.ID); strings.Count(log, "The chain made tasks") != 1 {
					t.Errorf("killed at step %d: the log says %s", n, log)
				}
			}
			if !died {
				break
			}
			steps++
		}
		if n := e.Int(t, `SELECT count(*) FROM squids WHERE name LIKE 'Details%'`); n != int64(2*(steps+1)) {
			t.Errorf("%d target squids of %d chains", n, 2*(steps+1))
		}
		if steps < 5 {
			t.Errorf("it was killed at %d steps only", steps)
		}
	})
}
