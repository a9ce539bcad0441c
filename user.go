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
	LoginCount    int
	DateJoined    time.Time
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
	LastUsedAt  time.Time
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
