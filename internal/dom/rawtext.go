package dom

import (
	"bytes"

	"shoal/internal/dom/atom"
)

// enterRawText makes the tokenizer read the contents of an element as text,
// if that is what they are.
func (p *parser) enterRawText(name atom.Atom) {
	switch name {
	case atom.Title, atom.Textarea:
		p.state = stateRCDATA
	case atom.Style, atom.Xmp, atom.Iframe, atom.Noembed, atom.Noframes:
		p.state = stateRawText
	case atom.Noscript:
		if p.scripting {
			p.state = stateRawText
		}
	case atom.Script:
		p.state = stateScript
	case atom.Plaintext:
		p.state = statePlaintext
	}
	p.rawName = name
}

// rawText reads the text up to the end tag of the element that it is in, and
// reports whether there is any.
func (p *parser) rawText() bool {
	start, end, next := p.pos, len(p.src), len(p.src)
	switch p.state {
	case stateRCDATA, stateRawText:
		end = p.rawEnd(start)
		next = end
	case stateScript:
		end = p.scriptEnd(start)
		next = end
	case stateCDATA:
		if i := bytes.Index(p.src[start:], []byte("]]>")); i >= 0 {
			end, next = start+i, start+i+3
		}
	}
	p.tok.kind = tokenText
	if p.state == stateRCDATA {
		p.tok.data = p.decoded(start, end)
	} else {
		p.tok.data = span{uint32(start), uint32(end - start)}
		if p.hasNUL && p.state != stateCDATA {
			p.tok.data = p.literal(start, end, false)
		}
	}
	p.pos, p.state = next, stateData
	return p.tok.data.len > 0
}

// decoded is the source from i up to j with its character references replaced.
func (p *parser) decoded(i, j int) span {
	w := p.write(i)
	for i < j {
		amp := bytes.IndexByte(p.src[i:j], '&')
		if amp < 0 {
			break
		}
		w.nul(i, i+amp)
		i = w.reference(i+amp, false)
	}
	w.nul(i, j)
	return w.end(j)
}

// endTagAt reports whether an end tag of that name is at i (§ 13.2.5.9 and
// following: an appropriate end tag, followed by space, / or >).
func endTagAt(src []byte, i int, name string) bool {
	after := i + 2 + len(name)
	return after < len(src) && src[i] == '<' && src[i+1] == '/' && hasPrefixFold(src[i+2:], name) && class[src[after]]&endsTag != 0
}

func (p *parser) rawEnd(i int) int {
	name := p.NameOf(p.rawName)
	for name != "" {
		j := bytes.IndexByte(p.src[i:], '<')
		if j < 0 {
			return len(p.src)
		}
		if i += j; endTagAt(p.src, i, name) {
			return i
		}
		i++
	}
	return len(p.src)
}

// scriptEnd is where a script ends that goes on at i (§ 13.2.5.15 and
// following): in what it hides as a comment, </script> may be the end of a
// script within, which begins with <script.
func (p *parser) scriptEnd(i int) int {
	src, name := p.src, p.NameOf(p.rawName)
	const (
		plain = iota
		escaped
		doubleEscaped
	)
	for in := plain; ; {
		if in == plain {
			j := bytes.IndexByte(src[i:], '<')
			if j < 0 {
				return len(src)
			}
			i += j
		} else if i = indexEither(src, i, '<', '-'); i == len(src) {
			return i
		}
		switch rest := src[i:]; {
		case in != doubleEscaped && endTagAt(src, i, name):
			return i
		case in == doubleEscaped && endTagAt(src, i, "script"):
			in = escaped
		case in == plain && bytes.HasPrefix(rest, []byte("<!--")):
			in = escaped
			i++ // <!--> is whole: its dashes are the ones that end it
		case in == escaped && len(rest) > 7 && rest[0] == '<' && hasPrefixFold(rest[1:], "script") && class[rest[7]]&endsTag != 0:
			in = doubleEscaped
		case in != plain && bytes.HasPrefix(rest, []byte("-->")):
			in = plain
		}
		i++
	}
}
