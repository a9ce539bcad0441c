package extract

import (
	"strings"

	"github.com/andybalholm/cascadia"
	"golang.org/x/net/html"
)

// chain is a selector with several combinators that look far, such as "a b c"
// or "a b ~ c". Matched naively, each of them doubles back over all ancestors
// or siblings for each choice of the next: on a deeply nested page that takes
// for ever. A chain keeps the set of places that are possible so far instead,
// so its cost is its length times the depth.
type chain struct {
	compounds   []cascadia.Sel
	combinators []byte // between compounds[i] and compounds[i+1]
	// simple is how many of the first combinators are all descendants: for
	// those, the nearest ancestor is as good as any.
	simple int
}

// farReaching is how many combinators that look far make a chain worth while.
const farReaching = 2

// newChain returns sel as a chain; nil when it needs none.
func newChain(sel cascadia.Sel) *chain {
	if sel.PseudoElement() != "" {
		return nil
	}
	parts, combinators := splitSelector(sel.String())
	far := 0
	for _, c := range combinators {
		if c == ' ' || c == '~' {
			far++
		}
	}
	if far < farReaching {
		return nil
	}
	ch := &chain{combinators: combinators}
	for ch.simple < len(combinators) && combinators[ch.simple] == ' ' {
		ch.simple++
	}
	for _, part := range parts {
		s, err := cascadia.Parse(part)
		if err != nil {
			return nil // the library wrote what it does not read: it matches its own way
		}
		ch.compounds = append(ch.compounds, s)
	}
	return ch
}

// splitSelector splits a serialized selector at its combinators.
func splitSelector(s string) (parts []string, combinators []byte) {
	depth, quote, start := 0, byte(0), 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c == '\\':
			i++
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'':
			quote = c
		case c == '(' || c == '[':
			depth++
		case c == ')' || c == ']':
			depth--
		case depth == 0 && strings.IndexByte(" >+~", c) >= 0:
			end, comb := i, byte(' ')
			for ; i < len(s) && strings.IndexByte(" >+~", s[i]) >= 0; i++ {
				if s[i] != ' ' {
					comb = s[i]
				}
			}
			parts, combinators = append(parts, s[start:end]), append(combinators, comb)
			start = i
			i--
		}
	}
	return append(parts, s[start:]), combinators
}

// match reports whether n is what the chain selects.
func (ch *chain) match(n *node) bool {
	last := len(ch.compounds) - 1
	if !ch.compounds[last].Match(n) {
		return false
	}
	i := last - 1
	if i < ch.simple {
		return ch.above(i, n)
	}
	possible := []*node{n}
	for ; i >= ch.simple; i-- {
		possible = ch.step(i, possible)
	}
	for _, n := range possible {
		if ch.above(i, n) {
			return true
		}
	}
	return false
}

// above reports whether n has ancestors for the compounds up to i, each within
// the one before.
func (ch *chain) above(i int, n *node) bool {
	for n = n.Parent; n != nil && i >= 0; n = n.Parent {
		if n.Type == html.ElementNode && ch.compounds[i].Match(n) {
			i--
		}
	}
	return i < 0
}

// step returns the places for compound i from which one of those after it is
// reached, each once.
func (ch *chain) step(i int, from []*node) (out []*node) {
	seen := map[*node]bool{}
	try := func(n *node) bool {
		if n == nil || seen[n] {
			return false // what lies beyond was tried too
		}
		seen[n] = true
		if n.Type == html.ElementNode && ch.compounds[i].Match(n) {
			out = append(out, n)
		}
		return true
	}
	for _, n := range from {
		switch ch.combinators[i] {
		case ' ':
			for p := n.Parent; try(p); p = p.Parent {
			}
		case '>':
			try(n.Parent)
		case '+':
			try(elementBefore(n))
		case '~':
			for p := elementBefore(n); try(p); p = elementBefore(p) {
			}
		}
	}
	return out
}

func elementBefore(n *node) *node {
	for n = n.PrevSibling; n != nil && n.Type != html.ElementNode; n = n.PrevSibling {
	}
	return n
}
