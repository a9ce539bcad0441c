package dom

import (
	"encoding/binary"
	"math/bits"
)

// Eight bytes are looked at in one step: x has a zero byte where a word equals
// a pattern, and matches sets the high bit of the lowest of them (Hacker's
// Delight, § 6-1).
const (
	lows  = 0x0101010101010101
	highs = 0x8080808080808080
)

func matches(word uint64, c byte) uint64 {
	x := word ^ lows*uint64(c)
	return (x - lows) &^ x & highs
}

// indexEither is the place of the first a or b in s from i on, or len(s).
func indexEither(s []byte, i int, a, b byte) int {
	for ; i+8 <= len(s); i += 8 {
		word := binary.LittleEndian.Uint64(s[i:])
		if m := matches(word, a) | matches(word, b); m != 0 {
			return i + bits.TrailingZeros64(m)/8
		}
	}
	for ; i < len(s); i++ {
		if s[i] == a || s[i] == b {
			return i
		}
	}
	return len(s)
}

// Classes of bytes.
const (
	isSpace    = 1 << iota // tab, line feed, form feed, space; a carriage return only from a reference
	isUpper                // A to Z
	isLetter               // A to Z, a to z
	isDigit                // 0 to 9
	endsTag                // what ends the name of a tag
	endsAttr               // what ends the name of an attribute
	endsValue              // what ends a value without quotes, or may begin a character reference
	needsLower             // what makes a name differ from its spelling: A to Z, NUL
)

var class = [256]uint8{
	'\t': isSpace | endsTag | endsAttr | endsValue, '\n': isSpace | endsTag | endsAttr | endsValue,
	'\f': isSpace | endsTag | endsAttr | endsValue, ' ': isSpace | endsTag | endsAttr | endsValue,
	'\r': isSpace, '/': endsTag | endsAttr, '>': endsTag | endsAttr | endsValue, '=': endsAttr, '&': endsValue, 0: needsLower,
	'0': isDigit, '1': isDigit, '2': isDigit, '3': isDigit, '4': isDigit, '5': isDigit, '6': isDigit, '7': isDigit,
	'8': isDigit, '9': isDigit,
	'a': isLetter, 'b': isLetter, 'c': isLetter, 'd': isLetter, 'e': isLetter, 'f': isLetter, 'g': isLetter,
	'h': isLetter, 'i': isLetter, 'j': isLetter, 'k': isLetter, 'l': isLetter, 'm': isLetter, 'n': isLetter,
	'o': isLetter, 'p': isLetter, 'q': isLetter, 'r': isLetter, 's': isLetter, 't': isLetter, 'u': isLetter,
	'v': isLetter, 'w': isLetter, 'x': isLetter, 'y': isLetter, 'z': isLetter,
	'A': upper, 'B': upper, 'C': upper, 'D': upper, 'E': upper, 'F': upper, 'G': upper, 'H': upper, 'I': upper,
	'J': upper, 'K': upper, 'L': upper, 'M': upper, 'N': upper, 'O': upper, 'P': upper, 'Q': upper, 'R': upper,
	'S': upper, 'T': upper, 'U': upper, 'V': upper, 'W': upper, 'X': upper, 'Y': upper, 'Z': upper,
}

const upper = isLetter | isUpper | needsLower

// leadingSpace is how many bytes of white space b begins with.
func leadingSpace(b []byte) int {
	for i, c := range b {
		if class[c]&isSpace == 0 {
			return i
		}
	}
	return len(b)
}

// hasPrefixFold reports whether b begins with the lower-case letters of word, in
// any case.
func hasPrefixFold(b []byte, word string) bool {
	if len(b) < len(word) {
		return false
	}
	for i := range len(word) {
		c := b[i]
		if class[c]&isUpper != 0 {
			c += 'a' - 'A'
		}
		if c != word[i] {
			return false
		}
	}
	return true
}
