package value

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Amount is a sum of money.
type Amount struct {
	Value float64
	// Currency is the ISO 4217 code; empty when the text names no currency or
	// one that several countries call so, such as kr.
	Currency string
}

// Money reads the first amount of s that stands at a currency's symbol, code
// or name, on either side; of a range the first one. Without a currency the
// first number is the amount. A text without digits ("free") is none.
//
// Numbers are read as Number does, but a single full stop before exactly three
// digits groups too (1.234 € is more than a thousand), unless the currency has
// three decimals, as dinars have. Amounts in parentheses are negative. $ alone
// is USD, ¥ alone JPY, £ GBP and Rs INR; an ISO code beside the symbol decides.
func Money(s string) (Amount, bool) {
	var first, ranged numeral
	for from, count := 0, 0; count < 200; count++ {
		n, ok := nextNumeral(s, from)
		if !ok {
			break
		}
		n.spacedCents(s)
		from = n.end
		if first.digits == nil {
			first = n
		}
		m, found := marked(s, &n)
		if !found {
			if isRange(s, n.end) {
				ranged = n
			} else {
				ranged.digits = nil
			}
			continue
		}
		if ranged.digits != nil && m.from >= ranged.end {
			ranged.share(&n)
			n = ranged
		} else if isRange(s, n.end) {
			if to, ok := nextNumeral(s, n.end); ok {
				n.share(&to)
			}
		}
		return amount(s, n, m)
	}
	if first.digits == nil {
		return Amount{}, false
	}
	m := marker{from: first.start, to: first.end}
	if after(s, skipSpace(s, first.end)) == '¢' || pence(s, &first) {
		first.cents()
	}
	m.code = soleCurrency(s)
	return amount(s, first, m)
}

// Currency reads the ISO 4217 code of the currency that s names: a code, a
// symbol, a name, or the one of an amount. ok is false when s names none or an
// ambiguous one.
func Currency(s string) (string, bool) {
	s = strings.TrimSpace(s)
	if code, ok := currencyOf(s); ok && code != "" {
		return code, true
	}
	if code, ok := currencyOf(strings.ToUpper(s)); ok && code != "" && len(s) == 3 {
		return code, true
	}
	if a, ok := Money(s); ok && a.Currency != "" {
		return a.Currency, true
	}
	code := soleCurrency(s)
	return code, code != ""
}

// marker is a currency's sign beside a number, and the piece of text that both
// take.
type marker struct {
	code     string
	from, to int
}

func amount(s string, n numeral, m marker) (Amount, bool) {
	group := n.sep == ',' || n.sep == '.'
	if n.lone && threeDecimals(m.code) && n.sep == '.' {
		group = false
	}
	if m.code == "INR" && n.exp == 0 {
		if rest := strings.ToLower(strings.TrimSpace(clipTo(s[n.end:], 6))); rest == "cr" || strings.HasPrefix(rest, "cr.") || strings.HasPrefix(rest, "cr ") {
			n.exp = 7
		}
	}
	f, ok := n.float(group)
	if !ok {
		return Amount{}, false
	}
	if !n.neg && negated(s, m) {
		f = -f
	}
	return Amount{f, m.code}, true
}

func threeDecimals(code string) bool {
	switch code {
	case "BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND":
		return true
	}
	return false
}

// negated reports whether the whole text is an amount in parentheses, or a
// minus stands before the symbol.
func negated(s string, m marker) bool {
	from, to := backSpace(s, m.from), skipSpace(s, m.to)
	switch before(s, from) {
	case '(':
		return strings.TrimSpace(s[:from]) == "(" && strings.TrimSpace(s[to:]) == ")"
	case '-', '−':
		at := strings.TrimSpace(s[:from])
		return at == "-" || at == "−" || from == m.from && !isWord(before(s, backSpace(s, from-1)))
	}
	return false
}

