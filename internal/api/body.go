package api

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"shoal"
)

// The most bytes a JSON body may have.
const (
	maxBody      = 1 << 20
	maxTasksBody = 64 << 20
)

// readBody reads the request's body, once, and checks what its headers say of it.
func (c *call) readBody() ([]byte, error) {
	if c.body != nil {
		return c.body, nil
	}
	if err := checkBodyHeaders(c.r); err != nil {
		return nil, err
	}
	limit := int64(maxBody)
	if c.route.largeBody {
		limit = maxTasksBody
	}
	if c.r.ContentLength > limit {
		return nil, tooLarge(limit)
	}
	body, err := io.ReadAll(http.MaxBytesReader(c.w, c.r.Body, limit))
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return nil, tooLarge(limit)
	}
	if err != nil {
		return nil, shoal.Invalid("InvalidParam", "body", "The body broke off after %d bytes", len(body))
	}
	// What the handler does with it has its own time: a deadline that passes
	// now would look like a client that has gone.
	_ = http.NewResponseController(c.w).SetReadDeadline(time.Time{})
	if body == nil {
		body = []byte{}
	}
	if isForm(c.r) && !beginsJSON(body) {
		return nil, wrongType(c.r)
	}
	c.body = body
	return body, nil
}

// limitBodyTime gives the client until then to send its body, read or not: the
// server reads what is left of it when the handler has answered. A request
// without a body, such as an event stream, has no such end.
func (c *call) limitBodyTime() {
	if c.r.ContentLength == 0 {
		return
	}
	limit := c.a.bodyTimeout
	if c.route != nil && (c.route.ownBody || c.route.largeBody) {
		limit *= 15
	}
	// A caller in this process has no connection, and needs no limit.
	_ = http.NewResponseController(c.w).SetReadDeadline(time.Now().Add(limit))
}

func tooLarge(limit int64) error {
	return &shoal.Error{Kind: shoal.KindTooLarge, Code: "FileSizeLimitExceeded", Param: "body",
		Message: "The body is larger than the " + strconv.FormatInt(limit>>20, 10) + " MiB that are accepted here"}
}

// checkBodyHeaders refuses a body that says it is not JSON in UTF-8. One that
// says nothing is taken for it.
func checkBodyHeaders(r *http.Request) error {
	if enc := r.Header.Get("Content-Encoding"); enc != "" && !strings.EqualFold(enc, "identity") {
		return shoal.Invalid("BadEncoding", "Content-Encoding", "Content-Encoding %q is not accepted; send the body as it is", clip(enc, 40))
	}
	ct := r.Header.Get("Content-Type")
	if ct == "" || r.ContentLength == 0 {
		return nil
	}
	typ, params, err := mime.ParseMediaType(ct)
	if err != nil || typ != "application/json" && !strings.HasSuffix(typ, "+json") && typ != formType {
		return wrongType(r)
	}
	if cs := params["charset"]; cs != "" && !strings.EqualFold(cs, "utf-8") && !strings.EqualFold(cs, "utf8") {
		return shoal.Invalid("BadEncoding", "Content-Type", "The charset is %q; send JSON in utf-8", clip(cs, 40))
	}
	return nil
}

func wrongType(r *http.Request) error {
	return shoal.Invalid("InvalidParam", "Content-Type", "Content-Type is %q; send JSON as application/json", clip(r.Header.Get("Content-Type"), 80))
}

// formType is what curl -d and other plain clients call every body. JSON under
// it is accepted: a form does not begin with a bracket.
const formType = "application/x-www-form-urlencoded"

func isForm(r *http.Request) bool {
	typ, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return err == nil && typ == formType
}

// beginsJSON reports whether body can be an object or array; an empty one can.
func beginsJSON(body []byte) bool {
	body = bytes.TrimLeft(body, " \t\r\n")
	return len(body) == 0 || body[0] == '{' || body[0] == '['
}

// fields is a JSON object being decoded. The first thing that is wrong is kept
// in err; what is asked for after that is zero. path names the object in messages.
type fields struct {
	m    map[string]any
	path string
	err  *shoal.Error
}

// decode reads the body, which must be a JSON object; none at all is an empty one.
func (c *call) decode() (*fields, error) {
	body, err := c.readBody()
	if err != nil {
		return nil, err
	}
	if len(strings.TrimSpace(string(body[:min(len(body), 64)]))) == 0 && len(body) <= 64 {
		return &fields{m: map[string]any{}}, nil
	}
	v, err := parseJSON(body)
	if err != nil {
		return nil, err
	}
	m, ok := v.(map[string]any)
	if !ok {
		return nil, shoal.Invalid("InvalidParamType", "body", "The body is %s; it must be an object", typeOf(v))
	}
	return &fields{m: m}, nil
}

// error returns the first thing that was wrong.
func (f *fields) error() error {
	if f.err == nil {
		return nil
	}
	return f.err
}

func (f *fields) name(key string) string { return f.path + key }

func (f *fields) wrong(key, want string) {
	f.fail(shoal.Invalid("InvalidParamType", f.name(key), "%s is %s; it must be %s", f.name(key), typeOf(f.m[key]), want))
}

func (f *fields) bad(key, format string, args ...any) {
	f.fail(shoal.Invalid("InvalidParameterValue", f.name(key), format, args...))
}

func (f *fields) fail(e *shoal.Error) {
	if f.err == nil {
		f.err = e
	}
}

// has reports whether key was given, null included.
func (f *fields) has(key string) bool {
	_, ok := f.m[key]
	return ok
}

// required says that key must be given and not null.
func (f *fields) required(keys ...string) {
	for _, key := range keys {
		if f.m[key] == nil {
			f.fail(shoal.Invalid("ParamsNeeded", f.name(key), "%s is required", f.name(key)))
		}
	}
}

// text returns a string; "" when it is absent or null.
func (f *fields) text(key string) string {
	switch v := f.m[key].(type) {
	case nil:
		return ""
	case string:
		return v
	}
	f.wrong(key, "a string")
	return ""
}

// flag returns a boolean, or def when it is absent or null.
func (f *fields) flag(key string, def bool) bool {
	switch v := f.m[key].(type) {
	case nil:
		return def
	case bool:
		return v
	}
	f.wrong(key, "true or false")
	return def
}

// integer returns a whole number within lo..hi, or def when it is absent or null.
func (f *fields) integer(key string, def, lo, hi int) int {
	v := f.m[key]
	if v == nil {
		return def
	}
	text, ok := v.(number)
	if !ok {
		f.wrong(key, "a whole number")
		return def
	}
	n, err := strconv.Atoi(string(text))
	if err != nil || n < lo || n > hi {
		f.bad(key, "%s is %s; it must be a whole number from %d to %d", f.name(key), clip(string(text), 40), lo, hi)
		return def
	}
	return n
}

// object returns the object under key; nil when it is absent or null.
func (f *fields) object(key string) *fields {
	switch v := f.m[key].(type) {
	case nil:
		return nil
	case map[string]any:
		return &fields{m: v, path: f.name(key) + "."}
	}
	f.wrong(key, "an object")
	return nil
}

// array returns the array under key; nil when it is absent or null.
func (f *fields) array(key string) []any {
	switch v := f.m[key].(type) {
	case nil:
		return nil
	case []any:
		return v
	}
	f.wrong(key, "an array")
	return nil
}

// take lets a nested object's error count as this one's.
func (f *fields) take(nested *fields) {
	if nested != nil && nested.err != nil {
		f.fail(nested.err)
	}
}
