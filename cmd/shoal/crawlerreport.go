package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"shoal/client"
	"shoal/internal/crawl"
	"shoal/internal/crawler"
	"shoal/internal/extract"
)

// printReport shows a trial: rows, fields, what explains the misses, requests.
func printReport(o *output, p *crawler.Program, input string, r *crawl.Report) {
	o.printf("%s on %s: %s from %s\n\n", p.Info.Slug, input, plural(int64(len(r.Rows)), "row"), plural(int64(len(r.Requests)), "request"))
	if len(r.Rows) > 0 {
		var names []string
		for _, f := range r.Fields {
			names = append(names, f.Name)
		}
		rows := rowsOfReport(r.Rows)
		printRows(o.out, names, rows)
		o.printf("\n")
		if len(names) > maxColumns {
			printFirst(o, names, rows[0])
		}
	}
	printFields(o, r)
	printMisses(o, r)
	printFollow(o, r)
	printRequests(o, r)
	printEnd(o, r)
}

// shownValue is how much of a value the first row shows.
const shownValue = 200

// printFirst shows the first row with all its fields, one below the other: a
// table has no room for them.
func printFirst(o *output, names []string, row client.Row) {
	o.printf("The first row, whole:\n")
	width := 0
	for _, name := range names {
		width = max(width, len(name))
	}
	for _, name := range names {
		if text := cell(row[name]); text != "" {
			o.printf("  %-*s  %s\n", width, name, clip(text, shownValue))
		}
	}
	o.printf("\n")
}

// barWidth is how many characters show a fill rate on a terminal.
const barWidth = 20

// printFields shows how many rows have each field.
func printFields(o *output, r *crawl.Report) {
	t := table{heads: []string{"FIELD", "TYPE", "ROWS", "FILLED"}}
	n := len(r.Rows)
	for _, f := range r.Fields {
		switch {
		case f.Off:
			t.add(f.Name, string(f.Type), "–", fmt.Sprintf("off; with -p %s=true", f.Function))
		case n == 0:
			t.add(f.Name, string(f.Type), "–", "–")
		default:
			t.add(f.Name, string(f.Type), fmt.Sprintf("%d/%d", f.Filled, n), fillRate(o, f.Filled, n))
		}
	}
	t.print(o.out)
}

func fillRate(o *output, filled, n int) string {
	percent := fmt.Sprintf("%3d%%", 100*filled/n)
	if !o.terminal {
		return strings.TrimSpace(percent)
	}
	full := barWidth * filled / n
	return strings.Repeat("█", full) + strings.Repeat("░", barWidth-full) + " " + percent
}

// printMisses explains the fields that are missing and the pages without rows.
func printMisses(o *output, r *crawl.Report) {
	for _, kind := range slices.Sorted(maps.Keys(r.NoRows)) {
		o.printf("\nNo rows on pages of the kind %s\n", kind)
		printMiss(o, r.NoRows[kind])
	}
	for _, f := range r.Fields {
		if f.Miss == nil || f.Off {
			continue
		}
		o.printf("\n%s is missing", f.Name)
		if n := len(r.Rows); n > 0 {
			o.printf(" in %d of %d rows", n-f.Filled, n)
		}
		if n := r.Incomplete[f.Name]; n > 0 {
			o.printf("; it is required, and %s dropped for it", were(n))
		}
		o.printf("\n")
		printMiss(o, f.Miss)
	}
	if r.Filtered > 0 || r.Duplicates > 0 {
		o.printf("\nLeft out: %s by where, %s with a key that came before\n", plural(int64(r.Filtered), "row"), plural(int64(r.Duplicates), "row"))
	}
}

// printFollow says what the follow rules found, and why one found nothing.
func printFollow(o *output, r *crawl.Report) {
	if len(r.Follow) == 0 {
		return
	}
	o.printf("\n")
	t := table{heads: []string{"LINKS", "LEFT OUT", "FROM", "TO", "FOLLOW"}, full: !o.terminal}
	for _, f := range r.Follow {
		t.add(fmt.Sprint(f.Found), fmt.Sprint(f.Refused), f.Page, f.To, f.Rule)
	}
	t.print(o.out)
	for _, f := range r.Follow {
		if f.Found == 0 && f.Miss != nil {
			o.printf("\nNo links by follow %s\n", f.Rule)
			printMiss(o, f.Miss)
		}
	}
}

func were(n int) string {
	if n == 1 {
		return "1 row was"
	}
	return fmt.Sprintf("%d rows were", n)
}

func printMiss(o *output, m *extract.Miss) {
	o.printf("  first on %s (page %s)\n  %s\n", m.URL, m.Page, m.Because)
	if len(m.Steps) > 1 {
		var steps []string
		for _, s := range m.Steps {
			steps = append(steps, fmt.Sprintf("%s: %d", s.Selector, s.Matches))
		}
		o.printf("  matches  %s\n", strings.Join(steps, "  ·  "))
	}
	if m.Near != "" {
		o.printf("  at       %s\n", m.Near)
	}
	if m.HTML != "" && m.HTML != m.Near {
		o.printf("  in       %s\n", m.HTML)
	}
}

// printRequests shows what was fetched.
func printRequests(o *output, r *crawl.Report) {
	o.printf("\n")
	t := table{heads: []string{"STATUS", "TIME", "BYTES", "ROWS", "LINKS", "PAGE", "REQUEST"}, full: !o.terminal, whole: 5}
	for _, x := range r.Requests {
		what := x.URL
		if x.Method != "GET" {
			what = x.Method + " " + what
		}
		if x.Error != "" {
			what += "  (" + x.Error + ")"
		}
		t.add(statusOf(x), span(time.Duration(x.Millis)*time.Millisecond), count(x.Bytes), fmt.Sprint(x.Rows), fmt.Sprint(x.Links), x.Page, what)
	}
	t.print(o.out)
}

func printEnd(o *output, r *crawl.Report) {
	if r.Desc != "" {
		o.printf("\n%s", r.Desc)
		if r.Left > 0 {
			o.printf(" A run would go on with %s.", plural(int64(r.Left), "request"))
		}
		o.printf("\n")
	}
}
