package export_test

import (
	"fmt"
	"io"
	"strings"
	"testing"

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
