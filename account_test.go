package shoal_test

import (
	"testing"
	"time"

	"shoal"
)

func at(t *testing.T, s string) time.Time {
	t.Helper()
	v, err := time.Parse(time.RFC3339, s)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// TestResets: days are those of the account's zone, and on the days on which
// its clock is changed too.
func TestResets(t *testing.T) {
	for _, c := range []struct {
		zone            string
		at              time.Duration
		now, last, next string
	}{
		{"UTC", 0, "2026-05-04T12:00:00Z", "2026-05-04T00:00:00Z", "2026-05-05T00:00:00Z"},
		{"UTC", 0, "2026-05-04T00:00:00Z", "2026-05-04T00:00:00Z", "2026-05-05T00:00:00Z"},
		{"Europe/Paris", 4 * time.Hour, "2026-05-04T01:59:59Z", "2026-05-03T02:00:00Z", "2026-05-04T02:00:00Z"},
		{"Europe/Paris", 4 * time.Hour, "2026-05-04T02:00:00Z", "2026-05-04T02:00:00Z", "2026-05-05T02:00:00Z"},
		// The clock is put forward in the night of the 29th, and back in that of October 25th.
		{"Europe/Paris", 4 * time.Hour, "2026-03-28T12:00:00Z", "2026-03-28T03:00:00Z", "2026-03-29T02:00:00Z"},
		{"Europe/Paris", 4 * time.Hour, "2026-10-24T12:00:00Z", "2026-10-24T02:00:00Z", "2026-10-25T03:00:00Z"},
		// Half past two does not exist on the 29th.
		{"Europe/Paris", 150 * time.Minute, "2026-03-28T12:00:00Z", "2026-03-28T01:30:00Z", "2026-03-29T01:30:00Z"},
		{"America/New_York", 0, "2026-01-01T04:59:00Z", "2025-12-31T05:00:00Z", "2026-01-01T05:00:00Z"},
		{"Nowhere/Land", 0, "2026-05-04T12:00:00Z", "2026-05-04T00:00:00Z", "2026-05-05T00:00:00Z"},
	} {
		typ := shoal.AccountType{Zone: c.zone, ResetAt: c.at}
		now := at(t, c.now)
		if last := typ.LastReset(now); !last.Equal(at(t, c.last)) {
			t.Errorf("%s %s at %s: last reset %s, want %s", c.zone, c.at, c.now, last.UTC().Format(time.RFC3339), c.last)
		}
		if next := typ.NextReset(now); !next.Equal(at(t, c.next)) {
			t.Errorf("%s %s at %s: next reset %s, want %s", c.zone, c.at, c.now, next.UTC().Format(time.RFC3339), c.next)
		}
	}
}

// TestLimitsAsChosen: what a person set counts, else the default.
func TestLimitsAsChosen(t *testing.T) {
	typ := shoal.AccountType{
		Limits:     []shoal.AccountLimit{{Name: "profiles", Max: 100, Default: 40}},
		Batch:      &shoal.AccountBatch{Attribute: "profiles", Max: 50, Default: 10},
		BatchHours: &shoal.AccountLimit{Name: shoal.ParamBatchHours, Max: 24, Default: 2},
	}
	if n, ok := typ.LimitOf(nil, "profiles"); n != 40 || !ok {
		t.Errorf("default limit %d %v", n, ok)
	}
	if n, _ := typ.LimitOf(map[string]int64{"profiles": 0}, "profiles"); n != 0 {
		t.Errorf("a limit of none is %d", n)
	}
	if _, ok := typ.LimitOf(nil, "results"); ok {
		t.Error("a limit that the type has not")
	}
	if a, n, rest := typ.BatchOf(map[string]int64{"batch": 5}); a != "profiles" || n != 5 || rest != 2*time.Hour {
		t.Errorf("batch of %d %s, then %s", n, a, rest)
	}
	if _, n, _ := (&shoal.AccountType{}).BatchOf(nil); n != 0 {
		t.Errorf("a batch of %d in a type without batches", n)
	}
}

// TestAccountStatuses: every status has a code and says what to do; each but
// the good one is a done reason that a synchronization removes.
func TestAccountStatuses(t *testing.T) {
	removed := map[shoal.DoneReason]bool{}
	for _, r := range shoal.ResyncReasons() {
		removed[r] = true
	}
	for _, s := range shoal.AccountStatuses() {
		if s.Description() == "" {
			t.Errorf("%s says nothing", s)
		}
		if good := s == shoal.AccountSynchronized; good != s.Usable() || good != (s.Code() == 200) || good != (s.Reason() == shoal.ReasonNone) {
			t.Errorf("%s: usable %v, code %d, reason %q", s, s.Usable(), s.Code(), s.Reason())
		}
		if r := s.Reason(); r != shoal.ReasonNone && !removed[r] {
			t.Errorf("a synchronization does not remove %s", r)
		}
		if c := s.Code(); c != 200 && (c < 400 || c > 499) {
			t.Errorf("%s has the code %d", s, c)
		}
	}
}
