package store

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
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
	// settle is how long the use of a key that was away waits for company.
	settle = time.Second
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
	used    map[shoal.KeyID]use
	seen    map[shoal.KeyID]time.Time // when a key was last used
	// came gets a word when a key is used after a time away.
	came chan struct{}
}

// use is what is known of a key's uses since they were last written.
type use struct{ first, last time.Time }

type cachedKey struct {
	key shoal.Key
	at  time.Time
}

func newKeyCache(d Dialect) *keyCache {
	c := &keyCache{byHash: map[[32]byte]cachedKey{}, used: map[shoal.KeyID]use{}, seen: map[shoal.KeyID]time.Time{},
		came: make(chan struct{}, 1)}
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

// touch notes a use.
func (c *keyCache) touch(id shoal.KeyID, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	u, ok := c.used[id]
	if !ok {
		u.first = now
	}
	u.last = now
	c.used[id] = u
	if was, ok := c.seen[id]; !ok || now.Sub(was) >= away {
		select {
		case c.came <- struct{}{}:
		default:
		}
	}
	if len(c.seen) >= keysKept {
		clear(c.seen)
	}
	c.seen[id] = now
}

// takeUses returns the uses since the last call.
func (c *keyCache) takeUses() map[shoal.KeyID]use {
	c.mu.Lock()
	defer c.mu.Unlock()
	used := c.used
	c.used = map[shoal.KeyID]use{}
	return used
}

// giveBack takes uses in again that could not be written.
func (c *keyCache) giveBack(used map[shoal.KeyID]use) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for id, u := range used {
		if newer, ok := c.used[id]; ok {
			u.last = newer.last
		}
		c.used[id] = u
	}
}

// lastUse returns when a key was used since its uses were last written.
func (c *keyCache) lastUse(id shoal.KeyID) (time.Time, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	u, ok := c.used[id]
	return u.last, ok
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
	s.keys.touch(k.ID, now)
	return k, nil
}

// keepUses writes when keys were last used: once every touchEvery, soon after
// one was used again that had not been for long, and a last time when ctx ends.
// No request waits for it.
func (s *Store) keepUses(ctx context.Context) error {
	t := time.NewTicker(touchEvery)
	defer t.Stop()
	var soon <-chan time.Time
	for {
		select {
		case <-s.keys.came:
			if soon == nil {
				soon = time.After(settle) // others may come, too
			}
		case <-soon:
			soon = nil
			s.writeUses(ctx)
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
			defer cancel()
			s.writeUses(last)
			return nil
		case <-t.C:
			s.writeUses(ctx)
		}
	}
}

// away is how long a user sends no request before the next one counts as
// another log-in: there is no log-in beside the keys.
const away = 30 * time.Minute

// writeUses writes the uses of keys since the last call, to the minute. What
// cannot be written is kept for the next one: bookkeeping must not keep
// anybody out.
func (s *Store) writeUses(ctx context.Context) {
	used := s.keys.takeUses()
	if len(used) == 0 {
		return
	}
	err := s.writeSoon(ctx, func(ctx context.Context, tx *sql.Tx) error {
		for _, id := range slices.Sorted(maps.Keys(used)) { // one order, lest two servers lock each other out
			if err := writeUse(ctx, tx, id, used[id]); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		s.keys.giveBack(used)
		s.log.Warn("the last uses of keys were not written", "cause", err)
	}
}

func writeUse(ctx context.Context, tx *sql.Tx, id shoal.KeyID, u use) error {
	const count = `UPDATE users SET login_count = login_count + 1
		WHERE pk = (SELECT user_pk FROM api_keys WHERE id = $1)
			AND NOT EXISTS (SELECT 1 FROM api_keys k WHERE k.user_pk = users.pk AND k.last_used_at > $2)`
	if _, err := tx.ExecContext(ctx, count, string(id), micros(u.first.Add(-away))); err != nil {
		return fmt.Errorf("count a log-in: %w", err)
	}
	const q = `UPDATE api_keys SET last_used_at = $1 WHERE id = $2 AND last_used_at < $1`
	_, err := tx.ExecContext(ctx, q, micros(u.last), string(id))
	return err
}

// maxKeys is how many keys of a user may be in force.
const maxKeys = 100

// CreateKey makes a key for a user of the workspace; a zero expires means
// never. It returns the key and the secret, which is kept nowhere.
// UsageLimitExceeded when the user has maxKeys in force.
func (s *Store) CreateKey(ctx context.Context, ws shoal.WorkspaceID, user shoal.UserID, name string, scope shoal.Scope, expires time.Time) (k shoal.Key, secret string, err error) {
	if scope != shoal.ScopeRead && scope != shoal.ScopeRun && scope != shoal.ScopeAdmin {
		return k, "", shoal.Invalid("ParamsInvalid", "scope", "scope is %q: want read, run or admin", scope)
	}
	secret = newToken()
	err = s.write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		if k, err = s.createKey(ctx, tx, ws, user, name, scope, expires, secret); err != nil {
			return err
		}
		return s.remember(ctx, tx, shoal.AddedKey{Key: k, Secret: secret})
	})
	if err != nil {
		return shoal.Key{}, "", fmt.Errorf("create key: %w", err)
	}
	return k, secret, nil
}

