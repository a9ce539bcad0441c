package har

import (
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// redacted stands where a secret was.
const redacted = "REDACTED"

// requestHeaders are the headers of requests that are written: a recording is
// shared, and of a header that nobody has thought of it is not known whether
// it is a secret.
var requestHeaders = []string{"Accept", "Accept-Language", "Content-Type", "X-Requested-With"}

// secret reports whether a name is that of a secret; in a form also the last
// part of a name such as user[password].
func secret(name string) bool {
	if at := strings.LastIndexByte(name, '['); at >= 0 && secretName().MatchString(strings.TrimRight(name[at+1:], "]")) {
		return true
	}
	return secretName().MatchString(name)
}

func safeRequestHeader(h http.Header) http.Header {
	out := http.Header{}
	for _, name := range requestHeaders {
		if v := h.Values(name); len(v) > 0 {
			out[name] = v
		}
	}
	return out
}

// secretName knows names of headers, parameters and fields that hold secrets.
// A page token (next_page_token) is none, and matters to a replay.
var secretName = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`(?i)^(set-cookie2?|cookie|authorization|proxy-.*|.*session.*|.*csrf.*|.*xsrf.*|(x-)?(auth|access|refresh|id|bearer|private|secret)[-_.]?token|.*api[-_.]?key|.*secret.*|(.*[-_.])?pass|.*passw(or)?d|.*passphrase|.*pwd|otp|token|x-token|sig|auth|sid|.*sessid|.*signature|x-amz-(security-token|credential)|jwt)$`)
})

// frameHeader knows the headers that describe the body as it was on the wire,
// which the recording does not hold.
var frameHeader = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`(?i)^(content-encoding|content-length|transfer-encoding|connection|keep-alive|trailer|alt-svc|strict-transport-security|report-to|nel|content-security-policy.*|permissions-policy)$`)
})

func safeHeader(h http.Header) http.Header {
	out := http.Header{}
	for name, values := range h {
		if !secretName().MatchString(name) && !frameHeader().MatchString(name) {
			out[name] = values
		}
	}
	if to := h.Get("Location"); to != "" {
		out["Location"] = []string{safeURL(to)}
	}
	return out
}

// safeURL takes the password and the values of secret parameters out of a URL.
func safeURL(raw string) string {
	if !strings.ContainsAny(raw, "@?#") {
		return raw
	}
	u, err := url.Parse(raw)
	if err != nil {
		return raw
	}
	u.User, u.Fragment, u.RawFragment = nil, "", ""
	u.RawQuery = safeForm(u.RawQuery)
	return u.String()
}

// Redacted returns values by name without what could be a secret: the values of
// secret names, and those of secret parameters in addresses. A replay takes them
// for the ones that were recorded.
func Redacted(values map[string]any) map[string]any {
	out := make(map[string]any, len(values))
	for name, v := range values {
		s, ok := v.(string)
		switch {
		case ok && s != "" && secret(name):
			v = redacted
		case ok && strings.Contains(s, "://"):
			v = safeURL(s)
		}
		out[name] = v
	}
	return out
}

// safeForm redacts secret fields of an encoded form and leaves the rest as it stands.
func safeForm(form string) string {
	if form == "" {
		return form
	}
	parts := strings.Split(form, "&")
	for i, part := range parts {
		name, value, _ := strings.Cut(part, "=")
		if value != "" && secret(unescaped(name)) {
			parts[i] = name + "=" + redacted
		}
	}
	return strings.Join(parts, "&")
}

// safeBody redacts secret fields of a request's body: a form or JSON. Others
// stay as they are.
func safeBody(body string) string {
	trimmed := strings.TrimSpace(body)
	if strings.HasPrefix(trimmed, "{") || strings.HasPrefix(trimmed, "[") {
		var v any
		if json.Unmarshal([]byte(body), &v) == nil && redact(v) {
			if b, err := json.Marshal(v); err == nil {
				return string(b)
			}
		}
		return body
	}
	if formLike.MatchString(trimmed) {
		return safeForm(body)
	}
	return body
}

var formLike = regexp.MustCompile(`^[^\s=&]+=[^\s]*$`)

// holds reports whether a value can be a secret: a text, a number or a list of such.
func holds(v any) bool {
	switch v := v.(type) {
	case string:
		return v != ""
	case float64:
		return true
	case []any:
		return slices.ContainsFunc(v, holds)
	}
	return false
}

// redact replaces secret values in place and reports whether there were any.
func redact(v any) bool {
	found := false
	switch v := v.(type) {
	case map[string]any:
		for k, inner := range v {
			if secret(k) && holds(inner) {
				v[k] = redacted
				found = true
				continue
			}
			found = redact(inner) || found
		}
	case []any:
		for _, inner := range v {
			found = redact(inner) || found
		}
	}
	return found
}
