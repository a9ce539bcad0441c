package fetch

import (
	"slices"
	"strings"
)

// guessed is an encoding and how well the text reads in it.
type guessed struct {
	name  string // as the WHATWG calls it
	score float64
	chars int // characters beyond ASCII that were judged
}

// sure reports whether the guess outweighs what a page says of itself.
func (g guessed) sure(than float64) bool {
	return g.chars >= 8 && g.score >= 0.75 && g.score > than+0.2
}

const (
	// maxSample bounds the text that is judged.
	maxSample = 2 << 10
	// credible is the score with which a page is taken at its word.
	credible = 0.8
	// hintBonus is what a page's language is worth, three times as much where
	// there is little text.
	hintBonus  = 0.15
	littleText = 8
	// fallback is what the web takes text for that says nothing.
	fallback = "windows-1252"
)

// guess finds the encoding in which text that is not UTF-8 reads best, by the
// method that browsers use: which byte sequences are valid, and how common the
// characters are that they stand for. hints are languages that the page is
// likely in, such as "ru" or "zh-tw".
func guess(b []byte, hints []string) guessed {
	s := sample(b)
	best := score(s, fallback, hints)
	if best.chars > 0 && len(hints) == 0 {
		best.score += 0.5 / float64(best.chars) // little text must be clear to be taken for something else
	}
	for i, name := range encodingNames {
		g := score(s, name, hints)
		if g.chars < littleText && i >= usualEncodings {
			g.score -= 0.15 // it must be clear to be taken for something rare
		}
		if g.score > best.score+0.02 {
			best = g
		}
	}
	if best.score < 0.4 {
		best.name = fallback
	}
	return best
}

// judgeEncoding tells how well text reads in a named encoding; known is false for those
// that there is no measure for.
func judgeEncoding(b []byte, name string, hints []string) (g guessed, known bool) {
	if name != fallback && !slices.Contains(encodingNames, name) {
		return guessed{name: name}, false
	}
	return score(sample(b), name, hints), true
}

// sample gathers the words of a text that have bytes beyond ASCII, each ended by
// a zero. Words end at bytes that no encoding uses for the rest of a character,
// so each can be judged alone; markup is mostly left out.
func sample(b []byte) []byte {
	var out []byte
	for len(b) > 0 && len(out) < maxSample {
		var word []byte
		if word, b = nextWord(b); beyondASCII(word) {
			out = append(append(out, word[:min(len(word), maxSample)]...), 0)
		}
	}
	return out
}

// nextWord cuts a text after its first word.
func nextWord(b []byte) (word, rest []byte) {
	for i, c := range b {
		if c < 0x30 || c >= 0x3a && c < 0x40 {
			return b[:i], b[i+1:]
		}
	}
	return b, nil
}

func beyondASCII(b []byte) bool {
	return slices.ContainsFunc(b, func(c byte) bool { return c >= 0x80 })
}

func score(sample []byte, name string, hints []string) guessed {
	best := guessed{name: name}
	try := func(languages string, value float64, chars int) {
		if hinted(languages, hints) {
			value += hintBonus
			if chars < littleText {
				value += 2 * hintBonus
			}
		}
		if value > best.score || best.chars == 0 {
			best.score, best.chars = value, chars
		}
	}
	if m, ok := multibytes[name]; ok {
		value, chars := m.score(sample)
		if value > 0 {
			try(m.languages, value, chars)
		}
		return best
	}
	for _, a := range alphabetsOf()[name] {
		value, chars := a.score(sample)
		try(a.language, value, chars)
	}
	return best
}

func hinted(languages string, hints []string) bool {
	for l := range strings.FieldsSeq(languages) {
		if slices.Contains(hints, l) {
			return true
		}
	}
	return false
}

// kind says how common a character is.
type kind uint8

const (
	broken kind = iota // no character
	rare
	mark   // punctuation and full-width Latin
	common // one of those that a school teaches
	own    // of a script that the language has to itself
)

// multibyte is an encoding of more than one byte for a character.
type multibyte struct {
	languages string
	// next gives the length and kind of the first character of b, which begins
	// beyond ASCII.
	next func(b []byte) (int, kind)
	// share is the least share of the script of its own that text has: below,
	// common characters of another language look like it.
	share float64
}

// score is 0 when the text cannot be in the encoding. Text cut off in the middle
// of a character is forgiven once in fifty.
func (m *multibyte) score(sample []byte) (float64, int) {
	var count [5]int
	chars := 0
	for i := 0; i < len(sample); {
		if sample[i] < 0x80 {
			i++
			continue
		}
		n, k := m.next(sample[i:])
		if k == broken && i+2 >= len(sample) {
			break // cut off at the end
		}
		count[k]++
		chars++
		i += n
	}
	if chars == 0 || count[broken]*50 > chars {
		return 0, chars
	}
	value := float64(count[own]) + 0.92*float64(count[common]) + 0.9*float64(count[mark]) + 0.1*float64(count[rare])
	value /= float64(chars)
	if float64(count[own]) < m.share*float64(chars) {
		value *= 0.7
	}
	if chars == 1 {
		value *= 0.6
	}
	return value, chars
}

