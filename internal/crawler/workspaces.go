package crawler

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"

	"shoal"
)

// Base is the catalogue that all workspaces share; *Catalogue is one.
type Base interface {
	Lookup(idOrSlug string) (*Program, error)
	List() ([]shoal.Crawler, error)
}

// OwnStore holds the crawlers that workspaces made for themselves.
type OwnStore interface {
	// Crawler returns the workspace's own crawler; ErrCrawlerNotFound.
	Crawler(ctx context.Context, ws shoal.WorkspaceID, idOrSlug string) (shoal.OwnCrawler, error)
	// Crawlers lists the workspace's own crawlers, by slug.
	Crawlers(ctx context.Context, ws shoal.WorkspaceID) ([]shoal.OwnCrawler, error)
	// CrawlerVersion returns an immutable definition; ErrCrawlerNotFound.
	CrawlerVersion(ctx context.Context, pk int64) (shoal.CrawlerVersion, error)
	// CrawlerFlags returns what the operator says of crawlers; most have none.
	CrawlerFlags(ctx context.Context) (map[shoal.CrawlerID]shoal.CrawlerFlag, error)
}

// maxVersions bounds the compiled versions that are kept, and maxSources the
// bytes of their texts: compiled they may take a hundred times as much.
const maxVersions, maxSources = 256, 4 << 20

// maxOwnBytes is the largest answer that a definition which somebody sent may
// ask for: answers are held in memory, that of the whole server.
const maxOwnBytes = 64 << 20

// Workspaces is a catalogue with the crawlers that each workspace made for
// itself: a workspace sees the shared ones and its own. Its own one wins over a
// shared one of the same slug, which came later: a new one may not take the slug
// of a shared one. Safe for concurrent use.
type Workspaces struct {
	base  Base
	store OwnStore
	log   *slog.Logger

	programs compiled // own crawlers
	versions compiled // as runs copied them
}

// compiled keeps compiled definitions by version number.
type compiled struct {
	mu    sync.Mutex
	by    map[int64]*Program
	bytes int // of their sources
}

func (c *compiled) get(pk int64) *Program {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.by[pk]
}

// put keeps p, for which others may have to go.
func (c *compiled) put(pk int64, p *Program) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.by[pk] != nil {
		return
	}
	if c.by == nil || len(c.by) >= maxVersions || c.bytes+len(p.Source) > maxSources {
		c.by, c.bytes = map[int64]*Program{}, 0
	}
	c.by[pk] = p
	c.bytes += len(p.Source)
}

// NewWorkspaces returns the crawlers of base and, for each workspace, of store.
// log takes what is wrong with stored ones; nil: slog.Default.
func NewWorkspaces(base Base, store OwnStore, log *slog.Logger) *Workspaces {
	if log == nil {
		log = slog.Default()
	}
	return &Workspaces{base: base, store: store, log: log}
}

// Lookup returns a crawler that the workspace may use, by id, slug or
// lower-cased name; shoal.ErrCrawlerNotFound. Without a workspace it knows the
// shared ones.
func (w *Workspaces) Lookup(ctx context.Context, ws shoal.WorkspaceID, idOrSlug string) (*Program, error) {
	p, err := w.find(ctx, ws, idOrSlug)
	return w.flagged(ctx, p, err)
}

func (w *Workspaces) find(ctx context.Context, ws shoal.WorkspaceID, idOrSlug string) (*Program, error) {
	if ws == "" {
		return w.base.Lookup(idOrSlug)
	}
	key := strings.ToLower(strings.TrimSpace(idOrSlug))
	if shoal.ValidID(key) { // ids are never the same, and most are shared ones
		if p, err := w.base.Lookup(key); !errors.Is(err, shoal.ErrCrawlerNotFound) {
			return p, err
		}
	}
	own, err := w.store.Crawler(ctx, ws, key)
	if errors.Is(err, shoal.ErrCrawlerNotFound) {
		return w.base.Lookup(key)
	}
	if err != nil {
		return nil, err
	}
	return w.program(own)
}

// List returns every crawler that the workspace may use, by slug.
func (w *Workspaces) List(ctx context.Context, ws shoal.WorkspaceID) ([]shoal.Crawler, error) {
	list, err := w.list(ctx, ws)
	if err != nil {
		return nil, err
	}
	return w.showAll(ctx, list)
}

func (w *Workspaces) list(ctx context.Context, ws shoal.WorkspaceID) ([]shoal.Crawler, error) {
	shared, err := w.base.List()
	if err != nil || ws == "" {
		return shared, err
	}
	own, err := w.store.Crawlers(ctx, ws)
	if err != nil || len(own) == 0 {
		return shared, err
	}
	taken := map[string]bool{}
	var out []shoal.Crawler
	for _, c := range own {
		p, err := w.program(c)
		if err != nil {
			w.log.Warn("a crawler of a workspace is left out of its list", "crawler", c.ID, "err", err)
			continue
		}
		out, taken[p.Info.Slug] = append(out, p.Info), true
	}
	for _, c := range shared {
		if !taken[c.Slug] {
			out = append(out, c)
		}
	}
	slices.SortFunc(out, func(a, b shoal.Crawler) int { return strings.Compare(a.Slug, b.Slug) })
	return out, nil
}

// Compile compiles a definition that somebody sent. The error is a *shoal.Error
// that says where it is wrong, and what would be right.
func (w *Workspaces) Compile(src []byte) (*Program, error) {
	p, err := Compile("definition", src)
	if ps, ok := errors.AsType[Problems](err); ok {
		return nil, shoal.Invalid("ParamsInvalid", "definition", "%s", ps.told())
	}
	if err == nil && p.Policy.MaxBytes > maxOwnBytes {
		return nil, shoal.Invalid("ParamsInvalid", "definition", "max_bytes is more than %d MB, the most for a crawler that is sent to a server; only those in its own directory may ask for more", maxOwnBytes>>20)
	}
	return p, err
}

// Version returns a crawler as a run copied it, whatever became of it since.
func (w *Workspaces) Version(ctx context.Context, pk int64) (*Program, error) {
	if p := w.versions.get(pk); p != nil {
		return p, nil
	}
	v, err := w.store.CrawlerVersion(ctx, pk)
	if err != nil {
		return nil, err
	}
	p, err := Compile(v.Slug, v.Definition)
	if err != nil {
		return nil, fmt.Errorf("the stored definition of crawler %s: %w", v.Slug, err)
	}
	w.versions.put(pk, p)
	return p, nil
}

// program compiles a stored version once. Nobody waits for another's, which may
// take seconds.
func (w *Workspaces) program(c shoal.OwnCrawler) (*Program, error) {
	if p := w.programs.get(c.Version.PK); p != nil {
		return p, nil
	}
	p, err := Compile(c.Version.Slug, c.Version.Definition)
	if err != nil {
		// An older program accepted it.
		return nil, fmt.Errorf("the stored definition of crawler %s: %w", c.Version.Slug, err)
	}
	p = p.Owned(c)
	w.programs.put(c.Version.PK, p)
	return p, nil
}

// Owned returns the program as the workspace's own crawler c.
func (p *Program) Owned(c shoal.OwnCrawler) *Program {
	own := *p
	own.Info.ID, own.Info.WorkspaceID, own.Info.IsPublic = c.ID, c.WorkspaceID, false
	own.Info.Version, own.Info.CreatedAt = c.Version.Version, c.CreatedAt
	return &own
}
