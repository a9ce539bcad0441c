package extract

import (
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"shoal"
	"shoal/internal/crawler"
)

// Plan is a program bound to one run's params and functions. Safe for
// concurrent use.
type Plan struct {
	program   *crawler.Program
	params    map[string]any
	functions map[string]any // every function of the crawler, true or false
	pages     map[string]*pagePlan
	names     [][]byte // `"name":` of each attribute
	nullRow   int      // bytes of a row of nulls, a hint for sizes
	objects   int      // how many objectPlans there are
	data      []*dataPlan
	sinceAt   int       // the attribute that since compares; -1: none
	since     time.Time // zero: no limit
	readers   sync.Pool
}

// pagePlan is a page kind with what is left of it in this run.
type pagePlan struct {
	*crawler.Page
	doc     selectors // on the whole page
	row     selectors // within each row's element
	base    int       // selector of <base href> in doc
	refresh int       // selector of <meta http-equiv> in doc; -1: not followed
	each    int       // selector of the rows' elements in doc; -1: the page is the row
	rows    []xmlPath // the rows' elements of an XML tree
	data    *dataPlan // whose items are the rows; nil: none
	fields  []fieldPlan
	key     []int // of the attributes that make the key
	follow  []followPlan
	next    *pagerPlan // nil: the page has no next one
	bits    uint32     // the functions that fill fields here
}

type fieldPlan struct {
	*crawler.Field
	sel    int         // selector in doc or row; -1: the row's own element
	at     int         // its place in the plan's fields
	paths  []xmlPath   // Select on an XML tree
	data   *dataPlan   // what Path and JQ read; nil: the row
	object *objectPlan // its fields; nil: it is a value
}

// objectPlan is the fields of a field that is an object.
type objectPlan struct {
	id     int       // of its matches in the reader
	set    selectors // within the object's element
	fields []fieldPlan
	names  [][]byte // `"name":`
}

type followPlan struct {
	*crawler.Follow
	at       place
	bit      uint64 // tells the page's rules apart
	when     *crawler.Expr
	scope    crawler.Scope
	wary     bool // of traps
	include  *crawler.Regexp
	exclude  *crawler.Regexp
	skip     map[string]bool
	maxDepth int // -1: no limit
}

// New binds p to a run's settings: fields and links of functions that are off
// drop out, and conditions that only look at params are decided. The error is
// a *shoal.Error when a param cannot be used.
func New(p *crawler.Program, s shoal.RunSettings) (*Plan, error) {
	pl := &Plan{program: p, params: map[string]any{}, functions: map[string]any{}, pages: map[string]*pagePlan{}, sinceAt: -1}
	for _, in := range p.Info.Input {
		if in.Level == shoal.LevelSquid && !in.Function {
			pl.params[in.Name] = in.Default
		}
	}
	maps.Copy(pl.params, s.Params)
	for _, f := range p.Info.Functions {
		pl.functions[f.Name] = slices.Contains(s.Functions, f.Name)
	}
	for i, a := range p.Info.Result {
		name := append(appendString(nil, a.Name), ':')
		pl.names = append(pl.names, name)
		pl.nullRow += len(name) + 5
		if a.Name == p.Since {
			pl.sinceAt = i
		}
	}
	if text, ok := pl.params[crawler.ParamFetchSince].(string); ok && text != "" {
		t, err := time.Parse(time.RFC3339, text)
		if err != nil {
			return nil, shoal.Invalid("ParamsInvalid", crawler.ParamFetchSince, "%q is no time", clip(text))
		}
		pl.since = t
	}
	for name, page := range p.Pages {
		pp, err := pl.bind(page)
		if err != nil {
			return nil, err
		}
		pl.pages[name] = pp
	}
	pl.readers.New = func() any { return newReader(pl) }
	return pl, nil
}

func (pl *Plan) bind(page *crawler.Page) (*pagePlan, error) {
	pp := &pagePlan{Page: page, each: -1, refresh: -1}
	var err error
	if page.Format == crawler.HTML {
		if pp.base, err = pp.doc.add("base[href]", false); err != nil {
			return nil, err
		}
		if page.Refresh {
			if pp.refresh, err = pp.doc.add("meta[http-equiv]", true); err != nil {
				return nil, err
			}
		}
	}
	if page.Rows != nil {
		if err := pl.bindRows(pp, page.Rows); err != nil {
			return nil, err
		}
	}
	for i, f := range page.Follow {
		fp := followPlan{Follow: f, bit: 1 << min(i, 63), maxDepth: -1}
		on, err := pl.bindFollow(&fp)
		if err != nil {
			return nil, err
		}
		if !on {
			continue
		}
		set := &pp.doc
		if f.Carry && pp.ownScope() {
			set = &pp.row
		}
		if fp.at, err = pl.place(page, &f.Source, set, !f.Carry); err != nil {
			return nil, err
		}
		pp.follow = append(pp.follow, fp)
	}
	pp.next, err = pl.bindPager(pp)
	return pp, err
}

