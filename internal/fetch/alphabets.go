package fetch

import (
	"strings"
	"sync"
	"unicode"

	"golang.org/x/text/encoding/charmap"
)

// alphabet is a language as one-byte encodings write it.
type alphabet struct {
	language string
	// letters beyond ASCII in lower case, the most frequent first.
	letters string
	latin   bool
	worth   [256]letter
}

// letter is what a byte beyond ASCII is worth in a text of the language.
type letter struct {
	worth int8 // of ten; below zero: no character at all
	upper bool
	sign  bool // punctuation: not within a word
}

// writings lists which languages are written in which encodings; of equals the
// first is taken. One language has an encoding to itself only where its letters
// show it.
var writings = []struct {
	charsets  []string
	languages [][2]string
}{
	{[]string{"windows-1252", "macintosh"}, [][2]string{
		{"de", "üäöß"}, {"fr", "éèàêçùâîôûëïœæ"}, {"es", "óíáéñúü"}, {"pt", "ãçéáíóêúõâàô"}, {"it", "àèùìòé"},
		{"", "éüäößèáóíàçêúñøåãôâæîëïùœìò"}, {"sv fi et", "äöåõü"}, {"da no nb", "øåæéö"}, {"is", "íáðéþóöýúæ"}, {"nl", "ëéïèö"}, {"ca", "àèéòóíúçïü"},
	}},
	{[]string{"windows-1251", "koi8-r", "ibm866", "iso-8859-5", "x-mac-cyrillic"}, [][2]string{
		{"ru", "оеаинтсрвлкмдпуяыьгзбчйхжшюцщэфъё"}, {"bg", "аоеинтрсвлкдпмъзубгщчцяхжшйфюь"},
	}},
	{[]string{"windows-1251", "koi8-u"}, [][2]string{{"uk", "оанивітреслкдумпьязбгйчхжцшюєїщфґ"}}},
	{[]string{"windows-1251"}, [][2]string{
		{"sr mk", "аоиенрсјтукдвлпмгзбчћшжцљњхџђфѓќѕ"}, {"be", "аніеырстлкоўдзвпмугбяцьйчжшхэёфю"},
	}},
	{[]string{"windows-1253", "iso-8859-7"}, [][2]string{{"el", "αοιετσνηυρπκμλςγδάίόέήύώωθχφβξζψϊϋΐΰ"}}},
	{[]string{"windows-1250", "iso-8859-2"}, [][2]string{
		{"pl", "ąęłóśżćńź"}, {"cs", "íáéěýčřžšůúňóďť"}, {"sk", "áéíčžšýúľôťňäďóĺŕ"}, {"hu", "áéöóőíüúű"}, {"ro", "ăîâşţ"}, {"hr sl bs", "čšžćđ"},
	}},
	{[]string{"windows-1254"}, [][2]string{{"tr az", "ıüşğçöİâîû"}}},
	{[]string{"windows-1257"}, [][2]string{{"lt", "ėšžųčįąūę"}, {"lv", "āīēšūņļžčķģ"}}},
	{[]string{"windows-1255"}, [][2]string{{"he", "יוהלארתבםשמןנדכעקפחצגטסזךףץ"}}},
	{[]string{"windows-1256", "iso-8859-6"}, [][2]string{{"ar fa ur", "اليمنتروبعدهسفكقةحجشصطخضذثزغأىإؤئءآظپچژگ"}}},
	{[]string{"windows-874"}, [][2]string{{"th", "านรกอเงมยลวดทสตะปบคหแจพชขใไผโถศซธณภษฐญฝฟฉฆฎฏฑฒฌฬฮฤๆฯ่้ิีั็์ุูึืำ"}}},
	{[]string{"windows-1258"}, [][2]string{{"vi", "đưôơâêăàáéèóòúùíìýãõ\u0301\u0300\u0309\u0303\u0323"}}},
}

