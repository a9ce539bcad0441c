package deliver_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"shoal"
	"shoal/internal/deliver"
	"shoal/internal/jobs"
	"shoal/internal/safedial"
	"shoal/internal/seal"
	"shoal/internal/store/storetest"
)

// post is a request that a receiver got.
type post struct {
	header http.Header
	body   string
}

func (p post) event() string { return p.header.Get("X-Shoal-Event") }

// receiver takes webhooks; answer, if set, answers them.
type receiver struct {
	*httptest.Server
	mu     sync.Mutex
	posts  []post
	answer http.HandlerFunc
}

func newReceiver(t *testing.T, answer http.HandlerFunc) *receiver {
	r := &receiver{answer: answer}
	r.Server = httptest.NewServer(r)
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, _ := io.ReadAll(req.Body)
	r.mu.Lock()
	r.posts = append(r.posts, post{req.Header, string(body)})
	answer := r.answer
	r.mu.Unlock()
	if answer != nil {
		answer(w, req)
	}
}

func (r *receiver) will(answer http.HandlerFunc) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answer = answer
}

// got returns the posts so far and forgets them.
func (r *receiver) got() []post {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := r.posts
	r.posts = nil
	return p
}

func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

// office is a database and the service that delivers from it.
type office struct {
	*storetest.Env
	t       *testing.T
	options deliver.Options
	service *deliver.Service
	keys    *seal.Keyring
	squid   shoal.SquidID
	squidPK int64
}

func newOffice(t *testing.T, e *storetest.Env, set func(*deliver.Options)) *office {
	t.Helper()
	keys, err := seal.Load("", filepath.Join(t.TempDir(), "key"))
	if err != nil {
		t.Fatal(err)
	}
	o := deliver.Options{Store: e.Store, Seal: keys, UserAgent: "Shoal/test",
		Dial: safedial.New(safedial.Options{AllowPrivate: true}).DialContext}
	if set != nil {
		set(&o)
	}
	f := &office{Env: e, t: t, options: o, service: deliver.New(o), keys: keys, squid: e.Squid(t, 1)}
	f.squidPK = e.Int(t, `SELECT pk FROM squids WHERE id = $1`, string(f.squid))
	return f
}

// set stores channels' configs as the API does.
func (f *office) set(configs map[shoal.Channel]map[string]any) {
	f.t.Helper()
	d := shoal.DeliveryConfig{Wants: map[shoal.Channel][]shoal.RunEvent{}}
	for c, config := range configs {
		if c == shoal.ChannelEmail {
			d.Email, d.Notify = config["email"].(string), true
			d.EmailAttach, _ = config["attach"].(bool)
			continue
		}
		config["is_active"] = true
		raw, err := json.Marshal(config)
		if err != nil {
			f.t.Fatal(err)
		}
		*d.Part(c) = f.keys.Seal(deliver.Purpose(c), raw)
		d.Wants[c] = deliver.Wants(c, raw)
	}
	err := f.Store.SetDelivery(f.t.Context(), f.Workspace, f.squid, func(stored *shoal.DeliveryConfig) ([]shoal.Channel, error) {
		*stored = d
		return slices.Collect(maps.Keys(configs)), nil
	})
	if err != nil {
		f.t.Fatal(err)
	}
}

func hook(url string) map[string]any {
	return map[string]any{"url": url, "retry": true, "secret": "whsec_one",
		"events": map[string]any{"run.running": true, "run.paused": true, "run.done": true, "run.error": true, "run.aborted": true}}
}

// end ends a run in the given state.
func (f *office) end(run shoal.RunID, s shoal.RunStatus) {
	f.t.Helper()
	_, err := f.Store.ChangeRun(f.t.Context(), run, "engine", func(r *shoal.Run, now time.Time) (shoal.Effects, error) {
		r.Status, r.DoneReason, r.EndedAt = s, "tasks_done", now
		return 0, nil
	})
	if err != nil {
		f.t.Fatal(err)
	}
}

