package client

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
)

// Plan is what a workspace may use; a nil number is unlimited.
type Plan struct {
	ID           string   `json:"id"`
	Object       string   `json:"object"`
	Name         string   `json:"name"`
	Credits      *float64 `json:"credits"`
	Interval     string   `json:"interval"`
	RolloverMax  *float64 `json:"rollover_max"`
	RolloverDays int64    `json:"rollover_days"`
	Slots        *int64   `json:"slots"`
	ForceLaunch  bool     `json:"force_launch"`
	Premium      bool     `json:"premium"`
	CreatedAt    Time     `json:"created_at"`
}

// CreditEntry is a movement of credits other than their consumption.
type CreditEntry struct {
	Object  string  `json:"object"`
	Kind    string  `json:"kind"`
	Pool    string  `json:"pool"`
	Credits float64 `json:"credits"`
	At      Time    `json:"at"`
	Note    string  `json:"note"`
}

// Invoice is a demand for payment.
type Invoice struct {
	ID          string  `json:"id"`
	Object      string  `json:"object"`
	Number      string  `json:"number"`
	Workspace   string  `json:"workspace"`
	Crawler     *string `json:"crawler"`
	Amount      float64 `json:"amount"`
	Currency    string  `json:"currency"`
	Note        string  `json:"note"`
	Status      string  `json:"status"`
	CreatedAt   Time    `json:"created_at"`
	DueAt       Time    `json:"due_at"`
	PaidAt      Time    `json:"paid_at"`
	CancelledAt Time    `json:"cancelled_at"`
}

// Plans lists plans, newest first.
func (c *Client) Plans(ctx context.Context, w Window) (*Page[Plan], error) {
	var p Page[Plan]
	return &p, c.do(ctx, http.MethodGet, "/admin/plans", w.values(), nil, &p)
}

// CreatePlan makes a plan of the given terms.
func (c *Client) CreatePlan(ctx context.Context, terms map[string]any) (*Plan, error) {
	var p Plan
	return &p, c.do(ctx, http.MethodPost, "/admin/plans", nil, terms, &p)
}

// UpdatePlan changes terms of a plan.
func (c *Client) UpdatePlan(ctx context.Context, idOrName string, terms map[string]any) (*Plan, error) {
	var p Plan
	return &p, c.do(ctx, http.MethodPost, "/admin/plans/"+url.PathEscape(idOrName), nil, terms, &p)
}

// DeletePlan deletes a plan that no workspace is on.
func (c *Client) DeletePlan(ctx context.Context, idOrName string) error {
	return c.do(ctx, http.MethodDelete, "/admin/plans/"+url.PathEscape(idOrName), nil, nil, nil)
}

// AssignPlan puts a workspace (id, or a user's email) on a plan; an empty zone is UTC.
func (c *Client) AssignPlan(ctx context.Context, workspace, plan, zone string) (*Balance, error) {
	var b Balance
	body := map[string]string{"plan": plan, "timezone": zone}
	return &b, c.do(ctx, http.MethodPost, workspacePath(workspace)+"/plan", nil, body, &b)
}

// WorkspaceBalance returns a workspace's plan and what is used of it.
func (c *Client) WorkspaceBalance(ctx context.Context, workspace string) (*Balance, error) {
	var b Balance
	return &b, c.do(ctx, http.MethodGet, workspacePath(workspace)+"/balance", nil, nil, &b)
}

// GrantCredits gives a workspace bonus credits, or takes some back.
func (c *Client) GrantCredits(ctx context.Context, workspace string, credits float64, note string) (*Balance, error) {
	var b Balance
	body := map[string]any{"credits": credits, "note": note}
	return &b, c.do(ctx, http.MethodPost, workspacePath(workspace)+"/credits", nil, body, &b)
}

// CreditEntries lists the movements of a workspace's credits, newest first.
func (c *Client) CreditEntries(ctx context.Context, workspace string, w Window) (*Page[CreditEntry], error) {
	var p Page[CreditEntry]
	return &p, c.do(ctx, http.MethodGet, workspacePath(workspace)+"/credits", w.values(), nil, &p)
}

func workspacePath(workspace string) string {
	return "/admin/workspaces/" + url.PathEscape(workspace)
}

// Invoices lists invoices, newest first; an empty workspace is all of them.
func (c *Client) Invoices(ctx context.Context, workspace string, unpaid bool, w Window) (*Page[Invoice], error) {
	q := w.values()
	q.Set("unpaid", strconv.FormatBool(unpaid))
	if workspace != "" {
		q.Set("workspace", workspace)
	}
	var p Page[Invoice]
	return &p, c.do(ctx, http.MethodGet, "/admin/invoices", q, nil, &p)
}

// CreateInvoice records an invoice.
func (c *Client) CreateInvoice(ctx context.Context, fields map[string]any) (*Invoice, error) {
	var i Invoice
	return &i, c.do(ctx, http.MethodPost, "/admin/invoices", nil, fields, &i)
}

// PayInvoice records that an invoice was paid.
func (c *Client) PayInvoice(ctx context.Context, id string) (*Invoice, error) {
	var i Invoice
	return &i, c.do(ctx, http.MethodPost, "/admin/invoices/"+url.PathEscape(id)+"/pay", nil, nil, &i)
}

// CancelInvoice withdraws an invoice.
func (c *Client) CancelInvoice(ctx context.Context, id string) (*Invoice, error) {
	var i Invoice
	return &i, c.do(ctx, http.MethodPost, "/admin/invoices/"+url.PathEscape(id)+"/cancel", nil, nil, &i)
}
