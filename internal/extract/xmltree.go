package extract

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"

	"shoal/internal/dom"
)

// maxTreeParts is how many tags and texts an XML tree may have. A stream has
// no such need (maxXMLParts): of a tree, all is in memory.
const maxTreeParts = 1_000_000

// readTree reads an XML page as a tree, as XPath and objects need it.
func (r *reader) readTree(src io.Reader) error {
	if err := parseXML(&r.tree, src); err != nil {
		return err
	}
	root := r.at(dom.Root)
	r.root = root
	rows := r.plan.Rows
	if rows == nil {
		return nil
	}
	var nodes []dom.NodeID
	var err error
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
		if err := r.oneRow(r.at(n), nil); err != nil {
			return err
		}
	}
	return nil
}

// parseXML makes a tree of an XML document. Broken documents are read as far as
// they make sense; the error is for what is none at all, or too large.
func parseXML(doc *dom.Document, src io.Reader) error {
	d := xml.NewDecoder(src)
	d.Strict = false
	d.CharsetReader = func(_ string, in io.Reader) (io.Reader, error) { return in, nil } // the fetcher decoded it
	b := dom.NewBuilder(doc, true)
	for parts := 0; ; parts++ {
		if parts > maxTreeParts {
			return fmt.Errorf("read XML: more than %d tags and texts", maxTreeParts)
		}
		tok, err := d.RawToken()
		if errors.Is(err, io.EOF) || err != nil && b.Depth() > 0 && errors.Is(err, io.ErrUnexpectedEOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read XML: %w", err)
		}
		switch t := tok.(type) {
		case xml.StartElement:
			b.Open(dom.HTML, qualified(t.Name))
			for _, a := range t.Attr {
				b.Attr(qualified(a.Name), a.Value)
			}
			if b.Depth() >= maxXMLDepth {
				return fmt.Errorf("read XML: nested more than %d deep", maxXMLDepth)
			}
		case xml.EndElement:
			b.CloseNamed(t.Name.Local)
		case xml.CharData:
			if b.Depth() > 0 {
				b.Text(string(t))
			}
		}
	}
}

// qualified is a name with its prefix.
func qualified(n xml.Name) string {
	if n.Space == "" {
		return n.Local
	}
	return n.Space + ":" + n.Local
}
