package store

import (
	"context"
	"database/sql"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unsafe"
)

// bulk is a statement that is executed for many rows of parameters. In its
// text {rows} stands for the rows, either of an INSERT or of a table
//
//	WITH v (column, ...) AS ({rows})
//
// that the statement then names once as FROM v. On PostgreSQL the rows are
// those of unnest over one array per column: one round trip however many there
// are. On SQLite the statement is prepared for one row and executed per row
// (with modernc one of 128 rows takes 2.5 times as long per row), and what it
// reads of v are its parameters: an UPDATE that joins v, of one row as it is,
// would gather what it is going to change in a temporary table first.
type bulk struct {
	text  string
	types []string // bigint, text, bytea or boolean, one per column
}

// expand returns the statement for d.
func (b *bulk) expand(d Dialect) string {
	if d == Postgres {
		return b.expandArrays()
	}
	columns, text, ok := b.table()
	if !ok {
		// Parameters without a name cost the driver no look-up.
		return strings.ReplaceAll(b.text, "{rows}", "VALUES (?"+strings.Repeat(", ?", len(b.types)-1)+")")
	}
	text = strings.Replace(text, "FROM v CROSS JOIN", "FROM", 1)
	text = strings.Replace(text, "FROM v WHERE", "WHERE", 1)
	return tableColumn.ReplaceAllStringFunc(text, func(name string) string {
		return "$" + strconv.Itoa(1+slices.Index(columns, strings.TrimPrefix(name, "v.")))
	})
}

// tableColumn is a column of the table v.
var tableColumn = regexp.MustCompile(`\bv\.\w+`)

// table takes the table v off the text and returns the names of its columns.
func (b *bulk) table() (columns []string, text string, ok bool) {
	text, ok = strings.CutPrefix(strings.TrimSpace(b.text), "WITH v (")
	if !ok {
		return nil, "", false
	}
	names, text, ok := strings.Cut(text, ") AS ({rows})")
	columns = strings.Split(names, ",")
	for i := range columns {
		columns[i] = strings.TrimSpace(columns[i])
	}
	return columns, text, ok
}

func (b *bulk) expandArrays() string {
	var rows strings.Builder
	rows.WriteString("SELECT * FROM unnest(")
	for i, typ := range b.types {
		if i > 0 {
			rows.WriteString(", ")
		}
		rows.WriteString("$" + strconv.Itoa(i+1) + "::" + typ + "[]")
	}
	rows.WriteString(")")
	return strings.ReplaceAll(b.text, "{rows}", rows.String())
}

// statements are a store's statements of its hot paths, by text or bulk: on
// SQLite prepared once on the connection that writes, on PostgreSQL expanded
// texts, which the driver keeps prepared.
type statements struct {
	db       *DB
	texts    map[*bulk]string
	prepared map[string]*sql.Stmt
}

func newStatements(db *DB) *statements {
	p := &statements{db: db, texts: map[*bulk]string{}, prepared: map[string]*sql.Stmt{}}
	for _, b := range hotBulks {
		p.texts[b] = b.expand(db.dialect)
	}
	return p
}

// prepare makes the statements ready. It must not be called inside a
// transaction: preparing needs the connection that the transaction holds.
func (p *statements) prepare(ctx context.Context) error {
	if p.db.dialect != SQLite || len(p.prepared) > 0 {
		return nil
	}
	all := append([]string{}, hotTexts...)
	for _, b := range hotBulks {
		all = append(all, p.texts[b])
	}
	for _, text := range all {
		st, err := p.db.write.PrepareContext(ctx, text)
		if err != nil {
			return fmt.Errorf("prepare %q: %w", text, err)
		}
		p.prepared[text] = st
	}
	return nil
}

// hotTx is a transaction that uses prepared statements.
type hotTx struct {
	*sql.Tx
	all  *statements
	here map[string]*sql.Stmt // of all, bound to this transaction
}

// in makes tx use the prepared statements; only the writer may call it.
func (p *statements) in(tx *sql.Tx) *hotTx {
	return &hotTx{Tx: tx, all: p, here: map[string]*sql.Stmt{}}
}

// unprepared is in for everybody else.
func (p *statements) unprepared(tx *sql.Tx) *hotTx {
	return &hotTx{Tx: tx, all: &statements{db: p.db, texts: p.texts}}
}

