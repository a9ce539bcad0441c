package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"shoal"
	"shoal/client"
	"shoal/internal/crawler"
)

// crawlerAdd adds a definition to the data directory or to a server.
type crawlerAdd struct {
	File string `arg:"" help:"Definition file (.yaml or .json)."`
	Data string `help:"Data directory; ./shoal-data unless given." default:"./shoal-data" env:"SHOAL_DATA" type:"path" placeholder:"DIR"`
	maybeServer
}

// Help is the long help of the verb.
func (crawlerAdd) Help() string {
	return `Without --server the definition is copied into the data directory, with the
recordings of its tests; every verb then knows it by its slug, and a server that
runs there sees it at once. With --server it becomes a crawler of the key's owner.
A crawler that is there already gets a new version; runs that have begun keep theirs.`
}

// Run does the verb.
func (c *crawlerAdd) Run(ctx context.Context, o *output) error {
	src, err := os.ReadFile(c.File)
	if err != nil {
		return &exit{exitUsage, fmt.Errorf("read %s: %w", c.File, cause(err))}
	}
	p, err := crawler.Compile(c.File, src)
	if err != nil {
		return err
	}
	if c.Server != "" {
		return c.send(ctx, o, p)
	}
	return c.copy(o, p)
}

// send makes it a crawler of the key's owner.
func (c *crawlerAdd) send(ctx context.Context, o *output, p *crawler.Program) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	known, err := api.Crawler(ctx, p.Info.Slug)
	switch {
	case client.IsNotFound(err), err == nil && known.IsPublic:
		if known, err = api.CreateCrawler(ctx, p.Source); err != nil {
			return err
		}
	case err != nil:
		return err
	default:
		if known, err = api.UpdateCrawler(ctx, known.ID, p.Source); err != nil {
			return err
		}
	}
	o.printf("%s is version %d of your crawler %s, id %s\n", c.File, known.Version, known.Slug, known.ID)
	return nil
}

// copy puts it into the data directory.
func (c *crawlerAdd) copy(o *output, p *crawler.Program) error {
	dir := addedCrawlers(c.Data)
	known, err := openCatalogue("", c.Data)
	if known == nil {
		return err
	}
	target, verb := filepath.Join(dir, p.Info.Slug+filepath.Ext(c.File)), "added"
	if old, err := known.Lookup(p.Info.Slug); err == nil {
		if file := known.FileOf(old); file != "" {
			target, verb = file, "changed"
		} else {
			verb = "added, in the place of the built-in one"
		}
	} else if !errors.Is(err, shoal.ErrCrawlerNotFound) {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("add the crawler: %w", err)
	}
	for _, t := range p.Tests {
		if err := copyRecording(filepath.Join(filepath.Dir(c.File), t.Replay), filepath.Join(dir, t.Replay)); err != nil {
			return fmt.Errorf("copy the recording of the test on line %d: %w", t.Line, err)
		}
	}
	// In one step: a server may be reading.
	if err := saveFile(target, func(w io.Writer) error { _, err := w.Write(p.Source); return err }); err != nil {
		return fmt.Errorf("add the crawler: %w", err)
	}
	o.printf("%s: %s in %s\nUse it: shoal go %s …\n", p.Info.Slug, verb, target, p.Info.Slug)
	return nil
}

// copyRecording copies a recording; one that is not there is none of the crawler's need.
func copyRecording(from, to string) error {
	raw, err := os.ReadFile(from)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if old, err := os.ReadFile(to); err == nil && bytes.Equal(old, raw) {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return err
	}
	return os.WriteFile(to, raw, 0o600)
}

// crawlerRm removes a crawler that was added.
type crawlerRm struct {
	Crawler string `arg:"" help:"Slug of the crawler."`
	Data    string `help:"Data directory; ./shoal-data unless given." default:"./shoal-data" env:"SHOAL_DATA" type:"path" placeholder:"DIR"`
	maybeServer
}

// Run does the verb.
func (c *crawlerRm) Run(ctx context.Context, o *output) error {
	if c.Server != "" {
		api, err := c.client()
		if err != nil {
			return err
		}
		if err := api.DeleteCrawler(ctx, c.Crawler); err != nil {
			return err
		}
		o.printf("%s: removed\n", c.Crawler)
		return nil
	}
	known, err := openCatalogue("", c.Data)
	if known == nil {
		return err
	}
	p, err := known.Lookup(c.Crawler)
	if err != nil || known.FileOf(p) == "" {
		return &exit{exitUsage, fmt.Errorf("no crawler called %q was added to %s", c.Crawler, c.Data)}
	}
	file := known.FileOf(p)
	if err := os.Remove(file); err != nil {
		return fmt.Errorf("remove %s: %w", file, cause(err))
	}
	o.printf("%s: removed %s\n", p.Info.Slug, file)
	return nil
}
