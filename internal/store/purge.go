package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"shoal/internal/jobs"
)

// The nouns of jobs.PurgeArgs. PK is the run's number for run and keys, the
// squid's for the others.
const (
	purgeSquid   = "squid"
	purgeRun     = "run"
	purgeTasks   = "tasks"   // those that EmptySquid hid
	purgeResults = "results" // those that EmptySquid hid
	purgeKeys    = "keys"    // the digests of a run that has ended
)

// purgeBatch is how many rows one call of Purge removes: some tens of
// milliseconds of the writer's time.
const purgeBatch = 2000

// Purge removes a bounded number of rows of what was deleted. Call it until
// more is false; a repeat does no harm. Rows that name files (see DoomedBlobs)
// it leaves, and with them their run or squid.
func (s *Store) Purge(ctx context.Context, args jobs.PurgeArgs) (more bool, err error) {
	purge := map[string]func(context.Context, *sql.Tx, int64) (bool, error){
		purgeSquid: s.purgeSquid, purgeRun: s.purgeRun, purgeTasks: s.purgeTasks, purgeResults: s.purgeResults, purgeKeys: s.purgeKeys,
	}[args.Noun]
	if purge == nil {
		return false, fmt.Errorf("purge: the noun is %q: want squid, run, tasks, results or keys", args.Noun)
	}
	err = s.writeSoon(ctx, func(ctx context.Context, tx *sql.Tx) error {
		more, err = purge(ctx, tx, args.PK)
		return err
	})
	if err != nil {
		return false, fmt.Errorf("purge %s %d: %w", args.Noun, args.PK, err)
	}
	return more, nil
}

// statement removes at most purgeBatch rows, its last parameter.
type statement struct {
	text string
	args []any
}

// removeSome runs statements in order until one has removed a whole batch.
func removeSome(ctx context.Context, tx *sql.Tx, statements ...statement) (more bool, err error) {
	for _, st := range statements {
		res, err := tx.ExecContext(ctx, st.text, append(st.args[:len(st.args):len(st.args)], purgeBatch)...)
		if err != nil {
			return false, err
		}
		if n, err := res.RowsAffected(); err != nil || n >= purgeBatch {
			return true, err
		}
	}
	return false, nil
}

// rowsOfRuns removes what hangs on the deleted runs that match where, of one
// parameter.
func rowsOfRuns(where string, pk int64) []statement {
	remove := func(table, key, columns string) statement {
		return statement{`DELETE FROM ` + table + ` WHERE ` + key + ` IN (SELECT ` + columns + ` FROM runs r
			JOIN ` + table + ` x ON x.run_pk = r.pk WHERE r.deleted_at > 0 AND ` + where + ` LIMIT $2)`, []any{pk}}
	}
	return []statement{
		remove("leases", "(run_pk, slot)", "x.run_pk, x.slot"),
		remove("handovers", "run_pk", "x.run_pk"),
		remove("result_keys", "(run_pk, digest)", "x.run_pk, x.digest"),
		remove("frontier", "(run_pk, seq)", "x.run_pk, x.seq"),
		remove("result_links", "(run_pk, task_seq, key)", "x.run_pk, x.task_seq, x.key"),
		remove("run_events", "(run_pk, seq)", "x.run_pk, x.seq"),
		remove("run_health", "run_pk", "x.run_pk"),
		remove("deliveries", "pk", "x.pk"),
		remove("run_tasks", "(run_pk, seq)", "x.run_pk, x.seq"),
		{`DELETE FROM runs WHERE pk IN (SELECT r.pk FROM runs r WHERE r.deleted_at > 0 AND ` + where + `
			AND NOT EXISTS (SELECT 1 FROM exports e WHERE e.run_pk = r.pk) LIMIT $2)`, []any{pk}},
	}
}

// keysBetween removes rows of results or tasks by their keys.
func keysBetween(table string, after, upto int64) statement {
	return statement{`DELETE FROM ` + table + ` WHERE key IN
		(SELECT key FROM ` + table + ` WHERE key > $1 AND key <= $2 ORDER BY key LIMIT $3)`, []any{after, upto}}
}

func (s *Store) purgeRun(ctx context.Context, tx *sql.Tx, pk int64) (bool, error) {
	const q = `SELECT squid_pk, first_seq, last_seq FROM runs WHERE pk = $1 AND deleted_at > 0`
	var squid int64
	var rows span
	err := tx.QueryRowContext(ctx, q, pk).Scan(&squid, &rows.after, &rows.upto)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil // purged before
	}
	if err != nil {
		return false, err
	}
	results := keysBetween("results", keyOf(squid, rows.after), keyOf(squid, rows.upto))
	return removeSome(ctx, tx, append([]statement{results}, rowsOfRuns("r.pk = $1", pk)...)...)
}

