package changes

import (
	"bytes"
	"hash/maphash"
	"slices"
)

// Selection says which fields count: Fields, or all if it is empty, but for Omit.
type Selection struct{ Fields, Omit []string }

func (s *Selection) wants(name []byte) bool {
	is := func(other string) bool { return string(name) == other }
	return (len(s.Fields) == 0 || slices.ContainsFunc(s.Fields, is)) && !slices.ContainsFunc(s.Omit, is)
}

// all reports whether every field counts.
func (s *Selection) all() bool { return len(s.Fields) == 0 && len(s.Omit) == 0 }

// Field is a field of a changed row with its values before and after, as JSON;
// nil: the row has no such field.
type Field struct {
	Name          string
	Before, After []byte
}

// member is a field of a row with its value in canonical form.
type member struct {
	name      string
	value     []byte
	canonical []byte // nil: null, which is the same as none
}

// members returns the fields of a row that count, in the row's order.
func members(row []byte, sel *Selection) (out []member, err error) {
	_, err = eachMember(row, func(name, value []byte) error {
		text := appendText(nil, name)
		text = unquote(text)
		if !sel.wants(text) {
			return nil
		}
		m := member{name: string(text), value: value}
		if !isNull(value) {
			var err error
			if m.canonical, _, err = appendCanonical(nil, value, 0); err != nil {
				return err
			}
		}
		out = append(out, m)
		return nil
	})
	return out, err
}

func isNull(value []byte) bool { return len(value) == 4 && value[0] == 'n' }

// unquote takes the quotes from a string in canonical form.
func unquote(text []byte) []byte {
	text = text[1 : len(text)-1]
	if bytes.IndexByte(text, '\\') < 0 {
		return text
	}
	out := make([]byte, 0, len(text))
	for i := 0; i < len(text); i++ {
		if text[i] == '\\' && i+1 < len(text) {
			i++
		}
		out = append(out, text[i])
	}
	return out
}

// Differences returns the fields of which two rows have different values, in the
// order of the newer row and then of the older.
func Differences(before, after []byte, sel Selection) ([]Field, error) {
	was, err := members(before, &sel)
	if err != nil {
		return nil, err
	}
	is, err := members(after, &sel)
	if err != nil {
		return nil, err
	}
	find := func(list []member, name string) *member {
		if i := slices.IndexFunc(list, func(m member) bool { return m.name == name }); i >= 0 {
			return &list[i]
		}
		return &member{}
	}
	var out []Field
	for i := range is {
		if old := find(was, is[i].name); !bytes.Equal(old.canonical, is[i].canonical) {
			out = append(out, Field{is[i].name, old.value, is[i].value})
		}
	}
	for i := range was {
		if now := find(is, was[i].name); now.name == "" && was[i].canonical != nil {
			out = append(out, Field{was[i].name, was[i].value, nil})
		}
	}
	return out, nil
}

// hasher makes numbers of rows that are equal for rows of equal content.
type hasher struct {
	hash maphash.Hash
	sel  Selection
	buf  []byte
}

// row returns the number of a row. Each field is hashed by itself and the sum
// taken, so that the order of fields does not matter.
func (h *hasher) row(row []byte) (sum uint64, err error) {
	_, err = eachMember(row, func(name, value []byte) error {
		if isNull(value) {
			return nil
		}
		if bytes.IndexByte(name, '\\') >= 0 {
			name = appendText(nil, name)
		}
		if !h.sel.all() && !h.sel.wants(unquote(name)) {
			return nil
		}
		h.hash.Reset()
		h.hash.Write(name)
		if value[0] == '"' && bytes.IndexByte(value, '\\') < 0 {
			h.hash.Write(value)
		} else {
			if h.buf, _, err = appendCanonical(h.buf[:0], value, 0); err != nil {
				return err
			}
			h.hash.Write(h.buf)
		}
		sum += h.hash.Sum64()
		return nil
	})
	return sum, err
}

// Fields calls f with the name and the value, as JSON, of each field of a row in
// its order.
func Fields(row []byte, f func(name string, value []byte)) error {
	_, err := eachMember(row, func(name, value []byte) error {
		f(string(unquote(appendText(nil, name))), value)
		return nil
	})
	return err
}
