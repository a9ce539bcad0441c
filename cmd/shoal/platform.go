package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"

	"shoal"
	"shoal/client"
	"shoal/internal/accounts"
	"shoal/internal/api"
	"shoal/internal/crawl"
	"shoal/internal/crawler"
	"shoal/internal/deliver"
	"shoal/internal/fetch"
	"shoal/internal/jobs"
	"shoal/internal/runs"
	"shoal/internal/safedial"
	"shoal/internal/schedule"
	"shoal/internal/seal"
	"shoal/internal/sqltable"
	"shoal/internal/store"
)

// platformFlags configure the platform that a verb opens in its process.
type platformFlags struct {
	Data                string        `help:"Data directory; ./shoal-data unless given." default:"./shoal-data" env:"SHOAL_DATA" type:"path" placeholder:"DIR"`
	Database            string        `help:"PostgreSQL URL; without it SQLite in the data directory." env:"SHOAL_DATABASE" placeholder:"URL"`
	Crawlers            string        `help:"Directory of definitions of your own." env:"SHOAL_CRAWLERS" placeholder:"DIR"`
	UserAgent           string        `help:"User-Agent of requests; name a contact, so that a site's owner can reach you." env:"SHOAL_USER_AGENT" placeholder:"TEXT"`
	AllowPrivateTargets bool          `help:"Visit private and loopback addresses too." env:"SHOAL_ALLOW_PRIVATE_TARGETS"`
	DeliveryFlags       deliveryFlags `embed:""`
	Storage             storageFlags  `embed:""`
	SecretKey           string        `help:"Key that seals secrets at rest (64 hexadecimal characters); without it the data directory's." env:"SHOAL_SECRET_KEY" placeholder:"KEY"`
	MinFree             int64         `help:"Pause runs when the disk has less than this many MiB free; 0: never." default:"256" env:"SHOAL_MIN_FREE" placeholder:"MIB"`
	MaxPaused           time.Duration `help:"How long a run may stay paused before it exports what it has and ends as an error, so that it never blocks its squid for ever." default:"168h" env:"SHOAL_MAX_PAUSED" placeholder:"DURATION"`
	Verbose             bool          `help:"Log what happens inside." short:"v"`
}

// config turns the flags into a platform's configuration.
func (f platformFlags) config(o *output) platformConfig {
	level := slog.LevelError
	if f.Verbose {
		level = slog.LevelDebug
	}
	return platformConfig{
		platformFlags: f,
		log:           slog.New(slog.NewTextHandler(o.err, &slog.HandlerOptions{Level: level})),
		slotWorkers:   64,
		work:          true,
	}
}

// platformConfig is all that opening a platform needs to know.
type platformConfig struct {
	platformFlags
	log         *slog.Logger
	slotWorkers int
	// definition is a definition file to add to the catalogue.
	definition string
	// admit lists addresses that may be visited although they are private.
	admit []netip.AddrPort
	// publicURL is the address that links in answers begin with, if the request's own is not right.
	publicURL string
	token     string         // the admin key to create at the first start
	proxies   []netip.Prefix // whose X-Forwarded headers are believed
	limits    api.Limits
	launch    bool // launch what is scheduled, if it works runs
	work      bool // work runs and other jobs, besides answering requests
}

// platform is Shoal in one process: store, jobs, engine and API, wired.
type platform struct {
	cfg      platformConfig
	db       *store.DB
	store    *store.Store
	jobs     *jobs.Client
	runs     *runs.Service
	launcher *schedule.Launcher
	chains   *schedule.Chains
	fetcher  *fetch.Fetcher
	accounts *accounts.Service
	blobs    fileStore
	deliver  *deliver.Service
	tables   *sqltable.Dir // where deliveries write SQLite files, nil: nowhere
	api      *api.API
	importer *api.Importer
	user     shoal.User
	used     bool   // a platform ran on the data directory before
	name     string // this process among all that share the database
	// stopping is closed by halt when the platform begins to stop.
	stopping <-chan struct{}
	halt     context.CancelFunc
	// definition is the slug of the crawler of cfg.definition.
	definition string
}

