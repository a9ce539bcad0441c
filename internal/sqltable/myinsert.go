package sqltable

import (
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"

	"github.com/go-sql-driver/mysql"

	"shoal"
)

const (
	// maxPlaceholders is what a prepared statement of MySQL takes.
	maxPlaceholders = 65_535
	// myRows and myBytes are what one statement brings at most.
	myRows  = 500
	myBytes = 1 << 20
	// rowOverhead is what of a packet is not its values.
	rowOverhead = 4 << 10
)

// myKinds are the kinds of types by their names in the catalogue.
var myKinds = map[string]kind{
	"tinyint": kindInteger, "smallint": kindInteger, "mediumint": kindInteger, "int": kindInteger, "bigint": kindInteger, "decimal": kindDecimal,
	"float": kindFloat32, "double": kindFloat64, "char": kindText, "varchar": kindText, "tinytext": kindText, "text": kindText,
	"mediumtext": kindText, "longtext": kindText, "json": kindJSON, "date": kindDate, "datetime": kindTimestamp, "timestamp": kindTimestamp,
	"binary": kindBytes, "varbinary": kindBytes, "tinyblob": kindBytes, "blob": kindBytes, "mediumblob": kindBytes, "longblob": kindBytes,
}

// myHolds says what a type takes.
func myHolds(typ, whole string, runes, octets uint64, scale, fraction int) holds {
	h := holds{typ: whole, kind: kindOther, scale: -1}
	if k, ok := myKinds[strings.ToLower(typ)]; ok {
		h.kind = k
	}
	const bounded = 1 << 30
	switch h.kind {
	case kindText:
		if strings.HasSuffix(typ, "char") {
			h.runes = int(runes)
		} else if octets < bounded {
			h.bytes = int(octets)
		}
	case kindBytes:
		if octets < bounded {
			h.bytes = int(octets)
		}
	case kindDecimal:
		h.scale = scale
	case kindTimestamp:
		h.scale = fraction
	}
	return h
}

// typed is the type of a column that is made. Texts compare as they are, byte
// by byte: what differs in anything is not the same key.
func (s *mySession) typed(c *column) holds {
	h := holds{typ: "LONGTEXT COLLATE " + s.collate, kind: kindText, scale: -1}
	switch {
	case c.member == memberTime:
		h.typ, h.kind, h.scale = "DATETIME(6)", kindTimestamp, 6
	case c.attr == shoal.AttrInteger:
		h.typ, h.kind = "BIGINT", kindInteger
	case c.attr == shoal.AttrFloat:
		h.typ, h.kind = "DOUBLE", kindFloat64
	case c.attr == shoal.AttrBoolean:
		h.typ, h.kind = "BOOLEAN", kindInteger
	case c.attr == shoal.AttrJSON:
		h.typ, h.kind = "JSON", kindJSON
	case c.member != memberNone:
		h.typ, h.runes = "VARCHAR(64) COLLATE "+s.collate, 64
	case c.key:
		// An index of InnoDB holds 3072 bytes, and a character has up to four.
		h.runes = 768 / len(s.plan.key)
		h.typ = fmt.Sprintf("VARCHAR(%d) COLLATE %s", h.runes, s.collate)
	}
	return h
}

// insert sends the rows, many at a time.
func (s *mySession) insert(r *Report) error {
	w := &myWriter{mySession: s, reader: newReader(s.plan), most: max(min(myRows, maxPlaceholders/len(s.plan.columns)), 1)}
	defer w.close()
	if s.job.Rows == nil {
		return s.tryInsert()
	}
	for row, err := range s.job.Rows {
		if err != nil {
			return err
		}
		if err := w.add(row); err != nil {
			return err
		}
		r.Rows++
	}
	r.Cleaned = w.reader.cleaned
	return w.flush()
}

// tryInsert has the server check, without a row, what rows would need.
func (s *mySession) tryInsert() error {
	if s.plan.mode == Replace {
		if err := s.exec(s.Stall, "DELETE FROM "+s.table+" WHERE 1 = 0"); err != nil {
			return err
		}
	}
	nulls := strings.TrimSuffix(strings.Repeat("NULL, ", len(s.plan.columns)), ", ")
	return s.exec(s.Stall, "INSERT INTO "+s.table+" ("+quoteNames(s.plan.names(), myQuote)+") SELECT "+nulls+" FROM DUAL WHERE FALSE"+s.plan.onDuplicate())
}

// myWriter gathers rows for a statement.
type myWriter struct {
	*mySession
	reader *reader
	most   int // rows of a statement
	args   []any
	ids    []string
	bytes  int
	full   *sql.Stmt // of most rows
}

func (w *myWriter) add(row *shoal.Result) error {
	values, err := w.reader.read(row)
	if err != nil {
		return err
	}
	size := 0
	for i := range values {
		size += len(values[i].text) + 9
	}
	if size+rowOverhead > w.packet {
		return rowError(row.ID(), "", "", fmt.Sprintf("it has %d bytes, and the server takes %d at once: raise max_allowed_packet, or leave a field out with omit", size, w.packet))
	}
	if len(w.ids) == w.most || w.bytes+size > min(myBytes, w.packet-rowOverhead) {
		if err := w.flush(); err != nil {
			return err
		}
	}
	for i := range values {
		w.args = append(w.args, myArg(values[i]))
	}
	w.ids, w.bytes = append(w.ids, row.ID()), w.bytes+size
	return nil
}

// myArg is a value as the driver takes it. Numbers stay texts: the server reads
// them without a loss.
func myArg(v value) any {
	switch v.class {
	case classNull:
		return nil
	case classBoolean:
		return v.text == "true"
	}
	return v.text
}

