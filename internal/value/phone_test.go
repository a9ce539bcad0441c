package value

import (
	_ "embed"
	"strings"
	"testing"
)

// Examples of each region's numbers in four forms, as libphonenumber writes
// them; gen makes them.
//
//go:embed testdata/phones.txt
var phoneExamples string

func TestPhoneExamples(t *testing.T) {
	lines := strings.Split(strings.TrimSpace(phoneExamples), "\n")
	if len(lines) < 500 {
		t.Fatalf("only %d examples", len(lines))
	}
	for _, line := range lines {
		f := strings.Split(line, "\t")
		region, want := f[0], f[1]
		for _, form := range f[1:] {
			if got, ok := Phone(form, region); !ok || got != want {
				t.Errorf("Phone(%q, %s) = %q, %v; want %q", form, region, got, ok, want)
			}
		}
		for _, form := range []string{f[1], f[3], f[4]} {
			if got, ok := Phone(form, ""); !ok || got != want {
				t.Errorf("Phone(%q) = %q, %v; want %q", form, got, ok, want)
			}
		}
	}
}

func TestPhone(t *testing.T) {
	for _, c := range []struct{ in, region, want string }{
		{"+49 30 1234567", "", "+49301234567"}, {"+49 (0)30 1234567", "", "+49301234567"}, {"+49 (0) 30 / 12 34 567", "", "+49301234567"}, {"0049 30 1234567", "", "+49301234567"}, {"0049-30-1234567", "DE", "+49301234567"}, {"030 1234567", "DE", "+49301234567"}, {"(030) 123 45 67", "DE", "+49301234567"}, {"030/1234567", "de", "+49301234567"}, {"Tel.: 030 - 123 45-67", "DE", "+49301234567"},
		{"tel:+4930-1234567", "", "+49301234567"}, {"tel:030%201234567", "DE", "+49301234567"}, {"+49.30.1234567", "", "+49301234567"}, {"＋４９ ３０ １２３４５６７", "", "+49301234567"}, {"+49 030 1234567", "", "+49301234567"}, {"49 30 1234567", "DE", "+49301234567"},
		{"(212) 555-0100", "US", "+12125550100"}, {"212-555-0100", "US", "+12125550100"}, {"212.555.0100", "US", "+12125550100"}, {"1 (212) 555-0100", "US", "+12125550100"}, {"+1 212-555-0100 ext. 12", "", "+12125550100"}, {"212-555-0100 x12", "US", "+12125550100"}, {"(555) 123-4567", "US", "+15551234567"}, {"1-800-356-9377", "US", "+18003569377"}, {"011 49 30 1234567", "US", "+49301234567"}, {"416-555-0123", "CA", "+14165550123"},
		{"020 7946 0958", "GB", "+442079460958"}, {"+44 (0)20 7946 0958", "", "+442079460958"}, {"07700 900123", "GB", "+447700900123"}, {"01 23 45 67 89", "FR", "+33123456789"}, {"+33 (0)1 23 45 67 89", "", "+33123456789"}, {"06.12.34.56.78", "FR", "+33612345678"}, {"06 1234 5678", "IT", "+390612345678"}, {"+39 (0)6 1234 5678", "", "+390612345678"}, {"912 345 678", "ES", "+34912345678"},
		{"03-1234-5678", "JP", "+81312345678"}, {"090-1234-5678", "JP", "+819012345678"}, {"+81 3-1234-5678", "", "+81312345678"}, {"010-1234-5678", "KR", "+821012345678"}, {"138 0013 8000", "CN", "+8613800138000"}, {"098765 43210", "IN", "+919876543210"}, {"+91 98765-43210", "", "+919876543210"}, {"(11) 91234-5678", "BR", "+5511912345678"}, {"0 11 91234-5678", "BR", "+5511912345678"}, {"8 (495) 123-45-67", "RU", "+74951234567"}, {"+7 495 123-45-67", "", "+74951234567"},
		{"011 15-2345-6789", "AR", "+5491123456789"}, {"55 1234 5678", "MX", "+525512345678"}, {"04 123 4567", "AE", "+97141234567"}, {"08-123 456 78", "SE", "+46812345678"}, {"22 12 34 56", "NO", "+4722123456"}, {"044 668 18 00", "CH", "+41446681800"}, {"01 234 56 78", "AT", "+4312345678"}, {"22 123 45 67", "PL", "+48221234567"}, {"tel:1234567;phone-context=+4930", "", "+49301234567"}, {"+1 212-555-0100, +1 212-555-0199", "", "+12125550100"}, {"Room 5: 212-555-0100", "US", "+12125550100"}, {"٠٤ ١٢٣ ٤٥٦٧", "AE", "+97141234567"}, {"02 9876 5432", "AU", "+61298765432"},
	} {
		if got, ok := Phone(c.in, c.region); !ok || got != c.want {
			t.Errorf("Phone(%q, %s) = %q, %v; want %q", c.in, c.region, got, ok, c.want)
		}
	}
	for _, c := range []struct{ in, region string }{{"", "DE"}, {"call us", "US"}, {"12345", "US"}, {"030 1234567", ""}, {"+999 123456789", ""}, {"212-555-010", "US"}, {"+1 212", ""}, {"2025-03-04", "US"}, {"123", "XX"}, {"+49", ""}} {
		if got, ok := Phone(c.in, c.region); ok {
			t.Errorf("Phone(%q, %s) = %q; want none", c.in, c.region, got)
		}
	}
}

