// Package crawl works one request of a run task to its end: it fetches the
// page, has it read, bounds what the task may do, and returns the page that
// the store commits. It keeps nothing that outlives the process.
package crawl

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"time"

	"shoal"
	"shoal/internal/crawler"
	"shoal/internal/extract"
	"shoal/internal/fetch"
)

// Fetcher fetches pages; *fetch.Fetcher is one.
type Fetcher interface {
	Do(ctx context.Context, r fetch.Request, p fetch.Policy) (*fetch.Response, error)
	// Why says what requests to host are waiting for at now; empty: nothing that
	// the fetcher knows of.
	Why(host string, now time.Time) string
}

// Catalogue finds the crawlers that a workspace may use; *crawler.Workspaces is one.
type Catalogue interface {
	Lookup(ctx context.Context, ws shoal.WorkspaceID, idOrSlug string) (*crawler.Program, error)
}

// maxPrograms bounds the compiled versions that an Engine keeps, and maxSources
// the bytes of their texts: compiled they may take a hundred times as much.
const maxPrograms, maxSources = 64, 4 << 20

// Engine turns crawler versions into crawls. It is safe for concurrent use.
type Engine struct {
	catalogue Catalogue
	fetcher   Fetcher
	now       func() time.Time

	// reading bounds the pages that are read at once by what the machine can
	// work on, and one more: sixteen half-built trees of large pages take several
	// times the memory and not a moment less.
	reading chan struct{}

	mu       sync.Mutex
	programs map[int64]*crawler.Program // by version number
	sources  int                        // bytes of their texts
}

// New returns an engine that fetches with f. now is the clock; nil: time.Now.
func New(c Catalogue, f Fetcher, now func() time.Time) *Engine {
	if now == nil {
		now = time.Now
	}
	return &Engine{catalogue: c, fetcher: f, now: now, programs: map[int64]*crawler.Program{},
		reading: make(chan struct{}, runtime.GOMAXPROCS(0)+1)}
}

// Why says what requests to host are waiting for at now.
func (e *Engine) Why(host string, now time.Time) string { return e.fetcher.Why(host, now) }

// State is how a crawler stands, beyond what a run copied of it.
type State struct {
	Maintenance bool   // it is being repaired: runs wait
	Off         bool   // the operator switched it off: runs end
	Premium     bool   // it is for plans that include premium crawlers
	Message     string // why, a sentence; may be empty
}

// State returns how a crawler stands. One that is gone is not in anybody's way:
// runs have their own copy.
func (e *Engine) State(ctx context.Context, ws shoal.WorkspaceID, id shoal.CrawlerID) (State, error) {
	p, err := e.catalogue.Lookup(ctx, ws, string(id))
	if errors.Is(err, shoal.ErrCrawlerNotFound) {
		return State{}, nil
	}
	if err != nil {
		return State{}, fmt.Errorf("look up crawler %s: %w", id, err)
	}
	return State{Maintenance: p.Info.Maintenance, Off: !p.Info.IsAvailable && !p.Info.Maintenance, Premium: p.Info.IsPremium,
		Message: p.Info.Issue}, nil
}

// Prepare returns the crawler version and the settings that a run of s copies.
// The error is a Business error: ModuleUnavailable when the crawler is gone,
// SquidNotReady when a required param is unset.
func (e *Engine) Prepare(ctx context.Context, s *shoal.Squid) (shoal.CrawlerVersion, shoal.RunSettings, error) {
	var none shoal.CrawlerVersion
	p, err := e.catalogue.Lookup(ctx, s.WorkspaceID, string(s.CrawlerID))
	if errors.Is(err, shoal.ErrCrawlerNotFound) {
		return none, shoal.RunSettings{}, shoal.Business("ModuleUnavailable",
			"The squid's crawler %q is not installed here any more.", s.CrawlerSlug)
	}
	if err != nil {
		return none, shoal.RunSettings{}, fmt.Errorf("look up crawler %s: %w", s.CrawlerSlug, err)
	}
	settings, err := p.Settings(s)
	if err != nil {
		return none, shoal.RunSettings{}, err
	}
	return shoal.CrawlerVersion{
		CrawlerID: p.Info.ID, Slug: p.Info.Slug, Version: p.Info.Version,
		Digest: p.Info.Digest, Definition: p.Source, CreatedAt: e.now(),
	}, settings, nil
}

// Open returns the crawl of a run that copied v and s.
func (e *Engine) Open(v shoal.CrawlerVersion, s shoal.RunSettings) (*Crawl, error) {
	p, err := e.program(v)
	if err != nil {
		return nil, err
	}
	plan, err := extract.New(p, s)
	if err != nil {
		return nil, fmt.Errorf("bind crawler %s to the run's settings: %w", v.Slug, err)
	}
	return &Crawl{
		plan: plan, fetcher: e.fetcher, now: e.now, policy: policyOf(plan.Policy(), s.Concurrency),
		answered: newHosts(), reading: e.reading,
	}, nil
}

// Attributes returns the fields that a run of v with settings s can fill, in
// the crawler's order: those of add-ons that were off are left out.
func (e *Engine) Attributes(v shoal.CrawlerVersion, s shoal.RunSettings) ([]shoal.Attribute, error) {
	p, err := e.program(v)
	if err != nil {
		return nil, err
	}
	fields := make([]shoal.Attribute, 0, len(p.Info.Result))
	for _, a := range p.Info.Result {
		if a.Function == "" || slices.Contains(s.Functions, a.Function) {
			fields = append(fields, a)
		}
	}
	return fields, nil
}

// program returns the compiled definition of a version, compiling it once.
func (e *Engine) program(v shoal.CrawlerVersion) (*crawler.Program, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if p := e.programs[v.PK]; p != nil {
		return p, nil
	}
	p, err := crawler.Compile(v.Slug, v.Definition)
	if err != nil {
		return nil, fmt.Errorf("compile crawler %s version %d: %w", v.Slug, v.Version, err)
	}
	if len(e.programs) >= maxPrograms || e.sources+len(p.Source) > maxSources {
		clear(e.programs)
		e.sources = 0
	}
	e.programs[v.PK] = p
	e.sources += len(p.Source)
	return p, nil
}

// policyOf lays the crawler's wishes over the fetcher's polite defaults.
func policyOf(c crawler.Policy, concurrency int) fetch.Policy {
	p := fetch.DefaultPolicy()
	// Who asks for more slots than a host gets by default means the host.
	p.HostConcurrency = max(p.HostConcurrency, concurrency)
	p.Robots = c.Robots
	p.Header = c.Header
	p.MaxBytes = c.MaxBytes
	p.Timeout = c.Timeout
	if c.Delay > 0 {
		p.Delay = c.Delay
	}
	if c.HostConcurrency > 0 {
		p.HostConcurrency = c.HostConcurrency
	}
	switch {
	case c.Retries > 0:
		p.Retries = c.Retries
	case c.Retries == 0:
		p.Retries = -1 // here none is meant; the fetcher's 0 is its default
	}
	return p
}
