package api

import (
	"cmp"
	"maps"
	"net/http"
	"net/mail"
	"slices"
	"strconv"
	"strings"
	"time"

	"shoal"
)

// accountTypes are the types that the workspace's accounts can be of, and the
// moment at which accounts are shown.
type accountTypes struct {
	all []shoal.AccountType
	now time.Time
}

func (c *call) accountTypes() (accountTypes, error) {
	all, err := c.a.catalogue.AccountTypes(c.ctx(), c.ws)
	return accountTypes{all, c.a.now()}, err
}

// find returns a type by slug or id.
func (ts accountTypes) find(name string) (*shoal.AccountType, error) {
	i := slices.IndexFunc(ts.all, func(t shoal.AccountType) bool { return t.Slug == name || t.ID == name })
	if i < 0 {
		return nil, shoal.NotFound("AccountTypeDoesNotExist", "type", "There is no account type "+strconv.Quote(clip(name, 60))+"; GET /v1/account_types lists them")
	}
	return &ts.all[i], nil
}

type accountCookie struct {
	Name     string `json:"name"`
	Required bool   `json:"required"`
}

func showCookies(list []shoal.AccountCookie) []accountCookie {
	out := []accountCookie{}
	for _, k := range list {
		out = append(out, accountCookie(k))
	}
	return out
}

type accountLimit struct {
	Max         int64  `json:"max"`
	Default     int64  `json:"default"`
	Description string `json:"description"`
	Attribute   string `json:"attribute,omitempty"` // of a batch
}

type wireAccountType struct {
	ID      string                  `json:"id"`
	Object  string                  `json:"object"`
	Name    string                  `json:"name"`
	Title   string                  `json:"title"`
	Domain  string                  `json:"domain"`
	BaseURL string                  `json:"baseurl"`
	Icon    string                  `json:"icon"`
	LogIn   bool                    `json:"login"`
	Check   bool                    `json:"check"`
	Cookies []accountCookie         `json:"cookies"`
	Params  map[string]accountLimit `json:"params"`
}

// showLimits are a type's limits by name, those of batches among them.
func showLimits(t *shoal.AccountType) map[string]accountLimit {
	out := map[string]accountLimit{}
	for _, l := range t.Limits {
		out[l.Name] = accountLimit{Max: l.Max, Default: l.Default, Description: l.Description}
	}
	if b, h := t.Batch, t.BatchHours; b != nil && h != nil {
		out[shoal.ParamBatch] = accountLimit{b.Max, b.Default, b.Description, b.Attribute}
		out[shoal.ParamBatchHours] = accountLimit{Max: h.Max, Default: h.Default, Description: h.Description}
	}
	return out
}

func (a *API) listAccountTypes(c *call) error {
	types, err := c.accountTypes()
	if err != nil {
		return err
	}
	return sendAll(c, types.all, func(b []byte, t *shoal.AccountType) []byte {
		return appendJSON(b, wireAccountType{t.ID, "account_type", t.Slug, t.Name, cmp.Or(t.Domain, "Any site"), t.BaseURL, t.Icon,
			t.LogIn, t.HealthCheck, showCookies(t.Cookies), showLimits(t)})
	})
}

// wireAccount is an account; its cookies' values never leave the server.
type wireAccount struct {
	ID         shoal.AccountID `json:"id"`
	Object     string          `json:"object"`
	Username   string          `json:"username"`
	CreatedAt  stamp           `json:"created_at"`
	SyncedAt   stamp           `json:"last_synchronization_time"`
	Status     string          `json:"status"`
	StatusInfo string          `json:"status_code_info"`
	StatusDesc string          `json:"status_code_description"`
	Type       string          `json:"type"`
	Params     accountParams   `json:"params"`
	UpdatedAt  stamp           `json:"updated_at"`
	TypeID     string          `json:"account_type_hash"`
	Squids     []accountSquid  `json:"squids"`
	BaseURL    string          `json:"baseurl"`
	Cookies    []accountCookie `json:"cookies"`
	Icon       string          `json:"icon"`
	Remembered bool            `json:"remembered"`
}

type accountParams struct {
	Default map[string]accountLimit `json:"default"`
	User    map[string]any          `json:"user"` // accountUse, accountBatch
}

type accountSquid struct {
	Name      string        `json:"name"`
	HashValue shoal.SquidID `json:"hash_value"`
}

