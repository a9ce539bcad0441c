package api_test

import (
	"fmt"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"shoal"
	"shoal/internal/fixtures"
	"shoal/internal/wikitest"
)

// loungePages makes one row of each page that a member of a lounge sees.
const loungePages = `
slug: lounge
name: Lounge
version: 1
fetch: {retries: 0}
account:
  slug: lounge
  name: Lounge
  requires: required
  baseurl: %[1]s/
  domain: 127.0.0.1
  cookies: [{name: session, required: true}]
%[2]s
detect:
  - {when: "url contains '/login'", reason: cookies_expired}
  - {when: "body contains 'id=\"login\"'", reason: logged_out}
  - {when: "body contains 'password was changed'", reason: wrong_credentials}
  - {when: "body contains 'Confirm that it is you'", reason: checkpoint_reached}
  - {when: "body contains 'Enter the code'", reason: otp_needed}
  - {when: "body contains 'is suspended'", reason: account_blocked}
  - {when: "body contains 'you are a person'", reason: challenge_required}
  - {when: "body contains 'no more pages today'", reason: limit_exceeded}
  - {when: "status == 429", reason: account_too_many_requests}
input:
  - {name: url, level: task, type: string, form: url, required: true}
start: {url: "{{ task.url }}", page: page}
pages:
  page:
    counts: [%[3]s]
    follow:
      - {select: a, page: page}
    rows:
      key: url
      fields:
        url: {from: url}
        title: {select: title}
`

// lounge is a world with a members-only site and a crawler of it.
type lounge struct {
	*world
	site  *fixtures.Lounge
	url   string
	squid string
}

// inLounge runs f on both databases. limits are lines of the account block,
// counts the attributes that pages count against.
func inLounge(t *testing.T, pages int, limits, counts string, f func(t *testing.T, w *lounge)) {
	each(t, func(t *testing.T, base *world) {
		w := &lounge{world: base, site: &fixtures.Lounge{Pages: pages}}
		server := httptest.NewServer(w.site)
		t.Cleanup(server.Close)
		w.url = server.URL
		if a := w.yaml("POST", "/v1/crawlers", fmt.Sprintf(loungePages, w.url, limits, counts)); a.status != 201 {
			t.Fatalf("the lounge's crawler: %d %s", a.status, a.body)
		}
		w.squid = w.newSquid("/0")
		f(t, w)
	})
}

func (w *lounge) newSquid(path string) string {
	w.t.Helper()
	squid := w.post("/v1/squids", map[string]any{"crawler": "lounge"}).str("id")
	w.post("/v1/squids/"+squid, map[string]any{"concurrency": 2})
	w.addTasks(squid, w.url+path)
	return squid
}

// member makes an account with a session that the site knows by its name.
func (w *lounge) member(name string) string {
	w.t.Helper()
	return w.sync(name, map[string]any{"username": name})
}

// sync sends a session's cookie and returns the account.
func (w *lounge) sync(session string, more map[string]any) string {
	w.t.Helper()
	w.site.Answer(session, fixtures.LoungeOpen)
	body := map[string]any{"type": "lounge", "cookies": map[string]any{fixtures.LoungeCookie: session}}
	for k, v := range more {
		body[k] = v
	}
	done := w.synced(w.post("/v1/accounts/cookies", body))
	if done.json["status_code"] != 200.0 {
		w.t.Fatalf("the synchronization: %s", done.body)
	}
	return done.str("account_hash")
}

func (w *lounge) link(squid string, accounts ...string) {
	w.t.Helper()
	w.post("/v1/squids/"+squid, map[string]any{"accounts": accounts})
}

func (w *lounge) start(squid string) string {
	w.t.Helper()
	return w.post("/v1/runs", map[string]any{"squid": squid}).str("id")
}

// account returns an account as the API shows it.
func (w *lounge) account(id string) map[string]any {
	w.t.Helper()
	return w.get("/v1/accounts/" + id).data()[0].(map[string]any)
}

// limit returns how one of an account's limits stands.
func (w *lounge) limit(id, name string) map[string]any {
	w.t.Helper()
	user := w.account(id)["params"].(map[string]any)["user"].(map[string]any)
	return user[name].(map[string]any)
}

