package cron

import (
	"fmt"
	"strconv"
	"strings"
)

// maxTimes is how many times of day are listed one by one.
const maxTimes = 6

var (
	weekdayNames = []string{"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"}
	monthNames   = []string{"", "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"}
)

// Words says the expression as a person would: "Daily at 10:00", "Every Monday
// and Friday at 08:30", "Every 15 minutes on weekdays". It is true for every
// expression, and names no time zone.
func (e *Expr) Words() string {
	if e.hours == span(0, 23) || e.minutes.len()*e.hours.len() > maxTimes {
		return sentence(e.interval(), e.dayPhrase(), e.monthPhrase())
	}
	at := "at " + join(e.times())
	switch {
	case e.anyDay && e.anyWeekday && e.months == span(1, 12):
		return "Daily " + at
	case e.anyDay && e.anyWeekday:
		return sentence("every day", "in "+monthList(e.months), at)
	case e.anyDay && e.weekdays == span(1, 5):
		return sentence("every weekday (Monday to Friday)", e.monthPhrase(), at)
	case e.anyDay:
		return sentence("every "+join(e.weekdayNames()), e.monthPhrase(), at)
	case e.anyWeekday && e.months == span(1, 12) && e.days.len() == 1:
		return sentence("monthly", e.dayPhrase(), at)
	}
	return sentence(e.dayPhrase(), e.monthPhrase(), at)
}

// interval says hours and minutes that are more than a few times of day.
func (e *Expr) interval() string {
	how := e.minuteWords()
	switch {
	case e.hours == span(0, 23):
		return how
	case e.hours == span(e.hours.first(), e.hours.last()) && e.hours.len() > 1:
		return fmt.Sprintf("%s from %s to %s", how, clock(e.hours.first(), e.minutes.first()), clock(e.hours.last(), e.minutes.last()))
	case e.minutes.len() == 1 && e.minutes.has(0):
		if n, ok := stepOf(e.hours, 0, 23); ok {
			return fmt.Sprintf("every %d hours", n)
		}
		return "at the hours " + numberList(e.hours)
	}
	return how + " of the " + plural("hour", e.hours)
}

// minuteWords says the minutes of each hour.
func (e *Expr) minuteWords() string {
	if e.minutes == span(0, 59) {
		return "every minute"
	}
	if n, ok := stepOf(e.minutes, 0, 59); ok {
		return fmt.Sprintf("every %d minutes", n)
	}
	if e.minutes == 1 {
		return "every hour"
	}
	if e.minutes.len() > 2 && e.minutes == span(e.minutes.first(), e.minutes.last()) {
		return fmt.Sprintf("every minute from %d to %d of every hour", e.minutes.first(), e.minutes.last())
	}
	return "every hour at " + plural("minute", e.minutes)
}

// stepOf returns n when s is every n-th number of lo..hi and the step goes on
// evenly from the end to the next beginning.
func stepOf(s set, lo, hi int) (n int, ok bool) {
	if s.len() < 2 || !s.has(lo) {
		return 0, false
	}
	all := hi - lo + 1
	n = all / s.len()
	if n < 2 || all%n != 0 {
		return 0, false
	}
	for i := lo; i <= hi; i += n {
		if !s.has(i) {
			return 0, false
		}
	}
	return n, s.len() == all/n
}

// times lists the times of day.
func (e *Expr) times() []string {
	var all []string
	for _, h := range e.hours.members() {
		for _, m := range e.minutes.members() {
			all = append(all, clock(h, m))
		}
	}
	return all
}

func clock(hour, minute int) string { return fmt.Sprintf("%02d:%02d", hour, minute) }

// dayPhrase says the days; empty: every day.
func (e *Expr) dayPhrase() string {
	var parts []string
	if !e.anyDay {
		day := plural("day", e.days)
		if e.months == span(1, 12) {
			day += " of the month"
		}
		parts = append(parts, "on "+day)
	}
	switch {
	case e.anyWeekday:
	case e.weekdays == span(1, 5):
		parts = append(parts, "on weekdays (Monday to Friday)")
	default:
		parts = append(parts, "on "+join(e.weekdayNames(), "s"))
	}
	return strings.Join(parts, " and ")
}

func (e *Expr) weekdayNames() []string { return pick(weekdayNames, e.weekdays) }

// monthPhrase says the months; empty: all.
func (e *Expr) monthPhrase() string {
	if e.months == span(1, 12) {
		return ""
	}
	return "in " + monthList(e.months)
}

func monthList(s set) string { return join(pick(monthNames, s)) }

func pick(names []string, s set) []string {
	var all []string
	for _, n := range s.members() {
		all = append(all, names[n])
	}
	return all
}

// plural writes "minute 5" or "minutes 5, 20 and 40".
func plural(noun string, s set) string {
	if s.len() > 1 {
		noun += "s"
	}
	return noun + " " + numberList(s)
}

// numberList writes numbers, three and more in a row as "1 to 5".
func numberList(s set) string {
	var all []string
	for n, ok := s.next(0); ok; n, ok = s.next(n + 1) {
		to := n
		for s.has(to + 1) {
			to++
		}
		if to-n < 2 {
			all = append(all, strconv.Itoa(n))
			continue
		}
		all = append(all, fmt.Sprintf("%d to %d", n, to))
		n = to
	}
	return join(all)
}

// join writes a list as "a, b and c", with ending behind each.
func join(all []string, ending ...string) string {
	end := strings.Join(ending, "")
	switch len(all) {
	case 0:
		return ""
	case 1:
		return all[0] + end
	}
	return strings.Join(all[:len(all)-1], end+", ") + end + " and " + all[len(all)-1] + end
}

// sentence joins what is not empty and begins with a capital letter.
func sentence(parts ...string) string {
	var all []string
	for _, p := range parts {
		if p != "" {
			all = append(all, p)
		}
	}
	text := strings.Join(all, " ")
	return strings.ToUpper(text[:1]) + text[1:]
}
