package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"shoal"
)

// held is how many slots the run holds while it is running. A run from before
// slots were counted holds its concurrency.
func (r *runRow) held() int {
	if r.slots > 0 {
		return r.slots
	}
	return max(1, r.Settings.Concurrency)
}

// heldSlots are the slots that the running runs of workspace $1 hold.
const heldSlots = `SELECT CAST(COALESCE(SUM(slots), 0) AS BIGINT) FROM runs WHERE workspace_pk = $1 AND status = 'running'`

// waitingForSlots are the runs of workspace $1 that wait for slots, oldest first.
const waitingForSlots = `SELECT pk, slots FROM runs
	WHERE workspace_pk = $1 AND status = 'paused' AND done_reason = 'slots_limit_exceeded' ORDER BY pk LIMIT 1000`

// readPlan reads what the workspace of r, which is locked, has left of its plan.
func (s *Store) readPlan(ctx context.Context, tx *sql.Tx, r *runRow, st *shoal.Standing) error {
	const q = `SELECT credits_available, credits_bonus + credits_rollover - credits_consumed, total_slots, force_launch, premium
		FROM workspaces WHERE pk = $1`
	var available, rest shoal.Credits
	err := tx.QueryRowContext(ctx, q, r.workspacePK).Scan(&available, &rest, &st.TotalSlots, &st.ForceLaunch, &st.Premium)
	if err != nil {
		return fmt.Errorf("read the workspace's plan: %w", err)
	}
	st.Credits = -1
	if available >= 0 {
		st.Credits = max(0, available+rest)
	}
	if st.TotalSlots == 0 {
		return nil
	}
	if err := tx.QueryRowContext(ctx, heldSlots, r.workspacePK).Scan(&st.UsedSlots); err != nil {
		return fmt.Errorf("count the slots in use: %w", err)
	}
	return nil
}

// readInvoices reads the overdue invoices that concern r.
func (s *Store) readInvoices(ctx context.Context, tx *sql.Tx, r *runRow, st *shoal.Standing) error {
	const q = invoiceColumns + invoiceFrom + ` WHERE i.pk = (SELECT o.pk` + overdueInvoices + ` AND o.crawler_id = $3
		ORDER BY o.due_at, o.pk LIMIT 1)`
	for _, f := range []struct {
		crawler string
		at      **shoal.Invoice
	}{{"", &st.Overdue}, {string(r.CrawlerID), &st.Fee}} {
		i, err := scanInvoice(tx.QueryRowContext(ctx, q, r.workspacePK, micros(s.now()), f.crawler))
		if errors.Is(err, sql.ErrNoRows) {
			continue
		}
		if err != nil {
			return fmt.Errorf("look for overdue invoices: %w", err)
		}
		*f.at = &i
	}
	return nil
}

// lockLimited locks the workspace of a run, before the run, if what the run
// gives up or waits for is shared with others: its slots or credits are limited.
func (s *Store) lockLimited(ctx context.Context, tx *sql.Tx, id shoal.RunID) error {
	lock := s.db.dialect.forUpdateOf("w")
	if lock == "" {
		return nil // whoever writes has the only lock
	}
	q := `SELECT w.pk FROM runs r JOIN workspaces w ON w.pk = r.workspace_pk
		WHERE r.id = $1 AND (w.total_slots > 0 OR w.credits_available >= 0)` + lock
	var pk int64
	if err := tx.QueryRowContext(ctx, q, string(id)).Scan(&pk); err != nil && !errors.Is(err, sql.ErrNoRows) {
		return fmt.Errorf("lock the run's workspace: %w", err)
	}
	return nil
}

// wakeForSlots makes the runs of a workspace that wait for slots look again,
// the oldest first and only as many as there is room for. A large one is not
// passed by: it would wait for ever. The workspace is locked if its slots are limited.
func (s *Store) wakeForSlots(ctx context.Context, tx *sql.Tx, workspacePK int64) error {
	type waiting struct{ pk, slots int64 }
	runs, err := collect(ctx, tx, func(row scanner) (w waiting, err error) { return w, row.Scan(&w.pk, &w.slots) },
		waitingForSlots, workspacePK)
	if err != nil {
		return fmt.Errorf("look for runs that wait for slots: %w", err)
	}
	if len(runs) == 0 {
		return nil
	}
	var total, used int64
	if err := tx.QueryRowContext(ctx, `SELECT total_slots FROM workspaces WHERE pk = $1`, workspacePK).Scan(&total); err != nil {
		return fmt.Errorf("read the plan's slots: %w", err)
	}
	if err := tx.QueryRowContext(ctx, heldSlots, workspacePK).Scan(&used); err != nil {
		return fmt.Errorf("count the slots in use: %w", err)
	}
	var pks []any
	for _, w := range runs {
		if total > 0 {
			if used += min(w.slots, total); used > total {
				break
			}
		}
		pks = append(pks, w.pk)
	}
	if len(pks) == 0 {
		return nil
	}
	return s.wakeWhere(ctx, tx, ` WHERE r.status = 'paused' AND r.pk IN (`+params(1, len(pks))+`)`, pks...)
}

// passedSlots reports whether a run does not wait for slots any more and takes
// none: it ended, or waits for something else. Those that it stood before are
// next, and nobody else would tell them.
func passedSlots(was, row *runRow) bool {
	waited := was.Status == shoal.RunPaused && was.DoneReason == shoal.ReasonSlotsLimitExceeded
	waits := row.Status == shoal.RunPaused && row.DoneReason == shoal.ReasonSlotsLimitExceeded
	return waited && !waits && row.Status != shoal.RunRunning
}

// credited makes a run that pauses for want of credits look again at once if
// credits came while its last page was on the way: whoever gave them found no
// paused run to wake. The workspace is locked if its credits are limited.
func (s *Store) credited(ctx context.Context, tx *sql.Tx, was, row *runRow) error {
	if row.Status != shoal.RunPaused || row.DoneReason != shoal.ReasonNoCreditsLeft || was.Status != shoal.RunRunning {
		return nil
	}
	const q = `SELECT pk FROM workspaces WHERE pk = $1 AND credited_at >= $2
		AND (credits_available < 0 OR credits_available + credits_rollover + credits_bonus > credits_consumed)`
	var pk int64
	err := tx.QueryRowContext(ctx, q, row.workspacePK, micros(was.ActiveSince)).Scan(&pk)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil
	case err != nil:
		return fmt.Errorf("look for credits that came meanwhile: %w", err)
	}
	row.WakeAt = s.now()
	return nil
}

// slotsOf keeps row.slots: what a running run holds, or what another would ask for.
func slotsOf(row *runRow, st *shoal.Standing) int {
	if row.Status == shoal.RunRunning && st != nil {
		return st.Slots(row.Settings.Concurrency)
	}
	return max(1, row.Settings.Concurrency)
}
