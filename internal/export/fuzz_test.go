package export_test

import (
	"bytes"
	"encoding/json"
	"io"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/parquet-go/parquet-go"
	"github.com/xuri/excelize/v2"

	"shoal"
	"shoal/internal/export"
)

// hostile are rows that formats have stumbled over.
var hostile = []string{
	`{"a":"x\"y\n,","b":[1,{"c":"]"}]}`, `{"a":1e400,"b":null}`, `{"b":"\ud800","a":"\\"}`, `{"a":"\u0000\ufffe_x0041_"}`,
	`{"a":{"b":{"c":1}},"a":2,"b":{"x.y":1}}`, `{"a":-0,"b":9007199254740993}`, `{`, `{"a":"=1"}`, "{\"a\":\"\xff\"}", `{"a":tru}`,
}

// FuzzXLSX: whatever a row is, the workbook opens, and a text is in its cell.
func FuzzXLSX(f *testing.F) {
	for _, seed := range hostile {
		f.Add(seed)
	}
	cols := export.Columns{Attributes: named("a", "b"), Select: []string{"a", "b"}}
	f.Fuzz(func(t *testing.T, data string) {
		var out bytes.Buffer
		if _, err := export.Write(t.Context(), &out, shoal.FormatXLSX, cols, rows(data)); err != nil {
			return
		}
		wellFormed(t, out.Bytes())
		book, err := excelize.OpenReader(&out)
		if err != nil {
			t.Fatalf("%q: %v", data, err)
		}
		defer book.Close()
		got, err := book.GetCellValue("Results", "A2", excelize.Options{RawCellValue: true})
		if err != nil {
			t.Fatal(err)
		}
		want, known := textOf(data)
		if known && got != want {
			t.Errorf("%q: %q, want %q", data, got, want)
		}
	})
}

// FuzzParquet: whatever a row is, the file opens, and a text is in its column.
func FuzzParquet(f *testing.F) {
	for _, seed := range hostile {
		f.Add(seed)
	}
	cols := export.Columns{Attributes: []shoal.Attribute{{Name: "a", Type: shoal.AttrString}, {Name: "b", Type: shoal.AttrInteger}}, Select: []string{"a", "b"}}
	f.Fuzz(func(t *testing.T, data string) {
		var out bytes.Buffer
		if _, err := export.Write(t.Context(), &out, shoal.FormatParquet, cols, rows(data)); err != nil {
			return
		}
		file, err := parquet.OpenFile(bytes.NewReader(out.Bytes()), int64(out.Len()))
		if err != nil {
			t.Fatalf("%q: %v", data, err)
		}
		r := file.RowGroups()[0].Rows()
		defer r.Close()
		row := make([]parquet.Row, 1)
		if n, err := r.ReadRows(row); n != 1 || err != nil && err != io.EOF {
			t.Fatalf("%q: %d rows, %v", data, n, err)
		}
		if want, known := textOf(data); known && string(row[0][0].ByteArray()) != want {
			t.Errorf("%q: %q, want %q", data, row[0][0], want)
		}
	})
}

// FuzzDotted: a table with dotted columns has what the plain one has, or the
// row is refused by both.
func FuzzDotted(f *testing.F) {
	for _, seed := range hostile {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, data string) {
		cols := export.Columns{Attributes: named("a", "b"), Omit: export.Envelope(), Dotted: true}
		var row map[string]any
		decoder := json.NewDecoder(strings.NewReader(data))
		decoder.UseNumber()
		var out bytes.Buffer
		n, err := export.Write(t.Context(), &out, shoal.FormatCSV, cols, rows(data))
		if decoder.Decode(&row) != nil || decoder.More() || row == nil {
			return
		}
		if err != nil || n != 1 {
			t.Fatalf("%q: %d rows, %v", data, n, err)
		}
		header, _, _ := strings.Cut(out.String(), "\r\n")
		for _, name := range []string{"a", "b"} {
			if object, ok := row[name].(map[string]any); ok && len(object) > 0 {
				if !strings.Contains(header, name) {
					t.Errorf("%q: no column of %s in %q", data, name, header)
				}
			}
		}
	})
}

// textOf returns the text of the member "a" of a row, if it has one that every
// reader gives back as it is.
func textOf(data string) (string, bool) {
	var row struct{ A *string }
	var members map[string]json.RawMessage
	if json.Unmarshal([]byte(data), &members) != nil || len(members["a"]) == 0 || members["a"][0] != '"' {
		return "", false
	}
	if !utf8.ValidString(data) || json.Unmarshal(members["a"], &row.A) != nil || row.A == nil || len(*row.A) > 1000 {
		return "", false
	}
	return *row.A, true
}
