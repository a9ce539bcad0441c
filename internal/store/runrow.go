package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"shoal"
)

// runRow is a run with what only the store knows of it. A runRow that has been
// published in the run cache is never changed: the next state is a copy.
type runRow struct {
	shoal.Run
	workspacePK int64
	frontierSeq int64 // last request sequence given
	slots       int   // held while running, else asked for; 0: not counted yet
	deleted     bool
}

// runColumns are what scanRun reads, in its order, from runs r, workspaces w
// and squids s: see runFrom.
const runColumns = `r.pk, r.id, w.id, r.workspace_pk, r.squid_pk, s.id, r.crawler_id, r.version_pk,
	r.origin, r.status, r.done_reason, r.done_reason_desc, r.outcome, r.outcome_reason, r.outcome_desc,
	r.created_at, r.started_at, r.ended_at, r.active, r.active_since, r.wake_at, r.paused_at, r.pause_count,
	r.force_launch, r.shared, r.account_pk, r.settings,
	r.total_results, r.unique_results, r.total_requests, r.failed_requests, r.known_requests, r.bytes_fetched,
	r.tasks_total, r.tasks_done, r.tasks_failed, r.tasks_unreached, r.credits_used, r.first_seq, r.last_seq,
	r.last_progress_at, r.current_task, r.export_done, r.export_time, r.export_count,
	r.email_done, r.email_time, r.event_seq, r.frontier_seq, r.slots, r.deleted_at, r.results_removed_at`

// runFrom is the FROM clause that runColumns need.
const runFrom = ` FROM runs r JOIN workspaces w ON w.pk = r.workspace_pk JOIN squids s ON s.pk = r.squid_pk`

// scanRun reads one row of runColumns. No row is ErrRunNotFound.
func scanRun(row scanner) (*runRow, error) {
	var r runRow
	var settings []byte
	var active, deletedAt int64
	t := times{}
	err := row.Scan(&r.PK, &r.ID, &r.WorkspaceID, &r.workspacePK, &r.SquidPK, &r.SquidID, &r.CrawlerID, &r.VersionPK,
		&r.Origin, &r.Status, &r.DoneReason, &r.DoneReasonDesc, &r.Outcome, &r.OutcomeReason, &r.OutcomeDesc,
		t.into(&r.CreatedAt), t.into(&r.StartedAt), t.into(&r.EndedAt), &active, t.into(&r.ActiveSince),
		t.into(&r.WakeAt), t.into(&r.PausedAt), &r.PauseCount,
		&r.ForceLaunch, &r.Shared, &r.AccountPK, &settings,
		&r.TotalResults, &r.UniqueResults, &r.TotalRequests, &r.FailedRequests, &r.KnownRequests, &r.BytesFetched,
		&r.TasksTotal, &r.TasksDone, &r.TasksFailed, &r.TasksUnreached, &r.CreditsUsed, &r.FirstSeq, &r.LastSeq,
		t.into(&r.LastProgressAt), &r.CurrentTask, &r.ExportDone, t.into(&r.ExportTime), &r.ExportCount,
		&r.EmailDone, t.into(&r.EmailTime), &r.EventSeq, &r.frontierSeq, &r.slots, &deletedAt, t.into(&r.ResultsRemovedAt))
	if errors.Is(err, sql.ErrNoRows) {
		return nil, shoal.ErrRunNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("read run: %w", err)
	}
	r.Active = time.Duration(active) * time.Microsecond
	r.deleted = deletedAt != 0
	if err := json.Unmarshal(settings, &r.Settings); err != nil {
		return nil, fmt.Errorf("read settings of run %s: %w", r.ID, err)
	}
	return &r, nil
}

// times scans stored microseconds into a time.
type times struct{}

func (times) into(t *time.Time) *timeScanner { return (*timeScanner)(t) }

type timeScanner time.Time

// Scan implements sql.Scanner.
func (t *timeScanner) Scan(src any) error {
	us, ok := src.(int64)
	if !ok {
		return fmt.Errorf("a stored time is %T, want an integer", src)
	}
	*t = timeScanner(fromMicros(us))
	return nil
}

// runsWhere returns the runs that tail (WHERE, ORDER BY, LIMIT) selects.
func (s *Store) runsWhere(ctx context.Context, q querier, tail string, args ...any) ([]shoal.Run, error) {
	rows, err := q.QueryContext(ctx, `SELECT `+runColumns+runFrom+` `+tail, args...)
	if err != nil {
		return nil, fmt.Errorf("read runs: %w", err)
	}
	defer rows.Close()
	var out []shoal.Run
	for rows.Next() {
		r, err := scanRun(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, r.Run)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read runs: %w", err)
	}
	return out, nil
}

// The tails of lists of runs that are not over. All unfinished states are named
// as the partial index runs_unfinished names them, or SQLite does not see that
// it serves.
const (
	ofUnfinished = ` AND r.status IN ('pending', 'running', 'paused', 'uploading')`
	runsInState  = ` WHERE r.status = $1 AND r.deleted_at = 0` + ofUnfinished + ` ORDER BY r.pk LIMIT $2`
)

// RunsIn returns the runs in any of the given states, none of them terminal,
// oldest first, at most limit.
func (s *Store) RunsIn(ctx context.Context, limit int, status ...shoal.RunStatus) ([]shoal.Run, error) {
	var out []shoal.Run
	for _, st := range status {
		if st.Terminal() {
			return nil, fmt.Errorf("runs in state %s: want states of runs that are not over", st)
		}
		runs, err := s.runsWhere(ctx, s.read, runsInState, string(st), limit)
		if err != nil {
			return nil, err
		}
		out = append(out, runs...)
	}
	sortRuns(out)
	return out[:min(limit, len(out))], nil
}

// CrawlerVersion returns an immutable definition.
func (s *Store) CrawlerVersion(ctx context.Context, pk int64) (shoal.CrawlerVersion, error) {
	v := shoal.CrawlerVersion{PK: pk}
	const q = `SELECT crawler_id, slug, version, digest, definition, created_at FROM crawler_versions WHERE pk = $1`
	err := s.read.QueryRowContext(ctx, q, pk).Scan(&v.CrawlerID, &v.Slug, &v.Version, &v.Digest, &v.Definition, times{}.into(&v.CreatedAt))
	if errors.Is(err, sql.ErrNoRows) {
		return v, shoal.ErrCrawlerNotFound
	}
	if err != nil {
		return v, fmt.Errorf("read crawler version %d: %w", pk, err)
	}
	return v, nil
}
