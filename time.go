package shoal

import "time"

// TimeLayout is how times appear on the wire: UTC, microseconds, no zone.
const TimeLayout = "2006-01-02T15:04:05.000000"

// AppendTime appends t to b in TimeLayout, without quotes and without
// allocating. Years outside 0..9999 are not representable and come out cut.
func AppendTime(b []byte, t time.Time) []byte {
	t = t.UTC()
	year, month, day := t.Date()
	hour, minute, second := t.Clock()
	micro := t.Nanosecond() / 1000
	return append(b,
		digit(year/1000), digit(year/100), digit(year/10), digit(year), '-',
		digit(int(month)/10), digit(int(month)), '-',
		digit(day/10), digit(day), 'T',
		digit(hour/10), digit(hour), ':',
		digit(minute/10), digit(minute), ':',
		digit(second/10), digit(second), '.',
		digit(micro/100000), digit(micro/10000), digit(micro/1000),
		digit(micro/100), digit(micro/10), digit(micro))
}

func digit(n int) byte { return byte('0' + n%10) }
