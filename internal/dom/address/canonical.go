package address

import (
	"net/url"
	"strings"

	"golang.org/x/net/idna"
)

// maxURL is the longest address in bytes; longer ones are traps or data.
const maxURL = 2048

// Canonical returns the form of an absolute http or https URL by which two
// requests are known to be the same: scheme and host in lower case (punycode),
// no default port, no credentials, no fragment, dot segments resolved, a path
// of at least "/", percent escapes normal (RFC 3986 §6.2.2), and no parameters
// that only track visitors or name a session. false when raw is no such URL.
func Canonical(raw string) (string, bool) {
	if len(raw) > 4*maxURL {
		return "", false
	}
	if raw, _ = Split(raw); canonicalAlready(raw) {
		return raw, true
	}
	u, err := url.Parse(raw)
	if err != nil || u.Opaque != "" {
		return "", false
	}
	u.Scheme = strings.ToLower(u.Scheme)
	if u.Scheme != "http" && u.Scheme != "https" {
		return "", false
	}
	host, ok := canonicalHost(u)
	if !ok {
		return "", false
	}
	p := canonicalPath(u.EscapedPath())
	query := canonicalQuery(u.RawQuery)
	out := u.Scheme + "://" + host + p + query
	return out, len(out) <= maxURL
}

// canonicalAlready recognizes the common URLs that need no change.
func canonicalAlready(s string) bool {
	rest, ok := strings.CutPrefix(s, "https://")
	if !ok {
		if rest, ok = strings.CutPrefix(s, "http://"); !ok {
			return false
		}
	}
	slash := strings.IndexByte(rest, '/')
	if slash <= 0 || len(s) > maxURL {
		return false
	}
	host := rest[:slash]
	if colon := strings.IndexByte(host, ':'); colon > 0 {
		port := host[colon+1:]
		if host = host[:colon]; port == "" || !digits.all(port) || port == "80" || port == "443" {
			return false
		}
	}
	return hostBytesLower.all(host) && host[0] != '.' && host[len(host)-1] != '.' && !strings.Contains(host, "..") &&
		!strings.Contains(host, "xn--") && plainPath.all(rest[slash:]) && clean(rest[slash:])
}

var (
	digits         = set("0123456789")
	hostBytesLower = set("abcdefghijklmnopqrstuvwxyz0123456789-.")
)

// plainPath are the bytes that a path without parameters needs.
var plainPath = set(alphanumeric + "-_.~/+,=:@&$!'()*")

func canonicalHost(u *url.URL) (string, bool) {
	host, port := strings.ToLower(u.Hostname()), u.Port()
	if host == "" || strings.ContainsAny(host, " \"<>\\^`{|}%") {
		return "", false
	}
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	} else {
		host = strings.TrimSuffix(host, ".")
		ascii, err := idna.Lookup.ToASCII(host)
		if err == nil {
			host = ascii
		} else if !isASCII(host) {
			return "", false
		}
	}
	if port == "" || u.Scheme == "http" && port == "80" || u.Scheme == "https" && port == "443" {
		return host, host != ""
	}
	return host + ":" + port, host != ""
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

func canonicalPath(p string) string {
	if i := strings.IndexByte(p, ';'); i >= 0 {
		p = dropSessionParams(p)
	}
	p = normalEscapes(p)
	if p == "" || p[0] != '/' {
		p = "/" + p
	}
	if strings.Contains(p, "/.") {
		slash := strings.HasSuffix(p, "/") || strings.HasSuffix(p, "/.") || strings.HasSuffix(p, "/..")
		if p = cleanDots(p); slash && !strings.HasSuffix(p, "/") {
			p += "/"
		}
	}
	return p
}

// cleanDots removes dot segments and keeps empty ones.
func cleanDots(p string) string {
	var out []string
	for _, seg := range strings.Split(p, "/")[1:] {
		switch seg {
		case ".":
		case "..":
			if len(out) > 0 {
				out = out[:len(out)-1]
			}
		default:
			out = append(out, seg)
		}
	}
	return "/" + strings.Join(out, "/")
}

