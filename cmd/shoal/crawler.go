package main

import (
	"cmp"
	"errors"
	"fmt"
	"strings"

	"shoal"
	"shoal/internal/crawler"
)

// crawlerCmd holds the verbs of crawlers.
type crawlerCmd struct {
	Ls     crawlerLs     `cmd:"" help:"List the crawlers."`
	Show   crawlerShow   `cmd:"" help:"Show what a crawler takes, returns and costs."`
	Try    crawlerTry    `cmd:"" help:"Try a crawler on one input now: its rows, how well each field is filled, and why not."`
	Record crawlerRecord `cmd:"" help:"Record what a site answers, for a test of a definition."`
	Test   crawlerTest   `cmd:"" help:"Run the recorded tests of definitions, offline."`
}

// namedCrawler is a crawler that the command line names.
type namedCrawler struct {
	Crawler string `arg:"" help:"Slug of a crawler, or a definition file (.yaml)."`
	Dir     string `help:"Directory of definitions of your own." name:"crawlers" env:"SHOAL_CRAWLERS" placeholder:"DIR"`
}

// program finds and compiles it.
func (c *namedCrawler) program() (*crawler.Program, error) {
	catalogue, err := openCatalogue(c.Dir)
	if err != nil {
		return nil, err
	}
	if isDefinition(c.Crawler) {
		return catalogue.LoadFile(c.Crawler)
	}
	p, err := catalogue.Lookup(c.Crawler)
	if errors.Is(err, shoal.ErrCrawlerNotFound) {
		return nil, &exit{exitUsage, fmt.Errorf("no crawler is called %q; see: shoal crawler ls", c.Crawler)}
	}
	return p, err
}

type crawlerLs struct {
	JSON bool   `help:"Print JSON." name:"json"`
	Dir  string `help:"Directory of definitions of your own, besides the built-in ones." name:"crawlers" env:"SHOAL_CRAWLERS" placeholder:"DIR"`
}

func (c *crawlerLs) Run(o *output) error {
	catalogue, err := openCatalogue(c.Dir)
	if err != nil {
		return err
	}
	all, err := catalogue.List()
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(o.out, all)
	}
	t := table{heads: []string{"SLUG", "TAKES", "RETURNS"}}
	for _, k := range all {
		t.add(k.Slug, strings.Join(inputNames(k, shoal.LevelTask), ", "), resultNames(k))
	}
	t.print(o.out)
	o.notef("\nMore of one: shoal crawler show SLUG\n")
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
