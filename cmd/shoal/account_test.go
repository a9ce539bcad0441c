package main

import (
	"bytes"
	"encoding/json"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"shoal/client"
	"shoal/internal/fixtures"
	"shoal/internal/pgtest"
	"shoal/internal/wikitest"
)

func TestWikiMembersSQLite(t *testing.T) {
	t.Parallel()
	wikiMembers(t, "")
}

func TestWikiMembersPostgres(t *testing.T) {
	t.Parallel()
	wikiMembers(t, pgtest.Database(t))
}

// wikiMembers collects, from a real DokuWiki, pages that only members see: it
// logs in, the session is ended on the server in the midst of the run, the run
// pauses, the account is synchronized from a browser's cookies, and the run ends
// complete, without duplicates. Nothing that Shoal kept or said has a password
// or a session in clear.
func wikiMembers(t *testing.T, database string) {
	const topics = 200 // more than are read until the session's end is seen
	wiki := wikitest.Start(t, topics)
	ada := wikitest.Members()[0]
	data := t.TempDir()
	srv := newServer(t, data, database, "-v", "--crawlers", wikiCrawler(t, wiki.URL))
	srv.start()
	api, ctx := srv.client(), t.Context()

	id := srv.synchronized(api.SyncLogin(ctx, client.NewSync{Type: "example-wiki", Username: ada.Username, Password: ada.Password}))
	secrets := append(wiki.Sessions(t), ada.Password, url.QueryEscape(ada.Password))
	squid, err := api.CreateSquid(ctx, "wiki-topics", "")
	if err != nil {
		t.Fatal(err)
	}
	if err := api.UpdateSquid(ctx, squid.ID, map[string]any{"accounts": []string{id}}); err != nil {
		t.Fatal(err)
	}
	if _, err := api.AddTasks(ctx, squid.ID, []map[string]any{{"url": wiki.Index()}}); err != nil {
		t.Fatal(err)
	}
	run, err := api.StartRun(ctx, squid.ID)
	if err != nil {
		t.Fatal(err)
	}
	srv.await(run.ID, time.Minute, func(r *client.Run) bool { return r.TotalResults >= 5 })
	wiki.Expire(t)
	paused := srv.await(run.ID, time.Minute, func(r *client.Run) bool { return r.Status != "running" })
	if paused.Status != "paused" || paused.Reason() != "cookies_expired" || paused.Desc() == "" {
		t.Fatalf("after the session's end: %s, %s (%s)", paused.Status, paused.Reason(), paused.Desc())
	}
	if a, err := api.Account(ctx, id); err != nil || a.StatusInfo != "cookies_expired" {
		t.Errorf("the account: %+v, %v", a, err)
	}

	session := map[string]any{}
	for name, value := range wiki.Session(t, ada) {
		session[name] = value
		secrets = append(secrets, value)
		if plain, err := url.QueryUnescape(value); err == nil {
			secrets = append(secrets, plain)
		}
	}
	refreshed := srv.synchronized(api.SyncCookies(ctx, client.NewSync{Type: "example-wiki", Account: id, Cookies: session}))
	began := time.Now()
	if refreshed != id {
		t.Errorf("the refresh made another account")
	}
	srv.await(run.ID, time.Minute, func(r *client.Run) bool { return r.Status != "paused" })
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("the run woke %s after the synchronization, want 5 s at most", took)
	}
	done := srv.await(run.ID, time.Minute, func(r *client.Run) bool { return r.IsDone })
	if done.Status != "done" || done.Reason() != "tasks_done" || done.TotalUniqueResults != topics || done.TotalResults != topics {
		t.Fatalf("the run ended as %+v", done)
	}
	secrets = append(secrets, wiki.Sessions(t)...)

	var file bytes.Buffer
	if _, err := api.Download(ctx, run.ID, "jsonl", nil, &file); err != nil {
		t.Fatal(err)
	}
	titles := map[string]bool{}
	for dec := json.NewDecoder(bytes.NewReader(file.Bytes())); dec.More(); {
		var row struct{ Title, Secret string }
		if err := dec.Decode(&row); err != nil {
			t.Fatal(err)
		}
		if titles[row.Title] || !strings.HasPrefix(row.Secret, "What only members know of "+row.Title) {
			t.Errorf("a row is %+v", row)
		}
		titles[row.Title] = true
	}
	for _, topic := range wiki.Topics {
		if !titles[topic] {
			t.Errorf("%s is missing", topic)
		}
	}
	said := srv.said("/accounts", "/accounts/"+id, "/runs/"+run.ID, "/runs/"+run.ID+"/log?limit=100", "/runs/"+run.ID+"/stats", "/results?squid="+squid.ID,
		"/squids/"+squid.ID, "/tasks?squid="+squid.ID, "/account_types", "/crawlers/wiki-topics")
	if _, err := srv.terminate(); err != nil {
		t.Errorf("stop: %v", err)
	}
	said["the download"], said["the log"] = file.String(), srv.log.tail(1<<30)
	if database == "" {
		kept(t, data, said)
	}
	inClear(t, said, secrets)
}

