package cron_test

import (
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	oracle "github.com/netresearch/go-cron"

	"shoal"
	"shoal/internal/cron"
)

func mustParse(t testing.TB, text string) *cron.Expr {
	t.Helper()
	e, err := cron.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return &e
}

func TestParseRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"":                       "it has 0 fields; there must be 5",
		"0 10 * *":               "it has 4 fields",
		"0 0 10 * * *":           "it has 6 fields",
		"10":                     "it has 1 field;",
		"60 * * * *":             `the minute "60"`,
		"* 24 * * *":             `the hour "24"`,
		"* * 0 * *":              `the day of month "0"`,
		"* * * 13 *":             `the month "13"`,
		"* * * FOO *":            `the month "FOO" must be made of *, numbers from 1 to 12, names (FEB)`,
		"* * * * 8":              `the day of week "8"`,
		"* * * * MONDAY":         `the day of week "MONDAY"`,
		"*/0 * * * *":            `the minute has the step "0"`,
		"*/60 * * * *":           `the minute has the step "60"`,
		"*/-1 * * * *":           `the minute has the step "-1"`,
		"*/ * * * *":             `the minute has the step ""`,
		"5,,6 * * * *":           `the minute ""`,
		"+5 * * * *":             `the minute "+5"`,
		"0x5 * * * *":            `the minute "0x5"`,
		"* 22-2 * * *":           `write it as a list of two: 22-23,0-2`,
		"0 0 31 2 *":             "that day never comes: no February has a day 31",
		"0 0 30,31 2 *":          "that day never comes",
		"0 0 31 4,6 *":           "no April and June has a day 31",
		"@reboot":                "the shorthands are @hourly",
		"@every 5m":              "*/15 * * * *",
		"0 0 L * *":              `the day of month "L"`,
		"0 0 * * FRI#2":          `the day of week "FRI#2"`,
		"0 0 1\x00 * *":          `the day of month "1\x00"`,
		strings.Repeat("1", 300): "it is 300 characters long",
	} {
		_, err := cron.Parse(text)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v; want it to say %q", text, err, want)
			continue
		}
		if shoal.KindOf(err) != shoal.KindInvalid || !strings.HasPrefix(err.Error(), "cron_expression is ") {
			t.Errorf("%q: %v is no error about cron_expression", text, err)
		}
	}
}

func TestZoneRefuses(t *testing.T) {
	for _, name := range []string{"Local", "Europe/Pariss", "+01:00", "../etc/passwd"} {
		if _, err := cron.Zone(name); shoal.KindOf(err) != shoal.KindInvalid || err == nil {
			t.Errorf("%q: %v; want a KindInvalid", name, err)
		}
	}
}

