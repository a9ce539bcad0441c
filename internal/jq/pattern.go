package jq

import (
	"errors"
	"fmt"
	"regexp/syntax"
)

const (
	// maxPattern is how large a regular expression may be, in steps of its program,
	// and maxTested how many bytes of text it is looked for in by test: a match
	// cannot be ended early, and takes time in proportion to both.
	maxPattern = 500
	maxTested  = 256 << 10
)

// PatternSize is about how many steps a regular expression compiles to, without
// compiling it: a few characters such as (…){1000} can ask for millions.
func PatternSize(source string) (int, error) {
	tree, err := syntax.Parse(source, syntax.Perl)
	if err != nil {
		return 0, err
	}
	return sizeOf(tree), nil
}

func sizeOf(re *syntax.Regexp) int {
	const most = 1 << 30 // far beyond what is allowed, and far from overflow
	size := 1
	if re.Op == syntax.OpLiteral {
		size = len(re.Rune)
	}
	for _, sub := range re.Sub {
		size = min(most, size+sizeOf(sub))
	}
	if re.Op == syntax.OpRepeat {
		size *= max(1, re.Min, re.Max)
	}
	return min(most, size)
}

// pattern refuses regular expressions, alone or in a list with their flags, that
// are too large.
func pattern(v any) error {
	if list, ok := v.([]any); ok && len(list) > 0 {
		v = list[0]
	}
	s, ok := v.(string)
	if !ok {
		return nil // gojq says what it is
	}
	if n, err := PatternSize(s); err == nil && n > maxPattern {
		return fmt.Errorf("a regular expression of %d steps is too large; the most is %d", n, maxPattern)
	}
	return nil
}

// tested refuses texts that are too long for test.
func tested(v any) error {
	if s, ok := v.(string); ok && len(s) > maxTested {
		return errors.New("test looks at texts of at most 256 KB")
	}
	return nil
}
