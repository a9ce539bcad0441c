package value

import (
	_ "embed"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// countriesText has a line for each country of ISO 3166-1: alpha-2, alpha-3
// and its names in 35 languages (Unicode CLDR), set apart by tabs. gen makes it.
//
//go:embed countries.txt
var countriesText string

// countryAliasList are names that the CLDR does not list, by code.
const countryAliasList = `US|usa|us|u.s.|united states of america|america|the states|united states (usa)|ee.uu.|eeuu|ee uu|estados unidos de américa|etats-unis d'amérique|vereinigte staaten von amerika|stati uniti d'america|estados unidos da américa|eua|соединенные штаты америки|сша
GB|uk|u.k.|great britain|britain|england|scotland|wales|northern ireland|großbritannien|grande-bretagne|angleterre|gran bretaña|inglaterra|inghilterra|gran bretagna|grã-bretanha|engeland|groot-brittannië|anglia|англия|storbritannien|storbritannia|イギリス|united kingdom of great britain and northern ireland
NL|holland|netherland|hollande|holanda|olanda|holandia|голландия|オランダ|the netherlands
DE|brd|bundesrepublik deutschland|federal republic of germany
KR|korea|republic of korea|korea, republic of|korea republic|korea (south)|korea south|rok|대한민국|한국|corea|corée|korea (republic of)
KP|democratic people's republic of korea|dprk|korea, democratic people's republic of|korea (north)|korea north
CN|people's republic of china|prc|mainland china|china mainland|p.r. china|pr china|p.r.china|中华人民共和国
TW|taiwan, province of china|taiwan province of china|r.o.c.|republic of china|chinese taipei
HK|hong kong|hongkong|hong kong, china|hong kong sar
MO|macau|macao
RU|russian federation|рф|российская федерация
CZ|czech republic|česká republika|tschechische republik
SK|slovak republic
MK|macedonia|fyrom|republic of macedonia
CI|ivory coast|cote d'ivoire
CD|dr congo|drc|congo-kinshasa|congo kinshasa|democratic republic of the congo|democratic republic of congo|congo, democratic republic of the|congo, the democratic republic of the|zaire
CG|republic of the congo|congo-brazzaville|congo brazzaville|congo
TZ|tanzania, united republic of|united republic of tanzania
VN|viet nam|vietnam
LA|lao people's democratic republic|lao pdr|lao
IR|iran, islamic republic of|persia
SY|syrian arab republic
MD|moldova, republic of
VE|venezuela, bolivarian republic of
BO|bolivia, plurinational state of
BN|brunei darussalam
MM|burma|myanmar
SZ|swaziland
CV|cape verde
TL|east timor|timor leste
TR|turkey|türkiye|turkiye
AE|uae|u.a.e.|emirates
SA|ksa
VA|vatican|holy see|holy see (vatican city state)
PS|palestine|state of palestine|palestine, state of|palestinian territory|palestinian territory, occupied
FK|falkland islands (malvinas)
FM|micronesia, federated states of|federated states of micronesia
IE|republic of ireland|eire
GR|hellas|hellenic republic
CH|swiss|confoederatio helvetica
AT|oesterreich
IN|bharat
XK|kosovo
LK|ceylon
BA|bosnia|bosnia and herzegovina|bosnia herzegovina
KN|st kitts and nevis|saint kitts and nevis
LC|saint lucia
VC|saint vincent and the grenadines|st vincent
ST|sao tome and principe|sao tome
GM|the gambia
BS|the bahamas
CF|central african republic
ZA|rsa
LY|libyan arab jamahiriya
VG|british virgin islands|virgin islands, british
VI|us virgin islands|virgin islands, u.s.
SH|saint helena
BL|saint barthelemy
MF|saint martin
RE|reunion
CW|curacao
AX|aland islands`

// Country returns the ISO 3166-1 alpha-2 code of the country that s names: by
// its name in one of some 35 languages, with or without accents, by a common
// other name (USA, U.K., Holland), by its alpha-2 or alpha-3 code or its flag.
// Of "Berlin, Germany" and "Germany (DE)" it is the country's part that counts.
func Country(s string) (alpha2 string, ok bool) {
	s = strings.TrimSpace(clipTo(s, 300))
	if code, ok := flag(s); ok {
		return code, true
	}
	t := countryTable()
	if code, ok := t.find(s); ok {
		return code, true
	}
	if i := strings.IndexAny(s, "([/"); i > 0 {
		if code, ok := t.find(s[:i]); ok {
			return code, true
		}
		if code, ok := t.find(strings.Trim(s[i:], "()[]/ ")); ok {
			return code, true
		}
	}
	if i := strings.LastIndexAny(s, ",|·\n"); i >= 0 {
		_, size := utf8.DecodeRuneInString(s[i:])
		return t.find(s[i+size:])
	}
	return "", false
}

// countryNames finds codes by what countryKey makes of a name.
type countryNames map[string]string

var countryTable = sync.OnceValue(func() countryNames {
	t := make(countryNames, 7000)
	lines := strings.Split(strings.TrimSpace(countriesText), "\n")
	for _, line := range lines {
		f := strings.SplitN(line, "\t", 3)
		t[strings.ToLower(f[0])], t[strings.ToLower(f[1])] = f[0], f[0]
	}
	for _, line := range lines {
		code, rest, _ := strings.Cut(line, "\t")
		for name := range strings.SplitSeq(rest, "\t") {
			enter(t, countryKey(name), code)
		}
	}
	// Without accents only where no other name is meant: Áo is no AO.
	for _, line := range lines {
		code, rest, _ := strings.Cut(line, "\t")
		for name := range strings.SplitSeq(rest, "\t") {
			if key := countryKey(fold(name)); len(key) > 3 {
				enter(t, key, code)
			}
		}
	}
	for line := range strings.SplitSeq(countryAliasList, "\n") {
		code, rest, _ := strings.Cut(line, "|")
		for name := range strings.SplitSeq(rest, "|") {
			t[countryKey(name)] = code
			enter(t, countryKey(fold(name)), code)
		}
	}
	return t
})

// countryTitles stand before a name and say nothing.
var countryTitles = []string{"the ", "republic of ", "federal republic of ", "kingdom of ", "state of ", "federation of ", "commonwealth of ", "principality of ", "sultanate of ", "grand duchy of ", "people s republic of ", "islamic republic of ", "la ", "el ", "le ", "l ", "les "}

func (t countryNames) find(s string) (string, bool) {
	key := countryKey(s)
	if key == "" {
		return "", false
	}
	if code, ok := t[key]; ok {
		return code, true
	}
	if key = countryKey(fold(s)); len(key) <= 3 {
		return "", false
	}
	if code, ok := t[key]; ok {
		return code, true
	}
	for range 2 {
		for _, title := range countryTitles {
			if rest, cut := strings.CutPrefix(key, title); cut {
				if code, ok := t[rest]; ok && len(rest) > 3 {
					return code, true
				}
				key = rest
				break
			}
		}
	}
	return "", false
}

// countryKey is a name in lower case, its words set apart by one blank each.
// Full stops within (U.S.A.) go.
func countryKey(s string) string {
	var b strings.Builder
	gap := false
	for _, r := range norm.NFC.String(strings.ToLower(s)) {
		switch {
		case unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r):
			if gap && b.Len() > 0 {
				b.WriteByte(' ')
			}
			gap = false
			b.WriteRune(r)
		case r == '.' || r == '&':
			gap = gap || r == '&'
		default:
			gap = true
		}
	}
	return b.String()
}

// flag reads a flag's emoji: two regional indicators.
func flag(s string) (string, bool) {
	var code []byte
	for _, r := range s {
		if r < 0x1f1e6 || r > 0x1f1ff || len(code) == 2 {
			break
		}
		code = append(code, byte('A'+r-0x1f1e6))
	}
	if len(code) != 2 {
		return "", false
	}
	return countryTable().find(string(code))
}
