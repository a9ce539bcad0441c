package runs

import (
	"context"
	"time"

	"shoal"
)

// StartRequest asks for a run.
type StartRequest struct {
	Workspace   shoal.WorkspaceID
	Squid       shoal.SquidID
	Origin      shoal.Origin // empty: user
	Actor       string
	ForceLaunch bool
}

// Start starts a run of a squid and returns it as it was created: pending, with
// zero counters. The errors are ErrSquidNotFound and the Business errors
// ModuleUnavailable, SquidNotReady, NoTasksPresent and RunInProgress; a person
// is also refused what would have to wait (NotEnoughBalance, SlotsLimitExceeded),
// while a schedule's or chain's run is made and waits.
func (s *Service) Start(ctx context.Context, q StartRequest) (shoal.Run, error) {
	return s.start(ctx, q, func(*NewRun) {})
}

// Launch starts a run for a slot of its squid's schedule, as Start does;
// ErrLaunchTaken when the slot was dealt with already.
func (s *Service) Launch(ctx context.Context, c shoal.LaunchClaim) (shoal.Run, error) {
	q := StartRequest{Workspace: c.Due.WorkspaceID, Squid: c.Due.SquidID, Origin: shoal.OriginSchedule, Actor: "schedule"}
	return s.start(ctx, q, func(n *NewRun) { n.Launch = &c })
}

// Chain starts the run that a hand-over leads to, as Start does, and ends the
// hand-over with it; ErrHandoverMoved when that has ended already. Without
// autostart the run is made and left paused, until a person resumes it.
func (s *Service) Chain(ctx context.Context, h shoal.Handover, said func(shoal.Handover, shoal.RunID) string) (shoal.Run, error) {
	q := StartRequest{Workspace: h.WorkspaceID, Squid: h.Target, Origin: shoal.OriginChain, Actor: "chain"}
	return s.start(ctx, q, func(n *NewRun) {
		id := n.ID
		n.Handover = &shoal.HandoverEnd{Of: h.RunID, Said: func(h shoal.Handover) string { return said(h, id) }}
		if !h.Autostart {
			n.Begin = s.leavePaused
		}
	})
}

// leavePaused holds a new run as a person's pause does.
func (s *Service) leavePaused(r *shoal.Run, _ *shoal.Standing, now time.Time) (shoal.Effects, error) {
	return advance(r, Event{On: OnPause, Desc: leftPaused, Rules: &s.config.Rules}, now)
}

const leftPaused = "Made by a chain whose autostart is off. It begins when a person resumes it."

// start is Start with what else belongs to the new run.
func (s *Service) start(ctx context.Context, q StartRequest, with func(*NewRun)) (shoal.Run, error) {
	squid, err := s.store.Squid(ctx, q.Workspace, q.Squid)
	if err != nil {
		return shoal.Run{}, err
	}
	if !squid.IsActive {
		return shoal.Run{}, shoal.Business("SquidNotReady", "The squid is not ready: it is switched off. Set is_active to true first.")
	}
	version, settings, err := s.engine.Prepare(ctx, &squid)
	if err != nil {
		return shoal.Run{}, err
	}
	if squid.ActiveTasks == 0 {
		return shoal.Run{}, shoal.Business("NoTasksPresent", "The squid has no active task. Add one with POST /v1/tasks first.")
	}
	if q.Origin == "" {
		q.Origin = shoal.OriginUser
	}
	state, err := s.engine.State(ctx, q.Workspace, squid.CrawlerID)
	if err != nil {
		return shoal.Run{}, err
	}
	n := NewRun{
		ID: shoal.NewID[shoal.RunID](), WorkspaceID: q.Workspace, SquidID: q.Squid, Version: version,
		Origin: q.Origin, Actor: q.Actor, ForceLaunch: q.ForceLaunch, Settings: settings, Begin: s.begin(q.Origin, state),
	}
	with(&n)
	r, err := s.store.CreateRun(ctx, n)
	if err != nil {
		return shoal.Run{}, err
	}
	// The disk may fill before the watch looks again, and then nothing can be recorded.
	if err := s.holdWhenLow(ctx, r.ID); err != nil {
		s.log.Error("look at the disk", "run", r.ID, "err", err)
	}
	return AsCreated(r), nil
}

// AsCreated returns r as it was when it was created, which is what the wire
// contract answers to a start although the run is running by then.
func AsCreated(r shoal.Run) shoal.Run {
	r.Status = shoal.RunPending
	r.StartedAt, r.ActiveSince = time.Time{}, time.Time{}
	return r
}

// Pause halts a run until a person resumes it. Pages in flight may still commit.
func (s *Service) Pause(ctx context.Context, ws shoal.WorkspaceID, id shoal.RunID, actor string) (shoal.Run, error) {
	return s.act(ctx, ws, id, actor, Event{On: OnPause})
}

// Resume lets a paused run go on, whatever it was paused for, unless something
// stands against it: then the run says what, and goes on when that is gone.
func (s *Service) Resume(ctx context.Context, ws shoal.WorkspaceID, id shoal.RunID, actor string) (shoal.Run, error) {
	r, err := s.store.Run(ctx, ws, id)
	if err != nil {
		return shoal.Run{}, err
	}
	return s.admit(ctx, &r, actor, Event{On: OnResume})
}

// Abort stops a run at once and has its partial results exported.
// ErrRunNotFound when it is unknown or has ended.
func (s *Service) Abort(ctx context.Context, ws shoal.WorkspaceID, id shoal.RunID, actor string) (shoal.Run, error) {
	return s.act(ctx, ws, id, actor, Event{On: OnAbort})
}

// userActor is who asks for what only people can ask for.
const userActor = "user"

// Export has the export of a run that has ended made again. The run's
// ExportDone is false until it is.
func (s *Service) Export(ctx context.Context, ws shoal.WorkspaceID, id shoal.RunID) (shoal.Run, error) {
	return s.act(ctx, ws, id, userActor, Event{On: OnExportAsked})
}

// Share makes a run's results public by link, or private again.
func (s *Service) Share(ctx context.Context, ws shoal.WorkspaceID, id shoal.RunID, shared bool) (shoal.Run, error) {
	if _, err := s.store.Run(ctx, ws, id); err != nil {
		return shoal.Run{}, err
	}
	return s.store.ChangeRun(ctx, id, userActor, func(r *shoal.Run, _ time.Time) (shoal.Effects, error) {
		r.Shared = shared
		return 0, nil
	})
}

// act sends a person's event to a run of their workspace.
func (s *Service) act(ctx context.Context, ws shoal.WorkspaceID, id shoal.RunID, actor string, e Event) (shoal.Run, error) {
	if _, err := s.store.Run(ctx, ws, id); err != nil {
		return shoal.Run{}, err
	}
	return s.change(ctx, id, actor, e)
}
