package sheetstest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf16"
)

// area is a range of cells; the ends are not in it.
type area struct {
	grid          *grid
	row, lastRow  int
	col, lastCol  int
	written, name string // as it was given, and its normal form
}

var (
	cellRef = `([A-Za-z]{0,3})([0-9]{0,7})`
	a1Range = regexp.MustCompile(`^` + cellRef + `(?::` + cellRef + `)?$`)
)

// parseRange reads A1 notation
// (https://developers.google.com/workspace/sheets/api/guides/concepts#cell).
func (b *Book) parseRange(s string) (*area, *apiError) {
	bad := invalid("Unable to parse range: " + s)
	title, cells := s, ""
	switch end := strings.LastIndexByte(s, '!'); {
	case end >= 0:
		title, cells = s[:end], s[end+1:]
	case b.byTitle(unquote(s)) == nil:
		title, cells = "", s
	}
	a := &area{written: s}
	if title == "" {
		for _, g := range b.tabs {
			if a.grid == nil && !g.hidden {
				a.grid = g
			}
		}
	} else {
		a.grid = b.byTitle(unquote(title))
	}
	if a.grid == nil {
		return nil, bad
	}
	a.lastRow, a.lastCol = a.grid.rows, a.grid.columns
	if cells != "" {
		m := a1Range.FindStringSubmatch(cells)
		if m == nil || m[1] == "" && m[2] == "" || m[2] == "0" {
			return nil, bad
		}
		a.row, a.col = start(m[2]), column(m[1])
		switch {
		case m[3] != "" || m[4] != "":
			if m[4] != "" {
				a.lastRow = start(m[4]) + 1
			}
			if m[3] != "" {
				a.lastCol = column(m[3]) + 1
			}
		default:
			a.lastRow, a.lastCol = a.row+1, a.col+1
		}
	}
	a.name = fmt.Sprintf("%s!%s%d:%s%d", quote(a.grid.title), letters(a.col), a.row+1, letters(a.lastCol-1), a.lastRow)
	if a.row >= a.grid.rows || a.col >= a.grid.columns {
		return nil, a.outside()
	}
	return a, nil
}

func (a *area) outside() *apiError {
	return invalid(fmt.Sprintf("Range (%s) exceeds grid limits. Max rows: %d, max columns: %d", a.name, a.grid.rows, a.grid.columns))
}

func unquote(title string) string {
	if len(title) > 1 && title[0] == '\'' && title[len(title)-1] == '\'' {
		return strings.ReplaceAll(title[1:len(title)-1], "''", "'")
	}
	return title
}

