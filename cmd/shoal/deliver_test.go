package main

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"shoal/client"
	"shoal/internal/fixtures"
	"shoal/internal/pgtest"
)

// TestPrivateSwitchesAreSeparate starts servers with one switch each: what may
// be visited may not be delivered to, and the other way round.
func TestPrivateSwitchesAreSeparate(t *testing.T) {
	t.Parallel()
	target := site(t, fixtures.Static())
	var hooks atomic.Int32
	receiver := site(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { hooks.Add(1) }))
	for name, c := range map[string]struct {
		args             []string
		visits, delivers bool
	}{
		"targets":    {[]string{"--allow-private-targets"}, true, false},
		"deliveries": {[]string{"--allow-private-deliveries"}, false, true},
		"neither":    {nil, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			srv := newServer(t, t.TempDir(), "")
			srv.args = append([]string{"serve", "--addr", srv.addr}, c.args...)
			srv.start()
			before := hooks.Load()
			got, err := srv.client().TestDelivery(t.Context(), "webhook", "", map[string]any{"url": receiver})
			if err != nil {
				t.Fatal(err)
			}
			if got.Success != c.delivers || (hooks.Load() > before) != c.delivers {
				t.Errorf("the webhook: %+v, received %d: want success %v", got, hooks.Load()-before, c.delivers)
			}
			if !c.delivers && !strings.Contains(got.Detail, "SHOAL_ALLOW_PRIVATE_DELIVERIES") {
				t.Errorf("the refusal names no switch of deliveries: %s", got.Detail)
			}
			r := srv.await(srv.begin("website", target+"/", 1), 30*time.Second, func(r *client.Run) bool { return r.IsDone || r.Status == "paused" })
			if (r.Status == "done") != c.visits {
				t.Errorf("the run ended as %s (%s): want visited %v", r.Status, r.Desc(), c.visits)
			}
		})
	}
}

// mailbox takes webhooks and remembers them; each may be let go unanswered.
type mailbox struct {
	mu     sync.Mutex
	got    map[string][]string // delivery ids by run and event
	arrive chan struct{}       // one for each that arrives
	hold   chan struct{}       // while open, nothing is answered; nil: answers at once
}

func newMailbox() *mailbox {
	return &mailbox{got: map[string][]string{}, arrive: make(chan struct{}, 1000)}
}

func (m *mailbox) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var body struct{ ID, Event string }
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	m.mu.Lock()
	key := body.ID + " " + body.Event
	m.got[key] = append(m.got[key], r.Header.Get("X-Shoal-Delivery"))
	hold := m.hold
	m.mu.Unlock()
	m.arrive <- struct{}{}
	if hold != nil {
		select {
		case <-hold:
		case <-r.Context().Done():
			panic(http.ErrAbortHandler)
		}
	}
}

// of returns the delivery ids of an event of a run.
func (m *mailbox) of(run, event string) []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.got[run+" "+event])
}

// await waits until the run's event has arrived n times. The claim of a server
// that was killed holds for a minute.
func (m *mailbox) await(t *testing.T, run, event string, n int) {
	t.Helper()
	deadline := time.After(3 * time.Minute)
	for len(m.of(run, event)) < n {
		select {
		case <-m.arrive:
		case <-deadline:
			t.Fatalf("%s of %s arrived %d times, want %d", event, run, len(m.of(run, event)), n)
		}
	}
}

// subscribe makes a squid on the server whose runs are told to url.
func (s *server) subscribe(crawler, target, url string) (squid string) {
	s.t.Helper()
	ctx, api := s.t.Context(), s.client()
	made, err := api.CreateSquid(ctx, crawler, "")
	if err != nil {
		s.t.Fatal(err)
	}
	if _, err := api.AddTasks(ctx, made.ID, []map[string]any{{"url": target}}); err != nil {
		s.t.Fatal(err)
	}
	hook := map[string]any{"url": url, "events": map[string]any{"run.running": true, "run.done": true}}
	if _, err := api.SetDelivery(ctx, made.ID, map[string]any{"webhook_fields": hook}); err != nil {
		s.t.Fatal(err)
	}
	return made.ID
}

