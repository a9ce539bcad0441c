package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"shoal"
	"shoal/internal/jobs"
)

// The names of table retention.
const (
	retainFiles   = "files"
	retainResults = "results"
)

const day = 24 * time.Hour

// Retention returns the rules in force.
func (s *Store) Retention(ctx context.Context) (r shoal.Retention, err error) {
	if r.FileDays, err = s.retentionDays(ctx, retainFiles); err != nil {
		return r, err
	}
	days, err := s.retentionDays(ctx, retainResults)
	if err != nil {
		return r, err
	}
	if days > 0 {
		r.Results = append(r.Results, shoal.RetentionRule{Days: days})
	}
	const q = `SELECT w.id, '', w.name, w.retention_days, 0 AS k, w.pk AS pk FROM workspaces w WHERE w.retention_days > 0
		UNION ALL
		SELECT w.id, s.id, s.name, s.retention_days, 1, s.pk FROM squids s JOIN workspaces w ON w.pk = s.workspace_pk
		WHERE s.retention_days > 0 AND s.deleted_at = 0 ORDER BY k, pk`
	own, err := collect(ctx, s.read, func(row scanner) (rule shoal.RetentionRule, err error) {
		var k, pk int64
		return rule, row.Scan(&rule.Workspace, &rule.Squid, &rule.Name, &rule.Days, &k, &pk)
	}, q)
	if err != nil {
		return r, fmt.Errorf("read the retention: %w", err)
	}
	r.Results = append(r.Results, own...)
	return r, nil
}

// retentionDays returns the days of a rule for all; 0 when there is none.
func (s *Store) retentionDays(ctx context.Context, name string) (days int, err error) {
	err = s.read.QueryRowContext(ctx, `SELECT days FROM retention WHERE name = $1`, name).Scan(&days)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return 0, fmt.Errorf("read the retention: %w", err)
	}
	return days, nil
}

// SetRetention changes rules. ErrWorkspaceNotFound and ErrSquidNotFound.
func (s *Store) SetRetention(ctx context.Context, c shoal.RetentionChange) error {
	err := s.write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		if c.FileDays != nil {
			if err := setRetention(ctx, tx, retainFiles, *c.FileDays); err != nil {
				return err
			}
		}
		if c.ResultDays == nil {
			return s.remember(ctx, tx, nil)
		}
		var res sql.Result
		var err error
		missing := shoal.ErrSquidNotFound
		switch {
		case c.Squid != "":
			res, err = tx.ExecContext(ctx, `UPDATE squids SET retention_days = $1 WHERE id = $2 AND deleted_at = 0`, *c.ResultDays, string(c.Squid))
		case c.Workspace != "":
			missing = shoal.ErrWorkspaceNotFound
			res, err = tx.ExecContext(ctx, `UPDATE workspaces SET retention_days = $1 WHERE id = $2`, *c.ResultDays, string(c.Workspace))
		default:
			if err := setRetention(ctx, tx, retainResults, *c.ResultDays); err != nil {
				return err
			}
			return s.remember(ctx, tx, nil)
		}
		if err != nil {
			return err
		}
		n, err := res.RowsAffected()
		if err == nil && n == 0 {
			return missing
		}
		return errors.Join(err, s.remember(ctx, tx, nil))
	})
	if err != nil {
		return fmt.Errorf("set the retention: %w", err)
	}
	return nil
}

func setRetention(ctx context.Context, tx *sql.Tx, name string, days int) error {
	if days == 0 {
		_, err := tx.ExecContext(ctx, `DELETE FROM retention WHERE name = $1`, name)
		return err
	}
	const q = `INSERT INTO retention (name, days) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET days = excluded.days`
	_, err := tx.ExecContext(ctx, q, name, days)
	return err
}

// expired holds of runs r of squids s and workspaces w whose results are kept
// no longer. Its parameters are now, the days of everybody's rule, and a
// workspace's and a squid's id with the days that stand in place of theirs;
// a run that is active has not ended, so that it never holds.
const expired = `r.results_removed_at = 0 AND r.deleted_at = 0 AND r.ended_at > 0 AND r.last_seq > r.first_seq AND s.deleted_at = 0
	AND (CAST($2 AS BIGINT) > 0 AND r.ended_at < $1 - CAST($2 AS BIGINT) * 86400000000
		OR CASE WHEN w.id = $3 THEN CAST($4 AS BIGINT) ELSE w.retention_days END > 0
			AND r.ended_at < $1 - CASE WHEN w.id = $3 THEN CAST($4 AS BIGINT) ELSE w.retention_days END * 86400000000
		OR CASE WHEN s.id = $5 THEN CAST($6 AS BIGINT) ELSE s.retention_days END > 0
			AND r.ended_at < $1 - CASE WHEN s.id = $5 THEN CAST($6 AS BIGINT) ELSE s.retention_days END * 86400000000)`

