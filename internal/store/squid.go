package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"shoal"
	"shoal/internal/jobs"
)

// squidRest is how long a deleted squid's row, by then alone, is kept: reports
// of past credits name it.
const squidRest = 30 * 24 * time.Hour

const squidColumns = `s.pk, s.id, w.id, s.crawler_id, s.crawler_slug, s.name, s.is_active, s.concurrency, s.to_complete,
	s.export_unique_results, s.no_line_breaks, s.run_notify, s.cron_expression, s.timezone, s.params, s.functions,
	s.message, s.delivery, s.task_count, s.total_runs, COALESCE(s.last_run_pk, 0), s.created_at, s.updated_at`

// squidRow is a squid with the number of its newest run.
type squidRow struct {
	shoal.Squid
	lastRunPK int64
}

func scanSquid(r scanner) (q squidRow, err error) {
	var params, functions, delivery []byte
	var created, updated int64
	err = r.Scan(&q.PK, &q.ID, &q.WorkspaceID, &q.CrawlerID, &q.CrawlerSlug, &q.Name, &q.IsActive, &q.Concurrency,
		&q.ToComplete, &q.ExportUniqueResults, &q.NoLineBreaks, &q.RunNotify, &q.CronExpression, &q.Timezone, &params,
		&functions, &q.Message, &delivery, &q.TaskCount, &q.TotalRuns, &q.lastRunPK, &created, &updated)
	if err != nil {
		return q, err
	}
	q.CreatedAt, q.UpdatedAt = fromMicros(created), fromMicros(updated)
	// Nothing makes a single task inactive yet: a run takes all that live.
	q.ActiveTasks = q.TaskCount
	if q.Params, err = decodeObject(params); err != nil {
		return q, err
	}
	if q.Functions, err = decodeObject(functions); err != nil {
		return q, err
	}
	if delivery != nil {
		err = json.Unmarshal(delivery, &q.Delivery)
	}
	return q, err
}

// complete fills in what other tables hold, with one query for each table.
func (s *Store) complete(ctx context.Context, q querier, rows []squidRow) ([]shoal.Squid, error) {
	if len(rows) == 0 {
		return nil, nil
	}
	var pks, runs []int64
	for i := range rows {
		pks = append(pks, rows[i].PK)
		if rows[i].lastRunPK != 0 {
			runs = append(runs, rows[i].lastRunPK)
		}
	}
	accounts, err := accountsOf(ctx, q, pks)
	if err != nil {
		return nil, err
	}
	last, err := runsByPK(ctx, q, runs)
	if err != nil {
		return nil, err
	}
	squids := make([]shoal.Squid, len(rows))
	for i := range rows {
		squids[i] = rows[i].Squid
		squids[i].Accounts = accounts[rows[i].PK]
		squids[i].LastRun = last[rows[i].lastRunPK]
	}
	if err := schedulesOf(ctx, q, squids); err != nil {
		return nil, err
	}
	for i := range squids {
		if r := squids[i].LastRun; r != nil {
			r.NextLaunchAt = squids[i].NextLaunchAt
		}
	}
	return squids, nil
}

// accountsOf returns the accounts linked to each of the squids.
func accountsOf(ctx context.Context, q querier, squidPKs []int64) (map[int64][]shoal.AccountID, error) {
	of := map[int64][]shoal.AccountID{}
	for chunk := range slices.Chunk(squidPKs, inRows) {
		text := `SELECT sa.squid_pk, a.id FROM squid_accounts sa JOIN accounts a ON a.pk = sa.account_pk
			WHERE sa.squid_pk IN (` + params(1, len(chunk)) + `) AND a.deleted_at = 0 ORDER BY sa.squid_pk, a.pk`
		_, err := collect(ctx, q, func(r scanner) (squid int64, err error) {
			var id shoal.AccountID
			err = r.Scan(&squid, &id)
			of[squid] = append(of[squid], id)
			return squid, err
		}, text, anys(chunk)...)
		if err != nil {
			return nil, fmt.Errorf("read linked accounts: %w", err)
		}
	}
	return of, nil
}

