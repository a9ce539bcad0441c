// Package api serves /v1, wire-compatible with the lobstr.io API v1.
//
// routes.go shows every route on one screen. A handler decodes, validates,
// acts and responds; what it acts on are the small interfaces of store.go and
// services.go. The wire shapes stand beside their handlers, a file per noun;
// openapi.yaml describes all of them.
package api

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"shoal"
	"shoal/internal/blob"
	"shoal/internal/changes"
	"shoal/internal/seal"
)

// Options are what the API stands on.
type Options struct {
	Store     Store
	Runs      Runs
	Catalogue Catalogue
	Deliver   Deliverer
	Accounts  Accounts
	Seal      *seal.Keyring
	Blob      blob.Store
	// Scratch is a directory for files that live as long as the process at most;
	// empty: the system's.
	Scratch string
	// Now is the clock; nil: time.Now.
	Now Now
	// Limits are the rate limits per key; the zero value has none.
	Limits Limits
	// PublicURL is what absolute URLs in answers begin with ("https://host");
	// empty: the request's own scheme and host.
	PublicURL string
	// TrustedProxies may say with X-Forwarded-Proto and -Host what the client asked for.
	TrustedProxies []netip.Prefix
	// Version is the program's, for /healthz and the OpenAPI document.
	Version string
	// Logger takes faults, and every request at debug level; nil: slog.Default.
	Logger *slog.Logger
	// BodyTimeout bounds how long a client may take to send a body; uploads and
	// long lists of tasks have 15 times as long. 0: a minute.
	BodyTimeout time.Duration
	// Stopping is closed when the server begins to stop: event streams and long
	// polls then end at once, and new ones are refused. Nil: never.
	Stopping <-chan struct{}
}

// API is the handler of /v1, /healthz and /readyz.
type API struct {
	store     Store
	runs      Runs
	catalogue Catalogue
	deliver   Deliverer
	accounts  Accounts
	seal      *seal.Keyring
	blob      blob.Store
	changes   *changes.Comparer
	now       Now
	limits    *limiter
	publicURL string
	proxies   []netip.Prefix
	version   string
	log       *slog.Logger
	stopping  <-chan struct{}
	// bodyTimeout bounds the reading of a body.
	bodyTimeout time.Duration

	mux      *http.ServeMux
	docs     func() documents // made when first asked for
	calls    sync.Pool
	looks    looks
	trials   trials
	idPrefix [8]byte
	idNext   atomic.Uint64
}

// New returns the API.
func New(o Options) *API {
	a := &API{
		store: o.Store, runs: o.Runs, catalogue: o.Catalogue, accounts: o.Accounts, deliver: o.Deliver, seal: o.Seal, blob: o.Blob,
		now: o.Now, publicURL: strings.TrimSuffix(o.PublicURL, "/"), proxies: o.TrustedProxies,
		version: o.Version, log: o.Logger, stopping: o.Stopping, bodyTimeout: o.BodyTimeout,
	}
	a.changes = changes.NewComparer(o.Store, o.Scratch)
	if a.bodyTimeout == 0 {
		a.bodyTimeout = time.Minute
	}
	if a.now == nil {
		a.now = time.Now
	}
	if a.log == nil {
		a.log = slog.Default()
	}
	rand.Read(a.idPrefix[:])
	a.limits = newLimiter(o.Limits, a.now)
	a.docs = sync.OnceValue(func() documents { return renderDocuments(o.Version) })
	a.calls.New = func() any { return &call{a: a, buf: make([]byte, 0, 2048)} }
	a.mux = a.newMux()
	return a
}

// newMux registers one handler per path, which chooses by method, so that a
// wrong method gets our 405 and not the mux's.
func (a *API) newMux() *http.ServeMux {
	paths := map[string]*resource{}
	mux := http.NewServeMux()
	for _, rt := range a.routes() {
		res := paths[rt.path]
		if res == nil {
			res = &resource{a: a}
			paths[rt.path] = res
			mux.Handle(rt.path, res)
		}
		res.add(rt)
	}
	mux.Handle("/", &resource{a: a})
	return mux
}

