// Package export turns stored results into files: CSV, JSON, JSON lines, XLSX
// and Parquet. It holds the one place that knows how a result looks on the wire,
// which GET /v1/results shares with the files. Rows are read in small batches,
// scanned as bytes and written as they come, never decoded whole, never kept,
// and never put on disk on the way: memory stays constant however many there are.
package export

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"

	"shoal"
)

// Rows are results in order. A row is valid until the next one is asked for;
// an error ends the sequence. Ranging over it again reads again from its start.
type Rows = iter.Seq2[*shoal.Result, error]

// Columns says what of each result goes into a file, and how.
type Columns struct {
	// Attributes are the crawler's fields in their order: the columns of CSV,
	// XLSX and Parquet before those of the envelope, and their types. JSON keeps
	// what a row has. When there are none, nor a selection, a table has the fields
	// that its rows have.
	Attributes []shoal.Attribute
	// Select, if not empty, names the columns wanted, in a table's order.
	Select []string
	// Omit names columns to leave out.
	Omit []string
	// NoLineBreaks puts a space in place of each line break inside a CSV cell.
	NoLineBreaks bool
	// BOM, GuardFormulas and Dotted are as in shoal.ExportForm.
	BOM, GuardFormulas, Dotted bool
	// Rows is how many rows there are, 0 when it is not known. A format that
	// cannot hold so many refuses them before it writes anything.
	Rows int64
	// Fill, if not nil, is told which fields the rows of a CSV file fill.
	Fill *Fill
}

// ColumnsOf returns the columns of a file in the given form with a crawler's
// attributes, which it does not copy.
func ColumnsOf(form *shoal.ExportForm, attributes []shoal.Attribute) Columns {
	return Columns{
		Attributes: attributes, Select: form.Fields, Omit: form.Omit,
		BOM: form.BOM, GuardFormulas: form.GuardFormulas, Dotted: form.Dotted,
	}
}

// plain reports whether whole rows are wanted.
func (c *Columns) plain() bool { return len(c.Select) == 0 && len(c.Omit) == 0 }

// Write writes rows to w in the format f and returns how many rows it wrote.
//
// CSV is RFC 4180 with a header: the crawler's fields, then id, squid, run,
// task and scraping_time; nested values are JSON text, null is empty. JSON is one
// array and JSON lines one object per line, each exactly as GET /v1/results has it.
// XLSX and Parquet have CSV's columns, typed. docs/exports.md has it all.
//
// Where the columns are what the rows have (Columns.Dotted, or no attributes),
// rows is read twice, and rows that were added in between are left out. An
// error of kind shoal.KindInvalid is a refusal; nothing has been written then,
// unless more rows than Columns.Rows came.
func Write(ctx context.Context, w io.Writer, f shoal.Format, cols Columns, rows Rows) (n int64, err error) {
	out := &guardedWriter{ctx: ctx, w: w}
	switch f {
	case shoal.FormatCSV, shoal.FormatXLSX, shoal.FormatParquet:
		return writeTable(ctx, out, f, cols, rows)
	case shoal.FormatJSON:
		return writeRows(newText(out, &jsonFormat{object: NewObject(cols)}), rows)
	case shoal.FormatJSONL:
		return writeRows(newText(out, &jsonlFormat{object: NewObject(cols)}), rows)
	}
	return 0, shoal.Invalid("InvalidParameterValue", "format",
		"Unknown format %.40q; the formats are csv, json, jsonl, xlsx and parquet", string(f))
}

// Formats are the formats that Write knows.
var Formats = shoal.Formats

// writeTable writes a format that has columns.
func writeTable(ctx context.Context, out io.Writer, f shoal.Format, cols Columns, rows Rows) (int64, error) {
	layout, err := layoutOf(ctx, &cols, rows)
	if err != nil {
		return 0, err
	}
	if layout.surveyed {
		cols.Rows = layout.rows
		rows = first(rows, layout.rows)
	}
	switch f {
	case shoal.FormatXLSX:
		enc, err := newXLSX(out, layout, cols.Rows)
		if err != nil {
			return 0, err
		}
		return writeRows(enc, rows)
	case shoal.FormatParquet:
		return writeRows(newParquet(out, layout, &cols), rows)
	}
	table := newCSV(layout, &cols)
	n, err := writeRows(newText(out, table), rows)
	if err == nil && cols.Fill != nil {
		table.report(cols.Fill, n)
	}
	return n, err
}

// first returns the first n of rows.
func first(rows Rows, n int64) Rows {
	return func(yield func(*shoal.Result, error) bool) {
		left := n
		if left == 0 {
			return
		}
		for r, err := range rows {
			left--
			if !yield(r, err) || left == 0 {
				return
			}
		}
	}
}

// encoder writes results in one format to the writer it was made for.
type encoder interface {
	// row writes r, and keeps nothing of it.
	row(r *shoal.Result) error
	// close writes what ends the file.
	close() error
}

func writeRows(enc encoder, rows Rows) (n int64, err error) {
	for r, err := range rows {
		if err != nil {
			return n, fmt.Errorf("read results: %w", err)
		}
		if err := enc.row(r); err != nil {
			return n, rowError(r, err)
		}
		n++
	}
	return n, enc.close()
}

// rowError names the result that cannot be written, if it is that.
func rowError(r *shoal.Result, err error) error {
	if errors.Is(err, ErrRow) {
		return fmt.Errorf("result %s: %w", r.ID(), err)
	}
	return err
}

// guardedWriter writes until the context ends, and names what failed.
type guardedWriter struct {
	ctx context.Context
	w   io.Writer
}

func (g *guardedWriter) Write(b []byte) (int, error) {
	if err := g.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := g.w.Write(b)
	if err != nil {
		err = fmt.Errorf("write results: %w", err)
	}
	return n, err
}
