package extract

import (
	"net/url"
	"strings"

	readability "codeberg.org/readeck/go-readability/v2"

	"shoal/internal/dom"
	"shoal/internal/dom/atom"
)

// The largest page whose main text is looked for, since the search goes over
// the tree many times and reads the text of each element: in elements, and in
// characters times the elements that they stand in.
const (
	maxReadable = 40_000
	maxReading  = 60_000_000
)

// readable returns the element that holds the page's main text, cleaned of
// menus, teasers, banners and bylines, in a document of its own; none: the page
// has none.
func (p *thingPage) readable() (content node) {
	defer func() {
		if recover() != nil {
			content = node{} // a page that the search cannot cope with has no main text
		}
	}()
	base, err := url.Parse(p.url)
	if err != nil {
		return node{}
	}
	if p.res != nil {
		base = p.res.Base()
	}
	left := readingLeft{elements: maxReadable, reading: maxReading}
	copied := dom.ToNode(p.root, left.keep)
	if left.elements <= 0 || left.reading <= 0 {
		return node{}
	}
	parser := readability.NewParser()
	parser.DisableJSONLD = true // read by this package, from the tree as it was
	found, err := parser.ParseAndMutate(copied, base)
	if err != nil || found.Node == nil {
		return node{}
	}
	doc := &dom.Document{}
	dom.FromNode(doc, found.Node)
	return doc.Node(dom.Root).FirstChild()
}

// readingLeft is what is left of the bounds of the search.
type readingLeft struct{ elements, reading int }

// keep says what may belong to a main text.
func (c *readingLeft) keep(n node, depth int) bool {
	if c.elements <= 0 || c.reading <= 0 || n.Type() == dom.CommentNode || n.IsElement() && besideText(n) {
		return false
	}
	c.elements--
	if n.IsText() {
		c.reading -= len(n.Data()) * (depth + 1)
	}
	return true
}

// besideText knows what is no part of a main text by its element or its class:
// advertisements, share buttons, banners, captions, and the lines that name
// author and date, which are read for themselves.
func besideText(n node) bool {
	switch n.Atom() {
	case atom.Script, atom.Style, atom.Nav, atom.Form, atom.Button, atom.Figcaption, atom.Template, atom.Dialog, atom.Iframe:
		return true
	case atom.Header:
		return (inside(n, atom.Article) || inside(n, atom.Main)) && shorter(n, 300)
	case atom.Time:
		return oneOf(n, "itemprop", "datePublished", "dateModified") || n.Parent().Exists() && shorter(n.Parent(), 60)
	case atom.Aside:
		return true
	}
	if n.Atom() == atom.Html || n.Atom() == atom.Body || n.Atom() == atom.Main || n.Atom() == atom.Article {
		return false
	}
	if hasWord(n, "ad", "ads", "advert", "advertisement", "advertising", "adsbygoogle", "sponsored", "sponsor", "promo", "newsletter", "cookie-banner", "cookie-consent", "cookie-notice",
		"share", "sharing", "share-buttons", "sharedaddy", "social-share", "social-links", "comments", "comment-list", "related", "related-posts", "breadcrumb", "breadcrumbs",
		"toc", "headerlink", "sphinxsidebar", "printfooter", "mw-editsection", "navbox", "sidebar") {
		return true
	}
	if oneOf(n, "rel", "author") || oneOf(n, "itemprop", "author", "datePublished", "dateModified") ||
		hasWord(n, "byline", "author", "date", "published", "post-date", "entry-date", "entry-meta", "post-meta", "article-meta", "dateline", "posted-on", "timestamp") {
		return shorter(n, 150)
	}
	if role, ok := attr(n, "role"); ok {
		switch strings.ToLower(role) {
		case "navigation", "banner", "contentinfo", "complementary", "dialog", "alertdialog", "search":
			return true
		}
	}
	return false
}

// shorter reports whether the element has less text than so many bytes; it
// looks no further than it must, since elements that ask may lie in each other.
func shorter(n node, most int) bool {
	for m := next(n, n, true); m.Exists(); m = next(m, n, true) {
		if m.IsText() {
			if most -= len(strings.TrimSpace(m.Data())); most <= 0 {
				return false
			}
		}
	}
	return true
}
