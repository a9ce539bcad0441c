package har

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"shoal/internal/fetch"
)

// parse reads a HAR file as it stands, the liberties of browsers and proxies
// included: a mark of byte order, bodies in base64, still compressed ones,
// forms without their text, redirects without a Location.
func parse(raw []byte) (*File, error) {
	raw = bytes.TrimPrefix(raw, []byte("\xef\xbb\xbf"))
	var in wireFile
	if err := json.Unmarshal(raw, &in); err != nil {
		return nil, fmt.Errorf("it is no HAR file: %w", located(err))
	}
	if in.Log.Entries == nil {
		return nil, errors.New(`it is no HAR file: it has no list "log.entries"`)
	}
	f := &File{}
	for i := range in.Log.Entries {
		e, err := entryOf(&in.Log.Entries[i])
		if err != nil {
			return nil, fmt.Errorf("entry %d (%s): %w", i+1, clip(in.Log.Entries[i].Request.URL), err)
		}
		f.Entries = append(f.Entries, e)
	}
	return f, nil
}

// located adds the byte to an error that knows it.
func located(err error) error {
	if e, ok := errors.AsType[*json.SyntaxError](err); ok {
		return fmt.Errorf("byte %d: %w", e.Offset, err)
	}
	return err
}

func entryOf(w *wireEntry) (Entry, error) {
	e := Entry{
		Started: startedAt(w.Started), Elapsed: time.Duration(max(0, w.Time) * float64(time.Millisecond)),
		Method: strings.ToUpper(w.Request.Method), URL: withoutFragment(w.Request.URL), RequestHeader: headerOf(w.Request.Headers),
		RequestBody: bodyOfRequest(w.Request.PostData),
		Status:      int(w.Response.Status), Header: headerOf(w.Response.Headers),
		WireBytes: int64(max(0, w.Response.BodySize)), Failure: fetch.Failure(w.Response.Failure), Failed: w.Response.Error,
	}
	if e.Method == "" {
		e.Method = http.MethodGet
	}
	if isRedirect(e.Status) {
		if e.Location = w.Response.RedirectURL; e.Location == "" {
			e.Location = e.Header.Get("Location")
		}
	}
	body, raw, err := contentOf(&w.Response.Content)
	if err != nil {
		return e, err
	}
	e.MediaType = mediaType(w.Response.Content.MimeType, e.Header)
	e.Body = body
	if raw || e.MediaType == "" {
		err = e.decode(w.Response.Content.MimeType)
	}
	if e.WireBytes == 0 {
		e.WireBytes = int64(len(e.Body))
	}
	return e, err
}

// contentOf returns a body and whether it is raw: the bytes of the wire and not
// text that the writer of the file has decoded.
func contentOf(c *wireContent) (body []byte, raw bool, err error) {
	if !strings.EqualFold(c.Encoding, "base64") {
		return []byte(c.Text), false, nil
	}
	text := strings.Map(func(r rune) rune {
		switch r {
		case ' ', '\n', '\r', '\t', '=':
			return -1
		case '-':
			return '+'
		case '_':
			return '/'
		}
		return r
	}, c.Text)
	body, err = base64.RawStdEncoding.DecodeString(text)
	if err != nil {
		return nil, true, fmt.Errorf("its body is not valid base64: %w", err)
	}
	return body, true, nil
}

func encode64(b []byte) string { return base64.StdEncoding.EncodeToString(b) }

// decode unpacks a raw body and turns its text into UTF-8. given is the type in
// the file, which may name a charset.
func (e *Entry) decode(given string) error {
	h := e.Header
	if h.Get("Content-Type") == "" && e.MediaType != "" {
		h = http.Header{"Content-Type": {given}, "Content-Encoding": e.Header["Content-Encoding"]}
	}
	body, typ, err := fetch.Decode(e.URL, h, e.Body, maxBody)
	if err != nil {
		return err
	}
	if e.Body = body; e.MediaType == "" || typ != mediaType("", h) {
		e.MediaType = typ // a gzip file that was unpacked has another type than its header says
	}
	return nil
}

// mediaType is the type that the file gives, else that of the header.
func mediaType(given string, h http.Header) string {
	for _, s := range []string{given, h.Get("Content-Type")} {
		t, _, _ := strings.Cut(s, ";")
		t = strings.ToLower(strings.TrimSpace(t))
		if strings.Contains(t, "/") {
			return t
		}
	}
	return ""
}

// headerOf collects headers. HTTP/2's pseudo-headers (":status") are none.
func headerOf(pairs []wirePair) http.Header {
	h := http.Header{}
	for _, p := range pairs {
		if p.Name != "" && p.Name[0] != ':' {
			h.Add(p.Name, p.Value)
		}
	}
	return h
}

// bodyOfRequest is the text of a request's body; a form may be given by its
// fields alone.
func bodyOfRequest(p *wirePost) string {
	if p == nil {
		return ""
	}
	if p.Text != "" || len(p.Params) == 0 {
		return p.Text
	}
	var parts []string
	for _, f := range p.Params {
		parts = append(parts, url.QueryEscape(unescaped(f.Name))+"="+url.QueryEscape(unescaped(f.Value)))
	}
	return strings.Join(parts, "&")
}

func isRedirect(status int) bool {
	return slices.Contains([]int{301, 302, 303, 307, 308}, status)
}

func withoutFragment(raw string) string {
	raw, _, _ = strings.Cut(raw, "#")
	return raw
}

func clip(s string) string {
	if len(s) <= 120 {
		return s
	}
	return strings.ToValidUTF8(s[:120], "") + "…"
}