// deliver works n jobs of the target.
func (f *office) deliver(c shoal.Channel, n int) {
	f.t.Helper()
	args, _ := json.Marshal(jobs.DeliverArgs{Squid: f.squidPK, Channel: string(c)})
	for range n {
		if _, err := f.service.Deliver(f.t.Context(), args); err != nil {
			f.t.Fatal(err)
		}
	}
}

// due brings the next attempts forward to now.
func (f *office) due() { f.Exec(f.t, `UPDATE deliveries SET next_at = 0 WHERE status = 'pending'`) }

func (f *office) log(run shoal.RunID) []shoal.Delivery {
	f.t.Helper()
	l, err := f.Store.Deliveries(f.t.Context(), f.Workspace, shoal.DeliveryFilter{Run: run}, shoal.Window{Page: 1, Limit: 100})
	if err != nil {
		f.t.Fatal(err)
	}
	slices.Reverse(l.Items) // oldest first
	return l.Items
}

// verify checks a signature as a receiver does.
func verify(header, secret, body string) bool {
	parts := strings.Split(header, ",")
	t := strings.TrimPrefix(parts[0], "t=")
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(t + "." + body))
	return slices.Contains(parts[1:], "v1="+hex.EncodeToString(mac.Sum(nil)))
}

func TestWebhookTellsOfARun(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e *storetest.Env) {
		f, r := newOffice(t, e, nil), newReceiver(t, nil)
		f.set(map[shoal.Channel]map[string]any{shoal.ChannelWebhook: hook(r.URL + "/in?x=1")})
		run := e.Run(t, f.squid, shoal.RunSettings{})
		f.end(run.ID, shoal.RunPaused)
		f.end(run.ID, shoal.RunRunning)
		f.end(run.ID, shoal.RunUploading) // tells nobody
		f.end(run.ID, shoal.RunDone)
		f.deliver(shoal.ChannelWebhook, 10)
		posts, log := r.got(), f.log(run.ID)
		var events []string
		for i, p := range posts {
			events = append(events, p.event())
			name := "squid " + string(f.squid)
			want := fmt.Sprintf(`{"id":%q,"object":"run","event":%q,"squid":{"id":%q,"name":%q},"timestamp":%q}`,
				run.ID, p.event(), f.squid, name, log[i].CreatedAt.UTC().Format("2006/01/02 15:04:05"))
			if p.body != want {
				t.Errorf("body %s, want %s", p.body, want)
			}
			if !verify(p.header.Get("X-Shoal-Signature"), "whsec_one", p.body) {
				t.Errorf("the signature %q is not of the body", p.header.Get("X-Shoal-Signature"))
			}
			if id := p.header.Get("X-Shoal-Delivery"); id != string(log[i].ID) || p.header.Get("Content-Type") != "application/json" {
				t.Errorf("headers %v, want the delivery %s", p.header, log[i].ID)
			}
			if log[i].Status != shoal.DeliveryDelivered || log[i].StatusCode != 200 || log[i].Attempts != 1 || log[i].Target != "127.0.0.1" {
				t.Errorf("the log has %+v", log[i])
			}
		}
		if got := strings.Join(events, " "); got != "run.running run.paused run.running run.done" {
			t.Errorf("told: %s", got)
		}
	})
}

// TestOutboxIsOfTheTransaction: a change of state that is refused tells nobody.
func TestOutboxIsOfTheTransaction(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e *storetest.Env) {
		f := newOffice(t, e, nil)
		f.set(map[shoal.Channel]map[string]any{shoal.ChannelWebhook: hook("http://receiver.test")})
		run := e.Run(t, f.squid, shoal.RunSettings{})
		refused := errors.New("refused")
		_, err := e.Store.ChangeRun(t.Context(), run.ID, "engine", func(r *shoal.Run, _ time.Time) (shoal.Effects, error) {
			r.Status = shoal.RunDone
			return 0, refused
		})
		if !errors.Is(err, refused) || len(f.log(run.ID)) != 1 {
			t.Errorf("%v, log %v: want run.running alone", err, f.log(run.ID))
		}
		if n := e.Int(t, `SELECT COUNT(*) FROM river_job WHERE kind = 'deliver'`); n != 1 {
			t.Errorf("%d jobs, want one", n)
		}
	})
}

