// Package export turns stored results into files: CSV, JSON and JSON lines.
// It holds the one place that knows how a result looks on the wire, which
// GET /v1/results shares with the files. Rows are read in small batches and
// scanned as bytes, never decoded: memory stays constant however many there are.
package export

import (
	"context"
	"fmt"
	"io"
	"iter"

	"shoal"
)

// Rows are results in order. A row is valid until the next one is asked for;
// an error ends the sequence.
type Rows = iter.Seq2[*shoal.Result, error]

// Columns says what of each result goes into a file, and how.
type Columns struct {
	// Attributes are the crawler's fields in their order: the columns of CSV,
	// XLSX and Parquet before those of the envelope, and their types. JSON keeps
	// what a row has.
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

// flushSize is how many bytes are gathered before they are written.
const flushSize = 64 << 10

// Write writes rows to w in the format f and returns how many rows it wrote.
// CSV is RFC 4180 with a header: the crawler's fields, then id, squid, run,
// task and scraping_time; nested values are JSON text, null is empty. JSON is one
// array and JSON lines one object per line, each exactly as GET /v1/results has it.
func Write(ctx context.Context, w io.Writer, f shoal.Format, cols Columns, rows Rows) (n int64, err error) {
	enc, err := newEncoder(f, cols)
	if err != nil {
		return 0, err
	}
	buf := make([]byte, 0, flushSize+flushSize/2)
	buf = enc.begin(buf)
	for r, err := range rows {
		if err != nil {
			return n, fmt.Errorf("read results: %w", err)
		}
		if buf, err = enc.row(buf, r); err != nil {
			return n, fmt.Errorf("result %s: %w", r.ID(), err)
		}
		n++
		if len(buf) < flushSize {
			continue
		}
		if err := ctx.Err(); err != nil {
			return n, err
		}
		if _, err := w.Write(buf); err != nil {
			return n, fmt.Errorf("write results: %w", err)
		}
		buf = buf[:0]
	}
	if _, err := w.Write(enc.end(buf)); err != nil {
		return n, fmt.Errorf("write results: %w", err)
	}
	if table, ok := enc.(*csvEncoder); ok && cols.Fill != nil {
		table.report(cols.Fill, n)
	}
	return n, nil
}

// encoder appends a format's bytes to a buffer.
type encoder interface {
	begin(b []byte) []byte
	row(b []byte, r *shoal.Result) ([]byte, error)
	end(b []byte) []byte
}

func newEncoder(f shoal.Format, cols Columns) (encoder, error) {
	switch f {
	case shoal.FormatCSV:
		return newCSV(cols), nil
	case shoal.FormatJSON:
		return &jsonEncoder{object: NewObject(cols)}, nil
	case shoal.FormatJSONL:
		return &jsonlEncoder{object: NewObject(cols)}, nil
	}
	return nil, shoal.Invalid("InvalidParameterValue", "format",
		"Unknown format %q; the formats are csv, json and jsonl", f)
}

// Formats are the formats that Write knows.
var Formats = []shoal.Format{shoal.FormatCSV, shoal.FormatJSON, shoal.FormatJSONL}

// jsonlEncoder writes an object per line.
type jsonlEncoder struct{ object *Object }

func (e *jsonlEncoder) begin(b []byte) []byte { return b }
func (e *jsonlEncoder) end(b []byte) []byte   { return b }
func (e *jsonlEncoder) row(b []byte, r *shoal.Result) ([]byte, error) {
	b, err := e.object.Append(b, r)
	return append(b, '\n'), err
}

// jsonEncoder writes one array with a row per line.
type jsonEncoder struct {
	object *Object
	some   bool
}

func (e *jsonEncoder) begin(b []byte) []byte { return append(b, '[') }
func (e *jsonEncoder) end(b []byte) []byte   { return append(b, "]\n"...) }
func (e *jsonEncoder) row(b []byte, r *shoal.Result) ([]byte, error) {
	if e.some {
		b = append(b, ',', '\n')
	}
	e.some = true
	return e.object.Append(b, r)
}
