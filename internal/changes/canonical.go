package changes

import (
	"bytes"
	"errors"
	"math"
	"slices"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// errRow says that a stored row is not a JSON object.
var errRow = errors.New("the stored row is not a JSON object")

// maxDepth is how deep values may be nested to be looked into; what lies deeper
// is compared as it is written.
const maxDepth = 500

// appendCanonical appends the JSON value that v begins with in the one form that
// all values equal to it have: numbers by their value, strings by their
// characters, objects with their members in order. It returns how long the value is.
func appendCanonical(b, v []byte, depth int) (out []byte, n int, err error) {
	if len(v) == 0 {
		return b, 0, errRow
	}
	switch v[0] {
	case '"':
		n = stringEnd(v)
		if n < 0 {
			return b, 0, errRow
		}
		return appendText(b, v[:n]), n, nil
	case '{', '[':
		if depth >= maxDepth {
			if n = nestedEnd(v); n < 0 {
				return b, 0, errRow
			}
			return append(b, v[:n]...), n, nil
		}
		if v[0] == '{' {
			return appendObject(b, v, depth)
		}
		return appendArray(b, v, depth)
	}
	n = literalEnd(v)
	if n == 0 {
		return b, 0, errRow
	}
	if c := v[0]; c == '-' || c >= '0' && c <= '9' {
		return appendNumber(b, v[:n]), n, nil
	}
	return append(b, v[:n]...), n, nil
}

func appendArray(b, v []byte, depth int) ([]byte, int, error) {
	b = append(b, '[')
	at := 1 + space(v[1:])
	for first := true; ; first = false {
		if at >= len(v) {
			return b, 0, errRow
		}
		if v[at] == ']' {
			return append(b, ']'), at + 1, nil
		}
		if !first {
			if v[at] != ',' {
				return b, 0, errRow
			}
			b = append(b, ',')
			at++
			at += space(v[at:])
		}
		var n int
		var err error
		if b, n, err = appendCanonical(b, v[at:], depth+1); err != nil {
			return b, 0, err
		}
		at += n
		at += space(v[at:])
	}
}

func appendObject(b, v []byte, depth int) ([]byte, int, error) {
	type member struct{ name, value []byte }
	var members []member
	n, err := eachMember(v, func(name, value []byte) error {
		canonical, _, err := appendCanonical(nil, value, depth+1)
		members = append(members, member{appendText(nil, name), canonical})
		return err
	})
	if err != nil {
		return b, 0, err
	}
	slices.SortStableFunc(members, func(x, y member) int { return bytes.Compare(x.name, y.name) })
	b = append(b, '{')
	for i, m := range members {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(append(append(b, m.name...), ':'), m.value...)
	}
	return append(b, '}'), n, nil
}

// eachMember calls f with the name, quotes and all, and the value of each member
// of the object that v begins with, and returns how long the object is.
func eachMember(v []byte, f func(name, value []byte) error) (n int, err error) {
	at := space(v)
	if at >= len(v) || v[at] != '{' {
		return 0, errRow
	}
	at++
	for first := true; ; first = false {
		at += space(v[at:])
		if at >= len(v) {
			return 0, errRow
		}
		if v[at] == '}' {
			return at + 1, nil
		}
		if !first {
			if v[at] != ',' {
				return 0, errRow
			}
			at++
			at += space(v[at:])
		}
		end := -1
		if at < len(v) && v[at] == '"' {
			end = stringEnd(v[at:])
		}
		if end < 0 {
			return 0, errRow
		}
		name := v[at : at+end]
		at += end
		at += space(v[at:])
		if at >= len(v) || v[at] != ':' {
			return 0, errRow
		}
		at++
		at += space(v[at:])
		if end = valueEnd(v[at:]); end <= 0 {
			return 0, errRow
		}
		if err := f(name, v[at:at+end]); err != nil {
			return 0, err
		}
		at += end
	}
}

// space returns how many bytes of space v begins with.
func space(v []byte) int {
	n := 0
	for n < len(v) && v[n] <= ' ' {
		n++
	}
	return n
}

// valueEnd returns how long the value is that v begins with, -1 if it does not end.
func valueEnd(v []byte) int {
	if len(v) == 0 {
		return -1
	}
	switch v[0] {
	case '"':
		return stringEnd(v)
	case '{', '[':
		return nestedEnd(v)
	}
	return literalEnd(v)
}

func literalEnd(v []byte) int {
	n := 0
	for n < len(v) && v[n] > ' ' && v[n] != ',' && v[n] != '}' && v[n] != ']' && v[n] != ':' && v[n] != '"' {
		n++
	}
	return n
}

// stringEnd returns how long the string is that v begins with, its quotes included.
func stringEnd(v []byte) int {
	for at := 1; at < len(v); {
		n := bytes.IndexByte(v[at:], '"')
		if n < 0 {
			return -1
		}
		escape := bytes.IndexByte(v[at:at+n], '\\')
		if escape < 0 {
			return at + n + 1
		}
		at += escape + 2
	}
	return -1
}

func nestedEnd(v []byte) int {
	depth := 0
	for i := 0; i < len(v); i++ {
		switch v[i] {
		case '"':
			n := stringEnd(v[i:])
			if n < 0 {
				return -1
			}
			i += n - 1
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return -1
}

// appendText appends a JSON string with nothing escaped but quotes and backslashes.
func appendText(b, quoted []byte) []byte {
	if bytes.IndexByte(quoted, '\\') < 0 {
		return append(b, quoted...)
	}
	b = append(b, '"')
	text := quoted[1 : len(quoted)-1]
	for i := 0; i < len(text); {
		if text[i] != '\\' {
			b = append(b, text[i])
			i++
			continue
		}
		r, n := unescape(text[i:])
		if r == '"' || r == '\\' {
			b = append(b, '\\')
		}
		b = utf8.AppendRune(b, r)
		i += n
	}
	return append(b, '"')
}

// unescape reads the escape that text begins with, and its length. Half a
// surrogate pair is U+FFFD.
func unescape(text []byte) (r rune, n int) {
	if len(text) < 2 {
		return utf8.RuneError, len(text)
	}
	if i := bytes.IndexByte([]byte(`bfnrt`), text[1]); i >= 0 {
		return rune("\b\f\n\r\t"[i]), 2
	}
	if text[1] != 'u' {
		return rune(text[1]), 2
	}
	first, ok := hex4(text)
	if !ok {
		return utf8.RuneError, 2
	}
	if !utf16.IsSurrogate(first) {
		return first, 6
	}
	if second, ok := hex4(text[6:]); ok {
		if r := utf16.DecodeRune(first, second); r != utf8.RuneError {
			return r, 12
		}
	}
	return utf8.RuneError, 6
}

// hex4 reads \uXXXX.
func hex4(b []byte) (r rune, ok bool) {
	if len(b) < 6 || b[0] != '\\' || b[1] != 'u' {
		return 0, false
	}
	u, err := strconv.ParseUint(string(b[2:6]), 16, 16)
	return rune(u), err == nil
}

// appendNumber appends a number as its digits without zeros at either end and
// a power of ten, so that 1, 1.0 and 10e-1 are the same whatever their size.
func appendNumber(b, text []byte) []byte {
	start := len(b)
	rest := text
	negative := rest[0] == '-'
	if negative {
		rest = rest[1:]
	}
	mantissa, power := rest, int64(0)
	if i := bytes.IndexAny(rest, "eE"); i >= 0 {
		p, err := strconv.ParseInt(string(bytes.TrimPrefix(rest[i+1:], []byte("+"))), 10, 64)
		if err != nil || p > math.MaxInt64/2 || p < math.MinInt64/2 {
			return append(b, text...) // no value of this world
		}
		mantissa, power = rest[:i], p
	}
	if negative {
		b = append(b, '-')
	}
	digits := len(b)
	for i, c := range mantissa {
		if c == '.' {
			power -= int64(len(mantissa) - i - 1)
			continue
		}
		if c == '0' && len(b) == digits {
			continue
		}
		b = append(b, c)
	}
	if len(b) == digits {
		return append(b[:start], '0')
	}
	for b[len(b)-1] == '0' {
		b = b[:len(b)-1]
		power++
	}
	if power != 0 {
		b = append(b, 'e')
		b = strconv.AppendInt(b, power, 10)
	}
	return b
}
