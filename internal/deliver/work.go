package deliver

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"sync"
	"time"

	"shoal"
	"shoal/internal/jobs"
)

// Store is what the deliveries need of the store. internal/store has it.
type Store interface {
	// ClaimDelivery gives the target's oldest delivery to the caller, for as long
	// as lasts, if it is due and nobody else has it; nil otherwise.
	ClaimDelivery(ctx context.Context, squidPK int64, c shoal.Channel, lasts time.Duration) (*shoal.DeliveryWork, error)
	// RenewDelivery keeps a claimed delivery for longer; ErrFenced when it was lost.
	RenewDelivery(ctx context.Context, w *shoal.DeliveryWork, lasts time.Duration) error
	// ReleaseDelivery gives a claimed delivery back, as if it had not been tried.
	ReleaseDelivery(ctx context.Context, w *shoal.DeliveryWork) error
	// RecordDelivery writes what became of an attempt and gives the target back;
	// ErrFenced when the claim was lost.
	RecordDelivery(ctx context.Context, w *shoal.DeliveryWork, o shoal.DeliveryOutcome) error
	// ReleaseDeliveries takes every claim back: whoever held one is dead.
	ReleaseDeliveries(ctx context.Context) error
	// QueueDeliveries enqueues jobs for targets whose deliveries are overdue.
	QueueDeliveries(ctx context.Context, overdue time.Duration) error

	RunByID(ctx context.Context, id shoal.RunID) (shoal.Run, error)
	ExportOf(ctx context.Context, run shoal.RunID, format shoal.Format, variant string) (shoal.Export, error)
	ReadResults(ctx context.Context, q shoal.ResultQuery) ([]shoal.Result, error)
}

const (
	// claimLasts is for how long a delivery is claimed; it is renewed meanwhile.
	claimLasts = time.Minute
	renewEvery = 20 * time.Second
	// recordTimeout bounds the writing of an outcome when the process stops.
	recordTimeout = 3 * time.Second
	// overdue is how late a delivery may be before its job is thought lost.
	overdue = time.Minute
)

// Recover takes back what the process before this one was sending. Call it
// before jobs are worked, and only when this process alone uses the database.
func (s *Service) Recover(ctx context.Context) error { return s.Store.ReleaseDeliveries(ctx) }

// Run looks for deliveries whose jobs were lost, until ctx ends.
func (s *Service) Run(ctx context.Context) error {
	tick := time.NewTicker(overdue)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if err := s.Store.QueueDeliveries(ctx, overdue); err != nil && ctx.Err() == nil {
			s.Logger.Error("looking for overdue deliveries failed", "err", err)
		}
	}
}

// Deliver sends the oldest delivery of a target, if it is due. It is the
// handler of jobs.KindDeliver.
func (s *Service) Deliver(ctx context.Context, raw json.RawMessage) (jobs.Outcome, error) {
	var args jobs.DeliverArgs
	if err := json.Unmarshal(raw, &args); err != nil {
		return jobs.Done, shoal.Invalid("InvalidParam", "args", "deliver job with unreadable arguments %s: %v", raw, err)
	}
	work, err := s.Store.ClaimDelivery(ctx, args.Squid, shoal.Channel(args.Channel), claimLasts)
	if err != nil || work == nil {
		return jobs.Done, err
	}
	outcome, known := s.owed.take(work)
	if !known {
		answer, want := s.attempt(ctx, work)
		if ctx.Err() != nil && want && !answer.OK {
			// The process stops: the attempt was cut short, which says nothing of the
			// other side. The job is worked again after the start.
			steady, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordTimeout)
			defer cancel()
			return jobs.Done, errors.Join(ctx.Err(), s.Store.ReleaseDelivery(steady, work))
		}
		outcome = s.outcome(work, answer, want)
	}
	return jobs.Done, s.record(ctx, work, outcome)
}

// record writes what became of an attempt, or remembers it when it cannot be
// written now.
func (s *Service) record(ctx context.Context, w *shoal.DeliveryWork, o shoal.DeliveryOutcome) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordTimeout)
	defer cancel()
	err := s.Store.RecordDelivery(ctx, w, o)
	if errors.Is(err, shoal.ErrFenced) {
		return nil // another process took it over, and decides
	}
	if err != nil {
		s.owed.keep(w, o)
	}
	return err
}

