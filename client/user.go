package client

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

// Me is the user behind the key.
type Me struct {
	ID        string `json:"id"`
	Email     string `json:"email"`
	FirstName string `json:"first_name"`
	LastName  string `json:"last_name"`
	IsStaff   bool   `json:"is_staff"`
}

// Balance is the workspace's plan; the numbers are whole credits.
type Balance struct {
	Name                string `json:"name"`
	Available           int64  `json:"available"` // of the period, rollover and bonus included
	Consumed            int64  `json:"consumed"`
	BonusCredit         int64  `json:"bonus_credit"`
	RolloverCredit      int64  `json:"rollover_credit"`
	Interval            string `json:"interval"`
	UsedSlots           int64  `json:"used_slots"`
	TotalAvailableSlots int64  `json:"total_available_slots"`
	HasUnpaidBill       bool   `json:"has_unpaid_bill"`
	ResetTime           Time   `json:"reset_time"`
}

// Me returns the user behind the key.
func (c *Client) Me(ctx context.Context) (*Me, error) {
	var v Me
	return &v, c.do(ctx, http.MethodGet, "/me", nil, nil, &v)
}

// Health is what a server says of itself.
type Health struct {
	Status  string `json:"status"`
	Version string `json:"version"`
}

// Health asks the server at path, /healthz or /readyz, how it is, and returns its time.
func (c *Client) Health(ctx context.Context, path string) (h Health, date time.Time, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base+path, nil)
	if err != nil {
		return h, date, fmt.Errorf("build request: %w", err)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return h, date, c.noAnswer(req, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode >= 300 {
		return h, date, errorOf(resp)
	}
	if date, err = http.ParseTime(resp.Header.Get("Date")); err != nil {
		return h, date, fmt.Errorf("%s: %w", path, err)
	}
	return h, date, json.NewDecoder(resp.Body).Decode(&h)
}

// Balance returns the workspace's plan and what is used of it.
func (c *Client) Balance(ctx context.Context) (*Balance, error) {
	var v Balance
	return &v, c.do(ctx, http.MethodGet, "/user/balance", nil, nil, &v)
}
