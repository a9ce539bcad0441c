package store_test

import (
	"crypto/sha256"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"shoal"
	"shoal/internal/jobs"
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
		if err := e.Store.RevokeKey(ctx, e.Workspace, k.ID); err != nil {
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
		keys, err := e.Store.Keys(ctx, e.Workspace)
		if err != nil || len(keys) != 2 || keys[0].ID != k.ID || keys[0].LastUsedAt.IsZero() {
			t.Fatalf("%+v, %v; want the new key first, with its use", keys, err)
		}
		if err := e.Store.RevokeKey(ctx, e.Workspace, k.ID); err != nil {
			t.Fatal(err)
		}
		_, err = e.Store.KeyByHash(ctx, hash)
		wantErr(t, "a revoked key", err, shoal.ErrKeyNotFound)
		if err := e.Store.RevokeKey(ctx, e.Workspace, k.ID); shoal.KindOf(err) != shoal.KindNotFound {
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
	if err := e.Store.RevokeKey(t.Context(), e.Workspace, k.ID); err != nil {
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

// Used slots are those that somebody holds.
func TestBalanceCountsSlots(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e *storetest.Env) {
		r := e.Run(t, e.Squid(t, 3), shoal.RunSettings{Concurrency: 3, CreditsPerRow: 7})
		l := e.Lease(t, r.ID, 0)
		e.Lease(t, r.ID, 1)
		e.Commit(t, storetest.Page(l, e.Claim(t, l, 1)[0], storetest.Row("a"), storetest.Row("b")))
		b, err := e.Store.Balance(t.Context(), e.Workspace)
		if err != nil || b.UsedSlots != 2 || b.Consumed != 14 {
			t.Fatalf("%+v, %v; want 2 slots used and 14 consumed", b, err)
		}
	})
}
