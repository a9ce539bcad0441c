package store_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"shoal"
	"shoal/internal/store/storetest"
)

// TestSyncLife: a synchronization is created, begun and finished once; what it
// was made of is forgotten then.
func TestSyncLife(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e *storetest.Env) {
		ctx, s := t.Context(), e.Store
		y := newSync(e, "ann", shoal.SyncCreated)
		y.Kind, y.Sealed, y.Remember = shoal.SyncLogin, []byte("sealed"), true
		if err := s.CreateSync(ctx, y); err != nil {
			t.Fatal(err)
		}
		if n := e.Int(t, `SELECT count(*) FROM river_job WHERE kind = 'sync'`); n != 1 {
			t.Errorf("%d jobs were enqueued", n)
		}
		if err := s.BeginSync(ctx, y.ID); err != nil {
			t.Fatal(err)
		}
		got, err := s.SyncByID(ctx, y.ID)
		if err != nil || got.StatusCode != shoal.SyncSynchronizing || string(got.Sealed) != "sealed" || got.Made || got.Done() || !got.Remember || got.Kind != shoal.SyncLogin {
			t.Fatalf("%+v, %v", got, err)
		}
		got.StatusCode, got.StatusText, got.Status = shoal.SyncSynchronized, "synchronized", shoal.AccountSynchronized
		if done, err := s.FinishSync(ctx, got, &shoal.Session{Jar: []byte("jar"), Credentials: []byte("secret")}); err != nil || !done {
			t.Fatal(done, err)
		}
		if done, err := s.FinishSync(ctx, got, &shoal.Session{Jar: []byte("other jar")}); err != nil || done {
			t.Errorf("finished twice: %v, %v", done, err)
		}
		if err := s.BeginSync(ctx, y.ID); err != nil {
			t.Fatal(err)
		}
		over, err := s.Sync(ctx, e.Workspace, y.ID)
		if err != nil || over.StatusCode != shoal.SyncSynchronized || over.Sealed != nil || !over.Made || over.Status != shoal.AccountSynchronized {
			t.Errorf("%+v, %v", over, err)
		}
		a, err := s.Account(ctx, e.Workspace, over.AccountID)
		if err != nil || a.Username != "ann" || a.StatusCode != "200" || a.StatusInfo != "synchronized" || string(a.SealedJar) != "jar" || !a.Remembered {
			t.Errorf("%+v, %v", a, err)
		}
		if c, err := s.Credentials(ctx, e.Workspace, a.ID); err != nil || string(c) != "secret" {
			t.Errorf("credentials %q, %v", c, err)
		}
	})
}

