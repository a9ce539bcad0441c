package runs_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"shoal"
	"shoal/internal/accounts"
	"shoal/internal/crawler"
	"shoal/internal/fetch"
	"shoal/internal/fixtures"
	"shoal/internal/runs"
	"shoal/internal/seal"
	"shoal/internal/store/storetest"
)

// clubDefinition makes one row of each page that a member of the club sees.
const clubDefinition = `
slug: club
name: Club
version: 1
fetch: {retries: 0}
account:
  slug: club
  name: Club
  requires: required
  baseurl: %[1]s/
  domain: 127.0.0.1
  cookies: [{name: session, required: true}]
%[2]s
detect:
  - {when: "body contains 'id=\"login\"'", reason: logged_out}
  - {when: "url contains '/login'", reason: cookies_expired}
  - {when: "body contains 'password was changed'", reason: wrong_credentials}
  - {when: "body contains 'Confirm that it is you'", reason: checkpoint_reached}
  - {when: "body contains 'Enter the code'", reason: otp_needed}
  - {when: "body contains 'is suspended'", reason: account_blocked}
  - {when: "body contains 'you are a person'", reason: challenge_required}
  - {when: "body contains 'no more pages today'", reason: limit_exceeded}
  - {when: "status == 429", reason: account_too_many_requests}
start: {url: "{{ task.url }}", page: page}
input:
  - {name: url, level: task, type: string, required: true}
pages:
  page:
    counts: [%[3]s]
    follow:
      - {select: a, page: page, scope: any}
    rows:
      key: url
      fields:
        url: {from: url}
        title: {select: title}
`

// clubWorld is a world whose crawler works with accounts of a club.
type clubWorld struct {
	*world
	club *fixtures.Lounge
	url  string
	keys accounts.Cookies
}

// inClub runs f on both databases with a club of so many pages; limits are lines
// of the account block, and counts the attributes that its pages count against.
func inClub(t *testing.T, pages int, limits, counts string, f func(t *testing.T, w *clubWorld)) {
	each(t, func(t *testing.T, base *world) {
		w := &clubWorld{world: base, club: &fixtures.Lounge{Pages: pages}}
		server := httptest.NewServer(w.club)
		t.Cleanup(server.Close)
		w.url = server.URL
		w.source = fmt.Sprintf(clubDefinition, w.url, limits, counts)
		keys, err := seal.New(make([]byte, seal.KeySize))
		if err != nil {
			t.Fatal(err)
		}
		w.keys = accounts.Cookies{Seal: keys}
		w.work(runs.Config{Cookies: w.keys})
		f(t, w)
	})
}

// member makes an account whose session is its name, and links it to squids.
func (w *clubWorld) member(name string, squids ...shoal.SquidID) shoal.AccountID {
	w.t.Helper()
	id, now := shoal.NewID[shoal.AccountID](), w.clock.now().UnixMicro()
	w.club.Answer(name, fixtures.LoungeOpen)
	w.Exec(w.t, `INSERT INTO accounts (id, workspace_pk, type_id, username, status_code, status_info, jar, created_at, updated_at, synced_at)
		SELECT CAST($1 AS TEXT), pk, CAST($2 AS TEXT), CAST($3 AS TEXT), '200', 'synchronized', $4, CAST($5 AS BIGINT), CAST($5 AS BIGINT), CAST($5 AS BIGINT)
		FROM workspaces WHERE id = $6`, string(id), crawler.AccountTypeID("club"), name, w.jar(name, time.Time{}), now, string(w.Workspace))
	for _, q := range squids {
		squid, err := w.Store.Squid(w.t.Context(), w.Workspace, q)
		if err != nil {
			w.t.Fatal(err)
		}
		w.link(q, append(squid.Accounts, id)...)
	}
	return id
}

func (w *clubWorld) link(q shoal.SquidID, ids ...shoal.AccountID) {
	w.t.Helper()
	if _, err := w.Store.UpdateSquid(w.t.Context(), w.Workspace, q, shoal.SquidPatch{Accounts: &ids}); err != nil {
		w.t.Fatal(err)
	}
}