// TestFaultsOfReceivers goes through what a receiver does wrong: each attempt
// has the same id, the order is kept, and the log says what happened.
func TestFaultsOfReceivers(t *testing.T) {
	faults := map[string]struct {
		answer http.HandlerFunc
		detail string
	}{
		"500": {func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "the \x1b[31mdatabase\nis away", 500) }, "500 Internal Server Error: the [31mdatabase is away"},
		"204": {status(204), "204 No Content; 200, 201 or 202 accept"},
		"redirect": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/else", http.StatusTemporaryRedirect)
		}, "Redirects are not followed"},
		"closes": {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "closed the connection before it answered"},
		"garbage": {func(w http.ResponseWriter, _ *http.Request) {
			c, _, _ := http.NewResponseController(w).Hijack()
			io.WriteString(c, "SSH-2.0-OpenSSH_9.2\r\n")
			c.Close()
		}, "malformed HTTP response"},
	}
	storetest.Each(t, func(t *testing.T, e *storetest.Env) {
		for name, fault := range faults {
			f, r := newOffice(t, e, nil), newReceiver(t, fault.answer)
			f.set(map[shoal.Channel]map[string]any{shoal.ChannelWebhook: hook(r.URL)})
			run := e.Run(t, f.squid, shoal.RunSettings{})
			f.end(run.ID, shoal.RunDone)
			for range 3 {
				f.due()
				f.deliver(shoal.ChannelWebhook, 2) // the second finds the next attempt not due
			}
			first := f.log(run.ID)[0]
			if first.Status != shoal.DeliveryPending || first.Attempts != 3 || !strings.Contains(first.Detail, fault.detail) {
				t.Errorf("%s: %+v, want %q", name, first, fault.detail)
			}
			if wait := first.NextAt.Sub(first.LastAt); wait < 15*time.Minute || wait > 17*time.Minute {
				t.Errorf("%s: the next attempt is after %s", name, wait)
			}
			r.will(nil)
			f.due()
			f.deliver(shoal.ChannelWebhook, 2)
			posts := r.got()
			if len(posts) != 5 || posts[4].event() != "run.done" {
				t.Fatalf("%s: %d posts", name, len(posts))
			}
			for _, p := range posts[:4] {
				if p.event() != "run.running" || p.header.Get("X-Shoal-Delivery") != string(first.ID) {
					t.Errorf("%s: an attempt of %s as %s", name, p.event(), p.header.Get("X-Shoal-Delivery"))
				}
			}
		}
	})
}