// stmt returns the prepared form of text, nil when there is none.
func (t *hotTx) stmt(ctx context.Context, text string) *sql.Stmt {
	if st := t.here[text]; st != nil {
		return st
	}
	st := t.all.prepared[text]
	if st == nil {
		return nil
	}
	bound := t.Tx.StmtContext(ctx, st)
	t.here[text] = bound
	return bound
}

// ExecContext executes one statement, prepared if it is a hot one.
func (t *hotTx) ExecContext(ctx context.Context, text string, args ...any) (sql.Result, error) {
	if st := t.stmt(ctx, text); st != nil {
		return st.ExecContext(ctx, args...)
	}
	return t.Tx.ExecContext(ctx, text, args...)
}

// QueryContext runs one query, prepared if it is a hot one.
func (t *hotTx) QueryContext(ctx context.Context, text string, args ...any) (*sql.Rows, error) {
	if st := t.stmt(ctx, text); st != nil {
		return st.QueryContext(ctx, args...)
	}
	return t.Tx.QueryContext(ctx, text, args...)
}

// QueryRowContext runs one query for one row, prepared if it is a hot one.
func (t *hotTx) QueryRowContext(ctx context.Context, text string, args ...any) *sql.Row {
	if st := t.stmt(ctx, text); st != nil {
		return st.QueryRowContext(ctx, args...)
	}
	return t.Tx.QueryRowContext(ctx, text, args...)
}

// exec executes b for n rows; row fills the i-th row's parameters.
func (t *hotTx) exec(ctx context.Context, b *bulk, n int, row func(i int, args []any)) error {
	if n == 0 {
		return nil
	}
	text := t.all.texts[b]
	if t.all.db.dialect == Postgres {
		_, err := t.ExecContext(ctx, text, arrays(b.types, n, row)...)
		return err
	}
	args := make([]any, len(b.types))
	for i := range n {
		row(i, args)
		if _, err := t.ExecContext(ctx, text, args...); err != nil {
			return err
		}
	}
	return nil
}

// execEach is exec on SQLite with each row's number of affected rows.
func (t *hotTx) execEach(ctx context.Context, b *bulk, args ...any) (int64, error) {
	res, err := t.ExecContext(ctx, t.all.texts[b], args...)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

// query runs b for n rows and reads every row of the answers.
func (t *hotTx) query(ctx context.Context, b *bulk, n int, row func(i int, args []any), scan func(*sql.Rows) error) error {
	if n == 0 {
		return nil
	}
	text := t.all.texts[b]
	if t.all.db.dialect == Postgres {
		return t.scan(ctx, text, arrays(b.types, n, row), scan)
	}
	args := make([]any, len(b.types))
	for i := range n {
		row(i, args)
		if err := t.scan(ctx, text, args, scan); err != nil {
			return err
		}
	}
	return nil
}

// scan runs one query and reads every row of its answer.
func (t *hotTx) scan(ctx context.Context, text string, args []any, scan func(*sql.Rows) error) error {
	rows, err := t.QueryContext(ctx, text, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// arrays turns rows of parameters into one typed array per column.
func arrays(types []string, n int, row func(i int, args []any)) []any {
	out := make([]any, len(types))
	for c, typ := range types {
		switch typ {
		case "bigint":
			out[c] = make([]int64, n)
		case "bytea":
			out[c] = make([][]byte, n)
		case "boolean":
			out[c] = make([]bool, n)
		default:
			out[c] = make([]string, n)
		}
	}
	args := make([]any, len(types))
	for i := range n {
		row(i, args)
		for c := range out {
			switch col := out[c].(type) {
			case []int64:
				col[i] = args[c].(int64)
			case [][]byte:
				col[i], _ = args[c].([]byte)
			case []bool:
				col[i] = args[c].(bool)
			case []string:
				col[i] = args[c].(string)
			}
		}
	}
	return out
}

// bytesOrNull is b as a parameter; no bytes are NULL.
func bytesOrNull(b []byte) any {
	if len(b) == 0 {
		return nil
	}
	return b
}

// textOf is b as a text parameter, without a copy: b must not change before
// the statement has been executed.
func textOf(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
