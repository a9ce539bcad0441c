package runs

import (
	"encoding/json"
	"slices"
	"sync"
	"time"

	"shoal"
	"shoal/internal/fetch"
)

// Cookies opens and seals the cookies of accounts. Its methods are safe for
// concurrent use.
type Cookies interface {
	// Jar opens sealed cookies into a fresh jar; home is where those belong that
	// name no site.
	Jar(sealed []byte, home string) (*fetch.Jar, error)
	// Keep seals what a jar holds at now.
	Keep(jar *fetch.Jar, now time.Time) []byte
}

// account is the account that the requests of a session are made with: its
// cookies, and how much it may still do. The store's counts are the truth; this
// one keeps slots from asking for more than the account may do while pages are
// under way.
type account struct {
	shoal.LinkedAccount // as it was read last
	t                   *shoal.AccountType
	jar                 *fetch.Jar

	mu    sync.Mutex
	stale bool             // the cookies are not good any more
	bad   bool             // the site did not take the cookies; they are not to be kept
	held  string           // what the jar held when SealedJar was sealed
	saved time.Time        // when that was last looked at
	day   time.Time        // the reset from which used counts
	used  map[string]int64 // committed
	taken map[string]int64 // by pages under way
	batch shoal.BatchUse
	// What pages brought, for a guess at what those under way will bring.
	pages, rows int64
	settled     chan struct{} // closed, and replaced, when pages under way have ended
}

// use is an account's part in one request.
type use struct {
	account *account
	counts  []string
}

// jar returns the cookies to send; nil: the task's own.
func (u *use) jar() *fetch.Jar {
	if u == nil {
		return nil
	}
	return u.account.jar
}

// used is a page on its way to its commit, with the part of an account that it took.
type used struct {
	*shoal.Page
	use *use
}

func newAccount(l shoal.LinkedAccount, t *shoal.AccountType, jar *fetch.Jar, now time.Time) *account {
	a := &account{LinkedAccount: l, t: t, jar: jar, taken: map[string]int64{}, settled: make(chan struct{}), saved: now}
	a.held, a.stale = contents(jar, now), a.expired(now)
	a.count(l, now)
	return a
}

// contents tells one content of a jar from another.
func contents(jar *fetch.Jar, now time.Time) string {
	b, err := json.Marshal(jar.Stored(now))
	if err != nil {
		panic("runs: encode cookies: " + err.Error()) // texts and times only
	}
	return string(b)
}

// count takes the store's counts. The lock is held, or nobody else knows a.
func (a *account) count(l shoal.LinkedAccount, now time.Time) {
	a.day, a.batch = a.t.LastReset(now), l.Batch
	a.used = make(map[string]int64, len(l.Uses))
	for name := range l.Uses {
		a.used[name] = a.t.Used(l.Uses, name, now)
	}
}

// refresh takes over what the store said of the same account with the same
// cookies after look had been returned. The counts stay when pages were under
// way since: those of the store may be older, or counted here once more.
func (a *account) refresh(l shoal.LinkedAccount, look <-chan struct{}, now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.Params = l.Params
	if look == a.settled && !a.busy() {
		a.count(l, now)
	}
}

// look is to be called before the account is read from the store for refresh.
func (a *account) look() <-chan struct{} {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.settled
}

// busy reports whether pages are under way. The lock is held.
func (a *account) busy() bool {
	for _, n := range a.taken {
		if n > 0 {
			return true
		}
	}
	return false
}

// take takes part of what the account may do for a request that counts against
// the given attributes, which it keeps. Without a use it returns what to wait for or, nil too,
// the trouble: the account may do no more.
func (a *account) take(counts []string, now time.Time) (*use, <-chan struct{}, accountTrouble) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if day := a.t.LastReset(now); day.After(a.day) {
		a.day, a.used = day, map[string]int64{}
	}
	if a.stale {
		return nil, nil, accountTrouble{Reason: shoal.ReasonCookiesExpired, Desc: pastDesc}
	}
	counts = slices.DeleteFunc(counts, func(name string) bool { return !a.bounds(name) })
	switch reason := a.lacking(counts, now); {
	case reason == shoal.ReasonNone:
	case a.busy():
		return nil, a.settled, accountTrouble{} // some of it may come back
	default:
		return nil, nil, accountTrouble{Reason: reason}
	}
	for _, name := range counts {
		a.taken[name]++
	}
	return &use{a, counts}, nil, accountTrouble{}
}

