package har_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/text/encoding/japanese"

	"shoal/internal/fetch"
	"shoal/internal/har"
	"shoal/internal/safedial"
)

func zipped(s string) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	z.Write([]byte(s))
	z.Close()
	return base64.StdEncoding.EncodeToString(b.Bytes())
}

// entry is one entry of a HAR file as browsers write them.
func entry(method, url string, status int, response string) string {
	return fmt.Sprintf(`{"startedDateTime":"2026-01-02T03:04:05.678+01:00","time":12.5,"request":{"method":%q,"url":%q,"headers":[{"name":":authority","value":"x"},{"name":"Cookie","value":"sid=hush"}]},
		"response":{"status":%d,"headers":[{"name":"set-cookie","value":"sid=hush"},{"name":"X-Total","value":"7"}],%s},"cache":{},"timings":{}}`, method, url, status, response)
}

func content(typ, text, encoding string) string {
	b, _ := json.Marshal(map[string]any{"size": 1, "mimeType": typ, "text": text, "encoding": encoding})
	return `"content":` + string(b)
}

func parse(t *testing.T, entries ...string) *har.File {
	t.Helper()
	f, err := har.Read(strings.NewReader("\ufeff" + `{"log":{"version":"1.2","creator":{"name":"Firefox","version":"140"},"pages":[],"entries":[` + strings.Join(entries, ",") + `]}}`))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func ask(t *testing.T, r *har.Replay, method, url, body string) (*fetch.Response, error) {
	t.Helper()
	return r.Do(t.Context(), fetch.Request{Method: method, URL: url, Body: body}, fetch.DefaultPolicy())
}

// TestBrowsersFiles reads bodies in every form in which browsers and proxies
// write them.
func TestBrowsersFiles(t *testing.T) {
	sjis, err := japanese.ShiftJIS.NewEncoder().String("<p>日本語のページ</p>")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ response, typ, body string }{
		"text":            {content("text/html; charset=utf-8", "<p>é</p>", ""), "text/html", "<p>é</p>"},
		"base64":          {content("text/html", base64.StdEncoding.EncodeToString([]byte("<p>é</p>")), "base64"), "text/html", "<p>é</p>"},
		"unpadded base64": {content("text/plain", base64.RawStdEncoding.EncodeToString([]byte("four")), "BASE64"), "text/plain", "four"},
		"legacy charset":  {content("text/html; charset=Shift_JIS", base64.StdEncoding.EncodeToString([]byte(sjis)), "base64"), "text/html", "<p>日本語のページ</p>"},
		"still gzipped": {strings.Replace(content("text/html", zipped("<p>packed</p>"), "base64"), `"content"`,
			`"redirectURL":"","content"`, 1), "text/html", "<p>packed</p>"},
		"a gzip file":  {content("application/gzip", zipped("<?xml version='1.0'?><urlset/>"), "base64"), "text/xml", "<?xml version='1.0'?><urlset/>"},
		"binary":       {content("image/png", base64.StdEncoding.EncodeToString([]byte("\x89PNG\x00")), "base64"), "image/png", "\x89PNG\x00"},
		"without type": {content("", `{"a":1}`, ""), "application/json", `{"a":1}`},
		"unknown type": {content("x-unknown", "<html><p>x", ""), "text/html", "<html><p>x"},
	} {
		t.Run(name, func(t *testing.T) {
			e := entry("GET", "https://a.example/page#part", 200, c.response)
			if name == "still gzipped" {
				e = strings.Replace(e, `{"name":"X-Total"`, `{"name":"content-encoding","value":"gzip"},{"name":"X-Total"`, 1)
			}
			url := "https://a.example/page"
			if name == "a gzip file" {
				url = "https://a.example/sitemap.xml.gz"
				e = strings.Replace(e, "https://a.example/page", url, 1)
			}
			resp, err := ask(t, parse(t, e).Replay(), "", url, "")
			if err != nil {
				t.Fatal(err)
			}
			if resp.MediaType != c.typ || string(resp.Body) != c.body || resp.Header.Get("X-Total") != "7" || resp.Elapsed != 12500*time.Microsecond {
				t.Errorf("%s %q, %v", resp.MediaType, resp.Body, resp)
			}
		})
	}
}

