package har

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// The shapes of the file, by http://www.softwareishard.com/blog/har-12-spec/.
// Numbers are float64 because some browsers write whole ones with a fraction.

type wireFile struct {
	Log wireLog `json:"log"`
}

type wireLog struct {
	Version string      `json:"version"`
	Creator wireCreator `json:"creator"`
	Entries []wireEntry `json:"entries"`
}

type wireCreator struct {
	Name    string `json:"name"`
	Version string `json:"version"`
}

type wireEntry struct {
	Started  string       `json:"startedDateTime"`
	Time     float64      `json:"time"`
	Request  wireRequest  `json:"request"`
	Response wireResponse `json:"response"`
	Cache    struct{}     `json:"cache"`
	Timings  wireTimings  `json:"timings"`
}

type wireTimings struct {
	Send    float64 `json:"send"`
	Wait    float64 `json:"wait"`
	Receive float64 `json:"receive"`
}

type wireRequest struct {
	Method      string     `json:"method"`
	URL         string     `json:"url"`
	HTTPVersion string     `json:"httpVersion"`
	Cookies     []wirePair `json:"cookies"`
	Headers     []wirePair `json:"headers"`
	QueryString []wirePair `json:"queryString"`
	PostData    *wirePost  `json:"postData,omitempty"`
	HeadersSize float64    `json:"headersSize"`
	BodySize    float64    `json:"bodySize"`
}

type wirePost struct {
	MimeType string     `json:"mimeType"`
	Text     string     `json:"text"`
	Params   []wirePair `json:"params,omitempty"`
}

type wireResponse struct {
	Status      float64     `json:"status"`
	StatusText  string      `json:"statusText"`
	HTTPVersion string      `json:"httpVersion"`
	Cookies     []wirePair  `json:"cookies"`
	Headers     []wirePair  `json:"headers"`
	Content     wireContent `json:"content"`
	RedirectURL string      `json:"redirectURL"`
	HeadersSize float64     `json:"headersSize"`
	BodySize    float64     `json:"bodySize"`
	// Error is Chromium's word for why there is no answer, Failure ours for its class.
	Error   string `json:"_error,omitempty"`
	Failure string `json:"_failure,omitempty"`
}

type wireContent struct {
	Size     float64 `json:"size"`
	MimeType string  `json:"mimeType"`
	Text     string  `json:"text,omitempty"`
	Encoding string  `json:"encoding,omitempty"`
}

type wirePair struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Write writes the recording as a HAR file, without what could be a secret.
func (f *File) Write(w io.Writer) error {
	out := wireFile{wireLog{Version: "1.2", Creator: wireCreator{"Shoal", "1"}, Entries: []wireEntry{}}}
	for i := range f.Entries {
		out.Log.Entries = append(out.Log.Entries, wireOf(&f.Entries[i]))
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false) // so that a person can read the pages in it
	enc.SetIndent("", " ")
	if err := enc.Encode(out); err != nil {
		return fmt.Errorf("encode recording: %w", err)
	}
	_, err := w.Write(b.Bytes())
	return err
}

func wireOf(e *Entry) wireEntry {
	millis := float64(e.Elapsed.Milliseconds())
	w := wireEntry{
		Started: e.Started.UTC().Format("2006-01-02T15:04:05.000Z"), Time: millis, Timings: wireTimings{Wait: millis},
		Request: wireRequest{
			Method: e.Method, URL: safeURL(e.URL), HTTPVersion: "HTTP/1.1", Cookies: []wirePair{},
			Headers: pairsOf(safeRequestHeader(e.RequestHeader)), QueryString: queryOf(safeURL(e.URL)), HeadersSize: -1, BodySize: float64(len(e.RequestBody)),
		},
		Response: wireResponse{
			Status: float64(e.Status), StatusText: http.StatusText(e.Status), HTTPVersion: "HTTP/1.1", Cookies: []wirePair{},
			Headers: pairsOf(safeHeader(e.Header)), RedirectURL: safeURL(e.Location), HeadersSize: -1, BodySize: float64(e.WireBytes),
			Error: e.Failed, Failure: string(e.Failure),
			Content: wireContent{Size: float64(len(e.Body)), MimeType: e.MediaType},
		},
	}
	if e.RequestBody != "" {
		w.Request.PostData = &wirePost{MimeType: e.RequestHeader.Get("Content-Type"), Text: safeBody(e.RequestBody)}
	}
	c := &w.Response.Content
	if utf8.Valid(e.Body) && bytes.IndexByte(e.Body, 0) < 0 {
		c.Text = string(e.Body)
	} else {
		c.Text, c.Encoding = encode64(e.Body), "base64"
	}
	return w
}

func pairsOf(h http.Header) []wirePair {
	out := []wirePair{}
	for name, values := range h {
		for _, v := range values {
			out = append(out, wirePair{name, v})
		}
	}
	// A map has no order, and a recording that is made again should differ only
	// where the answers do.
	slices.SortStableFunc(out, func(a, b wirePair) int { return strings.Compare(a.Name, b.Name) })
	return out
}

func queryOf(raw string) []wirePair {
	out := []wirePair{}
	u, err := url.Parse(raw)
	if err != nil {
		return out
	}
	for part := range strings.SplitSeq(u.RawQuery, "&") {
		if part == "" {
			continue
		}
		name, value, _ := strings.Cut(part, "=")
		out = append(out, wirePair{unescaped(name), unescaped(value)})
	}
	return out
}

func unescaped(s string) string {
	if u, err := url.QueryUnescape(s); err == nil {
		return u
	}
	return s
}

// startedAt reads the form of the standard, and what else browsers write.
func startedAt(s string) time.Time {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.000-0700", "2006-01-02T15:04:05"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t
		}
	}
	return time.Time{}
}
