package runs

import (
	"context"
	"errors"
	"fmt"
	"time"

	"shoal"
	"shoal/internal/crawl"
	"shoal/internal/fetch"
)

// keepEvery is how often cookies that the site renewed are kept.
const keepEvery = 30 * time.Second

const pastDesc = "The cookies that the session needs were good until a time that has passed"

// openAccount has the session work with the account that its run has, as the
// store has it now. The caller holds ses.switching, or ses is being loaded.
func (s *Service) openAccount(ctx context.Context, ses *session) error {
	l, err := s.store.RunAccount(ctx, ses.id)
	if errors.Is(err, shoal.ErrAccountNotFound) {
		ses.account.Store(nil)
		return nil
	}
	if err != nil {
		return err
	}
	t, ok := accountType(&ses.run.Settings, l.TypeID)
	if !ok {
		return fmt.Errorf("the account %s of run %s is of the type %s, which is not its crawler's", l.ID, ses.id, l.TypeID)
	}
	jar, err := s.openJar(ctx, ses, t, l.SealedJar)
	if err != nil {
		s.log.Error("the cookies of an account cannot be opened", "account", l.ID, "err", err)
		jar = fetch.NewJar() // without cookies the account counts as expired
	}
	ses.account.Store(newAccount(l, t, jar, s.now()))
	return nil
}

// openJar opens an account's cookies. Those of the generic session that name no
// site belong to the site that the run's first task begins at, and to no other.
func (s *Service) openJar(ctx context.Context, ses *session, t *shoal.AccountType, sealed []byte) (*fetch.Jar, error) {
	if s.config.Cookies == nil {
		return nil, errors.New("runs: Config.Cookies is nil; it opens the cookies of accounts")
	}
	if t.Domain != "" {
		return s.config.Cookies.Jar(sealed, "")
	}
	tasks, err := s.store.RunTasks(ctx, ses.run.WorkspaceID, ses.id, shoal.Window{Page: int(ses.run.TasksTotal), Limit: 1})
	if err != nil || len(tasks.Items) == 0 {
		return nil, errors.Join(err, errors.New("the run's first task, whose site the cookies are for, cannot be read"))
	}
	home, err := ses.crawl.Home(tasks.Items[0].Params)
	if err != nil {
		return nil, err
	}
	return s.config.Cookies.Jar(sealed, home)
}

// needsAccount reports whether the session has to look for an account first.
func (ses *session) needsAccount() bool {
	return ses.account.Load() == nil && ses.run.Settings.AccountRequired
}

// use takes part of what the run's account may do for w; nil: the run works
// without one. false: the run has to pause, or its slot has to stop.
func (w *worker) use(ctx, commits context.Context, task *crawl.Task, work *shoal.Work) (*use, bool) {
	for w.wanted(ctx) {
		a := w.ses.account.Load()
		if a == nil {
			if !w.ses.needsAccount() {
				return nil, true
			}
			if !w.s.changeAccount(commits, w.ses, nil, accountTrouble{}) {
				return nil, false
			}
			continue
		}
		u, wait, trouble := a.take(w.ses.crawl.Counts(task, work), w.s.now())
		switch {
		case u != nil:
			return u, true
		case wait != nil:
			select {
			case <-wait:
			case <-w.ses.drained:
			case <-ctx.Done():
			}
		case !w.s.changeAccount(commits, w.ses, a, trouble):
			return nil, false
		}
	}
	return nil, false
}

// troubled handles an answer that says that the account cannot be used: the
// request is to be made again with another one if it returns true.
func (w *worker) troubled(ctx context.Context, u *use, url string, h crawl.Hold) (again bool) {
	u.settle(nil, 0)
	u.account.spoil()
	return w.s.changeAccount(ctx, w.ses, u.account, accountTrouble{Reason: h.Reason, Where: url, RetryAfter: h.RetryAfter})
}

// changeAccount tells the store what the run met with account a and has the run
// go on with another one, or pause. It reports whether the session goes on. Of
// many slots that meet the same trouble, one does it.
func (s *Service) changeAccount(ctx context.Context, ses *session, a *account, trouble accountTrouble) bool {
	ses.switching.Lock()
	defer ses.switching.Unlock()
	if ses.account.Load() != a {
		return true
	}
	if ses.draining() {
		return false
	}
	var held int64
	if a != nil {
		held = a.PK
	}
	r, err := s.store.SwitchAccount(ctx, ses.id, engineActor, markOf(a, trouble, s.now()),
		func(r *shoal.Run, st *shoal.Standing, now time.Time) (shoal.Effects, string, error) {
			return s.chooseAnew(r, st, held, trouble, now)
		})
	if err == nil && r.Status == shoal.RunRunning {
		err = s.openAccount(ctx, ses)
	}
	if kind := shoal.KindOf(err); err != nil && kind != shoal.KindConflict && kind != shoal.KindNotFound {
		s.log.Error("the run's account could not be changed", "run", ses.id, "reason", trouble.Reason, "err", err)
	}
	if err != nil || r.Status != shoal.RunRunning {
		ses.drain(s.config.Drain)
		return false
	}
	return true
}

