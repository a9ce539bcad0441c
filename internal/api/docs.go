package api

import (
	"bytes"
	"cmp"
	_ "embed"
	"encoding/json"
	"fmt"
	"html/template"
	"net/http"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
)

//go:embed openapi.yaml
var openapiYAML []byte

//go:embed docs.html
var docsHTML string

// OpenAPI returns the OpenAPI 3.1 document of the API, as YAML.
func OpenAPI() []byte { return bytes.Clone(openapiYAML) }

// documents are the three forms of the reference, made once.
type documents struct {
	yaml, json, html []byte
}

func renderDocuments(version string) documents {
	d := documents{yaml: openapiYAML}
	if version != "" {
		d.yaml = bytes.Replace(openapiYAML, []byte("version: dev"), fmt.Appendf(nil, "version: %q", version), 1)
	}
	var err error
	if d.json, err = yaml.YAMLToJSON(d.yaml); err != nil {
		panic("api: openapi.yaml: " + err.Error())
	}
	if d.html, err = renderDocs(d.json); err != nil {
		panic("api: the reference page: " + err.Error())
	}
	return d
}

// spec is the part of the OpenAPI document that the reference page shows.
type spec struct {
	Info struct {
		Title, Version, Description string
	}
	Tags       []struct{ Name, Description string }
	Paths      map[string]map[string]json.RawMessage
	Components struct {
		Schemas    map[string]schema
		Parameters map[string]parameter
	}
}

type operation struct {
	Method, Path string `json:"-"`
	OperationID  string
	Summary      string
	Description  string
	Tags         []string
	Security     *[]json.RawMessage
	Parameters   []parameter
	RequestBody  struct {
		Content map[string]media
	}
	Responses map[string]response
}

type parameter struct {
	Ref         string `json:"$ref"`
	Name        string
	In          string
	Required    bool
	Description string
	Schema      schema
}

type response struct {
	Ref         string `json:"$ref"`
	Description string
	Content     map[string]media
}

type media struct {
	Schema  schema
	Example json.RawMessage
}

type schema struct {
	Ref         string `json:"$ref"`
	Type        any
	Format      string
	Enum        []any
	Const       any
	Description string
	Required    []string
	Properties  map[string]schema
	Items       *schema
	AllOf       []schema
}

// section is one tag's operations on the page.
type section struct {
	Name, Description string
	Operations        []page
}

// page is one operation as the template shows it.
type page struct {
	operation
	Public bool
	Params []parameter
	Body   []property
	Answer []property
	Codes  []code
}

type property struct {
	Name, Type, Description string
	Required                bool
}

type code struct{ Status, Description string }

func renderDocs(specJSON []byte) ([]byte, error) {
	var s spec
	if err := json.Unmarshal(specJSON, &s); err != nil {
		return nil, err
	}
	sections := make([]section, len(s.Tags))
	for i, tag := range s.Tags {
		sections[i] = section{Name: tag.Name, Description: tag.Description}
	}
	for path, item := range s.Paths {
		var common []parameter
		if raw, ok := item["parameters"]; ok {
			if err := json.Unmarshal(raw, &common); err != nil {
				return nil, fmt.Errorf("%s: %w", path, err)
			}
			delete(item, "parameters")
		}
		for method, raw := range item {
			var op operation
			if err := json.Unmarshal(raw, &op); err != nil {
				return nil, fmt.Errorf("%s %s: %w", method, path, err)
			}
			op.Method, op.Path = strings.ToUpper(method), path
			op.Parameters = slices.Concat(common, op.Parameters)
			i := slices.IndexFunc(sections, func(t section) bool { return slices.Contains(op.Tags, t.Name) })
			if i < 0 {
				return nil, fmt.Errorf("%s %s has no tag of the list", method, path)
			}
			sections[i].Operations = append(sections[i].Operations, s.page(op))
		}
	}
	for i := range sections {
		slices.SortFunc(sections[i].Operations, byPath)
	}
	t, err := template.New("docs").Funcs(template.FuncMap{"prose": prose}).Parse(docsHTML)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	err = t.Execute(&out, map[string]any{"Info": s.Info, "Sections": sections})
	return out.Bytes(), err
}

func byPath(a, b page) int {
	order := "GET POST PUT PATCH DELETE"
	if c := strings.Compare(a.Path, b.Path); c != 0 {
		return c
	}
	return strings.Index(order, a.Method) - strings.Index(order, b.Method)
}

