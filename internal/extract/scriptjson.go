package extract

import (
	"encoding/json"
	"net/url"
	"regexp"
	"strings"
)

// maxScriptTries is after how many matches JSON is looked for.
const maxScriptTries = 50

// scriptJSON returns the JSON in a script's text: what follows the first match
// of match that JSON follows, or without one the whole text. What follows may
// be a value, also one that JavaScript reads and JSON does not, or
// JSON.parse("…") of one. false: there is none.
func scriptJSON(text string, match *regexp.Regexp) ([]byte, bool) {
	if match == nil {
		if b, ok := scriptValue(text); ok {
			return b, true
		}
		if _, after, ok := strings.Cut(text, "="); ok { // window.state = {…}
			return scriptValue(after)
		}
		return nil, false
	}
	for from, tries := 0, 0; from < len(text) && tries < maxScriptTries; tries++ {
		m := match.FindStringIndex(text[from:])
		if m == nil {
			return nil, false
		}
		if b, ok := scriptValue(strings.TrimLeft(text[from+m[1]:], " \t\r\n=:")); ok {
			return b, true
		}
		from += max(m[1], 1)
	}
	return nil, false
}

var parsed = regexp.MustCompile(`^\s*\(?\s*JSON\.parse\(\s*(decodeURIComponent\(\s*)?`)

func scriptValue(text string) ([]byte, bool) {
	if m := parsed.FindStringSubmatchIndex(text); m != nil {
		quoted, _, ok := looseValue(text[m[1]:])
		var inner string
		if !ok || json.Unmarshal(quoted, &inner) != nil {
			return nil, false
		}
		if m[2] >= 0 {
			plain, err := url.PathUnescape(inner)
			if err != nil {
				return nil, false
			}
			inner = plain
		}
		text = inner
	}
	b, _, ok := looseValue(text)
	if !ok || !json.Valid(b) || len(b) > 0 && b[0] != '{' && b[0] != '[' {
		return nil, false
	}
	return b, true
}
