// Package cron reads cron expressions of five fields, finds the times at which
// they are due in a time zone, and says them in words. It does no I/O.
//
// # Changes of the clock
//
// A time of day that a change of the clock skips (02:30 on the night when 02:00
// becomes 03:00) is due once, at the moment of the change; several skipped
// times are due there together, once. A time of day that comes twice is due the
// first time only. An expression whose hours are all 24 means an interval, not
// a time of day: it goes by elapsed time, so that "every 15 minutes" stays true
// in such a night.
package cron

import (
	"fmt"
	"math/bits"
	"strconv"
	"strings"

	"shoal"
)

// set holds small numbers, number n as bit n.
type set uint64

func (s set) has(n int) bool { return s>>n&1 == 1 }
func (s set) len() int       { return bits.OnesCount64(uint64(s)) }
func (s set) first() int     { return bits.TrailingZeros64(uint64(s)) }
func (s set) last() int      { return 63 - bits.LeadingZeros64(uint64(s)) }

// next returns the smallest member of s that is at least n.
func (s set) next(n int) (int, bool) {
	if n > 63 || s>>n == 0 {
		return 0, false
	}
	return n + bits.TrailingZeros64(uint64(s>>n)), true
}

// members returns the numbers in s, ascending.
func (s set) members() []int {
	all := make([]int, 0, s.len())
	for n, ok := s.next(0); ok; n, ok = s.next(n + 1) {
		all = append(all, n)
	}
	return all
}

// span is the set of lo..hi.
func span(lo, hi int) set { return (1<<(hi+1) - 1) &^ (1<<lo - 1) }

// Expr is a cron expression, read. Its zero value is no expression.
type Expr struct {
	minutes, hours, days, months, weekdays set
	// anyDay and anyWeekday say that the field was left open: a day must then
	// match the other one; with both given, one of them is enough.
	anyDay, anyWeekday bool
}

// field is one of the five fields.
type field struct {
	name   string
	lo, hi int
	words  []string // names of lo, lo+1, …
}

var fields = [5]field{
	{"minute", 0, 59, nil},
	{"hour", 0, 23, nil},
	{"day of month", 1, 31, nil},
	{"month", 1, 12, []string{"JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"}},
	{"day of week", 0, 7, []string{"SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"}},
}

// shorthands are the words that stand for a whole expression.
var shorthands = map[string]string{
	"@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *", "@monthly": "0 0 1 * *",
	"@weekly": "0 0 * * 0", "@daily": "0 0 * * *", "@midnight": "0 0 * * *", "@hourly": "0 * * * *",
}

// maxLength bounds an expression, in bytes; no sensible one comes near.
const maxLength = 200

// Parse reads an expression: minute, hour, day of month, month and day of week
// (0 and 7 are Sunday), each made of *, numbers, names (JAN, MON), ranges (1-5),
// lists (1,3) and steps (*/15, 10-40/5, 5/20), or one of the shorthands @hourly,
// @daily, @weekly, @monthly and @yearly. When both days are given, a day that
// matches either is meant, as everywhere in cron. The error is a KindInvalid
// about the param cron_expression that names the field and what would be right.
func Parse(text string) (Expr, error) {
	e, err := parse(text)
	if err != nil {
		return Expr{}, shoal.Invalid("InvalidParameterValue", "cron_expression", "cron_expression is %q: %v", shorten(text), err)
	}
	return e, nil
}

func parse(text string) (e Expr, err error) {
	if len(text) > maxLength {
		return e, fmt.Errorf("it is %d characters long; the most is %d", len(text), maxLength)
	}
	text = strings.TrimSpace(text)
	if strings.HasPrefix(text, "@") {
		long := shorthands[strings.ToLower(text)]
		if long == "" {
			return e, fmt.Errorf("the shorthands are @hourly, @daily, @weekly, @monthly and @yearly; for an interval write a step, such as */15 * * * *")
		}
		text = long
	}
	parts := strings.Fields(text)
	if len(parts) != len(fields) {
		return e, fmt.Errorf("it has %s; there must be 5: minute, hour, day of month, month, day of week (0 10 * * 1 is every Monday at 10:00)", countFields(len(parts)))
	}
	for i, to := range []*set{&e.minutes, &e.hours, &e.days, &e.months, &e.weekdays} {
		if *to, err = fields[i].parse(parts[i]); err != nil {
			return e, err
		}
	}
	if e.weekdays.has(7) {
		e.weekdays = (e.weekdays | 1) &^ (1 << 7)
	}
	e.anyDay, e.anyWeekday = open(parts[2]), open(parts[4])
	if !e.comes() {
		return e, fmt.Errorf("that day never comes: no %s has a day %s", monthList(e.months), numberList(e.days))
	}
	return e, nil
}