func TestWords(t *testing.T) {
	for text, want := range map[string]string{
		"0 10 * * *":         "Daily at 10:00",
		"@daily":             "Daily at 00:00",
		"@hourly":            "Every hour",
		"5 * * * *":          "Every hour at minute 5",
		"0,30 9 * * *":       "Daily at 09:00 and 09:30",
		"0 6,12,18 * * *":    "Daily at 06:00, 12:00 and 18:00",
		"0 10 * * 1":         "Every Monday at 10:00",
		"0 10 * * 7":         "Every Sunday at 10:00",
		"@weekly":            "Every Sunday at 00:00",
		"30 8 * * MON,FRI":   "Every Monday and Friday at 08:30",
		"30 8 * * mon-fri":   "Every weekday (Monday to Friday) at 08:30",
		"0 0 * * 0-6":        "Every Sunday, Monday, Tuesday, Wednesday, Thursday, Friday and Saturday at 00:00",
		"@monthly":           "Monthly on day 1 of the month at 00:00",
		"0 3 1,15 * *":       "On days 1 and 15 of the month at 03:00",
		"0 3 1-7 * *":        "On days 1 to 7 of the month at 03:00",
		"@yearly":            "On day 1 in January at 00:00",
		"0 9 29 2 *":         "On day 29 in February at 09:00",
		"0 0 13 * 5":         "On day 13 of the month and on Fridays at 00:00",
		"0 0 * 7,8 *":        "Every day in July and August at 00:00",
		"0 0 * 7 MON":        "Every Monday in July at 00:00",
		"* * * * *":          "Every minute",
		"*/15 * * * *":       "Every 15 minutes",
		"*/15 9-17 * * 1-5":  "Every 15 minutes from 09:00 to 17:45 on weekdays (Monday to Friday)",
		"0 9-17 * * *":       "Every hour from 09:00 to 17:00",
		"0 */3 * * *":        "Every 3 hours",
		"0 */2 * * *":        "Every 2 hours",
		"15 */2 * * *":       "Every hour at minute 15 of the hours 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20 and 22",
		"*/7 * * * *":        "Every hour at minutes 0, 7, 14, 21, 28, 35, 42, 49 and 56",
		"0-9 * * * *":        "Every minute from 0 to 9 of every hour",
		"* 3 * * *":          "Every minute of the hour 3",
		"*/30 1,3,5,7 1 1 *": "Every 30 minutes of the hours 1, 3, 5 and 7 on day 1 in January",
		"*/20 * 1 * *":       "Every 20 minutes on day 1 of the month",
		"*/20 * 13 6 TUE":    "Every 20 minutes on day 13 and on Tuesdays in June",
		"0 0 */2 * 1":        "On days 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29 and 31 of the month and on Mondays at 00:00",
	} {
		if got := mustParse(t, text).Words(); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

// dueIn returns the local times at which text is due within a night and the
// half day around it.
func dueIn(t *testing.T, text, zone, from, to string) string {
	t.Helper()
	loc, err := cron.Zone(zone)
	if err != nil {
		t.Fatal(err)
	}
	parse := func(s string) time.Time {
		at, err := time.Parse("2006-01-02 15:04Z", s)
		if err != nil {
			t.Fatal(err)
		}
		return at
	}
	e, end := mustParse(t, text), parse(to)
	var all []string
	for at := e.Next(parse(from), loc); at.Before(end); at = e.Next(at, loc) {
		all = append(all, at.In(loc).Format("02 15:04-0700"))
	}
	return strings.Join(all, " | ")
}

// The nights in which clocks change, in zones that do it differently.
func TestClockChanges(t *testing.T) {
	for _, c := range []struct{ name, text, zone, from, to, want string }{
		{"a skipped time runs once, at the change", "30 2 * * *", "Europe/Paris", "2026-03-28 00:00Z", "2026-03-30 12:00Z",
			"28 02:30+0100 | 29 03:00+0200 | 30 02:30+0200"},
		{"many skipped times run once together", "*/10 2 * * *", "Europe/Paris", "2026-03-29 00:00Z", "2026-03-29 12:00Z", "29 03:00+0200"},
		{"a skipped time falls together with one that is not", "30 2,3 * * *", "Europe/Paris", "2026-03-29 00:00Z", "2026-03-29 12:00Z", "29 03:00+0200 | 29 03:30+0200"},
		{"and is not repeated at the change itself", "0 2,3 * * *", "Europe/Paris", "2026-03-29 00:00Z", "2026-03-29 12:00Z", "29 03:00+0200"},
		{"a doubled time runs once, the first time", "30 2 * * *", "Europe/Paris", "2026-10-24 12:00Z", "2026-10-26 12:00Z", "25 02:30+0200 | 26 02:30+0100"},
		{"asked within the second pass", "30 2 * * *", "Europe/Paris", "2026-10-25 01:05Z", "2026-10-26 12:00Z", "26 02:30+0100"},
		{"the end of the doubled hour", "0 3 * * *", "Europe/Paris", "2026-10-25 00:00Z", "2026-10-25 12:00Z", "25 03:00+0100"},
		{"the beginning of the doubled hour", "0 2 * * *", "Europe/Paris", "2026-10-24 12:00Z", "2026-10-25 12:00Z", "25 02:00+0200"},
		{"an interval goes by elapsed time: the doubled hour", "0 * * * *", "Europe/Paris", "2026-10-24 23:30Z", "2026-10-25 03:30Z",
			"25 02:00+0200 | 25 02:00+0100 | 25 03:00+0100 | 25 04:00+0100"},
		{"an interval goes by elapsed time: the skipped hour", "30 * * * *", "Europe/Paris", "2026-03-29 00:00Z", "2026-03-29 03:00Z",
			"29 01:30+0100 | 29 03:30+0200 | 29 04:30+0200"},
		{"New York, skipped", "15 2 * * *", "America/New_York", "2027-03-14 00:00Z", "2027-03-15 12:00Z", "14 03:00-0400 | 15 02:15-0400"},
		{"New York, doubled", "30 1 * * *", "America/New_York", "2027-11-07 00:00Z", "2027-11-08 12:00Z", "07 01:30-0400 | 08 01:30-0500"},
		{"half an hour, skipped", "15 2 * * *", "Australia/Lord_Howe", "2026-10-03 00:00Z", "2026-10-05 00:00Z", "04 02:30+1100 | 05 02:15+1100"},
		{"half an hour, doubled", "45 1 * * *", "Australia/Lord_Howe", "2026-04-04 00:00Z", "2026-04-06 00:00Z", "05 01:45+1100 | 06 01:45+1030"},
		{"southern summer", "30 2 * * *", "Australia/Sydney", "2026-10-03 00:00Z", "2026-10-05 00:00Z", "04 03:00+1100 | 05 02:30+1100"},
		{"midnight is skipped", "0 0 * * *", "America/Sao_Paulo", "2018-11-03 00:00Z", "2018-11-05 12:00Z", "03 00:00-0300 | 04 01:00-0200 | 05 00:00-0200"},
		{"midnight is skipped, every month", "@monthly", "Asia/Beirut", "2022-02-27 00:00Z", "2022-04-02 00:00Z", "01 00:00+0200 | 01 00:00+0300"},
		{"the day before midnight comes twice", "30 23 * * *", "America/Sao_Paulo", "2018-02-16 12:00Z", "2018-02-19 12:00Z", "16 23:30-0200 | 17 23:30-0200 | 18 23:30-0300"},
		{"a whole day is skipped", "0 10 * * *", "Pacific/Apia", "2011-12-29 00:00Z", "2011-12-31 12:00Z", "29 10:00-1000 | 31 00:00+1400 | 31 10:00+1400"},
		{"negative summer time", "30 1 * * *", "Europe/Dublin", "2026-10-24 12:00Z", "2026-10-26 12:00Z", "25 01:30+0100 | 26 01:30+0000"},
		{"no changes at all", "45 5 * * *", "Asia/Kathmandu", "2026-01-01 12:00Z", "2026-01-03 12:00Z", "02 05:45+0545 | 03 05:45+0545"},
		{"a leap day", "0 9 29 2 *", "UTC", "2097-01-01 00:00Z", "2104-12-31 00:00Z", "29 09:00+0000"},
	} {
		got := dueIn(t, c.text, c.zone, c.from, c.to)
		if got != c.want {
			t.Errorf("%s (%s in %s):\n got %s\nwant %s", c.name, c.text, c.zone, got, c.want)
		}
	}
}

// Daily times are due on every day once, whatever the clocks do, for ten years
// in zones of every kind; and Next never goes back.
func TestOnceADay(t *testing.T) {
	for _, zone := range []string{"Europe/Paris", "Europe/London", "America/New_York", "America/St_Johns", "America/Santiago", "Africa/Cairo",
		"Africa/Casablanca", "Asia/Tehran", "Asia/Gaza", "Asia/Beirut", "Australia/Lord_Howe", "Pacific/Auckland", "Pacific/Chatham", "America/Asuncion", "UTC"} {
		loc, err := cron.Zone(zone)
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range []string{"0 0 * * *", "30 0 * * *", "30 1 * * *", "0 2 * * *", "30 2 * * *", "59 2 * * *", "0 3 * * *", "30 23 * * *"} {
			e := mustParse(t, text)
			days := map[string]int{}
			from := time.Date(2018, 1, 1, 0, 0, 0, 0, loc).Add(-time.Second)
			end := time.Date(2028, 1, 1, 0, 0, 0, 0, loc)
			for last, at := from, e.Next(from, loc); at.Before(end); last, at = at, e.Next(at, loc) {
				if !at.After(last) {
					t.Fatalf("%s in %s: %v comes after %v", text, zone, at, last)
				}
				days[at.In(loc).Format(time.DateOnly)]++
			}
			if len(days) != 3652 {
				t.Errorf("%s in %s is due on %d of 3,652 days", text, zone, len(days))
			}
			for day, n := range days {
				if n != 1 {
					t.Errorf("%s in %s is due %d times on %s", text, zone, n, day)
				}
			}
		}
	}
}

// Where no clock changes, another implementation of cron says the same.
func TestAgreesWithAnotherCron(t *testing.T) {
	parser := oracle.MustNewParser(oracle.Minute | oracle.Hour | oracle.Dom | oracle.Month | oracle.Dow | oracle.DowOrDom)
	r := rand.New(rand.NewPCG(1, 2))
	number := func(lo, hi int) string { return strconv.Itoa(lo + r.IntN(hi-lo+1)) }
	item := func(lo, hi int) string {
		switch r.IntN(6) {
		case 0:
			return "*/" + number(2, min(hi, 20))
		case 1:
			a := lo + r.IntN(hi-lo+1)
			return strconv.Itoa(a) + "-" + number(a, hi)
		case 2:
			a := lo + r.IntN(hi-lo+1)
			return strconv.Itoa(a) + "-" + number(a, hi) + "/" + number(2, 5)
		case 3:
			return number(lo, hi) + "," + number(lo, hi)
		case 4:
			return number(lo, hi)
		}
		return "*"
	}
	for range 3000 {
		text := strings.Join([]string{item(0, 59), item(0, 23), item(1, 31), item(1, 12), item(0, 6)}, " ")
		want, err := parser.Parse(text)
		if err != nil {
			continue // it takes no step that is longer than its range
		}
		e, err := cron.Parse(text)
		at := time.Unix(1_700_000_000+r.Int64N(100_000_000), 0).UTC()
		if err != nil {
			if !want.Next(at).IsZero() {
				t.Fatalf("%s: %v, and yet it is due at %v", text, err, want.Next(at))
			}
			continue
		}
		first := at
		for range 5 {
			next := want.Next(at)
			if next.IsZero() {
				break // farther away than it looks
			}
			if got := e.Next(at, time.UTC); !got.Equal(next) {
				t.Fatalf("%s after %v: %v, want %v", text, at, got, next)
			}
			if got := e.Latest(e.Next(first, time.UTC), next.Add(time.Second), time.UTC); !got.Equal(next) {
				t.Fatalf("%s: the latest up to %v is %v", text, next, got)
			}
			at = next
		}
	}
}

// Latest and Count look at a long absence.
func TestLatest(t *testing.T) {
	from := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
	to := time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC)
	for text, want := range map[string]time.Time{
		"* * * * *":   time.Date(2026, 5, 4, 3, 2, 0, 0, time.UTC),
		"0 10 * * *":  time.Date(2026, 5, 3, 10, 0, 0, 0, time.UTC),
		"@yearly":     time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
		"0 0 29 2 *":  time.Date(2024, 2, 29, 0, 0, 0, 0, time.UTC),
		"*/5 0 1 1 *": time.Date(2026, 1, 1, 0, 55, 0, 0, time.UTC),
	} {
		e := mustParse(t, text)
		first := e.Next(from, time.UTC)
		if got := e.Latest(first, to, time.UTC); !got.Equal(want) {
			t.Errorf("%s: %v, want %v", text, got, want)
		}
	}
	minutely := mustParse(t, "* * * * *")
	if n := minutely.Count(from, to, time.UTC, 1000); n != 1000 {
		t.Errorf("counted %d, want the limit", n)
	}
	if n := minutely.Count(to.Add(-10*time.Minute), to, time.UTC, 1000); n != 10 {
		t.Errorf("counted %d, want 10", n)
	}
}

// Whatever is typed, an expression is refused or has a next time and words.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"0 10 * * *", "*/15 9-17 1,15 JAN-MAR MON#1", "@daily", "5/20 * * * 0-7", "* * 29 2 *"} {
		f.Add(s, int64(1_800_000_000))
	}
	loc, err := cron.Zone("Europe/Paris")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string, unix int64) {
		e, err := cron.Parse(text)
		if err != nil {
			return
		}
		at := time.Unix(unix%4_000_000_000, 0)
		next := e.Next(at, loc)
		if !next.After(at) || next.Sub(at) > 9*366*24*time.Hour {
			t.Fatalf("%q after %v is due at %v", text, at, next)
		}
		if e.Words() == "" {
			t.Fatalf("%q has no words", text)
		}
	})
}
