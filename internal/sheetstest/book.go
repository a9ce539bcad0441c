package sheetstest

import (
	"crypto/rand"
	"fmt"
	"net/url"
	"slices"
	"strings"
)

const (
	maxCells = 10_000_000 // of a spreadsheet
	maxText  = 50_000     // characters of a cell
)

// Formula is a cell that is computed.
type Formula string

// Book is a spreadsheet. Its methods may be called while requests are served.
type Book struct {
	ID, Title        string
	server           *Server
	editors, readers map[string]bool
	office, forgets  bool
	tabs             []*grid
}

// grid is a tab. A row is replaced, never written to, so that a copy of the
// list of rows is a copy of the grid.
type grid struct {
	id            int64
	title         string
	hidden        bool
	rows, columns int
	cells         [][]any // shorter than rows and columns where the rest is empty
}

// NewBook makes a spreadsheet with one empty tab, Sheet1, of 1000 rows and 26
// columns, shared with editors.
func (s *Server) NewBook(title string, editors ...string) *Book {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := &Book{ID: "1" + rand.Text() + rand.Text()[:17], Title: title, server: s, editors: map[string]bool{}, readers: map[string]bool{}}
	for _, e := range editors {
		b.editors[e] = true
	}
	b.tabs = []*grid{{id: 0, title: "Sheet1", rows: 1000, columns: 26}}
	s.books[b.ID] = b
	return b
}

// URL is the address that a browser shows.
func (b *Book) URL() string {
	return "https://docs.google.com/spreadsheets/d/" + b.ID + "/edit?gid=0#gid=0"
}

// Share makes the account an editor, or a reader.
func (b *Book) Share(who string, edit bool) {
	b.server.mu.Lock()
	defer b.server.mu.Unlock()
	b.editors[who], b.readers[who] = edit, true
}

// MakeOffice makes it an Excel file that is kept in Drive.
func (b *Book) MakeOffice() {
	b.server.mu.Lock()
	defer b.server.mu.Unlock()
	b.office = true
}

// Forget has it check what is written, and keep none of it: for measuring who
// writes.
func (b *Book) Forget() {
	b.server.mu.Lock()
	defer b.server.mu.Unlock()
	b.forgets = true
}

// AddTab adds a tab as a person does, of that size.
func (b *Book) AddTab(title string, rows, columns int) int64 {
	b.server.mu.Lock()
	defer b.server.mu.Unlock()
	g := &grid{id: int64(len(b.tabs))*1001 + 7, title: title, rows: rows, columns: columns}
	b.tabs = append(b.tabs, g)
	return g.id
}

// Tabs returns the titles, hidden ones in brackets.
func (b *Book) Tabs() []string {
	b.server.mu.Lock()
	defer b.server.mu.Unlock()
	var all []string
	for _, g := range b.tabs {
		if g.hidden {
			all = append(all, "("+g.title+")")
		} else {
			all = append(all, g.title)
		}
	}
	return all
}

// Put writes rows of cells as a person does.
func (b *Book) Put(title string, row, column int, rows ...[]any) {
	b.server.mu.Lock()
	defer b.server.mu.Unlock()
	g := b.byTitle(title)
	for i, cells := range rows {
		for k, v := range cells {
			g.set(row+i, column+k, v)
		}
	}
}

// Edit changes the rows of a tab as a person does: sorts, deletes, inserts.
func (b *Book) Edit(title string, change func(rows [][]any) [][]any) {
	b.server.mu.Lock()
	defer b.server.mu.Unlock()
	g := b.byTitle(title)
	g.cells = change(slices.Clone(g.cells))
	g.rows = max(g.rows, len(g.cells))
}

// Rows returns the cells of a tab without the empty ones at the ends: text,
// float64, bool, Formula or nil.
func (b *Book) Rows(title string) [][]any {
	b.server.mu.Lock()
	defer b.server.mu.Unlock()
	g := b.byTitle(title)
	if g == nil {
		return nil
	}
	return trimmed(g.cells)
}

// Size is how many rows and columns the tab has.
func (b *Book) Size(title string) (rows, columns int) {
	b.server.mu.Lock()
	defer b.server.mu.Unlock()
	g := b.byTitle(title)
	return g.rows, g.columns
}

func trimmed(cells [][]any) [][]any {
	var out [][]any
	for _, row := range cells {
		n := len(row)
		for n > 0 && row[n-1] == nil {
			n--
		}
		out = append(out, row[:n:n])
	}
	for len(out) > 0 && len(out[len(out)-1]) == 0 {
		out = out[:len(out)-1]
	}
	return out
}

func (b *Book) byTitle(title string) *grid {
	for _, g := range b.tabs {
		if strings.EqualFold(g.title, title) {
			return g
		}
	}
	return nil
}

func (b *Book) byID(id int64) *grid {
	for _, g := range b.tabs {
		if g.id == id {
			return g
		}
	}
	return nil
}

func (b *Book) size() int {
	n := 0
	for _, g := range b.tabs {
		n += g.rows * g.columns
	}
	return n
}

func (g *grid) at(row, column int) any {
	if row >= len(g.cells) || column >= len(g.cells[row]) {
		return nil
	}
	return g.cells[row][column]
}

func (g *grid) set(row, column int, v any) {
	if v == "" {
		v = nil
	}
	for len(g.cells) <= row {
		g.cells = append(g.cells, nil)
	}
	cells := make([]any, max(len(g.cells[row]), column+1))
	copy(cells, g.cells[row])
	cells[column] = v
	g.cells[row] = cells
}

// get is spreadsheets.get, of which the grids' data is not asked for.
func (b *Book) get(q url.Values) (any, *apiError) {
	var tabs []any
	for i, g := range b.tabs {
		p := map[string]any{"sheetId": g.id, "title": g.title, "index": i, "sheetType": "GRID",
			"gridProperties": map[string]any{"rowCount": g.rows, "columnCount": g.columns}}
		if g.hidden {
			p["hidden"] = true
		}
		tabs = append(tabs, map[string]any{"properties": p})
	}
	whole := map[string]any{"spreadsheetId": b.ID, "properties": map[string]any{"title": b.Title, "locale": "en_US", "timeZone": "Etc/UTC"},
		"sheets": tabs, "spreadsheetUrl": "https://docs.google.com/spreadsheets/d/" + b.ID + "/edit"}
	out, ok := masked(whole, q.Get("fields"))
	if !ok {
		return nil, invalid("Request contains an invalid argument.")
	}
	return out, nil
}

// text is a cell as it is shown.
func text(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case bool:
		return strings.ToUpper(fmt.Sprint(v))
	}
	return fmt.Sprint(v)
}