// dropSessionParams removes ;jsessionid=… and its like from each path segment.
func dropSessionParams(p string) string {
	segments := strings.Split(p, "/")
	for i, seg := range segments {
		parts := strings.Split(seg, ";")
		kept := parts[:1]
		for _, param := range parts[1:] {
			name, _, _ := strings.Cut(param, "=")
			if !session[strings.ToLower(name)] {
				kept = append(kept, param)
			}
		}
		segments[i] = strings.Join(kept, ";")
	}
	return strings.Join(segments, "/")
}

func canonicalQuery(q string) string {
	if q == "" {
		return ""
	}
	kept := make([]string, 0, 8)
	for _, pair := range strings.Split(q, "&") {
		name, _, _ := strings.Cut(pair, "=")
		if pair == "" || ignorable(name) {
			continue
		}
		kept = append(kept, normalEscapes(pair))
	}
	if len(kept) == 0 {
		return ""
	}
	return "?" + strings.Join(kept, "&")
}

// normalEscapes writes percent escapes in upper case, undoes those of
// unreserved characters, and escapes bytes that may not stand in a URL.
func normalEscapes(s string) string {
	if unescapedBytes.all(s) {
		return s
	}
	const upper = "0123456789ABCDEF"
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c == '%' && i+2 < len(s) && isHex(s[i+1]) && isHex(s[i+2]) {
			c = unhex(s[i+1])<<4 | unhex(s[i+2])
			i += 2
			if unreserved[c] {
				b.WriteByte(c)
				continue
			}
		} else if unescapedBytes[c] {
			b.WriteByte(c)
			continue
		}
		b.Write([]byte{'%', upper[c>>4], upper[c&15]})
	}
	return b.String()
}

var (
	unreserved     = set(alphanumeric + "-_.~")
	unescapedBytes = set(alphanumeric + "-_.~/?+,;=:@&$!'()*|[]{}^`")
)

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}

func unhex(c byte) byte {
	switch {
	case c <= '9':
		return c - '0'
	case c >= 'a':
		return c - 'a' + 10
	}
	return c - 'A' + 10
}

// ignorable reports whether a query parameter tells nothing about the page.
func ignorable(name string) bool {
	name = strings.ToLower(name)
	return tracks(name) || session[name]
}

// Untracked returns an address without the parameters that only track
// visitors, and else as it is.
func Untracked(abs string) string {
	front, fragment := Split(abs)
	path, query, asks := strings.Cut(front, "?")
	if !asks {
		return abs
	}
	pairs := strings.Split(query, "&")
	kept := pairs[:0]
	for _, pair := range pairs {
		if name, _, _ := strings.Cut(pair, "="); !tracks(strings.ToLower(name)) {
			kept = append(kept, pair)
		}
	}
	switch len(kept) {
	case len(pairs):
		return abs
	case 0:
		return path + fragment
	}
	return path + "?" + strings.Join(kept, "&") + fragment
}

func tracks(name string) bool { return strings.HasPrefix(name, "utm_") || tracking[name] }

func words(s string) map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields(s) {
		m[w] = true
	}
	return m
}

// tracking are the parameters that advertisers and mailers add to links.
var tracking = words(`gclid gclsrc dclid gbraid wbraid fbclid msclkid mc_cid mc_eid yclid ysclid igshid twclid ttclid
	li_fat_id _hsenc _hsmi __hstc __hssc __hsfp hsctatracking mkt_tok vero_id oly_anon_id oly_enc_id s_cid rb_clickid
	_openstat wickedid srsltid _ga _gl`)

// session are the parameters that name a visitor's session.
var session = words(`jsessionid phpsessid aspsessionid asp.net_sessionid sid sessionid session_id sessid cfid cftoken zenid`)
