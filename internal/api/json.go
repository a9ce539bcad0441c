package api

import (
	"fmt"
	"math"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"

	"shoal"
)

// number is a JSON number as it was written, so that the literal can be kept.
type number string

// maxDepth bounds nesting, so that no body can exhaust the stack.
const maxDepth = 64

// parseJSON reads one JSON value, stricter than encoding/json: a repeated key,
// text that is not UTF-8, half a surrogate pair, a NUL character, a number
// that no float64 holds and deep nesting are errors. Values are map[string]any,
// []any, string, number, bool and nil. Errors say where, and what was expected.
func parseJSON(data []byte) (any, error) {
	p := parser{data: data}
	p.space()
	v, err := p.value(1)
	if err != nil {
		return nil, err
	}
	if p.space(); p.at < len(data) {
		return nil, p.syntax("the end of the body")
	}
	return v, nil
}

type parser struct {
	data []byte
	at   int
}

func (p *parser) syntax(want string) error {
	if p.at >= len(p.data) {
		return shoal.Invalid("InvalidParam", "body", "The body is not valid JSON: it ends at byte %d where %s is expected", p.at, want)
	}
	return shoal.Invalid("InvalidParam", "body", "The body is not valid JSON: byte %d is %q where %s is expected", p.at, p.data[p.at], want)
}

func (p *parser) space() {
	for p.at < len(p.data) {
		switch p.data[p.at] {
		case ' ', '\t', '\n', '\r':
			p.at++
		default:
			return
		}
	}
}

func (p *parser) peek() byte {
	if p.at < len(p.data) {
		return p.data[p.at]
	}
	return 0
}

func (p *parser) value(depth int) (any, error) {
	if depth > maxDepth {
		return nil, shoal.Invalid("InvalidParam", "body", "The body is nested deeper than %d levels", maxDepth)
	}
	switch c := p.peek(); {
	case c == '{':
		return p.object(depth)
	case c == '[':
		return p.array(depth)
	case c == '"':
		return p.string()
	case c == '-' || c >= '0' && c <= '9':
		return p.number()
	}
	for word, v := range map[string]any{"true": true, "false": false, "null": nil} {
		if p.word(word) {
			return v, nil
		}
	}
	return nil, p.syntax("a value")
}

func (p *parser) word(w string) bool {
	if p.at+len(w) > len(p.data) || string(p.data[p.at:p.at+len(w)]) != w {
		return false
	}
	p.at += len(w)
	return true
}

func (p *parser) object(depth int) (any, error) {
	p.at++
	out := map[string]any{}
	for p.space(); p.peek() != '}'; p.space() {
		if len(out) > 0 {
			if p.peek() != ',' {
				return nil, p.syntax(`"," or "}"`)
			}
			p.at++
			p.space()
		}
		if p.peek() != '"' {
			return nil, p.syntax("a name in quotes")
		}
		name, err := p.string()
		if err != nil {
			return nil, err
		}
		if _, twice := out[name]; twice {
			return nil, shoal.Invalid("InvalidParam", clip(name, 100), "The body has the key %q twice", clip(name, 100))
		}
		if p.space(); p.peek() != ':' {
			return nil, p.syntax(`":"`)
		}
		p.at++
		p.space()
		if out[name], err = p.value(depth + 1); err != nil {
			return nil, err
		}
	}
	p.at++
	return out, nil
}

