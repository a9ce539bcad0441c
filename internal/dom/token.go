package dom

import (
	"bytes"

	"shoal/internal/dom/atom"
)

type tokenKind uint8

const (
	tokenText tokenKind = iota
	tokenStart
	tokenEnd
	tokenComment
	tokenDoctype
	tokenEOF
)

// A token is one at a time: the tree construction uses it, or forgets it.
type token struct {
	kind        tokenKind
	selfClosing bool
	quirks      bool // of a doctype: it says so itself (force-quirks)
	name        atom.Atom
	// data is the text of a text (never empty) or comment; of a start tag and
	// a doctype its attributes, as in a node.
	data span
	pos  uint32
}

// from is the span without its first n bytes.
func (s span) from(n int) span { return span{s.off + uint32(n), s.len - uint32(n)} }

// A state is what the tokenizer reads until the next end tag; those inside of
// tags and markup need no name, as their functions run through them.
type state uint8

const (
	stateData state = iota
	stateRCDATA
	stateRawText
	stateScript
	statePlaintext
	stateCDATA
)

type tokenizer struct {
	repairs []byte // memory that repaired inputs are made in
	pos     int
	state   state
	rawName atom.Atom // the element whose end tag ends RCDATA, raw text and script
	hasNUL  bool
	kept    int // attributes that nodes have; those behind belong to the token
	// stamps tells the attributes of a tag that has many: the last tag that
	// had each name.
	stamps []uint32
	tags   uint32
}

// open begins to read buf.
func (p *parser) open(buf []byte) {
	p.src, p.repairs = repair(buf, p.repairs[:0])
	p.pos, p.state, p.kept = 0, stateData, 0
	p.hasNUL = bytes.IndexByte(p.src, 0) >= 0
}

// next reads a token.
func (p *parser) next() {
	for {
		p.tok.pos = uint32(p.pos)
		if p.pos >= len(p.src) {
			p.tok.kind = tokenEOF
			return
		}
		if p.state != stateData {
			if p.rawText() {
				return
			}
			continue
		}
		if p.src[p.pos] != '<' {
			if p.readText() {
				return
			}
			continue
		}
		if !p.markup() {
			continue
		}
		return
	}
}

// markup reads what begins with < (§ 13.2.5.6, tag open state), and reports
// whether it is a token.
func (p *parser) markup() bool {
	src, i := p.src, p.pos+1
	if i >= len(src) {
		return p.readText()
	}
	switch c := src[i]; {
	case class[c]&isLetter != 0:
		return p.startTag()
	case c == '/':
		if i+1 >= len(src) {
			return p.readText()
		}
		if class[src[i+1]]&isLetter != 0 {
			return p.endTag()
		}
		if src[i+1] == '>' {
			return p.readText()
		}
		p.bogusComment(i + 1)
		return true
	case c == '!':
		return p.declaration()
	case c == '?':
		p.bogusComment(i)
		return true
	}
	return p.readText()
}

// startsMarkup reports whether the < at i begins more than text.
func startsMarkup(src []byte, i int) bool {
	if i+1 >= len(src) {
		return false
	}
	switch c := src[i+1]; {
	case class[c]&isLetter != 0 || c == '!' || c == '?':
		return true
	case c == '/':
		return i+2 < len(src) && src[i+2] != '>'
	}
	return false
}

// readText reads up to the next markup (§ 13.2.5.1, data state), and reports
// whether there is any. Text is one token though </> lies within it, which
// says nothing: in tables it matters what text is together.
func (p *parser) readText() bool {
	src, begin := p.src, p.pos
	w := p.write(begin)
	i := indexEither(src, begin, '<', '&')
	for i < len(src) {
		if src[i] == '<' {
			if startsMarkup(src, i) {
				break
			}
			if i+2 < len(src) && src[i+1] == '/' {
				w.skip(i, i+3)
				i += 3
			} else {
				i++
			}
		} else {
			i = w.reference(i, false)
		}
		i = indexEither(src, i, '<', '&')
	}
	p.pos = i
	p.tok.kind, p.tok.data = tokenText, w.end(i)
	return p.tok.data.len > 0
}

// A writer makes the text of a stretch of the source. As long as nothing has
// to be replaced, it is the source itself; then it is written to the arena.
type writer struct {
	p     *parser
	start int // where in the source the stretch begins that is not written yet
	arena int // where in the arena the text begins; -1: nowhere yet
}

func (p *parser) write(start int) writer { return writer{p, start, -1} }

// skip leaves out the source from i up to j.
func (w *writer) skip(i, j int) {
	if w.arena < 0 {
		w.arena = len(w.p.arena)
	}
	w.p.arena = append(w.p.arena, w.p.src[w.start:i]...)
	w.start = j
}

// put writes text in place of the source from i up to j.
func (w *writer) put(i, j int, text string) {
	w.skip(i, j)
	w.p.arena = append(w.p.arena, text...)
}

// reference replaces the character reference at i, if there is one, and
// returns where the source goes on.
func (w *writer) reference(i int, attribute bool) int {
	var room [8]byte
	text, size := reference(w.p.src[i:], attribute, &room)
	if size == 0 {
		return i + 1
	}
	w.skip(i, i+size)
	w.p.arena = append(w.p.arena, text...)
	return i + size
}

// end returns the text up to i.
func (w *writer) end(i int) span {
	if w.arena < 0 {
		return span{uint32(w.start), uint32(i - w.start)}
	}
	w.p.arena = append(w.p.arena, w.p.src[w.start:i]...)
	return span{uint32(w.arena) | inArena, uint32(len(w.p.arena) - w.arena)}
}

// literal is the source from i up to j with U+FFFD for NUL, and in lower case
// if asked: the text of names and comments.
func (p *parser) literal(i, j int, lower bool) span {
	w := p.write(i)
	for k := i; k < j; k++ {
		switch c := p.src[k]; {
		case c == 0:
			w.put(k, k+1, "\uFFFD")
		case lower && class[c]&isUpper != 0:
			w.skip(k, k+1)
			w.p.arena = append(w.p.arena, c+'a'-'A')
		}
	}
	return w.end(j)
}
