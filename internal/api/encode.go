package api

import (
	"bytes"
	"encoding/json"
	"math"
	"strconv"
	"time"
	"unicode/utf8"

	"shoal"
)

// appendJSON appends v as encoding/json has it, without escaping HTML. It is
// for the answers that are not hot; v is always one of our wire shapes.
func appendJSON(b []byte, v any) []byte {
	buf := bytes.NewBuffer(b)
	enc := json.NewEncoder(buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic("api: encode an answer: " + err.Error())
	}
	b = buf.Bytes()
	return b[:len(b)-1] // the encoder's line break
}

const hexDigits = "0123456789abcdef"

// appendString appends s as a JSON string. Bytes that are not UTF-8 become U+FFFD.
func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= utf8.RuneSelf {
			r, n := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && n == 1 {
				b = append(append(b, s[start:i]...), `\ufffd`...)
				start = i + 1
			}
			i += n
			continue
		}
		if c >= ' ' && c != '"' && c != '\\' {
			i++
			continue
		}
		b = append(b, s[start:i]...)
		switch c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\n':
			b = append(b, '\\', 'n')
		default:
			b = append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		}
		i++
		start = i
	}
	return append(append(b, s[start:]...), '"')
}

// appendStringOrNull appends s, or null when it is empty.
func appendStringOrNull(b []byte, s string) []byte {
	if s == "" {
		return append(b, "null"...)
	}
	return appendString(b, s)
}

// appendTimeOrNull appends t as the wire has times, or null when it is unset.
func appendTimeOrNull(b []byte, t time.Time) []byte {
	if t.IsZero() {
		return append(b, "null"...)
	}
	b = append(b, '"')
	b = shoal.AppendTime(b, t)
	return append(b, '"')
}

// appendCredits appends c in credits, exactly.
func appendCredits(b []byte, c shoal.Credits) []byte {
	if c%1e6 == 0 {
		return strconv.AppendInt(b, int64(c/1e6), 10)
	}
	return strconv.AppendFloat(b, c.Float(), 'f', -1, 64)
}

// appendSeconds appends d in seconds, to the microsecond.
func appendSeconds(b []byte, d time.Duration) []byte {
	return strconv.AppendFloat(b, float64(d.Microseconds())/1e6, 'f', -1, 64)
}

// stamp is a time on the wire: null when unset.
type stamp time.Time

// MarshalJSON implements json.Marshaler.
func (t stamp) MarshalJSON() ([]byte, error) {
	return appendTimeOrNull(nil, time.Time(t)), nil
}

// orNull is a string on the wire that is null when it is empty.
type orNull string

// MarshalJSON implements json.Marshaler.
func (s orNull) MarshalJSON() ([]byte, error) {
	return appendStringOrNull(nil, string(s)), nil
}

// credits are credits on the wire.
type credits shoal.Credits

// MarshalJSON implements json.Marshaler.
func (c credits) MarshalJSON() ([]byte, error) {
	return appendCredits(nil, shoal.Credits(c)), nil
}

// wholeCredits returns c as the integer that balances show: what is used is
// rounded up, so that nothing used looks unused.
func wholeCredits(c shoal.Credits) int64 {
	return int64(math.Ceil(c.Float()))
}
