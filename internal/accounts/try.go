package accounts

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"shoal"
	"shoal/internal/crawler"
	"shoal/internal/fetch"
)

// try makes the session that y asks for. The error is *refused when the site
// did not accept it; no error repeats a cookie, a password or a code.
func (s *Service) try(ctx context.Context, y *shoal.Sync) (*shoal.Session, error) {
	a, err := s.Types.AccountType(ctx, y.Workspace, y.TypeID)
	if err != nil {
		return nil, errors.New("no crawler declares the account's type any more")
	}
	switch y.Kind {
	case shoal.SyncCookies:
		return s.tryCookies(ctx, a, y, y.Sealed)
	case shoal.SyncLogin:
		return s.tryLogin(ctx, a, y, y.Sealed)
	default:
		return s.tryAgain(ctx, a, y)
	}
}

// tryCookies tries a session of cookies.
func (s *Service) tryCookies(ctx context.Context, a *crawler.Account, y *shoal.Sync, sealed []byte) (*shoal.Session, error) {
	jar, err := Cookies{s.Seal}.Jar(sealed, "")
	if err != nil {
		return nil, err
	}
	hide := newCover()
	hide.cookies(jar, s.now())
	x, err := newSession(a, s.Fetcher, jar)
	if err != nil {
		return nil, err
	}
	if err := s.check(ctx, x, y); err != nil {
		return nil, hide.error(err)
	}
	return &shoal.Session{Jar: Cookies{s.Seal}.Keep(jar, s.now()), KeepCredentials: true}, nil
}

// check tries a session by the type's health check, and gives the account the
// name that the site calls it by, if it has none.
func (s *Service) check(ctx context.Context, x *session, y *shoal.Sync) error {
	if x.account.Health != nil {
		user, err := x.healthy(ctx)
		if err != nil {
			return err
		}
		if y.Username == "" {
			y.Username = clip(user, maxUsername)
		}
	}
	if y.Username == "" {
		y.Username = nameless(&x.account.Type, y.AccountID)
	}
	return nil
}

// maxUsername is the longest name of an account, in bytes.
const maxUsername = 200

// tryLogin logs in, or goes on with a log-in that waits for its code.
func (s *Service) tryLogin(ctx context.Context, a *crawler.Account, y *shoal.Sync, sealed []byte) (*shoal.Session, error) {
	var with credentials
	if err := s.open(shoal.SealedCredentials, sealed, &with); err != nil {
		return nil, err
	}
	if len(a.Login) == 0 {
		return nil, errors.New("the account's type has no log-in steps any more; give the session's cookies instead")
	}
	x, err := newSession(a, s.Fetcher, fetch.NewJar())
	if err != nil {
		return nil, err
	}
	x.env.Username, x.env.Password, x.env.OTP = y.Username, with.Password, with.OTP
	from := 0
	if with.OTP != "" {
		if from, err = s.goOn(ctx, x, y); err != nil {
			return nil, err
		}
	}
	hide := newCover(with.Password, with.OTP)
	at, err := x.login(ctx, from)
	if err == nil {
		err = s.check(ctx, x, y)
		if no, ok := errors.AsType[*refused](err); ok && no.status == shoal.AccountCookiesExpired {
			err = &refused{shoal.AccountWrongCredentials, "The log-in went through, but the site does not show the account as logged in. " + shoal.AccountWrongCredentials.Description()}
		}
	}
	hide.cookies(x.jar, s.now())
	if err != nil {
		y.State = s.wait(x, at, err)
		return nil, hide.error(err)
	}
	made := &shoal.Session{Jar: Cookies{s.Seal}.Keep(x.jar, s.now())}
	if y.Remember || y.Kind == shoal.SyncCheck {
		made.Credentials = s.sealed(shoal.SealedCredentials, credentials{Password: with.Password})
	}
	return made, nil
}

// wait is the sealed state of a log-in that ended for want of a code; nil: it
// ended for another reason, or no step would take one.
func (s *Service) wait(x *session, at int, err error) []byte {
	no, ok := errors.AsType[*refused](err)
	if !ok || no.status != shoal.AccountOTPNeeded {
		return nil
	}
	for ; at < len(x.account.Login); at++ {
		if x.account.Login[at].Uses.OTP {
			return s.sealed(shoal.SealedLoginState, waiting{at, x.jar.Stored(s.now()), x.env.Read, x.hidden, x.referer})
		}
	}
	return nil
}

// goOn takes up the log-in that waits for the code, if one does, and returns
// the step at which it goes on.
func (s *Service) goOn(ctx context.Context, x *session, y *shoal.Sync) (from int, err error) {
	former, err := s.Store.WaitingLogin(ctx, y.Workspace, y.TypeID, y.Username)
	if errors.Is(err, shoal.ErrSyncNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	var w waiting
	if err := s.open(shoal.SealedLoginState, former.State, &w); err != nil || w.Step >= len(x.account.Login) {
		return 0, nil // from the beginning, then
	}
	x.jar.Restore(w.Cookies, nil)
	if w.Read != nil {
		x.env.Read = w.Read
	}
	x.hidden, x.referer = w.Hidden, w.Referer
	return w.Step, nil
}

// tryAgain tries the session that the account has and, when it is over, logs in
// with the remembered password.
func (s *Service) tryAgain(ctx context.Context, a *crawler.Account, y *shoal.Sync) (*shoal.Session, error) {
	account, err := s.Store.Account(ctx, y.Workspace, y.AccountID)
	if err != nil {
		return nil, errors.New("the account was deleted meanwhile")
	}
	made, fail := s.tryCookies(ctx, a, y, account.SealedJar)
	if _, no := errors.AsType[*refused](fail); !no {
		return made, fail
	}
	sealed, err := s.Store.Credentials(ctx, y.Workspace, y.AccountID)
	if err != nil {
		return nil, err
	}
	if sealed == nil || len(a.Login) == 0 {
		return nil, fail
	}
	return s.tryLogin(ctx, a, y, sealed)
}

func (s *Service) open(purpose string, sealed []byte, into any) error {
	plain, err := s.Seal.Open(purpose, sealed)
	if err != nil {
		return err
	}
	if json.Unmarshal(plain, into) != nil {
		return fmt.Errorf("what is sealed as %s is not what this version writes", purpose) // the decoder's words would repeat it
	}
	return nil
}
