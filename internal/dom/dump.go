package dom

import (
	"slices"
	"strings"

	"shoal/internal/dom/atom"
)

// Dump writes the tree below n, a node a line, in the form of the conformance
// suite (html5lib-tests, tree-construction/README.md).
func (d *Document) Dump(n NodeID) string {
	var b strings.Builder
	depth := 0
	for c, end := d.nodes[n].first, d.End(n); c != None && c < end; c++ {
		depth = d.dumpDepth(c, n)
		d.dumpNode(&b, c, depth)
	}
	return b.String()
}

// dumpDepth is how far n is indented below top; the contents of a template
// lie one further in.
func (d *Document) dumpDepth(n, top NodeID) int {
	depth := 0
	for p := d.nodes[n].parent; p != top; p = d.nodes[p].parent {
		depth++
		if d.IsElement(p, atom.Template) {
			depth++
		}
	}
	if d.IsElement(top, atom.Template) && top != n {
		depth++
	}
	return depth
}

func (d *Document) dumpNode(b *strings.Builder, n NodeID, depth int) {
	line := func(depth int, parts ...string) {
		b.WriteString("| ")
		for range depth {
			b.WriteString("  ")
		}
		for _, p := range parts {
			b.WriteString(p)
		}
		b.WriteByte('\n')
	}
	switch d.Type(n) {
	case TextNode:
		line(depth, `"`, d.Data(n), `"`)
	case CommentNode:
		line(depth, "<!-- ", d.Data(n), " -->")
	case DoctypeNode:
		ids := ""
		public, _ := d.Attr(n, atom.Public)
		system, _ := d.Attr(n, atom.System)
		if public != "" || system != "" {
			ids = ` "` + public + `" "` + system + `"`
		}
		line(depth, "<!DOCTYPE ", d.NameOf(d.Name(n)), ids, ">")
	case ElementNode:
		prefix := d.Namespace(n).String()
		if prefix != "" {
			prefix += " "
		}
		line(depth, "<", prefix, d.NameOf(d.Name(n)), ">")
		for _, a := range d.dumpAttrs(n) {
			line(depth+1, a[0], `="`, a[1], `"`)
		}
		if d.IsElement(n, atom.Template) {
			line(depth+1, "content")
		}
	}
}

// dumpAttrs are an element's attributes by name, those that foreign elements
// have in a namespace of their own (xlink:href) in the suite's spelling.
func (d *Document) dumpAttrs(n NodeID) [][2]string {
	var list [][2]string
	for _, a := range d.Attrs(n) {
		name := d.NameOf(a.Name)
		if d.Namespace(n) != HTML && namespaced(a.Name) {
			name = strings.Replace(name, ":", " ", 1)
		}
		list = append(list, [2]string{name, d.Value(a)})
	}
	slices.SortFunc(list, func(a, b [2]string) int { return strings.Compare(a[0], b[0]) })
	return list
}

// namespaced reports the attributes that foreign elements have in the
// namespaces xlink, xml and xmlns (§ 13.2.6.1, adjust foreign attributes).
func namespaced(a atom.Atom) bool {
	switch a {
	case atom.XlinkActuate, atom.XlinkArcrole, atom.XlinkHref, atom.XlinkRole, atom.XlinkShow, atom.XlinkTitle,
		atom.XlinkType, atom.XmlLang, atom.XmlSpace, atom.XmlnsXlink:
		return true
	}
	return false
}
