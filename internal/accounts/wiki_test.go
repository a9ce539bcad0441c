package accounts_test

import (
	"strings"
	"testing"

	"shoal"
	"shoal/internal/accounts"
	"shoal/internal/wikitest"
)

// TestWikiLogin logs in to a real DokuWiki by its form, as its members and as
// nobody, and sees the session go on and end.
func TestWikiLogin(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		wiki, ada := w.wiki(2), wikitest.Members()[0]
		y := w.login("example-wiki", ada.Username, ada.Password, "")
		w.wants(y, shoal.AccountSynchronized)
		a := w.account(y.AccountID)
		if a.Username != "ada" || a.StatusInfo != "synchronized" || a.Remembered {
			t.Errorf("%+v", a)
		}
		if sent := w.sends(a.ID, wiki.Index()); sent["DokuWiki"] == "" {
			t.Errorf("the session sends %d cookies", len(sent))
		}
		w.wants(w.check(a.ID), shoal.AccountSynchronized)

		for _, wrong := range [][2]string{{ada.Username, "wrong"}, {"nobody", ada.Password}} {
			no := w.login("example-wiki", wrong[0], wrong[1], "")
			w.wants(no, shoal.AccountWrongCredentials)
			if no.Made && no.AccountID != a.ID || strings.Contains(no.StatusText, wrong[1]) {
				t.Errorf("%+v", no)
			}
		}
		if now := w.account(a.ID); now.StatusInfo != "synchronized" {
			t.Errorf("a wrong password spoilt the session: %+v", now)
		}

		wiki.Expire(t)
		w.wants(w.check(a.ID), shoal.AccountCookiesExpired)
		if now := w.account(a.ID); now.StatusInfo != "cookies_expired" || now.StatusCode != "401" {
			t.Errorf("%+v", now)
		}
		again := w.login("example-wiki", ada.Username, ada.Password, "")
		w.wants(again, shoal.AccountSynchronized)
		if again.AccountID != a.ID {
			t.Error("the second log-in of a user made a second account")
		}
		w.wants(w.check(a.ID), shoal.AccountSynchronized)
	})
}

// TestWikiCookies: a session that a person made in a browser is taken over by
// its cookies, and named as the site names it.
func TestWikiCookies(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		wiki, grace := w.wiki(1), wikitest.Members()[1]
		session := wiki.Session(t, grace)
		y := w.cookies("example-wiki", session)
		w.wants(y, shoal.AccountSynchronized)
		a := w.account(y.AccountID)
		if a.Username != "grace" {
			t.Errorf("it is called %q; the site says grace", a.Username)
		}
		wiki.Expire(t)
		w.wants(w.cookies("example-wiki", session), shoal.AccountCookiesExpired)
		refresh := w.cookies("example-wiki", wiki.Session(t, grace), func(r *accounts.Request) { r.Account = a })
		w.wants(refresh, shoal.AccountSynchronized)
		if refresh.AccountID != a.ID {
			t.Error("a refresh made another account")
		}
		w.wants(w.check(a.ID), shoal.AccountSynchronized)

		r := w.request("example-wiki")
		r.Cookies = map[string]string{"DW1": "x"}
		if _, err := w.service.WithCookies(t.Context(), r); shoal.CodeOf(err) != "ParamsNeeded" || !strings.Contains(err.Error(), "DokuWiki") {
			t.Errorf("without the required cookie: %v", err)
		}
	})
}

// TestRememberedPassword: an account whose password is remembered logs in again
// by itself, and forgets a password that the site refuses.
func TestRememberedPassword(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		wiki, ada := w.wiki(1), wikitest.Members()[0]
		y := w.login("example-wiki", ada.Username, ada.Password, "", func(r *accounts.Request) { r.Remember = true })
		w.wants(y, shoal.AccountSynchronized)
		if !w.account(y.AccountID).Remembered {
			t.Fatal("the password is not remembered")
		}
		before := w.sends(y.AccountID, wiki.Index())["DokuWiki"]
		wiki.Expire(t)
		w.wants(w.check(y.AccountID), shoal.AccountSynchronized)
		if a := w.account(y.AccountID); !a.Remembered || w.sends(a.ID, wiki.Index())["DokuWiki"] == before {
			t.Errorf("%+v", a)
		}
		wiki.Expire(t)
		wiki.SetPassword(t, ada.Username, "changed on the site")
		w.wants(w.check(y.AccountID), shoal.AccountWrongCredentials)
		if a := w.account(y.AccountID); a.Remembered || a.StatusInfo != "wrong_credentials" {
			t.Errorf("%+v", a)
		}
		w.wants(w.check(y.AccountID), shoal.AccountCookiesExpired)
	})
}
