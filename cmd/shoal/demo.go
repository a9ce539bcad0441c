package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"

	"shoal"
	"shoal/client"
	"shoal/internal/fixtures"
)

// demoCmd crawls a site of its own and shows what came out.
type demoCmd struct {
	Stay bool   `help:"Stay up with the API and the bookshop when the crawl is done."`
	Addr string `help:"Address of the API with --stay." default:"127.0.0.1:8080" env:"SHOAL_ADDR"`
	platformFlags
}

// Run does the verb.
func (c *demoCmd) Run(ctx context.Context, o *output) error {
	var listener net.Listener
	if c.Stay {
		var err error
		if listener, err = listenOn(c.Addr); err != nil {
			return err
		}
		defer listener.Close()
	}
	site, address, err := serveBookshop()
	if err != nil {
		return err
	}
	defer site.Close()
	cfg := c.config(o)
	cfg.admit = []netip.AddrPort{address}
	p, err := openPlatform(ctx, cfg)
	if err != nil {
		return err
	}
	stop := p.start()
	err = c.show(ctx, o, p, "http://"+address.String()+"/")
	if err == nil && c.Stay {
		err = c.stay(ctx, o, p, listener)
	}
	return errors.Join(err, stop())
}

// serveBookshop serves the demo's site on a free loopback port.
func serveBookshop() (*http.Server, netip.AddrPort, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, netip.AddrPort{}, fmt.Errorf("serve the demo's bookshop: %w", err)
	}
	address := listener.Addr().(*net.TCPAddr).AddrPort()
	site := &http.Server{Handler: fixtures.Bookshop(fixtures.Options{}), ReadHeaderTimeout: 10 * time.Second}
	go site.Serve(listener) // ends with site.Close
	return site, address, nil
}

// show crawls the bookshop and prints rows, run and files.
func (c *demoCmd) show(ctx context.Context, o *output, p *platform, url string) error {
	o.printf("A bookshop of about 1,000 books is open at %s\nCollecting it with the crawler “bookshop”: listing pages, then every book's own page.\n\n", url)
	api := p.client()
	collect := goCmd{Crawler: "bookshop", Input: []string{url}, Param: []string{"details=true"}, Slots: new(8), MaxWait: time.Minute, platformFlags: c.platformFlags, once: true}
	run, err := collect.collect(ctx, o, api)
	if err != nil {
		return err
	}
	if err := firstRows(ctx, o, api, run, 8); err != nil {
		return err
	}
	o.printf("\n")
	showRun(o, run)
	o.printf("\nThe run, as GET /v1/runs/%s answers:\n", run.ID)
	if err := printJSON(o.out, run); err != nil {
		return err
	}
	csv := filepath.Join(c.Data, "demo.csv")
	if err := saveResults(ctx, o, api, run.ID, "csv", csv); err != nil {
		return err
	}
	if err := c.showCSV(ctx, o, api, run); err != nil {
		return err
	}
	o.printf("\nWhere to look:\n  rows as CSV       %s\n  everything else   %s\n", csv, c.Data)
	if !c.Stay {
		name := invoked(os.Args[0])
		o.printf("  over the API      %s serve --data %s\nNext, any site:     %s go website https://example.com/ -o pages.csv\n", name, quoted(c.Data), name)
	}
	if run.Status != "done" {
		return &exit{code: exitOtherReason}
	}
	return nil
}

// showCSV prints the head of the CSV file.
func (c *demoCmd) showCSV(ctx context.Context, o *output, api *client.Client, run *client.Run) error {
	var head headWriter
	if _, err := api.Download(ctx, run.ID, "csv", nil, &head); err != nil {
		return err
	}
	o.printf("\nThe CSV begins:\n")
	for line := range strings.Lines(head.text.String()) {
		o.printf("  %s\n", clip(line, 110))
	}
	return nil
}

// headWriter keeps the first three lines of what is written to it.
type headWriter struct {
	text  bytes.Buffer
	lines int
}

func (w *headWriter) Write(b []byte) (int, error) {
	for rest := b; len(rest) > 0 && w.lines < 3; {
		line, after, found := bytes.Cut(rest, []byte("\n"))
		w.text.Write(line)
		if !found {
			break
		}
		w.text.WriteByte('\n')
		w.lines++
		rest = after
	}
	return len(b), nil
}

// stay serves the API until the person has seen enough.
func (c *demoCmd) stay(ctx context.Context, o *output, p *platform, listener net.Listener) error {
	_, key, err := p.store.CreateKey(ctx, p.user.WorkspaceID, p.user.ID, "demo", shoal.ScopeAdmin, time.Now().Add(24*time.Hour))
	if err != nil {
		return err
	}
	address := listener.Addr()
	o.printf("\nThe API is up; Ctrl-C ends it. Try:\n  curl -H 'Authorization: Token %s' http://%s/v1/runs\n  http://%s/v1/docs\n", key, address, address)
	return p.serve(ctx, listener)
}