func (w *myWriter) flush() error {
	if len(w.ids) == 0 {
		return nil
	}
	w.wait(w.Stall)
	err := w.send()
	if err != nil {
		return w.blame(err)
	}
	w.args, w.ids, w.bytes = w.args[:0], w.ids[:0], 0
	return nil
}

func (w *myWriter) send() (err error) {
	if len(w.ids) < w.most {
		_, err = w.conn.ExecContext(w.ctx, w.plan.myInsert(w.table, len(w.ids)), w.args...)
		return err
	}
	if w.full == nil {
		if w.full, err = w.conn.PrepareContext(w.ctx, w.plan.myInsert(w.table, w.most)); err != nil {
			return err
		}
	}
	_, err = w.full.ExecContext(w.ctx, w.args...)
	return err
}

func (w *myWriter) close() {
	if w.full != nil {
		w.full.Close()
	}
}

// myInsert is the statement for so many rows.
func (p *plan) myInsert(table string, rows int) string {
	one := "(" + strings.TrimSuffix(strings.Repeat("?, ", len(p.columns)), ", ") + ")"
	var b strings.Builder
	b.WriteString("INSERT INTO " + table + " (" + quoteNames(p.names(), myQuote) + ") VALUES ")
	for i := range rows {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(one)
	}
	b.WriteString(p.onDuplicate())
	return b.String()
}

// onDuplicate says what happens to a row whose key is there. INSERT IGNORE
// would forgive more than that. An older row does not undo a newer one; the
// time, by which that is told, is set last.
func (p *plan) onDuplicate() string {
	if len(p.key) == 0 {
		return ""
	}
	first := quoteName(p.columns[p.key[0]].name, myQuote)
	nothing := " ON DUPLICATE KEY UPDATE " + first + " = " + first
	if p.mode == Insert {
		return nothing
	}
	guard, last := "VALUES({})", ""
	if p.seen >= 0 && !p.columns[p.seen].key {
		at := quoteName(p.columns[p.seen].name, myQuote)
		guard = "IF(" + at + " IS NULL OR " + at + " <= VALUES(" + at + "), VALUES({}), {})"
		last = at + " = GREATEST(COALESCE(" + at + ", VALUES(" + at + ")), VALUES(" + at + "))"
	}
	var sets []string
	for i := range p.columns {
		if c := &p.columns[i]; !c.key && (last == "" || i != p.seen) {
			name := quoteName(c.name, myQuote)
			sets = append(sets, name+" = "+strings.ReplaceAll(guard, "{}", name))
		}
	}
	if last != "" {
		sets = append(sets, last)
	}
	if len(sets) == 0 {
		return nothing
	}
	return " ON DUPLICATE KEY UPDATE " + strings.Join(sets, ", ")
}

// myWhere finds the row, from 1, and the column in an error's text.
var (
	myRow    = regexp.MustCompile(`at row (\d+)`)
	myColumn = regexp.MustCompile("column '([^']*)'|`([^`]*)` at row")
)

// blame names the row and the column that the server did not take.
func (w *myWriter) blame(err error) error {
	said, ok := errors.AsType[*mysql.MySQLError](err)
	if !ok {
		return err
	}
	m := myRow.FindStringSubmatch(said.Message)
	if m == nil {
		return err
	}
	n, _ := strconv.Atoi(m[1])
	if n < 1 || n > len(w.ids) {
		return err
	}
	column := ""
	if m := myColumn.FindStringSubmatch(said.Message); m != nil {
		column = m[1] + m[2]
	}
	return rowError(w.ids[n-1], column, "", "the server says: "+said.Message)
}

// The numbers of errors that a person can do something about.
const (
	myAccess     = 1045
	myNoGrant    = 1044
	myNoDatabase = 1049
	myDenied     = 1142
	myColumnDeny = 1143
	myLockWait   = 1205
	myDeadlock   = 1213
	myFull       = 1114
	myTimeLimit  = 1969 // MariaDB: max_statement_time
	myKeyTooLong = 1071
)

// explain turns what the server said into what a person can act on.
func (b *mySQL) explain(err error) error {
	if errors.Is(err, mysql.ErrInvalidConn) || errors.Is(err, driver.ErrBadConn) {
		return fmt.Errorf("%w: %w", io.ErrUnexpectedEOF, err) // what the driver calls so
	}
	said, ok := errors.AsType[*mysql.MySQLError](err)
	if !ok {
		return err
	}
	e := &Error{Err: err, Message: fmt.Sprintf("%s said %d: %s", b.at.host, said.Number, strings.TrimRight(said.Message, "."))}
	switch said.Number {
	case myAccess:
		e.Message += ". Check the user and the password of the URL, and from where the user may connect"
	case myNoGrant, myDenied, myColumnDeny:
		e.Message += ". Grant the user what is missing: SELECT, INSERT, UPDATE (and DELETE to replace) on the table, CREATE, ALTER and INDEX to make it"
	case myNoDatabase:
		e.Message += ". Make the database, or check its name in the URL"
	case myLockWait, myDeadlock:
		e.Message = fmt.Sprintf("Rows of the table %s are locked by another: %s", b.at.where(), e.Message)
	case myFull:
		e.Message += ". The server is out of space"
	case myTimeLimit:
		e.Message += fmt.Sprintf(". It took longer than %s", b.Long)
	case myKeyTooLong:
		e.Message += ". Choose a key of fewer or shorter fields, or none"
	}
	return e
}
