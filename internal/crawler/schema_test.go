package crawler

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

func compileSchema(t testing.TB) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(Schema()))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	if err := c.AddResource("shoal.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("shoal.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// instance is a definition as a schema sees it.
func instanceOf(t testing.TB, src []byte) any {
	t.Helper()
	root, problems := parseYAML("x.yaml", src)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	return jsonNumbers(whole(root))
}

// jsonNumbers makes whole numbers what a JSON decoder would.
func jsonNumbers(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k, x := range v {
			v[k] = jsonNumbers(x)
		}
	case []any:
		for i, x := range v {
			v[i] = jsonNumbers(x)
		}
	case int64:
		return float64(v)
	}
	return v
}

// Every definition that is right fits the schema.
func TestSchemaFits(t *testing.T) {
	schema := compileSchema(t)
	n := 0
	for _, pattern := range []string{"../../crawlers/*.yaml", "../../bench/*.yaml", "../../docs/language/*.yaml", "testdata/good/*.yaml"} {
		paths, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range paths {
			src, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := Compile(path, src); err != nil {
				t.Error(err)
			}
			if err := schema.Validate(instanceOf(t, src)); err != nil {
				t.Errorf("%s: %v", path, err)
			}
			n++
		}
	}
	if n < 5 {
		t.Errorf("only %d definitions were tried", n)
	}
}

// What Compile accepts fits the schema; a key that it does not know fits neither.
func TestSchemaRefuses(t *testing.T) {
	schema := compileSchema(t)
	for _, src := range []string{
		"slug: a-b\nname: X\nstart: {url: x}\npages: {p: {folow: []}}",
		"slug: a-b\nname: X\nstart: {url: x}\npages: {p: {format: yaml}}",
		"slug: a-b\nname: X\nstart: {url: x}\npages: {p: {rows: {fields: {a: {as: mony}}}}}",
		"slug: a-b\nname: X\nstart: {url: x}\npages: {p: {paginate: {page: {parm: x}}}}",
		"slug: a-b\nname: X\npages: {}",
		"[]",
	} {
		if schema.Validate(instanceOf(t, []byte(src))) == nil {
			t.Errorf("the schema accepts %s", src)
		}
		if _, err := Compile("x.yaml", []byte(src)); err == nil {
			t.Errorf("Compile accepts %s", src)
		}
	}
}

// The golden file is what editors get; a change of the language shows in it.
func TestSchemaGolden(t *testing.T) {
	const file = "testdata/schema.json"
	if *update {
		if err := os.WriteFile(file, Schema(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	if !bytes.Equal(want, Schema()) {
		t.Error("testdata/schema.json is not what Schema gives; if that is meant: go test ./internal/crawler -update")
	}
	if !strings.Contains(string(want), "2020-12") {
		t.Error("the schema does not name its draft")
	}
}
