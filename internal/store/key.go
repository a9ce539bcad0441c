package store

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"sync"
	"time"

	"shoal"
)

// Keys have 160 random bits, 40 hexadecimal characters behind a prefix by
// which scanners for leaked secrets know them. So many bits need no slow hash.
const (
	tokenPrefix = "shoal_"
	tokenBytes  = 20
	minToken    = 16 // of a person's own making, who knows how far the server can be reached
	maxToken    = 200
	shownToken  = 10 // characters kept, for people to tell keys apart
)

func newToken() string {
	var b [tokenBytes]byte
	rand.Read(b[:])
	return tokenPrefix + hex.EncodeToString(b[:])
}

// checkToken refuses a key of a person's own making that is too short to be
// secret or that no header can carry.
func checkToken(token string) error {
	if len(token) < minToken || len(token) > maxToken {
		return shoal.Invalid("ParamsInvalid", "token", "the admin key (SHOAL_TOKEN) has %d characters: want %d to %d, for example from: openssl rand -hex 20",
			len(token), minToken, maxToken)
	}
	for _, c := range []byte(token) {
		if c <= ' ' || c > '~' {
			return shoal.Invalid("ParamsInvalid", "token", "the admin key (SHOAL_TOKEN) has a character that is not printable ASCII: want letters and digits, for example from: openssl rand -hex 20")
		}
	}
	return nil
}

// Times of the key cache.
const (
	// keyLife is how long PostgreSQL's keys are believed unseen: another machine
	// may revoke one. On SQLite this process is told of every change.
	keyLife = 5 * time.Second
	// touchEvery is how often the last uses of keys are written.
	touchEvery = time.Minute
	// keysKept bounds the cache.
	keysKept = 10_000
)

// keyCache holds valid keys in memory, and what has been used since it was
// last written.
type keyCache struct {
	life time.Duration // 0: until dropped

	mu      sync.Mutex
	version uint64 // grows with each drop
	byHash  map[[32]byte]cachedKey
	used    map[shoal.KeyID]time.Time
	written time.Time
}

type cachedKey struct {
	key shoal.Key
	at  time.Time
}

func newKeyCache(d Dialect) *keyCache {
	c := &keyCache{byHash: map[[32]byte]cachedKey{}, used: map[shoal.KeyID]time.Time{}}
	if d == Postgres {
		c.life = keyLife
	}
	return c
}

// get returns a cached key, or the version to hand to put.
func (c *keyCache) get(hash [32]byte, now time.Time) (k shoal.Key, ok bool, version uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.byHash[hash]
	if ok && c.life > 0 && (now.Sub(e.at) >= c.life || now.Before(e.at)) {
		ok = false
	}
	return e.key, ok, c.version
}

// put keeps what was read from the database, unless keys changed meanwhile.
func (c *keyCache) put(k shoal.Key, now time.Time, version uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.version != version {
		return
	}
	if len(c.byHash) >= keysKept {
		clear(c.byHash)
	}
	c.byHash[k.Hash] = cachedKey{k, now}
}

// drop forgets all keys.
func (c *keyCache) drop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.version++
	clear(c.byHash)
}

// touch notes a use and returns, once every touchEvery, what is to be written.
func (c *keyCache) touch(id shoal.KeyID, now time.Time) map[shoal.KeyID]time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.used[id] = now
	if now.Sub(c.written) < touchEvery {
		return nil
	}
	used := c.used
	c.used, c.written = map[shoal.KeyID]time.Time{}, now
	return used
}

const keyColumns = `SELECT k.id, w.id, u.id, k.name, k.hash, k.prefix, k.scope, u.is_staff, k.created_at, k.expires_at,
		k.revoked_at, k.last_used_at
	FROM api_keys k JOIN users u ON u.pk = k.user_pk JOIN workspaces w ON w.pk = k.workspace_pk`

const keyQuery = keyColumns + ` WHERE k.hash = $1 AND k.revoked_at = 0 AND u.is_active = TRUE`

func scanKey(r scanner) (k shoal.Key, err error) {
	var hash []byte
	var created, expires, revoked, used int64
	err = r.Scan(&k.ID, &k.WorkspaceID, &k.UserID, &k.Name, &hash, &k.Prefix, &k.Scope, &k.IsStaff, &created, &expires,
		&revoked, &used)
	if err != nil {
		return k, err
	}
	k.Hash = [32]byte(hash)
	k.CreatedAt, k.ExpiresAt, k.RevokedAt, k.LastUsedAt = fromMicros(created), fromMicros(expires), fromMicros(revoked), fromMicros(used)
	return k, nil
}

// KeyByHash returns the key with this SHA-256, from memory when it can, and
// notes its use. ErrKeyNotFound when there is none, it is revoked or its user
// is not active. An expired one is returned: the caller tells the person so.
func (s *Store) KeyByHash(ctx context.Context, hash [32]byte) (shoal.Key, error) {
	now := s.now()
	k, ok, version := s.keys.get(hash, now)
	if !ok {
		var err error
		k, err = scanKey(s.read.QueryRowContext(ctx, keyQuery, hash[:]))
		if errors.Is(err, sql.ErrNoRows) {
			return k, shoal.ErrKeyNotFound
		}
		if err != nil {
			return k, fmt.Errorf("read key: %w", err)
		}
		s.keys.put(k, now, version)
	}
	if used := s.keys.touch(k.ID, now); used != nil {
		if err := s.writeUses(ctx, used); err != nil {
			// Bookkeeping must not keep anybody out: the next minute tries again.
			s.log.Warn("the last uses of keys were not written", "cause", err)
		}
	}
	return k, nil
}