func (ts accountTypes) appendAccount(b []byte, v *shoal.Account) []byte {
	w := wireAccount{ID: v.ID, Object: "account", Username: v.Username, CreatedAt: stamp(v.CreatedAt),
		SyncedAt: stamp(v.SyncedAt),
		Type:     v.TypeID, UpdatedAt: stamp(v.UpdatedAt), TypeID: v.TypeID, Squids: []accountSquid{},
		Params:  accountParams{map[string]accountLimit{}, map[string]any{}},
		Cookies: []accountCookie{}, Remembered: v.Remembered}
	w.Status, w.StatusInfo, w.StatusDesc = v.StatusAt(ts.now)
	if t, err := ts.find(v.TypeID); err == nil {
		w.Type, w.BaseURL, w.Icon, w.Cookies = t.Slug, t.BaseURL, t.Icon, showCookies(t.Cookies)
		w.Params.Default = showLimits(t)
		w.Params.User = showUses(t, v, ts.now)
	}
	for _, s := range v.Squids {
		w.Squids = append(w.Squids, accountSquid{s.Name, s.ID})
	}
	return appendJSON(b, w)
}

func (a *API) listAccounts(c *call) error {
	q, err := c.query()
	if err != nil {
		return err
	}
	w, err := window(q)
	if err != nil {
		return err
	}
	types, err := c.accountTypes()
	if err != nil {
		return err
	}
	l, err := a.store.Accounts(c.ctx(), c.ws, w)
	if err != nil {
		return err
	}
	return sendList(c, l, w, types.appendAccount)
}

// getAccount answers with a list of one: that is how the clients know it.
func (a *API) getAccount(c *call) error {
	id, err := id32[shoal.AccountID](c, shoal.ErrAccountNotFound)
	if err != nil {
		return err
	}
	types, err := c.accountTypes()
	if err != nil {
		return err
	}
	v, err := a.store.Account(c.ctx(), c.ws, id)
	if err != nil {
		return err
	}
	return sendList(c, shoal.Listing[shoal.Account]{Total: 1, Items: []shoal.Account{v}},
		shoal.Window{Page: 1, Limit: defaultLimit}, types.appendAccount)
}

// updateAccount sets limits, each at most the type's. Those that are not named
// stay; null takes one back to the type's default.
func (a *API) updateAccount(c *call) error {
	f, err := c.decode()
	if err != nil {
		return err
	}
	f.required("account", "params")
	id, typeName, params := f.text("account"), f.text("type"), f.object("params")
	if err := f.error(); err != nil {
		return err
	}
	v, t, types, err := c.accountOf(id, typeName)
	if err != nil {
		return err
	}
	limits := maps.Clone(v.Params)
	if limits == nil {
		limits = map[string]int64{}
	}
	if err := setLimits(t, params, limits); err != nil {
		return err
	}
	render := func(v shoal.Account) []byte { return types.appendAccount(nil, &v) }
	v, err = a.store.UpdateAccount(effectCtx(c, http.StatusOK, render), c.ws, v.ID, limits)
	if err != nil {
		return err
	}
	return c.send(http.StatusOK, render(v))
}

// setLimits changes limits as params says.
func setLimits(t *shoal.AccountType, params *fields, limits map[string]int64) error {
	all := showLimits(t)
	for name, value := range params.m {
		l, ok := all[name]
		if !ok {
			return shoal.Invalid("InvalidParam", "params."+clip(name, 60), "Accounts of the type %s have no limit %q; they have %s",
				t.Slug, clip(name, 60), cmp.Or(strings.Join(slices.Sorted(maps.Keys(all)), ", "), "none"))
		}
		if value == nil {
			delete(limits, name)
			continue
		}
		least := 0
		if name == shoal.ParamBatch || name == shoal.ParamBatchHours {
			least = 1
		}
		limits[name] = int64(params.integer(name, int(l.Default), least, int(l.Max)))
	}
	return params.error()
}

// accountOf finds an account and its type, which typeName must name if it is given.
func (c *call) accountOf(id, typeName string) (v shoal.Account, t *shoal.AccountType, types accountTypes, err error) {
	if !shoal.ValidID(id) {
		return v, nil, types, shoal.ErrAccountNotFound
	}
	if v, err = c.a.store.Account(c.ctx(), c.ws, shoal.AccountID(id)); err != nil {
		return v, nil, types, err
	}
	if types, err = c.accountTypes(); err != nil {
		return v, nil, types, err
	}
	if t, err = types.find(v.TypeID); err != nil {
		return v, nil, types, err
	}
	if typeName != "" && typeName != t.Slug && typeName != t.ID {
		return v, nil, types, shoal.Invalid("InvalidParameterValue", "type", "The account is of the type %s, not %s", t.Slug, clip(typeName, 60))
	}
	return v, t, types, nil
}

func (a *API) deleteAccount(c *call) error {
	id, err := id32[shoal.AccountID](c, shoal.ErrAccountNotFound)
	if err != nil {
		return err
	}
	if err := a.store.DeleteAccount(c.ctx(), c.ws, id); err != nil {
		return err
	}
	return c.json(http.StatusOK, deleted{string(id), "account", true})
}

// validEmail reports whether s is one plain address.
func validEmail(s string) bool {
	a, err := mail.ParseAddress(s)
	return err == nil && a.Address == s && len(s) <= 254
}
