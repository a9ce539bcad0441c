package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"shoal"
)

const (
	usageColumns = `l.function, CAST(SUM(l.credits) AS BIGINT), CAST(SUM(l.attempts) AS BIGINT), COUNT(DISTINCT l.run_pk), MAX(l.at)`

	usageOfCrawlers = `SELECT l.crawler_id, '', l.crawler_id, 0, ` + usageColumns + `
		FROM ledger l WHERE l.workspace_pk = $1 AND l.day >= $2 GROUP BY l.crawler_id, l.function`
	usageOfSquids = `SELECT l.squid_id, COALESCE(s.name, ''), l.crawler_id, COALESCE(s.deleted_at, -1), ` + usageColumns + `
		FROM ledger l LEFT JOIN squids s ON s.id = l.squid_id WHERE l.workspace_pk = $1 AND l.day >= $2
		GROUP BY l.squid_id, s.name, l.crawler_id, s.deleted_at, l.function`
)

// CrawlerUsage returns what each crawler cost a workspace on the days (UTC) from
// since on, the dearest first.
func (s *Store) CrawlerUsage(ctx context.Context, ws shoal.WorkspaceID, since time.Time) ([]shoal.Usage, error) {
	return s.usage(ctx, usageOfCrawlers, ws, since)
}

// SquidUsage returns what each squid cost a workspace on the days (UTC) from
// since on, the dearest first. A deleted squid is told for 30 days.
func (s *Store) SquidUsage(ctx context.Context, ws shoal.WorkspaceID, since time.Time) ([]shoal.Usage, error) {
	return s.usage(ctx, usageOfSquids, ws, since)
}

// usageRow is what one function of a thing cost.
type usageRow struct {
	shoal.Usage
	deletedAt int64 // -1: the squid's row is gone
	f         shoal.FunctionCredits
}

func (s *Store) usage(ctx context.Context, q string, ws shoal.WorkspaceID, since time.Time) ([]shoal.Usage, error) {
	pk, err := s.workspacePK(ctx, ws)
	if err != nil {
		return nil, err
	}
	rows, err := collect(ctx, s.read, func(row scanner) (u usageRow, err error) {
		return u, row.Scan(&u.ID, &u.Name, &u.CrawlerID, &u.deletedAt, &u.f.Function, &u.f.Credits, &u.f.Attempts, &u.Runs,
			times{}.into(&u.LastAt))
	}, q, pk, micros(since)/aDay)
	if err != nil {
		return nil, fmt.Errorf("read what was spent: %w", err)
	}
	told := micros(s.now().Add(-squidRest))
	rows = slices.DeleteFunc(rows, func(u usageRow) bool { return u.deletedAt != 0 && u.deletedAt < told })
	return gather(rows), nil
}

// gather makes one Usage of the functions of each thing.
func gather(rows []usageRow) []shoal.Usage {
	var out []shoal.Usage
	at := map[string]int{}
	for _, row := range rows {
		i, ok := at[row.ID]
		if !ok {
			i = len(out)
			at[row.ID] = i
			row.IsDeleted = row.deletedAt != 0
			out = append(out, row.Usage)
		}
		u := &out[i]
		u.Credits += row.f.Credits
		u.Runs = max(u.Runs, row.Runs) // every run has the core step
		if row.f.Function == shoal.BaseFunction {
			u.Results += row.f.Attempts
		}
		if row.LastAt.After(u.LastAt) {
			u.LastAt = row.LastAt
		}
		u.Functions = append(u.Functions, row.f)
	}
	for _, u := range out {
		slices.SortFunc(u.Functions, func(a, b shoal.FunctionCredits) int {
			return cmp.Or(cmp.Compare(b.Credits, a.Credits), cmp.Compare(a.Function, b.Function))
		})
	}
	slices.SortFunc(out, func(a, b shoal.Usage) int {
		return cmp.Or(cmp.Compare(b.Credits, a.Credits), cmp.Compare(a.ID, b.ID))
	})
	return out
}

// RunsUsage returns what each of some runs of a workspace cost, by run.
func (s *Store) RunsUsage(ctx context.Context, ws shoal.WorkspaceID, runs []shoal.Run) (map[shoal.RunID]shoal.Usage, error) {
	out := make(map[shoal.RunID]shoal.Usage, len(runs))
	if len(runs) == 0 {
		return out, nil
	}
	pk, err := s.workspacePK(ctx, ws)
	if err != nil {
		return nil, err
	}
	pks := make([]any, 0, len(runs)+1)
	for i := range runs {
		pks = append(pks, runs[i].PK)
	}
	q := `SELECT l.run_id, '', l.crawler_id, 0, ` + usageColumns + ` FROM ledger l
		WHERE l.run_pk IN (` + params(1, len(runs)) + fmt.Sprintf(`) AND l.workspace_pk = $%d`, len(runs)+1) + ` GROUP BY l.run_id, l.crawler_id, l.function`
	rows, err := collect(ctx, s.read, func(row scanner) (u usageRow, err error) {
		return u, row.Scan(&u.ID, &u.Name, &u.CrawlerID, &u.deletedAt, &u.f.Function, &u.f.Credits, &u.f.Attempts, &u.Runs,
			times{}.into(&u.LastAt))
	}, q, append(pks, pk)...)
	if err != nil {
		return nil, fmt.Errorf("read what runs cost: %w", err)
	}
	for _, u := range gather(rows) {
		out[shoal.RunID(u.ID)] = u
	}
	return out, nil
}

// SquidCost returns what all runs of a squid cost, those deleted included, and
// the rows charged.
func (s *Store) SquidCost(ctx context.Context, ws shoal.WorkspaceID, squid shoal.SquidID) (credits shoal.Credits, results int64, err error) {
	if _, err := s.Squid(ctx, ws, squid); err != nil {
		return 0, 0, err
	}
	const q = `SELECT CAST(COALESCE(SUM(credits), 0) AS BIGINT),
			CAST(COALESCE(SUM(CASE WHEN function = 'base' THEN attempts ELSE 0 END), 0) AS BIGINT)
		FROM ledger WHERE squid_id = $1`
	if err := s.read.QueryRowContext(ctx, q, string(squid)).Scan(&credits, &results); err != nil {
		return 0, 0, fmt.Errorf("read what the squid cost: %w", err)
	}
	return credits, results, nil
}

func (s *Store) workspacePK(ctx context.Context, ws shoal.WorkspaceID) (pk int64, err error) {
	err = s.read.QueryRowContext(ctx, `SELECT pk FROM workspaces WHERE id = $1`, string(ws)).Scan(&pk)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, shoal.ErrWorkspaceNotFound
	}
	if err != nil {
		return 0, fmt.Errorf("find workspace: %w", err)
	}
	return pk, nil
}
