package export

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// guardCell puts an apostrophe before the text of the cell that is b[start:],
// if a spreadsheet would take it for a formula: when its first character, after
// any space, is one of = + - @, one of their full-width forms, or a tab or line
// break. A cell that is a number stays itself. After OWASP, "CSV Injection".
//
// It holds for readers that take the comma for the separator. One that splits
// at the semicolon sees other cells.
func guardCell(b []byte, start int) []byte {
	cell := b[start:]
	quoted := len(cell) > 0 && cell[0] == '"'
	if quoted {
		cell = cell[1 : len(cell)-1]
	}
	if !opensFormula(cell) || isPlainNumber(cell) {
		return b
	}
	at := len(b) - len(cell)
	if quoted {
		at--
	}
	b = append(b, 0)
	copy(b[at+1:], b[at:])
	b[at] = '\''
	return b
}

// opensFormula reports whether text begins as a formula does.
func opensFormula(text []byte) bool {
	for len(text) > 0 {
		c := text[0]
		if c < utf8.RuneSelf {
			if c != ' ' {
				return strings.IndexByte("=+-@\t\r\n", c) >= 0
			}
			text = text[1:]
			continue
		}
		r, n := utf8.DecodeRune(text)
		switch {
		case strings.ContainsRune("＝＋－＠", r):
			return true
		case !unicode.IsSpace(r) && !unicode.Is(unicode.Cf, r):
			return false
		}
		text = text[n:] // a space, or a character that is not seen
	}
	return false
}

// isPlainNumber reports whether text is a number such as -5, +1.5e3 or .5.
func isPlainNumber(text []byte) bool {
	if len(text) > 0 && (text[0] == '-' || text[0] == '+') {
		text = text[1:]
	}
	whole := digits(text)
	text = text[whole:]
	fraction := 0
	if len(text) > 0 && text[0] == '.' {
		fraction = digits(text[1:])
		text = text[1+fraction:]
	}
	if whole+fraction == 0 {
		return false
	}
	if len(text) > 0 && (text[0] == 'e' || text[0] == 'E') {
		text = text[1:]
		if len(text) > 0 && (text[0] == '-' || text[0] == '+') {
			text = text[1:]
		}
		n := digits(text)
		return n > 0 && n == len(text)
	}
	return len(text) == 0
}
