package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"

	"shoal"
)

// SetDelivery replaces where a squid's results go. The channels are stored as
// they are given: sealed by the caller.
func (s *Store) SetDelivery(ctx context.Context, ws shoal.WorkspaceID, id shoal.SquidID, d shoal.DeliveryConfig) error {
	b, err := json.Marshal(d)
	if err != nil {
		return fmt.Errorf("set delivery: %w", err)
	}
	err = s.write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		const q = `UPDATE squids SET delivery = $1, updated_at = $2
			WHERE id = $3 AND deleted_at = 0 AND workspace_pk = (SELECT pk FROM workspaces WHERE id = $4)`
		res, err := tx.ExecContext(ctx, q, b, micros(s.now()), string(id), string(ws))
		if err := oneRow(res, err, shoal.ErrSquidNotFound); err != nil {
			return err
		}
		return s.remember(ctx, tx, nil)
	})
	if err != nil {
		return fmt.Errorf("set delivery: %w", err)
	}
	return nil
}
