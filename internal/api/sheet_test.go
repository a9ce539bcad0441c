package api_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"shoal/internal/api"
	"shoal/internal/deliver"
	"shoal/internal/safedial"
	"shoal/internal/sheetstest"
)

// TestSheetFields sets a Google sheet with credentials as text and as an
// object: they are never shown, whom to share with is, and what was shown may
// be sent back.
func TestSheetFields(t *testing.T) {
	const robot = "shoal@shoal-test.iam.gserviceaccount.com"
	google := sheetstest.Start(t)
	w := newWorld(t, "", func(o *api.Options) {
		o.Deliver = deliver.New(deliver.Options{Seal: o.Seal, Dial: safedial.New(safedial.Options{AllowPrivate: true}).DialContext, Google: deliver.Google{Endpoint: google.URL}})
	})
	book, key := google.NewBook("Prices", robot), google.ServiceAccount(robot)
	var object map[string]any
	if err := json.Unmarshal([]byte(key), &object); err != nil {
		t.Fatal(err)
	}
	squid := w.squid("https://site.test/")
	path := "/v1/delivery?squid=" + squid
	for _, credentials := range []any{key, object} {
		fields := map[string]any{"url": book.URL(), "append": true, "sheet": "Sheet1", "credentials": credentials}
		echo := w.ok(201, "POST", path, map[string]any{"google_sheet_fields": fields})
		shown := echo.json["google_sheet_fields"].(map[string]any)
		if strings.Contains(string(echo.body), "PRIVATE KEY") || !strings.HasSuffix(shown["credentials"].(string), "****") || shown["account"] != robot || shown["sheet"] != "Sheet1" {
			t.Errorf("echo: %s", echo.body)
		}
		if a := w.post("/v1/delivery/test-googlesheet?squid="+squid, map[string]any{}); a.json["success"] != true {
			t.Errorf("test of what is stored: %s", a.body)
		}
		again := w.ok(201, "POST", path, map[string]any{"google_sheet_fields": shown})
		if got := again.json["google_sheet_fields"].(map[string]any); got["account"] != robot {
			t.Errorf("sent back: %s", again.body)
		}
		if a := w.post("/v1/delivery/test-googlesheet?squid="+squid, map[string]any{}); a.json["success"] != true {
			t.Errorf("test of what was sent back: %s", a.body)
		}
	}
	// Who knows nothing of credentials leaves them; null takes them away.
	bare := w.ok(201, "POST", path, map[string]any{"google_sheet_fields": map[string]any{"url": book.URL(), "append": false}})
	if a := w.post("/v1/delivery/test-googlesheet?squid="+squid, map[string]any{}); a.json["success"] != true || !strings.Contains(string(bare.body), robot) {
		t.Errorf("set without a word of credentials: %s, test %s", bare.body, a.body)
	}
	w.ok(201, "POST", path, map[string]any{"google_sheet_fields": map[string]any{"url": book.URL(), "credentials": nil}})
	if a := w.post("/v1/delivery/test-googlesheet?squid="+squid, map[string]any{}); a.json["success"] != false || !strings.Contains(a.str("detail"), "no Google credentials") {
		t.Errorf("taken away: %s", a.body)
	}
	for want, fields := range map[string]map[string]any{
		"published copy":       {"url": "https://docs.google.com/spreadsheets/d/e/2PACX-1vS/pubhtml"},
		"address of a Google":  {"url": "https://docs.google.com/document/d/1abc/edit"},
		"OAuth client alone":   {"url": book.URL(), "credentials": map[string]any{"installed": map[string]any{"client_id": "x"}}},
		"no JSON":              {"url": book.URL(), "credentials": "s3cret"},
		"lack client_email":    {"url": book.URL(), "credentials": map[string]any{"private_key": "s3cret"}},
		"private_key cannot":   {"url": book.URL(), "credentials": map[string]any{"private_key": "s3cret", "client_email": robot}},
		"token_uri must be":    {"url": book.URL(), "credentials": strings.Replace(key, google.URL, "http://example.com", 1)},
		"must be an object":    {"url": book.URL(), "credentials": 7},
		"name of a tab has at": {"url": book.URL(), "sheet": strings.Repeat("x", 101)},
	} {
		a := w.do(request{method: "POST", path: path, body: map[string]any{"google_sheet_fields": fields}})
		if a.status != http.StatusBadRequest || !strings.Contains(string(a.body), want) || strings.Contains(string(a.body), "s3cret") {
			t.Errorf("%v: %d %s, want %q", fields, a.status, a.body, want)
		}
	}
}
