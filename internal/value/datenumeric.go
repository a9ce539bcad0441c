package value

import (
	"slices"
	"strings"
	"time"
)

// ymd is one reading of a numeric date.
type ymd struct{ year, month, day int }

func (d ymd) valid() bool { return d.year > 0 && validDay(d.year, d.month, d.day) }

func (p *dateParser) take(d ymd, from, to int) bool {
	if !d.valid() {
		return false
	}
	p.year, p.month, p.day = d.year, d.month, d.day
	p.use(from, to)
	return true
}

// numeric finds dates of three numbers: 4.3.2025, 2025/3/4, 04-03-25.
func (p *dateParser) numeric() bool {
	for i := range p.toks {
		a, sep, b := p.at(i), dateSeparator(p.at(i+1).word), p.at(i+2)
		if a.digits == 0 || a.digits == 3 || a.digits > 4 || sep == 0 || b.digits == 0 || b.digits > 2 || p.inClock(i) {
			continue
		}
		last := i + 4
		switch {
		case dateSeparator(p.at(i+3).word) == sep && p.at(last).digits > 0:
		case sep == '/' && p.at(i+3).digits == 4: // 4/3 2025
			last = i + 3
		default:
			continue
		}
		c := p.at(last)
		if next := p.at(last + 2); sep == '.' && p.at(last+1).word == "." && !next.spaced && next.digits > 0 && c.digits < 3 {
			continue // 10.1.2.14 is no date
		}
		d, ok := p.threePart(a, b, c, sep)
		if p.ambiguous {
			return false
		}
		if ok && p.take(d, i, last) {
			return true
		}
	}
	return false
}

func dateSeparator(sign string) byte {
	switch sign {
	case ".", "．", "。":
		return '.'
	case "/", "／":
		return '/'
	case "-", "–", "‐", "‑", "－":
		return '-'
	}
	return 0
}

// threePart reads three numbers in the one order that the options, or what is
// possible, leave.
func (p *dateParser) threePart(a, b, c token, sep byte) (ymd, bool) {
	switch {
	case a.digits == 4:
		return ymd{a.num, b.num, c.num}, c.digits <= 2
	case c.digits != 4 && c.digits != 2:
		return ymd{}, false
	}
	year := c.num
	if c.digits == 2 {
		year = fullYear(c.num)
	}
	dmy, mdy := ymd{year, b.num, a.num}, ymd{year, a.num, b.num}
	readings := []ymd{dmy, mdy}
	if c.digits == 2 && c.num <= 31 && a.digits == 2 {
		readings = append(readings, ymd{fullYear(a.num), b.num, c.num})
	}
	switch p.order(c.digits == 2) {
	case 'D':
		// The first that is possible, below.
	case 'M':
		readings[0], readings[1] = mdy, dmy
	case 'Y':
		slices.Reverse(readings)
	default:
		if sep != '.' {
			return p.sole(readings)
		}
	}
	for _, d := range readings {
		if d.valid() {
			return d, true
		}
	}
	return ymd{}, false
}

// sole returns the reading that is possible, if it is only one.
func (p *dateParser) sole(readings []ymd) (found ymd, ok bool) {
	for _, d := range readings {
		if d.valid() && d != found {
			if ok {
				p.ambiguous = true
				return ymd{}, false
			}
			found, ok = d, true
		}
	}
	return found, ok
}

// fullYear gives a year of two digits its century, as package time does.
func fullYear(n int) int {
	if n >= 69 {
		return 1900 + n
	}
	return 2000 + n
}

// order says which number comes first where the text does not: D, M, Y or 0.
func (p *dateParser) order(short bool) byte {
	if p.o.DayFirst != nil {
		if *p.o.DayFirst {
			return 'D'
		}
		return 'M'
	}
	lang, region, _ := strings.Cut(strings.ReplaceAll(strings.ToLower(p.o.Language), "_", "-"), "-")
	switch lang {
	case "":
		return 0
	case "en":
		switch region {
		case "us", "ph", "us-posix":
			return 'M'
		case "":
			return 0
		}
		return 'D'
	case "zh", "ja", "ko", "hu", "lt", "mn", "eu":
		if short {
			return 'Y'
		}
		return 0
	case "es":
		if region == "us" || region == "pr" {
			return 'M'
		}
	}
	return 'D'
}

// monthYear finds 03/2025, 2025-03 and, given Ref, 04.03. and 4/3.
func (p *dateParser) monthYear() bool {
	for i := range p.toks {
		a, sep, b := p.at(i), dateSeparator(p.at(i+1).word), p.at(i+2)
		if sep == 0 || a.digits == 0 || b.digits == 0 || dateSeparator(p.at(i-1).word) != 0 || dateSeparator(p.at(i+3).word) != 0 && p.at(i+4).digits > 0 {
			continue
		}
		if a.digits == 4 && b.digits <= 2 {
			a, b = b, a
		}
		if b.digits == 4 && a.digits <= 2 && b.num >= 1900 && b.num < 2200 && p.take(ymd{b.num, a.num, 1}, i, i+2) {
			return true
		}
	}
	if p.o.Ref.IsZero() {
		return false
	}
	for i := range p.toks {
		a, sep, b := p.at(i), dateSeparator(p.at(i+1).word), p.at(i+2)
		if a.digits == 0 || b.digits == 0 || a.digits > 2 || b.digits > 2 || p.inClock(i) {
			continue
		}
		order := p.order(false)
		switch {
		case sep == '.' && p.at(i+3).word == "." || sep == '/' && order == 'D':
		case sep == '/' && order == 'M':
			a, b = b, a
		default:
			continue
		}
		if p.nearest(b.num, a.num) {
			p.use(i, i+2)
			return true
		}
	}
	return false
}

// nearest sets the month and day, and the year in which they are nearest to Ref.
func (p *dateParser) nearest(month, day int) bool {
	if p.o.Ref.IsZero() {
		return false
	}
	ref := p.ref()
	best := time.Duration(-1)
	for year := ref.Year() - 1; year <= ref.Year()+1; year++ {
		if !validDay(year, month, day) {
			continue
		}
		if away := time.Date(year, time.Month(month), day, 12, 0, 0, 0, ref.Location()).Sub(ref).Abs(); best < 0 || away < best {
			best = away
			p.year, p.month, p.day = year, month, day
		}
	}
	return best >= 0
}

// ref is Ref where the text is at home.
func (p *dateParser) ref() time.Time {
	if p.o.Zone != nil {
		return p.o.Ref.In(p.o.Zone)
	}
	return p.o.Ref.UTC()
}
