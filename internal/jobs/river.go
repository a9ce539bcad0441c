package jobs

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"log/slog"

	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/rivershared/baseservice"
	"github.com/riverqueue/river/rivershared/riverpilot"
	"github.com/riverqueue/river/rivertype"
)

// ourDriver is River's own driver with two changes. It says that it can neither
// listen nor notify: River's notifications cost a row (SQLite) or a payload per
// job (PostgreSQL), and a poll of their own. And it installs our pilot.
type ourDriver struct {
	riverdriver.Driver[*sql.Tx]
	pilot *pilot
}

func newDriver(o *Options) *ourDriver {
	return &ourDriver{
		Driver: o.Dialect.driver(o.DB),
		pilot:  &pilot{db: o.DB, owner: o.Owner, alive: func() bool { return true }},
	}
}

// SupportsListener makes River poll, and lets a local wake-up through.
func (d *ourDriver) SupportsListener() bool { return false }

// SupportsListenNotify keeps River from notifying where nobody listens.
func (d *ourDriver) SupportsListenNotify() bool { return false }

// PluginInit is part of River's plug-in interface; there is nothing to do.
func (d *ourDriver) PluginInit(*baseservice.Archetype) {}

// PluginPilot hands River our pilot.
func (d *ourDriver) PluginPilot() riverpilot.Pilot { return d.pilot }

// pilot sits between River's client and its driver. River pins no stability on
// this interface; the module's version is pinned, and the tests of this package
// tell when an upgrade breaks it.
type pilot struct {
	riverpilot.StandardPilot
	db    *sql.DB
	owner string
	alive func() bool // whether our heartbeat is recent
	wake  func(context.Context, []*rivertype.JobInsertResult)
}

// PilotInit keeps the function by which River wakes its own producers after an
// insert outside a transaction: the way to wake them with no query at all.
func (p *pilot) PilotInit(archetype *baseservice.Archetype, params *riverpilot.PilotInitParams) {
	p.StandardPilot.PilotInit(archetype, params)
	p.wake = params.NotifyNonTxJobInsert
}

// kick wakes the producers of both queues. They must have been started.
func (p *pilot) kick() {
	p.wake(context.Background(), []*rivertype.JobInsertResult{
		{Job: &rivertype.JobRow{Queue: queueSlots}},
		{Job: &rivertype.JobRow{Queue: queueOther}},
	})
}

// JobGetAvailable claims jobs, but not for a process that stood still: its jobs
// may have been taken over, and it could claim the very job that an earlier
// attempt of its own still works. Its next heartbeat tells and ends those.
func (p *pilot) JobGetAvailable(ctx context.Context, exec riverdriver.Executor, state riverpilot.ProducerState, params *riverdriver.JobGetAvailableParams) (*riverdriver.JobGetAvailableResult, error) {
	if !p.alive() || !p.pending(ctx, params.Queue) {
		return &riverdriver.JobGetAvailableResult{}, nil
	}
	return p.StandardPilot.JobGetAvailable(ctx, exec, state, params)
}

// pending asks, for a tenth of what River's claim costs to prepare and without
// its write lock, whether there is anything to claim: most polls find nothing.
// When it cannot tell, the claim itself shall say why.
func (p *pilot) pending(ctx context.Context, queue string) bool {
	var one int
	err := p.db.QueryRowContext(ctx, "SELECT 1 FROM river_job WHERE state = 'available' AND queue = $1 LIMIT 1", queue).Scan(&one)
	return !errors.Is(err, sql.ErrNoRows)
}

// JobSetStateIfRunningMany records how jobs ended, but only of those that this
// process still holds. River checks no owner: without this, a process that was
// thought dead and comes back would end the jobs that others took over.
func (p *pilot) JobSetStateIfRunningMany(ctx context.Context, exec riverdriver.Executor, params *riverdriver.JobSetStateIfRunningManyParams) ([]*rivertype.JobRow, error) {
	rows, err := exec.JobGetByIDMany(ctx, &riverdriver.JobGetByIDManyParams{ID: params.ID, Schema: params.Schema})
	if err != nil {
		return nil, err
	}
	held := make(map[int64]int, len(rows))
	for _, row := range rows {
		last := len(row.AttemptedBy) - 1
		if row.State == rivertype.JobStateRunning && last >= 0 && row.AttemptedBy[last] == p.owner {
			held[row.ID] = row.Attempt
		}
	}
	ours := onlyHeld(params, held)
	if len(ours.ID) == 0 {
		return nil, nil
	}
	return p.StandardPilot.JobSetStateIfRunningMany(ctx, exec, ours)
}

// onlyHeld copies the parallel slices of params without the jobs not held, nor
// the failures of an earlier attempt than the one held.
func onlyHeld(params *riverdriver.JobSetStateIfRunningManyParams, held map[int64]int) *riverdriver.JobSetStateIfRunningManyParams {
	kept := &riverdriver.JobSetStateIfRunningManyParams{Now: params.Now, Schema: params.Schema}
	for i, id := range params.ID {
		attempt, ok := held[id]
		if !ok || failedEarlier(params.ErrData[i], attempt) {
			continue
		}
		kept.ID = append(kept.ID, id)
		kept.Attempt = append(kept.Attempt, params.Attempt[i])
		kept.ErrData = append(kept.ErrData, params.ErrData[i])
		kept.FinalizedAt = append(kept.FinalizedAt, params.FinalizedAt[i])
		kept.MetadataDoMerge = append(kept.MetadataDoMerge, params.MetadataDoMerge[i])
		kept.MetadataUpdates = append(kept.MetadataUpdates, params.MetadataUpdates[i])
		kept.ScheduledAt = append(kept.ScheduledAt, params.ScheduledAt[i])
		kept.State = append(kept.State, params.State[i])
	}
	return kept
}

// failedEarlier reports whether a failure, as River records it, is of another
// attempt than the given one.
func failedEarlier(failure []byte, attempt int) bool {
	if len(failure) == 0 {
		return false
	}
	var of rivertype.AttemptError
	return json.Unmarshal(failure, &of) == nil && of.Attempt != attempt
}

// quiet returns a logger for River, which logs each start, stop and retry as
// information: only its warnings and errors reach log, which may be nil.
func quiet(log *slog.Logger) *slog.Logger {
	if log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return slog.New(warnings{log.Handler()})
}

// warnings passes records of slog.LevelWarn and above.
type warnings struct{ slog.Handler }

// Enabled reports whether a record of the level is passed.
func (w warnings) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelWarn && w.Handler.Enabled(ctx, level)
}

// WithAttrs keeps the filter on the derived handler.
func (w warnings) WithAttrs(attrs []slog.Attr) slog.Handler {
	return warnings{w.Handler.WithAttrs(attrs)}
}

// WithGroup keeps the filter on the derived handler.
func (w warnings) WithGroup(name string) slog.Handler { return warnings{w.Handler.WithGroup(name)} }
