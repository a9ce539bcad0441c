package extract

import (
	"strings"

	"github.com/tidwall/gjson"
)

// usualItems are the members under which APIs answer their items, most telling first.
var usualItems = []string{"items", "results", "data", "records", "entries", "docs", "documents", "hits", "rows", "list", "objects", "edges", "nodes",
	"value", "values", "elements", "products", "posts", "articles", "events", "users", "members", "features"}

// maxRecordDepth is how deep the items of an answer are looked for.
const maxRecordDepth = 5

// readRecords reads the items of an API's answer: those at the dotted path of
// the option items or, without one, those that look most like them. Each is an
// object {"index": n, "record": item}.
func readRecords(p *thingPage) [][]byte {
	var out [][]byte
	text, ok := looseJSON(p.body)
	if !ok {
		return nil
	}
	var items []gjson.Result
	switch path := strings.TrimSpace(p.options["items"]); {
	case path != "" && path != "@this" && path != ".":
		if v := gjson.GetBytes(text, path); v.IsArray() {
			items = v.Array()
		} else if v.IsObject() {
			items = membersOf(v)
		}
	default:
		items = itemsOf(gjson.ParseBytes(text))
	}
	for i, item := range items {
		if len(out) >= maxThings {
			break
		}
		if node := item.Get("node"); node.IsObject() && len(membersOf(item)) <= 2 {
			item = node // an edge of GraphQL
		}
		b := append(appendAny([]byte(`{"index":`), i+1), `,"record":`...)
		out = append(out, append(append(b, item.Raw...), '}'))
	}
	return out
}

func membersOf(v gjson.Result) []gjson.Result {
	var list []gjson.Result
	v.ForEach(func(_, value gjson.Result) bool {
		list = append(list, value)
		return true
	})
	return list
}

// itemsOf finds the list that an answer is about: the answer itself, the list
// under a usual name, else the longest list of objects. An answer without a
// list is one item.
func itemsOf(root gjson.Result) []gjson.Result {
	if root.IsArray() {
		return root.Array()
	}
	if !root.IsObject() {
		return nil
	}
	if list, ok := bestList(root, 0); ok {
		return list
	}
	return []gjson.Result{root}
}

func bestList(v gjson.Result, depth int) (best []gjson.Result, found bool) {
	if depth > maxRecordDepth {
		return nil, false
	}
	for _, name := range usualItems {
		m := v.Get(name)
		if m.IsArray() && listOfObjects(m) {
			return m.Array(), true
		}
	}
	for _, name := range usualItems {
		if m := v.Get(name); m.IsObject() {
			if list, ok := bestList(m, depth+1); ok {
				return list, true
			}
		}
	}
	v.ForEach(func(_, m gjson.Result) bool {
		list, ok := []gjson.Result(nil), false
		switch {
		case m.IsArray() && listOfObjects(m):
			list, ok = m.Array(), true
		case m.IsObject():
			list, ok = bestList(m, depth+1)
		}
		if ok && (!found || len(list) > len(best)) {
			best, found = list, true
		}
		return true
	})
	return best, found
}

// listOfObjects reports a list that is empty or begins with an object.
func listOfObjects(v gjson.Result) bool {
	first := gjson.Result{}
	v.ForEach(func(_, item gjson.Result) bool {
		first = item
		return false
	})
	return !first.Exists() || first.IsObject()
}
