package extract

import (
	"strings"

	"shoal/internal/crawler"
)

const (
	// maxLooked is how many steps the regular expressions may take on one page,
	// each of their own by each byte of the texts: the worst case, which few meet.
	maxLooked = 1_000_000_000
	// maxReplaced is the longest text that a replacement may make, in bytes.
	maxReplaced = 16 << 20
)

// may charges a match of re in n bytes to the page. false: the page has used up
// what it may, which is told.
func (r *reader) may(re *crawler.Regexp, n int) bool {
	if r.looked > maxLooked {
		return false
	}
	if r.looked += re.Size * (n + 1); r.looked <= maxLooked {
		return true
	}
	r.problem("regular expressions take too long on this page, at last %q; make them shorter, or give them less text", clip(re.String()))
	return false
}

// replaced carries out a replacement. false: the text would become too long.
func (r *reader) replaced(rep *crawler.Replace, s *string) bool {
	if most := (len(*s) + 1) * (len(rep.With) + 1) * (1 + strings.Count(rep.With, "$")); most > maxReplaced {
		size, refs := len(*s), strings.Count(rep.With, "$")
		rep.Match.ReplaceAllStringFunc(*s, func(match string) string {
			size += len(rep.With) + refs*len(match)
			return ""
		})
		if size > maxReplaced+len(*s) {
			r.problem("replace makes a text of more than %d MB", maxReplaced>>20)
			return false
		}
	}
	*s = rep.Match.ReplaceAllString(*s, rep.With)
	return true
}

// scriptJSON returns the JSON in a script; see there.
func (r *reader) scriptJSON(n node, match *crawler.Regexp) ([]byte, bool) {
	text := scriptText(n)
	if match == nil {
		return scriptJSON(text, nil)
	}
	if !r.may(match, len(text)) {
		return nil, false
	}
	return scriptJSON(text, match.Regexp)
}
