package deliver

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// maxBookCells is how many cells a spreadsheet holds, over all its tabs
// (https://support.google.com/drive/answer/37603).
const maxBookCells = 10_000_000

// book is what is known of a spreadsheet.
type book struct {
	Properties struct {
		Title string `json:"title"`
	} `json:"properties"`
	Sheets []struct {
		Properties tab `json:"properties"`
	} `json:"sheets"`
}

// tab is one sheet of a spreadsheet: a grid of cells with a name.
type tab struct {
	ID     int64  `json:"sheetId"`
	Title  string `json:"title"`
	Index  int    `json:"index"`
	Kind   string `json:"sheetType"`
	Hidden bool   `json:"hidden"`
	Grid   struct {
		Rows    int `json:"rowCount"`
		Columns int `json:"columnCount"`
	} `json:"gridProperties"`
}

// newTab returns a tab that does not exist yet.
func newTab(title string, rows, columns int) *tab {
	t := &tab{ID: int64(rand.Int32N(1<<31 - 1)), Title: title}
	t.Grid.Rows, t.Grid.Columns = rows, columns
	return t
}

func (t *tab) cells() int { return t.Grid.Rows * t.Grid.Columns }

// cells counts those of all tabs.
func (b *book) cells() int {
	n := 0
	for i := range b.Sheets {
		n += b.Sheets[i].Properties.cells()
	}
	return n
}

// find returns the first tab that is a grid and for which is holds; nil: none.
func (b *book) find(is func(*tab) bool) *tab {
	for i := range b.Sheets {
		t := &b.Sheets[i].Properties
		if (t.Kind == "" || t.Kind == "GRID") && is(t) {
			return t
		}
	}
	return nil
}

func (b *book) byTitle(title string) *tab {
	return b.find(func(t *tab) bool { return strings.EqualFold(t.Title, title) })
}

func (b *book) byID(id int64) *tab {
	return b.find(func(t *tab) bool { return t.ID == id })
}

// book asks what tabs there are.
func (s *spreadsheet) book(ctx context.Context) (*book, error) {
	var b book
	err := s.do(ctx, sheetCall{method: http.MethodGet, read: into(&b), query: url.Values{
		"fields": {"properties.title,sheets.properties(sheetId,title,index,sheetType,hidden,gridProperties(rowCount,columnCount))"}}})
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(b.Sheets, func(x, y struct {
		Properties tab `json:"properties"`
	}) int {
		return x.Properties.Index - y.Properties.Index
	})
	return &b, nil
}

// change is one request of spreadsheets.batchUpdate.
type change map[string]any

func addTab(t *tab, hidden bool) change {
	return change{"addSheet": map[string]any{"properties": map[string]any{"sheetId": t.ID, "title": t.Title, "hidden": hidden,
		"gridProperties": map[string]any{"rowCount": t.Grid.Rows, "columnCount": t.Grid.Columns}}}}
}

func deleteTab(t *tab) change {
	return change{"deleteSheet": map[string]any{"sheetId": t.ID}}
}

// growth makes a tab as large as that; none if it is.
func growth(t *tab, rows, columns int) []change {
	var all []change
	for dimension, n := range map[string]int{"ROWS": rows - t.Grid.Rows, "COLUMNS": columns - t.Grid.Columns} {
		if n > 0 {
			all = append(all, change{"appendDimension": map[string]any{"sheetId": t.ID, "dimension": dimension, "length": n}})
		}
	}
	return all
}

// clearTab empties every cell and leaves formats as they are.
func clearTab(t *tab) change {
	return change{"updateCells": map[string]any{"range": map[string]any{"sheetId": t.ID}, "fields": "userEnteredValue"}}
}

// copyValues copies the cells of one tab to the same place in another.
func copyValues(from, to *tab, rows, columns int) change {
	span := func(t *tab) map[string]any {
		return map[string]any{"sheetId": t.ID, "startRowIndex": 0, "endRowIndex": rows, "startColumnIndex": 0, "endColumnIndex": columns}
	}
	return change{"copyPaste": map[string]any{"source": span(from), "destination": span(to), "pasteType": "PASTE_VALUES", "pasteOrientation": "NORMAL"}}
}

// putText writes one cell, the first of the tab.
func putText(t *tab, text string) change {
	return change{"updateCells": map[string]any{"start": map[string]any{"sheetId": t.ID, "rowIndex": 0, "columnIndex": 0}, "fields": "userEnteredValue",
		"rows": []any{map[string]any{"values": []any{map[string]any{"userEnteredValue": map[string]any{"stringValue": text}}}}}}}
}

