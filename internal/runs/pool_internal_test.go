package runs

import (
	"strings"
	"testing"
	"time"

	"shoal"
	"shoal/internal/crawler"
)

// TestPickAccount: which account a run takes or, when none can be taken, why it
// waits, until when, and what it says.
func TestPickAccount(t *testing.T) {
	now := time.Date(2026, 5, 4, 15, 0, 0, 0, time.UTC)
	day := time.Date(2026, 5, 4, 0, 0, 0, 0, time.UTC)
	kind := &shoal.AccountType{ID: "kind", Slug: "kind", Domain: "site.test", RunsPerAccount: 2, Zone: "UTC", CoolDown: time.Hour,
		Limits:     []shoal.AccountLimit{{Name: "visits", Max: 100, Default: 10}, {Name: "letters", Max: 10, Default: 1}},
		Batch:      &shoal.AccountBatch{Attribute: "requests", Max: 100, Default: 50},
		BatchHours: &shoal.AccountLimit{Max: 24, Default: 2}}
	account := func(pk int64, name string, set func(a *shoal.LinkedAccount)) shoal.LinkedAccount {
		a := shoal.LinkedAccount{PK: pk, ID: shoal.AccountID(name), Username: name, TypeID: kind.ID, Status: shoal.AccountSynchronized, Linked: true}
		if set != nil {
			set(&a)
		}
		return a
	}
	used := func(name string, n int64, since time.Time) func(*shoal.LinkedAccount) {
		return func(a *shoal.LinkedAccount) {
			a.Uses = map[string]shoal.AccountUse{name: {N: n, Since: since, At: since.Add(time.Hour)}}
		}
	}
	bad := func(s shoal.AccountStatus, marked time.Time) func(*shoal.LinkedAccount) {
		return func(a *shoal.LinkedAccount) { a.Status, a.MarkedAt = s, marked }
	}
	cool := func(until time.Time) func(*shoal.LinkedAccount) {
		return func(a *shoal.LinkedAccount) {
			a.Status, a.CoolUntil, a.CoolReason = shoal.AccountTooManyRequests, until, shoal.ReasonAccountTooManyRequests
		}
	}
	busy := func(a *shoal.LinkedAccount) { a.Runs = 2 }
	resting := func(a *shoal.LinkedAccount) { a.Batch = shoal.BatchUse{N: 50, At: now.Add(-time.Hour)} }
	list := func(all ...shoal.LinkedAccount) []shoal.LinkedAccount { return all }
	cases := map[string]struct {
		linked   []shoal.LinkedAccount
		optional bool
		held     int64 // by a run that is running
		trouble  shoal.DoneReason
		want     int64
		reason   shoal.DoneReason
		until    time.Time
		says     string
	}{
		"none":                        {reason: shoal.ReasonNoAccounts, says: "type kind"},
		"none, and none needed":       {optional: true},
		"of another type":             {linked: list(account(1, "ann", func(a *shoal.LinkedAccount) { a.TypeID = "x" })), reason: shoal.ReasonNoAccounts, says: "other types"},
		"a plain session":             {linked: list(account(1, "ann", func(a *shoal.LinkedAccount) { a.TypeID = crawler.CookieSession().ID })), want: 1},
		"none left":                   {held: 1, reason: shoal.ReasonNoAccountAvailable, says: "any more"},
		"the least used":              {linked: list(account(1, "ann", used("requests", 5, day)), account(2, "bob", used("requests", 4, day))), want: 2},
		"yesterday's use is over":     {linked: list(account(1, "ann", used("requests", 5, day.AddDate(0, 0, -1))), account(2, "bob", used("requests", 4, day))), want: 1},
		"a run stays with its own":    {linked: list(account(1, "ann", used("requests", 5, day)), account(2, "bob", nil)), held: 1, want: 1},
		"one run more may":            {linked: list(account(1, "ann", func(a *shoal.LinkedAccount) { a.Runs = 1 })), want: 1},
		"busy":                        {linked: list(account(1, "ann", busy)), reason: shoal.ReasonNoAccountAvailable, says: "another run"},
		"busy and bad":                {linked: list(account(1, "ann", busy), account(2, "bob", bad(shoal.AccountBlocked, now))), held: 2, trouble: shoal.ReasonAccountBlocked, reason: shoal.ReasonNoAccountAvailable, says: `"bob" (account_blocked)`},
		"the newest mark":             {linked: list(account(1, "ann", bad(shoal.AccountOTPNeeded, now.Add(-time.Hour))), account(2, "bob", bad(shoal.AccountBlocked, now.Add(-2*time.Hour)))), reason: shoal.ReasonOTPNeeded, says: `"bob" (account_blocked)`},
		"the last one's trouble":      {linked: list(account(1, "ann", bad(shoal.AccountOTPNeeded, now)), account(2, "bob", bad(shoal.AccountBlocked, now))), held: 2, trouble: shoal.ReasonAccountBlocked, reason: shoal.ReasonAccountBlocked, says: `The account "bob"`},
		"cools down":                  {linked: list(account(1, "ann", cool(now.Add(time.Minute))), account(2, "bob", cool(now.Add(time.Hour)))), reason: shoal.ReasonNoAccountAvailable, until: now.Add(time.Minute), says: "cools down"},
		"has cooled down":             {linked: list(account(1, "ann", cool(now))), want: 1},
		"asked too often":             {linked: list(account(1, "ann", cool(now.Add(time.Hour)))), held: 1, trouble: shoal.ReasonAccountTooManyRequests, reason: shoal.ReasonAccountTooManyRequests, until: now.Add(time.Hour), says: "asks too often"},
		"bad, another one cools down": {linked: list(account(1, "ann", cool(now.Add(time.Hour))), account(2, "bob", bad(shoal.AccountLoggedOut, now))), held: 2, trouble: shoal.ReasonLoggedOut, reason: shoal.ReasonLoggedOut, until: now.Add(time.Hour), says: "or by itself with another account at"},
		"the day's limit":             {linked: list(account(1, "ann", used("visits", 10, day))), reason: shoal.ReasonLimitExceeded, until: day.AddDate(0, 0, 1), says: "10 visits"},
		"more was allowed":            {linked: list(account(1, "ann", func(a *shoal.LinkedAccount) { used("visits", 10, day)(a); a.Params = map[string]int64{"visits": 11} })), want: 1},
		"a limit of no page of it":    {linked: list(account(1, "ann", used("letters", 1, day))), want: 1},
		"rests":                       {linked: list(account(1, "ann", resting)), reason: shoal.ReasonBatchWait, until: now.Add(time.Hour), says: "50 requests"},
		"has rested":                  {linked: list(account(1, "ann", func(a *shoal.LinkedAccount) { a.Batch = shoal.BatchUse{N: 50, At: now.Add(-2 * time.Hour)} })), want: 1},
		"what ends first":             {linked: list(account(1, "ann", used("visits", 10, day)), account(2, "bob", resting)), reason: shoal.ReasonBatchWait, until: now.Add(time.Hour), says: `"ann" (its daily limit`},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			r := shoal.Run{Status: shoal.RunPending, Settings: shoal.RunSettings{Account: kind, AccountRequired: !c.optional, AccountCounts: []string{"visits"}}}
			if c.held > 0 {
				r.Status, r.StartedAt, r.AccountPK = shoal.RunRunning, now.Add(-time.Hour), c.held
			}
			p := pickAccount(&r, c.linked, accountTrouble{Reason: c.trouble}, now)
			var got int64
			if p.account != nil {
				got = p.account.PK
			}
			if got != c.want || p.reason != c.reason || !p.until.Equal(c.until) || !strings.Contains(p.desc, c.says) {
				t.Errorf("account %d, %s until %s: %q\nwant account %d, %s until %s: …%s…", got, p.reason, p.until, p.desc, c.want, c.reason, c.until, c.says)
			}
		})
	}
}
