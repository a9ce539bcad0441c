package api

import (
	"cmp"
	"net/http"
	"net/mail"
	"slices"
	"strconv"
	"strings"

	"shoal"
	"shoal/internal/crawler"
)

// purposeCookies is what an account's cookies are sealed for.
const purposeCookies = "account/cookies"

// accountTypes are the kinds of sessions that can be linked: in this version
// one, which takes whatever cookies a site's session consists of.
var accountTypes = []shoal.AccountType{crawler.CookieSession()}

// accountType finds a type by slug or id.
func accountType(name string) (*shoal.AccountType, error) {
	i := slices.IndexFunc(accountTypes, func(t shoal.AccountType) bool { return t.Slug == name || t.ID == name })
	if i < 0 {
		return nil, shoal.NotFound("AccountTypeDoesNotExist", "type", "There is no account type "+strconv.Quote(clip(name, 60))+"; GET /v1/account_types lists them")
	}
	return &accountTypes[i], nil
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
}

type wireAccountType struct {
	ID      string                  `json:"id"`
	Object  string                  `json:"object"`
	Name    string                  `json:"name"`
	Domain  string                  `json:"domain"`
	BaseURL string                  `json:"baseurl"`
	Icon    string                  `json:"icon"`
	Cookies []accountCookie         `json:"cookies"`
	Params  map[string]accountLimit `json:"params"`
}

func showLimits(limits []shoal.AccountLimit) map[string]accountLimit {
	out := map[string]accountLimit{}
	for _, l := range limits {
		out[l.Name] = accountLimit{l.Max, l.Default, l.Description}
	}
	return out
}

