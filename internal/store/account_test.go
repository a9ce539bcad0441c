package store_test

import (
	"testing"

	"shoal"
	"shoal/internal/store/storetest"
)

func TestAccounts(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e *storetest.Env) {
		ctx := t.Context()
		var all []shoal.Account
		for _, name := range []string{"ann", "bob", "cyd"} {
			y := newSync(e, name, shoal.SyncSynchronized)
			if err := e.Store.SyncNow(ctx, y, shoal.Session{Jar: []byte{0, 255, 1}}); err != nil {
				t.Fatal(err)
			}
			got, err := e.Store.Sync(ctx, e.Workspace, y.ID)
			if err != nil || got.AccountID != y.AccountID || got.StatusCode != 200 || got.Workspace != e.Workspace || got.CreatedAt.IsZero() || !got.Made {
				t.Fatalf("%+v, %v", got, err)
			}
			all = append(all, shoal.Account{ID: y.AccountID})
		}
		q := newSquid(t, e, "q")
		if _, err := e.Store.UpdateSquid(ctx, e.Workspace, q.ID, shoal.SquidPatch{Accounts: &[]shoal.AccountID{all[0].ID, all[1].ID, all[0].ID}}); err != nil {
			t.Fatal(err)
		}
		list := pages(t, 2, func(w shoal.Window) (shoal.Listing[shoal.Account], error) {
			return e.Store.Accounts(ctx, e.Workspace, w)
		})
		if got := names(list, func(a shoal.Account) string { return a.Username }); got != "cyd bob ann" {
			t.Errorf("accounts %s, want the newest first", got)
		}
		if len(list[0].Squids) != 0 || len(list[2].Squids) != 1 || list[2].Squids[0] != (shoal.SquidRef{ID: q.ID, Name: "q"}) {
			t.Errorf("squids of accounts: %+v, %+v", list[0].Squids, list[2].Squids)
		}
		before := list[2].SyncedAt
		refreshed := newSync(e, "ann", shoal.SyncSynchronized)
		refreshed.AccountID, refreshed.Made = all[0].ID, true
		if err := e.Store.SyncNow(ctx, refreshed, shoal.Session{Jar: []byte{9}}); err != nil {
			t.Fatal(err)
		}
		if _, err := e.Store.UpdateAccount(ctx, e.Workspace, all[0].ID, map[string]int64{"batch": 5}); err != nil {
			t.Fatal(err)
		}
		got, err := e.Store.Account(ctx, e.Workspace, all[0].ID)
		if err != nil || got.StatusCode != "200" || string(got.SealedJar) != "\x09" || !got.SyncedAt.After(before) || got.Params["batch"] != 5 || len(got.Squids) != 1 {
			t.Errorf("%+v, %v", got, err)
		}
		if err := e.Store.DeleteAccount(ctx, e.Workspace, all[0].ID); err != nil {
			t.Fatal(err)
		}
		wantErr(t, "deleted twice", e.Store.DeleteAccount(ctx, e.Workspace, all[0].ID), shoal.ErrAccountNotFound)
		wantErr(t, "refreshed when deleted", e.Store.SyncNow(ctx, again(refreshed), shoal.Session{Jar: []byte{9}}), shoal.ErrAccountNotFound)
		if n := e.Int(t, `SELECT count(*) FROM accounts WHERE jar IS NOT NULL`); n != 2 {
			t.Errorf("%d sealed jars are kept, want those of the 2 living accounts", n)
		}
		if got, err := e.Store.Squid(ctx, e.Workspace, q.ID); err != nil || len(got.Accounts) != 1 || got.Accounts[0] != all[1].ID {
			t.Errorf("the squid's accounts: %v, %v", got.Accounts, err)
		}
	})
}

// newSync is a synchronization that makes an account called name.
func newSync(e *storetest.Env, name string, code int) shoal.Sync {
	return shoal.Sync{ID: shoal.NewID[shoal.SyncID](), Workspace: e.Workspace, Kind: shoal.SyncCookies, TypeID: "type", Username: name,
		AccountID: shoal.NewID[shoal.AccountID](), StatusCode: code, StatusText: "as it is"}
}

// again is another synchronization of the same account.
func again(y shoal.Sync) shoal.Sync {
	y.ID = shoal.NewID[shoal.SyncID]()
	return y
}
