package dom

import (
	"strings"

	"shoal/internal/dom/atom"
)

// pass reports whether n passes all tests.
func (f *Finder) pass(tests []test, n NodeID) bool {
	f.left--
	for i := range tests {
		if !f.test(&tests[i], n) {
			return false
		}
	}
	return true
}

// test reports whether an element passes a test.
func (f *Finder) test(t *test, n NodeID) bool {
	d := f.doc
	switch t.kind {
	case testName:
		e := &d.nodes[n]
		return e.name == f.name(t.name) || e.ns != HTML && e.name == f.name(t.exact)
	case testID:
		v, ok := d.Attr(n, atom.Id)
		return ok && v == t.value
	case testClass:
		v, ok := d.Attr(n, atom.Class)
		return ok && hasWord(v, t.value)
	case testHas, testEqual, testWord, testDash, testPrefix, testSuffix, testPart, testPattern:
		return f.attribute(t, n)
	case testUnequal:
		return !f.attribute(t, n)
	case testRoot:
		return f.isRoot(n)
	case testScope:
		return n == f.known.scope || f.known.scope == Root && f.isRoot(n)
	case testAnchor:
		return n == f.anchor
	case testNever:
		return false
	case testEmpty:
		return f.empty(n)
	case testFirst:
		return d.elementBefore(n) == None
	case testLast:
		return d.elementAfter(n) == None
	case testNth:
		return f.nth(t, n)
	case testNot:
		return !f.fitsAny(t.list, n)
	case testIs:
		return f.fitsAny(t.list, n)
	case testBelow, testChild, testAdjacent, testAfter, testRelative:
		return f.left >= 0 && f.has(t, n)
	case testContains, testContainsOwn, testMatches, testMatchesOwn:
		return f.left >= 0 && f.reads(t, n)
	case testLang:
		return f.speaks(t, n)
	}
	return f.control(t.kind, n)
}

func (f *Finder) isRoot(n NodeID) bool {
	return f.doc.nodes[f.doc.nodes[n].parent].typ == DocumentNode
}

// empty reports whether n has no child but white space and comments (§ 13.2).
func (f *Finder) empty(n NodeID) bool {
	d := f.doc
	for c := d.nodes[n].first; c != None; c = d.nodes[c].next {
		f.left--
		switch d.nodes[c].typ {
		case ElementNode:
			return false
		case TextNode:
			if strings.TrimSpace(d.text(d.nodes[c].data)) != "" {
				return false
			}
		}
	}
	return true
}

// speaks reports whether the nearest language that is declared around n is
// one of the test's, or a variety of it (§ 7.2).
func (f *Finder) speaks(t *test, n NodeID) bool {
	d := f.doc
	for ; d.nodes[n].typ == ElementNode; n = d.nodes[n].parent {
		f.left--
		v, ok := d.Attr(n, atom.Lang)
		if !ok {
			continue
		}
		for tag := range strings.SplitSeq(t.value, ",") {
			if v != "" && (strings.EqualFold(v, tag) || len(v) > len(tag) && v[len(tag)] == '-' && strings.EqualFold(v[:len(tag)], tag)) {
				return true
			}
		}
		return false
	}
	return false
}

// control reports what depends on a form's control or a link (HTML, § 4.16.3).
func (f *Finder) control(kind testKind, n NodeID) bool {
	d := f.doc
	name := d.nodes[n].name
	has := func(a atom.Atom) bool {
		_, ok := d.Attr(n, a)
		return ok
	}
	switch kind {
	case testInput:
		return name == atom.Input || name == atom.Select || name == atom.Textarea || name == atom.Button
	case testLink:
		return f.leads(n)
	case testChecked:
		if name == atom.Option {
			return has(atom.Selected)
		}
		kind, _ := d.Attr(n, atom.Type)
		return (name == atom.Input || name == atom.Menuitem) && has(atom.Checked) && (strings.EqualFold(kind, "checkbox") || strings.EqualFold(kind, "radio"))
	case testEnabled:
		return f.leads(n) || disables(name) && !f.disabled(n)
	case testDisabled:
		return disables(name) && f.disabled(n)
	case testRequired:
		return asks(name) && has(atom.Required)
	case testOptional:
		return asks(name) && !has(atom.Required)
	}
	return false
}

// leads reports whether an element is a link with a target.
func (f *Finder) leads(n NodeID) bool {
	switch f.doc.nodes[n].name {
	case atom.A, atom.Area, atom.Link:
		_, ok := f.doc.Attr(n, atom.Href)
		if !ok && f.doc.nodes[n].ns == SVG {
			_, ok = f.doc.Attr(n, atom.XlinkHref)
		}
		return ok
	}
	return false
}

func asks(name atom.Atom) bool {
	return name == atom.Input || name == atom.Select || name == atom.Textarea
}

func disables(name atom.Atom) bool {
	switch name {
	case atom.Optgroup, atom.Menuitem, atom.Fieldset, atom.Button, atom.Input, atom.Select, atom.Textarea, atom.Option:
		return true
	}
	return false
}

// disabled reports whether an element is disabled itself or, if it is a
// control, by a fieldset around it in whose legend it does not stand.
func (f *Finder) disabled(n NodeID) bool {
	d := f.doc
	if _, ok := d.Attr(n, atom.Disabled); ok {
		return true
	}
	switch d.nodes[n].name {
	case atom.Optgroup, atom.Menuitem, atom.Fieldset:
		return false
	}
	for p := d.nodes[n].parent; p != None; n, p = p, d.nodes[p].parent {
		f.left--
		if d.nodes[p].name != atom.Fieldset {
			continue
		}
		if _, ok := d.Attr(p, atom.Disabled); ok && !(d.nodes[n].name == atom.Legend && f.firstLegend(n)) {
			return true
		}
	}
	return false
}

func (f *Finder) firstLegend(n NodeID) bool {
	for s := f.doc.elementBefore(n); s != None; s = f.doc.elementBefore(s) {
		f.left--
		if f.doc.nodes[s].name == atom.Legend {
			return false
		}
	}
	return true
}
