package extract

import (
	"fmt"
	"html"
	"strings"
	"testing"
	"time"

	"shoal"
)

// TestValues takes each type from the definition over a page to the row, with
// texts as pages have them, in an element and in an attribute.
func TestValues(t *testing.T) {
	for _, c := range []struct {
		field string // what the field says besides its source
		text  string
		want  string // JSON
	}{
		{"as: int", "In stock (22 available)", "22"}, {"as: int", "1,234 reviews", "1234"}, {"as: int", "12 k abonnés", "12000"}, {"as: int", "9007199254740993", "9007199254740993"}, {"as: int", "none", "null"}, {"as: int", "١٬٢٣٤", "1234"},
		{"as: float", "4,8 von 5 Sternen", "4.8"}, {"as: float", "1 234,56", "1234.56"}, {"as: float", "−5.5 °C", "-5.5"}, {"as: float", "n/a", "null"},
		{"as: money", "£51.77", "51.77"}, {"as: money", "ab 1.299 € inkl. MwSt.", "1299"}, {"as: money", "R$ 1.234,56", "1234.56"}, {"as: money", "1 990 ₽", "1990"}, {"as: money", "$10 – $20", "10"}, {"as: money", "Free", "null"}, {"as: money", "CHF 5.–", "5"}, {"as: money", "12.990 Ft", "12990"},
		{"as: currency", "£51.77", `"GBP"`}, {"as: currency", "R$ 1.234,56", `"BRL"`}, {"as: currency", "99 kr", "null"}, {"as: currency", "1,980円", `"JPY"`}, {"as: currency", "eur", `"EUR"`},
		{"as: percent", "-20 %", "-20"}, {"as: percent", "Save 5 items, 12,5% off", "12.5"},
		{"as: boolean", "Ja", "true"}, {"as: boolean", "✗", "false"}, {"as: boolean", "maybe", "null"},
		{"as: date", "2025-03-04T14:30:05+02:00", `"2025-03-04T12:30:05Z"`}, {"as: date", "mar. 4 mars 2025", `"2025-03-04T00:00:00Z"`}, {"as: date", "2025年3月4日 下午2:30", `"2025-03-04T14:30:00Z"`}, {"as: date", "4 мар. 2025 г.", `"2025-03-04T00:00:00Z"`}, {"as: date", "03/04/2025", "null"},
		{"as: date, day_first: true", "03/04/2025", `"2025-04-03T00:00:00Z"`}, {"as: date, day_first: false", "03/04/2025", `"2025-03-04T00:00:00Z"`}, {"as: date, language: en-US", "03/04/2025", `"2025-03-04T00:00:00Z"`},
		{"as: date, timezone: Europe/Berlin", "4. März 2025, 14:30 Uhr", `"2025-03-04T13:30:00Z"`}, {"as: date, timezone: Europe/Berlin", "4. März 2025", `"2025-03-04T00:00:00Z"`}, {"as: date, format: 'DD MMM YYYY'", "04 déc. 2025", `"2025-12-04T00:00:00Z"`},
		{"as: date", "vor 2 Stunden", `"2025-03-04T12:30:05Z"`}, {"as: date", "Yesterday at 9:15 AM", `"2025-03-03T09:15:00Z"`}, {"as: date", "3 days ago", `"2025-03-01T00:00:00Z"`}, {"as: date", "1741098605123", `"2025-03-04T14:30:05Z"`},
		{"as: email", "mailto:info@shop.example?subject=Hi", `"info@shop.example"`}, {"as: email", "name [at] example [dot] com", `"name@example.com"`}, {"as: email", "logo@2x.png", "null"},
		{"as: phone, region: DE", "Tel.: (030) 123 45 67", `"+49301234567"`}, {"as: phone, region: US", "212.555.0100 ext. 5", `"+12125550100"`}, {"as: phone", "tel:+49-30-1234567", `"+49301234567"`}, {"as: phone", "+49 (0)30 / 1234567", `"+49301234567"`}, {"as: phone", "030 1234567", "null"},
		{"as: country", "Deutschland", `"DE"`}, {"as: country", "San Francisco, CA, USA", `"US"`}, {"as: country", "Holland", `"NL"`}, {"as: country", "日本", `"JP"`}, {"as: country", "Atlantis", "null"},
		{"as: date, default: none", "soon", `"none"`}, {"as: money, match: 'now (.*)'", "was 20 €, now 15 €", "15"}, {"as: int, list: true", "1.2k", "[1200]"},
	} {
		for source, body := range map[string]string{
			"select: b":                `<b>` + html.EscapeString(c.text) + `</b>`,
			"select: b, attr: data-v":  `<b data-v="` + html.EscapeString(c.text) + `"></b>`,
			"xpath: '//b'":             `<b><i> ` + html.EscapeString(c.text) + "\n</i></b>",
			"select: b, attr: content": `<b content=" ` + html.EscapeString(c.text) + ` ">other</b>`,
		} {
			pl := pagesOf(t, fmt.Sprintf("  p: {rows: {key: here, fields: {here: {from: status}, v: {%s, %s}}}}\n", source, c.field), nil)
			task, req := start(t, pl, "https://example.com/")
			pg := page("https://example.com/", body)
			pg.At = time.Date(2025, 3, 4, 14, 30, 5, 0, time.UTC)
			o := read(t, pl, task, req, pg)
			if got := valueOf(o.Rows); got != c.want {
				t.Errorf("{%s, %s} of %q = %s; want %s", source, c.field, c.text, got, c.want)
			}
		}
	}
}

// valueOf is the field v of the only row.
func valueOf(rows []shoal.Row) string {
	if len(rows) != 1 {
		return fmt.Sprintf("%d rows", len(rows))
	}
	_, v, _ := strings.Cut(string(rows[0].Data), `"v":`)
	return strings.TrimSuffix(v, "}")
}
