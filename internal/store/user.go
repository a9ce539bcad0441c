package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

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
// new workspace of the given name, on the default plan, and no key.
func (s *Store) CreateUser(ctx context.Context, u shoal.User, workspace string) (made shoal.User, err error) {
	err = s.write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		made, err = s.createUser(ctx, tx, u, workspace)
		return err
	})
	return made, userError("create user", u.Email, err)
}

// AddUser creates a user (Email, names, IsStaff, EmailVerified, ProfileImage)
// with a first key. ErrWorkspaceNotFound when n.WorkspaceID names none, a
// Conflict when there is a user with the email.
func (s *Store) AddUser(ctx context.Context, n shoal.NewUser) (added shoal.AddedUser, err error) {
	err = s.write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		added = shoal.AddedUser{Secret: newToken()}
		if added.User, err = s.createUser(ctx, tx, n.User, cmp.Or(n.Workspace, n.Email)); err != nil {
			return err
		}
		u := &added.User
		added.Key, err = s.createKey(ctx, tx, u.WorkspaceID, u.ID, "first", shoal.ScopeAdmin, time.Time{}, added.Secret)
		if err != nil {
			return err
		}
		return s.remember(ctx, tx, added)
	})
	if err != nil {
		return shoal.AddedUser{}, userError("create user", n.Email, err)
	}
	return added, nil
}

// userError says what a failed write of a user means.
func userError(act, email string, err error) error {
	if uniqueViolation(err) {
		return shoal.Conflict("UserExists", "email", "There is a user with the email %s already", email)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", act, err)
	}
	return nil
}

// createUser creates u in the workspace of u.WorkspaceID, or in a new one.
func (s *Store) createUser(ctx context.Context, tx *sql.Tx, u shoal.User, workspace string) (shoal.User, error) {
	if u.Email = strings.ToLower(strings.TrimSpace(u.Email)); !strings.Contains(u.Email, "@") {
		return u, shoal.Invalid("ParamsInvalid", "email", "%q is not an email address", u.Email)
	}
	now := s.now()
	u.ID, u.IsActive, u.DateJoined, u.LoginCount = shoal.NewID[shoal.UserID](), true, now, 0
	pk, err := s.workspaceOf(ctx, tx, &u, workspace)
	if err != nil {
		return u, err
	}
	const user = `INSERT INTO users (id, workspace_pk, email, first_name, last_name, is_staff, email_verified, profile_image, created_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`
	_, err = tx.ExecContext(ctx, user, string(u.ID), pk, u.Email, u.FirstName, u.LastName, u.IsStaff, u.EmailVerified,
		u.ProfileImage, micros(now))
	return u, err
}

// workspaceOf returns the number of u's workspace, a new one of the given name
// when u has none.
func (s *Store) workspaceOf(ctx context.Context, tx *sql.Tx, u *shoal.User, name string) (pk int64, err error) {
	if u.WorkspaceID != "" {
		err = tx.QueryRowContext(ctx, `SELECT pk FROM workspaces WHERE id = $1`, string(u.WorkspaceID)).Scan(&pk)
		if errors.Is(err, sql.ErrNoRows) {
			return 0, shoal.ErrWorkspaceNotFound
		}
		if err != nil {
			return 0, fmt.Errorf("find workspace: %w", err)
		}
		return pk, nil
	}
	u.WorkspaceID = shoal.NewID[shoal.WorkspaceID]()
	const q = `INSERT INTO workspaces (id, name, created_at, plan_name, credits_available, credit_interval)
		VALUES ($1, $2, $3, $4, $5, $6) RETURNING pk`
	err = tx.QueryRowContext(ctx, q, string(u.WorkspaceID), name, micros(s.now()), defaultPlan, unlimited, defaultInterval).Scan(&pk)
	if err != nil {
		return 0, fmt.Errorf("create workspace: %w", err)
	}
	return pk, nil
}

const userColumns = `SELECT u.id, w.id, u.email, u.first_name, u.last_name, u.is_active, u.is_staff, u.email_verified,
		u.login_count, u.profile_image, u.created_at
	FROM users u JOIN workspaces w ON w.pk = u.workspace_pk`

// scanUser returns sql.ErrNoRows as it is.
func scanUser(r scanner) (u shoal.User, err error) {
	var joined int64
	err = r.Scan(&u.ID, &u.WorkspaceID, &u.Email, &u.FirstName, &u.LastName, &u.IsActive, &u.IsStaff, &u.EmailVerified,
		&u.LoginCount, &u.ProfileImage, &joined)
	u.DateJoined = fromMicros(joined)
	return u, err
}

// User returns a user of a workspace.
func (s *Store) User(ctx context.Context, ws shoal.WorkspaceID, id shoal.UserID) (shoal.User, error) {
	return user(ctx, s.read, ` WHERE u.id = $1 AND w.id = $2`, string(id), string(ws))
}

