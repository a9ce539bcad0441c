package shoal

import "time"

// What an account is always counted for, whatever its type limits besides.
const (
	// UseRequests counts the pages that a site answered to the account.
	UseRequests = "requests"
	// UseResults counts the new rows of those pages.
	UseResults = "results"
	// UseTasks counts the tasks begun with the account.
	UseTasks = "tasks"
)

// AccountUse is how much of one attribute an account was used for.
type AccountUse struct {
	N int64
	// Since is the reset from which N counts, At when it last grew.
	Since, At time.Time
}

// BatchUse is how far an account is in its present batch.
type BatchUse struct {
	N int64
	// At is when the last batch was used up; zero: none was.
	At time.Time
}

// LinkedAccount is an account as a run sees it that may work with it, in the
// transaction that decides whether it does.
type LinkedAccount struct {
	PK       int64
	ID       AccountID
	Username string
	TypeID   string
	Status   AccountStatus
	// MarkedAt is when it got its status, SyncedAt when it got its cookies.
	MarkedAt, SyncedAt time.Time
	Params             map[string]int64 // limits as set by a person
	Uses               map[string]AccountUse
	Batch              BatchUse
	// CoolUntil is until when the site wants to be left alone by the account,
	// for CoolReason; zero: it does not.
	CoolUntil  time.Time
	CoolReason DoneReason
	// Runs are the other runs that work with it now.
	Runs int
	// Linked is false for the account that a run still works with although it
	// was unlinked or deleted meanwhile.
	Linked bool
	// SealedJar are its cookies, sealed; only RunAccount reads them.
	SealedJar []byte
}

// AccountMark is what a run learned of an account that it works with.
type AccountMark struct {
	PK int64 // 0: nothing was learned
	// SyncedAt is from when the cookies are that were tried: an account that got
	// newer ones meanwhile is not marked.
	SyncedAt time.Time
	Status   AccountStatus
	Desc     string
	// CoolUntil, if set, says that the account is left alone until then, for CoolReason.
	CoolUntil  time.Time
	CoolReason DoneReason
}

// PageUse is what a page counts against the account that it was fetched with.
type PageUse struct {
	AccountPK int64
	// Since is the reset from which the account's day counts.
	Since time.Time
	// Counts are the attributes that the page counts one against; Results has
	// its new rows count, too.
	Counts  []string
	Results bool
	// BatchAttribute, if set, is what batches of BatchSize count, and BatchRest
	// the pause between two of them.
	BatchAttribute string
	BatchSize      int64
	BatchRest      time.Duration
}

// Used is how much of an attribute was used since the last reset before now.
func (t *AccountType) Used(uses map[string]AccountUse, attribute string, now time.Time) int64 {
	u := uses[attribute]
	if u.Since.Before(t.LastReset(now)) {
		return 0
	}
	return u.N
}

// BatchState is how much of the present batch an account with these params has
// done, and until when it rests; zero: it does not rest.
func (t *AccountType) BatchState(params map[string]int64, b BatchUse, now time.Time) (done int64, rests time.Time) {
	_, size, rest := t.BatchOf(params)
	if size <= 0 || b.N < size {
		return b.N, time.Time{}
	}
	if until := b.At.Add(rest); until.After(now) {
		return b.N, until
	}
	return 0, time.Time{}
}

// OfAccount reports whether a reason concerns the account that a run works
// with, so that another account may do.
func OfAccount(reason DoneReason) bool {
	switch reason {
	case ReasonLimitExceeded, ReasonBatchWait:
		return true
	}
	_, known := accountStatuses[AccountStatus(reason)]
	return known
}