func (p *parser) array(depth int) (any, error) {
	p.at++
	out := []any{}
	for p.space(); p.peek() != ']'; p.space() {
		if len(out) > 0 {
			if p.peek() != ',' {
				return nil, p.syntax(`"," or "]"`)
			}
			p.at++
			p.space()
		}
		v, err := p.value(depth + 1)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	p.at++
	return out, nil
}

// number takes a number of JSON's grammar: no leading zeros or plus, no NaN.
func (p *parser) number() (any, error) {
	start := p.at
	if p.peek() == '-' {
		p.at++
	}
	if p.peek() == '0' {
		p.at++
	} else if !p.digits() {
		return nil, p.syntax("a digit")
	}
	if p.peek() == '.' {
		p.at++
		if !p.digits() {
			return nil, p.syntax("a digit")
		}
	}
	if c := p.peek(); c == 'e' || c == 'E' {
		p.at++
		if c := p.peek(); c == '+' || c == '-' {
			p.at++
		}
		if !p.digits() {
			return nil, p.syntax("a digit")
		}
	}
	text := string(p.data[start:p.at])
	if f, err := strconv.ParseFloat(text, 64); err != nil || math.IsInf(f, 0) {
		return nil, shoal.Invalid("InvalidParameterValue", "body", "The number %s at byte %d is too large", clip(text, 40), start)
	}
	return number(text), nil
}

func (p *parser) digits() bool {
	start := p.at
	for c := p.peek(); c >= '0' && c <= '9'; c = p.peek() {
		p.at++
	}
	return p.at > start
}

func (p *parser) string() (string, error) {
	p.at++
	start := p.at
	for p.at < len(p.data) {
		switch c := p.data[p.at]; {
		case c == '"':
			s := p.data[start:p.at]
			if !utf8.Valid(s) {
				return "", badEncoding(start)
			}
			p.at++
			return string(s), nil
		case c == '\\':
			return p.escapedString(start)
		case c < ' ':
			return "", p.syntax(`a character of a string (write control characters as \u00XX)`)
		default:
			p.at++
		}
	}
	return "", p.syntax("the end of a string")
}

func badEncoding(at int) error {
	return shoal.Invalid("BadEncoding", "body", "The body is not UTF-8 in the text that begins at byte %d", at)
}

// escapedString goes on with a string from its first escape.
func (p *parser) escapedString(start int) (string, error) {
	out := append([]byte(nil), p.data[start:p.at]...)
	for p.at < len(p.data) {
		c := p.data[p.at]
		switch {
		case c == '"':
			if !utf8.Valid(out) {
				return "", badEncoding(start)
			}
			p.at++
			return string(out), nil
		case c < ' ':
			return "", p.syntax(`a character of a string (write control characters as \u00XX)`)
		case c != '\\':
			out = append(out, c)
			p.at++
			continue
		}
		r, err := p.escape()
		if err != nil {
			return "", err
		}
		out = utf8.AppendRune(out, r)
	}
	return "", p.syntax("the end of a string")
}

var escapes = map[byte]rune{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

// escape takes one escape, of which p.at is the backslash.
func (p *parser) escape() (rune, error) {
	p.at++
	if p.peek() != 'u' {
		r, ok := escapes[p.peek()]
		if !ok {
			return 0, p.syntax("an escape")
		}
		p.at++
		return r, nil
	}
	r, err := p.hex4()
	if err != nil {
		return 0, err
	}
	if r == 0 {
		return 0, shoal.Invalid("InvalidParameterValue", "body", "The text at byte %d holds a NUL character, which cannot be stored", p.at)
	}
	if !utf16.IsSurrogate(r) {
		return r, nil
	}
	if p.word(`\`) && p.peek() == 'u' {
		second, err := p.hex4()
		if err != nil {
			return 0, err
		}
		if r := utf16.DecodeRune(r, second); r != utf8.RuneError {
			return r, nil
		}
	}
	return 0, shoal.Invalid("BadEncoding", "body", "The escape before byte %d is half of a surrogate pair", p.at)
}

// hex4 takes "uXXXX".
func (p *parser) hex4() (rune, error) {
	p.at++
	if p.at+4 > len(p.data) {
		p.at = len(p.data)
		return 0, p.syntax("four hexadecimal digits")
	}
	n, err := strconv.ParseUint(string(p.data[p.at:p.at+4]), 16, 16)
	if err != nil {
		return 0, p.syntax("four hexadecimal digits")
	}
	p.at += 4
	return rune(n), nil
}

// plain turns numbers into what params are made of: int64 when the number is
// one, float64 otherwise. It works in place.
func plain(v any) any {
	switch v := v.(type) {
	case number:
		if n, err := strconv.ParseInt(string(v), 10, 64); err == nil {
			return n
		}
		f, _ := strconv.ParseFloat(string(v), 64) // parseJSON has tried it
		return f
	case []any:
		for i := range v {
			v[i] = plain(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = plain(v[k])
		}
	}
	return v
}

// typeOf names a value's JSON type for messages.
func typeOf(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case map[string]any:
		return "an object"
	case []any:
		return "an array"
	case string:
		return "a string"
	case bool:
		return "a boolean"
	case number, int64, float64:
		return "a number"
	}
	return fmt.Sprintf("%T", v)
}
