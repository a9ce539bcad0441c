package runs

import (
	"context"
	"errors"
	"fmt"
	"time"

	"shoal"
	"shoal/internal/crawl"
)

// obstacle returns the event of what keeps the run r of a crawler that is in the
// state c from working, of a workspace and squid that stand as st says; nil:
// nothing does. What no waiting mends comes first, so that a run does not wait
// for a thing in vain.
func obstacle(r *shoal.Run, c crawl.State, st *shoal.Standing) *Event {
	switch {
	case !st.SquidActive:
		return &Event{On: OnAbort, Reason: shoal.ReasonDeactivated, Desc: deactivatedSquid}
	case c.Off:
		return &Event{On: OnAbort, Reason: shoal.ReasonDeactivated, Desc: offDesc(c)}
	case st.Overdue != nil:
		return &Event{On: OnFail, Reason: shoal.ReasonLastInvoiceNotPaid, Desc: invoiceDesc("The invoice", st.Overdue)}
	case st.Fee != nil:
		return &Event{On: OnFail, Reason: shoal.ReasonMaintenanceFeesNotPaid, Desc: invoiceDesc("The crawler's maintenance fee: the invoice", st.Fee)}
	case c.Premium && !st.Premium:
		return &Event{On: OnFail, Reason: shoal.ReasonPremiumPlanNeeded}
	case c.Maintenance:
		return &Event{On: OnHold, Reason: shoal.ReasonModuleMaintenance, Desc: maintenanceDesc(c)}
	case st.Credits == 0 && costs(r):
		return &Event{On: OnHold, Reason: shoal.ReasonNoCreditsLeft}
	case !st.Room(r.Settings.Concurrency) && !(r.ForceLaunch && st.ForceLaunch):
		return &Event{On: OnHold, Reason: shoal.ReasonSlotsLimitExceeded, Desc: slotsDesc(r, st)}
	}
	return nil
}

// costs reports whether the run's rows have a price.
func costs(r *shoal.Run) bool {
	sum := r.Settings.CreditsPerRow
	for _, name := range r.Settings.Functions {
		sum += r.Settings.CreditsPerFunction[name]
	}
	return sum > 0
}

func invoiceDesc(what string, i *shoal.Invoice) string {
	return fmt.Sprintf("%s %s over %d.%02d %s was due on %s and is not paid. Pay it and start again.",
		what, i.Number, i.Cents/100, i.Cents%100, i.Currency, i.DueAt.Format(time.DateOnly))
}

func slotsDesc(r *shoal.Run, st *shoal.Standing) string {
	return fmt.Sprintf("The run needs %d of the plan's %d slots, and running runs hold %d. It goes on by itself when enough are free.",
		st.Slots(r.Settings.Concurrency), st.TotalSlots, st.UsedSlots)
}

const deactivatedSquid = "The squid was switched off. What was collected until then is exported; switch it on and start it again for the rest."

func offDesc(c crawl.State) string {
	return sentence("The crawler was switched off by the operator", c.Message) + " What was collected until then is exported."
}

func maintenanceDesc(c crawl.State) string {
	return sentence("The crawler is under maintenance", c.Message) + " The run goes on by itself when that is over."
}

// admitted returns what becomes of a run that e would put to work at now: e with
// the account that the run takes, or what stands against it.
func admitted(e Event, r *shoal.Run, c crawl.State, st *shoal.Standing, now time.Time) Event {
	if o := obstacle(r, c, st); o != nil {
		o.Asked, o.Rules = e.On == OnResume, e.Rules
		return *o
	}
	if r.TasksTotal > 0 && !tasksLeft(r) {
		return e // there is only the end left, which needs no account
	}
	p := pickAccount(r, st.Accounts, accountTrouble{}, now)
	switch {
	case p.reason != shoal.ReasonNone:
		return p.event(e)
	case p.account != nil:
		e.Account = p.account.PK
	}
	return e
}

// refusals are the errors of a person's start for what it need not begin to
// wait for; a run that a schedule or a chain starts waits, and everything else
// ends or holds the run that was made.
var refusals = map[shoal.DoneReason]struct{ code, advice string }{
	shoal.ReasonDeactivated:        {"ModuleUnavailable", "Choose another crawler, or wait until it is switched on again."},
	shoal.ReasonModuleMaintenance:  {"ModuleUnavailable", "Start it when that is over."},
	shoal.ReasonNoCreditsLeft:      {"NotEnoughBalance", "Get credits, or wait for the next period, and start it again."},
	shoal.ReasonSlotsLimitExceeded: {"SlotsLimitExceeded", "Wait until a run ends, or give this squid a lower concurrency."},
}

// refuseStart returns the error of a person's start that meets o, or nil.
func refuseStart(o *Event) error {
	if o == nil {
		return nil
	}
	r, ok := refusals[o.Reason]
	if !ok {
		return nil
	}
	desc := firstSentence(o.Desc) // what a run that waits does is not said: there is none
	if desc == "" {
		desc = short(o.Reason)
	}
	return shoal.Business(r.code, "%s", desc+" "+r.advice)
}

// begin decides what becomes of a run that was asked for by origin.
func (s *Service) begin(origin shoal.Origin, c crawl.State) shoal.Admission {
	return func(r *shoal.Run, st *shoal.Standing, now time.Time) (shoal.Effects, error) {
		if origin == shoal.OriginUser {
			if err := refuseStart(obstacle(r, c, st)); err != nil {
				return 0, err
			}
		}
		return advance(r, admitted(Event{On: OnStart, Rules: &s.config.Rules}, r, c, st, now), now)
	}
}

