package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"shoal"
)

const launchColumns = `l.squid_pk, l.slot, l.at, l.outcome, l.run_id, l.reason, l.message, l.missed`

// launchRow is an entry of the history of a squid's schedule.
type launchRow struct {
	shoal.Launch
	squidPK int64
}

func scanLaunch(r scanner) (l launchRow, err error) {
	t := times{}
	err = r.Scan(&l.squidPK, t.into(&l.Slot), t.into(&l.At), &l.Outcome, &l.RunID, &l.Reason, &l.Message, &l.Missed)
	return l, err
}

// Launches lists what became of a squid's scheduled launches, newest first.
func (s *Store) Launches(ctx context.Context, ws shoal.WorkspaceID, id shoal.SquidID, w shoal.Window) (l shoal.Listing[shoal.Launch], err error) {
	t, err := s.tally(ctx, s.read, "", ws, id)
	if err != nil {
		return l, err
	}
	if err := s.read.QueryRowContext(ctx, `SELECT COUNT(*) FROM launches WHERE squid_pk = $1`, t.pk).Scan(&l.Total); err != nil {
		return l, fmt.Errorf("count launches: %w", err)
	}
	const page = `SELECT ` + launchColumns + ` FROM launches l WHERE l.squid_pk = $1 ORDER BY l.slot DESC LIMIT $2 OFFSET $3`
	rows, err := collect(ctx, s.read, scanLaunch, page, t.pk, w.Limit, skip(w, l.Total))
	if err != nil {
		return l, fmt.Errorf("list launches: %w", err)
	}
	for _, r := range rows {
		l.Items = append(l.Items, r.Launch)
	}
	return l, nil
}

// Schedules lists the squids that have a schedule, the next to launch first;
// those for which no time is set last.
func (s *Store) Schedules(ctx context.Context, ws shoal.WorkspaceID, w shoal.Window) (l shoal.Listing[shoal.ScheduledSquid], err error) {
	const of = ` FROM squids s JOIN workspaces w ON w.pk = s.workspace_pk LEFT JOIN schedules p ON p.squid_pk = s.pk
		WHERE w.id = $1 AND s.deleted_at = 0 AND s.cron_expression <> ''`
	if err := s.read.QueryRowContext(ctx, `SELECT COUNT(*)`+of, string(ws)).Scan(&l.Total); err != nil {
		return l, fmt.Errorf("count schedules: %w", err)
	}
	const page = `SELECT ` + squidColumns + of + ` ORDER BY CASE WHEN COALESCE(p.due_at, 0) = 0 THEN 1 ELSE 0 END, p.due_at, s.pk LIMIT $2 OFFSET $3`
	rows, err := collect(ctx, s.read, scanSquid, page, string(ws), w.Limit, skip(w, l.Total))
	if err != nil {
		return l, fmt.Errorf("list schedules: %w", err)
	}
	squids, err := s.complete(ctx, s.read, rows)
	if err != nil {
		return l, fmt.Errorf("list schedules: %w", err)
	}
	last, err := s.lastLaunches(ctx, squids)
	if err != nil {
		return l, fmt.Errorf("list schedules: %w", err)
	}
	for i := range squids {
		l.Items = append(l.Items, shoal.ScheduledSquid{Squid: squids[i], LastLaunch: last[squids[i].PK]})
	}
	return l, nil
}

// lastLaunches returns the newest entry of each squid's history.
func (s *Store) lastLaunches(ctx context.Context, squids []shoal.Squid) (map[int64]*shoal.Launch, error) {
	last := map[int64]*shoal.Launch{}
	var pks []int64
	for i := range squids {
		pks = append(pks, squids[i].PK)
	}
	for chunk := range slices.Chunk(pks, inRows) {
		text := `SELECT ` + launchColumns + ` FROM (SELECT squid_pk, MAX(slot) AS slot FROM launches
			WHERE squid_pk IN (` + params(1, len(chunk)) + `) GROUP BY squid_pk) m
			JOIN launches l ON l.squid_pk = m.squid_pk AND l.slot = m.slot`
		rows, err := collect(ctx, s.read, scanLaunch, text, anys(chunk)...)
		if err != nil {
			return nil, err
		}
		for i := range rows {
			last[rows[i].squidPK] = &rows[i].Launch
		}
	}
	return last, nil
}

// launchTimes remembers when squids launch next, for runs that are served from
// memory. Like the run cache it is of the embedded database only, and never stale.
type launchTimes struct {
	mu      sync.RWMutex
	bySquid map[int64]int64 // microseconds
	version uint64          // grows with each change
}

// maxLaunchTimes bounds the memory.
const maxLaunchTimes = 100_000

func (l *launchTimes) get(squidPK int64) (due int64, ok bool, version uint64) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	due, ok = l.bySquid[squidPK]
	return due, ok, l.version
}

func (l *launchTimes) fill(squidPK, due int64, version uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.version != version {
		return
	}
	if len(l.bySquid) >= maxLaunchTimes {
		clear(l.bySquid)
	}
	l.bySquid[squidPK] = due
}

func (l *launchTimes) forget(squidPK int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.version++
	delete(l.bySquid, squidPK)
}

// forgetLaunchTime makes readers look at the squid's schedule anew once the
// transaction of ctx is durable, and the launcher of this process too.
func (s *Store) forgetLaunchTime(ctx context.Context, squidPK int64) {
	s.afterCommit(ctx, func() {
		if s.runs != nil {
			s.launches.forget(squidPK)
		}
		select {
		case s.scheduled <- struct{}{}:
		default:
		}
	})
}

// Scheduled returns a channel that has something to receive when this process
// has changed what is planned; for one receiver.
func (s *Store) Scheduled() <-chan struct{} { return s.scheduled }

// nextLaunch sets when the run's squid launches next.
func (s *Store) nextLaunch(ctx context.Context, q querier, r *shoal.Run) error {
	var version uint64
	if s.runs != nil {
		q = s.read // what is not committed must not be remembered
		due, ok, v := s.launches.get(r.SquidPK)
		if ok {
			r.NextLaunchAt = fromMicros(due)
			return nil
		}
		version = v
	}
	var due int64
	const look = `SELECT CASE WHEN slot > 0 THEN due_at ELSE 0 END FROM schedules WHERE squid_pk = $1`
	if err := q.QueryRowContext(ctx, look, r.SquidPK).Scan(&due); err != nil && !errors.Is(err, sql.ErrNoRows) {
		return fmt.Errorf("read schedule: %w", err)
	}
	if s.runs != nil {
		s.launches.fill(r.SquidPK, due, version)
	}
	r.NextLaunchAt = fromMicros(due)
	return nil
}

// nextLaunches is nextLaunch for a page of runs.
func (s *Store) nextLaunches(ctx context.Context, runs []shoal.Run) error {
	known := map[int64]time.Time{}
	for i := range runs {
		at, ok := known[runs[i].SquidPK]
		if !ok {
			if err := s.nextLaunch(ctx, s.read, &runs[i]); err != nil {
				return err
			}
			at = runs[i].NextLaunchAt
			known[runs[i].SquidPK] = at
		}
		runs[i].NextLaunchAt = at
	}
	return nil
}
