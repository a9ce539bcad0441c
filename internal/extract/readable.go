package extract

import (
	"net/url"
	"strings"

	readability "codeberg.org/readeck/go-readability/v2"
	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// The largest page whose main text is looked for, since the search goes over
// the tree many times and reads the text of each element: in elements, and in
// characters times the elements that they stand in.
const (
	maxReadable = 40_000
	maxReading  = 60_000_000
)

// readable returns the element that holds the page's main text, cleaned of
// menus, teasers, banners and bylines, in a tree of its own; nil: the page has none.
func (p *thingPage) readable() (content *node) {
	defer func() {
		if recover() != nil {
			content = nil // a page that the search cannot cope with has no main text
		}
	}()
	base, err := url.Parse(p.url)
	if err != nil {
		return nil
	}
	if p.res != nil {
		base = p.res.base
	}
	c := copier{elements: maxReadable, reading: maxReading}
	copied := c.copy(p.root, 0)
	if c.elements <= 0 || c.reading <= 0 {
		return nil
	}
	parser := readability.NewParser()
	parser.DisableJSONLD = true // read by this package, from the tree as it was
	found, err := parser.ParseAndMutate(copied, base)
	if err != nil || found.Node == nil {
		return nil
	}
	for n := found.Node; n != nil; n = next(n, found.Node, true) {
		n.DataAtom = atom.Lookup([]byte(n.Data)) // it renames elements
	}
	return found.Node
}

// copier copies what may belong to a main text, within the bounds that are left.
type copier struct{ elements, reading int }

func (c *copier) copy(n *node, depth int) *node {
	out := &node{Type: n.Type, DataAtom: n.DataAtom, Data: n.Data, Namespace: n.Namespace, Attr: append([]html.Attribute(nil), n.Attr...)}
	for m := n.FirstChild; m != nil && c.elements > 0 && c.reading > 0; m = m.NextSibling {
		if m.Type == html.CommentNode || m.Type == html.ElementNode && besideText(m) {
			continue
		}
		c.elements--
		if m.Type == html.TextNode {
			c.reading -= len(m.Data) * (depth + 1)
		}
		out.AppendChild(c.copy(m, depth+1))
	}
	return out
}

// besideText knows what is no part of a main text by its element or its class:
// advertisements, share buttons, banners, captions, and the lines that name
// author and date, which are read for themselves.
func besideText(n *node) bool {
	switch n.DataAtom {
	case atom.Script, atom.Style, atom.Nav, atom.Form, atom.Button, atom.Figcaption, atom.Template, atom.Dialog, atom.Iframe:
		return true
	case atom.Header:
		return (inside(n, atom.Article) || inside(n, atom.Main)) && shorter(n, 300)
	case atom.Time:
		return oneOf(n, "itemprop", "datePublished", "dateModified") || n.Parent != nil && shorter(n.Parent, 60)
	case atom.Aside:
		return true
	}
	if n.DataAtom == atom.Html || n.DataAtom == atom.Body || n.DataAtom == atom.Main || n.DataAtom == atom.Article {
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
func shorter(n *node, most int) bool {
	for m := next(n, n, true); m != nil; m = next(m, n, true) {
		if m.Type == html.TextNode {
			if most -= len(strings.TrimSpace(m.Data)); most <= 0 {
				return false
			}
		}
	}
	return true
}
