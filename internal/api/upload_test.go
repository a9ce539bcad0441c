package api_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
)

func TestUploadsThatAreRefusedAtOnce(t *testing.T) {
	w := newWorld(t, "", nil)
	squid := w.squid()
	for name, c := range map[string]struct {
		squid, content string
		status         int
		code, param    string
	}{
		"no squid":       {"", "url\nhttps://a.example\n", 400, "ParamsNeeded", "squid"},
		"no such squid":  {strings.Repeat("0", 32), "url\n", 404, "SquidDoesNotExistException", "squid"},
		"an empty file":  {squid, "", 400, "ParamsInvalid", "file"},
		"a wrong header": {squid, "link\nhttps://a.example\n", 400, "ParamsInvalid", "file"},
		"no text":        {squid, "url\n\x00\x01\x02\x03\x04", 400, "BadEncoding", "file"},
		"101 MB":         {squid, "url\n" + strings.Repeat("x", 100<<20), 400, "FileSizeLimitExceeded", "file"},
	} {
		a := w.upload(c.squid, "tasks.csv", []byte(c.content), nil)
		if a.status != c.status || a.code() != c.code || a.param() != c.param {
			t.Errorf("%s: %d %s at %q: %s", name, a.status, a.code(), a.param(), a.body)
		}
	}
}

func TestUploadOfManyRowsAndTwice(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		squid := w.squid()
		var file bytes.Buffer
		file.WriteString("url\n")
		for i := range 5000 {
			fmt.Fprintf(&file, "https://example.com/%d\n", i%4500)
			if i%50 == 0 {
				file.WriteString("not an address\n")
			}
		}
		header := map[string]string{"Idempotency-Key": "upload"}
		up := w.upload(squid, "tasks.csv", file.Bytes(), header)
		again := w.upload(squid, "tasks.csv", file.Bytes(), header)
		if up.status != 200 || string(up.body) != string(again.body) {
			t.Fatalf("%s, then %s", up.body, again.body)
		}
		st := w.uploaded(up.str("id"))
		meta := st.json["meta"].(map[string]any)
		if meta["valid"] != 5000.0 || meta["inserted"] != 4500.0 || meta["duplicates"] != 500.0 || meta["invalid"] != 100.0 {
			t.Errorf("%v", meta)
		}
		errors := st.json["errors"].([]any)
		if len(errors) != 100 || errors[1].(map[string]any)["line"] != 54.0 {
			t.Errorf("%d errors, the second %v", len(errors), errors[1])
		}
		if n := w.get("/v1/tasks?squid=" + squid).json["total_results"]; n != 4500.0 {
			t.Errorf("%v tasks", n)
		}
	})
}
