package dom

import (
	"encoding/binary"
	"math/bits"
	"unicode"
	"unicode/utf8"
)

// asciiClass says of each byte whether it is a letter of a text (0), white
// space (1), or the beginning of a longer character (2).
var asciiClass = func() (t [256]uint8) {
	for _, c := range "\t\n\v\f\r " {
		t[c] = 1
	}
	for c := utf8.RuneSelf; c < 256; c++ {
		t[c] = 2
	}
	return t
}()

// collapser appends text with its white space collapsed: runs become one
// space, the ends are trimmed, and a break within a run makes it a newline.
type collapser struct {
	dst     []byte
	start   int
	pending byte // the separator to write before the next character; 0: none
}

func (c *collapser) write(s string) {
	for i := 0; i < len(s); {
		switch asciiClass[s[i]] {
		case 0:
			j := i + 1
			for j < len(s) && asciiClass[s[j]] == 0 {
				j++
			}
			c.put(s[i:j])
			i = j
		case 1:
			c.space()
			i++
		default:
			r, size := utf8.DecodeRuneInString(s[i:])
			if unicode.IsSpace(r) {
				c.space()
			} else {
				c.put(s[i : i+size])
			}
			i += size
		}
	}
}

func (c *collapser) put(s string) {
	if c.pending != 0 {
		if len(c.dst) > c.start {
			c.dst = append(c.dst, c.pending)
		}
		c.pending = 0
	}
	c.dst = append(c.dst, s...)
}

func (c *collapser) space() {
	if c.pending == 0 {
		c.pending = ' '
	}
}

// counter counts the characters of a text as its white space collapses.
type counter struct{ count, pending int }

func (c *counter) add(s []byte) {
	for i := 0; i < len(s); {
		if c.count > 0 && len(s)-i >= 8 && c.eight(binary.LittleEndian.Uint64(s[i:])) {
			i += 8
			continue
		}
		switch asciiClass[s[i]] {
		case 0:
			c.count += c.pending + 1
			c.pending = 0
			i++
		case 1:
			c.pending = min(c.count, 1)
			i++
		default:
			r, size := utf8.DecodeRune(s[i:])
			if i += size; unicode.IsSpace(r) {
				c.pending = min(c.count, 1)
			} else {
				c.count += c.pending + 1
				c.pending = 0
			}
		}
	}
}

// eight counts eight characters at once; false: not all of them are ASCII.
// Each byte of the words below says by its high bit whether its character is
// white space: 0x20, or from 9 to 13.
func (c *counter) eight(x uint64) bool {
	const low, high = 0x0101010101010101, 0x8080808080808080
	if x&high != 0 {
		return false
	}
	space := ^((x ^ 0x20*low) + 0x7f*low) & high
	space |= (x + (0x80-9)*low) &^ (x + (0x80-14)*low) & high
	first := ^space & (space<<8 | uint64(c.pending)<<7) & high // letters behind white space
	c.count += 8 - bits.OnesCount64(space) + bits.OnesCount64(first)
	c.pending = int(space >> 63)
	return true
}
