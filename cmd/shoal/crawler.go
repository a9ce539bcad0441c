package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"shoal"
	"shoal/client"
	"shoal/internal/crawler"
)

// crawlerCmd holds the verbs of crawlers.
type crawlerCmd struct {
	Ls     crawlerLs     `cmd:"" help:"List the crawlers."`
	Show   crawlerShow   `cmd:"" help:"Show what a crawler takes, returns and costs."`
	Try    crawlerTry    `cmd:"" help:"Try a crawler on one input now: its rows, how well each field is filled, and why not."`
	Record crawlerRecord `cmd:"" help:"Record what a site answers, for a test of a definition."`
	Test   crawlerTest   `cmd:"" help:"Run the recorded tests of definitions, offline."`
	Docs   crawlerDocs   `cmd:"" help:"Print a crawler's page, or the reference of the definition language."`
	Schema crawlerSchema `cmd:"" help:"Print the JSON Schema of definitions, for editors."`
	Add    crawlerAdd    `cmd:"" help:"Add a definition of your own, or a new version of it."`
	Rm     crawlerRm     `cmd:"" help:"Remove a crawler that was added."`
}

// whereFlags say where definitions are besides the built-in ones.
type whereFlags struct {
	Dir  string `help:"Directory of definitions of your own." name:"crawlers" env:"SHOAL_CRAWLERS" placeholder:"DIR"`
	Data string `help:"Data directory, which has those that were added; ./shoal-data unless given." default:"./shoal-data" env:"SHOAL_DATA" type:"path" placeholder:"DIR"`
}

// namedCrawler is a crawler that the command line names.
type namedCrawler struct {
	Crawler string `arg:"" help:"Slug of a crawler, or a definition file (.yaml)."`
	whereFlags
}

// program finds and compiles it.
func (c *namedCrawler) program() (*crawler.Program, error) {
	catalogue, err := openCatalogue(c.Dir, c.Data)
	if isDefinition(c.Crawler) && catalogue != nil {
		return catalogue.LoadFile(c.Crawler) // whatever is wrong with others
	}
	if err != nil {
		return nil, err
	}
	p, err := catalogue.Lookup(c.Crawler)
	if errors.Is(err, shoal.ErrCrawlerNotFound) {
		return nil, &exit{exitUsage, fmt.Errorf("no crawler is called %q; see: shoal crawler ls", c.Crawler)}
	}
	return p, err
}

// maybeServer says on which server a verb that also works without one acts.
type maybeServer struct {
	Server string `help:"Ask this server instead." env:"SHOAL_SERVER" placeholder:"URL"`
	Token  string `help:"API key of the server." env:"SHOAL_TOKEN" short:"k" name:"key" placeholder:"KEY"`
}

func (m *maybeServer) client() (*client.Client, error) {
	flags := serverFlags{Server: m.Server, Token: m.Token}
	return flags.client()
}

type crawlerLs struct {
	JSON bool `help:"Print JSON." name:"json"`
	whereFlags
	maybeServer
}

// Run lists the crawlers that can be used, and says what is wrong with the rest.
func (c *crawlerLs) Run(ctx context.Context, o *output) error {
	if c.Server != "" {
		return c.remote(ctx, o)
	}
	catalogue, problems := openCatalogue(c.Dir, c.Data)
	if catalogue == nil {
		return problems
	}
	all, err := catalogue.List()
	if err != nil {
		return err
	}
	if c.JSON {
		if err := printJSON(o.out, all); err != nil {
			return err
		}
		return problems
	}
	t := table{heads: []string{"SLUG", "TAKES", "RETURNS"}}
	for _, k := range all {
		t.add(k.Slug, strings.Join(inputNames(k, shoal.LevelTask), ", "), resultNames(k))
	}
	t.print(o.out)
	if problems != nil {
		return fmt.Errorf("these definitions have mistakes and cannot be used:\n%w", problems)
	}
	o.notef("\nMore of one: shoal crawler show SLUG\n")
	return nil
}

// remote lists the crawlers of a server: the shared ones and those of the key's owner.
func (c *crawlerLs) remote(ctx context.Context, o *output) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	all, err := api.Crawlers(ctx)
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(o.out, all)
	}
	t := table{heads: []string{"SLUG", "NAME", "OF", "CREDITS A ROW", "DESCRIPTION"}, whole: 1}
	for _, k := range all.Data {
		of := "the server"
		if !k.IsPublic {
			of = "you"
		}
		t.add(k.Slug, k.Name, of, cell(k.CreditsPerRow), k.Description)
	}
	t.print(o.out)
	for _, k := range all.Data {
		if k.HasIssues {
			o.notef("%s has issues. %s\n", k.Slug, k.Issue)
		}
	}
	return nil
}

func inputNames(k shoal.Crawler, level shoal.InputLevel) []string {
	var names []string
	for _, in := range k.Input {
		if in.Level == level {
			names = append(names, in.Name)
		}
	}
	return names
}

func resultNames(k shoal.Crawler) string {
	names := make([]string, len(k.Result))
	for i, a := range k.Result {
		names[i] = a.Name
	}
	return strings.Join(names, ", ")
}

type crawlerShow struct {
	namedCrawler
	JSON bool `help:"Print JSON." name:"json"`
}

func (c *crawlerShow) Run(o *output) error {
	p, err := c.program()
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(o.out, p.Info)
	}
	describe(o, p.Info)
	return nil
}

// describe prints a crawler as a person reads it.
func describe(o *output, k shoal.Crawler) {
	if k.HasIssues {
		o.notef("%s\n", k.Issue)
	}
	o.printf("%s (%s, version %d)\n%s\n\n", k.Name, k.Slug, k.Version, strings.TrimSpace(k.Description))
	o.printf("Credits: %g a row. Concurrency: up to %d.\n\n", k.CreditsPerRow.Float(), k.MaxConcurrency)
	inputs := table{heads: []string{"INPUT", "LEVEL", "TYPE", "DEFAULT", "WHAT IT IS"}}
	for _, in := range k.Input {
		what := cmp.Or(in.Description, in.Display)
		if in.Function {
			what = noted(fmt.Sprintf("add-on, %g credits a row", in.CreditsPerFunction.Float()), what)
		}
		if in.Required {
			what = noted("required", what)
		}
		inputs.add(in.Name, string(in.Level), string(in.Type), cell(in.Default), what)
	}
	inputs.wide().print(o.out)
	o.printf("\n")
	fields := table{heads: []string{"FIELD", "TYPE", "WHAT IT IS"}}
	for _, a := range k.Result {
		what := a.Description
		if a.Function != "" {
			what = noted("with "+a.Function, what)
		}
		fields.add(a.Name, string(a.Type), what)
	}
	fields.wide().print(o.out)
}

// noted puts a note before a description, which may be missing.
func noted(note, what string) string {
	if what == "" {
		return note
	}
	return note + ": " + what
}