// jar seals a session's cookie.
func (w *clubWorld) jar(session string, expires time.Time) []byte {
	w.t.Helper()
	jar := fetch.NewJar()
	jar.Restore([]fetch.StoredCookie{{From: w.url + "/", Domain: "127.0.0.1", Path: "/", Name: fixtures.LoungeCookie, Value: session, Expires: expires}}, nil)
	return w.keys.Keep(jar, w.clock.now())
}

// sync gives an account a new session, as a synchronization does.
func (w *clubWorld) sync(id shoal.AccountID, q shoal.SquidID, session string) {
	w.t.Helper()
	w.club.Answer(session, fixtures.LoungeOpen)
	w.Exec(w.t, `UPDATE accounts SET jar = $2, synced_at = $3, status_code = '200', status_info = 'synchronized', cool_until = 0, cool_reason = '' WHERE id = $1`,
		string(id), w.jar(session, time.Time{}), w.clock.now().UnixMicro())
	if err := w.Store.WakeRuns(w.t.Context(), shoal.WakeCause{Reasons: shoal.ResyncReasons(), Squid: q}); err != nil {
		w.t.Fatal(err)
	}
}

// paused waits until the run is paused for reason, and checks that its words
// name the account.
func (w *clubWorld) paused(id shoal.RunID, reason shoal.DoneReason, words ...string) shoal.Run {
	w.t.Helper()
	r := w.await(id, "paused for "+string(reason), func(r *shoal.Run) bool { return r.Status == shoal.RunPaused && r.DoneReason == reason })
	for _, word := range words {
		if !strings.Contains(r.DoneReasonDesc, word) {
			w.t.Errorf("the run says %q, which does not name %q", r.DoneReasonDesc, word)
		}
	}
	if r.AccountPK != 0 {
		w.t.Errorf("a paused run holds the account %d", r.AccountPK)
	}
	return r
}

// complete waits until the run has every page once.
func (w *clubWorld) complete(id shoal.RunID) shoal.Run {
	w.t.Helper()
	r := w.awaitStatus(id, shoal.RunDone)
	if n := int64(w.club.Pages); r.DoneReason != shoal.ReasonTasksDone || r.UniqueResults != n || r.TotalResults != n || r.AccountPK != 0 {
		w.t.Errorf("the run ended with %s, %d rows, %d of them unique, want %d; it holds account %d", r.DoneReason, r.TotalResults, r.UniqueResults, n, r.AccountPK)
	}
	storetest.Check(w.t, w.Env, id)
	return r
}

// notes returns the notes of a run's log.
func (w *clubWorld) notes(id shoal.RunID) string {
	w.t.Helper()
	log, err := w.Store.RunLog(w.t.Context(), w.Workspace, id, shoal.Window{Page: 1, Limit: 100})
	if err != nil {
		w.t.Fatal(err)
	}
	var notes []string
	for _, e := range log.Items {
		var n shoal.NotePayload
		if e.Kind != shoal.EventNote {
			continue
		}
		if err := json.Unmarshal(e.Payload, &n); err != nil {
			w.t.Fatal(err)
		}
		notes = append(notes, n.Message)
	}
	return strings.Join(notes, "\n")
}

func (w *clubWorld) account(id shoal.AccountID) shoal.Account {
	w.t.Helper()
	a, err := w.Store.Account(w.t.Context(), w.Workspace, id)
	if err != nil {
		w.t.Fatal(err)
	}
	return a
}

func TestARunWithoutAccountsFails(t *testing.T) {
	inClub(t, 3, "", "", func(t *testing.T, w *clubWorld) {
		run := w.start(w.squid(1, nil, w.url+"/0"))
		r := w.awaitStatus(run.ID, shoal.RunError)
		if r.DoneReason != shoal.ReasonNoAccounts || !strings.Contains(r.DoneReasonDesc, "club") || r.TotalRequests != 0 {
			t.Errorf("it ended with %s %q after %d requests", r.DoneReason, r.DoneReasonDesc, r.TotalRequests)
		}
	})
}

