package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"shoal"
)

// SaveExport records an export file; one of the same run, format and variant
// is replaced.
func (s *Store) SaveExport(ctx context.Context, e shoal.Export) error {
	err := s.write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		var pk int64
		err := tx.QueryRowContext(ctx, `SELECT pk FROM runs WHERE id = $1`, string(e.RunID)).Scan(&pk)
		if errors.Is(err, sql.ErrNoRows) {
			return shoal.ErrRunNotFound
		}
		if err != nil {
			return err
		}
		const q = `INSERT INTO exports (run_pk, format, variant, blob, size, etag, row_count, created_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
			ON CONFLICT (run_pk, format, variant) DO UPDATE SET blob = excluded.blob, size = excluded.size,
				etag = excluded.etag, row_count = excluded.row_count, created_at = excluded.created_at`
		_, err = tx.ExecContext(ctx, q, pk, string(e.Format), e.Variant, e.Blob, e.Size, e.ETag, e.Rows, micros(e.CreatedAt))
		return err
	})
	if err != nil {
		return fmt.Errorf("save export of run %s: %w", e.RunID, err)
	}
	return nil
}

// ExportOf returns a recorded export; ErrRunNotFound when there is none.
func (s *Store) ExportOf(ctx context.Context, run shoal.RunID, format shoal.Format, variant string) (shoal.Export, error) {
	e := shoal.Export{RunID: run, Format: format, Variant: variant}
	const q = `SELECT e.blob, e.size, e.etag, e.row_count, e.created_at FROM exports e JOIN runs r ON r.pk = e.run_pk
		WHERE r.id = $1 AND e.format = $2 AND e.variant = $3`
	err := s.read.QueryRowContext(ctx, q, string(run), string(format), variant).
		Scan(&e.Blob, &e.Size, &e.ETag, &e.Rows, times{}.into(&e.CreatedAt))
	if errors.Is(err, sql.ErrNoRows) {
		return e, shoal.ErrRunNotFound
	}
	if err != nil {
		return e, fmt.Errorf("read export of run %s: %w", run, err)
	}
	return e, nil
}
