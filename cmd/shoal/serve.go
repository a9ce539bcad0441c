package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"time"

	"shoal/internal/api"
)

// serveCmd serves the API until it is told to stop.
type serveCmd struct {
	Addr      string     `help:"Address to listen on." default:"127.0.0.1:8080" env:"SHOAL_ADDR"`
	Role      string     `help:"all, api (answers requests, works no runs) or worker (works runs, no API); api and worker need PostgreSQL." enum:"all,api,worker" default:"all" env:"SHOAL_ROLE"`
	Token     string     `help:"Admin API key to create at the first start; without it one is made and shown once." env:"SHOAL_TOKEN" placeholder:"KEY"`
	PublicURL string     `help:"Address that links in answers begin with, when it is not the request's." env:"SHOAL_PUBLIC_URL" placeholder:"URL"`
	Proxies   []string   `help:"Addresses or networks of proxies whose X-Forwarded headers are believed." name:"trusted-proxies" env:"SHOAL_TRUSTED_PROXIES" placeholder:"CIDR"`
	Workers   int        `help:"Slots that this process works at once, over all runs." default:"64" env:"SHOAL_WORKERS"`
	Limits    limitFlags `embed:"" prefix:"limit-" envprefix:"SHOAL_LIMIT_"`
	platformFlags
}

// limitFlags are the rate limits per API key; 0 is none.
type limitFlags struct {
	Squids   int `help:"Requests about squids, a minute and key; 0: no limit (hosted platforms: 120)." default:"0" env:"SQUIDS"`
	Tasks    int `help:"Requests about tasks, a minute and key (90)." default:"0" env:"TASKS"`
	Runtasks int `help:"Requests about run tasks, a minute and key (90)." default:"0" env:"RUNTASKS"`
	Runs     int `help:"Requests about runs, a minute and key (120)." default:"0" env:"RUNS"`
	Results  int `help:"Requests about results, a second and key (2)." default:"0" env:"RESULTS"`
}

// check refuses a negative limit.
func (f limitFlags) check() error {
	if min(f.Squids, f.Tasks, f.Runtasks, f.Runs, f.Results) < 0 {
		return &exit{exitUsage, errors.New("a limit is 0 (none) or a number of requests, not negative")}
	}
	return nil
}

// Help is the long help of the verb.
func (serveCmd) Help() string {
	return `The first start prints an API key. Then, from anywhere that reaches the address:
  curl -H "Authorization: Token KEY" http://127.0.0.1:8080/v1/me
The reference is at /v1/docs, the OpenAPI document at /v1/openapi.yaml.
SIGTERM or Ctrl-C stops cleanly within 10 seconds; runs go on at the next start.`
}

// Run does the verb.
func (c *serveCmd) Run(ctx context.Context, o *output) error {
	if c.Role != "all" && c.Database == "" {
		return &exit{exitUsage, fmt.Errorf("--role %s needs --database: a SQLite data directory belongs to one process", c.Role)}
	}
	if err := c.Limits.check(); err != nil {
		return err
	}
	if c.Workers < 1 {
		return &exit{exitUsage, fmt.Errorf("--workers is %d; it must be 1 or more (a server that works no runs: --role api)", c.Workers)}
	}
	if c.MaxPaused <= 0 {
		return &exit{exitUsage, fmt.Errorf("--max-paused is %v; it must be longer than nothing, such as 168h", c.MaxPaused)}
	}
	proxies, err := prefixes(c.Proxies)
	if err != nil {
		return err
	}
	var listener net.Listener
	if c.Role != "worker" {
		// The port comes first: a key is shown once, and not by a server that cannot start.
		if listener, err = listenOn(c.Addr); err != nil {
			return err
		}
		defer listener.Close()
	}
	cfg := c.config(o)
	level := slog.LevelInfo
	if c.Verbose {
		level = slog.LevelDebug
	}
	cfg.log = slog.New(slog.NewTextHandler(o.err, &slog.HandlerOptions{Level: level}))
	cfg.slotWorkers, cfg.publicURL, cfg.token, cfg.proxies = c.Workers, c.PublicURL, c.Token, proxies
	cfg.limits = api.Limits{Squids: c.Limits.Squids, Tasks: c.Limits.Tasks, RunTasks: c.Limits.Runtasks, Runs: c.Limits.Runs, Results: c.Limits.Results}
	cfg.work, cfg.launch = c.Role != "api", true
	p, err := openPlatform(ctx, cfg)
	if err != nil {
		return err
	}
	stop := p.start()
	if c.Role == "worker" {
		o.notef("Shoal %s works runs from the database; Ctrl-C stops it.\n", version)
		<-ctx.Done()
		return stop()
	}
	key, err := p.adminKey(ctx)
	if err == nil {
		c.greet(o, listener.Addr().String(), key)
		err = p.serve(ctx, listener)
	}
	return errors.Join(err, stop())
}

// greet says where the server is and, once, the key it made.
func (c *serveCmd) greet(o *output, address, key string) {
	o.notef("Shoal %s serves http://%s/v1 (reference: http://%s/v1/docs); data in %s\n", version, address, address, c.where())
	if key != "" {
		o.notef("API key, shown only now: %s\n", key)
	}
}

func (c *serveCmd) where() string {
	if c.Database != "" {
		return "PostgreSQL"
	}
	return c.Data
}

// listenOn opens the address of the API. Connections wait from here on until
// they are served.
func listenOn(addr string) (net.Listener, error) {
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		if e, ok := errors.AsType[*net.OpError](err); ok {
			err = e.Err
		}
		return nil, &exit{exitFailed, fmt.Errorf("listen on %s: %w (choose another address with --addr, such as 127.0.0.1:8090)", addr, err)}
	}
	return listener, nil
}

// serve serves the API until ctx ends, then stops within seconds: requests
// under way get their answers, streams are cut.
func (p *platform) serve(ctx context.Context, listener net.Listener) error {
	streams, cut := context.WithCancel(context.Background())
	defer cut()
	server := &http.Server{
		Handler: p.api, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute,
		ErrorLog:    slog.NewLogLogger(p.cfg.log.Handler(), slog.LevelDebug),
		BaseContext: func(net.Listener) context.Context { return streams },
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	select {
	case err := <-ended:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	// Long polls and event streams end at once; short requests have time to finish.
	time.AfterFunc(500*time.Millisecond, cut)
	last, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	if err := server.Shutdown(last); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("stop serving: %w", err)
	}
	return nil
}

// prefixes reads addresses and networks: 10.0.0.1, 10.0.0.0/8.
func prefixes(words []string) ([]netip.Prefix, error) {
	var all []netip.Prefix
	for _, w := range words {
		if addr, err := netip.ParseAddr(w); err == nil {
			all = append(all, netip.PrefixFrom(addr, addr.BitLen()))
			continue
		}
		p, err := netip.ParsePrefix(w)
		if err != nil {
			return nil, &exit{exitUsage, fmt.Errorf("--trusted-proxies: %q is neither an address nor a network such as 10.0.0.0/8", w)}
		}
		all = append(all, p)
	}
	return all, nil
}

// hostname names this machine, for people who look at who works.
func hostname() string {
	name, err := os.Hostname()
	if err != nil {
		return "unknown"
	}
	return name
}
