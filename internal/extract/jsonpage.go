package extract

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/tidwall/gjson"

	"shoal/internal/crawler"
	"shoal/internal/jq"
)

// maxMade is how many bytes the jq programs of one page may give.
const maxMade = 64 << 20

// readJSON reads rows from a JSON answer by dotted paths and jq.
func (r *reader) readJSON() error {
	if err := r.noDocument(); err != nil {
		return fmt.Errorf("the page's URL: %w", err)
	}
	text, ok := looseJSON(r.body())
	if !ok {
		return errors.New("the answer is not JSON")
	}
	root := gjson.ParseBytes(text)
	if rows := r.plan.Rows; rows != nil {
		switch {
		case rows.Extends:
			r.newRow()
			r.setJSON(root)
			if err := r.complete(node{}); err != nil {
				return err
			}
		case r.plan.data != nil:
			if err := r.dataRows(node{}); err != nil {
				return err
			}
		default:
			r.setJSON(root)
			if err := r.jsonRows(root); err != nil {
				return err
			}
		}
	}
	r.setJSON(root)
	return r.followPage()
}

// jsonRows reads the rows of an answer or of an item of data.
func (r *reader) jsonRows(root gjson.Result) error {
	rows, before := r.plan.Rows, r.rows
	var failed error
	row := func(item gjson.Result) bool {
		if !r.room() {
			return false
		}
		r.setJSON(item)
		r.newRow()
		failed = r.oneRow(r.root, r.doc)
		return failed == nil
	}
	switch {
	case rows.JQ != nil:
		if err := r.runJQ(rows.JQ, maxRows, row); err != nil {
			return err
		}
	case rows.Each != "":
		root.Get(rows.Each).ForEach(func(_, item gjson.Result) bool { return row(item) })
	default:
		row(root)
	}
	if failed == nil && r.rows == before {
		r.setJSON(root)
		r.page.Explain.rows(r, r.root)
	}
	return failed
}

func (r *reader) setJSON(v gjson.Result) {
	r.json = v
	r.jq = jqInput{}
}

// jqInput is the item at hand as jq sees it, made when a program asks.
type jqInput struct {
	value any
	made  bool
}

// runJQ gives a program's outputs on the item at hand to yield.
func (r *reader) runJQ(p *jq.Program, most int, yield func(gjson.Result) bool) error {
	if !r.jq.made {
		if !r.json.Exists() {
			return nil
		}
		d := json.NewDecoder(strings.NewReader(r.json.Raw))
		d.UseNumber() // numbers of more digits than a float64 has are ids
		if err := d.Decode(&r.jq.value); err != nil {
			return fmt.Errorf("read JSON: %w", err)
		}
		r.jq.made = true
	}
	input := r.jq.value
	defer func() { r.jq = jqInput{input, true} }()
	var over error
	err := p.Run(input, most, func(v any) bool {
		raw, ok := appendJQ(nil, v)
		if r.made += len(raw); r.made > maxMade || !ok {
			over = fmt.Errorf("jq gave more than %d MB for one page", maxMade>>20)
			return false
		}
		return yield(gjson.ParseBytes(raw))
	})
	if over != nil {
		return over
	}
	return err
}

// appendJQ appends a value of gojq as JSON; false: it is too large.
func appendJQ(dst []byte, v any) ([]byte, bool) {
	if len(dst) > maxMade {
		return dst, false
	}
	ok := true
	switch v := v.(type) {
	case json.Number:
		return append(dst, v...), true
	case *big.Int:
		return v.Append(dst, 10), true
	case []any:
		dst = append(dst, '[')
		for i, x := range v {
			if i > 0 {
				dst = append(dst, ',')
			}
			if dst, ok = appendJQ(dst, x); !ok {
				return dst, false
			}
		}
		return append(dst, ']'), true
	case map[string]any:
		dst = append(dst, '{')
		for i, k := range sortedKeys(v) {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(appendString(dst, k), ':')
			if dst, ok = appendJQ(dst, v[k]); !ok {
				return dst, false
			}
		}
		return append(dst, '}'), true
	}
	return appendAny(dst, v), true
}

// fromJSON reads a field by its path or program, from the item at hand or from data.
func (r *reader) fromJSON(f *fieldPlan) (bool, error) {
	if f.data == nil {
		return r.fromItem(f)
	}
	saved, savedJQ := r.json, r.jq
	defer func() { r.json, r.jq = saved, savedJQ }()
	for _, item := range r.items(f.data) {
		r.setJSON(item)
		if ok, err := r.fromItem(f); ok || err != nil {
			return ok, err
		}
	}
	return false, nil
}

func (r *reader) fromItem(f *fieldPlan) (bool, error) {
	if f.JQ == nil {
		v := r.json
		if f.Path != "" {
			v = v.Get(f.Path)
		}
		return r.jsonValue(f, v)
	}
	most := 1
	if f.List {
		most = maxItems
	}
	var outputs []gjson.Result
	err := r.runJQ(f.JQ, maxItems, func(v gjson.Result) bool {
		outputs = append(outputs, v)
		return len(outputs) < most
	})
	switch {
	case err != nil || len(outputs) == 0:
		return false, err
	case f.List && (len(outputs) > 1 || !outputs[0].IsArray()):
		return r.several(f, len(outputs), func(i int) (bool, error) { return r.jsonItem(f, outputs[i]) })
	}
	return r.jsonValue(f, outputs[0])
}

