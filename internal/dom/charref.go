package dom

import (
	"bytes"
	"unicode/utf8"
)

//go:generate go run gen_charref.go

// reference decodes the character reference that b begins with (§ 13.2.5.72
// and following), which is that long; 0 if the & is nothing but that. The text
// may lie in room.
func reference(b []byte, attribute bool, room *[8]byte) (text []byte, size int) {
	if len(b) < 2 {
		return nil, 0
	}
	if b[1] == '#' {
		r, size := numericReference(b)
		return utf8.AppendRune(room[:0], r), size
	}
	if class[b[1]]&isLetter == 0 {
		return nil, 0
	}
	value, n := frequentReference(b[1:])
	if n == 0 {
		value, n = namedReference(b[1:])
	}
	if n == 0 {
		return nil, 0
	}
	if attribute && b[n] != ';' && n+1 < len(b) {
		// For the sake of ?a=1&copy=2.
		if c := b[n+1]; c == '=' || class[c]&(isLetter|isDigit) != 0 {
			return nil, 0
		}
	}
	return append(room[:0], value...), n + 1
}

// frequentReference finds what nearly all references are.
func frequentReference(b []byte) (value string, n int) {
	switch {
	case b[0] == 'l' && bytes.HasPrefix(b, []byte("lt;")):
		return "<", 3
	case b[0] == 'g' && bytes.HasPrefix(b, []byte("gt;")):
		return ">", 3
	case b[0] == 'a' && bytes.HasPrefix(b, []byte("amp;")):
		return "&", 4
	case b[0] == 'q' && bytes.HasPrefix(b, []byte("quot;")):
		return `"`, 5
	case b[0] == 'n' && bytes.HasPrefix(b, []byte("nbsp;")):
		return "\u00A0", 5
	}
	return "", 0
}

// namedReference finds the longest name that b begins with. The names between
// lo and hi are those that share the first depth bytes with it.
func namedReference(b []byte) (value string, n int) {
	lo, hi := int(referenceFirst[b[0]&0x7F]), int(referenceFirst[b[0]&0x7F+1])
	for depth := 1; lo < hi; depth++ {
		if int(referenceNameAt[lo+1]-referenceNameAt[lo]) == depth {
			value, n = referenceValues[referenceValueAt[lo]:referenceValueAt[lo+1]], depth
			lo++
		}
		if depth == len(b) {
			break
		}
		lo = firstReference(lo, hi, depth, b[depth])
		hi = firstReference(lo, hi, depth, b[depth]+1)
	}
	return value, n
}

// firstReference is the first of the names from lo up to hi, all longer than
// depth, whose byte there is c or higher. b[depth]+1 never overflows to a byte
// that names have: at 255 it is 0, and the range is empty already.
func firstReference(lo, hi, depth int, c byte) int {
	for lo < hi {
		mid := int(uint(lo+hi) / 2)
		if referenceNames[int(referenceNameAt[mid])+depth] < c {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo
}

// numericReference decodes &#123; and &#x7B;, also without the semicolon.
func numericReference(b []byte) (r rune, size int) {
	i, base := 2, rune(10)
	if i < len(b) && (b[i] == 'x' || b[i] == 'X') {
		i, base = i+1, 16
	}
	start := i
	for ; i < len(b); i++ {
		digit := digitValue(b[i])
		if digit >= base {
			break
		}
		if r <= utf8.MaxRune {
			r = r*base + digit
		}
	}
	if i == start {
		return 0, 0
	}
	if i < len(b) && b[i] == ';' {
		i++
	}
	return referenced(r), i
}

func digitValue(c byte) rune {
	switch {
	case c >= '0' && c <= '9':
		return rune(c - '0')
	case c >= 'a' && c <= 'f':
		return rune(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return rune(c-'A') + 10
	}
	return 99
}

// referenced is the character that a number stands for (§ 13.2.5.80, numeric
// character reference end state): those from 0x80 on as in windows-1252.
func referenced(r rune) rune {
	if r == 0 || r > utf8.MaxRune || r >= 0xD800 && r <= 0xDFFF {
		return utf8.RuneError
	}
	if r >= 0x80 && r <= 0x9F && windows1252[r-0x80] != 0 {
		return rune(windows1252[r-0x80])
	}
	return r
}

var windows1252 = [32]uint16{
	0x20AC, 0, 0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021, 0x02C6, 0x2030, 0x0160, 0x2039, 0x0152, 0, 0x017D, 0,
	0, 0x2018, 0x2019, 0x201C, 0x201D, 0x2022, 0x2013, 0x2014, 0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0, 0x017E, 0x0178,
}
