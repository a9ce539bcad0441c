package billing_test

import (
	"testing"
	"time"
	_ "time/tzdata"

	"shoal/internal/billing"
)

func TestNext(t *testing.T) {
	const layout = "2006-01-02 15:04:05 MST"
	cases := []struct {
		name, interval, zone string
		anchor, after        string // in zone, without its name
		want                 string // UTC
	}{
		{"a month", billing.Monthly, "UTC", "2026-03-10 08:30:00", "2026-03-10 08:30:00", "2026-04-10 08:30:00"},
		{"the instant itself is over", billing.Monthly, "UTC", "2026-03-10 08:30:00", "2026-04-10 08:30:00", "2026-05-10 08:30:00"},
		{"just before", billing.Monthly, "UTC", "2026-03-10 08:30:00", "2026-04-10 08:29:59", "2026-04-10 08:30:00"},
		{"January 31 to February", billing.Monthly, "UTC", "2026-01-31 00:00:00", "2026-01-31 00:00:00", "2026-02-28 00:00:00"},
		{"January 31 to February of a leap year", billing.Monthly, "UTC", "2028-01-31 00:00:00", "2028-01-31 00:00:00", "2028-02-29 00:00:00"},
		{"and back to the 31st", billing.Monthly, "UTC", "2026-01-31 00:00:00", "2026-02-28 00:00:00", "2026-03-31 00:00:00"},
		{"the 31st in a month of 30 days", billing.Monthly, "UTC", "2026-01-31 00:00:00", "2026-03-31 00:00:00", "2026-04-30 00:00:00"},
		{"February 29 a year later", billing.Monthly, "UTC", "2028-02-29 12:00:00", "2029-02-01 00:00:00", "2029-02-28 12:00:00"},
		{"over the year's end", billing.Monthly, "UTC", "2026-11-30 23:59:59", "2026-12-31 00:00:00", "2027-01-30 23:59:59"},
		{"many months missed", billing.Monthly, "UTC", "2020-01-31 00:00:00", "2026-06-15 00:00:00", "2026-06-30 00:00:00"},
		{"before the anchor", billing.Monthly, "UTC", "2026-03-10 00:00:00", "2026-01-01 00:00:00", "2026-03-10 00:00:00"},
		{"a month over the change of clocks", billing.Monthly, "Europe/Paris", "2026-03-10 09:00:00", "2026-03-11 00:00:00", "2026-04-10 07:00:00"},
		{"the day of the zone, not of UTC", billing.Monthly, "Pacific/Auckland", "2026-05-01 00:00:00", "2026-05-01 00:00:00", "2026-05-31 12:00:00"},
		{"a day", billing.Daily, "UTC", "2026-03-10 00:00:00", "2026-03-10 17:00:00", "2026-03-11 00:00:00"},
		{"a day of 23 hours", billing.Daily, "Europe/Paris", "2026-03-01 00:00:00", "2026-03-29 00:00:00", "2026-03-29 22:00:00"},
		{"a day of 25 hours", billing.Daily, "Europe/Paris", "2026-03-01 00:00:00", "2026-10-25 00:00:00", "2026-10-25 23:00:00"},
		{"a midnight that does not exist", billing.Daily, "America/Santiago", "2026-09-01 00:00:00", "2026-09-05 12:00:00", "2026-09-06 04:00:00"},
		{"and the one after", billing.Daily, "America/Santiago", "2026-09-01 00:00:00", "2026-09-06 12:00:00", "2026-09-07 03:00:00"},
		{"years of days missed", billing.Daily, "Europe/Paris", "2016-02-29 00:00:00", "2026-07-01 01:00:00", "2026-07-01 22:00:00"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			zone, err := time.LoadLocation(c.zone)
			if err != nil {
				t.Fatal(err)
			}
			in := func(text string) time.Time {
				at, err := time.ParseInLocation(time.DateTime, text, zone)
				if err != nil {
					t.Fatal(err)
				}
				return at.UTC()
			}
			got := billing.Next(c.interval, in(c.anchor), in(c.after), zone)
			if want := c.want + " UTC"; got.Format(layout) != want {
				t.Errorf("Next = %s, want %s", got.Format(layout), want)
			}
		})
	}
}

// TestNextGoesOn follows every period of some years: none is skipped, none is
// there twice.
func TestNextGoesOn(t *testing.T) {
	for _, zone := range []string{"UTC", "Europe/Paris", "America/Santiago", "Australia/Lord_Howe", "Pacific/Apia"} {
		loc, err := time.LoadLocation(zone)
		if err != nil {
			t.Fatal(err)
		}
		start := time.Date(2026, 1, 31, 2, 30, 0, 0, loc)
		for interval, bounds := range map[string][3]time.Duration{
			billing.Monthly: {27 * 24 * time.Hour, 32 * 24 * time.Hour, 96},
			billing.Daily:   {22 * time.Hour, 26 * time.Hour, 8*365 + 2},
		} {
			at, n := start, 0
			for end := start.AddDate(8, 0, 0); at.Before(end); n++ {
				next := billing.Next(interval, billing.Anchor(interval, start, loc), at, loc)
				if d := next.Sub(at); n > 0 && (d < bounds[0] || d > bounds[1]) {
					t.Fatalf("%s in %s: after %v comes %v", interval, zone, at, next)
				}
				at = next
			}
			if n < int(bounds[2]) || n > int(bounds[2])+1 {
				t.Errorf("%s in %s: %d periods in eight years, want %d", interval, zone, n, bounds[2])
			}
		}
	}
}
