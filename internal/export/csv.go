package export

import (
	"slices"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"shoal"
)

// csvEncoder writes RFC 4180 with CRLF line ends.
type csvEncoder struct {
	columns  []column
	index    map[string]int // a field's name to its place in columns
	oneLine  bool
	values   [][]byte // of the present row, by column
	kinds    []valueKind
	filled   []int64 // rows with a value, by column; nil: not counted
	onlyCell bool    // a row of one empty cell would look like no row
}

// column is one column: a field of the crawler, or a member of the envelope.
type column struct {
	name   string
	member int // of the envelope, or -1
}

func newCSV(cols Columns) *csvEncoder {
	e := &csvEncoder{oneLine: cols.NoLineBreaks, index: map[string]int{}}
	for _, name := range csvNames(cols) {
		if _, twice := e.index[name]; twice || slices.Contains(cols.Omit, name) {
			continue
		}
		e.index[name] = len(e.columns)
		e.columns = append(e.columns, column{name: name, member: slices.Index(envelope[:], name)})
	}
	e.values = make([][]byte, len(e.columns))
	e.kinds = make([]valueKind, len(e.columns))
	e.onlyCell = len(e.columns) == 1
	if cols.Fill != nil {
		e.filled = make([]int64, len(e.columns))
	}
	return e
}

// csvNames returns the names of the columns: those selected, else the
// crawler's fields and the envelope without "object", which is the same everywhere.
func csvNames(cols Columns) []string {
	if len(cols.Select) > 0 {
		return cols.Select
	}
	names := make([]string, 0, len(cols.Attributes)+memberCount)
	for i := range cols.Attributes {
		names = append(names, cols.Attributes[i].Name)
	}
	for i, name := range envelope {
		if i != memberObject {
			names = append(names, name)
		}
	}
	return names
}

func (e *csvEncoder) end(b []byte) []byte { return b }

func (e *csvEncoder) begin(b []byte) []byte {
	for i, c := range e.columns {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendCell(b, c.name)
	}
	return append(b, '\r', '\n')
}

func (e *csvEncoder) row(b []byte, r *shoal.Result) ([]byte, error) {
	if err := e.scan(r.Data); err != nil {
		return b, err
	}
	if e.filled != nil {
		e.count()
	}
	start := len(b)
	for i := range e.columns {
		if i > 0 {
			b = append(b, ',')
		}
		if member := e.columns[i].member; member >= 0 {
			b = appendMemberText(b, member, r)
		} else {
			b = e.appendValue(b, e.values[i], e.kinds[i])
		}
	}
	if e.onlyCell && len(b) == start {
		b = append(b, '"', '"')
	}
	return append(b, '\r', '\n'), nil
}

// scan finds the row's values. Rows have the crawler's order, so that the next
// field is nearly always the next column and no name is looked up.
func (e *csvEncoder) scan(data []byte) error {
	clear(e.kinds)
	s, err := newScanner(data)
	if err != nil {
		return err
	}
	next := 0
	for s.next() {
		if next >= len(e.columns) || e.columns[next].name != string(s.key) {
			i, ok := e.index[string(s.key)]
			if !ok {
				continue
			}
			next = i
		}
		e.values[next], e.kinds[next] = s.value, s.kind
		next++
	}
	return s.err
}

func (e *csvEncoder) appendValue(b, value []byte, kind valueKind) []byte {
	switch kind {
	case kindLiteral:
		return append(b, value...)
	case kindPlain:
		return append(b, value[1:len(value)-1]...)
	case kindComma:
		return append(b, value...) // JSON's quotes are CSV's
	case kindEscaped:
		return appendUnescaped(b, value[1:len(value)-1], e.oneLine)
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

// unescape reads the escape that text begins with and returns its rune and
// its length. Half a surrogate pair becomes U+FFFD.
func unescape(text []byte) (r rune, n int) {
	switch text[1] {
	case 'n':
		return '\n', 2
	case 't':
		return '\t', 2
	case 'r':
		return '\r', 2
	case 'b':
		return '\b', 2
	case 'f':
		return '\f', 2
	case 'u':
		first, ok := hex4(text[2:])
		if !ok {
			return utf8.RuneError, 2
		}
		if !utf16.IsSurrogate(first) {
			return first, 6
		}
		if len(text) >= 12 && text[6] == '\\' && text[7] == 'u' {
			if second, ok := hex4(text[8:]); ok {
				if r := utf16.DecodeRune(first, second); r != utf8.RuneError {
					return r, 12
				}
			}
		}
		return utf8.RuneError, 6
	default: // a quote, a backslash or a slash
		return rune(text[1]), 2
	}
}

func hex4(b []byte) (r rune, ok bool) {
	if len(b) < 4 {
		return 0, false
	}
	for _, c := range b[:4] {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c >= 'a' && c <= 'f':
			c -= 'a' - 10
		case c >= 'A' && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}
