package extract

import (
	"strings"

	"shoal/internal/dom/atom"
)

// maxTags is how many tags of one page are read.
const maxTags = 1000

// ogNode is a name of the tags' tree, with the values given for it.
type ogNode struct {
	name     string
	values   []string
	children []*ogNode
}

func (n *ogNode) child(name string) *ogNode {
	for _, c := range n.children {
		if c.name == name {
			return c
		}
	}
	c := &ogNode{name: name}
	n.children = append(n.children, c)
	return c
}

// openGraph returns the page's tags of the Open Graph protocol
// (https://ogp.me) and of its kind as one JSON object; nil: it has none. og:title
// is "title"; other vocabularies are objects: {"article": {"published_time": …},
// "twitter": {"card": …}, "product": {"price": {"amount": …}}}. A tag that
// occurs more than once is a list. Where a name has both a value and parts, as
// og:image and og:image:width, the parts are named "image:width".
func openGraph(root node) []byte {
	tree := &ogNode{}
	left := maxTags
	for n := next(root, root, true); n.Exists() && left > 0; n = next(n, root, n.Atom() != atom.Template) {
		if n.Atom() != atom.Meta {
			continue
		}
		name, _ := attr(n, "property")
		if !strings.Contains(name, ":") {
			name, _ = attr(n, "name") // where it does not belong and often is
		}
		content, ok := attr(n, "content")
		content = strings.Join(strings.Fields(content), " ")
		parts := strings.Split(strings.ToLower(strings.TrimSpace(name)), ":")
		if !ok || content == "" || len(parts) < 2 || len(parts) > 6 || strings.ContainsAny(name, " /") {
			continue
		}
		left--
		at := tree
		if parts[0] == "og" {
			parts = parts[1:]
		}
		for _, part := range parts {
			at = at.child(part)
		}
		at.values = append(at.values, content)
	}
	if len(tree.children) == 0 {
		return nil
	}
	return tree.appendChildren(nil)
}

// appendChildren appends the node's parts as an object.
func (n *ogNode) appendChildren(b []byte) []byte {
	b = append(b, '{')
	for i, c := range n.children {
		if i > 0 {
			b = append(b, ',')
		}
		b = c.appendMember(b, c.name)
	}
	return append(b, '}')
}

// appendMember appends the node as members of an object: its value under its
// name, and parts that have no place there beside it.
func (n *ogNode) appendMember(b []byte, name string) []byte {
	if len(n.values) == 0 {
		return n.appendChildren(append(appendString(b, name), ':'))
	}
	b = append(appendString(b, name), ':')
	if len(n.values) == 1 {
		b = appendString(b, n.values[0])
	} else {
		for i, v := range n.values {
			b = append(b, "[,"[min(i, 1)])
			b = appendString(b, v)
		}
		b = append(b, ']')
	}
	for _, c := range n.children {
		b = c.appendMember(append(b, ','), name+":"+c.name)
	}
	return b
}