// TestReplayAnswersAsTheFetcherDoes: statuses, redirects, duplicates, bodies of
// requests, and what is not there.
func TestReplayAnswersAsTheFetcherDoes(t *testing.T) {
	page := func(s string) string { return content("text/html", s, "") }
	post := func(body, answer string) string {
		e := entry("POST", "https://a.example/graphql", 200, content("application/json", answer, ""))
		b, _ := json.Marshal(body)
		return strings.Replace(e, `"headers":[{"name":":auth`, `"postData":{"mimeType":"application/json","text":`+string(b)+`},"headers":[{"name":":auth`, 1)
	}
	r := parse(t,
		entry("GET", "https://a.example/twice", 0, page("")),
		entry("GET", "https://a.example/twice", 304, page("")),
		entry("GET", "https://a.example/twice", 200, page("first")),
		entry("GET", "https://a.example/twice", 200, page("second")),
		entry("GET", "https://A.example:443/?b=2&a=1&utm_source=x", 200, page("canonical")),
		entry("GET", "https://a.example/old", 301, `"redirectURL":"/older",`+page("")),
		entry("GET", "https://a.example/older", 302, `"redirectURL":"https://a.example/new",`+page("")),
		entry("GET", "https://a.example/new", 200, page("new")),
		entry("GET", "https://a.example/loop", 302, `"redirectURL":"/loop",`+page("")),
		entry("GET", "https://a.example/gone", 404, page("not here")),
		entry("GET", "https://a.example/broken", 500, page("oops")),
		entry("GET", "https://a.example/busy", 429, page("slow down")),
		entry("GET", "https://a.example/cached", 304, page("")),
		entry("GET", "https://a.example/down", 0, `"_error":"net::ERR_CONNECTION_REFUSED",`+page("")),
		post(`{"query": "q", "after": 1}`, "one"), post(`{"query": "q", "after": 2}`, "two"),
	).Replay()
	for _, c := range []struct {
		method, url, body string
		status            int
		text              string // the body, or what the error says
		failure           fetch.Failure
		at                string
	}{
		{"GET", "https://a.example/twice", "", 200, "first", "", ""},
		{"GET", "https://a.example/?b=2&a=1", "", 200, "canonical", "", ""},
		{"GET", "https://a.example/old", "", 200, "new", "", "https://a.example/new"},
		{"GET", "https://a.example/loop", "", 0, "10 redirects", fetch.FailRedirects, ""},
		{"GET", "https://a.example/gone", "", 404, "not here", "", ""},
		{"GET", "https://a.example/broken", "", 0, "500", fetch.FailServer, ""},
		{"GET", "https://a.example/busy", "", 0, "429", fetch.FailTooMany, ""},
		{"GET", "https://a.example/cached", "", 0, "cache disabled", fetch.FailProtocol, ""},
		{"GET", "https://a.example/down", "", 0, "CONNECTION_REFUSED", fetch.FailConnect, ""},
		{"POST", "https://a.example/graphql", `{"after":2,"query":"q"}`, 200, "two", "", ""},
		{"POST", "https://a.example/graphql", `{"after":3,"query":"q"}`, 0, "POST https://a.example/graphql with another body", fetch.FailRefused, ""},
		{"GET", "https://a.example/neww", "", 0, "GET https://a.example/new", fetch.FailRefused, ""},
		{"POST", "https://a.example/new", "", 0, "POST https://a.example/new is not in", fetch.FailRefused, ""},
	} {
		resp, err := ask(t, r, c.method, c.url, c.body)
		if c.failure != "" {
			fe, ok := errors.AsType[*fetch.Error](err)
			if !ok || fe.Failure != c.failure || !strings.Contains(fe.Message, c.text) {
				t.Errorf("%s: %v, want %s and %q", c.url, err, c.failure, c.text)
			}
			continue
		}
		if err != nil || resp.Status != c.status || string(resp.Body) != c.text || c.at != "" && resp.URL != c.at {
			t.Errorf("%s: %v, %+v", c.url, err, resp)
		}
	}
	if got := strings.Join(r.Missing(), "; "); strings.Count(got, ";") != 2 {
		t.Errorf("missing: %s", got)
	}
	if len(r.Unused()) == 0 {
		t.Error("the duplicates were not used, and are not said to be unused")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.Do(ctx, fetch.Request{URL: "https://a.example/new"}, fetch.Policy{}); !errors.Is(err, context.Canceled) {
		t.Errorf("after the end of its context: %v", err)
	}
}

// TestRecordAndReplay records a site, writes and reads the file, and replays the
// same answers; nothing secret is in the file.
func TestRecordAndReplay(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Set-Cookie", "session=hush")
		w.Header().Set("X-CSRF-Token", "hush")
		w.Header().Set("X-Next", "2")
		switch r.URL.Path {
		case "/a":
			http.Redirect(w, r, "/b", http.StatusMovedPermanently)
		case "/b":
			w.Header().Set("Content-Type", "text/html; charset=windows-1252")
			w.Write([]byte("<p>caf\xe9 \x80</p>"))
		case "/zip":
			w.Header().Set("Content-Type", "application/octet-stream")
			w.Write([]byte("PK\x00\xff"))
		case "/err":
			w.WriteHeader(500)
		default:
			http.NotFound(w, r)
		}
	}))
	defer srv.Close()
	live := fetch.New(fetch.Options{Dial: safedial.New(safedial.Options{AllowPrivate: true}).DialContext, Backoff: time.Millisecond})
	defer live.Close()
	rec := har.Record(live)
	policy := fetch.DefaultPolicy()
	policy.Header = map[string]string{"Authorization": "Bearer hush", "X-Custom": "hush", "Accept-Language": "fr"}
	requests := []fetch.Request{
		{URL: srv.URL + "/a"}, {URL: srv.URL + "/zip"}, {URL: srv.URL + "/err"}, {URL: srv.URL + "/none?api_key=hush&page_token=keep"},
		{URL: srv.URL + "/login", Method: "POST", Body: "user=ann&password=hush", Header: map[string]string{"Content-Type": "application/x-www-form-urlencoded"}},
		{URL: srv.URL + "/json", Method: "POST", Body: `{"auth":{"client_secret":"hush"},"page":1}`, Header: map[string]string{"Content-Type": "application/json"}},
	}
	want := map[int]string{}
	for i, q := range requests {
		resp, err := rec.Do(t.Context(), q, policy)
		want[i] = outcome(resp, err)
	}
	for _, name := range []string{"x.har", "x.har.gz"} {
		path := filepath.Join(t.TempDir(), name)
		if err := rec.File().Save(path); err != nil {
			t.Fatal(err)
		}
		f, err := har.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		var text bytes.Buffer
		if err := f.Write(&text); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(text.String(), "hush") || !strings.Contains(text.String(), "page_token=keep") || !strings.Contains(text.String(), "X-Next") {
			t.Errorf("the file is\n%s", text.String())
		}
		replay := f.Replay()
		for i, q := range requests {
			resp, err := replay.Do(t.Context(), q, policy)
			if got := outcome(resp, err); got != want[i] {
				t.Errorf("%s %s:\n%s\nwas recorded as\n%s", name, q.URL, got, want[i])
			}
		}
		if m := replay.Missing(); len(m) > 0 {
			t.Errorf("missing %v", m)
		}
	}
}

