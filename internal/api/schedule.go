package api

import (
	"fmt"
	"strconv"
	"strings"
	_ "time/tzdata" // time zones are checked on machines that have none installed
)

// cronField is one of the five fields of a cron expression.
type cronField struct {
	name   string
	lo, hi int
	words  []string // names for lo, lo+1, …
}

var cronFields = [5]cronField{
	{"minute", 0, 59, nil},
	{"hour", 0, 23, nil},
	{"day of month", 1, 31, nil},
	{"month", 1, 12, []string{"JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"}},
	{"day of week", 0, 7, []string{"SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"}},
}

// cronShorthands are the descriptors that stand for a whole expression.
var cronShorthands = map[string]string{
	"@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *", "@monthly": "0 0 1 * *",
	"@weekly": "0 0 * * 0", "@daily": "0 0 * * *", "@midnight": "0 0 * * *", "@hourly": "0 * * * *",
}

// checkCron returns what is wrong with a cron expression, "" when nothing is.
func checkCron(expr string) string {
	if strings.HasPrefix(expr, "@") {
		if cronShorthands[expr] == "" {
			return "the shorthands are @hourly, @daily, @weekly, @monthly and @yearly"
		}
		return ""
	}
	parts := strings.Fields(expr)
	if len(parts) != len(cronFields) {
		return fmt.Sprintf("it has %d fields; there must be 5: minute, hour, day of month, month, day of week", len(parts))
	}
	for i, part := range parts {
		if !cronFields[i].valid(part) {
			return fmt.Sprintf("the %s %q must be made of *, numbers from %d to %d, ranges (1-5), lists (1,3) and steps (*/15)",
				cronFields[i].name, part, cronFields[i].lo, cronFields[i].hi)
		}
	}
	return ""
}

func (f *cronField) valid(part string) bool {
	for item := range strings.SplitSeq(part, ",") {
		span, step, stepped := strings.Cut(item, "/")
		if stepped {
			if n, err := strconv.Atoi(step); err != nil || n < 1 || n > f.hi {
				return false
			}
		}
		if span == "*" || span == "?" {
			continue
		}
		from, to, ranged := strings.Cut(span, "-")
		lo, ok := f.value(from)
		if !ok {
			return false
		}
		if hi, ok := f.value(to); ranged && (!ok || hi < lo) {
			return false
		}
	}
	return true
}

func (f *cronField) value(text string) (int, bool) {
	for i, w := range f.words {
		if strings.EqualFold(w, text) {
			return f.lo + i, true
		}
	}
	n, err := strconv.Atoi(text)
	return n, err == nil && n >= f.lo && n <= f.hi && text[0] != '+'
}

// describeCron says a common schedule in words ("Daily at 10:00"), and any
// other as it is.
func describeCron(expr string) string {
	if long, ok := cronShorthands[expr]; ok {
		expr = long
	}
	p := strings.Fields(expr)
	if len(p) != len(cronFields) || checkCron(expr) != "" {
		return expr
	}
	minute, err := strconv.Atoi(p[0])
	if err != nil || p[3] != "*" {
		return expr
	}
	hour, err := strconv.Atoi(p[1])
	switch {
	case p[1] == "*" && p[2] == "*" && p[4] == "*":
		return fmt.Sprintf("Hourly at minute %d", minute)
	case err != nil:
		return expr
	case p[2] == "*" && p[4] == "*":
		return fmt.Sprintf("Daily at %02d:%02d", hour, minute)
	case p[2] == "*":
		if day, ok := cronFields[4].value(p[4]); ok {
			return fmt.Sprintf("Weekly on %s at %02d:%02d", weekdays[day%7], hour, minute)
		}
	case p[4] == "*":
		if day, err := strconv.Atoi(p[2]); err == nil {
			return fmt.Sprintf("Monthly on day %d at %02d:%02d", day, hour, minute)
		}
	}
	return expr
}

var weekdays = [7]string{"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"}

func itoa(n int) string { return strconv.Itoa(n) }
