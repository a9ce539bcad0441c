package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"shoal"
	"shoal/client"
	"shoal/internal/crawl"
	"shoal/internal/crawler"
)

// visitFlags are the flags of verbs that visit sites without a data directory.
type visitFlags struct {
	Param               []string `help:"Param or function of the crawler, as name=value; may be repeated." short:"p" placeholder:"K=V" sep:"none"`
	Pages               int      `help:"The most requests to make." default:"20" placeholder:"N"`
	UserAgent           string   `help:"User-Agent of requests; name a contact, so that a site's owner can reach you." env:"SHOAL_USER_AGENT" placeholder:"TEXT"`
	AllowPrivateTargets bool     `help:"Visit private and loopback addresses too." env:"SHOAL_ALLOW_PRIVATE_TARGETS"`
}

// trial returns a trial of p on one input of the command line.
func (f *visitFlags) trial(p *crawler.Program, input string) (crawl.Trial, error) {
	if f.Pages < 1 {
		return crawl.Trial{}, &exit{exitUsage, fmt.Errorf("--pages is %d; it must be a number of requests, from 1", f.Pages)}
	}
	params, err := pairs(f.Param)
	if err != nil {
		return crawl.Trial{}, err
	}
	task, err := taskOf(input, mainInputOf(p.Info))
	return crawl.Trial{Program: p, Task: task, Params: params, MaxPages: f.Pages}, err
}

// mainInputOf is the task input that a bare word fills.
func mainInputOf(info shoal.Crawler) string {
	k := &client.Crawler{}
	for _, in := range info.Input {
		k.Input = append(k.Input, client.Input{Name: in.Name, Level: string(in.Level), Required: in.Required})
	}
	return mainInput(k)
}

// crawlerTry tries a crawler on its inputs, without storing anything.
type crawlerTry struct {
	namedCrawler
	Input []string      `arg:"" help:"What to try it on: a URL (https:// may be left out), name=value, or a JSON object; each is tried by itself." sep:"none"`
	Rows  int           `help:"The most rows to collect." short:"n" default:"10" placeholder:"N"`
	Wait  time.Duration `help:"The most time to take for an input." default:"2m"`
	JSON  bool          `help:"Print the report as JSON." name:"json"`
	visitFlags
}

// Help is the long help of the verb.
func (crawlerTry) Help() string {
	return `Examples:
  shoal crawler try my.yaml https://example.com/
  shoal crawler try website https://example.com/ -n 3 -p markdown=true

The report has the rows; for each field how many rows have it, and for one that
is missing the first place where it was looked for and how far its selector got;
and every request that was made. Nothing is stored.`
}

// Run does the verb.
func (c *crawlerTry) Run(ctx context.Context, o *output) error {
	if c.Rows < 1 {
		return &exit{exitUsage, fmt.Errorf("-n is %d; it must be a number of rows, from 1", c.Rows)}
	}
	p, err := c.program()
	if err != nil {
		return err
	}
	f := newFetcher(c.AllowPrivateTargets, nil, c.UserAgent)
	defer f.Close()
	rows := 0
	for i, in := range c.Input {
		tr, err := c.trial(p, in)
		if err != nil {
			return err
		}
		tr.MaxRows = c.Rows
		if !c.JSON {
			tr.Watch = o.watch()
		}
		report, err := c.try(ctx, f, tr)
		if err != nil {
			return err
		}
		rows += len(report.Rows)
		if c.JSON {
			err = printJSON(o.out, report)
		} else {
			if i > 0 {
				o.printf("\n")
			}
			printReport(o, p, in, report)
		}
		if err != nil {
			return err
		}
		if ctx.Err() != nil {
			return &exit{code: exitInterrupted}
		}
	}
	if rows == 0 {
		return &exit{code: exitFailed}
	}
	return nil
}

func (c *crawlerTry) try(ctx context.Context, f crawl.Fetcher, tr crawl.Trial) (*crawl.Report, error) {
	ctx, cancel := context.WithTimeout(ctx, c.Wait)
	defer cancel()
	return crawl.Try(ctx, f, tr)
}

// watch shows requests as they are made, where a person waits for them.
func (o *output) watch() func(crawl.Exchange) {
	if !o.terminal || !o.errTerminal {
		return nil
	}
	return func(x crawl.Exchange) {
		o.notef("  %s %s\n", statusOf(x), clip(x.URL, 100))
	}
}

// statusOf is a request's outcome in a word.
func statusOf(x crawl.Exchange) string {
	if x.Status == 0 {
		return "–"
	}
	return fmt.Sprint(x.Status)
}

// rowsOfReport decodes a report's rows.
func rowsOfReport(raw []json.RawMessage) []client.Row {
	rows := make([]client.Row, len(raw))
	for i := range raw {
		if err := json.Unmarshal(raw[i], &rows[i]); err != nil {
			rows[i] = client.Row{} // our own encoder wrote it
		}
	}
	return rows
}
