package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"shoal"
	"shoal/internal/cron"
)

// planOf names what a schedule is planned by; empty: nothing is planned.
func planOf(expr, timezone string, active bool) string {
	if expr == "" || !active {
		return ""
	}
	return expr + "|" + timezone
}

// reschedule plans the squid's launches anew after its settings changed. What
// was planned stays when nothing of it did.
func (s *Store) reschedule(ctx context.Context, tx *sql.Tx, pk int64, p *shoal.SquidPatch) error {
	touched := p.CronExpression != nil || p.Timezone != nil || p.IsActive != nil || p.MissedLaunches != nil || p.LaunchJitter != nil
	if !touched {
		return nil
	}
	var jitter any
	if p.LaunchJitter != nil {
		jitter = int64(*p.LaunchJitter / time.Second)
	}
	const settings = `INSERT INTO schedules (squid_pk, missed, jitter) VALUES ($1, COALESCE(CAST($2 AS TEXT), 'once'), COALESCE(CAST($3 AS BIGINT), 0))
		ON CONFLICT (squid_pk) DO UPDATE SET missed = COALESCE(CAST($2 AS TEXT), schedules.missed), jitter = COALESCE(CAST($3 AS BIGINT), schedules.jitter)`
	if _, err := tx.ExecContext(ctx, settings, pk, orNull((*string)(p.MissedLaunches)), jitter); err != nil {
		return fmt.Errorf("set the schedule's settings: %w", err)
	}
	const look = `SELECT q.cron_expression, q.timezone, q.is_active, s.plan, s.jitter, s.slot, s.waits
		FROM schedules s JOIN squids q ON q.pk = s.squid_pk WHERE s.squid_pk = $1`
	var expr, zone, plan string
	var active, waits bool
	var seconds, slot int64
	if err := tx.QueryRowContext(ctx, look, pk).Scan(&expr, &zone, &active, &plan, &seconds, &slot, &waits); err != nil {
		return fmt.Errorf("read schedule: %w", err)
	}
	wanted := planOf(expr, zone, active)
	if wanted == plan && (p.LaunchJitter == nil || waits || slot == 0) {
		return nil
	}
	set := plannedSlot{jitter: time.Duration(seconds) * time.Second}
	if wanted == plan {
		set.slot = fromMicros(slot)
	}
	if err := set.find(expr, zone, wanted, pk, s.now()); err != nil {
		return err
	}
	s.forgetLaunchTime(ctx, pk)
	const write = `UPDATE schedules SET plan = $2, slot = $3, due_at = $4, waits = FALSE,
		behind_until = CASE WHEN plan = $2 THEN behind_until ELSE 0 END WHERE squid_pk = $1`
	if _, err := tx.ExecContext(ctx, write, pk, wanted, micros(set.slot), micros(set.due)); err != nil {
		return fmt.Errorf("plan launches: %w", err)
	}
	return nil
}

// plannedSlot is a slot with the moment at which it is launched.
type plannedSlot struct {
	slot, due time.Time
	jitter    time.Duration
}

// find sets the slot, unless it is known, to the first after now, and the due time.
func (p *plannedSlot) find(expr, zone, plan string, pk int64, now time.Time) error {
	if plan == "" {
		return nil
	}
	e, err := cron.Parse(expr)
	if err != nil {
		return err
	}
	loc, err := cron.Zone(zone)
	if err != nil {
		return err
	}
	if p.slot.IsZero() {
		p.slot = e.Next(now, loc)
	}
	p.due = p.slot.Add(cron.Spread(pk, p.slot, e.Next(p.slot, loc), p.jitter))
	return nil
}

// The plans of launches, soonest first. What is due is read by its index.
const dueLaunches = `SELECT q.pk, q.id, w.id, q.cron_expression, q.timezone, p.plan, p.missed, p.jitter, p.slot, p.due_at, p.behind_until
	FROM (SELECT squid_pk, plan, missed, jitter, slot, due_at, behind_until FROM schedules
		WHERE due_at > 0 AND due_at <= $1 ORDER BY due_at LIMIT $2) p
	JOIN squids q ON q.pk = p.squid_pk JOIN workspaces w ON w.pk = q.workspace_pk ORDER BY p.due_at`

