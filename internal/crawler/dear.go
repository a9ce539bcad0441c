package crawler

import "strings"

// dearSelector says why a CSS selector has no bounded cost; "" when it has.
// What stands in :has(…) and :not(…) is tried at every element below, and what
// stands within that again at every element below those.
func dearSelector(s string) string {
	var open []string // the functions around
	far := 0          // combinators within the outermost function that look far
	name, quote, bracket := "", byte(0), 0
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
		case c == '[':
			bracket++
		case c == ']':
			bracket--
		case bracket > 0:
		case c == ':':
			name = ""
		case c == '(':
			if name == "has" && strings.Contains(strings.Join(open, " "), "has") {
				return ":has within :has is not supported; CSS has none either"
			}
			open = append(open, name)
			name = ""
		case c == ')' && len(open) > 0:
			if open = open[:len(open)-1]; len(open) == 0 {
				far = 0
			}
		case len(open) > 0 && selects(open) && (c == ' ' || c == '~') && joins(s, i):
			if far++; far > 1 {
				return "what stands in :has(…), :not(…) and their like can have one descendant or ~ combinator at most"
			}
		default:
			name += string(c)
		}
	}
	return ""
}

// selects reports whether the innermost function holds a selector.
func selects(open []string) bool {
	switch open[len(open)-1] {
	case "has", "haschild", "not", "is", "where":
		return true
	}
	return false
}

// joins reports whether a space or ~ at i is a combinator and not a space around one.
func joins(s string, i int) bool {
	if s[i] == '~' {
		return i+1 < len(s) && s[i+1] != '='
	}
	before, after := strings.TrimRight(s[:i], " "), strings.TrimLeft(s[i:], " ")
	return i > 0 && s[i-1] != ' ' && before != "" && after != "" &&
		!strings.ContainsRune("(,>+~", rune(before[len(before)-1])) && !strings.ContainsRune("),>+~", rune(after[0]))
}
