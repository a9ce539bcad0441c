package extract

import (
	"fmt"
	"strings"

	"shoal/internal/crawler"
)

// Explanation gathers, over the pages of one trial, what was looked for and
// not found. It is for people who write a definition; runs have none, and a
// nil one gathers nothing. It is not safe for concurrent use.
type Explanation struct {
	// Fields holds the first miss of each field, by name.
	Fields map[string]*Miss
	// Rows holds the first page of each kind on which no row was found, by kind.
	Rows map[string]*Miss
	// Found counts the rows' elements that were found, Filtered those that
	// where dropped, and Incomplete those dropped for want of a required field,
	// by its name.
	Found      int
	Filtered   int
	Incomplete map[string]int
	// Follow says what each follow rule found, in the order in which they were applied.
	Follow []*Rule

	rules map[*followPlan]*Rule
}

// Miss is a place where something was looked for and not found.
type Miss struct {
	Page    string `json:"page"` // the page kind
	URL     string `json:"url"`
	Because string `json:"because"`         // a sentence
	Steps   []Hit  `json:"steps,omitempty"` // how far the selector or path got
	// HTML is the place: the row's element or item, clipped. Near is the part of
	// it where the last step that fits leads; empty when there is none.
	HTML string `json:"html,omitempty"`
	Near string `json:"near,omitempty"`
}

// Hit is a beginning of a selector or path and how many places it fits.
type Hit struct {
	Selector string `json:"selector"`
	Matches  int    `json:"matches"`
}

// The most characters shown of a place.
const (
	maxPlace = 700
	maxNear  = 400
)

// NewExplanation returns an empty one.
func NewExplanation() *Explanation {
	return &Explanation{Fields: map[string]*Miss{}, Rows: map[string]*Miss{}, Incomplete: map[string]int{}, rules: map[*followPlan]*Rule{}}
}

func (e *Explanation) found() {
	if e != nil {
		e.Found++
	}
}

func (e *Explanation) filtered() {
	if e != nil {
		e.Filtered++
	}
}

func (e *Explanation) incomplete(field string) {
	if e != nil {
		e.Incomplete[field]++
	}
}

// field notes that a field of the row at scope has no value.
func (e *Explanation) field(r *reader, f *fieldPlan, scope node, m matches) {
	if e == nil || e.Fields[f.Name] != nil {
		return
	}
	miss := &Miss{Page: r.plan.Name, URL: r.url}
	e.Fields[f.Name] = miss
	miss.explainField(r, f, scope, m)
}

// explainField says why a field has no value, by its source.
func (m *Miss) explainField(r *reader, f *fieldPlan, scope node, found matches) {
	switch {
	case f.Value != nil:
		m.Because = "its expression gives nothing here"
	case f.From != "":
		m.Because = fmt.Sprintf("the answer has no %s that fits", f.From)
	case f.data != nil:
		m.explainItems(r, f)
	case f.Path != "" && r.plan.Format == crawler.CSV:
		m.explainColumn(r, f)
	case f.Path != "":
		m.explainPath(f.Path, r.json)
		m.typed(f, r.json.Get(f.Path).String())
	case f.JQ != nil:
		m.HTML = clipTo(r.json.Raw, maxPlace)
		m.Because = fmt.Sprintf("jq %s gives nothing that fits; %s", f.JQ.Source, has(r.json))
	case f.XPath != nil:
		m.place(scope)
		m.explainXPath(f, scope)
	case r.plan.Format == crawler.XML && !r.plan.Tree:
		m.Because = fmt.Sprintf("the row has no element %q with a text that fits", f.Select)
	case f.paths != nil:
		m.place(scope)
		m.Because = fmt.Sprintf("the row has no element %q with a text that fits", f.Select)
	case f.Select == "" || f.sel < 0:
		m.place(scope)
		m.explainValue(f, scope)
	case len(found[f.sel]) > 0:
		m.place(scope)
		m.explainValue(f, r.at(found[f.sel][0]))
	default:
		m.place(scope)
		m.explainSelector(f.Select, scope)
	}
}

// rows notes that a page has no row.
func (e *Explanation) rows(r *reader, root node) {
	if e == nil || e.Rows[r.plan.Name] != nil {
		return
	}
	miss := &Miss{Page: r.plan.Name, URL: r.url}
	e.Rows[r.plan.Name] = miss
	rows := r.plan.Rows
	switch {
	case r.plan.data != nil && !r.json.Exists():
		miss.explainData(r, r.plan.data)
	case rows.JQ != nil:
		miss.HTML = clipTo(r.json.Raw, maxPlace)
		miss.Because = fmt.Sprintf("jq %s gives nothing; %s", rows.JQ.Source, has(r.json))
	case r.plan.data != nil || r.plan.Format == crawler.JSON:
		miss.explainPath(rows.Each, r.json)
	case rows.XPath != nil && root.Exists():
		miss.explainSteps("xpath", rows.XPath.Source, root)
	case root.Exists() && r.plan.Format == crawler.HTML:
		miss.explainSelector(rows.Each, root)
	case r.plan.Format == crawler.HTML:
		miss.Because = fmt.Sprintf("the answer is %s, no HTML document; is it to be read in another format?", r.page.MediaType)
	default:
		miss.Because = fmt.Sprintf("there is no %q in the answer, which is %s", rows.Each, r.page.MediaType)
	}
}

// place shows the row's element. A whole document is no place to show.
func (m *Miss) place(scope node) {
	if scope.IsElement() {
		m.HTML = markup(scope, maxPlace)
	}
}

// explainValue says why an element that was found gives no value.
func (m *Miss) explainValue(f *fieldPlan, n node) {
	if !n.Exists() {
		m.Because = "the answer is no HTML document"
		return
	}
	if n.IsElement() {
		m.Near = markup(n, maxNear)
	}
	text := string(appendText(nil, n, false))
	if f.Attr != "" {
		v, ok := attr(n, f.Attr)
		if !ok {
			m.Because = fmt.Sprintf("the element has no attribute %q", f.Attr)
			if names := attrNames(n); names != "" {
				m.Because += "; it has " + names
			}
			return
		}
		text = v
	}
	m.typed(f, text)
}

// typed says why a text that was found gives no value.
func (m *Miss) typed(f *fieldPlan, text string) {
	shown := clip(strings.Join(strings.Fields(text), " "))
	switch {
	case m.Because != "":
	case shown == "":
		m.Because = "it is found, and holds no text"
	case f.Match != nil && !f.Match.MatchString(text):
		m.Because = fmt.Sprintf("match %s does not fit the text %q", f.Match, shown)
	case f.Map != nil:
		m.Because = fmt.Sprintf("map has no entry for the text %q", shown)
	default:
		m.Because = fmt.Sprintf("the text %q is no %s", shown, f.As)
	}
}

func attrNames(n node) string { return strings.Join(n.AttrNames(), ", ") }

// markup is an element on one line, clipped.
func markup(n node, most int) string {
	text := strings.Join(strings.Fields(string(n.Document().AppendOuterHTML(nil, n.ID()))), " ")
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return text
}
