package main

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"testing"
	"time"

	"shoal/client"
	"shoal/internal/fixtures"
	"shoal/internal/pgtest"
)

// The run with accounts under fire: its server is killed at random instants,
// and in the middle the account that it works with is blocked by the site.
const (
	loungePages = 400
	loungeKills = 8
)

func TestKillNineWithAccountsSQLite(t *testing.T) {
	t.Parallel()
	accountsUnderFire(t, "")
}

func TestKillNineWithAccountsPostgres(t *testing.T) {
	t.Parallel()
	accountsUnderFire(t, pgtest.Database(t))
}

func accountsUnderFire(t *testing.T, database string) {
	lounge := &fixtures.Lounge{Pages: loungePages}
	url := site(t, lounge)
	srv := newServer(t, t.TempDir(), database, "--crawlers", "testdata")
	srv.start()
	squid, err := srv.client().CreateSquid(t.Context(), "lounge", "")
	if err != nil {
		t.Fatal(err)
	}
	var members []string
	for _, name := range []string{"ann", "bob"} {
		members = append(members, srv.member(lounge, name))
	}
	srv.post("/v1/squids/"+squid.ID, map[string]any{"concurrency": 1, "accounts": members})
	srv.post("/v1/tasks", map[string]any{"squid": squid.ID, "tasks": []any{map[string]any{"url": url + "/0"}}})
	run := srv.post("/v1/runs", map[string]any{"squid": squid.ID})["id"].(string)
	rng := rand.New(rand.NewPCG(2, uint64(len(database))))
	for kill := range loungeKills {
		wait := time.NewTimer(time.Duration(300+rng.IntN(900)) * time.Millisecond)
		select {
		case <-wait.C:
		case err := <-srv.ended:
			t.Fatalf("the server died by itself: %v", err)
		}
		srv.kill()
		if kill == loungeKills/2 {
			for _, name := range []string{"ann", "bob"} {
				if lounge.Served(name) > 0 {
					lounge.Answer(name, fixtures.LoungeBlocked)
					break
				}
			}
		}
		srv.start()
	}
	r := srv.await(run, 3*time.Minute, func(r *client.Run) bool { return r.IsDone })
	if r.Status != "done" || r.Reason() != "tasks_done" || r.TotalResults != loungePages || r.TotalUniqueResults != loungePages {
		t.Fatalf("the run ended as %s/%s (%s) with %d rows, %d of them unique", r.Status, r.Reason(), r.Desc(), r.TotalResults, r.TotalUniqueResults)
	}
	if lounge.Served("ann") == 0 || lounge.Served("bob") == 0 {
		t.Errorf("ann saw %d pages, bob %d: the run did not change its account", lounge.Served("ann"), lounge.Served("bob"))
	}
	// Each page counts once against one account, however often it was fetched.
	var requests, rows float64
	for _, id := range members {
		user := srv.account(id)["params"].(map[string]any)["user"].(map[string]any)
		requests += user["requests"].(map[string]any)["value"].(float64)
		rows += user["batch"].(map[string]any)["current"].(float64)
	}
	if requests != loungePages || rows != loungePages {
		t.Errorf("the accounts show %v requests and %v rows, want %d", requests, rows, loungePages)
	}
}

// member makes an account whose session is its name.
func (s *server) member(lounge *fixtures.Lounge, name string) string {
	s.t.Helper()
	lounge.Answer(name, fixtures.LoungeOpen)
	begun := s.post("/v1/accounts/cookies", map[string]any{"type": "lounge", "username": name, "cookies": map[string]any{fixtures.LoungeCookie: name}})
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(time.Minute); ; <-tick.C {
		sync := s.call(http.MethodGet, "/v1/synchronize/"+begun["id"].(string), nil)
		switch code := sync["status_code"].(float64); {
		case code == 200:
			return sync["account_hash"].(string)
		case code >= 400, time.Now().After(deadline):
			s.t.Fatalf("the account of %s: %v", name, sync)
		}
	}
}

func (s *server) account(id string) map[string]any {
	s.t.Helper()
	return s.call(http.MethodGet, "/v1/accounts/"+id, nil)["data"].([]any)[0].(map[string]any)
}

func (s *server) post(path string, body any) map[string]any {
	s.t.Helper()
	return s.call(http.MethodPost, path, body)
}

// call is one request of the API, which must succeed.
func (s *server) call(method, path string, body any) map[string]any {
	s.t.Helper()
	raw, err := json.Marshal(body)
	if err != nil {
		s.t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(s.t.Context(), method, "http://"+s.addr+path, bytes.NewReader(raw))
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Token "+testKey)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	var answer map[string]any
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil || resp.StatusCode >= 300 {
		s.t.Fatalf("%s %s: %s %v, %v", method, path, resp.Status, answer, err)
	}
	return answer
}