func outcome(resp *fetch.Response, err error) string {
	if err != nil {
		fe, _ := errors.AsType[*fetch.Error](err)
		return fmt.Sprint(fe.Failure, fe.Status, fe.Message)
	}
	return fmt.Sprintf("%s %d %s %q %v", resp.URL, resp.Status, resp.MediaType, resp.Body, resp.Redirects)
}

func TestFilesThatAreNone(t *testing.T) {
	for name, c := range map[string]struct{ file, says string }{
		"empty":      {``, "no HAR file"},
		"other JSON": {`{"a":1}`, "log.entries"},
		"cut off":    {`{"log":{"entries":[{"request":`, "no HAR file"},
		"a page":     {`<html>`, "byte 1"},
		"base64":     {`{"log":{"entries":[{"request":{"url":"https://a.example/"},"response":{"status":200,"content":{"encoding":"base64","text":"%%%"}}}]}}`, "entry 1 (https://a.example/)"},
	} {
		if _, err := har.Read(strings.NewReader(c.file)); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := har.Open(filepath.Join(t.TempDir(), "none.har")); err == nil || !strings.Contains(err.Error(), "none.har: no such file") {
		t.Errorf("a file that is not there: %v", err)
	}
}

// FuzzRead: whatever the file is, it is read or refused, and what was read can
// be written and read again.
func FuzzRead(f *testing.F) {
	f.Add([]byte(`{"log":{"entries":[` + entry("GET", "https://a.example/", 200, content("text/html", "x", "")) + `]}}`))
	f.Add([]byte(`{"log":{"entries":[{"time":-1e300,"request":{"postData":{"params":[{"name":"a","value":"%"}]}},"response":{"status":1e9,"bodySize":-1}}]}}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		file, err := har.Read(bytes.NewReader(raw))
		if err != nil {
			return
		}
		var b bytes.Buffer
		if err := file.Write(&b); err != nil {
			t.Fatalf("what was read cannot be written: %v", err)
		}
		again, err := har.Read(&b)
		if err != nil || len(again.Entries) != len(file.Entries) {
			t.Fatalf("what was written cannot be read: %v", err)
		}
		r := file.Replay()
		for _, e := range file.Entries {
			_, _ = r.Do(t.Context(), fetch.Request{Method: e.Method, URL: e.URL, Body: e.RequestBody}, fetch.Policy{})
		}
	})
}
