package dom

import (
	"bytes"
	"unicode/utf8"
)

// Position is the line and the column, both from 1 and the column in
// characters, at which the tag or the text begins that n was made of. A node
// that no tag says (a tbody that was left out) has the place of what implied it.
// It is counted when it is asked for, which takes as long as the page is.
func (d *Document) Position(n NodeID) (line, column int) {
	before := d.src[:min(int(d.nodes[n].pos), len(d.src))]
	start := bytes.LastIndexByte(before, '\n') + 1
	return bytes.Count(before, []byte{'\n'}) + 1, utf8.RuneCount(before[start:]) + 1
}
