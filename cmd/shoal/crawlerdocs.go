package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"shoal"
	"shoal/docs"
	"shoal/internal/crawler"
	"shoal/internal/reference"
)

// crawlerDocs prints documentation that follows from definitions.
type crawlerDocs struct {
	Crawler string `arg:"" optional:"" help:"Slug of a crawler, or a definition file (.yaml); the language unless given."`
	Output  string `help:"Directory to write Markdown files to, instead of standard output; without a crawler the reference and the pages of all." short:"o" type:"path" placeholder:"DIR"`
	whereFlags
}

// Run does the verb.
func (c *crawlerDocs) Run(o *output) error {
	if c.Crawler != "" {
		named := namedCrawler{Crawler: c.Crawler, whereFlags: c.whereFlags}
		p, err := named.program()
		if err != nil {
			return err
		}
		return c.give(o, p.Info.Slug+".md", reference.Crawler(p))
	}
	examples, err := reference.Examples(docs.Language)
	if err != nil {
		return err
	}
	if err := c.give(o, "language.md", reference.Language(examples)); err != nil || c.Output == "" {
		return err
	}
	return c.all(o)
}

// all writes the pages of the known crawlers.
func (c *crawlerDocs) all(o *output) error {
	catalogue, err := openCatalogue(c.Dir, c.Data)
	if err != nil {
		return err
	}
	known, err := catalogue.List()
	if err != nil {
		return err
	}
	for _, k := range known {
		p, err := catalogue.Lookup(k.Slug)
		if errors.Is(err, shoal.ErrCrawlerNotFound) {
			continue // removed in the meantime
		}
		if err == nil {
			err = c.give(o, filepath.Join("crawlers", k.Slug+".md"), reference.Crawler(p))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// give prints a page, or writes it under its name into the directory.
func (c *crawlerDocs) give(o *output, name, text string) error {
	if c.Output == "" {
		_, err := io.WriteString(o.out, text)
		return err
	}
	path := filepath.Join(c.Output, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("write %s: %w", path, cause(err))
	}
	return saveFile(path, func(w io.Writer) error { _, err := io.WriteString(w, text); return err })
}

// crawlerSchema prints the JSON Schema of definitions.
type crawlerSchema struct{}

// Help is the long help of the verb.
func (crawlerSchema) Help() string {
	return `An editor that knows JSON Schema completes and checks definitions by it. With the
YAML language server, save it and begin a definition with the line
  # yaml-language-server: $schema=crawler.schema.json`
}

// Run does the verb.
func (crawlerSchema) Run(o *output) error {
	_, err := o.out.Write(crawler.Schema())
	return err
}