// squid reads one living squid, whole.
func (s *Store) squid(ctx context.Context, q querier, ws shoal.WorkspaceID, id shoal.SquidID) (shoal.Squid, error) {
	const text = `SELECT ` + squidColumns + ` FROM squids s JOIN workspaces w ON w.pk = s.workspace_pk
		WHERE s.id = $1 AND w.id = $2 AND s.deleted_at = 0`
	row, err := scanSquid(q.QueryRowContext(ctx, text, string(id), string(ws)))
	if errors.Is(err, sql.ErrNoRows) {
		return shoal.Squid{}, shoal.ErrSquidNotFound
	}
	if err != nil {
		return shoal.Squid{}, fmt.Errorf("read squid: %w", err)
	}
	all, err := s.complete(ctx, q, []squidRow{row})
	if err != nil {
		return shoal.Squid{}, err
	}
	return all[0], nil
}

// Squid returns a squid.
func (s *Store) Squid(ctx context.Context, ws shoal.WorkspaceID, id shoal.SquidID) (shoal.Squid, error) {
	return s.squid(ctx, s.read, ws, id)
}

// Squids lists living squids, newest first, whose name contains name (any case).
func (s *Store) Squids(ctx context.Context, ws shoal.WorkspaceID, name string, w shoal.Window) (l shoal.Listing[shoal.Squid], err error) {
	where := ` WHERE workspace_pk = (SELECT pk FROM workspaces WHERE id = $1) AND deleted_at = 0`
	args := []any{string(ws)}
	if name != "" {
		where += ` AND name_lower LIKE $2 ESCAPE '\'`
		args = append(args, "%"+likeEscape(strings.ToLower(name))+"%")
	}
	if err := s.read.QueryRowContext(ctx, `SELECT COUNT(*) FROM squids`+where, args...).Scan(&l.Total); err != nil {
		return l, fmt.Errorf("count squids: %w", err)
	}
	text := fmt.Sprintf(`SELECT %s FROM (SELECT pk FROM squids%s ORDER BY pk DESC LIMIT $%d OFFSET $%d) p
		JOIN squids s ON s.pk = p.pk JOIN workspaces w ON w.pk = s.workspace_pk ORDER BY s.pk DESC`,
		squidColumns, where, len(args)+1, len(args)+2)
	rows, err := collect(ctx, s.read, scanSquid, text, append(args, w.Limit, skip(w, l.Total))...)
	if err != nil {
		return l, fmt.Errorf("list squids: %w", err)
	}
	if l.Items, err = s.complete(ctx, s.read, rows); err != nil {
		return l, fmt.Errorf("list squids: %w", err)
	}
	return l, nil
}

// likeEscape makes text match itself in a LIKE … ESCAPE '\'.
func likeEscape(text string) string {
	return strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(text)
}

// nameTries is how often a free name is sought again after another server took it.
const nameTries = 10

// CreateSquid stores a squid. An empty name becomes "<baseName> (N)", N being
// the first free number from 1.
func (s *Store) CreateSquid(ctx context.Context, q shoal.Squid, baseName string) (made shoal.Squid, err error) {
	for range nameTries {
		err = s.write(ctx, func(ctx context.Context, tx *sql.Tx) error {
			made, err = s.createSquid(ctx, tx, q, baseName)
			if err != nil {
				return err
			}
			return s.remember(ctx, tx, made)
		})
		if !uniqueViolation(err) {
			break
		}
		if q.Name != "" {
			return shoal.Squid{}, duplicateSquid(q.Name)
		}
	}
	if err != nil {
		return shoal.Squid{}, fmt.Errorf("create squid: %w", err)
	}
	return made, nil
}

func duplicateSquid(name string) error {
	return &shoal.Error{Kind: shoal.KindBusiness, Code: "DuplicateSquid", Param: "name",
		Message: fmt.Sprintf("A squid named %q exists already: choose another name", name)}
}

