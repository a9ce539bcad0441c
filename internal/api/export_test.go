package api_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// made waits until a file is done or given up.
func (w *world) made(run, id string) *answer {
	w.t.Helper()
	for {
		e := w.get("/v1/runs/" + run + "/exports/" + id)
		if s := e.str("state"); s == "done" || s == "error" {
			return e
		}
	}
}

// ranRun collects some pages and returns the ended run.
func (w *world) ranRun(pages int) string {
	w.t.Helper()
	run := w.post("/v1/runs", map[string]any{"squid": w.squid(site(w.t, pages, nil) + "/0")}).str("id")
	w.ended(run)
	return run
}

// TestExportsOfARun: a file is asked for, looked at, downloaded in ranges,
// listed and deleted.
func TestExportsOfARun(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		run := w.ranRun(5)
		body := map[string]any{"format": "jsonl", "fields": []any{"title", "url"}}
		asked := w.ok(202, "POST", "/v1/runs/"+run+"/exports", body)
		id := asked.str("id")
		if again := w.ok(202, "POST", "/v1/runs/"+run+"/exports", body); again.str("id") != id {
			t.Errorf("asked twice there are two: %s and %s", id, again.str("id"))
		}
		// The link works before the file is there.
		early := w.do(request{method: "GET", path: asked.str("url"), anonymous: true})
		done := w.made(run, id)
		if p := done.json["progress"].(map[string]any); done.str("state") != "done" || p["percent"] != 100.0 || p["rows"] != 5.0 || p["total"] != 5.0 {
			t.Fatalf("%s", done.body)
		}
		file := w.do(request{method: "GET", path: done.str("url"), anonymous: true})
		if file.status != 200 || string(file.body) != string(early.body) || float64(len(file.body)) != done.json["size"] || strings.Count(string(file.body), "\n") != 5 {
			t.Errorf("%d, %d bytes; before it was there %d", file.status, len(file.body), len(early.body))
		}
		w.ranges(done.str("url"), file)
		if l := w.get("/v1/runs/" + run + "/exports"); l.json["total_results"] != 2.0 || len(l.data()) != 2 {
			t.Errorf("%s", l.body)
		}
		if l := w.get("/v1/runs/" + run + "/exports?limit=1&page=2"); len(l.data()) != 1 || l.data()[0].(map[string]any)["id"] != id {
			t.Errorf("the second page: %s", l.body)
		}
		w.ok(200, "DELETE", "/v1/runs/"+run+"/exports/"+id, nil)
		if gone := w.do(request{method: "GET", path: "/v1/runs/" + run + "/exports/" + id}); gone.status != 404 {
			t.Errorf("after it was deleted: %d", gone.status)
		}
		if file := w.do(request{method: "GET", path: done.str("url"), anonymous: true}); file.status != 200 || string(file.body) != string(early.body) {
			t.Errorf("its link after it was deleted: %d", file.status)
		}
	})
}

// ranges reads parts of a file.
func (w *world) ranges(link string, file *answer) {
	w.t.Helper()
	ask := func(method string, header map[string]string) *answer {
		return w.do(request{method: method, path: link, anonymous: true, header: header})
	}
	n, etag := len(file.body), file.header.Get("Etag")
	for _, c := range []struct{ asked, want string }{
		{"bytes=3-9", string(file.body[3:10])}, {"bytes=-7", string(file.body[n-7:])}, {fmt.Sprintf("bytes=%d-", n-4), string(file.body[n-4:])},
	} {
		if a := ask("GET", map[string]string{"Range": c.asked}); a.status != 206 || string(a.body) != c.want {
			w.t.Errorf("%s = %d %q, want %q", c.asked, a.status, a.body, c.want)
		}
	}
	if a := ask("GET", map[string]string{"Range": "bytes=0-1,4-5"}); a.status != 206 || !strings.HasPrefix(a.header.Get("Content-Type"), "multipart/byteranges") {
		w.t.Errorf("two ranges = %d %s", a.status, a.header.Get("Content-Type"))
	}
	if a := ask("GET", map[string]string{"Range": fmt.Sprintf("bytes=%d-", n)}); a.status != 416 {
		w.t.Errorf("a range behind the end = %d", a.status)
	}
	if a := ask("GET", map[string]string{"Range": "bytes=0-1", "If-Range": `"other"`}); a.status != 200 || len(a.body) != n {
		w.t.Errorf("a range of another file = %d", a.status)
	}
	if a := ask("GET", map[string]string{"If-None-Match": etag}); a.status != 304 {
		w.t.Errorf("If-None-Match = %d", a.status)
	}
	if a := ask("HEAD", nil); a.status != 200 || a.header.Get("Content-Length") != fmt.Sprint(n) || a.header.Get("Etag") != etag || len(a.body) != 0 {
		w.t.Errorf("HEAD = %d %v", a.status, a.header)
	}
}

