package store_test

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"shoal"
	"shoal/internal/seal"
	"shoal/internal/store/storetest"
)

// TestResealAll: every kind of secret is given to be resealed with the purpose
// that it was sealed for, in more than one batch; a second time nothing is left.
func TestResealAll(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e *storetest.Env) {
		ctx, s := t.Context(), e.Store
		key := func(b byte) []byte { return bytes.Repeat([]byte{b}, seal.KeySize) }
		old, err := seal.New(key(1))
		if err != nil {
			t.Fatal(err)
		}
		const accounts = 450
		for i := range accounts {
			y := newSync(e, fmt.Sprint("user ", i), shoal.SyncSynchronized)
			made := shoal.Session{Jar: old.Seal(shoal.SealedCookies, []byte("jar"))}
			if i < 10 {
				made.Credentials = old.Seal(shoal.SealedCredentials, []byte("password"))
			}
			if err := s.SyncNow(ctx, y, made); err != nil {
				t.Fatal(err)
			}
		}
		for kind, purpose := range map[shoal.SyncKind]string{shoal.SyncCookies: shoal.SealedCookies, shoal.SyncLogin: shoal.SealedCredentials} {
			y := newSync(e, "under way by "+string(kind), shoal.SyncCreated)
			y.Kind, y.Sealed = kind, old.Seal(purpose, []byte("under way"))
			if err := s.CreateSync(ctx, y); err != nil {
				t.Fatal(err)
			}
		}
		waits := newSync(e, "waits", shoal.SyncCreated)
		if err := s.CreateSync(ctx, waits); err != nil {
			t.Fatal(err)
		}
		waits.StatusCode, waits.State = 428, old.Seal(shoal.SealedLoginState, []byte("state"))
		if _, err := s.FinishSync(ctx, waits, nil); err != nil {
			t.Fatal(err)
		}
		q := newSquid(t, e, "q")
		config := shoal.DeliveryConfig{Email: "a@b.example", Webhook: old.Seal(shoal.SealedDelivery(shoal.ChannelWebhook), []byte("hook")),
			S3: old.Seal(shoal.SealedDelivery(shoal.ChannelS3), []byte("bucket"))}
		if err := s.SetDelivery(ctx, e.Workspace, q.ID, setTo(config)); err != nil {
			t.Fatal(err)
		}

		both, err := seal.New(key(2), key(1))
		if err != nil {
			t.Fatal(err)
		}
		reseal := func(purpose string, sealed []byte) ([]byte, error) {
			plain, err := both.Open(purpose, sealed)
			if err != nil || !both.Stale(sealed) {
				return sealed, err
			}
			return both.Seal(purpose, plain), nil
		}
		const rows = accounts + 10 + 2 + 1 + 1
		if values, changed, err := s.ResealAll(ctx, reseal); err != nil || values != rows || changed != rows {
			t.Fatalf("%d values, %d changed, %v; want %d", values, changed, err, rows)
		}
		if values, changed, err := s.ResealAll(ctx, reseal); err != nil || values != rows || changed != 0 {
			t.Errorf("again: %d values, %d changed, %v", values, changed, err)
		}
		fresh, err := seal.New(key(2))
		if err != nil {
			t.Fatal(err)
		}
		list, err := s.Accounts(ctx, e.Workspace, shoal.Window{Page: 1, Limit: 100})
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range list.Items {
			if plain, err := fresh.Open(shoal.SealedCookies, a.SealedJar); err != nil || string(plain) != "jar" {
				t.Fatalf("%s: %q, %v", a.Username, plain, err)
			}
		}
		got, err := s.Squid(ctx, e.Workspace, q.ID)
		if err != nil {
			t.Fatal(err)
		}
		if plain, err := fresh.Open(shoal.SealedDelivery(shoal.ChannelWebhook), got.Delivery.Webhook); err != nil || string(plain) != "hook" || got.Delivery.Email != "a@b.example" {
			t.Errorf("delivery: %q, %v, %+v", plain, err, got.Delivery)
		}

		refuse := errors.New("cannot be opened")
		if _, _, err := s.ResealAll(ctx, func(string, []byte) ([]byte, error) { return nil, refuse }); !errors.Is(err, refuse) {
			t.Errorf("a value that cannot be opened: %v", err)
		}
	})
}
