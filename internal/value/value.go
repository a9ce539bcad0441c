// Package value reads typed values from the texts of real pages: numbers,
// money, dates, email addresses, phone numbers, countries. Every function is
// pure, works in time linear in its input, never panics, and says with a
// boolean whether the text holds such a value. Where a text can be read in
// more than one way, a rule stated at the function decides or refuses.
//
// The package costs nothing until it is used: its tables are built at the
// first call that needs them. All functions are safe for concurrent use.
package value

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Bool reads a yes or a no: true, yes, on, 1, ✓ and the words of some twenty
// languages, whatever their case.
func Bool(s string) (b, ok bool) {
	s = strings.Trim(strings.TrimSpace(s), ".!")
	s = strings.TrimPrefix(strings.TrimPrefix(s, "https://schema.org/"), "http://schema.org/")
	switch strings.ToLower(s) {
	case "true", "yes", "1", "on", "y", "t", "✓", "✔", "✔️", "☑", "☑️", "✅", "enabled", "wahr", "ja", "oui", "vrai", "sí", "sì", "sim", "da",
		"да", "tak", "ano", "áno", "kyllä", "evet", "igen", "ναι", "так", "はい", "有", "是", "예", "네", "نعم", "כן", "हाँ":
		return true, true
	case "false", "no", "0", "off", "n", "f", "✗", "✘", "✖", "✖️", "☐", "☒", "❌", "disabled", "falsch", "nein", "non", "faux", "não", "nu",
		"нет", "nie", "ne", "ei", "hayır", "nem", "όχι", "ні", "nee", "nej", "nei", "いいえ", "無", "无", "否", "아니요", "아니오", "لا", "לא", "नहीं":
		return false, true
	}
	return false, false
}

// digit returns the value of a decimal digit of any script, -1 for others.
func digit(r rune) int {
	if r < utf8.RuneSelf {
		if r >= '0' && r <= '9' {
			return int(r - '0')
		}
		return -1
	}
	for _, x := range unicode.Nd.R16 {
		if r < rune(x.Lo) {
			return -1
		}
		if r <= rune(x.Hi) {
			return int(r-rune(x.Lo)) % 10
		}
	}
	return -1
}

// isSpace reports whether r separates words, or is invisible.
func isSpace(r rune) bool {
	return r == ' ' || unicode.IsSpace(r) || r == '\u200b' || r == '\u200e' || r == '\u200f' || r == '\u2060' || r == '\ufeff'
}

// skipSpace returns the first position from i on that is no space.
func skipSpace(s string, i int) int {
	for i < len(s) {
		r, size := utf8.DecodeRuneInString(s[i:])
		if !isSpace(r) {
			break
		}
		i += size
	}
	return i
}

// backSpace returns the end of what stands before the spaces that end at i.
func backSpace(s string, i int) int {
	for i > 0 {
		r, size := utf8.DecodeLastRuneInString(s[:i])
		if !isSpace(r) {
			break
		}
		i -= size
	}
	return i
}

// before and after return the character at the edge of a piece of s, 0 at the
// text's end.
func before(s string, i int) rune {
	if i <= 0 {
		return 0
	}
	r, _ := utf8.DecodeLastRuneInString(s[:i])
	return r
}

func after(s string, i int) rune {
	if i >= len(s) {
		return 0
	}
	r, _ := utf8.DecodeRuneInString(s[i:])
	return r
}

func isWord(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }
