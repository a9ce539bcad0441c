// Package billing is the arithmetic of plans: when periods begin, what is left
// of a workspace's credits, and what becomes of them when a period ends, a
// rollover expires or the plan changes. It is pure: the store keeps the books
// and writes the entries that it is told.
package billing

import (
	"fmt"
	"time"

	"shoal"
)

// Books are a workspace's credits in its present period. They are spent in the
// order in which they are lost otherwise: the rollover first, then the period's
// allowance, then the bonus.
type Books struct {
	Allowance shoal.Credits // of the period; negative: unlimited
	Consumed  shoal.Credits // in the period, of all three
	Rollover  shoal.Credits // brought over from the period before
	Bonus     shoal.Credits // granted besides; it does not expire
	// RolloverEnds is when the rollover expires; zero: there is none.
	RolloverEnds time.Time

	Anchor time.Time // periods are counted from here
	Zone   string    // IANA name; empty: UTC
	Start  time.Time // of the period
	Reset  time.Time // of the next one; zero: the period does not end
}

// The kinds of entries.
const (
	EntryAllowance = "allowance" // a period's credits
	EntryCovered   = "covered"   // what was spent in a period without a limit
	EntryRollover  = "rollover"  // from the allowance to the rollover
	EntryExpiry    = "expiry"    // credits that were not spent in time
	EntryGrant     = "grant"     // bonus, negative when taken back
)

// The pools of credits.
const (
	PoolAllowance = "allowance"
	PoolRollover  = "rollover"
	PoolBonus     = "bonus"
)

// Entry is a movement of credits other than their consumption.
type Entry struct {
	Kind    string
	Pool    string
	Credits shoal.Credits // what the balance gained
	At      time.Time     // when it took effect
	Note    string
}

// Limited reports whether the credits may run out.
func (b *Books) Limited() bool { return b.Allowance >= 0 }

// Left is what can still be spent. It has no meaning for unlimited books.
func (b *Books) Left() shoal.Credits { return b.Allowance + b.Rollover + b.Bonus - b.Consumed }

// Total is what the period began with and was granted in it, without what
// expired. Total - Consumed = Left.
func (b *Books) Total() shoal.Credits { return b.Allowance + b.Rollover + b.Bonus }

// spent tells of which pools the consumption is.
func (b *Books) spent() (rollover, allowance, bonus shoal.Credits) {
	if !b.Limited() {
		return 0, b.Consumed, 0
	}
	rollover = min(b.Consumed, b.Rollover)
	allowance = min(b.Consumed-rollover, b.Allowance)
	return rollover, allowance, b.Consumed - rollover - allowance
}

// Grant adds n credits to the bonus; a negative n takes credits back that were
// not spent. The error says how many there are to take.
func (b *Books) Grant(n shoal.Credits, now time.Time, note string) (Entry, error) {
	_, _, used := b.spent()
	if b.Bonus+n < used {
		return Entry{}, shoal.Business("NotEnoughBalance", "only %v of the bonus credits are unspent", (b.Bonus - used).Float())
	}
	b.Bonus += n
	return Entry{Kind: EntryGrant, Pool: PoolBonus, Credits: n, At: now, Note: note}, nil
}

// Due reports whether something of the books has come to its end.
func (b *Books) Due(now time.Time) bool {
	return !b.Reset.IsZero() && !now.Before(b.Reset) || b.lapsed(now)
}

func (b *Books) lapsed(now time.Time) bool {
	return b.Rollover > 0 && !b.RolloverEnds.IsZero() && !now.Before(b.RolloverEnds)
}

// Settle brings the books up to now: it lets the rollover expire and begins the
// periods that have begun, however many were missed, on plan's terms. It
// returns one entry for each kind and pool that changed.
func (b *Books) Settle(now time.Time, plan *shoal.Plan) []Entry {
	var s sums
	for b.Due(now) {
		if b.lapsed(now) && (b.Reset.IsZero() || !b.RolloverEnds.After(b.Reset)) {
			b.expireRollover(&s, b.RolloverEnds)
			continue
		}
		b.begin(&s, b.Reset, plan)
	}
	return s.entries
}

// Assign puts the books on another plan, or anew on the same one: a period
// begins now. What the old plan's allowance has left is carried over as the new
// plan allows; the bonus stays.
func (b *Books) Assign(now time.Time, plan *shoal.Plan, zone string) []Entry {
	s := sums{}
	s.entries = b.Settle(now, plan)
	b.Zone = zone
	b.Anchor = Anchor(plan.Interval, now, b.location())
	b.begin(&s, now, plan)
	return s.entries
}

// begin ends the period at t and begins the next one on plan's terms.
func (b *Books) begin(s *sums, t time.Time, plan *shoal.Plan) {
	_, used, usedBonus := b.spent()
	b.expireRollover(s, t)
	carried := shoal.Credits(0)
	if b.Limited() {
		unused := b.Allowance - used
		if plan.Credits >= 0 {
			carried = unused
			if plan.RolloverMax >= 0 {
				carried = min(unused, plan.RolloverMax)
			}
		}
		s.add(EntryExpiry, PoolAllowance, carried-unused, t)
		s.add(EntryRollover, PoolAllowance, -carried, t)
		s.add(EntryRollover, PoolRollover, carried, t)
	} else {
		s.add(EntryCovered, PoolAllowance, b.Consumed, t)
	}
	s.add(EntryAllowance, PoolAllowance, max(plan.Credits, 0), t)
	b.Allowance, b.Consumed, b.Rollover, b.Bonus = plan.Credits, 0, carried, b.Bonus-usedBonus
	b.Start, b.Reset = t, Next(plan.Interval, b.Anchor, t, b.location())
	b.RolloverEnds = time.Time{}
	if carried > 0 {
		b.RolloverEnds = b.Reset
		if days := plan.RolloverDays; days > 0 && t.AddDate(0, 0, days).Before(b.Reset) {
			b.RolloverEnds = t.AddDate(0, 0, days)
		}
	}
}

// expireRollover takes the unspent rollover away. What was spent of it stays on
// the books until the period's end.
func (b *Books) expireRollover(s *sums, t time.Time) {
	used, _, _ := b.spent()
	s.add(EntryExpiry, PoolRollover, used-b.Rollover, t)
	b.Rollover, b.RolloverEnds = used, time.Time{}
}

func (b *Books) location() *time.Location {
	zone, err := time.LoadLocation(b.Zone)
	if err != nil { // checked when it was set
		return time.UTC
	}
	return zone
}

// sums adds entries of one kind and pool up, so that a year of missed days is
// as few entries as one.
type sums struct {
	entries []Entry
	times   []int
}

func (s *sums) add(kind, pool string, credits shoal.Credits, at time.Time) {
	if credits == 0 {
		return
	}
	for len(s.times) < len(s.entries) {
		s.times = append(s.times, 1)
	}
	for i := range s.entries {
		e := &s.entries[i]
		if e.Kind != kind || e.Pool != pool {
			continue
		}
		e.Credits += credits
		e.At = at
		s.times[i]++
		e.Note = fmt.Sprintf("sum of %d periods", s.times[i])
		return
	}
	s.entries = append(s.entries, Entry{Kind: kind, Pool: pool, Credits: credits, At: at})
	s.times = append(s.times, 1)
}
