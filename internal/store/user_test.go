package store_test

import (
	"crypto/sha256"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"shoal"
	"shoal/internal/jobs"
	"shoal/internal/pgtest"
	"shoal/internal/store"
	"shoal/internal/store/storetest"
)

// The first start makes a workspace and a user with a key, of which only the
// hash is kept; later starts make nothing.
func TestFirstStart(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e *storetest.Env) {
		ctx := t.Context()
		e.Exec(t, `DELETE FROM api_keys`)
		e.Exec(t, `DELETE FROM users`)
		u, err := e.Store.Bootstrap(ctx, "Me@Shoal.test")
		if err != nil || u.Email != "me@shoal.test" || !u.IsActive || !u.IsStaff {
			t.Fatalf("%+v, %v", u, err)
		}
		token, err := e.Store.EnsureKey(ctx, u, "")
		if err != nil || len(token) < 40 {
			t.Fatalf("%q, %v; want a key of 40 characters or more", token, err)
		}
		k, err := e.Store.KeyByHash(ctx, sha256.Sum256([]byte(token)))
		if err != nil || k.UserID != u.ID || k.Scope != shoal.ScopeAdmin || !k.IsStaff || !strings.HasPrefix(token, k.Prefix) || len(k.Prefix) > 10 {
			t.Fatalf("%+v, %v", k, err)
		}
		if got, err := e.Store.User(ctx, k.WorkspaceID, k.UserID); err != nil || got != u {
			t.Fatalf("%+v, %v", got, err)
		}
		b, err := e.Store.Balance(ctx, k.WorkspaceID)
		if err != nil || b.Available >= 0 || b.Interval != "monthly" || b.TotalSlots != 0 || b.UsedSlots != 0 {
			t.Fatalf("balance %+v, %v; want an unlimited one", b, err)
		}
		if again, err := e.Store.Bootstrap(ctx, "you@shoal.test"); err != nil || again != u {
			t.Fatalf("second start: %+v, %v; want the first user", again, err)
		}
		if again, err := e.Store.EnsureKey(ctx, u, ""); err != nil || again != "" || e.Int(t, `SELECT count(*) FROM api_keys`) != 1 {
			t.Fatalf("a second key: %q, %v", again, err)
		}
	})
}

// Servers that start together on an empty database agree on one user and key.
func TestFirstStartOfMany(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e *storetest.Env) {
		e.Exec(t, `DELETE FROM api_keys`)
		e.Exec(t, `DELETE FROM users`)
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				u, err := e.Store.Bootstrap(t.Context(), "me@shoal.test")
				if err == nil {
					_, err = e.Store.EnsureKey(t.Context(), u, strings.Repeat("0123456789", 4))
				}
				if err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if users, keys := e.Int(t, `SELECT count(*) FROM users`), e.Int(t, `SELECT count(*) FROM api_keys`); users != 1 || keys != 1 {
			t.Errorf("%d users and %d keys, want one of each", users, keys)
		}
	})
}

// An operator's own key must be as hard to guess as one of ours, and once
// revoked it does not come back with the next start.
func TestGivenKey(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e *storetest.Env) {
		ctx := t.Context()
		u, err := e.Store.Bootstrap(ctx, "me@shoal.test")
		if err != nil || u.ID != e.User {
			t.Fatalf("%+v, %v", u, err)
		}
		for _, bad := range []string{"short", strings.Repeat("x", 15), strings.Repeat("x", 201), strings.Repeat("x", 39) + " x", strings.Repeat("é", 30)} {
			if _, err := e.Store.EnsureKey(ctx, u, bad); shoal.KindOf(err) != shoal.KindInvalid {
				t.Errorf("key %q: %v, want it refused", bad, err)
			}
		}
		given := strings.Repeat("0123456789", 4)
		if made, err := e.Store.EnsureKey(ctx, u, given); err != nil || made != given {
			t.Fatalf("%q, %v", made, err)
		}
		k, err := e.Store.KeyByHash(ctx, sha256.Sum256([]byte(given)))
		if err != nil {
			t.Fatal(err)
		}
		if err := e.Store.RevokeKey(ctx, shoal.KeyFilter{Workspace: e.Workspace}, k.ID); err != nil {
			t.Fatal(err)
		}
		if made, err := e.Store.EnsureKey(ctx, u, given); err != nil || made != "" {
			t.Fatalf("%q, %v; want it to stay revoked", made, err)
		}
		_, err = e.Store.KeyByHash(ctx, sha256.Sum256([]byte(given)))
		wantErr(t, "the revoked key", err, shoal.ErrKeyNotFound)
	})
}