// marked finds the currency at the number n; n takes the cents that stand
// behind the symbol (5€99).
func marked(s string, n *numeral) (marker, bool) {
	m := marker{from: n.start, to: n.end}
	leftCode, leftFrom, left := markerBefore(s, n.start)
	if left {
		m.code, m.from = leftCode, leftFrom
		if s[leftFrom] == '$' { // AU $5
			if code, from, ok := dollarOf(s, leftFrom); ok {
				m.code, m.from = code, from
			}
		}
		// A code may stand before the symbol: CAD $5.
		if code, from, ok := markerBefore(s, leftFrom); ok && code != "" && (leftCode == "" || isCode(s[from:leftFrom])) {
			m.code, m.from = code, from
		}
	}
	if left && n.exp == 0 && n.end < len(s) && strings.IndexByte("mbt", s[n.end]) >= 0 && !isWord(after(s, n.end+1)) {
		n.exp = map[byte]int{'m': 6, 'b': 9, 't': 12}[s[n.end]]
		n.end++
		m.to = n.end
	}
	code, to, right := markerAfter(s, n.end)
	if !right {
		return m, left
	}
	if !left {
		m.code = code
	} else if m.code == "" || code != "" && isCode(s[n.end:to]) {
		m.code = code
	}
	m.to = to
	if !left && len(n.digits) == n.point && n.exp == 0 {
		m.to = n.trailingCents(s, to)
	}
	// A second name behind the symbol: 5 $ CAD.
	if code, end, ok := markerAfter(s, to); ok && code != "" && isCode(s[to:end]) {
		m.code, m.to = code, end
	}
	return m, true
}

// dollarOf reads the letters that stand apart before a dollar sign.
func dollarOf(s string, i int) (code string, from int, ok bool) {
	end := backSpace(s, i)
	from = end
	for from > 0 && end-from < 4 && s[from-1] >= 'A' && s[from-1] <= 'Z' {
		from--
	}
	if from == end || isWord(before(s, from)) {
		return "", i, false
	}
	code, ok = currencyOf(s[from:end] + "$")
	return code, from, ok
}

// isCode reports whether the piece is an ISO code and nothing else.
func isCode(piece string) bool {
	piece = strings.TrimSpace(piece)
	return len(piece) == 3 && piece[0] >= 'A' && piece[0] <= 'Z'
}

// trailingCents takes the 99 of 5€99; it returns where the amount ends.
func (n *numeral) trailingCents(s string, at int) int {
	more, end := appendDigits(nil, s, at)
	if len(more) != 2 || isWord(after(s, end)) || separator(after(s, end)) != sepNone && digit(after(s, end+1)) >= 0 || before(s, at) == ' ' {
		return at
	}
	n.digits = append(n.digits[:len(n.digits):len(n.digits)], more...)
	n.end = end
	return end
}

// spacedCents takes the cents of "19 ,99": markup often stands between.
func (n *numeral) spacedCents(s string) {
	if n.point != len(n.digits) || n.exp != 0 || n.end >= len(s) {
		return
	}
	at := skipSpace(s, n.end)
	if at == n.end || at >= len(s) || s[at] != ',' && s[at] != '.' {
		return
	}
	more, end := appendDigits(nil, s, skipSpace(s, at+1))
	if len(more) != 2 || isWord(after(s, end)) {
		return
	}
	n.digits = append(n.digits[:len(n.digits):len(n.digits)], more...)
	n.end = end
}

// pence reports whether the text is a number of pence.
func pence(s string, n *numeral) bool {
	return strings.TrimSpace(s[:n.start]) == "" && n.exp == 0 && strings.TrimSpace(s[n.end:]) == "p"
}

// share gives the first number of a range the multiplier of its last one: the
// 60 of 60-80k.
func (n *numeral) share(to *numeral) {
	if n.exp == 0 && to.exp > 0 && n.point <= 3 {
		n.exp = to.exp
	}
}

