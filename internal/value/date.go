package value

import (
	"strconv"
	"strings"
	"time"
)

// DateOptions say how a date is to be read; the zero value is useful.
type DateOptions struct {
	// Layout is the one layout to accept, in the form of package time; month
	// names may be those of any language that Date knows. Empty: any that can be
	// read in one way.
	Layout string
	// Zone is where a time without zone is meant; nil: UTC.
	Zone *time.Location
	// DayFirst tells 3/4/2025 apart: the third of April, or the fourth of March.
	// nil: what is possible decides (25/3/2025), then Language.
	DayFirst *bool
	// Language is the text's language, a BCP 47 tag such as en-US; empty: unknown.
	Language string
	// Ref is the moment that "3 days ago", "yesterday" and dates without a year
	// refer to. Zero: such texts are no dates.
	Ref time.Time
}

// Date reads the date of a text. t is in UTC; of a text without a time of day,
// dateOnly is true and t is that day's midnight in UTC, whatever the zone. A
// month alone ("March 2025") is its first day.
//
// It reads ISO 8601 and the RFCs' forms, month names of some thirty languages,
// numeric dates, East Asian ones, Unix seconds to nanoseconds (from 1973 on),
// and, given Ref, relative ones; words around the date do not matter. Dates
// with full stops have the day first, four digits in front are a year; 3/4/2025
// is refused unless the options decide. A date without a year is the one
// nearest to Ref. Of two digits, 69 to 99 are years of the last century.
func Date(s string, o DateOptions) (t time.Time, dateOnly, ok bool) {
	s = strings.TrimSpace(s)
	if o.Layout != "" {
		return layoutDate(s, o)
	}
	if t, dateOnly, ok = isoDate(s, o.Zone); ok {
		return t, dateOnly, ok
	}
	if t, ok = unixTime(s); ok {
		return t, false, true
	}
	return textDate(clipTo(s, maxDateText), o)
}

// scanner reads fixed forms from the front of a text.
type scanner struct {
	s   string
	bad bool
}

// num takes exactly n digits.
func (c *scanner) num(n int) int {
	if len(c.s) < n {
		c.bad = true
		return 0
	}
	v := 0
	for i := range n {
		d := c.s[i] - '0'
		if d > 9 {
			c.bad = true
			return 0
		}
		v = v*10 + int(d)
	}
	c.s = c.s[n:]
	return v
}

func (c *scanner) has(b byte) bool {
	if len(c.s) > 0 && c.s[0] == b {
		c.s = c.s[1:]
		return true
	}
	return false
}

func (c *scanner) digitNext() bool { return len(c.s) > 0 && c.s[0]-'0' <= 9 }

// isoDate reads 2006-01-02 and 20060102 with or without a time, in all forms
// of ISO 8601 and RFC 3339 that pages use.
func isoDate(s string, zone *time.Location) (t time.Time, dateOnly, ok bool) {
	if len(s) < 7 || s[0]-'0' > 9 {
		return t, false, false
	}
	c := scanner{s: s}
	year := c.num(4)
	if c.bad || year == 0 {
		return t, false, false
	}
	month, day, compact := 0, 1, false
	switch {
	case c.has('-'):
		if c.has('W') {
			return weekDate(&c, year)
		}
		month = c.num(2)
		if c.has('-') {
			day = c.num(2)
		} else if c.s != "" {
			return t, false, false
		}
	case c.has('/'):
		month = c.num(2)
		if !c.has('/') {
			return t, false, false
		}
		day = c.num(2)
	default:
		compact = true
		month, day = c.num(2), c.num(2)
	}
	if c.bad || !validDay(year, month, day) {
		return t, false, false
	}
	if c.s == "" {
		return time.Date(year, time.Month(month), day, 0, 0, 0, 0, time.UTC), true, true
	}
	if !c.has('T') && !c.has(' ') && !c.has('t') && !c.has('_') && !(compact && c.digitNext()) {
		return t, false, false
	}
	return isoTime(&c, year, month, day, zone)
}

func isoTime(c *scanner, year, month, day int, zone *time.Location) (t time.Time, dateOnly, ok bool) {
	for c.has(' ') {
	}
	hour, minute, second, nano := c.num(2), 0, 0, 0
	colon := c.has(':')
	minute = c.num(2)
	if c.has(':') || !colon && c.digitNext() {
		second = c.num(2)
		if c.has('.') || c.has(',') {
			nano = c.nanos()
		}
	}
	if c.bad || hour > 24 || minute > 59 || second > 60 || hour == 24 && minute+second > 0 {
		return t, false, false
	}
	for c.has(' ') {
	}
	offset, zoned := c.offset()
	if i := strings.IndexByte(c.s, '['); i == 0 && strings.HasSuffix(c.s, "]") {
		c.s = "" // the zone's name: 2025-03-04T10:00+01:00[Europe/Berlin]
	}
	if c.bad || c.s != "" {
		return t, false, false
	}
	if zoned || zone == nil {
		t = time.Date(year, time.Month(month), day, hour, minute, second, nano, time.UTC)
		return t.Add(-time.Duration(offset) * time.Minute), false, true
	}
	return time.Date(year, time.Month(month), day, hour, minute, second, nano, zone).UTC(), false, true
}