// DueLaunches returns the squids whose launch is due at now, soonest first. The
// engine alone may call it.
func (s *Store) DueLaunches(ctx context.Context, now time.Time, limit int) ([]shoal.DueLaunch, error) {
	due, err := collect(ctx, s.read, func(r scanner) (d shoal.DueLaunch, err error) {
		var jitter int64
		t := times{}
		err = r.Scan(&d.SquidPK, &d.SquidID, &d.WorkspaceID, &d.Cron, &d.Timezone, &d.Plan, &d.Missed, &jitter,
			t.into(&d.Slot), t.into(&d.DueAt), t.into(&d.BehindUntil))
		d.Jitter = time.Duration(jitter) * time.Second
		return d, err
	}, dueLaunches, micros(now), limit)
	if err != nil {
		return nil, fmt.Errorf("look for due launches: %w", err)
	}
	return due, nil
}

const nextDue = `SELECT due_at FROM schedules WHERE due_at > 0 ORDER BY due_at LIMIT 1`

// NextDue returns when the next launch is due; zero when none is planned.
func (s *Store) NextDue(ctx context.Context) (time.Time, error) {
	due, err := collect(ctx, s.read, scanInt, nextDue)
	if err != nil || len(due) == 0 {
		return time.Time{}, err
	}
	return fromMicros(due[0]), nil
}

// StillDue reports whether no server has dealt with the slot yet, as far as can
// be seen without taking it.
func (s *Store) StillDue(ctx context.Context, d shoal.DueLaunch) (bool, error) {
	const q = `SELECT count(*) FROM schedules WHERE squid_pk = $1 AND slot = $2 AND plan = $3 AND due_at > 0`
	var n int
	if err := s.read.QueryRowContext(ctx, q, d.SquidPK, micros(d.Slot), d.Plan).Scan(&n); err != nil {
		return false, fmt.Errorf("look at the schedule of squid %s: %w", d.SquidID, err)
	}
	return n > 0, nil
}

// RecordLaunch takes a slot for which no run is made and says why: outcome, the
// code of an error, and c.Message. An overlap is noted in the log of the run
// that is under way. ErrLaunchTaken when another server was first.
func (s *Store) RecordLaunch(ctx context.Context, c shoal.LaunchClaim, outcome shoal.LaunchOutcome, reason string) error {
	err := s.writeSoon(ctx, func(ctx context.Context, tx *sql.Tx) error {
		if err := s.lockSquid(ctx, tx, c.Due.SquidPK); err != nil {
			return err
		}
		if outcome == shoal.LaunchSkipped {
			run, err := s.activeRun(ctx, tx, c.Due.SquidPK)
			if err != nil {
				return err
			}
			if err := s.noteOverlap(ctx, tx, run, &c); err != nil {
				return err
			}
		}
		return s.claimLaunch(ctx, tx, &c, outcome, "", reason)
	})
	if err != nil && !errors.Is(err, shoal.ErrLaunchTaken) {
		return fmt.Errorf("record a launch of squid %s: %w", c.Due.SquidID, err)
	}
	return err
}

// noteOverlap tells the run that is under way that a launch was skipped: the
// first of several in a row, lest a run that is paused for days hold little else.
func (s *Store) noteOverlap(ctx context.Context, tx *sql.Tx, run *runRow, c *shoal.LaunchClaim) error {
	const last = `SELECT count(*) FROM launches WHERE squid_pk = $1 AND outcome = 'skipped'
		AND slot = (SELECT MAX(slot) FROM launches WHERE squid_pk = $1)`
	var before int
	if err := tx.QueryRowContext(ctx, last, c.Due.SquidPK).Scan(&before); err != nil || before > 0 {
		return err
	}
	return s.note(ctx, tx, run, actorSchedule, "warning", c.Message+" So are the next, until this one has ended; the schedule's history has them all.")
}

