package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// Bounds of the write-ahead log on SQLite.
const (
	// walStep is how many bytes are written between two checkpoints that run
	// beside the writer.
	walStep = 64 << 20
	// walMost is how long the log may get before the writer waits for it to be
	// emptied: under an unbroken load a checkpoint beside the writer copies, but
	// never gets to the end and so never lets the log begin anew.
	walMost = 512 << 20
	// walEvery is how often a quiet log is checkpointed.
	walEvery = time.Minute
)

// walKeeper checkpoints the write-ahead log off the writer. A nil walKeeper
// has nothing to do.
type walKeeper struct {
	db      *DB
	written int64 // bytes since the last signal; only the writer uses it
	due     chan struct{}
}

func newWALKeeper(db *DB) *walKeeper {
	return &walKeeper{db: db, due: make(chan struct{}, 1)}
}

// wrote adds up what a batch wrote, roughly, and says when a checkpoint is due.
func (k *walKeeper) wrote(ops []*op) {
	if k == nil {
		return
	}
	for _, o := range ops {
		k.written += 4096
		if o.page == nil {
			continue
		}
		for i := range o.page.Rows {
			k.written += int64(len(o.page.Rows[i].Data)) + 256
		}
		k.written += int64(len(o.page.Found)) * 256
	}
	if k.written < walStep {
		return
	}
	k.written = 0
	select {
	case k.due <- struct{}{}:
	default:
	}
}

// run checkpoints when due and now and then, until ctx ends.
func (k *walKeeper) run(ctx context.Context, s *Store) error {
	if k == nil {
		return nil
	}
	t := time.NewTicker(walEvery)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-k.due:
		case <-t.C:
		}
		if err := k.checkpoint(ctx, s); err != nil && ctx.Err() == nil {
			s.log.Warn("the write-ahead log stays long for now", "cause", err)
		}
	}
}

// checkpoint copies the log into the database beside the writer, and when the
// log has become too long once more while the writer waits.
func (k *walKeeper) checkpoint(ctx context.Context, s *Store) error {
	frames, err := k.pragma(ctx, "PRAGMA wal_checkpoint(PASSIVE)")
	if err != nil || frames*pageSize < walMost {
		return err
	}
	release, err := s.takeTurn(ctx)
	if err != nil {
		return err
	}
	defer release()
	_, err = k.pragma(ctx, "PRAGMA wal_checkpoint(RESTART)")
	return err
}

// pragma runs a checkpoint on a connection of its own and returns the length
// of the log in frames.
func (k *walKeeper) pragma(ctx context.Context, text string) (frames int64, err error) {
	db, err := sql.Open("sqlite", sqliteDSN(k.db.dataDir, "2048", false))
	if err != nil {
		return 0, fmt.Errorf("checkpoint: %w", err)
	}
	defer db.Close()
	var busy, done int64
	if err := db.QueryRowContext(ctx, text).Scan(&busy, &frames, &done); err != nil {
		return 0, fmt.Errorf("checkpoint: %w", err)
	}
	return frames, nil
}
