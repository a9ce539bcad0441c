package extract

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"shoal"
	"shoal/internal/crawler"
)

// newRow forgets the former row.
func (r *reader) newRow() {
	r.values = r.values[:0]
	clear(r.spans)
	r.bits = 0
}

// The most that a definition may make of a page, which its own size does not
// bound: each row can have the whole page in it.
const (
	maxRowBytes  = 64 << 20  // bytes of one row
	maxPageBytes = 256 << 20 // bytes of all rows of a page
)

// grown is an error when the row, or the page's rows, have become too large.
func (r *reader) grown() error {
	if len(r.values) > maxRowBytes {
		return fmt.Errorf("the row has more than %d MB", maxRowBytes>>20)
	}
	if r.written+len(r.values) > maxPageBytes {
		return fmt.Errorf("the rows of the page have more than %d MB; read less into each", maxPageBytes>>20)
	}
	return nil
}

// fill computes the plan's fields of one row. false: a required field is missing.
func (r *reader) fill(scope node, m matches) (bool, error) {
	for i := range r.plan.fields {
		f := &r.plan.fields[i]
		from := len(r.values)
		ok, err := r.field(f, scope, m)
		if err == nil {
			err = r.grown()
		}
		if err != nil {
			return false, fmt.Errorf("field %s: %w", f.Name, err)
		}
		if r.page.Explain != nil && (!ok || string(r.values[from:]) == "[]") {
			r.page.Explain.field(r, f, scope, m)
		}
		if !ok {
			r.values = r.values[:from]
			if f.Default == nil || r.spans[f.Index].to > 0 {
				if f.Required && r.spans[f.Index].to == 0 {
					r.page.Explain.incomplete(f.Name)
					return false, nil
				}
				continue
			}
			r.values = appendAny(r.values, f.Default)
		} else if f.Function >= 0 {
			r.bits |= 1 << f.Function
		}
		r.spans[f.Index] = span{from, len(r.values)}
	}
	return true, nil
}

// deliver gives a filled row to a link that carries it, else to the results.
func (r *reader) deliver(scope node, m matches) error {
	r.written += len(r.values)
	key := r.key()
	if r.plan.next != nil {
		r.pager.sign(key[:])
	}
	for i := range r.plan.follow {
		fp := &r.plan.follow[i]
		if !fp.Carry {
			continue
		}
		ok, err := r.holds(fp.when)
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		if on, err := r.sendOn(fp, scope, m, key); on || err != nil {
			return err
		}
	}
	r.result(key)
	return nil
}

// sendOn sends the row along with the first link that the rule finds in it.
func (r *reader) sendOn(fp *followPlan, scope node, m matches, key shoal.Digest) (on bool, err error) {
	r.page.Explain.rule(r, fp, scope, m)
	if fp.at.none() {
		ref, err := fp.URL.Expand(r.envFor(fp.URL.Uses))
		if err != nil {
			return false, fmt.Errorf("follow: %w", err)
		}
		return ref != "" && r.take(fp, ref, r.carry(key), string(key[:])), nil
	}
	err = r.find(&fp.at, scope, m, func(ref string) bool {
		on = r.lead(fp, ref, r.carry(key), string(key[:]))
		return false
	})
	return on, err
}

// result adds the row to the outcome unless it is older than wanted.
func (r *reader) result(key shoal.Digest) {
	if r.tooOld() {
		if r.pl.program.NewestFirst {
			r.out.StopTask, r.out.StopReason = true, shoal.TaskFetchSince
		}
		return
	}
	r.out.Rows = append(r.out.Rows, shoal.Row{Key: key, Data: r.object(), Functions: r.bits})
}

func (r *reader) tooOld() bool {
	if r.pl.sinceAt < 0 || r.pl.since.IsZero() {
		return false
	}
	s := r.spans[r.pl.sinceAt]
	if s.to-s.from < 2 {
		return false
	}
	t, err := time.Parse(time.RFC3339, string(r.values[s.from+1:s.to-1]))
	return err == nil && t.Before(r.pl.since)
}

