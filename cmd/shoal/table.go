package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/term"
)

// table prints rows under headings, columns as wide as they need up to
// maxCell, so that a row stays on its line.
type table struct {
	heads []string
	rows  [][]string
	// full leaves the last column as long as it is.
	full bool
	// whole is how many leading columns are never clipped to fit a terminal:
	// half an id is none.
	whole int
}

const (
	maxCell = 44
	// minCell is what a column is clipped to before columns are left out.
	minCell = 12
)

// wide leaves the last column as long as it is: it holds sentences.
func (t *table) wide() *table {
	t.full = true
	return t
}

func (t *table) add(cells ...string) { t.rows = append(t.rows, cells) }

// print writes the table, on a terminal as wide as that.
func (t *table) print(w io.Writer) { t.printWithin(w, terminalWidth(w)) }

// printWithin writes the table in lines of at most limit characters; 0: as wide as it is.
func (t *table) printWithin(w io.Writer, limit int) {
	widths := t.measure()
	if limit > 0 && !t.full {
		widths = t.fit(widths, limit)
	}
	t.line(w, t.heads, widths)
	rules := make([]string, len(widths))
	for i, n := range widths {
		rules[i] = strings.Repeat("─", min(n, maxCell))
	}
	t.line(w, rules, widths)
	for _, row := range t.rows {
		t.line(w, row, widths)
	}
}

// fit narrows the widest columns, and then leaves out the last ones, until the
// rest fits limit.
func (t *table) fit(widths []int, limit int) []int {
	for {
		total, widest := 2*(len(widths)-1), -1
		for i, n := range widths {
			total += n
			if i >= t.whole && n > minCell && (widest < 0 || n > widths[widest]) {
				widest = i
			}
		}
		switch {
		case total <= limit:
			return widths
		case widest >= 0:
			widths[widest]--
		case len(widths) > 1:
			widths = widths[:len(widths)-1]
		default:
			return widths
		}
	}
}

// measure makes every cell one line and returns the columns' widths.
func (t *table) measure() []int {
	widths := make([]int, len(t.heads))
	for i, h := range t.heads {
		widths[i] = utf8.RuneCountInString(h)
	}
	for _, row := range t.rows {
		for i := range row {
			if !t.full || i < len(row)-1 {
				row[i] = clip(row[i], maxCell)
			} else {
				row[i] = clip(row[i], 1000)
			}
			widths[i] = max(widths[i], utf8.RuneCountInString(row[i]))
		}
	}
	return widths
}

func (t *table) line(w io.Writer, cells []string, widths []int) {
	var b strings.Builder
	for i, c := range cells[:len(widths)] {
		if i > 0 {
			b.WriteString("  ")
		}
		if utf8.RuneCountInString(c) > widths[i] {
			c = clip(c, widths[i])
		}
		b.WriteString(c)
		if i < len(widths)-1 {
			b.WriteString(strings.Repeat(" ", widths[i]-utf8.RuneCountInString(c)))
		}
	}
	fmt.Fprintln(w, b.String())
}

// terminalWidth returns the columns of the terminal that w is, 0 when it is none.
func terminalWidth(w io.Writer) int {
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return 0
	}
	width, _, err := term.GetSize(int(f.Fd()))
	if err != nil {
		return 0
	}
	return width
}

// clip makes s one line of at most n characters.
func clip(s string, n int) string {
	s = strings.Join(strings.Fields(s), " ")
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	return string([]rune(s)[:n-1]) + "…"
}

// cell writes a JSON value for a table.
func cell(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case float64:
		return fmt.Sprintf("%v", json.Number(strings.TrimSuffix(fmt.Sprintf("%.2f", v), ".00")))
	default:
		b, err := json.Marshal(v)
		if err != nil {
			return fmt.Sprint(v)
		}
		return string(b)
	}
}

// count writes n with separators: 12,345.
func count(n int64) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// plural writes n and a noun: "1 page", "12,345 pages".
func plural(n int64, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return count(n) + " " + noun + "s"
}

// span writes a duration for people: 0.42 s, 12.3 s, 4m05s.
func span(d time.Duration) string {
	switch {
	case d < time.Second:
		return fmt.Sprintf("%.2f s", d.Seconds())
	case d < time.Minute:
		return fmt.Sprintf("%.1f s", d.Seconds())
	}
	return d.Round(time.Second).String()
}

// printJSON writes v as indented JSON.
func printJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return fmt.Errorf("write JSON: %w", err)
	}
	return nil
}
