package extract

import (
	"bytes"
	"compress/gzip"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"

	"shoal/internal/crawler"
	"shoal/internal/dom/address"
)

const (
	maxUnpacked = 64 << 20 // bytes of an unpacked .gz answer; a sitemap has at most 50 MB
	maxXMLDepth = 200
	maxXMLParts = 5_000_000 // tags and texts of one answer; a full sitemap has about a million
)

// readXML reads an answer as a stream of elements: of a sitemap of any size,
// only the row at hand is in memory.
func (r *reader) readXML() error {
	res, err := address.NewResolver(r.page.URL)
	if err != nil {
		return fmt.Errorf("the page's URL: %w", err)
	}
	r.links.reset(res, r.url)
	src, err := unpack(r.page.Body)
	if err != nil {
		return err
	}
	if r.plan.Tree {
		if err := r.readTree(src); err != nil {
			return err
		}
		return r.followPage()
	}
	x := newXMLReader(r)
	if err := x.run(src); err != nil {
		return err
	}
	return r.followPage()
}

// unpackAll returns the body, gunzipped if it is gzip.
func unpackAll(body []byte) ([]byte, error) {
	if !bytes.HasPrefix(body, []byte{0x1f, 0x8b}) {
		return body, nil
	}
	src, err := unpack(body)
	if err != nil {
		return nil, err
	}
	out, err := io.ReadAll(src)
	if err != nil {
		return nil, fmt.Errorf("unpack: %w", err)
	}
	return out, nil
}

// unpack returns the body as a stream, gunzipped if it is gzip, bounded.
func unpack(body []byte) (io.Reader, error) {
	if !bytes.HasPrefix(body, []byte{0x1f, 0x8b}) {
		return bytes.NewReader(body), nil
	}
	z, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("unpack: %w", err)
	}
	return &bounded{z, maxUnpacked}, nil
}

// bounded fails, rather than ends, when more than left bytes come.
type bounded struct {
	r    io.Reader
	left int64
}

// Read reads from the underlying stream.
func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return 0, fmt.Errorf("the unpacked answer is larger than %d MB", maxUnpacked>>20)
	}
	return n, err
}

// xmlPath is one alternative of a selector: local names, each the child of
// the one before.
type xmlPath []string

func xmlPaths(selector string) []xmlPath {
	var out []xmlPath
	for _, alt := range strings.Split(selector, "|") {
		var p xmlPath
		for _, name := range strings.Split(alt, ">") {
			p = append(p, strings.TrimSpace(name))
		}
		out = append(out, p)
	}
	return out
}

// match reports whether the open elements end with the path.
func (p xmlPath) match(stack []string) bool {
	if len(stack) < len(p) {
		return false
	}
	for i, name := range p {
		if stack[len(stack)-len(p)+i] != name {
			return false
		}
	}
	return true
}

// xmlReader is the state of one pass over an XML answer.
type xmlReader struct {
	r       *reader
	each    []xmlPath
	fields  [][]xmlPath // of each planned field; nil: not from an element
	follow  [][]xmlPath // of each follow rule
	stack   []string
	texts   [][]byte // text of each open element so far
	rowAt   int      // depth of the open row element; 0: none
	values  [][]string
	matched bool
}

func newXMLReader(r *reader) *xmlReader {
	x := &xmlReader{r: r}
	if r.plan.Rows != nil && !r.plan.Rows.Extends {
		x.each = xmlPaths(r.plan.Rows.Each)
	}
	for i := range r.plan.fields {
		var paths []xmlPath
		if f := &r.plan.fields[i]; f.Element && f.Select != "" {
			paths = xmlPaths(f.Select)
		}
		x.fields = append(x.fields, paths)
	}
	for i := range r.plan.follow {
		var paths []xmlPath
		if fp := &r.plan.follow[i]; fp.Select != "" {
			paths = xmlPaths(fp.Select)
		}
		x.follow = append(x.follow, paths)
	}
	x.values = make([][]string, len(x.fields))
	return x
}

func (x *xmlReader) run(src io.Reader) error {
	d := xml.NewDecoder(src)
	d.Strict = false
	d.CharsetReader = func(_ string, in io.Reader) (io.Reader, error) { return in, nil } // the fetcher decoded it
	for parts := 0; ; parts++ {
		if parts > maxXMLParts {
			return fmt.Errorf("read XML: more than %d tags and texts", maxXMLParts)
		}
		tok, err := d.RawToken()
		if errors.Is(err, io.EOF) {
			if !x.matched && x.r.out.Links == 0 {
				return fmt.Errorf("the answer holds nothing of what was looked for; it begins with %q", clip(strings.ToValidUTF8(string(x.r.page.Body[:min(60, len(x.r.page.Body))]), "?")))
			}
			return nil
		}
		if err != nil {
			return fmt.Errorf("read XML: %w", err)
		}
		switch t := tok.(type) {
		case xml.StartElement:
			err = x.open(t)
		case xml.EndElement:
			err = x.close(t.Name.Local)
		case xml.CharData:
			if n := len(x.texts); n > 0 && len(x.texts[n-1]) < 1<<20 {
				x.texts[n-1] = append(x.texts[n-1], t...)
			}
		}
		if err != nil {
			return err
		}
	}
}

