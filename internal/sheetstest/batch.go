package sheetstest

import (
	"encoding/json"
	"fmt"
	"slices"
)

// gridRange is GridRange: half open, what is not given reaches to the end.
type gridRange struct {
	SheetID          int64 `json:"sheetId"`
	StartRowIndex    *int  `json:"startRowIndex"`
	EndRowIndex      *int  `json:"endRowIndex"`
	StartColumnIndex *int  `json:"startColumnIndex"`
	EndColumnIndex   *int  `json:"endColumnIndex"`
}

// request is one Request: one of its members is given.
type request struct {
	AddSheet *struct {
		Properties struct {
			SheetID        *int64 `json:"sheetId"`
			Title          string `json:"title"`
			Hidden         bool   `json:"hidden"`
			GridProperties *struct {
				RowCount    int `json:"rowCount"`
				ColumnCount int `json:"columnCount"`
			} `json:"gridProperties"`
		} `json:"properties"`
	} `json:"addSheet"`
	DeleteSheet *struct {
		SheetID int64 `json:"sheetId"`
	} `json:"deleteSheet"`
	AppendDimension *struct {
		SheetID   int64  `json:"sheetId"`
		Dimension string `json:"dimension"`
		Length    int    `json:"length"`
	} `json:"appendDimension"`
	UpdateCells *struct {
		Range *gridRange `json:"range"`
		Start *struct {
			SheetID     int64 `json:"sheetId"`
			RowIndex    int   `json:"rowIndex"`
			ColumnIndex int   `json:"columnIndex"`
		} `json:"start"`
		Rows []struct {
			Values []struct {
				UserEnteredValue *struct {
					NumberValue  *float64 `json:"numberValue"`
					StringValue  *string  `json:"stringValue"`
					BoolValue    *bool    `json:"boolValue"`
					FormulaValue *string  `json:"formulaValue"`
				} `json:"userEnteredValue"`
			} `json:"values"`
		} `json:"rows"`
		Fields string `json:"fields"`
	} `json:"updateCells"`
	CopyPaste *struct {
		Source           gridRange `json:"source"`
		Destination      gridRange `json:"destination"`
		PasteType        string    `json:"pasteType"`
		PasteOrientation string    `json:"pasteOrientation"`
	} `json:"copyPaste"`
}

// batchUpdate is spreadsheets.batchUpdate: all of the requests are done, or
// none.
func (b *Book) batchUpdate(body []byte) (any, *apiError) {
	var in struct {
		Requests []json.RawMessage `json:"requests"`
	}
	if failed := strict(body, &in); failed != nil {
		return nil, failed
	}
	if len(in.Requests) == 0 {
		return nil, invalid("Must specify at least one request.")
	}
	before := b.tabs
	b.tabs = nil
	for _, g := range before {
		c := *g
		c.cells = slices.Clone(g.cells)
		b.tabs = append(b.tabs, &c)
	}
	replies := make([]any, len(in.Requests))
	for i, raw := range in.Requests {
		var r request
		failed := strict(raw, &r)
		if failed == nil {
			replies[i] = struct{}{}
			failed = b.apply(&r, i)
		}
		if failed != nil {
			b.tabs = before
			return nil, failed
		}
	}
	return map[string]any{"spreadsheetId": b.ID, "replies": replies}, nil
}

func (b *Book) apply(r *request, i int) *apiError {
	fail := func(kind, format string, args ...any) *apiError {
		return invalid(fmt.Sprintf("Invalid requests[%d].%s: ", i, kind) + fmt.Sprintf(format, args...))
	}
	var kind, problem string
	switch {
	case r.AddSheet != nil:
		kind, problem = "addSheet", b.addSheet(r)
	case r.DeleteSheet != nil:
		kind, problem = "deleteSheet", b.deleteSheet(r.DeleteSheet.SheetID)
	case r.AppendDimension != nil:
		kind, problem = "appendDimension", b.appendDimension(r)
	case r.UpdateCells != nil:
		kind, problem = "updateCells", b.updateCells(r)
	case r.CopyPaste != nil:
		kind, problem = "copyPaste", b.copyPaste(r)
	default:
		return invalid(fmt.Sprintf("Invalid requests[%d]: No request set.", i))
	}
	if problem == "" && b.size() > maxCells {
		problem = fmt.Sprintf("This action would increase the number of cells in the workbook above the limit of %d cells.", maxCells)
	}
	if problem != "" {
		return fail(kind, "%s", problem)
	}
	return nil
}

func noGrid(id int64) string { return fmt.Sprintf("No grid with id: %d", id) }

func (b *Book) addSheet(r *request) string {
	p := r.AddSheet.Properties
	g := &grid{id: int64(len(b.tabs))*977 + 13, title: p.Title, hidden: p.Hidden, rows: 1000, columns: 26}
	if p.SheetID != nil {
		g.id = *p.SheetID
	}
	if p.GridProperties != nil {
		g.rows, g.columns = p.GridProperties.RowCount, p.GridProperties.ColumnCount
	}
	switch {
	case b.byTitle(p.Title) != nil:
		return fmt.Sprintf("A sheet with the name %q already exists. Please enter another name.", p.Title)
	case b.byID(g.id) != nil:
		return fmt.Sprintf("A sheet with the id %q already exists.", fmt.Sprint(g.id))
	case g.id < 0 || g.rows < 1 || g.columns < 1 || p.Title == "":
		return "The properties of the sheet are not valid."
	}
	b.tabs = append(b.tabs, g)
	return ""
}

