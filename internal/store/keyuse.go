package store

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"shoal"
)

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

// seeUse adds what is not written yet.
func (s *Store) seeUse(k *shoal.Key) {
	if last, ok := s.keys.lastUse(k.ID); ok {
		k.LastUsedAt = last
	}
}
