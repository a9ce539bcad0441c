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
