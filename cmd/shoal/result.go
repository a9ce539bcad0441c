package main

import (
	"context"
	"io"
	"slices"
	"strings"

	"shoal/client"
)

// resultCmd holds the verbs of results.
type resultCmd struct {
	Ls     resultLs     `cmd:"" help:"Show results of a run as a table."`
	Get    resultGet    `cmd:"" help:"Download a run's results as CSV, JSON, JSON lines, XLSX or Parquet."`
	Follow resultFollow `cmd:"" help:"Append a squid's results to a file as they are collected, each exactly once."`
	Cursor cursorCmd    `cmd:"" help:"How far those who take results are."`
}

type resultLs struct {
	runArg
	pageFlags
}

func (c *resultLs) Run(ctx context.Context, o *output) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	p, err := api.Results(ctx, c.ID, c.window())
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(o.out, p)
	}
	fields, err := fieldsOfRun(ctx, api, c.ID)
	if err != nil {
		return err
	}
	printRows(o.out, fields, p.Data)
	return nil
}

// fieldsOfRun returns the fields of the run's crawler, in its order.
func fieldsOfRun(ctx context.Context, api *client.Client, id string) ([]string, error) {
	run, err := api.Run(ctx, id)
	if err != nil {
		return nil, err
	}
	attrs, err := api.Attributes(ctx, run.CrawlerID)
	if err != nil {
		return nil, err
	}
	fields := make([]string, len(attrs))
	for i, a := range attrs {
		fields[i] = a.Name
	}
	return fields, nil
}

// maxColumns is how many fields a table shows: more do not fit a line.
const maxColumns = 6

// printRows shows rows as a table of the fields that any of them has.
func printRows(w io.Writer, fields []string, rows []client.Row) {
	shown := slices.DeleteFunc(slices.Clone(fields), func(f string) bool {
		return !slices.ContainsFunc(rows, func(r client.Row) bool { return cell(r[f]) != "" })
	})
	if len(shown) > maxColumns {
		shown = shown[:maxColumns]
	}
	t := table{}
	for _, f := range shown {
		t.heads = append(t.heads, strings.ToUpper(f))
	}
	for _, r := range rows {
		cells := make([]string, len(shown))
		for i, f := range shown {
			cells[i] = cell(r[f])
		}
		t.add(cells...)
	}
	t.print(w)
}

type resultGet struct {
	runArg
	Output string `help:"File to write; - for standard output." short:"o" default:"-" placeholder:"FILE"`
	Format string `help:"csv, json, jsonl, xlsx or parquet; without it by the file's name, else csv." enum:",csv,json,jsonl,xlsx,parquet" default:"" placeholder:"FORMAT"`
}

func (c *resultGet) Run(ctx context.Context, o *output) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	name := c.Output
	if name == "-" {
		name = ""
	}
	format, err := formatOf(c.Format, name)
	if err != nil {
		return err
	}
	if err := writable(name); err != nil {
		return err
	}
	return saveResults(ctx, o, api, c.ID, format, c.Output)
}
