package shoal

import (
	"context"
	"time"
)

// User is a person with a workspace.
type User struct {
	ID            UserID
	WorkspaceID   WorkspaceID
	Email         string
	FirstName     string
	LastName      string
	IsActive      bool
	IsStaff       bool
	EmailVerified bool
	// LoginCount is how many times the user has come: requests with any of their
	// keys after half an hour without one.
	LoginCount   int
	ProfileImage string // an https address or a data URI of an image; "" is none
	DateJoined   time.Time
}

// Workspace is what users share: squids, runs, accounts, a plan.
type Workspace struct {
	ID        WorkspaceID
	Name      string
	CreatedAt time.Time
	PlanName  string
	Users     int64 // active ones
	Squids    int64 // living ones
}

// NewUser asks for a user with a first key of scope admin, in the workspace of
// the user's WorkspaceID or, when that is empty, in a new one.
type NewUser struct {
	User
	Workspace string // name of a new workspace; "": the user's email
}

// AddedUser is a user just made. Secret is the first key's, kept nowhere.
type AddedUser struct {
	User   User
	Key    Key
	Secret string
}

// UserPatch is a partial update of a user; nil fields stay.
type UserPatch struct {
	Email         *string
	FirstName     *string
	LastName      *string
	ProfileImage  *string
	IsActive      *bool
	IsStaff       *bool
	EmailVerified *bool
}

// UserFilter chooses users; the zero value all.
type UserFilter struct {
	Workspace WorkspaceID
	Email     string // part of it, in any case
}

// Scope is what a key may do.
type Scope string

// The scopes, each including the ones before it.
const (
	ScopeRead  Scope = "read"
	ScopeRun   Scope = "run"
	ScopeAdmin Scope = "admin"
)

// Key is an API key. The secret itself is never stored: Hash is its SHA-256,
// enough since a key has 160 random bits.
type Key struct {
	ID          KeyID
	WorkspaceID WorkspaceID
	UserID      UserID
	Name        string
	Hash        [32]byte
	Prefix      string // first characters, for people to tell keys apart
	Scope       Scope
	IsStaff     bool
	CreatedAt   time.Time
	ExpiresAt   time.Time // zero: never
	RevokedAt   time.Time // zero: in force
	LastUsedAt  time.Time // to the minute
}

// InForce reports whether k is neither revoked nor expired.
func (k *Key) InForce(now time.Time) bool {
	return k.RevokedAt.IsZero() && (k.ExpiresAt.IsZero() || now.Before(k.ExpiresAt))
}

// AddedKey is a key just made, with the secret, which is kept nowhere.
type AddedKey struct {
	Key    Key
	Secret string
}

// KeyFilter chooses keys: a workspace's, a user's. Empty fields choose all.
type KeyFilter struct {
	Workspace WorkspaceID
	User      UserID
	// InForce, unless zero, leaves out those that are revoked, or expired then.
	InForce time.Time
}

// Idempotency is a client's promise that two requests are one. The store
// saves the answer in the transaction of the effect: a repeat within 24 hours
// gets the first answer and has no effect.
type Idempotency struct {
	WorkspaceID WorkspaceID
	Route       string // method and path
	Key         string
	BodyHash    [32]byte
	// Render turns the effect's result, as the store's method returns it, into
	// the answer to keep. It does no I/O.
	Render func(result any) (status int, body []byte)
}

// SavedAnswer is the answer kept for an idempotency key.
type SavedAnswer struct {
	BodyHash [32]byte
	Status   int
	Body     []byte
}

type idempotencyKey struct{}

// WithIdempotency returns a context that carries i to the store.
func WithIdempotency(ctx context.Context, i *Idempotency) context.Context {
	return context.WithValue(ctx, idempotencyKey{}, i)
}

// IdempotencyFrom returns what WithIdempotency put into ctx, or nil.
func IdempotencyFrom(ctx context.Context) *Idempotency {
	i, _ := ctx.Value(idempotencyKey{}).(*Idempotency)
	return i
}
