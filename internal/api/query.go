package api

import (
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"

	"shoal"
)

const (
	defaultLimit = 50
	maxLimit     = 100
	maxPage      = 1_000_000_000
)

// query returns the request's query, parsed strictly.
func (c *call) query() (url.Values, error) {
	if c.r.URL.RawQuery == "" {
		return nil, nil
	}
	q, err := url.ParseQuery(c.r.URL.RawQuery)
	if err != nil {
		return nil, shoal.Invalid("InvalidParam", "query", "The query string cannot be read: %s", clip(err.Error(), 100))
	}
	for name, values := range q {
		for _, v := range values {
			if !validText(name) || !validText(v) {
				return nil, shoal.Invalid("BadEncoding", clip(name, 40), "The query string is not UTF-8 in %s", clip(name, 40))
			}
		}
	}
	return q, nil
}

// window returns the page that the query asks for.
func window(q url.Values) (shoal.Window, error) {
	w := shoal.Window{Page: 1, Limit: defaultLimit}
	var err error
	if w.Page, err = whole(q, "page", w.Page, 1, maxPage); err != nil {
		return w, err
	}
	name := "limit"
	if !q.Has(name) && q.Has("page_size") {
		name = "page_size"
	}
	w.Limit, err = whole(q, name, w.Limit, 1, maxLimit)
	return w, err
}

// whole returns a whole number of the query, or def when it is absent.
func whole(q url.Values, name string, def, lo, hi int) (int, error) {
	if !q.Has(name) {
		return def, nil
	}
	text := q.Get(name)
	n, err := strconv.Atoi(text)
	if err != nil || n < lo || n > hi {
		return def, shoal.Invalid("InvalidParameterValue", name, "%s is %q; it must be a whole number from %d to %d", name, clip(text, 40), lo, hi)
	}
	return n, nil
}

// names returns a list of names, given separated by commas, repeated, or both.
func names(q url.Values, key string) []string {
	var out []string
	for _, v := range q[key] {
		for name := range strings.SplitSeq(v, ",") {
			if name = strings.TrimSpace(name); name != "" {
				out = append(out, name)
			}
		}
	}
	return out
}

// idParam returns the id under name; "" when it is absent. One that has not the
// form of an id is like one that does not exist.
func idParam[T ~string](q url.Values, name string, notFound *shoal.Error) (T, error) {
	v := q.Get(name)
	if v == "" {
		return "", nil
	}
	if !shoal.ValidID(v) {
		return "", notFound
	}
	return T(v), nil
}

// needID is idParam for an id that must be given.
func needID[T ~string](q url.Values, name string, notFound *shoal.Error) (T, error) {
	if q.Get(name) == "" {
		return "", shoal.Invalid("ParamsNeeded", name, "The query parameter %s is required", name)
	}
	return idParam[T](q, name, notFound)
}

// taskType returns the query's type: "", url or params.
func taskType(v string) (string, error) {
	if v != "" && v != "url" && v != "params" {
		return "", shoal.Invalid("InvalidParameterValue", "type", "type is %q; it must be url or params", clip(v, 40))
	}
	return v, nil
}

// validText reports whether s is text that can be stored: UTF-8 without NUL.
func validText(s string) bool {
	return utf8.ValidString(s) && strings.IndexByte(s, 0) < 0
}
