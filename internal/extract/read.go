package extract

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/tidwall/gjson"

	"shoal"
	"shoal/internal/crawler"
	"shoal/internal/dom"
	"shoal/internal/dom/address"
)

// maxKeptNodes is the largest page whose memory is kept for the next one.
const maxKeptNodes = 1 << 15

// maxRows is how many rows one page may give.
const maxRows = 200_000

// reader reads one page; it is reused, so that a page costs little garbage.
type reader struct {
	pl   *Plan
	plan *pagePlan
	task *taskState
	req  *shoal.Request
	page *Page
	out  *Outcome

	extra      shoal.RequestExtra // of the request
	unpacked   []byte             // the body without gzip, once it was asked for
	tree       dom.Document       // of the page; its memory is used for the next
	finder     dom.Finder         // of what selectors match in it
	root       node               // the document; none: there is none
	url        string             // the page's canonical URL
	scopeURL   string             // set when the task's start was redirected elsewhere
	site       *site              // what scopes compare with
	moved      site               // the site of scopeURL
	plainExtra []byte

	doc, row matches
	nested   []matches // of each objectPlan
	self     [1]dom.NodeID
	links    links
	seen     map[shoal.Digest]struct{}
	env      crawler.Env

	values  []byte // the row's values, one after the other
	spans   []span // where each attribute's value is in values
	tmp     []byte
	unique  map[string]struct{}
	json    gjson.Result // the item at hand of a JSON page or of data
	jq      jqInput      // json as jq sees it
	data    [][]gjson.Result
	record  []string       // the line at hand of a CSV page
	column  map[string]int // its columns
	pager   pager
	made    int        // bytes that jq programs gave
	written int        // bytes of the rows so far
	looked  int        // steps of regular expressions
	xml     [][]string // the texts of an XML row, by field
	bits    uint32     // functions that filled the row
	rows    int        // rows seen, filtered ones included
}

// span is a piece of reader.values; to 0: no value.
type span struct{ from, to int }

func newReader(pl *Plan) *reader {
	return &reader{pl: pl, seen: map[shoal.Digest]struct{}{}, unique: map[string]struct{}{}, spans: make([]span, len(pl.names)), nested: make([]matches, pl.objects)}
}

// Read reads the answer pg to the task's request req. Whatever the page is
// made of, it gives an outcome; the error is for a task or a request that is
// none of this plan's.
func (pl *Plan) Read(t *Task, req *shoal.Request, pg *Page) (*Outcome, error) {
	st := pl.state(t)
	plan := pl.kindOf(st, req)
	if plan == nil {
		return nil, fmt.Errorf("read page: the crawler has no page kind %q", req.Page)
	}
	r := pl.readers.Get().(*reader)
	defer pl.release(r)
	r.begin(plan, st, req, pg)
	r.read()
	return r.out, nil
}

// Detect returns what the definition says of an answer of which nothing else is
// read; none when it says nothing.
func (pl *Plan) Detect(t *Task, req *shoal.Request, pg *Page) shoal.DoneReason {
	st := pl.state(t)
	plan := pl.kindOf(st, req)
	if plan == nil || len(plan.Detect)+len(pl.program.Detect) == 0 {
		return shoal.ReasonNone
	}
	r := pl.readers.Get().(*reader)
	defer pl.release(r)
	r.begin(plan, st, req, pg)
	r.detect()
	return r.out.Detected
}

// kindOf returns the kind of page that the request's answer is read as.
func (pl *Plan) kindOf(st *taskState, req *shoal.Request) *pagePlan {
	if plan := pl.pages[req.Page]; plan != nil || req.Page != "" {
		return plan
	}
	return pl.pages[st.start.Page]
}

func (r *reader) begin(plan *pagePlan, st *taskState, req *shoal.Request, pg *Page) {
	r.plan, r.task, r.req, r.page, r.out = plan, st, req, pg, &Outcome{}
	r.url = pg.URL
	if c, ok := address.Canonical(pg.URL); ok {
		r.url = c
	}
	r.plainExtra, r.scopeURL, r.bits, r.rows, r.made, r.looked, r.written = nil, "", 0, 0, 0, 0, 0
	r.env = crawler.Env{Task: st.params, Params: r.pl.params, Functions: r.pl.functions}
	r.extra = shoal.RequestExtra{}
	if req.Extra != nil {
		if err := json.Unmarshal(req.Extra, &r.extra); err != nil {
			r.problem("the request's method and headers: %v", err)
		}
	}
	if plan.next != nil {
		r.pager.begin(r)
	}
	r.scopeOf()
}

