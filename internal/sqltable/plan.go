package sqltable

import (
	"errors"
	"slices"
	"strings"

	"shoal"
)

// The envelope's members that go into a table.
const (
	memberNone = iota
	memberKey
	memberID
	memberSquid
	memberRun
	memberTask
	memberTime
)

// enveloped is a member of the envelope.
type enveloped struct {
	member      int
	column, alt string
}

// envelope are the columns that every table gets besides the crawler's fields:
// their names, and the names that files of results have for them. shoal_key is
// the same for the same thing in every run, shoal_id is of one run.
var envelope = []enveloped{
	{memberKey, "shoal_key", ""}, {memberID, "shoal_id", "id"}, {memberSquid, "shoal_squid", "squid"},
	{memberRun, "shoal_run", "run"}, {memberTask, "shoal_task", "task"}, {memberTime, "scraping_time", "scraping_time"},
}

// column is one column that is written.
type column struct {
	field  string // the crawler's, or the envelope's column
	member int    // of the envelope
	attr   shoal.AttributeType
	name   string
	key    bool
	holds
}

// holds says what a column of a database takes.
type holds struct {
	typ   string // as the database names it
	kind  kind
	runes int // most characters, 0: any number
	bytes int // most bytes, 0: any number
	scale int // of decimals: digits after the point; -1: any number
}

// kind is a kind of values.
type kind int

const (
	kindText kind = iota
	kindInteger
	kindFloat32
	kindFloat64
	kindDecimal
	kindBoolean
	kindJSON
	kindBytes
	kindDate
	kindTimestamp   // of no zone: UTC is written
	kindTimestampTZ // with a zone
	kindDynamic     // SQLite: any value as it is
	kindNumeric     // SQLite: numbers, and texts that look like none
	kindOther       // the database reads a text
)

// plan is what is written where.
type plan struct {
	columns []column
	mode    Mode
	key     []int // of columns; empty: rows are not told apart
	own     bool  // key is the user's: two rows may have the same
	seen    int   // of columns: scraping_time, -1 when it is not written
}

// newPlan chooses columns for a job.
func newPlan(j *Job) (*plan, error) {
	p := &plan{mode: j.Mode, seen: -1}
	if p.mode == "" {
		p.mode = Upsert
	}
	for i := range j.Attributes {
		p.columns = append(p.columns, column{field: j.Attributes[i].Name, attr: j.Attributes[i].Type})
	}
	for _, e := range envelope {
		p.columns = append(p.columns, column{field: e.column, member: e.member, attr: shoal.AttrString})
	}
	if err := p.sift(&j.Config); err != nil {
		return nil, err
	}
	if err := p.name(j.Columns); err != nil {
		return nil, err
	}
	return p, p.chooseKey(j)
}

// find returns the column of a field by any of its names, -1 if there is none.
func (p *plan) find(field string) int {
	for _, e := range envelope {
		if field == e.alt {
			field = e.column
		}
	}
	return slices.IndexFunc(p.columns, func(c column) bool { return c.field == field })
}

// known says that a setting names a field that there is not.
func (p *plan) known(setting string, fields []string) error {
	for _, f := range fields {
		if f != "object" && p.find(f) < 0 {
			return refused("%s names the field %q, which the results do not have; they have %s", setting, clip(f), list(p.fields()))
		}
	}
	return nil
}

func (p *plan) fields() []string {
	var all []string
	for i := range p.columns {
		all = append(all, p.columns[i].field)
	}
	return all
}

// sift keeps the fields that are wanted.
func (p *plan) sift(wanted *Config) error {
	// Columns and omit may name fields of add-ons that were off in this run.
	if err := errors.Join(p.known("key", wanted.Key), p.known("fields", wanted.Fields)); err != nil {
		return err
	}
	want := make([]bool, len(p.columns))
	for i := range want {
		want[i] = len(wanted.Fields) == 0
	}
	for _, f := range wanted.Fields {
		if i := p.find(f); i >= 0 {
			want[i] = true
		}
	}
	for _, f := range wanted.Omit {
		if i := p.find(f); i >= 0 {
			want[i] = false
		}
	}
	var kept []column
	for i, c := range p.columns {
		if want[i] || len(wanted.Key) == 0 && p.needs(c.member) {
			kept = append(kept, c)
		}
	}
	p.columns = kept
	return nil
}

// needs reports whether a row that is there is found again by the member,
// unless the user names a key.
func (p *plan) needs(member int) bool {
	return p.mode == Upsert && member == memberKey || p.mode == Insert && member == memberID
}

// systemColumns are names that PostgreSQL keeps for itself.
var systemColumns = []string{"tableoid", "xmin", "cmin", "xmax", "cmax", "ctid"}

// name gives each column its name: the user's, or the field's.
func (p *plan) name(names map[string]string) error {
	given := map[int]string{}
	for field, name := range names {
		if i := p.find(field); i >= 0 {
			given[i] = name
		}
	}
	taken := map[string]bool{}
	for i := range p.columns {
		c := &p.columns[i]
		c.name = c.field
		if name := given[i]; name != "" {
			c.name = name
		} else if slices.Contains(systemColumns, c.name) {
			c.name += "_"
		}
		if taken[strings.ToLower(c.name)] {
			return refused("Two fields would be written to the column %s: give one of them another name with columns", c.name)
		}
		taken[strings.ToLower(c.name)] = true
		if c.member == memberTime {
			p.seen = i
		}
	}
	if len(p.columns) == 0 {
		return refused("fields and omit leave no field to write")
	}
	return nil
}

