package sqltable_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"shoal/internal/sqltable"
)

// BenchmarkLoad upserts 100,000 rows of about 600 bytes into a table that has
// them: go test -run - -bench Load -benchtime 1x ./internal/sqltable
func BenchmarkLoad(b *testing.B) {
	const n = 100_000
	for _, name := range []string{"postgres", "mariadb", "sqlite"} {
		b.Run(name, func(b *testing.B) {
			s := newSide(b, name, sqltable.Options{Dial: dialer.DialContext})
			run := int64(1)
			s.load(b, s.config("things"), many(n, run))
			for b.Loop() {
				run++
				s.load(b, s.config("things"), many(n, run))
			}
			b.ReportMetric(float64(n*b.N)/b.Elapsed().Seconds(), "rows/s")
		})
		b.Run(name+"/bare", func(b *testing.B) { bare(b, newSide(b, name, sqltable.Options{Dial: dialer.DialContext}), n) })
	}
}

// bare is what a script does: the same driver, a prepared upsert of a row in one
// transaction.
func bare(b *testing.B, s *side, n int) {
	s.load(b, s.config("things"), many(n, 1))
	marks, set := make([]string, 0, 7), " ON CONFLICT (shoal_key) DO UPDATE SET url = excluded.url, title = excluded.title, stock = excluded.stock, price = excluded.price, tags = excluded.tags"
	for i := range 7 {
		mark := "?"
		if s.name == "postgres" {
			mark = fmt.Sprintf("$%d", i+1)
		}
		marks = append(marks, mark)
	}
	if s.name == "mariadb" {
		set = " ON DUPLICATE KEY UPDATE url = VALUES(url), title = VALUES(title), stock = VALUES(stock), price = VALUES(price), tags = VALUES(tags)"
	}
	filler := strings.Repeat("lorem ipsum dolor sit amet ", 17)
	ctx := context.Background()
	for b.Loop() {
		tx, err := s.db.BeginTx(ctx, nil)
		if err != nil {
			b.Fatal(err)
		}
		stmt, err := tx.PrepareContext(ctx, "INSERT INTO things (shoal_key, url, title, stock, price, tags, shoal_run) VALUES ("+strings.Join(marks, ", ")+")"+set)
		if err != nil {
			b.Fatal(err)
		}
		for i := range n {
			if _, err := stmt.ExecContext(ctx, fmt.Sprintf("%032x", i), fmt.Sprintf("https://example.com/things/%d", i), filler, i, float64(i%1000)+0.25, `["a","b",{"n":1}]`, "x"); err != nil {
				b.Fatal(err)
			}
		}
		if err := tx.Commit(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(n*b.N)/b.Elapsed().Seconds(), "rows/s")
}
