package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"time"

	"shoal/client"
	"shoal/internal/pgtest"
)

// ask sends a request that the client has no method for.
func (s *server) ask(method, path string, body any) (answer map[string]any) {
	s.t.Helper()
	b, err := json.Marshal(body)
	if err != nil {
		s.t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(s.t.Context(), method, "http://"+s.addr+path, bytes.NewReader(b))
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Token "+testKey)
	r.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode >= 300 {
		s.t.Fatalf("%s %s: %d %s %v", method, path, resp.StatusCode, raw, err)
	}
	if err := json.Unmarshal(raw, &answer); err != nil {
		s.t.Fatalf("%s %s: %v", method, path, err)
	}
	return answer
}

// links serves a page of n links, and whatever they lead to.
func links(t *testing.T, n int) string {
	return site(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(w, "<html><title>%s</title>", r.URL.Path)
		if r.URL.Path != "/list" {
			return
		}
		for i := range n {
			fmt.Fprintf(w, "<li><a href=/page/%d>page %d</a></li>", i, i)
		}
		io.WriteString(w, "<li>no link</li>")
	}))
}

// handedOver waits until the chain's last hand-over has ended.
func (s *server) handedOver(squid, run string) (h map[string]any) {
	s.t.Helper()
	awaitLook(s.t, time.Minute, "the hand-over", func(context.Context) bool {
		h, _ = s.ask("GET", "/v1/squids/"+squid+"/chain", nil)["last_handover"].(map[string]any)
		return h != nil && h["run"] == run && h["state"] == "ended"
	})
	return h
}

// A finished run's results become tasks of the chain's squid, whose run begins
// by itself, or is left to a person.
func TestChain(t *testing.T) {
	t.Parallel()
	s := newServer(t, t.TempDir(), "", "--crawlers", "testdata")
	s.start()
	url, api, ctx := links(t, 20), s.client(), t.Context()
	first := s.begin("listing", url+"/list", 1)
	run := s.await(first, time.Minute, func(r *client.Run) bool { return r.IsDone })
	chain := "/v1/squids/" + run.Squid + "/chain"
	s.ask("POST", chain, map[string]any{"target_module_id": "impatient", "field_map": map[string]any{"link": "url"}, "cluster_name": "Pages", "cluster_concurrency": 4})
	second, err := api.StartRun(ctx, run.Squid)
	if err != nil {
		t.Fatal(err)
	}
	s.await(second.ID, time.Minute, func(r *client.Run) bool { return r.IsDone })
	h := s.handedOver(run.Squid, second.ID)
	if h["added"] != 20.0 || h["lacking"] != 1.0 || h["results"] != 21.0 {
		t.Errorf("handed over: %v", h)
	}
	next := s.await(h["started_run"].(string), time.Minute, func(r *client.Run) bool { return r.IsDone })
	if next.Status != "done" || next.Origin != "chain" || next.TotalUniqueResults != 20 {
		t.Errorf("the chain's run: %+v", next)
	}
	target, err := api.Squid(ctx, next.Squid)
	if err != nil || target.Name != "Pages" || target.Concurrency != 4 {
		t.Errorf("the chain's squid: %+v, %v", target, err)
	}
	log, err := api.RunLog(ctx, second.ID, client.Window{Page: 1, Limit: 10})
	if err != nil || !strings.Contains(fmt.Sprint(log.Data), "The chain made tasks of 21 results") {
		t.Errorf("the log: %v, %v", log, err)
	}

	s.ask("PATCH", chain, map[string]any{"autostart": false})
	third, err := api.StartRun(ctx, run.Squid)
	if err != nil {
		t.Fatal(err)
	}
	s.await(third.ID, time.Minute, func(r *client.Run) bool { return r.IsDone })
	h = s.handedOver(run.Squid, third.ID)
	held, err := api.Run(ctx, h["started_run"].(string))
	if err != nil || held.Status != "paused" || held.DoneReason != nil || !strings.Contains(held.Desc(), "autostart is off") || h["duplicates"] != 20.0 {
		t.Fatalf("without autostart: %+v, %v; %v", held, err, h)
	}
	if _, err := api.ResumeRun(ctx, held.ID); err != nil {
		t.Fatal(err)
	}
	if r := s.await(held.ID, time.Minute, func(r *client.Run) bool { return r.IsDone }); r.Status != "done" {
		t.Errorf("resumed: %+v", r)
	}
}

