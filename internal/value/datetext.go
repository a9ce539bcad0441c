package value

import (
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// maxDateText is how many bytes of a text are looked through for a date.
const maxDateText = 400

// tokens of a text: numbers, words and single signs; blanks only set spaced.
type token struct {
	word   string // lower case; of a sign the sign itself
	num    int    // of a number
	digits int    // how many digits it has; 0: no number
	spaced bool   // blanks stand before it
	used   bool   // it is part of the date
}

// dateParser puts a date together from tokens.
type dateParser struct {
	o                    DateOptions
	toks                 []token
	year, month, day     int
	hour, min, sec, nano int
	timed, zoned         bool
	offset               int  // minutes
	ambiguous            bool // a numeric date that may be two
}

func textDate(s string, o DateOptions) (t time.Time, dateOnly, ok bool) {
	p := dateParser{o: o, toks: lex(s)}
	if p.numeric() || !p.ambiguous && (p.named() || p.eastern() || p.monthYear()) {
		p.clock()
		return p.result()
	}
	if p.ambiguous || o.Ref.IsZero() {
		return t, false, false
	}
	return p.relative()
}

// result makes the time of what was read.
func (p *dateParser) result() (t time.Time, dateOnly, ok bool) {
	if p.year >= 2443 && p.year <= 2643 {
		p.year -= 543 // the Buddhist era, as in Thailand
	}
	if !validDay(p.year, p.month, p.day) || p.year < 1 {
		return t, false, false
	}
	switch {
	case !p.timed:
		return time.Date(p.year, time.Month(p.month), p.day, 0, 0, 0, 0, time.UTC), true, true
	case p.zoned || p.o.Zone == nil:
		t = time.Date(p.year, time.Month(p.month), p.day, p.hour, p.min, p.sec, p.nano, time.UTC)
		return t.Add(-time.Duration(p.offset) * time.Minute), false, true
	}
	return time.Date(p.year, time.Month(p.month), p.day, p.hour, p.min, p.sec, p.nano, p.o.Zone).UTC(), false, true
}

// lex cuts a text into tokens.
func lex(s string) []token {
	toks := make([]token, 0, 24)
	spaced := false
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case isSpace(r):
			spaced = true
			i += size
			continue
		case digit(r) >= 0:
			digits, end := appendDigits(make([]byte, 0, 8), s, i)
			tok := token{digits: len(digits), spaced: spaced}
			for _, d := range digits[:min(len(digits), 9)] {
				tok.num = tok.num*10 + int(d-'0')
			}
			toks = append(toks, tok)
			i = end
		case unspaced(r):
			n := dictionary(s[i:])
			toks = append(toks, token{word: s[i : i+max(n, size)], spaced: spaced})
			i += max(n, size)
		case unicode.IsLetter(r):
			end := i + size
			for end < len(s) {
				r, size := utf8.DecodeRuneInString(s[end:])
				if !unicode.IsLetter(r) && !unicode.IsMark(r) || unspaced(r) {
					break
				}
				end += size
			}
			toks = append(toks, token{word: strings.ToLower(s[i:end]), spaced: spaced})
			i = end
		default:
			toks = append(toks, token{word: s[i : i+size], spaced: spaced})
			i += size
		}
		spaced = false
	}
	return toks
}

// unspaced reports whether r is of a script that sets no blanks between words.
func unspaced(r rune) bool {
	return r >= 0x0e00 && r <= 0x0e7f || r >= 0x1100 && ideograph(r)
}

// dictionary returns the length of the longest known word that s begins with,
// in a script without blanks.
func dictionary(s string) int {
	w := words()
	best := 0
	for i, n := 0, 0; i < len(s) && n < 10; n++ {
		_, size := utf8.DecodeRuneInString(s[i:])
		i += size
		if w.unspaced[s[:i]] {
			best = i
		}
	}
	return best
}

func (p *dateParser) at(i int) token {
	if i < 0 || i >= len(p.toks) {
		return token{}
	}
	return p.toks[i]
}

func (p *dateParser) use(from, to int) {
	for i := from; i <= to && i < len(p.toks); i++ {
		p.toks[i].used = true
	}
}
