package value

import (
	"math"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Number reads the first number of s, whatever its digits and separators:
// 1,234.56 · 1.234,56 · 1 234,56 · 1'234.50 · 12,34,567 · −5 · 1.2k · 4,5 Mio.
//
// With two kinds of separators the last one is the decimal point. Several of
// one kind group, if the groups have three digits (or two, before a last one of
// three, as in India). A single separator before exactly three digits groups if
// it is a comma, a blank or an apostrophe, and is the decimal point if it is a
// full stop (Money decides otherwise); before another count of digits it is the
// decimal point. A minus counts as one unless a letter or digit stands right
// before it. k, K, M and B count as multipliers when they follow the digits
// directly or a fraction after a blank; the words and abbreviations for
// thousand, million and so on always do.
func Number(s string) (float64, bool) {
	n, ok := nextNumeral(s, 0)
	if !ok {
		return 0, false
	}
	return n.float(n.sep == ',')
}

// Int reads the first number of s as Number does and drops what stands behind
// the decimal point. Whole numbers are exact up to 64 bits; beyond, ok is false.
func Int(s string) (int64, bool) {
	n, ok := nextNumeral(s, 0)
	if !ok {
		return 0, false
	}
	if n.exp == 0 {
		text := n.whole()
		if n.lone && n.sep == ',' {
			text = string(n.digits)
		}
		if n.neg {
			text = "-" + text
		}
		i, err := strconv.ParseInt(text, 10, 64)
		return i, err == nil
	}
	f, ok := n.float(n.sep == ',')
	if !ok || math.Abs(f) >= 1<<63 {
		return 0, false
	}
	return int64(f), true
}

// Percent reads the number that stands at a percent sign, before it or, as in
// Turkish, behind it; without a sign the first number. A per mille is a tenth.
func Percent(s string) (float64, bool) {
	first := numeral{}
	for from := 0; ; {
		n, ok := nextNumeral(s, from)
		if !ok {
			break
		}
		if first.digits == nil {
			first = n
		}
		f, isNumber := n.float(n.sep == ',')
		if sign := after(s, skipSpace(s, n.end)); isNumber && strings.ContainsRune("%٪％﹪", sign) && sign != 0 {
			return f, true
		} else if isNumber && sign == '‰' {
			return f / 10, true
		}
		if sign := before(s, n.start); isNumber && (sign == '%' || sign == '٪') && !endsNumber(s, n.start-1) {
			return f, true
		}
		from = n.end
	}
	if first.digits == nil {
		return 0, false
	}
	return first.float(first.sep == ',')
}

// endsNumber reports whether a digit stands before position i, blanks left out.
func endsNumber(s string, i int) bool {
	return i > 0 && digit(before(s, backSpace(s, i))) >= 0
}

// numeral is a number found in a text.
type numeral struct {
	start, end int    // where it stands, sign and multiplier included
	neg        bool   //
	digits     []byte // ASCII, the whole part and then the fraction
	point      int    // how many of the digits are the whole part
	lone       bool   // a single separator sep before exactly three digits
	sep        byte   // of a lone separator: '.' or ','
	exp        int    // of the multiplier: 3 for k
}

func (n *numeral) whole() string { return string(n.digits[:n.point]) }

// float returns the number; grouped says that a lone separator groups.
func (n *numeral) float(grouped bool) (float64, bool) {
	var buf [64]byte
	text := buf[:0]
	if n.neg {
		text = append(text, '-')
	}
	if n.lone && grouped || n.point == len(n.digits) {
		text = append(text, n.digits...)
	} else {
		text = append(append(append(text, n.digits[:n.point]...), '.'), n.digits[n.point:]...)
	}
	if n.exp != 0 {
		text = strconv.AppendInt(append(text, 'e'), int64(n.exp), 10)
	}
	f, err := strconv.ParseFloat(string(text), 64)
	return f, err == nil
}

// The separators by what they can be.
const (
	sepNone  = 0
	sepBlank = 's'
	sepQuote = 'q'
	sepGroup = 'g' // groups, never the decimal point
	sepPoint = 'd' // the decimal point, never groups
)

func separator(r rune) byte {
	switch r {
	case '.', '．':
		return '.'
	case ',', '，':
		return ','
	case '\'', '’', '‘', 'ʼ', '´', '`', '＇', '′':
		return sepQuote
	case '٬':
		return sepGroup
	case '٫':
		return sepPoint
	case ' ', '\u00a0', '\u202f', '\u2009', '\u2007', '\u2008', '\u2006', '\u2005', '\u2004', '\t', '\n', '\r':
		return sepBlank
	}
	return sepNone
}

// maxParts is how many groups of digits one number may have.
const maxParts = 12

// nextNumeral finds the first number at or after from.
func nextNumeral(s string, from int) (numeral, bool) {
	i := findDigit(s, from)
	if i < 0 {
		return numeral{}, false
	}
	n := numeral{start: i}
	var buf [32]byte
	var seps [maxParts]byte
	var lens, ends [maxParts + 1]int
	digits := buf[:0]
	digits, ends[0] = appendDigits(digits, s, i)
	lens[0] = len(digits)
	parts := 0
	for parts < maxParts {
		r, size := utf8.DecodeRuneInString(s[ends[parts]:])
		c := separator(r)
		if c == sepNone {
			break
		}
		have := len(digits)
		more, end := appendDigits(digits, s, ends[parts]+size)
		if len(more) == have || c == sepBlank && len(more) != have+3 {
			break
		}
		digits = more
		seps[parts] = c
		parts++
		lens[parts], ends[parts] = len(more)-have, end
	}
	groups, fraction := split(seps[:parts], lens[:parts+1], digits[0])
	used := groups
	n.point = sum(lens[:groups+1])
	if fraction {
		used++
		n.lone = groups == 0 && lens[1] == 3 && lens[0] <= 3 && digits[0] != '0' && (seps[0] == '.' || seps[0] == ',')
		n.sep = seps[groups]
	}
	n.end = ends[used]
	n.digits = digits[:sum(lens[:used+1])]
	n.leadingPoint(s)
	n.exponent(s)
	n.multiplier(s)
	n.sign(s)
	return n, true
}

// split says how many of the leading parts are groups of the whole part and
// whether the next one is the fraction.
func split(seps []byte, lens []int, first byte) (groups int, fraction bool) {
	if len(seps) == 0 {
		return 0, false
	}
	c, run := seps[0], 1
	for run < len(seps) && seps[run] == c {
		run++
	}
	k := run
	for k > 0 && !grouped(lens[:k+1], first) {
		k--
	}
	other := k > 0 && k < len(seps) && (seps[k] == '.' || seps[k] == ',' || seps[k] == sepPoint)
	switch {
	case c == sepPoint:
		return 0, true
	case c == sepBlank || c == sepQuote || c == sepGroup:
		return k, other && c != sepPoint
	case k == run && other: // 1.234,56
		return k, true
	case k > 1: // 1.234.567
		return k, false
	case run == 1: // 12,5 or the lone 1,234
		return 0, true
	case c == '.': // 1.5.2
		return 0, true
	}
	return k, false // 1,2,3
}

// grouped reports whether a number may be grouped so.
func grouped(lens []int, first byte) bool {
	last := len(lens) - 1
	if lens[0] > 3 || first == '0' || lens[last] != 3 {
		return false
	}
	two := last > 1 && lens[1] == 2 && lens[0] <= 2
	for _, n := range lens[1:last] {
		if two && n != 2 || !two && n != 3 {
			return false
		}
	}
	return true
}

func sum(lens []int) (n int) {
	for _, l := range lens {
		n += l
	}
	return n
}

// findDigit returns where the first digit at or after from stands, or -1.
func findDigit(s string, from int) int {
	for i := from; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			if c >= '0' && c <= '9' {
				return i
			}
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		if digit(r) >= 0 {
			return i
		}
		i += size
	}
	return -1
}

