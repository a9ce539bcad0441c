package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"shoal"
	"shoal/internal/jobs"
)

// Inspection looks at a database without opening it for work: it takes no
// lock, changes nothing, and may be made beside a server.
type Inspection struct {
	dialect Dialect
	db      *sql.DB
}

// Inspect looks at the database of o.
func Inspect(ctx context.Context, o Options) (*Inspection, error) {
	i := &Inspection{dialect: SQLite}
	if o.DatabaseURL != "" {
		cfg, err := pgx.ParseConfig(o.DatabaseURL)
		if err != nil {
			return nil, fmt.Errorf("read the database URL: %w", err)
		}
		i.dialect, i.db = Postgres, stdlib.OpenDB(*cfg)
	} else {
		var err error
		if i.db, err = sql.Open("sqlite", looseDSN(filepath.Join(o.DataDir, dataFile), "rw")+"&_pragma=query_only(ON)"); err != nil {
			return nil, fmt.Errorf("open %s: %w", dataFile, err)
		}
	}
	if err := i.db.PingContext(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("open database: %w", err), i.db.Close())
	}
	return i, nil
}

// Close ends the inspection.
func (i *Inspection) Close() error { return i.db.Close() }

// Schema returns the version of the database's schema, and this program's.
func (i *Inspection) Schema(ctx context.Context) (has, wants int64, err error) {
	const q = `SELECT COALESCE(MAX(version_id), 0) FROM goose_db_version WHERE is_applied`
	if err := i.db.QueryRowContext(ctx, q).Scan(&has); err != nil {
		return 0, 0, fmt.Errorf("read the schema's version: %w", err)
	}
	return has, schemaVersion, nil
}

// Damage returns what is wrong with the data file, nothing on PostgreSQL,
// which looks after its own. It reads the whole file.
func (i *Inspection) Damage(ctx context.Context) ([]string, error) {
	if i.dialect != SQLite {
		return nil, nil
	}
	return damageOf(ctx, i.db)
}

// Clock returns the database's time, which on SQLite is this machine's, and
// the newest time that a server has written.
func (i *Inspection) Clock(ctx context.Context) (now, newest time.Time, err error) {
	const q = `SELECT COALESCE(MAX(at), 0) FROM (
		SELECT MAX(created_at) AS at FROM runs UNION ALL SELECT MAX(last_progress_at) FROM runs
		UNION ALL SELECT MAX(last_used_at) FROM api_keys UNION ALL SELECT MAX(created_at) FROM squids) AS times`
	var at int64
	if err := i.db.QueryRowContext(ctx, q).Scan(&at); err != nil {
		return now, newest, fmt.Errorf("read the newest time: %w", err)
	}
	now = time.Now()
	if expr := i.dialect.now(); expr != "" {
		var us int64
		if err := i.db.QueryRowContext(ctx, `SELECT `+expr).Scan(&us); err != nil {
			return now, newest, fmt.Errorf("read the database's clock: %w", err)
		}
		now = fromMicros(us)
	}
	return now, fromMicros(at), nil
}

// Admins counts the active members of staff, and their admin keys in force.
func (i *Inspection) Admins(ctx context.Context, now time.Time) (staff, keys int, err error) {
	const q = `SELECT COUNT(*), COALESCE(SUM((SELECT COUNT(*) FROM api_keys k WHERE k.user_pk = u.pk AND k.scope = 'admin'
			AND k.revoked_at = 0 AND (k.expires_at = 0 OR k.expires_at > $1))), 0)
		FROM users u WHERE u.is_staff = TRUE AND u.is_active = TRUE`
	if err := i.db.QueryRowContext(ctx, q, micros(now)).Scan(&staff, &keys); err != nil {
		return 0, 0, fmt.Errorf("count the staff: %w", err)
	}
	return staff, keys, nil
}

// Runs is how many unfinished runs are in a state, and since when the one that
// has stood still for longest.
type Runs struct {
	Status shoal.RunStatus
	Reason shoal.DoneReason
	Count  int64
	Oldest shoal.RunID
	Since  time.Time
}

// Runs returns the unfinished runs by status and reason.
func (i *Inspection) Runs(ctx context.Context) ([]Runs, error) {
	const still = `CASE WHEN status = 'paused' THEN paused_at WHEN last_progress_at > active_since THEN last_progress_at
		WHEN active_since > 0 THEN active_since ELSE created_at END`
	const q = `SELECT s.status, s.done_reason, s.n, s.since, (SELECT r.id FROM runs r WHERE r.status = s.status
			AND r.done_reason = s.done_reason AND r.deleted_at = 0 AND ` + still + ` = s.since ORDER BY r.pk LIMIT 1)
		FROM (SELECT status, done_reason, COUNT(*) AS n, MIN(` + still + `) AS since FROM runs
			WHERE status IN ('pending', 'running', 'paused', 'uploading') AND deleted_at = 0 GROUP BY status, done_reason) s
		ORDER BY s.status, s.done_reason`
	all, err := collect(ctx, i.db, func(r scanner) (v Runs, err error) {
		var since int64
		err = r.Scan(&v.Status, &v.Reason, &v.Count, &since, &v.Oldest)
		v.Since = fromMicros(since)
		return v, err
	}, q)
	if err != nil {
		return nil, fmt.Errorf("look at unfinished runs: %w", err)
	}
	return all, nil
}

// Jobs returns the queue's piles of jobs, and how many processes work it.
func (i *Inspection) Jobs(ctx context.Context) ([]jobs.Pile, int, error) {
	return jobs.Look(ctx, i.db, jobs.Dialect(i.dialect))
}

// Files calls f with the name of each stored file of the newest exports and
// uploads that the database names, at most limit of each.
func (i *Inspection) Files(ctx context.Context, limit int, f func(blob string)) error {
	const q = `SELECT blob FROM (SELECT blob FROM exports WHERE state = 'done' ORDER BY created_at DESC LIMIT $1) AS e
		UNION ALL SELECT blob FROM (SELECT blob FROM task_uploads WHERE state IN ('PENDING', 'PROGRESS') ORDER BY pk DESC LIMIT $1) AS u`
	_, err := collect(ctx, i.db, func(r scanner) (struct{}, error) {
		var name string
		err := r.Scan(&name)
		if err == nil && name != "" {
			f(name)
		}
		return struct{}{}, err
	}, q, limit)
	if err != nil {
		return fmt.Errorf("read the names of files: %w", err)
	}
	return nil
}