func (s *Store) createSquid(ctx context.Context, tx *sql.Tx, q shoal.Squid, baseName string) (shoal.Squid, error) {
	params, err := encodeObject(q.Params)
	if err != nil {
		return q, fmt.Errorf("params: %w", err)
	}
	functions, err := encodeObject(q.Functions)
	if err != nil {
		return q, fmt.Errorf("functions: %w", err)
	}
	if q.Name == "" {
		if q.Name, err = freeName(ctx, tx, q.WorkspaceID, baseName); err != nil {
			return q, err
		}
	}
	now := micros(s.now())
	const text = `INSERT INTO squids (id, workspace_pk, crawler_id, crawler_slug, name, name_lower, concurrency, params,
			functions, created_at, updated_at)
		VALUES ($1, (SELECT pk FROM workspaces WHERE id = $2), $3, $4, $5, $6, $7, $8, $9, $10, $10)`
	_, err = tx.ExecContext(ctx, text, string(q.ID), string(q.WorkspaceID), string(q.CrawlerID), q.CrawlerSlug,
		q.Name, strings.ToLower(q.Name), max(q.Concurrency, 1), params, functions, now)
	if err != nil {
		return q, err
	}
	return s.squid(ctx, tx, q.WorkspaceID, q.ID)
}

// freeName returns "<base> (N)" with the first N that no living squid has.
func freeName(ctx context.Context, tx *sql.Tx, ws shoal.WorkspaceID, base string) (string, error) {
	const text = `SELECT name FROM squids WHERE workspace_pk = (SELECT pk FROM workspaces WHERE id = $1)
		AND deleted_at = 0 AND name LIKE $2 ESCAPE '\'`
	names, err := collect(ctx, tx, scanText, text, string(ws), likeEscape(base)+" (%)")
	if err != nil {
		return "", fmt.Errorf("look for a free name: %w", err)
	}
	taken := make(map[string]bool, len(names))
	for _, n := range names {
		taken[n] = true
	}
	for n := 1; ; n++ {
		if name := fmt.Sprintf("%s (%d)", base, n); !taken[name] {
			return name, nil
		}
	}
}

// UpdateSquid changes the fields that p has. A run in progress keeps the
// settings it started with.
func (s *Store) UpdateSquid(ctx context.Context, ws shoal.WorkspaceID, id shoal.SquidID, p shoal.SquidPatch) (changed shoal.Squid, err error) {
	err = s.write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		pk, err := s.patchSquid(ctx, tx, ws, id, p)
		if err != nil {
			return err
		}
		if p.Accounts != nil {
			if err := linkAccounts(ctx, tx, ws, pk, *p.Accounts); err != nil {
				return err
			}
			if err := s.wakeOfSquid(ctx, tx, pk); err != nil {
				return err
			}
		}
		// After the run, which locks its squid's schedule when it ends.
		if err := s.reschedule(ctx, tx, pk, &p); err != nil {
			return err
		}
		if changed, err = s.squid(ctx, tx, ws, id); err != nil {
			return err
		}
		return s.remember(ctx, tx, changed)
	})
	if uniqueViolation(err) && p.Name != nil {
		return shoal.Squid{}, duplicateSquid(*p.Name)
	}
	if err != nil {
		return shoal.Squid{}, fmt.Errorf("update squid: %w", err)
	}
	return changed, nil
}

func (s *Store) patchSquid(ctx context.Context, tx *sql.Tx, ws shoal.WorkspaceID, id shoal.SquidID, p shoal.SquidPatch) (pk int64, err error) {
	var params, functions, lower any
	if p.Params != nil {
		if params, err = encodeObject(p.Params); err != nil {
			return 0, fmt.Errorf("params: %w", err)
		}
	}
	if p.Functions != nil {
		if functions, err = encodeObject(p.Functions); err != nil {
			return 0, fmt.Errorf("functions: %w", err)
		}
	}
	if p.Name != nil {
		lower = strings.ToLower(*p.Name)
	}
	const text = `UPDATE squids SET name = COALESCE($1, name), name_lower = COALESCE($2, name_lower),
			is_active = COALESCE($3, is_active), concurrency = COALESCE($4, concurrency),
			to_complete = COALESCE($5, to_complete), export_unique_results = COALESCE($6, export_unique_results),
			no_line_breaks = COALESCE($7, no_line_breaks), run_notify = COALESCE($8, run_notify),
			cron_expression = COALESCE($9, cron_expression), timezone = COALESCE($10, timezone),
			params = COALESCE($11, params), functions = COALESCE($12, functions), updated_at = $13
		WHERE id = $14 AND deleted_at = 0 AND workspace_pk = (SELECT pk FROM workspaces WHERE id = $15)
		RETURNING pk`
	err = tx.QueryRowContext(ctx, text, orNull(p.Name), lower, orNull(p.IsActive), orNull(p.Concurrency),
		orNull(p.ToComplete), orNull(p.ExportUniqueResults), orNull(p.NoLineBreaks), orNull(p.RunNotify),
		orNull(p.CronExpression), orNull(p.Timezone), params, functions, micros(s.now()), string(id), string(ws)).Scan(&pk)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, shoal.ErrSquidNotFound
	}
	return pk, err
}