// appendDigits appends the digits that begin at i and returns where they end.
func appendDigits(dst []byte, s string, i int) ([]byte, int) {
	for i < len(s) {
		r, size := rune(s[i]), 1
		if r >= utf8.RuneSelf {
			r, size = utf8.DecodeRuneInString(s[i:])
		}
		d := digit(r)
		if d < 0 {
			break
		}
		dst = append(dst, byte('0'+d))
		i += size
	}
	return dst, i
}

// leadingPoint reads the .5 of "$.50".
func (n *numeral) leadingPoint(s string) {
	if n.start == 0 || s[n.start-1] != '.' || n.point != len(n.digits) {
		return
	}
	if r := before(s, n.start-1); isWord(r) || r == '.' || r == '/' || r == ',' {
		return
	}
	n.start--
	n.digits = append([]byte{'0'}, n.digits...)
	n.point = 1
}

// exponent reads the e3 of 1.5e3.
func (n *numeral) exponent(s string) {
	rest := s[n.end:]
	if len(rest) < 2 || rest[0] != 'e' && rest[0] != 'E' {
		return
	}
	i := 1
	if rest[i] == '+' || rest[i] == '-' {
		i++
	}
	j := i
	for j < len(rest) && rest[j] >= '0' && rest[j] <= '9' {
		j++
	}
	if j == i || j-i > 3 || isWord(after(rest, j)) {
		return
	}
	exp, err := strconv.Atoi(rest[1:j])
	if err == nil {
		n.exp, n.end = exp, n.end+j
		n.lone = false
	}
}

