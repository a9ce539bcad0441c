package api

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"

	"shoal"
)

// table reads an uploaded file of tasks, a row at a time.
type table struct {
	csv    *csv.Reader
	inputs []*shoal.Input // by column; nil: the column has no name and is ignored
}

// row is one row: its params, or what is wrong with it.
type row struct {
	line   int64
	params map[string]any
	err    error
}

// openTable finds out the file's encoding and delimiter and reads its header,
// whose names must be task params of the crawler.
func openTable(file io.ReadSeeker, name string, info *shoal.Crawler) (*table, error) {
	text, err := decodeText(file)
	if err != nil {
		return nil, err
	}
	buffered := bufio.NewReaderSize(text, 64<<10)
	head, err := buffered.Peek(16 << 10)
	if err != nil && err != io.EOF {
		return nil, readError(err)
	}
	t := &table{csv: csv.NewReader(buffered)}
	t.csv.Comma = delimiter(head, name)
	t.csv.FieldsPerRecord = -1
	t.csv.ReuseRecord = true
	header, err := t.csv.Read()
	if err != nil {
		return nil, shoal.Invalid("ParamsInvalid", "file", "The first line of the file cannot be read: it must name the tasks' params")
	}
	return t, t.readHeader(header, info)
}

func (t *table) readHeader(header []string, info *shoal.Crawler) error {
	task := map[string]*shoal.Input{}
	var names []string
	for i := range info.Input {
		if in := &info.Input[i]; in.Level == shoal.LevelTask {
			task[in.Name] = in
			names = append(names, in.Name)
		}
	}
	seen := map[string]bool{}
	for _, cell := range header {
		name := strings.TrimSpace(cell)
		in := task[name]
		if in == nil {
			in = task[strings.ToLower(name)]
		}
		switch {
		case name == "":
			t.inputs = append(t.inputs, nil)
			continue
		case in == nil:
			return shoal.Invalid("ParamsInvalid", "file", "The file's column %q is no task param of %s; its params are: %s",
				clip(name, 60), info.Name, strings.Join(names, ", "))
		case seen[in.Name]:
			return shoal.Invalid("ParamsInvalid", "file", "The file has the column %q twice", clip(name, 60))
		}
		seen[in.Name] = true
		t.inputs = append(t.inputs, in)
	}
	if len(seen) == 0 {
		return shoal.Invalid("ParamsInvalid", "file", "The first line of the file names no param; the params are: %s", strings.Join(names, ", "))
	}
	return nil
}

// next returns the next row; io.EOF after the last. The error of a row that
// cannot be read is in the row, for the others are not concerned; any other
// error ends the reading.
func (t *table) next() (row, error) {
	record, err := t.csv.Read()
	if err == io.EOF {
		return row{}, io.EOF
	}
	if p, ok := errors.AsType[*csv.ParseError](err); ok {
		return row{line: int64(p.StartLine), err: shoal.Invalid("ParamsInvalid", "", "The row cannot be read: %s", p.Err)}, nil
	}
	if err != nil {
		return row{}, readError(err)
	}
	line, _ := t.csv.FieldPos(0)
	r := row{line: int64(line), params: map[string]any{}}
	for i, cell := range record {
		if cell = strings.TrimSpace(cell); cell == "" {
			continue
		}
		if i >= len(t.inputs) || t.inputs[i] == nil {
			r.err = shoal.Invalid("ParamsInvalid", "", "The row has a cell in column %d, which has no name", i+1)
			return r, nil
		}
		r.params[t.inputs[i].Name] = cellValue(t.inputs[i].Type, cell)
	}
	return r, nil
}

func readError(err error) error {
	if errors.Is(err, errNotText) {
		return errNotText
	}
	return err
}

// cellValue gives a cell the type its param wants, if it has its form; else
// the check of the task says what is wrong with it.
func cellValue(typ shoal.ParamType, cell string) any {
	switch typ {
	case shoal.TypeInt:
		if n, err := strconv.ParseInt(cell, 10, 64); err == nil {
			return n
		}
	case shoal.TypeFloat:
		if f, err := strconv.ParseFloat(cell, 64); err == nil {
			return f
		}
	case shoal.TypeBoolean:
		switch strings.ToLower(cell) {
		case "true", "yes", "1":
			return true
		case "false", "no", "0":
			return false
		}
	case shoal.TypeArray:
		if v, err := parseJSON([]byte(cell)); err == nil {
			return plain(v)
		}
	}
	return cell
}

