package value

import (
	"math"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// FuzzAll gives every function any text: none may panic, and what they return
// must be of its kind.
func FuzzAll(f *testing.F) {
	for _, s := range []string{"1.234,56 €", "$5k", "2025-03-04T14:30:05+01:00", "mar. 4 mars 2025 à 14h30", "vor 2 Stunden", "2025年3月4日", "4 มี.ค. 2568", "03/04/25",
		"name [at] example [dot] com", "a@b.com, logo@2x.png", "+49 (0)30 123456", "٩٩ ر.س", "(5.00)", "1,2,3", "5€99", "\xff\xfe1\xff", "&#64;", "/Date(1)/", "12 M de vues", "un'ora fa", "1.5e-300", "−", "民國114年3月4日"} {
		f.Add(s)
	}
	yes := true
	ref := time.Date(2025, 3, 4, 12, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, s string) {
		for name, read := range map[string]func(string) (float64, bool){"Number": Number, "Percent": Percent} {
			if v, ok := read(s); ok && (math.IsNaN(v) || math.IsInf(v, 0)) {
				t.Errorf("%s(%q) = %v", name, s, v)
			}
		}
		if a, ok := Money(s); ok && (math.IsNaN(a.Value) || math.IsInf(a.Value, 0) || len(a.Currency) != 3 && a.Currency != "") {
			t.Errorf("Money(%q) = %+v", s, a)
		}
		if c, ok := Currency(s); ok != (len(c) == 3) {
			t.Errorf("Currency(%q) = %q", s, c)
		}
		Int(s)
		if b, ok := Bool(s); b && !ok {
			t.Errorf("Bool(%q) is true and no boolean", s)
		}
		for _, o := range []DateOptions{{}, {Ref: ref}, {DayFirst: &yes, Ref: ref, Language: "en-US"}, {Layout: "2 Jan 2006 15:04"}} {
			if d, only, ok := Date(s, o); ok && (d.Location() != time.UTC || only && !d.Equal(d.Truncate(24*time.Hour))) {
				t.Errorf("Date(%q) = %v, %v", s, d, only)
			}
		}
		for _, e := range Emails(s) {
			if strings.Count(e, "@") != 1 || strings.ContainsAny(e, " \n<>") || !utf8.ValidString(e) {
				t.Errorf("Emails(%q) has %q", s, e)
			}
		}
		Email(s)
		DecodeCFEmail(s)
		for _, region := range []string{"", "DE", "US", "AR", "IT"} {
			for _, n := range Phones(s, region) {
				if len(n) < 6 || n[0] != '+' || strings.Trim(n[1:], "0123456789") != "" {
					t.Errorf("Phones(%q, %s) has %q", s, region, n)
				}
			}
			Phone(s, region)
		}
		if c, ok := Country(s); ok != (len(c) == 2) {
			t.Errorf("Country(%q) = %q", s, c)
		}
	})
}

// TestLinear gives every function 64 KB of what is hardest for it, within
// a time that only work of the square would pass.
func TestLinear(t *testing.T) {
	const size = 1 << 16
	for _, unit := range []string{"1", "1,", "1 ", "1.", "9€", "a@", "@", "(at)", "(", "a(at)", " AT a DOT ", "x@y.", "a.", "4 mar ", "-", "1/", "3 days ", "%1", "&amp;", "٣", "年", "\xff", "+49 ", "a@b.c@", "1 2", "+1+", "030 123 45 ", "(0) "} {
		s := strings.Repeat(unit, size/len(unit))
		begin := time.Now()
		Number(s)
		Int(s)
		Percent(s)
		Money(s)
		Currency(s)
		Date(s, DateOptions{Ref: begin})
		Email(s)
		Emails(s)
		Phones(s, "DE")
		Phones(s, "US")
		Phone(s, "")
		Country(s)
		if took := time.Since(begin); took > 5*time.Second {
			t.Errorf("64 KB of %q took %v", unit, took)
		}
	}
}
