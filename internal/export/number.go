package export

import (
	"bytes"
	"math"
	"strconv"
	"unsafe"

	"shoal"
)

// exactInt is the largest whole number up to which every one is a float64.
const exactInt = 1 << 53

// isNumber reports whether text is a number as JSON writes it (RFC 8259 §6).
func isNumber(text []byte) bool {
	i := 0
	if i < len(text) && text[i] == '-' {
		i++
	}
	n := digits(text[i:])
	if n == 0 || n > 1 && text[i] == '0' {
		return false
	}
	i += n
	if i < len(text) && text[i] == '.' {
		if n = digits(text[i+1:]); n == 0 {
			return false
		}
		i += 1 + n
	}
	if i < len(text) && (text[i] == 'e' || text[i] == 'E') {
		i++
		if i < len(text) && (text[i] == '+' || text[i] == '-') {
			i++
		}
		if n = digits(text[i:]); n == 0 {
			return false
		}
		i += n
	}
	return i == len(text)
}

// digits returns how many digits text begins with.
func digits(text []byte) int {
	for i, c := range text {
		if c < '0' || c > '9' {
			return i
		}
	}
	return len(text)
}

// wholeNumber returns the number that text is, if it is a whole one of 64 bits.
// A whole one in another spelling (5.0, 1e3) counts as far as floats are exact.
func wholeNumber(text []byte) (int64, bool) {
	if !isNumber(text) {
		return 0, false
	}
	if v, err := strconv.ParseInt(view(text), 10, 64); err == nil {
		return v, true
	}
	if !bytes.ContainsAny(text, ".eE") {
		return 0, false // a whole one, and too large
	}
	v, ok := realNumber(text)
	if !ok || v != math.Trunc(v) || math.Abs(v) > exactInt || v == 0 && text[0] == '-' {
		return 0, false
	}
	return int64(v), true
}

// realNumber returns the float nearest to the number that text is. It is false
// when that says something else: for what is too large or too small, and for
// whole numbers beyond those that are all floats.
func realNumber(text []byte) (float64, bool) {
	if !isNumber(text) {
		return 0, false
	}
	v, err := strconv.ParseFloat(view(text), 64)
	if err != nil {
		return 0, false
	}
	if math.Abs(v) >= exactInt && !bytes.ContainsAny(text, ".eE") {
		exact, err := strconv.ParseInt(view(text), 10, 64)
		return v, err == nil && v < 1<<63 && int64(v) == exact
	}
	if v == 0 && bytes.ContainsAny(mantissa(text), "123456789") {
		return 0, false
	}
	return v, true
}

// mantissa is a number's text before its exponent.
func mantissa(text []byte) []byte {
	if i := bytes.IndexAny(text, "eE"); i >= 0 {
		return text[:i]
	}
	return text
}

// view is b as a string for the length of a call that keeps nothing of it.
func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// kindSet says what kinds of values were found in one place.
type kindSet uint8

const (
	hasNull kindSet = 1 << iota
	hasBool
	hasInt  // that is a float64 too
	hasWide // a whole number that is no float64
	hasReal
	hasText
	hasNested
	hasOther // a number that is neither int64 nor float64
)

// kindsOf returns the kind of one value.
func kindsOf(value []byte, kind valueKind) kindSet {
	switch kind {
	case kindNone, kindNull:
		return hasNull
	case kindNested:
		return hasNested
	case kindLiteral:
		return literalKind(value)
	default:
		return hasText
	}
}

func literalKind(value []byte) kindSet {
	if isBool(value) {
		return hasBool
	}
	v, whole := wholeNumber(value)
	_, real := realNumber(value)
	switch {
	case whole && (v > exactInt || v < -exactInt):
		return hasWide
	case whole:
		return hasInt
	case real:
		return hasReal
	}
	return hasOther
}

func isBool(value []byte) bool { return string(value) == "true" || string(value) == "false" }

// typ returns the type that holds every value found.
func (k kindSet) typ() shoal.AttributeType {
	switch k &^ hasNull {
	case 0, hasText:
		return shoal.AttrString
	case hasBool:
		return shoal.AttrBoolean
	case hasInt, hasWide, hasInt | hasWide:
		return shoal.AttrInteger
	case hasReal, hasReal | hasInt:
		return shoal.AttrFloat
	}
	return shoal.AttrJSON
}