// openPlatform opens the data directory and wires the parts; nothing runs yet.
func openPlatform(ctx context.Context, cfg platformConfig) (*platform, error) {
	stopping, halt := context.WithCancel(context.Background())
	p := &platform{cfg: cfg, stopping: stopping.Done(), halt: halt}
	if err := p.open(ctx); err != nil {
		return nil, errors.Join(err, p.close())
	}
	return p, nil
}

func (p *platform) open(ctx context.Context) error {
	known, err := p.openCatalogue()
	if err != nil {
		return err
	}
	p.used = store.Exists(p.cfg.Data)
	if err := p.openStore(ctx); err != nil {
		return err
	}
	keys, err := p.secretKey()
	if err != nil {
		return err
	}
	if p.blobs, err = p.cfg.Storage.open(ctx, p.cfg.Data, p.cfg.work || p.cfg.launch); err != nil {
		return err
	}
	if err := p.openEngine(known, keys); err != nil {
		return err
	}
	if p.exclusive() {
		if err := p.deliver.Recover(ctx); err != nil {
			return err
		}
	}
	return p.bootstrap(ctx)
}

// openStore opens the database, brings its schema up to date and joins the job queue.
func (p *platform) openStore(ctx context.Context) (err error) {
	p.db, err = store.OpenDB(ctx, store.Options{DataDir: p.cfg.Data, DatabaseURL: p.cfg.Database, Logger: p.cfg.log})
	if err != nil {
		return err
	}
	if err := p.db.Migrate(ctx); err != nil {
		return err
	}
	p.name = fmt.Sprintf("%.40s-%d-%s", hostname(), os.Getpid(), shoal.NewID[string]())
	p.jobs, err = jobs.Open(jobs.Options{
		DB: p.db.WriteDB(), Dialect: jobs.Dialect(p.db.Dialect()), Logger: p.cfg.log,
		Owner:       p.name,
		SlotWorkers: p.cfg.slotWorkers, DeliverWorkers: deliverWorkers, OtherWorkers: 8, Exclusive: p.exclusive(),
	})
	if err != nil {
		return err
	}
	p.store = store.New(p.db, p.jobs)
	return nil
}

// exclusive reports whether this process alone uses the database: SQLite's
// data directory is locked.
func (p *platform) exclusive() bool { return p.cfg.Database == "" }

// keyFile is where the sealing key is, if it is not given.
func (c *platformConfig) keyFile() string { return filepath.Join(c.Data, "secret.key") }

// secretKey loads the sealing key. With PostgreSQL it must be configured: the
// servers that share the database must share the key too.
func (p *platform) secretKey() (*seal.Keyring, error) {
	if p.cfg.Database != "" && p.cfg.SecretKey == "" {
		return nil, &exit{exitUsage, errors.New("with PostgreSQL the secret key must be given, the same to every server: --secret-key or SHOAL_SECRET_KEY; make one with: openssl rand -hex 32")}
	}
	if err := os.MkdirAll(p.cfg.Data, 0o700); err != nil {
		return nil, fmt.Errorf("make the data directory: %w", err)
	}
	path := p.cfg.keyFile()
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) && p.cfg.SecretKey == "" && p.used {
		p.cfg.log.Warn("the secret key file is missing from a data directory that is in use; a new one is made. "+
			"What was sealed with the old one (cookies, delivery secrets) cannot be read any more: put the file back from a backup if you have one", "file", path)
	}
	return seal.Load(p.cfg.SecretKey, path)
}

