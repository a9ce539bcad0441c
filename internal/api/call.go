package api

import (
	"context"
	"net/http"

	"shoal"
)

// call is one request being served. It belongs to the handler's goroutine and
// goes back to a pool after; nothing may keep it.
type call struct {
	a     *API
	w     http.ResponseWriter
	r     *http.Request
	route *route
	id    string
	key   shoal.Key
	ws    shoal.WorkspaceID
	// body is the request's body once read; effect, if not nil, is the
	// idempotency key that the handler's effect is saved under.
	body []byte
	// programs are the crawlers looked up so far: a list names one many times, and
	// what renders an answer within a transaction must not ask the store.
	programs map[string]Program
	effect   *shoal.Idempotency
	// status is what was answered; started says that the answer is on its way.
	status  int
	started bool
	buf     []byte
}

// The most a pooled buffer may hold on to.
const keepBuffer = 64 << 10

func (c *call) reset() {
	buf := c.buf[:0]
	if cap(buf) > keepBuffer {
		buf = make([]byte, 0, 2048)
	}
	*c = call{a: c.a, buf: buf}
}

// lookup finds a crawler that the caller may use, by id or slug.
func (c *call) lookup(idOrSlug string) (Program, error) {
	if p := c.programs[idOrSlug]; p != nil {
		return p, nil
	}
	p, err := c.a.catalogue.Lookup(c.ctx(), c.ws, idOrSlug)
	if err != nil {
		return nil, err
	}
	if c.programs == nil {
		c.programs = map[string]Program{}
	}
	c.programs[idOrSlug], c.programs[string(p.Info().ID)] = p, p
	return p, nil
}

func (c *call) ctx() context.Context { return c.r.Context() }

// actor names who acts, for a run's history.
func (c *call) actor() string { return "user" }

func (c *call) routeName() string {
	if c.route == nil {
		return ""
	}
	return c.route.path
}

// Header values that never change, so that setting them allocates nothing.
var (
	headerJSON    = []string{"application/json"}
	headerNosniff = []string{"nosniff"}
	headerNoStore = []string{"no-store"}
)

// send answers with status and a JSON body.
func (c *call) send(status int, body []byte) error {
	c.w.Header()["Content-Type"] = headerJSON
	c.start(status)
	_, err := c.w.Write(body)
	return dropped(err)
}

// start writes the header.
func (c *call) start(status int) {
	c.status, c.started = status, true
	if status != http.StatusOK {
		c.w.WriteHeader(status)
	}
}

// noContent answers 204.
func (c *call) noContent() error {
	c.start(http.StatusNoContent)
	return nil
}

// json answers with v encoded.
func (c *call) json(status int, v any) error {
	c.buf = appendJSON(c.buf[:0], v)
	return c.send(status, c.buf)
}

// effectCtx returns the context to hand to the one store method, or service
// verb, that has the request's effect, and arranges that the answer is kept if
// the request has an idempotency key: render must give the bytes that the
// handler answers with, from what the method returns.
func effectCtx[T any](c *call, status int, render func(T) []byte) context.Context {
	if c.effect == nil {
		return c.ctx()
	}
	c.effect.Render = func(result any) (int, []byte) {
		v, _ := result.(T) // a method that returns nothing hands nil over
		return status, render(v)
	}
	return shoal.WithIdempotency(c.ctx(), c.effect)
}

// id32 returns the path's {id} if it has the form of one; notFound otherwise,
// as for any id that does not exist.
func id32[T ~string](c *call, notFound *shoal.Error) (T, error) {
	id := c.r.PathValue("id")
	if !shoal.ValidID(id) {
		return "", notFound
	}
	return T(id), nil
}