// attempt sends the delivery while it keeps the claim. want is false when
// nobody wants it any more.
func (s *Service) attempt(ctx context.Context, w *shoal.DeliveryWork) (answer Answer, want bool) {
	p, wanted := s.pack(w)
	if !wanted {
		return Answer{Detail: "The channel was taken away or switched off before this was sent"}, false
	}
	sender := s.senders[w.Channel]
	if sender == nil {
		return Answer{Detail: "This version does not send to this kind of channel yet", final: true}, true
	}
	if p == nil {
		return Answer{Detail: "The settings of the channel cannot be opened: they were sealed with another secret key. Set them again", final: true}, true
	}
	ctx, lost := context.WithCancel(ctx)
	defer lost()
	var keeping sync.WaitGroup
	sent, done := context.WithCancel(ctx)
	keeping.Go(func() { s.keep(sent, w, lost) })
	answer = sender.send(ctx, p)
	done()
	keeping.Wait()
	return answer, true
}

// keep renews the claim until ctx ends; lost is called if somebody else has it.
func (s *Service) keep(ctx context.Context, w *shoal.DeliveryWork, lost func()) {
	tick := time.NewTicker(renewEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		err := s.Store.RenewDelivery(ctx, w, claimLasts)
		if errors.Is(err, shoal.ErrFenced) {
			lost()
			return
		}
		if err != nil && ctx.Err() == nil {
			s.Logger.Warn("a delivery's claim could not be renewed", "delivery", w.ID, "err", err)
		}
	}
}

// pack opens what is needed to send. wanted is false when the channel is gone
// or off; the parcel is nil when its settings cannot be opened.
func (s *Service) pack(w *shoal.DeliveryWork) (p *parcel, wanted bool) {
	if w.Channel == shoal.ChannelEmail {
		return s.packEmail(w)
	}
	part := w.Config.Part(w.Channel)
	if part == nil || len(*part) == 0 {
		return nil, false
	}
	config, err := s.Seal.Open(Purpose(w.Channel), *part)
	if err != nil {
		s.Logger.Error("a stored delivery cannot be opened", "squid", w.SquidID, "channel", w.Channel, "err", err)
		return nil, true
	}
	wants := Wants(w.Channel, config)
	return &parcel{delivery: &w.Delivery, config: config}, slices.Contains(wants, w.Event) || w.Event == shoal.EventDeliveryPaused && len(wants) > 0
}

// packEmail chooses whom to write to: the delivery's address, else the owner's.
func (s *Service) packEmail(w *shoal.DeliveryWork) (*parcel, bool) {
	to := w.Config.Email
	if to == "" {
		to = w.Owner
	}
	wanted := slices.Contains(w.Config.Wanted(w.Event, w.Notify), shoal.ChannelEmail) ||
		w.Event == shoal.EventDeliveryPaused && slices.Contains(w.Config.Alerts(w.Notify), shoal.ChannelEmail)
	config, err := json.Marshal(struct {
		Email  string `json:"email"`
		Attach bool   `json:"attach"`
		shoal.ExportForm
	}{to, w.Config.EmailAttach, w.Config.EmailForm})
	if err != nil || !wanted {
		return nil, false
	}
	return &parcel{delivery: &w.Delivery, config: config}, true
}

// outcome decides what becomes of the delivery after its attempt.
func (s *Service) outcome(w *shoal.DeliveryWork, a Answer, want bool) shoal.DeliveryOutcome {
	o := shoal.DeliveryOutcome{Target: a.Target, StatusCode: a.Status, Detail: clip(a.Detail, maxDetail)}
	switch wait, again := s.backoff(w); {
	case !want:
		o.Status = shoal.DeliveryCancelled
	case a.OK:
		o.Status, o.Config = shoal.DeliveryDelivered, s.sealed(w.Channel, a.learned)
	case again && !a.final && a.Status != http.StatusGone:
		o.Status, o.NextAt = shoal.DeliveryPending, s.Now().Add(wait)
	default:
		o.Status = shoal.DeliveryFailed
		// 410 Gone: the receiver says that it will never be there again.
		o.PauseTarget = a.Status == http.StatusGone
	}
	if o.Status == shoal.DeliveryFailed {
		s.Logger.Warn("a delivery was given up", "delivery", w.ID, "run", w.RunID, "channel", w.Channel, "target", o.Target, "detail", o.Detail)
	}
	return o
}

func (s *Service) sealed(c shoal.Channel, config []byte) []byte {
	if config == nil {
		return nil
	}
	return s.Seal.Seal(Purpose(c), config)
}

// backoff is the channel's policy for what has been tried now.
func (s *Service) backoff(w *shoal.DeliveryWork) (time.Duration, bool) {
	retry := true
	if w.Channel == shoal.ChannelWebhook {
		if config, err := s.Seal.Open(Purpose(w.Channel), w.Config.Webhook); err == nil {
			var c webhookConfig
			retry = json.Unmarshal(config, &c) == nil && c.Retry
		}
	}
	return backoff(w.Channel, retry, w.Attempts+1)
}
