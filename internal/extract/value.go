package extract

import (
	"bytes"
	"encoding/json"
	"sort"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"shoal/internal/crawler"
	"shoal/internal/dom"
	"shoal/internal/dom/address"
	"shoal/internal/value"
)

// maxItems is how many items one list may have.
const maxItems = 50_000

// many appends a JSON array of the elements' values, or their number.
func (r *reader) many(f *fieldPlan, nodes []dom.NodeID) (bool, error) {
	return r.several(f, len(nodes), func(i int) (bool, error) { return r.element(f, r.at(nodes[i])) })
}

// element appends the value of one element or of its attribute.
func (r *reader) element(f *fieldPlan, n node) (bool, error) {
	if f.Attr != "" {
		v, ok := attr(n, f.Attr)
		if !ok {
			return false, nil
		}
		if f.Keep != crawler.KeepAll || f.As == crawler.AsURL && f.plain() {
			return r.link(f, v), nil
		}
		return r.texts(f, v)
	}
	switch f.As {
	case crawler.AsLength:
		r.values = appendAny(r.values, n.Document().TextLength(n.ID()))
		return true, nil
	case crawler.AsTextLength:
		r.tmp = appendText(r.tmp[:0], n, true)
		r.values = appendAny(r.values, utf8.RuneCount(r.tmp))
		return true, nil
	case crawler.AsMarkdown:
		md, err := markdown(n, r.links.Resolver)
		if err != nil || md == "" {
			return false, err
		}
		return r.texts(f, md)
	case crawler.AsHTML:
		return r.texts(f, string(n.Document().AppendOuterHTML(nil, n.ID())))
	case crawler.AsMainText:
		r.tmp = n.Document().AppendMain(r.tmp[:0], n.ID())
		return r.texts(f, string(r.tmp))
	}
	if r.plan.Format == crawler.XML && f.As == crawler.AsRaw {
		return r.texts(f, string(n.Document().AppendRaw(nil, n.ID())))
	}
	r.tmp = appendText(r.tmp[:0], n, f.As == crawler.AsText)
	if len(r.tmp) == 0 {
		return false, nil
	}
	if f.plain() && (f.As == crawler.AsString || f.As == crawler.AsText) {
		r.values = appendString(r.values, r.tmp)
		return true, nil
	}
	return r.texts(f, string(r.tmp))
}

// plain reports whether the field's text is not changed on its way.
func (f *fieldPlan) plain() bool {
	return f.Match == nil && len(f.Replace) == 0 && f.Map == nil && f.Split == ""
}

// link appends a reference as an absolute URL; false: it is none, or not of
// the kind to keep.
func (r *reader) link(f *fieldPlan, ref string) bool {
	ref, fragment := address.Split(address.Trim(ref))
	k := r.links.Get(ref)
	if k.Absolute == "" {
		return false
	}
	if f.Keep == crawler.KeepAll {
		return r.appendURL(k.Absolute, fragment)
	}
	canonical := k.Canonical()
	if canonical == "" || r.links.here(canonical) != (f.Keep == crawler.KeepInternal) {
		return false
	}
	r.values = appendString(r.values, canonical)
	return true
}

func (r *reader) appendURL(abs, fragment string) bool {
	r.tmp = append(append(r.tmp[:0], abs...), r.links.Fragment(fragment)...)
	r.values = appendString(r.values, r.tmp)
	return true
}

// texts takes a text through match, replace, map and split to its value.
func (r *reader) texts(f *fieldPlan, s string) (bool, error) {
	if f.Match != nil {
		if !r.may(f.Match, len(s)) {
			return false, nil
		}
		m := f.Match.FindStringSubmatch(s)
		if m == nil {
			return false, nil
		}
		s = m[0]
		if len(m) > 1 {
			s = m[1]
		}
	}
	for _, rep := range f.Replace {
		if !r.may(rep.Match, len(s)) || !r.replaced(&rep, &s) {
			return false, nil
		}
	}
	if f.Split != "" {
		return r.split(f, s)
	}
	return r.scalar(f, s)
}

func (r *reader) split(f *fieldPlan, s string) (bool, error) {
	r.values = append(r.values, '[')
	n := 0
	for _, part := range strings.SplitN(s, f.Split, maxItems) {
		from := len(r.values)
		if n > 0 {
			r.values = append(r.values, ',')
		}
		if ok, err := r.scalar(f, part); err != nil {
			return false, err
		} else if !ok {
			r.values = r.values[:from]
			continue
		}
		n++
	}
	r.values = append(r.values, ']')
	return n > 0, nil
}

// scalar appends one text as a value of the field's type; false: it is none.
func (r *reader) scalar(f *fieldPlan, s string) (bool, error) {
	if f.As != crawler.AsRaw && f.As != crawler.AsText && f.As != crawler.AsMainText && f.As != crawler.AsMarkdown && f.As != crawler.AsHTML {
		s = strings.Join(strings.Fields(s), " ")
	}
	if s == "" {
		return false, nil
	}
	if f.Map != nil {
		v, ok := f.Map[s]
		if !ok || v == nil {
			return false, nil
		}
		r.values = appendAny(r.values, v)
		return true, nil
	}
	dst, ok := r.convert(r.values, f, s)
	if ok {
		r.values = dst
	}
	return ok, nil
}

func (r *reader) convert(dst []byte, f *fieldPlan, s string) ([]byte, bool) {
	switch f.As {
	case crawler.AsInt:
		n, ok := value.Int(s)
		return strconv.AppendInt(dst, n, 10), ok
	case crawler.AsFloat:
		n, ok := value.Number(s)
		return appendFloat(dst, n), ok
	case crawler.AsMoney:
		m, ok := value.Money(s)
		return appendFloat(dst, m.Value), ok
	case crawler.AsCurrency:
		c, ok := value.Currency(s)
		return appendString(dst, c), ok
	case crawler.AsPercent:
		n, ok := value.Percent(s)
		return appendFloat(dst, n), ok
	case crawler.AsBoolean:
		b, ok := value.Bool(s)
		return strconv.AppendBool(dst, b), ok
	case crawler.AsDate:
		how := f.Date
		how.Ref = r.page.At
		t, _, ok := value.Date(s, how)
		if !ok {
			return dst, false
		}
		return appendString(dst, t.UTC().Format(time.RFC3339)), true
	case crawler.AsPhone:
		p, ok := value.Phone(s, f.Region)
		return appendString(dst, p), ok
	case crawler.AsCountry:
		c, ok := value.Country(s)
		return appendString(dst, c), ok
	case crawler.AsEmail:
		m, ok := value.Email(s)
		return appendString(dst, m), ok
	case crawler.AsURL:
		if r.links.Resolver == nil {
			return appendString(dst, s), true
		}
		abs, ok := r.links.Absolute(s)
		return appendString(dst, abs), ok
	case crawler.AsUntracked:
		if r.links.Resolver != nil {
			abs, ok := r.links.Absolute(s)
			return appendString(dst, address.Untracked(abs)), ok
		}
		return appendString(dst, address.Untracked(s)), true
	case crawler.AsCanonical:
		if r.links.Resolver != nil {
			s, _ = r.links.Absolute(s)
		}
		form, ok := address.Canonical(s)
		return appendString(dst, form), ok
	case crawler.AsJSON:
		if !json.Valid([]byte(s)) {
			return dst, false
		}
		var b bytes.Buffer
		if json.Compact(&b, []byte(s)) != nil {
			return dst, false
		}
		return append(dst, b.Bytes()...), true
	}
	return appendString(dst, s), true
}

func sortedKeys(m map[string]any) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}
