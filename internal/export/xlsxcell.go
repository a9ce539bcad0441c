package export

import (
	"bytes"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// exactDigits is how many digits of a whole number a spreadsheet keeps.
const exactDigits = 15

// appendValue appends the cell of a value, nothing for null and for "".
func (x *xlsx) appendValue(b []byte, i int, value []byte, kind valueKind) []byte {
	switch kind {
	case kindNone, kindNull:
		return b
	case kindLiteral:
		switch {
		case isBool(value):
			digit := byte('0')
			if value[0] == 't' {
				digit = '1'
			}
			b = x.openCell(b, i, ` t="b"><v>`)
			return append(append(b, digit), "</v></c>"...)
		case isCellNumber(value):
			b = x.openCell(b, i, `><v>`)
			return append(append(b, value...), "</v></c>"...)
		}
		return x.appendString(b, i, value)
	case kindEscaped:
		x.scratch = appendText(x.scratch[:0], value[1:len(value)-1])
		return x.appendString(b, i, x.scratch)
	case kindNested:
		return x.appendString(b, i, value)
	default:
		return x.appendString(b, i, value[1:len(value)-1])
	}
}

// isCellNumber reports whether a spreadsheet keeps a JSON number as it is. It
// holds floats, and of a whole number shows and keeps 15 digits.
func isCellNumber(value []byte) bool {
	if !isNumber(value) {
		return false
	}
	if digits(bytes.TrimPrefix(value, []byte("-"))) > exactDigits || len(value) > 25 {
		return false
	}
	if len(value) <= exactDigits && !bytes.ContainsAny(value, "eE") {
		return true // no float is needed to know
	}
	_, ok := realNumber(value)
	return ok
}

// appendString appends a cell of text. It is never a formula, whatever it
// begins with, and never a link.
func (x *xlsx) appendString(b []byte, i int, text []byte) []byte {
	if len(text) == 0 {
		return b
	}
	b = x.openCell(b, i, ` t="inlineStr"><is><t`)
	if len(text) > maxCell {
		if whole := utf16Len(text); whole > maxCell {
			x.cut[i]++
			mark := " … [cut: " + grouped(int64(whole)) + " characters; csv, json and parquet have them all]"
			text = append(cutUTF16(text, maxCell-utf16Len([]byte(mark))), mark...)
		}
	}
	b = appendXMLText(b, text)
	return append(b, "</t></is></c>"...)
}

// utf16Len returns the length of text in the units that spreadsheets count.
func utf16Len(text []byte) int {
	n := utf8.RuneCount(text)
	for _, c := range text {
		if c >= 0xF0 { // the first byte of a character beyond 16 bits
			n++
		}
	}
	return n
}

// cutUTF16 returns a copy of the beginning of text, at most n units long, that
// ends with a whole character.
func cutUTF16(text []byte, n int) []byte {
	end := 0
	for end < len(text) {
		_, size := utf8.DecodeRune(text[end:])
		if n -= 1 + size/4; n < 0 {
			break
		}
		end += size
	}
	return bytes.Clone(text[:end])
}

// appendXMLText ends the tag <t and appends text as its content. What XML
// cannot hold is written _xHHHH_ as in ECMA-376 part 1 §22.9.2.19 (ST_Xstring),
// and so is what would be read as such.
func appendXMLText(b, text []byte) []byte {
	if len(text) > 0 && (text[0] <= ' ' || text[len(text)-1] <= ' ') {
		b = append(b, ` xml:space="preserve"`...)
	}
	b = append(b, '>')
	plain := 0
	for i := 0; i < len(text); {
		c := text[i]
		if c < utf8.RuneSelf && xmlPlain[c] {
			i++
			continue
		}
		size := 1
		escape := ""
		switch {
		case c >= utf8.RuneSelf:
			var r rune
			r, size = utf8.DecodeRune(text[i:])
			switch {
			case r == utf8.RuneError && size == 1:
				escape = "\uFFFD"
			case r == 0xFFFE:
				escape = "_xFFFE_"
			case r == 0xFFFF:
				escape = "_xFFFF_"
			}
		case c == '_':
			if isEscape(text[i:]) {
				escape = "_x005F_"
			}
		default:
			escape = xmlEscapes[c]
		}
		if escape != "" {
			b = append(b, text[plain:i]...)
			b = append(b, escape...)
			plain = i + size
		}
		i += size
	}
	return append(b, text[plain:]...)
}

// isEscape reports whether text begins with _xHHHH_.
func isEscape(text []byte) bool {
	if len(text) < 7 || text[1] != 'x' || text[6] != '_' {
		return false
	}
	_, ok := hex4(text[2:])
	return ok
}

// xmlPlain says which ASCII characters are themselves, and xmlEscapes what the
// others are written as. A raw CR would be read as LF (XML 1.0 §2.11).
var (
	xmlPlain   [utf8.RuneSelf]bool
	xmlEscapes [utf8.RuneSelf]string
)

func init() {
	for c := range xmlPlain {
		switch {
		case c == '\t' || c == '\n' || c >= ' ':
			xmlPlain[c] = true
		default:
			xmlEscapes[c] = "_x00" + strings.ToUpper(strconv.FormatInt(int64(c)+0x100, 16))[1:] + "_"
		}
	}
	for c, escape := range map[byte]string{'&': "&amp;", '<': "&lt;", '>': "&gt;", '\r': "&#13;", '_': ""} {
		xmlPlain[c], xmlEscapes[c] = false, escape
	}
}

// sheetEpoch is the day 0 of spreadsheets, for days after February 1900.
var sheetEpoch = time.Date(1899, 12, 30, 0, 0, 0, 0, time.UTC)

// appendSerial appends a time as a spreadsheet has it: days, in UTC.
func appendSerial(b []byte, t time.Time) []byte {
	days := float64(t.UnixMilli()-sheetEpoch.UnixMilli()) / float64(24*time.Hour/time.Millisecond)
	return strconv.AppendFloat(b, math.Round(days*1e9)/1e9, 'f', -1, 64)
}

// columnLetters returns the name of the column with index i: A to Z, AA, ...
func columnLetters(i int) string {
	if i < 26 {
		return string(rune('A' + i))
	}
	return columnLetters(i/26-1) + string(rune('A'+i%26))
}
