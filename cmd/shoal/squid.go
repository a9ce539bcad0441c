package main

import (
	"context"
	"fmt"
	"strings"

	"shoal/client"
)

// squidCmd holds the verbs of squids.
type squidCmd struct {
	Ls     squidLs     `cmd:"" help:"List squids, newest first."`
	Show   squidShow   `cmd:"" help:"Show a squid."`
	Create squidCreate `cmd:"" help:"Make a squid of a crawler."`
	Update squidUpdate `cmd:"" help:"Change a squid: its name, concurrency, params, accounts; switch it on or off."`
	Empty  squidEmpty  `cmd:"" help:"Remove a squid's tasks and their results."`
	Rm     squidRm     `cmd:"" help:"Delete a squid with its tasks, runs and results."`
}

type squidLs struct {
	serverFlags
	pageFlags
	Name string `help:"Only those whose name contains this."`
}

func (c *squidLs) Run(ctx context.Context, o *output) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	p, err := api.Squids(ctx, c.Name, c.window())
	if err != nil {
		return err
	}
	return listing(o, c.JSON, p, []string{"ID", "NAME", "CRAWLER", "RUNS", "LAST RUN"}, func(s client.Squid) []string {
		last := ""
		if s.LastRunStatus != nil {
			last = strings.ToLower(*s.LastRunStatus)
		}
		return []string{s.ID, s.Name, s.CrawlerName, count(s.TotalRuns), last}
	})
}

type squidShow struct {
	serverFlags
	Squid string `arg:"" help:"Id of the squid."`
}

func (c *squidShow) Run(ctx context.Context, o *output) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	s, err := api.Squid(ctx, c.Squid)
	if err != nil {
		return err
	}
	return printJSON(o.out, s)
}

type squidCreate struct {
	serverFlags
	Crawler string `arg:"" help:"Slug or id of the crawler; see: shoal crawler ls."`
	Name    string `help:"Name; without it the crawler's, numbered."`
}

func (c *squidCreate) Run(ctx context.Context, o *output) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	s, err := api.CreateSquid(ctx, c.Crawler, c.Name)
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(o.out, s)
	}
	o.printf("%s\n", s.ID)
	o.notef("Made the squid %q. Next: shoal task add %s (what it takes: shoal crawler show %s)\n", s.Name, s.ID, c.Crawler)
	return nil
}

type squidUpdate struct {
	serverFlags
	Squid       string   `arg:"" help:"Id of the squid."`
	Name        string   `help:"New name."`
	Concurrency *int     `help:"Slots of a run." short:"c"`
	Active      *bool    `help:"Let it run; with --no-active no run of it starts, by hand or by schedule." negatable:""`
	Param       []string `help:"Param or function of the crawler, as name=value; may be repeated." short:"p" placeholder:"K=V" sep:"none"`
	Account     []string `help:"Account to work with, by user name or id; may be repeated. These are then all; none unlinks them." placeholder:"ACCOUNT" sep:"none"`
}

func (c *squidUpdate) Run(ctx context.Context, o *output) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	changes := map[string]any{}
	if c.Name != "" {
		changes["name"] = c.Name
	}
	if c.Concurrency != nil {
		changes["concurrency"] = *c.Concurrency
	}
	if c.Active != nil {
		changes["is_active"] = *c.Active
	}
	if len(c.Param) > 0 {
		if changes["params"], err = pairs(c.Param); err != nil {
			return err
		}
	}
	if len(c.Account) > 0 {
		if changes["accounts"], err = accountIDs(ctx, api, c.Account); err != nil {
			return err
		}
	}
	if len(changes) == 0 {
		return &exit{exitUsage, fmt.Errorf("nothing to change: give --name, --concurrency, --[no-]active, --account or -p name=value")}
	}
	return api.UpdateSquid(ctx, c.Squid, changes)
}

// accountIDs finds accounts by name or id; the one word none is no account.
func accountIDs(ctx context.Context, api *client.Client, names []string) ([]string, error) {
	ids := []string{}
	if len(names) == 1 && names[0] == "none" {
		return ids, nil
	}
	for _, name := range names {
		a, err := account(ctx, api, name)
		if err != nil {
			return nil, err
		}
		ids = append(ids, a.ID)
	}
	return ids, nil
}

// pairs reads name=value words. A value stays a string: the server converts it
// to the param's type, or says why it cannot.
func pairs(words []string) (map[string]any, error) {
	m := make(map[string]any, len(words))
	for _, w := range words {
		k, v, ok := strings.Cut(w, "=")
		if !ok || k == "" {
			return nil, &exit{exitUsage, fmt.Errorf("%q is not of the form name=value", w)}
		}
		m[k] = v
	}
	return m, nil
}

type squidEmpty struct {
	serverFlags
	Squid string `arg:"" help:"Id of the squid."`
	Type  string `help:"Which tasks: url or params." enum:"url,params" default:"url"`
}

func (c *squidEmpty) Run(ctx context.Context, o *output) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	n, err := api.EmptySquid(ctx, c.Squid, c.Type)
	if err != nil {
		return err
	}
	o.notef("Removed %s.\n", plural(n, "task"))
	return nil
}

type squidRm struct {
	serverFlags
	Squid string `arg:"" help:"Id of the squid."`
}

func (c *squidRm) Run(ctx context.Context) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	return api.DeleteSquid(ctx, c.Squid)
}