// A server that is killed again and again while results are handed over hands
// each over once, to one squid, and starts one run.
func TestChainUnderFire(t *testing.T) {
	t.Parallel()
	for name, database := range map[string]func() string{"sqlite": func() string { return "" }, "postgres": func() string { return pgtest.Database(t) }} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const rows = 5000
			s := newServer(t, t.TempDir(), database(), "--crawlers", "testdata")
			s.start()
			url, api, ctx := links(t, rows), s.client(), t.Context()
			q, err := api.CreateSquid(ctx, "listing", "")
			if err != nil {
				t.Fatal(err)
			}
			if _, err := api.AddTasks(ctx, q.ID, []map[string]any{{"url": url + "/list"}}); err != nil {
				t.Fatal(err)
			}
			// Nobody begins the new run, so that only the hand-over is under fire.
			s.ask("POST", "/v1/squids/"+q.ID+"/chain", map[string]any{"target_module_id": "impatient", "field_map": map[string]any{"link": "url"}, "autostart": false})
			run, err := api.StartRun(ctx, q.ID)
			if err != nil {
				t.Fatal(err)
			}
			s.await(run.ID, time.Minute, func(r *client.Run) bool { return r.IsDone })
			kills := 0
			for ; kills < 8; kills++ {
				<-time.After(time.Duration(rand.IntN(150)) * time.Millisecond)
				s.kill()
				s.start()
				h, _ := s.ask("GET", "/v1/squids/"+q.ID+"/chain", nil)["last_handover"].(map[string]any)
				t.Logf("after kill %d: %v of the results, %v", kills+1, h["results"], h["state"])
				if h["state"] == "ended" {
					break
				}
			}
			h := s.handedOver(q.ID, run.ID)
			if h["added"] != float64(rows) || h["results"] != float64(rows+1) || h["duplicates"] != 0.0 {
				t.Errorf("handed over: %v", h)
			}
			made, err := s.client().Run(ctx, h["started_run"].(string))
			if err != nil {
				t.Fatal(err)
			}
			runs, err := s.client().Runs(ctx, made.Squid, client.Window{Page: 1, Limit: 10})
			if err != nil || len(runs.Data) != 1 {
				t.Errorf("%d runs, %v", len(runs.Data), err)
			}
			squids, err := s.client().Squids(ctx, "", client.Window{Page: 1, Limit: 10})
			if err != nil || len(squids.Data) != 2 {
				t.Errorf("%d squids, %v", len(squids.Data), err)
			}
			stats, err := s.client().RunStats(ctx, made.ID)
			if err != nil || stats.TotalTasks != rows {
				t.Errorf("%d tasks in the run, %v", stats.TotalTasks, err)
			}
		})
	}
}

// The verbs of chains, and the switch of a squid, as a person types them.
func TestChainVerbs(t *testing.T) {
	t.Parallel()
	s := newServer(t, t.TempDir(), "", "--crawlers", "testdata")
	s.start()
	q, err := s.client().CreateSquid(t.Context(), "listing", "Lists")
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		typed string
		code  int
		says  []string
	}{
		{"chain show SQUID", 0, []string{"has no chain", "shoal chain set " + q.ID}},
		{"chain set SQUID", 2, []string{"a new chain needs", "--map"}},
		{"chain set SQUID impatient --map link", 2, []string{`"link" is not of the form name=value`}},
		{"chain set SQUID impatient --map nope=url", 2, []string{`no result field "nope"`}},
		{"chain set SQUID impatient --map link=url --name Pages -c 2 --no-autostart", 0, []string{"hands over to", "link → url", "wait, paused"}},
		{"chain set SQUID", 2, []string{"nothing to change"}},
		{"chain set SQUID --no-active --autostart", 0, []string{"stands still"}},
		{"chain set SQUID --active -c 0", 2, []string{"cluster_concurrency"}},
		{"chain show SQUID --json", 0, []string{`"cluster_name": "Pages"`, `"is_active": false`}},
		{"chain rm SQUID", 0, nil},
		{"chain rm SQUID", 1, []string{"hain"}},
		{"squid update SQUID -c 0", 2, []string{"concurrency is 0"}},
		{"squid update SQUID --no-active", 0, nil},
		{"run start SQUID", 1, []string{"switched off"}},
		{"squid update SQUID --active", 0, nil},
		{"squid update SQUID", 2, []string{"nothing to change"}},
	} {
		said, code := s.shoal([]string{"SHOAL_TOKEN=" + testKey, "SHOAL_SERVER=http://" + s.addr}, strings.Fields(strings.ReplaceAll(step.typed, "SQUID", q.ID))...)
		if code != step.code {
			t.Errorf("%s ended with %d, want %d:\n%s", step.typed, code, step.code, said)
		}
		for _, want := range step.says {
			if !strings.Contains(said, want) {
				t.Errorf("%s does not say %q:\n%s", step.typed, want, said)
			}
		}
	}
}