// waits checks that the run pauses for reason in words that name the account.
func (w *lounge) waits(run, reason string, words ...string) *answer {
	w.t.Helper()
	a := w.until(run, "paused")
	if a.str("done_reason") != reason {
		w.t.Fatalf("it waits for %s, want %s: %s", a.str("done_reason"), reason, a.str("done_reason_desc"))
	}
	for _, word := range words {
		if !strings.Contains(a.str("done_reason_desc"), word) {
			w.t.Errorf("the run says %q, without %q", a.str("done_reason_desc"), word)
		}
	}
	return a
}

// complete checks that the run ends by itself with every page once.
func (w *lounge) complete(run string) {
	w.t.Helper()
	a := w.ended(run)
	if n := float64(w.site.Pages); a.str("done_reason") != "tasks_done" || a.json["total_results"] != n || a.json["total_unique_results"] != n {
		w.t.Fatalf("it ended with %s, %v rows, %v of them unique, want %v: %s", a.str("done_reason"),
			a.json["total_results"], a.json["total_unique_results"], n, a.str("done_reason_desc"))
	}
	var urls []string
	for _, r := range w.get("/v1/results?limit=100&run=" + run).data() {
		urls = append(urls, r.(map[string]any)["url"].(string))
	}
	slices.Sort(urls)
	if unique := slices.Compact(slices.Clone(urls)); len(urls) != w.site.Pages || len(unique) != len(urls) {
		w.t.Errorf("%d rows of %d pages", len(urls), len(unique))
	}
}

