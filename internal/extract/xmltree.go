package extract

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"

	"golang.org/x/net/html"
)

// maxTreeParts is how many tags and texts an XML tree may have. A stream has
// no such need (maxXMLParts): of a tree, all is in memory.
const maxTreeParts = 1_000_000

// readTree reads an XML page as a tree, as XPath and objects need it.
func (r *reader) readTree(src io.Reader) error {
	root, err := parseXML(src)
	if err != nil {
		return err
	}
	r.root = root
	rows := r.plan.Rows
	if rows == nil {
		return nil
	}
	var nodes []*node
	switch {
	case rows.Extends:
		return r.complete(root)
	case rows.XPath != nil:
		if nodes, err = elementsOf(rows.XPath, root, maxRows+1); err != nil {
			return err
		}
	default:
		nodes = underPaths(root, r.plan.rows, true)
	}
	if len(nodes) == 0 {
		r.page.Explain.rows(r, root)
	}
	for _, n := range nodes {
		if !r.room() {
			break
		}
		r.newRow()
		if err := r.oneRow(n, nil); err != nil {
			return err
		}
	}
	return nil
}

// parseXML makes a tree of HTML's nodes of an XML document: an element's or
// attribute's prefix stands in Namespace. Broken documents are read as far as
// they make sense; the error is for what is none at all, or too large.
func parseXML(src io.Reader) (*node, error) {
	d := xml.NewDecoder(src)
	d.Strict = false
	d.CharsetReader = func(_ string, in io.Reader) (io.Reader, error) { return in, nil } // the fetcher decoded it
	doc := &node{Type: html.DocumentNode}
	stack := []*node{doc}
	for parts := 0; ; parts++ {
		if parts > maxTreeParts {
			return nil, fmt.Errorf("read XML: more than %d tags and texts", maxTreeParts)
		}
		tok, err := d.RawToken()
		if errors.Is(err, io.EOF) || err != nil && len(stack) > 1 && errors.Is(err, io.ErrUnexpectedEOF) {
			return doc, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read XML: %w", err)
		}
		top := stack[len(stack)-1]
		switch t := tok.(type) {
		case xml.StartElement:
			n := &node{Type: html.ElementNode, Data: t.Name.Local, Namespace: t.Name.Space}
			for _, a := range t.Attr {
				n.Attr = append(n.Attr, html.Attribute{Namespace: a.Name.Space, Key: a.Name.Local, Val: a.Value})
			}
			top.AppendChild(n)
			if stack = append(stack, n); len(stack) > maxXMLDepth {
				return nil, fmt.Errorf("read XML: nested more than %d deep", maxXMLDepth)
			}
		case xml.EndElement:
			for i := len(stack) - 1; i > 0; i-- {
				if stack[i].Data == t.Name.Local {
					stack = stack[:i]
					break
				}
			}
		case xml.CharData:
			if len(stack) > 1 {
				top.AppendChild(&node{Type: html.TextNode, Data: string(t)})
			}
		}
	}
}
