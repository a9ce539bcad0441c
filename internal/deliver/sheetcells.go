package deliver

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"shoal"
)

const (
	// maxCell is how many characters a cell holds, as UTF-16 counts them
	// (https://support.google.com/drive/answer/37603).
	maxCell = 50_000
	// cutMark ends a text that was too long for its cell.
	cutMark = " […cut: a cell holds 50,000 characters]"
	// maxDigits is how many digits of a number a sheet keeps; a longer one is text.
	maxDigits = 15
)

// sheetMembers are the columns after the crawler's own, as in a CSV file.
var sheetMembers = []string{"id", "squid", "run", "task", "scraping_time"}

// sheetColumns are the names of a sheet's columns, in order.
func sheetColumns(attributes []shoal.Attribute) []string {
	names := make([]string, 0, len(attributes)+len(sheetMembers))
	for i := range attributes {
		names = append(names, attributes[i].Name)
	}
	return append(names, sheetMembers...)
}

// cellWriter writes results as rows of cells.
type cellWriter struct {
	names []string
	place []int // where the column of each name is
	width int
	cut   int // cells that were cut so far
}

// row returns the result as a JSON array with a cell for each place, null where
// nothing is to be written.
func (w *cellWriter) row(r *shoal.Result) ([]byte, error) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(r.Data, &fields); err != nil {
		return nil, fmt.Errorf("result %s cannot be read: %w", r.ID(), err)
	}
	cells := make([][]byte, w.width)
	size := 2
	for i, name := range w.names {
		cell := w.cell(fields[name])
		if i >= len(w.names)-len(sheetMembers) {
			cell = member(r, name)
		}
		cells[w.place[i]] = cell
		size += len(cell) + 5
	}
	b := append(make([]byte, 0, size+5*w.width), '[')
	for i, c := range cells {
		if i > 0 {
			b = append(b, ',')
		}
		if c == nil {
			c = []byte("null")
		}
		b = append(b, c...)
	}
	return append(b, ']'), nil
}

// member is the cell of one of sheetMembers.
func member(r *shoal.Result, name string) []byte {
	b := []byte{'"'}
	switch name {
	case "id":
		b = shoal.AppendResultID(b, r.RunPK, r.Digest)
	case "squid":
		b = append(b, r.SquidID...)
	case "run":
		b = append(b, r.RunID...)
	case "task":
		b = append(b, r.TaskID...)
	case "scraping_time":
		b = shoal.AppendTime(b, r.At)
	}
	return append(b, '"')
}

// cell is what a JSON value is in a sheet: text, number or truth as it is, a
// list or an object as its JSON, nil for null.
func (w *cellWriter) cell(value json.RawMessage) []byte {
	if len(value) == 0 {
		return nil
	}
	switch value[0] {
	case 'n':
		return nil
	case 't', 'f':
		return value
	case '{', '[':
		var compact bytes.Buffer
		if json.Compact(&compact, value) != nil {
			return nil // it was decoded: this cannot be
		}
		return w.text(compact.String())
	case '"':
		if len(value) < maxCell && !bytes.Contains(value, []byte(`\u`)) && utf8.Valid(value) {
			return value
		}
		var s string
		if json.Unmarshal(value, &s) != nil {
			return nil
		}
		return w.text(s)
	}
	if digits(value) > maxDigits || !finite(value) {
		return w.text(string(value))
	}
	return value
}

// text is a cell of text, cut where it is too long; control characters, which
// no sheet shows, are marked.
func (w *cellWriter) text(s string) []byte {
	s = strings.Map(func(r rune) rune {
		if r < ' ' && r != '\n' && r != '\t' && r != '\r' {
			return utf8.RuneError
		}
		return r
	}, s)
	if cut, long := cutText(s); long {
		w.cut++
		s = cut
	}
	return appendText(nil, s)
}

