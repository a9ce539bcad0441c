package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"shoal"
)

const answerQuery = `SELECT i.body_hash, i.status, i.body FROM idempotency_keys i
	WHERE i.workspace_pk = (SELECT pk FROM workspaces WHERE id = $1) AND i.route = $2 AND i.key = $3 AND i.created_at > $4`

// SavedAnswer returns the answer kept for an idempotency key of the last 24 h.
func (s *Store) SavedAnswer(ctx context.Context, ws shoal.WorkspaceID, route, key string) (a shoal.SavedAnswer, found bool, err error) {
	var hash []byte
	err = s.read.QueryRowContext(ctx, answerQuery, string(ws), route, key, micros(s.now().Add(-idempotencyLife))).
		Scan(&hash, &a.Status, &a.Body)
	if errors.Is(err, sql.ErrNoRows) {
		return a, false, nil
	}
	if err != nil {
		return a, false, fmt.Errorf("read the answer of an idempotency key: %w", err)
	}
	a.BodyHash = [32]byte(hash)
	return a, true, nil
}
