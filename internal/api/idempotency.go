package api

import (
	"crypto/sha256"
	"strings"

	"shoal"
)

// errKeyReused refuses an idempotency key that came with another request.
var errKeyReused = shoal.Conflict("InvalidParam", "Idempotency-Key",
	"This Idempotency-Key was used within 24 hours with another body; take a new key for a new request")

// idempotent serves a POST that carries an Idempotency-Key: a repeat gets the
// first answer. The store keeps the answer in the transaction of the effect,
// so that there is never one without the other; a request without an effect
// (an error) is not kept and may be tried again.
func (c *call) idempotent() error {
	body, err := c.readBody()
	if err != nil {
		return err
	}
	hash := bodyHash(c.r.URL.RawQuery, body)
	if path := c.r.URL.Path; strings.HasPrefix(path, "/v1/accounts") || strings.HasPrefix(path, "/v1/delivery") {
		// The body holds passwords: whoever reads the database could guess them by a plain hash.
		hash = c.a.seal.Sign("idempotency/body", hash[:])
	}
	return c.once(hash, func() error { return c.route.handle(c) })
}

// bodyHash identifies a request besides its route.
func bodyHash(query string, body []byte) [32]byte {
	h := sha256.New()
	h.Write([]byte(query))
	h.Write([]byte{0})
	h.Write(body)
	return [32]byte(h.Sum(nil))
}

// once answers with what is kept for the request's key, or handles it with
// c.effect set.
func (c *call) once(hash [32]byte, handle func() error) error {
	values := c.r.Header["Idempotency-Key"]
	if len(values) != 1 || values[0] == "" || len(values[0]) > 255 || !printable(values[0]) {
		return shoal.Invalid("InvalidParam", "Idempotency-Key", "Idempotency-Key must be given once, as 1 to 255 visible ASCII characters")
	}
	c.effect = &shoal.Idempotency{WorkspaceID: c.ws, Key: values[0], BodyHash: hash,
		Route: c.r.Method + " " + c.r.URL.Path}
	if c.route.scope == shoal.ScopeAdmin {
		// Keys are each user's own, whoever shares the workspace.
		c.effect.Route += " " + string(c.key.UserID)
	}
	if done, err := c.replay(); done || err != nil {
		return err
	}
	err := handle()
	if err == nil || c.started {
		return err
	}
	// A twin may have had the effect in the meantime; its answer is ours too.
	if done, replayErr := c.replay(); done || replayErr == errKeyReused {
		return replayErr
	}
	return err
}

// replay answers with the kept answer, if there is one.
func (c *call) replay() (bool, error) {
	saved, ok, err := c.a.store.SavedAnswer(c.ctx(), c.ws, c.effect.Route, c.effect.Key)
	if err != nil || !ok {
		return false, err
	}
	if saved.BodyHash != c.effect.BodyHash {
		return false, errKeyReused
	}
	c.w.Header()["Idempotency-Replayed"] = []string{"true"}
	if len(saved.Body) == 0 {
		c.start(saved.Status)
		return true, nil
	}
	return true, c.send(saved.Status, saved.Body)
}

func printable(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}