// linkAccounts makes ids the squid's accounts.
func linkAccounts(ctx context.Context, tx *sql.Tx, ws shoal.WorkspaceID, squidPK int64, ids []shoal.AccountID) error {
	if _, err := tx.ExecContext(ctx, `DELETE FROM squid_accounts WHERE squid_pk = $1`, squidPK); err != nil {
		return fmt.Errorf("unlink accounts: %w", err)
	}
	const text = `INSERT INTO squid_accounts (squid_pk, account_pk)
		SELECT s.pk, a.pk FROM squids s JOIN accounts a ON a.workspace_pk = s.workspace_pk
		JOIN workspaces w ON w.pk = s.workspace_pk
		WHERE s.pk = $1 AND a.id = $2 AND w.id = $3 AND a.deleted_at = 0
		ON CONFLICT (squid_pk, account_pk) DO NOTHING`
	for i, id := range ids {
		if slices.Contains(ids[:i], id) {
			continue
		}
		res, err := tx.ExecContext(ctx, text, squidPK, string(id), string(ws))
		if err != nil {
			return fmt.Errorf("link account: %w", err)
		}
		n, err := res.RowsAffected()
		if err != nil {
			return fmt.Errorf("link account: %w", err)
		}
		if n == 0 {
			return shoal.ErrAccountNotFound
		}
	}
	return nil
}

// DeleteSquid deletes a squid with its tasks, runs and results: at once for
// everybody who looks, and from the database by the purge behind. An active
// run ends in the same transaction, as aborted and without an export, and
// loses its leases: a page that is still on its way is refused.
func (s *Store) DeleteSquid(ctx context.Context, ws shoal.WorkspaceID, id shoal.SquidID) error {
	err := s.write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		now := s.now()
		if err := s.lockWorkspaceOf(ctx, tx, ws); err != nil { // its run may hold slots
			return err
		}
		const text = `UPDATE squids SET deleted_at = $1, updated_at = $1, cron_expression = ''
			WHERE id = $2 AND deleted_at = 0 AND workspace_pk = (SELECT pk FROM workspaces WHERE id = $3) RETURNING pk, workspace_pk`
		var pk, workspacePK int64
		err := tx.QueryRowContext(ctx, text, micros(now), string(id), string(ws)).Scan(&pk, &workspacePK)
		if errors.Is(err, sql.ErrNoRows) {
			return shoal.ErrSquidNotFound
		}
		if err != nil {
			return err
		}
		if err := s.deleteRunsOf(ctx, tx, workspacePK, pk, now); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM squid_accounts WHERE squid_pk = $1`, pk); err != nil {
			return fmt.Errorf("unlink accounts: %w", err)
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM schedules WHERE squid_pk = $1`, pk); err != nil {
			return fmt.Errorf("remove the schedule: %w", err)
		}
		s.forgetLaunchTime(ctx, pk)
		// What waits for its run has no target any more, and says so.
		if err := s.wakeHandovers(ctx, tx, pk); err != nil {
			return err
		}
		args := jobs.PurgeArgs{Noun: purgeSquid, PK: pk}
		final := jobs.New(jobs.KindPurge, args)
		final.At = now.Add(squidRest)
		if err := s.enqueue(ctx, tx, jobs.New(jobs.KindPurge, args), final); err != nil {
			return err
		}
		return s.remember(ctx, tx, nil)
	})
	if err != nil {
		return fmt.Errorf("delete squid: %w", err)
	}
	return nil
}
