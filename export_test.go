package shoal

import (
	"strings"
	"testing"
)

func TestExportFormTakesOnlyOptionsOfItsFormat(t *testing.T) {
	for _, c := range []struct {
		form  ExportForm
		param string // of the refusal, empty: taken
	}{
		{ExportForm{Format: FormatCSV}, ""},
		{ExportForm{Format: FormatCSV, BOM: true, GuardFormulas: true, Dotted: true, Fields: []string{"a"}, Omit: []string{"b"}}, ""},
		{ExportForm{Format: FormatXLSX, Dotted: true}, ""},
		{ExportForm{Format: FormatParquet, Dotted: true}, ""},
		{ExportForm{Format: FormatJSON, Fields: []string{"a"}}, ""},
		{ExportForm{}, "format"},
		{ExportForm{Format: "CSV"}, "format"},
		{ExportForm{Format: "pdf"}, "format"},
		{ExportForm{Format: FormatXLSX, BOM: true}, "bom"},
		{ExportForm{Format: FormatJSONL, BOM: true}, "bom"},
		{ExportForm{Format: FormatXLSX, GuardFormulas: true}, "guard_formulas"},
		{ExportForm{Format: FormatParquet, GuardFormulas: true}, "guard_formulas"},
		{ExportForm{Format: FormatJSON, Dotted: true}, "dotted"},
		{ExportForm{Format: FormatJSONL, Dotted: true}, "dotted"},
		{ExportForm{Format: FormatCSV, Fields: []string{"a", ""}}, "fields"},
		{ExportForm{Format: FormatCSV, Omit: []string{""}}, "omit"},
	} {
		err := c.form.Validate()
		if c.param == "" {
			if err != nil {
				t.Errorf("%+v is refused: %v", c.form, err)
			}
			continue
		}
		e, ok := err.(*Error)
		if !ok || e.Kind != KindInvalid || e.Param != c.param {
			t.Errorf("%+v: %v, want a refusal of %s", c.form, err, c.param)
		}
	}
	long := ExportForm{Format: Format(strings.Repeat("x", 1000))}
	if err := long.Validate(); len(err.Error()) > 300 {
		t.Errorf("a long format is repeated whole: %d characters", len(err.Error()))
	}
}

func TestVariantIsOneForOneForm(t *testing.T) {
	plain := ExportForm{Format: FormatXLSX}
	if !plain.Plain() || plain.Variant() != "" {
		t.Errorf("the plain form is %q", plain.Variant())
	}
	a := ExportForm{Format: FormatCSV, Omit: []string{"a", "b", "a"}}
	b := ExportForm{Format: FormatCSV, Omit: []string{"b", "a"}}
	if a.Variant() != b.Variant() || a.Variant() == "" {
		t.Errorf("the order of what is left out makes a difference: %q, %q", a.Variant(), b.Variant())
	}
	seen := map[string]ExportForm{a.Variant(): a}
	for _, f := range []ExportForm{
		{Format: FormatCSV, Fields: []string{"a", "b"}}, {Format: FormatCSV, Fields: []string{"b", "a"}},
		{Format: FormatCSV, BOM: true}, {Format: FormatCSV, GuardFormulas: true}, {Format: FormatCSV, Dotted: true},
	} {
		if other, twice := seen[f.Variant()]; twice {
			t.Errorf("%+v and %+v have one variant", f, other)
		}
		seen[f.Variant()] = f
	}
}
