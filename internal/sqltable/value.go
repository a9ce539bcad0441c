package sqltable

import (
	"encoding/hex"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/tidwall/gjson"

	"shoal"
)

// class says what a value is, for databases that are told.
type class uint8

const (
	classNull class = iota
	classText
	classInteger
	classFloat
	classBoolean
)

// value is what goes into a column: its text, of a class. The zero value is NULL.
type value struct {
	class class
	text  string
}

// reader turns rows into values.
type reader struct {
	plan    *plan
	at      map[string]int // of the plan's columns, by field
	values  []value
	cleaned int64
}

func newReader(p *plan) *reader {
	r := &reader{plan: p, at: map[string]int{}, values: make([]value, len(p.columns))}
	for i := range p.columns {
		if p.columns[i].member == memberNone {
			r.at[p.columns[i].field] = i
		}
	}
	return r
}

// read returns the row's values, one for each column of the plan; they hold
// until the next row. Its error is of the row.
func (r *reader) read(row *shoal.Result) ([]value, error) {
	clear(r.values)
	var bad error
	gjson.ParseBytes(row.Data).ForEach(func(k, v gjson.Result) bool {
		i, ok := r.at[k.Str]
		if !ok {
			return true
		}
		c := &r.plan.columns[i]
		var why *badValue
		if r.values[i], why = r.convert(c, v); why != nil {
			bad = rowError(row.ID(), c.name, v.String(), why.why)
		}
		return bad == nil
	})
	if bad != nil {
		return nil, bad
	}
	for i := range r.plan.columns {
		c := &r.plan.columns[i]
		if c.member != memberNone {
			var why *badValue
			if r.values[i], why = r.member(c, row); why != nil {
				return nil, rowError(row.ID(), c.name, why.value, why.why)
			}
		}
		if c.key && r.values[i].class == classNull {
			return nil, rowError(row.ID(), c.name, "", "it has no value for this field of the key; choose a key whose fields every result has, or none")
		}
	}
	return r.values, nil
}

// member returns a value of the envelope.
func (r *reader) member(c *column, row *shoal.Result) (value, *badValue) {
	text := ""
	switch c.member {
	case memberKey:
		text = hex.EncodeToString(row.Digest[:])
	case memberID:
		text = row.ID()
	case memberSquid:
		text = string(row.SquidID)
	case memberRun:
		text = string(row.RunID)
	case memberTask:
		text = string(row.TaskID)
	default:
		return c.time(row.At)
	}
	return c.text(text)
}

// time returns the time of a row, cut to what the column holds.
func (c *column) time(t time.Time) (value, *badValue) {
	t = t.UTC()
	switch c.kind {
	case kindTimestamp:
		return value{classText, t.Format("2006-01-02 15:04:05.000000")}, nil
	case kindTimestampTZ:
		return value{classText, t.Format("2006-01-02 15:04:05.000000+00")}, nil
	case kindDate:
		return value{classText, t.Format(time.DateOnly)}, nil
	}
	return c.text(t.Format(shoal.TimeLayout))
}

// convert returns what goes into the column for a value of a row.
func (r *reader) convert(c *column, v gjson.Result) (value, *badValue) {
	if v.Type == gjson.Null {
		return value{}, nil
	}
	if c.kind == kindJSON || c.attr == shoal.AttrJSON || v.Type == gjson.JSON {
		text := v.Raw
		if cleaned := cleanJSON(text); cleaned != text {
			text = cleaned
			r.cleaned++
		}
		if c.kind == kindJSON {
			return value{classText, text}, nil
		}
		return c.text(text)
	}
	switch v.Type {
	case gjson.True:
		return c.boolean(true)
	case gjson.False:
		return c.boolean(false)
	case gjson.Number:
		return c.number(v.Raw)
	}
	text := v.Str
	if cleaned := cleanText(text); cleaned != text {
		text = cleaned
		r.cleaned++
	}
	return c.text(text)
}

