package export

import (
	"context"
	"slices"
	"strings"

	"shoal"
)

// What dotted columns are made of. An object that goes beyond is kept as JSON
// in one column: it is no record but a map, such as prices by product number.
const (
	// maxMembers is how many different members the objects of one name may have.
	maxMembers = 100
	// maxNested is how many dotted columns a table gets at most.
	maxNested = 2000
	// maxDepth is how many objects deep a dotted column may lie.
	maxDepth = 8
	// maxName is the longest name of a member, in bytes.
	maxName = 100
	// maxFields is how many fields rows of no known crawler may have.
	maxFields = 2000
)

// survey reads rows to find the columns that only they can tell: the members
// of nested objects, and the fields of rows whose crawler is gone.
type survey struct {
	root   *members
	fields []column
	omit   []string
	dotted bool
	whole  bool // fields that are not known get a column
	nested int  // members of nested objects found so far
	rows   int64
}

// members are what objects of one name hold, in the order they were first seen.
type members struct {
	list   []*member
	byName map[string]*member
}

// member is what is found under one name.
type member struct {
	name   string
	kinds  kindSet  // of its values other than opened objects
	inner  *members // of its objects, nil: none, or not opened
	closed bool     // its objects are kept as JSON
}

func newMembers() *members { return &members{byName: map[string]*member{}} }

func (m *members) add(name string) *member {
	n := &member{name: name}
	m.list = append(m.list, n)
	m.byName[name] = n
	return n
}

func newSurvey(cols *Columns, fields []column, whole bool) *survey {
	s := &survey{root: newMembers(), fields: fields, omit: cols.Omit, dotted: cols.Dotted, whole: whole}
	for i := range fields {
		if fields[i].member < 0 {
			s.root.add(fields[i].name)
		}
	}
	return s
}

// add takes note of a row.
func (s *survey) add(ctx context.Context, r *shoal.Result) error {
	if s.rows%1024 == 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	s.rows++
	scan, err := newScanner(r.Data)
	if err != nil {
		return err
	}
	next := 0
	for scan.next() {
		m := s.root.find(&next, scan.name)
		if m == nil {
			if !s.whole || slices.Contains(s.omit, string(scan.name)) {
				continue
			}
			if len(s.root.list) == maxFields {
				return shoal.Invalid("InvalidParameterValue", "format",
					"The rows have more than %s different fields; take json or jsonl, or name columns with fields", grouped(maxFields))
			}
			m = s.root.add(string(scan.name))
		}
		s.value(m, scan.value, scan.kind, 1)
	}
	return scan.err
}

// find returns the member of that name, nil: there is none. next is where it
// is expected, and becomes the place after it.
func (m *members) find(next *int, name []byte) *member {
	if i := *next; i < len(m.list) && m.list[i].name == string(name) {
		*next = i + 1
		return m.list[i]
	}
	return m.byName[string(name)]
}

// value takes note of a value of m, which lies depth objects deep.
func (s *survey) value(m *member, value []byte, kind valueKind, depth int) {
	if kind != kindNested || !s.dotted || m.closed || !isObject(value) || isEmpty(value) {
		m.kinds |= kindsOf(value, kind)
		return
	}
	if m.inner == nil {
		m.inner = newMembers()
	}
	if depth > maxDepth || !s.object(m.inner, value, depth) {
		s.nested -= count(m.inner)
		m.inner, m.closed = nil, true
		m.kinds |= hasNested
	}
}

// object takes note of an object's members. It is false when they are not to be columns.
func (s *survey) object(m *members, data []byte, depth int) bool {
	scan, err := newScanner(data)
	if err != nil {
		return false
	}
	next := 0
	for scan.next() {
		found := m.find(&next, scan.name)
		if found == nil {
			if len(m.list) == maxMembers || s.nested == maxNested || !columnName(scan.name) {
				return false
			}
			s.nested++
			found = m.add(string(scan.name))
		}
		s.value(found, scan.value, scan.kind, depth+1)
	}
	return scan.err == nil
}

// columnName reports whether a member's name can be part of a column's. One
// with a dot in it would be taken for another object's.
func columnName(key []byte) bool {
	return len(key) > 0 && len(key) <= maxName && !strings.Contains(string(key), ".")
}

// count returns how many members m and the objects in it have.
func count(m *members) int {
	n := len(m.list)
	for _, inner := range m.list {
		if inner.inner != nil {
			n += count(inner.inner)
		}
	}
	return n
}

// columns gives l the columns that were found: the fields, in their order, each
// with those of its objects, and the envelope. Fields that were not known come first.
func (s *survey) columns(l *layout) {
	if s.whole {
		for _, m := range s.root.list {
			unfold(l, l.root, m, column{name: m.name, member: -1, typ: m.kinds.typ()})
		}
	}
	for _, c := range s.fields {
		if c.member >= 0 {
			l.columns = append(l.columns, c)
		} else {
			unfold(l, l.root, s.root.byName[c.name], c)
		}
	}
}

// unfold gives a member its column c, unless it only ever was an object, and
// the members of its objects theirs.
func unfold(l *layout, b *branch, m *member, c column) {
	x := leaf{name: m.name, column: -1}
	if m.inner == nil || m.kinds&^hasNull != 0 {
		x.column = len(l.columns)
		l.columns = append(l.columns, c)
	}
	if m.inner != nil {
		x.inner = newBranch()
		for _, n := range m.inner.list {
			unfold(l, x.inner, n, column{name: c.name + "." + n.name, member: -1, typ: n.kinds.typ()})
		}
	}
	b.add(x)
}
