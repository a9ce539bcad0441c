package client

import (
	"context"
	"net/http"
)

// Retention is what is kept for how long, in days; 0: for ever.
type Retention struct {
	FileDays   int `json:"file_days"`   // after a file's last use
	ResultDays int `json:"result_days"` // after a run's end, unless a shorter rule holds
	Rules      []struct {
		Workspace  string `json:"workspace"`
		Squid      string `json:"squid"` // "": the workspace's rule
		Name       string `json:"name"`
		ResultDays int    `json:"result_days"`
	} `json:"rules"`
	// Due is what would be removed now.
	Due struct {
		Files   int64 `json:"files"`
		Bytes   int64 `json:"bytes"`
		Runs    int64 `json:"runs"`
		Results int64 `json:"results"`
	} `json:"due"`
}

// Retention returns the rules in force.
func (c *Client) Retention(ctx context.Context) (*Retention, error) {
	var r Retention
	return &r, c.do(ctx, http.MethodGet, "/admin/retention", nil, nil, &r)
}

// SetRetention changes rules: file_days, result_days, and whose they are
// (workspace or squid); with dry_run nothing is changed, and Due is what would go.
func (c *Client) SetRetention(ctx context.Context, rules map[string]any) (*Retention, error) {
	var r Retention
	return &r, c.do(ctx, http.MethodPost, "/admin/retention", nil, rules, &r)
}