// advance makes of r what the state machine makes of it.
func advance(r *shoal.Run, e Event, now time.Time) (shoal.Effects, error) {
	next, effects, err := Next(*r, e, now)
	if err != nil {
		return 0, err
	}
	*r = next
	return effects, nil
}

// admit sends a run an event that would put it to work, through the gate: it
// works, or keeps the pause with the reason that now holds, or ends.
func (s *Service) admit(ctx context.Context, r *shoal.Run, actor string, e Event) (shoal.Run, error) {
	e.Rules = &s.config.Rules
	c, err := s.engine.State(ctx, r.WorkspaceID, r.CrawlerID)
	if err != nil {
		return shoal.Run{}, err
	}
	next, err := s.store.AdmitRun(ctx, r.ID, actor, func(r *shoal.Run, st *shoal.Standing, now time.Time) (shoal.Effects, error) {
		if r.Status != shoal.RunPaused {
			return advance(r, e, now) // refused, with the words for it
		}
		if e.On == OnWake && r.DoneReason == shoal.ReasonNone {
			return advance(r, e, now)
		}
		return advance(r, admitted(e, r, c, st, now), now)
	})
	if err != nil {
		return next, err
	}
	s.obey(&next)
	return next, nil
}

// wakeDue lets runs go on whose time has come, or whose cause somebody removed.
// One that cannot be looked at (its crawler's definition cannot be read, say)
// is in nobody's way: it is looked at again later.
func (s *Service) wakeDue(ctx context.Context) error {
	errs := []error{s.wakeRepaired(ctx)}
	for {
		due, err := s.store.RunsToWake(ctx, s.now(), wakeBatch)
		if err != nil {
			return errors.Join(append(errs, err)...)
		}
		for i := range due {
			err := s.wakeOne(ctx, &due[i])
			if err == nil {
				continue
			}
			s.log.Error("a paused run cannot be woken", "run", due[i].ID, "err", err)
			if err := s.wakeLater(ctx, due[i].ID); err != nil {
				return errors.Join(append(errs, err)...)
			}
		}
		if len(due) < wakeBatch {
			return errors.Join(errs...)
		}
	}
}

// wakeAgain is when a run is looked at again that could not be.
const wakeAgain = time.Minute

// wakeLater puts the wake-up of a run off that could not be looked at.
func (s *Service) wakeLater(ctx context.Context, id shoal.RunID) error {
	_, err := s.store.ChangeRun(ctx, id, engineActor, func(r *shoal.Run, now time.Time) (shoal.Effects, error) {
		if r.Status == shoal.RunPaused && !r.WakeAt.IsZero() && !r.WakeAt.After(now) {
			r.WakeAt = now.Add(wakeAgain)
		}
		return 0, nil
	})
	if err != nil {
		return fmt.Errorf("put the wake-up of run %s off: %w", id, err)
	}
	return nil
}

// wakeBatch is how many paused runs are looked at in one go.
const wakeBatch = 100

// wakeOne lets one run go on, if it may. What came too late is no error.
func (s *Service) wakeOne(ctx context.Context, r *shoal.Run) error {
	_, err := s.admit(ctx, r, engineActor, Event{On: OnWake})
	if kind := shoal.KindOf(err); err != nil && kind != shoal.KindConflict && kind != shoal.KindNotFound {
		return fmt.Errorf("wake run %s: %w", r.ID, err)
	}
	return nil
}

// wakeRepaired wakes the runs of crawlers whose maintenance is over: the
// operator said so, or their definition did.
func (s *Service) wakeRepaired(ctx context.Context) error {
	waiting, err := s.store.CrawlersPaused(ctx, shoal.ReasonModuleMaintenance)
	if err != nil {
		return err
	}
	var errs []error // one crawler's are not the others'
	for _, p := range waiting {
		c, err := s.engine.State(ctx, p.Workspace, p.Crawler)
		if err != nil || c.Maintenance {
			errs = append(errs, err)
			continue
		}
		err = s.store.WakeRuns(ctx, shoal.WakeCause{
			Reasons: []shoal.DoneReason{shoal.ReasonModuleMaintenance}, Workspace: p.Workspace, Crawler: p.Crawler})
		if err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// obeySwitches holds or ends a running run whose squid or crawler was switched
// off, or whose crawler came under maintenance.
func (s *Service) obeySwitches(ctx context.Context, ses *session, r *shoal.Run) error {
	squid, err := s.store.Squid(ctx, r.WorkspaceID, r.SquidID)
	if errors.Is(err, shoal.ErrSquidNotFound) {
		return nil // deleting it ends its run
	}
	if err != nil {
		return err
	}
	c, err := s.engine.State(ctx, r.WorkspaceID, r.CrawlerID)
	if err != nil {
		return err
	}
	if o := obstacle(r, c, &shoal.Standing{SquidActive: squid.IsActive, Credits: -1, Premium: true}); o != nil {
		s.once(ctx, ses, *o)
	}
	return nil
}

// SquidSwitched makes a squid's run obey its switch at once. A run that this
// does not reach, since the process died before, obeys at its next heartbeat or wake.
func (s *Service) SquidSwitched(ctx context.Context, squid *shoal.Squid) error {
	if squid.IsActive || squid.LastRun == nil || squid.LastRun.Status.Terminal() || squid.LastRun.Status == shoal.RunUploading {
		return nil
	}
	return s.tell(ctx, squid.LastRun.ID, Event{On: OnAbort, Reason: shoal.ReasonDeactivated, Desc: deactivatedSquid})
}
