package api

import (
	"context"
	"net"
	"net/http"
	"strconv"
	"strings"

	"shoal"
	"shoal/internal/accounts"
)

// Accounts synchronizes accounts; *accounts.Service does.
type Accounts interface {
	WithCookies(ctx context.Context, r accounts.Request) (shoal.Sync, error)
	WithLogin(ctx context.Context, r accounts.Request) (shoal.Sync, error)
	Check(ctx context.Context, r accounts.Request) (shoal.Sync, error)
}

type wireSync struct {
	ID          shoal.SyncID     `json:"id"`
	Object      string           `json:"object"`
	StatusCode  int              `json:"status_code"`
	StatusText  string           `json:"status_text"`
	StatusInfo  orNull           `json:"status_code_info"`
	AccountHash *shoal.AccountID `json:"account_hash"`
}

func showSync(y *shoal.Sync) wireSync {
	w := wireSync{ID: y.ID, Object: "synchronize-cookies", StatusCode: y.StatusCode, StatusText: y.StatusText, StatusInfo: orNull(y.Status)}
	if y.Made {
		w.AccountHash = &y.AccountID
	}
	return w
}

// syncCookies links an account, or refreshes one, by the cookies of a session.
func (a *API) syncCookies(c *call) error {
	f, err := c.decode()
	if err != nil {
		return err
	}
	f.required("type", "cookies")
	r := accounts.Request{Cookies: readCookies(f), Domain: readDomain(f)}
	if err := c.syncRequest(f, &r); err != nil {
		return err
	}
	if r.Domain != "" && r.Type.Domain != "" {
		return shoal.Invalid("InvalidParam", "domain", "The cookies of the type %s go to %s; domain is for cookie sessions of any site", r.Type.Slug, r.Type.Domain)
	}
	return c.synchronize(r, a.accounts.WithCookies)
}

// syncLogin links an account, or refreshes one, by user name and password.
func (a *API) syncLogin(c *call) error {
	f, err := c.decode()
	if err != nil {
		return err
	}
	f.required("type", "username", "password")
	r := accounts.Request{Password: f.text("password"), OTP: strings.TrimSpace(f.text("otp")), Remember: f.flag("remember", false)}
	if r.Password == "" && f.has("password") {
		f.bad("password", "password is empty")
	}
	if len(r.Password) > maxSecret || len(r.OTP) > maxSecret {
		f.bad("password", "password and otp may have %d bytes each", maxSecret)
	}
	if err := c.syncRequest(f, &r); err != nil {
		return err
	}
	if r.Username == "" {
		return shoal.Invalid("InvalidParameterValue", "username", "username is empty; give the name that the site knows the account by")
	}
	return c.synchronize(r, a.accounts.WithLogin)
}

// checkAccount tries an account's session and, if its password is remembered,
// logs in again.
func (a *API) checkAccount(c *call) error {
	if _, err := c.decode(); err != nil {
		return err
	}
	v, t, _, err := c.accountOf(c.r.PathValue("id"), "")
	if err != nil {
		return err
	}
	return c.synchronize(accounts.Request{Workspace: c.ws, Type: t, Account: v}, a.accounts.Check)
}

// maxSecret is the longest password, in bytes.
const maxSecret = 4096

// syncRequest reads what every synchronization is asked for with.
func (c *call) syncRequest(f *fields, r *accounts.Request) error {
	typeName, account := f.text("type"), f.text("account")
	r.Workspace, r.Username = c.ws, strings.TrimSpace(f.text("username"))
	if len(r.Username) > 200 || strings.ContainsFunc(r.Username, func(k rune) bool { return k < ' ' || k == 0x7f }) {
		f.bad("username", "username has %d bytes; it may have 200, and no control characters", len(r.Username))
	}
	if err := f.error(); err != nil {
		return err
	}
	if account != "" {
		v, t, _, err := c.accountOf(account, typeName)
		r.Account, r.Type = v, t
		return err
	}
	types, err := c.accountTypes()
	if err != nil {
		return err
	}
	r.Type, err = types.find(typeName)
	return err
}

// synchronize asks for a synchronization and answers with it as it begins.
func (c *call) synchronize(r accounts.Request, ask func(context.Context, accounts.Request) (shoal.Sync, error)) error {
	id := shoal.NewID[shoal.SyncID]()
	r.ID = id
	body := appendJSON(nil, showSync(&shoal.Sync{ID: id, StatusCode: shoal.SyncCreated, StatusText: "created", AccountID: r.Account.ID, Made: r.Account.ID != ""}))
	if _, err := ask(effectCtx(c, http.StatusOK, func(any) []byte { return body }), r); err != nil {
		return err
	}
	return c.send(http.StatusOK, body)
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
	return c.json(http.StatusOK, showSync(&s))
}

// The bounds of a session that somebody gives.
const (
	maxCookies     = 200
	maxCookieBytes = 64 << 10 // of all names and values
)

// readCookies reads {name: value}; a value keeps the literal it was written as.
func readCookies(f *fields) map[string]string {
	given := f.object("cookies")
	if given == nil {
		return nil
	}
	jar, bytes := map[string]string{}, 0
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
		bytes += len(name) + len(jar[name])
	}
	f.take(given)
	switch {
	case len(given.m) == 0:
		f.fail(shoal.Invalid("ParamsNeeded", "cookies", "cookies is empty; give the cookies of the site's session"))
	case len(given.m) > maxCookies || bytes > maxCookieBytes:
		f.fail(shoal.Invalid("InvalidParameterValue", "cookies", "cookies has %d cookies of %d bytes; a session has at most %d of %d", len(given.m), bytes, maxCookies, maxCookieBytes))
	}
	return jar
}

// readDomain reads the domain whose hosts get the cookies of a session of any site.
func readDomain(f *fields) string {
	domain := strings.ToLower(strings.TrimPrefix(strings.TrimSpace(f.text("domain")), "."))
	if domain == "" {
		return ""
	}
	if strings.Trim(domain, "abcdefghijklmnopqrstuvwxyz0123456789-.") != "" || len(domain) > 253 || strings.Contains(domain, "..") ||
		!strings.Contains(domain, ".") && domain != "localhost" && net.ParseIP(domain) == nil {
		f.bad("domain", "domain is %q; write the site's domain, such as example.com", clip(domain, 60))
	}
	return domain
}

func cookieName(name string) bool {
	return name != "" && len(name) <= 256 && printable(name) && !strings.ContainsAny(name, " ()<>@,;:\\\"/[]?={}")
}