// object returns the row as one JSON object in the order of the attributes,
// those without a value as null.
func (r *reader) object() []byte {
	return r.appendObject(make([]byte, 0, 2+r.pl.nullRow+len(r.values)), true)
}

func (r *reader) appendObject(b []byte, nulls bool) []byte {
	b = append(b, '{')
	first := true
	for i, name := range r.pl.names {
		s := r.spans[i]
		if s.to == 0 && !nulls {
			continue
		}
		if !first {
			b = append(b, ',')
		}
		first = false
		b = append(b, name...)
		if s.to > 0 {
			b = append(b, r.values[s.from:s.to]...)
		} else {
			b = append(b, "null"...)
		}
	}
	return append(b, '}')
}

// key hashes the values of the key fields.
func (r *reader) key() shoal.Digest {
	r.tmp = r.tmp[:0]
	for _, i := range r.plan.key {
		r.tmp = append(r.tmp, r.values[r.spans[i].from:r.spans[i].to]...)
		r.tmp = append(r.tmp, 0)
	}
	sum := sha256.Sum256(r.tmp)
	return shoal.Digest(sum[:16])
}

// carried is a partial row on its way to the page that completes it.
type carried struct {
	Key       string          `json:"key"`
	Functions uint32          `json:"functions,omitempty"`
	Row       json.RawMessage `json:"row"`
}

func (r *reader) carry(key shoal.Digest) []byte {
	b := make([]byte, 0, 64+r.pl.nullRow+len(r.values))
	b = append(b, `{"key":"`...)
	b = hex.AppendEncode(b, key[:])
	b = append(b, `","functions":`...)
	b = appendAny(b, int64(r.bits))
	b = append(b, `,"row":`...)
	return append(r.appendObject(b, false), '}')
}

// complete makes a result of the row that the request carried, with the
// fields of this page when there is a document; without a carried row it does nothing.
func (r *reader) complete(root node) error {
	if len(r.req.Carry) == 0 {
		return nil
	}
	key, c, err := unpackCarry(r.req.Carry)
	if err != nil {
		return err
	}
	if err := r.restore(c); err != nil {
		return err
	}
	r.rows++
	rows := r.plan.Rows
	if rows != nil && rows.Extends && (r.page.Failed != "" || !r.readable()) {
		r.fillFrom()
	} else if rows != nil && rows.Extends {
		if ok, err := r.fill(root, r.doc); err != nil || !ok {
			r.problem("%v", orMissing(err))
		}
	}
	if rows != nil {
		if keep, err := r.keeps(rows.Where); err == nil && !keep {
			return nil
		}
	}
	r.result(key)
	return nil
}

// unpackCarry reads a request's carried row.
func unpackCarry(raw []byte) (key shoal.Digest, c *carried, err error) {
	c = &carried{}
	if err := json.Unmarshal(raw, c); err != nil {
		return key, nil, fmt.Errorf("the carried row: %w", err)
	}
	if n, err := hex.Decode(key[:], []byte(c.Key)); err != nil || n != len(key) {
		return key, nil, fmt.Errorf("the carried row has no key")
	}
	return key, c, nil
}

// fillFrom fills the fields that need no document: what became of the request.
func (r *reader) fillFrom() {
	for i := range r.plan.fields {
		f := &r.plan.fields[i]
		if f.From == "" {
			continue
		}
		from := len(r.values)
		if ok, err := r.fromResponse(f); err == nil && ok {
			r.spans[f.Index] = span{from, len(r.values)}
		} else {
			r.values = r.values[:from]
		}
	}
}

func (r *reader) readable() bool {
	return r.plan.AnyStatus || r.page.Status >= 200 && r.page.Status <= 299
}

func orMissing(err error) error {
	if err != nil {
		return err
	}
	return fmt.Errorf("a required field is missing")
}

// restore loads a carried row's values.
func (r *reader) restore(c *carried) error {
	r.newRow()
	r.bits = c.Functions
	var row map[string]json.RawMessage
	if err := json.Unmarshal(c.Row, &row); err != nil {
		return fmt.Errorf("the carried row: %w", err)
	}
	for i, a := range r.pl.program.Info.Result {
		if v, ok := row[a.Name]; ok && string(v) != "null" {
			from := len(r.values)
			r.values = append(r.values, v...)
			r.spans[i] = span{from, len(r.values)}
		}
	}
	return nil
}

