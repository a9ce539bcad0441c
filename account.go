package shoal

import (
	"strconv"
	"time"
)

// AccountType says what a session on a site consists of and what it may be
// used for. Crawlers declare them; several may share one.
type AccountType struct {
	ID      string // 32 hex, hashed from the slug
	Slug    string
	Name    string
	Domain  string // whose hosts get the cookies; empty: the generic type
	BaseURL string
	Icon    string
	// Digest tells one definition from another: hex SHA-256.
	Digest  string
	Cookies []AccountCookie
	// Limits bound what an account may be used for between two resets, in the
	// definition's order.
	Limits []AccountLimit
	// Batch is how much an account works at a stretch, nil: without pauses.
	Batch *AccountBatch
	// BatchHours is how long it then rests. It is set when Batch is.
	BatchHours *AccountLimit
	// RunsPerAccount is how many runs may use one account at once, 1 or more.
	RunsPerAccount int
	// CoolDown is how long an account rests that the site told to slow down.
	CoolDown time.Duration
	// Zone is the IANA name of the time zone whose days count, and ResetAt the
	// time of day, since midnight there, at which limits begin anew.
	Zone    string
	ResetAt time.Duration
	// HealthCheck says that a session can be tried, LogIn that one can be made
	// from a user name and a password.
	HealthCheck bool
	LogIn       bool
}

// AccountCookie is a cookie that a session must or may have.
type AccountCookie struct {
	Name     string
	Required bool
}

// AccountLimit bounds what an account may be used for in a day: attributes
// requests, results and tasks count by themselves, others by the kinds of pages
// that name them.
type AccountLimit struct {
	Name        string
	Max         int64 // what a person may set at most
	Default     int64
	Description string
}

// AccountBatch is how much of an attribute an account may do at a stretch.
type AccountBatch struct {
	Attribute   string
	Max         int64
	Default     int64
	Description string
}

// The names of the limits that make batches, among an account's params.
const (
	ParamBatch      = "batch"
	ParamBatchHours = "batch_hours"
)

// Limit returns the type's limit of an attribute, nil when it has none.
func (t *AccountType) Limit(attribute string) *AccountLimit {
	for i := range t.Limits {
		if t.Limits[i].Name == attribute {
			return &t.Limits[i]
		}
	}
	return nil
}

// LimitOf is how much of an attribute an account with these params may do
// between two resets; false when there is no limit.
func (t *AccountType) LimitOf(params map[string]int64, attribute string) (int64, bool) {
	l := t.Limit(attribute)
	if l == nil {
		return 0, false
	}
	return chosen(params, attribute, l.Default), true
}

// BatchOf is how much of an attribute an account with these params does at a
// stretch, and how long it then rests. The size is 0 when it does not rest.
func (t *AccountType) BatchOf(params map[string]int64) (attribute string, size int64, rest time.Duration) {
	if t.Batch == nil || t.BatchHours == nil {
		return "", 0, 0
	}
	hours := chosen(params, ParamBatchHours, t.BatchHours.Default)
	return t.Batch.Attribute, chosen(params, ParamBatch, t.Batch.Default), time.Duration(hours) * time.Hour
}

func chosen(params map[string]int64, name string, otherwise int64) int64 {
	if n, ok := params[name]; ok {
		return n
	}
	return otherwise
}

// LastReset is the last moment, up to now, at which the limits began anew, and
// NextReset the first one after now. On days whose clock skips that time of day
// it is the moment after the gap.
func (t *AccountType) LastReset(now time.Time) time.Time {
	if r := t.resetOf(now, 0); !r.After(now) {
		return r
	}
	return t.resetOf(now, -1)
}

// NextReset is the first moment after now at which the limits begin anew.
func (t *AccountType) NextReset(now time.Time) time.Time {
	if r := t.resetOf(now, 0); r.After(now) {
		return r
	}
	return t.resetOf(now, 1)
}

// resetOf is the reset of the day that is so many days from now's.
func (t *AccountType) resetOf(now time.Time, days int) time.Time {
	zone, err := time.LoadLocation(t.Zone)
	if err != nil {
		zone = time.UTC
	}
	y, m, d := now.In(zone).Date()
	h, min := int(t.ResetAt/time.Hour), int(t.ResetAt/time.Minute)%60
	return time.Date(y, m, d+days, h, min, 0, 0, zone)
}

// AccountStatus says whether an account can be used and, if not, what is in
// the way: the wire's status_code_info.
type AccountStatus string

// The statuses of an account. All but the first are done reasons too.
const (
	AccountSynchronized     AccountStatus = "synchronized"
	AccountCookiesExpired   AccountStatus = "cookies_expired"
	AccountWrongCredentials AccountStatus = "wrong_credentials"
	AccountCheckpoint       AccountStatus = "checkpoint_reached"
	AccountOTPNeeded        AccountStatus = "otp_needed"
	AccountBlocked          AccountStatus = "account_blocked"
	AccountLoggedOut        AccountStatus = "logged_out"
	AccountChallenge        AccountStatus = "challenge_required"
	AccountTooManyRequests  AccountStatus = "account_too_many_requests"
)