// What a site says of an account marks it; the run waits until it is mended and
// then goes on where it was.
func TestAccountTroublePausesAndASyncResumes(t *testing.T) {
	for what, reason := range map[string]shoal.DoneReason{
		fixtures.LoungeLogin: shoal.ReasonLoggedOut, fixtures.LoungeGone: shoal.ReasonLoggedOut, fixtures.LoungeRefused: shoal.ReasonWrongCredentials,
		fixtures.LoungeCheckpoint: shoal.ReasonCheckpointReached, fixtures.LoungeCode: shoal.ReasonOTPNeeded,
		fixtures.LoungeBlocked: shoal.ReasonAccountBlocked, fixtures.LoungeChallenge: shoal.ReasonChallengeRequired,
	} {
		t.Run(what, func(t *testing.T) {
			inClub(t, 30, "", "", func(t *testing.T, w *clubWorld) {
				q := w.squid(3, nil, w.url+"/0")
				id := w.member("ann", q)
				var calm atomic.Bool
				w.club.Before = func(session, path string) {
					if path == "/11" && calm.CompareAndSwap(false, true) {
						w.club.Answer("ann", what)
					}
				}
				run := w.start(q)
				w.paused(run.ID, reason, `"ann"`, "goes on by itself")
				if a := w.account(id); a.StatusInfo != string(reason) || a.StatusCode[0] != '4' || a.StatusDesc == "" {
					t.Errorf("the account is %s %s %q", a.StatusCode, a.StatusInfo, a.StatusDesc)
				}
				w.sync(id, q, "ann-again")
				w.complete(run.ID)
			})
		})
	}
}

func TestARunSwitchesToTheNextAccount(t *testing.T) {
	inClub(t, 40, "", "", func(t *testing.T, w *clubWorld) {
		q := w.squid(4, nil, w.url+"/0")
		w.member("ann", q)
		w.member("bob", q)
		w.club.Before = func(session, path string) {
			if path == "/13" && session == "ann" {
				w.club.Answer("ann", fixtures.LoungeBlocked)
			}
		}
		run := w.start(q)
		w.complete(run.ID)
		if notes := w.notes(run.ID); strings.Count(notes, `goes on with the account "bob"`) != 1 || !strings.Contains(notes, "account_blocked") {
			t.Errorf("the log says %q", notes)
		}
		if w.club.Served("ann") == 0 || w.club.Served("bob") == 0 {
			t.Errorf("ann saw %d pages, bob %d", w.club.Served("ann"), w.club.Served("bob"))
		}
	})
}

func TestTheLastAccountsTroubleIsTheReason(t *testing.T) {
	inClub(t, 20, "", "", func(t *testing.T, w *clubWorld) {
		q := w.squid(1, nil, w.url+"/0")
		w.member("ann", q)
		bob := w.member("bob", q)
		w.club.Answer("ann", fixtures.LoungeBlocked)
		w.club.Answer("bob", fixtures.LoungeChallenge)
		run := w.start(q)
		w.paused(run.ID, shoal.ReasonChallengeRequired, `"bob"`, `"ann" (account_blocked)`)
		w.sync(bob, q, "bob2")
		w.complete(run.ID)
	})
}

func TestAnAccountWorksForOneRunAtATime(t *testing.T) {
	inClub(t, 12, "", "", func(t *testing.T, w *clubWorld) {
		g := newGate()
		defer g.open()
		w.club.Before = func(session, path string) {
			if path == "/5" {
				g.wait(nil, (&http.Request{}).WithContext(t.Context()))
			}
		}
		first, second := w.squid(1, nil, w.url+"/0"), w.squid(1, nil, w.url+"/1")
		id := w.member("ann", first, second)
		one := w.start(first)
		<-g.came
		two := w.start(second)
		w.paused(two.ID, shoal.ReasonNoAccountAvailable, `"ann"`, "another run uses it")
		// Pausing the first frees the account in the same transaction.
		if _, err := w.svc.Pause(t.Context(), w.Workspace, one.ID, "user"); err != nil {
			t.Fatal(err)
		}
		g.open()
		w.awaitStatus(two.ID, shoal.RunDone)
		if _, err := w.svc.Resume(t.Context(), w.Workspace, one.ID, "user"); err != nil {
			t.Fatal(err)
		}
		w.complete(one.ID)
		if n := w.account(id).Uses[shoal.UseRequests].N; n != 12+int64(w.Int(t, `SELECT total_requests FROM runs WHERE id = $1`, string(two.ID))) {
			t.Errorf("%d requests are counted", n)
		}
	})
}