// chooseAnew decides whether a running run goes on, with which account, and
// what its log says. held is the account that the caller knew it to have.
func (s *Service) chooseAnew(r *shoal.Run, st *shoal.Standing, held int64, trouble accountTrouble, now time.Time) (shoal.Effects, string, error) {
	e := Event{On: OnAccount, Rules: &s.config.Rules}
	if r.Status != shoal.RunRunning || r.AccountPK != held {
		e.Account = r.AccountPK // another process was faster
		effects, err := advance(r, e, now)
		return effects, "", err
	}
	p := pickAccount(r, st.Accounts, trouble, now)
	note := ""
	switch {
	case p.reason != shoal.ReasonNone:
		e = p.event(e)
	case p.account != nil:
		e.Account = p.account.PK
		note = switchNote(r, st.Accounts, p.account, trouble)
	}
	effects, err := advance(r, e, now)
	return effects, note, err
}

// event returns what an obstacle makes of the run that e was for.
func (p pick) event(e Event) Event {
	o := Event{On: OnHold, Reason: p.reason, Desc: p.desc, Until: p.until, Rules: e.Rules, Asked: e.On == OnResume}
	if reasons[p.reason].class == fails {
		o.On = OnFail
	}
	return o
}

// switchNote says why a run goes on with another account; empty: it has the same.
func switchNote(r *shoal.Run, linked []shoal.LinkedAccount, next *shoal.LinkedAccount, trouble accountTrouble) string {
	if next.PK == r.AccountPK || r.AccountPK == 0 {
		return ""
	}
	was := "The account was unlinked or deleted."
	for i := range linked {
		a := &linked[i]
		if a.PK != r.AccountPK {
			continue
		}
		was = fmt.Sprintf("The account %q cannot be used (%s).", a.Username, a.Status)
		switch trouble.Reason {
		case shoal.ReasonLimitExceeded:
			was = fmt.Sprintf("The daily limit of the account %q is used up.", a.Username)
		case shoal.ReasonBatchWait:
			was = fmt.Sprintf("The account %q rests after its batch.", a.Username)
		case shoal.ReasonAccountTooManyRequests:
			was = fmt.Sprintf("The site says that the account %q asks too often; it cools down.", a.Username)
		}
	}
	if trouble.Where != "" {
		was += " Seen at " + trouble.Where + "; the page is fetched again."
	}
	return was + fmt.Sprintf(" The run goes on with the account %q.", next.Username)
}

// markOf is what the run learned of account a.
func markOf(a *account, trouble accountTrouble, now time.Time) shoal.AccountMark {
	if a == nil || trouble.Reason == shoal.ReasonNone || trouble.Where == "" && trouble.Reason != shoal.ReasonCookiesExpired {
		return shoal.AccountMark{} // used up or gone, which the store knows
	}
	m := shoal.AccountMark{PK: a.PK, SyncedAt: a.SyncedAt, Status: shoal.AccountStatus(trouble.Reason)}
	switch trouble.Reason {
	case shoal.ReasonLimitExceeded:
		m.Status, m.CoolReason, m.CoolUntil = shoal.AccountSynchronized, trouble.Reason, a.t.NextReset(now)
	case shoal.ReasonAccountTooManyRequests:
		m.CoolReason, m.CoolUntil = trouble.Reason, now.Add(a.t.CoolDown)
		if trouble.RetryAfter > 0 {
			m.CoolUntil = now.Add(trouble.RetryAfter)
		}
	}
	m.Desc = m.Status.Description()
	return m
}

// watchAccounts looks what became of the accounts that this process's runs work
// with: whether they were unlinked, marked or given new cookies or limits.
func (s *Service) watchAccounts(ctx context.Context) error {
	var errs []error // one run's are not the others'
	for _, ses := range s.sessions.all() {
		a := ses.account.Load()
		if !ses.ready.Load() || a == nil || ses.draining() {
			continue
		}
		if err := s.watchAccount(ctx, ses, a); err != nil {
			errs = append(errs, fmt.Errorf("run %s: %w", ses.id, err))
		}
	}
	return errors.Join(errs...)
}

func (s *Service) watchAccount(ctx context.Context, ses *session, a *account) error {
	look := a.look()
	l, err := s.store.RunAccount(ctx, ses.id)
	if err != nil && !errors.Is(err, shoal.ErrAccountNotFound) {
		return err
	}
	now := s.now()
	switch {
	case err != nil, l.PK != a.PK, !l.SyncedAt.Equal(a.SyncedAt):
		ses.switching.Lock()
		defer ses.switching.Unlock()
		if ses.account.Load() == a && !ses.draining() {
			return s.openAccount(ctx, ses)
		}
	case !l.Linked, !l.Status.Usable(), l.CoolUntil.After(now):
		s.changeAccount(ctx, ses, a, accountTrouble{})
	case a.expired(now):
		s.changeAccount(ctx, ses, a, accountTrouble{Reason: shoal.ReasonCookiesExpired, Desc: pastDesc})
	default:
		a.refresh(l, look, now)
		return s.keepCookies(ctx, a, keepEvery)
	}
	return nil
}

// keepCookies keeps what the site renewed of an account's cookies, if that was
// not looked at for a while.
func (s *Service) keepCookies(ctx context.Context, a *account, every time.Duration) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := s.now()
	if now.Sub(a.saved) < every || a.bad {
		return nil
	}
	a.saved = now
	held := contents(a.jar, now)
	if held == a.held || a.expired(now) {
		return nil
	}
	sealed := s.config.Cookies.Keep(a.jar, now)
	kept, err := s.store.KeepJar(ctx, a.PK, a.SealedJar, sealed)
	if kept {
		a.held, a.SealedJar = held, sealed
	}
	return err
}