// UserByID returns a user of any workspace.
func (s *Store) UserByID(ctx context.Context, id shoal.UserID) (shoal.User, error) {
	return user(ctx, s.read, ` WHERE u.id = $1`, string(id))
}

// UserByEmail returns a user of any workspace, by the whole email in any case.
func (s *Store) UserByEmail(ctx context.Context, email string) (shoal.User, error) {
	return user(ctx, s.read, ` WHERE u.email = $1`, strings.ToLower(strings.TrimSpace(email)))
}

func user(ctx context.Context, q querier, where string, args ...any) (shoal.User, error) {
	u, err := scanUser(q.QueryRowContext(ctx, userColumns+where, args...))
	if errors.Is(err, sql.ErrNoRows) {
		return u, shoal.ErrUserNotFound
	}
	if err != nil {
		return u, fmt.Errorf("read user: %w", err)
	}
	return u, nil
}

// Users lists the users that f chooses, newest first.
func (s *Store) Users(ctx context.Context, f shoal.UserFilter, w shoal.Window) (l shoal.Listing[shoal.User], err error) {
	const where = ` WHERE (w.id = $1 OR $1 = '') AND u.email LIKE $2 ESCAPE '\'`
	args := []any{string(f.Workspace), "%" + likeEscape(strings.ToLower(f.Email)) + "%"}
	const count = `SELECT COUNT(*) FROM users u JOIN workspaces w ON w.pk = u.workspace_pk`
	if err := s.read.QueryRowContext(ctx, count+where, args...).Scan(&l.Total); err != nil {
		return l, fmt.Errorf("count users: %w", err)
	}
	const q = userColumns + where + ` ORDER BY u.pk DESC LIMIT $3 OFFSET $4`
	if l.Items, err = collect(ctx, s.read, scanUser, q, append(args, w.Limit, skip(w, l.Total))...); err != nil {
		return l, fmt.Errorf("list users: %w", err)
	}
	return l, nil
}

// UpdateUser changes a user of any workspace. Their keys stop at once on this
// machine when they are made inactive, within keyLife on others. The last
// active member of staff cannot be made inactive nor stop being staff: nobody
// could undo it over the API.
func (s *Store) UpdateUser(ctx context.Context, id shoal.UserID, p shoal.UserPatch) (changed shoal.User, err error) {
	err = s.write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		if err := s.lockUsers(ctx, tx); err != nil {
			return err
		}
		u, err := user(ctx, tx, ` WHERE u.id = $1`, string(id))
		if err != nil {
			return err
		}
		was := u
		if err := patchUser(&u, p); err != nil {
			return err
		}
		const q = `UPDATE users SET email = $1, first_name = $2, last_name = $3, profile_image = $4, is_active = $5,
			is_staff = $6, email_verified = $7 WHERE id = $8`
		_, err = tx.ExecContext(ctx, q, u.Email, u.FirstName, u.LastName, u.ProfileImage, u.IsActive, u.IsStaff, u.EmailVerified, string(id))
		if err != nil {
			return err
		}
		if was.IsStaff && was.IsActive && !(u.IsStaff && u.IsActive) {
			if err := needStaff(ctx, tx); err != nil {
				return err
			}
		}
		s.afterCommit(ctx, s.keys.drop)
		changed = u
		return s.remember(ctx, tx, changed)
	})
	email := ""
	if p.Email != nil {
		email = *p.Email
	}
	return changed, userError("update user", email, err)
}

// needStaff fails when no member of staff would be left.
func needStaff(ctx context.Context, tx *sql.Tx) error {
	var left bool
	const q = `SELECT EXISTS (SELECT 1 FROM users WHERE is_staff = TRUE AND is_active = TRUE)`
	if err := tx.QueryRowContext(ctx, q).Scan(&left); err != nil {
		return fmt.Errorf("look for staff: %w", err)
	}
	if !left {
		return shoal.Conflict("LastStaffUser", "user", "This is the last active member of staff: make another user one first")
	}
	return nil
}

func patchUser(u *shoal.User, p shoal.UserPatch) error {
	was := u.Email
	set(&u.Email, p.Email)
	set(&u.FirstName, p.FirstName)
	set(&u.LastName, p.LastName)
	set(&u.ProfileImage, p.ProfileImage)
	set(&u.IsActive, p.IsActive)
	set(&u.IsStaff, p.IsStaff)
	if u.Email = strings.ToLower(strings.TrimSpace(u.Email)); !strings.Contains(u.Email, "@") {
		return shoal.Invalid("ParamsInvalid", "email", "%q is not an email address", u.Email)
	}
	if u.Email != was {
		u.EmailVerified = false // that was the former one
	}
	set(&u.EmailVerified, p.EmailVerified)
	return nil
}

func set[T any](at *T, to *T) {
	if to != nil {
		*at = *to
	}
}