// cleanText puts U+FFFD in place of what is no UTF-8 and of U+0000, which
// PostgreSQL does not take and others end a text at.
func cleanText(s string) string {
	if strings.IndexByte(s, 0) >= 0 {
		s = strings.ReplaceAll(s, "\x00", "\uFFFD")
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}

// cleanJSON does to the escapes of a JSON text what cleanText does to a text,
// and to halves of surrogate pairs, which databases do not take.
func cleanJSON(s string) string {
	if !utf8.ValidString(s) {
		s = strings.ToValidUTF8(s, "\uFFFD")
	}
	if !strings.Contains(s, `\u`) {
		return s
	}
	var b []byte
	from := 0
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			continue
		}
		if i+1 < len(s) && s[i+1] != 'u' || i+6 > len(s) {
			i++
			continue
		}
		n, ok := escape(s[i:])
		if ok {
			i += n - 1
			continue
		}
		b = append(append(b, s[from:i]...), `\ufffd`...)
		i += n - 1
		from = i + 1
	}
	if from == 0 {
		return s
	}
	return string(append(b, s[from:]...))
}

// escape returns the length of the \u escape, or pair of them, that s begins
// with, and whether it stands for a character.
func escape(s string) (n int, ok bool) {
	u, err := strconv.ParseUint(s[2:6], 16, 32)
	switch {
	case err != nil || u == 0 || u >= 0xDC00 && u <= 0xDFFF:
		return 6, false
	case u < 0xD800 || u > 0xDBFF:
		return 6, true
	case len(s) < 12 || s[6] != '\\' || s[7] != 'u':
		return 6, false
	}
	low, err := strconv.ParseUint(s[8:12], 16, 32)
	if err != nil || low < 0xDC00 || low > 0xDFFF {
		return 6, false
	}
	return 12, true
}

// text returns a text in the form that the column holds.
func (c *column) text(s string) (value, *badValue) {
	v := value{classText, s}
	switch c.kind {
	case kindText, kindOther, kindDynamic:
		return v, c.fits(s)
	case kindJSON:
		return value{classText, quoteJSON(s)}, nil
	case kindBytes:
		return value{classText, s}, c.fits(s)
	case kindBoolean:
		if s == "true" || s == "false" {
			return value{classBoolean, s}, nil
		}
		return v, c.wrong(s, "true or false")
	case kindDate, kindTimestamp, kindTimestampTZ:
		return c.moment(s)
	case kindNumeric:
		if _, err := strconv.ParseFloat(strings.TrimSpace(s), 64); err == nil && !canonical(s) {
			return v, c.wrong(s, "numbers, and would change how this text is written")
		}
		return v, nil
	}
	// Numbers as a text: only if nothing is lost when it is read as one.
	if !canonical(s) {
		return v, c.wrong(s, "numbers")
	}
	return c.number(s)
}

// canonical reports whether a text is a number as numbers are written.
func canonical(s string) bool {
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return strconv.FormatInt(n, 10) == s
	}
	f, err := strconv.ParseFloat(s, 64)
	return err == nil && strconv.FormatFloat(f, 'f', -1, 64) == s
}

func (c *column) wrong(s, holds string) *badValue {
	return &badValue{value: s, why: "the column is " + c.typ + ", which holds " + holds}
}

// fits checks a text's length.
func (c *column) fits(s string) *badValue {
	if c.runes > 0 && len(s) > c.runes && utf8.RuneCountInString(s) > c.runes {
		return &badValue{value: s, why: "the value has " + strconv.Itoa(utf8.RuneCountInString(s)) + " characters, and the column (" + c.typ + ") holds " + strconv.Itoa(c.runes)}
	}
	if c.bytes > 0 && len(s) > c.bytes {
		return &badValue{value: s, why: "the value has " + strconv.Itoa(len(s)) + " bytes, and the column (" + c.typ + ") holds " + strconv.Itoa(c.bytes)}
	}
	return nil
}

func (c *column) boolean(b bool) (value, *badValue) {
	text, digit := "false", "0"
	if b {
		text, digit = "true", "1"
	}
	switch c.kind {
	case kindBoolean:
		return value{classBoolean, text}, nil
	case kindInteger, kindDecimal, kindNumeric, kindDynamic, kindFloat32, kindFloat64:
		return value{classInteger, digit}, nil
	case kindDate, kindTimestamp, kindTimestampTZ:
		return value{}, c.wrong(text, "dates")
	}
	return value{classText, text}, c.fits(text)
}