// A revoked key is refused at once by the process that revoked it, though it
// had just been used; an expired one is returned, for the caller to say so.
func TestKeys(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e *storetest.Env) {
		ctx := t.Context()
		k, secret, err := e.Store.CreateKey(ctx, e.Workspace, e.User, "ci", shoal.ScopeRun, time.Now().Add(-time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		hash := sha256.Sum256([]byte(secret))
		for range 2 { // from the database, then from memory
			got, err := e.Store.KeyByHash(ctx, hash)
			if err != nil || got.ID != k.ID || got.UserID != e.User || got.Scope != shoal.ScopeRun || !got.ExpiresAt.Before(time.Now()) {
				t.Fatalf("%+v, %v", got, err)
			}
		}
		keys, err := e.Store.Keys(ctx, shoal.KeyFilter{Workspace: e.Workspace}, shoal.Window{Page: 1, Limit: 10})
		if err != nil || keys.Total != 2 || len(keys.Items) != 2 || keys.Items[0].ID != k.ID || keys.Items[0].LastUsedAt.IsZero() {
			t.Fatalf("%+v, %v; want the new key first, with its use", keys, err)
		}
		if err := e.Store.RevokeKey(ctx, shoal.KeyFilter{Workspace: e.Workspace}, k.ID); err != nil {
			t.Fatal(err)
		}
		_, err = e.Store.KeyByHash(ctx, hash)
		wantErr(t, "a revoked key", err, shoal.ErrKeyNotFound)
		if err := e.Store.RevokeKey(ctx, shoal.KeyFilter{Workspace: e.Workspace}, k.ID); shoal.KindOf(err) != shoal.KindNotFound {
			t.Errorf("revoked twice: %v", err)
		}
		_, err = e.Store.KeyByHash(ctx, [32]byte{})
		wantErr(t, "no key", err, shoal.ErrKeyNotFound)
		_, _, err = e.Store.CreateKey(ctx, e.Workspace, e.User, "x", "root", time.Time{})
		if shoal.KindOf(err) != shoal.KindInvalid {
			t.Errorf("scope root: %v", err)
		}
	})
}

// On PostgreSQL another machine's revocation is believed within 5 seconds, by
// the injected clock; on SQLite nobody else can revoke.
func TestKeyRevokedElsewhere(t *testing.T) {
	now := time.Now()
	e := storetest.Postgres(t)
	o := e.Options
	o.Now = func() time.Time { return now }
	db, err := store.OpenDB(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	client, err := jobs.Open(jobs.Options{DB: db.WriteDB(), Dialect: jobs.Dialect(db.Dialect()), Owner: "elsewhere"})
	if err != nil {
		t.Fatal(err)
	}
	elsewhere := store.New(db, client)
	hash := sha256.Sum256([]byte(e.Key))
	k, err := elsewhere.KeyByHash(t.Context(), hash)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Store.RevokeKey(t.Context(), shoal.KeyFilter{}, k.ID); err != nil {
		t.Fatal(err)
	}
	now = now.Add(5 * time.Second)
	if _, err := elsewhere.KeyByHash(t.Context(), hash); !errors.Is(err, shoal.ErrKeyNotFound) {
		t.Fatalf("5 s after: %v, want it refused", err)
	}
}

func TestCreateUser(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e *storetest.Env) {
		u, err := e.Store.CreateUser(t.Context(), shoal.User{Email: "Ann@x.test ", FirstName: "Ann"}, "Ann's")
		if err != nil || u.Email != "ann@x.test" {
			t.Fatalf("%+v, %v", u, err)
		}
		if got, err := e.Store.User(t.Context(), u.WorkspaceID, u.ID); err != nil || got != u {
			t.Fatalf("%+v, %v; want %+v", got, err, u)
		}
		if _, err := e.Store.CreateUser(t.Context(), shoal.User{Email: "ANN@x.test"}, "x"); shoal.KindOf(err) != shoal.KindConflict {
			t.Errorf("a second Ann: %v", err)
		}
		if _, err := e.Store.CreateUser(t.Context(), shoal.User{Email: "ann"}, "x"); shoal.KindOf(err) != shoal.KindInvalid {
			t.Errorf("no address: %v", err)
		}
	})
}

