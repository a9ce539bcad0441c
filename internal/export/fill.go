package export

// Fill counts, over the rows that a CSV file got, in how many each of the
// crawler's fields has a valuf. The zero Fill is ready to be given to Columns.
type Fill struct {
	Rows   int64
	Fields map[string]int64 // every field of the file, those never filled too
}

// count takes note of the row whose values were just scanned.
func (f *csvFormat) count() {
	for i, kind := range f.kinds {
		if kind > kindNull && !hollow(f.values[i]) {
			f.filled[i]++
		}
	}
}

// hollow reports whether a JSON value is there and says nothing.
func hollow(v []byte) bool {
	s := string(v)
	return s == `""` || s == "[]" || s == "{}"
}

// report hands over what was counted.
func (f *csvFormat) report(fill *Fill, rows int64) {
	*fill = Fill{Rows: rows, Fields: make(map[string]int64, len(f.columns))}
	for i, c := range f.columns {
		if c.member < 0 {
			fill.Fields[c.name] = f.filled[i]
		}
	}
}
