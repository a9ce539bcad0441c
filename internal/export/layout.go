package export

import (
	"context"
	"fmt"
	"slices"

	"shoal"
)

// column is one column of a table: a field of the crawler, a member of a
// nested object, or a member of the envelope.
type column struct {
	name   string
	member int // of the envelope, or -1
	typ    shoal.AttributeType
}

// layout is the columns of a table and where in a row their values are.
type layout struct {
	columns []column
	root    *branch
	// surveyed says that the rows were read to find the columns, and rows how
	// many they were.
	surveyed bool
	rows     int64
}

// branch is an object of the rows, with the members that have columns.
type branch struct {
	leaves []leaf
	index  map[string]int // of leaves, by name
}

// leaf is a member of an object: a column of its own, an object whose members
// have columns, or both.
type leaf struct {
	name   string
	column int // -1: none
	inner  *branch
	row    int64 // the row in which it was last found; only kept where inner is set
}

func newBranch() *branch { return &branch{index: map[string]int{}} }

func (b *branch) add(l leaf) {
	b.index[l.name] = len(b.leaves)
	b.leaves = append(b.leaves, l)
}

// layoutOf returns the columns of a table. It reads rows where only they say
// what the columns are.
func layoutOf(ctx context.Context, cols *Columns, rows Rows) (*layout, error) {
	l := &layout{root: newBranch()}
	fields := fieldsOf(cols)
	whole := len(cols.Attributes) == 0 && len(cols.Select) == 0
	if !cols.Dotted && !whole {
		for i := range fields {
			l.addField(fields[i])
		}
		return l, nil
	}
	s := newSurvey(cols, fields, whole)
	for r, err := range rows {
		if err != nil {
			return nil, fmt.Errorf("read results: %w", err)
		}
		if err := s.add(ctx, r); err != nil {
			return nil, rowError(r, err)
		}
	}
	s.columns(l)
	l.surveyed, l.rows = true, s.rows
	return l, nil
}

// fieldsOf returns the columns that are known before the rows: those selected,
// else the crawler's fields and the envelope without "object", which is the same
// everywhere.
func fieldsOf(cols *Columns) []column {
	types := make(map[string]shoal.AttributeType, len(cols.Attributes))
	names := make([]string, 0, len(cols.Attributes)+memberCount)
	for i := range cols.Attributes {
		a := &cols.Attributes[i]
		types[a.Name] = a.Type
		names = append(names, a.Name)
	}
	for i, name := range envelope {
		if i != memberObject {
			names = append(names, name)
		}
	}
	if len(cols.Select) > 0 {
		names = cols.Select
	}
	var fields []column
	seen := make(map[string]bool, len(names))
	for _, name := range names {
		if !seen[name] && !slices.Contains(cols.Omit, name) {
			seen[name] = true
			fields = append(fields, column{name: name, member: slices.Index(envelope[:], name), typ: types[name]})
		}
	}
	return fields
}

// addField gives a field, or a member of the envelope, its column.
func (l *layout) addField(c column) {
	if c.member < 0 {
		l.root.add(leaf{name: c.name, column: len(l.columns)})
	}
	l.columns = append(l.columns, c)
}
