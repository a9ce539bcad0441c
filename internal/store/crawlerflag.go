package store

import (
	"context"
	"database/sql"
	"fmt"

	"shoal"
)

// CrawlerFlags returns what the operator says of crawlers.
func (s *Store) CrawlerFlags(ctx context.Context) (map[shoal.CrawlerID]shoal.CrawlerFlag, error) {
	list, err := collect(ctx, s.read, func(row scanner) (f shoal.CrawlerFlag, err error) {
		return f, row.Scan(&f.Crawler, &f.State, &f.Message, times{}.into(&f.SetAt))
	}, `SELECT crawler_id, state, message, set_at FROM crawler_flags`)
	if err != nil {
		return nil, fmt.Errorf("read crawler flags: %w", err)
	}
	flags := make(map[shoal.CrawlerID]shoal.CrawlerFlag, len(list))
	for _, f := range list {
		flags[f.Crawler] = f
	}
	return flags, nil
}

// CrawlerExists returns ErrCrawlerNotFound unless some workspace made the crawler.
func (s *Store) CrawlerExists(ctx context.Context, id shoal.CrawlerID) error {
	var n int
	if err := s.read.QueryRowContext(ctx, `SELECT COUNT(*) FROM crawlers WHERE id = $1`, string(id)).Scan(&n); err != nil {
		return fmt.Errorf("look for crawler %s: %w", id, err)
	}
	if n == 0 {
		return shoal.ErrCrawlerNotFound
	}
	return nil
}

// FlagCrawler sets what the operator says of a crawler; available clears it,
// and wakes the runs that waited for that.
func (s *Store) FlagCrawler(ctx context.Context, f shoal.CrawlerFlag) error {
	err := s.write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		const (
			set = `INSERT INTO crawler_flags (crawler_id, state, message, set_at) VALUES ($1, $2, $3, $4)
				ON CONFLICT (crawler_id) DO UPDATE SET state = excluded.state, message = excluded.message, set_at = excluded.set_at`
			clear = `DELETE FROM crawler_flags WHERE crawler_id = $1`
		)
		if f.State != shoal.CrawlerAvailable {
			if _, err := tx.ExecContext(ctx, set, string(f.Crawler), string(f.State), f.Message, micros(s.now())); err != nil {
				return err
			}
		} else if _, err := tx.ExecContext(ctx, clear, string(f.Crawler)); err != nil {
			return err
		}
		if f.State == shoal.CrawlerMaintenance {
			return s.remember(ctx, tx, nil)
		}
		// A crawler that was switched off for good ends the runs that wait for it.
		err := s.wakePaused(ctx, tx, shoal.WakeCause{Reasons: []shoal.DoneReason{shoal.ReasonModuleMaintenance}, Crawler: f.Crawler})
		if err != nil {
			return err
		}
		return s.remember(ctx, tx, nil)
	})
	if err != nil {
		return fmt.Errorf("flag crawler %s: %w", f.Crawler, err)
	}
	return nil
}
