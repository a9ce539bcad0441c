package value

import (
	"testing"
	"time"
)

// The forms that most pages have, and the loop over layouts that read them
// before this package: BenchmarkLayouts is what BenchmarkDate is to beat.
var isoForms = []string{"2025-03-04T14:30:05Z", "2025-03-04T14:30:05+02:00", "2025-03-04 14:30:05", "2025-03-04"}

var oldLayouts = []string{
	time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02T15:04Z07:00", "2006-01-02T15:04", "2006-01-02 15:04:05 -0700",
	"2006-01-02 15:04:05Z07:00", "2006-01-02 15:04:05", "2006-01-02 15:04", "2006-01-02",
}

func BenchmarkLayouts(b *testing.B) {
	b.ReportAllocs()
	for i := range b.N {
		for _, layout := range oldLayouts {
			if _, err := time.Parse(layout, isoForms[i%len(isoForms)]); err == nil {
				break
			}
		}
	}
}

func BenchmarkDate(b *testing.B) {
	for name, forms := range map[string][]string{"iso": isoForms, "rfc": {"Tue, 04 Mar 2025 14:30:05 GMT"}, "named": {"4. März 2025, 14:30 Uhr", "March 4, 2025"}, "numeric": {"04.03.2025"}} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for i := range b.N {
				if _, _, ok := Date(forms[i%len(forms)], DateOptions{}); !ok {
					b.Fatal("not read")
				}
			}
		})
	}
}

func BenchmarkNumber(b *testing.B) {
	b.ReportAllocs()
	for range b.N {
		Number("1.234,56")
	}
}

func BenchmarkMoney(b *testing.B) {
	b.ReportAllocs()
	for range b.N {
		Money("£51.77")
	}
}

func BenchmarkPhone(b *testing.B) {
	b.ReportAllocs()
	for range b.N {
		Phone("030 1234567", "DE")
	}
}

func BenchmarkCountry(b *testing.B) {
	b.ReportAllocs()
	for range b.N {
		Country("Deutschland")
	}
}
