package client

import (
	"context"
	"net/http"
	"net/url"
)

// DeliveryTest is what came of the test of a delivery.
type DeliveryTest struct {
	Success    bool   `json:"success"`
	StatusCode int    `json:"status_code"`
	Detail     string `json:"detail"`
}

// SetDelivery stores where a squid's results go and returns what was stored,
// secrets masked. fields are those of POST /v1/delivery, such as
// {"webhook_fields": {"url": "https://…"}}; null takes a channel away.
func (c *Client) SetDelivery(ctx context.Context, squid string, fields map[string]any) (map[string]any, error) {
	var out map[string]any
	err := c.do(ctx, http.MethodPost, "/delivery", url.Values{"squid": {squid}}, fields, &out)
	return out, err
}

// TestDelivery sends a test message through a channel: email, webhook, slack,
// s3, sftp, googlesheet or database. With a squid, what fields leave out is
// what the squid has stored.
func (c *Client) TestDelivery(ctx context.Context, channel, squid string, fields map[string]any) (*DeliveryTest, error) {
	q := url.Values{}
	if squid != "" {
		q.Set("squid", squid)
	}
	if fields == nil {
		fields = map[string]any{}
	}
	var out DeliveryTest
	if err := c.do(ctx, http.MethodPost, "/delivery/test-"+url.PathEscape(channel), q, fields, &out); err != nil {
		return nil, err
	}
	return &out, nil
}

// Delivery is one event of a run on its way through one channel.
type Delivery struct {
	ID          string  `json:"id"`
	Run         *string `json:"run"`
	Squid       string  `json:"squid"`
	Event       string  `json:"event"`
	Channel     string  `json:"channel"`
	Status      string  `json:"status"`
	Held        bool    `json:"held"`
	Target      *string `json:"target"`
	Attempts    int     `json:"attempts"`
	CreatedAt   Time    `json:"created_at"`
	NextAt      *Time   `json:"next_attempt_at"`
	DeliveredAt *Time   `json:"delivered_at"`
	StatusCode  int     `json:"status_code"`
	Detail      *string `json:"detail"`
}

// Deliveries lists the delivery log, newest first; an empty run, squid or
// status does not choose.
func (c *Client) Deliveries(ctx context.Context, run, squid, status string, w Window) (*Page[Delivery], error) {
	q := w.values()
	for name, v := range map[string]string{"run": run, "squid": squid, "status": status} {
		if v != "" {
			q.Set(name, v)
		}
	}
	var out Page[Delivery]
	if err := c.do(ctx, http.MethodGet, "/deliveries", q, nil, &out); err != nil {
		return nil, err
	}
	return &out, nil
}

// Redeliver sends a delivery again, under its own id.
func (c *Client) Redeliver(ctx context.Context, id string) (*Delivery, error) {
	var out Delivery
	if err := c.do(ctx, http.MethodPost, "/deliveries/"+url.PathEscape(id)+"/redeliver", nil, nil, &out); err != nil {
		return nil, err
	}
	return &out, nil
}

// SquidDelivery returns where a squid's results go, secrets masked, and how its
// channels do.
func (c *Client) SquidDelivery(ctx context.Context, squid string) (map[string]any, error) {
	var out map[string]any
	err := c.do(ctx, http.MethodGet, "/delivery", url.Values{"squid": {squid}}, nil, &out)
	return out, err
}

// PauseDelivery has what is for a channel of a squid wait until it is resumed.
func (c *Client) PauseDelivery(ctx context.Context, squid, channel string) error {
	return c.do(ctx, http.MethodPost, "/delivery/pause", url.Values{"squid": {squid}}, map[string]any{"channel": channel}, nil)
}

// ResumeDelivery lets a paused channel of a squid work again.
func (c *Client) ResumeDelivery(ctx context.Context, squid, channel string) error {
	return c.do(ctx, http.MethodPost, "/delivery/resume", url.Values{"squid": {squid}}, map[string]any{"channel": channel}, nil)
}