func TestKilledBetweenSendAndRecordSQLite(t *testing.T) {
	t.Parallel()
	killedBetweenSendAndRecord(t, "")
}

func TestKilledBetweenSendAndRecordPostgres(t *testing.T) {
	t.Parallel()
	killedBetweenSendAndRecord(t, pgtest.Database(t))
}

// killedBetweenSendAndRecord kills the server while a receiver has a delivery
// and has not answered: it comes once more, with the same id, and never again.
func killedBetweenSendAndRecord(t *testing.T, database string) {
	target := site(t, fixtures.Static())
	box := newMailbox()
	box.hold = make(chan struct{})
	receiver := site(t, box)
	srv := newServer(t, t.TempDir(), database, "--allow-private-deliveries")
	srv.start()
	squid := srv.subscribe("website", target+"/", receiver)
	run, err := srv.client().StartRun(t.Context(), squid)
	if err != nil {
		t.Fatal(err)
	}
	box.await(t, run.ID, "run.running", 1)
	srv.kill()
	box.mu.Lock()
	close(box.hold)
	box.mu.Unlock()
	srv.start()
	if database == "" {
		box.await(t, run.ID, "run.running", 2)
		srv.await(run.ID, time.Minute, func(r *client.Run) bool { return r.IsDone })
		box.await(t, run.ID, "run.done", 1)
	} else {
		// Other servers might live: the dead one's claim has to run out.
		srv.await(run.ID, time.Minute, func(r *client.Run) bool { return r.IsDone })
		box.await(t, run.ID, "run.running", 2)
		box.await(t, run.ID, "run.done", 1)
	}
	ids := box.of(run.ID, "run.running")
	if len(ids) != 2 || ids[0] != ids[1] {
		t.Errorf("run.running came as %v, want twice with one id", ids)
	}
	if done := box.of(run.ID, "run.done"); len(done) != 1 || done[0] == ids[0] {
		t.Errorf("run.done came as %v, want once with an id of its own", done)
	}
}