func (pl *Plan) release(r *reader) {
	r.task, r.req, r.page, r.out, r.env, r.json, r.xml = nil, nil, nil, nil, crawler.Env{}, gjson.Result{}, nil
	r.root, r.unpacked, r.jq, r.record, r.column = node{}, nil, jqInput{}, nil, nil
	clear(r.data)
	r.links.Release()
	if cap(r.values)+cap(r.tmp) > 1<<20 || len(r.seen) > 20_000 || r.tree.Len() > maxKeptNodes {
		return // a huge page's memory goes with it
	}
	r.tree.Reset()
	clear(r.seen)
	r.values, r.tmp = r.values[:0], r.tmp[:0]
	pl.readers.Put(r)
}

// scopeOf finds the site that scopes compare with: the task's start or, when
// the start was redirected out of it, the place where it led.
func (r *reader) scopeOf() {
	r.site = &r.task.site
	if moved, ok := r.extra.Vars[scopeVar].(string); ok {
		r.scopeURL = moved
	} else if r.req.Depth == 0 && r.pager.pages == 0 && r.url != r.task.start.URL && r.page.Failed == "" && r.movedAway() {
		r.scopeURL = r.url
	}
	if r.scopeURL != "" {
		r.moved = newSite(r.scopeURL)
		r.site = &r.moved
	}
}

func (r *reader) movedAway() bool {
	for i := range r.plan.follow {
		scope := r.plan.follow[i].scope
		if !r.site.has(r.url, scope) || scope == crawler.ScopePrefix && newSite(r.url).prefix != r.site.prefix {
			return true
		}
	}
	return false
}

func (r *reader) inScope() bool {
	if r.req.Depth == 0 {
		return true
	}
	for i := range r.plan.follow {
		if r.site.has(r.url, r.plan.follow[i].scope) {
			return true
		}
	}
	return len(r.plan.follow) == 0
}

func (r *reader) problem(format string, args ...any) {
	if r.out.Problem == "" {
		r.out.Problem = fmt.Sprintf(format, args...)
	}
}

// envFor fills in what an expression with the given uses reads.
func (r *reader) envFor(u crawler.Uses) *crawler.Env {
	e := &r.env
	if u.Page {
		e.URL, e.Status, e.Depth, e.MediaType = r.url, r.page.Status, r.req.Depth, r.page.MediaType
		e.Bytes, e.InScope, e.Rows, e.Links = len(r.page.Body), r.inScope(), r.rows, r.out.Links
		e.RequestURL = r.req.URL
	}
	if u.Header && e.Header == nil {
		e.Header = make(map[string]string, len(r.page.Header))
		for k, v := range r.page.Header {
			e.Header[strings.ToLower(k)] = strings.Join(v, ", ")
		}
	}
	if u.Body && e.Body == "" {
		e.Body = string(r.body())
	}
	if u.Row {
		e.Row = r.rowMap()
	}
	return e
}

// keeps evaluates the conditions on a row.
func (r *reader) keeps(where []*crawler.Expr) (bool, error) {
	for _, e := range where {
		if ok, err := r.holds(e); err != nil || !ok {
			return false, err
		}
	}
	return true, nil
}

// holds evaluates a condition; nil holds.
func (r *reader) holds(e *crawler.Expr) (bool, error) {
	if e == nil {
		return true, nil
	}
	return e.True(r.envFor(e.Uses))
}

func (r *reader) read() {
	if r.page.Failed != "" {
		r.problem("%s", r.page.Failed)
		r.complete(node{})
		return
	}
	r.detect()
	if !r.plan.AnyStatus && (r.page.Status < 200 || r.page.Status > 299) {
		r.problem("the page answered with status %d", r.page.Status)
		r.complete(node{})
		return
	}
	var err error
	switch r.plan.Format {
	case crawler.HTML:
		err = r.readHTML()
	case crawler.XML:
		err = r.readXML()
	case crawler.JSON:
		err = r.readJSON()
	case crawler.CSV:
		err = r.readCSV()
	default:
		err = r.readText()
	}
	if err != nil {
		r.problem("%v", err)
	}
	r.stop()
	r.out.NoNewRows = r.plan.NoNewRows
	if r.plan.next != nil && err == nil && !r.out.StopTask {
		if err := r.paginate(); err != nil {
			r.problem("paginate: %v", err)
		}
	}
}

// detect applies the rules on what a response means.
func (r *reader) detect() {
	for _, rules := range [][]*crawler.Detect{r.plan.Detect, r.pl.program.Detect} {
		for _, d := range rules {
			ok, err := r.holds(d.When)
			if err != nil {
				r.problem("detect: %v", err)
			}
			if ok {
				r.out.Detected = d.Reason
				return
			}
		}
	}
}

