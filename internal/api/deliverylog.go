package api

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"shoal"
)

// wireDeliveryEntry is a delivery of the log.
type wireDeliveryEntry struct {
	ID          shoal.DeliveryID     `json:"id"`
	Object      string               `json:"object"`
	Run         orNull               `json:"run"`
	Squid       shoal.SquidID        `json:"squid"`
	Event       shoal.RunEvent       `json:"event"`
	Channel     shoal.Channel        `json:"channel"`
	Status      shoal.DeliveryStatus `json:"status"`
	Held        bool                 `json:"held"`
	Target      orNull               `json:"target"`
	Attempts    int                  `json:"attempts"`
	CreatedAt   stamp                `json:"created_at"`
	LastAt      stamp                `json:"last_attempt_at"`
	NextAt      stamp                `json:"next_attempt_at"`
	DeliveredAt stamp                `json:"delivered_at"`
	StatusCode  int                  `json:"status_code"`
	Detail      orNull               `json:"detail"`
}

func entryOf(d *shoal.Delivery) wireDeliveryEntry {
	e := wireDeliveryEntry{
		ID: d.ID, Object: "delivery", Run: orNull(d.RunID), Squid: d.SquidID, Event: d.Event, Channel: d.Channel, Status: d.Status,
		Held: d.Held, Target: orNull(d.Target), Attempts: d.Attempts, CreatedAt: stamp(d.CreatedAt), LastAt: stamp(d.LastAt),
		DeliveredAt: stamp(d.DeliveredAt), StatusCode: d.StatusCode, Detail: orNull(d.Detail),
	}
	if d.Status == shoal.DeliveryPending {
		e.NextAt = stamp(d.NextAt)
	}
	return e
}

// listDeliveries lists the delivery log, of a run, a squid or the workspace.
func (a *API) listDeliveries(c *call) error {
	q, err := c.query()
	if err != nil {
		return err
	}
	w, err := window(q)
	if err != nil {
		return err
	}
	f := shoal.DeliveryFilter{Status: shoal.DeliveryStatus(q.Get("status"))}
	if f.Run, err = idParam[shoal.RunID](q, "run", shoal.ErrRunNotFound); err != nil {
		return err
	}
	if f.Squid, err = idParam[shoal.SquidID](q, "squid", shoal.ErrSquidNotFound); err != nil {
		return err
	}
	known := []shoal.DeliveryStatus{"", shoal.DeliveryPending, shoal.DeliveryDelivered, shoal.DeliveryFailed, shoal.DeliveryCancelled}
	if !slices.Contains(known, f.Status) {
		return shoal.Invalid("InvalidParameterValue", "status", "status is %q; it must be pending, delivered, failed or cancelled", clip(string(f.Status), 40))
	}
	l, err := a.store.Deliveries(c.ctx(), c.ws, f, w)
	if err != nil {
		return err
	}
	return sendList(c, l, w, func(b []byte, d *shoal.Delivery) []byte { return appendJSON(b, entryOf(d)) })
}

// getDeliveryEntry shows one delivery.
func (a *API) getDeliveryEntry(c *call) error {
	id, err := id32[shoal.DeliveryID](c, shoal.ErrDeliveryNotFound)
	if err != nil {
		return err
	}
	d, err := a.store.Delivery(c.ctx(), c.ws, id)
	if err != nil {
		return err
	}
	return c.json(http.StatusOK, entryOf(&d))
}

// redeliver sends a delivery again.
func (a *API) redeliver(c *call) error {
	id, err := id32[shoal.DeliveryID](c, shoal.ErrDeliveryNotFound)
	if err != nil {
		return err
	}
	ctx := effectCtx(c, http.StatusOK, func(d shoal.Delivery) []byte { return appendJSON(nil, entryOf(&d)) })
	d, err := a.store.Redeliver(ctx, c.ws, id)
	if err != nil {
		return err
	}
	return c.json(http.StatusOK, entryOf(&d))
}

// wireTarget is the state of one channel of a squid.
type wireTarget struct {
	Channel  shoal.Channel `json:"channel"`
	Status   string        `json:"status"` // active or paused
	Why      orNull        `json:"why"`
	PausedAt stamp         `json:"paused_at"`
	Failures int           `json:"failures"`
	Pending  int64         `json:"pending"`
}

// getDelivery shows where a squid's results go, and how it goes there.
func (a *API) getDelivery(c *call) error {
	q, err := c.query()
	if err != nil {
		return err
	}
	s, err := c.squidOf(q)
	if err != nil {
		return err
	}
	targets, err := a.store.DeliveryTargets(c.ctx(), c.ws, s.ID)
	if err != nil {
		return err
	}
	out := map[string]any{"squid": s.ID, "email": orNull(s.Delivery.Email), "notifications": s.Delivery.Notify,
		"email_attachment": s.Delivery.EmailAttach, "email_attachment_form": attachmentForm(&s.Delivery), "notifications_activation_date": stamp(s.Delivery.NotifySince),
		"run_notify": orNull(s.RunNotify)}
	for _, ch := range channels {
		out[ch.key] = ch.unset
		if config := a.openChannel(ch, &s.Delivery); config != nil {
			out[ch.key] = ch.masked(config)
		}
	}
	shown := make([]wireTarget, len(targets))
	for i, t := range targets {
		shown[i] = wireTarget{t.Channel, "active", orNull(t.Why), stamp(t.PausedAt), t.Failures, t.Pending}
		if !t.PausedAt.IsZero() {
			shown[i].Status = "paused"
		}
	}
	out["targets"] = shown
	return c.json(http.StatusOK, out)
}

// pauseDelivery has what is for a channel of a squid wait.
func (a *API) pauseDelivery(c *call) error { return c.turnTarget("paused", a.store.PauseTarget) }

// resumeDelivery lets a paused channel of a squid work again.
func (a *API) resumeDelivery(c *call) error { return c.turnTarget("active", a.store.ResumeTarget) }

// turnTarget pauses or resumes the channel that the body names.
func (c *call) turnTarget(status string, turn func(context.Context, shoal.WorkspaceID, shoal.SquidID, shoal.Channel) error) error {
	q, err := c.query()
	if err != nil {
		return err
	}
	s, err := c.squidOf(q)
	if err != nil {
		return err
	}
	f, err := c.decode()
	if err != nil {
		return err
	}
	f.required("channel")
	channel := shoal.Channel(f.text("channel"))
	if f.err == nil && !slices.Contains(shoal.Channels, channel) {
		f.bad("channel", "channel is %q; it must be one of %s", clip(string(channel), 40), channelNames())
	}
	if err := f.error(); err != nil {
		return err
	}
	body := appendJSON(nil, map[string]any{"squid": s.ID, "channel": channel, "status": status})
	ctx := effectCtx(c, http.StatusOK, func(any) []byte { return body })
	if err := turn(ctx, c.ws, s.ID, channel); err != nil {
		return err
	}
	return c.send(http.StatusOK, body)
}

func channelNames() string {
	names := make([]string, len(shoal.Channels))
	for i, c := range shoal.Channels {
		names[i] = string(c)
	}
	return strings.Join(names, ", ")
}
