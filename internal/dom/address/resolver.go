// Package address makes the references of a page absolute, as net/url does and
// several times faster for the common ones, and gives addresses their canonical
// form.
package address

import (
	"net/url"
	"strings"
)

// byteSet is a set of bytes.
type byteSet [256]bool

func set(s string) (t byteSet) {
	for i := range len(s) {
		t[s[i]] = true
	}
	return t
}

const alphanumeric = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

// The bytes that net/url leaves as they are in each part of a URL, as far as
// the fast path relies on it (the tests compare).
var (
	pathBytes     = set(alphanumeric + "-_.~/+,;=:@&$!'()*")
	queryBytes    = set(alphanumeric + "-_.~/+,;=:@&$!'()*?%|[]")
	fragmentBytes = set(alphanumeric + "-_.~/+,;=:@&$!'()*?")
	hostBytes     = set(alphanumeric + "-.")
)

func (t *byteSet) all(s string) bool {
	for i := range len(s) {
		if !t[s[i]] {
			return false
		}
	}
	return true
}

// A Resolver makes references of one page absolute, exactly as
// url.URL.ResolveReference and String would (RFC 3986, § 5.2), quickly for the
// common forms. It may be used from several goroutines.
type Resolver struct {
	base   *url.URL
	plain  bool   // the base itself is of a common form
	origin string // scheme://host
	dir    string // the base's path up to its last slash
	path   string // the base's path
	self   string // the base without fragment
}

// NewResolver returns a resolver for references relative to base, an absolute URL.
func NewResolver(base string) (*Resolver, error) {
	u, err := url.Parse(base)
	if err != nil {
		return nil, err
	}
	u.Fragment, u.RawFragment = "", ""
	r := &Resolver{base: u, origin: u.Scheme + "://" + u.Host, path: u.Path, self: u.String()}
	r.dir = r.path[:strings.LastIndexByte(r.path, '/')+1]
	web := u.Scheme == "http" || u.Scheme == "https"
	r.plain = web && u.User == nil && u.Host != "" && strings.HasPrefix(r.path, "/") && pathBytes.all(r.path) &&
		clean(r.path) && strings.HasPrefix(r.self, r.origin+r.path)
	return r, nil
}

// clean reports whether a path has no dot segments and no empty ones.
func clean(path string) bool {
	for i := 0; i < len(path); i++ {
		if path[i] == '/' && i+1 < len(path) && (path[i+1] == '/' || path[i+1] == '.') {
			return false
		}
	}
	return !strings.HasPrefix(path, ".")
}

// Base is what references are relative to, without a fragment. It must not be changed.
func (r *Resolver) Base() *url.URL { return r.base }

// String is the base as it is written, without a fragment.
func (r *Resolver) String() string { return r.self }

// Trim removes what HTML ignores in a URL: white space around it and line
// breaks and tabs within (https://url.spec.whatwg.org/#concept-basic-url-parser).
func Trim(ref string) string {
	if spaceless(ref) {
		return ref
	}
	ref = strings.Trim(ref, " \t\n\f\r")
	if strings.ContainsAny(ref, "\t\n\r") {
		ref = strings.NewReplacer("\t", "", "\n", "", "\r", "").Replace(ref)
	}
	return ref
}

// spaceless reports whether a reference has no byte that Trim could remove.
func spaceless(ref string) bool {
	for i := range len(ref) {
		if ref[i] <= ' ' {
			return false
		}
	}
	return true
}

// Resolve returns the absolute form of ref, a trimmed reference without
// fragment; false when it is not a URL.
func (r *Resolver) Resolve(ref string) (string, bool) {
	if r.plain {
		if abs, ok := r.fast(ref); ok {
			return abs, true
		}
	}
	u, err := r.base.Parse(ref)
	if err != nil {
		return "", false
	}
	return u.String(), true
}

// Absolute returns the absolute form of a reference as it stands in a page,
// with its fragment; false when it is not a URL.
func (r *Resolver) Absolute(ref string) (string, bool) {
	ref, fragment := Split(Trim(ref))
	abs, ok := r.Resolve(ref)
	return abs + r.Fragment(fragment), ok
}

// Fragment returns a fragment, # included, as it stands in a URL; an empty one
// is none. One with a
// broken percent escape is no fragment to net/url; browsers keep it as it is,
// and escape only what cannot stand there (https://url.spec.whatwg.org/#fragment-state).
func (r *Resolver) Fragment(f string) string {
	if len(f) < 2 {
		return ""
	}
	if fragmentBytes.all(f[1:]) {
		return f
	}
	if u, err := r.base.Parse(f); err == nil {
		return "#" + u.EscapedFragment()
	}
	const upper = "0123456789ABCDEF"
	out := []byte{'#'}
	for i := 1; i < len(f); i++ {
		if c := f[i]; c > ' ' && c < 0x7f && c != '"' && c != '<' && c != '>' && c != '`' {
			out = append(out, c)
		} else {
			out = append(out, '%', upper[c>>4], upper[c&15])
		}
	}
	return string(out)
}

// fast resolves the common forms; false: not one of them.
func (r *Resolver) fast(ref string) (string, bool) {
	path, query := ref, ""
	if i := strings.IndexByte(ref, '?'); i >= 0 {
		path, query = ref[:i], ref[i:]
		if len(query) == 1 || !queryBytes.all(query) {
			return "", false
		}
	}
	if path == "" {
		if query == "" {
			return r.self, true
		}
		return r.origin + r.path + query, true
	}
	if !pathBytes.all(path) {
		return "", false
	}
	if path[0] == '/' {
		if !clean(path) {
			return "", false
		}
		return r.origin + ref, true
	}
	if colon := strings.IndexByte(path, ':'); colon >= 0 {
		if !absoluteForm(path, query) {
			return "", false
		}
		return strings.Clone(ref), true // of the page, whose memory the next one gets
	}
	dir := r.dir
	for {
		if rest, ok := strings.CutPrefix(path, "./"); ok {
			path = rest
		} else if rest, ok := strings.CutPrefix(path, "../"); ok {
			path = rest
			if len(dir) > 1 {
				dir = dir[:strings.LastIndexByte(dir[:len(dir)-1], '/')+1]
			}
		} else {
			break
		}
	}
	if !clean(path) || strings.HasPrefix(path, "/") {
		return "", false
	}
	return r.origin + dir + path + query, true
}

// absoluteForm reports whether an absolute URL stands already as net/url would write it.
func absoluteForm(path, query string) bool {
	rest, ok := strings.CutPrefix(path, "https://")
	if !ok {
		if rest, ok = strings.CutPrefix(path, "http://"); !ok {
			return false
		}
	}
	slash := strings.IndexByte(rest, '/')
	if slash < 0 {
		return query == "" && rest != "" && hostBytes.all(rest)
	}
	return slash > 0 && hostBytes.all(rest[:slash]) && clean(rest[slash:])
}

// Split cuts a reference at its first #; the fragment has it still.
func Split(ref string) (string, string) {
	if i := strings.IndexByte(ref, '#'); i >= 0 {
		return ref[:i], ref[i:]
	}
	return ref, ""
}