func (s *spec) page(op operation) page {
	p := page{operation: op, Public: op.Security != nil && len(*op.Security) == 0}
	for _, in := range op.Parameters {
		if name, ok := strings.CutPrefix(in.Ref, "#/components/parameters/"); ok {
			in = s.Components.Parameters[name]
		}
		in.Schema = s.resolve(in.Schema)
		p.Params = append(p.Params, in)
	}
	for _, m := range op.RequestBody.Content {
		p.Body = s.properties(m.Schema)
	}
	for status, r := range op.Responses {
		if name, ok := strings.CutPrefix(r.Ref, "#/components/responses/"); ok && r.Description == "" {
			r.Description = name
		}
		p.Codes = append(p.Codes, code{status, r.Description})
		if m, ok := r.Content["application/json"]; ok && status[0] == '2' {
			p.Answer = s.properties(m.Schema)
		}
	}
	slices.SortFunc(p.Codes, func(a, b code) int { return strings.Compare(a.Status, b.Status) })
	return p
}

func (s *spec) resolve(sc schema) schema {
	name, ok := strings.CutPrefix(sc.Ref, "#/components/schemas/")
	if !ok {
		return sc
	}
	out := s.Components.Schemas[name]
	if sc.Description != "" {
		out.Description = sc.Description
	}
	return out
}

// properties lists a schema's properties, those of its parts first. A later
// one of the same name says more of it: what a list is a list of.
func (s *spec) properties(sc schema) []property {
	sc = s.resolve(sc)
	var out []property
	for _, part := range sc.AllOf {
		for _, p := range s.properties(part) {
			out = withProperty(out, p)
		}
	}
	names := make([]string, 0, len(sc.Properties))
	for name := range sc.Properties {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		p := sc.Properties[name]
		full := s.resolve(p)
		out = withProperty(out, property{Name: name, Type: s.typeName(p), Description: full.Description,
			Required: slices.Contains(sc.Required, name)})
	}
	return out
}

// withProperty adds p, or completes the one of its name.
func withProperty(all []property, p property) []property {
	i := slices.IndexFunc(all, func(known property) bool { return known.Name == p.Name })
	if i < 0 {
		return append(all, p)
	}
	p.Description = cmp.Or(p.Description, all[i].Description)
	p.Required = p.Required || all[i].Required
	all[i] = p
	return all
}

// typeName says a schema's type in words.
func (s *spec) typeName(sc schema) string {
	if name, ok := strings.CutPrefix(sc.Ref, "#/components/schemas/"); ok {
		if full := s.Components.Schemas[name]; full.Properties != nil || full.AllOf != nil {
			return name
		}
		return s.typeName(s.Components.Schemas[name])
	}
	var types []string
	switch t := sc.Type.(type) {
	case string:
		types = []string{t}
	case []any:
		for _, v := range t {
			types = append(types, fmt.Sprint(v))
		}
	}
	text := strings.Join(types, " or ")
	if sc.Const != nil {
		text = fmt.Sprintf("always %v", sc.Const)
	}
	if sc.Items != nil {
		text += " of " + s.typeName(*sc.Items)
	}
	if len(sc.Enum) > 0 {
		var words []string
		for _, v := range sc.Enum {
			if v == nil {
				continue // its type says so already
			}
			words = append(words, fmt.Sprint(v))
		}
		text += ": " + strings.Join(words, ", ")
	}
	return text
}

// prose turns a description's paragraphs and `code` into HTML.
func prose(text string) template.HTML {
	var out strings.Builder
	for para := range strings.SplitSeq(strings.TrimSpace(text), "\n\n") {
		out.WriteString("<p>")
		for i, part := range strings.Split(para, "`") {
			escaped := template.HTMLEscapeString(part)
			if i%2 == 1 {
				escaped = "<code>" + escaped + "</code>"
			}
			out.WriteString(escaped)
		}
		out.WriteString("</p>")
	}
	return template.HTML(out.String())
}

func (c *call) document(contentType string, body []byte) error {
	h := c.w.Header()
	h["Content-Type"] = []string{contentType}
	h["Cache-Control"] = []string{"no-cache"}
	c.start(http.StatusOK)
	_, err := c.w.Write(body)
	return dropped(err)
}

func (a *API) openapiYAML(c *call) error {
	return c.document("application/yaml", a.docs().yaml)
}

func (a *API) openapiJSON(c *call) error {
	return c.document("application/json", a.docs().json)
}

// docsPage is the readable reference. It loads nothing from anywhere.
func (a *API) docsPage(c *call) error {
	c.w.Header()["Content-Security-Policy"] = []string{"default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"}
	return c.document("text/html; charset=utf-8", a.docs().html)
}