func (r *reader) stop() {
	for _, e := range r.plan.Stop {
		ok, err := r.holds(e)
		if err != nil {
			r.problem("stop: %v", err)
		}
		if ok && !r.out.StopTask {
			r.out.StopTask, r.out.StopReason = true, shoal.TaskCompleted
		}
	}
}

// isHTML reports whether the answer is a document to parse.
func isHTML(mediaType string) bool {
	return mediaType == "" || mediaType == "text/html" || mediaType == "application/xhtml+xml"
}

func (r *reader) readHTML() error {
	var root node
	if isHTML(r.page.MediaType) {
		root = parseHTML(&r.tree, r.page.Body)
		r.root = root
		if r.tree.Truncated != "" {
			r.problem("%s", r.tree.Truncated)
		}
		r.finder.Reset(&r.tree)
		r.walk(&r.plan.doc, root, &r.doc)
		if err := r.resolveAgainst(r.at(r.doc.First(r.plan.base))); err != nil {
			return err
		}
	} else {
		r.doc.Reset(&r.plan.doc.set)
		r.links.reset(nil, r.url)
	}
	if root.Exists() && r.plan.refresh >= 0 && r.refresh() {
		return nil
	}
	if r.plan.Rows != nil {
		if err := r.readRows(root); err != nil {
			return err
		}
	}
	if !root.Exists() || r.page.Status >= 400 || !r.inScope() {
		return nil
	}
	return r.followPage()
}

// resolveAgainst sets what the page's references are relative to: its own
// URL or its <base>.
func (r *reader) resolveAgainst(base node) error {
	res, err := address.NewResolver(r.page.URL)
	if err != nil {
		return fmt.Errorf("the page's URL: %w", err)
	}
	if base.Exists() {
		href, _ := attr(base, "href")
		if abs, ok := res.Resolve(address.Trim(href)); ok && strings.HasPrefix(abs, "http") {
			if other, err := address.NewResolver(abs); err == nil {
				res = other
			}
		}
	}
	r.links.reset(res, r.url)
	return nil
}

func (r *reader) readRows(root node) error {
	rows := r.plan.Rows
	if rows.Extends {
		return r.complete(root)
	}
	switch {
	case r.plan.data != nil:
		return r.dataRows(root)
	case rows.XPath != nil:
		return r.xpathRows(root)
	case r.plan.each < 0:
		r.newRow()
		return r.oneRow(root, r.doc)
	}
	if len(r.doc[r.plan.each]) == 0 {
		r.page.Explain.rows(r, root)
	}
	for _, n := range r.doc[r.plan.each] {
		if more, err := r.elementRow(r.at(n)); err != nil || !more {
			return err
		}
	}
	return nil
}

// elementRow reads the row of an element; false: the page has too many.
func (r *reader) elementRow(n node) (bool, error) {
	if !r.room() {
		return false, nil
	}
	r.walk(&r.plan.row, n, &r.row)
	r.newRow()
	return true, r.oneRow(n, r.row)
}

// room reports whether the page may give one more row.
func (r *reader) room() bool {
	if r.rows >= maxRows {
		r.problem("the page has more than %d rows; those beyond are left out", maxRows)
		return false
	}
	return true
}

func (r *reader) xpathRows(root node) error {
	if !root.Exists() {
		return nil
	}
	// A row must not change what the expression still walks over.
	nodes, err := elementsOf(r.plan.Rows.XPath, root, maxRows+1)
	if err != nil {
		return err
	}
	for _, n := range nodes {
		if more, err := r.elementRow(r.at(n)); err != nil || !more {
			return err
		}
	}
	if len(nodes) == 0 {
		r.page.Explain.rows(r, root)
	}
	return nil
}

// oneRow fills the fields from an element and its matches, and gives the row
// away: to the results, or along with a link.
func (r *reader) oneRow(scope node, m matches) error {
	r.rows++
	r.page.Explain.found()
	ok, err := r.fill(scope, m)
	if err != nil || !ok {
		return err
	}
	if keep, err := r.keeps(r.plan.Rows.Where); err != nil || !keep {
		r.page.Explain.filtered()
		r.out.Filtered++
		return err
	}
	return r.deliver(scope, m)
}

func (r *reader) readText() error {
	if err := r.noDocument(); err != nil {
		return fmt.Errorf("the page's URL: %w", err)
	}
	if err := r.textRows(); err != nil {
		return err
	}
	return r.followPage()
}

func (r *reader) textRows() error {
	switch {
	case r.plan.Rows == nil:
		return nil
	case r.plan.Rows.Extends:
		return r.complete(node{})
	case r.plan.data != nil:
		return r.dataRows(node{})
	}
	r.newRow()
	return r.oneRow(node{}, nil)
}