// actorSchedule is who changes that come from a schedule are said to come from.
const actorSchedule = "schedule"

// lockSquid locks a squid that lives.
func (s *Store) lockSquid(ctx context.Context, tx *sql.Tx, pk int64) error {
	const q = `SELECT pk FROM squids WHERE pk = $1 AND deleted_at = 0`
	err := tx.QueryRowContext(ctx, q+s.db.dialect.forUpdate(), pk).Scan(&pk)
	if errors.Is(err, sql.ErrNoRows) {
		return shoal.ErrSquidNotFound
	}
	return err
}

// activeRun locks and returns the squid's run that is under way, nil if none is.
func (s *Store) activeRun(ctx context.Context, tx *sql.Tx, squidPK int64) (*runRow, error) {
	row, err := s.lockRun(ctx, tx, `r.squid_pk = $1 AND r.status IN ('pending', 'running', 'paused', 'uploading')`, activeOf(squidPK))
	if errors.Is(err, shoal.ErrRunNotFound) {
		return nil, nil
	}
	return row, err
}

// activeOf is a squid's number where lockRun might take it for a run's.
type activeOf int64

// note adds a note to the log of a run that tx has locked; nil: to none.
func (s *Store) note(ctx context.Context, tx *sql.Tx, was *runRow, actor, level, message string) error {
	if was == nil {
		return nil
	}
	row := *was
	if err := s.addEvent(ctx, tx, &row, shoal.EventNote, actor, shoal.NotePayload{Level: level, Message: message}); err != nil {
		return err
	}
	s.publishRun(ctx, &row)
	_, err := tx.ExecContext(ctx, `UPDATE runs SET event_seq = $2 WHERE pk = $1`, row.PK, row.EventSeq)
	return err
}

// keepLaunches is how long the history of a schedule goes back.
const keepLaunches = 90 * 24 * time.Hour

// claimLaunch takes a slot in tx, which has locked the squid, records what
// becomes of it and moves the schedule on.
func (s *Store) claimLaunch(ctx context.Context, tx *sql.Tx, c *shoal.LaunchClaim, outcome shoal.LaunchOutcome, run shoal.RunID, reason string) error {
	if err := s.moveOn(ctx, tx, c); err != nil {
		return err
	}
	const tell = `UPDATE squids SET message = $2 WHERE pk = $1 AND message <> $2 AND ($2 <> '' OR message =
		(SELECT l.message FROM launches l WHERE l.squid_pk = $1 ORDER BY l.slot DESC LIMIT 1))`
	said := c.Message
	if outcome == shoal.LaunchStarted {
		said = ""
	}
	if _, err := tx.ExecContext(ctx, tell, c.Due.SquidPK, said); err != nil {
		return fmt.Errorf("set the squid's message: %w", err)
	}
	const record = `INSERT INTO launches (squid_pk, slot, at, outcome, run_id, reason, message, missed)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (squid_pk, slot) DO NOTHING`
	now := s.now()
	res, err := tx.ExecContext(ctx, record, c.Due.SquidPK, micros(c.Slot), micros(now), string(outcome), string(run), reason, c.Message, c.Missed)
	if err := oneRow(res, err, shoal.ErrLaunchTaken); err != nil {
		return err
	}
	const forget = `DELETE FROM launches WHERE squid_pk = $1 AND slot < $2`
	_, err = tx.ExecContext(ctx, forget, c.Due.SquidPK, micros(now.Add(-keepLaunches)))
	return err
}

// moveOn sets the schedule to what comes after the claim.
func (s *Store) moveOn(ctx context.Context, tx *sql.Tx, c *shoal.LaunchClaim) error {
	const q = `UPDATE schedules SET slot = $4, due_at = $5, behind_until = $6, waits = FALSE
		WHERE squid_pk = $1 AND slot = $2 AND plan = $3 AND due_at > 0`
	res, err := tx.ExecContext(ctx, q, c.Due.SquidPK, micros(c.Due.Slot), c.Due.Plan, micros(c.Next), micros(c.NextDue), micros(c.BehindUntil))
	s.forgetLaunchTime(ctx, c.Due.SquidPK)
	return oneRow(res, err, shoal.ErrLaunchTaken)
}

