package extract

import (
	"encoding/json"
	"fmt"

	"shoal"
	"shoal/internal/crawler"
	"shoal/internal/dom/address"
)

// maxLinks is how many different requests one page may lead to; what is
// beyond is named in the outcome's problem.
const maxLinks = 50_000

// links are the references of one page.
type links struct {
	address.References
	pageURL string
	page    site // of pageURL, once it was asked for
}

func (l *links) reset(r *address.Resolver, pageURL string) {
	l.Reset(r)
	l.pageURL, l.page = pageURL, site{}
}

// here reports whether a canonical URL is on the page's host.
func (l *links) here(canonical string) bool {
	if l.page.origin == "" {
		l.page = newSite(l.pageURL)
	}
	return l.page.sameHost(canonical)
}

// followPage applies the page's rules that do not carry rows.
func (r *reader) followPage() error {
	for i := range r.plan.follow {
		fp := &r.plan.follow[i]
		if fp.Carry {
			continue
		}
		if ok, err := r.holds(fp.when); err != nil {
			return err
		} else if !ok {
			continue
		}
		if err := r.followRule(fp); err != nil {
			return err
		}
	}
	return nil
}

func (r *reader) followRule(fp *followPlan) error {
	r.page.Explain.rule(r, fp, r.root, r.doc)
	switch {
	case fp.Rel != "":
		for _, ref := range linksOf(r.page.Header, fp.Rel) {
			r.lead(fp, ref, nil, "")
		}
	case fp.at.sel >= 0 && fp.Match == nil && fp.URL == nil && fp.Attr != "":
		for _, n := range r.doc[fp.at.sel] {
			if ref, ok := attr(r.at(n), fp.Attr); ok {
				r.take(fp, ref, nil, "")
			}
		}
	case fp.at.none() && r.plan.Format == crawler.Text && fp.Match != nil:
		r.followText(fp)
	case fp.at.none():
		return r.followURL(fp)
	default:
		return r.find(&fp.at, r.root, r.doc, func(ref string) bool {
			r.lead(fp, ref, nil, "")
			return len(r.out.Found) < maxLinks
		})
	}
	return nil
}

func (r *reader) followURL(fp *followPlan) error {
	raw, err := fp.URL.Expand(r.envFor(fp.URL.Uses))
	if err != nil {
		return fmt.Errorf("follow: %w", err)
	}
	if raw != "" {
		r.built(fp, raw, nil, "")
	}
	return nil
}

func (r *reader) followText(fp *followPlan) {
	if !r.may(fp.Match, len(r.body())) {
		return
	}
	for _, m := range fp.Match.FindAllSubmatch(r.body(), maxLinks) {
		r.toward(fp, string(m[len(m)-1]), nil, "")
	}
}

// lead takes what a rule's source found: through match and url to its request.
func (r *reader) lead(fp *followPlan, ref string, carry []byte, key string) bool {
	if fp.Match != nil {
		if !r.may(fp.Match, len(ref)) {
			return false
		}
		m := fp.Match.FindStringSubmatch(ref)
		if m == nil {
			return false
		}
		ref = m[len(m)-1]
	}
	return r.toward(fp, ref, carry, key)
}

func (r *reader) toward(fp *followPlan, ref string, carry []byte, key string) bool {
	r.env.Link = ref
	if fp.URL == nil {
		return r.take(fp, ref, carry, key)
	}
	raw, err := fp.URL.Expand(r.envFor(fp.URL.Uses))
	if err != nil {
		r.problem("follow: %v", err)
		return false
	}
	return raw != "" && r.built(fp, raw, carry, key)
}

// built takes an address that a template made; one that cannot be fetched is a
// mistake of the definition, or of what it put together.
func (r *reader) built(fp *followPlan, raw string, carry []byte, key string) bool {
	ref, _ := address.Split(address.Trim(raw))
	if k := r.links.Get(ref); k.Canonical() == "" {
		r.problem("follow: %q is no address that can be fetched; it must lead to http:// or https:// and name a host", clip(raw))
		return false
	}
	return r.take(fp, raw, carry, key)
}

// take adds the request that ref leads to if the rule admits it. carry and key
// belong to the row that goes along. It reports whether the row is on its way.
func (r *reader) take(fp *followPlan, ref string, carry []byte, key string) bool {
	ref, _ = address.Split(address.Trim(ref))
	k := r.links.Get(ref)
	canonical := k.Canonical()
	if canonical == "" {
		return false
	}
	if carry == nil {
		if k.Marks&fp.bit != 0 && fp.bit != 1<<63 {
			r.out.Links++
			return true
		}
		k.Marks |= fp.bit
	}
	admitted := r.admits(fp, canonical)
	r.page.Explain.link(fp, admitted)
	if !admitted {
		return false
	}
	r.out.Links++
	if carry == nil && canonical == r.req.URL && fp.Page == r.req.Page && fp.Plain() {
		return true // to itself
	}
	return r.add(fp, canonical, carry, key)
}

// admits applies a rule's bounds to a canonical URL.
func (r *reader) admits(fp *followPlan, canonical string) bool {
	if fp.maxDepth >= 0 && r.req.Depth+1 > fp.maxDepth {
		return false
	}
	if !r.site.has(canonical, fp.scope) {
		return false
	}
	if fp.skip != nil && fp.skip[extension(canonical)] {
		return false
	}
	if fp.include != nil && !(r.may(fp.include, len(canonical)) && fp.include.MatchString(canonical)) {
		return false
	}
	if fp.exclude != nil && (!r.may(fp.exclude, len(canonical)) || fp.exclude.MatchString(canonical)) {
		return false
	}
	return !trap(canonical) && !(fp.wary && tempting(canonical))
}

func (r *reader) add(fp *followPlan, canonical string, carry []byte, key string) bool {
	if len(r.out.Found) >= maxLinks {
		r.problem("the page leads to more than %d requests; those beyond are left out", maxLinks)
		return false
	}
	req := shoal.Request{URL: canonical, Page: fp.Page, Depth: r.req.Depth + 1, Carry: carry}
	var extra shoal.RequestExtra
	if !fp.Plain() {
		var err error
		if extra, err = expandMessage(&fp.Message, r.envFor(fp.Message.Uses)); err != nil {
			r.problem("%v", err)
			return false
		}
	}
	req.Digest = digest(extra.Method, canonical, extra.Body, key)
	if _, dup := r.seen[req.Digest]; dup {
		return true
	}
	r.seen[req.Digest] = struct{}{}
	req.Extra = r.extraOf(fp, extra)
	r.out.Found = append(r.out.Found, req)
	return true
}

// scopeVar names the variable by which a task's pages know that its start was
// redirected to another place, which then bounds the scopes.
const scopeVar = "scope"

// extraOf encodes what a request has besides its URL. A plain one shares the
// bytes of its siblings.
func (r *reader) extraOf(fp *followPlan, extra shoal.RequestExtra) []byte {
	if fp.Plain() && r.scopeURL == "" {
		return nil
	}
	if fp.Plain() && r.plainExtra != nil {
		return r.plainExtra
	}
	if r.scopeURL != "" {
		extra.Vars = map[string]any{scopeVar: r.scopeURL}
	}
	b, err := json.Marshal(extra)
	if err != nil {
		return nil // strings only: it cannot fail
	}
	if fp.Plain() {
		r.plainExtra = b
	}
	return b
}