func (a *API) listAccountTypes(c *call) error {
	return sendAll(c, accountTypes, func(b []byte, t *shoal.AccountType) []byte {
		return appendJSON(b, wireAccountType{t.ID, "account_type", t.Slug, cmp.Or(t.Domain, "Any site"), t.BaseURL, t.Icon,
			showCookies(t.Cookies), showLimits(t.Limits)})
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
}

type accountParams struct {
	Default map[string]accountLimit `json:"default"`
	User    map[string]accountUse   `json:"user"`
}

type accountUse struct {
	Max       int64  `json:"max"`
	Value     int64  `json:"value"`
	Default   int64  `json:"default"`
	Timestamp *int64 `json:"timestamp"`
}

type accountSquid struct {
	Name      string        `json:"name"`
	HashValue shoal.SquidID `json:"hash_value"`
}

func appendAccount(b []byte, v *shoal.Account) []byte {
	w := wireAccount{ID: v.ID, Object: "account", Username: v.Username, CreatedAt: stamp(v.CreatedAt),
		SyncedAt: stamp(v.SyncedAt), Status: v.StatusCode, StatusInfo: v.StatusInfo, StatusDesc: v.StatusDesc,
		Type: v.TypeID, UpdatedAt: stamp(v.UpdatedAt), TypeID: v.TypeID, Squids: []accountSquid{},
		Params:  accountParams{map[string]accountLimit{}, map[string]accountUse{}},
		Cookies: []accountCookie{}}
	if t, err := accountType(v.TypeID); err == nil {
		w.Type, w.BaseURL, w.Icon, w.Cookies = t.Slug, t.BaseURL, t.Icon, showCookies(t.Cookies)
		w.Params.Default = showLimits(t.Limits)
		for _, l := range t.Limits {
			name := l.Name
			use := accountUse{Max: l.Default, Default: l.Default}
			if set, ok := v.Params[name]; ok {
				use.Max = set
			}
			w.Params.User[name] = use
		}
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
	l, err := a.store.Accounts(c.ctx(), c.ws, w)
	if err != nil {
		return err
	}
	return sendList(c, l, w, appendAccount)
}

// getAccount answers with a list of one: that is how the clients know it.
func (a *API) getAccount(c *call) error {
	id, err := id32[shoal.AccountID](c, shoal.ErrAccountNotFound)
	if err != nil {
		return err
	}
	v, err := a.store.Account(c.ctx(), c.ws, id)
	if err != nil {
		return err
	}
	return sendList(c, shoal.Listing[shoal.Account]{Total: 1, Items: []shoal.Account{v}},
		shoal.Window{Page: 1, Limit: defaultLimit}, appendAccount)
}

// updateAccount sets limits, each at most the type's.
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
	if !shoal.ValidID(id) {
		return shoal.ErrAccountNotFound
	}
	v, err := a.store.Account(c.ctx(), c.ws, shoal.AccountID(id))
	if err != nil {
		return err
	}
	t, err := accountType(v.TypeID)
	if err != nil {
		return err
	}
	if typeName != "" && typeName != t.Slug && typeName != t.ID {
		return shoal.Invalid("InvalidParameterValue", "type", "The account is of the type %s, not %s", t.Slug, clip(typeName, 60))
	}
	limits := map[string]int64{}
	for name := range params.m {
		l := t.Limit(name)
		if l == nil {
			return shoal.Invalid("InvalidParam", "params."+clip(name, 60), "Accounts of the type %s have no limit %q", t.Slug, clip(name, 60))
		}
		limits[name] = int64(params.integer(name, int(l.Default), 0, int(l.Max)))
	}
	if err := params.error(); err != nil {
		return err
	}
	render := func(v shoal.Account) []byte { return appendAccount(nil, &v) }
	v, err = a.store.UpdateAccount(effectCtx(c, http.StatusOK, render), c.ws, v.ID, limits)
	if err != nil {
		return err
	}
	return c.send(http.StatusOK, render(v))
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

type wireSync struct {
	ID          shoal.SyncID     `json:"id"`
	Object      string           `json:"object"`
	StatusCode  int              `json:"status_code"`
	StatusText  string           `json:"status_text"`
	AccountHash *shoal.AccountID `json:"account_hash,omitempty"`
}

// The codes of a synchronization that this version gives.
const (
	syncCreated      = 100
	syncSynchronized = 200
)

// syncCookies links an account or refreshes one. The generic type has no page
// to try the cookies on, so that the account counts as synchronized at once.
func (a *API) syncCookies(c *call) error {
	f, err := c.decode()
	if err != nil {
		return err
	}
	f.required("type", "cookies")
	typeName, account, username := f.text("type"), f.text("account"), strings.TrimSpace(f.text("username"))
	jar := readCookies(f)
	if err := f.error(); err != nil {
		return err
	}
	t, err := accountType(typeName)
	if err != nil {
		return err
	}
	for _, k := range t.Cookies {
		if k.Required && jar[k.Name] == "" {
			return shoal.Invalid("ParamsNeeded", "cookies."+k.Name, "The cookie %s is required for accounts of the type %s", k.Name, t.Slug)
		}
	}
	v, err := c.accountToSync(t, account, username)
	if err != nil {
		return err
	}
	v.SealedJar = a.seal.Seal(purposeCookies, appendJSON(nil, jar))
	s := shoal.Sync{ID: shoal.NewID[shoal.SyncID](), Workspace: c.ws, AccountID: v.ID,
		StatusCode: syncSynchronized, StatusText: "synchronized", CreatedAt: a.now()}
	body := appendJSON(nil, wireSync{ID: s.ID, Object: "synchronize-cookies", StatusCode: syncCreated, StatusText: "created"})
	ctx := effectCtx(c, http.StatusOK, func(any) []byte { return body })
	if err := a.store.SyncAccount(ctx, v, s); err != nil {
		return err
	}
	return c.send(http.StatusOK, body)
}

// accountToSync returns the account to refresh, or a new one.
func (c *call) accountToSync(t *shoal.AccountType, id, username string) (shoal.Account, error) {
	now := c.a.now()
	v := shoal.Account{ID: shoal.NewID[shoal.AccountID](), Workspace: c.ws, TypeID: t.ID, CreatedAt: now}
	if id != "" {
		if !shoal.ValidID(id) {
			return v, shoal.ErrAccountNotFound
		}
		var err error
		if v, err = c.a.store.Account(c.ctx(), c.ws, shoal.AccountID(id)); err != nil {
			return v, err
		}
		if v.TypeID != t.ID {
			return v, shoal.Invalid("InvalidParameterValue", "type", "The account is not of the type %s", t.Slug)
		}
	}
	if username != "" {
		v.Username = clip(username, 200)
	}
	if v.Username == "" {
		v.Username = t.Slug + " " + string(v.ID[26:])
	}
	v.StatusCode, v.StatusInfo, v.StatusDesc = "200", "synchronized", "Success!"
	v.UpdatedAt, v.SyncedAt = now, now
	return v, nil
}

// readCookies reads {name: value}; a value keeps the literal it was written as.
func readCookies(f *fields) map[string]string {
	given := f.object("cookies")
	if given == nil {
		return nil
	}
	jar := map[string]string{}
	for name, v := range given.m {
		if !cookieName(name) {
			given.bad(name, "%q cannot be the name of a cookie", clip(name, 60))
		}
		switch v := v.(type) {
		case string:
			if strings.ContainsAny(v, "\r\n;\x00") {
				given.bad(name, "cookies.%s holds a character that no cookie can have", clip(name, 60))
			}
			jar[name] = v
		case number:
			jar[name] = string(v)
		case bool:
			jar[name] = strconv.FormatBool(v)
		default:
			given.wrong(name, "a string, number or boolean")
		}
	}
	f.take(given)
	if len(jar) == 0 {
		f.fail(shoal.Invalid("ParamsNeeded", "cookies", "cookies is empty; give the cookies of the site's session"))
	}
	return jar
}

func cookieName(name string) bool {
	return name != "" && len(name) <= 256 && printable(name) && !strings.ContainsAny(name, " ()<>@,;:\\\"/[]?={}")
}

func (a *API) getSync(c *call) error {
	id, err := id32[shoal.SyncID](c, shoal.ErrSyncNotFound)
	if err != nil {
		return err
	}
	s, err := a.store.Sync(c.ctx(), c.ws, id)
	if err != nil {
		return err
	}
	return c.json(http.StatusOK, wireSync{s.ID, "synchronize-cookies", s.StatusCode, s.StatusText, &s.AccountID})
}

// validEmail reports whether s is one plain address.
func validEmail(s string) bool {
	a, err := mail.ParseAddress(s)
	return err == nil && a.Address == s && len(s) <= 254
}
