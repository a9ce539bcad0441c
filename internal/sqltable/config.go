package sqltable

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"shoal"
)

// Mode says what a run's rows do to those that are there.
type Mode string

// The modes.
const (
	// Upsert adds rows whose key is new and updates those whose key is there.
	Upsert Mode = "upsert"
	// Insert adds rows whose key is new and leaves those that are there.
	Insert Mode = "insert"
	// Replace leaves exactly the run's rows.
	Replace Mode = "replace"
)

// Modes are all modes.
var Modes = []Mode{Upsert, Insert, Replace}

// Config says where rows go. It is read from JSON as the API takes it.
type Config struct {
	URL    string `json:"url"`
	Schema string `json:"schema"` // empty: the connection's own
	Table  string `json:"table"`
	// Key names the fields that tell rows apart. Empty: shoal_key, which is the
	// same for the same thing in every run; with Insert, the id of the result.
	Key  []string `json:"key"`
	Mode Mode     `json:"mode"` // empty: Upsert
	// Columns maps fields to columns of other names.
	Columns map[string]string `json:"columns"`
	// Fields, if not empty, are the fields that go into the table; Omit are some
	// that do not.
	Fields []string `json:"fields"`
	Omit   []string `json:"omit"`
	// Create lets a missing table, column or unique index be made; nil: yes.
	Create *bool `json:"create"`
	// CA are certificates in PEM form to trust instead of the system's.
	CA string `json:"ca"`
}

// Check says what is wrong with the config by itself; nil: nothing.
func (c *Config) Check() *shoal.Error {
	_, err := c.check()
	return err
}

// creates reports whether what is missing may be made.
func (c *Config) creates() bool { return c.Create == nil || *c.Create }

func (c *Config) check() (*address, *shoal.Error) {
	at, err := parseURL(c.URL)
	if err != nil {
		return nil, err
	}
	if err := at.readCA(c.CA); err != nil {
		return nil, err
	}
	if at.schema, at.table = c.Schema, c.Table; c.Schema == "" && at.kind != kindSQLite {
		if s, t, ok := strings.Cut(c.Table, "."); ok {
			at.schema, at.table = s, t
		}
	}
	if why := badName(at.table); why != "" {
		return nil, invalid("table", "table is %q: %s", clip(c.Table), why)
	}
	if why := badName(at.schema); at.schema != "" && why != "" {
		return nil, invalid("schema", "schema is %q: %s", clip(at.schema), why)
	}
	if at.kind == kindSQLite && at.schema != "" {
		return nil, invalid("schema", "SQLite has no schemas: leave schema out")
	}
	if strings.HasPrefix(strings.ToLower(at.table), "sqlite_") {
		return nil, invalid("table", "table is %q: names that begin with sqlite_ are SQLite's own", clip(at.table))
	}
	if c.Mode != "" && !slices.Contains(Modes, c.Mode) {
		return nil, invalid("mode", "mode is %q; it must be upsert, insert or replace", clip(string(c.Mode)))
	}
	return at, c.checkColumns()
}

func (c *Config) checkColumns() *shoal.Error {
	taken := map[string]string{}
	for _, field := range sorted(c.Columns) {
		name := c.Columns[field]
		if why := badName(name); why != "" {
			return invalid("columns", "columns gives %s the name %q: %s", clip(field), clip(name), why)
		}
		if other := taken[strings.ToLower(name)]; other != "" {
			return invalid("columns", "columns gives %s and %s the same name %q", clip(other), clip(field), clip(name))
		}
		taken[strings.ToLower(name)] = field
	}
	for i, field := range c.Key {
		if field == "" || slices.Contains(c.Key[:i], field) {
			return invalid("key", "key names %q twice or not at all; it must be a list of different fields", clip(field))
		}
	}
	if len(c.Key) > maxKey {
		return invalid("key", "key has %d fields; %d are the most", len(c.Key), maxKey)
	}
	return nil
}

// maxKey is how many columns MySQL and SQLite surely take in an index.
const maxKey = 16

// maxName is how long a name may be, in bytes: PostgreSQL cuts longer ones.
const maxName = 63

// badName says why no table or column may have the name; "" if it may.
func badName(name string) string {
	switch {
	case name == "":
		return "a name is needed"
	case len(name) > maxName:
		return "names have at most 63 bytes"
	case !utf8.ValidString(name):
		return "it is not UTF-8"
	case strings.TrimSpace(name) != name:
		return "names neither begin nor end with a space"
	}
	for _, r := range name {
		// MySQL takes names of the Basic Multilingual Plane alone.
		if !unicode.IsPrint(r) || r > 0xFFFF || r == utf8.RuneError {
			return "names have printable characters alone"
		}
	}
	return ""
}

func invalid(param, format string, args ...any) *shoal.Error {
	return shoal.Invalid("InvalidParameterValue", param, format, args...)
}

// clip cuts a text for a message.
func clip(s string) string {
	const most = 60
	s = strings.ToValidUTF8(s, "\uFFFD")
	if utf8.RuneCountInString(s) <= most {
		return s
	}
	return string([]rune(s)[:most]) + "…"
}

func sorted(m map[string]string) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