// TestBrokenTargetIsPaused: deliveries are given up after four attempts, and
// after three of them their target waits for a person.
func TestBrokenTargetIsPaused(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e *storetest.Env) {
		f, r := newOffice(t, e, nil), newReceiver(t, status(503))
		slack := newReceiver(t, nil)
		f.set(map[shoal.Channel]map[string]any{shoal.ChannelWebhook: hook(r.URL), shoal.ChannelSlack: {"url": slack.URL}})
		run := e.Run(t, f.squid, shoal.RunSettings{})
		for _, s := range []shoal.RunStatus{shoal.RunPaused, shoal.RunRunning, shoal.RunDone} {
			f.end(run.ID, s)
		}
		for range 16 {
			f.due()
			f.deliver(shoal.ChannelWebhook, 1)
		}
		if posts := r.got(); len(posts) != 12 {
			t.Errorf("%d posts, want three deliveries tried four times", len(posts))
		}
		log := f.log(run.ID)
		for i, want := range []shoal.DeliveryStatus{shoal.DeliveryFailed, shoal.DeliveryFailed, shoal.DeliveryFailed, shoal.DeliveryPending} {
			if log[i].Status != want || log[i].Held != (want == shoal.DeliveryPending) {
				t.Errorf("delivery %d: %+v, want %s", i, log[i], want)
			}
		}
		targets, err := e.Store.DeliveryTargets(t.Context(), e.Workspace, f.squid)
		if err != nil || len(targets) == 0 {
			t.Fatal(targets, err)
		}
		hookTarget := targets[slices.IndexFunc(targets, func(t shoal.DeliveryTarget) bool { return t.Channel == shoal.ChannelWebhook })]
		if hookTarget.PausedAt.IsZero() || !strings.Contains(hookTarget.Why, "503") || hookTarget.Pending != 1 {
			t.Errorf("the target: %+v", hookTarget)
		}
		alerts := slices.DeleteFunc(slices.Clone(log), func(d shoal.Delivery) bool { return d.Event != shoal.EventDeliveryPaused })
		if len(alerts) != 1 || alerts[0].Channel != shoal.ChannelSlack || !strings.Contains(alerts[0].Payload.Desc, "503") {
			t.Errorf("alerts: %+v", alerts)
		}
		r.will(nil)
		if err := e.Store.ResumeTarget(t.Context(), e.Workspace, f.squid, shoal.ChannelWebhook); err != nil {
			t.Fatal(err)
		}
		f.deliver(shoal.ChannelWebhook, 1)
		if posts := r.got(); len(posts) != 1 || posts[0].event() != "run.done" {
			t.Errorf("after resuming: %v", posts)
		}
		again, err := e.Store.Redeliver(t.Context(), e.Workspace, log[0].ID)
		if err != nil || again.Status != shoal.DeliveryPending || again.Attempts != 0 {
			t.Fatalf("redeliver: %+v, %v", again, err)
		}
		f.deliver(shoal.ChannelWebhook, 1)
		if posts := r.got(); len(posts) != 1 || posts[0].header.Get("X-Shoal-Delivery") != string(log[0].ID) {
			t.Errorf("redelivered: %v", posts)
		}
	})
}

// TestGoneReceiver says 410: it is not asked again.
func TestGoneReceiver(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e *storetest.Env) {
		f, r := newOffice(t, e, nil), newReceiver(t, status(410))
		f.set(map[shoal.Channel]map[string]any{shoal.ChannelWebhook: hook(r.URL)})
		run := e.Run(t, f.squid, shoal.RunSettings{})
		f.end(run.ID, shoal.RunDone)
		f.deliver(shoal.ChannelWebhook, 5)
		log := f.log(run.ID)
		if len(r.got()) != 1 || log[0].Status != shoal.DeliveryFailed || !log[1].Held {
			t.Errorf("log: %+v", log)
		}
		// Setting it anew lets it work again.
		r.will(nil)
		f.set(map[shoal.Channel]map[string]any{shoal.ChannelWebhook: hook(r.URL)})
		f.deliver(shoal.ChannelWebhook, 5)
		if posts := r.got(); len(posts) != 1 {
			t.Errorf("after setting it anew: %d posts", len(posts))
		}
	})
}