// jsonValue appends a JSON value as the field's.
func (r *reader) jsonValue(f *fieldPlan, v gjson.Result) (bool, error) {
	switch {
	case !v.Exists() || v.Type == gjson.Null:
		return false, nil
	case !f.List:
		return r.jsonItem(f, v)
	case v.IsArray() && !f.Unique && f.plain() && (f.As == crawler.AsString || f.As == crawler.AsJSON):
		r.values = appendRaw(r.values, v.Raw)
		return true, nil
	case !v.IsArray():
		return r.several(f, 1, func(int) (bool, error) { return r.jsonItem(f, v) })
	}
	items := v.Array()
	return r.several(f, len(items), func(i int) (bool, error) { return r.jsonItem(f, items[i]) })
}

// jsonItem appends one JSON value: texts take the usual way, other values keep
// their type if the field's is theirs.
func (r *reader) jsonItem(f *fieldPlan, v gjson.Result) (bool, error) {
	switch {
	case v.Type == gjson.Null || !v.Exists():
		return false, nil
	case v.Type == gjson.String && f.As == crawler.AsJSON && f.plain():
		r.values = appendString(r.values, v.Str)
		return true, nil
	case v.Type == gjson.String || !f.plain():
		return r.texts(f, v.String())
	}
	switch f.As {
	case crawler.AsString, crawler.AsJSON, crawler.AsRaw:
		r.values = appendRaw(r.values, v.Raw)
		return true, nil
	case crawler.AsInt:
		if v.Type == gjson.Number {
			r.values = appendAny(r.values, v.Int())
			return true, nil
		}
	case crawler.AsFloat, crawler.AsMoney, crawler.AsPercent:
		if v.Type == gjson.Number {
			r.values = appendFloat(r.values, v.Num)
			return true, nil
		}
	}
	return r.texts(f, v.String())
}

// appendRaw appends JSON of a page: without its white space, and without what
// databases refuse.
func appendRaw(dst []byte, raw string) []byte {
	if !utf8.ValidString(raw) {
		raw = strings.ToValidUTF8(raw, "\uFFFD")
	}
	if strings.Contains(raw, `\u0000`) {
		raw = nulEscape.ReplaceAllString(raw, `${1}\ufffd`)
	}
	if !strings.ContainsAny(raw, " \n\r\t") {
		return append(dst, raw...)
	}
	b := bytes.NewBuffer(dst)
	if json.Compact(b, []byte(raw)) != nil {
		return append(dst, "null"...)
	}
	return b.Bytes()
}

// nulEscape is \u0000 after an even number of backslashes.
var nulEscape = regexp.MustCompile(`((?:^|[^\\])(?:\\\\)*)\\u0000`)

// several appends a list of n items, or their number.
func (r *reader) several(f *fieldPlan, n int, item func(int) (bool, error)) (bool, error) {
	start, kept := len(r.values), 0
	r.values = append(r.values, '[')
	clear(r.unique)
	for i := range n {
		if kept >= maxItems {
			r.problem("field %s has more than %d items; those beyond are left out", f.Name, maxItems)
			break
		}
		from := len(r.values)
		if kept > 0 {
			r.values = append(r.values, ',')
		}
		at := len(r.values)
		ok, err := item(i)
		if err != nil {
			return false, err
		}
		if ok && f.Unique {
			if _, dup := r.unique[string(r.values[at:])]; dup {
				ok = false
			} else {
				r.unique[string(r.values[at:])] = struct{}{}
			}
		}
		if !ok {
			r.values = r.values[:from]
			continue
		}
		kept++
	}
	if f.As == crawler.AsCount {
		r.values = appendAny(r.values[:start], kept)
		return true, nil
	}
	r.values = append(r.values, ']')
	return true, nil
}

// looseJSON returns the JSON of an answer: without a byte order mark, without
// what servers put before it against inclusion, out of a JSONP call, and lines
// of JSON as one list.
func looseJSON(body []byte) ([]byte, bool) {
	body = bytes.TrimSpace(bytes.TrimPrefix(body, []byte("\ufeff")))
	if gjson.ValidBytes(body) {
		return body, true
	}
	for _, guard := range []string{")]}',", ")]}'", "while(1);", "for(;;);", "{}&&"} {
		if rest, ok := bytes.CutPrefix(body, []byte(guard)); ok && gjson.ValidBytes(bytes.TrimSpace(rest)) {
			return bytes.TrimSpace(rest), true
		}
	}
	if m := jsonp.FindSubmatchIndex(body); m != nil {
		end := bytes.LastIndexByte(body, ')')
		if inner := body[m[1]:max(end, m[1])]; gjson.ValidBytes(inner) {
			return inner, true
		}
	}
	return jsonLines(body)
}

var jsonp = regexp.MustCompile(`^(?:/\*.*?\*/)?\s*[\w$.]+\s*\(`)

func jsonLines(body []byte) ([]byte, bool) {
	out := make([]byte, 1, len(body)+2)
	out[0] = '['
	for line := range bytes.Lines(body) {
		if line = bytes.TrimSpace(line); len(line) == 0 {
			continue
		}
		if !gjson.ValidBytes(line) {
			return nil, false
		}
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = append(out, line...)
	}
	return append(out, ']'), len(out) > 1
}
