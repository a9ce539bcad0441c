package cron

import (
	"encoding/binary"
	"hash/fnv"
	"time"
	_ "time/tzdata" // time zones are known on machines that have none installed

	"shoal"
)

// Zone returns the time zone of an IANA name such as Europe/Paris; empty is
// UTC. The error is a KindInvalid about the param timezone. The machine's own
// zone is none: it would be another one on another server.
func Zone(name string) (*time.Location, error) {
	if name == "" {
		return time.UTC, nil
	}
	loc, err := time.LoadLocation(name)
	if err != nil || name == "Local" {
		return nil, shoal.Invalid("InvalidParameterValue", "timezone",
			"timezone is %q; it must be an IANA name such as Europe/Paris or UTC", shorten(name))
	}
	return loc, nil
}

// Next returns the first time after t at which e is due in loc. It is zero
// when there is none before the year 10000, which no expression that Parse
// accepts has.
func (e *Expr) Next(t time.Time, loc *time.Location) time.Time {
	if e.hours == span(0, 23) {
		return e.nextElapsed(t, loc)
	}
	// The first instant of each time of day never goes back, so the first
	// match whose instant lies ahead is the one.
	for w := wallOf(t, loc).Add(time.Minute); ; w = w.Add(time.Minute) {
		if w = e.nextWall(w); w.IsZero() {
			return w
		}
		if at := instant(w, loc); at.After(t) {
			return at
		}
	}
}

// nextElapsed is Next for an expression that means an interval: it looks at
// each stretch between two changes of the clock by itself.
func (e *Expr) nextElapsed(t time.Time, loc *time.Location) time.Time {
	from := t.Truncate(time.Minute).Add(time.Minute).In(loc)
	for {
		_, end := from.ZoneBounds()
		_, offset := from.Zone()
		w := wallOf(from, loc)
		if w.Before(asWall(from)) {
			w = w.Add(time.Minute) // a change of the clock within a minute
		}
		if w = e.nextWall(w); w.IsZero() {
			return w
		}
		at := w.Add(-time.Duration(offset) * time.Second)
		if end.IsZero() || at.Before(end) {
			return at
		}
		from = end.In(loc)
	}
}

// asWall returns what a clock in t's zone shows, as if it were UTC: a time
// that can be counted on with.
func asWall(t time.Time) time.Time {
	year, month, day := t.Date()
	hour, minute, second := t.Clock()
	return time.Date(year, month, day, hour, minute, second, t.Nanosecond(), time.UTC)
}

// wallOf returns the minute that a clock in loc shows at t, as if it were UTC.
func wallOf(t time.Time, loc *time.Location) time.Time {
	return asWall(t.In(loc)).Truncate(time.Minute)
}

// instant returns when a clock in loc first shows w or, if a change of the
// clock skips w, when that change is.
func instant(w time.Time, loc *time.Location) time.Time {
	t := time.Date(w.Year(), w.Month(), w.Day(), w.Hour(), w.Minute(), 0, 0, loc)
	start, end := t.ZoneBounds()
	switch shown := asWall(t); {
	case shown.After(w): // skipped, and counted by the offset before the change
		return start.UTC()
	case shown.Before(w): // skipped, and counted by the offset behind it
		return end.UTC()
	}
	if start.IsZero() {
		return t.UTC()
	}
	// The same time of day may have been shown before the change of the clock.
	_, offset := start.Add(-time.Second).In(loc).Zone()
	if earlier := w.Add(-time.Duration(offset) * time.Second); earlier.Before(start) && earlier.Before(t) {
		return earlier
	}
	return t.UTC()
}

// nextWall returns the first time of day from w on that matches; zero when
// there is none before the year 10000.
func (e *Expr) nextWall(w time.Time) time.Time {
	hour, minute := w.Hour(), e.minutes.first()
	if e.hours.has(hour) {
		if m, ok := e.minutes.next(w.Minute()); ok {
			minute = m
		} else {
			hour++
		}
	}
	day := dayOf(w)
	h, ok := e.hours.next(hour)
	switch {
	case !ok:
		day, h, minute = day.AddDate(0, 0, 1), e.hours.first(), e.minutes.first()
	case h != w.Hour():
		minute = e.minutes.first()
	}
	hour = h
	matched := e.nextDay(day)
	if matched.IsZero() {
		return matched
	}
	if !matched.Equal(day) {
		hour, minute = e.hours.first(), e.minutes.first()
	}
	return matched.Add(time.Duration(hour)*time.Hour + time.Duration(minute)*time.Minute)
}

func dayOf(w time.Time) time.Time {
	return time.Date(w.Year(), w.Month(), w.Day(), 0, 0, 0, 0, time.UTC)
}

// nextDay returns the first day from d on that matches.
func (e *Expr) nextDay(d time.Time) time.Time {
	for d.Year() < 10000 {
		switch {
		case !e.months.has(int(d.Month())):
			d = time.Date(d.Year(), d.Month()+1, 1, 0, 0, 0, 0, time.UTC)
		case !e.matches(d):
			d = d.AddDate(0, 0, 1)
		default:
			return d
		}
	}
	return time.Time{}
}

// matches reports whether the day d of a month that matches does.
func (e *Expr) matches(d time.Time) bool {
	day, weekday := e.days.has(d.Day()), e.weekdays.has(int(d.Weekday()))
	if e.anyDay || e.anyWeekday {
		return day && weekday
	}
	return day || weekday
}

// reaches are how far Latest looks back, each farther than the last.
var reaches = []time.Duration{time.Minute, time.Hour, 25 * time.Hour, 32 * 24 * time.Hour, 367 * 24 * time.Hour, 9 * 366 * 24 * time.Hour}

// Latest returns the last time from first on, itself due, and up to t at which
// e was due in loc. It costs little however long ago first is.
func (e *Expr) Latest(first, t time.Time, loc *time.Location) time.Time {
	for _, reach := range reaches {
		from := t.Add(-reach)
		if !from.After(first) {
			break
		}
		if at := e.Next(from, loc); !at.After(t) {
			first = at
			break
		}
	}
	for {
		next := e.Next(first, loc)
		if next.IsZero() || next.After(t) {
			return first
		}
		first = next
	}
}

// Count returns how many times e is due after first and up to t in loc, at
// most limit.
func (e *Expr) Count(first, t time.Time, loc *time.Location, limit int) int {
	for n := range limit {
		if first = e.Next(first, loc); first.IsZero() || first.After(t) {
			return n
		}
	}
	return limit
}

// Spread returns by how much what is due at slot is put off so that not all
// begins at once: between nothing and jitter, or half the time to next if that
// is less, in milliseconds. It depends on seed and slot alone: every server
// finds the same.
func Spread(seed int64, slot, next time.Time, jitter time.Duration) time.Duration {
	jitter = min(jitter, next.Sub(slot)/2)
	if jitter < time.Millisecond {
		return 0
	}
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], uint64(seed))
	binary.BigEndian.PutUint64(b[8:], uint64(slot.Unix()))
	h := fnv.New64a()
	h.Write(b[:])
	// The low bits of neighbours hardly differ.
	return time.Duration((h.Sum64()>>11)%uint64(jitter/time.Millisecond+1)) * time.Millisecond
}
