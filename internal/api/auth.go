package api

import (
	"context"
	"crypto/sha256"
	"errors"
	"strings"

	"shoal"
)

// errKeyExpired says so, unlike a wrong key's error: its owner can act on it.
var errKeyExpired = &shoal.Error{Kind: shoal.KindUnauthenticated, Code: "TokenExpired",
	Message: "This API key has expired. Create another one"}

// authenticate finds the key of the Authorization header. Only its hash is
// compared and looked up. A route of a shared run's results does without a
// key.
func (c *call) authenticate() error {
	if key, ok := c.r.Context().Value(embeddedKey{}).(shoal.Key); ok {
		return c.admit(key)
	}
	secret, ok := secretOf(c.r.Header["Authorization"])
	if !ok {
		if c.route.shared && len(c.r.Header["Authorization"]) == 0 {
			return c.authenticateShared()
		}
		return shoal.ErrKeyNotFound
	}
	key, err := c.a.store.KeyByHash(c.ctx(), sha256.Sum256([]byte(secret)))
	if err != nil {
		return err
	}
	if !key.ExpiresAt.IsZero() && !c.a.now().Before(key.ExpiresAt) {
		return errKeyExpired
	}
	return c.admit(key)
}

// admit takes the key for the caller's if it may do what the route does.
func (c *call) admit(key shoal.Key) error {
	if !allows(key.Scope, c.route.scope) {
		return &shoal.Error{Kind: shoal.KindForbidden, Code: "NotAuthenticated",
			Message: "This API key has the scope " + string(key.Scope) + "; this needs " + string(c.route.scope)}
	}
	if c.route.staff && !key.IsStaff {
		return errStaffOnly
	}
	c.key, c.ws = key, key.WorkspaceID
	return nil
}

// errStaffOnly refuses what concerns all workspaces.
var errStaffOnly = &shoal.Error{Kind: shoal.KindForbidden, Code: "NotAuthenticated",
	Message: "This is for the server's staff; the key's user is not one of them"}

// secretOf returns the key of "Token KEY".
func secretOf(header []string) (string, bool) {
	const scheme = "Token "
	if len(header) != 1 || len(header[0]) <= len(scheme) || !strings.EqualFold(header[0][:len(scheme)], scheme) {
		return "", false
	}
	secret := strings.TrimSpace(header[0][len(scheme):])
	return secret, secret != ""
}

// allows reports whether a key of the scope have may do what needs want.
func allows(have, want shoal.Scope) bool {
	rank := func(s shoal.Scope) int {
		switch s {
		case shoal.ScopeAdmin:
			return 3
		case shoal.ScopeRun:
			return 2
		case shoal.ScopeRead:
			return 1
		}
		return 0
	}
	return rank(have) >= rank(want)
}

// authenticateShared admits a request without a key to a run whose owner has
// made its results public by link, and to no other.
func (c *call) authenticateShared() error {
	id := c.r.PathValue("id")
	if id == "" {
		id = c.r.URL.Query().Get("run")
	}
	if !shoal.ValidID(id) {
		return shoal.ErrKeyNotFound
	}
	run, err := c.a.store.SharedRun(c.ctx(), shoal.RunID(id))
	if errors.Is(err, shoal.ErrRunNotFound) {
		return shoal.ErrKeyNotFound
	}
	if err != nil {
		return err
	}
	// All who follow one link share a limit, which is not that of the owner's keys.
	c.key.ID, c.ws = shoal.KeyID("shared/"+id), run.WorkspaceID
	return nil
}

type embeddedKey struct{}

// WithKey returns a context whose requests are made by the holder of k, for a
// caller in this process: no header can say so.
func WithKey(ctx context.Context, k shoal.Key) context.Context {
	return context.WithValue(ctx, embeddedKey{}, k)
}
