package crawler

import (
	"fmt"
	"regexp"
	"regexp/syntax"
)

const (
	// maxRegexp is how large one regular expression may be, in steps of its
	// program, and maxRegexps all of a definition together: a few characters such
	// as (…){1000} can ask for millions.
	maxRegexp, maxRegexps = 10_000, 200_000
)

// Regexp is a regular expression of known size. Matching takes time in
// proportion to the size and to the text.
type Regexp struct {
	*regexp.Regexp
	Size int // steps of its program, about
}

// CompileRegexp compiles a regular expression of bounded size.
func CompileRegexp(source string) (*Regexp, error) {
	tree, err := syntax.Parse(source, syntax.Perl)
	if err != nil {
		return nil, err
	}
	size := regexpSize(tree)
	if size > maxRegexp {
		return nil, fmt.Errorf("it has %d steps when its repetitions are written out; the most is %d", size, maxRegexp)
	}
	re, err := regexp.Compile(source)
	if err != nil {
		return nil, err
	}
	return &Regexp{re, size}, nil
}

// regexpSize is about how many instructions re compiles to.
func regexpSize(re *syntax.Regexp) int {
	const most = 1 << 30 // far beyond what is allowed, and far from overflow
	size := 1
	if re.Op == syntax.OpLiteral {
		size = len(re.Rune)
	}
	for _, sub := range re.Sub {
		size = min(most, size+regexpSize(sub))
	}
	if re.Op == syntax.OpRepeat {
		size *= max(1, re.Min, re.Max)
	}
	return min(most, size)
}