// PassLaunch moves a schedule on without a launch: its slot was dealt with
// before (the clock was set back), or its times had yet to be found out. It
// does nothing when the schedule has moved on by itself.
func (s *Store) PassLaunch(ctx context.Context, c shoal.LaunchClaim) error {
	err := s.writeSoon(ctx, func(ctx context.Context, tx *sql.Tx) error { return s.moveOn(ctx, tx, &c) })
	if err != nil && !errors.Is(err, shoal.ErrLaunchTaken) {
		return fmt.Errorf("move the schedule of squid %s on: %w", c.Due.SquidID, err)
	}
	return nil
}

// AwaitRun makes a launch wait for the squid's run to end. It reports false
// when no run is under way: the launch may be tried again at once.
func (s *Store) AwaitRun(ctx context.Context, d shoal.DueLaunch) (waits bool, err error) {
	err = s.writeSoon(ctx, func(ctx context.Context, tx *sql.Tx) error {
		waits = false
		if err := s.lockSquid(ctx, tx, d.SquidPK); err != nil {
			return err
		}
		run, err := s.activeRun(ctx, tx, d.SquidPK)
		if err != nil || run == nil {
			return err
		}
		waits = true
		s.forgetLaunchTime(ctx, d.SquidPK)
		const q = `UPDATE schedules SET waits = TRUE, due_at = 0 WHERE squid_pk = $1 AND slot = $2 AND plan = $3`
		_, err = tx.ExecContext(ctx, q, d.SquidPK, micros(d.Slot), d.Plan)
		return err
	})
	if err != nil {
		return false, fmt.Errorf("let a launch of squid %s wait: %w", d.SquidID, err)
	}
	return waits, nil
}

const wakeWaiting = `UPDATE schedules SET waits = FALSE, due_at = $2 WHERE squid_pk = $1 AND waits`

// wakeLaunch makes a launch due that waited for a run of the squid to end.
func (s *Store) wakeLaunch(ctx context.Context, tx *sql.Tx, squidPK int64) error {
	res, err := tx.ExecContext(ctx, wakeWaiting, squidPK, micros(s.now()))
	if err != nil {
		return fmt.Errorf("wake the schedule: %w", err)
	}
	n, err := res.RowsAffected()
	if n > 0 {
		s.forgetLaunchTime(ctx, squidPK)
	}
	return err
}

// schedulesOf fills in what the table of schedules says of squids.
func schedulesOf(ctx context.Context, q querier, squids []shoal.Squid) error {
	at := make(map[int64]*shoal.Squid, len(squids))
	var pks []int64
	for i := range squids {
		squids[i].MissedLaunches = shoal.MissedOnce
		at[squids[i].PK] = &squids[i]
		pks = append(pks, squids[i].PK)
	}
	for chunk := range slices.Chunk(pks, inRows) {
		text := `SELECT squid_pk, missed, jitter, CASE WHEN slot > 0 THEN due_at ELSE 0 END FROM schedules WHERE squid_pk IN (` + params(1, len(chunk)) + `)`
		_, err := collect(ctx, q, func(r scanner) (pk int64, err error) {
			var missed string
			var jitter, due int64
			if err = r.Scan(&pk, &missed, &jitter, &due); err == nil {
				squid := at[pk]
				squid.MissedLaunches, squid.LaunchJitter = shoal.MissedPolicy(missed), time.Duration(jitter)*time.Second
				squid.NextLaunchAt = fromMicros(due)
			}
			return pk, err
		}, text, anys(chunk)...)
		if err != nil {
			return fmt.Errorf("read schedules: %w", err)
		}
	}
	return nil
}
