package main

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"
)

// TestWithScheme: what a person types for a site becomes its address; what is
// no site stays as it is, for the server to refuse.
func TestWithScheme(t *testing.T) {
	for in, want := range map[string]string{
		"example.com":             "https://example.com",
		"www.example.com/a?b=c.d": "https://www.example.com/a?b=c.d",
		"example.com:8080/x":      "https://example.com:8080/x",
		"example.com?q=1":         "https://example.com?q=1",
		"example.com.":            "https://example.com.",
		"bücher.example/#a":       "https://bücher.example/#a",
		"münchen.de":              "https://münchen.de",
		"my_host.example.com":     "https://my_host.example.com",
		"localhost:8080":          "https://localhost:8080",
		"192.0.2.1/":              "https://192.0.2.1/",
		"https://example.com/":    "https://example.com/",
		"HTTP://example.com/A":    "http://example.com/A",
		"ftp://example.com/":      "ftp://example.com/",
		"mailto:me@example.com":   "mailto:me@example.com",
		"me@example.com":          "me@example.com",
		"javascript:alert(1.5)":   "javascript:alert(1.5)",
		"some words. and more":    "some words. and more",
		"localhost":               "localhost",
		"/etc/passwd.d":           "/etc/passwd.d",
		"//example.com/":          "//example.com/",
		"":                        "",
	} {
		if got := withScheme(in); got != want {
			t.Errorf("withScheme(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestQuoted(t *testing.T) {
	for in, want := range map[string]string{
		"pages.csv": "pages.csv", "/a/b-c_d.csv": "/a/b-c_d.csv", "my file": "'my file'",
		"it's": `'it'\''s'`, "$HOME": "'$HOME'", "": "''", "a;b": "'a;b'", "~x": "'~x'", "a\nb": "'a\nb'",
	} {
		if got := quoted(in); got != want {
			t.Errorf("quoted(%q) = %s, want %s", in, got, want)
		}
	}
	if got := invoked("/tmp/go-build123/b001/exe/shoal"); got != "go run ./cmd/shoal" {
		t.Errorf("under go run a person starts it by %s", got)
	}
	if got := invoked("./shoal"); got != "./shoal" {
		t.Errorf("invoked(./shoal) = %s", got)
	}
}

// TestTableFitsATerminal: lines are never longer than the terminal is wide, ids
// stay whole, and what has no room is left out from the right.
func TestTableFitsATerminal(t *testing.T) {
	id := strings.Repeat("0a", 16)
	for _, limit := range []int{0, 200, 80, 50, 40} {
		tab := table{heads: []string{"ID", "NAME", "WHERE"}, whole: 1}
		tab.add(id, strings.Repeat("näme ", 6), strings.Repeat("x", 40))
		tab.add(id, "short", "")
		var out bytes.Buffer
		tab.printWithin(&out, limit)
		lines := strings.Split(strings.TrimSpace(out.String()), "\n")
		if len(lines) != 4 {
			t.Errorf("limit %d: %d lines\n%s", limit, len(lines), &out)
		}
		for _, line := range lines {
			if n := utf8.RuneCountInString(line); limit > 0 && n > limit {
				t.Errorf("limit %d: a line of %d: %s", limit, n, line)
			}
		}
		if strings.Count(out.String(), id) != 2 {
			t.Errorf("limit %d: an id is cut\n%s", limit, &out)
		}
		if shown := strings.Contains(out.String(), "WHERE"); shown != (limit == 0 || limit >= 80) {
			t.Errorf("limit %d: the last column is shown: %v\n%s", limit, shown, &out)
		}
	}
}
