package extract

import (
	"fmt"

	"shoal/internal/dom"
)

// selectors is a set of CSS selectors that one walk over a tree serves.
type selectors struct{ set dom.Set }

// matches holds, for each selector of a set, the elements that it matched, in
// document order.
type matches = dom.Matches

// add enters a selector and returns its number; all asks for every match.
func (s *selectors) add(text string, all bool) (int, error) {
	id, err := s.set.Add(text, all)
	if err != nil {
		return 0, fmt.Errorf("selector %q: %w", text, err)
	}
	return id, nil
}

// walk collects the matches below scope, which is left out, in one pass. What
// is in a <template> is no part of the page. It tells when the page's searches
// took too much work; the matches are then those of the beginning.
func (r *reader) walk(s *selectors, scope node, m *matches) {
	if !r.finder.Find(&s.set, scope.ID(), m) {
		r.problem("the page's selectors take too much work; what is at its end is left out")
	}
}

// at is a node of the page by its number.
func (r *reader) at(id dom.NodeID) node { return r.tree.Node(id) }