// chooseKey finds the columns that tell rows apart.
func (p *plan) chooseKey(j *Job) error {
	key := j.Key
	if p.own = len(key) > 0; !p.own {
		switch p.mode {
		case Upsert:
			key = []string{"shoal_key"}
		case Insert:
			key = []string{"shoal_id"}
		}
	}
	for _, f := range key {
		i := p.find(f)
		if i < 0 {
			return refused("key names the field %q, which fields or omit leave out", clip(f))
		}
		p.columns[i].key = true
		p.key = append(p.key, i)
	}
	return nil
}

// structure is what a table has.
type structure struct {
	found   bool
	columns map[string]holds    // by name, as the database compares names
	names   map[string]string   // of that, to its real spelling
	unique  map[string][]string // the columns of each unique index that can serve
	fold    bool                // names are compared without case
}

func (s *structure) folded(name string) string {
	if s.fold {
		return strings.ToLower(name)
	}
	return name
}

// add notes a column.
func (s *structure) add(name string, h holds) {
	if s.columns == nil {
		s.columns, s.names = map[string]holds{}, map[string]string{}
	}
	s.columns[s.folded(name)], s.names[s.folded(name)] = h, name
}

// addUnique notes a column of a unique index.
func (s *structure) addUnique(index, column string) {
	if s.unique == nil {
		s.unique = map[string][]string{}
	}
	s.unique[index] = append(s.unique[index], s.folded(column))
}

// indexed reports whether a unique index is of exactly the columns.
func (s *structure) indexed(names []string) bool {
	for _, have := range s.unique {
		if len(have) != len(names) {
			continue
		}
		all := true
		for _, n := range names {
			all = all && slices.Contains(have, s.folded(n))
		}
		if all {
			return true
		}
	}
	return false
}

// match takes what the table has and returns the columns that it lacks; typed
// says what each of those would be.
func (p *plan) match(s *structure, typed func(*column) holds) (lacks []*column) {
	for i := range p.columns {
		c := &p.columns[i]
		if have, ok := s.columns[s.folded(c.name)]; ok {
			c.holds, c.name = have, s.names[s.folded(c.name)]
			continue
		}
		c.holds = typed(c)
		lacks = append(lacks, c)
	}
	return lacks
}

// keyNames are the names of the key's columns.
func (p *plan) keyNames() []string {
	var names []string
	for _, i := range p.key {
		names = append(names, p.columns[i].name)
	}
	return names
}

// allowed says what is missing and may not be made.
func (p *plan) allowed(j *Job, at *address, s *structure, lacks []*column) error {
	if j.creates() {
		return nil
	}
	if !s.found {
		return &Error{Message: "There is no table " + at.where() + ", and create is false: make it, or let it be made"}
	}
	if len(lacks) > 0 {
		var names []string
		for _, c := range lacks {
			names = append(names, c.name)
		}
		return &Error{Message: "The table " + at.where() + " has no column " + list(names) +
			", and create is false: add what is missing, map fields to columns that are there with columns, or leave fields out with omit"}
	}
	if len(p.key) > 0 && !s.indexed(p.keyNames()) {
		return &Error{Message: "The table " + at.where() + " has no unique index of (" + list(p.keyNames()) +
			") by which rows are found again, and create is false: make one"}
	}
	return nil
}

// quoteNames quotes names with a quote that stands for itself when doubled.
func quoteNames(names []string, quote string) string {
	quoted := make([]string, len(names))
	for i, n := range names {
		quoted[i] = quoteName(n, quote)
	}
	return strings.Join(quoted, ", ")
}

func quoteName(name, quote string) string {
	return quote + strings.ReplaceAll(name, quote, quote+quote) + quote
}

func (p *plan) names() []string {
	names := make([]string, len(p.columns))
	for i := range p.columns {
		names[i] = p.columns[i].name
	}
	return names
}

// ddl is the text of a table's or column's definition. cell words a type, whole
// says whether the table is being made.
func (p *plan) create(table, quote, after string) string {
	var b strings.Builder
	b.WriteString("CREATE TABLE IF NOT EXISTS " + table + " (")
	for i := range p.columns {
		c := &p.columns[i]
		b.WriteString(quoteName(c.name, quote) + " " + c.typ)
		if c.key {
			b.WriteString(" NOT NULL")
		}
		if i < len(p.columns)-1 {
			b.WriteString(", ")
		}
	}
	if len(p.key) > 0 {
		b.WriteString(", PRIMARY KEY (" + quoteNames(p.keyNames(), quote) + ")")
	}
	return b.String() + ")" + after
}

// Own reports whether a field is not the crawler's but the envelope's.
func Own(field string) bool {
	return slices.ContainsFunc(envelope, func(e enveloped) bool { return field == e.column || field == e.alt })
}
