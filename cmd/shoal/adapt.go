package main

import (
	"context"
	"path/filepath"
	"time"

	"shoal"
	"shoal/crawlers"
	"shoal/internal/api"
	"shoal/internal/crawl"
	"shoal/internal/crawler"
	"shoal/internal/runs"
	"shoal/internal/schedule"
)

// catalogue is the known crawlers with the definition file of the command line.
type catalogue struct {
	*crawler.Catalogue
	extra *crawler.Program
}

// Lookup returns a crawler by id or slug.
func (c *catalogue) Lookup(idOrSlug string) (*crawler.Program, error) {
	if c.extra != nil && (idOrSlug == c.extra.Info.Slug || idOrSlug == string(c.extra.Info.ID)) {
		return c.extra, nil
	}
	return c.Catalogue.Lookup(idOrSlug)
}

// openCatalogue returns the built-in crawlers, those of dir, which may be empty,
// and those that were added to the data directory.
func openCatalogue(dir, data string) (*crawler.Catalogue, error) {
	added := ""
	if data != "" {
		added = addedCrawlers(data)
	}
	return crawler.NewCatalogue(crawlers.FS, dir, added)
}

// addedCrawlers is where `shoal crawler add` keeps definitions.
func addedCrawlers(data string) string { return filepath.Join(data, "crawlers") }

// apiCatalogue shows the catalogue to the API, in the API's own words.
type apiCatalogue struct {
	*crawler.Workspaces
	fetcher crawl.Fetcher // of trials
}

// Lookup returns a crawler that the workspace may use.
func (c apiCatalogue) Lookup(ctx context.Context, ws shoal.WorkspaceID, idOrSlug string) (api.Program, error) {
	return c.program(c.Workspaces.Lookup(ctx, ws, idOrSlug))
}

// Version returns a crawler as a run copied it.
func (c apiCatalogue) Version(ctx context.Context, pk int64) (api.Program, error) {
	return c.program(c.Workspaces.Version(ctx, pk))
}

// Compile compiles a definition.
func (c apiCatalogue) Compile(src []byte) (api.Program, error) {
	return c.program(c.Workspaces.Compile(src))
}

func (c apiCatalogue) program(p *crawler.Program, err error) (api.Program, error) {
	if err != nil {
		return nil, err
	}
	return apiProgram{p, c.fetcher}, nil
}

// chainCatalogue shows the catalogue to chains, in their words.
type chainCatalogue struct{ apiCatalogue }

// Lookup returns a crawler that the workspace may use.
func (c chainCatalogue) Lookup(ctx context.Context, ws shoal.WorkspaceID, idOrSlug string) (schedule.Program, error) {
	return c.apiCatalogue.Lookup(ctx, ws, idOrSlug)
}

type apiProgram struct {
	*crawler.Program
	fetcher crawl.Fetcher
}

// Try tries the crawler on one task now.
func (p apiProgram) Try(ctx context.Context, t api.Trial) (*crawl.Report, error) {
	return crawl.Try(ctx, p.fetcher, crawl.Trial{Program: p.Program, Task: t.Task, Params: t.Params, MaxRows: t.MaxRows, MaxPages: t.MaxPages})
}

// Info returns the catalogue entry.
func (p apiProgram) Info() *shoal.Crawler { return &p.Program.Info }

// apiRuns shows the engine to the API.
type apiRuns struct{ *runs.Service }

// Start starts a run of a squid.
func (r apiRuns) Start(ctx context.Context, s api.StartRun) (shoal.Run, error) {
	return r.Service.Start(ctx, runs.StartRequest(s))
}

// Progress says how far a run is.
func (r apiRuns) Progress(run, seen *shoal.Run, now time.Time) (percent int, eta time.Duration, known bool) {
	p := runs.ProgressOf(run, seen, now)
	return p.Percent, p.ETA, p.Known
}
