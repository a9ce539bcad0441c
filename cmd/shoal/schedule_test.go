package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"shoal/client"
	"shoal/internal/pgtest"
)

// await calls look until it says that it saw enough.
func awaitLook(t testing.TB, within time.Duration, what string, look func(ctx context.Context) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for !look(ctx) {
		select {
		case <-ctx.Done():
			t.Fatalf("not within %v: %s", within, what)
		case <-tick.C:
		}
	}
}

// A squid that is scheduled for every minute is launched once at the next, by
// one server or by one of several, within a second; and its history says so.
func TestScheduleLaunchesAtTheMinute(t *testing.T) {
	t.Parallel()
	url := site(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, "<html><title>one page</title>")
	}))
	for name, servers := range map[string]func(t *testing.T) []*server{
		"one": func(t *testing.T) []*server { return []*server{newServer(t, t.TempDir(), "")} },
		"several": func(t *testing.T) []*server {
			database := pgtest.Database(t)
			return []*server{newServer(t, t.TempDir(), database), newServer(t, t.TempDir(), database)}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			all := servers(t)
			for _, s := range all {
				s.start()
			}
			api, ctx := all[0].client(), t.Context()
			var squids []string
			for range 5 {
				q, err := api.CreateSquid(ctx, "website", "")
				if err != nil {
					t.Fatal(err)
				}
				if _, err := api.AddTasks(ctx, q.ID, []map[string]any{{"url": url}}); err != nil {
					t.Fatal(err)
				}
				if err := api.UpdateSquid(ctx, q.ID, map[string]any{"cron_expression": "* * * * *"}); err != nil {
					t.Fatal(err)
				}
				squids = append(squids, q.ID)
			}
			for _, id := range squids {
				l := firstLaunch(t, api, id)
				if l.Outcome != "launched" || l.Run == nil {
					t.Fatalf("the launch: %+v", l)
				}
				run, err := api.Run(ctx, *l.Run)
				if err != nil {
					t.Fatal(err)
				}
				if late := run.CreatedAt.Sub(l.ScheduledAt.Time); late < 0 || late > time.Second {
					t.Errorf("launched %v after its time", late)
				}
				if !l.ScheduledAt.Equal(l.ScheduledAt.Truncate(time.Minute)) {
					t.Errorf("scheduled at %v", l.ScheduledAt)
				}
				done := all[0].await(*l.Run, 30*time.Second, func(r *client.Run) bool { return r.IsDone })
				if done.Status != "done" || done.Origin != "schedule" {
					t.Errorf("the run: %+v", done)
				}
				runs, err := api.Runs(ctx, id, client.Window{Page: 1, Limit: 10})
				if err != nil {
					t.Fatal(err)
				}
				minutes := map[time.Time]int{}
				for _, r := range runs.Data {
					minutes[r.CreatedAt.Truncate(time.Minute)]++
				}
				for at, n := range minutes {
					if n != 1 {
						t.Errorf("%d runs at %v", n, at)
					}
				}
			}
		})
	}
}

// firstLaunch waits for the squid's first launch.
func firstLaunch(t *testing.T, api *client.Client, squid string) (l client.Launch) {
	t.Helper()
	awaitLook(t, 75*time.Second, "a launch", func(ctx context.Context) bool {
		p, err := api.Launches(ctx, squid, client.Window{Page: 1, Limit: 50})
		if err != nil || len(p.Data) == 0 {
			return false
		}
		l = p.Data[len(p.Data)-1]
		return true
	})
	return l
}

// A run that is paused for too long exports what it has and ends as an error
// with the reason of its pause; its squid's schedule then goes on.
func TestPauseExpires(t *testing.T) {
	t.Parallel()
	var busy atomic.Bool
	busy.Store(true)
	url := site(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/full" && busy.Load() {
			w.WriteHeader(http.StatusTooManyRequests)
			return
		}
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(w, `<html><title>page</title><a href="/full">more</a>`)
	}))
	s := newServer(t, t.TempDir(), "", "--max-paused", "3s", "--crawlers", "testdata")
	s.start()
	id := s.begin("impatient", url+"/", 1)
	run := s.await(id, 2*time.Minute, func(r *client.Run) bool { return r.IsDone })
	if run.Status != "error" || run.Reason() != "too_many_requests" || run.TotalUniqueResults != 1 || !run.ExportDone {
		t.Fatalf("the run ended as %s, %s, with %d results, exported %v: %s", run.Status, run.Reason(), run.TotalUniqueResults, run.ExportDone, run.Desc())
	}
	busy.Store(false)
	if err := s.client().UpdateSquid(t.Context(), run.Squid, map[string]any{"cron_expression": "* * * * *"}); err != nil {
		t.Fatal(err)
	}
	if l := firstLaunch(t, s.client(), run.Squid); l.Outcome != "launched" {
		t.Errorf("the launch after it: %+v", l)
	}
}

// The verbs of schedules, as a person types them.
func TestScheduleVerbs(t *testing.T) {
	t.Parallel()
	s := newServer(t, t.TempDir(), "")
	s.start()
	q, err := s.client().CreateSquid(t.Context(), "website", "News")
	if err != nil {
		t.Fatal(err)
	}
	shoal := func(code int, want string, args ...string) {
		t.Helper()
		var out, said bytes.Buffer
		args = append([]string{"schedule"}, args...)
		if got := run(append(args, "--server", "http://"+s.addr, "--key", testKey), nil, &out, &said); got != code {
			t.Errorf("%v ends with %d, want %d: %s", args, got, code, said.String())
		}
		if text := out.String() + said.String(); !strings.Contains(text, want) {
			t.Errorf("%v says %q, want %q", args, text, want)
		}
	}
	shoal(0, "News has no schedule", "show", q.ID)
	shoal(2, `cron_expression is "0 25 * * *": the hour "25" must be made of`, "set", q.ID, "0 25 * * *")
	shoal(2, "must be an IANA name", "set", q.ID, "@daily", "--timezone", "Mars")
	shoal(2, "whole seconds", "set", q.ID, "@daily", "--jitter", "1500ms")
	shoal(0, "Every weekday (Monday to Friday) at 08:30 (30 8 * * 1-5, Europe/Paris)", "set", q.ID, "30 8 * * 1-5", "--timezone", "Europe/Paris", "--missed", "skip")
	shoal(0, "missed launches: skip", "set", q.ID, "0 10 * * *", "--jitter", "5m")
	shoal(0, "spread over 5m0s", "show", q.ID)
	shoal(0, "Daily at 10:00", "ls")
	shoal(0, "SCHEDULED FOR", "history", q.ID)
	shoal(0, "by hand only", "rm", q.ID)
	shoal(0, "News has no schedule", "show", q.ID)
}
