package extract

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"maps"
	"net/url"
	"strconv"
	"strings"

	"github.com/tidwall/gjson"
	"github.com/tidwall/sjson"

	"shoal"
	"shoal/internal/crawler"
	"shoal/internal/dom/address"
	"shoal/internal/value"
)

// pagerVar names the variable in which a request of a pagination knows where
// it stands. Nothing else has to be known to go on after a kill.
const pagerVar = "pager"

// maxEmpty is how many pages in a row may be without rows although they name a
// next one.
const maxEmpty = 5

// pagerPlan is a crawler.Paginate bound to a run.
type pagerPlan struct {
	*crawler.Paginate
	next, cursor, total, totalPages *place
	into                            intoPlan
	from, step                      int // of a counter; step 0: by the page's rows
	most                            int // pages
}

// intoPlan is a crawler.Into bound to a run.
type intoPlan struct {
	param, header, body string
	url                 *crawler.Template
}

// pager is where a pagination stands on the page at hand.
type pager struct {
	pages  int    // before this one
	rows   int    // on the pages before this one
	number int    // of this page, or the offset of its first row
	empty  int    // pages without rows just before this one
	first  string // signs the rows of the first page
	last   string // and of the page before this one
	rowSum hash.Hash
	signed bool
}

// state is a pager in a request.
type pagerState struct {
	Pages  int    `json:"pages"`
	Rows   int    `json:"rows"`
	Number int    `json:"number"`
	Empty  int    `json:"empty,omitempty"`
	First  string `json:"first,omitempty"`
	Last   string `json:"last,omitempty"`
}

// bindPager binds the page kind's pagination; nil when it has none in this run.
func (pl *Plan) bindPager(pp *pagePlan) (*pagerPlan, error) {
	env := pl.env()
	for _, p := range pp.Paginate {
		if on, err := p.When.True(env); err != nil {
			return nil, fmt.Errorf("paginate: %w", err)
		} else if !on {
			continue
		}
		out := &pagerPlan{Paginate: p}
		var err error
		if out.most, err = p.PageLimit(env); err != nil {
			return nil, fmt.Errorf("max_pages: %w", err)
		}
		for _, bind := range []struct {
			to   **place
			from *crawler.Source
		}{{&out.next, p.Next}, {&out.cursor, cursorSource(p)}, {&out.total, p.Total}, {&out.totalPages, p.TotalPages}} {
			if bind.from == nil {
				continue
			}
			at, err := pl.place(pp.Page, bind.from, &pp.doc, false)
			if err != nil {
				return nil, fmt.Errorf("paginate: %w", err)
			}
			*bind.to = &at
		}
		return out, pl.bindCounter(out)
	}
	return nil, nil
}

func cursorSource(p *crawler.Paginate) *crawler.Source {
	if p.Cursor == nil {
		return nil
	}
	return &p.Cursor.Source
}

func (pl *Plan) bindCounter(p *pagerPlan) (err error) {
	env := pl.env()
	var into crawler.Into
	switch {
	case p.Cursor != nil:
		into = p.Cursor.Into
	case p.Counter != nil:
		into = p.Counter.Into
		if !p.Counter.Offset {
			p.from, p.step = 1, 1
		}
		for _, n := range []struct {
			to *int
			e  *crawler.Expr
		}{{&p.from, p.Counter.From}, {&p.step, p.Counter.Step}} {
			if n.e == nil {
				continue
			}
			v, err := n.e.Eval(env)
			if err != nil {
				return fmt.Errorf("paginate: %w", err)
			}
			if i, ok := wholeNumber(v); ok {
				*n.to = i
			}
		}
	}
	p.into.url = into.URL
	for _, t := range []struct {
		to   *string
		tmpl *crawler.Template
	}{{&p.into.param, into.Param}, {&p.into.header, into.Header}, {&p.into.body, into.Body}} {
		if t.tmpl == nil {
			continue
		}
		if *t.to, err = t.tmpl.Expand(env); err != nil {
			return fmt.Errorf("paginate: %w", err)
		}
	}
	return nil
}

// begin reads where the pagination stands from the request.
func (p *pager) begin(r *reader) {
	*p = pager{rowSum: sha256.New()}
	next := r.plan.next
	p.number = 1
	if next.Counter != nil {
		p.number = next.from
	}
	if state, ok := r.extra.Vars[pagerVar]; ok {
		var s pagerState
		if raw, err := json.Marshal(state); err == nil && json.Unmarshal(raw, &s) == nil {
			p.pages, p.rows, p.number, p.empty, p.first, p.last = s.Pages, s.Rows, s.Number, s.Empty, s.First, s.Last
		}
	} else if n, ok := r.named0(&next.into); ok && next.Counter != nil {
		p.number = n
	}
	r.env.PageNumber = p.number
	if next.Counter == nil || next.Counter.Offset {
		r.env.PageNumber, r.env.Offset = p.pages+1, p.number
	}
}