// rowMap is the row so far as expressions see it.
func (r *reader) rowMap() map[string]any {
	m := make(map[string]any, len(r.spans))
	for i, s := range r.spans {
		var v any
		if s.to > 0 {
			// Our own encoder wrote it; a failure would leave nil, as a missing value is.
			_ = json.Unmarshal(r.values[s.from:s.to], &v)
		}
		name := r.pl.program.Info.Result[i].Name
		m[name] = v
		if plain, ok := strings.CutPrefix(name, crawler.ReservedPrefix); ok {
			m[plain] = v // the name that the definition gave the field
		}
	}
	return m
}

// field appends one field's value as JSON; false: there is none.
func (r *reader) field(f *fieldPlan, scope node, m matches) (bool, error) {
	switch {
	case f.object != nil:
		return r.objects(f, scope, m)
	case f.Value != nil:
		v, err := f.Value.Eval(r.envFor(f.Value.Uses))
		if err != nil || v == nil {
			return false, err
		}
		if s, ok := v.(string); ok {
			return r.texts(f, s)
		}
		r.values = appendAny(r.values, v)
		return true, nil
	case f.From != "":
		return r.fromResponse(f)
	case f.Path != "" && r.plan.Format == crawler.CSV:
		return r.fromColumn(f)
	case f.Path != "" || f.JQ != nil || f.data != nil:
		return r.fromJSON(f)
	case f.XPath != nil:
		return r.fromXPath(f, scope)
	case r.plan.Format == crawler.XML && !r.plan.Tree:
		return r.fromXML(f, r.xml[f.at])
	case f.Element:
		return r.fromElements(f, scope, m)
	}
	return false, nil
}

// fromResponse reads a field from the answer itself.
func (r *reader) fromResponse(f *fieldPlan) (bool, error) {
	switch f.From {
	case "url", "final_url":
		return r.texts(f, r.url)
	case "request_url":
		return r.texts(f, r.req.URL)
	case "redirected":
		r.values = appendAny(r.values, r.url != r.req.URL)
	case "error":
		return r.texts(f, r.page.Failed)
	case "status":
		r.values = appendAny(r.values, r.page.Status)
	case "depth":
		r.values = appendAny(r.values, r.req.Depth)
	case "bytes":
		r.values = appendAny(r.values, len(r.page.Body))
	case "elapsed":
		r.values = appendAny(r.values, r.page.Elapsed.Milliseconds())
	case "content_type":
		return r.texts(f, r.page.MediaType)
	case "body":
		return r.texts(f, string(r.body()))
	default:
		return r.texts(f, r.named(f.From))
	}
	return true, nil
}

func (r *reader) named(from string) string {
	switch {
	case len(from) > 7 && from[:7] == "header.":
		return r.page.Header.Get(from[7:])
	case len(from) > 5 && from[:5] == "task.":
		if v := r.task.params[from[5:]]; v != nil {
			return fmt.Sprint(v)
		}
	}
	return ""
}

// fromElements reads a field from the elements that its selector matched.
func (r *reader) fromElements(f *fieldPlan, scope node, m matches) (bool, error) {
	if !scope.Exists() {
		return false, nil
	}
	nodes := r.self[:]
	switch {
	case f.sel >= 0:
		nodes = m[f.sel]
	case f.paths != nil:
		nodes = underPaths(scope, f.paths, f.List || f.As == crawler.AsCount)
	default:
		r.self[0] = scope.ID()
	}
	if f.As == crawler.AsCount && f.Attr == "" {
		r.values = appendAny(r.values, len(nodes))
		return true, nil
	}
	if f.List || f.As == crawler.AsCount {
		return r.many(f, nodes)
	}
	if len(nodes) == 0 {
		return false, nil
	}
	return r.element(f, r.at(nodes[0]))
}
