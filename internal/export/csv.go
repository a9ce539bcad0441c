package export

import (
	"strings"
	"unicode/utf8"

	"shoal"
)

// csvFormat is RFC 4180 with CRLF line ends.
type csvFormat struct {
	table
	oneLine  bool
	bom      bool
	guard    bool
	filled   []int64 // rows with a value, by column; nil: not counted
	onlyCell bool    // a row of one empty cell would look like no row
}

func newCSV(l *layout, cols *Columns) *csvFormat {
	f := &csvFormat{table: newTable(l), oneLine: cols.NoLineBreaks, bom: cols.BOM, guard: cols.GuardFormulas}
	f.onlyCell = len(f.columns) == 1
	if cols.Fill != nil {
		f.filled = make([]int64, len(f.columns))
	}
	return f
}

func (f *csvFormat) end(b []byte) []byte { return b }

func (f *csvFormat) begin(b []byte) []byte {
	if f.bom {
		b = append(b, "\ufeff"...)
	}
	for i, c := range f.columns {
		if i > 0 {
			b = append(b, ',')
		}
		start := len(b)
		b = appendCell(b, c.name)
		if f.guard {
			b = guardCell(b, start)
		}
	}
	return append(b, '\r', '\n')
}

func (f *csvFormat) row(b []byte, r *shoal.Result) ([]byte, error) {
	if err := f.scan(r.Data); err != nil {
		return b, err
	}
	if f.filled != nil {
		f.count()
	}
	start := len(b)
	for i := range f.columns {
		if i > 0 {
			b = append(b, ',')
		}
		if member := f.columns[i].member; member >= 0 {
			b = appendMemberText(b, member, r)
			continue
		}
		cell := len(b)
		b = f.appendValue(b, f.values[i], f.kinds[i])
		if f.guard && f.kinds[i] > kindNull {
			b = guardCell(b, cell)
		}
	}
	if f.onlyCell && len(b) == start {
		b = append(b, '"', '"')
	}
	return append(b, '\r', '\n'), nil
}

func (f *csvFormat) appendValue(b, value []byte, kind valueKind) []byte {
	switch kind {
	case kindLiteral:
		return append(b, value...)
	case kindPlain:
		return append(b, value[1:len(value)-1]...)
	case kindComma:
		return append(b, value...) // JSON's quotes are CSV's
	case kindEscaped:
		return appendUnescaped(b, value[1:len(value)-1], f.oneLine)
	case kindNested:
		return appendQuoted(b, value)
	default:
		return b
	}
}

// appendCell appends text as a cell, quoted if it must be.
func appendCell(b []byte, text string) []byte {
	if !strings.ContainsAny(text, ",\"\r\n") {
		return append(b, text...)
	}
	return appendQuoted(b, []byte(text))
}

// appendQuoted appends text between quotes, its own quotes doubled.
func appendQuoted(b, text []byte) []byte {
	b = append(b, '"')
	for _, c := range text {
		if c == '"' {
			b = append(b, '"')
		}
		b = append(b, c)
	}
	return append(b, '"')
}

// appendUnescaped appends the text of a JSON string with escapes as a quoted
// cell. With oneLine each line break, CRLF being one, becomes a space.
func appendUnescaped(b, text []byte, oneLine bool) []byte {
	b = append(b, '"')
	for i := 0; i < len(text); {
		c := text[i]
		if c != '\\' || i+1 == len(text) {
			b = append(b, c)
			i++
			continue
		}
		r, n := unescape(text[i:])
		i += n
		switch {
		case r == '"':
			b = append(b, '"', '"')
		case oneLine && r == '\r' && strings.HasPrefix(string(text[i:min(i+2, len(text))]), `\n`):
			// The line feed that follows becomes the space.
		case oneLine && (r == '\n' || r == '\r'):
			b = append(b, ' ')
		default:
			b = utf8.AppendRune(b, r)
		}
	}
	return append(b, '"')
}
