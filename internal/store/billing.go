package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"shoal"
	"shoal/internal/billing"
)

// books are a workspace's credits and where its plan's terms came from; the
// workspace is locked while they are in use.
type books struct {
	billing.Books
	pk       int64
	id       shoal.WorkspaceID
	plan     string
	interval string
}

const booksColumns = `SELECT pk, id, plan_name, credit_interval, credits_available, credits_consumed, credits_rollover, credits_bonus,
		rollover_expires_at, billing_anchor, billing_zone, period, reset_at
	FROM workspaces`

// lockBooks locks a workspace, by its id or primary key, and reads its books.
func (s *Store) lockBooks(ctx context.Context, tx *sql.Tx, column string, id any) (*books, error) {
	b := &books{}
	t := times{}
	err := tx.QueryRowContext(ctx, booksColumns+` WHERE `+column+` = $1`+s.db.dialect.forUpdate(), id).Scan(
		&b.pk, &b.id, &b.plan, &b.interval, &b.Allowance, &b.Consumed, &b.Rollover, &b.Bonus,
		t.into(&b.RolloverEnds), t.into(&b.Anchor), &b.Zone, t.into(&b.Start), t.into(&b.Reset))
	if errors.Is(err, sql.ErrNoRows) {
		return nil, shoal.ErrWorkspaceNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("lock the workspace's credits: %w", err)
	}
	return b, nil
}

// terms is the workspace's plan as it is now.
func (s *Store) terms(ctx context.Context, tx *sql.Tx, b *books) (*shoal.Plan, error) {
	p, err := scanPlan(tx.QueryRowContext(ctx, planColumns+` WHERE name = $1`, b.plan))
	if errors.Is(err, sql.ErrNoRows) { // it was never a row: what the workspace has goes on
		return &shoal.Plan{Name: b.plan, Credits: b.Allowance, Interval: b.interval}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the plan %s: %w", b.plan, err)
	}
	return &p, nil
}

// writeBooks writes the books with the entries that explain their change, and
// wakes the runs that waited for credits if there are some.
func (s *Store) writeBooks(ctx context.Context, tx *sql.Tx, b *books, entries []billing.Entry, actor string) error {
	const q = `UPDATE workspaces SET plan_name = $2, credit_interval = $3, credits_available = $4, credits_consumed = $5,
			credits_rollover = $6, credits_bonus = $7, rollover_expires_at = $8, billing_anchor = $9, billing_zone = $10,
			period = $11, reset_at = $12, credited_at = $13
		WHERE pk = $1`
	_, err := tx.ExecContext(ctx, q, b.pk, b.plan, b.interval, int64(b.Allowance), int64(b.Consumed), int64(b.Rollover),
		int64(b.Bonus), micros(b.RolloverEnds), micros(b.Anchor), b.Zone, micros(b.Start), micros(b.Reset), micros(s.now()))
	if err != nil {
		return fmt.Errorf("write the workspace's credits: %w", err)
	}
	const add = `INSERT INTO credit_entries (workspace_pk, kind, pool, credits, at, actor, note) VALUES ($1, $2, $3, $4, $5, $6, $7)`
	for _, e := range entries {
		if _, err := tx.ExecContext(ctx, add, b.pk, e.Kind, e.Pool, int64(e.Credits), micros(e.At), actor, plain(e.Note)); err != nil {
			return fmt.Errorf("enter a movement of credits: %w", err)
		}
	}
	if b.Limited() && b.Left() <= 0 {
		return nil
	}
	return s.wakePaused(ctx, tx, shoal.WakeCause{Reasons: []shoal.DoneReason{shoal.ReasonNoCreditsLeft}, Workspace: b.id})
}

// GrantCredits adds bonus credits to a workspace, or takes some back that were
// not spent when credits is negative. NotEnoughBalance when there are not as many.
func (s *Store) GrantCredits(ctx context.Context, ws shoal.WorkspaceID, credits shoal.Credits, note, actor string) (after shoal.Balance, err error) {
	return s.changeBooks(ctx, ws, func(ctx context.Context, tx *sql.Tx, b *books) error {
		plan, err := s.terms(ctx, tx, b)
		if err != nil {
			return err
		}
		entries := b.Settle(s.now(), plan) // what is due counts before what is given
		granted, err := b.Grant(credits, s.now(), note)
		if err != nil {
			return err
		}
		if err := s.applyTerms(ctx, tx, b, plan, len(entries) > 0); err != nil {
			return err
		}
		return s.writeBooks(ctx, tx, b, append(entries, granted), actor)
	})
}

