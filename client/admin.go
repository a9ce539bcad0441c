package client

import (
	"context"
	"net/http"
	"net/url"
)

// Key is an API key. Secret is set only in the answer that made it.
type Key struct {
	ID         string `json:"id"`
	Object     string `json:"object"`
	Name       string `json:"name"`
	Prefix     string `json:"prefix"`
	Scope      string `json:"scope"`
	IsActive   bool   `json:"is_active"`
	User       string `json:"user"`
	Workspace  string `json:"workspace"`
	CreatedAt  Time   `json:"created_at"`
	ExpiresAt  Time   `json:"expires_at"`
	RevokedAt  Time   `json:"revoked_at"`
	LastUsedAt Time   `json:"last_used_at"`
	Secret     string `json:"key,omitempty"`
}

// NewKey asks for a key. User (id or email) is for staff; empty: one's own.
// Scope is read, run or admin. A zero ExpiresAt is never.
type NewKey struct {
	User      string `json:"user,omitempty"`
	Name      string `json:"name"`
	Scope     string `json:"scope"`
	ExpiresAt Time   `json:"expires_at"`
}

// User is a user as staff see them. Key is the secret of the first key, set
// only in the answer that made the user.
type User struct {
	ID            string  `json:"id"`
	Object        string  `json:"object"`
	Email         string  `json:"email"`
	FirstName     string  `json:"first_name"`
	LastName      string  `json:"last_name"`
	Workspace     string  `json:"workspace"`
	IsActive      bool    `json:"is_active"`
	IsStaff       bool    `json:"is_staff"`
	EmailVerified bool    `json:"email_verified"`
	LoginCount    int64   `json:"login_count"`
	ProfileImage  *string `json:"profile_image"`
	DateJoined    Time    `json:"date_joined"`
	Key           string  `json:"key,omitempty"`
}

// NewUser asks for a user, in the workspace of that id or in a new one.
type NewUser struct {
	Email         string `json:"email"`
	FirstName     string `json:"first_name,omitempty"`
	LastName      string `json:"last_name,omitempty"`
	IsStaff       bool   `json:"is_staff,omitempty"`
	EmailVerified bool   `json:"email_verified,omitempty"`
	Workspace     string `json:"workspace,omitempty"`
	WorkspaceName string `json:"workspace_name,omitempty"`
}

// Workspace is a workspace as staff see it.
type Workspace struct {
	ID        string `json:"id"`
	Object    string `json:"object"`
	Name      string `json:"name"`
	Plan      string `json:"plan"`
	Users     int64  `json:"users"`
	Squids    int64  `json:"squids"`
	CreatedAt Time   `json:"created_at"`
}

// KeyFilter chooses keys. All is those of all users, for staff, User those of
// one, by id, for staff, too; else they are one's own.
type KeyFilter struct {
	All     bool
	User    string
	InForce bool // without those revoked or expired
}

func (f KeyFilter) path() string {
	if f.All || f.User != "" {
		return "/admin/keys"
	}
	return "/keys"
}

// Keys lists keys, newest first.
func (c *Client) Keys(ctx context.Context, f KeyFilter, w Window) (*Page[Key], error) {
	q := w.values()
	if f.User != "" {
		q.Set("user", f.User)
	}
	if f.InForce {
		q.Set("is_active", "true")
	}
	var p Page[Key]
	return &p, c.do(ctx, http.MethodGet, f.path(), q, nil, &p)
}

// CreateKey makes a key; its Secret is shown only now.
func (c *Client) CreateKey(ctx context.Context, n NewKey) (*Key, error) {
	var k Key
	return &k, c.do(ctx, http.MethodPost, KeyFilter{User: n.User}.path(), nil, n, &k)
}

// RevokeKey ends a key of one's own or, for staff who say so, of anybody.
func (c *Client) RevokeKey(ctx context.Context, id string, anybody bool) error {
	return c.do(ctx, http.MethodDelete, KeyFilter{All: anybody}.path()+"/"+url.PathEscape(id), nil, nil, nil)
}

// Users lists the users whose email contains the text, of all workspaces, newest first.
func (c *Client) Users(ctx context.Context, email string, w Window) (*Page[User], error) {
	q := w.values()
	if email != "" {
		q.Set("email", email)
	}
	var p Page[User]
	return &p, c.do(ctx, http.MethodGet, "/admin/users", q, nil, &p)
}

// User returns a user by id or email.
func (c *Client) User(ctx context.Context, idOrEmail string) (*User, error) {
	var u User
	return &u, c.do(ctx, http.MethodGet, "/admin/users/"+url.PathEscape(idOrEmail), nil, nil, &u)
}

// CreateUser makes a user with a first key, the User's Key.
func (c *Client) CreateUser(ctx context.Context, n NewUser) (*User, error) {
	var u User
	return &u, c.do(ctx, http.MethodPost, "/admin/users", nil, n, &u)
}

// UpdateUser changes the given fields of a user.
func (c *Client) UpdateUser(ctx context.Context, idOrEmail string, changes map[string]any) (*User, error) {
	var u User
	return &u, c.do(ctx, http.MethodPost, "/admin/users/"+url.PathEscape(idOrEmail), nil, changes, &u)
}

// Workspaces lists workspaces, newest first.
func (c *Client) Workspaces(ctx context.Context, w Window) (*Page[Workspace], error) {
	var p Page[Workspace]
	return &p, c.do(ctx, http.MethodGet, "/admin/workspaces", w.values(), nil, &p)
}

// RenameWorkspace gives a workspace another name.
func (c *Client) RenameWorkspace(ctx context.Context, id, name string) (*Workspace, error) {
	var v Workspace
	return &v, c.do(ctx, http.MethodPost, "/admin/workspaces/"+url.PathEscape(id), nil, map[string]string{"name": name}, &v)
}

// CrawlerFlag is what the operator says of a crawler: its state is available,
// maintenance or off.
type CrawlerFlag struct {
	Crawler string  `json:"crawler"`
	Object  string  `json:"object"`
	State   string  `json:"state"`
	Message *string `json:"message"`
	SetAt   Time    `json:"set_at"`
}

// CrawlerFlags lists the crawlers that are not available.
func (c *Client) CrawlerFlags(ctx context.Context) (*Page[CrawlerFlag], error) {
	var p Page[CrawlerFlag]
	return &p, c.do(ctx, http.MethodGet, "/admin/crawlers", nil, nil, &p)
}

// FlagCrawler puts a crawler, by id or slug, into a state; message is for people.
func (c *Client) FlagCrawler(ctx context.Context, crawler, state, message string) (*CrawlerFlag, error) {
	var f CrawlerFlag
	return &f, c.do(ctx, http.MethodPost, "/admin/crawlers/"+url.PathEscape(crawler), nil, map[string]string{"state": state, "message": message}, &f)
}
