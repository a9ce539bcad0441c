package main

import (
	"context"
	"io"
	"maps"
	"slices"
	"strings"

	"shoal/client"
)

// runChanges shows what differs between a run and an earlier one of its squid.
type runChanges struct {
	runArg
	pageFlags
	Since  string   `help:"The earlier run; without it the newest that is done without a failed task." placeholder:"RUN"`
	Kind   []string `help:"Only new, changed or gone; may be repeated." enum:"new,changed,gone" placeholder:"KIND"`
	Fields []string `help:"Only a change of these fields counts." placeholder:"NAME"`
	Omit   []string `help:"A change of these fields does not count." placeholder:"NAME"`
	Output string   `help:"File to write all changes to, instead of a table; - for standard output." short:"o" placeholder:"FILE"`
	Format string   `help:"csv, json, jsonl, xlsx or parquet; without it by the file's name, else csv." enum:",csv,json,jsonl,xlsx,parquet" default:"" placeholder:"FORMAT"`
}

// Help is the long help of the verb.
func (runChanges) Help() string {
	return `A row is the same in both runs when the crawler's key fields are. It has changed when another field has another value.
  shoal run changes RUN                     what is new, changed and gone since the run before
  shoal run changes RUN --kind changed --fields price -o prices.csv`
}

// Run does the verb.
func (c *runChanges) Run(ctx context.Context, o *output) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	q := client.ChangesQuery{Since: c.Since, Kinds: c.Kind, Fields: c.Fields, Omit: c.Omit, Window: c.window()}
	if c.Output != "" || c.Format != "" {
		return c.save(ctx, o, api, q)
	}
	found, err := api.Changes(ctx, c.ID, q)
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(o.out, found)
	}
	showChanges(o, found)
	return nil
}

// save writes all changes to a file, which appears when it is whole.
func (c *runChanges) save(ctx context.Context, o *output, api *client.Client, q client.ChangesQuery) error {
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
	to := func(w io.Writer) error {
		_, err := api.DownloadChanges(ctx, c.ID, q, format, w)
		return err
	}
	switch {
	case name == "":
		return to(o.out)
	case isDevice(name):
		return saveDevice(name, to)
	}
	return saveFile(name, to)
}

// showChanges prints a table with a line for each field that changed.
func showChanges(o *output, found *client.Changes) {
	since := "nothing: the squid has no earlier run"
	if found.Since != nil {
		since = found.Since.ID + " of " + found.Since.CreatedAt.Format("2006-01-02 15:04")
	}
	o.printf("since %s\n", since)
	o.printf("%s new, %s changed, %s gone, %s the same\n", count(found.Summary.New), count(found.Summary.Changed),
		count(found.Summary.Gone), count(found.Summary.Same))
	warnChanges(o, found)
	if len(found.Data) == 0 {
		return
	}
	t := table{heads: []string{"CHANGE"}}
	for _, name := range found.Run.Key {
		t.heads = append(t.heads, strings.ToUpper(name))
	}
	t.heads = append(t.heads, "FIELD", "BEFORE", "AFTER")
	for _, ch := range found.Data {
		row := ch.After
		if row == nil {
			row = ch.Before
		}
		line := []string{ch.Kind}
		for _, name := range found.Run.Key {
			line = append(line, cell(row[name]))
		}
		if len(ch.Fields) == 0 {
			t.add(append(line, "", "", "")...)
		}
		for _, name := range slices.Sorted(maps.Keys(ch.Fields)) {
			f := ch.Fields[name]
			t.add(append(slices.Clone(line), name, cell(f.Before), cell(f.After))...)
		}
	}
	t.print(o.out)
	if found.TotalPages > 1 {
		o.notef("page %d of %d, %s in all\n", found.Page.Page, found.TotalPages, count(found.TotalResults))
	}
}

// warnChanges says what makes the answer less than the truth.
func warnChanges(o *output, found *client.Changes) {
	if !found.Run.Complete {
		o.notef("The run may lack rows (%s): gone may only mean not reached.\n", found.Run.Lacks)
	}
	if found.Since == nil {
		return
	}
	if !found.Since.Complete {
		o.notef("The earlier run may lack rows (%s): new may only mean not reached then.\n", found.Since.Lacks)
	}
	if found.Since.Key != nil && found.Run.Key != nil && !slices.Equal(found.Since.Key, found.Run.Key) {
		o.notef("The crawler tells rows apart by %s now, by %s before: rows look gone and new.\n",
			strings.Join(found.Run.Key, ", "), strings.Join(found.Since.Key, ", "))
	}
}
