package billing

import "time"

// The intervals of a plan: how long a period lasts.
const (
	Monthly = "monthly"
	Daily   = "daily"
)

// Anchor returns the instant from which the periods of a plan that begins at
// start are counted in zone: a monthly plan begins anew on the day of the month
// and at the time of day of its start, a daily one at midnight.
func Anchor(interval string, start time.Time, zone *time.Location) time.Time {
	if interval != Daily {
		return start
	}
	y, m, d := start.In(zone).Date()
	return time.Date(y, m, d, 0, 0, 0, 0, zone)
}

// Next returns the first instant after t at which a period begins, counted from
// anchor by the calendar and clock of zone. A month that is too short for the
// anchor's day begins its period on its last day, and the one after on the
// anchor's day again. When a change of clocks leaves the time of day out, the
// period begins that much later.
func Next(interval string, anchor, t time.Time, zone *time.Location) time.Time {
	from, to := anchor.In(zone), t.In(zone)
	var n int
	if interval == Daily {
		n = daysBetween(from, to)
	} else {
		n = 12*(to.Year()-from.Year()) + int(to.Month()) - int(from.Month())
	}
	for n = max(0, n-1); ; n++ {
		if next := period(interval, from, n); next.After(t) {
			return next.UTC()
		}
	}
}

// period returns when the n-th period after anchor begins, in anchor's zone.
func period(interval string, anchor time.Time, n int) time.Time {
	y, m, d := anchor.Date()
	if interval == Daily {
		d += n
	} else {
		first := time.Date(y, m+time.Month(n), 1, 0, 0, 0, 0, time.UTC)
		y, m = first.Year(), first.Month()
		d = min(d, daysIn(y, m))
	}
	return clock(y, m, d, anchor)
}

// clock is the date with the time of day and zone of at. time.Date may put a
// time that a change of clocks leaves out before the gap: it comes after.
func clock(y int, m time.Month, d int, at time.Time) time.Time {
	wanted := time.Date(y, m, d, at.Hour(), at.Minute(), at.Second(), at.Nanosecond(), time.UTC)
	got := time.Date(y, m, d, at.Hour(), at.Minute(), at.Second(), at.Nanosecond(), at.Location())
	_, offset := got.Zone()
	if gap := wanted.Sub(got.Add(time.Duration(offset) * time.Second)); gap > 0 {
		return got.Add(gap)
	}
	return got
}

func daysIn(y int, m time.Month) int {
	return time.Date(y, m+1, 0, 0, 0, 0, 0, time.UTC).Day()
}

// daysBetween counts the days of the calendar from a to b.
func daysBetween(a, b time.Time) int {
	return int(midnight(b).Sub(midnight(a)) / (24 * time.Hour))
}

// midnight is the date of t as an instant of a calendar without changes of clocks.
func midnight(t time.Time) time.Time {
	y, m, d := t.Date()
	return time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
}
