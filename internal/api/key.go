package api

import (
	"cmp"
	"net/http"
	"time"

	"shoal"
)

// wireKey is an API key. Key, the secret, is shown once: when it is made.
type wireKey struct {
	ID         shoal.KeyID       `json:"id"`
	Object     string            `json:"object"`
	Name       string            `json:"name"`
	Prefix     string            `json:"prefix"`
	Scope      shoal.Scope       `json:"scope"`
	IsActive   bool              `json:"is_active"`
	User       shoal.UserID      `json:"user"`
	Workspace  shoal.WorkspaceID `json:"workspace"`
	CreatedAt  stamp             `json:"created_at"`
	ExpiresAt  stamp             `json:"expires_at"`
	RevokedAt  stamp             `json:"revoked_at"`
	LastUsedAt stamp             `json:"last_used_at"`
}

type wireAddedKey struct {
	wireKey
	Key orNull `json:"key"`
}

func (a *API) showKey(k *shoal.Key) wireKey {
	return wireKey{
		ID: k.ID, Object: "key", Name: k.Name, Prefix: k.Prefix, Scope: k.Scope, IsActive: k.InForce(a.now()),
		User: k.UserID, Workspace: k.WorkspaceID, CreatedAt: stamp(k.CreatedAt), ExpiresAt: stamp(k.ExpiresAt),
		RevokedAt: stamp(k.RevokedAt), LastUsedAt: stamp(k.LastUsedAt),
	}
}

// keysSeen is which keys the route is about: the caller's own or, for staff, all.
func (c *call) keysSeen() shoal.KeyFilter {
	if c.route.staff {
		return shoal.KeyFilter{}
	}
	return shoal.KeyFilter{Workspace: c.ws, User: c.key.UserID}
}

func (a *API) listKeys(c *call) error {
	q, err := c.query()
	if err != nil {
		return err
	}
	w, err := window(q)
	if err != nil {
		return err
	}
	f := c.keysSeen()
	if c.route.staff {
		if f.User, err = idParam[shoal.UserID](q, "user", shoal.ErrUserNotFound); err != nil {
			return err
		}
		if f.Workspace, err = idParam[shoal.WorkspaceID](q, "workspace", shoal.ErrWorkspaceNotFound); err != nil {
			return err
		}
	}
	active, err := boolean(q, "is_active")
	if err != nil {
		return err
	}
	if active {
		f.InForce = a.now()
	}
	l, err := a.store.Keys(c.ctx(), f, w)
	if err != nil {
		return err
	}
	return sendList(c, l, w, func(b []byte, k *shoal.Key) []byte { return appendJSON(b, a.showKey(k)) })
}

func (a *API) getKey(c *call) error {
	id, err := id32[shoal.KeyID](c, shoal.ErrNoSuchKey)
	if err != nil {
		return err
	}
	k, err := a.store.Key(c.ctx(), c.keysSeen(), id)
	if err != nil {
		return err
	}
	return c.json(http.StatusOK, a.showKey(&k))
}

// createKey makes a key for the caller or, on the staff's route, for the user
// whom the body names.
func (a *API) createKey(c *call) error {
	f, err := c.decode()
	if err != nil {
		return err
	}
	name, scope := f.label("name"), shoal.Scope(cmp.Or(f.text("scope"), string(shoal.ScopeRun)))
	if name == "" {
		f.fail(shoal.Invalid("ParamsNeeded", "name", "name is required: what or whom the key is for"))
	}
	if !allows(scope, shoal.ScopeRead) {
		f.bad("scope", "scope is %q; it must be read, run or admin", clip(string(scope), 40))
	}
	expires := f.future("expires_at", a.now())
	ws, user := c.ws, c.key.UserID
	if c.route.staff {
		f.required("user")
		user = shoal.UserID(f.text("user"))
	}
	if err := f.error(); err != nil {
		return err
	}
	if c.route.staff {
		of, err := a.findUser(c, string(user))
		if err != nil {
			return err
		}
		ws, user = of.WorkspaceID, of.ID
	}
	// The answer that is kept for an Idempotency-Key is without the secret, which
	// is kept nowhere.
	ctx := effectCtx(c, http.StatusCreated, func(k shoal.AddedKey) []byte { return appendJSON(nil, wireAddedKey{wireKey: a.showKey(&k.Key)}) })
	k, secret, err := a.store.CreateKey(ctx, ws, user, name, scope, expires)
	if err != nil {
		return err
	}
	a.log.Info("API key made", "key", k.Prefix, "scope", string(k.Scope), "user", string(user), "by", string(c.key.UserID))
	return c.json(http.StatusCreated, wireAddedKey{a.showKey(&k), orNull(secret)})
}

// revokeKey ends a key; it may be the one that the request is made with.
func (a *API) revokeKey(c *call) error {
	id, err := id32[shoal.KeyID](c, shoal.ErrNoSuchKey)
	if err != nil {
		return err
	}
	if err := a.store.RevokeKey(c.ctx(), c.keysSeen(), id); err != nil {
		return err
	}
	a.log.Info("API key revoked", "id", string(id), "by", string(c.key.UserID))
	return c.json(http.StatusOK, deleted{string(id), "key", true})
}

// timeForms are how a time may be written in a request; without a zone it is UTC.
var timeForms = []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05", "2006-01-02T15:04", "2006-01-02 15:04", time.DateOnly}

// future returns a time that has not come; zero when it is absent or null.
func (f *fields) future(key string, now time.Time) time.Time {
	t := f.moment(key)
	if !t.IsZero() && !t.After(now) {
		f.bad(key, "%s is %s, which is over; it must be a time to come", f.name(key), clip(f.text(key), 40))
	}
	return t
}

// moment returns a time; zero when it is absent or null.
func (f *fields) moment(key string) time.Time {
	text := f.text(key)
	if text == "" {
		return time.Time{}
	}
	for _, form := range timeForms {
		t, err := time.Parse(form, text)
		if err != nil {
			continue
		}
		if t.UTC().Year() > 9999 {
			break
		}
		return t.UTC().Truncate(time.Microsecond)
	}
	f.bad(key, "%s is %q; it must be a time such as 2030-01-31T12:00:00 (UTC)", f.name(key), clip(text, 40))
	return time.Time{}
}
