package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// idempotencyLife is how long an answer is kept for its idempotency key.
const idempotencyLife = 24 * time.Hour

// tendEvery is the pause between two looks at what has expired.
const tendEvery = 10 * time.Minute

// tend removes what has expired, until ctx ends. A failure is logged and the
// work is done at the next look.
func (s *Store) tend(ctx context.Context) error {
	t := time.NewTicker(tendEvery)
	defer t.Stop()
	for {
		if err := s.expire(ctx); err != nil && ctx.Err() == nil {
			s.log.Warn("expired rows stay for now", "cause", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
		}
	}
}

// Bounds of giving space back: below vacuumFrom free pages none is given back,
// since new rows will use them; vacuumStep pages take a few milliseconds.
const (
	vacuumFrom = 8192
	vacuumStep = 1024
)

// expire removes old idempotency keys and gives the pages that deletes freed
// back to the file system.
func (s *Store) expire(ctx context.Context) error {
	if err := s.forgetAnswers(ctx); err != nil {
		return err
	}
	if s.db.dialect != SQLite {
		return nil // PostgreSQL vacuums by itself
	}
	for {
		var free int64
		if err := s.read.QueryRowContext(ctx, `PRAGMA freelist_count`).Scan(&free); err != nil {
			return fmt.Errorf("count free pages: %w", err)
		}
		if free < vacuumFrom {
			return nil
		}
		if err := s.vacuum(ctx); err != nil {
			return err
		}
	}
}

// vacuum gives vacuumStep free pages back.
func (s *Store) vacuum(ctx context.Context) error {
	return s.writeSoon(ctx, func(ctx context.Context, tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, fmt.Sprintf(`PRAGMA incremental_vacuum(%d)`, vacuumStep)); err != nil {
			return fmt.Errorf("give free pages back: %w", err)
		}
		return nil
	})
}

// forgetAnswers removes idempotency keys whose time is over.
func (s *Store) forgetAnswers(ctx context.Context) error {
	cutoff := micros(s.now().Add(-idempotencyLife))
	var old bool
	const look = `SELECT EXISTS (SELECT 1 FROM idempotency_keys WHERE created_at <= $1)`
	if err := s.read.QueryRowContext(ctx, look, cutoff).Scan(&old); err != nil {
		return fmt.Errorf("look for old idempotency keys: %w", err)
	}
	if !old {
		return nil
	}
	return s.write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM idempotency_keys WHERE created_at <= $1`, cutoff)
		if err != nil {
			return fmt.Errorf("remove old idempotency keys: %w", err)
		}
		return nil
	})
}
