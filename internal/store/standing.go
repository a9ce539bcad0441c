package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"shoal"
)

// lockWorkspaceOf takes a workspace's lock, which comes before all others.
func (s *Store) lockWorkspaceOf(ctx context.Context, tx *sql.Tx, id shoal.WorkspaceID) error {
	var pk int64
	err := tx.QueryRowContext(ctx, `SELECT pk FROM workspaces WHERE id = $1`+s.db.dialect.forUpdate(), string(id)).Scan(&pk)
	if errors.Is(err, sql.ErrNoRows) {
		return shoal.ErrSquidNotFound
	}
	if err != nil {
		return fmt.Errorf("lock workspace: %w", err)
	}
	return nil
}

// lockStanding locks the workspace and the squid of a run and reads how they stand.
func (s *Store) lockStanding(ctx context.Context, tx *sql.Tx, r *runRow) (shoal.Standing, error) {
	if err := s.lockWorkspaceOf(ctx, tx, r.WorkspaceID); err != nil {
		return shoal.Standing{}, err
	}
	var pk int64
	err := tx.QueryRowContext(ctx, `SELECT pk FROM squids WHERE pk = $1`+s.db.dialect.forUpdate(), r.SquidPK).Scan(&pk)
	if err != nil {
		return shoal.Standing{}, fmt.Errorf("lock squid: %w", err)
	}
	return s.standing(ctx, tx, r)
}

// standing reads how a run's workspace and squid, both locked, stand, and locks
// the accounts that the run may work with.
func (s *Store) standing(ctx context.Context, tx *sql.Tx, r *runRow) (shoal.Standing, error) {
	st := shoal.Standing{Credits: -1}
	var err error
	if st.Accounts, err = s.lockAccounts(ctx, tx, r.SquidPK, r.PK); err != nil {
		return st, err
	}
	if err := tx.QueryRowContext(ctx, `SELECT is_active FROM squids WHERE pk = $1`, r.SquidPK).Scan(&st.SquidActive); err != nil {
		return st, fmt.Errorf("read the squid's switch: %w", err)
	}
	if err := s.readPlan(ctx, tx, r, &st); err != nil {
		return st, err
	}
	return st, s.readInvoices(ctx, tx, r, &st)
}