// rows waits until the run has so many rows.
func (w *world) rows(run string, n int64) {
	w.t.Helper()
	id := shoal.RunID(run)
	r, err := w.Store.RunByID(w.t.Context(), id)
	for err == nil && r.TotalResults < n {
		r, err = w.Store.WaitRun(w.t.Context(), id, r, true)
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

// once calls f when a session first asks for path.
func (w *lounge) once(path string, f func(session string)) {
	var once sync.Once
	w.site.Before = func(session, asked string) {
		if asked == path {
			once.Do(func() { f(session) })
		}
	}
}

// TestAccountReasons: what the site says of the account pauses the run, and a
// synchronization lets it go on where it was.
func TestAccountReasons(t *testing.T) {
	for answer, reason := range map[string]string{
		fixtures.LoungeGone: "cookies_expired", fixtures.LoungeLogin: "logged_out", fixtures.LoungeRefused: "wrong_credentials",
		fixtures.LoungeCheckpoint: "checkpoint_reached", fixtures.LoungeCode: "otp_needed",
		fixtures.LoungeBlocked: "account_blocked", fixtures.LoungeChallenge: "challenge_required",
	} {
		t.Run(reason, func(t *testing.T) {
			inLounge(t, 20, "", "", func(t *testing.T, w *lounge) {
				ann := w.member("ann")
				w.link(w.squid, ann)
				w.once("/9", func(session string) { w.site.Answer(session, answer) })
				run := w.start(w.squid)
				w.waits(run, reason, `"ann"`, "Seen at "+w.url, "goes on by itself")
				if a := w.account(ann); a["status_code_info"] != reason || a["status"].(string)[0] != '4' || a["status_code_description"] == "" {
					t.Errorf("the account: %v", a)
				}
				w.sync("ann-again", map[string]any{"account": ann})
				w.complete(run)
				if a := w.account(ann); a["status"] != "200" || a["status_code_info"] != "synchronized" {
					t.Errorf("the account: %v", a)
				}
				w.timeline(run, "pending", "running", "paused", "running", "uploading", "done")
			})
		})
	}
}

// TestNoAccounts: a crawler that needs an account does nothing without.
func TestNoAccounts(t *testing.T) {
	inLounge(t, 3, "", "", func(t *testing.T, w *lounge) {
		a := w.ended(w.start(w.squid))
		if a.str("status") != "error" || a.str("done_reason") != "no_accounts" || !strings.Contains(a.str("done_reason_desc"), "lounge") {
			t.Errorf("%s", a.body)
		}
		w.link(w.squid, w.member("ann"))
		w.complete(w.start(w.squid))
	})
}

// TestAccountSwitch: the run goes on with the next account, and its log says so.
func TestAccountSwitch(t *testing.T) {
	inLounge(t, 20, "", "", func(t *testing.T, w *lounge) {
		w.link(w.squid, w.member("ann"), w.member("bob"))
		w.once("/9", func(session string) { w.site.Answer(session, fixtures.LoungeBlocked) })
		run := w.start(w.squid)
		w.complete(run)
		log := string(w.get("/v1/runs/" + run + "/log?limit=100").body)
		if !strings.Contains(log, "account_blocked") || !strings.Contains(log, "goes on with the account") {
			t.Errorf("the log does not tell of the switch: %s", log)
		}
		if w.site.Served("ann") == 0 || w.site.Served("bob") == 0 {
			t.Errorf("ann saw %d pages, bob %d", w.site.Served("ann"), w.site.Served("bob"))
		}
	})
}

// TestNoAccountAvailable: an account works for one run at a time, and is free as
// soon as that one pauses.
func TestNoAccountAvailable(t *testing.T) {
	inLounge(t, 20, "", "", func(t *testing.T, w *lounge) {
		ann, other := w.member("ann"), w.newSquid("/0")
		w.link(w.squid, ann)
		w.link(other, ann)
		came, opened := make(chan struct{}), make(chan struct{})
		w.once("/9", func(string) { close(came); <-opened })
		first := w.start(w.squid)
		<-came
		second := w.start(other)
		w.waits(second, "no_account_available", `"ann"`, "another run uses it")
		w.post("/v1/runs/"+first+"/pause", nil)
		close(opened)
		w.complete(second)
		w.post("/v1/runs/"+first+"/resume", nil)
		w.complete(first)
	})
}

// TestAccountTooManyRequests: the account cools down, and the run goes on then.
func TestAccountTooManyRequests(t *testing.T) {
	inLounge(t, 20, "  cool_down: 10m", "", func(t *testing.T, w *lounge) {
		ann := w.member("ann")
		w.link(w.squid, ann)
		w.once("/9", func(session string) { w.site.Answer(session, fixtures.LoungeSlow) })
		run := w.start(w.squid)
		w.waits(run, "account_too_many_requests", `"ann"`, "goes on by itself at")
		if a := w.account(ann); a["status"] != "429" || a["status_code_info"] != "account_too_many_requests" {
			t.Errorf("the account: %v", a)
		}
		w.site.Answer("ann", fixtures.LoungeOpen)
		w.clock.advance(11 * time.Minute)
		w.complete(run)
		if a := w.account(ann); a["status_code_info"] != "synchronized" {
			t.Errorf("the account: %v", a)
		}
	})
}

// TestAccountLimit: the day's limit is used up; more of it, or the next day, lets
// the run go on.
func TestAccountLimit(t *testing.T) {
	const limits = "  limits: {visits: {max: 15, default: 6, description: Pages a day}}\n  timezone: Asia/Tokyo"
	inLounge(t, 20, limits, "visits", func(t *testing.T, w *lounge) {
		ann := w.member("ann")
		w.link(w.squid, ann)
		run := w.start(w.squid)
		w.waits(run, "limit_exceeded", `"ann"`, "6 visits", "goes on by itself at")
		if n := w.limit(ann, "visits"); w.site.Served("ann") != 6 || n["value"] != 6.0 || n["max"] != 6.0 || n["timestamp"] == nil {
			t.Errorf("%d pages were served, and the account shows %v", w.site.Served("ann"), n)
		}
		w.post("/v1/accounts", map[string]any{"account": ann, "type": "lounge", "params": map[string]any{"visits": 9}})
		w.rows(run, 9)
		w.waits(run, "limit_exceeded", "9 visits")
		w.clock.advance(24 * time.Hour)
		if n := w.limit(ann, "visits"); n["value"] != 0.0 {
			t.Errorf("the next day begins with %v", n)
		}
		w.rows(run, 18)
		w.until(run, "paused")
		w.clock.advance(24 * time.Hour)
		w.complete(run)
		if n := w.limit(ann, "visits"); n["value"] != 2.0 {
			t.Errorf("the last day has %v", n)
		}
	})
}

// TestSiteSaysLimit: the site itself says that the account's day is over.
func TestSiteSaysLimit(t *testing.T) {
	inLounge(t, 20, "", "", func(t *testing.T, w *lounge) {
		w.link(w.squid, w.member("ann"))
		w.once("/9", func(session string) { w.site.Answer(session, fixtures.LoungeUsedUp) })
		run := w.start(w.squid)
		w.waits(run, "limit_exceeded", `"ann"`, "goes on by itself at")
		w.site.Answer("ann", fixtures.LoungeOpen)
		w.clock.advance(24 * time.Hour)
		w.complete(run)
	})
}

// TestBatchWait: the account rests between batches.
func TestBatchWait(t *testing.T) {
	const limits = "  batch: {attribute: requests, max: 100, default: 12, description: Pages at a stretch}\n  batch_hours: {max: 24, default: 2, description: Hours of rest}"
	inLounge(t, 20, limits, "", func(t *testing.T, w *lounge) {
		ann := w.member("ann")
		w.link(w.squid, ann)
		run := w.start(w.squid)
		w.waits(run, "batch_wait", `"ann"`, "12 requests", "goes on by itself at")
		if b := w.limit(ann, "batch"); b["current"] != 12.0 || b["max"] != 12.0 || b["last_batch_at"] == nil {
			t.Errorf("the batch: %v", b)
		}
		w.clock.advance(2 * time.Hour)
		w.complete(run)
		if b := w.limit(ann, "batch"); b["current"] != 8.0 {
			t.Errorf("the second batch: %v", b)
		}
	})
}

// TestAccountUnlinked: a run leaves an account that is taken from its squid.
func TestAccountUnlinked(t *testing.T) {
	inLounge(t, 20, "", "", func(t *testing.T, w *lounge) {
		ann := w.member("ann")
		w.link(w.squid, ann)
		came, opened := make(chan struct{}), make(chan struct{})
		w.once("/9", func(string) { close(came); <-opened })
		run := w.start(w.squid)
		<-came
		w.ok(200, "DELETE", "/v1/accounts/"+ann, nil)
		w.waits(run, "no_account_available", "Link one")
		close(opened)
		w.link(w.squid, w.member("bob"))
		w.complete(run)
	})
}

// TestWikiSessionEnds: a run on a real wiki loses its session in the middle, is
// given a new one by a log-in, and ends complete.
func TestWikiSessionEnds(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		wiki, ada := wikitest.Start(t, 30), wikitest.Members()[0]
		src, err := os.ReadFile("../../docs/language/15-account.yaml")
		if err != nil {
			t.Fatal(err)
		}
		host := strings.Split(strings.TrimPrefix(wiki.URL, "http://"), ":")[0]
		definition := strings.NewReplacer("https://wiki.example/", wiki.URL+"/", "domain: wiki.example", "domain: "+host,
			"version: 1\n", "version: 1\nfetch: {delay: 200ms}\n").Replace(string(src))
		if a := w.yaml("POST", "/v1/crawlers", definition); a.status != 201 {
			t.Fatalf("the wiki's crawler: %d %s", a.status, a.body)
		}
		login := func() string {
			done := w.synced(w.post("/v1/accounts/login", map[string]any{"type": "example-wiki", "username": ada.Username, "password": ada.Password}))
			if done.json["status_code"] != 200.0 {
				t.Fatalf("the log-in: %s", done.body)
			}
			return done.str("account_hash")
		}
		account := login()
		squid := w.post("/v1/squids", map[string]any{"crawler": "wiki-topics"}).str("id")
		w.post("/v1/squids/"+squid, map[string]any{"accounts": []string{account}})
		w.post("/v1/tasks", map[string]any{"squid": squid, "tasks": []map[string]any{{}}})
		run := w.post("/v1/runs", map[string]any{"squid": squid}).str("id")
		w.rows(run, 5)
		wiki.Expire(t)
		a := w.until(run, "paused")
		if a.str("done_reason") != "cookies_expired" || !strings.Contains(a.str("done_reason_desc"), `"ada"`) {
			t.Fatalf("it waits for %s: %s", a.str("done_reason"), a.str("done_reason_desc"))
		}
		if n := a.json["total_results"].(float64); n >= 30 {
			t.Errorf("it had %v rows before its session ended", n)
		}
		if again := login(); again != account {
			t.Errorf("the log-in made another account")
		}
		if a = w.ended(run); a.str("done_reason") != "tasks_done" || a.json["total_results"] != 30.0 || a.json["total_unique_results"] != 30.0 {
			t.Errorf("it ended: %s", a.body)
		}
		titles := map[string]bool{}
		for _, r := range w.get("/v1/results?limit=100&run=" + run).data() {
			titles[r.(map[string]any)["title"].(string)] = true
		}
		if len(titles) != 30 {
			t.Errorf("%d topics: %v", len(titles), titles)
		}
	})
}
