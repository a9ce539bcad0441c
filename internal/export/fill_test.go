package export_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"shoal"
	"shoal/internal/export"
)

// TestFillCountsEveryKindOfValue: numbers and booleans fill a field as texts do.
func TestFillCountsEveryKindOfValue(t *testing.T) {
	var fill export.Fill
	cols := export.Columns{Attributes: named("text", "number", "yes", "list", "nested", "empty", "none"), Fill: &fill}
	write(t, shoal.FormatCSV, cols,
		`{"text":"a","number":0,"yes":false,"list":[1],"nested":{"a":1},"empty":"","none":null}`,
		`{"text":"\n","number":-1.5,"yes":true,"list":[],"nested":{}}`,
		`{}`)
	want := export.Fill{Rows: 3, Fields: map[string]int64{"text": 2, "number": 2, "yes": 2, "list": 1, "nested": 1, "empty": 0, "none": 0}}
	if diff := cmp.Diff(want, fill); diff != "" {
		t.Error(diff)
	}
}
