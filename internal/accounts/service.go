package accounts

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"shoal"
	"shoal/internal/crawler"
	"shoal/internal/fetch"
	"shoal/internal/jobs"
	"shoal/internal/seal"
)

// Store keeps accounts and synchronizations.
type Store interface {
	SyncByID(ctx context.Context, id shoal.SyncID) (shoal.Sync, error)
	BeginSync(ctx context.Context, id shoal.SyncID) error
	FinishSync(ctx context.Context, y shoal.Sync, made *shoal.Session) (finished bool, err error)
	CreateSync(ctx context.Context, y shoal.Sync) error
	SyncNow(ctx context.Context, y shoal.Sync, made shoal.Session) error
	WaitingLogin(ctx context.Context, ws shoal.WorkspaceID, typeID, username string) (shoal.Sync, error)
	Account(ctx context.Context, ws shoal.WorkspaceID, id shoal.AccountID) (shoal.Account, error)
	Credentials(ctx context.Context, ws shoal.WorkspaceID, id shoal.AccountID) ([]byte, error)
}

// Types finds the account types that a workspace's crawlers declare;
// *crawler.Workspaces is one.
type Types interface {
	// AccountType returns a type by slug or id; ErrAccountTypeNotFound.
	AccountType(ctx context.Context, ws shoal.WorkspaceID, slugOrID string) (*crawler.Account, error)
}

// Service synchronizes accounts. It is safe for concurrent use.
type Service struct {
	Store   Store
	Types   Types
	Fetcher Fetcher
	Seal    *seal.Keyring
	// Log may be nil: no logs. Nothing that is secret is ever logged.
	Log *slog.Logger
	// Now is the clock; nil: time.Now.
	Now func() time.Time
}

// credentials are what is sealed for a log-in.
type credentials struct {
	Password string `json:"password"`
	OTP      string `json:"otp,omitempty"`
}

// waiting is what is sealed of a log-in that waits for a one-time code.
type waiting struct {
	Step    int                  `json:"step"`
	Cookies []fetch.StoredCookie `json:"cookies"`
	Read    map[string]any       `json:"read"`
	Hidden  [][2]string          `json:"hidden"`
	Referer string               `json:"referer"`
}

func (s *Service) now() time.Time {
	if s.Now != nil {
		return s.Now()
	}
	return time.Now()
}

func (s *Service) log() *slog.Logger {
	if s.Log != nil {
		return s.Log
	}
	return slog.New(slog.DiscardHandler)
}

// Request asks for a synchronization. Account, when it has an id, is the
// account to refresh.
type Request struct {
	ID        shoal.SyncID // of the synchronization
	Workspace shoal.WorkspaceID
	Type      *shoal.AccountType
	Account   shoal.Account
	Username  string
	// Domain is where the cookies of the generic type go; empty: to the site of
	// each task's start.
	Domain   string
	Cookies  map[string]string // by name, as literals
	Password string
	OTP      string
	Remember bool
}

// sync begins the record of a synchronization.
func (s *Service) sync(r *Request, kind shoal.SyncKind) shoal.Sync {
	y := shoal.Sync{ID: r.ID, Workspace: r.Workspace, Kind: kind, TypeID: r.Type.ID, AccountID: r.Account.ID,
		Made: r.Account.ID != "", Username: r.Username, Remember: r.Remember, StatusCode: shoal.SyncCreated, StatusText: "created"}
	if !y.Made {
		y.AccountID = shoal.NewID[shoal.AccountID]()
	}
	if y.Username == "" {
		y.Username = r.Account.Username
	}
	return y
}

// WithCookies synchronizes an account from cookies. A type without a way to try
// them takes them at their word, at once.
func (s *Service) WithCookies(ctx context.Context, r Request) (shoal.Sync, error) {
	for _, k := range r.Type.Cookies {
		if k.Required && r.Cookies[k.Name] == "" {
			return shoal.Sync{}, shoal.Invalid("ParamsNeeded", "cookies."+k.Name, "The cookie %s is required for accounts of the type %s", k.Name, r.Type.Slug)
		}
	}
	y := s.sync(&r, shoal.SyncCookies)
	cookies := given(r.Type, r.Cookies)
	if r.Domain != "" {
		for i := range cookies {
			cookies[i].From, cookies[i].Domain, cookies[i].Path = "https://"+r.Domain+"/", r.Domain, "/"
		}
	}
	y.Sealed = Cookies{s.Seal}.sealed(cookies)
	if r.Type.HealthCheck {
		return y, s.Store.CreateSync(ctx, y)
	}
	if y.Username == "" {
		y.Username = nameless(r.Type, y.AccountID)
	}
	y.StatusCode, y.StatusText, y.Status = shoal.SyncSynchronized, string(shoal.AccountSynchronized), shoal.AccountSynchronized
	made := shoal.Session{Jar: y.Sealed, KeepCredentials: true}
	y.Sealed = nil
	return y, s.Store.SyncNow(ctx, y, made)
}

