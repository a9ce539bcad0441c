package extract

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tidwall/gjson"

	"shoal/internal/dom"
)

// explainSelector says how far a CSS selector that matches nothing below scope
// gets: which beginning of it fits, and which part does not.
func (m *Miss) explainSelector(selector string, scope node) {
	if !scope.Exists() {
		m.Because = "the answer is no HTML document"
		return
	}
	finder := &dom.Finder{}
	finder.Reset(scope.Document())
	var near node
	for _, alternative := range splitOutside(selector, ",") {
		steps, last := hits(finder, strings.TrimSpace(alternative), scope)
		if len(steps) > len(m.Steps) {
			m.Steps, near = steps, last
		}
	}
	m.Because = fmt.Sprintf("%s matches nothing", selector)
	if n := len(m.Steps); n > 1 {
		m.Because = fmt.Sprintf("%s matches %d, and %s none", m.Steps[n-2].Selector, m.Steps[n-2].Matches, m.Steps[n-1].Selector)
	}
	if near.Exists() {
		m.Near = markup(near, maxNear)
	}
	if root := scope.Root(); root != scope {
		m.Because += " in this row's element"
		if n := countAll(finder, selector, root); n > 0 {
			m.Because += fmt.Sprintf(" (on the whole page %s matches %d: is it outside of the row?)", selector, n)
		}
	}
	if n := len(m.Steps); n > 0 {
		if names := alikeNames(m.Steps[n-1].Selector, scope); len(names) > 0 {
			m.Because += "; did you mean " + strings.Join(names, " or ") + "?"
		}
	}
}

// hits counts the matches of each beginning of a selector, up to the first
// that has none, and returns the first element of the longest that has some.
func hits(finder *dom.Finder, selector string, scope node) (steps []Hit, last node) {
	for _, prefix := range beginnings(selector) {
		set, err := dom.Compile(prefix)
		if err != nil {
			continue
		}
		var found dom.Matches
		finder.Find(set, scope.ID(), &found)
		steps = append(steps, Hit{prefix, len(found[0])})
		if len(found[0]) == 0 {
			return steps, last
		}
		last = scope.Document().Node(found.First(0))
	}
	return steps, last
}

// beginnings lists a selector's beginnings: after each compound, and within a
// compound after each simple selector ("td", "td.price", "td.price a").
func beginnings(selector string) []string {
	var out []string
	depth, quote := 0, byte(0)
	for i := 0; i < len(selector); i++ {
		c := selector[i]
		switch {
		case c == '\\':
			i++
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'':
			quote = c
		case depth == 0 && i > 0 && strings.IndexByte(" >+~.#[:", c) >= 0:
			if b := strings.TrimRight(selector[:i], " >+~:"); b != "" && !slices.Contains(out, b) {
				out = append(out, b)
			}
			if c == '[' {
				depth++
			}
		case c == '(' || c == '[':
			depth++
		case c == ')' || c == ']':
			depth--
		}
	}
	return append(out, selector)
}

// splitOutside splits at a separator that stands outside of brackets and quotes.
func splitOutside(s, sep string) []string {
	var out []string
	start, depth, quote := 0, 0, byte(0)
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
		case depth == 0 && strings.HasPrefix(s[i:], sep):
			out = append(out, s[start:i])
			start = i + len(sep)
		}
	}
	return append(out, s[start:])
}

func countAll(finder *dom.Finder, selector string, root node) int {
	set, err := dom.Compile(selector)
	if err != nil {
		return 0
	}
	var found dom.Matches
	finder.Find(set, root.ID(), &found)
	return len(found[0])
}

// alikeNames lists classes and ids below scope that resemble the one at which
// a selector fails.
func alikeNames(selector string, scope node) []string {
	i := strings.LastIndexAny(selector, ".#")
	if i < 0 || strings.ContainsAny(selector[i:], " >+~[(:") {
		return nil
	}
	kind, wanted := selector[i:i+1], selector[i+1:]
	var out []string
	for n := next(scope, scope, true); n.Exists() && len(out) < 3; n = next(n, scope, true) {
		name := "class"
		if kind == "#" {
			name = "id"
		}
		v, _ := attr(n, name)
		for word := range strings.FieldsSeq(v) {
			if alike(word, wanted) && !slices.Contains(out, kind+word) {
				out = append(out, kind+word)
			}
		}
	}
	return out[:min(3, len(out))]
}

// alike reports whether two names are a slip of the keyboard apart, or one
// contains the other.
func alike(a, b string) bool {
	a, b = strings.ToLower(a), strings.ToLower(b)
	if len(a) < 3 || len(b) < 3 {
		return false
	}
	return strings.Contains(a, b) || strings.Contains(b, a) || distance(a, b) <= max(1, len(b)/4) || sameLetters(a, b)
}

// sameLetters reports whether two names differ in the order of their letters alone.
func sameLetters(a, b string) bool {
	x, y := []byte(a), []byte(b)
	slices.Sort(x)
	slices.Sort(y)
	return string(x) == string(y)
}

// distance is Levenshtein's, of short names.
func distance(a, b string) int {
	if len(a) > 60 || len(b) > 60 {
		return 60
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost = 1 + min(diagonal, row[j], row[j+1])
			}
			diagonal, row[j+1] = row[j+1], cost
		}
	}
	return row[len(b)]
}

// explainPath says how far a dotted path gets in a JSON value.
func (m *Miss) explainPath(path string, item gjson.Result) {
	m.HTML = clipTo(item.Raw, maxPlace)
	parts := strings.Split(path, ".")
	at := item
	for i := range parts {
		prefix := strings.Join(parts[:i+1], ".")
		v := item.Get(prefix)
		if v.Exists() && v.Type != gjson.Null {
			m.Steps = append(m.Steps, Hit{prefix, 1})
			at = v
			continue
		}
		m.Steps = append(m.Steps, Hit{prefix, 0})
		if v.Exists() {
			m.Because = fmt.Sprintf("%s is null", prefix)
			return
		}
		m.Because = fmt.Sprintf("there is no %q", parts[i])
		if i > 0 {
			m.Because += " in " + strings.Join(parts[:i], ".")
			m.Near = clipTo(at.Raw, maxNear)
		}
		m.Because += "; " + has(at)
		return
	}
	if at.IsArray() && len(at.Array()) == 0 {
		m.Because = path + " is an empty list"
	}
}

// has says what a JSON value holds.
func has(v gjson.Result) string {
	switch {
	case v.IsObject():
		var keys []string
		v.ForEach(func(k, _ gjson.Result) bool {
			keys = append(keys, k.String())
			return len(keys) < 20
		})
		if len(keys) == 0 {
			return "the object there is empty"
		}
		return "there is " + strings.Join(keys, ", ")
	case v.IsArray():
		return fmt.Sprintf("there is a list of %d; write # for each of its items, or a number", len(v.Array()))
	}
	return fmt.Sprintf("there is the value %s", clip(v.Raw))
}

func clipTo(s string, most int) string {
	s = strings.Join(strings.Fields(s), " ")
	if runes := []rune(s); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return s
}
