package dom

import "bytes"

// declaration reads what begins with <! (§ 13.2.5.42, markup declaration open
// state), and reports whether it is a token.
func (p *parser) declaration() bool {
	i := p.pos + 2
	rest := p.src[i:]
	switch {
	case bytes.HasPrefix(rest, []byte("--")):
		p.comment(i + 2)
	case hasPrefixFold(rest, "doctype"):
		p.doctype(i + len("doctype"))
	case bytes.HasPrefix(rest, []byte("[CDATA[")) && p.adjustedCurrent() >= foreignTag:
		p.pos, p.state = i+len("[CDATA["), stateCDATA
		return false
	default:
		p.bogusComment(i)
	}
	return true
}

// comment reads a comment whose text begins at i (§ 13.2.5.43 and following).
func (p *parser) comment(i int) {
	end, next := commentEnd(p.src, i)
	p.pos = next
	p.tok.kind, p.tok.data = tokenComment, span{uint32(i), uint32(end - i)}
	if p.hasNUL {
		p.tok.data = p.literal(i, end, false)
	}
}

// commentEnd returns where the text of the comment ends that begins at start,
// and where the source goes on.
func commentEnd(src []byte, start int) (end, next int) {
	rest := src[start:]
	if bytes.HasPrefix(rest, []byte(">")) {
		return start, start + 1
	}
	if bytes.HasPrefix(rest, []byte("->")) {
		return start, start + 2
	}
	for i := start; ; {
		j := bytes.Index(src[i:], []byte("--"))
		if j < 0 {
			break
		}
		i += j + 2
		for i < len(src) && src[i] == '-' {
			i++
		}
		if i < len(src) && src[i] == '>' {
			return i - 2, i + 1
		}
		if i+1 < len(src) && src[i] == '!' && src[i+1] == '>' {
			return i - 2, i + 2
		}
	}
	// The page ends in it: a beginning of what would end it is not its text.
	for _, begun := range []string{"--!", "--", "-"} {
		if bytes.HasSuffix(rest, []byte(begun)) {
			return len(src) - len(begun), len(src)
		}
	}
	return len(src), len(src)
}

// bogusComment reads up to the next > as a comment (§ 13.2.5.41).
func (p *parser) bogusComment(i int) {
	end := len(p.src)
	p.pos = end
	if j := bytes.IndexByte(p.src[i:], '>'); j >= 0 {
		end = i + j
		p.pos = end + 1
	}
	p.tok.kind, p.tok.data = tokenComment, p.literal(i, end, false)
}
