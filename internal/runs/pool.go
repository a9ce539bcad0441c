package runs

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"shoal"
	"shoal/internal/crawler"
)

// pick is what the pool of a run's accounts comes to: one to work with, none
// because none is needed, or the obstacle.
type pick struct {
	account *shoal.LinkedAccount
	reason  shoal.DoneReason // of the obstacle; empty: there is none
	desc    string
	until   time.Time // when it ends by itself; zero: not by itself
}

// accountState is what is in the way of an account; stateFree: nothing.
type accountState int

const (
	stateFree accountState = iota
	stateBusy
	stateBatch
	stateLimit
	stateCool
	stateBad
)

// candidate is a linked account as the run may use it.
type candidate struct {
	*shoal.LinkedAccount
	state  accountState
	reason shoal.DoneReason
	until  time.Time
	what   string // a few words on what is in the way
	used   int64  // requests of the day
}

// accountType returns the type of the accounts with the given id that a run
// with these settings may use; false: accounts of that type are not for it.
func accountType(s *shoal.RunSettings, id string) (*shoal.AccountType, bool) {
	if s.Account != nil && s.Account.ID == id {
		return s.Account, true
	}
	if generic := crawler.CookieSession(); id == generic.ID {
		return &generic, true
	}
	return nil, false
}

// pickAccount chooses the account that run r works with from now: the one that
// it has if nothing is in its way, else the least used free one. trouble is what
// the run met with the account that it has; its Reason is empty when the run
// only begins or goes on.
func pickAccount(r *shoal.Run, linked []shoal.LinkedAccount, trouble accountTrouble, now time.Time) pick {
	var all []candidate
	for i := range linked {
		if t, ok := accountType(&r.Settings, linked[i].TypeID); ok {
			all = append(all, standingOf(r, t, &linked[i], now))
		}
	}
	if len(all) == 0 {
		return withoutAccount(r, linked)
	}
	if free := leastUsed(r, all); free != nil {
		return pick{account: free}
	}
	return noAccount(r, all, trouble)
}

// withoutAccount is what becomes of a run whose squid has no account for it.
func withoutAccount(r *shoal.Run, linked []shoal.LinkedAccount) pick {
	if !r.Settings.AccountRequired {
		return pick{}
	}
	want := r.Settings.Account.Slug
	if r.StartedAt.IsZero() && r.PausedAt.IsZero() {
		p := pick{reason: shoal.ReasonNoAccounts, desc: fmt.Sprintf("The crawler needs an account of the type %s and the squid has none linked. "+
			"Link one (POST /v1/squids/{squid} with accounts) and start again.", want)}
		if len(linked) > 0 {
			p.desc = fmt.Sprintf("The crawler needs an account of the type %s; the accounts that the squid has linked are of other types. Link one and start again.", want)
		}
		return p
	}
	return pick{reason: shoal.ReasonNoAccountAvailable,
		desc: fmt.Sprintf("The squid has no account of the type %s linked any more. Link one and the run goes on by itself.", want)}
}

// standingOf tells whether the run may use an account now, and what is in the
// way if not.
func standingOf(r *shoal.Run, t *shoal.AccountType, a *shoal.LinkedAccount, now time.Time) candidate {
	c := candidate{LinkedAccount: a, used: t.Used(a.Uses, shoal.UseRequests, now)}
	cooling := a.CoolUntil.After(now)
	switch {
	case !a.Status.Usable() && a.Status != shoal.AccountTooManyRequests:
		c.state, c.reason, c.what = stateBad, a.Status.Reason(), string(a.Status)
	case cooling && a.CoolReason == shoal.ReasonLimitExceeded:
		c.state, c.reason, c.until, c.what = stateLimit, a.CoolReason, a.CoolUntil, "the site says that its daily limit is used up"
	case cooling:
		c.state, c.reason, c.until, c.what = stateCool, a.CoolReason, a.CoolUntil, "cools down"
	default:
		if attribute, n := usedUp(r, t, a, now); attribute != "" {
			c.state, c.reason, c.until = stateLimit, shoal.ReasonLimitExceeded, t.NextReset(now)
			c.what = fmt.Sprintf("its daily limit of %d %s is used up", n, attribute)
		} else if _, rests := t.BatchState(a.Params, a.Batch, now); !rests.IsZero() {
			attribute, size, _ := t.BatchOf(a.Params)
			c.state, c.reason, c.until = stateBatch, shoal.ReasonBatchWait, rests
			c.what = fmt.Sprintf("rests after a batch of %d %s", size, attribute)
		} else if a.Runs >= max(1, t.RunsPerAccount) {
			c.state, c.reason, c.what = stateBusy, shoal.ReasonNoAccountAvailable, "another run uses it"
		}
	}
	return c
}

// usedUp returns the first attribute that the run needs of which the account
// may do no more today, and its limit; empty: there is none.
func usedUp(r *shoal.Run, t *shoal.AccountType, a *shoal.LinkedAccount, now time.Time) (string, int64) {
	for i := range t.Limits {
		name := t.Limits[i].Name
		if !counts(&r.Settings, name) {
			continue
		}
		if n, limited := t.LimitOf(a.Params, name); limited && t.Used(a.Uses, name, now) >= n {
			return name, n
		}
	}
	return "", 0
}

// counts reports whether pages of the run may count against an attribute.
func counts(s *shoal.RunSettings, attribute string) bool {
	switch attribute {
	case shoal.UseRequests, shoal.UseResults, shoal.UseTasks:
		return true
	}
	return slices.Contains(s.AccountCounts, attribute)
}

