package main

import (
	"context"
	"errors"
	"fmt"

	"shoal/internal/seal"
)

// adminSealCmd holds the verbs of the sealing key.
type adminSealCmd struct {
	Rotate adminSealRotate `cmd:"" help:"Make a new key, and seal everything with it."`
}

// adminSealRotate replaces the sealing key.
type adminSealRotate struct {
	homeFlags
	DropOld bool `help:"Remove the former keys afterwards. Download links that were made before become void." name:"drop-old"`
}

// Help is the long help of the verb.
func (adminSealRotate) Help() string {
	return `Cookies, passwords and delivery secrets are sealed (AES-256-GCM) with the first key of
secret.key in the data directory; the other keys in it open what they sealed before.

This makes a new key, puts it first, and seals everything anew, in batches. The server of the
data directory has to be stopped. If it is interrupted, run it again: it goes on.

Where the key is given instead (SHOAL_SECRET_KEY, always so with PostgreSQL), put the new key
before the old one, separated by a comma, start all servers with both, and then run this with
the same: it seals everything with the first key. After that the old key can be left away.
  openssl rand -hex 32      makes a key`
}

// Run does the verb.
func (c *adminSealRotate) Run(ctx context.Context, o *output) error {
	return c.open(ctx, o, func(p *platform) error {
		ring, err := c.keys(ctx, p)
		if err != nil {
			return err
		}
		values, changed, err := p.store.ResealAll(ctx, resealWith(ring))
		if errors.Is(err, seal.ErrUnknownKey) {
			return fmt.Errorf("%d secrets are sealed anew, the rest is not: %w", changed, err)
		}
		if err != nil {
			return err
		}
		o.printf("%d of %d secrets were sealed with another key; all are sealed with the first one now.\n", changed, values)
		switch {
		case c.SecretKey != "":
			if ring.Keys() > 1 {
				o.notef("Download links that were signed with the former keys work as long as those are given.\n")
			}
		case c.DropOld:
			return seal.Retire(p.cfg.keyFile())
		default:
			o.notef("The former keys stay in %s, so that download links go on working; --drop-old removes them.\n", p.cfg.keyFile())
		}
		return nil
	})
}

// keys returns the keys to seal with, the new one first. A rotation that was
// interrupted goes on with the key that it made.
func (c *adminSealRotate) keys(ctx context.Context, p *platform) (*seal.Keyring, error) {
	load := func() (*seal.Keyring, error) { return seal.Load(c.SecretKey, p.cfg.keyFile()) }
	ring, err := load()
	if err != nil || c.SecretKey != "" {
		return ring, err
	}
	unfinished := false
	_, _, err = p.store.ResealAll(ctx, func(purpose string, sealed []byte) ([]byte, error) {
		if ring.Stale(sealed) {
			unfinished = true
			return nil, errStale
		}
		return sealed, nil
	})
	if unfinished {
		return ring, nil
	}
	if err != nil {
		return nil, err
	}
	if err := seal.Renew(p.cfg.keyFile()); err != nil {
		return nil, err
	}
	return load()
}

var errStale = errors.New("a secret is sealed with a former key")

// resealWith seals what a former key of the ring sealed with its first one.
func resealWith(ring *seal.Keyring) func(purpose string, sealed []byte) ([]byte, error) {
	return func(purpose string, sealed []byte) ([]byte, error) {
		plain, err := ring.Open(purpose, sealed)
		if err != nil || !ring.Stale(sealed) {
			return sealed, err
		}
		return ring.Seal(purpose, plain), nil
	}
}