func (c *scanner) nanos() int {
	n, scale := 0, 100_000_000
	if !c.digitNext() {
		c.bad = true
	}
	for c.digitNext() {
		n += int(c.s[0]-'0') * scale
		scale /= 10
		c.s = c.s[1:]
	}
	return n
}

// offset reads Z, UTC, GMT, +02, +0200 and +02:00, in minutes.
func (c *scanner) offset() (minutes int, ok bool) {
	switch {
	case c.s == "":
		return 0, false
	case c.has('Z') || c.has('z'):
		return 0, true
	case c.s == "UTC" || c.s == "GMT":
		c.s = ""
		return 0, true
	}
	sign := 1
	if c.has('-') {
		sign = -1
	} else if !c.has('+') {
		if rest, ok := strings.CutPrefix(c.s, "−"); ok {
			c.s, sign = rest, -1
		} else {
			return 0, false
		}
	}
	h, m := c.num(2), 0
	if c.has(':') || c.digitNext() {
		m = c.num(2)
	}
	if h > 15 || m > 59 {
		c.bad = true
	}
	return sign * (h*60 + m), true
}

// weekDate reads the 10 or 10-2 of 2025-W10-2.
func weekDate(c *scanner, year int) (t time.Time, dateOnly, ok bool) {
	week, day := c.num(2), 1
	if c.has('-') {
		day = c.num(1)
	}
	if c.bad || c.s != "" || week < 1 || week > 53 || day < 1 || day > 7 {
		return t, false, false
	}
	jan4 := time.Date(year, 1, 4, 0, 0, 0, 0, time.UTC)
	monday := jan4.AddDate(0, 0, -(int(jan4.Weekday())+6)%7)
	t = monday.AddDate(0, 0, (week-1)*7+day-1)
	if y, w := t.ISOWeek(); y != year || w != week {
		return time.Time{}, false, false
	}
	return t, true, true
}

func validDay(year, month, day int) bool {
	return month >= 1 && month <= 12 && day >= 1 && day <= daysIn(year, month)
}

func daysIn(year, month int) int {
	switch month {
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	case 4, 6, 9, 11:
		return 30
	}
	return 31
}

// unixTime reads a Unix time: seconds, with or without a fraction, milli-,
// micro- or nanoseconds by its size, and .NET's /Date(…)/.
func unixTime(s string) (time.Time, bool) {
	if rest, ok := strings.CutPrefix(strings.ReplaceAll(clipTo(s, 40), `\/`, "/"), "/Date("); ok {
		s, _, _ = strings.Cut(rest, ")")
		if i := strings.LastIndexAny(s, "+-"); i > 0 {
			s = s[:i]
		}
		ms, err := strconv.ParseInt(s, 10, 64)
		return time.UnixMilli(ms).UTC(), err == nil && ms > -1e14 && ms < 1e14
	}
	if len(s) < 9 || len(s) > 24 || s[0]-'0' > 9 {
		return time.Time{}, false
	}
	whole, fraction, point := strings.Cut(s, ".")
	n, err := strconv.ParseInt(whole, 10, 64)
	if err != nil || n <= 1e8 {
		return time.Time{}, false
	}
	if point {
		f, err := strconv.ParseFloat("0."+fraction, 64)
		if err != nil || n > 1e11 {
			return time.Time{}, false
		}
		return time.Unix(n, int64(f*1e6+0.5)*1000).UTC(), true
	}
	switch {
	case n <= 1e11:
		return time.Unix(n, 0).UTC(), true
	case n <= 1e14:
		return time.UnixMilli(n).UTC(), true
	case n <= 1e17:
		return time.UnixMicro(n).UTC(), true
	}
	return time.Unix(0, n).UTC(), true
}

// layoutDate reads a date by its layout alone.
func layoutDate(s string, o DateOptions) (t time.Time, dateOnly, ok bool) {
	zone := o.Zone
	if zone == nil {
		zone = time.UTC
	}
	dateOnly = !strings.ContainsAny(strings.NewReplacer("2006", "", "02", "", "01", "", "06", "").Replace(o.Layout), "345")
	if dateOnly {
		zone = time.UTC
	}
	t, err := time.ParseInLocation(o.Layout, s, zone)
	if err != nil && strings.Contains(o.Layout, "Jan") {
		t, err = time.ParseInLocation(o.Layout, englishMonths(clipTo(s, maxDateText), strings.Contains(o.Layout, "January")), zone)
	}
	if err != nil {
		return time.Time{}, false, false
	}
	return t.UTC(), dateOnly, true
}