// AssignPlan puts a workspace on a plan, or anew on its own: a period begins
// now. zone (IANA name; empty: UTC) is where its days and months begin.
func (s *Store) AssignPlan(ctx context.Context, ws shoal.WorkspaceID, plan shoal.PlanID, zone, actor string) (after shoal.Balance, err error) {
	if _, err := time.LoadLocation(zone); err != nil {
		return after, shoal.Invalid("ParamsInvalid", "timezone", "there is no time zone %q; it must be like Europe/Paris", zone)
	}
	return s.changeBooks(ctx, ws, func(ctx context.Context, tx *sql.Tx, b *books) error {
		next, err := s.planOf(ctx, tx, string(plan))
		if err != nil {
			return err
		}
		was, err := s.terms(ctx, tx, b)
		if err != nil {
			return err
		}
		now := s.now()
		entries := b.Settle(now, was)
		if !now.After(b.Start) { // a period's start names it in the ledger
			now = b.Start.Add(time.Microsecond)
		}
		entries = append(entries, b.Assign(now, &next, zone)...)
		b.plan = next.Name
		if err := s.applyTerms(ctx, tx, b, &next, true); err != nil {
			return err
		}
		if err := s.writeBooks(ctx, tx, b, entries, actor); err != nil {
			return err
		}
		return s.wakeForSlots(ctx, tx, b.pk)
	})
}

// changeBooks does change with a workspace's books locked, and returns the
// balance that it left.
func (s *Store) changeBooks(ctx context.Context, ws shoal.WorkspaceID, change func(ctx context.Context, tx *sql.Tx, b *books) error) (after shoal.Balance, err error) {
	err = s.write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		b, err := s.lockBooks(ctx, tx, "id", string(ws))
		if err != nil {
			return err
		}
		if err := change(ctx, tx, b); err != nil {
			return err
		}
		if after, err = s.balance(ctx, tx, ws); err != nil {
			return err
		}
		return s.remember(ctx, tx, after)
	})
	if err != nil {
		return shoal.Balance{}, fmt.Errorf("change the credits of workspace %s: %w", ws, err)
	}
	return after, nil
}

// applyTerms copies what a plan allows besides credits, when a period of it begins.
func (s *Store) applyTerms(ctx context.Context, tx *sql.Tx, b *books, plan *shoal.Plan, begins bool) error {
	if !begins || plan.ID == "" {
		return nil
	}
	b.interval = plan.Interval
	const q = `UPDATE workspaces SET total_slots = $2, force_launch = $3, premium = $4 WHERE pk = $1`
	if _, err := tx.ExecContext(ctx, q, b.pk, plan.Slots, plan.ForceLaunch, plan.Premium); err != nil {
		return fmt.Errorf("copy the plan's terms: %w", err)
	}
	return nil
}

// settleEvery is how often the store looks for periods that have ended.
const settleEvery = time.Second

const dueWorkspaces = `SELECT pk FROM workspaces WHERE reset_at > 0 AND reset_at <= $1
	UNION SELECT pk FROM workspaces WHERE rollover_expires_at > 0 AND rollover_expires_at <= $1`

