package export_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/parquet-go/parquet-go"

	"shoal"
	"shoal/internal/export"
)

// parquetRows reads a file back as a value by column and row: nil, bool, int64,
// float64 or string.
func parquetRows(t *testing.T, data string) (f *parquet.File, names []string, out []map[string]any) {
	t.Helper()
	f, err := parquet.OpenFile(strings.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatalf("no Parquet file: %v", err)
	}
	for _, field := range f.Schema().Fields() {
		names = append(names, field.Name())
	}
	for _, group := range f.RowGroups() {
		r := group.Rows()
		buf := make([]parquet.Row, 10)
		for {
			n, err := r.ReadRows(buf)
			for _, row := range buf[:n] {
				m := map[string]any{}
				for i, v := range row {
					m[names[i]] = goValue(v)
				}
				out = append(out, m)
			}
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		r.Close()
	}
	return f, names, out
}

func goValue(v parquet.Value) any {
	switch v.Kind() {
	case parquet.Boolean:
		return v.Boolean()
	case parquet.Int64:
		return v.Int64()
	case parquet.Double:
		return v.Double()
	case parquet.ByteArray:
		return string(v.ByteArray())
	}
	return nil
}

var typedAttributes = []shoal.Attribute{
	{Name: "title", Type: shoal.AttrString}, {Name: "n", Type: shoal.AttrInteger}, {Name: "price", Type: shoal.AttrFloat},
	{Name: "stock", Type: shoal.AttrBoolean}, {Name: "body", Type: shoal.AttrText}, {Name: "tags", Type: shoal.AttrJSON},
}

func TestParquetSchemaIsTheCrawlers(t *testing.T) {
	f, names, rows := parquetRows(t, write(t, shoal.FormatParquet, export.Columns{Attributes: typedAttributes},
		`{"title":"a","n":-5,"price":1.5,"stock":false,"body":"x\ny","tags":["a",{"b":null}]}`, `{}`))
	want := `message results {
	optional binary title (STRING);
	optional int64 n (INT(64,true));
	optional double price;
	optional boolean stock;
	optional binary body (STRING);
	optional binary tags (JSON);
	required binary id (STRING);
	required binary squid (STRING);
	required binary run (STRING);
	required binary task (STRING);
	required int64 scraping_time (TIMESTAMP(isAdjustedToUTC=true,unit=MICROS));
	optional binary _other (JSON);
}`
	if diff := cmp.Diff(want, f.Schema().String()); diff != "" {
		t.Error(diff)
	}
	r := result("")
	envelope := map[string]any{"id": r.ID(), "squid": "s", "run": "r", "task": "t", "scraping_time": at.UnixMicro(), "_other": nil}
	first := map[string]any{"title": "a", "n": int64(-5), "price": 1.5, "stock": false, "body": "x\ny", "tags": `["a",{"b":null}]`}
	second := map[string]any{"title": nil, "n": nil, "price": nil, "stock": nil, "body": nil, "tags": nil}
	for name, v := range envelope {
		first[name], second[name] = v, v
	}
	if diff := cmp.Diff([]map[string]any{first, second}, rows); diff != "" {
		t.Error(diff)
	}
	if len(names) != 12 || f.NumRows() != 2 {
		t.Errorf("%d columns, %d rows", len(names), f.NumRows())
	}
	for _, chunk := range f.Metadata().RowGroups[0].Columns {
		if chunk.MetaData.Codec.String() != "ZSTD" {
			t.Errorf("%v is compressed by %v", chunk.MetaData.PathInSchema, chunk.MetaData.Codec)
		}
	}
}

// TestParquetKeepsWhatATypeDoesNotHold: a value is in its column or, as it was,
// in the last one, and never in neither.
func TestParquetKeepsWhatATypeDoesNotHold(t *testing.T) {
	for _, c := range []struct {
		field, json string
		want        any // nil: in the last column
	}{
		{"n", `9223372036854775807`, int64(9223372036854775807)},
		{"n", `9223372036854775808`, nil},
		{"n", `5.0`, int64(5)},
		{"n", `1e3`, int64(1000)},
		{"n", `5.5`, nil},
		{"n", `-0`, int64(0)},
		{"n", `1e400`, nil},
		{"n", `"n/a"`, nil},
		{"n", `"5"`, nil},
		{"n", `true`, nil},
		{"n", `[5]`, nil},
		{"price", `19`, 19.0},
		{"price", `0.1`, 0.1},
		{"price", `9007199254740993`, nil},
		{"price", `9007199254740994`, 9007199254740994.0},
		{"price", `1e400`, nil},
		{"price", `-1e-400`, nil},
		{"price", `0e5`, 0.0},
		{"price", `"from 5 €"`, nil},
		{"price", `{"min":1}`, nil},
		{"stock", `true`, true},
		{"stock", `1`, nil},
		{"stock", `"true"`, nil},
		{"title", `5`, "5"},
		{"title", `true`, "true"},
		{"title", `{"a":1}`, `{"a":1}`},
		{"title", `"\ud800 \u0000 \u2028"`, "\ufffd \x00 \u2028"},
		{"tags", `"x"`, `"x"`},
		{"tags", `{"a":"\ud800"}`, `{"a":"\ud800"}`},
	} {
		_, _, rows := parquetRows(t, write(t, shoal.FormatParquet, export.Columns{Attributes: typedAttributes}, `{"`+c.field+`":`+c.json+`}`))
		if diff := cmp.Diff(c.want, rows[0][c.field]); diff != "" {
			t.Errorf("%s %s: %s", c.field, c.json, diff)
		}
		want := any(nil)
		if c.want == nil {
			want = `{"` + c.field + `":` + c.json + `}`
		}
		if diff := cmp.Diff(want, rows[0]["_other"]); diff != "" {
			t.Errorf("%s %s: in the last column: %s", c.field, c.json, diff)
		}
	}
}

func TestParquetKeepsFieldsThatHaveNoColumn(t *testing.T) {
	row := `{"title":"a","off":null,"old":"b, \"c\"","n":"x","older":{"d":1}}`
	for _, c := range []struct {
		cols export.Columns
		want any
	}{
		{export.Columns{Attributes: typedAttributes}, `{"old":"b, \"c\"","older":{"d":1},"n":"x"}`},
		{export.Columns{Attributes: typedAttributes, Omit: []string{"older", "n"}}, `{"old":"b, \"c\""}`},
		{export.Columns{Attributes: typedAttributes, Select: []string{"title"}}, nil},
		{export.Columns{Attributes: typedAttributes, Select: []string{"n"}}, `{"n":"x"}`},
	} {
		_, _, rows := parquetRows(t, write(t, shoal.FormatParquet, c.cols, row))
		if diff := cmp.Diff(c.want, rows[0]["_other"]); diff != "" {
			t.Errorf("%+v: %s", c.cols, diff)
		}
	}
}

// TestParquetRowGroupsAreBounded: what is kept until a group is whole does not
// grow with the rows, nor with what one of them weighs.
func TestParquetRowGroupsAreBounded(t *testing.T) {
	many, cols, size := benchRows(50_000)
	var out bytes.Buffer
	if _, err := export.Write(t.Context(), &out, shoal.FormatParquet, cols, many); err != nil {
		t.Fatal(err)
	}
	f, err := parquet.OpenFile(bytes.NewReader(out.Bytes()), int64(out.Len()))
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range f.RowGroups() {
		if int(g.NumRows())*size > 9<<20 {
			t.Errorf("a row group of %d rows", g.NumRows())
		}
	}
	if f.NumRows() != 50_000 {
		t.Errorf("%d rows", f.NumRows())
	}
	big := fmt.Sprintf(`{"title":"%s"}`, strings.Repeat("x", 10<<20))
	_, _, rows := parquetRows(t, write(t, shoal.FormatParquet, export.Columns{Attributes: typedAttributes}, big, big, `{"title":"small"}`))
	if title, _ := rows[1]["title"].(string); len(title) != 10<<20 || rows[2]["title"] != "small" {
		t.Errorf("a text of 10 MB came back with %d bytes", len(title))
	}
}

func TestParquetOfNothing(t *testing.T) {
	f, names, _ := parquetRows(t, write(t, shoal.FormatParquet, export.Columns{Attributes: typedAttributes, Select: []string{"n"}}))
	if f.NumRows() != 0 || len(names) != 2 {
		t.Errorf("%d rows of %q", f.NumRows(), names)
	}
	if f, _, _ := parquetRows(t, write(t, shoal.FormatParquet, export.Columns{Omit: export.Envelope()}, `{}`)); f.NumRows() != 1 {
		t.Errorf("a row without columns: %d rows", f.NumRows())
	}
}

func TestScrapingTimeIsATime(t *testing.T) {
	_, _, rows := parquetRows(t, write(t, shoal.FormatParquet, export.Columns{Select: []string{"scraping_time"}}, `{}`))
	micros, _ := rows[0]["scraping_time"].(int64)
	if got := time.UnixMicro(micros).UTC(); !got.Equal(at) {
		t.Errorf("%v, want %v", got, at)
	}
	var js map[string]string
	if err := json.Unmarshal([]byte(write(t, shoal.FormatJSONL, export.Columns{Select: []string{"scraping_time"}}, `{}`)), &js); err != nil {
		t.Error(err)
	}
}