func quote(title string) string {
	if regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]*$`).MatchString(title) {
		return title
	}
	return "'" + strings.ReplaceAll(title, "'", "''") + "'"
}

func start(digits string) int {
	n, err := strconv.Atoi(digits)
	if err != nil {
		return 0
	}
	return n - 1
}

func column(name string) int {
	n := 0
	for _, c := range strings.ToUpper(name) {
		n = n*26 + int(c-'A') + 1
	}
	return max(n-1, 0)
}

func letters(column int) string {
	name := ""
	for column++; column > 0; column = (column - 1) / 26 {
		name = string(rune('A'+(column-1)%26)) + name
	}
	return name
}

// valuesGet is spreadsheets.values.get.
func (b *Book) valuesGet(within string, q url.Values) (any, *apiError) {
	a, failed := b.parseRange(within)
	if failed != nil {
		return nil, failed
	}
	byColumn := q.Get("majorDimension") == "COLUMNS"
	if d := q.Get("majorDimension"); d != "" && d != "ROWS" && d != "COLUMNS" {
		return nil, invalid(`Invalid value at 'major_dimension' (type.googleapis.com/google.apps.sheets.v4.Dimension), "` + d + `"`)
	}
	unformatted := q.Get("valueRenderOption") == "UNFORMATTED_VALUE"
	lines, length := min(a.lastRow, a.grid.rows)-a.row, min(a.lastCol, a.grid.columns)-a.col
	if byColumn {
		lines, length = length, lines
	}
	var values [][]any
	for i := range lines {
		line := []any{}
		for k := range length {
			row, col := a.row+i, a.col+k
			if byColumn {
				row, col = a.row+k, a.col+i
			}
			v := a.grid.at(row, col)
			if v == nil {
				continue
			}
			for len(line) < k {
				line = append(line, "")
			}
			if !unformatted {
				v = text(v)
			}
			line = append(line, v)
		}
		values = append(values, line)
	}
	for len(values) > 0 && len(values[len(values)-1]) == 0 {
		values = values[:len(values)-1]
	}
	out := map[string]any{"range": a.name, "majorDimension": "ROWS"}
	if byColumn {
		out["majorDimension"] = "COLUMNS"
	}
	if len(values) > 0 {
		out["values"] = values
	}
	return out, nil
}

// batchGet is spreadsheets.values.batchGet.
func (b *Book) batchGet(q url.Values) (any, *apiError) {
	all := []any{}
	for _, within := range q["ranges"] {
		one, failed := b.valuesGet(within, q)
		if failed != nil {
			return nil, failed
		}
		all = append(all, one)
	}
	return map[string]any{"spreadsheetId": b.ID, "valueRanges": all}, nil
}

// update is spreadsheets.values.update.
func (b *Book) update(within string, q url.Values, body []byte) (any, *apiError) {
	option := q.Get("valueInputOption")
	if option != "RAW" && option != "USER_ENTERED" {
		return nil, invalid("'valueInputOption' is required but not specified")
	}
	var in struct {
		Range          string  `json:"range"`
		MajorDimension string  `json:"majorDimension"`
		Values         [][]any `json:"values"`
	}
	if failed := strict(body, &in); failed != nil {
		return nil, failed
	}
	if in.Range != "" && in.Range != within {
		return nil, invalid("Requested range is " + in.Range + ", but the range of the request is " + within)
	}
	if in.MajorDimension != "" && in.MajorDimension != "ROWS" {
		return nil, &apiError{501, "UNIMPLEMENTED", "sheetstest writes rows", ""}
	}
	a, failed := b.parseRange(within)
	if failed != nil {
		return nil, failed
	}
	if failed := a.check(in.Values); failed != nil {
		return nil, failed
	}
	cells := 0
	if b.forgets {
		in.Values = nil
	}
	for i, row := range in.Values {
		for k, v := range row {
			if v == nil {
				continue // skipped
			}
			if s, ok := v.(string); ok && option == "USER_ENTERED" && strings.HasPrefix(s, "=") {
				v = Formula(s)
			}
			a.grid.set(a.row+i, a.col+k, v)
			cells++
		}
	}
	return map[string]any{"spreadsheetId": b.ID, "updatedRange": a.name, "updatedCells": cells}, nil
}

// check finds what the API refuses to write.
func (a *area) check(values [][]any) *apiError {
	for i, row := range values {
		switch {
		case a.row+i >= a.lastRow:
			return invalid(fmt.Sprintf("Requested writing within range [%s], but tried writing to row [%d]", a.written, a.row+i+1))
		case a.row+i >= a.grid.rows || a.col+len(row) > a.grid.columns && len(row) > 0:
			return a.outside()
		}
		for k, v := range row {
			if a.col+k >= a.lastCol {
				return invalid(fmt.Sprintf("Requested writing within range [%s], but tried writing to column [%s]", a.written, letters(a.col+k)))
			}
			switch v := v.(type) {
			case string:
				if len(utf16.Encode([]rune(v))) > maxText {
					return invalid("Your input contains more than the maximum of 50000 characters in a single cell.")
				}
			case []any:
				return invalid(fmt.Sprintf("Invalid values[%d][%d]: list_value", i, k))
			case map[string]any:
				return invalid(fmt.Sprintf("Invalid values[%d][%d]: struct_value", i, k))
			}
		}
	}
	return nil
}

// strict decodes a body that has no member but those known.
func strict(body []byte, v any) *apiError {
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return invalid("Invalid JSON payload received. " + strings.TrimPrefix(err.Error(), "json: "))
	}
	return nil
}
