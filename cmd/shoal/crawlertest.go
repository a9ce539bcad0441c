package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"shoal"
	"shoal/crawlers"
	"shoal/internal/crawl"
	"shoal/internal/crawler"
	"shoal/internal/har"
)

// crawlerTest runs recorded tests. It makes no request at all.
type crawlerTest struct {
	What []string `arg:"" optional:"" help:"Definition files, directories of them, or slugs; all known crawlers unless given." name:"crawler"`
	whereFlags
	Update bool `help:"Write what came out into the definition files as what is expected, where only values differ."`
}

// tested is a definition with where its recordings are.
type tested struct {
	name    string // as it is shown
	file    string // its path; empty: built in
	program *crawler.Program
	open    func(replay string) (*har.File, error)
}

// Run does the verb.
func (c *crawlerTest) Run(ctx context.Context, o *output) error {
	all, err := c.definitions()
	if err != nil {
		return err
	}
	tests, failed := 0, 0
	for _, d := range all {
		if len(d.program.Tests) == 0 {
			o.printf("–     %s: no tests; make one with: shoal crawler record %s URL\n", d.name, quoted(d.name))
			continue
		}
		bad, err := c.test(ctx, o, d)
		if err != nil {
			return err
		}
		tests += len(d.program.Tests)
		failed += bad
	}
	o.notef("%s, %d failed\n", plural(int64(tests), "test"), failed)
	if failed > 0 {
		return &exit{code: exitFailed}
	}
	return nil
}

// definitions finds what the command line names.
func (c *crawlerTest) definitions() ([]*tested, error) {
	catalogue, err := openCatalogue(c.Dir, c.Data)
	if err != nil {
		return nil, err
	}
	names := c.What
	if len(names) == 0 {
		known, err := catalogue.List()
		if err != nil {
			return nil, err
		}
		for _, k := range known {
			names = append(names, k.Slug)
		}
	}
	var out []*tested
	for _, name := range names {
		found, err := c.named(catalogue, name)
		if err != nil {
			return nil, err
		}
		out = append(out, found...)
	}
	return out, nil
}

func (c *crawlerTest) named(catalogue *crawler.Catalogue, name string) ([]*tested, error) {
	if info, err := os.Stat(name); err == nil && info.IsDir() {
		return inDirectory(catalogue, name)
	}
	if isDefinition(name) {
		d, err := fromFile(catalogue, name)
		return []*tested{d}, err
	}
	p, err := catalogue.Lookup(name)
	if errors.Is(err, shoal.ErrCrawlerNotFound) {
		return nil, &exit{exitUsage, fmt.Errorf("no crawler, file or directory is called %q; see: shoal crawler ls", name)}
	}
	if err != nil {
		return nil, err
	}
	if file := catalogue.FileOf(p); file != "" {
		d, err := fromFile(catalogue, file)
		return []*tested{d}, err
	}
	return []*tested{{name: name, program: p, open: func(replay string) (*har.File, error) { return har.OpenFS(crawlers.FS, replay) }}}, nil
}

func inDirectory(catalogue *crawler.Catalogue, dir string) ([]*tested, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", dir, cause(err))
	}
	var out []*tested
	for _, e := range entries {
		if e.IsDir() || !isDefinition(e.Name()) {
			continue
		}
		d, err := fromFile(catalogue, filepath.Join(dir, e.Name()))
		if err != nil {
			return nil, err
		}
		out = append(out, d)
	}
	if len(out) == 0 {
		return nil, &exit{exitUsage, fmt.Errorf("%s has no definitions (*.yaml)", dir)}
	}
	return out, nil
}

func fromFile(catalogue *crawler.Catalogue, file string) (*tested, error) {
	p, err := catalogue.LoadFile(file)
	if err != nil {
		return nil, err
	}
	dir := filepath.Dir(file)
	return &tested{name: file, file: file, program: p, open: func(replay string) (*har.File, error) {
		return har.Open(filepath.Join(dir, filepath.FromSlash(replay)))
	}}, nil
}

