package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"shoal"
)

// The plan of a new workspace: metered and never refused.
const (
	defaultPlan     = "unlimited"
	defaultInterval = "monthly"
	unlimited       = -1
)

// Bootstrap returns the installation's first user, made with a workspace on
// the default plan if the database has no user yet.
func (s *Store) Bootstrap(ctx context.Context, email string) (first shoal.User, err error) {
	const q = userColumns + ` ORDER BY u.pk LIMIT 1`
	first, err = scanUser(s.read.QueryRowContext(ctx, q))
	if !errors.Is(err, sql.ErrNoRows) {
		return first, err
	}
	err = s.write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		if err := s.lockUsers(ctx, tx); err != nil {
			return err
		}
		if first, err = scanUser(tx.QueryRowContext(ctx, q)); !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		first, err = s.createUser(ctx, tx, shoal.User{Email: email, IsStaff: true, EmailVerified: true}, "Default")
		return err
	})
	if err != nil {
		return first, fmt.Errorf("set up the first user: %w", err)
	}
	return first, nil
}

// lockUsers makes two servers that start on one empty database take turns.
func (s *Store) lockUsers(ctx context.Context, tx *sql.Tx) error {
	lock := s.db.dialect.lockTable("users")
	if lock == "" {
		return nil
	}
	if _, err := tx.ExecContext(ctx, lock); err != nil {
		return fmt.Errorf("lock users: %w", err)
	}
	return nil
}

// CreateUser creates a user (Email, names, IsStaff, EmailVerified of u) in a
// new workspace of the given name, on the default plan.
func (s *Store) CreateUser(ctx context.Context, u shoal.User, workspace string) (made shoal.User, err error) {
	err = s.write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		if made, err = s.createUser(ctx, tx, u, workspace); err != nil {
			return err
		}
		return s.remember(ctx, tx, made)
	})
	if uniqueViolation(err) {
		return shoal.User{}, shoal.Conflict("UserExists", "email", "A user with the email %s exists already", u.Email)
	}
	if err != nil {
		return shoal.User{}, fmt.Errorf("create user: %w", err)
	}
	return made, nil
}

func (s *Store) createUser(ctx context.Context, tx *sql.Tx, u shoal.User, workspace string) (shoal.User, error) {
	if u.Email = strings.ToLower(strings.TrimSpace(u.Email)); !strings.Contains(u.Email, "@") {
		return u, shoal.Invalid("ParamsInvalid", "email", "%q is not an email address", u.Email)
	}
	now := s.now()
	u.ID, u.WorkspaceID = shoal.NewID[shoal.UserID](), shoal.NewID[shoal.WorkspaceID]()
	u.IsActive, u.DateJoined = true, now
	const space = `INSERT INTO workspaces (id, name, created_at, plan_name, credits_available, credit_interval)
		VALUES ($1, $2, $3, $4, $5, $6) RETURNING pk`
	var pk int64
	err := tx.QueryRowContext(ctx, space, string(u.WorkspaceID), workspace, micros(now), defaultPlan, unlimited, defaultInterval).Scan(&pk)
	if err != nil {
		return u, fmt.Errorf("create workspace: %w", err)
	}
	const user = `INSERT INTO users (id, workspace_pk, email, first_name, last_name, is_staff, email_verified, created_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`
	_, err = tx.ExecContext(ctx, user, string(u.ID), pk, u.Email, u.FirstName, u.LastName, u.IsStaff, u.EmailVerified, micros(now))
	return u, err
}

const userColumns = `SELECT u.id, w.id, u.email, u.first_name, u.last_name, u.is_active, u.is_staff, u.email_verified,
		u.login_count, u.created_at
	FROM users u JOIN workspaces w ON w.pk = u.workspace_pk`

// scanUser returns sql.ErrNoRows as it is.
func scanUser(r scanner) (u shoal.User, err error) {
	var joined int64
	err = r.Scan(&u.ID, &u.WorkspaceID, &u.Email, &u.FirstName, &u.LastName, &u.IsActive, &u.IsStaff, &u.EmailVerified,
		&u.LoginCount, &joined)
	u.DateJoined = fromMicros(joined)
	return u, err
}

// User returns a user of a workspace.
func (s *Store) User(ctx context.Context, ws shoal.WorkspaceID, id shoal.UserID) (shoal.User, error) {
	u, err := scanUser(s.read.QueryRowContext(ctx, userColumns+` WHERE u.id = $1 AND w.id = $2`, string(id), string(ws)))
	if errors.Is(err, sql.ErrNoRows) {
		return u, errUserNotFound
	}
	if err != nil {
		return u, fmt.Errorf("read user: %w", err)
	}
	return u, nil
}

var (
	errUserNotFound      = shoal.NotFound("UserDoesNotExist", "user", "User not found")
	errWorkspaceNotFound = shoal.NotFound("WorkspaceDoesNotExist", "workspace", "Workspace not found")
)

// Balance returns a workspace's plan and what is used of it. Used slots are
// those that running runs hold.
func (s *Store) Balance(ctx context.Context, ws shoal.WorkspaceID) (b shoal.Balance, err error) {
	const q = `SELECT w.id, w.plan_name, w.credits_available, w.credits_consumed, w.credits_bonus, w.credits_rollover,
			w.rollover_expires_at, w.credit_interval, w.total_slots, w.has_unpaid_bill, w.reset_at,
			(SELECT COUNT(*) FROM runs r JOIN leases l ON l.run_pk = r.pk
				WHERE r.status = 'running' AND r.workspace_pk = w.pk AND l.slot >= 0 AND l.owner IS NOT NULL)
		FROM workspaces w WHERE w.id = $1`
	var expires, reset int64
	err = s.read.QueryRowContext(ctx, q, string(ws)).Scan(&b.WorkspaceID, &b.PlanName, &b.Available, &b.Consumed, &b.Bonus,
		&b.Rollover, &expires, &b.Interval, &b.TotalSlots, &b.HasUnpaidBill, &reset, &b.UsedSlots)
	if errors.Is(err, sql.ErrNoRows) {
		return b, errWorkspaceNotFound
	}
	if err != nil {
		return b, fmt.Errorf("read balance: %w", err)
	}
	b.RolloverExpiresAt, b.ResetTime = fromMicros(expires), fromMicros(reset)
	return b, nil
}
