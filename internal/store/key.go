package store

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
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
