package dom

import (
	"slices"
	"strings"

	"shoal/internal/dom/atom"
)

// MainContent returns the element within n that holds what the page is about:
// its main element (HTML, § 4.4.14), else the article that has most of the
// text, else the innermost element that has it, without counting menus, links
// and what else stands beside a text. It is n if no element has most of it. It
// takes time and memory by the size of n.
func (d *Document) MainContent(n NodeID) NodeID {
	w := d.weigh(n)
	return w.main()
}

// AppendMain appends the text of the main content within n, a line for each
// block, without the menus, asides and the like that stand in it; the whole
// text if there is nothing but these.
func (d *Document) AppendMain(dst []byte, n NodeID) []byte {
	w := d.weigh(n)
	at := w.main()
	start := len(dst)
	if dst = d.lines(dst, at, w.beside); len(dst) == start {
		dst = d.lines(dst, at, nil)
	}
	return dst
}

// weights are how much text the nodes within top have.
type weights struct {
	doc *Document
	top NodeID
	of  []weight // by id, from top on
}

// A weight is of a node and what it contains, in bytes without white space.
type weight struct {
	prose  int32 // text beside no link, and in nothing that is beside
	linked int32 // text of links
	links  int32
	beside bool // it is no part of a main content, or stands in what is not
}

func (d *Document) weigh(top NodeID) *weights {
	end := d.End(top)
	w := &weights{doc: d, top: top, of: make([]weight, end-top)}
	var link NodeID // the end of the link that n stands in
	for n := top; n < end; n++ {
		me := &w.of[n-top]
		me.beside = n != top && (w.of[d.nodes[n].parent-top].beside || d.besideContent(n))
		switch e := &d.nodes[n]; {
		case e.typ == TextNode && n < link:
			me.linked = inked(d.text(e.data))
		case e.typ == TextNode && !me.beside:
			me.prose = inked(d.text(e.data))
		case e.name == atom.A && e.typ == ElementNode && n >= link:
			link, me.links = d.End(n), 1
		}
	}
	for n := end - 1; n > top; n-- {
		me, up := &w.of[n-top], &w.of[d.nodes[n].parent-top]
		up.prose, up.linked, up.links = up.prose+me.prose, up.linked+me.linked, up.links+me.links
	}
	return w
}

// inked counts the bytes of a text that are no white space.
func inked(s string) (n int32) {
	for i := range len(s) {
		if asciiClass[s[i]] != 1 {
			n++
		}
	}
	return n
}

// main is the element that MainContent describes.
func (w *weights) main() NodeID {
	d, all := w.doc, w.of[0].prose
	if main := w.most(func(n NodeID) bool { return d.IsElement(n, atom.Main) || d.role(n, "main") }); main != None {
		return main
	}
	if article := w.most(func(n NodeID) bool { return d.IsElement(n, atom.Article) }); article != None && 2*w.of[article-w.top].prose > all {
		return article
	}
	at := w.top
	for next := at; next != None; {
		at, next = next, None
		for c := d.nodes[at].first; c != None; c = d.nodes[c].next {
			if d.nodes[c].typ == ElementNode && d.contains(c) && 10*w.of[c-w.top].prose > 7*w.of[at-w.top].prose {
				next = c
			}
		}
	}
	return at
}

// most is the element of a kind that has the most prose; None if none has any.
func (w *weights) most(kind func(NodeID) bool) (best NodeID) {
	most := int32(0)
	for i := range w.of {
		if n := w.top + NodeID(i); w.of[i].prose > most && kind(n) {
			best, most = n, w.of[i].prose
		}
	}
	return best
}

// contains reports whether an element is of those that divide a page, not a text.
func (d *Document) contains(n NodeID) bool {
	switch d.nodes[n].name {
	case atom.Html, atom.Body, atom.Div, atom.Section, atom.Article, atom.Center, atom.Form, atom.Table, atom.Tbody, atom.Tr, atom.Td:
		return d.nodes[n].ns == HTML
	}
	return d.nodes[n].name >= atom.NumKnown // a custom element
}

// beside reports what is left out of a main content: what is beside by itself,
// and lists of links.
func (w *weights) beside(n NodeID) bool {
	me := w.of[n-w.top]
	if me.beside && !w.of[w.doc.nodes[n].parent-w.top].beside {
		return true
	}
	return me.links >= 4 && me.linked > 4*me.prose && w.doc.nodes[n].reading() == readsBlock
}

// besideRoles are the landmarks and widgets (WAI-ARIA 1.2, § 5.3) whose text is
// about the site, not of the page; besideWords the classes and ids that people
// give to such things.
var (
	besideRoles = []string{"navigation", "banner", "contentinfo", "complementary", "search", "dialog", "alertdialog", "menu", "menubar", "toolbar"}
	besideWords = []string{"ad", "ads", "advert", "advertisement", "advertising", "banner-ad", "breadcrumb", "breadcrumbs", "comments", "comment-list",
		"cookie-banner", "cookie-consent", "cookie-notice", "footer", "masthead", "menu", "nav", "navbar", "navbox", "navheader", "navfooter", "navigation",
		"newsletter", "pagination", "promo", "related", "related-posts", "share", "share-buttons", "sharing", "sidebar", "site-footer", "site-header",
		"skip-link", "social-links", "social-share", "sphinxsidebar", "sponsored", "toc", "widget"}
)

// besideContent reports whether an element says itself that it is no part of a
// main content: by its name, its role, its class or id, or that it is hidden.
func (d *Document) besideContent(n NodeID) bool {
	e := &d.nodes[n]
	if e.typ != ElementNode {
		return false
	}
	switch e.name {
	case atom.Nav, atom.Aside, atom.Footer, atom.Button, atom.Dialog, atom.Menu, atom.Select, atom.Textarea, atom.Script, atom.Style,
		atom.Template, atom.Noscript, atom.Iframe, atom.Object, atom.Head, atom.Title:
		return true
	case atom.Header:
		return !d.inSection(n)
	case atom.Html, atom.Body, atom.Main, atom.Article:
		return false
	}
	if e.data.len == 0 {
		return false
	}
	if d.hidden(n) || d.role(n, besideRoles...) {
		return true
	}
	for _, name := range []atom.Atom{atom.Class, atom.Id} {
		v, _ := d.Attr(n, name)
		for word := range strings.FieldsSeq(v) {
			if len(word) < 16 && slices.Contains(besideWords, strings.ToLower(word)) {
				return true
			}
		}
	}
	return false
}

// inSection reports whether a header is that of a part of the page, not of the page.
func (d *Document) inSection(n NodeID) bool {
	for p := d.nodes[n].parent; p != None; p = d.nodes[p].parent {
		switch d.nodes[p].name {
		case atom.Main, atom.Article, atom.Section:
			return true
		}
	}
	return false
}

// role reports whether an element's role is one of those: the first that it
// names counts.
func (d *Document) role(n NodeID, roles ...string) bool {
	if d.nodes[n].typ != ElementNode {
		return false
	}
	v, ok := d.Attr(n, atom.Role)
	if !ok {
		return false
	}
	words := strings.Fields(v)
	return len(words) > 0 && slices.Contains(roles, strings.ToLower(words[0]))
}
