package extract

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tidwall/gjson"

	"shoal/internal/crawler"
	"shoal/internal/dom/address"
)

// dataPlan is one kind of data of a page; rows and fields that mean the same
// share it, and it is read once per page.
type dataPlan struct {
	*crawler.Data
	id      int // its place in the plan's data
	scripts int // selector of the scripts in doc; -1: none
	options map[string]string
	name    string // tells it from others
}

// bindData enters d among what the plan reads.
func (pl *Plan) bindData(pp *pagePlan, d *crawler.Data) (*dataPlan, error) {
	dp := &dataPlan{Data: d, scripts: -1, options: map[string]string{}}
	for _, o := range d.Options {
		v, err := o.Value.Expand(pl.env())
		if err != nil {
			return nil, fmt.Errorf("option %s: %w", o.Name, err)
		}
		dp.options[o.Name] = v
	}
	dp.name = fmt.Sprintf("%s %s %q %q %v %v", pp.Name, d.Kind, d.Script, d.Match, d.Types, dp.options)
	if i := slices.IndexFunc(pl.data, func(other *dataPlan) bool { return other.name == dp.name }); i >= 0 {
		return pl.data[i], nil
	}
	if d.Script != "" {
		var err error
		if dp.scripts, err = pp.doc.add(d.Script, true); err != nil {
			return nil, err
		}
	}
	dp.id = len(pl.data)
	pl.data = append(pl.data, dp)
	return dp, nil
}

// items returns the items of the page's data, of the wanted types.
func (r *reader) items(dp *dataPlan) []gjson.Result {
	if r.data == nil {
		r.data = make([][]gjson.Result, len(r.pl.data))
	}
	if have := r.data[dp.id]; have != nil {
		return have
	}
	items := []gjson.Result{}
	for _, raw := range r.readData(dp) {
		if v := gjson.ParseBytes(raw); len(dp.Types) == 0 || hasType(v, dp.Types) {
			items = append(items, v)
		}
	}
	r.data[dp.id] = items
	return items
}

func (r *reader) readData(dp *dataPlan) [][]byte {
	if read := things[string(dp.Kind)]; read != nil {
		return read(thingPage{root: r.root, body: r.body(), res: r.links.Resolver, url: r.url, options: dp.options})
	}
	if !r.root.Exists() {
		return nil
	}
	switch dp.Kind {
	case crawler.DataJSONLD:
		return jsonLD(r.root, maxItems)
	case crawler.DataMicrodata:
		return microdata(r.root, r.absolute, maxItems)
	case crawler.DataOpenGraph:
		if raw := openGraph(r.root); raw != nil {
			return [][]byte{raw}
		}
	case crawler.DataScript:
		for _, n := range r.doc[dp.scripts] {
			if raw, ok := r.scriptJSON(r.at(n), dp.Match); ok {
				return [][]byte{raw}
			}
		}
	}
	return nil
}

// absolute makes a reference of the page absolute; one that is none stays as it is.
func (r *reader) absolute(ref string) string {
	if abs, ok := r.links.Resolve(address.Trim(ref)); ok {
		return abs
	}
	return ref
}

// hasType reports whether an item's @type is one of the wanted ones, whatever
// vocabulary it is written with: Product, schema:Product, https://schema.org/Product.
func hasType(item gjson.Result, types []string) bool {
	found := false
	check := func(t string) bool {
		if i := strings.LastIndexAny(t, "/#:"); i >= 0 {
			t = t[i+1:]
		}
		found = slices.ContainsFunc(types, func(want string) bool { return strings.EqualFold(want, t) })
		return !found
	}
	eachText(item.Get(`\@type`), check)
	return found
}

// dataRows reads rows from the page's data.
func (r *reader) dataRows(root node) error {
	items := r.items(r.plan.data)
	if len(items) == 0 {
		r.page.Explain.rows(r, root)
	}
	for _, item := range items {
		r.setJSON(item)
		if err := r.jsonRows(item); err != nil {
			return err
		}
	}
	r.setJSON(gjson.Result{})
	return nil
}
