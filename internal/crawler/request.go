package crawler

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"
)

// Body is a request's body: Text, Form or JSON.
type Body struct {
	Text *Template
	Form []HeaderLine
	json *jsonNode
}

// jsonNode is a JSON value with templates in its texts.
type jsonNode struct {
	literal any       // when there is no template in it
	text    *Template // a text with templates
	value   *Expr     // a text that is one expression: it keeps the value's type
	items   []*jsonNode
	keys    []string // of an object, one for each item; nil: a list
}

// message is a request's keys as the definition has them.
type message struct {
	method  text
	header  ordered[text]
	body    text
	form    ordered[text]
	json    tree
	graphql *graphqlDef
}

// tree is any YAML value, kept as it stands.
type tree struct{ n *node }

func (t *tree) decode(_ *decoder, n *node, _ string) { t.n = n }

// message compiles what a request has besides its address.
func (b *builder) message(place at, d message) Message {
	m := Message{Body: b.body(place, d)}
	s := strings.ToUpper(d.method.s)
	if s != "" && !slices.Contains([]string{"GET", "POST", "PUT", "PATCH", "HEAD", "DELETE"}, s) {
		b.fail(d.method.at, "method %q: use GET, POST, PUT, PATCH, DELETE or HEAD", clip(d.method.s, 20))
	}
	switch {
	case s == "" && m.Body != nil:
		m.Method = "POST"
	case (s == "GET" || s == "HEAD") && m.Body != nil:
		b.fail(d.method.at, "a %s request has no body; use POST, or leave method out", s)
	case s != "GET":
		m.Method = s
	}
	for _, h := range d.header {
		if !validHeaderName(h.key) {
			b.fail(h.at, "header %q is not a valid HTTP header name", clip(h.key, 60))
		}
		if t := b.template(h.val, false, "header"); t != nil {
			m.Header = append(m.Header, HeaderLine{h.key, t})
			m.Uses.add(t.Uses)
		}
	}
	if m.Body != nil {
		m.Uses.add(m.Body.uses())
	}
	return m
}

func (b *builder) body(place at, d message) *Body {
	switch n := count(d.body.set(), d.form != nil, d.json.n != nil, d.graphql != nil); {
	case n == 0:
		return nil
	case n > 1:
		b.fail(place, "a request has at most one of body, form, json and graphql")
	}
	out := &Body{Text: b.template(d.body, false, "body")}
	for _, f := range d.form {
		if t := b.template(f.val, false, "form"); t != nil {
			out.Form = append(out.Form, HeaderLine{f.key, t})
		}
	}
	if d.json.n != nil {
		out.json = b.jsonTree(d.json.n)
	}
	if q := d.graphql; q != nil {
		if !q.Query.set() {
			b.fail(q.at, "graphql needs query: the text of the query")
		}
		out.json = &jsonNode{keys: []string{"query"}, items: []*jsonNode{{literal: q.Query.s}}}
		if q.Variables.n != nil {
			out.json.keys, out.json.items = append(out.json.keys, "variables"), append(out.json.items, b.jsonTree(q.Variables.n))
		}
		if q.Operation.set() {
			out.json.keys, out.json.items = append(out.json.keys, "operationName"), append(out.json.items, &jsonNode{literal: q.Operation.s})
		}
	}
	return out
}

// jsonTree compiles a JSON value with templates in its texts.
func (b *builder) jsonTree(n *node) *jsonNode {
	out := &jsonNode{}
	switch v := n.value.(type) {
	case []pair:
		out.keys = []string{}
		for _, p := range v {
			out.keys = append(out.keys, p.key)
			out.items = append(out.items, b.jsonTree(p.val))
		}
	case []*node:
		out.items = []*jsonNode{}
		for _, item := range v {
			out.items = append(out.items, b.jsonTree(item))
		}
	case string:
		t := b.template(text{n.at, v}, false, "json")
		if t == nil {
			break
		}
		if lit, ok := t.Literal(); ok {
			out.literal = lit
		} else if out.text = t; len(t.parts) == 1 {
			out.value = t.parts[0].expr
		}
	default:
		out.literal = v
	}
	return out
}

