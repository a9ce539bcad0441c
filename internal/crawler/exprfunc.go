package crawler

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/expr-lang/expr"
	"github.com/tidwall/gjson"
)

// exprFunctions are the functions that expressions have besides the library's.
var exprFunctions = []expr.Option{
	// raw(x) puts x into a template as it is, unescaped.
	expr.Function("raw", func(p ...any) (any, error) { return fmt.Sprint(p[0]), nil }, new(func(any) string)),
	// resolve(base, reference) gives an absolute URL.
	expr.Function("resolve", func(p ...any) (any, error) {
		base, err := url.Parse(fmt.Sprint(p[0]))
		if err != nil {
			return nil, err
		}
		u, err := base.Parse(fmt.Sprint(p[1]))
		if err != nil {
			return nil, err
		}
		return u.String(), nil
	}, new(func(any, any) string)),
	// query(url, name) gives a parameter of a URL's query, nil when it has none.
	expr.Function("query", func(p ...any) (any, error) {
		u, err := url.Parse(fmt.Sprint(p[0]))
		if err != nil {
			return nil, nil
		}
		if q := u.Query(); q.Has(p[1].(string)) {
			return q.Get(p[1].(string)), nil
		}
		return nil, nil
	}, new(func(any, string) any)),
	// with_query(url, name, value) gives the URL with the parameter set; nil removes it.
	expr.Function("with_query", func(p ...any) (any, error) {
		return WithQuery(fmt.Sprint(p[0]), p[1].(string), p[2]), nil
	}, new(func(any, string, any) string)),
	// at(json, path) gives what stands at a dotted path of a JSON text or of a value.
	expr.Function("at", func(p ...any) (any, error) {
		path := p[1].(string)
		if strings.ContainsAny(path, "|!{}@") {
			return nil, fmt.Errorf("path %q: write names joined by dots", clip(path, 40))
		}
		if s, ok := p[0].(string); ok {
			return gjson.Get(s, path).Value(), nil
		}
		return valueAt(p[0], path), nil
	}, new(func(any, string) any)),
}

// valueAt follows a dotted path in a value.
func valueAt(v any, path string) any {
	for name := range strings.SplitSeq(path, ".") {
		switch x := v.(type) {
		case map[string]any:
			v = x[name]
		case []any:
			i, ok := toInt(name)
			if n, _ := i.(int64); ok && n >= 0 && n < int64(len(x)) {
				v = x[n]
			} else {
				return nil
			}
		default:
			return nil
		}
	}
	return v
}

// WithQuery returns rawURL with the parameter name set to value, in its place
// if it has one, else at the end; nil removes it. The rest of the URL stays as it is.
func WithQuery(rawURL, name string, value any) string {
	head, fragment := rawURL, ""
	if i := strings.IndexByte(head, '#'); i >= 0 {
		head, fragment = head[:i], head[i:]
	}
	path, query, _ := strings.Cut(head, "?")
	var pairs []string
	placed := value == nil
	for pair := range strings.SplitSeq(query, "&") {
		key, _, _ := strings.Cut(pair, "=")
		if plain, err := url.QueryUnescape(key); err == nil && plain == name {
			if placed {
				continue
			}
			placed = true
			pair = key + "=" + url.QueryEscape(str(value))
		}
		if pair != "" {
			pairs = append(pairs, pair)
		}
	}
	if !placed {
		pairs = append(pairs, url.QueryEscape(name)+"="+url.QueryEscape(str(value)))
	}
	if len(pairs) > 0 {
		path += "?" + strings.Join(pairs, "&")
	}
	return path + fragment
}
