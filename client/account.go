package client

import (
	"context"
	"net/http"
	"net/url"
)

// AccountType is a kind of account that crawlers work with. Params are its
// limits by name.
type AccountType struct {
	ID      string                  `json:"id"`
	Object  string                  `json:"object"`
	Name    string                  `json:"name"`
	Title   string                  `json:"title"`
	Domain  string                  `json:"domain"`
	BaseURL string                  `json:"baseurl"`
	Icon    string                  `json:"icon"`
	Login   bool                    `json:"login"`
	Check   bool                    `json:"check"`
	Cookies []AccountCookie         `json:"cookies"`
	Params  map[string]AccountLimit `json:"params"`
}

// AccountCookie is a cookie of a session, by its name.
type AccountCookie struct {
	Name     string `json:"name"`
	Required bool   `json:"required"`
}

// AccountLimit is a limit of an account type. Attribute is what a batch counts.
type AccountLimit struct {
	Max         int64  `json:"max"`
	Default     int64  `json:"default"`
	Description string `json:"description"`
	Attribute   string `json:"attribute,omitempty"`
}

// Account is a logged-in session on a site.
type Account struct {
	ID         string          `json:"id"`
	Object     string          `json:"object"`
	Username   string          `json:"username"`
	Type       string          `json:"type"`
	TypeID     string          `json:"account_type_hash"`
	Status     string          `json:"status"`
	StatusInfo string          `json:"status_code_info"`
	StatusDesc string          `json:"status_code_description"`
	CreatedAt  Time            `json:"created_at"`
	UpdatedAt  Time            `json:"updated_at"`
	SyncedAt   Time            `json:"last_synchronization_time"`
	BaseURL    string          `json:"baseurl"`
	Icon       string          `json:"icon"`
	Remembered bool            `json:"remembered"`
	Cookies    []AccountCookie `json:"cookies"`
	Squids     []struct {
		Name string `json:"name"`
		ID   string `json:"hash_value"`
	} `json:"squids"`
	Params struct {
		Default map[string]AccountLimit   `json:"default"`
		User    map[string]map[string]any `json:"user"`
	} `json:"params"`
}

// Sync is a synchronization of an account: 100 created, 120 synchronizing, 200
// synchronized, from 400 on failed, with why in StatusText.
type Sync struct {
	ID         string  `json:"id"`
	Object     string  `json:"object"`
	StatusCode int     `json:"status_code"`
	StatusText string  `json:"status_text"`
	StatusInfo *string `json:"status_code_info"`
	Account    *string `json:"account_hash"`
}

// Done reports whether the synchronization is over.
func (s *Sync) Done() bool { return s.StatusCode >= 200 }

// AccountTypes lists all account types.
func (c *Client) AccountTypes(ctx context.Context) (*Page[AccountType], error) {
	var p Page[AccountType]
	return &p, c.do(ctx, http.MethodGet, "/account_types", nil, nil, &p)
}

// Accounts lists accounts, newest first.
func (c *Client) Accounts(ctx context.Context, w Window) (*Page[Account], error) {
	var p Page[Account]
	return &p, c.do(ctx, http.MethodGet, "/accounts", w.values(), nil, &p)
}

// Account returns an account.
func (c *Client) Account(ctx context.Context, id string) (*Account, error) {
	var p Page[Account]
	if err := c.do(ctx, http.MethodGet, "/accounts/"+url.PathEscape(id), nil, nil, &p); err != nil {
		return nil, err
	}
	if len(p.Data) != 1 {
		return nil, &Error{Status: http.StatusOK, Code: "Unknown", Message: "the server answered without the account"}
	}
	return &p.Data[0], nil
}

// NewSync is what a synchronization is to be made of: cookies by name, or user
// name and password. Account, an id, is the account to refresh; empty: a new
// one, or that of the same type and user name.
type NewSync struct {
	Type     string         `json:"type"`
	Account  string         `json:"account,omitempty"`
	Username string         `json:"username,omitempty"`
	Domain   string         `json:"domain,omitempty"`
	Cookies  map[string]any `json:"cookies,omitempty"`
	Password string         `json:"password,omitempty"`
	OTP      string         `json:"otp,omitempty"`
	Remember bool           `json:"remember,omitempty"`
}

// SyncCookies begins the synchronization of an account from cookies.
func (c *Client) SyncCookies(ctx context.Context, s NewSync) (*Sync, error) {
	var y Sync
	return &y, c.do(ctx, http.MethodPost, "/accounts/cookies", nil, s, &y)
}

// SyncLogin begins the synchronization of an account by logging in.
func (c *Client) SyncLogin(ctx context.Context, s NewSync) (*Sync, error) {
	var y Sync
	return &y, c.do(ctx, http.MethodPost, "/accounts/login", nil, s, &y)
}

// CheckAccount begins to try the session of an account.
func (c *Client) CheckAccount(ctx context.Context, id string) (*Sync, error) {
	var y Sync
	return &y, c.do(ctx, http.MethodPost, "/accounts/"+url.PathEscape(id)+"/check", nil, nil, &y)
}

// Sync returns a synchronization as it stands.
func (c *Client) Sync(ctx context.Context, id string) (*Sync, error) {
	var y Sync
	return &y, c.do(ctx, http.MethodGet, "/synchronize/"+url.PathEscape(id), nil, nil, &y)
}

// SetAccountLimits changes limits of an account by name; nil takes one back to
// its default.
func (c *Client) SetAccountLimits(ctx context.Context, id string, params map[string]any) (*Account, error) {
	var a Account
	return &a, c.do(ctx, http.MethodPost, "/accounts", nil, map[string]any{"account": id, "params": params}, &a)
}

// DeleteAccount deletes an account, with its cookies and its password.
func (c *Client) DeleteAccount(ctx context.Context, id string) error {
	return c.do(ctx, http.MethodDelete, "/accounts/"+url.PathEscape(id), nil, nil, nil)
}
