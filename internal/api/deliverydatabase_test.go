package api_test

import (
	"strings"
	"testing"
)

// TestDatabaseFields: the password of a URL is never shown, what is shown may be
// sent back, and what would be wrong at the first delivery is refused now.
func TestDatabaseFields(t *testing.T) {
	w := newWorld(t, "", nil)
	squid := w.squid()
	const url, shown = "postgres://shop:s3cret@db.example.com:5432/shop?sslmode=require", "postgres://shop:****@db.example.com:5432/shop?sslmode=require"
	set := func(code int, fields map[string]any) *answer {
		t.Helper()
		return w.ok(code, "POST", "/v1/delivery?squid="+squid, map[string]any{"database_fields": fields})
	}
	for _, given := range []string{url, shown} {
		a := set(201, map[string]any{"url": given, "table": "public.products", "key": "url, title", "columns": map[string]any{"title": "name"}, "omit": []string{"task"}})
		echo, _ := a.json["database_fields"].(map[string]any)
		if echo["url"] != shown || echo["mode"] != "upsert" || echo["create"] != true || echo["is_active"] != true {
			t.Errorf("the echo is %s", a.body)
		}
		for _, path := range []string{"/v1/delivery?squid=" + squid, "/v1/squids/" + squid} {
			if a := w.get(path); strings.Contains(string(a.body), "s3cret") || !strings.Contains(string(a.body), shown) {
				t.Errorf("%s shows %s", path, a.body)
			}
		}
	}
	for want, fields := range map[string]map[string]any{
		"database_fields.url":     {"table": "t"},
		"database_fields.table":   {"url": url},
		"masked password":         {"url": "postgres://shop:****@elsewhere.example.com/shop", "table": "t"},
		"must begin with":         {"url": "oracle://u:p@h/d", "table": "t"},
		"sslrootcert":             {"url": "postgres://u:p@h/d?sslrootcert=/etc/passwd", "table": "t"},
		"not a list or a socket":  {"url": "postgres://u:p@/d?host=/var/run", "table": "t"},
		"three slashes":           {"url": "sqlite://../../etc/x.db", "table": "t"},
		"begin with a letter":     {"url": "sqlite:///../x.db", "table": "t"},
		"must end in":             {"url": "sqlite:///x.db-journal", "table": "t"},
		"upsert, insert or":       {"url": url, "table": "t", "mode": "merge"},
		"database_fields.key":     {"url": url, "table": "t", "key": 7},
		"same name":               {"url": url, "table": "t", "columns": map[string]any{"a": "X", "b": "x"}},
		"63 bytes":                {"url": url, "table": strings.Repeat("x", 64)},
		"printable":               {"url": url, "table": "a\x07b"},
		"no certificate":          {"url": url, "table": "t", "ca": "nonsense"},
		"database_fields.columns": {"url": url, "table": "t", "columns": []string{"a"}},
	} {
		if a := set(400, fields); !strings.Contains(string(a.body), want) || strings.Contains(string(a.body), "s3cret") {
			t.Errorf("%v: %s, want %q", fields, a.body, want)
		}
	}
	set(201, nil)
}
