package sqltable

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"iter"
	"regexp"
	"strconv"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5/pgconn"

	"shoal"
)

// copyBuffer is how many bytes of rows are gathered for the server.
const copyBuffer = 64 << 10

// copy brings the rows into the temporary table shoal_rows: their number and
// the plan's columns, of the types that the table has.
func (s *pgSession) copy(r *Report) error {
	var types, names strings.Builder
	for i := range s.plan.columns {
		fmt.Fprintf(&types, ", c%d %s", i, s.plan.columns[i].typ)
		fmt.Fprintf(&names, ", c%d", i)
	}
	if err := s.exec(s.Stall, "CREATE TEMPORARY TABLE shoal_rows (n bigint"+types.String()+") ON COMMIT DROP"); err != nil {
		return err
	}
	if s.job.Rows == nil {
		return nil
	}
	next, stop := iter.Pull2(s.job.Rows)
	defer stop()
	c := &copier{session: s, next: next, reader: newReader(s.plan)}
	_, err := s.conn.CopyFrom(s.ctx, c, "COPY pg_temp.shoal_rows (n"+names.String()+") FROM STDIN")
	c.finish()
	r.Rows, r.Cleaned = c.rows, c.reader.cleaned
	if c.err != nil {
		return c.err
	}
	if err != nil {
		return s.blame(err)
	}
	return nil
}

// copier reads rows as COPY takes them: a line each, values between tabs.
type copier struct {
	// mu is held while rows are read: a connection that breaks may return from
	// CopyFrom while its goroutine still reads.
	mu      sync.Mutex
	over    bool // nothing more is read
	session *pgSession
	next    func() (*shoal.Result, error, bool)
	reader  *reader
	rows    int64
	buf     []byte
	sent    int // of buf
	err     error
}

// errGivenUp is what the server is told when a row is wrong; the row is not its
// business.
var errGivenUp = errors.New("given up")

// Read is called by the connection whenever the server has taken what it had.
func (c *copier) Read(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over {
		return 0, errGivenUp
	}
	c.session.wait(c.session.Stall)
	if c.sent == len(c.buf) {
		c.buf, c.sent = c.buf[:0], 0
		for len(c.buf) < copyBuffer {
			row, err, ok := c.next()
			if !ok {
				break
			}
			if err == nil {
				err = c.add(row)
			}
			if c.err = err; err != nil {
				return 0, errGivenUp
			}
		}
	}
	if len(c.buf) == 0 {
		return 0, io.EOF
	}
	n := copy(b, c.buf[c.sent:])
	c.sent += n
	return n, nil
}

// finish waits for a read under way and lets no other begin.
func (c *copier) finish() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.over = true
}

func (c *copier) add(row *shoal.Result) error {
	values, err := c.reader.read(row)
	if err != nil {
		return err
	}
	c.rows++
	c.buf = strconv.AppendInt(c.buf, c.rows, 10)
	for i := range values {
		c.buf = append(c.buf, '\t')
		switch {
		case values[i].class == classNull:
			c.buf = append(c.buf, `\N`...)
		case c.reader.plan.columns[i].kind == kindBytes:
			c.buf = append(c.buf, `\\x`...)
			c.buf = hex.AppendEncode(c.buf, []byte(values[i].text))
		default:
			c.buf = appendCopy(c.buf, values[i].text)
		}
	}
	c.buf = append(c.buf, '\n')
	return nil
}

// appendCopy appends a text with what COPY would take for its own escaped.
// https://www.postgresql.org/docs/current/sql-copy.html, Text Format
func appendCopy(b []byte, s string) []byte {
	from := 0
	for i := 0; i < len(s); i++ {
		var as byte
		switch s[i] {
		case '\\':
			as = '\\'
		case '\n':
			as = 'n'
		case '\r':
			as = 'r'
		case '\t':
			as = 't'
		default:
			continue
		}
		b = append(append(b, s[from:i]...), '\\', as)
		from = i + 1
	}
	return append(b, s[from:]...)
}

// copyWhere finds the row and the column in the context of an error.
var copyWhere = regexp.MustCompile(`line (\d+)(?:, column c(\d+))?`)

// blame names the row and the column that the server did not take.
func (s *pgSession) blame(err error) error {
	said, ok := errors.AsType[*pgconn.PgError](err)
	if !ok || !strings.HasPrefix(said.Where, "COPY shoal_rows") || said.Code[:2] != "22" && said.Code[:2] != "23" {
		return err
	}
	m := copyWhere.FindStringSubmatch(said.Where)
	if m == nil {
		return err
	}
	column := ""
	if i, err := strconv.Atoi(m[2]); err == nil && i < len(s.plan.columns) {
		column = s.plan.columns[i].name
	}
	line, _ := strconv.Atoi(m[1])
	for row, err := range s.job.Rows {
		if err != nil {
			return err
		}
		if line--; line == 0 {
			return rowError(row.ID(), column, "", "the server says: "+said.Message)
		}
	}
	return err
}

// explain turns what the server said into what a person can act on.
func (b *postgres) explain(err error) error {
	said, ok := errors.AsType[*pgconn.PgError](err)
	if !ok {
		return err
	}
	e := &Error{Err: err}
	text := fmt.Sprintf("%s said %s: %s", b.at.host, said.Code, strings.TrimRight(said.Message, "."))
	switch said.Code {
	case "28P01", "28000":
		e.Message = text + ". Check the user, the password and the sslmode of the URL"
	case "3D000":
		e.Message = text + ". Make the database, or check its name in the URL"
	case "3F000":
		e.Message = text + ". Make the schema, or check its name"
	case "42501":
		e.Message = text + ". Grant the user what is missing: SELECT, INSERT, UPDATE (and DELETE to replace) on the table, CREATE on the schema to make it, TEMPORARY on the database"
	case "55P03":
		e.Message = fmt.Sprintf("The table %s is locked by another for longer than %s", b.at.where(), b.Lock)
	case "57014":
		e.Message = fmt.Sprintf("%s. It took longer than %s", text, b.Long)
	case "53100", "53200":
		e.Message = text + ". The server is out of space"
	case "23505":
		e.Message = text + ". " + strings.TrimRight(said.Detail, ".") + ". Another unique index of the table is in the way, or rows that are there are not unique by the key"
	default:
		e.Message = text
		if said.Hint != "" {
			e.Message += ". " + said.Hint
		}
	}
	return e
}