// RetentionDue returns what the rules would remove now, if they were changed so.
func (s *Store) RetentionDue(ctx context.Context, c shoal.RetentionChange) (due shoal.RetentionDue, err error) {
	now := micros(s.now())
	files, err := s.retentionDays(ctx, retainFiles)
	if err != nil {
		return due, err
	}
	results, err := s.retentionDays(ctx, retainResults)
	if err != nil {
		return due, err
	}
	if c.FileDays != nil {
		files = *c.FileDays
	}
	var days int
	if c.ResultDays != nil {
		if days = *c.ResultDays; c.Workspace == "" && c.Squid == "" {
			results = days
		}
	}
	if files > 0 {
		const q = `SELECT COUNT(*), CAST(COALESCE(SUM(size), 0) AS BIGINT) FROM exports WHERE state = 'done' AND used_at < $1`
		if err := s.read.QueryRowContext(ctx, q, now-int64(files)*int64(day/time.Microsecond)).Scan(&due.Files, &due.Bytes); err != nil {
			return due, fmt.Errorf("look for old files: %w", err)
		}
	}
	workspace, squid := c.Workspace, c.Squid
	if c.ResultDays == nil {
		workspace, squid = "", ""
	}
	const q = `SELECT COUNT(*), CAST(COALESCE(SUM(r.unique_results), 0) AS BIGINT) FROM runs r
		JOIN squids s ON s.pk = r.squid_pk JOIN workspaces w ON w.pk = s.workspace_pk WHERE ` + expired
	err = s.read.QueryRowContext(ctx, q, now, results, string(workspace), days, string(squid), days).Scan(&due.Runs, &due.Results)
	if err != nil {
		return due, fmt.Errorf("look for old results: %w", err)
	}
	return due, nil
}

// StaleExports returns files to throw away, at most limit: those that nobody
// used for as long as the rule says, and those of runs whose results were
// removed, which count as never used. Remove the files and tell ForgetExport.
func (s *Store) StaleExports(ctx context.Context, limit int) ([]shoal.Export, error) {
	days, err := s.retentionDays(ctx, retainFiles)
	if err != nil {
		return nil, err
	}
	before := int64(1)
	if days > 0 {
		before = micros(s.now().Add(-time.Duration(days) * day))
	}
	const q = `SELECT r.id, e.format, e.variant, e.blob FROM exports e JOIN runs r ON r.pk = e.run_pk
		WHERE e.state = 'done' AND e.used_at < $1 AND r.deleted_at = 0 ORDER BY e.used_at LIMIT $2`
	all, err := collect(ctx, s.read, func(row scanner) (e shoal.Export, err error) {
		return e, row.Scan(&e.RunID, &e.Format, &e.Variant, &e.Blob)
	}, q, before, limit)
	if err != nil {
		return nil, fmt.Errorf("look for old files: %w", err)
	}
	return all, nil
}

// ExpiredRuns returns squids of which runs have results that are kept no
// longer, at most limit. Without a rule it looks at no run.
func (s *Store) ExpiredRuns(ctx context.Context, limit int) ([]shoal.ExpiredRuns, error) {
	days, err := s.retentionDays(ctx, retainResults)
	if err != nil {
		return nil, err
	}
	const rules = `SELECT EXISTS (SELECT 1 FROM squids WHERE retention_days > 0) OR EXISTS (SELECT 1 FROM workspaces WHERE retention_days > 0)`
	ruled := days > 0
	if !ruled {
		if err := s.read.QueryRowContext(ctx, rules).Scan(&ruled); err != nil {
			return nil, fmt.Errorf("look for rules of retention: %w", err)
		}
	}
	if !ruled {
		return nil, nil
	}
	now := s.now()
	const q = `SELECT s.pk, w.retention_days, s.retention_days FROM squids s JOIN workspaces w ON w.pk = s.workspace_pk
		WHERE EXISTS (SELECT 1 FROM runs r WHERE r.squid_pk = s.pk AND ` + expired + `) ORDER BY s.pk LIMIT $7`
	all, err := collect(ctx, s.read, func(row scanner) (x shoal.ExpiredRuns, err error) {
		var workspace, squid int
		err = row.Scan(&x.SquidPK, &workspace, &squid)
		for _, d := range []int{days, workspace, squid} {
			if d > 0 && (x.Days == 0 || d < x.Days) {
				x.Days = d
			}
		}
		x.Before = now.Add(-time.Duration(x.Days) * day)
		return x, err
	}, q, micros(now), days, "", 0, "", 0, limit)
	if err != nil {
		return nil, fmt.Errorf("look for old results: %w", err)
	}
	return all, nil
}

// removeRuns is of how many runs one transaction of RemoveResults hides the results.
const removeRuns = 100

