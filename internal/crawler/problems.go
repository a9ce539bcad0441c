package crawler

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Problem is one thing wrong with a definition. Message says what is wrong and
// what would be right.
type Problem struct {
	File    string
	Line    int // from 1; 0 when it concerns the whole file
	Column  int // from 1
	Message string
}

// Error returns the problem as file:line:column: message.
func (p Problem) Error() string {
	if p.Line == 0 {
		return fmt.Sprintf("%s: %s", p.File, p.Message)
	}
	return fmt.Sprintf("%s:%d:%d: %s", p.File, p.Line, p.Column, p.Message)
}

// Problems are all the things wrong with a definition, in the order of its lines.
type Problems []Problem

// Error returns one line per problem.
func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.Error()
	}
	return strings.Join(lines, "\n")
}

// maxTold is how many problems one message tells.
const maxTold = 20

// told says the problems without a file's name: to somebody who sent a text.
func (ps Problems) told() string {
	lines := make([]string, 0, len(ps))
	for _, p := range ps[:min(len(ps), maxTold)] {
		if p.Line == 0 {
			lines = append(lines, p.Message)
			continue
		}
		lines = append(lines, fmt.Sprintf("line %d, column %d: %s", p.Line, p.Column, p.Message))
	}
	if more := len(ps) - maxTold; more > 0 {
		lines = append(lines, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(lines, "\n")
}

// sorted returns the problems in the order of the lines.
func (ps Problems) sorted() Problems {
	slices.SortStableFunc(ps, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return ps
}
