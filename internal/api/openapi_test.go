package api

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
)

func loadSpec(t *testing.T) *openapi3.T {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromData(OpenAPI())
	if err != nil {
		t.Fatal(err)
	}
	if err := doc.Validate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return doc
}

func TestEveryRouteIsDescribedAndNoOther(t *testing.T) {
	doc := loadSpec(t)
	served, described := map[string]bool{}, map[string]bool{}
	for _, rt := range (&API{}).routes() {
		served[rt.method+" "+rt.path] = true
		item := doc.Paths.Find(rt.path)
		if item == nil || item.GetOperation(rt.method) == nil {
			continue
		}
		op := item.GetOperation(rt.method)
		if open := op.Security != nil && len(*op.Security) == 0; open != rt.public {
			t.Errorf("%s %s: needs no key: %v in routes.go, %v in openapi.yaml", rt.method, rt.path, rt.public, open)
		}
	}
	for path, item := range doc.Paths.Map() {
		for method := range item.Operations() {
			described[method+" "+path] = true
		}
	}
	for k := range served {
		if !described[k] {
			t.Errorf("%s is served and not described", k)
		}
	}
	for k := range described {
		if !served[k] {
			t.Errorf("%s is described and not served", k)
		}
	}
}

func TestReferencePageShowsEveryOperation(t *testing.T) {
	d := renderDocuments("1.2.3")
	page := string(d.html)
	for _, rt := range (&API{}).routes() {
		if !strings.Contains(page, `<span class="path">`+rt.path+`</span>`) {
			t.Errorf("%s %s is not on the page", rt.method, rt.path)
		}
	}
	for _, outside := range []string{"src=", "@import", "url(", "<script", `href="http`} {
		if strings.Contains(page, outside) {
			t.Errorf("the page is not self-contained: it has %s", outside)
		}
	}
	var doc struct {
		Info struct{ Version string }
	}
	if err := json.Unmarshal(d.json, &doc); err != nil || doc.Info.Version != "1.2.3" || !strings.Contains(page, "1.2.3") {
		t.Errorf("version in JSON %q, %v", doc.Info.Version, err)
	}
}

func TestScopesOfRoutes(t *testing.T) {
	for _, rt := range (&API{}).routes() {
		if rt.public {
			continue
		}
		want := "run"
		_, staff := strings.CutPrefix(rt.path, "/v1/admin/")
		if rt.staff != staff {
			t.Errorf("%s %s: for staff alone: %v", rt.method, rt.path, rt.staff)
		}
		if staff || strings.HasPrefix(rt.path, "/v1/keys") {
			want = "admin"
		} else if rt.method == http.MethodGet || rt.path == "/v1/squid/estimate" { // which changes nothing
			want = "read"
		}
		if string(rt.scope) != want {
			t.Errorf("%s %s needs the scope %q, want %q", rt.method, rt.path, rt.scope, want)
		}
		if rt.shared && !slices.Contains([]string{"/v1/runs/{id}", "/v1/runs/{id}/download", "/v1/results"}, rt.path) {
			t.Errorf("%s must not be readable without a key", rt.path)
		}
	}
}
