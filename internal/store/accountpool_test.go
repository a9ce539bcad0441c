package store_test

import (
	"bytes"
	"testing"
	"time"

	"shoal"
	"shoal/internal/store/storetest"
)

// poolAccount makes an account of an arbitrary type and links it to the squid.
func poolAccount(t *testing.T, e *storetest.Env, name string, squid shoal.SquidID) (shoal.AccountID, int64) {
	t.Helper()
	id, now := shoal.NewID[shoal.AccountID](), time.Now().UnixMicro()
	e.Exec(t, `INSERT INTO accounts (id, workspace_pk, type_id, username, status_code, status_info, jar, created_at, updated_at, synced_at)
		SELECT CAST($1 AS TEXT), pk, 'type', CAST($2 AS TEXT), '200', 'synchronized', $3, CAST($4 AS BIGINT), CAST($4 AS BIGINT), CAST($4 AS BIGINT)
		FROM workspaces WHERE id = $5`, string(id), name, []byte("jar of "+name), now, string(e.Workspace))
	pk := e.Int(t, `SELECT pk FROM accounts WHERE id = $1`, string(id))
	e.Exec(t, `INSERT INTO squid_accounts (squid_pk, account_pk) SELECT pk, CAST($2 AS BIGINT) FROM squids WHERE id = $1`, string(squid), pk)
	return id, pk
}

// take has a run work with the account.
func take(t *testing.T, e *storetest.Env, run shoal.RunID, account int64) {
	t.Helper()
	_, err := e.Store.AdmitRun(t.Context(), run, "test", func(r *shoal.Run, st *shoal.Standing, _ time.Time) (shoal.Effects, error) {
		r.AccountPK = account
		return 0, nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// A page's use is counted with the page, and only if the page is committed.
func TestPagesCountAgainstTheirAccount(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e *storetest.Env) {
		q := e.Squid(t, 4)
		id, pk := poolAccount(t, e, "ann", q)
		run := e.Run(t, q, shoal.RunSettings{})
		l := e.Lease(t, run.ID, 0)
		day := time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)
		commit := func(since time.Time, hour int, rows ...shoal.Row) {
			t.Helper()
			p := storetest.Page(l, e.Claim(t, l, 1)[0], rows...)
			p.At = since.Add(time.Duration(hour) * time.Hour)
			p.Use = &shoal.PageUse{AccountPK: pk, Since: since, Counts: []string{shoal.UseRequests, shoal.UseTasks}, Results: true,
				BatchAttribute: shoal.UseResults, BatchSize: 3, BatchRest: 2 * time.Hour}
			e.Commit(t, p)
			again := *p
			if _, err := e.Store.CommitPage(t.Context(), &again); err == nil {
				t.Error("a second commit of a page is taken")
			}
		}
		commit(day, 1, storetest.Row("a"), storetest.Row("b"))
		commit(day, 2, storetest.Row("b"), storetest.Row("c"))
		a, err := e.Store.Account(t.Context(), e.Workspace, id)
		if err != nil {
			t.Fatal(err)
		}
		for name, want := range map[string]int64{shoal.UseRequests: 2, shoal.UseTasks: 2, shoal.UseResults: 3} {
			if u := a.Uses[name]; u.N != want || !u.Since.Equal(day) || !u.At.Equal(day.Add(2*time.Hour)) {
				t.Errorf("%s: %+v, want %d", name, u, want)
			}
		}
		if a.Batch.N != 3 || !a.Batch.At.Equal(day.Add(2*time.Hour)) {
			t.Errorf("the batch is %+v, want 3, full at its last page", a.Batch)
		}
		commit(day.AddDate(0, 0, 1), 1, storetest.Row("d"))
		commit(day, 23, storetest.Row("e")) // it comes late
		if a, err = e.Store.Account(t.Context(), e.Workspace, id); err != nil || a.Uses[shoal.UseRequests].N != 1 || a.Uses[shoal.UseResults].N != 1 {
			t.Errorf("the second day has %+v, %v", a.Uses, err)
		}
		storetest.Check(t, e, run.ID)
	})
}