// RemoveResults hides the results of the oldest runs of a squid that ended
// before x.Before, marks the runs, and enqueues the removal of the rows. Runs
// are taken in their order, so that their results are what the squid's list
// begins with. It reports whether there are more.
func (s *Store) RemoveResults(ctx context.Context, x shoal.ExpiredRuns) (more bool, err error) {
	err = s.write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		more = false
		const find = `SELECT s.id, w.id FROM squids s JOIN workspaces w ON w.pk = s.workspace_pk WHERE s.pk = $1 AND s.deleted_at = 0`
		var id shoal.SquidID
		var ws shoal.WorkspaceID
		err := tx.QueryRowContext(ctx, find, x.SquidPK).Scan(&id, &ws)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		t, err := s.tally(ctx, tx, s.db.dialect.forUpdate(), ws, id)
		if err != nil {
			return err
		}
		runs, floor, err := s.oldRuns(ctx, tx, x)
		if err != nil || len(runs) == 0 {
			return err
		}
		more = len(runs) == removeRuns
		if err := s.raiseFloor(ctx, tx, &t, floor); err != nil {
			return err
		}
		for _, run := range runs {
			if err := s.markRemoved(ctx, tx, run, x.Days); err != nil {
				return err
			}
		}
		return s.enqueue(ctx, tx, jobs.New(jobs.KindPurge, jobs.PurgeArgs{Noun: purgeResults, PK: t.pk}))
	})
	if err != nil {
		return false, fmt.Errorf("remove old results of squid %d: %w", x.SquidPK, err)
	}
	return more, nil
}

// oldRuns returns the oldest runs of a squid that have results, as far as all of
// them ended before, and up to where their results reach.
func (s *Store) oldRuns(ctx context.Context, tx *sql.Tx, x shoal.ExpiredRuns) (ids []shoal.RunID, floor int64, err error) {
	type old struct {
		id    shoal.RunID
		ended int64
		last  int64
	}
	const q = `SELECT id, ended_at, last_seq FROM runs WHERE squid_pk = $1 AND deleted_at = 0 AND results_removed_at = 0
		AND ended_at > 0 AND last_seq > first_seq ORDER BY pk LIMIT $2`
	runs, err := collect(ctx, tx, func(row scanner) (o old, err error) { return o, row.Scan(&o.id, &o.ended, &o.last) }, q, x.SquidPK, removeRuns)
	if err != nil {
		return nil, 0, fmt.Errorf("read old runs: %w", err)
	}
	for _, r := range runs {
		if r.ended >= micros(x.Before) {
			break
		}
		ids, floor = append(ids, r.id), max(floor, r.last)
	}
	return ids, floor, nil
}

// markRemoved notes that a run's results were removed.
func (s *Store) markRemoved(ctx context.Context, tx *sql.Tx, run shoal.RunID, days int) error {
	was, err := s.lockRun(ctx, tx, `r.id = $1`, run)
	if err != nil {
		return err
	}
	row := *was
	row.ResultsRemovedAt = s.now()
	note := shoal.NotePayload{Level: "info", Message: fmt.Sprintf("The results were removed: the retention policy keeps them for %d days after the end of the run.", days)}
	if err := s.addEvent(ctx, tx, &row, shoal.EventNote, actorEngine, note); err != nil {
		return err
	}
	s.publishRun(ctx, &row)
	for _, q := range []string{`DELETE FROM exports WHERE run_pk = $1 AND state <> 'done'`, `UPDATE exports SET used_at = 0 WHERE run_pk = $1`} {
		if _, err := tx.ExecContext(ctx, q, row.PK); err != nil {
			return fmt.Errorf("give up the files of old results: %w", err)
		}
	}
	_, err = tx.ExecContext(ctx, `UPDATE runs SET event_seq = $2, results_removed_at = $3 WHERE pk = $1`, row.PK, row.EventSeq, micros(row.ResultsRemovedAt))
	return err
}

// raiseFloor takes the results up to a sequence number off the squid's list.
func (s *Store) raiseFloor(ctx context.Context, tx *sql.Tx, t *tally, floor int64) error {
	if floor <= t.resultFloor {
		return nil
	}
	d, err := t.resultList(ctx, tx)
	if err != nil {
		return err
	}
	if d.gapped {
		if err := s.trimGaps(ctx, tx, &d, floor); err != nil {
			return err
		}
	}
	if _, err := tx.ExecContext(ctx, `UPDATE squids SET result_floor = $2 WHERE pk = $1`, t.pk, floor); err != nil {
		return fmt.Errorf("raise the floor of results: %w", err)
	}
	t.resultFloor = floor
	return nil
}

// trimGaps forgets the gaps of a list up to a number, which is to be its floor.
func (s *Store) trimGaps(ctx context.Context, tx *sql.Tx, d *dense, floor int64) error {
	// Counted before anything is forgotten: the counts stand on each other.
	var partly []gapCount
	for level, size := range levelSizes {
		block := (floor - 1) / size
		end := min((block+1)*size, d.top)
		living, err := d.count(ctx, tx, span{floor, end})
		if err != nil {
			return err
		}
		partly = append(partly, gapCount{int64(level), block, end - floor - living})
	}
	for _, g := range partly {
		const forget = `DELETE FROM gaps WHERE list = $1 AND squid_pk = $2 AND level = $3 AND block <= $4`
		if _, err := tx.ExecContext(ctx, forget, d.list, d.squidPK, g.level, g.block); err != nil {
			return fmt.Errorf("forget gaps: %w", err)
		}
	}
	return s.addGaps(ctx, tx, d.squidPK, d.list, slices.DeleteFunc(partly, func(g gapCount) bool { return g.n == 0 }))
}