func (p *platform) openCatalogue() (*catalogue, error) {
	base, err := openCatalogue(p.cfg.Crawlers, p.cfg.Data)
	if err != nil {
		return nil, err
	}
	base.Log = p.cfg.log
	c := &catalogue{Catalogue: base}
	if p.cfg.definition == "" {
		return c, nil
	}
	if c.extra, err = base.LoadFile(p.cfg.definition); err != nil {
		return nil, err
	}
	p.definition = c.extra.Info.Slug
	return c, nil
}

// openEngine wires fetcher, engine and API on the open store.
func (p *platform) openEngine(known *catalogue, keys *seal.Keyring) error {
	p.fetcher = newFetcher(p.cfg.AllowPrivateTargets, p.cfg.admit, p.cfg.UserAgent)
	crawlers := crawler.NewWorkspaces(known, p.store, p.cfg.log)
	shown := apiCatalogue{crawlers, p.fetcher}
	engine := crawl.New(crawlers, p.fetcher, nil)
	config := runs.Config{Owner: p.name, Exclusive: p.exclusive(), DataDir: p.cfg.Data, MinFree: minFree(p.cfg.MinFree),
		Cookies: accounts.Cookies{Seal: keys}}
	if p.cfg.MaxPaused > 0 {
		config.Rules = runs.DefaultRules
		config.Rules.MaxPaused = p.cfg.MaxPaused
	}
	var err error
	if p.runs, err = runs.New(p.store, engine, p.blobs, nil, p.cfg.log, config); err != nil {
		return err
	}
	p.accounts = &accounts.Service{Store: p.store, Types: crawlers, Fetcher: p.fetcher, Seal: keys, Log: p.cfg.log}
	p.chains = &schedule.Chains{Store: p.store, Catalogue: chainCatalogue{shown}, Starts: p.runs}
	p.launcher = schedule.NewLauncher(p.store, p.runs, schedule.LauncherConfig{Log: p.cfg.log})
	p.importer = &api.Importer{Store: p.store, Catalogue: shown, Blob: p.blobs}
	if p.deliver, err = p.newDeliver(keys); err != nil {
		return err
	}
	p.api = api.New(api.Options{
		Store: p.store, Runs: apiRuns{p.runs}, Catalogue: shown, Accounts: p.accounts, Deliver: p.deliver, Seal: keys, Blob: p.blobs,
		Scratch:   filepath.Join(p.cfg.Data, ".scratch"),
		PublicURL: p.cfg.publicURL, TrustedProxies: p.cfg.proxies, Version: version,
		Limits: p.cfg.limits, Logger: p.cfg.log, Stopping: p.stopping,
	})
	return nil
}

// newFetcher returns a fetcher that visits public addresses and those admitted.
func newFetcher(private bool, admit []netip.AddrPort, userAgent string) *fetch.Fetcher {
	dialer := safedial.New(safedial.Options{
		AllowPrivate: private, Allow: admit,
		Hint: "to visit private addresses, start with --allow-private-targets (SHOAL_ALLOW_PRIVATE_TARGETS=true)",
	})
	return fetch.New(fetch.Options{Dial: dialer.DialContext, UserAgent: cmp.Or(userAgent, fetch.DefaultUserAgent(version))})
}

// handlers says who works each kind of job.
func (p *platform) handlers() map[jobs.Kind]jobs.Handler {
	return map[jobs.Kind]jobs.Handler{
		jobs.KindSlot:    p.runs.Slot,
		jobs.KindFinish:  p.runs.Finish,
		jobs.KindConvert: p.runs.Convert,
		jobs.KindImport:  p.importUpload,
		jobs.KindPurge:   p.purge,
		jobs.KindSync:    p.accounts.Sync,
		jobs.KindDeliver: p.deliver.Deliver,
		jobs.KindChain:   p.chains.Work,
	}
}