func (x *xmlReader) open(t xml.StartElement) error {
	if len(x.stack) >= maxXMLDepth {
		return fmt.Errorf("read XML: nested more than %d deep", maxXMLDepth)
	}
	x.stack = append(x.stack, t.Name.Local)
	if cap(x.texts) > len(x.texts) {
		x.texts = x.texts[:len(x.texts)+1]
		x.texts[len(x.texts)-1] = x.texts[len(x.texts)-1][:0]
	} else {
		x.texts = append(x.texts, nil)
	}
	if x.rowAt == 0 && matchAny(x.each, x.stack) {
		x.rowAt = len(x.stack)
		x.matched = true
		for i := range x.values {
			x.values[i] = x.values[i][:0]
		}
	}
	for i, paths := range x.follow {
		if fp := &x.r.plan.follow[i]; fp.Attr != "" && matchAny(paths, x.stack) {
			x.followAttr(fp, t.Attr)
		}
	}
	if x.rowAt == 0 {
		return nil
	}
	for i, paths := range x.fields {
		if f := &x.r.plan.fields[i]; f.Attr != "" && matchAny(paths, x.stack) {
			x.keepAttr(i, t.Attr, f.Attr)
		}
	}
	return nil
}

func (x *xmlReader) followAttr(fp *followPlan, attrs []xml.Attr) {
	for _, a := range attrs {
		if a.Name.Local == fp.Attr {
			x.r.lead(fp, a.Value, nil, "")
		}
	}
}

func (x *xmlReader) keepAttr(i int, attrs []xml.Attr, name string) {
	for _, a := range attrs {
		if a.Name.Local == name && len(x.values[i]) < maxItems {
			x.values[i] = append(x.values[i], a.Value)
		}
	}
}

func matchAny(paths []xmlPath, stack []string) bool {
	for _, p := range paths {
		if p.match(stack) {
			return true
		}
	}
	return false
}

// close ends the innermost element of the given name, and those left open in it.
func (x *xmlReader) close(name string) error {
	for i := len(x.stack) - 1; i >= 0; i-- {
		if x.stack[i] != name {
			continue
		}
		for len(x.stack) > i {
			if err := x.pop(); err != nil {
				return err
			}
		}
		return nil
	}
	return nil
}

func (x *xmlReader) pop() error {
	depth := len(x.stack)
	text := x.texts[depth-1]
	for i, paths := range x.follow {
		if fp := &x.r.plan.follow[i]; fp.Attr == "" && matchAny(paths, x.stack) {
			if ok, err := x.r.holds(fp.when); err != nil {
				return err
			} else if ok {
				x.r.lead(fp, string(text), nil, "")
			}
		}
	}
	if x.rowAt > 0 {
		for i, paths := range x.fields {
			f := &x.r.plan.fields[i]
			if f.Attr == "" && matchAny(paths, x.stack) && len(x.values[i]) < maxItems {
				x.values[i] = append(x.values[i], string(text))
			}
		}
	}
	var err error
	if depth == x.rowAt {
		x.rowAt = 0
		err = x.row()
	}
	x.stack, x.texts = x.stack[:depth-1], x.texts[:depth-1]
	return err
}

func (x *xmlReader) row() error {
	if !x.r.room() {
		return nil
	}
	x.r.newRow()
	x.r.xml = x.values
	return x.r.oneRow(node{}, nil)
}

// fromXML reads a field from what its element held within the row.
func (r *reader) fromXML(f *fieldPlan, values []string) (bool, error) {
	switch {
	case f.As == crawler.AsCount:
		r.values = appendAny(r.values, len(values))
		return true, nil
	case f.List:
		r.values = append(r.values, '[')
		n := 0
		for _, v := range values {
			from := len(r.values)
			if n > 0 {
				r.values = append(r.values, ',')
			}
			ok, err := r.texts(f, v)
			if err != nil {
				return false, err
			}
			if !ok {
				r.values = r.values[:from]
				continue
			}
			n++
		}
		r.values = append(r.values, ']')
		return true, nil
	case len(values) == 0:
		return false, nil
	}
	return r.texts(f, values[0])
}