// named0 is the number that the first request itself names, if it does.
func (r *reader) named0(into *intoPlan) (int, bool) {
	s := ""
	switch {
	case into.param != "":
		if u, err := url.Parse(r.req.URL); err == nil {
			s = u.Query().Get(into.param)
		}
	case into.header != "":
		s = r.extra.Header[into.header]
	case into.body != "":
		s = bodyGet(r.extra.Body, into.body)
	}
	n, err := strconv.Atoi(s)
	return n, err == nil && n >= 0
}

// sign adds to what tells the page's rows from another page's.
func (p *pager) sign(key []byte) {
	p.signed = true
	p.rowSum.Write(key)
}

// paginate adds the request of the next page, unless this one is the last.
func (r *reader) paginate() error {
	p, next := &r.pager, r.plan.next
	seen := r.rows
	if r.plan.Rows == nil {
		seen = r.out.Links
		for i := range r.out.Found {
			p.sign(r.out.Found[i].Digest[:])
		}
	}
	state := pagerState{Pages: p.pages + 1, Rows: p.rows + seen, Number: p.number, First: p.first}
	if seen == 0 {
		if state.Empty = p.empty + 1; next.Counter != nil || state.Empty >= maxEmpty {
			return nil
		}
	}
	if p.signed {
		state.Last = hex.EncodeToString(p.rowSum.Sum(nil)[:8])
		if state.Last == p.last || state.Last == p.first {
			return nil // the same rows again: a site that answers so has no more
		}
		if state.First == "" {
			state.First = state.Last
		}
	}
	if ended, err := r.paginated(&state, seen); ended || err != nil {
		return err
	}
	return r.nextPage(&state)
}

// paginated reports whether the definition or the answer says that this is the
// last page, and moves state's number on.
func (r *reader) paginated(state *pagerState, seen int) (bool, error) {
	next := r.plan.next
	if next.Until != nil {
		if end, err := r.holds(next.Until); end || err != nil {
			return true, err
		}
	}
	if total, ok, err := r.numberAt(next.total); err != nil || ok && state.Rows >= total {
		return true, err
	}
	pages := state.Pages
	if c := next.Counter; c != nil && !c.Offset && next.step != 0 {
		pages = (state.Number-next.from)/next.step + 1
	}
	if total, ok, err := r.numberAt(next.totalPages); err != nil || ok && pages >= total {
		return true, err
	}
	if state.Pages >= next.most {
		if next.MaxPages == nil {
			r.problem("paginate ends after %d pages; say max_pages if there are more", next.most)
		}
		return true, nil
	}
	if next.step != 0 {
		state.Number += next.step
	} else {
		state.Number += seen
	}
	return false, nil
}

// numberAt reads a whole number at a place; false: there is none.
func (r *reader) numberAt(p *place) (int, bool, error) {
	if p == nil {
		return 0, false, nil
	}
	s, err := r.firstAt(p)
	if err != nil {
		return 0, false, err
	}
	n, ok := value.Number(s)
	return int(n), ok && n < 1<<53, nil
}

// firstAt returns the first text at a place of the page, "" if there is none.
func (r *reader) firstAt(p *place) (s string, err error) {
	err = r.find(p, r.root, r.doc, func(found string) bool {
		if p.Match != nil {
			if !r.may(p.Match, len(found)) {
				return false
			}
			m := p.Match.FindStringSubmatch(found)
			if m == nil {
				return true
			}
			found = m[len(m)-1]
		}
		s = strings.TrimSpace(found)
		return s == ""
	})
	return s, err
}

// nextPage makes the request of the next page.
func (r *reader) nextPage(state *pagerState) error {
	next := r.plan.next
	switch {
	case next.LinkHeader:
		if refs := linksOf(r.page.Header, "next"); len(refs) > 0 {
			return r.nextLink(refs[0], state)
		}
		return nil
	case next.next != nil:
		ref, err := r.firstAt(next.next)
		if err != nil || ref == "" {
			return err
		}
		return r.nextLink(ref, state)
	case next.cursor != nil:
		cursor, err := r.firstAt(next.cursor)
		if err != nil || cursor == "" || cursor == "false" || cursor == r.sent(&next.into) {
			return err
		}
		r.env.Cursor = cursor
		return r.nextWith(cursor, state)
	}
	if next.Counter.Offset {
		r.env.Offset, r.env.PageNumber = state.Number, state.Pages+1
	} else {
		r.env.PageNumber = state.Number
	}
	return r.nextWith(state.Number, state)
}