func (p *platform) importUpload(ctx context.Context, raw json.RawMessage) (jobs.Outcome, error) {
	var args jobs.UploadArgs
	if err := json.Unmarshal(raw, &args); err != nil {
		return jobs.Done, fmt.Errorf("read import job: %w", err)
	}
	return jobs.Done, p.importer.Import(ctx, shoal.UploadID(args.Upload))
}

func (p *platform) purge(ctx context.Context, raw json.RawMessage) (jobs.Outcome, error) {
	var args jobs.PurgeArgs
	if err := json.Unmarshal(raw, &args); err != nil {
		return jobs.Done, fmt.Errorf("read purge job: %w", err)
	}
	if err := p.removeFiles(ctx, args); err != nil {
		return jobs.Done, err
	}
	more, err := p.store.Purge(ctx, args)
	if more && err == nil {
		return jobs.Again, nil
	}
	return jobs.Done, err
}

// removeFiles removes the files of what was deleted, and only then the rows
// that name them: a file is never left without a name.
func (p *platform) removeFiles(ctx context.Context, args jobs.PurgeArgs) error {
	for {
		names, err := p.store.DoomedBlobs(ctx, args)
		if err != nil || len(names) == 0 {
			return err
		}
		for _, name := range names {
			if err := p.blobs.Delete(ctx, name); err != nil {
				return err
			}
		}
		if err := p.store.ForgetBlobs(ctx, args, names); err != nil {
			return err
		}
	}
}

// bootstrap makes the workspace and its admin at the first start.
func (p *platform) bootstrap(ctx context.Context) (err error) {
	p.user, err = p.store.Bootstrap(ctx, "admin@localhost")
	return err
}

// start sets the platform going and returns what stops it: claiming ends
// first, slots give their work back, and the store closes last.
func (p *platform) start() (stop func() error) {
	storing, stopStore := context.WithCancel(context.Background())
	working, stopWork := context.WithCancel(context.Background())
	var stores, workers errgroup.Group
	stores.Go(func() error { return p.store.Serve(storing) })
	if p.cfg.work {
		workers.Go(func() error { return p.runs.Run(working) })
		workers.Go(func() error { return p.deliver.Run(working) })
		workers.Go(func() error { return p.jobs.Run(working, p.handlers()) })
	}
	if p.cfg.work && p.cfg.launch {
		workers.Go(func() error { return p.launcher.Run(working) })
	}
	return func() error {
		p.halt()
		stopWork()
		err := workers.Wait()
		stopStore()
		return errors.Join(err, stores.Wait(), p.close())
	}
}

// close closes what openPlatform opened.
func (p *platform) close() error {
	var err error
	if p.fetcher != nil {
		p.fetcher.Close()
	}
	if p.blobs != nil {
		err = p.blobs.Close()
	}
	if p.tables != nil {
		err = errors.Join(err, p.tables.Close())
	}
	if p.db != nil {
		err = errors.Join(err, p.db.Close())
	}
	return err
}

// client returns a client of the platform's own API, without a port. It acts
// as the workspace's admin: who may open the data directory owns it.
func (p *platform) client() *client.Client {
	key := shoal.Key{ID: "embedded", WorkspaceID: p.user.WorkspaceID, UserID: p.user.ID, Scope: shoal.ScopeAdmin, IsStaff: true}
	transport := &localTransport{handler: p.api, identify: func(ctx context.Context) context.Context { return api.WithKey(ctx, key) }}
	return client.New("http://shoal.local", "", &http.Client{Transport: transport})
}

// adminKey returns the API key to show: one made now because the workspace
// has none, or "" when there is one already or the operator gave it.
func (p *platform) adminKey(ctx context.Context) (string, error) {
	made, err := p.store.EnsureKey(ctx, p.user, p.cfg.token)
	if err != nil || p.cfg.token != "" {
		return "", err
	}
	return made, nil
}

// minFree is the flag in bytes; 0 switches the watch off.
func minFree(megabytes int64) int64 {
	if megabytes <= 0 {
		return -1
	}
	return megabytes << 20
}