func (s *Store) purgeSquid(ctx context.Context, tx *sql.Tx, pk int64) (bool, error) {
	var deletedAt int64
	err := tx.QueryRowContext(ctx, `SELECT deleted_at FROM squids WHERE pk = $1`, pk).Scan(&deletedAt)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil // purged before
	}
	if err != nil {
		return false, err
	}
	if deletedAt == 0 {
		return false, errors.New("the squid is not deleted")
	}
	all := []statement{
		keysBetween("results", keyOf(pk, 0), keyOf(pk+1, 0)-1),
		keysBetween("tasks", keyOf(pk, 0), keyOf(pk+1, 0)-1),
	}
	if more, err := removeSome(ctx, tx, append(all, rowsOfRuns("r.squid_pk = $1", pk)...)...); more || err != nil {
		return more, err
	}
	for _, q := range []string{`DELETE FROM gaps WHERE squid_pk = $1`, `DELETE FROM chains WHERE squid_pk = $1`,
		`DELETE FROM launches WHERE squid_pk = $1`, `DELETE FROM handovers WHERE squid_pk = $1`,
		`DELETE FROM delivery_targets WHERE squid_pk = $1`, `DELETE FROM cursors WHERE squid_pk = $1`} {
		if _, err := tx.ExecContext(ctx, q, pk); err != nil {
			return false, err
		}
	}
	const last = `DELETE FROM squids WHERE pk = $1 AND deleted_at <= $2
		AND NOT EXISTS (SELECT 1 FROM runs r WHERE r.squid_pk = $1 AND r.deleted_at > 0)
		AND NOT EXISTS (SELECT 1 FROM task_uploads u WHERE u.squid_pk = $1)`
	_, err = tx.ExecContext(ctx, last, pk, micros(s.now().Add(-squidRest)))
	return false, err
}

func (s *Store) purgeTasks(ctx context.Context, tx *sql.Tx, pk int64) (bool, error) {
	var urls, others int64
	err := tx.QueryRowContext(ctx, `SELECT url_floor, params_floor FROM squids WHERE pk = $1`, pk).Scan(&urls, &others)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	const q = `DELETE FROM tasks WHERE key IN (SELECT key FROM tasks
		WHERE squid_pk = $1 AND has_url = $2 AND key <= $3 ORDER BY key LIMIT $4)`
	return removeSome(ctx, tx, statement{q, []any{pk, true, keyOf(pk, urls)}}, statement{q, []any{pk, false, keyOf(pk, others)}})
}

func (s *Store) purgeResults(ctx context.Context, tx *sql.Tx, pk int64) (bool, error) {
	var floor int64
	err := tx.QueryRowContext(ctx, `SELECT result_floor FROM squids WHERE pk = $1`, pk).Scan(&floor)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	const links = `DELETE FROM result_links WHERE (run_pk, task_seq, key) IN (SELECT l.run_pk, l.task_seq, l.key
		FROM runs r JOIN result_links l ON l.run_pk = r.pk
		WHERE r.squid_pk = $1 AND r.deleted_at = 0 AND r.last_seq <= $2 LIMIT $3)`
	return removeSome(ctx, tx, keysBetween("results", keyOf(pk, 0), keyOf(pk, floor)), statement{links, []any{pk, floor}})
}

// purgeKeys removes the digests of a run that stores no more results.
func (s *Store) purgeKeys(ctx context.Context, tx *sql.Tx, pk int64) (bool, error) {
	const q = `DELETE FROM result_keys WHERE (run_pk, digest) IN
		(SELECT run_pk, digest FROM result_keys WHERE run_pk = $1 ORDER BY digest LIMIT $2)`
	return removeSome(ctx, tx, statement{q, []any{pk}})
}

// blobBatch is how many files DoomedBlobs names at a time.
const blobBatch = 500

// DoomedBlobs returns the names of files in the blob store that belong to what
// was deleted: exports, uploads. Remove the files and tell ForgetBlobs, until
// there are none; then Purge takes the rest.
func (s *Store) DoomedBlobs(ctx context.Context, args jobs.PurgeArgs) ([]string, error) {
	var q string
	switch args.Noun {
	case purgeRun:
		q = `SELECT e.blob FROM exports e JOIN runs r ON r.pk = e.run_pk WHERE r.pk = $1 AND r.deleted_at > 0 LIMIT $2`
	case purgeSquid:
		q = `SELECT e.blob FROM runs r JOIN exports e ON e.run_pk = r.pk WHERE r.squid_pk = $1 AND r.deleted_at > 0
			UNION ALL
			SELECT u.blob FROM task_uploads u JOIN squids s ON s.pk = u.squid_pk WHERE u.squid_pk = $1 AND s.deleted_at > 0
			LIMIT $2`
	default:
		return nil, nil
	}
	names, err := collect(ctx, s.read, scanText, q, args.PK, blobBatch)
	if err != nil {
		return nil, fmt.Errorf("find the files of %s %d: %w", args.Noun, args.PK, err)
	}
	return names, nil
}

// ForgetBlobs removes the rows that name files that DoomedBlobs returned.
func (s *Store) ForgetBlobs(ctx context.Context, args jobs.PurgeArgs, names []string) error {
	if len(names) == 0 {
		return nil
	}
	in := ` AND blob IN (` + params(2, len(names)) + `)`
	exports := `DELETE FROM exports WHERE run_pk = $1` + in
	if args.Noun == purgeSquid {
		exports = `DELETE FROM exports WHERE run_pk IN (SELECT pk FROM runs WHERE squid_pk = $1 AND deleted_at > 0)` + in
	}
	err := s.write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		all := append([]any{args.PK}, anys(names)...)
		if _, err := tx.ExecContext(ctx, exports, all...); err != nil || args.Noun != purgeSquid {
			return err
		}
		_, err := tx.ExecContext(ctx, `DELETE FROM task_uploads WHERE squid_pk = $1`+in, all...)
		return err
	})
	if err != nil {
		return fmt.Errorf("forget the files of %s %d: %w", args.Noun, args.PK, err)
	}
	return nil
}
