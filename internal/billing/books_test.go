package billing_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"shoal"
	"shoal/internal/billing"
)

var (
	start   = time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)
	hundred = &shoal.Plan{Name: "hundred", Credits: 100, Interval: billing.Monthly}
	saver   = &shoal.Plan{Name: "saver", Credits: 100, Interval: billing.Monthly, RolloverMax: 50}
	short   = &shoal.Plan{Name: "short", Credits: 100, Interval: billing.Monthly, RolloverMax: -1, RolloverDays: 10}
	free    = &shoal.Plan{Name: "unlimited", Credits: -1, Interval: billing.Monthly}
)

// on returns books that have just been put on plan.
func on(plan *shoal.Plan) billing.Books {
	b := billing.Books{Allowance: -1}
	b.Assign(start, plan, "")
	return b
}

// sum is what the entries make of a balance.
func sum(entries []billing.Entry) (n shoal.Credits) {
	for _, e := range entries {
		n += e.Credits
	}
	return n
}

func TestSettle(t *testing.T) {
	feb, mar := time.Date(2026, 2, 28, 12, 0, 0, 0, time.UTC), time.Date(2026, 3, 31, 12, 0, 0, 0, time.UTC)
	cases := []struct {
		name            string
		plan            *shoal.Plan
		spent, bonus    shoal.Credits
		now             time.Time
		total, left     shoal.Credits
		rollover, grant shoal.Credits
		reset           time.Time
	}{
		{"nothing is due", hundred, 30, 0, feb.Add(-time.Microsecond), 100, 70, 0, 0, feb},
		{"a reset forgets what is unspent", hundred, 30, 0, feb, 100, 100, 0, 0, mar},
		{"the bonus stays", hundred, 30, 20, feb, 120, 120, 0, 20, mar},
		{"what was spent of the bonus does not come back", hundred, 115, 20, feb, 105, 105, 0, 5, mar},
		{"a rollover within its bound", saver, 70, 0, feb, 130, 130, 30, 0, mar},
		{"a rollover beyond its bound", saver, 10, 0, feb, 150, 150, 50, 0, mar},
		{"a rollover of all", short, 1, 0, feb, 199, 199, 99, 0, mar},
		{"a rollover of some days only", short, 1, 0, feb.AddDate(0, 0, 10), 100, 100, 0, 0, mar},
		{"three missed resets", saver, 100, 7, time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC), 157, 157, 50, 7, time.Date(2026, 5, 31, 12, 0, 0, 0, time.UTC)},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			b := on(c.plan)
			if _, err := b.Grant(c.bonus, start, ""); err != nil {
				t.Fatal(err)
			}
			b.Consumed = c.spent
			before := b.Left()
			entries := b.Settle(c.now, c.plan)
			if b.Total() != c.total || b.Left() != c.left || b.Rollover != c.rollover || b.Bonus != c.grant || !b.Reset.Equal(c.reset) {
				t.Errorf("got %+v (left %d)", b, b.Left())
			}
			if got := before + sum(entries); got != b.Left() {
				t.Errorf("the entries %+v make %d of %d, the books say %d", entries, got, before, b.Left())
			}
			if again := b.Settle(c.now, c.plan); len(again) > 0 {
				t.Errorf("settled twice: %+v", again)
			}
		})
	}
}

func TestSpendingOrder(t *testing.T) {
	b := on(short)
	b.Consumed = 40
	b.Settle(b.Reset, short) // 60 go over
	if _, err := b.Grant(20, b.Start, ""); err != nil {
		t.Fatal(err)
	}
	b.Consumed = 25 // all of the rollover
	entries := b.Settle(b.RolloverEnds, short)
	want := []billing.Entry{{Kind: billing.EntryExpiry, Pool: billing.PoolRollover, Credits: -35, At: b.Start.AddDate(0, 0, 10)}}
	if diff := cmp.Diff(want, entries); diff != "" {
		t.Errorf("what expires of a rollover is its unspent part (-want +got):\n%s", diff)
	}
	if b.Left() != 120 {
		t.Errorf("left %d, want the allowance and the bonus whole", b.Left())
	}
	b.Consumed += 110 // the allowance, and half of the bonus
	b.Settle(b.Reset, short)
	if b.Bonus != 10 || b.Rollover != 0 || b.Left() != 110 {
		t.Errorf("after the reset: %+v", b)
	}
}

