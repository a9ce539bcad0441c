package extract

import (
	"encoding/json"
	"html"
	"strings"

	"github.com/tidwall/gjson"

	"shoal/internal/dom/atom"
)

const (
	maxLDDepth = 40       // how deep items are looked for within items
	maxLDBytes = 16 << 20 // bytes of a page's items; one within others counts each time
)

func validJSON(s string) bool { return json.Valid([]byte(s)) }

// jsonLD returns the page's JSON-LD items (https://www.w3.org/TR/json-ld11/),
// at most max: every object with an @type, whether it stands alone, in a list,
// in a @graph or within another item, in the page's order. What browsers and
// search engines forgive is forgiven here.
func jsonLD(root node, max int) [][]byte {
	var out [][]byte
	left := maxLDBytes
	for n := next(root, root, true); n.Exists() && len(out) < max && left > 0; n = next(n, root, true) {
		if n.Atom() != atom.Script {
			continue
		}
		kind, _ := attr(n, "type")
		kind, _, _ = strings.Cut(kind, ";")
		if !strings.EqualFold(strings.TrimSpace(kind), "application/ld+json") {
			continue
		}
		for _, doc := range documents(scriptText(n)) {
			out = flatten(out, gjson.ParseBytes(doc), max, 0, &left)
		}
	}
	return out
}

// scriptText is a script's text as it stands.
func scriptText(n node) string {
	if first := n.FirstChild(); first.Exists() && !first.NextSibling().Exists() {
		return first.Data()
	}
	var b strings.Builder
	for m := n.FirstChild(); m.Exists(); m = m.NextSibling() {
		b.WriteString(m.Data())
	}
	return b.String()
}

// documents are the JSON values of a script, one after the other.
func documents(text string) [][]byte {
	text = strings.TrimSpace(text)
	if validJSON(text) {
		return [][]byte{[]byte(text)}
	}
	if strings.Contains(text, "&quot;") && !strings.Contains(text, `"`) {
		text = html.UnescapeString(text) // the whole was escaped as if it stood in an attribute
	}
	var list [][]byte
	for text != "" && len(list) < 1000 {
		doc, rest, ok := looseValue(text)
		if !ok {
			return append(list, salvage(text)...)
		}
		if len(doc) > 0 && json.Valid(doc) {
			list = append(list, doc)
		}
		text = strings.TrimLeft(rest, " \t\r\n;,")
	}
	return list
}

// salvage takes, of a text that is no JSON as a whole, the objects in it that
// are: those of a list that breaks off, say.
func salvage(text string) [][]byte {
	if i := strings.IndexByte(text, '['); i >= 0 && i < 200 {
		var list [][]byte
		rest := text[i+1:]
		for len(list) < 1000 {
			rest = strings.TrimLeft(rest, " \t\r\n,")
			doc, after, ok := looseValue(rest)
			if !ok {
				break
			}
			if json.Valid(doc) {
				list = append(list, doc)
			}
			rest = after
		}
		return list
	}
	return nil
}

func flatten(out [][]byte, v gjson.Result, max, depth int, left *int) [][]byte {
	if depth > maxLDDepth || len(out) >= max || !v.IsObject() && !v.IsArray() {
		return out
	}
	if v.IsObject() && v.Get(`\@type`).Exists() {
		if *left -= len(v.Raw); *left < 0 {
			return out
		}
		out = append(out, []byte(v.Raw))
	}
	v.ForEach(func(_, member gjson.Result) bool {
		out = flatten(out, member, max, depth+1, left)
		return len(out) < max && *left >= 0
	})
	return out
}
