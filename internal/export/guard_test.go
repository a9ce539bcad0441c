package export_test

import (
	"encoding/csv"
	"strings"
	"testing"

	"shoal"
	"shoal/internal/export"
)

func TestGuardFormulas(t *testing.T) {
	cols := export.Columns{Attributes: named("v"), Select: []string{"v", "w"}, GuardFormulas: true}
	for json, guarded := range map[string]bool{
		`"=1+1"`:                       true,
		`"=HYPERLINK(\"x\",\"y, z\")"`: true,
		`"+33 1 23 45"`:                true,
		`"-2+3+cmd|' /C calc'!A0"`:     true,
		`"@SUM(A1)"`:                   true,
		`"\t=1"`:                       true,
		`"\tx"`:                        true,
		`"\r=1"`:                       true,
		`"\n=1"`:                       true,
		`"\u003d1"`:                    true,
		`"  =1"`:                       true,
		`"\u00a0=1"`:                   true,
		`"\ufeff=1"`:                   true,
		`"\u200b@x"`:                   true,
		`"＝1"`:                         true,
		`"＋1"`:                         true,
		`"－1"`:                         true,
		`"＠x"`:                         true,
		`"-"`:                          true,
		`"--5"`:                        true,
		`"-5 %"`:                       true,
		`"1e5-"`:                       false,
		`"-e5"`:                        true,
		`"-1e"`:                        true,
		`"-5"`:                         false,
		`"+1.5e3"`:                     false,
		`"-.5"`:                        false,
		`"-5."`:                        false,
		`"+1E-10"`:                     false,
		`-5`:                           false,
		`-1.5e3`:                       false,
		`true`:                         false,
		`"a=b"`:                        false,
		`"'=1"`:                        false,
		`"\"=1\""`:                     false,
		`["=1"]`:                       false,
		`{"=":"@"}`:                    false,
		`""`:                           false,
		`" "`:                          false,
		`"é=1"`:                        false,
	} {
		plain := cols
		plain.GuardFormulas = false
		cell := func(cols export.Columns) string {
			r := csv.NewReader(strings.NewReader(write(t, shoal.FormatCSV, cols, `{"w":"end","v":`+json+`}`)))
			all, err := r.ReadAll()
			if err != nil || len(all) != 2 || all[1][1] != "end" {
				t.Fatalf("%s: %q, %v", json, all, err)
			}
			return all[1][0]
		}
		want := cell(plain)
		if guarded {
			want = "'" + want
		}
		if got := cell(cols); got != want {
			t.Errorf("%s: %q, want %q", json, got, want)
		}
	}
}

// TestGuardedHeader: the names of dotted columns come from the site.
func TestGuardedHeader(t *testing.T) {
	cols := export.Columns{Omit: export.Envelope(), GuardFormulas: true}
	if got := write(t, shoal.FormatCSV, cols, `{"=a,b":1}`); got != "\"'=a,b\"\r\n1\r\n" {
		t.Errorf("%q", got)
	}
}

func TestBOM(t *testing.T) {
	cols := export.Columns{Attributes: named("é"), Select: []string{"é"}, BOM: true}
	if got := write(t, shoal.FormatCSV, cols, `{"é":"ü"}`); got != "\ufeffé\r\nü\r\n" {
		t.Errorf("%q", got)
	}
}
