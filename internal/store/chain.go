package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"shoal"
)

// Chain returns a squid's chain; ErrChainNotFound when it has none.
func (s *Store) Chain(ctx context.Context, ws shoal.WorkspaceID, id shoal.SquidID) (c shoal.Chain, err error) {
	if _, err := s.tally(ctx, s.read, "", ws, id); err != nil {
		return c, err
	}
	return scanChain(s.read.QueryRowContext(ctx, chainQuery+` WHERE s.id = $1 AND s.deleted_at = 0 AND `+ofWorkspace, string(id), string(ws)))
}

const (
	chainQuery = `SELECT c.id, s.id, c.target_crawler_id, c.target_squid_id, c.field_map, c.is_active, c.autostart,
			c.cluster_name, c.cluster_concurrency, c.created_at
		FROM chains c JOIN squids s ON s.pk = c.squid_pk`
	ofWorkspace = `c.workspace_pk = (SELECT pk FROM workspaces WHERE id = $2)`
)

// ChainInto returns the chain that leads to the squid target; ErrChainNotFound
// when none does.
func (s *Store) ChainInto(ctx context.Context, ws shoal.WorkspaceID, target shoal.SquidID) (shoal.Chain, error) {
	return scanChain(s.read.QueryRowContext(ctx, chainQuery+` WHERE c.target_squid_id = $1 AND c.target_squid_id <> '' AND s.deleted_at = 0 AND `+ofWorkspace, string(target), string(ws)))
}

func scanChain(r scanner) (c shoal.Chain, err error) {
	var fields []byte
	var created int64
	err = r.Scan(&c.ID, &c.SquidID, &c.TargetCrawler, &c.TargetSquid,
		&fields, &c.IsActive, &c.Autostart, &c.ClusterName, &c.ClusterConcurrency, &created)
	if errors.Is(err, sql.ErrNoRows) {
		return c, shoal.ErrChainNotFound
	}
	if err != nil {
		return c, fmt.Errorf("read chain: %w", err)
	}
	c.CreatedAt = fromMicros(created)
	if err := json.Unmarshal(fields, &c.FieldMap); err != nil {
		return c, fmt.Errorf("read chain: its field map: %w", err)
	}
	return c, nil
}

// SetChain creates or, with replace, replaces the squid's chain; a replaced
// one keeps its id and its age. Without replace an existing one is a Conflict.
func (s *Store) SetChain(ctx context.Context, ws shoal.WorkspaceID, c shoal.Chain, replace bool) error {
	fields, err := json.Marshal(c.FieldMap)
	if err != nil {
		return fmt.Errorf("set chain: %w", err)
	}
	err = s.write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		t, err := s.tally(ctx, tx, s.db.dialect.forUpdate(), ws, c.SquidID)
		if err != nil {
			return err
		}
		const q = `INSERT INTO chains (squid_pk, id, workspace_pk, target_crawler_id, target_squid_id, field_map,
				is_active, autostart, cluster_name, cluster_concurrency, created_at)
			VALUES ($1, $2, (SELECT pk FROM workspaces WHERE id = $3), $4, $5, $6, $7, $8, $9, $10, $11)
			ON CONFLICT (squid_pk) DO UPDATE SET target_crawler_id = excluded.target_crawler_id,
				target_squid_id = CASE WHEN chains.target_crawler_id = excluded.target_crawler_id THEN chains.target_squid_id ELSE '' END,
				field_map = excluded.field_map,
				is_active = excluded.is_active, autostart = excluded.autostart,
				cluster_name = excluded.cluster_name, cluster_concurrency = excluded.cluster_concurrency
			WHERE $12`
		res, err := tx.ExecContext(ctx, q, t.pk, string(c.ID), string(ws), string(c.TargetCrawler), string(c.TargetSquid),
			string(fields), c.IsActive, c.Autostart, c.ClusterName, c.ClusterConcurrency, micros(s.now()), replace)
		exists := shoal.Conflict("ChainExists", "squid", "This squid has a chain already: change it with PATCH or remove it first")
		if err := oneRow(res, err, exists); err != nil {
			return err
		}
		return s.remember(ctx, tx, nil)
	})
	if err != nil {
		return fmt.Errorf("set chain: %w", err)
	}
	return nil
}

// DeleteChain removes a squid's chain; ErrChainNotFound when it has none.
func (s *Store) DeleteChain(ctx context.Context, ws shoal.WorkspaceID, id shoal.SquidID) error {
	err := s.write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		t, err := s.tally(ctx, tx, s.db.dialect.forUpdate(), ws, id)
		if err != nil {
			return err
		}
		res, err := tx.ExecContext(ctx, `DELETE FROM chains WHERE squid_pk = $1`, t.pk)
		if err := oneRow(res, err, shoal.ErrChainNotFound); err != nil {
			return err
		}
		return s.remember(ctx, tx, nil)
	})
	if err != nil {
		return fmt.Errorf("delete chain: %w", err)
	}
	return nil
}
