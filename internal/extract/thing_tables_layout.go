package extract

import (
	"strings"

	"shoal/internal/dom/atom"
)

// laysOut reports a table that is no data: one that says so, one that has
// tables in it, and one that leads through the site, as the headers and footers
// of manuals and the boxes below encyclopedias' articles do.
func laysOut(table node) bool {
	return oneOf(table, "role", "presentation", "none") || holdsTable(table) || leads(table)
}

func holdsTable(n node) bool {
	for m := next(n, n, true); m.Exists(); m = next(m, n, true) {
		if m.Atom() == atom.Table && m.IsElement() {
			return true
		}
	}
	return false
}

// leadsWithin is how many elements around a table are asked whether they are
// for navigation; the bound keeps the work linear on pages that nest deep.
const leadsWithin = 8

func leads(table node) bool {
	if strings.Contains(strings.ToLower(summary(table)), "navigation") {
		return true
	}
	n := table
	for range leadsWithin {
		if !n.Exists() || n.Atom() == atom.Body || n.Atom() == atom.Main || n.Atom() == atom.Article {
			return false
		}
		if n.Atom() == atom.Nav || oneOf(n, "role", "navigation") ||
			hasWord(n, "nav", "navbar", "navbox", "navigation", "navheader", "navfooter", "pagination", "breadcrumb", "breadcrumbs") {
			return true
		}
		n = n.Parent()
	}
	return false
}

// isData reports whether a table's cells make data: several columns and rows,
// names with values, or one column under a header. A single cell under a header
// is a box with a title, unless the header is marked as such by thead.
func (g *grid) isData() bool {
	below := len(g.rows) - g.heads
	if g.width == 1 {
		return g.heads > 0 && (g.thead && below > 0 || below > 1) && allCells(g.rows[0], func(c *cell) bool { return c.header })
	}
	return g.width > 1 && (len(g.rows) > 1 || g.vertical())
}

// captionOf is what names a table that has no caption element: the caption of
// the figure that it stands in, or HTML 4's summary.
func captionOf(table node) string {
	n := table.Parent()
	for range 3 {
		if !n.Exists() {
			break
		}
		if n.Atom() == atom.Figure {
			for m := n.FirstChild(); m.Exists(); m = m.NextSibling() {
				if m.Atom() == atom.Figcaption {
					return line(m)
				}
			}
		}
		n = n.Parent()
	}
	return summary(table)
}

func summary(table node) string {
	s, _ := attr(table, "summary")
	return strings.Join(strings.Fields(s), " ")
}
