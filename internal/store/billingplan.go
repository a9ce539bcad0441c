package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"shoal"
)

var errPlanNotFound = shoal.NotFound("PlanDoesNotExist", "plan", "Plan not found")

const planColumns = `SELECT id, name, credits, credit_interval, rollover_max, rollover_days, slots, force_launch, premium, created_at FROM plans`

// scanPlan returns sql.ErrNoRows as it is.
func scanPlan(r scanner) (p shoal.Plan, err error) {
	return p, r.Scan(&p.ID, &p.Name, &p.Credits, &p.Interval, &p.RolloverMax, &p.RolloverDays, &p.Slots, &p.ForceLaunch, &p.Premium,
		times{}.into(&p.CreatedAt))
}

// planOf reads a plan by id or name.
func (s *Store) planOf(ctx context.Context, q querier, idOrName string) (shoal.Plan, error) {
	p, err := scanPlan(q.QueryRowContext(ctx, planColumns+` WHERE id = $1 OR name = $1`, idOrName))
	if errors.Is(err, sql.ErrNoRows) {
		return p, errPlanNotFound
	}
	if err != nil {
		return p, fmt.Errorf("read plan: %w", err)
	}
	return p, nil
}

// Plan returns a plan by id or name.
func (s *Store) Plan(ctx context.Context, idOrName string) (shoal.Plan, error) {
	return s.planOf(ctx, s.read, idOrName)
}

// Plans lists plans, newest first.
func (s *Store) Plans(ctx context.Context, w shoal.Window) (l shoal.Listing[shoal.Plan], err error) {
	if err = s.read.QueryRowContext(ctx, `SELECT count(*) FROM plans`).Scan(&l.Total); err != nil {
		return l, fmt.Errorf("count plans: %w", err)
	}
	l.Items, err = collect(ctx, s.read, scanPlan, planColumns+` ORDER BY pk DESC LIMIT $1 OFFSET $2`, w.Limit, w.Offset())
	if err != nil {
		return l, fmt.Errorf("list plans: %w", err)
	}
	return l, nil
}

// CreatePlan stores a plan. Conflict DuplicatePlan when there is one of its name.
func (s *Store) CreatePlan(ctx context.Context, p shoal.Plan) (shoal.Plan, error) {
	p.ID, p.CreatedAt = shoal.NewID[shoal.PlanID](), s.now()
	err := s.write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		const q = `INSERT INTO plans (id, name, credits, credit_interval, rollover_max, rollover_days, slots, force_launch, premium, created_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`
		_, err := tx.ExecContext(ctx, q, string(p.ID), p.Name, int64(p.Credits), p.Interval, int64(p.RolloverMax), p.RolloverDays,
			p.Slots, p.ForceLaunch, p.Premium, micros(p.CreatedAt))
		if err != nil {
			return err
		}
		return s.remember(ctx, tx, p)
	})
	if uniqueViolation(err) {
		return shoal.Plan{}, shoal.Conflict("DuplicatePlan", "name", "A plan named %s exists already: choose another name, or change that one", p.Name)
	}
	if err != nil {
		return shoal.Plan{}, fmt.Errorf("create plan: %w", err)
	}
	return p, nil
}

// UpdatePlan changes a plan's terms; its name stays. Workspaces on it get the
// new terms with their next period, or when it is assigned anew.
func (s *Store) UpdatePlan(ctx context.Context, idOrName string, change func(p *shoal.Plan) error) (p shoal.Plan, err error) {
	err = s.write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		if p, err = s.lockPlan(ctx, tx, idOrName); err != nil {
			return err
		}
		if err := change(&p); err != nil {
			return err
		}
		const q = `UPDATE plans SET credits = $2, credit_interval = $3, rollover_max = $4, rollover_days = $5, slots = $6,
			force_launch = $7, premium = $8 WHERE id = $1`
		_, err := tx.ExecContext(ctx, q, string(p.ID), int64(p.Credits), p.Interval, int64(p.RolloverMax), p.RolloverDays,
			p.Slots, p.ForceLaunch, p.Premium)
		if err != nil {
			return err
		}
		return s.remember(ctx, tx, p)
	})
	if err != nil {
		return shoal.Plan{}, fmt.Errorf("update plan: %w", err)
	}
	return p, nil
}

func (s *Store) lockPlan(ctx context.Context, tx *sql.Tx, idOrName string) (shoal.Plan, error) {
	p, err := scanPlan(tx.QueryRowContext(ctx, planColumns+` WHERE id = $1 OR name = $1`+s.db.dialect.forUpdate(), idOrName))
	if errors.Is(err, sql.ErrNoRows) {
		return p, errPlanNotFound
	}
	return p, err
}

// DeletePlan deletes a plan. Conflict PlanInUse while workspaces are on it; the
// default plan stays.
func (s *Store) DeletePlan(ctx context.Context, idOrName string) (p shoal.Plan, err error) {
	err = s.write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		if p, err = s.lockPlan(ctx, tx, idOrName); err != nil {
			return err
		}
		if p.Name == defaultPlan {
			return shoal.Conflict("PlanInUse", "plan", "The plan %s is what new workspaces begin with: it stays", p.Name)
		}
		var n int64
		if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM workspaces WHERE plan_name = $1`, p.Name).Scan(&n); err != nil {
			return err
		}
		if n > 0 {
			return shoal.Conflict("PlanInUse", "plan", "%d workspaces are on the plan %s: put them on another one first", n, p.Name)
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM plans WHERE id = $1`, string(p.ID)); err != nil {
			return err
		}
		return s.remember(ctx, tx, nil)
	})
	if err != nil {
		return shoal.Plan{}, fmt.Errorf("delete plan: %w", err)
	}
	return p, nil
}
