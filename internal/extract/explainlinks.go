package extract

import (
	"fmt"
	"strings"
)

// Rule says what a follow rule found over the pages of a trial.
type Rule struct {
	Page string `json:"page"` // the page kind that it stands in
	Rule string `json:"rule"` // its source, as the definition has it
	To   string `json:"to"`   // the page kind that it leads to
	// Pages counts the pages, or the rows of a rule that carries rows, on which it
	// was applied; Found the links that it found there, and Refused those of them
	// that its own bounds leave out: scope, include, skip, depth.
	Pages   int `json:"pages"`
	Found   int `json:"found"`
	Refused int `json:"refused"`
	// Miss is why nothing was found on the first page; nil when something was.
	Miss *Miss `json:"miss,omitempty"`
}

// rule notes that a rule is applied within scope and its matches.
func (e *Explanation) rule(r *reader, fp *followPlan, scope node, m matches) {
	if e == nil {
		return
	}
	rule := e.rules[fp]
	if rule == nil {
		rule = &Rule{Page: r.plan.Name, Rule: sourceOf(fp), To: fp.Page}
		e.rules[fp] = rule
		e.Follow = append(e.Follow, rule)
	}
	rule.Pages++
	if rule.Pages > 1 || fp.at.none() {
		return
	}
	found := false
	if err := r.find(&fp.at, scope, m, func(string) bool { found = true; return false }); err != nil || found {
		return
	}
	miss := &Miss{Page: r.plan.Name, URL: r.url}
	rule.Miss = miss
	switch {
	case fp.at.sel >= 0:
		miss.place(scope)
		if at := m[fp.at.sel]; len(at) > 0 {
			miss.Near = markup(r.at(at[0]), maxNear)
			miss.Because = fmt.Sprintf("the element has no %s; it has %s", fp.Attr, attrNames(r.at(at[0])))
			return
		}
		miss.explainSelector(fp.Select, scope)
	case fp.XPath != nil && scope.Exists():
		miss.place(scope)
		miss.explainSteps("xpath", fp.XPath.Source, scope)
	case fp.at.path != "":
		miss.explainPath(fp.at.path, r.json)
	default:
		miss.Because = sourceOf(fp) + " gives nothing"
	}
}

// link notes a link that a rule found, and whether its bounds admit it.
func (e *Explanation) link(fp *followPlan, admitted bool) {
	if e == nil || e.rules[fp] == nil {
		return
	}
	rule := e.rules[fp]
	rule.Miss = nil
	rule.Found++
	if !admitted {
		rule.Refused++
	}
}

// sourceOf is a rule's source as a person wrote it.
func sourceOf(fp *followPlan) string {
	var parts []string
	switch {
	case fp.Rel != "":
		parts = append(parts, "link_header: "+fp.Rel)
	case fp.Select != "":
		parts = append(parts, "select: "+fp.Select)
	case fp.XPath != nil:
		parts = append(parts, "xpath: "+fp.XPath.Source)
	case fp.at.path != "":
		parts = append(parts, "path: "+fp.at.path)
	case fp.JQ != nil:
		parts = append(parts, "jq: "+fp.JQ.Source)
	}
	if fp.Match != nil {
		parts = append(parts, "match: "+fp.Match.String())
	}
	if len(parts) == 0 {
		parts = append(parts, "url")
	}
	return strings.Join(parts, ", ")
}