// delimiter returns the most frequent of the usual delimiters on the first
// line, outside quotes; a comma when it has none.
func delimiter(head []byte, name string) rune {
	counts := map[rune]int{}
	quoted := false
	for _, r := range string(head) {
		if r == '"' {
			quoted = !quoted
		}
		if quoted {
			continue
		}
		if r == '\n' {
			break
		}
		counts[r]++
	}
	best := ','
	if strings.HasSuffix(strings.ToLower(name), ".tsv") {
		best = '\t'
	}
	for _, r := range []rune{',', '\t', ';', '|'} {
		if counts[r] > counts[best] {
			best = r
		}
	}
	return best
}

// errNotText refuses a file that is no text.
var errNotText = shoal.Invalid("BadEncoding", "file",
	"The file is not text in UTF-8, UTF-16 or Latin-1; save it as CSV in UTF-8")

// decodeText returns the file as UTF-8 without a byte order mark. UTF-16 is
// told by its mark or its pattern of NUL bytes; what is not UTF-8 from end to
// end is taken for Latin-1 in its Windows form; what holds NUL bytes is no text.
func decodeText(file io.ReadSeeker) (io.Reader, error) {
	head := make([]byte, 4096)
	n, err := io.ReadFull(file, head)
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return nil, err
	}
	head = head[:n]
	if order, ok := utf16Order(head); ok {
		_, err := file.Seek(0, io.SeekStart)
		return unicode.UTF16(order, unicode.UseBOM).NewDecoder().Reader(file), err
	}
	skip := int64(0)
	if bytes.HasPrefix(head, []byte("\xef\xbb\xbf")) {
		skip = 3
	}
	if _, err := file.Seek(skip, io.SeekStart); err != nil {
		return nil, err
	}
	isUTF8, err := scanText(file)
	if err != nil {
		return nil, err
	}
	if _, err := file.Seek(skip, io.SeekStart); err != nil {
		return nil, err
	}
	if isUTF8 {
		return file, nil
	}
	if skip > 0 {
		return nil, errNotText // it says it is UTF-8, and is not
	}
	return charmap.Windows1252.NewDecoder().Reader(file), nil
}

// utf16Order tells the byte order of UTF-16: by the mark, or by NULs that
// stand in every second place, as in text of mostly ASCII.
func utf16Order(head []byte) (unicode.Endianness, bool) {
	switch {
	case bytes.HasPrefix(head, []byte{0xfe, 0xff}):
		return unicode.BigEndian, true
	case bytes.HasPrefix(head, []byte{0xff, 0xfe}):
		return unicode.LittleEndian, true
	}
	var nul [2]int
	for i, c := range head {
		if c == 0 {
			nul[i%2]++
		}
	}
	most := len(head) / 4
	switch {
	case len(head) < 4:
		return unicode.LittleEndian, false
	case nul[0] >= most && nul[1] == 0:
		return unicode.BigEndian, true
	case nul[1] >= most && nul[0] == 0:
		return unicode.LittleEndian, true
	}
	return unicode.LittleEndian, false
}

// scanText reads all of r and reports whether it is UTF-8; a NUL byte is an error.
func scanText(r io.Reader) (isUTF8 bool, err error) {
	buf := make([]byte, 64<<10)
	isUTF8, kept := true, 0
	for {
		n, err := r.Read(buf[kept:])
		chunk := buf[:kept+n]
		if bytes.IndexByte(chunk[kept:], 0) >= 0 {
			return false, errNotText
		}
		kept = 0
		if isUTF8 {
			rest := partialRune(chunk)
			isUTF8 = utf8.Valid(chunk[:len(chunk)-rest])
			kept = copy(buf, chunk[len(chunk)-rest:])
		}
		if err == io.EOF {
			return isUTF8 && kept == 0, nil
		}
		if err != nil {
			return false, err
		}
	}
}

// partialRune returns how many bytes at b's end begin a rune that is cut off.
func partialRune(b []byte) int {
	for n := 1; n <= min(utf8.UTFMax-1, len(b)); n++ {
		if c := b[len(b)-n]; utf8.RuneStart(c) {
			if c >= utf8.RuneSelf && !utf8.FullRune(b[len(b)-n:]) {
				return n
			}
			return 0
		}
	}
	return 0
}
