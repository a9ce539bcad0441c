package storetest

import (
	"context"
	"testing"

	"shoal"
)

// Check fails t unless the run's rows and counters agree: what a fault must
// never break.
func Check(t testing.TB, e *Env, id shoal.RunID) {
	t.Helper()
	r, err := e.Store.RunByID(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	stored := map[string][2]int64{
		"unique_results and stored rows":       {r.UniqueResults, e.Int(t, `SELECT count(*) FROM results WHERE run_pk = $1`, r.PK)},
		"unique_results and the key range":     {r.UniqueResults, r.LastSeq - r.FirstSeq},
		"total_results and the tasks' results": {r.TotalResults, e.Int(t, `SELECT CAST(COALESCE(SUM(results), 0) AS BIGINT) FROM run_tasks WHERE run_pk = $1`, r.PK)},
		"tasks_done and ended tasks":           {r.TasksDone, e.Int(t, `SELECT count(*) FROM run_tasks WHERE run_pk = $1 AND state >= 2`, r.PK)},
		"tasks_failed and failed tasks":        {r.TasksFailed, e.Int(t, `SELECT count(*) FROM run_tasks WHERE run_pk = $1 AND state = 4`, r.PK)},
		"pending requests and the tasks' own": {r.KnownRequests - r.TotalRequests,
			e.Int(t, `SELECT CAST(COALESCE(SUM(known - finished), 0) AS BIGINT) FROM run_tasks WHERE run_pk = $1 AND state < 2`, r.PK)},
		"pending requests and the frontier's": {r.KnownRequests - r.TotalRequests,
			e.Int(t, `SELECT count(*) FROM run_tasks WHERE run_pk = $1 AND state < 2 AND NOT first_done`, r.PK) +
				e.Int(t, `SELECT count(*) FROM frontier f JOIN run_tasks t ON t.run_pk = f.run_pk AND t.seq = f.task_seq
					WHERE f.run_pk = $1 AND f.state < 2 AND t.state < 2`, r.PK)},
		"credits_used and the ledger":      {int64(r.CreditsUsed), e.Int(t, `SELECT CAST(COALESCE(SUM(credits), 0) AS BIGINT) FROM ledger WHERE run_pk = $1`, r.PK)},
		"event_seq and events":             {r.EventSeq, e.Int(t, `SELECT count(*) FROM run_events WHERE run_pk = $1`, r.PK)},
		"known and written unique_results": {r.UniqueResults, e.Int(t, `SELECT unique_results FROM runs WHERE pk = $1`, r.PK)},
		"known and written total_requests": {r.TotalRequests, e.Int(t, `SELECT total_requests FROM runs WHERE pk = $1`, r.PK)},
		"links and their tasks":            {0, e.Int(t, `SELECT count(*) FROM result_links l JOIN results x ON x.key = l.key WHERE l.run_pk = $1 AND x.task_seq = l.task_seq`, r.PK)},
	}
	for what, n := range stored {
		if n[0] != n[1] {
			t.Errorf("%s disagree: %d and %d", what, n[0], n[1])
		}
	}
	consumed := e.Int(t, `SELECT credits_consumed FROM workspaces WHERE id = $1`, string(e.Workspace))
	ledger := e.Int(t, `SELECT CAST(COALESCE(SUM(l.credits), 0) AS BIGINT) FROM ledger l JOIN workspaces w ON w.pk = l.workspace_pk AND w.period = l.period
		WHERE w.id = $1`, string(e.Workspace))
	if consumed != ledger {
		t.Errorf("the balance says %d micro-credits consumed, the ledger %d", consumed, ledger)
	}
	CheckCredits(t, e)
}

// CheckCredits fails t unless the balance of every workspace is the sum of its
// entries less that of its ledger, and no limited one is below zero.
func CheckCredits(t testing.TB, e *Env) {
	t.Helper()
	off, err := e.Store.Unbalanced(context.WithoutCancel(t.Context()))
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range off {
		t.Errorf("the balance of workspace %s is %d micro-credits, its entries and ledger make %d", u.Workspace, u.Balance, u.Sum)
	}
}
