package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"shoal/internal/crawl"
	"shoal/internal/crawler"
	"shoal/internal/har"
)

// recordedRows bounds the rows of a recording; its requests are bounded by --pages.
const recordedRows = 100_000

// crawlerRecord records a crawl for a test.
type crawlerRecord struct {
	namedCrawler
	Input  []string `arg:"" help:"What to record: a URL (https:// may be left out), name=value, or a JSON object; each becomes a test." sep:"none"`
	Output string   `help:"Recording to write (.har, or .har.gz compressed); testdata/SLUG.har beside the definition unless given." short:"o" placeholder:"FILE"`
	visitFlags
}

// Help is the long help of the verb.
func (crawlerRecord) Help() string {
	return `Example:
  shoal crawler record my.yaml https://example.com/ --pages 5

Every request and its answer is written as a HAR file, which browsers' developer
tools can open. Cookies, authorization and other secrets are left out. The tests:
entry to put into the definition is printed; shoal crawler test runs it offline.`
}

// Run does the verb.
func (c *crawlerRecord) Run(ctx context.Context, o *output) error {
	p, err := c.program()
	if err != nil {
		return err
	}
	name, err := c.target(p)
	if err != nil {
		return err
	}
	f := newFetcher(c.AllowPrivateTargets, nil, c.UserAgent)
	defer f.Close()
	recorder := har.Record(f)
	var tests []string
	for _, in := range c.Input {
		tr, err := c.trial(p, in)
		if err != nil {
			return err
		}
		tr.MaxRows, tr.Watch = recordedRows, o.watch()
		report, err := crawl.Try(ctx, recorder, tr)
		if err != nil {
			return err
		}
		if ctx.Err() != nil {
			return &exit{code: exitInterrupted}
		}
		if len(report.Rows) == 0 {
			o.notef("%s gave no rows: see why with: shoal crawler try %s %s\n", in, quoted(c.Crawler), quoted(in))
		}
		tests = append(tests, c.testOf(p, &tr, report, name))
	}
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return fmt.Errorf("write %s: %w", name, cause(err))
	}
	file := recorder.File()
	if err := file.Save(name); err != nil {
		return err
	}
	o.notef("%s recorded in %s. Put into the definition:\n\n", plural(int64(len(file.Entries)), "request"), name)
	o.printf("tests:\n%s", strings.Join(tests, ""))
	return nil
}

// target is the file to write.
func (c *crawlerRecord) target(p *crawler.Program) (string, error) {
	switch {
	case c.Output != "":
		return c.Output, nil
	case isDefinition(c.Crawler):
		return filepath.Join(filepath.Dir(c.Crawler), "testdata", p.Info.Slug+".har"), nil
	}
	return "", &exit{exitUsage, fmt.Errorf("where to? Name the recording with -o, for example: -o testdata/%s.har", p.Info.Slug)}
}

// testOf writes the definition's entry for one input.
func (c *crawlerRecord) testOf(p *crawler.Program, tr *crawl.Trial, r *crawl.Report, name string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "  - task: %s\n", flow(har.Redacted(tr.Task)))
	if len(tr.Params) > 0 {
		fmt.Fprintf(&b, "    params: %s\n", flow(har.Redacted(tr.Params)))
	}
	replay := name
	if isDefinition(c.Crawler) {
		if rel, err := filepath.Rel(filepath.Dir(c.Crawler), name); err == nil {
			replay = filepath.ToSlash(rel)
		}
	}
	fmt.Fprintf(&b, "    replay: %s\n", flow(replay))
	if r.Left > 0 {
		fmt.Fprintf(&b, "    pages: %d\n", len(r.Requests))
	}
	fmt.Fprintf(&b, "    rows: {min: %d", len(r.Rows))
	if n := len(r.Rows); n > 0 {
		fmt.Fprintf(&b, ", max: %d, first: %s", n, firstRow(p, r))
	}
	b.WriteString("}\n")
	return b.String()
}

// firstRow is the first row as a definition expects it: its short values.
func firstRow(p *crawler.Program, r *crawl.Report) string {
	var row map[string]json.RawMessage
	if err := json.Unmarshal(r.Rows[0], &row); err != nil {
		return "{}" // our own encoder wrote it
	}
	var parts []string
	for _, a := range p.Info.Result {
		if v, ok := row[a.Name]; ok && len(v) <= 120 && string(v) != "null" && v[0] != '{' {
			parts = append(parts, a.Name+": "+string(v))
		}
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

// flow writes a value on one line: JSON is YAML.
func flow(v any) string {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return fmt.Sprint(v)
	}
	return strings.TrimSpace(b.String())
}
