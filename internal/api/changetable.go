package api

import (
	"iter"
	"slices"
	"strings"

	"shoal"
	"shoal/internal/changes"
	"shoal/internal/export"
)

// The columns of a table of changes besides the crawler's fields: what became of
// the row, which of its fields changed, and their values before as JSON.
const (
	columnChange = "change"
	columnFields = "change_fields"
	columnBefore = "change_before"
)

// changeTable makes rows of changes, so that every format of results can hold
// them: the fields as they are in the newer run, of a row that is gone as they were.
type changeTable struct {
	attributes []shoal.Attribute
	renamed    map[string]string // fields that are called like one of its columns
}

func newChangeTable(fields []shoal.Attribute) *changeTable {
	own := []string{columnChange, columnFields, columnBefore}
	t := &changeTable{renamed: map[string]string{}}
	t.attributes = append(t.attributes, shoal.Attribute{Name: columnChange, Type: shoal.AttrString}, shoal.Attribute{Name: columnFields, Type: shoal.AttrString})
	for _, at := range fields {
		if slices.Contains(own, at.Name) {
			t.renamed[at.Name] = "result_" + at.Name
			at.Name = "result_" + at.Name
		}
		t.attributes = append(t.attributes, at)
	}
	t.attributes = append(t.attributes, shoal.Attribute{Name: columnBefore, Type: shoal.AttrJSON})
	return t
}

// rows returns changes as rows.
func (t *changeTable) rows(all iter.Seq2[*changes.Change, error]) export.Rows {
	return func(yield func(*shoal.Result, error) bool) {
		for ch, err := range all {
			if err != nil {
				yield(nil, err)
				return
			}
			row, err := t.row(ch)
			if !yield(row, err) || err != nil {
				return
			}
		}
	}
}

func (t *changeTable) row(ch *changes.Change) (*shoal.Result, error) {
	from := ch.After
	if from == nil {
		from = ch.Before
	}
	b := appendString([]byte(`{"`+columnChange+`":`), ch.Kind.String())
	if len(ch.Fields) > 0 {
		var names []string
		for _, f := range ch.Fields {
			names = append(names, f.Name)
		}
		b = append(b, `,"`+columnFields+`":`...)
		b = appendString(b, strings.Join(names, ","))
	}
	err := changes.Fields(from.Data, func(name string, value []byte) {
		if to, ok := t.renamed[name]; ok {
			name = to
		}
		b = append(b, ',')
		b = appendString(b, name)
		b = append(append(b, ':'), value...)
	})
	if err != nil {
		return nil, err
	}
	if len(ch.Fields) > 0 {
		b = append(b, `,"`+columnBefore+`":{`...)
		for i, f := range ch.Fields {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendString(b, f.Name)
			b = append(append(b, ':'), orNullJSON(f.Before)...)
		}
		b = append(b, '}')
	}
	row := *from
	row.Data = append(b, '}')
	return &row, nil
}