func TestTheLeastUsedAccountIsTaken(t *testing.T) {
	inClub(t, 4, "", "", func(t *testing.T, w *clubWorld) {
		q := w.squid(1, nil, w.url+"/0")
		w.member("ann", q)
		w.member("bob", q)
		for range 4 {
			w.complete(w.start(q).ID)
		}
		if a, b := w.club.Served("ann"), w.club.Served("bob"); a != 8 || b != 8 {
			t.Errorf("ann saw %d pages, bob %d, want 8 each", a, b)
		}
	})
}

func TestTooManyRequestsOfAnAccountCoolDown(t *testing.T) {
	inClub(t, 20, "  cool_down: 10m", "", func(t *testing.T, w *clubWorld) {
		q := w.squid(2, nil, w.url+"/0")
		id := w.member("ann", q)
		w.club.Before = func(session, path string) {
			if path == "/7" {
				w.club.Answer("ann", fixtures.LoungeSlow)
			}
		}
		run := w.start(q)
		r := w.paused(run.ID, shoal.ReasonAccountTooManyRequests, `"ann"`)
		if wait := r.WakeAt.Sub(r.PausedAt); wait < 9*time.Minute || wait > 10*time.Minute {
			t.Errorf("it wakes after %s", wait)
		}
		if a := w.account(id); a.StatusInfo != string(shoal.ReasonAccountTooManyRequests) {
			t.Errorf("the account is %s", a.StatusInfo)
		}
		w.club.Before = nil
		w.club.Answer("ann", fixtures.LoungeOpen)
		w.clock.advance(11 * time.Minute)
		w.complete(run.ID)
	})
}

func TestADailyLimitPausesUntilTheReset(t *testing.T) {
	for _, c := range []struct{ limits, counts string }{
		{"  limits: {requests: {max: 100, default: 10, description: d}}", ""},
		{"  limits: {visits: {max: 100, default: 10, description: d}}", "visits"},
		{"  limits: {results: {max: 100, default: 10, description: d}}", ""},
	} {
		t.Run(strings.Fields(c.limits)[1], func(t *testing.T) {
			inClub(t, 25, c.limits+"\n  timezone: Asia/Tokyo", c.counts, func(t *testing.T, w *clubWorld) {
				slots := 4
				if strings.Contains(c.limits, "results") {
					slots = 1 // how many rows a page brings is known when it is there
				}
				q := w.squid(slots, nil, w.url+"/0")
				id := w.member("ann", q)
				run := w.start(q)
				r := w.paused(run.ID, shoal.ReasonLimitExceeded, `"ann"`, "10")
				zone, err := time.LoadLocation("Asia/Tokyo")
				if err != nil {
					t.Fatal(err)
				}
				if h, m, s := r.WakeAt.In(zone).Clock(); h+m+s != 0 || !r.WakeAt.After(w.clock.now()) {
					t.Errorf("it wakes at %s in Tokyo", r.WakeAt.In(zone))
				}
				if n := w.club.Served("ann"); n != 10 {
					t.Errorf("the site served %d pages, want 10", n)
				}
				// More is allowed: the run goes on at once.
				if _, err := w.Store.UpdateAccount(t.Context(), w.Workspace, id, map[string]int64{attribute(c.limits): 15}); err != nil {
					t.Fatal(err)
				}
				w.await(run.ID, "at its second limit", func(r *shoal.Run) bool { return r.Status == shoal.RunPaused && r.TotalRequests == 15 })
				if n := w.account(id).Uses[attribute(c.limits)].N; n != 15 {
					t.Errorf("%d are counted, want 15", n)
				}
				w.clock.advance(24 * time.Hour)
				w.complete(run.ID)
				if n := w.account(id).Uses[attribute(c.limits)].N; n != 10 {
					t.Errorf("%d are counted on the second day, want 10", n)
				}
			})
		})
	}
}

// attribute returns the one limit's name.
func attribute(limits string) string {
	name, _, _ := strings.Cut(limits[strings.Index(limits, "{")+1:], ":")
	return name
}