var multibytes = map[string]*multibyte{
	"gbk":       {languages: "zh", next: nextGBK},
	"big5":      {languages: "zh-tw", next: nextBig5},
	"euc-kr":    {languages: "ko", next: nextEUCKR, share: 0.8},
	"euc-jp":    {languages: "ja", next: nextEUCJP, share: 0.15},
	"shift_jis": {languages: "ja", next: nextShiftJIS, share: 0.15},
}

func between(c, low, high byte) bool { return c >= low && c <= high }

// second gives the second byte of b, 0 if there is none.
func second(b []byte) byte {
	if len(b) < 2 {
		return 0
	}
	return b[1]
}

// nextGBK reads GB 18030. The rows B0 to D7 hold the 3,755 common characters.
func nextGBK(b []byte) (int, kind) {
	lead, trail := b[0], second(b)
	switch {
	case !between(lead, 0x81, 0xfe):
		return 1, broken
	case between(trail, 0x30, 0x39) && len(b) >= 4 && between(b[2], 0x81, 0xfe) && between(b[3], 0x30, 0x39):
		return 4, rare
	case !between(trail, 0x40, 0xfe) || trail == 0x7f:
		return 1, broken
	case trail < 0xa1:
		return 2, rare
	case between(lead, 0xb0, 0xd7):
		return 2, common
	case lead == 0xa1 || lead == 0xa3:
		return 2, mark
	}
	return 2, rare
}

// nextBig5: the rows A4 to C6 hold the 5,401 common characters.
func nextBig5(b []byte) (int, kind) {
	lead, trail := b[0], second(b)
	switch {
	case !between(lead, 0x81, 0xfe) || !between(trail, 0x40, 0x7e) && !between(trail, 0xa1, 0xfe):
		return 1, broken
	case between(lead, 0xa4, 0xc6):
		return 2, common
	case between(lead, 0xa1, 0xa2):
		return 2, mark
	}
	return 2, rare
}

// nextEUCKR: the rows B0 to C8 hold the 2,350 common syllables.
func nextEUCKR(b []byte) (int, kind) {
	lead, trail := b[0], second(b)
	switch {
	case !between(lead, 0x81, 0xfe) || !between(trail, 0x41, 0x5a) && !between(trail, 0x61, 0x7a) && !between(trail, 0x81, 0xfe):
		return 1, broken
	case trail < 0xa1:
		return 2, rare
	case between(lead, 0xb0, 0xc8):
		return 2, own
	case lead == 0xa1 || lead == 0xa3:
		return 2, mark
	}
	return 2, rare
}

// nextEUCJP: the rows A4 and A5 hold the kana, B0 to CF the common characters.
func nextEUCJP(b []byte) (int, kind) {
	lead, trail := b[0], second(b)
	switch {
	case lead == 0x8e && between(trail, 0xa1, 0xdf):
		return 2, rare
	case lead == 0x8f && between(trail, 0xa1, 0xfe) && len(b) >= 3 && between(b[2], 0xa1, 0xfe):
		return 3, rare
	case !between(lead, 0xa1, 0xfe) || !between(trail, 0xa1, 0xfe):
		return 1, broken
	case lead == 0xa4 && trail <= 0xf3 || lead == 0xa5 && trail <= 0xf6:
		return 2, own
	case between(lead, 0xb0, 0xcf):
		return 2, common
	case lead == 0xa1 || lead == 0xa3:
		return 2, mark
	}
	return 2, rare
}

// nextShiftJIS: kana lie in the rows 82 and 83, common characters from 889F to 9872.
func nextShiftJIS(b []byte) (int, kind) {
	lead, trail := b[0], second(b)
	switch {
	case between(lead, 0xa1, 0xdf):
		return 1, rare // half-width kana
	case !between(lead, 0x81, 0x9f) && !between(lead, 0xe0, 0xfc) || !between(trail, 0x40, 0xfc) || trail == 0x7f:
		return 1, broken
	case lead == 0x82 && between(trail, 0x9f, 0xf1) || lead == 0x83 && trail <= 0x96:
		return 2, own
	case lead == 0x81 || lead == 0x82:
		return 2, mark
	case lead == 0x88 && trail >= 0x9f || between(lead, 0x89, 0x97) || lead == 0x98 && trail <= 0x72:
		return 2, common
	}
	return 2, rare
}
