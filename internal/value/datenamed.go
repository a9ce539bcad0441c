package value

// named finds dates with a month's name, in any order: 4 March 2025, Mar. 4th,
// 2025, 4 de marzo de 2025, 2025. március 4., Mon Jan 2 15:04:05 2006.
func (p *dateParser) named() bool {
	best, bestFrom, bestTo, bestRank := ymd{}, 0, 0, 0
	for i := range p.toks {
		if p.toks[i].digits > 0 {
			continue
		}
		word := p.toks[i].word
		month := words().month(word, p.o.Language)
		if month == 0 {
			continue
		}
		if _, unit := words().units[p.at(i-1).word]; unit && word == "ago" {
			continue // "an hour ago" is not August
		}
		d, from, to := p.around(i)
		d.month = month
		rank := dateRank(d)
		if rank == 0 {
			continue
		}
		if rank *= 2; word == "mar" {
			rank-- // also a Tuesday, in four languages
		}
		if rank > bestRank {
			best, bestFrom, bestTo, bestRank = d, from, to, rank
		}
	}
	switch {
	case bestRank == 0:
		return false
	case best.year == 0:
		if !p.nearest(best.month, best.day) {
			return false
		}
		p.use(bestFrom, bestTo)
		return true
	case best.day == 0:
		best.day = 1
	}
	return p.take(best, bestFrom, bestTo)
}

// dateRank orders what was found by how much of a date it is; 0: none.
func dateRank(d ymd) int {
	switch {
	case d.year > 0 && d.day > 0:
		if !d.valid() {
			return 0
		}
		return 3
	case d.year > 0:
		return 2
	case d.day > 0:
		return 1
	}
	return 0
}

// around looks for the day and the year beside the month at token i.
func (p *dateParser) around(i int) (d ymd, from, to int) {
	from, to = i, i
	if j := p.skip(i-1, -1); isDay(p.at(j)) && !p.inClock(j) {
		d.day, from = p.at(j).num, j
		k := j - 1 // 4.–6. March: the first day
		if dateSeparator(p.at(k).word) == '-' {
			if k--; p.at(k).word == "." {
				k--
			}
			if isDay(p.at(k)) && !p.inClock(k) {
				d.day, from = p.at(k).num, k
			}
		}
	} else if isYear(p.at(j)) {
		d.year, from = p.at(j).num, j
	}
	j := p.skip(i+1, 1)
	next := p.at(j)
	switch {
	case d.year == 0 && isYear(next):
		d.year, to = next.num, j
	case d.day == 0 && isDay(next) && !p.isClock(j):
		d.day, to = next.num, j
		if k := p.skip(j+1, 1); d.year == 0 && isYear(p.at(k)) {
			d.year, to = p.at(k).num, k
		} else if d.year == 0 && p.at(k).digits == 2 && quote(p.at(k-1).word) {
			d.year, to = fullYear(p.at(k).num), k
		}
	case d.day > 0 && d.year == 0 && next.digits == 2 && !p.isClock(j):
		d.year, to = fullYear(next.num), j
	}
	if d.day > 0 && d.year == 0 {
		d.year = p.farYear()
	}
	d.month = 1
	return d, from, to
}

// skip steps over what may stand between the parts of a date.
func (p *dateParser) skip(i, step int) int {
	for range 4 {
		if t := p.at(i); t.digits > 0 || t.word == "" || !words().between[t.word] {
			break
		}
		i += step
	}
	return i
}

func isDay(t token) bool {
	return t.digits > 0 && t.digits <= 2 && t.num >= 1 && t.num <= 31
}

func isYear(t token) bool { return t.digits == 4 && t.num >= 1000 && t.num < 3000 }

func quote(sign string) bool { return sign == "'" || sign == "’" || sign == "‘" }

// isClock reports whether the number at token i begins a time of day.
func (p *dateParser) isClock(i int) bool {
	next := p.at(i + 1)
	if next.word == ":" && p.at(i+2).digits == 2 && !p.at(i+2).spaced {
		return true
	}
	_, half := words().halves[next.word]
	return half && next.word != "a" && next.word != "p" || words().hours[next.word] || (next.word == "a" || next.word == "p") && p.at(i+2).word == "."
}

// inClock reports whether the number at token i ends a time of day.
func (p *dateParser) inClock(i int) bool {
	return p.at(i-1).word == ":" && !p.at(i).spaced && p.at(i-2).digits > 0
}

// farYear finds a year that stands apart, as in Unix dates.
func (p *dateParser) farYear() int {
	for i := range p.toks {
		t := p.toks[i]
		if !isYear(t) || t.num < 1900 || t.num > 2199 {
			continue
		}
		if before := p.at(i - 1); !t.spaced && (before.word == "+" || before.word == "-" || before.word == ":" || before.word == "−") {
			continue
		}
		p.toks[i].used = true
		return t.num
	}
	return 0
}

// eastern finds dates whose numbers are followed by what they count
// (2025年3月4日, 2025년 3월 4일) or, in Vietnamese, preceded by it.
func (p *dateParser) eastern() bool {
	var d ymd
	last := -1
	for i := range p.toks {
		t := p.toks[i]
		mark := words().parts[p.at(i+1).word]
		if t.digits == 0 {
			if t.word == "元" && mark == 'y' && p.era(i) > 0 {
				d.year, last = p.era(i)+1, i+1
			}
			continue
		}
		if mark == 0 {
			if mark = words().prefixed[p.at(i-1).word]; mark == 0 {
				continue
			}
		}
		switch {
		case mark == 'y' && d.year == 0:
			d.year = t.num
			if era := p.era(i); era > 0 {
				d.year += era
			} else if t.digits == 2 {
				d.year = fullYear(t.num)
			}
		case mark == 'm' && d.month == 0 && t.digits <= 2:
			d.month = t.num
		case mark == 'd' && d.day == 0 && d.month > 0 || mark == 'd' && words().prefixed[p.at(i-1).word] == 'd' && t.digits <= 2:
			d.day = t.num
		default:
			continue
		}
		p.toks[i].used = true
		last = i
	}
	switch {
	case last < 0 || d.month == 0:
		return false
	case d.year == 0:
		return d.day > 0 && p.nearest(d.month, d.day)
	case d.day == 0:
		d.day = 1
	}
	return p.take(d, last, last)
}

// era returns the year before the first one of the era named before token i.
func (p *dateParser) era(i int) int {
	switch p.at(i - 1).word {
	case "令和":
		return 2018
	case "平成":
		return 1988
	case "昭和":
		return 1925
	case "民國", "民国":
		return 1911
	}
	return 0
}
