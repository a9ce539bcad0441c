package store

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"shoal"
)

// inRows is how many values one IN names. The SQLite driver looks each
// parameter up among all: far more would cost their square.
const inRows = 200

// scanner is a row to be read.
type scanner interface{ Scan(dest ...any) error }

// collect reads all rows of a query.
func collect[T any](ctx context.Context, q querier, scan func(scanner) (T, error), query string, args ...any) ([]T, error) {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []T
	for rows.Next() {
		one, err := scan(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, errors.Join(rows.Err(), rows.Close())
}

func scanInt(r scanner) (n int64, err error) { return n, r.Scan(&n) }

func scanText(r scanner) (s string, err error) { return s, r.Scan(&s) }

// params returns n parameters separated by commas, the first being $from.
func params(from, n int) string {
	var b strings.Builder
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteByte('$')
		b.WriteString(strconv.Itoa(from + i))
	}
	return b.String()
}

// execBulk executes b for n rows in any transaction; row fills the i-th row's
// parameters.
func (s *Store) execBulk(ctx context.Context, tx *sql.Tx, b *bulk, n int, row func(i int, args []any)) error {
	if n == 0 {
		return nil
	}
	text := b.expand(s.db.dialect)
	if s.db.dialect == Postgres {
		_, err := tx.ExecContext(ctx, text, arrays(b.types, n, row)...)
		return err
	}
	st, err := tx.PrepareContext(ctx, text)
	if err != nil {
		return err
	}
	defer st.Close()
	args := make([]any, len(b.types))
	for i := range n {
		row(i, args)
		if _, err := st.ExecContext(ctx, args...); err != nil {
			return err
		}
	}
	return nil
}

// queryBulk runs b for n rows and reads every row of the answers.
func (s *Store) queryBulk(ctx context.Context, tx *sql.Tx, b *bulk, n int, row func(i int, args []any), scan func(scanner) error) error {
	if n == 0 {
		return nil
	}
	one := func(r scanner) (struct{}, error) { return struct{}{}, scan(r) }
	text := b.expand(s.db.dialect)
	if s.db.dialect == Postgres {
		_, err := collect(ctx, tx, one, text, arrays(b.types, n, row)...)
		return err
	}
	st, err := tx.PrepareContext(ctx, text)
	if err != nil {
		return err
	}
	defer st.Close()
	args := make([]any, len(b.types))
	for i := range n {
		row(i, args)
		if err := readAll(ctx, st, scan, args); err != nil {
			return err
		}
	}
	return nil
}

func readAll(ctx context.Context, st *sql.Stmt, scan func(scanner) error, args []any) error {
	rows, err := st.QueryContext(ctx, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return errors.Join(rows.Err(), rows.Close())
}

// skip returns how many of total items lie before the window, at most total.
// It is safe for any window: a page past the end is empty.
func skip(w shoal.Window, total int64) int64 {
	page, limit := int64(max(w.Page, 1)), int64(max(w.Limit, 1))
	if page-1 > total/limit {
		return total
	}
	return min((page-1)*limit, total)
}

// orNull is *p, or NULL when p is nil.
func orNull[T any](p *T) any {
	if p == nil {
		return nil
	}
	return *p
}

// encodeObject returns m as JSON; nil is the empty object.
func encodeObject(m map[string]any) (string, error) {
	if m == nil {
		return "{}", nil
	}
	b, err := json.Marshal(m)
	return string(b), err
}

// decodeObject is the reverse of encodeObject. Whole numbers become int64,
// others float64, so that large ones survive.
func decodeObject(text []byte) (map[string]any, error) {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	var m map[string]any
	if err := dec.Decode(&m); err != nil {
		return nil, fmt.Errorf("decode stored JSON: %w", err)
	}
	for k, v := range m {
		m[k] = plainNumbers(v)
	}
	return m, nil
}

func plainNumbers(v any) any {
	switch v := v.(type) {
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return n
		}
		f, err := v.Float64()
		if err != nil {
			return v.String() // beyond any number type: as it was written
		}
		return f
	case []any:
		for i := range v {
			v[i] = plainNumbers(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = plainNumbers(v[k])
		}
	}
	return v
}

// anys returns xs as arguments of a query.
func anys[T any](xs []T) []any {
	args := make([]any, len(xs))
	for i, x := range xs {
		args[i] = x
	}
	return args
}

// oneRow is none when a statement changed no row.
func oneRow(res sql.Result, err error, none error) error {
	if err != nil {
		return err
	}
	n, err := res.RowsAffected()
	if err != nil {
		return err
	}
	if n == 0 {
		return none
	}
	return nil
}
