package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"shoal"
)

const workspaceQuery = `SELECT w.id, w.name, w.created_at, w.plan_name,
		(SELECT COUNT(*) FROM users u WHERE u.workspace_pk = w.pk AND u.is_active = TRUE),
		(SELECT COUNT(*) FROM squids s WHERE s.workspace_pk = w.pk AND s.deleted_at = 0)
	FROM workspaces w`

func scanWorkspace(r scanner) (w shoal.Workspace, err error) {
	var created int64
	err = r.Scan(&w.ID, &w.Name, &created, &w.PlanName, &w.Users, &w.Squids)
	w.CreatedAt = fromMicros(created)
	return w, err
}

// Workspaces lists all workspaces, newest first.
func (s *Store) Workspaces(ctx context.Context, w shoal.Window) (l shoal.Listing[shoal.Workspace], err error) {
	if err := s.read.QueryRowContext(ctx, `SELECT COUNT(*) FROM workspaces`).Scan(&l.Total); err != nil {
		return l, fmt.Errorf("count workspaces: %w", err)
	}
	const q = workspaceQuery + ` ORDER BY w.pk DESC LIMIT $1 OFFSET $2`
	if l.Items, err = collect(ctx, s.read, scanWorkspace, q, w.Limit, skip(w, l.Total)); err != nil {
		return l, fmt.Errorf("list workspaces: %w", err)
	}
	return l, nil
}

// Workspace returns a workspace.
func (s *Store) Workspace(ctx context.Context, id shoal.WorkspaceID) (shoal.Workspace, error) {
	return workspace(ctx, s.read, id)
}

func workspace(ctx context.Context, q querier, id shoal.WorkspaceID) (shoal.Workspace, error) {
	w, err := scanWorkspace(q.QueryRowContext(ctx, workspaceQuery+` WHERE w.id = $1`, string(id)))
	if errors.Is(err, sql.ErrNoRows) {
		return w, shoal.ErrWorkspaceNotFound
	}
	if err != nil {
		return w, fmt.Errorf("read workspace: %w", err)
	}
	return w, nil
}

// RenameWorkspace gives a workspace another name.
func (s *Store) RenameWorkspace(ctx context.Context, id shoal.WorkspaceID, name string) (w shoal.Workspace, err error) {
	err = s.write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, `UPDATE workspaces SET name = $1 WHERE id = $2`, name, string(id))
		if err := oneRow(res, err, shoal.ErrWorkspaceNotFound); err != nil {
			return err
		}
		if w, err = workspace(ctx, tx, id); err != nil {
			return err
		}
		return s.remember(ctx, tx, w)
	})
	if err != nil {
		return w, fmt.Errorf("rename workspace: %w", err)
	}
	return w, nil
}
