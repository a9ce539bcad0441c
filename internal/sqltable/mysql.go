package sqltable

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"hash/fnv"
	"net"
	"regexp"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"

	"shoal"
)

// mySQL writes to MySQL and MariaDB: statements of many rows in one
// transaction.
type mySQL struct {
	Options
	at *address
}

const myQuote = "`"

func (b *mySQL) load(ctx context.Context, j *Job) (r Report, err error) {
	p, err := newPlan(j)
	if err != nil {
		return r, err
	}
	connector, err := mysql.NewConnector(b.config())
	if err != nil {
		return r, errors.New("the connection cannot be prepared from the URL")
	}
	db := sql.OpenDB(connector)
	defer db.Close()
	conn, err := b.connect(ctx, db)
	if err != nil {
		return r, b.explain(err)
	}
	defer conn.Close()
	s := &mySession{mySQL: b, job: j, plan: p, db: db, conn: conn, patience: newPatience(ctx, b.Stall)}
	defer s.stop()
	r, err = s.load()
	if err != nil {
		// A statement goes on at the server when nobody listens any more, and with it its locks.
		if s.ctx.Err() != nil {
			s.kill(ctx)
		}
		err = b.explain(s.cause(err))
	}
	return r, err
}

// config is the driver's, of what the URL says and nothing else.
func (b *mySQL) config() *mysql.Config {
	c := mysql.NewConfig()
	c.User, c.Passwd, c.Net, c.Addr, c.DBName = b.at.user, b.at.password, "tcp", b.at.hostPort(), b.at.database
	c.TLS, c.AllowFallbackToPlaintext = b.at.tls(), b.at.mode == sslPrefer
	c.Timeout = b.Connect
	c.MaxAllowedPacket = 0 // the server says
	c.ClientFoundRows = true
	c.Logger = &mysql.NopLogger{}
	c.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		return b.Dial(ctx, network, address)
	}
	return c
}

func (b *mySQL) connect(ctx context.Context, db *sql.DB) (*sql.Conn, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, b.Connect, &Stalled{b.Connect})
	defer cancel()
	conn, err := db.Conn(ctx)
	return conn, timedOut(ctx, err)
}

// mySession is one load on its connection.
type mySession struct {
	*mySQL
	*patience
	job     *Job
	plan    *plan
	db      *sql.DB
	conn    *sql.Conn
	id      int64 // of the connection, at the server
	packet  int   // bytes that the server takes at once
	maria   bool
	collate string // by which different texts are different
	table   string // its whole name, quoted
	tried   bool   // a Try has made a table, and there is none to write to
}

func (s *mySession) load() (r Report, err error) {
	if err := s.settle(); err != nil {
		return r, err
	}
	if r.Created, r.Left, err = s.prepare(); err != nil {
		return r, err
	}
	if s.tried {
		return r, nil
	}
	if err := s.exec(s.Stall, "START TRANSACTION"); err != nil {
		return r, err
	}
	if s.plan.mode == Replace && !s.job.Try {
		if err := s.exec(s.Long, "DELETE FROM "+s.table); err != nil {
			return r, err
		}
	}
	if err := s.insert(&r); err != nil {
		return r, err
	}
	if s.job.Try {
		return r, s.exec(s.Stall, "ROLLBACK")
	}
	return r, s.exec(s.Long, "COMMIT")
}

func (s *mySession) exec(within time.Duration, text string, args ...any) error {
	s.wait(within + goodbye)
	_, err := s.conn.ExecContext(s.ctx, text, args...)
	return err
}

// settle gives the session what it needs: strictness, so that nothing is cut
// to fit, UTC, and limits.
func (s *mySession) settle() error {
	s.wait(s.Stall)
	var version string
	err := s.conn.QueryRowContext(s.ctx, "SELECT CONNECTION_ID(), @@max_allowed_packet, VERSION()").Scan(&s.id, &s.packet, &version)
	if err != nil {
		return err
	}
	s.maria = strings.Contains(version, "MariaDB")
	s.collate = "utf8mb4_0900_bin"
	if s.maria {
		s.collate = "utf8mb4_nopad_bin"
	}
	set := fmt.Sprintf(`SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ZERO_DATE,NO_ZERO_IN_DATE,NO_AUTO_VALUE_ON_ZERO,NO_ENGINE_SUBSTITUTION',
		time_zone = '+00:00', innodb_lock_wait_timeout = %[1]d, lock_wait_timeout = %[1]d`, max(int(s.Lock.Seconds()), 1))
	if s.maria {
		set += fmt.Sprintf(", max_statement_time = %d", max(int(s.Long.Seconds()), 1))
	}
	if err := s.exec(s.Stall, set); err != nil {
		return err
	}
	return s.exec(s.Stall, "SET NAMES utf8mb4")
}