// TestFailedSyncs make no account, and leave the one that they were to refresh
// as it was, unless Shoal itself found out how its session stands.
func TestFailedSyncs(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e *storetest.Env) {
		ctx, s := t.Context(), e.Store
		fail := func(y shoal.Sync, status shoal.AccountStatus) {
			t.Helper()
			if err := s.CreateSync(ctx, y); err != nil {
				t.Fatal(err)
			}
			y.StatusCode, y.StatusText, y.Status = status.Code(), status.Description(), status
			if done, err := s.FinishSync(ctx, y, nil); err != nil || !done {
				t.Fatal(done, err)
			}
		}
		first := newSync(e, "ann", shoal.SyncCreated)
		fail(first, shoal.AccountWrongCredentials)
		if n := e.Int(t, `SELECT count(*) FROM accounts`); n != 0 {
			t.Errorf("%d accounts were made", n)
		}
		if got, err := s.Sync(ctx, e.Workspace, first.ID); err != nil || got.Made || got.StatusCode != 401 {
			t.Errorf("%+v, %v", got, err)
		}
		good := newSync(e, "ann", shoal.SyncSynchronized)
		if err := s.SyncNow(ctx, good, shoal.Session{Jar: []byte("jar"), Credentials: []byte("secret")}); err != nil {
			t.Fatal(err)
		}
		refresh := again(good)
		refresh.Made, refresh.StatusCode, refresh.Kind = true, shoal.SyncCreated, shoal.SyncLogin
		fail(refresh, shoal.AccountWrongCredentials)
		if a, err := s.Account(ctx, e.Workspace, good.AccountID); err != nil || a.StatusInfo != "synchronized" || string(a.SealedJar) != "jar" || !a.Remembered {
			t.Errorf("after a refresh that failed: %+v, %v", a, err)
		}
		check := again(refresh)
		check.Kind = shoal.SyncCheck
		fail(check, shoal.AccountCookiesExpired)
		if a, err := s.Account(ctx, e.Workspace, good.AccountID); err != nil || a.StatusInfo != "cookies_expired" || a.StatusCode != "401" || !a.Remembered {
			t.Errorf("after a check that failed: %+v, %v", a, err)
		}
		fail(again(check), shoal.AccountWrongCredentials)
		if a, err := s.Account(ctx, e.Workspace, good.AccountID); err != nil || a.StatusInfo != "wrong_credentials" || a.Remembered {
			t.Errorf("after its password was refused: %+v, %v", a, err)
		}
		// A person gives new cookies while the old ones are being tried.
		late, renewed := again(check), again(good)
		if err := s.CreateSync(ctx, late); err != nil {
			t.Fatal(err)
		}
		renewed.Made, renewed.StatusCode = true, shoal.SyncSynchronized
		if err := s.SyncNow(ctx, renewed, shoal.Session{Jar: []byte("new"), Credentials: []byte("new secret")}); err != nil {
			t.Fatal(err)
		}
		late.StatusCode, late.Status = shoal.AccountWrongCredentials.Code(), shoal.AccountWrongCredentials
		if done, err := s.FinishSync(ctx, late, nil); err != nil || !done {
			t.Fatal(done, err)
		}
		if a, err := s.Account(ctx, e.Workspace, good.AccountID); err != nil || a.StatusInfo != "synchronized" || string(a.SealedJar) != "new" || !a.Remembered {
			t.Errorf("after a check of the cookies before these: %+v, %v", a, err)
		}
		if err := s.DeleteAccount(ctx, e.Workspace, good.AccountID); err != nil {
			t.Fatal(err)
		}
		wantErr(t, "refresh what was deleted", s.CreateSync(ctx, again(check)), shoal.ErrAccountNotFound)
	})
}

// TestOneAccountOfAName: synchronizations of one type and user name make one
// account, also when they come at the same time.
func TestOneAccountOfAName(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e *storetest.Env) {
		ctx, s := t.Context(), e.Store
		var wg sync.WaitGroup
		for range 8 {
			y := newSync(e, "ann", shoal.SyncCreated)
			if err := s.CreateSync(ctx, y); err != nil {
				t.Fatal(err)
			}
			wg.Go(func() {
				y.StatusCode = shoal.SyncSynchronized
				if _, err := s.FinishSync(context.WithoutCancel(ctx), y, &shoal.Session{Jar: []byte("jar")}); err != nil {
					t.Errorf("finish: %v", err)
				}
			})
		}
		wg.Wait()
		if n := e.Int(t, `SELECT count(*) FROM accounts`); n != 1 {
			t.Errorf("%d accounts", n)
		}
		if n := e.Int(t, `SELECT count(DISTINCT account_id) FROM account_syncs`); n != 1 {
			t.Errorf("the synchronizations name %d accounts", n)
		}
		other := newSync(e, "ann", shoal.SyncSynchronized)
		other.TypeID = "another type"
		if err := s.SyncNow(ctx, other, shoal.Session{}); err != nil {
			t.Fatal(err)
		}
		if n := e.Int(t, `SELECT count(*) FROM accounts`); n != 2 {
			t.Errorf("%d accounts; an account of another type is another", n)
		}
	})
}

