package export

import (
	"errors"
	"fmt"

	"shoal"
)

// errChanged says that a row has what the survey of the same rows did not find.
var errChanged = errors.New("the results changed while they were written; ask for them again")

// table lays rows out into columns: it is the part that the formats with
// columns share.
type table struct {
	*layout
	values [][]byte    // of the present row, by column; aliases of the row
	kinds  []valueKind // of the present row, by column
	row    int64
	// stray, if not nil, is given each of a row's fields that has no column.
	stray func(key, value []byte)
}

func newTable(l *layout) table {
	return table{layout: l, values: make([][]byte, len(l.columns)), kinds: make([]valueKind, len(l.columns))}
}

// scan finds the values of a row, the object in data.
func (t *table) scan(data []byte) error {
	clear(t.kinds)
	t.row++
	return t.object(t.root, data)
}

// object finds the values of an object. Rows have the crawler's order, so that
// the next member is nearly always the next leaf and no name is looked up. As
// in encoding/json, of members with one name the last counts.
func (t *table) object(b *branch, data []byte) error {
	s, err := newScanner(data)
	if err != nil {
		return err
	}
	next := 0
	for s.next() {
		if next >= len(b.leaves) || b.leaves[next].name != string(s.name) {
			i, ok := b.index[string(s.name)]
			if !ok && b != t.root {
				return errChanged
			}
			if !ok {
				if t.stray != nil {
					t.stray(s.key, s.value)
				}
				continue
			}
			next = i
		}
		l := &b.leaves[next]
		next++
		if l.inner == nil {
			t.values[l.column], t.kinds[l.column] = s.value, s.kind
		} else if err := t.opened(l, s.value, s.kind); err != nil {
			return err
		}
	}
	return s.err
}

// opened takes a value of a member whose objects have columns.
func (t *table) opened(l *leaf, value []byte, kind valueKind) error {
	if l.row == t.row {
		t.forget(l)
	}
	l.row = t.row
	switch {
	case kind == kindNested && isObject(value) && !isEmpty(value):
		return t.object(l.inner, value)
	case l.column >= 0:
		t.values[l.column], t.kinds[l.column] = value, kind
	case kind != kindNull:
		return errChanged
	}
	return nil
}

// forget takes back what an earlier member of the same name gave.
func (t *table) forget(l *leaf) {
	if l.column >= 0 {
		t.kinds[l.column] = kindNone
	}
	if l.inner != nil {
		for i := range l.inner.leaves {
			t.forget(&l.inner.leaves[i])
		}
	}
}

func isObject(value []byte) bool { return value[0] == '{' }

// isEmpty reports whether an object or array has nothing in it.
func isEmpty(value []byte) bool {
	for _, c := range value[1 : len(value)-1] {
		if c > ' ' {
			return false
		}
	}
	return true
}

// tooManyColumns refuses a table that no reader would take.
func tooManyColumns(format shoal.Format, n, most int) error {
	return shoal.Invalid("InvalidParameterValue", "fields",
		"%s would have %s columns and holds %s; name fewer with fields or omit, leave dotted out, or take json, jsonl or csv",
		format, grouped(int64(n)), grouped(int64(most)))
}

// grouped returns n with a comma between thousands.
func grouped(n int64) string {
	if n < 1000 {
		return fmt.Sprint(n)
	}
	return grouped(n/1000) + fmt.Sprintf(",%03d", n%1000)
}
