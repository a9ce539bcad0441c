// Package reference writes the documentation that follows from definitions: a
// page for each crawler, and the reference of the language that they are written
// in. The pages are Markdown; docs/ has them, and `shoal crawler docs` prints them.
package reference

import (
	"encoding/json"
	"fmt"
	"strings"

	"shoal"
)

//go:generate go run ../../cmd/shoal crawler docs -o ../../docs

// page is Markdown in the making.
type page struct{ strings.Builder }

func (p *page) line(format string, args ...any) {
	fmt.Fprintf(p, format, args...)
	p.WriteByte('\n')
}

// table writes a table; without rows it writes nothing.
func (p *page) table(heads []string, rows [][]string) {
	if len(rows) == 0 {
		return
	}
	p.line("| %s |", strings.Join(heads, " | "))
	p.line("|%s", strings.Repeat("---|", len(heads)))
	for _, row := range rows {
		for i := range row {
			row[i] = inCell(row[i])
		}
		p.line("| %s |", strings.Join(row, " | "))
	}
	p.line("")
}

// inCell makes text fit a cell: a bar would end it, and so would a new line.
func inCell(s string) string {
	return strings.ReplaceAll(strings.Join(strings.Fields(s), " "), "|", `\|`)
}

// code sets a text as code; an empty one stays empty.
func code(s string) string {
	if s == "" {
		return ""
	}
	if strings.Contains(s, "`") {
		return "`` " + s + " ``"
	}
	return "`" + s + "`"
}

// value writes a value of a definition as code.
func value(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return code(v)
	}
	b, err := json.Marshal(v)
	if err != nil {
		return code(fmt.Sprint(v))
	}
	return code(string(b))
}

// sentence ends a text with a full stop.
func sentence(s string) string {
	s = strings.TrimSpace(s)
	if s == "" || strings.HasSuffix(s, ".") {
		return s
	}
	return s + "."
}

// credits writes a price.
func credits(c shoal.Credits) string {
	if c == shoal.CreditsOf(1) {
		return "1 credit"
	}
	return fmt.Sprintf("%g credits", c.Float())
}
