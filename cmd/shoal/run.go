package main

import (
	"context"
	"strings"
	"time"

	"shoal/client"
)

// runCmd holds the verbs of runs.
type runCmd struct {
	Ls       runLs       `cmd:"" help:"List runs, newest first."`
	Show     runShow     `cmd:"" help:"Show a run, as the API answers."`
	Start    runStart    `cmd:"" help:"Start a run of a squid."`
	Watch    runWatch    `cmd:"" help:"Follow a run until it ends."`
	Stats    runStats    `cmd:"" help:"Show a run's live progress."`
	Log      runLog      `cmd:"" help:"Show all that happened to a run, newest first."`
	Timeline runTimeline `cmd:"" help:"Show when a run changed its state, why, and who brought it about."`
	Pause    runPause    `cmd:"" help:"Pause a run."`
	Resume   runResume   `cmd:"" help:"Let a paused run go on."`
	Abort    runAbort    `cmd:"" help:"End a run; what it collected is exported."`
	Changes  runChanges  `cmd:"" help:"Show what is new, changed and gone since an earlier run."`
	Export   runExport   `cmd:"" help:"Make a file of a run's results: CSV, JSON, JSON lines, XLSX or Parquet."`
	Rm       runRm       `cmd:"" help:"Delete an ended run with its results."`
}

// runArg names the run that a verb acts on.
type runArg struct {
	serverFlags
	ID string `arg:"" name:"run" help:"Id of the run."`
}

// runVerb is a call of the client that acts on a run.
type runVerb func(ctx context.Context, id string) (*client.Run, error)

// act connects, does the verb and shows the run.
func (c *runArg) act(ctx context.Context, o *output, verb func(*client.Client) runVerb) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	run, err := verb(api)(ctx, c.ID)
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(o.out, run)
	}
	showRun(o, run)
	return nil
}

// showRun prints what a person asks of a run first.
func showRun(o *output, run *client.Run) {
	o.printf("run %s  %s", run.ID, run.Status)
	if run.Reason() != "" {
		o.printf("  %s", run.Reason())
	}
	o.printf("  %s  %s\n", plural(run.TotalUniqueResults, "result"), span(time.Duration(run.Duration*float64(time.Second))))
	if run.Desc() != "" {
		o.printf("  %s\n", run.Desc())
	}
}

type runLs struct {
	serverFlags
	pageFlags
	Squid string `help:"Only runs of this squid."`
}

func (c *runLs) Run(ctx context.Context, o *output) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	p, err := api.Runs(ctx, c.Squid, c.window())
	if err != nil {
		return err
	}
	return listing(o, c.JSON, p, []string{"ID", "CREATED", "STATUS", "REASON", "RESULTS", "DURATION"}, func(r client.Run) []string {
		return []string{r.ID, r.CreatedAt.Format(time.DateTime), r.Status, r.Reason(), count(r.TotalUniqueResults),
			span(time.Duration(r.Duration * float64(time.Second)))}
	})
}

type runShow struct{ runArg }

func (c *runShow) Run(ctx context.Context, o *output) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	run, err := api.Run(ctx, c.ID)
	if err != nil {
		return err
	}
	return printJSON(o.out, run)
}

type runStart struct {
	serverFlags
	Squid string `arg:"" help:"Id of the squid."`
	Watch bool   `help:"Follow it until it ends." short:"w"`
}

func (c *runStart) Run(ctx context.Context, o *output) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	run, err := api.StartRun(ctx, c.Squid)
	if err != nil {
		return err
	}
	if c.Watch {
		return watch(ctx, o, api, run.ID, c.JSON)
	}
	if c.JSON {
		return printJSON(o.out, run)
	}
	o.printf("%s\n", run.ID)
	return nil
}

type runWatch struct{ runArg }

func (c *runWatch) Run(ctx context.Context, o *output) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	return watch(ctx, o, api, c.ID, c.JSON)
}

// watch follows a run to its end and turns its reason into the exit code.
func watch(ctx context.Context, o *output, api *client.Client, id string, asJSON bool) error {
	f := follower{api: api, out: o, maxWait: 1<<63 - 1}
	run, err := f.follow(ctx, id)
	if ctx.Err() != nil {
		o.notef("The run goes on at the server. See it again: shoal run watch %s\n", id)
		return &exit{code: exitInterrupted}
	}
	if err != nil {
		return err
	}
	if asJSON {
		err = printJSON(o.out, run)
	} else {
		showRun(o, run)
	}
	if err == nil && run.Status != "done" {
		err = &exit{code: exitOtherReason}
	}
	return err
}

type runStats struct{ runArg }

func (c *runStats) Run(ctx context.Context, o *output) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	s, err := api.RunStats(ctx, c.ID)
	if err != nil {
		return err
	}
	return printJSON(o.out, s)
}

type runLog struct {
	runArg
	pageFlags
}

func (c *runLog) Run(ctx context.Context, o *output) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	p, err := api.RunLog(ctx, c.ID, c.window())
	if err != nil {
		return err
	}
	return report(o, c.JSON, p, []string{"AT", "KIND", "STATUS", "WHAT"}, func(e client.LogEntry) []string {
		what := cell(e["url"])
		if s := cell(e["message"]); s != "" {
			what = strings.TrimSpace(s + "  " + what)
		}
		return []string{cell(e["at"]), cell(e["kind"]), cell(e["status"]), what}
	})
}

type runTimeline struct {
	runArg
	pageFlags
}

func (c *runTimeline) Run(ctx context.Context, o *output) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	p, err := api.RunTimeline(ctx, c.ID, c.window())
	if err != nil {
		return err
	}
	return report(o, c.JSON, p, []string{"AT", "STATUS", "REASON", "BY", "WHAT"}, func(e client.LogEntry) []string {
		return []string{cell(e["at"]), cell(e["status"]), cell(e["done_reason"]), cell(e["actor"]), cell(e["message"])}
	})
}

type runPause struct{ runArg }

func (c *runPause) Run(ctx context.Context, o *output) error {
	return c.act(ctx, o, func(api *client.Client) runVerb { return api.PauseRun })
}

type runResume struct{ runArg }

func (c *runResume) Run(ctx context.Context, o *output) error {
	return c.act(ctx, o, func(api *client.Client) runVerb { return api.ResumeRun })
}

type runAbort struct{ runArg }

func (c *runAbort) Run(ctx context.Context, o *output) error {
	return c.act(ctx, o, func(api *client.Client) runVerb { return api.AbortRun })
}

type runRm struct{ runArg }

func (c *runRm) Run(ctx context.Context) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	return api.DeleteRun(ctx, c.ID)
}
