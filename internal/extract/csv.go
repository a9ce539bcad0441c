package extract

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// maxColumns is how many columns of a CSV page are read.
const maxColumns = 5000

// readCSV reads a page of lines with columns, each line a row.
func (r *reader) readCSV() error {
	if err := r.noDocument(); err != nil {
		return fmt.Errorf("the page's URL: %w", err)
	}
	body := bytes.TrimPrefix(r.body(), []byte("\ufeff"))
	c := csv.NewReader(bytes.NewReader(body))
	c.Comma = r.plan.CSV.Delimiter
	if c.Comma == 0 {
		c.Comma = delimiter(body)
	}
	c.LazyQuotes, c.FieldsPerRecord, c.ReuseRecord, c.TrimLeadingSpace = true, -1, true, false
	if err := r.columns(c); err != nil {
		return err
	}
	for r.plan.Rows != nil {
		record, err := c.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fmt.Errorf("read CSV: %w", err)
		}
		if len(record) == 1 && strings.TrimSpace(record[0]) == "" {
			continue
		}
		if !r.room() {
			break
		}
		r.record = record
		r.newRow()
		if r.plan.Rows.Extends {
			if err := r.complete(node{}); err != nil {
				return err
			}
			break
		}
		if err := r.oneRow(node{}, nil); err != nil {
			return err
		}
	}
	r.record = nil
	return r.followPage()
}

// columns learns which column is where: from the definition or the first line.
// A column has its number, from 1, as a second name.
func (r *reader) columns(c *csv.Reader) error {
	names := r.plan.CSV.Columns
	if names == nil {
		first, err := c.Read()
		if err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return fmt.Errorf("read CSV: %w", err)
		}
		names = first
	}
	names = names[:min(len(names), maxColumns)]
	r.column = make(map[string]int, 2*len(names))
	for i, name := range names {
		name = strings.TrimSpace(name)
		for _, key := range []string{name, columnName(name), strconv.Itoa(i + 1)} {
			if _, taken := r.column[key]; !taken && key != "" {
				r.column[strings.Clone(key)] = i
			}
		}
	}
	return nil
}

// columnName is a column's name without case and with single spaces.
func columnName(s string) string { return strings.ToLower(strings.Join(strings.Fields(s), " ")) }

// delimiter returns the character that most often stands between the columns
// of the first line, outside of quotes.
func delimiter(body []byte) rune {
	counts, quoted := map[byte]int{}, false
	for _, c := range body[:min(len(body), 64<<10)] {
		switch {
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '\n' || c == '\r':
			if len(counts) > 0 {
				return most(counts)
			}
		case c == ',' || c == ';' || c == '\t' || c == '|':
			counts[c]++
		}
	}
	return most(counts)
}

func most(counts map[byte]int) rune {
	best := byte(',')
	for _, c := range []byte(",;\t|") {
		if counts[c] > counts[best] {
			best = c
		}
	}
	return rune(best)
}
