package crawler

import (
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
)

// text is a string with its place, for strings that are compiled later and
// whose mistakes must point at their line.
type text struct {
	at
	s string
}

func (t text) set() bool { return t.line != 0 }

// scalar is a value of any scalar or list type with its place.
type scalar struct {
	at
	v any // nil, bool, int64, float64, string, []any
}

func (s scalar) set() bool { return s.line != 0 }

// ordered is a mapping that keeps the order of its keys.
type ordered[T any] []entry[T]

type entry[T any] struct {
	at
	key string
	val T
}

// many is one value or a list of them.
type many[T any] []T

// custom is implemented by types that decode themselves.
type custom interface {
	decode(d *decoder, n *node, what string)
}

// decoder reads nodes into the structs of definition.go strictly: an unknown
// key or a wrong type is a problem with its place, and reading goes on.
type decoder struct {
	file     string
	problems Problems
	used     map[string]bool // the keys that were read, as type.key; nil: nobody asks
}

func (d *decoder) fail(p at, format string, args ...any) {
	d.problems = append(d.problems, Problem{d.file, p.line, p.col, fmt.Sprintf(format, args...)})
}

// decode reads n into the value that ptr points at; what names it in messages.
func (d *decoder) decode(n *node, ptr any, what string) {
	if c, ok := ptr.(custom); ok {
		c.decode(d, n, what)
		return
	}
	d.value(n, reflect.ValueOf(ptr).Elem(), what)
}

func (d *decoder) value(n *node, v reflect.Value, what string) {
	if c, ok := v.Addr().Interface().(custom); ok {
		c.decode(d, n, what)
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		if n.value == nil {
			return
		}
		v.Set(reflect.New(v.Type().Elem()))
		d.value(n, v.Elem(), what)
	case reflect.Struct:
		d.structure(n, v, what)
	case reflect.Slice:
		d.list(n, v, what)
	case reflect.String:
		if s, ok := d.str(n, what); ok {
			v.SetString(s)
		}
	case reflect.Bool:
		b, ok := n.value.(bool)
		if !ok {
			d.wrong(n, what, "true or false")
			return
		}
		v.SetBool(b)
	case reflect.Int, reflect.Int64:
		i, ok := n.value.(int64)
		if !ok {
			d.wrong(n, what, "a whole number")
			return
		}
		v.SetInt(i)
	case reflect.Float64:
		f, ok := number(n.value)
		if !ok {
			d.wrong(n, what, "a number")
			return
		}
		v.SetFloat(f)
	}
}

func number(v any) (float64, bool) {
	switch v := v.(type) {
	case int64:
		return float64(v), true
	case float64:
		return v, !math.IsNaN(v) && !math.IsInf(v, 0)
	}
	return 0, false
}

func (d *decoder) str(n *node, what string) (string, bool) {
	switch v := n.value.(type) {
	case string:
		return v, true
	case int64:
		return strconv.FormatInt(v, 10), true
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64), true
	}
	d.wrong(n, what, "a text; put it in quotes")
	return "", false
}

func (d *decoder) wrong(n *node, what, want string) {
	d.fail(n.at, "%s is %s; it must be %s", what, describe(n.value), want)
}

func describe(v any) string {
	switch v := v.(type) {
	case nil:
		return "empty"
	case []pair:
		return "a mapping"
	case []*node, []any:
		return "a list"
	case string:
		return strconv.Quote(clip(v, 40))
	default:
		return fmt.Sprint(v)
	}
}

func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "") + "…"
}

func (d *decoder) list(n *node, v reflect.Value, what string) {
	items, ok := n.value.([]*node)
	if !ok {
		d.wrong(n, what, "a list ([…] or lines beginning with a dash)")
		return
	}
	v.Set(reflect.MakeSlice(v.Type(), len(items), len(items)))
	for i, item := range items {
		d.value(item, v.Index(i), fmt.Sprintf("%s[%d]", what, i))
	}
}

func (d *decoder) structure(n *node, v reflect.Value, what string) {
	pairs, ok := n.value.([]pair)
	if !ok {
		d.wrong(n, what, "a mapping of "+strings.Join(keysOf(v.Type()), ", "))
		return
	}
	if p, ok := v.Addr().Interface().(placed); ok {
		p.place(n.at)
	}
	fields := fieldsOf(v.Type())
	for _, p := range pairs {
		i, known := fields[p.key]
		if !known {
			d.fail(p.at, "%s", unknown("key", p.key, what, keysOf(v.Type())))
			continue
		}
		if d.used != nil {
			// A type that decodes itself does so under a name of its own.
			d.used[strings.TrimSuffix(v.Type().Name(), "Plain")+"."+p.key] = true
		}
		if p.val.value == nil {
			continue // "key:" without a value is the same as leaving it out
		}
		d.value(p.val, v.Field(i), p.key)
	}
}

// placed is a struct that knows its place.
type placed interface{ place(at) }

func (p *at) place(q at) { *p = q }

// fieldsOf maps the keys of a definition struct to its fields.
func fieldsOf(t reflect.Type) map[string]int {
	m := make(map[string]int, t.NumField())
	for i := range t.NumField() {
		if k := t.Field(i).Tag.Get("yaml"); k != "" {
			m[k] = i
		}
	}
	return m
}

func keysOf(t reflect.Type) []string {
	var keys []string
	for i := range t.NumField() {
		if k := t.Field(i).Tag.Get("yaml"); k != "" {
			keys = append(keys, k)
		}
	}
	return keys
}

func (t *text) decode(d *decoder, n *node, what string) {
	if s, ok := d.str(n, what); ok {
		*t = text{n.at, s}
	}
}

func (s *scalar) decode(d *decoder, n *node, what string) {
	if v, ok := plain(n); ok {
		*s = scalar{n.at, v}
		return
	}
	d.wrong(n, what, "a plain value or a list of plain values")
}

func plain(n *node) (any, bool) {
	switch v := n.value.(type) {
	case []pair:
		return nil, false
	case []*node:
		list := make([]any, len(v))
		for i, item := range v {
			x, ok := plain(item)
			if !ok {
				return nil, false
			}
			list[i] = x
		}
		return list, true
	default:
		return v, true
	}
}

func (o *ordered[T]) decode(d *decoder, n *node, what string) {
	pairs, ok := n.value.([]pair)
	if !ok {
		d.wrong(n, what, "a mapping from name to definition")
		return
	}
	*o = make(ordered[T], len(pairs))
	for i, p := range pairs {
		(*o)[i].at, (*o)[i].key = p.at, p.key
		d.decode(p.val, &(*o)[i].val, p.key)
	}
}

func (m *many[T]) decode(d *decoder, n *node, what string) {
	items, ok := n.value.([]*node)
	if !ok {
		items = []*node{n}
	}
	*m = make(many[T], len(items))
	for i, item := range items {
		d.decode(item, &(*m)[i], what)
	}
}
