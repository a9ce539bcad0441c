package extract

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"

	"shoal"
	"shoal/internal/dom/address"
	"shoal/internal/dom/atom"
)

const (
	// maxRefreshDelay is up to how many seconds a refresh is a redirect; later
	// ones load a page anew for those who leave it open.
	maxRefreshDelay = 10
	// maxRefreshes is how many may follow each other.
	maxRefreshes = 5
)

// refreshVar counts the refreshes that led to a request.
const refreshVar = "refreshed"

// refresh follows the page's <meta http-equiv=refresh>. It reports whether a
// row that waited for this page goes on with it.
func (r *reader) refresh() bool {
	ref := ""
	for _, id := range r.doc[r.plan.refresh] {
		n := r.at(id)
		if kind, _ := attr(n, "http-equiv"); strings.EqualFold(strings.TrimSpace(kind), "refresh") && !within(n, atom.Noscript) {
			content, _ := attr(n, "content")
			if ref = refreshTarget(content); ref != "" {
				break
			}
		}
	}
	if ref == "" {
		return false
	}
	ref, _ = address.Split(address.Trim(ref))
	target := r.links.Get(ref).Canonical()
	hops, _ := r.extra.Vars[refreshVar].(float64)
	if target == "" || target == r.url || target == r.req.URL || hops >= maxRefreshes || trap(target) {
		return false
	}
	vars := map[string]any{refreshVar: hops + 1}
	switch {
	case r.scopeURL != "":
		vars[scopeVar] = r.scopeURL
	case r.req.Depth == 0 && !r.admitted(target):
		vars[scopeVar] = target // as when the server redirects a task's start
	}
	if r.req.Depth > 0 && !r.admitted(target) {
		return false
	}
	extra, err := json.Marshal(shoal.RequestExtra{Header: r.inherited(target), Vars: vars})
	if err != nil {
		return false // strings and numbers only: it cannot fail
	}
	r.out.Links++
	r.out.Found = append(r.out.Found, shoal.Request{URL: target, Page: r.req.Page, Depth: r.req.Depth, Carry: r.req.Carry, Extra: extra,
		Digest: digest(http.MethodGet, target, "", r.carriedKey())})
	return len(r.req.Carry) > 0
}

// admitted reports whether a canonical URL is within what the page's rules follow.
func (r *reader) admitted(target string) bool {
	for i := range r.plan.follow {
		if r.site.has(target, r.plan.follow[i].scope) {
			return true
		}
	}
	return len(r.plan.follow) == 0
}

// carriedKey is the key of the row that the request carries, "" if none.
func (r *reader) carriedKey() string {
	if len(r.req.Carry) == 0 {
		return ""
	}
	if key, _, err := unpackCarry(r.req.Carry); err == nil {
		return string(key[:])
	}
	return ""
}

func within(n node, a atom.Atom) bool {
	for ; n.Exists(); n = n.Parent() {
		if n.Atom() == a {
			return true
		}
	}
	return false
}

// refreshTarget reads the content of a refresh, such as 0; url='/there': its
// address, "" when there is none or the wait is long.
func refreshTarget(content string) string {
	content = strings.TrimSpace(content)
	digits := len(content) - len(strings.TrimLeft(content, "0123456789"))
	if digits > 0 {
		if n, err := strconv.Atoi(content[:digits]); err != nil || n > maxRefreshDelay {
			return ""
		}
	} else if !strings.HasPrefix(content, ".") {
		return ""
	}
	rest := strings.TrimLeft(content[digits:], "0123456789.")
	trimmed := strings.TrimLeft(rest, " \t\n\f\r;,")
	if trimmed == rest {
		return ""
	}
	if len(trimmed) > 3 && strings.EqualFold(trimmed[:3], "url") {
		if after, ok := strings.CutPrefix(strings.TrimLeft(trimmed[3:], " \t\n\f\r"), "="); ok {
			trimmed = strings.TrimLeft(after, " \t\n\f\r")
		}
	}
	if len(trimmed) > 1 && (trimmed[0] == '"' || trimmed[0] == '\'') {
		quote := trimmed[:1]
		trimmed, _, _ = strings.Cut(trimmed[1:], quote)
	}
	return trimmed
}

// linksOf returns the targets of the Link headers (RFC 8288) with the given
// relation, in lower case, in their order.
func linksOf(h http.Header, rel string) (out []string) {
	for _, v := range h.Values("Link") {
		for v != "" {
			open := strings.IndexByte(v, '<')
			if open < 0 {
				break
			}
			shut := strings.IndexByte(v[open:], '>')
			if shut < 0 {
				break
			}
			target := v[open+1 : open+shut]
			var params string
			params, v = linkParams(v[open+shut+1:])
			if hasRel(params, rel) && len(out) < maxLinks {
				out = append(out, target)
			}
		}
	}
	return out
}

// linkParams cuts the parameters of one link off: up to the comma outside of quotes.
func linkParams(s string) (params, rest string) {
	quoted := false
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\\' && quoted:
			i++
		case s[i] == '"':
			quoted = !quoted
		case s[i] == ',' && !quoted:
			return s[:i], s[i+1:]
		}
	}
	return s, ""
}

func hasRel(params, rel string) bool {
	for p := range strings.SplitSeq(params, ";") {
		name, value, ok := strings.Cut(p, "=")
		if !ok || !strings.EqualFold(strings.TrimSpace(name), "rel") {
			continue
		}
		for r := range strings.FieldsSeq(strings.Trim(strings.TrimSpace(value), `"'`)) {
			if strings.EqualFold(r, rel) {
				return true
			}
		}
	}
	return false
}
