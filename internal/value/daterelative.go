package value

import "time"

// maxAgo is the largest number of units that a relative date may name.
const maxAgo = 100_000

// span is a duration in units of the calendar and of the clock.
type span struct {
	years, months, days int
	clock               time.Duration
	exact               bool // an hour or less is named
}

func (s *span) add(n int, unit rune) {
	switch unit {
	case 's':
		s.clock += time.Duration(n) * time.Second
		s.exact = true
	case 'i':
		s.clock += time.Duration(n) * time.Minute
		s.exact = true
	case 'h':
		s.clock += time.Duration(n) * time.Hour
		s.exact = true
	case 'd':
		s.days += n
	case 'w':
		s.days += 7 * n
	case 'm':
		s.months += n
	case 'y':
		s.years += n
	}
}

// relative reads "3 days ago", "vor 2 Stunden", "yesterday at 14:30", "just now".
func (p *dateParser) relative() (t time.Time, dateOnly, ok bool) {
	if s, sign, ok := p.span(); ok {
		t = addMonths(p.ref(), sign*(12*s.years+s.months)).AddDate(0, 0, sign*s.days).Add(time.Duration(sign) * s.clock)
		if s.exact {
			return t.UTC(), false, true
		}
		p.year, p.month, p.day = t.Year(), int(t.Month()), t.Day()
		p.clock()
		return p.result()
	}
	for i := range p.toks {
		days, ok := words().day(p.toks, i, p.o.Language)
		if !ok {
			continue
		}
		t = p.ref().AddDate(0, 0, days)
		p.year, p.month, p.day = t.Year(), int(t.Month()), t.Day()
		p.clock()
		return p.result()
	}
	for i := range p.toks {
		if words().now[p.toks[i].word] {
			return p.o.Ref.UTC(), false, true
		}
	}
	return time.Time{}, false, false
}

// span finds numbers of units and on which side of Ref they lead.
func (p *dateParser) span() (s span, sign int, ok bool) {
	first, end, pairs := 0, 0, 0
	for i := 0; i < len(p.toks); i++ {
		n, kind, next := p.pair(i)
		if kind == 0 || pairs > 0 && i > end+2 {
			continue
		}
		if pairs == 0 {
			first = i
		}
		s.add(n, kind)
		if p.at(next).word == "." {
			next++
		}
		end, i = next, next-1
		pairs++
	}
	if pairs == 0 {
		return s, 0, false
	}
	if sign, ok = p.side(first, end); !ok {
		// 3d, 5h: how social networks write what has passed.
		short := first == 0 && end >= len(p.toks) && !p.at(1).spaced && pairs == 1 && p.at(0).digits > 0 && len(p.at(1).word) <= 3
		sign, ok = -1, short
	}
	if ok {
		p.use(first, end-1)
	}
	return s, sign, ok
}

// pair reads a number and a unit at token i; kind 0: there is none.
func (p *dateParser) pair(i int) (n int, kind rune, next int) {
	w := words()
	next = i + 1
	switch t := p.at(i); {
	case t.digits > 0 && t.digits <= 6:
		n = t.num
		for p.at(next).word == "+" || p.at(next).word == "." {
			next++ // 30+ days, 3. days
		}
	case w.ones[t.word]:
		n = 1
		if quote(p.at(next).word) {
			next++ // un'ora
		}
	default: // час назад, před hodinou
		kind = w.units[t.word]
		if _, behind := w.after[p.at(next).word]; p.at(i-1).digits > 0 || !behind && w.before[p.at(i-1).word] == 0 {
			kind = 0
		}
		return 1, kind, next
	}
	if n > maxAgo {
		return 0, 0, next
	}
	return n, w.units[p.at(next).word], next + 1
}

// side says whether the span of tokens leads back or ahead.
func (p *dateParser) side(first, end int) (sign int, ok bool) {
	for i := end; i < min(end+3, len(p.toks)); i++ {
		if sign, ok = words().after[p.at(i).word]; ok {
			return sign, true
		}
	}
	for i := first - 1; i >= max(0, first-3); i-- {
		if sign, ok = words().before[p.at(i).word]; ok {
			return sign, true
		}
	}
	return 0, false
}

// addMonths adds months; where the month is shorter, it is the month's last day.
func addMonths(t time.Time, n int) time.Time {
	if n == 0 {
		return t
	}
	first := time.Date(t.Year(), t.Month(), 1, t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), t.Location()).AddDate(0, n, 0)
	day := min(t.Day(), daysIn(first.Year(), int(first.Month())))
	return first.AddDate(0, 0, day-1)
}