// Whatever ends a run's work frees its account, and wakes who waits for it.
func TestAPausedRunHoldsNoAccount(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e *storetest.Env) {
		ctx := t.Context()
		first, second := e.Squid(t, 1), e.Squid(t, 1)
		_, pk := poolAccount(t, e, "ann", first)
		e.Exec(t, `INSERT INTO squid_accounts (squid_pk, account_pk) SELECT pk, CAST($2 AS BIGINT) FROM squids WHERE id = $1`, string(second), pk)
		one, two := e.Run(t, first, shoal.RunSettings{}), e.Run(t, second, shoal.RunSettings{})
		take(t, e, one.ID, pk)
		_, err := e.Store.AdmitRun(ctx, two.ID, "test", func(r *shoal.Run, st *shoal.Standing, now time.Time) (shoal.Effects, error) {
			if len(st.Accounts) != 1 || st.Accounts[0].Runs != 1 || st.Accounts[0].PK != pk {
				t.Errorf("the second run sees %+v", st.Accounts)
			}
			r.Status, r.DoneReason, r.PausedAt = shoal.RunPaused, shoal.ReasonNoAccountAvailable, now
			return 0, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if due, err := e.Store.RunsToWake(ctx, time.Now().Add(time.Hour), 10); err != nil || len(due) != 0 {
			t.Fatalf("%d runs wake although the account is busy, %v", len(due), err)
		}
		_, err = e.Store.ChangeRun(ctx, one.ID, "test", func(r *shoal.Run, now time.Time) (shoal.Effects, error) {
			r.Status, r.PausedAt, r.AccountPK = shoal.RunPaused, now, 0
			return 0, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if due, err := e.Store.RunsToWake(ctx, time.Now().Add(time.Minute), 10); err != nil || len(due) != 1 || due[0].ID != two.ID {
			t.Errorf("%d runs wake, %v", len(due), err)
		}
		if _, err := e.Store.RunAccount(ctx, one.ID); shoal.CodeOf(err) != shoal.ErrAccountNotFound.Code {
			t.Errorf("the paused run's account: %v", err)
		}
	})
}

// Deleting a squid under way frees the account of its run.
func TestADeletedSquidHoldsNoAccount(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e *storetest.Env) {
		q := e.Squid(t, 1)
		_, pk := poolAccount(t, e, "ann", q)
		run := e.Run(t, q, shoal.RunSettings{})
		take(t, e, run.ID, pk)
		if err := e.Store.DeleteSquid(t.Context(), e.Workspace, q); err != nil {
			t.Fatal(err)
		}
		if n := e.Int(t, `SELECT count(*) FROM runs WHERE account_pk > 0`); n != 0 {
			t.Errorf("%d runs hold an account", n)
		}
	})
}

// A mark is for the cookies that were tried: an account that got newer ones
// meanwhile stays as it is.
func TestAMarkIsForTheCookiesThatWereTried(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e *storetest.Env) {
		ctx := t.Context()
		q := e.Squid(t, 1)
		id, pk := poolAccount(t, e, "ann", q)
		run := e.Run(t, q, shoal.RunSettings{})
		take(t, e, run.ID, pk)
		held, err := e.Store.RunAccount(ctx, run.ID)
		if err != nil || !bytes.Equal(held.SealedJar, []byte("jar of ann")) || !held.Linked {
			t.Fatalf("%+v, %v", held, err)
		}
		mark := shoal.AccountMark{PK: pk, SyncedAt: held.SyncedAt.Add(-time.Second), Status: shoal.AccountLoggedOut, Desc: "d"}
		var saw shoal.AccountStatus
		decide := func(r *shoal.Run, st *shoal.Standing, _ time.Time) (shoal.Effects, string, error) {
			saw = st.Accounts[0].Status
			return 0, "a note", nil
		}
		for _, want := range []shoal.AccountStatus{shoal.AccountSynchronized, shoal.AccountLoggedOut} {
			if _, err := e.Store.SwitchAccount(ctx, run.ID, "engine", mark, decide); err != nil {
				t.Fatal(err)
			}
			a, err := e.Store.Account(ctx, e.Workspace, id)
			if err != nil || a.StatusInfo != string(want) || saw != want {
				t.Errorf("the account is %s, decided as %s, want %s, %v", a.StatusInfo, saw, want, err)
			}
			mark.SyncedAt = held.SyncedAt
		}
		for _, c := range []struct {
			was  string
			kept bool
		}{{"jar of bob", false}, {"jar of ann", true}} {
			if kept, err := e.Store.KeepJar(ctx, pk, []byte(c.was), []byte("renewed")); err != nil || kept != c.kept {
				t.Errorf("renewed over %q: %v, %v", c.was, kept, err)
			}
		}
		storetest.Check(t, e, run.ID)
	})
}