// test runs a definition's tests and returns how many failed.
func (c *crawlerTest) test(ctx context.Context, o *output, d *tested) (failed int, err error) {
	var changes []crawler.Change
	differences := 0
	for _, t := range d.program.Tests {
		if ctx.Err() != nil {
			return failed, &exit{code: exitInterrupted}
		}
		report, diffs := runTest(ctx, d, t)
		where := fmt.Sprintf("%s:%d", d.name, t.Line)
		if len(diffs) == 0 {
			o.printf("ok    %s %s: %s from %s\n", where, t.Replay, plural(int64(len(report.Rows)), "row"), plural(int64(len(report.Requests)), "request"))
			continue
		}
		failed++
		o.printf("FAIL  %s %s\n", where, t.Replay)
		printDifferences(o, diffs)
		differences += len(diffs)
		changes = append(changes, changesOf(t, diffs)...)
	}
	if !c.Update || len(changes) == 0 {
		return failed, nil
	}
	left, err := c.update(o, d, changes)
	if left == 0 && len(changes) == differences {
		failed = 0
	}
	return failed, err
}

// runTest runs one test; a recording that cannot be read is a difference, too.
func runTest(ctx context.Context, d *tested, t crawler.Test) (*crawl.Report, []crawl.Difference) {
	file, err := d.open(t.Replay)
	if err != nil {
		return nil, []crawl.Difference{{Field: "replay", Want: t.Replay, Got: err.Error()}}
	}
	report, diffs, err := crawl.Check(ctx, d.program, t, file.Replay())
	if err != nil {
		return nil, []crawl.Difference{{Field: "task", Want: "what the crawler takes", Got: err.Error()}}
	}
	return report, diffs
}

// shownDifferences is how many differences of a test are printed.
const shownDifferences = 20

func printDifferences(o *output, diffs []crawl.Difference) {
	t := table{heads: []string{"      ROW", "FIELD", "WANT", "GOT"}, full: true}
	for _, d := range diffs[:min(len(diffs), shownDifferences)] {
		row := ""
		if d.Row > 0 {
			row = fmt.Sprint(d.Row)
		}
		t.add("      "+row, d.Field, d.Want, d.Got)
	}
	t.print(o.out)
	if n := len(diffs) - shownDifferences; n > 0 {
		o.printf("      and %s\n", plural(int64(n), "more difference"))
	}
}

// changesOf are the expectations that can be brought in line by new values.
func changesOf(t crawler.Test, diffs []crawl.Difference) []crawler.Change {
	var out []crawler.Change
	for _, d := range diffs {
		switch {
		case d.Row > 0:
			out = append(out, crawler.Change{Line: t.Line, Row: d.Row, Field: d.Field, Value: d.Got})
		case d.Field == "rows" && strings.HasPrefix(d.Want, "at least"):
			out = append(out, crawler.Change{Line: t.Line, Field: "min", Value: d.Got})
		case d.Field == "rows" && strings.HasPrefix(d.Want, "at most"):
			out = append(out, crawler.Change{Line: t.Line, Field: "max", Value: d.Got})
		}
	}
	return out
}

// update writes new expectations into the definition's file and returns how
// many it could not.
func (c *crawlerTest) update(o *output, d *tested, changes []crawler.Change) (int, error) {
	if d.file == "" {
		o.notef("%s is built in: its tests are not updated\n", d.name)
		return len(changes), nil
	}
	src, err := os.ReadFile(d.file)
	if err != nil {
		return 0, fmt.Errorf("update %s: %w", d.file, cause(err))
	}
	updated, left, err := crawler.UpdateTests(d.file, src, changes)
	if err != nil {
		return 0, err
	}
	for _, l := range left {
		o.notef("%s:%d: %s is not written out as a plain value; change it by hand to %s\n", d.file, l.Line, l, clip(l.Value, 100))
	}
	if err := os.WriteFile(d.file, updated, 0o644); err != nil { // which keeps the file's mode
		return 0, fmt.Errorf("update %s: %w", d.file, cause(err))
	}
	o.notef("%s: %s updated\n", d.file, plural(int64(len(changes)-len(left)), "expectation"))
	return len(left), nil
}
