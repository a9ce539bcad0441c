package extract

import (
	"github.com/tidwall/gjson"

	"shoal/internal/crawler"
	"shoal/internal/dom"
	"shoal/internal/dom/address"
	"shoal/internal/xpath"
)

// place is a crawler.Source bound to a run.
type place struct {
	*crawler.Source
	sel   int       // selector in the set it was bound with; -1: none
	paths []xmlPath // Select on an XML tree
	path  string
}

// place binds s; its selector goes into set, and all asks for every match.
func (pl *Plan) place(page *crawler.Page, s *crawler.Source, set *selectors, all bool) (p place, err error) {
	p = place{Source: s, sel: -1}
	switch {
	case s.Select == "":
	case page.Format == crawler.HTML:
		if p.sel, err = set.add(s.Select, all); err != nil {
			return p, err
		}
	default:
		p.paths = xmlPaths(s.Select)
	}
	if s.Path != nil {
		p.path, err = s.Path.Expand(pl.env())
	}
	return p, err
}

// env is what is known of a run before any page.
func (pl *Plan) env() *crawler.Env {
	return &crawler.Env{Params: pl.params, Functions: pl.functions}
}

// none reports whether the place names no source.
func (p *place) none() bool {
	return p.Select == "" && p.XPath == nil && p.path == "" && p.JQ == nil && p.Header == ""
}

// find gives the texts at a place to yield, which returns false to end early:
// within scope and its matches, or within the JSON item or CSV line at hand.
func (r *reader) find(p *place, scope node, m matches, yield func(string) bool) error {
	switch {
	case p.Header != "":
		for _, v := range r.page.Header.Values(p.Header) {
			if !yield(v) {
				break
			}
		}
	case p.path != "" && r.plan.Format == crawler.CSV:
		if i, ok := r.column[p.path]; ok && i < len(r.record) && r.record[i] != "" {
			yield(r.record[i])
		}
	case p.path != "":
		eachText(r.json.Get(p.path), yield)
	case p.JQ != nil:
		return r.runJQ(p.JQ, maxLinks, func(v gjson.Result) bool { return eachText(v, yield) })
	case !scope.Exists():
	case p.XPath != nil:
		return p.XPath.Find(scope, func(i xpath.Item) bool {
			if s, ok := r.itemText(i, p.Attr); ok {
				return yield(s)
			}
			return true
		})
	case p.sel >= 0:
		r.eachNode(m[p.sel], p.Attr, yield)
	case p.paths != nil:
		r.eachNode(underPaths(scope, p.paths, true), p.Attr, yield)
	}
	return nil
}

// eachText gives a text, or the texts of a list.
func eachText(v gjson.Result, yield func(string) bool) bool {
	if !v.IsArray() {
		s := v.String()
		return !v.Exists() || v.Type == gjson.Null || s == "" || yield(s)
	}
	for _, item := range v.Array() {
		if !eachText(item, yield) {
			return false
		}
	}
	return true
}

func (r *reader) eachNode(nodes []dom.NodeID, name string, yield func(string) bool) {
	for _, id := range nodes {
		n := r.at(id)
		s, ok := "", true
		if name != "" {
			s, ok = attr(n, name)
		} else {
			s = string(appendText(nil, n, false))
		}
		if ok && !yield(s) {
			return
		}
	}
}

// itemText is the text of what an XPath gave: an element's attribute name,
// if it has one that is asked for, else its text.
func (r *reader) itemText(i xpath.Item, name string) (string, bool) {
	if !i.Node.Exists() || i.Attr {
		return i.Text, true
	}
	if name != "" {
		if s, ok := attr(i.Node, name); ok || len(i.Node.AttrNames()) > 0 {
			return s, ok
		}
	}
	return string(appendText(nil, i.Node, false)), true
}

// elementsOf returns the elements, texts left out, that an XPath gives.
func elementsOf(x *xpath.Expr, scope node, most int) (nodes []dom.NodeID, err error) {
	err = x.Find(scope, func(i xpath.Item) bool {
		if i.Node.Exists() && !i.Attr {
			nodes = append(nodes, i.Node.ID())
		}
		return len(nodes) < most
	})
	return nodes, err
}

// fromXPath reads a field from what its XPath gives within the row.
func (r *reader) fromXPath(f *fieldPlan, scope node) (bool, error) {
	if !scope.Exists() {
		return false, nil
	}
	most := 1
	if f.List || f.As == crawler.AsCount {
		most = maxItems + 1
	}
	var items []xpath.Item
	err := f.XPath.Find(scope, func(i xpath.Item) bool {
		items = append(items, i)
		return len(items) < most
	})
	switch {
	case err != nil:
		return false, err
	case f.As == crawler.AsCount && !f.Unique && f.Keep == crawler.KeepAll:
		r.values = appendAny(r.values, len(items))
		return true, nil
	case most > 1:
		return r.several(f, len(items), func(i int) (bool, error) { return r.xpathItem(f, items[i]) })
	case len(items) == 0:
		return false, nil
	}
	return r.xpathItem(f, items[0])
}

func (r *reader) xpathItem(f *fieldPlan, i xpath.Item) (bool, error) {
	switch {
	case i.Node.Exists() && !i.Attr:
		return r.element(f, i.Node)
	case i.Attr && (f.Keep != crawler.KeepAll || f.As == crawler.AsURL && f.plain()):
		return r.link(f, i.Text), nil
	}
	return r.texts(f, i.Text)
}

// body is the answer's body, unpacked if it is gzip.
func (r *reader) body() []byte {
	if r.unpacked == nil {
		var err error
		if r.unpacked, err = unpackAll(r.page.Body); err != nil {
			r.problem("%v", err)
			r.unpacked = r.page.Body
		}
	}
	return r.unpacked
}

// noDocument makes the reader ready for a page that is no HTML.
func (r *reader) noDocument() error {
	r.links.reset(nil, r.url)
	res, err := address.NewResolver(r.page.URL)
	if err != nil {
		return err
	}
	r.links.Resolver = res
	return nil
}

// underPaths returns the elements at or below scope whose names end one of the paths.
func underPaths(scope node, paths []xmlPath, all bool) (out []dom.NodeID) {
	for n := scope; n.Exists(); n = next(n, scope, true) {
		for _, p := range paths {
			if p.matchNode(n) {
				if out = append(out, n.ID()); !all {
					return out
				}
				break
			}
		}
	}
	return out
}

// matchNode reports whether an element and those around it end with the path.
func (p xmlPath) matchNode(n node) bool {
	for i := len(p) - 1; i >= 0; i-- {
		if !n.IsElement() || n.LocalName() != p[i] {
			return false
		}
		n = n.Parent()
	}
	return true
}