func (s *Store) createKey(ctx context.Context, tx *sql.Tx, ws shoal.WorkspaceID, user shoal.UserID, name string, scope shoal.Scope, expires time.Time, secret string) (shoal.Key, error) {
	k := shoal.Key{ID: shoal.NewID[shoal.KeyID](), Hash: sha256.Sum256([]byte(secret))}
	whose := `SELECT w.pk, u.pk FROM users u JOIN workspaces w ON w.pk = u.workspace_pk
		WHERE u.id = $1 AND w.id = $2` + s.db.dialect.forUpdateOf("u")
	var workspacePK, userPK int64
	err := tx.QueryRowContext(ctx, whose, string(user), string(ws)).Scan(&workspacePK, &userPK)
	if errors.Is(err, sql.ErrNoRows) {
		return k, shoal.ErrUserNotFound
	}
	if err != nil {
		return k, fmt.Errorf("find user: %w", err)
	}
	now := micros(s.now())
	var inForce int
	const count = `SELECT COUNT(*) FROM api_keys WHERE user_pk = $1 AND revoked_at = 0 AND (expires_at = 0 OR expires_at > $2)`
	if err := tx.QueryRowContext(ctx, count, userPK, now).Scan(&inForce); err != nil {
		return k, fmt.Errorf("count keys: %w", err)
	}
	if inForce >= maxKeys {
		return k, shoal.Business("UsageLimitExceeded", "This user has %d API keys in force, the most there may be: revoke one that is not needed", inForce)
	}
	const q = `INSERT INTO api_keys (id, workspace_pk, user_pk, name, hash, prefix, scope, created_at, expires_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`
	_, err = tx.ExecContext(ctx, q, string(k.ID), workspacePK, userPK, name, k.Hash[:], secret[:shownToken], string(scope),
		now, micros(expires))
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

// RevokeKey ends a key that f chooses, at once on this machine and within
// keyLife on others.
func (s *Store) RevokeKey(ctx context.Context, f shoal.KeyFilter, id shoal.KeyID) error {
	err := s.write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		where, args := keyWhere(f, "", string(id), micros(s.now()))
		q := `UPDATE api_keys SET revoked_at = $2 WHERE revoked_at = 0 AND id = $1 AND pk IN (
			SELECT k.pk FROM api_keys k JOIN users u ON u.pk = k.user_pk JOIN workspaces w ON w.pk = k.workspace_pk` + where + `)`
		res, err := tx.ExecContext(ctx, q, args...)
		if err := oneRow(res, err, errKeyRevoked); err != nil {
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

var errKeyRevoked = shoal.NotFound("KeyDoesNotExist", "key", "API key not found, or revoked already")

// keyWhere returns the WHERE of f's keys, and its arguments behind those given.
func keyWhere(f shoal.KeyFilter, more string, args ...any) (string, []any) {
	var all []string
	add := func(term string, arg any) {
		args = append(args, arg)
		all = append(all, strings.ReplaceAll(term, "$", "$"+strconv.Itoa(len(args))))
	}
	if f.Workspace != "" {
		add("w.id = $", string(f.Workspace))
	}
	if f.User != "" {
		add("u.id = $", string(f.User))
	}
	if !f.InForce.IsZero() {
		add("k.revoked_at = 0 AND (k.expires_at = 0 OR k.expires_at > $)", micros(f.InForce))
	}
	if more != "" {
		all = append(all, more)
	}
	if len(all) == 0 {
		return "", args
	}
	return " WHERE " + strings.Join(all, " AND "), args
}

// Keys lists the keys that f chooses, newest first.
func (s *Store) Keys(ctx context.Context, f shoal.KeyFilter, w shoal.Window) (l shoal.Listing[shoal.Key], err error) {
	where, args := keyWhere(f, "")
	const count = `SELECT COUNT(*) FROM api_keys k JOIN users u ON u.pk = k.user_pk JOIN workspaces w ON w.pk = k.workspace_pk`
	if err := s.read.QueryRowContext(ctx, count+where, args...).Scan(&l.Total); err != nil {
		return l, fmt.Errorf("count keys: %w", err)
	}
	q := keyColumns + where + fmt.Sprintf(` ORDER BY k.pk DESC LIMIT $%d OFFSET $%d`, len(args)+1, len(args)+2)
	if l.Items, err = collect(ctx, s.read, scanKey, q, append(args, w.Limit, skip(w, l.Total))...); err != nil {
		return l, fmt.Errorf("list keys: %w", err)
	}
	for i := range l.Items {
		s.seeUse(&l.Items[i])
	}
	return l, nil
}

// Key returns a key that f chooses.
func (s *Store) Key(ctx context.Context, f shoal.KeyFilter, id shoal.KeyID) (shoal.Key, error) {
	where, args := keyWhere(f, "k.id = $1", string(id))
	k, err := scanKey(s.read.QueryRowContext(ctx, keyColumns+where, args...))
	if errors.Is(err, sql.ErrNoRows) {
		return k, shoal.ErrNoSuchKey
	}
	if err != nil {
		return k, fmt.Errorf("read key: %w", err)
	}
	s.seeUse(&k)
	return k, nil
}

// seeUse adds what is not written yet.
func (s *Store) seeUse(k *shoal.Key) {
	if last, ok := s.keys.lastUse(k.ID); ok {
		k.LastUsedAt = last
	}
}
