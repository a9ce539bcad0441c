package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"shoal"
)

// The tails of lists of paused runs; each is served by an index of its own.
const (
	runsToWake = ` WHERE r.status = 'paused' AND r.wake_at > 0 AND r.wake_at <= $1 AND r.deleted_at = 0
		ORDER BY r.wake_at LIMIT $2`
	runsPausedFor    = ` WHERE r.status = 'paused' AND r.done_reason = $1 AND r.deleted_at = 0 ORDER BY r.pk LIMIT $2`
	runsPausedBefore = ` WHERE r.status = 'paused' AND r.paused_at <= $1 AND r.deleted_at = 0 ORDER BY r.paused_at LIMIT $2`
	crawlersPaused   = `SELECT DISTINCT w.id, r.crawler_id FROM runs r JOIN workspaces w ON w.pk = r.workspace_pk
		WHERE r.status = 'paused' AND r.done_reason = $1`
)

// RunsToWake returns paused runs whose WakeAt has come, the longest due first.
func (s *Store) RunsToWake(ctx context.Context, now time.Time, limit int) ([]shoal.Run, error) {
	return s.runsWhere(ctx, s.read, runsToWake, micros(now), limit)
}

// RunsPausedFor returns runs that are paused for reason, oldest first.
func (s *Store) RunsPausedFor(ctx context.Context, reason shoal.DoneReason, limit int) ([]shoal.Run, error) {
	return s.runsWhere(ctx, s.read, runsPausedFor, string(reason), limit)
}

// RunsPausedBefore returns runs that have been paused since t or longer, the
// longest first.
func (s *Store) RunsPausedBefore(ctx context.Context, t time.Time, limit int) ([]shoal.Run, error) {
	return s.runsWhere(ctx, s.read, runsPausedBefore, micros(t), limit)
}

// CrawlersPaused returns the crawlers of which runs are paused for reason.
func (s *Store) CrawlersPaused(ctx context.Context, reason shoal.DoneReason) ([]shoal.PausedCrawler, error) {
	list, err := collect(ctx, s.read, func(row scanner) (c shoal.PausedCrawler, err error) {
		return c, row.Scan(&c.Workspace, &c.Crawler)
	}, crawlersPaused, string(reason))
	if err != nil {
		return nil, fmt.Errorf("list the crawlers of paused runs: %w", err)
	}
	return list, nil
}

// WakeRuns makes paused runs whose cause is gone look again at once.
func (s *Store) WakeRuns(ctx context.Context, c shoal.WakeCause) error {
	err := s.writeSoon(ctx, func(ctx context.Context, tx *sql.Tx) error { return s.wakePaused(ctx, tx, c) })
	if err != nil {
		return fmt.Errorf("wake paused runs: %w", err)
	}
	return nil
}

// wakePaused is WakeRuns within the transaction that removes the cause: that
// the cause is gone and that the runs look again are one fact. The engine's
// next look, within seconds, finds whether they may really go on. Whoever holds
// locks of workspaces or squids may call it; runs are locked after those.
func (s *Store) wakePaused(ctx context.Context, tx *sql.Tx, c shoal.WakeCause) error {
	where, args := ` WHERE r.status = 'paused' AND r.done_reason IN (`+params(1, len(c.Reasons))+`)`, []any{}
	for _, reason := range c.Reasons {
		args = append(args, string(reason))
	}
	narrow := func(text, id string) {
		if id != "" {
			args = append(args, id)
			where += fmt.Sprintf(text, len(args))
		}
	}
	narrow(` AND r.workspace_pk = (SELECT pk FROM workspaces WHERE id = $%d)`, string(c.Workspace))
	narrow(` AND r.crawler_id = $%d`, string(c.Crawler))
	narrow(` AND r.squid_pk = (SELECT pk FROM squids WHERE id = $%d)`, string(c.Squid))
	return s.wakeWhere(ctx, tx, where, args...)
}

// wakeWhere makes the paused runs r that where selects look again, in the order
// in which runs are locked everywhere.
func (s *Store) wakeWhere(ctx context.Context, tx *sql.Tx, where string, args ...any) error {
	runs, err := collect(ctx, tx, func(row scanner) (r pausedRun, err error) {
		return r, row.Scan(&r.pk, &r.id)
	}, `SELECT r.pk, r.id FROM runs r`+where+` ORDER BY r.pk`+s.db.dialect.forUpdateOf("r"), args...)
	if err != nil {
		return fmt.Errorf("find paused runs to wake: %w", err)
	}
	now := micros(s.now())
	for _, r := range runs {
		const q = `UPDATE runs SET wake_at = $2 WHERE pk = $1 AND status = 'paused'`
		if _, err := tx.ExecContext(ctx, q, r.pk, now); err != nil {
			return fmt.Errorf("wake run %s: %w", r.id, err)
		}
		s.forgetRun(ctx, r.id)
	}
	return nil
}

type pausedRun struct {
	pk int64
	id shoal.RunID
}