// TestDeliveriesUnderFire kills the server at random instants while runs start
// and end: every event arrives, each under one id, at most once more for each kill.
func TestDeliveriesUnderFire(t *testing.T) {
	t.Parallel()
	target := site(t, fixtures.Static())
	box := newMailbox()
	receiver := site(t, box)
	srv := newServer(t, t.TempDir(), "", "--allow-private-deliveries")
	srv.start()
	const squids, kills = 6, 12
	runs := make([]string, squids)
	for i := range runs {
		run, err := srv.client().StartRun(t.Context(), srv.subscribe("website", target+"/", receiver))
		if err != nil {
			t.Fatal(err)
		}
		runs[i] = run.ID
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for range kills {
		wait := time.NewTimer(time.Duration(rng.IntN(400)) * time.Millisecond)
		select {
		case <-wait.C:
		case err := <-srv.ended:
			t.Fatalf("the server died by itself: %v", err)
		}
		srv.kill()
		srv.start()
	}
	for _, run := range runs {
		srv.await(run, time.Minute, func(r *client.Run) bool { return r.Status == "done" })
		for _, event := range []string{"run.running", "run.done"} {
			box.await(t, run, event, 1)
			ids := box.of(run, event)
			if slices.Sort(ids); len(slices.Compact(slices.Clone(ids))) != 1 || len(ids) > 1+kills {
				t.Errorf("%s of %s came as %v, want one id", event, run, ids)
			}
		}
	}
}

// TestHundredRunsAreTold has a hundred runs that end together: their webhooks
// are all out within 5 s of the last end.
func TestHundredRunsAreTold(t *testing.T) {
	target := site(t, fixtures.Static())
	box := newMailbox()
	receiver := site(t, box)
	srv := newServer(t, t.TempDir(), "", "--allow-private-deliveries")
	srv.start()
	runs := make([]string, 100)
	for i := range runs {
		squid := srv.subscribe("website", target+"/", receiver)
		if err := srv.client().UpdateSquid(t.Context(), squid, map[string]any{"params": map[string]any{"max_pages": 1}}); err != nil {
			t.Fatal(err)
		}
		run, err := srv.client().StartRun(t.Context(), squid)
		if err != nil {
			t.Fatal(err)
		}
		runs[i] = run.ID
	}
	for _, run := range runs {
		srv.await(run, time.Minute, func(r *client.Run) bool { return r.IsDone })
	}
	ended := time.Now()
	for _, run := range runs {
		box.await(t, run, "run.done", 1)
	}
	took := time.Since(ended)
	t.Logf("the last of 100 webhooks came %s after the last run was seen to have ended", took.Round(time.Millisecond))
	if took > 5*time.Second {
		t.Errorf("it took %s, want at most 5 s", took)
	}
}

// TestDeliveryVerbs goes through the delivery verbs of the command line.
func TestDeliveryVerbs(t *testing.T) {
	t.Parallel()
	target := site(t, fixtures.Static())
	box := newMailbox()
	receiver := site(t, box)
	srv := newServer(t, t.TempDir(), "", "--allow-private-deliveries")
	srv.start()
	squid, err := srv.client().CreateSquid(t.Context(), "website", "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := srv.client().AddTasks(t.Context(), squid.ID, []map[string]any{{"url": target + "/"}}); err != nil {
		t.Fatal(err)
	}
	say := func(code int, want string, args ...string) {
		t.Helper()
		var out, errs bytes.Buffer
		args = append(append([]string{"delivery"}, args...), "--server", "http://"+srv.addr, "--key", testKey)
		if got := run(args, strings.NewReader(""), &out, &errs); got != code || !strings.Contains(out.String()+errs.String(), want) {
			t.Errorf("shoal %s: exit %d, want %d and %q:\n%s%s", strings.Join(args, " "), got, code, want, &out, &errs)
		}
	}
	say(0, "whsec_", "set", squid.ID, "webhook", "--set", "url="+receiver, "--set", `events={"run.done":true}`)
	say(0, "Taken (200)", "test", "webhook", "--squid", squid.ID)
	say(1, "refuses the connection", "test", "webhook", "--set", "url=http://127.0.0.1:1/")
	say(2, "name=value", "test", "webhook", "--set", "url")
	say(1, "--smtp-host", "test", "email", "--set", "email=me@example.com")
	say(0, "whse****", "show", squid.ID, "--json")
	say(0, "done", "show", squid.ID)
	say(2, "nothing to set: give settings such as --set bucket=NAME", "set", squid.ID, "s3")
	say(0, "12345678", "set", squid.ID, "s3", "--set", "bucket=12345678", "--set", "aws_access_key=1", "--set", "aws_secret_key=2222222")
	say(0, "12345678", "show", squid.ID)
	say(0, "s3 is taken away", "rm", squid.ID, "s3")
	say(2, "pigeon", "rm", squid.ID, "pigeon")
	r, err := srv.client().StartRun(t.Context(), squid.ID)
	if err != nil {
		t.Fatal(err)
	}
	box.await(t, r.ID, "run.done", 1)
	id := box.of(r.ID, "run.done")[0]
	say(0, id, "ls", "--run", r.ID)
	say(0, "run.done by webhook", "redeliver", id)
	box.await(t, r.ID, "run.done", 2)
	say(0, "webhook is paused", "pause", squid.ID, "webhook")
	say(0, "Paused by a person", "show", squid.ID)
	say(0, "run.done by webhook waits: the channel is paused", "redeliver", id)
	say(0, "held", "ls", "--squid", squid.ID)
	say(0, "works again", "resume", squid.ID, "webhook")
	box.await(t, r.ID, "run.done", 3)
	say(2, "pigeon", "pause", squid.ID, "pigeon")
	say(2, "pigeon", "resume", squid.ID, "pigeon")
	say(0, `"url": null`, "set", squid.ID, "webhook", "--off")
}
