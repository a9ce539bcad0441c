package extract

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxLooseDepth is how deep values nest that are read leniently.
const maxLooseDepth = 200

// loose reads JSON as people write it into pages, and writes it as it should
// be. It forgives what has one meaning only: comments, commas at the end, line
// breaks within texts, single quotes, names without quotes, HTML comments and
// CDATA around it all.
type loose struct {
	in  string
	at  int
	out []byte
}

// looseValue reads the JSON value that s begins with and returns it with what
// follows; false: there is none.
func looseValue(s string) (value []byte, rest string, ok bool) {
	l := &loose{in: s, out: make([]byte, 0, min(len(s), 4096))}
	if !l.value(0) {
		return nil, s, false
	}
	return l.out, s[l.at:], true
}

// space skips what means nothing.
func (l *loose) space() {
	for l.at < len(l.in) {
		rest := l.in[l.at:]
		switch c := rest[0]; {
		case c <= ' ':
			l.at++
		case strings.HasPrefix(rest, "\ufeff"), strings.HasPrefix(rest, "\u00a0"):
			_, n := utf8.DecodeRuneInString(rest)
			l.at += n
		case strings.HasPrefix(rest, "//"):
			// Also "//<![CDATA[" and "//]]>", which scripts hide their CDATA by.
			l.skipPast("\n")
		case strings.HasPrefix(rest, "/*"):
			l.at += 2
			l.skipPast("*/")
		case strings.HasPrefix(rest, "<!--"):
			l.at += 4
		case strings.HasPrefix(rest, "-->"):
			l.at += 3
		case strings.HasPrefix(rest, "<![CDATA["):
			l.at += 9
		case strings.HasPrefix(rest, "]]>"):
			l.at += 3
		default:
			return
		}
	}
}

func (l *loose) skipPast(end string) {
	if i := strings.Index(l.in[l.at:], end); i >= 0 {
		l.at += i + len(end)
	} else {
		l.at = len(l.in)
	}
}

func (l *loose) peek() byte {
	l.space()
	if l.at >= len(l.in) {
		return 0
	}
	return l.in[l.at]
}

func (l *loose) value(depth int) bool {
	if depth > maxLooseDepth {
		return false
	}
	switch c := l.peek(); {
	case c == '{':
		return l.list(depth, '}', true)
	case c == '[':
		return l.list(depth, ']', false)
	case c == '"' || c == '\'':
		return l.text(c)
	case c == '-' || c == '+' || c == '.' || c >= '0' && c <= '9':
		return l.number()
	}
	switch word := l.word(); word {
	case "true", "false", "null":
		l.out = append(l.out, word...)
	case "undefined", "NaN", "Infinity":
		l.out = append(l.out, "null"...)
	default:
		return false
	}
	return true
}

// list reads an object or an array, whose closing character is end.
func (l *loose) list(depth int, end byte, named bool) bool {
	l.out = append(l.out, l.in[l.at])
	l.at++
	for first := true; ; first = false {
		for l.peek() == ',' { // also those that are too many
			l.at++
		}
		if l.peek() == end {
			l.at++
			l.out = append(l.out, end)
			return true
		}
		if !first {
			l.out = append(l.out, ',')
		}
		if named && !l.name() || !l.value(depth+1) {
			return false
		}
		if c := l.peek(); c != ',' && c != end {
			return false
		}
	}
}

// name reads a member's name and its colon.
func (l *loose) name() bool {
	switch c := l.peek(); {
	case c == '"' || c == '\'':
		if !l.text(c) {
			return false
		}
	default:
		word := l.word()
		if word == "" {
			return false
		}
		l.out = appendString(l.out, word)
	}
	if l.peek() != ':' {
		return false
	}
	l.at++
	l.out = append(l.out, ':')
	return true
}

// word reads letters, digits, _, $ and what is beyond ASCII.
func (l *loose) word() string {
	start := l.at
	for l.at < len(l.in) {
		c := l.in[l.at]
		if c != '_' && c != '$' && c != '@' && (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'z') && c < utf8.RuneSelf {
			break
		}
		l.at++
	}
	return l.in[start:l.at]
}

func (l *loose) number() bool {
	start := l.at
	for l.at < len(l.in) && strings.IndexByte("0123456789+-.eE", l.in[l.at]) >= 0 {
		l.at++
	}
	text := strings.TrimPrefix(l.in[start:l.at], "+")
	digits := strings.TrimPrefix(text, "-")
	sign := text[:len(text)-len(digits)]
	if strings.HasPrefix(digits, ".") {
		digits = "0" + digits
	}
	if strings.HasSuffix(digits, ".") {
		digits += "0"
	}
	if len(digits) > 1 && digits[0] == '0' && digits[1] != '.' && digits[1]|0x20 != 'e' {
		l.out = appendString(l.out, text) // 007 is a text that somebody forgot to quote
		return true
	}
	if !validJSON(digits) {
		return false
	}
	l.out = append(append(l.out, sign...), digits...)
	return true
}

// text reads a text in the quotes given and writes it as JSON does.
func (l *loose) text(quote byte) bool {
	l.at++
	var b []byte
	for l.at < len(l.in) {
		c := l.in[l.at]
		switch {
		case c == quote:
			l.at++
			l.out = appendString(l.out, b)
			return true
		case c == '\\' && l.at+1 < len(l.in):
			l.at++
			b = l.escape(b)
		default:
			b = append(b, c)
			l.at++
		}
	}
	return false
}

// escape reads what follows a backslash; one that means nothing is dropped.
func (l *loose) escape(b []byte) []byte {
	c := l.in[l.at]
	l.at++
	switch c {
	case 'n':
		return append(b, '\n')
	case 't':
		return append(b, '\t')
	case 'r':
		return append(b, '\r')
	case 'b':
		return append(b, '\b')
	case 'f':
		return append(b, '\f')
	case 'v':
		return append(b, '\v')
	case '\n': // JavaScript joins the lines
		return b
	case 'x':
		if r, ok := l.hex(2); ok {
			return utf8.AppendRune(b, r)
		}
	case 'u':
		r, ok := l.hex(4)
		if !ok {
			break
		}
		if r >= 0xd800 && r < 0xdc00 && strings.HasPrefix(l.in[l.at:], `\u`) {
			at := l.at
			l.at += 2
			if low, ok := l.hex(4); ok && low >= 0xdc00 && low < 0xe000 {
				return utf8.AppendRune(b, (r-0xd800)<<10+(low-0xdc00)+0x10000)
			}
			l.at = at
		}
		return utf8.AppendRune(b, r)
	}
	return append(b, c)
}

// hex reads n hexadecimal digits.
func (l *loose) hex(n int) (rune, bool) {
	if l.at+n > len(l.in) {
		return 0, false
	}
	var r rune
	for _, c := range []byte(l.in[l.at : l.at+n]) {
		digit, err := strconv.ParseUint(string(c), 16, 8)
		if err != nil {
			return 0, false
		}
		r = r<<4 | rune(digit)
	}
	l.at += n
	return r, true
}
