package dom

import (
	"strings"

	"shoal/internal/dom/atom"
)

// doctype reads a DOCTYPE behind that word (§ 13.2.5.53 and following).
func (p *parser) doctype(i int) {
	p.attrs = p.attrs[:p.kept]
	p.tok.kind, p.tok.quirks, p.tok.name = tokenDoctype, false, 0
	p.pos = p.doctypeRest(p.skipSpace(i))
	p.tok.data = span{uint32(p.kept), uint32(len(p.attrs) - p.kept)}
}

func (p *parser) skipSpace(i int) int { return i + leadingSpace(p.src[i:]) }

// doctypeRest reads from the name on, and returns where the source goes on
// behind the >.
func (p *parser) doctypeRest(i int) int {
	src := p.src
	start, seen := i, uint8(0)
	for i < len(src) && src[i] != '>' && class[src[i]]&isSpace == 0 {
		seen |= class[src[i]]
		i++
	}
	if i > start {
		p.tok.name = p.intern(start, i, seen)
	} else {
		p.tok.quirks = true
	}
	i = p.skipSpace(i)
	if i >= len(src) {
		p.tok.quirks = true
		return i
	}
	if src[i] == '>' {
		return i + 1
	}
	switch rest := src[i:]; {
	case hasPrefixFold(rest, "public"):
		var ok bool
		if i, ok = p.identifier(p.skipSpace(i+6), atom.Public); !ok {
			return p.brokenDoctype(i)
		}
		i = p.skipSpace(i)
		if i < len(src) && (src[i] == '"' || src[i] == '\'') {
			if i, ok = p.identifier(i, atom.System); !ok {
				return p.brokenDoctype(i)
			}
		}
	case hasPrefixFold(rest, "system"):
		var ok bool
		if i, ok = p.identifier(p.skipSpace(i+6), atom.System); !ok {
			return p.brokenDoctype(i)
		}
	default:
		return p.brokenDoctype(i)
	}
	return p.doctypeEnd(p.skipSpace(i))
}

// doctypeEnd reads behind the identifiers: what follows them is passed over
// (§ 13.2.5.68), without a claim to quirks mode behind a system identifier.
func (p *parser) doctypeEnd(i int) int {
	if i < len(p.src) && p.src[i] == '>' {
		return i + 1
	}
	if n := len(p.attrs); i >= len(p.src) || n == p.kept || p.attrs[n-1].Name != atom.System {
		return p.brokenDoctype(i)
	}
	return p.afterBogusDoctype(i)
}

func (p *parser) brokenDoctype(i int) int {
	p.tok.quirks = true
	return p.afterBogusDoctype(i)
}

func (p *parser) afterBogusDoctype(i int) int {
	for i < len(p.src) && p.src[i] != '>' {
		i++
	}
	return min(i+1, len(p.src))
}

// identifier reads the quoted identifier at i as an attribute of that name. It
// is not whole if a > or the page's end comes before the quote.
func (p *parser) identifier(i int, name atom.Atom) (next int, ok bool) {
	src := p.src
	if i >= len(src) || src[i] != '"' && src[i] != '\'' {
		return i, false
	}
	end := indexEither(src, i+1, src[i], '>')
	p.attrs = append(p.attrs, Attr{Name: name, value: p.literal(i+1, end, false)})
	if end < len(src) && src[end] == src[i] {
		return end + 1, true
	}
	return end, false
}

// tokenAttr is the value of an attribute of the token.
func (p *parser) tokenAttr(name atom.Atom) (string, bool) {
	for _, a := range p.attrs[p.tok.data.off : p.tok.data.off+p.tok.data.len] {
		if a.Name == name {
			return p.text(a.value), true
		}
	}
	return "", false
}