// A new user has a workspace and a first key; who is made inactive is refused
// at once, although their key had just been used, and is let in again later.
func TestAddUserAndSwitchOff(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e *storetest.Env) {
		ctx := t.Context()
		ann, err := e.Store.AddUser(ctx, shoal.NewUser{User: shoal.User{Email: "Ann@x.test", LastName: "Lee", ProfileImage: "https://x.test/a.png"}})
		if err != nil {
			t.Fatal(err)
		}
		hash := sha256.Sum256([]byte(ann.Secret))
		k, err := e.Store.KeyByHash(ctx, hash)
		if err != nil || k.UserID != ann.User.ID || k.WorkspaceID != ann.User.WorkspaceID || k.Scope != shoal.ScopeAdmin || k.IsStaff {
			t.Fatalf("her key: %+v, %v", k, err)
		}
		if w, err := e.Store.Workspace(ctx, ann.User.WorkspaceID); err != nil || w.Name != "Ann@x.test" || w.Users != 1 || w.PlanName != "unlimited" {
			t.Errorf("her workspace: %+v, %v", w, err)
		}
		bob, err := e.Store.AddUser(ctx, shoal.NewUser{User: shoal.User{Email: "bob@x.test", WorkspaceID: ann.User.WorkspaceID}})
		if err != nil || bob.User.WorkspaceID != ann.User.WorkspaceID {
			t.Fatalf("Bob, who joins her: %+v, %v", bob.User, err)
		}
		_, err = e.Store.AddUser(ctx, shoal.NewUser{User: shoal.User{Email: "c@x.test", WorkspaceID: shoal.NewID[shoal.WorkspaceID]()}})
		wantErr(t, "a workspace that is none", err, shoal.ErrWorkspaceNotFound)
		no, yes := false, true
		if u, err := e.Store.UpdateUser(ctx, ann.User.ID, shoal.UserPatch{IsActive: &no, FirstName: &ann.User.LastName}); err != nil || u.IsActive || u.FirstName != "Lee" || u.LastName != "Lee" {
			t.Fatalf("switched off: %+v, %v", u, err)
		}
		_, err = e.Store.KeyByHash(ctx, hash)
		wantErr(t, "her key when she is off", err, shoal.ErrKeyNotFound)
		if _, err := e.Store.KeyByHash(ctx, sha256.Sum256([]byte(bob.Secret))); err != nil {
			t.Errorf("Bob's key: %v", err)
		}
		if _, err := e.Store.UpdateUser(ctx, ann.User.ID, shoal.UserPatch{IsActive: &yes, IsStaff: &yes}); err != nil {
			t.Fatal(err)
		}
		if k, err := e.Store.KeyByHash(ctx, hash); err != nil || !k.IsStaff {
			t.Errorf("her key when she is back, as staff: %+v, %v", k, err)
		}
		lee := "lee@x.test"
		if u, err := e.Store.UpdateUser(ctx, ann.User.ID, shoal.UserPatch{Email: &lee, EmailVerified: &yes}); err != nil || u.Email != lee || !u.EmailVerified {
			t.Errorf("another email, verified: %+v, %v", u, err)
		}
		if u, err := e.Store.UpdateUser(ctx, ann.User.ID, shoal.UserPatch{Email: &ann.User.Email}); err != nil || u.EmailVerified {
			t.Errorf("the former email: %+v, %v; want it not verified", u, err)
		}
		taken := "BOB@x.test"
		if _, err := e.Store.UpdateUser(ctx, ann.User.ID, shoal.UserPatch{Email: &taken}); shoal.KindOf(err) != shoal.KindConflict {
			t.Errorf("Bob's email: %v", err)
		}
	})
}

// The server is never left without a member of staff, whichever way.
func TestLastStaffUserStays(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e *storetest.Env) {
		no := false
		for name, p := range map[string]shoal.UserPatch{"off": {IsActive: &no}, "no staff": {IsStaff: &no}} {
			if _, err := e.Store.UpdateUser(t.Context(), e.User, p); shoal.CodeOf(err) != "LastStaffUser" {
				t.Errorf("%s: %v", name, err)
			}
		}
		if _, err := e.Store.AddUser(t.Context(), shoal.NewUser{User: shoal.User{Email: "two@x.test", IsStaff: true}}); err != nil {
			t.Fatal(err)
		}
		if _, err := e.Store.UpdateUser(t.Context(), e.User, shoal.UserPatch{IsStaff: &no}); err != nil {
			t.Errorf("with another: %v", err)
		}
	})
}

// A page of users is chosen by workspace and a part of the email, whose signs
// mean themselves.
func TestUsersAreFound(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e *storetest.Env) {
		for _, email := range []string{"a_1@x.test", "ab1@x.test", "b%1@x.test"} {
			if _, err := e.Store.AddUser(t.Context(), shoal.NewUser{User: shoal.User{Email: email}}); err != nil {
				t.Fatal(err)
			}
		}
		for _, c := range []struct {
			f    shoal.UserFilter
			want int64
		}{{shoal.UserFilter{}, 4}, {shoal.UserFilter{Email: "A_1"}, 1}, {shoal.UserFilter{Email: "%"}, 1}, {shoal.UserFilter{Workspace: e.Workspace}, 1}, {shoal.UserFilter{Workspace: e.Workspace, Email: "a_1"}, 0}} {
			l, err := e.Store.Users(t.Context(), c.f, shoal.Window{Page: 1, Limit: 2})
			if err != nil || l.Total != c.want || int64(len(l.Items)) != min(c.want, 2) {
				t.Errorf("%+v: %d of %d, %v; want %d", c.f, len(l.Items), l.Total, err, c.want)
			}
		}
		l, err := e.Store.Workspaces(t.Context(), shoal.Window{Page: 2, Limit: 3})
		if err != nil || l.Total != 4 || len(l.Items) != 1 || l.Items[0].ID != e.Workspace {
			t.Errorf("workspaces: %+v, %v", l, err)
		}
		if w, err := e.Store.RenameWorkspace(t.Context(), e.Workspace, "Ours"); err != nil || w.Name != "Ours" {
			t.Errorf("renamed: %+v, %v", w, err)
		}
	})
}

