package extract

import (
	"fmt"
	"strings"
	"time"

	"github.com/andybalholm/cascadia"
	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// selectors is a set of CSS selectors that one walk over a tree serves: each
// element is offered only to the selectors whose last part may fit it.
type selectors struct {
	byText map[string]int
	list   []*selection
	// byTag lists alternatives by a hash of the element's atom; any are those
	// that fit elements of every tag.
	byTag [tagBuckets][]alternative
	any   []alternative
}

const tagBuckets = 256

func bucket(a atom.Atom) int { return int(a^a>>8^a>>16) & (tagBuckets - 1) }

// selection is one selector with what is wanted of it.
type selection struct {
	all bool // every match; else the first
}

// alternative is one member of a selector's comma-separated group.
type alternative struct {
	id  int
	tag atom.Atom // 0: any element
	// attr must be there, class must be named; empty: no such condition.
	attr, class string
	// full is the whole selector, nil when tag and attr say all.
	full cascadia.Sel
	far  *chain // full, when it is better matched as a chain
}

// add enters a selector and returns its number; all asks for every match.
func (s *selectors) add(text string, all bool) (int, error) {
	if s.byText == nil {
		s.byText = map[string]int{}
	}
	if id, ok := s.byText[text]; ok {
		s.list[id].all = s.list[id].all || all
		return id, nil
	}
	group, err := cascadia.ParseGroup(text)
	if err != nil {
		return 0, fmt.Errorf("selector %q: %w", text, err)
	}
	id := len(s.list)
	s.byText[text] = id
	s.list = append(s.list, &selection{all: all})
	for _, sel := range group {
		alt := prefilter(sel)
		alt.id, alt.far = id, newChain(sel)
		if alt.tag == 0 {
			s.any = append(s.any, alt)
			continue
		}
		b := bucket(alt.tag)
		s.byTag[b] = append(s.byTag[b], alt)
	}
	return id, nil
}

// prefilter reads from a selector's last compound what is cheap to test first.
func prefilter(sel cascadia.Sel) alternative {
	alt := alternative{full: sel}
	if sel.PseudoElement() != "" {
		return alt
	}
	text := sel.String()
	last := text[lastCompound(text):]
	whole := len(last) == len(text)
	tag := last[:identifier(last)]
	rest := last[len(tag):]
	if rest != "" && !strings.ContainsRune(".[#:", rune(rest[0])) {
		return alt // an escape or a namespace: no cheap test
	}
	if tag != "" {
		if alt.tag = atom.Lookup([]byte(tag)); alt.tag == 0 {
			return alt // a tag that the parser has no atom for
		}
	}
	switch {
	case rest == "":
		if whole && tag != "" {
			alt.full = nil
		}
	case rest[0] == '[' && strings.IndexByte(rest, ']') == len(rest)-1 && identifier(rest[1:]) == len(rest)-2:
		alt.attr = rest[1 : len(rest)-1]
		if whole && tag != "" {
			alt.full = nil
		}
	case rest[0] == '.':
		alt.class = rest[1 : 1+identifier(rest[1:])]
	}
	return alt
}

// identifier returns the length of the plain identifier that s begins with.
func identifier(s string) int {
	for i := range len(s) {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' && (c < 'A' || c > 'Z') {
			return i
		}
	}
	return len(s)
}

// lastCompound returns where the last compound of a serialized selector begins.
func lastCompound(s string) int {
	parts, _ := splitSelector(s)
	return len(s) - len(parts[len(parts)-1])
}

// matches holds, for each selector of a set, the elements that it matched, in
// document order.
type matches [][]*node

// reset makes m ready for a walk with s.
func (m *matches) reset(s *selectors) {
	for len(*m) < len(s.list) {
		*m = append(*m, nil)
	}
	for i := range *m {
		clear((*m)[i])
		(*m)[i] = (*m)[i][:0]
	}
}

// first returns the first match of selector id, or nil.
func (m matches) first(id int) *node {
	if len(m[id]) == 0 {
		return nil
	}
	return m[id][0]
}

// A walk looks at the clock every walkCheck elements, at each once so many have
// taken slowWalk, and ends after maxWalk: some selectors (:nth-child, ~) cost as
// much per element as it has siblings, and of those a hostile page has a million.
const (
	walkCheck = 1 << 6
	slowWalk  = 20 * time.Millisecond
	maxWalk   = 5 * time.Second
)

// walk collects the matches below root, root left out, in one pass. What is
// in a <template> is no part of the page. false: it took too long, and the
// matches are those of the page's beginning.
func (s *selectors) walk(root *node, m *matches) bool {
	m.reset(s)
	if len(s.list) == 0 {
		return true
	}
	var begin time.Time
	elements, check := 0, walkCheck
	for n := next(root, root, true); n != nil; n = next(n, root, n.DataAtom != atom.Template) {
		if n.Type != html.ElementNode {
			continue
		}
		if elements++; elements%check == 0 {
			if begin.IsZero() {
				begin = time.Now()
			} else if took := time.Since(begin); took > maxWalk {
				return false
			} else if took > slowWalk*time.Duration(elements/walkCheck) {
				check = 1
			}
		}
		if n.DataAtom != 0 {
			if alts := s.byTag[bucket(n.DataAtom)]; alts != nil {
				s.offer(n, alts, *m)
			}
		}
		if s.any != nil {
			s.offer(n, s.any, *m)
		}
	}
	return true
}

// offer tests n against alternatives that may fit it.
func (s *selectors) offer(n *node, alts []alternative, m matches) {
	for i := range alts {
		a := &alts[i]
		if a.tag != 0 && a.tag != n.DataAtom {
			continue
		}
		have := m[a.id]
		if len(have) > 0 && (!s.list[a.id].all || have[len(have)-1] == n) {
			continue
		}
		if a.attr != "" {
			if _, ok := attr(n, a.attr); !ok {
				continue
			}
		}
		if a.class != "" && !hasClass(n, a.class) {
			continue
		}
		if a.far != nil && !a.far.match(n) || a.far == nil && a.full != nil && !a.full.Match(n) {
			continue
		}
		m[a.id] = append(have, n)
	}
}

// hasClass reports whether the element's class attribute may name class; the
// full selector decides.
func hasClass(n *node, class string) bool {
	v, ok := attr(n, "class")
	return ok && strings.Contains(v, class)
}