// TestSyncWakesRuns: the paused runs of the account's squids look again at
// once, those of other squids and for other reasons do not.
func TestSyncWakesRuns(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e *storetest.Env) {
		ctx, s := t.Context(), e.Store
		y := newSync(e, "ann", shoal.SyncSynchronized)
		if err := s.SyncNow(ctx, y, shoal.Session{Jar: []byte("old")}); err != nil {
			t.Fatal(err)
		}
		names := map[shoal.RunID]string{}
		paused := func(name string, linked bool, reason shoal.DoneReason) shoal.RunID {
			q := e.Squid(t, 1)
			if linked {
				if _, err := s.UpdateSquid(ctx, e.Workspace, q, shoal.SquidPatch{Accounts: &[]shoal.AccountID{y.AccountID}}); err != nil {
					t.Fatal(err)
				}
			}
			r := e.Run(t, q, shoal.RunSettings{})
			if _, err := s.ChangeRun(ctx, r.ID, "engine", func(r *shoal.Run, now time.Time) (shoal.Effects, error) {
				r.Status, r.DoneReason, r.PausedAt = shoal.RunPaused, reason, now
				return 0, nil
			}); err != nil {
				t.Fatal(err)
			}
			names[r.ID] = name
			return r.ID
		}
		want := map[shoal.RunID]bool{
			paused("expired", true, shoal.ReasonCookiesExpired):        true,
			paused("otp", true, shoal.ReasonOTPNeeded):                 true,
			paused("none free", true, shoal.ReasonNoAccountAvailable):  true,
			paused("another's limit", true, shoal.ReasonLimitExceeded): true,
			paused("another's batch", true, shoal.ReasonBatchWait):     true,
			paused("by a person", true, shoal.ReasonNone):              false,
			paused("credits", true, shoal.ReasonNoCreditsLeft):         false,
			paused("another's", false, shoal.ReasonCookiesExpired):     false,
		}
		refresh := again(y)
		refresh.Made, refresh.StatusCode = true, shoal.SyncCreated
		if err := s.CreateSync(ctx, refresh); err != nil {
			t.Fatal(err)
		}
		refresh.StatusCode = shoal.SyncSynchronized
		if _, err := s.FinishSync(ctx, refresh, &shoal.Session{Jar: []byte("new")}); err != nil {
			t.Fatal(err)
		}
		due, err := s.RunsToWake(ctx, time.Now().Add(time.Second), 100)
		if err != nil {
			t.Fatal(err)
		}
		woken := map[shoal.RunID]bool{}
		for _, r := range due {
			woken[r.ID] = true
		}
		for id, expected := range want {
			if woken[id] != expected {
				t.Errorf("%s: woken %v, want %v", names[id], woken[id], expected)
			}
		}
	})
}

// TestWaitingLogin: a log-in that waits for its code is found by its user, for
// a while, until another one of that user ends.
func TestWaitingLogin(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e *storetest.Env) {
		ctx, s := t.Context(), e.Store
		y := newSync(e, "ann", shoal.SyncCreated)
		if err := s.CreateSync(ctx, y); err != nil {
			t.Fatal(err)
		}
		y.StatusCode, y.Status, y.State = 428, shoal.AccountOTPNeeded, []byte("half way")
		if _, err := s.FinishSync(ctx, y, nil); err != nil {
			t.Fatal(err)
		}
		if got, err := s.WaitingLogin(ctx, e.Workspace, "type", "ann"); err != nil || string(got.State) != "half way" {
			t.Errorf("%+v, %v", got, err)
		}
		for _, other := range [][2]string{{"type", "bob"}, {"other", "ann"}} {
			_, err := s.WaitingLogin(ctx, e.Workspace, other[0], other[1])
			wantErr(t, "another's", err, shoal.ErrSyncNotFound)
		}
		next := newSync(e, "ann", shoal.SyncCreated)
		if err := s.CreateSync(ctx, next); err != nil {
			t.Fatal(err)
		}
		next.StatusCode = shoal.SyncSynchronized
		if _, err := s.FinishSync(ctx, next, &shoal.Session{}); err != nil {
			t.Fatal(err)
		}
		_, err := s.WaitingLogin(ctx, e.Workspace, "type", "ann")
		wantErr(t, "after the log-in", err, shoal.ErrSyncNotFound)
		late := newSync(e, "ann", shoal.SyncCreated)
		if err := s.CreateSync(ctx, late); err != nil {
			t.Fatal(err)
		}
		late.StatusCode, late.State = 428, []byte("half way")
		if _, err := s.FinishSync(ctx, late, nil); err != nil {
			t.Fatal(err)
		}
		e.Exec(t, `UPDATE account_syncs SET created_at = created_at - $1 WHERE id = $2`, shoal.LoginStateLife.Microseconds(), string(late.ID))
		_, err = s.WaitingLogin(ctx, e.Workspace, "type", "ann")
		wantErr(t, "after its time", err, shoal.ErrSyncNotFound)
		if err := s.CreateSync(ctx, newSync(e, "bob", shoal.SyncCreated)); err != nil {
			t.Fatal(err)
		}
		if n := e.Int(t, `SELECT count(*) FROM account_syncs WHERE state IS NOT NULL`); n != 0 {
			t.Errorf("%d states are kept for longer than they count", n)
		}
	})
}
