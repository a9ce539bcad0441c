package extract

import (
	"strings"

	"shoal/internal/dom/address"
	"shoal/internal/dom/atom"
)

// pageLink is an address that the page leads to or is made of.
type pageLink struct {
	URL      string `json:"url"` // canonical
	Text     string `json:"text,omitempty"`
	Kind     string `json:"kind"` // link, image, script, stylesheet, frame, media
	Rel      string `json:"rel,omitempty"`
	Fragment string `json:"fragment,omitempty"`
	Internal bool   `json:"internal"` // the page's host
}

// linkAttrs says where each element has its address, and what it is then.
var linkAttrs = map[atom.Atom]struct{ attr, kind string }{
	atom.A: {"href", "link"}, atom.Area: {"href", "link"}, atom.Img: {"src", "image"}, atom.Script: {"src", "script"},
	atom.Iframe: {"src", "frame"}, atom.Frame: {"src", "frame"}, atom.Embed: {"src", "media"}, atom.Audio: {"src", "media"},
	atom.Video: {"src", "media"}, atom.Source: {"src", "media"}, atom.Track: {"src", "media"}, atom.Object: {"data", "media"},
	atom.Link: {"href", "stylesheet"},
}

// readLinks reads every address of the page once. The option kinds, "all" or
// "links" (links and frames, the default), says which.
func readLinks(p *thingPage) [][]byte {
	var out [][]byte
	here := newSite(p.url)
	seen := map[string]bool{}
	every := p.options["kinds"] == "all"
	p.all(func(n node) bool {
		where, ok := linkAttrs[n.Atom()]
		if !ok || !every && where.kind != "link" && where.kind != "frame" {
			return true
		}
		ref, ok := attr(n, where.attr)
		if !ok || n.Atom() == atom.Link && !oneOf(n, "rel", "stylesheet", "icon", "manifest") {
			return true
		}
		bare, fragment := address.Split(address.Trim(ref))
		canonical, ok := address.Canonical(p.link(bare))
		if !ok || bare == "" || seen[canonical] {
			return true
		}
		seen[canonical] = true
		l := pageLink{URL: canonical, Text: line(n), Kind: where.kind, Internal: here.sameHost(canonical), Fragment: strings.TrimPrefix(fragment, "#")}
		l.Rel, _ = attr(n, "rel")
		if l.Text == "" {
			l.Text = labelOf(n)
		}
		out = appendThing(out, l)
		return len(out) < maxThings
	})
	return out
}

// labelOf is what stands for a link without text: its label, its title, its
// picture's alternative.
func labelOf(n node) string {
	for _, name := range []string{"aria-label", "title", "alt"} {
		if v, ok := attr(n, name); ok && strings.TrimSpace(v) != "" {
			return strings.Join(strings.Fields(v), " ")
		}
	}
	for m := next(n, n, true); m.Exists(); m = next(m, n, true) {
		if v, ok := attr(m, "alt"); ok && strings.TrimSpace(v) != "" {
			return strings.Join(strings.Fields(v), " ")
		}
	}
	return ""
}