// writeUses writes when keys were last used, to the minute.
func (s *Store) writeUses(ctx context.Context, used map[shoal.KeyID]time.Time) error {
	return s.writeSoon(ctx, func(ctx context.Context, tx *sql.Tx) error {
		for id, at := range used {
			const q = `UPDATE api_keys SET last_used_at = $1 WHERE id = $2 AND last_used_at < $1`
			if _, err := tx.ExecContext(ctx, q, micros(at), string(id)); err != nil {
				return err
			}
		}
		return nil
	})
}

// CreateKey makes a key for a user of the workspace; a zero expires means
// never. It returns the key and the secret, which is kept nowhere.
func (s *Store) CreateKey(ctx context.Context, ws shoal.WorkspaceID, user shoal.UserID, name string, scope shoal.Scope, expires time.Time) (k shoal.Key, secret string, err error) {
	if scope != shoal.ScopeRead && scope != shoal.ScopeRun && scope != shoal.ScopeAdmin {
		return k, "", shoal.Invalid("ParamsInvalid", "scope", "scope is %q: want read, run or admin", scope)
	}
	secret = newToken()
	err = s.write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		k, err = s.createKey(ctx, tx, ws, user, name, scope, expires, secret)
		return err
	})
	if err != nil {
		return shoal.Key{}, "", fmt.Errorf("create key: %w", err)
	}
	return k, secret, nil
}

func (s *Store) createKey(ctx context.Context, tx *sql.Tx, ws shoal.WorkspaceID, user shoal.UserID, name string, scope shoal.Scope, expires time.Time, secret string) (shoal.Key, error) {
	k := shoal.Key{ID: shoal.NewID[shoal.KeyID](), Hash: sha256.Sum256([]byte(secret))}
	const whose = `SELECT w.pk, u.pk FROM users u JOIN workspaces w ON w.pk = u.workspace_pk WHERE u.id = $1 AND w.id = $2`
	var workspacePK, userPK int64
	err := tx.QueryRowContext(ctx, whose, string(user), string(ws)).Scan(&workspacePK, &userPK)
	if errors.Is(err, sql.ErrNoRows) {
		return k, errUserNotFound
	}
	if err != nil {
		return k, fmt.Errorf("find user: %w", err)
	}
	const q = `INSERT INTO api_keys (id, workspace_pk, user_pk, name, hash, prefix, scope, created_at, expires_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`
	_, err = tx.ExecContext(ctx, q, string(k.ID), workspacePK, userPK, name, k.Hash[:], secret[:shownToken], string(scope),
		micros(s.now()), micros(expires))
	if err != nil {
		return k, err
	}
	return scanKey(tx.QueryRowContext(ctx, keyColumns+` WHERE k.id = $1`, string(k.ID)))
}

// EnsureKey makes sure that u has an admin key. token, the operator's choice,
// becomes one unless it already is or was one: a revoked key stays revoked.
// Without a token one is made if u has no key in force. It returns the key it
// made, to be shown once, or "".
func (s *Store) EnsureKey(ctx context.Context, u shoal.User, token string) (made string, err error) {
	if token != "" {
		if err := checkToken(token); err != nil {
			return "", err
		}
	}
	err = s.write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		made = token
		// Servers that start together with one token take turns.
		if err := s.lockUsers(ctx, tx); err != nil {
			return err
		}
		hash := sha256.Sum256([]byte(token))
		look, args := `SELECT EXISTS (SELECT 1 FROM api_keys WHERE hash = $1)`, []any{hash[:]}
		if token == "" {
			made = newToken()
			look = `SELECT EXISTS (SELECT 1 FROM api_keys k JOIN users u ON u.pk = k.user_pk
				WHERE u.id = $1 AND k.revoked_at = 0 AND (k.expires_at = 0 OR k.expires_at > $2) AND k.scope = 'admin')`
			args = []any{string(u.ID), micros(s.now())}
		}
		var exists bool
		if err := tx.QueryRowContext(ctx, look, args...).Scan(&exists); err != nil || exists {
			made = ""
			return err
		}
		_, err := s.createKey(ctx, tx, u.WorkspaceID, u.ID, "admin", shoal.ScopeAdmin, time.Time{}, made)
		return err
	})
	if err != nil {
		return "", fmt.Errorf("set up the admin key: %w", err)
	}
	return made, nil
}

// RevokeKey ends a key, at once on this machine and within keyLife on others.
func (s *Store) RevokeKey(ctx context.Context, ws shoal.WorkspaceID, id shoal.KeyID) error {
	err := s.write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		const q = `UPDATE api_keys SET revoked_at = $1
			WHERE id = $2 AND revoked_at = 0 AND workspace_pk = (SELECT pk FROM workspaces WHERE id = $3)`
		res, err := tx.ExecContext(ctx, q, micros(s.now()), string(id), string(ws))
		if err := oneRow(res, err, shoal.NotFound("KeyDoesNotExist", "key", "Key not found, or revoked already")); err != nil {
			return err
		}
		s.afterCommit(ctx, s.keys.drop)
		return s.remember(ctx, tx, nil)
	})
	if err != nil {
		return fmt.Errorf("revoke key: %w", err)
	}
	return nil
}

// Keys lists a workspace's keys, newest first, the revoked ones too.
func (s *Store) Keys(ctx context.Context, ws shoal.WorkspaceID) ([]shoal.Key, error) {
	keys, err := collect(ctx, s.read, scanKey, keyColumns+` WHERE w.id = $1 ORDER BY k.pk DESC`, string(ws))
	if err != nil {
		return nil, fmt.Errorf("list keys: %w", err)
	}
	return keys, nil
}