// ownScope reports whether the rows are elements of their own.
func (pp *pagePlan) ownScope() bool {
	return pp.Rows != nil && pp.data == nil && (pp.Rows.Each != "" || pp.Rows.XPath != nil)
}

func (pl *Plan) bindRows(pp *pagePlan, rows *crawler.Rows) (err error) {
	if rows.Data != nil {
		if pp.data, err = pl.bindData(pp, rows.Data); err != nil {
			return err
		}
	}
	set := &pp.doc
	if pp.Format == crawler.HTML && pp.ownScope() {
		set = &pp.row
		if rows.Each != "" {
			if pp.each, err = pp.doc.add(rows.Each, true); err != nil {
				return err
			}
		}
	}
	if pp.Format == crawler.XML && rows.Each != "" {
		pp.rows = xmlPaths(rows.Each)
	}
	for _, f := range rows.Fields {
		if f.Function >= 0 {
			if on, _ := pl.functions[pl.program.Info.Functions[f.Function].Name].(bool); !on {
				continue
			}
			pp.bits |= 1 << f.Function
		}
		fp, err := pl.bindField(pp, f, set)
		if err != nil {
			return err
		}
		pp.fields = append(pp.fields, fp)
	}
	for i := range pp.fields {
		pp.fields[i].at = i
	}
	for _, name := range rows.Key {
		pp.key = append(pp.key, slices.IndexFunc(pl.program.Info.Result, func(a shoal.Attribute) bool { return a.Name == name }))
	}
	return nil
}

// bindField binds a field whose selector stands in set.
func (pl *Plan) bindField(pp *pagePlan, f *crawler.Field, set *selectors) (fp fieldPlan, err error) {
	fp = fieldPlan{Field: f, sel: -1}
	if f.Select != "" && pp.Format == crawler.HTML {
		if fp.sel, err = set.add(f.Select, f.List || f.As == crawler.AsCount); err != nil {
			return fp, err
		}
	}
	if f.Select != "" && pp.Tree {
		fp.paths = xmlPaths(f.Select)
	}
	if f.Data != nil {
		if fp.data, err = pl.bindData(pp, f.Data); err != nil {
			return fp, err
		}
	}
	if f.Fields == nil {
		return fp, nil
	}
	fp.object = &objectPlan{id: pl.objects}
	pl.objects++
	for _, child := range f.Fields {
		cp, err := pl.bindField(pp, child, &fp.object.set)
		if err != nil {
			return fp, err
		}
		fp.object.fields = append(fp.object.fields, cp)
		fp.object.names = append(fp.object.names, append(appendString(nil, child.Name), ':'))
	}
	return fp, nil
}

// bindFollow decides what the run's params decide; false: the rule is off.
func (pl *Plan) bindFollow(fp *followPlan) (bool, error) {
	env := &crawler.Env{Params: pl.params, Functions: pl.functions}
	if fp.When != nil {
		if fp.When.Uses.Page {
			fp.when = fp.When
		} else if on, err := fp.When.True(env); err != nil || !on {
			return false, err
		}
	}
	fp.scope = crawler.ScopeAny
	if fp.Scope != nil {
		s, err := fp.Scope.Expand(env)
		if err != nil {
			return false, fmt.Errorf("scope: %w", err)
		}
		if !slices.Contains(crawler.Scopes, s) {
			return false, shoal.Invalid("ParamsInvalid", "scope", "scope is %q; it must be one of %v", clip(s), crawler.Scopes)
		}
		fp.scope = crawler.Scope(s)
	}
	if fp.Traps != nil {
		s, err := fp.Traps.Expand(env)
		if err != nil {
			return false, fmt.Errorf("traps: %w", err)
		}
		fp.wary = s == crawler.TrapsAvoid
	}
	var err error
	if fp.include, err = pattern(fp.Include, "include", env); err != nil {
		return false, err
	}
	if fp.exclude, err = pattern(fp.Exclude, "exclude", env); err != nil {
		return false, err
	}
	if fp.MaxDepth != nil {
		v, err := fp.MaxDepth.Eval(env)
		if err != nil {
			return false, fmt.Errorf("max_depth: %w", err)
		}
		if n, ok := wholeNumber(v); ok {
			fp.maxDepth = n
		}
	}
	if len(fp.Skip) > 0 {
		fp.skip = map[string]bool{}
		for _, ext := range fp.Skip {
			fp.skip[ext] = true
		}
	}
	return true, nil
}

func pattern(t *crawler.Template, what string, env *crawler.Env) (*crawler.Regexp, error) {
	if t == nil {
		return nil, nil
	}
	s, err := t.Expand(env)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	if s == "" {
		return nil, nil
	}
	re, err := crawler.CompileRegexp(s)
	if err != nil {
		return nil, shoal.Invalid("ParamsInvalid", what, "%s %q is no regular expression: %v", what, clip(s), err)
	}
	return re, nil
}

func wholeNumber(v any) (int, bool) {
	switch v := v.(type) {
	case int:
		return v, true
	case int64:
		return int(v), true
	case float64:
		return int(v), true
	}
	return 0, false
}
