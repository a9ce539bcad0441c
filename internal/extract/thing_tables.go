package extract

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"shoal/internal/dom/atom"
)

// tableRow is a row of a data table.
type tableRow struct {
	Table   int     `json:"table"` // from 1, in the page's order
	Caption string  `json:"caption,omitempty"`
	Heading string  `json:"heading,omitempty"` // the last one before the table
	ID      string  `json:"id,omitempty"`      // of the table element
	Row     int     `json:"row"`               // from 1
	Headers texts   `json:"headers"`
	Cells   []*cell `json:"cells"`
	Record  record  `json:"record"`          // header → cell
	Links   record  `json:"links,omitempty"` // header → the cell's first link
}

type texts []string

// record is a JSON object that keeps the order of its members.
type record struct {
	names  []string
	values []*string
}

// MarshalJSON writes the members in order.
func (r record) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, name := range r.names {
		if i > 0 {
			b.WriteByte(',')
		}
		b.Write(appendString(nil, name))
		b.WriteByte(':')
		if r.values[i] == nil {
			b.WriteString("null")
		} else {
			b.Write(appendString(nil, *r.values[i]))
		}
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// IsZero leaves an empty record out where it may be.
func (r record) IsZero() bool { return len(r.names) == 0 }

// cell is a cell of the grid; cells that span stand in several places of it.
type cell struct {
	text   string
	link   string
	header bool // th, or all bold
	bold   bool
}

// MarshalJSON writes the cell's text, null for none.
func (c *cell) MarshalJSON() ([]byte, error) {
	if c == nil || c.text == "" {
		return []byte("null"), nil
	}
	return json.Marshal(c.text)
}

// The bounds of a table's grid: those of the HTML standard for spans
// (https://html.spec.whatwg.org/multipage/tables.html), and one for the whole,
// since a few cells may span millions.
const (
	maxColspan   = 1000
	maxRowspan   = 65_534
	maxGridCells = 500_000
)

// readTables reads the rows of the page's data tables, and leaves out those
// that lay the page out or lead through the site.
func readTables(p *thingPage) [][]byte {
	var out [][]byte
	number, above := 0, ""
	left := maxGridCells
	p.all(func(n node) bool {
		switch n.Atom() {
		case atom.H1, atom.H2, atom.H3, atom.H4, atom.H5, atom.H6:
			above = heading(n)
		case atom.Table:
			if laysOut(n) {
				return true
			}
			g := p.grid(n, &left)
			if !g.isData() {
				return true
			}
			number++
			t := tableRow{Table: number, Caption: g.caption, Heading: above}
			if t.Caption == "" {
				t.Caption = captionOf(n)
			}
			t.ID, _ = attr(n, "id")
			out = g.appendRows(out, t)
		}
		return len(out) < maxThings
	})
	return out
}

// grid is a table with its spans laid out.
type grid struct {
	caption string
	rows    [][]*cell
	heads   int  // rows at the top that are headers
	thead   bool // whether an element says which they are
	width   int
	open    []span2 // by column: a cell that reaches down
}

// span2 is a cell and the rows that it still covers.
type span2 struct {
	cell *cell
	rows int
}

func (p *thingPage) grid(table node, left *int) *grid {
	g := &grid{}
	var foot []node
	add := func(tr node, head bool) {
		cells := p.row(g, tr, left)
		if cells == nil {
			return
		}
		g.rows = append(g.rows, cells)
		g.width = max(g.width, len(cells))
		if head && g.heads == len(g.rows)-1 {
			g.heads, g.thead = len(g.rows), true
		}
	}
	for n := table.FirstChild(); n.Exists(); n = n.NextSibling() {
		switch n.Atom() {
		case atom.Caption:
			g.caption = line(n)
		case atom.Tr:
			add(n, false)
		case atom.Thead, atom.Tbody:
			for tr := n.FirstChild(); tr.Exists(); tr = tr.NextSibling() {
				if tr.Atom() == atom.Tr {
					add(tr, n.Atom() == atom.Thead)
				}
			}
			g.open = nil // cells end with their group
		case atom.Tfoot:
			foot = append(foot, n)
		}
	}
	for _, n := range foot {
		for tr := n.FirstChild(); tr.Exists(); tr = tr.NextSibling() {
			if tr.Atom() == atom.Tr {
				add(tr, false)
			}
		}
	}
	if g.heads == 0 {
		g.heads = g.leading()
	}
	g.heads = min(g.heads, len(g.rows))
	return g
}

// row lays out one tr; nil: it has no cells, or the page's bound is reached.
func (p *thingPage) row(g *grid, tr node, left *int) []*cell {
	var cells []*cell
	own := false
	place := func(c *cell, down int) {
		col := len(cells)
		cells = append(cells, c)
		for len(g.open) <= col {
			g.open = append(g.open, span2{})
		}
		g.open[col] = span2{c, down}
		*left--
	}
	covered := func() {
		for len(cells) < len(g.open) && g.open[len(cells)].rows > 0 && *left > 0 {
			o := g.open[len(cells)]
			place(o.cell, o.rows-1)
		}
	}
	for n := tr.FirstChild(); n.Exists() && *left > 0; n = n.NextSibling() {
		if n.Atom() != atom.Td && n.Atom() != atom.Th {
			continue
		}
		covered()
		own = true
		c := p.cell(n)
		down := spanOf(n, "rowspan", maxRowspan)
		if v, _ := attr(n, "rowspan"); strings.TrimSpace(v) == "0" {
			down = maxRowspan // to the end of the group
		}
		for range spanOf(n, "colspan", maxColspan) {
			place(c, down-1)
		}
	}
	covered()
	if !own {
		return nil
	}
	return cells
}

func spanOf(n node, name string, most int) int {
	v, _ := attr(n, name)
	i, err := strconv.Atoi(strings.TrimSpace(v))
	if err != nil || i < 1 {
		return 1
	}
	return min(i, most)
}

func (p *thingPage) cell(n node) *cell {
	c := &cell{text: line(n), header: n.Atom() == atom.Th}
	bold := 0
	for m := next(n, n, true); m.Exists(); m = next(m, n, true) {
		switch m.Atom() {
		case atom.A:
			if href, ok := attr(m, "href"); ok && c.link == "" {
				c.link = p.link(href)
			}
		case atom.B, atom.Strong:
			bold += len(line(m))
		case atom.Img:
			if alt, ok := attr(m, "alt"); ok && c.text == "" {
				c.text = strings.Join(strings.Fields(alt), " ")
			}
		}
	}
	c.bold = c.text != "" && bold >= len(c.text)
	return c
}

// leading counts the rows at the top that hold only headers: th, or else a
// first row in bold above rows that are not.
func (g *grid) leading() int {
	n := 0
	for _, row := range g.rows {
		if !allCells(row, func(c *cell) bool { return c.header }) {
			break
		}
		n++
	}
	if n == len(g.rows) {
		return min(n, 1)
	}
	if n == 0 && len(g.rows) > 1 && allCells(g.rows[0], func(c *cell) bool { return c.bold }) && !allCells(g.rows[1], func(c *cell) bool { return c.bold }) {
		return 1
	}
	return n
}

// allCells reports whether each cell fits, and at least one has a text.
func allCells(row []*cell, fits func(c *cell) bool) bool {
	some := false
	for _, c := range row {
		if c.text != "" || c.header {
			if !fits(c) {
				return false
			}
			some = some || c.text != ""
		}
	}
	return some
}

// vertical reports a table of two columns whose first holds the names and whose
// second the values: it is one row, standing.
func (g *grid) vertical() bool {
	if g.heads > 0 || g.width != 2 || len(g.rows) == 0 {
		return false
	}
	for _, row := range g.rows {
		if len(row) == 2 && row[0] == row[1] {
			continue // a title over both
		}
		if len(row) != 2 || !row[0].header || row[1].header {
			return false
		}
	}
	return true
}

func (g *grid) appendRows(out [][]byte, t tableRow) [][]byte {
	if g.vertical() {
		var names []string
		var cells []*cell
		for _, row := range g.rows {
			if row[0] != row[1] {
				names, cells = append(names, strings.TrimSuffix(row[0].text, ":")), append(cells, row[1])
			}
		}
		g = &grid{width: len(names), rows: [][]*cell{cells}}
		t.Headers = distinct(names)
	} else {
		t.Headers = g.headers()
	}
	for _, row := range g.rows[g.heads:] {
		if !allCells(row, func(*cell) bool { return true }) || spansAll(row, g.width) {
			continue // empty, or a title among the rows
		}
		t.Row++
		t.fill(row)
		if out = appendThing(out, t); len(out) >= maxThings {
			break
		}
	}
	return out
}

// spansAll reports a row that is one cell over the whole width.
func spansAll(row []*cell, width int) bool {
	if len(row) < width || width < 3 {
		return false
	}
	for _, c := range row {
		if c != row[0] {
			return false
		}
	}
	return true
}

func (t *tableRow) fill(row []*cell) {
	t.Cells, t.Record, t.Links = make([]*cell, len(t.Headers)), record{}, record{}
	copy(t.Cells, row)
	for i, name := range t.Headers {
		c := t.Cells[i]
		t.Record.names = append(t.Record.names, name)
		if c == nil || c.text == "" {
			t.Record.values = append(t.Record.values, nil)
		} else {
			t.Record.values = append(t.Record.values, &c.text)
		}
		if c != nil && c.link != "" {
			t.Links.names, t.Links.values = append(t.Links.names, name), append(t.Links.values, &c.link)
		}
	}
}

// headers are the columns' names: of several header rows their texts from top
// to bottom, those that span once.
func (g *grid) headers() []string {
	names := make([]string, g.width)
	for col := range names {
		var last *cell
		for _, row := range g.rows[:g.heads] {
			if col >= len(row) || row[col] == last || spansAll(row, g.width) && g.heads > 1 {
				continue
			}
			last = row[col]
			names[col] = strings.TrimSpace(names[col] + " " + last.text)
		}
	}
	return distinct(names)
}

// distinct gives columns without a name one, and makes equal ones differ.
func distinct(names []string) []string {
	seen := map[string]bool{}
	for i, name := range names {
		if name == "" {
			name = fmt.Sprintf("column_%d", i+1)
		}
		for n, base := 2, name; seen[name]; n++ {
			name = fmt.Sprintf("%s_%d", base, n)
		}
		seen[name] = true
		names[i] = name
	}
	return names
}
