package main

import (
	"context"
	"strings"

	"shoal/client"
)

// adminCrawlerCmd holds the verbs of the states of crawlers.
type adminCrawlerCmd struct {
	Ls          adminCrawlerLs          `cmd:"" help:"List the crawlers that are not available."`
	Maintenance adminCrawlerMaintenance `cmd:"" help:"Let a crawler's runs wait while it is repaired."`
	Off         adminCrawlerOff         `cmd:"" help:"Switch a crawler off: its runs end, and none begins."`
	On          adminCrawlerOn          `cmd:"" help:"Make a crawler available again: waiting runs go on by themselves."`
}

type adminCrawlerLs struct{ adminFlags }

func (c *adminCrawlerLs) Run(ctx context.Context, o *output) error {
	return c.with(ctx, o, func(api *client.Client) error {
		p, err := api.CrawlerFlags(ctx)
		if err != nil {
			return err
		}
		if len(p.Data) == 0 && !c.JSON {
			o.notef("every crawler is available\n")
			return nil
		}
		return report(o, c.JSON, p, []string{"CRAWLER", "STATE", "SINCE", "MESSAGE"}, func(f client.CrawlerFlag) []string {
			return []string{f.Crawler, f.State, minute(f.SetAt, ""), textOf(f.Message)}
		})
	})
}

// adminCrawlerArg names the crawler and why.
type adminCrawlerArg struct {
	adminFlags
	Crawler string `arg:"" help:"Slug or id of the crawler."`
}

type adminCrawlerMaintenance struct {
	adminCrawlerArg
	Message string `help:"What people shall know: why, and until when." short:"m"`
}

func (c *adminCrawlerMaintenance) Run(ctx context.Context, o *output) error {
	return c.set(ctx, o, "maintenance", c.Message, "its runs wait until: shoal admin crawler on "+c.Crawler)
}

type adminCrawlerOff struct {
	adminCrawlerArg
	Message string `help:"What people shall know: why, and what to use instead." short:"m"`
}

func (c *adminCrawlerOff) Run(ctx context.Context, o *output) error {
	return c.set(ctx, o, "off", c.Message, "its runs end with what they have collected")
}

type adminCrawlerOn struct{ adminCrawlerArg }

func (c *adminCrawlerOn) Run(ctx context.Context, o *output) error {
	return c.set(ctx, o, "available", "", "runs that waited for it go on within seconds")
}

func (c *adminCrawlerArg) set(ctx context.Context, o *output, state, message, then string) error {
	return c.with(ctx, o, func(api *client.Client) error {
		f, err := api.FlagCrawler(ctx, c.Crawler, state, message)
		if err != nil {
			return err
		}
		if c.JSON {
			return printJSON(o.out, f)
		}
		o.notef("%s is %s: %s\n", c.Crawler, strings.Replace(f.State, "main", "under main", 1), then)
		return nil
	})
}
