package extract

import (
	"fmt"

	"github.com/tidwall/gjson"

	"shoal/internal/dom"
)

// objects appends a field that is an object of what its source found, or a
// list of objects.
func (r *reader) objects(f *fieldPlan, scope node, m matches) (bool, error) {
	if f.JQ != nil || f.Path != "" || f.data != nil || !f.Element && f.XPath == nil {
		return r.jsonObjects(f, scope)
	}
	if !scope.Exists() {
		return false, nil
	}
	var nodes []dom.NodeID
	switch {
	case f.XPath != nil:
		most := 1
		if f.List {
			most = maxItems
		}
		var err error
		if nodes, err = elementsOf(f.XPath, scope, most); err != nil {
			return false, err
		}
	case f.sel >= 0:
		nodes = m[f.sel]
	case f.paths != nil:
		nodes = underPaths(scope, f.paths, f.List)
	default:
		nodes = []dom.NodeID{scope.ID()}
	}
	return r.listOrOne(f, len(nodes), func(i int) (bool, error) { return r.object1(f.object, r.at(nodes[i])) })
}

func (r *reader) listOrOne(f *fieldPlan, n int, item func(int) (bool, error)) (bool, error) {
	if f.List {
		return r.several(f, n, item)
	}
	if n == 0 {
		return false, nil
	}
	return item(0)
}

// jsonObjects makes objects of JSON values.
func (r *reader) jsonObjects(f *fieldPlan, scope node) (bool, error) {
	saved, savedJQ := r.json, r.jq
	defer func() { r.json, r.jq = saved, savedJQ }()
	var values []gjson.Result
	if f.data != nil {
		for _, item := range r.items(f.data) {
			r.setJSON(item)
			if err := r.valuesOf(f, &values); err != nil {
				return false, err
			}
		}
	} else if err := r.valuesOf(f, &values); err != nil {
		return false, err
	}
	return r.listOrOne(f, len(values), func(i int) (bool, error) {
		r.setJSON(values[i])
		return r.object1(f.object, scope)
	})
}

// valuesOf appends what the field's path or program gives on the item at hand.
func (r *reader) valuesOf(f *fieldPlan, out *[]gjson.Result) error {
	add := func(v gjson.Result) bool {
		switch {
		case !v.Exists() || v.Type == gjson.Null:
		case v.IsArray() && f.List:
			*out = append(*out, v.Array()...)
		default:
			*out = append(*out, v)
		}
		return len(*out) < maxItems
	}
	switch {
	case f.JQ != nil:
		return r.runJQ(f.JQ, maxItems, add)
	case f.Path != "":
		add(r.json.Get(f.Path))
	default:
		add(r.json)
	}
	return nil
}

// object1 appends one object; false: none of its fields has a value, or a
// required one has none.
func (r *reader) object1(o *objectPlan, n node) (bool, error) {
	m := matches(nil)
	if n.Exists() && o.set.set.Len() > 0 {
		r.walk(&o.set, n, &r.nested[o.id])
		m = r.nested[o.id]
	}
	r.values = append(r.values, '{')
	some := false
	for i := range o.fields {
		f := &o.fields[i]
		if i > 0 {
			r.values = append(r.values, ',')
		}
		r.values = append(r.values, o.names[i]...)
		from := len(r.values)
		ok, err := r.field(f, n, m)
		if err != nil {
			return false, fmt.Errorf("%s: %w", f.Name, err)
		}
		if ok {
			some = some || string(r.values[from:]) != "[]"
			continue
		}
		if f.Required {
			return false, nil
		}
		r.values = appendAny(r.values[:from], f.Default)
	}
	r.values = append(r.values, '}')
	return some, nil
}

// fromColumn reads a field from its column of a CSV line.
func (r *reader) fromColumn(f *fieldPlan) (bool, error) {
	i, ok := r.column[f.Path]
	if !ok {
		i, ok = r.column[columnName(f.Path)]
	}
	if !ok || i >= len(r.record) {
		return false, nil
	}
	if f.List && f.Split == "" {
		return r.several(f, 1, func(int) (bool, error) { return r.texts(f, r.record[i]) })
	}
	return r.texts(f, r.record[i])
}
