package export

import (
	"bytes"
	"encoding/json"
	"unicode/utf16"
	"unicode/utf8"
)

// appendText appends what a JSON string says, given what is between its quotes.
func appendText(b, text []byte) []byte {
	for {
		i := bytes.IndexByte(text, '\\')
		if i < 0 || i+1 == len(text) {
			return append(b, text...)
		}
		b = append(b, text[:i]...)
		r, n := unescape(text[i:])
		b = utf8.AppendRune(b, r)
		text = text[i+n:]
	}
}

// appendEscaped appends text as JSON writes it between the quotes of a string.
func appendEscaped(b []byte, text string) []byte {
	quoted, err := json.Marshal(text)
	if err != nil {
		panic("a string that is no JSON: " + err.Error())
	}
	return append(b, quoted[1:len(quoted)-1]...)
}

// unescape reads the escape that text begins with and returns its rune and
// its length. Half a surrogate pair becomes U+FFFD.
func unescape(text []byte) (r rune, n int) {
	switch text[1] {
	case 'n':
		return '\n', 2
	case 't':
		return '\t', 2
	case 'r':
		return '\r', 2
	case 'b':
		return '\b', 2
	case 'f':
		return '\f', 2
	case 'u':
		first, ok := hex4(text[2:])
		if !ok {
			return utf8.RuneError, 2
		}
		if !utf16.IsSurrogate(first) {
			return first, 6
		}
		if len(text) >= 12 && text[6] == '\\' && text[7] == 'u' {
			if second, ok := hex4(text[8:]); ok {
				if r := utf16.DecodeRune(first, second); r != utf8.RuneError {
					return r, 12
				}
			}
		}
		return utf8.RuneError, 6
	default: // a quote, a backslash or a slash
		return rune(text[1]), 2
	}
}

func hex4(b []byte) (r rune, ok bool) {
	if len(b) < 4 {
		return 0, false
	}
	for _, c := range b[:4] {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c >= 'a' && c <= 'f':
			c -= 'a' - 10
		case c >= 'A' && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}
