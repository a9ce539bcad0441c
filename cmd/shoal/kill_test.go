package main

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"os/exec"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"shoal/client"
	"shoal/internal/fixtures"
	"shoal/internal/pgtest"
)

// The run under fire: 3,000 pages paced so that nobody can be done before a
// minute has passed, and the server killed at 50 random instants of it.
const (
	firePages = 3000
	fireDelay = 160 * time.Millisecond
	fireSlots = 8
	fireKills = 50
)

func TestKillNineSQLite(t *testing.T) {
	t.Parallel()
	underFire(t, "")
}

func TestKillNinePostgres(t *testing.T) {
	t.Parallel()
	underFire(t, pgtest.Database(t))
}

// underFire kills the server again and again during one run, and compares what
// came of it with the site's truth.
func underFire(t *testing.T, database string) {
	paced := fixtures.Paced(firePages, fireDelay)
	target := fixtures.Count(paced)
	url := site(t, target)
	srv := newServer(t, t.TempDir(), database, "--crawlers", "testdata")
	srv.start()
	// The credits come in pieces, so that the run is also killed while it waits
	// for some and while it is woken by a grant.
	rows := float64(len(paced.Items()))
	srv.onPlan(float64(int(rows / 10)))
	run := srv.begin("paced", url+"/", fireSlots)
	rng := rand.New(rand.NewPCG(1, uint64(len(database))))
	kills := 0
	for kills < fireKills {
		wait := time.NewTimer(time.Duration(rng.IntN(1600)) * time.Millisecond)
		select {
		case <-wait.C:
		case err := <-srv.ended:
			t.Fatalf("the server died by itself: %v", err)
		}
		srv.kill()
		kills++
		srv.start()
		if _, err := srv.client().GrantCredits(t.Context(), firstUser, float64(int(rows/fireKills)+1), "under fire"); err != nil {
			t.Fatal(err)
		}
	}
	if r := srv.await(run, time.Minute, func(*client.Run) bool { return true }); r.IsDone {
		t.Fatalf("the run was done before the last kill: %+v", r)
	}
	r := srv.await(run, 5*time.Minute, func(r *client.Run) bool { return r.IsDone })
	checkRun(t, srv, r, paced)
	checkBooks(t, srv)
	t.Logf("%d kills, %d requests for %d pages, %.1f s of execution", kills, target.Total(), firePages, r.Duration)
}

// firstUser is who the server made at its first start.
const firstUser = "admin@localhost"

// onPlan puts the workspace on a plan with so many credits.
func (s *server) onPlan(credits float64) {
	s.t.Helper()
	if _, err := s.client().CreatePlan(s.t.Context(), map[string]any{"name": "limited", "credits": credits}); err != nil {
		s.t.Fatal(err)
	}
	if _, err := s.client().AssignPlan(s.t.Context(), firstUser, "limited", ""); err != nil {
		s.t.Fatal(err)
	}
}

// checkBooks has the doctor add the ledger up, and adds the movements up as
// everybody can.
func checkBooks(t *testing.T, srv *server) {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, "admin", "doctor")
	cmd.Env = srv.env
	out, _ := cmd.CombinedOutput() // of its verdict on the machine nothing is asked here
	if !bytes.Contains(out, []byte("every balance is the sum of its movements and its ledger")) {
		t.Errorf("the doctor says:\n%s", out)
	}
	balance, err := srv.client().Balance(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	entries, err := srv.client().CreditEntries(t.Context(), firstUser, client.Window{Page: 1, Limit: 100})
	if err != nil {
		t.Fatal(err)
	}
	sum := 0.0
	for _, e := range entries.Data {
		sum += e.Credits
	}
	if sum != float64(balance.Available) || balance.Consumed > balance.Available {
		t.Errorf("the movements add up to %v, the balance says %d, of which %d are consumed", sum, balance.Available, balance.Consumed)
	}
}

// checkRun compares a finished run with the site's truth, row by row, and the
// counters with each other.
func checkRun(t *testing.T, srv *server, r *client.Run, paced *fixtures.PacedSite) {
	t.Helper()
	if r.Status != "done" || r.Reason() != "tasks_done" || !r.ExportDone {
		t.Fatalf("the run ended as %s/%s (%s), export %v", r.Status, r.Reason(), r.Desc(), r.ExportDone)
	}
	items := paced.Items()
	want := make(map[string]fixtures.PacedItem, len(items))
	for _, item := range items {
		want[item.Key] = item
	}
	var file bytes.Buffer
	if _, err := srv.client().Download(t.Context(), r.ID, "jsonl", nil, &file); err != nil {
		t.Fatal(err)
	}
	got := make(map[string]fixtures.PacedItem, len(items))
	rows := 0
	for dec := json.NewDecoder(&file); dec.More(); rows++ {
		var row struct {
			Key, Name string
			Value     int
		}
		if err := dec.Decode(&row); err != nil {
			t.Fatal(err)
		}
		got[row.Key] = fixtures.PacedItem{Key: row.Key, Name: row.Name, Value: row.Value}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("rows (-want +got):\n%.4000s", diff)
	}
	if rows != len(items) || r.TotalUniqueResults != int64(rows) {
		t.Errorf("%d rows in the file, %d counted, %d in truth", rows, r.TotalUniqueResults, len(items))
	}
	if want := int64(len(paced.Pages()) * 5); r.TotalResults != want {
		t.Errorf("total_results = %d: want %d, each page counted once", r.TotalResults, want)
	}
	balance, err := srv.client().Balance(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if r.CreditUsed != float64(rows) || balance.Consumed != int64(rows) {
		t.Errorf("the run used %v credits and the balance says %d: want %d, one a row", r.CreditUsed, balance.Consumed, rows)
	}
}