// settle begins the periods that have begun, until ctx ends. Every server does
// it: the workspace's lock and what is written under it make each period begin
// once, however many look.
func (s *Store) settle(ctx context.Context) error {
	t := time.NewTicker(settleEvery)
	defer t.Stop()
	for {
		if err := s.SettleDue(ctx); err != nil && ctx.Err() == nil {
			s.log.Warn("periods that have ended go on for now", "cause", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
		}
	}
}

// SettleDue begins the periods that have begun, those missed included, and lets
// rollovers expire. Serve calls it once a second.
func (s *Store) SettleDue(ctx context.Context) error {
	due, err := collect(ctx, s.read, scanInt, dueWorkspaces, micros(s.now()))
	if err != nil {
		return fmt.Errorf("look for periods that have ended: %w", err)
	}
	for _, pk := range due {
		if err := s.settleOne(ctx, pk); err != nil {
			return fmt.Errorf("begin a period: %w", err)
		}
	}
	return nil
}

func (s *Store) settleOne(ctx context.Context, pk int64) error {
	return s.write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		b, err := s.lockBooks(ctx, tx, "pk", pk)
		if err != nil {
			return err
		}
		if !b.Due(s.now()) {
			return nil // another server was first
		}
		plan, err := s.terms(ctx, tx, b)
		if err != nil {
			return err
		}
		began := b.Start
		entries := b.Settle(s.now(), plan)
		fresh := b.Start.After(began)
		if err := s.applyTerms(ctx, tx, b, plan, fresh); err != nil {
			return err
		}
		if err := s.writeBooks(ctx, tx, b, entries, actorEngine); err != nil || !fresh {
			return err
		}
		return s.wakeForSlots(ctx, tx, b.pk)
	})
}

// CreditEntries lists the movements of a workspace's credits other than their
// consumption, newest first.
func (s *Store) CreditEntries(ctx context.Context, ws shoal.WorkspaceID, w shoal.Window) (l shoal.Listing[shoal.CreditEntry], err error) {
	var pk int64
	err = s.read.QueryRowContext(ctx, `SELECT w.pk, (SELECT count(*) FROM credit_entries e WHERE e.workspace_pk = w.pk)
		FROM workspaces w WHERE w.id = $1`, string(ws)).Scan(&pk, &l.Total)
	if errors.Is(err, sql.ErrNoRows) {
		return l, shoal.ErrWorkspaceNotFound
	}
	if err != nil {
		return l, fmt.Errorf("count the movements of credits: %w", err)
	}
	const q = `SELECT kind, pool, credits, at, actor, note FROM credit_entries WHERE workspace_pk = $1
		ORDER BY pk DESC LIMIT $2 OFFSET $3`
	l.Items, err = collect(ctx, s.read, func(row scanner) (e shoal.CreditEntry, err error) {
		e.Workspace = ws
		return e, row.Scan(&e.Kind, &e.Pool, &e.Credits, times{}.into(&e.At), &e.Actor, &e.Note)
	}, q, pk, w.Limit, w.Offset())
	if err != nil {
		return l, fmt.Errorf("list the movements of credits: %w", err)
	}
	return l, nil
}

// Balance returns a workspace's plan and what is used of it. Used slots are
// those that running runs hold.
func (s *Store) Balance(ctx context.Context, ws shoal.WorkspaceID) (shoal.Balance, error) {
	return s.balance(ctx, s.read, ws)
}

func (s *Store) balance(ctx context.Context, q querier, ws shoal.WorkspaceID) (b shoal.Balance, err error) {
	const text = `SELECT w.pk, w.id, w.plan_name, w.credits_available, w.credits_consumed, w.credits_bonus, w.credits_rollover,
			w.rollover_expires_at, w.credit_interval, w.total_slots, w.reset_at
		FROM workspaces w WHERE w.id = $1`
	var pk int64
	t := times{}
	err = q.QueryRowContext(ctx, text, string(ws)).Scan(&pk, &b.WorkspaceID, &b.PlanName, &b.Available, &b.Consumed, &b.Bonus,
		&b.Rollover, t.into(&b.RolloverExpiresAt), &b.Interval, &b.TotalSlots, t.into(&b.ResetTime))
	if errors.Is(err, sql.ErrNoRows) {
		return b, shoal.ErrWorkspaceNotFound
	}
	if err != nil {
		return b, fmt.Errorf("read balance: %w", err)
	}
	if b.Available >= 0 {
		b.Available += b.Rollover + b.Bonus
	}
	if err := q.QueryRowContext(ctx, heldSlots, pk).Scan(&b.UsedSlots); err != nil {
		return b, fmt.Errorf("count the slots in use: %w", err)
	}
	const overdue = `SELECT CASE WHEN EXISTS (SELECT 1` + overdueInvoices + `) THEN TRUE ELSE FALSE END`
	if err := q.QueryRowContext(ctx, overdue, pk, micros(s.now())).Scan(&b.HasUnpaidBill); err != nil {
		return b, fmt.Errorf("look for overdue invoices: %w", err)
	}
	return b, nil
}
