package export

import (
	"bytes"
	"errors"
)

// ErrRow says that a stored row is not a JSON object.
var ErrRow = errors.New("the stored row is not a JSON object")

// valueKind classes a scanned value by what CSV must do with it.
type valueKind uint8

const (
	kindNone    valueKind = iota // the row has no such field
	kindNull                     // an empty cell
	kindLiteral                  // number, true, false: as it is
	kindPlain                    // a string of which every byte is itself
	kindComma                    // a string without escapes that CSV must quote
	kindEscaped                  // a string with escapes
	kindNested                   // an object or array: its JSON text
)

// scanner walks the members of one JSON object. It trusts the row to be what
// an encoder wrote: it finds where values end, and does not prove them right.
// It never reads past the end, whatever the bytes are.
type scanner struct {
	data []byte
	at   int
	// The member last found. key is between its quotes, escapes and all, name is
	// what it says; value is the whole JSON text; kind classes it.
	key   []byte
	name  []byte
	value []byte
	kind  valueKind
	err   error
}

func newScanner(data []byte) (scanner, error) {
	s := scanner{data: data}
	s.space()
	if s.at >= len(data) || data[s.at] != '{' {
		return s, ErrRow
	}
	s.at++
	return s, nil
}

// next finds the next member. At the end of the object, and at an error, it is false.
func (s *scanner) next() bool {
	c := s.peek()
	if c == ',' {
		s.at++
		c = s.peek()
	}
	if c == '}' {
		return false
	}
	if c != '"' || !s.scanString() {
		return s.fail()
	}
	s.key = s.value[1 : len(s.value)-1]
	s.name = s.key
	if s.kind == kindEscaped {
		s.name = appendText(nil, s.key)
	}
	if s.peek() != ':' {
		return s.fail()
	}
	s.at++
	s.peek()
	if !s.scanValue() {
		return s.fail()
	}
	return true
}

func (s *scanner) fail() bool {
	s.err = ErrRow
	return false
}

// peek skips space and returns the byte there, 0 at the end.
func (s *scanner) peek() byte {
	if s.at < len(s.data) && s.data[s.at] > ' ' {
		return s.data[s.at]
	}
	s.space()
	if s.at < len(s.data) {
		return s.data[s.at]
	}
	return 0
}

func (s *scanner) space() {
	for s.at < len(s.data) && s.data[s.at] <= ' ' {
		s.at++
	}
}

func (s *scanner) scanValue() bool {
	if s.at >= len(s.data) {
		return false
	}
	switch s.data[s.at] {
	case '"':
		return s.scanString()
	case '{', '[':
		return s.scanNested()
	default:
		return s.scanLiteral()
	}
}

// scanString takes the string that begins at s.at. Most strings have no
// escape and end at the next quote, which is found many bytes at a time.
func (s *scanner) scanString() bool {
	start := s.at + 1
	rest := s.data[start:]
	end := bytes.IndexByte(rest, '"')
	if end < 0 {
		return false
	}
	s.kind = kindPlain
	if bytes.IndexByte(rest[:end], '\\') >= 0 {
		if end = closingQuote(rest); end < 0 {
			return false
		}
		s.kind = kindEscaped
	} else if bytes.IndexByte(rest[:end], ',') >= 0 {
		s.kind = kindComma
	}
	s.value = s.data[s.at : start+end+1]
	s.at = start + end + 1
	return true
}

// closingQuote returns the index of the first quote in b that no backslash
// escapes, or -1.
func closingQuote(b []byte) int {
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case '\\':
			i++
		case '"':
			return i
		}
	}
	return -1
}

func (s *scanner) scanNested() bool {
	depth := 0
	for i := s.at; i < len(s.data); i++ {
		switch s.data[i] {
		case '"':
			n := closingQuote(s.data[i+1:])
			if n < 0 {
				return false
			}
			i += n + 1
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				s.value, s.kind = s.data[s.at:i+1], kindNested
				s.at = i + 1
				return true
			}
		}
	}
	return false
}

func (s *scanner) scanLiteral() bool {
	i := s.at
	for i < len(s.data) && s.data[i] != ',' && s.data[i] != '}' && s.data[i] > ' ' {
		i++
	}
	s.value, s.kind = s.data[s.at:i], kindLiteral
	if i == s.at {
		return false
	}
	if s.data[s.at] == 'n' {
		s.kind = kindNull
	}
	s.at = i
	return true
}