func (u *Uses) add(v Uses) {
	u.Header, u.Body, u.Row, u.Page, u.Found = u.Header || v.Header, u.Body || v.Body, u.Row || v.Row, u.Page || v.Page, u.Found || v.Found
	u.Password, u.OTP = u.Password || v.Password, u.OTP || v.OTP
}

func (b *Body) uses() (u Uses) {
	if b.Text != nil {
		u.add(b.Text.Uses)
	}
	for _, f := range b.Form {
		u.add(f.Value.Uses)
	}
	if b.json != nil {
		b.json.uses(&u)
	}
	return u
}

func (j *jsonNode) uses(u *Uses) {
	if j.text != nil {
		u.add(j.text.Uses)
	}
	for _, item := range j.items {
		item.uses(u)
	}
}

// Expand returns the body and its media type; empty for a plain text.
func (b *Body) Expand(env *Env) (body, mediaType string, err error) {
	switch {
	case b.json != nil:
		v, err := b.json.expand(env)
		if err != nil {
			return "", "", err
		}
		out, err := json.Marshal(v)
		return string(out), "application/json", err
	case b.Text != nil:
		body, err = b.Text.Expand(env)
		return body, "", err
	}
	var form strings.Builder
	for _, f := range b.Form {
		v, err := f.Value.Expand(env)
		if err != nil {
			return "", "", err
		}
		if form.Len() > 0 {
			form.WriteByte('&')
		}
		form.WriteString(url.QueryEscape(f.Name) + "=" + url.QueryEscape(v))
	}
	return form.String(), "application/x-www-form-urlencoded", nil
}

func (j *jsonNode) expand(env *Env) (any, error) {
	switch {
	case j.value != nil:
		return j.value.Eval(env)
	case j.text != nil:
		return j.text.Expand(env)
	case j.items == nil && j.keys == nil:
		return j.literal, nil
	}
	list := make([]any, len(j.items))
	for i, item := range j.items {
		v, err := item.expand(env)
		if err != nil {
			return nil, err
		}
		list[i] = v
	}
	if j.keys == nil {
		return list, nil
	}
	object := make(map[string]any, len(list))
	for i, k := range j.keys {
		object[k] = list[i]
	}
	return object, nil
}

// cookies compiles the cookies that tasks begin with.
func (b *builder) cookies(d ordered[text]) []HeaderLine {
	var out []HeaderLine
	for _, c := range d {
		if !validHeaderName(c.key) {
			b.fail(c.at, "cookie %q: a cookie's name has no spaces and none of ()<>@,;:\\\"/[]?={}", clip(c.key, 60))
		}
		t := b.template(c.val, false, "cookie")
		if t == nil {
			continue
		}
		if t.Uses.Header || t.Uses.Body || t.Uses.Row {
			b.fail(c.at, "cookie %q: there is no page yet; use task and params", clip(c.key, 60))
		}
		out = append(out, HeaderLine{c.key, t})
	}
	return out
}

// addressOf compiles the template of an address and refuses what is never one.
func (b *builder) addressOf(t text, what string) *Template {
	tmpl := b.template(t, true, what)
	if tmpl == nil {
		return nil
	}
	begin := tmpl.Source
	if len(tmpl.parts) > 0 && tmpl.parts[0].expr == nil {
		begin = tmpl.parts[0].literal
	} else if len(tmpl.parts) > 0 {
		return tmpl // begins with an expression: checked when it is made
	}
	scheme, _, ok := strings.Cut(begin, ":")
	if ok && !strings.ContainsAny(scheme, "/?#.") && !strings.EqualFold(scheme, "http") && !strings.EqualFold(scheme, "https") {
		b.fail(t.at, "%s %q: only http and https addresses can be fetched", what, clip(t.s, 60))
	}
	return tmpl
}
