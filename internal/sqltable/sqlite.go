package sqltable

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"path"
	"strconv"
	"strings"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"shoal"
)

// sqliteFile writes to a SQLite file: a statement for each row in one
// transaction. The file keeps the journal mode that it has.
type sqliteFile struct {
	Options
	at *address
}

const liteQuote = `"`

func (b *sqliteFile) load(ctx context.Context, j *Job) (r Report, err error) {
	p, err := newPlan(j)
	if err != nil {
		return r, err
	}
	if b.Dir == nil {
		return r, refused("SQLite files are not written by this server: its operator has to name a directory for them with --delivery-dir (SHOAL_DELIVERY_DIR)")
	}
	file, leave, err := b.open(j)
	if err != nil {
		return r, err
	}
	defer leave()
	db, err := sql.Open("sqlite", b.dsn(file))
	if err != nil {
		return r, fmt.Errorf("open the file: %w", err)
	}
	defer db.Close()
	conn, err := db.Conn(ctx)
	if err != nil {
		return r, b.explain(err)
	}
	defer conn.Close()
	s := &liteSession{sqliteFile: b, job: j, plan: p, conn: conn, table: quoteName(b.at.table, liteQuote)}
	if err = s.load(ctx, &r); err != nil {
		conn.ExecContext(context.WithoutCancel(ctx), "ROLLBACK") // there may be nothing to roll back
	}
	return r, b.explain(err)
}

// open finds the file. A Try of one that is not there uses another beside it.
func (b *sqliteFile) open(j *Job) (file string, leave func(), err error) {
	name := b.at.file
	leave = func() {}
	if j.Try && !b.Dir.has(j.Workspace, name) {
		name = path.Join(path.Dir(name), "shoal-test-"+rand.Text()+".db")
		leave = func() { b.Dir.remove(j.Workspace, name) }
	}
	file, err = b.Dir.place(j.Workspace, name)
	return file, leave, err
}

func (b *sqliteFile) dsn(file string) string {
	u := url.URL{Scheme: "file", Path: file}
	return fmt.Sprintf("%s?mode=rw&_pragma=busy_timeout(%d)&_pragma=trusted_schema(0)&_pragma=foreign_keys(1)", u.String(), b.Lock.Milliseconds())
}

// liteSession is one load.
type liteSession struct {
	*sqliteFile
	job   *Job
	plan  *plan
	conn  *sql.Conn
	table string // quoted
}

func (s *liteSession) load(ctx context.Context, r *Report) error {
	if err := s.exec(ctx, "BEGIN IMMEDIATE"); err != nil {
		return err
	}
	if err := s.prepare(ctx, r); err != nil {
		return err
	}
	if s.plan.mode == Replace {
		if err := s.exec(ctx, "DELETE FROM "+s.table+s.job.some()); err != nil {
			return err
		}
	}
	if err := s.insert(ctx, r); err != nil {
		return err
	}
	if s.job.Try {
		return s.exec(ctx, "ROLLBACK")
	}
	return s.exec(ctx, "COMMIT")
}

func (s *liteSession) exec(ctx context.Context, text string) error {
	_, err := s.conn.ExecContext(ctx, text)
	return err
}

// prepare looks at the table and makes what it lacks.
func (s *liteSession) prepare(ctx context.Context, r *Report) error {
	have, err := s.describe(ctx)
	if err != nil {
		return err
	}
	lacks := s.plan.match(have, liteTyped)
	if err := s.plan.allowed(s.job, s.at, have, lacks); err != nil {
		return err
	}
	if r.Created = !have.found; r.Created {
		return s.exec(ctx, s.plan.create(s.table, liteQuote, ""))
	}
	for _, c := range lacks {
		if err := s.exec(ctx, "ALTER TABLE "+s.table+" ADD COLUMN "+quoteName(c.name, liteQuote)+" "+c.typ); err != nil {
			return err
		}
	}
	if key := s.plan.keyNames(); len(key) > 0 && !have.indexed(key) {
		index := quoteName(s.at.table+" by "+strings.Join(key, " "), liteQuote)
		return s.exec(ctx, "CREATE UNIQUE INDEX IF NOT EXISTS "+index+" ON "+s.table+" ("+quoteNames(key, liteQuote)+")")
	}
	return nil
}

