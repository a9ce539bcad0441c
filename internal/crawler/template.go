package crawler

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
)

// Template is a text with {{ expression }} parts, compiled at load.
type Template struct {
	Source string
	// Uses is what its expressions read together.
	Uses  Uses
	parts []part
}

// part is a literal or an expression with the escaping that its place asks for.
type part struct {
	literal string
	expr    *Expr
	escape  func(string) string
}

// compileTemplate compiles source. isURL makes values that stand after the
// first character be escaped for a path or a query; raw(…) prevents it.
func compileTemplate(source string, isURL bool, known *names) (*Template, error) {
	t := &Template{Source: source}
	rest, offset, query := source, 0, false
	for rest != "" {
		open := strings.Index(rest, "{{")
		if open < 0 {
			t.parts = append(t.parts, part{literal: rest})
			break
		}
		if open > 0 {
			t.parts = append(t.parts, part{literal: rest[:open]})
			query = query || strings.Contains(rest[:open], "?")
		}
		end := strings.Index(rest[open:], "}}")
		if end < 0 {
			return nil, &exprError{offset + open, "{{ is never closed; add }} after the expression"}
		}
		e, err := compileExpr(strings.TrimSpace(rest[open+2:open+end]), "", known)
		if err != nil {
			return nil, shift(err, offset+open+2)
		}
		p := part{expr: e}
		if isURL && !e.raw && len(t.parts) > 0 {
			p.escape = url.PathEscape
			if query {
				p.escape = url.QueryEscape
			}
		}
		t.parts = append(t.parts, p)
		t.Uses.add(e.Uses)
		rest, offset = rest[open+end+2:], offset+open+end+2
	}
	return t, nil
}

func shift(err error, by int) error {
	if e, ok := err.(*exprError); ok {
		return &exprError{e.offset + by, e.msg}
	}
	return err
}

// Literal returns the template's text when it has no expressions.
func (t *Template) Literal() (string, bool) {
	switch {
	case len(t.parts) == 0:
		return "", true
	case len(t.parts) == 1 && t.parts[0].expr == nil:
		return t.parts[0].literal, true
	}
	return "", false
}

// Expand returns the text with the expressions' values in place. nil values
// give an empty text.
func (t *Template) Expand(env *Env) (string, error) {
	if s, ok := t.Literal(); ok {
		return s, nil
	}
	var b strings.Builder
	for _, p := range t.parts {
		if p.expr == nil {
			b.WriteString(p.literal)
			continue
		}
		v, err := p.expr.Eval(env)
		if err != nil {
			return "", err
		}
		s := str(v)
		if p.escape != nil {
			s = p.escape(s)
		}
		if b.Len()+len(s) > maxTemplate {
			return "", fmt.Errorf("template %q: it makes more than %d MB", clip(t.Source, 200), maxTemplate>>20)
		}
		b.WriteString(s)
	}
	return b.String(), nil
}

func str(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	return fmt.Sprint(v)
}