func (b *Book) deleteSheet(id int64) string {
	if b.byID(id) == nil {
		return noGrid(id)
	}
	left := slices.DeleteFunc(slices.Clone(b.tabs), func(g *grid) bool { return g.id == id })
	if !slices.ContainsFunc(left, func(g *grid) bool { return !g.hidden }) {
		return "You can't remove all the visible sheets in a document."
	}
	b.tabs = left
	return ""
}

func (b *Book) appendDimension(r *request) string {
	p := r.AppendDimension
	g := b.byID(p.SheetID)
	switch {
	case g == nil:
		return noGrid(p.SheetID)
	case p.Length < 1:
		return "The length must be positive."
	case p.Dimension == "ROWS":
		g.rows += p.Length
	case p.Dimension == "COLUMNS":
		g.columns += p.Length
	default:
		return "The dimension must be ROWS or COLUMNS."
	}
	return ""
}

func (b *Book) updateCells(r *request) string {
	p := r.UpdateCells
	switch {
	case p.Fields == "":
		return "At least one field must be listed in 'fields'. (Use '*' to indicate all fields.)"
	case p.Fields != "userEnteredValue":
		return "sheetstest knows userEnteredValue alone."
	case (p.Range == nil) == (p.Start == nil):
		return "One of 'range' and 'start' must be given."
	}
	if p.Range != nil {
		g, from, to, problem := b.resolve(p.Range)
		if problem == "" && len(p.Rows) > 0 {
			problem = "sheetstest clears ranges, and writes from a start."
		}
		if problem == "" {
			g.clear(from, to)
		}
		return problem
	}
	g := b.byID(p.Start.SheetID)
	if g == nil {
		return noGrid(p.Start.SheetID)
	}
	for i, row := range p.Rows {
		for k, cell := range row.Values {
			at, col := p.Start.RowIndex+i, p.Start.ColumnIndex+k
			if at >= g.rows || col >= g.columns {
				return fmt.Sprintf("Attempting to write row: %d, beyond the last row of: %d", at, g.rows-1)
			}
			var v any
			switch e := cell.UserEnteredValue; {
			case e == nil:
			case e.NumberValue != nil:
				v = *e.NumberValue
			case e.StringValue != nil:
				v = *e.StringValue
			case e.BoolValue != nil:
				v = *e.BoolValue
			case e.FormulaValue != nil:
				v = Formula(*e.FormulaValue)
			}
			g.set(at, col, v)
		}
	}
	return ""
}

// resolve finds what a range means: its first and, beyond it, last row and column.
func (b *Book) resolve(r *gridRange) (g *grid, from, to [2]int, problem string) {
	if g = b.byID(r.SheetID); g == nil {
		return nil, from, to, noGrid(r.SheetID)
	}
	to = [2]int{g.rows, g.columns}
	for at, given := range map[*int]*int{&from[0]: r.StartRowIndex, &from[1]: r.StartColumnIndex, &to[0]: r.EndRowIndex, &to[1]: r.EndColumnIndex} {
		if given != nil {
			*at = *given
		}
	}
	if from[0] < 0 || from[1] < 0 || to[0] > g.rows || to[1] > g.columns || from[0] >= to[0] || from[1] >= to[1] {
		return nil, from, to, fmt.Sprintf("The range is outside of the grid of %d rows and %d columns.", g.rows, g.columns)
	}
	return g, from, to, ""
}

func (g *grid) clear(from, to [2]int) {
	for row := from[0]; row < min(to[0], len(g.cells)); row++ {
		if from[1] == 0 && to[1] >= len(g.cells[row]) {
			g.cells[row] = nil
			continue
		}
		for col := from[1]; col < min(to[1], len(g.cells[row])); col++ {
			g.set(row, col, nil)
		}
	}
}

// copyPaste copies values: a formula's result would be pasted, of which there
// are none to copy here.
func (b *Book) copyPaste(r *request) string {
	p := r.CopyPaste
	if p.PasteType != "PASTE_VALUES" || p.PasteOrientation != "" && p.PasteOrientation != "NORMAL" {
		return "sheetstest pastes values as they are."
	}
	source, from, end, problem := b.resolve(&p.Source)
	if problem != "" {
		return problem
	}
	to, at, _, problem := b.resolve(&p.Destination)
	if problem != "" {
		return problem
	}
	if at[0]+end[0]-from[0] > to.rows || at[1]+end[1]-from[1] > to.columns {
		return "The destination is smaller than the source."
	}
	for row := from[0]; row < end[0]; row++ {
		for col := from[1]; col < end[1]; col++ {
			v := source.at(row, col)
			if v == nil && to.at(at[0]+row-from[0], at[1]+col-from[1]) == nil {
				continue
			}
			to.set(at[0]+row-from[0], at[1]+col-from[1], v)
		}
	}
	return ""
}
