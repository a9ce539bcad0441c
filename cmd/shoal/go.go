package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"shoal/client"
)

// goCmd collects now: embedded in a data directory, or on a server.
type goCmd struct {
	Crawler string        `arg:"" optional:"" help:"Slug of a crawler (shoal crawler ls), or a definition file (.yaml)."`
	Input   []string      `arg:"" optional:"" help:"Inputs, one task each: a URL (https:// may be left out), name=value, or a JSON object." sep:"none"`
	File    string        `help:"File of inputs: .csv or .tsv with a header, any other has one input a line; - for standard input." short:"f" placeholder:"FILE"`
	Param   []string      `help:"Param or function of the crawler, as name=value; may be repeated." short:"p" placeholder:"K=V" sep:"none"`
	Slots   *int          `help:"Concurrency: how many requests at once." short:"c" name:"concurrency" placeholder:"N"`
	Output  string        `help:"File to write; - for standard output." short:"o" placeholder:"FILE"`
	Format  string        `help:"csv, json, jsonl, xlsx or parquet; without it by the file's name." enum:",csv,json,jsonl,xlsx,parquet" default:"" placeholder:"FORMAT"`
	Resume  string        `help:"Go on with an interrupted run instead of starting one." placeholder:"RUN"`
	MaxWait time.Duration `help:"How long to wait for a run that paused to go on by itself." default:"2m"`
	JSON    bool          `help:"Print the run as JSON at the end." name:"json"`
	Quiet   bool          `help:"No progress; only what went wrong." short:"q"`
	Server  string        `help:"Collect on this server instead of in the data directory." env:"SHOAL_SERVER" placeholder:"URL"`
	Token   string        `help:"API key of the server." env:"SHOAL_TOKEN" short:"k" name:"key" placeholder:"KEY"`
	platformFlags

	// slug is the crawler's, also when its definition was named by file.
	slug string
	// once says that the site goes with this process, so that there is nothing to go on with.
	once bool
}

// Help is the long help of the verb.
func (goCmd) Help() string {
	return `Examples:
  shoal go website https://example.com/ -o pages.csv
  shoal go website https://example.com/ -p max_pages=100 -p text=true -o pages.jsonl
  shoal go sitemap https://example.com/ -c 4
  shoal go website -f sites.txt -o pages.csv

Without --server everything runs inside this process and is stored in the data
directory; an interrupted run is kept and can be resumed.`
}

// Run does the verb.
func (c *goCmd) Run(ctx context.Context, o *output) error {
	if err := c.check(); err != nil {
		return err
	}
	api, stop, err := c.connect(ctx, o)
	if err != nil {
		return err
	}
	run, err := c.collect(ctx, o, api)
	if err == nil {
		err = c.deliver(ctx, o, api, run)
	}
	if err != nil && ctx.Err() != nil {
		// Its cause was the interrupt, whatever it says: before a run is there,
		// nothing has been started; after it, collect has said how to go on.
		err = &exit{code: exitInterrupted}
	}
	if serr := stop(); err == nil {
		err = serr
	}
	return err
}

// check refuses a wrong command line before anything is opened.
func (c *goCmd) check() error {
	if c.Resume == "" {
		switch {
		case c.Crawler == "":
			return &exit{exitUsage, errors.New("which crawler? For example: shoal go website https://example.com/ -o pages.csv (see: shoal crawler ls)")}
		case len(c.Input) == 0 && c.File == "":
			return &exit{exitUsage, fmt.Errorf("no input: give one or more after the crawler, or a file of them with -f; what %s takes: shoal crawler show %s", c.Crawler, c.Crawler)}
		}
	}
	if c.Resume != "" && (len(c.Input) > 0 || c.File != "" || len(c.Param) > 0 || c.Slots != nil) {
		return &exit{exitUsage, errors.New("--resume goes on with a run as it is: leave out inputs, -f, -p and -c")}
	}
	if c.Server != "" && isDefinition(c.Crawler) {
		return &exit{exitUsage, errors.New("a definition file runs in this process: leave out --server (SHOAL_SERVER)")}
	}
	if c.File != "" {
		if err := readable(c.File); err != nil {
			return err
		}
	}
	if _, err := formatOf(c.Format, c.outputName()); err != nil {
		return err
	}
	return writable(c.outputName())
}