// TestDownloadLinks: a link is good for an hour, and only as it was given.
func TestDownloadLinks(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		run := w.ranRun(3)
		link := w.get("/v1/runs/" + run + "/download?format=json&omit=title").str("s3")
		head := w.do(request{method: "HEAD", path: link, anonymous: true})
		if head.status != 200 || len(head.body) != 0 || head.header.Get("Content-Type") != "application/json" {
			t.Errorf("HEAD of what is not a file yet = %d %v", head.status, head.header)
		}
		token := link[strings.LastIndexByte(link, '/')+1:]
		for i := 0; i < len(token); i += 7 {
			c := byte('A')
			if token[i] == c {
				c = 'B'
			}
			forged := "/v1/download/" + token[:i] + string(c) + token[i+1:]
			if a := w.do(request{method: "GET", path: forged, anonymous: true}); a.status != 404 {
				t.Errorf("with character %d changed = %d", i, a.status)
			}
		}
		w.clock.advance(59 * time.Minute)
		if a := w.do(request{method: "GET", path: link, anonymous: true}); a.status != 200 {
			t.Errorf("after 59 minutes = %d", a.status)
		}
		w.clock.advance(3 * time.Minute)
		if a := w.do(request{method: "GET", path: link, anonymous: true}); a.status != 404 {
			t.Errorf("after 62 minutes = %d", a.status)
		}
	})
}

// TestDownloadsThatAreRefused: before a link is given.
func TestDownloadsThatAreRefused(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		run := w.ranRun(1)
		for query, param := range map[string]string{
			"?format=abacus": "format", "?fields=nothing": "fields", "?omit=nothing": "omit", "?format=json&bom=true": "bom", "?dotted=perhaps": "dotted",
		} {
			a := w.do(request{method: "GET", path: "/v1/runs/" + run + "/download" + query})
			if a.status != 400 || !strings.Contains(string(a.body), param) {
				t.Errorf("download%s = %d %s", query, a.status, a.body)
			}
		}
		for _, body := range []map[string]any{
			{}, {"format": "abacus"}, {"format": 3}, {"format": "csv", "fields": "title"}, {"format": "csv", "fields": []any{1}},
			{"format": "csv", "fields": []any{"nothing"}}, {"format": "json", "guard_formulas": true},
		} {
			if a := w.do(request{method: "POST", path: "/v1/runs/" + run + "/exports", body: body}); a.status != 400 {
				t.Errorf("exports %v = %d %s", body, a.status, a.body)
			}
		}
	})
}

// TestMissingFile: a file that somebody removed is read from the rows at once
// and made again behind.
func TestMissingFile(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		run := w.ranRun(4)
		link := w.get("/v1/runs/" + run + "/download").str("s3")
		before := w.do(request{method: "GET", path: link, anonymous: true})
		name := filepath.Join(w.Options.DataDir, "files", "runs", run, "results.csv")
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
		missing := w.do(request{method: "GET", path: link, anonymous: true})
		if missing.status != 200 || string(missing.body) != string(before.body) {
			t.Errorf("without its file: %d, %d bytes", missing.status, len(missing.body))
		}
		csv := w.get("/v1/runs/" + run + "/exports").data()[0].(map[string]any)
		w.made(run, csv["id"].(string))
		if text, err := os.ReadFile(name); err != nil || string(text) != string(before.body) {
			t.Errorf("made again: %d bytes, %v", len(text), err)
		}
		if a := w.get("/v1/runs/" + run); a.json["export_done"] != true {
			t.Errorf("the run: %s", a.body)
		}
	})
}
