package export_test

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"
	"github.com/xuri/excelize/v2"

	"shoal"
	"shoal/internal/export"
)

// benchRow is a row of about 600 bytes.
func benchRow(i int64) string {
	return fmt.Sprintf(`{"url":"https://books.example/catalogue/a-light-in-the-attic_%d/index.html","status":200,"title":"A Light in the Attic, no. %d","h1":"A Light in the Attic","price":51.77,"in_stock":true,"rating":3,"upc":"a897fe39b1053632","category":"Poetry","description":"%s","images":["https://books.example/media/1.jpg","https://books.example/media/2.jpg"],"language":null}`,
		i, i, strings.Repeat("It's hard to imagine a world without it. ", 6))
}

// benchRows returns an endless supply of n rows of about 600 bytes.
func benchRows(n int) (export.Rows, export.Columns, int) {
	batch := make([]shoal.Result, 1000)
	size := 0
	for i := range batch {
		data := benchRow(int64(i))
		batch[i] = result(data)
		batch[i].RunID, batch[i].SquidID, batch[i].TaskID = "0193a1b2c3d47e5f8a9b0c1d2e3f4a5b", "0193a1b2c3d47e5f8a9b0c1d2e3f4a5c", "0193a1b2c3d47e5f8a9b0c1d2e3f4a5d"
		size = len(data)
	}
	cols := export.Columns{Attributes: named("url", "status", "title", "h1", "price", "in_stock", "rating", "upc", "category", "description", "images", "language")}
	for i, typ := range map[int]shoal.AttributeType{1: shoal.AttrInteger, 4: shoal.AttrFloat, 5: shoal.AttrBoolean, 6: shoal.AttrInteger, 9: shoal.AttrText, 10: shoal.AttrJSON} {
		cols.Attributes[i].Type = typ
	}
	return func(yield func(*shoal.Result, error) bool) {
		for i := range n {
			if !yield(&batch[i%len(batch)], nil) {
				return
			}
		}
	}, cols, size
}

func BenchmarkWrite(b *testing.B) {
	for _, f := range export.Formats {
		b.Run(string(f), func(b *testing.B) {
			rows, cols, size := benchRows(b.N)
			b.SetBytes(int64(size))
			b.ReportAllocs()
			if _, err := export.Write(b.Context(), io.Discard, f, cols, rows); err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "rows/s")
		})
	}
	b.Run("copy", func(b *testing.B) {
		rows, _, size := benchRows(b.N)
		b.SetBytes(int64(size))
		buf := make([]byte, 0, 96<<10)
		for r := range rows {
			buf = append(append(buf, r.Data...), '\n')
			if len(buf) > 64<<10 {
				buf = buf[:0]
			}
		}
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "rows/s")
	})
}

// BenchmarkBare is what BenchmarkWrite's Parquet and XLSX are measured by: the
// loops that a person writes with encoding/json and the formats' libraries.
func BenchmarkBare(b *testing.B) {
	b.Run("parquet", func(b *testing.B) {
		rows, cols, _ := benchRows(b.N)
		group := parquet.Group{}
		for _, a := range cols.Attributes {
			group[a.Name] = parquet.Optional(map[shoal.AttributeType]parquet.Node{
				shoal.AttrInteger: parquet.Int(64), shoal.AttrFloat: parquet.Leaf(parquet.DoubleType), shoal.AttrBoolean: parquet.Leaf(parquet.BooleanType),
			}[a.Type])
			if group[a.Name] == nil || a.Type == shoal.AttrString || a.Type == shoal.AttrText || a.Type == shoal.AttrJSON {
				group[a.Name] = parquet.Optional(parquet.String())
			}
		}
		w := parquet.NewGenericWriter[map[string]any](io.Discard, parquet.NewSchema("results", group), parquet.Compression(&parquet.Zstd))
		batch := make([]map[string]any, 0, 100)
		for r := range rows {
			m := map[string]any{}
			if err := json.Unmarshal(r.Data, &m); err != nil {
				b.Fatal(err)
			}
			for _, a := range cols.Attributes {
				switch v := m[a.Name].(type) {
				case float64:
					if a.Type == shoal.AttrInteger {
						m[a.Name] = int64(v)
					}
				case []any:
					text, err := json.Marshal(v)
					if err != nil {
						b.Fatal(err)
					}
					m[a.Name] = string(text)
				}
			}
			if batch = append(batch, m); len(batch) == cap(batch) {
				if _, err := w.Write(batch); err != nil {
					b.Fatal(err)
				}
				batch = batch[:0]
			}
		}
		if _, err := w.Write(batch); err != nil {
			b.Fatal(err)
		}
		if err := w.Close(); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "rows/s")
	})
	b.Run("xlsx", func(b *testing.B) {
		rows, cols, _ := benchRows(b.N)
		f := excelize.NewFile()
		defer f.Close()
		w, err := f.NewStreamWriter("Sheet1")
		if err != nil {
			b.Fatal(err)
		}
		n := 0
		for r := range rows {
			n++
			m := map[string]any{}
			if err := json.Unmarshal(r.Data, &m); err != nil {
				b.Fatal(err)
			}
			cells := make([]any, len(cols.Attributes))
			for i, a := range cols.Attributes {
				cells[i] = m[a.Name]
				if list, ok := cells[i].([]any); ok {
					cells[i] = fmt.Sprint(list)
				}
			}
			if err := w.SetRow("A"+strconv.Itoa(n), cells); err != nil {
				b.Fatal(err)
			}
		}
		if err := w.Flush(); err != nil {
			b.Fatal(err)
		}
		if err := f.Write(io.Discard); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "rows/s")
	})
}