// outputName is the file to write, "" for standard output.
func (c *goCmd) outputName() string {
	if c.Output == "-" {
		return ""
	}
	return c.Output
}

// isDefinition reports whether the crawler is named by its file.
func isDefinition(crawler string) bool {
	switch filepath.Ext(crawler) {
	case ".yaml", ".yml", ".json":
		return true
	}
	return false
}

// connect returns a client of the server or of a platform in this process,
// and what ends it.
func (c *goCmd) connect(ctx context.Context, o *output) (*client.Client, func() error, error) {
	if c.Server != "" {
		flags := serverFlags{Server: c.Server, Token: c.Token}
		api, err := flags.client()
		return api, func() error { return nil }, err
	}
	cfg := c.config(o)
	if isDefinition(c.Crawler) {
		cfg.definition = c.Crawler
	}
	p, err := openPlatform(ctx, cfg)
	if err != nil {
		return nil, nil, err
	}
	c.slug = p.definition
	stop := p.start()
	return p.client(), stop, nil
}

// collect starts or resumes a run and follows it.
func (c *goCmd) collect(ctx context.Context, o *output, api *client.Client) (*client.Run, error) {
	id, err := c.begin(ctx, o, api)
	if err != nil {
		return nil, err
	}
	f := follower{api: api, out: o, quiet: c.Quiet, maxWait: c.MaxWait}
	run, err := f.follow(ctx, id)
	if ctx.Err() != nil {
		return nil, c.interrupted(o, api, id)
	}
	return run, err
}

// begin returns the id of the run to follow.
func (c *goCmd) begin(ctx context.Context, o *output, api *client.Client) (string, error) {
	if c.Resume != "" {
		run, err := api.Run(ctx, c.Resume)
		if err != nil {
			return "", err
		}
		if run.Status == "paused" {
			run, err = api.ResumeRun(ctx, c.Resume)
		}
		if err != nil {
			return "", err
		}
		return run.ID, nil
	}
	if err := c.cutShort(ctx, o, api); err != nil {
		return "", err
	}
	squid, err := c.squid(ctx, o, api)
	if err != nil {
		return "", err
	}
	run, err := api.StartRun(ctx, squid)
	if err != nil {
		return "", err
	}
	return run.ID, nil
}

// squid makes a squid with the asked settings and tasks. One that turns out
// wrong on the way is deleted again.
func (c *goCmd) squid(ctx context.Context, o *output, api *client.Client) (string, error) {
	crawler, err := api.Crawler(ctx, cmp.Or(c.slug, c.Crawler))
	if err != nil {
		return "", c.explain(ctx, api, err)
	}
	squid, err := api.CreateSquid(ctx, crawler.ID, "")
	if err != nil {
		return "", err
	}
	if err := c.prepare(ctx, o, api, squid.ID, crawler); err != nil {
		if derr := api.DeleteSquid(context.WithoutCancel(ctx), squid.ID); derr != nil {
			err = errors.Join(err, derr)
		}
		return "", err
	}
	return squid.ID, nil
}

func (c *goCmd) prepare(ctx context.Context, o *output, api *client.Client, squid string, crawler *client.Crawler) error {
	changes := map[string]any{}
	if len(c.Param) > 0 {
		params, err := pairs(c.Param)
		if err != nil {
			return err
		}
		changes["params"] = params
	}
	if c.Slots != nil {
		changes["concurrency"] = *c.Slots
	}
	if len(changes) > 0 {
		if err := api.UpdateSquid(ctx, squid, changes); err != nil {
			return err
		}
	}
	if isTable(c.File) {
		up, err := uploadFile(ctx, o, api, squid, c.File)
		if err != nil {
			return err
		}
		if up.Meta != nil && up.Meta.Inserted+up.Meta.Duplicates == 0 && len(c.Input) == 0 {
			return &exit{exitUsage, fmt.Errorf("no line of %s is an input of %s; what it takes: shoal crawler show %s", c.File, crawler.Slug, c.Crawler)}
		}
	}
	return c.addInputs(ctx, o, api, squid, mainInput(crawler))
}

