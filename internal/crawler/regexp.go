package crawler

import (
	"errors"
	"fmt"
	"regexp"

	"shoal/internal/jq"
)

const (
	// maxRegexp is how large one regular expression may be, in steps of its
	// program, and maxRegexps all of a definition together: a few characters such
	// as (…){1000} can ask for millions.
	maxRegexp, maxRegexps = 10_000, 200_000
)

var errRegexpSize = errors.New("the regular expression is too large")

// Regexp is a regular expression of known size. Matching takes time in
// proportion to the size and to the text.
type Regexp struct {
	*regexp.Regexp
	Size int // steps of its program, about
}

// CompileRegexp compiles a regular expression of bounded size.
func CompileRegexp(source string) (*Regexp, error) {
	size, err := jq.PatternSize(source)
	if err != nil {
		return nil, err
	}
	if size > maxRegexp {
		return nil, fmt.Errorf("%w: %d steps when its repetitions are written out; the most is %d", errRegexpSize, size, maxRegexp)
	}
	re, err := regexp.Compile(source)
	if err != nil {
		return nil, err
	}
	return &Regexp{re, size}, nil
}
