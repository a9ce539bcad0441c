package store_test

import (
	"testing"
	"time"

	"shoal"
	"shoal/internal/store/storetest"
)

func TestAccounts(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e *storetest.Env) {
		ctx := t.Context()
		var all []shoal.Account
		for _, name := range []string{"ann", "bob", "cyd"} {
			a := shoal.Account{ID: shoal.NewID[shoal.AccountID](), Workspace: e.Workspace, TypeID: "type", Username: name,
				StatusCode: "100", StatusInfo: "created", SealedJar: []byte{0, 255, 1}}
			y := shoal.Sync{ID: shoal.NewID[shoal.SyncID](), StatusCode: 100, StatusText: "created"}
			if err := e.Store.SyncAccount(ctx, a, y); err != nil {
				t.Fatal(err)
			}
			got, err := e.Store.Sync(ctx, e.Workspace, y.ID)
			if err != nil || got.AccountID != a.ID || got.StatusCode != 100 || got.Workspace != e.Workspace || got.CreatedAt.IsZero() {
				t.Fatalf("%+v, %v", got, err)
			}
			all = append(all, a)
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
		synced := time.Now().UTC().Truncate(time.Microsecond)
		refreshed := all[0]
		refreshed.StatusCode, refreshed.StatusInfo, refreshed.SealedJar, refreshed.SyncedAt = "200", "synchronized", []byte{9}, synced
		if err := e.Store.SyncAccount(ctx, refreshed, shoal.Sync{ID: shoal.NewID[shoal.SyncID](), StatusCode: 200}); err != nil {
			t.Fatal(err)
		}
		if _, err := e.Store.UpdateAccount(ctx, e.Workspace, all[0].ID, map[string]int64{"batch": 5}); err != nil {
			t.Fatal(err)
		}
		got, err := e.Store.Account(ctx, e.Workspace, all[0].ID)
		if err != nil || got.StatusCode != "200" || string(got.SealedJar) != "\x09" || !got.SyncedAt.Equal(synced) || got.Params["batch"] != 5 || len(got.Squids) != 1 {
			t.Errorf("%+v, %v", got, err)
		}
		if err := e.Store.DeleteAccount(ctx, e.Workspace, all[0].ID); err != nil {
			t.Fatal(err)
		}
		wantErr(t, "deleted twice", e.Store.DeleteAccount(ctx, e.Workspace, all[0].ID), shoal.ErrAccountNotFound)
		wantErr(t, "refreshed when deleted", e.Store.SyncAccount(ctx, refreshed, shoal.Sync{ID: shoal.NewID[shoal.SyncID]()}), shoal.ErrAccountNotFound)
		if n := e.Int(t, `SELECT count(*) FROM accounts WHERE jar IS NOT NULL`); n != 2 {
			t.Errorf("%d sealed jars are kept, want those of the 2 living accounts", n)
		}
		if got, err := e.Store.Squid(ctx, e.Workspace, q.ID); err != nil || len(got.Accounts) != 1 || got.Accounts[0] != all[1].ID {
			t.Errorf("the squid's accounts: %v, %v", got.Accounts, err)
		}
	})
}
