package export

// Fill counts, over the rows that a CSV file got, in how many each of the
// crawler's fields has a value. The zero Fill is ready to be given to Columns.
type Fill struct {
	Rows   int64
	Fields map[string]int64 // every field of the file, those never filled too
}

// count takes note of the row whose values were just scanned.
func (e *csvEncoder) count() {
	for i, kind := range e.kinds {
		if kind > kindNull && !hollow(e.values[i]) {
			e.filled[i]++
		}
	}
}

// hollow reports whether a JSON value is there and says nothing.
func hollow(v []byte) bool {
	s := string(v)
	return s == `""` || s == "[]" || s == "{}"
}

// report hands over what was counted.
func (e *csvEncoder) report(f *Fill, rows int64) {
	*f = Fill{Rows: rows, Fields: make(map[string]int64, len(e.columns))}
	for i, c := range e.columns {
		if c.member < 0 {
			f.Fields[c.name] = e.filled[i]
		}
	}
}
