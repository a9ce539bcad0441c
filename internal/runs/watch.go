package runs

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"shoal"
)

// heartbeat renews this process's leases, and looks what others made of the
// runs that it works for: a pause or an abort may have come by another process.
func (s *Service) heartbeat(ctx context.Context) error {
	s.sessions.sweep()
	all := s.sessions.all()
	if len(all) == 0 {
		return nil
	}
	if _, err := s.store.RenewLeases(ctx, s.config.Owner, s.config.LeaseTTL); err != nil {
		return err
	}
	var errs []error // one run's are not the others'
	for _, ses := range all {
		errs = append(errs, s.look(ctx, ses))
	}
	return errors.Join(errs...)
}

// look makes a session obey what became of its run.
func (s *Service) look(ctx context.Context, ses *session) error {
	r, err := s.store.RunByID(ctx, ses.id)
	if errors.Is(err, shoal.ErrRunNotFound) {
		ses.kill()
		return nil
	}
	if err != nil {
		return err
	}
	s.obey(&r)
	if r.Status != shoal.RunRunning || !ses.ready.Load() {
		return nil
	}
	s.refresh(ctx, ses, &r)
	return s.obeySwitches(ctx, ses, &r)
}

// refresh looks at what other processes did for the run, and at the cap on time,
// which no page crosses.
func (s *Service) refresh(ctx context.Context, ses *session, r *shoal.Run) {
	if !r.LastProgressAt.IsZero() {
		raise(&ses.progress, r.LastProgressAt.UnixNano())
	}
	s.checkCaps(ctx, ses, r.TotalRequests, r.BytesFetched)
	if limit := r.Settings.MaxDuration; limit > 0 && r.Duration(s.now()) >= limit {
		s.limit(ctx, ses, fmt.Sprintf("Stopped at the run's cap of %s of execution.", spell(limit)))
	}
}

// lookForStalls makes runs that stand still say why.
func (s *Service) lookForStalls(ctx context.Context) error {
	running, err := s.store.RunsIn(ctx, 1000, shoal.RunRunning)
	if err != nil {
		return err
	}
	for i := range running {
		r := &running[i]
		last := later(r.LastProgressAt, r.ActiveSince)
		ses := s.sessions.find(r.ID)
		if ses != nil {
			last = later(last, time.Unix(0, ses.progress.Load()))
		}
		if s.now().Sub(last) < s.config.Stall {
			continue
		}
		if err := s.sayWhy(ctx, r, ses, last); err != nil {
			return err
		}
	}
	return nil
}

// sayWhy sets the message of a run that has had no page since last.
func (s *Service) sayWhy(ctx context.Context, r *shoal.Run, ses *session, last time.Time) error {
	cause := s.cause(r, ses)
	if cause == "" || strings.HasSuffix(r.DoneReasonDesc, cause) {
		return nil
	}
	desc := fmt.Sprintf("No page since %s UTC. %s", last.UTC().Format("15:04:05"), cause)
	if ses != nil {
		ses.stalled.Store(true)
	}
	if err := s.store.SetRunMessage(ctx, r.ID, desc); err != nil {
		return fmt.Errorf("say why run %s stands still: %w", r.ID, err)
	}
	if r.DoneReasonDesc != "" {
		return nil // the history has a note of this stall already
	}
	s.log.Warn("run stands still", "run", r.ID, "why", cause)
	return s.store.AddNote(ctx, r.ID, "warning", desc)
}

// cause says what a run that stands still waits for; empty when another
// process knows better.
func (s *Service) cause(r *shoal.Run, ses *session) string {
	if ses == nil {
		if r.DoneReasonDesc != "" {
			return ""
		}
		return "No worker has a free slot for the run, or no worker is running; other runs may hold them all."
	}
	hosts := hostsOf(ses.underWay())
	if len(hosts) == 0 {
		return "None of its requests is under way: its slots wait for work that another worker holds, or for the database."
	}
	why := make([]string, 0, 3)
	for _, host := range hosts[:min(len(hosts), 3)] {
		w := s.engine.Why(host, s.now())
		if w == "" {
			w = "Waiting for an answer from " + host + "."
		}
		why = append(why, w)
	}
	return strings.Join(why, " ")
}

// hostsOf returns the hosts of URLs, each once, in order.
func hostsOf(urls []string) []string {
	var hosts []string
	for _, raw := range urls {
		if u, err := url.Parse(raw); err == nil && u.Host != "" {
			hosts = append(hosts, u.Host)
		}
	}
	slices.Sort(hosts)
	return slices.Compact(hosts)
}