// Uses are written behind the requests; half an hour without one makes the
// next a log-in, whichever key it comes with.
func TestUsesAreCounted(t *testing.T) {
	for _, dialect := range []store.Dialect{store.SQLite, store.Postgres} {
		t.Run(string(dialect), func(t *testing.T) {
			t.Parallel()
			var now atomic.Pointer[time.Time] // the store's background work looks at it, too
			pass := func(d time.Duration) time.Time {
				at := time.Now().UTC().Truncate(time.Second)
				if was := now.Load(); was != nil {
					at = was.Add(d)
				}
				now.Store(&at)
				return at
			}
			pass(0)
			o := store.Options{DataDir: t.TempDir(), Now: func() time.Time { return *now.Load() }}
			if dialect == store.Postgres {
				o.DatabaseURL = pgtest.Database(t)
			}
			e := storetest.New(t, o)
			other, secret, err := e.Store.CreateKey(t.Context(), e.Workspace, e.User, "other", shoal.ScopeRead, time.Time{})
			if err != nil {
				t.Fatal(err)
			}
			for i, c := range []struct {
				after  time.Duration
				secret string
				want   int
			}{{0, e.Key, 1}, {29 * time.Minute, secret, 1}, {29 * time.Minute, e.Key, 1}, {31 * time.Minute, secret, 2}} {
				pass(c.after)
				if _, err := e.Store.KeyByHash(t.Context(), sha256.Sum256([]byte(c.secret))); err != nil {
					t.Fatal(err)
				}
				e.Reopen(t)
				if u, err := e.Store.User(t.Context(), e.Workspace, e.User); err != nil || u.LoginCount != c.want {
					t.Errorf("use %d: %d log-ins, %v; want %d", i, u.LoginCount, err, c.want)
				}
			}
			if k, err := e.Store.Key(t.Context(), shoal.KeyFilter{}, other.ID); err != nil || !k.LastUsedAt.Equal(pass(0)) {
				t.Errorf("last used %v, %v; want %v", k.LastUsedAt, err, pass(0))
			}
		})
	}
}

// A user may have a hundred keys in force; expired and revoked ones are free.
func TestKeysAreBounded(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e *storetest.Env) {
		create := func(expires time.Time) (shoal.Key, error) {
			k, _, err := e.Store.CreateKey(t.Context(), e.Workspace, e.User, "k", shoal.ScopeRead, expires)
			return k, err
		}
		var last shoal.Key
		for i := range 99 { // and the one that is there
			var err error
			if last, err = create(time.Time{}); err != nil {
				t.Fatal(i, err)
			}
		}
		if _, err := create(time.Time{}); shoal.CodeOf(err) != "UsageLimitExceeded" {
			t.Errorf("one more: %v", err)
		}
		if err := e.Store.RevokeKey(t.Context(), shoal.KeyFilter{User: e.User}, last.ID); err != nil {
			t.Fatal(err)
		}
		if _, err := create(time.Time{}); err != nil {
			t.Errorf("in the place of a revoked one: %v", err)
		}
		l, err := e.Store.Keys(t.Context(), shoal.KeyFilter{User: e.User, InForce: time.Now()}, shoal.Window{Page: 1, Limit: 100})
		if err != nil || l.Total != 100 || len(l.Items) != 100 {
			t.Errorf("%d of %d in force, %v", len(l.Items), l.Total, err)
		}
	})
}

// Used slots are those that running runs hold, whoever works them at the moment.
func TestBalanceCountsSlots(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e *storetest.Env) {
		r := e.Run(t, e.Squid(t, 3), shoal.RunSettings{Concurrency: 3, CreditsPerRow: 7})
		l := e.Lease(t, r.ID, 0)
		e.Lease(t, r.ID, 1)
		e.Commit(t, storetest.Page(l, e.Claim(t, l, 1)[0], storetest.Row("a"), storetest.Row("b")))
		b, err := e.Store.Balance(t.Context(), e.Workspace)
		if err != nil || b.UsedSlots != 3 || b.Consumed != 14 {
			t.Fatalf("%+v, %v; want 3 slots used and 14 consumed", b, err)
		}
	})
}