// number returns a number, written as JSON writes it, in the form that the
// column holds.
func (c *column) number(s string) (value, *badValue) {
	switch c.kind {
	case kindInteger:
		n, ok := whole(s)
		if !ok {
			return value{}, c.wrong(s, "whole numbers of at most 64 bits")
		}
		return value{classInteger, n}, nil
	case kindFloat64, kindFloat32, kindNumeric, kindDynamic:
		return c.float(s)
	case kindDecimal:
		if c.scale >= 0 && digitsAfterPoint(s) > c.scale {
			return value{}, &badValue{value: s, why: "the column (" + c.typ + ") holds " + strconv.Itoa(c.scale) + " digits after the point"}
		}
		return value{classFloat, s}, nil
	case kindBoolean:
		if s == "0" || s == "1" {
			return value{classBoolean, map[string]string{"0": "false", "1": "true"}[s]}, nil
		}
		return value{}, c.wrong(s, "true or false")
	case kindJSON:
		return value{classText, s}, nil
	case kindDate, kindTimestamp, kindTimestampTZ:
		return value{}, c.wrong(s, "dates")
	}
	return value{classText, s}, c.fits(s)
}

// whole returns a whole number of 64 bits without point and exponent.
func whole(s string) (string, bool) {
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return strconv.FormatInt(n, 10), true
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || f != math.Trunc(f) || math.Abs(f) > 1<<53 || !strings.ContainsAny(s, ".eE") {
		return "", false
	}
	return strconv.FormatInt(int64(f), 10), true
}

// float returns a number for a column of floating point. A fraction becomes
// the nearest that there is; a whole number must come through.
func (c *column) float(s string) (value, *badValue) {
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		if c.kind == kindNumeric || c.kind == kindDynamic {
			return value{classInteger, s}, nil
		}
		if c.kind == kindFloat32 && int64(float32(n)) != n || int64(float64(n)) != n {
			return value{}, c.wrong(s, "whole numbers of this size only roughly")
		}
		return value{classFloat, s}, nil
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return value{}, c.wrong(s, "no number of this size")
	}
	if c.kind == kindFloat32 && strconv.FormatFloat(f, 'g', -1, 64) != strconv.FormatFloat(f, 'g', -1, 32) {
		return value{}, c.wrong(s, "numbers of about 7 digits")
	}
	if f == math.Trunc(f) && !strings.ContainsAny(s, ".eE") {
		return value{}, c.wrong(s, "whole numbers of this size only roughly")
	}
	return value{classFloat, s}, nil
}

// digitsAfterPoint counts the digits that a number has after its point.
func digitsAfterPoint(s string) int {
	exponent := 0
	if i := strings.IndexAny(s, "eE"); i >= 0 {
		n, err := strconv.Atoi(s[i+1:])
		if err != nil {
			return math.MaxInt
		}
		s, exponent = s[:i], n
	}
	digits := 0
	if i := strings.IndexByte(s, '.'); i >= 0 {
		digits = len(strings.TrimRight(s[i+1:], "0"))
	}
	return max(digits-exponent, 0)
}

// The forms in which rows have times. One without a zone is UTC.
var timeForms = []string{time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02 15:04:05Z07:00", time.DateTime, time.DateOnly}

// moment returns a time for a column of times.
func (c *column) moment(s string) (value, *badValue) {
	for _, form := range timeForms {
		t, err := time.Parse(form, s)
		if err != nil {
			continue
		}
		if t = t.UTC(); t.Year() < 1 || t.Year() > 9999 {
			break
		}
		if t.Nanosecond()%1000 != 0 {
			return value{}, c.wrong(s, "times to the microsecond")
		}
		if c.kind == kindDate && !t.Equal(t.Truncate(24*time.Hour)) {
			return value{}, c.wrong(s, "dates, and would lose the time of day")
		}
		if c.scale >= 0 && c.kind != kindDate && t.Nanosecond()%int(math.Pow10(9-min(c.scale, 6))) != 0 {
			return value{}, c.wrong(s, "fewer fractions of a second")
		}
		return c.time(t)
	}
	return value{}, c.wrong(s, "dates such as 2026-01-31 or 2026-01-31T10:00:00Z")
}

// quoteJSON writes a text as JSON.
func quoteJSON(s string) string {
	b := make([]byte, 0, len(s)+2)
	return string(gjson.AppendJSONString(b, s))
}
