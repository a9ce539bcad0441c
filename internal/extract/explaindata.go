package extract

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/tidwall/gjson"
	"shoal/internal/xpath"
)

// explainXPath says why an XPath gives no value within a row.
func (m *Miss) explainXPath(f *fieldPlan, scope node) {
	if !scope.Exists() {
		m.Because = "the answer is no document"
		return
	}
	var first *xpath.Item
	// What it costs was paid once before; its error stands with the page.
	_ = f.XPath.Find(scope, func(i xpath.Item) bool { first = &i; return false })
	switch {
	case first == nil:
		m.explainSteps("xpath", f.XPath.Source, scope)
	case first.Node.Exists() && !first.Attr:
		m.explainValue(f, first.Node)
	default:
		m.typed(f, first.Text)
	}
}

// explainSteps says how far an XPath gets below scope.
func (m *Miss) explainSteps(what, source string, scope node) {
	m.Because = fmt.Sprintf("%s %s gives nothing", what, source)
	var near node
	for _, prefix := range pathBeginnings(source) {
		x, err := xpath.Compile(prefix)
		if err != nil {
			continue // the beginning of a call is none
		}
		n := 0
		_ = x.Find(scope, func(i xpath.Item) bool {
			if n == 0 && i.Node.Exists() {
				near = i.Node
			}
			n++
			return n < maxItems
		})
		m.Steps = append(m.Steps, Hit{prefix, n})
		if n == 0 {
			break
		}
	}
	if n := len(m.Steps); n > 1 && m.Steps[n-1].Matches == 0 {
		m.Because = fmt.Sprintf("%s matches %d, and %s none", m.Steps[n-2].Selector, m.Steps[n-2].Matches, m.Steps[n-1].Selector)
	}
	if near.Exists() && len(m.Steps) > 1 {
		m.Near = markup(near, maxNear)
	}
	if scope.Parent().Exists() && strings.HasPrefix(source, "/") {
		m.Because += "; it begins with /, and so at the document and not at the row: write .//"
	}
}

// pathBeginnings lists an XPath's beginnings, up to each slash outside of
// brackets and quotes.
func pathBeginnings(source string) []string {
	var out []string
	parts := splitOutside(source, "/")
	for i := range parts {
		prefix := strings.Join(parts[:i+1], "/")
		if strings.TrimSpace(parts[i]) != "" && prefix != "." {
			out = append(out, prefix)
		}
	}
	return out
}

// explainColumn says why a column gives no value.
func (m *Miss) explainColumn(r *reader, f *fieldPlan) {
	m.HTML = clipTo(strings.Join(r.record, " | "), maxPlace)
	i, known := r.column[f.Path]
	if !known {
		i, known = r.column[columnName(f.Path)]
	}
	switch {
	case !known:
		names := slices.DeleteFunc(slices.Sorted(maps.Keys(r.column)), func(name string) bool { return strings.Trim(name, "0123456789") == "" })
		m.Because = fmt.Sprintf("there is no column %q; the columns are %s", f.Path, strings.Join(names[:min(len(names), 20)], ", "))
	case i >= len(r.record):
		m.Because = fmt.Sprintf("the line has %d columns, and this is number %d", len(r.record), i+1)
	default:
		m.typed(f, r.record[i])
	}
}

// explainItems says why a field gets nothing from the page's data.
func (m *Miss) explainItems(r *reader, f *fieldPlan) {
	items := r.items(f.data)
	switch {
	case len(items) == 0:
		m.explainData(r, f.data)
	case f.Path != "":
		m.explainPath(f.Path, items[0])
		m.typed(f, items[0].Get(f.Path).String())
	default:
		m.HTML = clipTo(items[0].Raw, maxPlace)
		m.Because = "nothing in it fits; " + has(items[0])
	}
}

// explainData says what data the page has, when it has none that is wanted.
func (m *Miss) explainData(r *reader, dp *dataPlan) {
	m.Because = fmt.Sprintf("the page has no %s", dp.Kind)
	if len(dp.Types) == 0 {
		if dp.Script != "" {
			m.Because = fmt.Sprintf("no script that %s selects has JSON", dp.Script)
			if dp.Match != nil {
				m.Because += fmt.Sprintf(" after a match of %s", dp.Match)
			}
		}
		return
	}
	m.Because += " of the type " + strings.Join(dp.Types, " or ")
	every := *dp
	data := *dp.Data
	data.Types = nil
	every.Data = &data
	var types []string
	for _, raw := range r.readData(&every) {
		if t := typeOfItem(raw); t != "" && !slices.Contains(types, t) {
			types = append(types, t)
		}
	}
	if len(types) > 0 {
		m.Because += "; it has " + strings.Join(types[:min(len(types), 20)], ", ")
	} else {
		m.Because += ", and none of another"
	}
}

// typeOfItem is an item's @type in words.
func typeOfItem(raw []byte) string {
	t := gjson.GetBytes(raw, `\@type`)
	if t.IsArray() {
		var all []string
		for _, one := range t.Array() {
			all = append(all, one.String())
		}
		return strings.Join(all, " and ")
	}
	return t.String()
}