func TestBatchesRest(t *testing.T) {
	batch := "  batch: {attribute: requests, max: 100, default: 8, description: d}\n  batch_hours: {max: 24, default: 3, description: d}"
	inClub(t, 20, batch, "", func(t *testing.T, w *clubWorld) {
		q := w.squid(3, nil, w.url+"/0")
		id := w.member("ann", q)
		run := w.start(q)
		for n := int64(8); n < 20; n += 8 {
			r := w.await(run.ID, "resting", func(r *shoal.Run) bool { return r.Status == shoal.RunPaused && r.TotalRequests == n })
			if wait := r.WakeAt.Sub(w.clock.now()); r.DoneReason != shoal.ReasonBatchWait || wait < 2*time.Hour || wait > 3*time.Hour || !strings.Contains(r.DoneReasonDesc, `"ann"`) {
				t.Errorf("%s for %s: %q", r.DoneReason, wait, r.DoneReasonDesc)
			}
			if a := w.account(id); a.Batch.N != 8 || a.Batch.At.IsZero() {
				t.Errorf("the batch is %+v", a.Batch)
			}
			w.clock.advance(3 * time.Hour)
		}
		w.complete(run.ID)
		if a := w.account(id); a.Batch.N != 4 {
			t.Errorf("the last batch is %+v, want 4", a.Batch)
		}
	})
}

func TestAnUnlinkedAccountIsLeft(t *testing.T) {
	inClub(t, 30, "", "", func(t *testing.T, w *clubWorld) {
		g := newGate()
		defer g.open()
		w.club.Before = func(session, path string) {
			if path == "/9" {
				g.wait(nil, (&http.Request{}).WithContext(t.Context()))
			}
		}
		q := w.squid(1, nil, w.url+"/0")
		id := w.member("ann", q)
		run := w.start(q)
		<-g.came
		if err := w.Store.DeleteAccount(t.Context(), w.Workspace, id); err != nil {
			t.Fatal(err)
		}
		w.paused(run.ID, shoal.ReasonNoAccountAvailable, "club", "Link one")
		g.open()
		w.member("bob", q)
		w.complete(run.ID)
	})
}

func TestRenewedCookiesAreKept(t *testing.T) {
	inClub(t, 15, "", "", func(t *testing.T, w *clubWorld) {
		q := w.squid(1, nil, w.url+"/0")
		id := w.member("ann", q)
		w.club.Renew("ann", "ann-renewed")
		w.complete(w.start(q).ID)
		w.complete(w.start(q).ID) // with what the first one kept
		if n := w.club.Served("ann-renewed"); n < 20 {
			t.Errorf("%d pages were served to the renewed session", n)
		}
		if a := w.account(id); a.StatusInfo != "synchronized" {
			t.Errorf("the account is %s", a.StatusInfo)
		}
	})
}

func TestExpiredCookiesAreNotTried(t *testing.T) {
	inClub(t, 5, "", "", func(t *testing.T, w *clubWorld) {
		q := w.squid(1, nil, w.url+"/0")
		id := w.member("ann", q)
		w.Exec(t, `UPDATE accounts SET jar = $2 WHERE id = $1`, string(id), w.jar("ann", w.clock.now().Add(time.Hour)))
		w.clock.advance(2 * time.Hour)
		run := w.start(q)
		w.paused(run.ID, shoal.ReasonCookiesExpired, `"ann"`)
		if n := w.club.Served("ann"); n != 0 {
			t.Errorf("%d pages were asked for", n)
		}
		w.sync(id, q, "ann2")
		w.complete(run.ID)
	})
}

func TestCookiesStayWithTheirSite(t *testing.T) {
	inClub(t, 5, "", "", func(t *testing.T, w *clubWorld) {
		var told atomic.Value
		other := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			told.Store(cmp.Or(r.Header.Get("Cookie"), "nothing"))
			rw.Header().Set("Content-Type", "text/html")
			fmt.Fprint(rw, "<title>other</title>")
		}))
		defer other.Close()
		w.club.Elsewhere = strings.Replace(other.URL, "127.0.0.1", "localhost", 1) + "/x"
		q := w.squid(1, nil, w.url+"/0")
		w.member("ann", q)
		if r := w.awaitStatus(w.start(q).ID, shoal.RunDone); r.UniqueResults != 6 {
			t.Errorf("%d rows", r.UniqueResults)
		}
		if told.Load() != "nothing" {
			t.Errorf("the other site was told %q", told.Load())
		}
	})
}