// describe reads what the file says of the table.
func (s *liteSession) describe(ctx context.Context) (*structure, error) {
	have := &structure{fold: true}
	err := s.each(ctx, "SELECT name, type, pk FROM pragma_table_xinfo(?1)", func(rows *sql.Rows) error {
		var name, typ string
		var pk int
		err := rows.Scan(&name, &typ, &pk)
		have.found = true
		have.add(name, liteHolds(typ))
		if pk > 0 {
			have.addUnique("primary key", name)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return have, s.each(ctx, `SELECT l.name, COALESCE(i.name, '') FROM pragma_index_list(?1) l, pragma_index_info(l.name) i WHERE l."unique" = 1 AND l.partial = 0`,
		func(rows *sql.Rows) error {
			var index, column string
			err := rows.Scan(&index, &column)
			have.addUnique(index, column)
			return err
		})
}

func (s *liteSession) each(ctx context.Context, query string, take func(*sql.Rows) error) error {
	rows, err := s.conn.QueryContext(ctx, query, s.at.table)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := take(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// liteHolds is what the affinity of a declared type says.
// https://www.sqlite.org/datatype3.html, 3.1
func liteHolds(typ string) holds {
	h := holds{typ: typ, kind: kindNumeric, scale: -1}
	has := func(words ...string) bool {
		for _, w := range words {
			if strings.Contains(strings.ToUpper(typ), w) {
				return true
			}
		}
		return false
	}
	switch {
	case has("INT"):
	case has("CHAR", "CLOB", "TEXT"):
		h.kind = kindText
	case typ == "" || has("BLOB"):
		h.kind = kindDynamic
	case has("REAL", "FLOA", "DOUB"):
		h.kind = kindFloat64
	}
	return h
}

// liteTyped is the type of a column that is made. SQLite keeps a fraction in an
// INTEGER column as it is.
func liteTyped(c *column) holds {
	switch {
	case c.member == memberNone && c.attr == shoal.AttrInteger:
		return holds{typ: "INTEGER", kind: kindNumeric, scale: -1}
	case c.member == memberNone && c.attr == shoal.AttrFloat:
		return holds{typ: "REAL", kind: kindFloat64, scale: -1}
	case c.member == memberNone && c.attr == shoal.AttrBoolean:
		return holds{typ: "BOOLEAN", kind: kindNumeric, scale: -1}
	}
	return holds{typ: "TEXT", kind: kindText, scale: -1}
}

// insert sends the rows.
func (s *liteSession) insert(ctx context.Context, r *Report) error {
	marks := strings.TrimSuffix(strings.Repeat("?, ", len(s.plan.columns)), ", ")
	stmt, err := s.conn.PrepareContext(ctx, "INSERT INTO "+s.table+" AS shoal_had ("+quoteNames(s.plan.names(), liteQuote)+
		") VALUES ("+marks+")"+s.plan.onConflict(liteQuote))
	if err != nil {
		return err
	}
	defer stmt.Close()
	if s.job.Rows == nil {
		return nil
	}
	reader := newReader(s.plan)
	args := make([]any, len(s.plan.columns))
	for row, err := range s.job.Rows {
		if err != nil {
			return err
		}
		values, err := reader.read(row)
		if err != nil {
			return err
		}
		for i := range values {
			if args[i], err = liteArg(values[i]); err != nil {
				return rowError(row.ID(), s.plan.columns[i].name, values[i].text, err.Error())
			}
		}
		if _, err := stmt.ExecContext(ctx, args...); err != nil {
			return s.blame(row, err)
		}
		r.Rows++
	}
	r.Cleaned = reader.cleaned
	return nil
}

// liteArg is a value as SQLite has it: what the affinity makes of a text is
// not left to chance.
func liteArg(v value) (any, error) {
	switch v.class {
	case classNull:
		return nil, nil
	case classInteger:
		return strconv.ParseInt(v.text, 10, 64)
	case classFloat:
		return strconv.ParseFloat(v.text, 64)
	case classBoolean:
		return v.text == "true", nil
	}
	return v.text, nil
}

// blame names the row that the table did not take.
func (s *liteSession) blame(row *shoal.Result, err error) error {
	said, ok := errors.AsType[*sqlite.Error](err)
	if !ok || said.Code()&0xFF != sqlite3.SQLITE_CONSTRAINT && said.Code()&0xFF != sqlite3.SQLITE_MISMATCH && said.Code()&0xFF != sqlite3.SQLITE_TOOBIG {
		return err
	}
	return rowError(row.ID(), "", "", "SQLite says: "+said.Error())
}

// explain turns what SQLite said into what a person can act on.
func (b *sqliteFile) explain(err error) error {
	said, ok := errors.AsType[*sqlite.Error](err)
	if !ok {
		return err
	}
	e := &Error{Err: err, Message: fmt.Sprintf("The file %s: %s", b.at.file, said.Error())}
	switch said.Code() & 0xFF {
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		e.Message = fmt.Sprintf("The file %s is locked by another for longer than %s", b.at.file, b.Lock)
	case sqlite3.SQLITE_FULL:
		e.Message = fmt.Sprintf("There is no room for the file %s: the disk of the directory of deliveries is full", b.at.file)
	case sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT:
		e.Message += ". It is no SQLite file, or a broken one: choose another name"
	case sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM:
		e.Message += ". The server may not write it"
	}
	return e
}
