package client

import (
	"context"
	"net/http"
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
	Available           int64  `json:"available"`
	Consumed            int64  `json:"consumed"`
	UsedSlots           int64  `json:"used_slots"`
	TotalAvailableSlots int64  `json:"total_available_slots"`
}

// Me returns the user behind the key.
func (c *Client) Me(ctx context.Context) (*Me, error) {
	var v Me
	return &v, c.do(ctx, http.MethodGet, "/me", nil, nil, &v)
}

// Balance returns the workspace's plan and what is used of it.
func (c *Client) Balance(ctx context.Context) (*Balance, error) {
	var v Balance
	return &v, c.do(ctx, http.MethodGet, "/user/balance", nil, nil, &v)
}