// quirky reports whether the doctype puts the page into quirks mode (§ 13.2.6.4.1).
func (p *parser) quirky() bool {
	public, hasPublic := p.tokenAttr(atom.Public)
	system, hasSystem := p.tokenAttr(atom.System)
	if p.tok.quirks || p.tok.name != atom.Html {
		return true
	}
	if hasSystem && strings.EqualFold(system, "http://www.ibm.com/data/dtd/v11/ibmxhtml1-transitional.dtd") {
		return true
	}
	if !hasPublic {
		return false
	}
	for _, whole := range []string{"-//W3O//DTD W3 HTML Strict 3.0//EN//", "-/W3C/DTD HTML 4.0 Transitional/EN", "HTML"} {
		if strings.EqualFold(public, whole) {
			return true
		}
	}
	id := p.bytes(p.attrs[p.tok.data.off].value) // the public one comes first
	if !hasSystem && (hasPrefixFold(id, "-//w3c//dtd html 4.01 frameset//") ||
		hasPrefixFold(id, "-//w3c//dtd html 4.01 transitional//")) {
		return true
	}
	for _, prefix := range quirkyPrefixes {
		if hasPrefixFold(id, prefix) {
			return true
		}
	}
	return false
}

// quirkyPrefixes begin, in lower case, the public identifiers of pages that
// were written for browsers before standards.
var quirkyPrefixes = []string{
	"+//silmaril//dtd html pro v0r11 19970101//",
	"-//as//dtd html 3.0 aswedit + extensions//",
	"-//advasoft ltd//dtd html 3.0 aswedit + extensions//",
	"-//ietf//dtd html 2.0 level 1//",
	"-//ietf//dtd html 2.0 level 2//",
	"-//ietf//dtd html 2.0 strict level 1//",
	"-//ietf//dtd html 2.0 strict level 2//",
	"-//ietf//dtd html 2.0 strict//",
	"-//ietf//dtd html 2.0//",
	"-//ietf//dtd html 2.1e//",
	"-//ietf//dtd html 3.0//",
	"-//ietf//dtd html 3.2 final//",
	"-//ietf//dtd html 3.2//",
	"-//ietf//dtd html 3//",
	"-//ietf//dtd html level 0//",
	"-//ietf//dtd html level 1//",
	"-//ietf//dtd html level 2//",
	"-//ietf//dtd html level 3//",
	"-//ietf//dtd html strict level 0//",
	"-//ietf//dtd html strict level 1//",
	"-//ietf//dtd html strict level 2//",
	"-//ietf//dtd html strict level 3//",
	"-//ietf//dtd html strict//",
	"-//ietf//dtd html//",
	"-//metrius//dtd metrius presentational//",
	"-//microsoft//dtd internet explorer 2.0 html strict//",
	"-//microsoft//dtd internet explorer 2.0 html//",
	"-//microsoft//dtd internet explorer 2.0 tables//",
	"-//microsoft//dtd internet explorer 3.0 html strict//",
	"-//microsoft//dtd internet explorer 3.0 html//",
	"-//microsoft//dtd internet explorer 3.0 tables//",
	"-//netscape comm. corp.//dtd html//",
	"-//netscape comm. corp.//dtd strict html//",
	"-//o'reilly and associates//dtd html 2.0//",
	"-//o'reilly and associates//dtd html extended 1.0//",
	"-//o'reilly and associates//dtd html extended relaxed 1.0//",
	"-//sq//dtd html 2.0 hotmetal + extensions//",
	"-//softquad software//dtd hotmetal pro 6.0::19990601::extensions to html 4.0//",
	"-//softquad//dtd hotmetal pro 4.0::19971010::extensions to html 4.0//",
	"-//spyglass//dtd html 2.0 extended//",
	"-//sun microsystems corp.//dtd hotjava html//",
	"-//sun microsystems corp.//dtd hotjava strict html//",
	"-//w3c//dtd html 3 1995-03-24//",
	"-//w3c//dtd html 3.2 draft//",
	"-//w3c//dtd html 3.2 final//",
	"-//w3c//dtd html 3.2//",
	"-//w3c//dtd html 3.2s draft//",
	"-//w3c//dtd html 4.0 frameset//",
	"-//w3c//dtd html 4.0 transitional//",
	"-//w3c//dtd html experimental 19960712//",
	"-//w3c//dtd html experimental 970421//",
	"-//w3c//dtd w3 html//",
	"-//w3o//dtd w3 html 3.0//",
	"-//webtechs//dtd mozilla html 2.0//",
	"-//webtechs//dtd mozilla html//",
}