// sent is the text that this page's request named, to know a cursor again.
func (r *reader) sent(into *intoPlan) string {
	switch {
	case into.param != "":
		if u, err := url.Parse(r.req.URL); err == nil {
			return u.Query().Get(into.param)
		}
	case into.header != "":
		return r.extra.Header[into.header]
	case into.body != "":
		return bodyGet(r.extra.Body, into.body)
	}
	return ""
}

// nextLink makes the request of an address that the page names.
func (r *reader) nextLink(ref string, state *pagerState) error {
	ref, _ = address.Split(address.Trim(ref))
	target := r.links.Get(ref).Canonical()
	if target == "" || target == r.req.URL || trap(target) {
		return nil
	}
	return r.addNext(target, shoal.RequestExtra{Header: r.inherited(target)}, "", state)
}

// inherited are the headers of this page's request for one that the page names:
// they may hold secrets, which stay with the site.
func (r *reader) inherited(target string) map[string]string {
	secure := strings.HasPrefix(r.req.URL, "https:") && !strings.HasPrefix(target, "https:")
	if secure || registrable(hostOf(target)) != registrable(hostOf(r.req.URL)) {
		return nil
	}
	return r.extra.Header
}

// nextWith makes the request that differs from this page's in one value.
func (r *reader) nextWith(value any, state *pagerState) error {
	into := &r.plan.next.into
	extra := shoal.RequestExtra{Method: r.extra.Method, Header: r.extra.Header, Body: r.extra.Body}
	target, key := r.req.URL, ""
	switch {
	case into.param != "":
		target = crawler.WithQuery(target, into.param, value)
	case into.header != "":
		extra.Header = maps.Clone(extra.Header)
		if extra.Header == nil {
			extra.Header = map[string]string{}
		}
		extra.Header[into.header] = oneLine(fmt.Sprint(value))
		key = "header " + extra.Header[into.header]
	case into.body != "":
		body, err := bodySet(extra.Body, into.body, value)
		if err != nil {
			return err
		}
		extra.Body = body
	case into.url != nil:
		raw, err := into.url.Expand(r.envFor(into.url.Uses))
		if err != nil {
			return err
		}
		ref, _ := address.Split(address.Trim(raw))
		if target = r.links.Get(ref).Canonical(); target == "" {
			return fmt.Errorf("%q is no address that can be fetched", clip(raw))
		}
		extra.Header = r.inherited(target)
	}
	target, ok := address.Canonical(target)
	if !ok {
		return fmt.Errorf("the next page's address is too long")
	}
	return r.addNext(target, extra, key, state)
}

// addNext adds the request of the next page, which stands as deep as this one.
func (r *reader) addNext(target string, extra shoal.RequestExtra, key string, state *pagerState) error {
	extra.Vars = map[string]any{pagerVar: state}
	if r.scopeURL != "" {
		extra.Vars[scopeVar] = r.scopeURL
	}
	raw, err := json.Marshal(extra)
	if err != nil {
		return err
	}
	d := digest(extra.Method, target, extra.Body, key)
	if d == r.req.Digest {
		return nil // the same request again
	}
	r.out.Links++
	if _, dup := r.seen[d]; dup {
		return nil
	}
	r.seen[d] = struct{}{}
	r.out.Found = append(r.out.Found, shoal.Request{URL: target, Page: r.req.Page, Depth: r.req.Depth, Digest: d, Extra: raw})
	return nil
}

// bodyGet reads a value of a JSON or form body.
func bodyGet(body, path string) string {
	if isJSONText(body) {
		return gjson.Get(body, path).String()
	}
	if form, err := url.ParseQuery(body); err == nil {
		return form.Get(path)
	}
	return ""
}

// bodySet sets a value of a JSON or form body.
func bodySet(body, path string, value any) (string, error) {
	if isJSONText(body) {
		return sjson.Set(body, path, value)
	}
	return strings.TrimPrefix(crawler.WithQuery("?"+body, path, value), "?"), nil
}

func isJSONText(s string) bool {
	s = strings.TrimSpace(s)
	return s != "" && (s[0] == '{' || s[0] == '[')
}

// oneLine makes a text fit for a header.
func oneLine(s string) string {
	return strings.NewReplacer("\r", " ", "\n", " ", "\x00", " ").Replace(s)
}