// leastUsed returns the free account to take, nil when none is free. A run
// stays with the one that it has.
func leastUsed(r *shoal.Run, all []candidate) *shoal.LinkedAccount {
	var best *candidate
	for i := range all {
		c := &all[i]
		switch {
		case c.state != stateFree:
		case c.PK == r.AccountPK && r.AccountPK != 0:
			return c.LinkedAccount
		case best == nil || lessUsed(c, best):
			best = c
		}
	}
	if best == nil {
		return nil
	}
	return best.LinkedAccount
}

// lessUsed orders accounts by use: less today, then longer ago, then older.
func lessUsed(a, b *candidate) bool {
	return cmp.Or(cmp.Compare(a.used, b.used),
		a.Uses[shoal.UseRequests].At.Compare(b.Uses[shoal.UseRequests].At), cmp.Compare(a.PK, b.PK)) < 0
}

// accountTrouble is what a run met with the account that it works with.
type accountTrouble struct {
	// Reason is one of the reasons that concern accounts; empty: nothing was
	// met, and the run only looks which account it may use.
	Reason shoal.DoneReason
	// Where is the URL whose answer told; empty: none did.
	Where string
	// Desc, if set, says more about it than the reason.
	Desc string
	// RetryAfter is the wait that the site asked for; 0: it asked for none.
	RetryAfter time.Duration
}

// noAccount says why none of the run's accounts can be used.
func noAccount(r *shoal.Run, all []candidate, trouble accountTrouble) pick {
	p := pick{}
	main := &all[0] // what is in the way, in one account's words
	for i := range all {
		c := &all[i]
		if !c.until.IsZero() && (p.until.IsZero() || c.until.Before(p.until)) {
			p.until = c.until
		}
		if weight(c, main) {
			main = c
		}
	}
	p.reason = main.reason
	switch busy := slices.ContainsFunc(all, func(c candidate) bool { return c.state == stateBusy }); {
	case busy:
		p.reason = shoal.ReasonNoAccountAvailable
	case trouble.Reason != shoal.ReasonNone:
		p.reason = trouble.Reason
		if i := slices.IndexFunc(all, func(c candidate) bool { return c.PK == r.AccountPK }); i >= 0 {
			main = &all[i]
		}
	case main.state == stateCool && (r.DoneReason != main.reason || len(all) > 1):
		p.reason = shoal.ReasonNoAccountAvailable
	}
	p.desc = noAccountDesc(p, main, all, trouble)
	return p
}

// weight reports whether c says better than best what is in the way: what ends
// soonest by itself before what a person has to mend, the newest of those first.
func weight(c, best *candidate) bool {
	if c.until.IsZero() != best.until.IsZero() {
		return !c.until.IsZero()
	}
	if !c.until.IsZero() {
		return c.until.Before(best.until)
	}
	return c.MarkedAt.After(best.MarkedAt)
}

// noAccountDesc names the account that stands in the way, what to do, and what
// is the matter with the others.
func noAccountDesc(p pick, main *candidate, all []candidate, trouble accountTrouble) string {
	if p.reason == shoal.ReasonNoAccountAvailable {
		return noneFree(p, all)
	}
	desc := accountDesc(p.reason, main)
	if trouble.Desc != "" {
		desc += " " + sentence(trouble.Desc, "")
	}
	if trouble.Where != "" {
		desc += " Seen at " + trouble.Where + "."
	}
	var others []string
	for i := range all {
		if c := &all[i]; c.PK != main.PK {
			others = append(others, fmt.Sprintf("%q (%s)", c.Username, c.what))
		}
	}
	if len(others) > 0 {
		desc += " No other linked account can be used either: " + list(others) + "."
	}
	return desc + again(p, main)
}

// accountDesc is the sentence on one account for a reason.
func accountDesc(reason shoal.DoneReason, c *candidate) string {
	switch reason {
	case shoal.ReasonLimitExceeded:
		return fmt.Sprintf("The account %q can do no more today: %s.", c.Username, c.what)
	case shoal.ReasonBatchWait:
		return fmt.Sprintf("The account %q %s.", c.Username, c.what)
	case shoal.ReasonAccountTooManyRequests:
		return fmt.Sprintf("The site says that the account %q asks too often.", c.Username)
	}
	return fmt.Sprintf("The account %q cannot be used: %s", c.Username, shoal.AccountStatus(reason).Description())
}

// again says how the run goes on.
func again(p pick, main *candidate) string {
	switch {
	case p.until.IsZero():
		return " The run then goes on by itself."
	case main.until.IsZero():
		return " The run goes on then, or by itself with another account at " + clockTime(p.until) + "."
	}
	return " The run goes on by itself at " + clockTime(p.until) + "."
}

func noneFree(p pick, all []candidate) string {
	var names []string
	for i := range all {
		names = append(names, fmt.Sprintf("%q (%s)", all[i].Username, all[i].what))
	}
	desc := "No linked account is free: " + list(names) + ". The run goes on by itself as soon as one is"
	if !p.until.IsZero() {
		desc += ", at " + clockTime(p.until) + " at the latest"
	}
	return desc + "."
}

// list joins the first of many items.
func list(items []string) string {
	const most = 5
	if len(items) > most {
		return strings.Join(items[:most], ", ") + fmt.Sprintf(" and %d more", len(items)-most)
	}
	return strings.Join(items, ", ")
}

func clockTime(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05") + " UTC" }
