package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"shoal/client"
)

// chainCmd holds the verbs of chains.
type chainCmd struct {
	Set  chainSet  `cmd:"" help:"Hand the results of a squid's runs to another crawler as tasks."`
	Show chainShow `cmd:"" help:"Show a squid's chain, and what became of the last hand-over."`
	Rm   chainRm   `cmd:"" help:"Take a squid's chain away; what was handed over stays."`
}

// Help is the long help of the verb.
func (chainCmd) Help() string {
	return `When a run of the squid is done, each of its results becomes a task of the target, whose run begins.
For instance, to read every page that a sitemap lists:
  shoal chain set SQUID website --map url=url
The target's own squid is made at the first hand-over. A run that ends as error or is aborted hands nothing over.`
}

type chainSet struct {
	serverFlags
	Squid       string   `arg:"" help:"Id of the squid whose results are handed over."`
	Target      string   `arg:"" optional:"" help:"Slug or id of the crawler that takes them; needed for a new chain."`
	Map         []string `help:"Field of the results and the param that takes it, as field=param; may be repeated. These are then all." short:"m" placeholder:"F=P" sep:"none"`
	Name        string   `help:"Name of the squid that is made for the target."`
	Concurrency *int     `help:"Slots of its runs." short:"c"`
	Autostart   *bool    `help:"Begin its run at once; with --no-autostart it waits, paused, for you." negatable:""`
	Active      *bool    `help:"Let it work; with --no-active it stands still, and keeps its settings." negatable:""`
}

// Run does the verb.
func (c *chainSet) Run(ctx context.Context, o *output) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	fields, err := c.fields()
	if err != nil {
		return err
	}
	had, err := api.Chain(ctx, c.Squid)
	if err != nil {
		return err
	}
	switch {
	case had == nil && (c.Target == "" || len(c.Map) == 0):
		return &exit{exitUsage, fmt.Errorf("a new chain needs the crawler that takes the results and --map field=param: shoal chain set %s website --map url=url", c.Squid)}
	case len(fields) == 0:
		return &exit{exitUsage, fmt.Errorf("nothing to change: give a crawler, --map, --name, --concurrency, --[no-]autostart or --[no-]active")}
	}
	ch, err := api.SetChain(ctx, c.Squid, had != nil, fields)
	if err != nil {
		return err
	}
	return showChain(o, ch, c.JSON)
}

// fields are those that the command line gives.
func (c *chainSet) fields() (map[string]any, error) {
	f := map[string]any{}
	if c.Target != "" {
		f["target_module_id"] = c.Target
	}
	if len(c.Map) > 0 {
		m, err := pairs(c.Map)
		if err != nil {
			return nil, err
		}
		f["field_map"] = m
	}
	if c.Name != "" {
		f["cluster_name"] = c.Name
	}
	if c.Concurrency != nil {
		f["cluster_concurrency"] = *c.Concurrency
	}
	if c.Autostart != nil {
		f["autostart"] = *c.Autostart
	}
	if c.Active != nil {
		f["is_active"] = *c.Active
	}
	return f, nil
}

type chainShow struct {
	serverFlags
	Squid string `arg:"" help:"Id of the squid."`
}

// Run does the verb.
func (c *chainShow) Run(ctx context.Context, o *output) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	ch, err := api.Chain(ctx, c.Squid)
	if err != nil {
		return err
	}
	if ch == nil && !c.JSON {
		o.printf("The squid has no chain.\n")
		o.notef("Give it one: shoal chain set %s website --map url=url\n", c.Squid)
		return nil
	}
	return showChain(o, ch, c.JSON)
}

// showChain prints where results go, and what became of the last ones.
func showChain(o *output, ch *client.Chain, asJSON bool) error {
	if asJSON {
		return printJSON(o.out, ch)
	}
	o.printf("hands over to %s", ch.TargetModule.PublicName)
	if ch.TargetCluster != nil {
		o.printf(", squid %s (%s)", ch.TargetCluster.ID, ch.TargetCluster.Name)
	}
	o.printf("\n")
	for _, field := range slices.Sorted(maps.Keys(ch.FieldMap)) {
		o.printf("  %s → %s\n", field, ch.FieldMap[field])
	}
	switch {
	case !ch.IsActive:
		o.printf("  stands still: shoal chain set … --active\n")
	case !ch.Autostart:
		o.printf("  the target's runs wait, paused, to be resumed by hand\n")
	}
	if h := ch.LastHandover; h != nil {
		o.printf("  last: run %s  %s  %s\n", h.Run, h.State, handedOver(h))
		if h.StartedRun != nil {
			o.printf("  it began run %s\n", *h.StartedRun)
		}
		if h.Message != nil {
			o.printf("  %s\n", *h.Message)
		}
	}
	return nil
}

// handedOver says in words what became of the results.
func handedOver(h *client.Handover) string {
	words := []string{fmt.Sprintf("%s of %s became tasks", count(h.Added), plural(h.Results, "result"))}
	for _, part := range []struct {
		n    int64
		what string
	}{{h.Duplicates, "were tasks already"}, {h.Lacking, "lack a field"}, {h.Invalid, "are not what it takes"}} {
		if part.n > 0 {
			words = append(words, count(part.n)+" "+part.what)
		}
	}
	return strings.Join(words, ", ")
}

type chainRm struct {
	serverFlags
	Squid string `arg:"" help:"Id of the squid."`
}

// Run does the verb.
func (c *chainRm) Run(ctx context.Context) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	return api.DeleteChain(ctx, c.Squid)
}
