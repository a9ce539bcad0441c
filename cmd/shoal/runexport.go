package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"shoal/client"
)

// runExport makes a file of a run's results at the server.
type runExport struct {
	runArg
	Output string   `help:"File to write when it is made; - for standard output." short:"o" placeholder:"FILE"`
	Format string   `help:"csv, json, jsonl, xlsx or parquet; without it by the file's name." enum:",csv,json,jsonl,xlsx,parquet" default:"" placeholder:"FORMAT"`
	Fields []string `help:"Columns wanted, in this order." placeholder:"NAME"`
	Omit   []string `help:"Columns to leave out." placeholder:"NAME"`
	BOM    bool     `help:"CSV: begin with the mark by which Excel knows that it is UTF-8." name:"bom"`
	Guard  bool     `help:"CSV: keep a spreadsheet from running a cell that begins as a formula does." name:"guard-formulas"`
	Dotted bool     `help:"A column for each member of a nested object, named by its path."`
}

// Help is the long help of the verb.
func (runExport) Help() string {
	return `The file is made once, at the server, in the background, and kept there until nobody has used it for
long (shoal admin retention). Ctrl-C stops the looking, not the making.

  shoal run export RUN -o results.xlsx
  shoal run export RUN --format csv --bom --guard-formulas -o for-excel.csv
  shoal run export RUN --format parquet --json         have it made and print its link

Without --format and -o the run's own CSV is made anew, which mends a run that ended as export_failed.`
}

// Run does the verb.
func (c *runExport) Run(ctx context.Context, o *output) error {
	form := client.ExportForm{Fields: c.Fields, Omit: c.Omit, BOM: c.BOM, GuardFormulas: c.Guard, Dotted: c.Dotted}
	if c.Format == "" && c.Output == "" {
		if len(c.Fields)+len(c.Omit) > 0 || c.BOM || c.Guard || c.Dotted {
			return &exit{exitUsage, errors.New("say which file: --format FORMAT or -o FILE")}
		}
		return c.act(ctx, o, func(api *client.Client) runVerb { return api.ExportRun })
	}
	var err error
	name := c.Output
	if name == "-" {
		name = ""
	}
	if form.Format, err = formatOf(c.Format, name); err != nil {
		return err
	}
	if err := writable(name); err != nil {
		return err
	}
	api, err := c.client()
	if err != nil {
		return err
	}
	e, err := c.made(ctx, o, api, form)
	if err != nil {
		return err
	}
	return c.hand(ctx, o, api, e)
}

// made has the file made and follows that.
func (c *runExport) made(ctx context.Context, o *output, api *client.Client, form client.ExportForm) (*client.Export, error) {
	e, err := api.MakeExport(ctx, c.ID, form)
	if err != nil {
		return nil, err
	}
	f := exportFollower{out: o}
	defer f.close()
	for wait := 50 * time.Millisecond; !e.Ended(); wait = min(2*wait, time.Second) {
		f.show(e)
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			o.notef("The file is made at the server all the same. Get it with the same command.\n")
			return nil, &exit{code: exitInterrupted}
		}
		if e, err = api.Export(ctx, c.ID, e.ID); err != nil {
			return nil, err
		}
	}
	if e.State == "error" {
		return nil, errors.New(e.Error)
	}
	return e, nil
}

// hand gives the file to who asked for it: in a file, or its link.
func (c *runExport) hand(ctx context.Context, o *output, api *client.Client, e *client.Export) error {
	to := func(w io.Writer) error {
		_, err := api.Fetch(ctx, e.URL, w)
		return err
	}
	var err error
	switch {
	case c.Output == "-":
		return to(o.out)
	case c.Output == "":
	case isDevice(c.Output):
		err = saveDevice(c.Output, to)
	default:
		err = saveFile(c.Output, to)
	}
	switch {
	case err != nil:
		return fmt.Errorf("write %s: %w", c.Output, err)
	case c.JSON:
		return printJSON(o.out, e)
	case c.Output == "":
		o.printf("%s\n", e.URL)
	default:
		o.notef("%s: %s, %s bytes\n", c.Output, plural(e.Progress.Rows, "row"), count(e.Size))
	}
	return nil
}

// exportFollower shows how far a file is: a bar on a terminal, a plain line
// every few seconds elsewhere.
type exportFollower struct {
	out      *output
	line     atomic.Value // string
	lastLine time.Time
	bar      *mpb.Bar
	progress *mpb.Progress
}

func (f *exportFollower) show(e *client.Export) {
	line := fmt.Sprintf("%s %d%%  %s", e.State, e.Progress.Percent, plural(e.Progress.Rows, "row"))
	f.line.Store(line)
	if !f.out.errTerminal {
		if f.lastLine.IsZero() {
			f.lastLine = time.Now() // a small file says nothing before it is there
		}
		if time.Since(f.lastLine) >= linesEvery {
			f.out.notef("%s\n", line)
			f.lastLine = time.Now()
		}
		return
	}
	if f.bar == nil {
		f.progress = mpb.New(mpb.WithOutput(f.out.err), mpb.WithWidth(36), mpb.WithAutoRefresh())
		f.bar = f.progress.AddBar(100, mpb.BarRemoveOnComplete(),
			mpb.PrependDecorators(decor.Any(func(decor.Statistics) string { return f.line.Load().(string) })))
	}
	f.bar.SetCurrent(int64(min(e.Progress.Percent, 99)))
}

func (f *exportFollower) close() {
	if f.bar != nil {
		f.bar.Abort(true)
		f.progress.Wait()
	}
}