// ServeHTTP serves one request. It never redirects: the mux would for a path
// that is not clean, so the path is cleaned first.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	cleanPath(r.URL)
	a.mux.ServeHTTP(w, r)
}

// resource is one path with its methods.
type resource struct {
	a      *API
	routes []route
	allow  string
}

func (res *resource) add(rt route) {
	res.routes = append(res.routes, rt)
	if res.allow != "" {
		res.allow += ", "
	}
	res.allow += rt.method
	if rt.method == http.MethodGet {
		res.allow += ", " + http.MethodHead
	}
}

func (res *resource) find(method string) *route {
	if method == http.MethodHead {
		method = http.MethodGet
	}
	for i := range res.routes {
		if res.routes[i].method == method {
			return &res.routes[i]
		}
	}
	return nil
}

// ServeHTTP runs the route of the request's method, between what all have in
// common: id, panic guard, key, rate limit, and the form of errors.
func (res *resource) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a := res.a
	c := a.begin(w, r)
	defer a.end(c)
	c.route = res.find(r.Method)
	c.limitBodyTime()
	if c.route == nil {
		c.fail(res.refuse(w, r))
		return
	}
	if err := c.serve(); err != nil {
		c.fail(err)
	}
}

func (res *resource) refuse(w http.ResponseWriter, r *http.Request) error {
	if len(res.routes) == 0 {
		return &shoal.Error{Kind: shoal.KindNotFound, Code: "NotFound", Param: "path",
			Message: "There is nothing at " + clip(r.URL.Path, 100) + "; the reference is at /v1/docs"}
	}
	w.Header().Set("Allow", res.allow)
	return errMethod.with("%s is not allowed here; allowed: %s", clip(r.Method, 20), res.allow)
}

// serve authenticates, counts against the limit and handles.
func (c *call) serve() error {
	if !c.route.public {
		if err := c.authenticate(); err != nil {
			return err
		}
	}
	if err := c.countRequest(); err != nil {
		return err
	}
	if c.r.Method == http.MethodPost && c.r.Header["Idempotency-Key"] != nil && !c.route.ownBody {
		return c.idempotent()
	}
	return c.route.handle(c)
}

// begin takes a call from the pool and sets the headers that every answer has.
func (a *API) begin(w http.ResponseWriter, r *http.Request) *call {
	c := a.calls.Get().(*call)
	c.w, c.r = w, r
	c.id = a.requestID()
	h := w.Header()
	h["X-Request-Id"] = []string{c.id}
	h["X-Content-Type-Options"] = headerNosniff
	h["Cache-Control"] = headerNoStore
	c.unlimited(h)
	return c
}

// end turns a panic into a 500, logs, and gives the call back.
func (a *API) end(c *call) {
	if v := recover(); v != nil {
		if v == http.ErrAbortHandler {
			panic(v)
		}
		a.log.Error("panic while serving a request", "request", c.id, "method", c.r.Method,
			"route", c.routeName(), "panic", v, "stack", string(debug.Stack()))
		if c.started {
			panic(http.ErrAbortHandler) // half an answer must not look whole
		}
		c.fail(errors.New("panic"))
	}
	if a.log.Enabled(context.Background(), slog.LevelDebug) {
		a.log.Debug("request", "request", c.id, "method", c.r.Method, "route", c.routeName(), "status", c.status)
	}
	c.reset()
	a.calls.Put(c)
}

// requestID returns a new id: a random prefix of this process and a counter.
func (a *API) requestID() string {
	var raw [16]byte
	copy(raw[:], a.idPrefix[:])
	binary.BigEndian.PutUint64(raw[8:], a.idNext.Add(1))
	var text [32]byte
	hex.Encode(text[:], raw[:])
	return string(text[:])
}

// stopped reports whether the server has begun to stop.
func (a *API) stopped() bool {
	select {
	case <-a.stopping:
		return true
	default:
		return false
	}
}