// update makes the changes, all or none of them, and does not repeat what may
// have been done.
func (s *spreadsheet) update(ctx context.Context, all ...change) error {
	return s.batch(ctx, true, all)
}

func (s *spreadsheet) batch(ctx context.Context, once bool, all []change) error {
	body, err := json.Marshal(map[string]any{"requests": all})
	if err != nil {
		return fmt.Errorf("write the request: %w", err)
	}
	return s.do(ctx, sheetCall{method: http.MethodPost, path: ":batchUpdate", body: body, once: once})
}

// grow makes a tab at least as large as that: larger, if an answer is lost.
func (s *spreadsheet) grow(ctx context.Context, t *tab, rows, columns int) error {
	more := growth(t, rows, columns)
	if more == nil {
		return nil
	}
	if err := s.batch(ctx, false, more); err != nil {
		return err
	}
	t.Grid.Rows, t.Grid.Columns = max(t.Grid.Rows, rows), max(t.Grid.Columns, columns)
	return nil
}

// ahead is how many rows a tab should have before n more are written to it. It
// grows by more than it must: each growth is one of the few requests of a minute.
func ahead(t *tab, rows, n, most int) int {
	if rows+n <= t.Grid.Rows {
		return rows + n
	}
	return max(rows+n, min(rows+4*n, most))
}

// write puts rows of cells, which are JSON arrays, where the first of them
// begins, as they are: nothing is taken for a formula, null leaves a cell alone.
// Repeating it changes nothing.
func (s *spreadsheet) write(ctx context.Context, t *tab, row, column, width int, rows [][]byte) error {
	where := a1(t, row, column, row+len(rows)-1, column+width-1)
	body := make([]byte, 0, maxBatch+maxBatch/4)
	body = append(body, `{"range":`...)
	body = appendText(body, where)
	body = append(body, `,"majorDimension":"ROWS","values":[`...)
	for i, r := range rows {
		if i > 0 {
			body = append(body, ',')
		}
		body = append(body, r...)
	}
	body = append(body, `]}`...)
	return s.do(ctx, sheetCall{method: http.MethodPut, path: "/values/" + url.PathEscape(where), query: url.Values{"valueInputOption": {"RAW"}}, body: body})
}

// header returns the texts of a tab's first row.
func (s *spreadsheet) header(ctx context.Context, t *tab) ([]string, error) {
	var got struct{ Values [][]any }
	where := a1(t, 0, 0, 0, t.Grid.Columns-1)
	err := s.do(ctx, sheetCall{method: http.MethodGet, path: "/values/" + url.PathEscape(where), read: into(&got)})
	if err != nil || len(got.Values) == 0 {
		return nil, err
	}
	names := make([]string, len(got.Values[0]))
	for i, v := range got.Values[0] {
		names[i] = strings.TrimSpace(fmt.Sprint(v))
	}
	return names, nil
}

// columns reads columns from a row down to the last. cell is told of each cell
// that is not empty: of which span it is, how far from the span's first column,
// how far down, and its text.
func (s *spreadsheet) columns(ctx context.Context, t *tab, row int, which []span, cell func(which, across, down int, text string)) error {
	if row >= t.Grid.Rows || len(which) == 0 {
		return nil
	}
	q := url.Values{"majorDimension": {"COLUMNS"}}
	for _, c := range which {
		q.Add("ranges", a1(t, row, c.first, t.Grid.Rows-1, c.last))
	}
	return s.do(ctx, sheetCall{method: http.MethodGet, path: "/values:batchGet", query: q, read: columnReader(cell)})
}

// a1 names a range as A1 notation does; rows and columns count from 0 and are
// within it.
func a1(t *tab, row, column, lastRow, lastColumn int) string {
	return "'" + strings.ReplaceAll(t.Title, "'", "''") + "'!" + letters(column) + strconv.Itoa(row+1) + ":" + letters(lastColumn) + strconv.Itoa(lastRow+1)
}

// letters is the name of a column: A, …, Z, AA, ….
func letters(column int) string {
	var name []byte
	for column++; column > 0; column = (column - 1) / 26 {
		name = append(name, byte('A'+(column-1)%26))
	}
	slices.Reverse(name)
	return string(name)
}
