package export

import (
	"archive/zip"
	"compress/flate"
	"io"
	"strconv"

	kflate "github.com/klauspost/compress/flate"

	"shoal"
)

// What a sheet holds: ECMA-376 leaves it open, these are Excel's limits, which
// every other program keeps to.
const (
	maxSheetRows    = 1<<20 - 1 // below the header
	maxSheetColumns = 1 << 14
	maxCell         = 32767 // UTF-16 units of text
)

// xlsx writes a workbook (ECMA-376 part 1, SpreadsheetML) with the rows on one
// sheet. The sheet is compressed and written as the rows come; what can only be
// said at the end, a sheet that names the cells that were cut, follows it.
type xlsx struct {
	table
	zip     *zip.Writer
	sheet   io.Writer
	buf     []byte
	letters []string // of the columns: A, B, ...
	rows    int64
	cut     []int64 // cells that were cut, by column
	scratch []byte
}

// newXLSX begins a workbook of that many rows, 0: unknown.
func newXLSX(w io.Writer, l *layout, rows int64) (*xlsx, error) {
	if rows > maxSheetRows {
		return nil, tooManyRows(rows)
	}
	if len(l.columns) > maxSheetColumns {
		return nil, tooManyColumns(shoal.FormatXLSX, len(l.columns), maxSheetColumns)
	}
	x := &xlsx{table: newTable(l), zip: zip.NewWriter(w), cut: make([]int64, len(l.columns))}
	x.zip.RegisterCompressor(zip.Deflate, func(w io.Writer) (io.WriteCloser, error) {
		return kflate.NewWriter(w, flate.BestSpeed)
	})
	for i := range l.columns {
		x.letters = append(x.letters, columnLetters(i))
	}
	return x, x.begin()
}

func tooManyRows(rows int64) error {
	count := "more than " + grouped(maxSheetRows)
	if rows > 0 {
		count = grouped(rows)
	}
	return shoal.Invalid("InvalidParameterValue", "format",
		"xlsx holds %s rows and these results are %s; take csv or parquet, or fewer results (one run or one task)", grouped(maxSheetRows), count)
}

// begin writes the small parts, and the sheet up to its first row.
func (x *xlsx) begin() error {
	for _, p := range leadingParts {
		if err := x.part(p.name, p.text); err != nil {
			return err
		}
	}
	var err error
	if x.sheet, err = x.zip.Create("xl/worksheets/sheet1.xml"); err != nil {
		return err
	}
	b := append(make([]byte, 0, flushSize+flushSize/2), sheetHead...)
	b = x.appendWidths(b)
	b = append(b, `<sheetData><row r="1">`...)
	for i, c := range x.columns {
		b = x.openCell(b, i, ` s="1" t="inlineStr"><is><t`)
		b = appendXMLText(b, []byte(c.name))
		b = append(b, "</t></is></c>"...)
	}
	x.buf = append(b, "</row>"...)
	x.rows = 1
	return nil
}

func (x *xlsx) part(name, text string) error {
	w, err := x.zip.Create(name)
	if err == nil {
		_, err = io.WriteString(w, text)
	}
	return err
}

func (x *xlsx) row(r *shoal.Result) error {
	if x.rows > maxSheetRows {
		return tooManyRows(0)
	}
	if err := x.scan(r.Data); err != nil {
		return err
	}
	x.rows++
	b := append(x.buf, `<row r="`...)
	b = strconv.AppendInt(b, x.rows, 10)
	b = append(b, '"', '>')
	for i := range x.columns {
		if member := x.columns[i].member; member == memberTime {
			b = x.openCell(b, i, ` s="2"><v>`)
			b = appendSerial(b, r.At)
			b = append(b, "</v></c>"...)
		} else if member >= 0 {
			x.scratch = appendMemberText(x.scratch[:0], member, r)
			b = x.appendString(b, i, x.scratch)
		} else {
			b = x.appendValue(b, i, x.values[i], x.kinds[i])
		}
	}
	x.buf = append(b, "</row>"...)
	if len(x.buf) < flushSize {
		return nil
	}
	return x.flush()
}

func (x *xlsx) flush() error {
	_, err := x.sheet.Write(x.buf)
	if cap(x.buf) > keepSize {
		x.buf = make([]byte, 0, flushSize+flushSize/2)
	}
	if cap(x.scratch) > keepSize {
		x.scratch = nil
	}
	x.buf = x.buf[:0]
	return err
}

// openCell appends the beginning of a cell of column i, up to rest.
func (x *xlsx) openCell(b []byte, i int, rest string) []byte {
	b = append(b, `<c r="`...)
	b = append(b, x.letters[i]...)
	b = strconv.AppendInt(b, max(x.rows, 1), 10)
	b = append(b, '"')
	return append(b, rest...)
}

func (x *xlsx) close() error {
	x.buf = append(x.buf, "</sheetData></worksheet>"...)
	if err := x.flush(); err != nil {
		return err
	}
	notes := x.notes()
	if notes != "" {
		if err := x.part("xl/worksheets/sheet2.xml", notes); err != nil {
			return err
		}
	}
	for _, p := range closingParts(notes != "") {
		if err := x.part(p.name, p.text); err != nil {
			return err
		}
	}
	return x.zip.Close()
}