// prepare looks at the table and makes what it lacks. MySQL commits at each
// such statement, so that a Try makes and drops a table of another name.
func (s *mySession) prepare() (created bool, left string, err error) {
	if s.at.schema == "" {
		s.at.schema = s.at.database
	}
	s.table = quoteName(s.at.schema, myQuote) + "." + quoteName(s.at.table, myQuote)
	if err := s.lock(); err != nil {
		return false, "", err
	}
	have, err := s.describe()
	if err != nil {
		return false, "", err
	}
	lacks := s.plan.match(have, s.typed)
	if err := s.plan.allowed(s.job, s.at, have, lacks); err != nil {
		return false, "", err
	}
	if err := s.unambiguous(have); err != nil {
		return false, "", err
	}
	if s.job.Try && (!have.found || len(lacks) > 0) {
		left, err := s.tryTable()
		return !have.found, left, err
	}
	return !have.found, "", s.make(have, lacks)
}

// lock keeps other deliveries off the table while this connection lives.
func (s *mySession) lock() error {
	h := fnv.New64a()
	h.Write([]byte(s.table))
	s.wait(s.Lock + goodbye)
	var got sql.NullInt64
	err := s.conn.QueryRowContext(s.ctx, "SELECT GET_LOCK(?, ?)", fmt.Sprintf("shoal %x", h.Sum64()), max(int(s.Lock.Seconds()), 1)).Scan(&got)
	if err == nil && got.Int64 != 1 {
		err = &Error{Message: "Another delivery writes to the table " + s.at.where() + " for longer than " + s.Lock.String()}
	}
	return err
}

// tryTable shows that a table may be made as it would be. Rows are not tried.
func (s *mySession) tryTable() (left string, err error) {
	name := "shoal_test_" + strings.ToLower(string(shoal.NewID[shoal.DeliveryID]())[:12])
	table := quoteName(s.at.schema, myQuote) + "." + quoteName(name, myQuote)
	s.tried = true
	if err := s.exec(s.Long, s.plan.create(table, myQuote, s.engine())); err != nil {
		return "", err
	}
	real := s.table
	s.table = table
	err = s.tryInsert()
	if s.table = real; s.exec(s.Stall, "DROP TABLE "+table) != nil {
		left = name
	}
	return left, err
}

func (s *mySession) engine() string {
	return " ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4"
}

func (s *mySession) make(have *structure, lacks []*column) error {
	switch {
	case !have.found:
		return s.exec(s.Long, s.plan.create(s.table, myQuote, s.engine()))
	case len(lacks) > 0:
		var adds []string
		for _, c := range lacks {
			adds = append(adds, "ADD COLUMN "+quoteName(c.name, myQuote)+" "+c.typ)
		}
		if err := s.exec(s.Long, "ALTER TABLE "+s.table+" "+strings.Join(adds, ", ")); err != nil {
			return err
		}
	}
	if key := s.plan.keyNames(); len(key) > 0 && !have.indexed(key) {
		return s.exec(s.Long, "ALTER TABLE "+s.table+" ADD UNIQUE INDEX ("+quoteNames(key, myQuote)+")")
	}
	return nil
}

// unambiguous refuses a table where a row could be found by something else
// than the key: MySQL updates the row of any unique index that it meets.
func (s *mySession) unambiguous(have *structure) error {
	if len(s.plan.key) == 0 {
		return nil
	}
	written := s.plan.names()
	for _, columns := range have.unique {
		only := &structure{fold: true, unique: map[string][]string{"": columns}}
		meets := true
		for _, c := range columns {
			meets = meets && containsFold(written, c)
		}
		if meets && !only.indexed(s.plan.keyNames()) {
			return refused("The table %s has another unique index, of (%s), by which MySQL would find rows too: name those fields as key, leave one of them out with omit, or drop the index",
				s.at.where(), list(columns))
		}
	}
	return nil
}

