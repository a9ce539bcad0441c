package dom

import (
	"bytes"
	"unicode/utf8"
)

// repair returns the input as the tokenizer takes it: valid UTF-8 with line
// feeds for line ends (§ 13.2.3.5). A page that is so already is returned as
// it is; another is copied to the end of room.
func repair(buf, room []byte) (input, rest []byte) {
	valid := utf8.Valid(buf)
	if valid && bytes.IndexByte(buf, '\r') < 0 {
		return buf, room
	}
	start := len(room)
	for len(buf) > 0 {
		n := len(buf)
		if !valid {
			n = validPrefix(buf)
		}
		room = appendLines(room, buf[:n])
		if buf = buf[n:]; len(buf) > 0 {
			room = append(room, "\uFFFD"...)
			buf = buf[illFormed(buf):]
		}
	}
	return room[start:], room
}

// appendLines appends text with \n for \r\n and \r.
func appendLines(b, text []byte) []byte {
	for {
		i := bytes.IndexByte(text, '\r')
		if i < 0 {
			return append(b, text...)
		}
		b = append(append(b, text[:i]...), '\n')
		if text = text[i+1:]; len(text) > 0 && text[0] == '\n' {
			text = text[1:]
		}
	}
}

func validPrefix(b []byte) int {
	for i := 0; i < len(b); {
		if b[i] < utf8.RuneSelf {
			i++
			continue
		}
		r, size := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && size == 1 {
			return i
		}
		i += size
	}
	return len(b)
}

// illFormed is the length of the bytes at the start of b that count as one
// wrong character: the longest beginning of a valid sequence, or one byte
// (Unicode 15, § 3.9, best practice; the Encoding standard's UTF-8 decoder).
func illFormed(b []byte) int {
	lower, upper, need := byte(0x80), byte(0xBF), 0
	switch c := b[0]; {
	case c >= 0xC2 && c <= 0xDF:
		need = 1
	case c >= 0xE0 && c <= 0xEF:
		need = 2
		if c == 0xE0 {
			lower = 0xA0
		} else if c == 0xED {
			upper = 0x9F
		}
	case c >= 0xF0 && c <= 0xF4:
		need = 3
		if c == 0xF0 {
			lower = 0x90
		} else if c == 0xF4 {
			upper = 0x8F
		}
	}
	n := 1
	for n <= need && n < len(b) && b[n] >= lower && b[n] <= upper {
		lower, upper = 0x80, 0xBF
		n++
	}
	return n
}