// cents divides by a hundred.
func (n *numeral) cents() { n.exp -= 2 }

// isRange reports whether a dash or a word for "to" and another number follow.
func isRange(s string, at int) bool {
	at = skipSpace(s, at)
	end := at
	for end < len(s) && end < at+12 {
		r, size := utf8.DecodeRuneInString(s[end:])
		if isSpace(r) || digit(r) >= 0 {
			break
		}
		end += size
	}
	switch strings.ToLower(s[at:end]) {
	case "-", "–", "—", "‐", "‑", "~", "〜", "～", "−", "to", "bis", "à", "a", "до", "do", "til", "till", "tot", "al", "até", "hasta", "...", "…", "/":
		return digit(after(s, skipSpace(s, end))) >= 0
	}
	return false
}

// maxMarker is the length in bytes of the longest sign that is looked for.
const maxMarker = 28

// markerBefore finds the longest currency sign that ends before position i.
func markerBefore(s string, i int) (code string, from int, ok bool) {
	end := backSpace(s, i)
	if r := before(s, end); r == ':' || r == '-' || r == '−' {
		// "EUR: 5" and "$-5"
		_, size := utf8.DecodeLastRuneInString(s[:end])
		end = backSpace(s, end-size)
	}
	for from := max(0, end-maxMarker); from < end; from++ {
		if !utf8.RuneStart(s[from]) {
			continue
		}
		first := after(s, from)
		if isSpace(first) || digit(first) >= 0 || unicode.IsLetter(first) && unicode.IsLetter(before(s, from)) {
			continue
		}
		if code, ok := currencyOf(s[from:end]); ok && !rightOnly(s[from:end]) {
			return code, from, true
		}
	}
	return "", i, false
}

// markerAfter finds the longest currency sign that begins after position i.
func markerAfter(s string, i int) (code string, to int, ok bool) {
	at := skipSpace(s, i)
	// 5,- € and 49:- kr: a dash for the cents.
	if rest := strings.TrimLeft(s[at:], ".,:"); len(s[at:])-len(rest) <= 1 {
		if cut := strings.TrimLeft(rest, "-–—"); len(rest)-len(cut) > 0 && len(rest)-len(cut) <= 6 && (len(s[at:]) != len(rest)) {
			at = skipSpace(s, len(s)-len(cut))
		}
	}
	for to := min(len(s), at+maxMarker); to > at; to-- {
		if to < len(s) && !utf8.RuneStart(s[to]) {
			continue
		}
		last := before(s, to)
		if isSpace(last) || unicode.IsLetter(last) && unicode.IsLetter(after(s, to)) && !ideograph(last) {
			continue
		}
		if code, ok := currencyOf(s[at:to]); ok && !leftOnly(s[at:to]) {
			return code, to, true
		}
	}
	return "", i, false
}

// ideograph reports whether words of r's script are not set apart by blanks.
func ideograph(r rune) bool {
	return unicode.In(r, unicode.Han, unicode.Hangul, unicode.Hiragana, unicode.Katakana, unicode.Thai)
}

// soleCurrency returns the currency that is named anywhere in a text's first
// part, if it is only one.
func soleCurrency(s string) string {
	s = clipTo(s, 200)
	sole := ""
	for i := 0; i < len(s); {
		end := i
		for end < len(s) {
			r, size := utf8.DecodeRuneInString(s[end:])
			if isSpace(r) || strings.ContainsRune("()[]:;,/", r) || digit(r) >= 0 {
				break
			}
			end += size
		}
		if code, ok := currencyOf(s[i:end]); ok && end-i <= maxMarker && !leftOnly(s[i:end]) {
			if sole != "" && code != sole {
				return ""
			}
			sole = code
		}
		_, size := utf8.DecodeRuneInString(s[end:])
		i = end + max(1, size)
	}
	return sole
}

// clipTo returns at most n bytes of s, whole characters.
func clipTo(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}
