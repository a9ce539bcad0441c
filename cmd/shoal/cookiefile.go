package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// fileCookies are the cookies of a file, in its order.
type fileCookies []fileCookie

// fileCookie is one of them. The domain is empty where the file names none.
type fileCookie struct {
	Name   string `json:"name"`
	Value  any    `json:"value"`
	Domain string `json:"domain"`
}

var errCookieFile = errors.New(`the file holds no cookies; it must be JSON ({"name": "value"}), a browser's export (a JSON list, or cookies.txt), or a header (Cookie: a=1; b=2)`)

// parseCookies reads a file of cookies in whichever form it has: an object of
// values by name, a list of cookies as browsers' extensions export them, lines
// of seven tab-separated fields (cookies.txt), or a Cookie header. No error
// repeats anything of the file.
func parseCookies(text []byte) (fileCookies, error) {
	whole := strings.TrimPrefix(string(text), "\uFEFF")
	s := strings.TrimSpace(whole)
	switch {
	case strings.HasPrefix(s, "{"), strings.HasPrefix(s, "["):
		return jsonCookies(s)
	case strings.Contains(s, "\t"):
		return netscapeCookies(whole) // an empty value ends with a tab
	}
	var out fileCookies
	s = strings.TrimSpace(cutPrefixFold(s, "cookie:"))
	for pair := range strings.SplitSeq(s, ";") {
		name, value, ok := strings.Cut(strings.TrimSpace(pair), "=")
		if !ok || name == "" || strings.ContainsAny(name, " \n") {
			return nil, errCookieFile
		}
		out = append(out, fileCookie{Name: name, Value: value})
	}
	return out, nil
}

func cutPrefixFold(s, prefix string) string {
	if len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix) {
		return s[len(prefix):]
	}
	return s
}

func jsonCookies(s string) (fileCookies, error) {
	d := json.NewDecoder(strings.NewReader(s))
	d.UseNumber() // a value keeps its literal
	if s[0] == '[' {
		var list fileCookies
		if d.Decode(&list) != nil {
			return nil, errCookieFile
		}
		return list.checked()
	}
	var object map[string]any
	if d.Decode(&object) != nil {
		return nil, errCookieFile
	}
	if list, ok := object["cookies"].([]any); ok { // some exports wrap the list
		b, err := json.Marshal(list)
		if err != nil {
			return nil, errCookieFile
		}
		return jsonCookies(string(b))
	}
	var out fileCookies
	for name, value := range object {
		out = append(out, fileCookie{Name: name, Value: value})
	}
	return out.checked()
}

// checked refuses cookies without name, and values that are none.
func (f fileCookies) checked() (fileCookies, error) {
	for _, c := range f {
		switch c.Value.(type) {
		case string, json.Number, bool:
		default:
			return nil, errCookieFile
		}
		if c.Name == "" {
			return nil, errCookieFile
		}
	}
	if len(f) == 0 {
		return nil, errCookieFile
	}
	return f, nil
}

// netscapeCookies reads cookies.txt: domain, subdomains, path, secure, expires,
// name, value. Lines that begin with # are comments, but for #HttpOnly_.
func netscapeCookies(s string) (fileCookies, error) {
	var out fileCookies
	number := 0
	for line := range strings.Lines(s) {
		number++
		line = strings.TrimPrefix(strings.TrimRight(line, "\r\n"), "#HttpOnly_")
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		fields := strings.Split(line, "\t")
		if len(fields) != 7 || fields[5] == "" {
			return nil, fmt.Errorf("line %d of the file of cookies has %d fields between tabs; a line of cookies.txt has 7", number, len(fields))
		}
		out = append(out, fileCookie{Name: fields[5], Value: fields[6], Domain: fields[0]})
	}
	return out.checked()
}

// into puts the cookies of a site into values by name, and returns how many are
// of other sites. An empty site is any; so is an empty domain.
func (f fileCookies) into(site string, values map[string]any) (others int) {
	for _, c := range f {
		domain := strings.ToLower(strings.TrimPrefix(c.Domain, "."))
		if site != "" && domain != "" && domain != site && !strings.HasSuffix(domain, "."+site) && !strings.HasSuffix(site, "."+domain) {
			others++
			continue
		}
		values[c.Name] = c.Value
	}
	return others
}