// WithLogin synchronizes an account by the type's log-in steps. The password is
// sealed until the log-in is over, and longer only when it is to be remembered.
func (s *Service) WithLogin(ctx context.Context, r Request) (shoal.Sync, error) {
	if !r.Type.LogIn {
		return shoal.Sync{}, shoal.Invalid("InvalidParameterValue", "type", "Accounts of the type %s cannot be logged in here: its crawlers have no log-in steps. Give the session's cookies instead (POST /v1/accounts/cookies)", r.Type.Slug)
	}
	y := s.sync(&r, shoal.SyncLogin)
	y.Sealed = s.sealed(shoal.SealedCredentials, credentials{r.Password, r.OTP})
	return y, s.Store.CreateSync(ctx, y)
}

// Check tries the session that an account has and, when it is over and the
// password is remembered, logs in again.
func (s *Service) Check(ctx context.Context, r Request) (shoal.Sync, error) {
	if !r.Type.HealthCheck {
		return shoal.Sync{}, shoal.Invalid("InvalidParameterValue", "account", "Sessions of the type %s cannot be tried. Give the session's cookies anew (POST /v1/accounts/cookies with account)", r.Type.Slug)
	}
	y := s.sync(&r, shoal.SyncCheck)
	return y, s.Store.CreateSync(ctx, y)
}

func (s *Service) sealed(purpose string, v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic("accounts: encode " + purpose + ": " + err.Error()) // texts and JSON values only
	}
	return s.Seal.Seal(purpose, b)
}

// nameless is the name of an account that nobody gave one.
func nameless(t *shoal.AccountType, id shoal.AccountID) string {
	return t.Slug + " " + string(id[len(id)-6:])
}

// syncTime bounds one synchronization: all its requests with their retries.
const syncTime = 5 * time.Minute

// Sync works a sync job.
func (s *Service) Sync(ctx context.Context, raw json.RawMessage) (jobs.Outcome, error) {
	var args jobs.SyncArgs
	if err := json.Unmarshal(raw, &args); err != nil {
		return jobs.Done, fmt.Errorf("read sync job: %w", err)
	}
	y, err := s.Store.SyncByID(ctx, shoal.SyncID(args.Sync))
	if errors.Is(err, shoal.ErrSyncNotFound) || err == nil && y.Done() {
		return jobs.Done, nil
	}
	if err != nil {
		return jobs.Done, err
	}
	if err := s.Store.BeginSync(ctx, y.ID); err != nil {
		return jobs.Done, err
	}
	limited, cancel := context.WithTimeout(ctx, syncTime)
	defer cancel()
	made, fail := s.try(limited, &y)
	if ctx.Err() != nil {
		return jobs.Done, ctx.Err() // the process stops: the job is done again
	}
	return jobs.Done, s.finish(ctx, y, made, fail)
}

// finish records what came of a synchronization.
func (s *Service) finish(ctx context.Context, y shoal.Sync, made *shoal.Session, fail error) error {
	no, isRefused := errors.AsType[*refused](fail)
	switch {
	case fail == nil:
		y.StatusCode, y.StatusText, y.Status = shoal.SyncSynchronized, string(shoal.AccountSynchronized), shoal.AccountSynchronized
	case isRefused:
		y.StatusCode, y.StatusText, y.Status = no.status.Code(), no.Error(), no.status
	default:
		y.StatusCode, y.StatusText = shoal.SyncFailed, capital(fail.Error())
	}
	_, err := s.Store.FinishSync(ctx, y, made)
	if errors.Is(err, shoal.ErrAccountNotFound) {
		y.StatusCode, y.StatusText, y.Status = shoal.SyncFailed, "The account was deleted meanwhile.", ""
		_, err = s.Store.FinishSync(ctx, y, nil)
	}
	if err == nil {
		s.log().Info("account synchronized", "sync", y.ID, "account", y.AccountID, "kind", y.Kind, "code", y.StatusCode, "status", y.Status)
	}
	return err
}

func capital(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}
