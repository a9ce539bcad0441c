package accounts_test

import (
	"bytes"
	"context"
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"shoal"
	"shoal/internal/accounts"
	"shoal/internal/crawler"
	"shoal/internal/fetch"
	"shoal/internal/fixtures"
	"shoal/internal/jobs"
	"shoal/internal/pgtest"
	"shoal/internal/safedial"
	"shoal/internal/seal"
	"shoal/internal/store"
	"shoal/internal/store/storetest"
	"shoal/internal/wikitest"
)

// world is the service on a real database, with a worker, and crawlers for the sites.
type world struct {
	*storetest.Env
	t       *testing.T
	service *accounts.Service
	dir     string
	log     *bytes.Buffer // of everything, at debug level
}

// each runs f on both databases.
func each(t *testing.T, f func(t *testing.T, w *world)) {
	t.Run("sqlite", func(t *testing.T) { t.Parallel(); f(t, newWorld(t, "")) })
	t.Run("postgres", func(t *testing.T) { t.Parallel(); f(t, newWorld(t, pgtest.Database(t))) })
}

func newWorld(t *testing.T, databaseURL string) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir(), log: &bytes.Buffer{}}
	log := slog.New(slog.NewTextHandler(&lockedWriter{w: w.log}, &slog.HandlerOptions{Level: slog.LevelDebug}))
	w.Env = storetest.New(t, store.Options{DataDir: w.dir, DatabaseURL: databaseURL, Logger: log})
	keys, err := seal.Load("", filepath.Join(w.dir, "secret.key"))
	if err != nil {
		t.Fatal(err)
	}
	f := fetch.New(fetch.Options{Dial: safedial.New(safedial.Options{AllowPrivate: true}).DialContext, Backoff: time.Millisecond})
	t.Cleanup(f.Close)
	w.service = &accounts.Service{Store: w.Store, Fetcher: f, Seal: keys, Log: log}
	return w
}

type lockedWriter struct {
	mu sync.Mutex
	w  *bytes.Buffer
}

func (l *lockedWriter) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(b)
}

// with makes the examples of the language that log in known, for the sites at
// the given addresses, and sets the worker going.
func (w *world) with(sites map[string]string) {
	w.t.Helper()
	dir := w.t.TempDir()
	for name, url := range sites {
		src, err := os.ReadFile("../../docs/language/" + name)
		if err != nil {
			w.t.Fatal(err)
		}
		text := string(src)
		for _, example := range []string{"https://wiki.example", "https://club.example"} {
			text = strings.ReplaceAll(text, example, url)
		}
		text = strings.ReplaceAll(text, "  domain: wiki.example\n", "")
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			w.t.Fatal(err)
		}
	}
	known, err := crawler.NewCatalogue(nil, dir)
	if err != nil {
		w.t.Fatal(err)
	}
	w.service.Types = crawler.NewWorkspaces(known, w.Store, nil)
	ctx, cancel := context.WithCancel(context.WithoutCancel(w.t.Context()))
	ended := make(chan error, 1)
	go func() {
		ended <- w.Jobs.Run(ctx, map[jobs.Kind]jobs.Handler{jobs.KindSync: w.service.Sync})
	}()
	w.t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			w.t.Errorf("jobs: %v", err)
		}
	})
}

// wiki starts a DokuWiki and makes its crawler known.
func (w *world) wiki(pages int) *wikitest.Wiki {
	wiki := wikitest.Start(w.t, pages)
	w.with(map[string]string{"15-account.yaml": wiki.URL})
	return wiki
}

// club starts the club's site and makes its crawler known.
func (w *world) club() *fixtures.ClubSite {
	site := fixtures.Club()
	server := httptest.NewServer(site)
	w.t.Cleanup(server.Close)
	w.with(map[string]string{"16-account-code.yaml": server.URL})
	return site
}

// request begins a request about accounts of a type.
func (w *world) request(typ string) accounts.Request {
	w.t.Helper()
	a, err := w.service.Types.AccountType(w.t.Context(), w.Workspace, typ)
	if err != nil {
		w.t.Fatal(err)
	}
	return accounts.Request{ID: shoal.NewID[shoal.SyncID](), Workspace: w.Workspace, Type: &a.Type}
}

// login asks for a log-in and waits for its end.
func (w *world) login(typ, user, password, otp string, set ...func(*accounts.Request)) shoal.Sync {
	w.t.Helper()
	r := w.request(typ)
	r.Username, r.Password, r.OTP = user, password, otp
	for _, f := range set {
		f(&r)
	}
	y, err := w.service.WithLogin(w.t.Context(), r)
	return w.end(y, err)
}

// cookies asks for a synchronization from cookies and waits for its end.
func (w *world) cookies(typ string, values map[string]string, set ...func(*accounts.Request)) shoal.Sync {
	w.t.Helper()
	r := w.request(typ)
	r.Cookies = values
	for _, f := range set {
		f(&r)
	}
	y, err := w.service.WithCookies(w.t.Context(), r)
	return w.end(y, err)
}

// check asks for a try of an account's session and waits for its end.
func (w *world) check(id shoal.AccountID) shoal.Sync {
	w.t.Helper()
	a := w.account(id)
	r := w.request(a.TypeID)
	r.Account = a
	y, err := w.service.Check(w.t.Context(), r)
	return w.end(y, err)
}

// end waits for the end of a synchronization.
func (w *world) end(y shoal.Sync, err error) shoal.Sync {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(w.t.Context(), time.Minute)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		got, err := w.Store.Sync(ctx, w.Workspace, y.ID)
		if err != nil {
			w.t.Fatal(err)
		}
		if got.Done() {
			return got
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			w.t.Fatalf("the synchronization does not end: %+v", got)
		}
	}
}

// wants fails the test unless a synchronization ended with a status.
func (w *world) wants(y shoal.Sync, status shoal.AccountStatus) {
	w.t.Helper()
	if y.Status != status || y.StatusCode != status.Code() || y.StatusText == "" || y.Sealed != nil {
		w.t.Errorf("it ended as %d %q (%s), want %s", y.StatusCode, y.Status, y.StatusText, status)
	}
}

func (w *world) account(id shoal.AccountID) shoal.Account {
	w.t.Helper()
	a, err := w.Store.Account(w.t.Context(), w.Workspace, id)
	if err != nil {
		w.t.Fatal(err)
	}
	return a
}

// sends is what a session of the account sends to a URL, by name.
func (w *world) sends(id shoal.AccountID, to string) map[string]string {
	w.t.Helper()
	jar, err := accounts.Cookies{Seal: w.service.Seal}.Jar(w.account(id).SealedJar, "")
	if err != nil {
		w.t.Fatal(err)
	}
	out := map[string]string{}
	for _, c := range jar.Cookies(httptest.NewRequest("GET", to, nil).URL) {
		out[c.Name] = c.Value
	}
	return out
}