func TestPhones(t *testing.T) {
	for _, c := range []struct{ in, region, want string }{
		{"Call (212) 555-0100 or 212.555.0199, fax +1 212 555 0101.", "US", "+12125550100 +12125550199 +12125550101"}, {"Tel. 030 1234567\nFax 030 1234568", "DE", "+49301234567 +49301234568"}, {"Phone: 2125550100", "US", "+12125550100"}, {"+49 30 1234567, +49 30 1234567", "", "+49301234567"},
		{"Berlin +49 (0)30 1234567 – London +44 20 7946 0958", "", "+49301234567 +442079460958"}, {"Tel: 01 23 45 67 89 / 06 12 34 56 78", "FR", "+33123456789 +33612345678"}, {"電話 03-1234-5678", "JP", "+81312345678"}, {"212-555-0100 ext. 5", "US", "+12125550100"},
		{"Order 2125550100 of 2025-03-04 for $2,125,550.10 from 192.168.100.100", "US", ""}, {"ISBN 978-3-16-148410-0", "DE", ""}, {"04.03.2025 14:30, 01.02.2024–03.04.2024", "DE", ""}, {"2019-2021", "NO", ""}, {"Version 10.0.19045.2965", "US", ""}, {"52.520008, 13.404954", "DE", ""}, {"© 2001-2025", "US", ""}, {"1.234.567,89 €", "DE", ""}, {"4111 1111 1111 1111", "US", ""}, {"12 345 678 EUR", "DE", ""}, {"item/212-555-0100", "US", ""}, {"id=2125550100&x", "US", ""}, {"100 000 000", "US", ""}, {"#212-555-0100", "US", ""}, {"sku AB212-555-0100", "US", ""},
	} {
		if got := strings.Join(Phones(c.in, c.region), " "); got != c.want {
			t.Errorf("Phones(%q, %s) = %q; want %q", c.in, c.region, got, c.want)
		}
	}
}

func TestCountry(t *testing.T) {
	for in, want := range map[string]string{
		"Germany": "DE", "germany": "DE", "DEUTSCHLAND": "DE", "Allemagne": "DE", "Alemania": "DE", "Germania": "DE", "Alemanha": "DE", "Duitsland": "DE", "Niemcy": "DE", "Германия": "DE", "Německo": "DE", "Tyskland": "DE", "Saksa": "DE", "Almanya": "DE", "ドイツ": "DE", "德国": "DE", "독일": "DE", "DE": "DE", "DEU": "DE", "de": "DE", "🇩🇪": "DE", "🇩🇪 Germany": "DE", "Federal Republic of Germany": "DE",
		"USA": "US", "U.S.A.": "US", "U.S.": "US", "US": "US", "United States": "US", "United States of America": "US", "the United States": "US", "États-Unis": "US", "Etats-Unis": "US", "Vereinigte Staaten": "US", "Estados Unidos": "US", "EE. UU.": "US", "EUA": "US", "США": "US", "アメリカ合衆国": "US", "美国": "US", "Stati Uniti": "US",
		"UK": "GB", "U.K.": "GB", "Great Britain": "GB", "England": "GB", "Scotland": "GB", "United Kingdom": "GB", "Großbritannien": "GB", "Reino Unido": "GB", "Holland": "NL", "The Netherlands": "NL", "Netherlands": "NL", "Pays-Bas": "NL", "Países Bajos": "NL", "South Korea": "KR", "Republic of Korea": "KR", "Korea, Republic of": "KR", "North Korea": "KP", "Russia": "RU", "Russian Federation": "RU", "Czech Republic": "CZ", "Czechia": "CZ",
		"Ivory Coast": "CI", "Côte d’Ivoire": "CI", "Cote d'Ivoire": "CI", "Türkiye": "TR", "Turkey": "TR", "Viet Nam": "VN", "Hong Kong": "HK", "Taiwan": "TW", "PRC": "CN", "China": "CN", "DR Congo": "CD", "Congo": "CG", "Brasil": "BR", "España": "ES", "Espana": "ES", "Österreich": "AT", "Osterreich": "AT", "Schweiz": "CH", "Suisse": "CH", "Kosovo": "XK", "UAE": "AE", "Curaçao": "CW", "Réunion": "RE", "Saint Lucia": "LC", "St. Lucia": "LC", "Trinidad & Tobago": "TT", "Bosnia and Herzegovina": "BA", "Georgia": "GE",
		"Berlin, Germany": "DE", "Paris (France)": "FR", "Germany (DE)": "DE", "San Francisco, CA, USA": "US", "Kingdom of Spain": "ES", "Italia": "IT", "日本": "JP", "Japon": "JP", "भारत": "IN", "مصر": "EG", "Ελλάδα": "GR", "ישראל": "IL", "ไทย": "TH", "Nederland": "NL", "Polska": "PL", "Українa": "",
		"": "", "Atlantis": "", "Berlin": "", "XX": "", "hello world": "", "12": "", "Europe": "", "-": "",
	} {
		if got, ok := Country(in); got != want || ok != (want != "") {
			t.Errorf("Country(%q) = %q, %v; want %q", in, got, ok, want)
		}
	}
	for line := range strings.SplitSeq(strings.TrimSpace(countriesText), "\n") {
		f := strings.Split(line, "\t")
		for _, name := range f {
			if name == "Nga" { // Russia in Vietnamese, but Nigeria's code
				continue
			}
			if got, ok := Country(name); !ok || got != f[0] {
				t.Errorf("Country(%q) = %q; want %s", name, got, f[0])
			}
		}
	}
}