func containsFold(names []string, name string) bool {
	for _, n := range names {
		if strings.EqualFold(n, name) {
			return true
		}
	}
	return false
}

// describe reads the catalogue.
func (s *mySession) describe() (*structure, error) {
	s.wait(s.Stall)
	have := &structure{fold: true}
	var engine, transactions sql.NullString
	err := s.conn.QueryRowContext(s.ctx, `SELECT t.ENGINE, e.TRANSACTIONS FROM information_schema.TABLES t LEFT JOIN information_schema.ENGINES e ON e.ENGINE = t.ENGINE
		WHERE t.TABLE_SCHEMA = ? AND t.TABLE_NAME = ?`, s.at.schema, s.at.table).Scan(&engine, &transactions)
	if errors.Is(err, sql.ErrNoRows) {
		return have, nil
	}
	if err != nil {
		return nil, err
	}
	if have.found = true; engine.Valid && transactions.String != "YES" {
		return nil, refused("The table %s is of the engine %s, which has no transactions: ALTER TABLE … ENGINE=InnoDB", s.at.where(), engine.String)
	}
	err = s.each(`SELECT COLUMN_NAME, DATA_TYPE, COLUMN_TYPE, COALESCE(CHARACTER_MAXIMUM_LENGTH, 0), COALESCE(CHARACTER_OCTET_LENGTH, 0),
		COALESCE(NUMERIC_SCALE, 0), COALESCE(DATETIME_PRECISION, 0) FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ?`,
		func(rows *sql.Rows) error {
			var name, typ, whole string
			var runes, octets uint64
			var scale, fraction int
			err := rows.Scan(&name, &typ, &whole, &runes, &octets, &scale, &fraction)
			have.add(name, myHolds(typ, whole, runes, octets, scale, fraction))
			return err
		})
	if err == nil && s.maria {
		err = s.findJSON(have)
	}
	if err != nil {
		return nil, err
	}
	return have, s.each(`SELECT INDEX_NAME, COALESCE(COLUMN_NAME, ''), COALESCE(SUB_PART, 0) FROM information_schema.STATISTICS
		WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ? AND NON_UNIQUE = 0 ORDER BY INDEX_NAME, SEQ_IN_INDEX`,
		func(rows *sql.Rows) error {
			var index, column string
			var part int
			err := rows.Scan(&index, &column, &part)
			if part > 0 {
				column += fmt.Sprintf("(%d)", part) // of a beginning: no key
			}
			have.addUnique(index, column)
			return err
		})
}

// findJSON finds the columns that MariaDB calls JSON: texts with a check.
func (s *mySession) findJSON(have *structure) error {
	return s.each("SELECT CHECK_CLAUSE FROM information_schema.CHECK_CONSTRAINTS WHERE CONSTRAINT_SCHEMA = ? AND TABLE_NAME = ?", func(rows *sql.Rows) error {
		var clause string
		err := rows.Scan(&clause)
		if m := jsonCheck.FindStringSubmatch(clause); m != nil {
			name := have.folded(strings.ReplaceAll(m[1], "``", "`"))
			if h, ok := have.columns[name]; ok {
				h.kind, h.typ = kindJSON, "JSON"
				have.columns[name] = h
			}
		}
		return err
	})
}

var jsonCheck = regexp.MustCompile("^json_valid\\(`(.*)`\\)$")

// each runs a query about the table and takes its rows.
func (s *mySession) each(query string, take func(*sql.Rows) error) error {
	rows, err := s.conn.QueryContext(s.ctx, query, s.at.schema, s.at.table)
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

// kill ends what the connection does at the server.
func (s *mySession) kill(ctx context.Context) {
	if s.id == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), goodbye)
	defer cancel()
	s.db.ExecContext(ctx, fmt.Sprintf("KILL CONNECTION %d", s.id)) // it may have ended by itself
}