func TestGrantTakesBackOnlyTheUnspent(t *testing.T) {
	b := on(hundred)
	if _, err := b.Grant(50, start, "welcome"); err != nil {
		t.Fatal(err)
	}
	b.Consumed = 120
	if _, err := b.Grant(-31, start, ""); shoal.CodeOf(err) != "NotEnoughBalance" || b.Bonus != 50 {
		t.Errorf("31 of 30 unspent: %v, bonus %d", err, b.Bonus)
	}
	if _, err := b.Grant(-30, start, ""); err != nil || b.Left() != 0 {
		t.Errorf("30 of 30 unspent: %v, left %d", err, b.Left())
	}
}

func TestAssign(t *testing.T) {
	b := on(free)
	if b.Limited() || !b.Reset.Equal(time.Date(2026, 2, 28, 12, 0, 0, 0, time.UTC)) {
		t.Fatalf("the unlimited plan: %+v", b)
	}
	b.Consumed = 5000
	entries := b.Assign(start.Add(time.Hour), saver, "Europe/Paris")
	if b.Left() != 100 || b.Consumed != 0 {
		t.Errorf("on a limited plan: %+v", b)
	}
	// What was spent without a limit is covered: 5000, and the new 100.
	if got := sum(entries); got != 5100 {
		t.Errorf("the entries add up to %d: %+v", got, entries)
	}
	b.Consumed = 80
	entries = b.Assign(start.Add(2*time.Hour), hundred, "")
	if b.Left() != 100 || sum(entries) != 80 {
		t.Errorf("a plan without rollover takes none over: %+v, %+v", b, entries)
	}
}

// TestEntriesAddUp spends, grants, waits and changes plans at random: whatever
// happens, the entries less the consumption are the balance, and it is never
// negative.
func TestEntriesAddUp(t *testing.T) {
	plans := []*shoal.Plan{hundred, saver, short, free, {Credits: 7, Interval: billing.Daily, RolloverMax: 10}, {Credits: 0, Interval: billing.Daily}}
	rapid.Check(t, func(t *rapid.T) {
		b, plan, now := billing.Books{Allowance: -1}, free, start
		var entered, consumed shoal.Credits
		check := func(what string) {
			if got, want := entered-consumed, max(b.Allowance, 0)+b.Rollover+b.Bonus-b.Consumed; got != want {
				t.Fatalf("after %s the entries say %d, the books %d: %+v", what, got, want, b)
			}
			if b.Limited() && b.Left() < 0 {
				t.Fatalf("after %s the balance is %d", what, b.Left())
			}
		}
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			switch rapid.IntRange(0, 3).Draw(t, "what") {
			case 0:
				n := shoal.Credits(rapid.IntRange(0, 120).Draw(t, "spend"))
				if b.Limited() {
					n = min(n, b.Left())
				}
				b.Consumed, consumed = b.Consumed+n, consumed+n
				check("spending")
			case 1:
				if e, err := b.Grant(shoal.Credits(rapid.IntRange(-50, 50).Draw(t, "grant")), now, ""); err == nil {
					entered += e.Credits
				}
				check("a grant")
			case 2:
				now = now.Add(time.Duration(rapid.IntRange(0, 90*24).Draw(t, "hours")) * time.Hour)
				entered += sum(b.Settle(now, plan))
				check("waiting")
			case 3:
				plan = rapid.SampledFrom(plans).Draw(t, "plan")
				entered += sum(b.Assign(now, plan, "Europe/Paris"))
				check("a change of plan")
			}
		}
	})
}
