package export_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/xuri/excelize/v2"

	"shoal"
	"shoal/internal/export"
)

// records writes CSV and reads it back.
func records(t *testing.T, cols export.Columns, data ...string) [][]string {
	t.Helper()
	all, err := csv.NewReader(strings.NewReader(write(t, shoal.FormatCSV, cols, data...))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestDottedColumns(t *testing.T) {
	for name, c := range map[string]struct {
		rows []string
		want [][]string
	}{
		"each member has a column, where it was first seen": {
			[]string{`{"a":{"x":1,"y":{"z":"s"}},"b":2}`, `{"a":{"w":true,"y":{"v":null}}}`},
			[][]string{{"a.x", "a.y.z", "a.y.v", "a.w", "b"}, {"1", "s", "", "", "2"}, {"", "", "", "true", ""}},
		},
		"arrays stay JSON": {
			[]string{`{"a":{"x":[{"y":1}]},"b":[1,{"c":2}]}`},
			[][]string{{"a.x", "b"}, {`[{"y":1}]`, `[1,{"c":2}]`}},
		},
		"what is not always an object has both": {
			[]string{`{"a":{"x":1}}`, `{"a":"text"}`, `{"a":[1]}`, `{"a":{}}`, `{"a":null}`, `{}`},
			[][]string{{"a", "a.x", "b"}, {"", "1", ""}, {"text", "", ""}, {"[1]", "", ""}, {"{}", "", ""}, {"", "", ""}, {"", "", ""}},
		},
		"null alone is no reason for a column": {
			[]string{`{"a":null}`, `{"a":{"x":1}}`},
			[][]string{{"a.x", "b"}, {"", ""}, {"1", ""}},
		},
		"a field that no row has keeps its column": {
			[]string{`{}`}, [][]string{{"a", "b"}, {"", ""}},
		},
		"no rows": {nil, [][]string{{"a", "b"}}},
		"a name with a dot in it would be taken for another's": {
			[]string{`{"a":{"x":{"y.z":1}},"b":{"y":{"z":2}}}`, `{"a":{"x":{"y":{"z":3}}}}`},
			[][]string{{"a.x", "b.y.z"}, {`{"y.z":1}`, "2"}, {`{"y":{"z":3}}`, ""}},
		},
		"an empty name": {
			[]string{`{"a":{"":1}}`}, [][]string{{"a", "b"}, {`{"":1}`, ""}},
		},
		"names are what they say, not how they are written": {
			[]string{`{"a":{"caf\u00e9":1,"q\"":2}}`, `{"a":{"café":3}}`, `{"\u0061":{"café":4}}`},
			[][]string{{"a.café", `a.q"`, "b"}, {"1", "2", ""}, {"3", "", ""}, {"4", "", ""}},
		},
		"of members with one name the last counts": {
			[]string{`{"a":{"x":1,"z":2},"a":{"x":{"y":3}},"b":1,"b":2}`, `{"a":{"x":1},"a":null}`, `{"a":{"x":1},"a":5}`},
			[][]string{{"a", "a.x", "a.x.y", "a.z", "b"}, {"", "", "3", "", "2"}, {"", "", "", "", ""}, {"5", "", "", "", ""}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			cols := export.Columns{Attributes: named("a", "b"), Omit: export.Envelope(), Dotted: true}
			if diff := cmp.Diff(c.want, records(t, cols, c.rows...)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestDottedKeepsMapsAsJSON: objects with more members than columns could be,
// too deep or with names too long are one column, whole.
func TestDottedKeepsMapsAsJSON(t *testing.T) {
	object := func(from, to int) string {
		var b strings.Builder
		for i := from; i < to; i++ {
			fmt.Fprintf(&b, `,"k%d":%d`, i, i)
		}
		return "{" + b.String()[1:] + "}"
	}
	deep := strings.Repeat(`{"d":`, 10_000) + "1" + strings.Repeat("}", 10_000)
	cols := export.Columns{Attributes: named("a"), Select: []string{"a", "run"}, Dotted: true}
	for name, c := range map[string]struct{ header, values []string }{
		"100 members": {nil, []string{object(0, 100)}},
		"101 members": {[]string{"a", "run"}, []string{object(0, 101)}},
		"101 members of all rows": {
			[]string{"a", "run"}, []string{object(0, 50), object(50, 101)}},
		"within": {[]string{"a.m", "a.n", "run"}, []string{`{"m":` + object(0, 101) + `,"n":1}`}},
		"deep":   {[]string{"a.d.d.d.d.d.d.d.d", "run"}, []string{deep}},
		"long":   {[]string{"a", "run"}, []string{`{"` + strings.Repeat("n", 101) + `":1}`}},
	} {
		t.Run(name, func(t *testing.T) {
			data := make([]string, len(c.values))
			for i, v := range c.values {
				data[i] = `{"a":` + v + `}`
			}
			got := records(t, cols, data...)
			if c.header == nil {
				if len(got[0]) != 101 || got[1][99] != "99" {
					t.Errorf("%d columns", len(got[0]))
				}
				return
			}
			if !slices.Equal(got[0], c.header) {
				t.Fatalf("header %q, want %q", got[0], c.header)
			}
			if c.header[0] == "a" {
				for i, v := range c.values {
					if got[i+1][0] != v {
						t.Errorf("row %d: %.60q", i, got[i+1][0])
					}
				}
			}
		})
	}
}

// TestDottedColumnsAreBounded: fields of many members each do not make a table
// of many thousands of columns.
func TestDottedColumnsAreBounded(t *testing.T) {
	names := make([]string, 40)
	var row strings.Builder
	for i := range names {
		names[i] = fmt.Sprint("f", i)
		fmt.Fprintf(&row, `,"f%d":{`, i)
		for j := range 99 {
			fmt.Fprintf(&row, `"k%d":%d,`, j, i*j)
		}
		row.WriteString(`"last":0}`)
	}
	got := records(t, export.Columns{Attributes: named(names...), Omit: export.Envelope(), Dotted: true}, "{"+row.String()[1:]+"}")
	if n := len(got[0]); n != 2000+20 {
		t.Errorf("%d columns, want 20 fields of 100 members and 20 of JSON", n)
	}
	if !json.Valid([]byte(got[1][2019])) || got[0][2019] != "f39" {
		t.Errorf("the last column is %s: %.40q", got[0][2019], got[1][2019])
	}
}

func TestDottedXLSX(t *testing.T) {
	cols := export.Columns{Attributes: named("a"), Select: []string{"a"}, Dotted: true}
	f := workbook(t, []byte(write(t, shoal.FormatXLSX, cols, `{"a":{"n":1.5,"s":"=x"}}`)))
	got, err := f.GetRows("Results", excelize.Options{RawCellValue: true})
	if diff := cmp.Diff([][]string{{"a.n", "a.s"}, {"1.5", "=x"}}, got); diff != "" || err != nil {
		t.Error(diff, err)
	}
}

func TestDottedParquetFindsTypes(t *testing.T) {
	attributes := []shoal.Attribute{{Name: "a", Type: shoal.AttrJSON}}
	cols := export.Columns{Attributes: attributes, Omit: export.Envelope(), Dotted: true}
	f, _, rows := parquetRows(t, write(t, shoal.FormatParquet, cols,
		`{"a":{"int":1,"real":1,"wide":9007199254740993,"mixed":1,"text":"x","yes":true,"list":[1],"none":null,"big":1e400,"x\"y":1}}`,
		`{"a":{"int":-2,"real":2.5,"wide":1.5,"mixed":"x","text":"","yes":null}}`, `{"a":[1]}`))
	want := `message results {
	optional binary a (JSON);
	optional int64 a.int (INT(64,true));
	optional double a.real;
	optional binary a.wide (JSON);
	optional binary a.mixed (JSON);
	optional binary a.text (STRING);
	optional boolean a.yes;
	optional binary a.list (JSON);
	optional binary a.none (STRING);
	optional binary a.big (JSON);
	optional int64 a.x"y (INT(64,true));
	optional binary _other (JSON);
}`
	if diff := cmp.Diff(want, f.Schema().String()); diff != "" {
		t.Error(diff)
	}
	all := []map[string]any{
		{"a": nil, "a.int": int64(1), "a.real": 1.0, "a.wide": "9007199254740993", "a.mixed": "1", "a.text": "x", "a.yes": true, "a.list": "[1]", "a.none": nil, "a.big": "1e400", `a.x"y`: int64(1), "_other": nil},
		{"a": nil, "a.int": int64(-2), "a.real": 2.5, "a.wide": "1.5", "a.mixed": `"x"`, "a.text": "", "a.yes": nil, "a.list": nil, "a.none": nil, "a.big": nil, `a.x"y`: nil, "_other": nil},
		{"a": "[1]", "a.int": nil, "a.real": nil, "a.wide": nil, "a.mixed": nil, "a.text": nil, "a.yes": nil, "a.list": nil, "a.none": nil, "a.big": nil, `a.x"y`: nil, "_other": nil},
	}
	if diff := cmp.Diff(all, rows); diff != "" {
		t.Error(diff)
	}
}

// TestRowsAddedMeanwhileAreLeftOut: a run that is still collecting has more
// rows at the second reading than at the first.
func TestRowsAddedMeanwhileAreLeftOut(t *testing.T) {
	ranges := 0
	growing := func(yield func(*shoal.Result, error) bool) {
		ranges++
		for i := range ranges * 2 {
			r := result(fmt.Sprintf(`{"a":{"k%d":1}}`, i))
			if !yield(&r, nil) {
				return
			}
		}
	}
	var out bytes.Buffer
	cols := export.Columns{Attributes: named("a"), Omit: export.Envelope(), Dotted: true}
	n, err := export.Write(t.Context(), &out, shoal.FormatCSV, cols, growing)
	if want := "a.k0,a.k1\r\n1,\r\n,1\r\n"; err != nil || n != 2 || out.String() != want {
		t.Errorf("%d rows, %v: %q, want %q", n, err, out.String(), want)
	}
}

// TestRowsThatChangedMeanwhileAreAnError: better none than some of them.
func TestRowsThatChangedMeanwhileAreAnError(t *testing.T) {
	for _, second := range []string{`{"a":{"new":1}}`, `{"a":[1]}`} {
		ranges := 0
		changing := func(yield func(*shoal.Result, error) bool) {
			r := result(`{"a":{"x":1}}`)
			if ranges++; ranges > 1 {
				r = result(second)
			}
			yield(&r, nil)
		}
		cols := export.Columns{Attributes: named("a"), Dotted: true}
		if _, err := export.Write(t.Context(), &bytes.Buffer{}, shoal.FormatCSV, cols, changing); err == nil || !strings.Contains(err.Error(), "changed") {
			t.Errorf("%s: %v", second, err)
		}
	}
}

// TestFieldsOfACrawlerThatIsGone: without attributes a table has the fields of its rows.
func TestFieldsOfACrawlerThatIsGone(t *testing.T) {
	data := []string{`{"b":1,"a":{"x":1}}`, `{"c":"t","b":2}`}
	got := records(t, export.Columns{Omit: []string{"c", "id", "squid", "task", "scraping_time"}}, data...)
	if diff := cmp.Diff([][]string{{"b", "a", "run"}, {"1", `{"x":1}`, "r"}, {"2", "", "r"}}, got); diff != "" {
		t.Error(diff)
	}
	f, _, _ := parquetRows(t, write(t, shoal.FormatParquet, export.Columns{Omit: export.Envelope()}, data...))
	want := "message results {\n\toptional int64 b (INT(64,true));\n\toptional binary a (JSON);\n\toptional binary c (STRING);\n\toptional binary _other (JSON);\n}"
	if diff := cmp.Diff(want, f.Schema().String()); diff != "" {
		t.Error(diff)
	}
	var wide strings.Builder
	for i := range 2001 {
		fmt.Fprintf(&wide, `,"f%d":1`, i)
	}
	_, err := export.Write(t.Context(), &bytes.Buffer{}, shoal.FormatCSV, export.Columns{}, rows("{"+wide.String()[1:]+"}"))
	if e, ok := errors.AsType[*shoal.Error](err); !ok || e.Kind != shoal.KindInvalid {
		t.Errorf("2,001 fields: %v", err)
	}
}

// TestReadBeginsAnewWithEachRange is what a second reading rests on.
func TestReadBeginsAnewWithEachRange(t *testing.T) {
	all := export.Read(context.Background(), &source{n: 300}, shoal.ResultQuery{After: 10})
	for range 2 {
		n := 0
		for range all {
			n++
		}
		if n != 290 {
			t.Errorf("%d rows", n)
		}
	}
}