// accountStatuses says of each status its code on the wire and what it means.
var accountStatuses = map[AccountStatus]struct {
	code int
	desc string
}{
	AccountSynchronized:     {200, "Success!"},
	AccountCookiesExpired:   {401, "The site does not take the account's cookies any more. Synchronize the account with new ones, or log it in again."},
	AccountWrongCredentials: {401, "The site refused the user name or the password. Log the account in again with the right ones."},
	AccountCheckpoint:       {403, "The site asks the account's owner to confirm something. Open the site in a browser, do what it asks, then synchronize the account."},
	AccountOTPNeeded:        {428, "The site asks for a one-time code. Log the account in again with the code as otp."},
	AccountBlocked:          {403, "The site has blocked the account. Settle that with the site, then synchronize the account."},
	AccountLoggedOut:        {401, "The site has logged the account out. Synchronize the account, or log it in again."},
	AccountChallenge:        {403, "The site wants proof that a person is there. Open the site in a browser, pass its check, then synchronize the account."},
	AccountTooManyRequests:  {429, "The site says that the account asks too often. It rests for a while and then goes on by itself."},
}

// AccountStatuses are all statuses of an account.
func AccountStatuses() []AccountStatus {
	return []AccountStatus{AccountSynchronized, AccountCookiesExpired, AccountWrongCredentials, AccountCheckpoint,
		AccountOTPNeeded, AccountBlocked, AccountLoggedOut, AccountChallenge, AccountTooManyRequests}
}

// Code is the status as a number: 200, or the 4xx that comes nearest; 400 for
// a status that is none.
func (s AccountStatus) Code() int {
	if known, ok := accountStatuses[s]; ok {
		return known.code
	}
	return 400
}

// Description says what the status means and what to do.
func (s AccountStatus) Description() string { return accountStatuses[s].desc }

// Usable reports whether runs may use an account of this status.
func (s AccountStatus) Usable() bool { return s == AccountSynchronized }

// Reason is why a run that has only accounts of this status pauses; none for
// synchronized ones.
func (s AccountStatus) Reason() DoneReason {
	if s == AccountSynchronized {
		return ReasonNone
	}
	return DoneReason(s)
}

// ResyncReasons are the reasons of paused runs that the synchronization of
// one of their accounts removes.
func ResyncReasons() []DoneReason {
	reasons := []DoneReason{ReasonNoAccountAvailable}
	for _, s := range AccountStatuses()[1:] {
		reasons = append(reasons, s.Reason())
	}
	return reasons
}

// Account is a logged-in session on a site. Its cookies are sealed and leave
// the store only towards the site.
type Account struct {
	ID         AccountID
	Workspace  WorkspaceID
	TypeID     string
	Username   string // never empty
	StatusCode string // "200" when synchronized
	StatusInfo string // an AccountStatus
	StatusDesc string
	Params     map[string]int64 // limits as set by the user
	SealedJar  []byte           // cookies, sealed
	// Remembered says that the password is kept, sealed, so that the account
	// logs in again by itself.
	Remembered bool
	CreatedAt  time.Time
	UpdatedAt  time.Time
	SyncedAt   time.Time
	Squids     []SquidRef
	// Uses are what it was used for, by attribute, and Batch how far it is in its
	// batch; kept by the store.
	Uses  map[string]AccountUse
	Batch BatchUse
	// CoolUntil is until when the site wants to be left alone by it; zero: it does not.
	CoolUntil time.Time
}

// SquidRef names a squid.
type SquidRef struct {
	ID   SquidID
	Name string
}

// The codes of a synchronization; from 400 on it has failed.
const (
	SyncCreated       = 100
	SyncSynchronizing = 120
	SyncSynchronized  = 200
	SyncFailed        = 400
)

// SyncKind is how a synchronization makes the session.
type SyncKind string

// The kinds of synchronizations.
const (
	SyncCookies SyncKind = "cookies" // from cookies that a person gave
	SyncLogin   SyncKind = "login"   // by the type's log-in steps
	// SyncCheck tries the session that there is and, when it is over and the
	// password is remembered, logs in again.
	SyncCheck SyncKind = "check"
)

// Sync is one synchronization of an account.
type Sync struct {
	ID        SyncID
	Workspace WorkspaceID
	Kind      SyncKind
	TypeID    string
	// AccountID is the account that is refreshed, or that a success makes.
	AccountID AccountID
	// Made is true once the account exists.
	Made     bool
	Username string
	// Remember asks to keep the password of a log-in, sealed.
	Remember bool
	// Unasked is true when no person asked for it: the account's session ended,
	// and its password is remembered.
	Unasked    bool
	StatusCode int // 100 created, 120 synchronizing, 200 synchronized, 4xx failed
	StatusText string
	// Status is what came of it; empty while it is under way, and when it
	// failed for another reason than the account's.
	Status AccountStatus
	// Sealed is what the session is made of, sealed: cookies, or a password. It
	// is forgotten as soon as the synchronization is over.
	Sealed []byte
	// State is where a log-in stands that waits for a one-time code, sealed.
	State     []byte
	CreatedAt time.Time
	UpdatedAt time.Time
}

// Done reports whether the synchronization is over.
func (s *Sync) Done() bool { return s.StatusCode >= SyncSynchronized }

// Session is what a successful synchronization gives its account, sealed.
type Session struct {
	Jar []byte
	// Credentials are the password when it is to be remembered; nil forgets one
	// that was, unless KeepCredentials.
	Credentials     []byte
	KeepCredentials bool
}

// LoginStateLife is how long a log-in waits for its one-time code.
const LoginStateLife = 15 * time.Minute

// StatusAt is the account's status at now: one that asked too often is well
// again when its rest is over.
func (a *Account) StatusAt(now time.Time) (code, info, desc string) {
	if AccountStatus(a.StatusInfo) == AccountTooManyRequests && !a.CoolUntil.IsZero() && !a.CoolUntil.After(now) {
		well := AccountSynchronized
		return strconv.Itoa(well.Code()), string(well), well.Description()
	}
	return a.StatusCode, a.StatusInfo, a.StatusDesc
}
