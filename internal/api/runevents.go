package api

import (
	"fmt"
	"net/http"
	"strconv"
	"time"

	"shoal"
)

const (
	// heartbeat is how long an event stream is silent before a comment shows
	// that it lives.
	heartbeat = 15 * time.Second
	// progressEvery is the least time between two progress events.
	progressEvery = 250 * time.Millisecond
	eventBatch    = 500
	// tailEvents is how much of the log a new stream begins with.
	tailEvents = 200
)

// runEvents streams a run's history as server-sent events: status, log and
// progress. An event's id is its sequence number; a client that comes back with
// Last-Event-ID misses none. The stream ends when the run has ended.
func (a *API) runEvents(c *call) error {
	run, err := c.run()
	if err != nil {
		return err
	}
	after, resumed, err := lastEventID(c.r)
	if err != nil {
		return err
	}
	if a.stopped() {
		return errStopping
	}
	s := &stream{c: c, run: run, after: after}
	c.w.Header()["Content-Type"] = []string{"text/event-stream"}
	c.w.Header()["X-Accel-Buffering"] = []string{"no"}
	c.start(http.StatusOK)
	if !resumed {
		if err := s.begin(); err != nil {
			return err
		}
	}
	return s.follow()
}

func lastEventID(r *http.Request) (after int64, resumed bool, err error) {
	text := r.Header.Get("Last-Event-ID")
	if text == "" {
		return 0, false, nil
	}
	if after, err = strconv.ParseInt(text, 10, 64); err != nil || after < 0 {
		return 0, false, shoal.Invalid("InvalidParameterValue", "Last-Event-ID",
			"Last-Event-ID is %q; it must be the id of an event of this stream", clip(text, 40))
	}
	return after, true, nil
}

// stream is one client's event stream.
type stream struct {
	c     *call
	run   shoal.Run
	after int64 // the last event sent
	shown string
}

// begin sends a new stream every change of status so far, and lets the log
// begin with its last entries.
func (s *stream) begin() error {
	start := max(0, s.run.EventSeq-tailEvents)
	for after := int64(0); after < start; {
		events, err := s.c.a.store.Events(s.c.ctx(), s.c.ws, s.run.ID, after, eventBatch, shoal.EventStatus)
		if err != nil {
			return err
		}
		for i := range events {
			if after = events[i].Seq; after > start {
				break
			}
			s.add(&events[i])
		}
		if len(events) < eventBatch {
			break
		}
	}
	s.after = start
	return s.flush()
}

// follow sends what happens until the run has ended and all of it is sent.
func (s *stream) follow() error {
	for {
		// The run is looked at before its events: when it has ended, so have they.
		caught, err := s.events()
		if err != nil {
			return err
		}
		s.progress()
		if err := s.flush(); err != nil {
			return err
		}
		if s.run.Status.Terminal() && caught {
			return nil
		}
		if !caught {
			continue
		}
		if ok, err := s.wait(); err != nil || !ok {
			return err
		}
	}
}

// events adds the events after the last one; caught is true when there are no more.
func (s *stream) events() (caught bool, err error) {
	events, err := s.c.a.store.Events(s.c.ctx(), s.c.ws, s.run.ID, s.after, eventBatch)
	if err != nil {
		return false, err
	}
	for i := range events {
		s.add(&events[i])
		s.after = events[i].Seq
	}
	return len(events) < eventBatch, nil
}

func (s *stream) add(e *shoal.Event) {
	name := "log"
	if e.Kind == shoal.EventStatus {
		name = "status"
	}
	b := append(s.c.buf, "id: "...)
	b = strconv.AppendInt(b, e.Seq, 10)
	b = append(append(append(b, "\nevent: "...), name...), "\ndata: "...)
	b = appendEvent(b, e)
	s.c.buf = append(b, '\n', '\n')
}

// progress adds the run's figures if they are others than those last sent. It
// has no id: what was missed does not matter.
func (s *stream) progress() {
	figures := fmt.Sprint(s.run.Status, s.run.TotalRequests, s.run.KnownRequests, s.run.TotalResults, s.run.UniqueResults, s.run.TasksDone)
	if figures == s.shown {
		return
	}
	s.shown = figures
	b := append(s.c.buf, "event: progress\ndata: "...)
	b = appendJSON(b, s.c.a.stats(&s.run))
	s.c.buf = append(b, '\n', '\n')
}

func (s *stream) flush() error {
	if len(s.c.buf) == 0 {
		return nil
	}
	s.c.longAnswer(writeGrace)
	_, err := s.c.w.Write(s.c.buf)
	s.c.buf = s.c.buf[:0]
	if err == nil {
		err = http.NewResponseController(s.c.w).Flush()
	}
	return dropped(err)
}

// wait returns true when the run has something new, at most every
// progressEvery; false when the stream is to end.
func (s *stream) wait() (bool, error) {
	began := time.Now()
	for {
		ctx, cancel := s.c.a.untilStopping(s.c.ctx(), heartbeat)
		run, err := s.c.a.store.WaitRun(ctx, s.run.ID, s.run, true)
		cancel()
		if err != nil && (s.c.ctx().Err() != nil || s.c.a.stopped()) {
			return false, nil
		}
		// A key that is revoked, or whose user is switched off, sees no more.
		if refused := s.c.authenticate(); refused != nil {
			return false, unlessRefused(refused)
		}
		if err == nil {
			s.run = run
			return s.pace(progressEvery - time.Since(began)), nil
		}
		if !isEnd(err) {
			return false, err
		}
		s.c.buf = append(s.c.buf, ": still here\n\n"...)
		if err := s.flush(); err != nil {
			return false, err
		}
	}
}

// unlessRefused is nil for a refusal: the stream just ends, and the client learns
// why when it comes back.
func unlessRefused(err error) error {
	if kind := shoal.KindOf(err); kind == shoal.KindUnauthenticated || kind == shoal.KindForbidden {
		return nil
	}
	return err
}

// pace waits for d, so that a fast run does not flood its watchers; false when
// the stream is to end.
func (s *stream) pace(d time.Duration) bool {
	if d <= 0 || s.run.Status.Terminal() {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-s.c.a.stopping:
		return false
	case <-s.c.ctx().Done():
		return false
	}
}