// sign looks for a minus before the digits.
func (n *numeral) sign(s string) {
	r, size := utf8.DecodeLastRuneInString(s[:n.start])
	switch r {
	case '-', '−', '－', '﹣', '–', '‐', '‑':
		if isWord(before(s, n.start-size)) {
			return
		}
		n.neg = true
		n.start -= size
	case '+', '＋':
		n.start -= size
	}
}

// multiplier reads a word or letter behind the digits that multiplies them.
func (n *numeral) multiplier(s string) {
	if n.end >= len(s) || n.exp != 0 {
		return
	}
	r, size := utf8.DecodeRuneInString(s[n.end:])
	if r == '.' || r == ',' || r == '%' {
		return
	}
	attached := !isSpace(r)
	from := n.end
	if !attached {
		from += size
	}
	if exp := eastern(after(s, from)); exp != 0 {
		_, size := utf8.DecodeRuneInString(s[from:])
		n.exp, n.end = exp, from+size
		n.myriad(s)
		return
	}
	to := from
	for count := 0; to < len(s) && count < 12; count++ {
		r, size := utf8.DecodeRuneInString(s[to:])
		if !unicode.IsLetter(r) {
			break
		}
		to += size
	}
	if to == from || isWord(after(s, to)) {
		return
	}
	word := s[from:to]
	exp := 0
	if len(word) == 1 {
		if attached || n.point < len(n.digits) && !isWord(after(s, to)) || counted(s, to) {
			exp = letterScale(word[0])
		}
	} else if word != "MIL" && word != "MM" {
		exp = wordScale(strings.ToLower(word))
	}
	if exp == 0 {
		return
	}
	if len(word) > 1 && to < len(s) && s[to] == '.' && to-from <= 12 && abbreviated(word) {
		to++
	}
	n.exp, n.end = exp, to
}

// myriad takes the 2,800 of 1万2,800.
func (n *numeral) myriad(s string) {
	if n.exp != 4 || n.point != len(n.digits) || digit(after(s, n.end)) < 0 {
		return
	}
	rest, ok := nextNumeral(s, n.end)
	if !ok || rest.start != n.end || rest.exp != 0 || len(rest.digits) > 4 || rest.point != len(rest.digits) && !(rest.lone && rest.sep == ',') {
		return
	}
	for range 4 - len(rest.digits) {
		n.digits = append(n.digits, '0')
	}
	n.digits = append(n.digits, rest.digits...)
	n.point, n.exp, n.end = len(n.digits), 0, rest.end
}

// counted reports whether the letter that ends at i is followed by what it
// counts: "12 k vues", "12 M de vues".
func counted(s string, i int) bool {
	rest := s[i:]
	if s[i-1] == 'k' {
		return len(rest) > 1 && isSpace(after(rest, 0)) && unicode.IsLower(after(rest, skipSpace(rest, 0)))
	}
	rest = rest[skipSpace(rest, 0):]
	return strings.HasPrefix(rest, "de ") || strings.HasPrefix(rest, "d'") || strings.HasPrefix(rest, "d’")
}

func abbreviated(word string) bool { return utf8.RuneCountInString(word) <= 5 }

func letterScale(c byte) int {
	switch c {
	case 'k', 'K':
		return 3
	case 'M':
		return 6
	case 'B':
		return 9
	}
	return 0
}

func eastern(r rune) int {
	switch r {
	case '万', '萬', '만':
		return 4
	case '億', '亿', '억':
		return 8
	case '兆':
		return 12
	}
	return 0
}

// wordScale knows the words of the short scale in English and of the long one
// elsewhere; "billion" alone is the English one.
func wordScale(word string) int {
	switch word {
	case "thousand", "tausend", "tsd", "mille", "mil", "tys", "tis", "tusen", "tusind", "tuhat", "duizend", "тыс", "тысяч", "тысячи", "тысяча", "тис", "ezer", "χιλ":
		return 3
	case "lakh", "lakhs", "lac", "lacs", "लाख":
		return 5
	case "million", "millions", "mio", "mln", "mn", "mill", "millionen", "millones", "millón", "milhões", "milhão", "milioni", "milione", "miljoen",
		"miljoner", "miljon", "milj", "millioner", "milionów", "miliony", "milion", "milionů", "млн", "миллионов", "миллиона", "миллион", "miljoonaa", "milyon", "millió", "εκατ":
		return 6
	case "crore", "crores", "करोड़":
		return 7
	case "billion", "billions", "bn", "bln", "milliard", "milliards", "milliarde", "milliarden", "mrd", "mld", "mia", "md", "miliardi", "miliardo", "miljard",
		"miljarder", "milliarder", "miliardów", "miliard", "млрд", "миллиардов", "миллиард", "milyar", "bilhões", "bilhão":
		return 9
	case "trillion", "trillions", "billionen", "billones", "billón", "трлн":
		return 12
	}
	return 0
}
