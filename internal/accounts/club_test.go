package accounts_test

import (
	"testing"

	"shoal"
)

// TestClubLogin: a log-in by JSON with a token, from the page that it belongs to.
func TestClubLogin(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		site := w.club()
		ida := site.Members[0]
		y := w.login("example-club", ida.Email, ida.Password, "")
		w.wants(y, shoal.AccountSynchronized)
		w.wants(w.login("example-club", ida.Email, "guess", ""), shoal.AccountWrongCredentials)
		site.Block(ida.Email)
		w.wants(w.check(y.AccountID), shoal.AccountBlocked)
		if a := w.account(y.AccountID); a.StatusInfo != "account_blocked" || a.StatusCode != "403" {
			t.Errorf("%+v", a)
		}
	})
}

// TestOneTimeCode: a log-in that asks for a code waits for it, in the same
// session of the site: the password is not sent again, which would make the
// code a wrong one.
func TestOneTimeCode(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		site := w.club()
		joe := site.Members[1]
		y := w.login("example-club", joe.Email, joe.Password, "")
		w.wants(y, shoal.AccountOTPNeeded)
		if y.Made || y.State == nil {
			t.Errorf("%+v", y)
		}
		wrong := w.login("example-club", joe.Email, joe.Password, "WRONG0")
		w.wants(wrong, shoal.AccountOTPNeeded)
		right := w.login("example-club", joe.Email, joe.Password, site.Mailed(joe.Email))
		w.wants(right, shoal.AccountSynchronized)
		if n := site.Logins(); n != 1 {
			t.Errorf("the password was sent %d times, want once", n)
		}
		w.wants(w.check(right.AccountID), shoal.AccountSynchronized)
		if n := w.Int(t, `SELECT count(*) FROM account_syncs WHERE state IS NOT NULL OR sealed IS NOT NULL`); n != 0 {
			t.Errorf("%d synchronizations still hold secrets", n)
		}
	})
}
