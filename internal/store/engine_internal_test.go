package store

import (
	"strings"
	"testing"
)

// The statements of the writer and of reconciliation find every row by an
// index, in order: none reads a table whole or sorts.
func TestPlansOfTheEngine(t *testing.T) {
	const id = "00000000000000000000000000000001"
	texts := map[string][]any{
		selectRunOwners: {1}, selectSquidSeq: {1}, selectPlan: {1}, selectLeases: {1}, selectKeyed: {1}, updateKeyed: {1, 2}, selectTail: {1, 2},
		refillKeys:     {1, []byte("d"), 3},
		updateSquidSeq: {1, 2}, spendCredits: {1, 2},
		updateCounters:    {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, "", 16, 17},
		claimableRequests: {1, 2}, claimableTasks: {1, 2},
		claimedRequests: {1, 2}, claimedTasks: {1, 2}, expiredRuns: {1}, lackingRuns: {1},
		heldSlots: {1}, waitingForSlots: {1},
		`SELECT ` + runColumns + runFrom + ` WHERE r.id = $1`: {id},
		`SELECT ` + runColumns + runFrom + ` WHERE r.pk = $1`: {1},
		`SELECT ` + runColumns + runFrom + runsInState:        {"running", 10},
		`SELECT ` + runColumns + runFrom + runsToWake:         {1, 10},
		`SELECT ` + runColumns + runFrom + runsPausedFor:      {"storage_full", 10},
		`SELECT ` + runColumns + runFrom + runsPausedBefore:   {1, 10},
	}
	eachStore(t, func(t *testing.T, s *Store) {
		for text, args := range texts {
			checkPlan(t, s, text, args)
		}
		for _, b := range hotBulks {
			if s.db.dialect == Postgres && b == offerRequest || s.db.dialect == SQLite && b == selectOwners {
				continue // of the other one alone
			}
			checkPlan(t, s, b.expand(s.db.dialect), b.sample(s.db.dialect))
		}
	})
}

// sample returns parameters of one row.
func (b *bulk) sample(d Dialect) []any {
	row := func(_ int, args []any) {
		for i, typ := range b.types {
			args[i] = map[string]any{"bigint": int64(1), "text": "x", "bytea": []byte("0123456789abcdef")}[typ]
		}
	}
	if d == Postgres {
		return arrays(b.types, 1, row)
	}
	args := make([]any, len(b.types))
	row(0, args)
	return args
}

func checkPlan(t *testing.T, s *Store, text string, args []any) {
	t.Helper()
	got := plan(t, s, text, args...)
	for line := range strings.Lines(got) {
		bad := strings.Contains(line, "Seq Scan") || strings.Contains(line, "Bitmap") || strings.Contains(line, "Sort") || strings.Contains(line, "TEMP B-TREE")
		// SQLite's SCAN of the rows of parameters is no scan of a table.
		if i := strings.Index(line, "SCAN "); i >= 0 && !strings.HasPrefix(line[i:], "SCAN v") && !strings.Contains(line, "CONSTANT") {
			bad = bad || !strings.Contains(line, "USING INDEX") && !strings.Contains(line, "USING COVERING INDEX")
		}
		// A search by the run alone reads the whole run.
		if strings.Contains(line, "PRIMARY KEY (run_pk=?)") && text != selectLeases || strings.Contains(line, "Join Filter") {
			bad = true
		}
		if bad {
			t.Errorf("%s\nis run as\n%s", text, got)
			return
		}
	}
}