var charmaps = map[string]*charmap.Charmap{
	"windows-1250": charmap.Windows1250, "windows-1251": charmap.Windows1251, "windows-1252": charmap.Windows1252,
	"windows-1253": charmap.Windows1253, "windows-1254": charmap.Windows1254, "windows-1255": charmap.Windows1255,
	"windows-1256": charmap.Windows1256, "windows-1257": charmap.Windows1257, "windows-1258": charmap.Windows1258,
	"windows-874": charmap.Windows874, "koi8-r": charmap.KOI8R, "koi8-u": charmap.KOI8U, "ibm866": charmap.CodePage866,
	"iso-8859-2": charmap.ISO8859_2, "iso-8859-5": charmap.ISO8859_5, "iso-8859-6": charmap.ISO8859_6, "iso-8859-7": charmap.ISO8859_7,
	"x-mac-cyrillic": charmap.MacintoshCyrillic, "macintosh": charmap.Macintosh,
}

// encodingNames are the encodings that are guessed, in the order in which equals
// are preferred.
var encodingNames = []string{
	"shift_jis", "euc-jp", "gbk", "big5", "euc-kr",
	"windows-1251", "windows-1250", "windows-1253", "windows-1254", "windows-1255", "windows-1256", "windows-1257", "windows-1258", "windows-874",
	"koi8-r", "koi8-u", "iso-8859-2", "iso-8859-7", "iso-8859-6", "iso-8859-5", "ibm866", "x-mac-cyrillic", "macintosh",
}

// usualEncodings is how many of them, from the first, are found often.
const usualEncodings = 14

// alphabetsOf gives the alphabets by the encoding's name, made when first needed:
// most sites are in UTF-8.
var alphabetsOf = sync.OnceValue(func() map[string][]*alphabet {
	all := map[string][]*alphabet{}
	for _, w := range writings {
		for _, name := range w.charsets {
			for _, l := range w.languages {
				all[name] = append(all[name], newAlphabet(l[0], l[1], charmaps[name]))
			}
		}
	}
	return all
})

// signs are the punctuation that every language has.
const signs = "\u00a0«»„“”‘‚‹›–—…•©®™°§№€£²³ª¿¡\u200e\u200f،؛؟"

func newAlphabet(language, letters string, c *charmap.Charmap) *alphabet {
	runes := []rune(letters)
	a := &alphabet{language: language, letters: letters, latin: unicode.Is(unicode.Latin, runes[0])}
	for b := 0x80; b < 0x100; b++ {
		r := c.DecodeByte(byte(b))
		lower := unicode.ToLower(r)
		l := letter{upper: lower != r}
		switch i := strings.IndexRune(letters, lower); {
		case r == unicode.ReplacementChar || r >= 0x80 && r < 0xa0:
			l.worth = -10
		case i >= 0:
			l.worth = [3]int8{10, 9, 6}[3*len([]rune(letters[:i]))/len(runes)]
		case r == '’' || r == '·' || r == '\u00ad':
			l.worth = 6 // within words, too
		case strings.ContainsRune(signs, r):
			l.worth, l.sign = 6, true
		}
		a.worth[b] = l
	}
	return a
}

// score is the mean worth of the characters beyond ASCII. Worth nothing are
// capitals within a word of small letters, signs within a word, and letters of
// another script beside Latin ones: something else is meant. Letters that stand
// alone are mostly signs of another encoding.
func (a *alphabet) score(sample []byte) (float64, int) {
	sum, chars := 0, 0
	var lower, inWord, latin bool // the character before
	for i, b := range sample {
		if b < 0x80 {
			lower = b >= 'a' && b <= 'z'
			latin = lower || b >= 'A' && b <= 'Z'
			inWord = latin
			continue
		}
		l := a.worth[b]
		chars++
		next := byte(0)
		if i+1 < len(sample) {
			next = sample[i+1]
		}
		switch {
		case l.sign && inWord && a.isLetter(next):
		case l.upper && lower:
		case !l.sign && !a.latin && (latin || isLatin(next)):
		case !l.sign && !inWord && !a.isLetter(next):
			sum += int(l.worth) / 3
		case l.upper && inWord:
			sum += int(l.worth) * 4 / 5
		default:
			sum += int(l.worth)
		}
		inWord, latin = l.worth > 0 && !l.sign, false
		lower = inWord && !l.upper
	}
	if chars == 0 {
		return 0, 0
	}
	return float64(sum) / float64(10*chars), chars
}

func (a *alphabet) isLetter(b byte) bool {
	return isLatin(b) || b >= 0x80 && !a.worth[b].sign && a.worth[b].worth > 0
}

func isLatin(b byte) bool { return b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' }
