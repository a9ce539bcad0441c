// Command gen writes the tables of package value: names of countries from the
// Unicode CLDR and numbering plans from libphonenumber's metadata. It is a
// module of its own, so that the libraries that carry them are no part of
// Shoal. Run it in its directory: go run .
package main

import (
	"fmt"
	"log"
	"os"
	"slices"
	"sort"
	"strings"

	"github.com/nyaruka/phonenumbers"
	"golang.org/x/text/language"
	"golang.org/x/text/language/display"
)

const languages = "en de fr es it pt nl pl ru cs sk sv da nb fi tr hu ro uk bg el hr sr sl lt lv et ca id vi th ar he fa hi ja ko zh zh-Hant"

// withdrawn are codes that ISO 3166 has taken back; the CLDR keeps them.
const withdrawn = "AN BU CS CT DD DY FQ FX HV JT MI NH NQ NT PC PU PZ QU RH SU TP UK VD WK YD YU ZR"

func main() {
	if err := countries(); err != nil {
		log.Fatal(err)
	}
	if err := phones(); err != nil {
		log.Fatal(err)
	}
}

// countries writes a line for each region: alpha-2, alpha-3 and the names.
func countries() error {
	var b strings.Builder
	for x := 'A'; x <= 'Z'; x++ {
		for y := 'A'; y <= 'Z'; y++ {
			code := string(x) + string(y)
			r, err := language.ParseRegion(code)
			if err != nil || !r.IsCountry() || r.String() != code || r.ISO3() == "ZZZ" || strings.Contains(withdrawn, code) || code == "EU" || code == "QO" || code == "ZZ" || code == "UN" || code == "EZ" || code == "AC" || code == "CP" || code == "DG" || code == "EA" || code == "IC" || code == "TA" || code == "XA" || code == "XB" || code == "AN" {
				continue
			}
			var names []string
			for tag := range strings.FieldsSeq(languages) {
				name := display.Regions(language.MustParse(tag)).Name(r)
				if name != "" && name != code && !slices.Contains(names, name) {
					names = append(names, name)
				}
			}
			fmt.Fprintf(&b, "%s\t%s\t%s\n", code, r.ISO3(), strings.Join(names, "\t"))
		}
	}
	return os.WriteFile("../countries.txt", []byte(b.String()), 0o644)
}

// phones writes a line for each region: code, calling code, whether it is the
// calling code's main region, the possible lengths, the international and the
// national prefix, the rule that transforms the latter, the leading digits, the
// general pattern and the pattern of numbers that are assigned. And an example
// of each region's numbers for the tests.
func phones() error {
	all, err := phonenumbers.MetadataCollection()
	if err != nil {
		return err
	}
	var lines, examples []string
	for _, m := range all.GetMetadata() {
		if m.GetId() == "001" {
			continue
		}
		lengths := []string{}
		for _, n := range m.GetGeneralDesc().GetPossibleLength() {
			lengths = append(lengths, fmt.Sprint(n))
		}
		var assigned []string
		for _, d := range []*phonenumbers.PhoneNumberDesc{m.GetFixedLine(), m.GetMobile(), m.GetTollFree(), m.GetPremiumRate(), m.GetSharedCost(), m.GetVoip(), m.GetPersonalNumber(), m.GetUan(), m.GetPager()} {
			if p := squeeze(d.GetNationalNumberPattern()); p != "" && p != "NA" && !slices.Contains(assigned, p) {
				assigned = append(assigned, p)
			}
		}
		main := "0"
		if phonenumbers.GetRegionCodeForCountryCode(int(m.GetCountryCode())) == m.GetId() {
			main = "1"
		}
		lines = append(lines, strings.Join([]string{m.GetId(), fmt.Sprint(m.GetCountryCode()), main, strings.Join(lengths, ","), squeeze(m.GetInternationalPrefix()),
			squeeze(m.GetNationalPrefixForParsing()), m.GetNationalPrefixTransformRule(), squeeze(m.GetLeadingDigits()), squeeze(m.GetGeneralDesc().GetNationalNumberPattern()), strings.Join(assigned, "|")}, "\t"))
		for _, typ := range []phonenumbers.PhoneNumberType{phonenumbers.FIXED_LINE, phonenumbers.MOBILE, phonenumbers.TOLL_FREE} {
			n := phonenumbers.GetExampleNumberForType(m.GetId(), typ)
			if n == nil || !phonenumbers.IsValidNumber(n) {
				continue
			}
			e164 := phonenumbers.Format(n, phonenumbers.E164)
			if again, err := phonenumbers.Parse(phonenumbers.Format(n, phonenumbers.NATIONAL), m.GetId()); err != nil || phonenumbers.Format(again, phonenumbers.E164) != e164 {
				continue
			}
			examples = append(examples, strings.Join([]string{m.GetId(), e164, phonenumbers.Format(n, phonenumbers.NATIONAL),
				phonenumbers.Format(n, phonenumbers.INTERNATIONAL), phonenumbers.Format(n, phonenumbers.RFC3966)}, "\t"))
		}
	}
	sort.Strings(lines)
	sort.Strings(examples)
	if err := os.WriteFile("../phones.txt", []byte(strings.Join(lines, "\n")+"\n"), 0o644); err != nil {
		return err
	}
	return os.WriteFile("../testdata/phones.txt", []byte(strings.Join(slices.Compact(examples), "\n")+"\n"), 0o644)
}

func squeeze(pattern string) string { return strings.Join(strings.Fields(pattern), "") }