// bounds reports whether an attribute has to be counted: requests always, since
// they tell which account is used least.
func (a *account) bounds(name string) bool {
	return name == shoal.UseRequests || a.t.Limit(name) != nil || a.t.Batch != nil && a.t.Batch.Attribute == name
}

// lacking returns why the request may not be made now: too little is left of an
// attribute. The lock is held.
func (a *account) lacking(counts []string, now time.Time) shoal.DoneReason {
	for i := range a.t.Limits {
		name := a.t.Limits[i].Name
		if n, _ := a.t.LimitOf(a.Params, name); a.lacks(counts, name, n-a.used[name]) {
			return shoal.ReasonLimitExceeded
		}
	}
	name, size, _ := a.t.BatchOf(a.Params)
	if size <= 0 {
		return shoal.ReasonNone
	}
	done, _ := a.t.BatchState(a.Params, a.batch, now)
	if a.lacks(counts, name, size-done) {
		return shoal.ReasonBatchWait
	}
	return shoal.ReasonNone
}

// lacks reports whether of what is left of an attribute, beside what pages under
// way take, too little remains for a request. How many rows a page brings is
// known only when it is there: those under way are believed to bring what others
// brought. The lock is held.
func (a *account) lacks(counts []string, name string, left int64) bool {
	if name == shoal.UseResults {
		each := max(1, (a.rows+a.pages/2)/max(1, a.pages))
		return left <= a.taken[shoal.UseRequests]*each
	}
	return slices.Contains(counts, name) && left <= a.taken[name]
}

// settle ends a use: page is what was committed with it, and stored how many new
// rows it had; nil: nothing was.
func (u *use) settle(page *shoal.Page, stored int) {
	if u == nil {
		return
	}
	a := u.account
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, name := range u.counts {
		a.taken[name]--
	}
	if page != nil && page.Use != nil {
		for _, name := range u.counts {
			a.add(name, 1, page)
		}
		a.add(shoal.UseResults, int64(stored), page)
		a.pages++
		a.rows += int64(stored)
	}
	close(a.settled)
	a.settled = make(chan struct{})
}

// add counts what a page did. The lock is held.
func (a *account) add(name string, n int64, page *shoal.Page) {
	if !page.Use.Since.Before(a.day) {
		a.used[name] += n
	}
	if name != page.Use.BatchAttribute {
		return
	}
	size := page.Use.BatchSize
	if a.batch.N >= size && !page.At.Before(a.batch.At.Add(page.Use.BatchRest)) {
		a.batch.N = 0
	}
	full := a.batch.N >= size
	if a.batch.N += n; !full && a.batch.N >= size {
		a.batch.At = page.At
	}
}

// charge writes into a page what it counts, if the site was asked for it.
func (u *use) charge(page *shoal.Page) {
	if u == nil || page.Log.Status == 0 {
		return
	}
	a := u.account
	a.mu.Lock()
	defer a.mu.Unlock()
	page.Use = &shoal.PageUse{AccountPK: a.PK, Since: a.t.LastReset(page.At), Counts: u.counts}
	if attribute, size, rest := a.t.BatchOf(a.Params); size > 0 {
		page.Use.BatchAttribute, page.Use.BatchSize, page.Use.BatchRest = attribute, size, rest
	}
	page.Use.Results = a.t.Limit(shoal.UseResults) != nil || page.Use.BatchAttribute == shoal.UseResults
}

// expired reports whether the cookies that a session needs are gone at now: the
// site said how long they are good for.
func (a *account) expired(now time.Time) bool {
	stored := a.jar.Stored(now)
	for _, need := range a.t.Cookies {
		if need.Required && !slices.ContainsFunc(stored, func(c fetch.StoredCookie) bool { return c.Name == need.Name }) {
			return true
		}
	}
	return len(stored) == 0
}

// spoil has the cookies not be kept: what a site sets when it does not take an
// account often ends its session.
func (a *account) spoil() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.bad = true
}