// cutText cuts what a cell does not hold.
func cutText(s string) (string, bool) {
	if len(s) <= maxCell {
		return s, false
	}
	units, end := 0, 0
	for i, r := range s {
		units += utf16.RuneLen(r)
		if units <= maxCell-utf8.RuneCountInString(cutMark) {
			end = i + utf8.RuneLen(r)
		}
	}
	if units <= maxCell {
		return s, false
	}
	return s[:end] + cutMark, true
}

// digits counts those of a number that say how exact it is.
func digits(number []byte) int {
	mantissa, _, _ := strings.Cut(strings.ToLower(string(number)), "e")
	mantissa = strings.TrimLeft(strings.NewReplacer("-", "", ".", "").Replace(mantissa), "0")
	if !bytes.ContainsAny(number, ".") {
		mantissa = strings.TrimRight(mantissa, "0")
	}
	return len(mantissa)
}

// finite reports whether the number is one in 64 bits.
func finite(number []byte) bool {
	_, err := strconv.ParseFloat(string(number), 64)
	return err == nil
}

// appendText appends s as JSON.
func appendText(b []byte, s string) []byte {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	if e.Encode(s) != nil {
		return append(b, `""`...) // every string can be encoded
	}
	return append(b, bytes.TrimRight(out.Bytes(), "\n")...)
}

// maxColumnsAnswer bounds the answer that columnReader goes through, in bytes:
// ten million empty cells fit.
const maxColumnsAnswer = 64 << 20

// columnReader returns a reader of the answer of values:batchGet that hands on
// each cell that is not empty, as spreadsheet.columns says. It holds one cell at
// a time.
func columnReader(cell func(which, across, down int, text string)) func(io.Reader) error {
	return func(r io.Reader) error {
		limited := &io.LimitedReader{R: r, N: maxColumnsAnswer}
		d := json.NewDecoder(limited)
		err := readRanges(d, cell)
		if limited.N == 0 {
			return errSheetAnswer
		}
		if err != nil {
			return fmt.Errorf("read Google's answer: %w", err)
		}
		return nil
	}
}

func readRanges(d *json.Decoder, cell func(which, across, down int, text string)) error {
	return eachMember(d, func(name string) error {
		if name != "valueRanges" {
			return skipValue(d)
		}
		which := -1
		return eachItem(d, func() error {
			which++
			return eachMember(d, func(name string) error {
				if name != "values" {
					return skipValue(d)
				}
				return readColumns(d, func(across, down int, text string) { cell(which, across, down, text) })
			})
		})
	})
}

// readColumns reads a list of lists: the columns of a range.
func readColumns(d *json.Decoder, cell func(across, down int, text string)) error {
	across := -1
	return eachItem(d, func() error {
		across++
		down := 0
		return eachItem(d, func() error {
			t, err := d.Token()
			if err != nil {
				return err
			}
			if _, nested := t.(json.Delim); nested {
				return fmt.Errorf("a cell is %v", t)
			}
			if text := fmt.Sprint(t); t != nil && text != "" {
				cell(across, down, text)
			}
			down++
			return nil
		})
	})
}

// eachMember reads an object; each reads the value of the member.
func eachMember(d *json.Decoder, each func(name string) error) error {
	if err := open(d, '{'); err != nil {
		return err
	}
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return err
		}
		name, _ := t.(string)
		if err := each(name); err != nil {
			return err
		}
	}
	_, err := d.Token()
	return err
}

// eachItem reads a list; each reads an item.
func eachItem(d *json.Decoder, each func() error) error {
	if err := open(d, '['); err != nil {
		return err
	}
	for d.More() {
		if err := each(); err != nil {
			return err
		}
	}
	_, err := d.Token()
	return err
}

func open(d *json.Decoder, bracket json.Delim) error {
	t, err := d.Token()
	if err == nil && t != bracket {
		err = fmt.Errorf("%v is where %v was expected", t, bracket)
	}
	return err
}

func skipValue(d *json.Decoder) error {
	var v json.RawMessage
	return d.Decode(&v)
}
