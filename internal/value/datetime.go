package value

import "time"

// clock finds the time of day and its zone among the tokens that the date left.
func (p *dateParser) clock() {
	for i := range p.toks {
		t := p.at(i)
		if t.used || t.digits == 0 || t.digits > 2 || t.num > 24 || p.at(i-1).word == ":" && !p.at(i-2).used {
			continue
		}
		end, ok := p.clockAt(i)
		if !ok {
			continue
		}
		end = p.half(i, end)
		if p.hour > 24 || p.min > 59 || p.sec > 60 || p.hour == 24 && p.min+p.sec > 0 {
			p.hour, p.min, p.sec, p.nano = 0, 0, 0, 0
			continue
		}
		p.timed = true
		p.zone(end)
		return
	}
}

// clockAt reads 14:30, 14:30:05.250, 14h30, 2 pm, 14.30 Uhr, 14時30分 at token i and returns
// the token behind it.
func (p *dateParser) clockAt(i int) (end int, ok bool) {
	w := words()
	p.hour, p.min, p.sec, p.nano = p.at(i).num, 0, 0, 0
	next, then := p.at(i+1), p.at(i+2)
	switch {
	case next.word == ":" && then.digits == 2 || next.word == "：" && then.digits == 2:
		p.min = then.num
		end = i + 3
		if (p.at(end).word == ":" || p.at(end).word == "：") && p.at(end+1).digits == 2 {
			p.sec = p.at(end + 1).num
			if end += 2; (p.at(end).word == "." || p.at(end).word == ",") && p.at(end+1).digits > 0 && !p.at(end+1).spaced {
				p.fraction(p.at(end + 1))
				end += 2
			}
		}
		return end, true
	case w.hours[next.word]:
		end = i + 2
		if then.digits > 0 && then.digits <= 2 && then.num < 60 && !(next.word == "uhr" && !w.minutes[p.at(i+3).word] && then.digits != 2) {
			p.min = then.num
			if end++; w.minutes[p.at(end).word] {
				end++
			}
			if p.at(end).digits > 0 && w.seconds[p.at(end+1).word] && p.at(end).num < 60 {
				p.sec = p.at(end).num
				end += 2
			}
		}
		return end, true
	case next.word == "." && then.digits == 2 && !then.spaced && then.num < 60 &&
		(w.clocks[p.at(i-1).word] || p.at(i-1).word == "." && w.clocks[p.at(i-2).word] || w.hours[p.at(i+3).word] || p.isHalf(i+3) || p.at(i-1).used):
		p.min = then.num
		if end = i + 3; w.hours[p.at(end).word] {
			end++
		}
		return end, true
	case p.isHalf(i+1) || p.beforeHalf(i):
		return i + 1, true
	}
	return 0, false
}

func (p *dateParser) fraction(t token) {
	scale := 1_000_000_000
	for range min(t.digits, 9) {
		scale /= 10
	}
	p.nano = t.num * scale
}

// isHalf reports whether am or pm stands at token i; "a" and "p" only with full stops.
func (p *dateParser) isHalf(i int) bool {
	word := p.at(i).word
	if word == "a" || word == "p" {
		return p.at(i+1).word == "." && p.at(i+2).word == "m"
	}
	_, ok := words().halves[word]
	return ok
}

// beforeHalf reports whether 上午 or 오후 stands before the hour at token i.
func (p *dateParser) beforeHalf(i int) bool {
	word := p.at(i - 1).word
	_, ok := words().halves[word]
	return ok && word != "" && word[0] >= 0x80
}

// half applies am and pm to the hour that was read at token i.
func (p *dateParser) half(i, end int) int {
	pm, ok := false, false
	if p.isHalf(end) {
		pm, ok = words().halves[p.at(end).word], true
		if word := p.at(end).word; word == "a" || word == "p" {
			end += 2 // a . m
		}
		if end++; p.at(end).word == "." {
			end++
		}
	} else if p.beforeHalf(i) {
		pm, ok = words().halves[p.at(i-1).word], true
	}
	if !ok || p.hour > 12 {
		return end
	}
	switch {
	case pm && p.hour < 12:
		p.hour += 12
	case !pm && p.hour == 12:
		p.hour = 0
	}
	return end
}

// zone reads the zone at token i: CET, (EST), +0200, GMT+2, +02:00.
func (p *dateParser) zone(i int) {
	for word := p.at(i).word; word == "(" || word == "," || word == "hrs" || word == "hs" || words().hours[word]; word = p.at(i).word {
		i++
	}
	if minutes, ok := words().zones[p.at(i).word]; ok {
		p.offset, p.zoned = minutes, true
		if minutes != 0 {
			return
		}
		i++
		p.signed(i, true)
		return
	}
	if base, ok := americanZones[p.at(i).word]; ok {
		p.offset, p.zoned = base, true
		if p.american() {
			p.offset += 60
		}
		return
	}
	p.signed(i, false)
}

// americanZones are the zones of the United States that are named without
// saying whether it is summer.
var americanZones = map[string]int{"et": -300, "ct": -360, "mt": -420, "pt": -480}

// american reports whether the date is in the summer time of the United States
// (Energy Policy Act of 2005: second Sunday of March to first of November).
func (p *dateParser) american() bool {
	sunday := func(month, n int) int {
		first := int(time.Date(p.year, time.Month(month), 1, 0, 0, 0, 0, time.UTC).Weekday())
		return 1 + (7-first)%7 + 7*(n-1)
	}
	switch {
	case p.month == 3:
		return p.day > sunday(3, 2) || p.day == sunday(3, 2) && p.hour >= 2
	case p.month == 11:
		return p.day < sunday(11, 1) || p.day == sunday(11, 1) && p.hour < 2
	}
	return p.month > 3 && p.month < 11
}

// signed reads a sign and an offset at token i. Behind a time without seconds,
// 10:00-12:00 is a span of time and no offset.
func (p *dateParser) signed(i int, utc bool) {
	sign, t := 1, p.at(i+1)
	switch p.at(i).word {
	case "+":
	case "-", "−":
		sign = -1
	default:
		return
	}
	if t.digits == 0 || t.spaced || t.digits == 3 || t.digits > 4 {
		return
	}
	minutes := t.num * 60
	if t.digits == 4 {
		minutes = t.num/100*60 + t.num%100
	} else if p.at(i+2).word == ":" && p.at(i+3).digits == 2 {
		if sign < 0 && !utc && p.at(i-2).word != ":" {
			return
		}
		if sign < 0 && !utc && p.at(i-4).word != ":" {
			return
		}
		minutes += p.at(i + 3).num
	} else if sign < 0 && !utc && t.digits < 2 {
		return
	}
	if minutes > 15*60 {
		return
	}
	p.offset, p.zoned = sign*minutes, true
}
