package extract

import "shoal/internal/dom"

// This file is the seam to the parser: the rest of the package reads the tree
// through node and the functions here and in walk.go.

// node is an element, a text or a document; the zero node is none.
type node = dom.Node

// parseHTML reads a page into doc and returns its root. <noscript> is content,
// since no script will run.
func parseHTML(doc *dom.Document, body []byte) node {
	if err := doc.Parse(body, dom.Options{}); err != nil {
		panic(err) // the options are right: it cannot fail
	}
	return doc.Node(dom.Root)
}

// attr returns an attribute's value and whether the element has it.
func attr(n node, name string) (string, bool) { return n.Attr(name) }

// next returns the node after n in document order within root, entering n's
// children if into is true; none at the end. n lies within root.
func next(n, root node, into bool) node { return n.Next(root, into) }

// appendText appends the readable text of n. With lines, blocks and <br>
// begin a new line; without, all stands on one.
func appendText(dst []byte, n node, lines bool) []byte {
	if lines {
		return n.Document().AppendLines(dst, n.ID())
	}
	return n.Document().AppendText(dst, n.ID())
}