// TestClaimsAreFenced: a sender that was thought dead records nothing, and what
// it had is sent once more, with the same id.
func TestClaimsAreFenced(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e *storetest.Env) {
		f, r := newOffice(t, e, nil), newReceiver(t, nil)
		f.set(map[shoal.Channel]map[string]any{shoal.ChannelWebhook: hook(r.URL)})
		run := e.Run(t, f.squid, shoal.RunSettings{})
		dead, err := e.Store.ClaimDelivery(t.Context(), f.squidPK, shoal.ChannelWebhook, time.Hour)
		if err != nil || dead == nil {
			t.Fatal(dead, err)
		}
		f.deliver(shoal.ChannelWebhook, 3)
		if posts := r.got(); len(posts) != 0 {
			t.Fatalf("%d posts of a delivery that another has", len(posts))
		}
		if err := e.Store.RenewDelivery(t.Context(), dead, time.Hour); err != nil {
			t.Fatal(err)
		}
		if err := f.service.Recover(t.Context()); err != nil {
			t.Fatal(err)
		}
		f.deliver(shoal.ChannelWebhook, 1)
		posts := r.got()
		if len(posts) != 1 || posts[0].header.Get("X-Shoal-Delivery") != string(dead.ID) {
			t.Fatalf("posts %v, want %s", posts, dead.ID)
		}
		for name, err := range map[string]error{
			"renew":  e.Store.RenewDelivery(t.Context(), dead, time.Hour),
			"record": e.Store.RecordDelivery(t.Context(), dead, shoal.DeliveryOutcome{Status: shoal.DeliveryFailed}),
		} {
			if !errors.Is(err, shoal.ErrFenced) {
				t.Errorf("%s by the dead: %v, want that it is fenced", name, err)
			}
		}
		if log := f.log(run.ID); log[0].Status != shoal.DeliveryDelivered {
			t.Errorf("log: %+v", log[0])
		}
	})
}

// TestNobodyWantsIt: what was written for a channel that is gone, or a run that
// is, is cancelled and not sent.
func TestNobodyWantsIt(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e *storetest.Env) {
		f, r := newOffice(t, e, nil), newReceiver(t, nil)
		f.set(map[shoal.Channel]map[string]any{shoal.ChannelWebhook: hook(r.URL)})
		run := e.Run(t, f.squid, shoal.RunSettings{})
		f.set(nil)
		f.deliver(shoal.ChannelWebhook, 1)
		if log := f.log(run.ID); log[0].Status != shoal.DeliveryCancelled || !strings.Contains(log[0].Detail, "switched off") {
			t.Errorf("a channel that is gone: %+v", log[0])
		}
		f.set(map[shoal.Channel]map[string]any{shoal.ChannelWebhook: hook(r.URL)})
		f.end(run.ID, shoal.RunDone)
		if err := e.Store.DeleteRun(t.Context(), e.Workspace, run.ID); err != nil {
			t.Fatal(err)
		}
		f.deliver(shoal.ChannelWebhook, 1)
		if n := e.Int(t, `SELECT COUNT(*) FROM deliveries WHERE status = 'cancelled'`); n != 2 || len(r.got()) != 0 {
			t.Errorf("%d cancelled, want two and nothing sent", n)
		}
		for {
			more, err := e.Store.Purge(t.Context(), jobs.PurgeArgs{Noun: "run", PK: run.PK})
			if err != nil {
				t.Fatal(err)
			}
			if !more {
				break
			}
		}
		if n := e.Int(t, `SELECT COUNT(*) FROM deliveries`); n != 0 {
			t.Errorf("%d deliveries of a run that was purged", n)
		}
	})
}

// TestOverdueDeliveriesAreFound loses a job, as nothing should.
func TestOverdueDeliveriesAreFound(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e *storetest.Env) {
		f := newOffice(t, e, nil)
		f.set(map[shoal.Channel]map[string]any{shoal.ChannelWebhook: hook("http://receiver.test")})
		e.Run(t, f.squid, shoal.RunSettings{})
		count := func() int64 { return e.Int(t, `SELECT COUNT(*) FROM river_job WHERE kind = 'deliver'`) }
		e.Exec(t, `DELETE FROM river_job WHERE kind = 'deliver'`)
		if err := e.Store.QueueDeliveries(t.Context(), time.Minute); err != nil || count() != 0 {
			t.Errorf("%v, %d jobs: it is not late yet", err, count())
		}
		f.due()
		if err := e.Store.QueueDeliveries(t.Context(), time.Minute); err != nil || count() != 1 {
			t.Errorf("%v, %d jobs: want one", err, count())
		}
	})
}