// wikiCrawler writes the example's crawler for a wiki into a directory of its
// own, and gives it a pace at which a session can end in the midst of a run.
func wikiCrawler(t *testing.T, address string) string {
	t.Helper()
	src, err := os.ReadFile("../../docs/language/15-account.yaml")
	if err != nil {
		t.Fatal(err)
	}
	text := strings.ReplaceAll(string(src), "https://wiki.example", address)
	text = strings.Replace(text, "  domain: wiki.example\n", "", 1)
	text = strings.Replace(text, "start: {url: ", "input: [{name: url, level: task}]\nfetch: {delay: 25ms}\nstart: {url: ", 1)
	text, _, _ = strings.Cut(text, "tests:\n")
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "wiki-topics.yaml"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

// synchronized waits for the end of a synchronization that has to succeed, and
// returns its account.
func (s *server) synchronized(y *client.Sync, err error) (account string) {
	s.t.Helper()
	if err == nil {
		y, err = ended(s.t.Context(), s.client(), y)
	}
	if err != nil || y.StatusCode != 200 || y.Account == nil {
		s.t.Fatalf("the synchronization ended as %+v, %v", y, err)
	}
	return *y.Account
}

// said asks the server for paths, and returns its answers by path.
func (s *server) said(paths ...string) map[string]string {
	s.t.Helper()
	out := map[string]string{}
	for _, path := range paths {
		req, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, "http://"+s.addr+"/v1"+path, nil)
		if err != nil {
			s.t.Fatal(err)
		}
		req.Header.Set("Authorization", "Token "+testKey)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			s.t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != http.StatusOK {
			s.t.Fatalf("GET %s: %d, %v", path, resp.StatusCode, err)
		}
		out["GET "+path] = string(body)
	}
	return out
}

// kept adds all files of a data directory: the database with its log, exports.
func kept(t *testing.T, dir string, into map[string]string) {
	t.Helper()
	files := 0
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		into[path] = string(content)
		files++
		return err
	})
	if err != nil || files < 2 {
		t.Fatalf("%d files in %s, %v", files, dir, err)
	}
}

// inClear fails the test for each secret that stands in something.
func inClear(t *testing.T, texts map[string]string, secrets []string) {
	t.Helper()
	slices.Sort(secrets)
	for _, secret := range slices.Compact(secrets) {
		if len(secret) < 8 {
			t.Fatalf("%q is too short to look for", secret)
		}
		for where, text := range texts {
			if i := strings.Index(text, secret); i >= 0 {
				t.Errorf("%s holds a secret: …%q…", where, text[max(0, i-40):min(len(text), i+len(secret)+10)])
			}
		}
	}
}

// TestSyncOutlivesKill kills the server in the midst of a log-in: the password
// is nowhere in clear, and the log-in is made again when the server is back.
func TestSyncOutlivesKill(t *testing.T) {
	t.Parallel()
	for name, database := range map[string]func() string{"sqlite": func() string { return "" }, "postgres": func() string { return pgtest.Database(t) }} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			club := fixtures.Club()
			gate := &gate{site: club}
			gate.open()
			dir := t.TempDir()
			if err := clubCrawler(dir, site(t, gate)); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(gate.open) // before the site is closed, which waits for what is held
			data := t.TempDir()
			srv := newServer(t, data, database(), "-v", "--crawlers", filepath.Join(dir, "club"))
			srv.start()
			ida := club.Members[0]
			reached := gate.shutAfter(2) // the page and the password; the health check waits
			y, err := srv.client().SyncLogin(t.Context(), client.NewSync{Type: "example-club", Username: ida.Email, Password: ida.Password, Remember: true})
			if err != nil {
				t.Fatal(err)
			}
			select {
			case <-reached:
			case <-time.After(time.Minute):
				t.Fatal("the log-in does not begin")
			}
			if at, err := srv.client().Sync(t.Context(), y.ID); err != nil || at.StatusCode != 120 {
				t.Errorf("under way it is %+v, %v", at, err)
			}
			srv.kill()
			said := map[string]string{"the log": srv.log.tail(1 << 30)}
			if name == "sqlite" {
				kept(t, data, said)
			}
			inClear(t, said, []string{ida.Password})
			gate.open()
			srv.start()
			id := srv.synchronized(srv.client().Sync(t.Context(), y.ID))
			if a, err := srv.client().Account(t.Context(), id); err != nil || a.Username != ida.Email || !a.Remembered {
				t.Errorf("%+v, %v", a, err)
			}
			if n := club.Logins(); n != 2 {
				t.Errorf("the password was sent %d times, want once before the kill and once after", n)
			}
		})
	}
}