func countFields(n int) string {
	if n == 1 {
		return "1 field"
	}
	return fmt.Sprintf("%d fields", n)
}

// open reports whether a field leaves its part open.
func open(part string) bool { return part == "*" || part == "?" || part == "*/1" }

// parse reads one field.
func (f *field) parse(part string) (set, error) {
	var s set
	for item := range strings.SplitSeq(part, ",") {
		one, err := f.item(item)
		if err != nil {
			return 0, err
		}
		s |= one
	}
	return s, nil
}

// item reads one item of a field's list.
func (f *field) item(item string) (set, error) {
	part, stepText, stepped := strings.Cut(item, "/")
	step := 1
	if stepped {
		n, ok := whole(stepText)
		if !ok || n < 1 || n > f.hi {
			return 0, fmt.Errorf("the %s has the step %q; a step is a number from 1 to %d, as in */%d", f.name, shorten(stepText), f.hi, min(f.hi, 5))
		}
		step = n
	}
	lo, hi, err := f.bounds(part, stepped)
	if err != nil {
		return 0, err
	}
	var s set
	for n := lo; n <= hi; n += step {
		s |= 1 << n
	}
	return s, nil
}

// bounds reads *, a number or a range. A number with a step runs to the end.
func (f *field) bounds(part string, stepped bool) (lo, hi int, err error) {
	if part == "*" || part == "?" {
		if f.hi == 7 {
			return 0, 6, nil
		}
		return f.lo, f.hi, nil
	}
	from, to, ranged := strings.Cut(part, "-")
	lo, ok := f.value(from)
	if !ok {
		return 0, 0, f.refuse(part)
	}
	switch {
	case ranged:
		if hi, ok = f.value(to); !ok {
			return 0, 0, f.refuse(part)
		}
		if hi == 0 && f.hi == 7 && lo > 0 {
			hi = 7 // FRI-SUN
		}
		if hi < lo {
			return 0, 0, fmt.Errorf("the %s has the range %q, which ends before it begins; write it as a list of two: %s-%d,%d-%s", f.name, part, from, min(f.hi, f.last()), f.lo, to)
		}
		return lo, hi, nil
	case stepped:
		return lo, f.last(), nil
	}
	return lo, lo, nil
}

// last is the highest number of the field that is not another name of the lowest.
func (f *field) last() int {
	if f.hi == 7 {
		return 6
	}
	return f.hi
}

func (f *field) refuse(part string) error {
	names := ""
	if f.words != nil {
		names = fmt.Sprintf(", names (%s)", f.words[1])
	}
	return fmt.Errorf("the %s %q must be made of *, numbers from %d to %d%s, ranges (%d-%d), lists (1,3) and steps (*/%d)",
		f.name, shorten(part), f.lo, f.hi, names, f.lo+1, min(f.hi, 5), min(f.hi, 5))
}

func (f *field) value(text string) (int, bool) {
	for i, w := range f.words {
		if strings.EqualFold(w, text) {
			return f.lo + i, true
		}
	}
	n, ok := whole(text)
	return n, ok && n >= f.lo && n <= f.hi
}

// whole reads a number of at most four digits, without a sign.
func whole(text string) (int, bool) {
	if text == "" || len(text) > 4 || strings.Trim(text, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.Atoi(text)
	return n, err == nil
}

// longest is the most days that each month ever has.
var longest = [13]int{0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31}

// comes reports whether some day matches.
func (e *Expr) comes() bool {
	if !e.anyWeekday || e.anyDay {
		return true
	}
	for _, month := range e.months.members() {
		if e.days.first() <= longest[month] {
			return true
		}
	}
	return false
}

// shorten makes text fit into a message.
func shorten(text string) string {
	if r := []rune(text); len(r) > 60 {
		return string(r[:60]) + "…"
	}
	return text
}