// mainInput is the task input that a bare word fills: the first required one.
func mainInput(crawler *client.Crawler) string {
	name := "url"
	for _, in := range crawler.Input {
		if in.Level != "task" {
			continue
		}
		if in.Required {
			return in.Name
		}
		name = in.Name
	}
	return name
}

// explain adds the names that exist to an unknown crawler's error.
func (c *goCmd) explain(ctx context.Context, api *client.Client, err error) error {
	if !client.IsNotFound(err) {
		return err
	}
	all, lerr := api.Crawlers(ctx)
	if lerr != nil {
		return err
	}
	names := make([]string, len(all.Data))
	for i, k := range all.Data {
		names[i] = k.Slug
	}
	return &exit{exitUsage, fmt.Errorf("no crawler is called %q; there are %s (or name a definition file, such as my.yaml)", c.Crawler, strings.Join(names, ", "))}
}

// deliver writes the rows and says how the run ended.
func (c *goCmd) deliver(ctx context.Context, o *output, api *client.Client, run *client.Run) error {
	if run.ExportDone {
		if err := c.write(ctx, o, api, run); err != nil {
			return err
		}
	}
	if c.JSON {
		if err := printJSON(o.out, run); err != nil {
			return err
		}
	}
	if !c.Quiet || run.Status != "done" {
		c.summary(o, run)
	}
	if run.Status != "done" {
		return &exit{code: exitOtherReason}
	}
	return nil
}

// write puts the rows where they were asked: a file, a pipe, or a table of the
// first ones on a terminal.
func (c *goCmd) write(ctx context.Context, o *output, api *client.Client, run *client.Run) error {
	format, err := formatOf(c.Format, c.outputName())
	if err != nil {
		return err
	}
	switch {
	case c.Output != "":
		err := saveResults(ctx, o, api, run.ID, format, c.Output)
		if err != nil && c.Output != "-" && !c.once {
			o.notef("The rows are kept. Write them elsewhere with:\n  %s\n", c.resumeCommand(run.ID, "FILE"))
		}
		return err
	case c.JSON:
		return nil
	case !o.terminal || c.Format != "":
		return saveResults(ctx, o, api, run.ID, format, "-")
	}
	if err := firstRows(ctx, o, api, run, shownRows); err != nil {
		return err
	}
	if run.TotalUniqueResults > shownRows && !c.Quiet {
		o.notef("All rows, as a file:\n  %s\n", c.resumeCommand(run.ID, "rows.csv"))
	}
	return nil
}

// shownRows is how many rows a terminal shows of a run without -o.
const shownRows = 10

// firstRows shows the first n rows of a run as a table.
func firstRows(ctx context.Context, o *output, api *client.Client, run *client.Run, n int) error {
	page, err := api.Results(ctx, run.ID, client.Window{Page: 1, Limit: n})
	if err != nil {
		return err
	}
	fields, err := fieldsOfRun(ctx, api, run.ID)
	if err != nil {
		return err
	}
	printRows(o.out, fields, page.Data)
	return nil
}

func (c *goCmd) summary(o *output, run *client.Run) {
	where := ""
	if c.Output != "" && c.Output != "-" && run.ExportDone {
		where = " in " + c.Output
	}
	o.notef("%s: %s%s, %s", run.Status, plural(run.TotalUniqueResults, "result"), where,
		span(time.Duration(run.Duration*float64(time.Second))))
	if run.Reason() != "" && run.Reason() != "tasks_done" {
		o.notef(" (%s)", run.Reason())
	}
	o.notef("\n")
	if run.Desc() != "" {
		o.notef("%s\n", run.Desc())
	}
	if run.Status == "paused" {
		o.notef("Go on with:\n  %s\n", c.resumeCommand(run.ID, c.Output))
	}
}
