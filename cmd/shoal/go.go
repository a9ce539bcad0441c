package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"shoal/client"
)

// goCmd collects now: embedded in a data directory, or on a server.
type goCmd struct {
	Crawler string        `arg:"" optional:"" help:"Slug of a crawler (shoal crawler ls), or a definition file (.yaml)."`
	Input   []string      `arg:"" optional:"" help:"Inputs, one task each: a URL, name=value, or a JSON object." sep:"none"`
	File    string        `help:"File of inputs: CSV or TSV with a header, or one input a line (.txt); - for standard input." short:"f" placeholder:"FILE"`
	Param   []string      `help:"Param or function of the crawler, as name=value; may be repeated." short:"p" placeholder:"K=V" sep:"none"`
	Slots   int           `help:"Concurrency: how many requests at once." short:"c" name:"concurrency" placeholder:"N"`
	Output  string        `help:"File to write; - for standard output." short:"o" placeholder:"FILE"`
	Format  string        `help:"csv, json or jsonl; without it by the file's name." enum:",csv,json,jsonl" default:""`
	Resume  string        `help:"Go on with an interrupted run instead of starting one." placeholder:"RUN"`
	MaxWait time.Duration `help:"How long to wait for a run that paused to go on by itself." default:"2m"`
	JSON    bool          `help:"Print the run as JSON at the end." name:"json"`
	Quiet   bool          `help:"No progress." short:"q"`
	Server  string        `help:"Collect on this server instead of in the data directory." env:"SHOAL_SERVER" placeholder:"URL"`
	Token   string        `help:"API key of the server." env:"SHOAL_TOKEN" short:"k" name:"key" placeholder:"KEY"`
	platformFlags
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
	if c.Server != "" && isDefinition(c.Crawler) {
		return &exit{exitUsage, errors.New("a definition file runs in this process: leave out --server")}
	}
	if c.Output != "" && c.Output != "-" {
		if _, err := os.Stat(filepath.Dir(c.Output)); err != nil {
			return &exit{exitUsage, fmt.Errorf("the directory of %s: %w", c.Output, err)}
		}
	}
	_, err := formatOf(c.Format, c.outputName())
	return err
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
	if p.definition != "" {
		c.Crawler = p.definition
	}
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
	crawler, err := api.Crawler(ctx, c.Crawler)
	if err != nil {
		return "", c.explain(ctx, api, err)
	}
	squid, err := api.CreateSquid(ctx, crawler.ID, "")
	if err != nil {
		return "", err
	}
	if err := c.prepare(ctx, o, api, squid.ID, crawler); err != nil {
		return "", errors.Join(err, api.DeleteSquid(context.WithoutCancel(ctx), squid.ID))
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
	if c.Slots != 0 {
		changes["concurrency"] = c.Slots
	}
	if len(changes) > 0 {
		if err := api.UpdateSquid(ctx, squid, changes); err != nil {
			return err
		}
	}
	if c.File != "" && filepath.Ext(c.File) != ".txt" && c.File != "-" {
		if _, err := uploadFile(ctx, o, api, squid, c.File); err != nil {
			return err
		}
	}
	return c.addInputs(ctx, o, api, squid, mainInput(crawler))
}

// taskChunk is how many tasks one call of the API carries.
const taskChunk = 10_000

// addInputs adds the inputs of the command line and of a plain list.
func (c *goCmd) addInputs(ctx context.Context, o *output, api *client.Client, squid, main string) error {
	var tasks []map[string]any
	send := func() error {
		if len(tasks) == 0 {
			return nil
		}
		_, err := api.AddTasks(ctx, squid, tasks)
		tasks = tasks[:0]
		return err
	}
	add := func(in string) error {
		t, err := taskOf(in, main)
		if err != nil {
			return err
		}
		if tasks = append(tasks, t); len(tasks) == taskChunk {
			return send()
		}
		return nil
	}
	for _, in := range c.Input {
		if err := add(in); err != nil {
			return err
		}
	}
	if c.File == "-" || filepath.Ext(c.File) == ".txt" {
		if err := eachLine(o, c.File, add); err != nil {
			return err
		}
	}
	return send()
}

// eachLine calls add with every line of a file that is not blank or a comment.
func eachLine(o *output, name string, add func(string) error) error {
	file, err := openInput(o, name)
	if err != nil {
		return err
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := strings.TrimSpace(strings.TrimPrefix(lines.Text(), "\ufeff"))
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if err := add(line); err != nil {
			return err
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	return nil
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

// interrupted pauses the run, so that it stands still until it is resumed, and
// says how.
func (c *goCmd) interrupted(o *output, api *client.Client, id string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if _, err := api.PauseRun(ctx, id); err != nil {
		o.notef("The run could not be paused (%v); it goes on when the data directory is used next.\n", err)
	}
	o.notef("Stopped; what was collected is kept. Go on with:\n  %s\n", c.resumeCommand(id))
	return &exit{code: exitInterrupted}
}

// resumeCommand is what a person types to go on with the run.
func (c *goCmd) resumeCommand(id string) string {
	words := []string{"shoal", "go", "--resume", id}
	if c.Server != "" {
		words = append(words, "--server", c.Server)
	} else {
		if isDefinition(c.Crawler) {
			words = append(words, c.Crawler)
		}
		words = append(words, c.platformFlags.words()...)
	}
	if c.Output != "" {
		words = append(words, "-o", c.Output)
	}
	return strings.Join(words, " ")
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
	if !c.Quiet {
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
		return saveResults(ctx, o, api, run.ID, format, c.Output)
	case c.JSON:
		return nil
	case !o.terminal || c.Format != "":
		return saveResults(ctx, o, api, run.ID, format, "-")
	}
	return firstRows(ctx, o, api, run, 10)
}

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
	if c.Output != "" && c.Output != "-" {
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
		o.notef("Go on with:\n  %s\n", c.resumeCommand(run.ID))
	}
}
