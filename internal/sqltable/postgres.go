package sqltable

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"

	"shoal"
)

// postgres writes to PostgreSQL. The rows are copied into a temporary table
// first, as fast as the server takes them and without a lock that anybody
// meets, and from there into the table by one statement.
type postgres struct {
	Options
	at *address
	// mu guards the connections: the driver dials on its own when it asks the
	// server, in the background, to end a statement.
	mu    sync.Mutex
	conns []net.Conn // dialled to log in
	in    bool       // it has, or given up; what is dialled now asks it to end a statement
}

const pgQuote = `"`

// goodbye is how long a connection may take to be closed.
const goodbye = 5 * time.Second

func (b *postgres) load(ctx context.Context, j *Job) (Report, error) {
	p, err := newPlan(j)
	if err != nil {
		return Report{}, err
	}
	defer b.hangUp()
	conn, err := b.connect(ctx)
	if err != nil {
		return Report{}, b.explain(err)
	}
	b.loggedIn()
	s := &pgSession{postgres: b, job: j, plan: p, conn: conn, patience: newPatience(ctx, b.Stall)}
	defer s.stop()
	report, err := s.load()
	if err == nil {
		ctx, cancel := context.WithTimeout(ctx, goodbye)
		defer cancel()
		conn.Close(ctx) // all is committed: how it goes is of no interest
	}
	return report, b.explain(s.cause(err))
}

// hangUp closes what is left of the connections: the server is not to hold a
// transaction because of one that is given up.
func (b *postgres) hangUp() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.in = true
	for _, conn := range b.conns {
		conn.Close()
	}
}

// loggedIn says that what is dialled from now on is not the connection.
func (b *postgres) loggedIn() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.in = true
}

// dialled keeps a connection to be closed.
func (b *postgres) dialled(conn net.Conn) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.in {
		b.conns = append(b.conns, conn)
	}
}

// reached reports whether the server took a connection.
func (b *postgres) reached() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.conns) > 0
}

// connect logs in.
func (b *postgres) connect(ctx context.Context) (*pgconn.PgConn, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, b.Connect, &Stalled{b.Connect})
	defer cancel()
	// A config comes from ParseConfig alone, which takes from the environment and
	// from files what it is not given: all of it is given here, or set below.
	c, err := pgconn.ParseConfig("host=x port=1 user=x password=x dbname=x sslmode=disable target_session_attrs=any")
	if err != nil {
		return nil, fmt.Errorf("prepare the connection: %w", err)
	}
	port, err := strconv.ParseUint(b.at.port, 10, 16)
	if err != nil {
		return nil, fmt.Errorf("read the port: %w", err)
	}
	c.Host, c.Port, c.User, c.Password, c.Database = b.at.host, uint16(port), b.at.user, b.at.password, b.at.database
	c.Fallbacks, c.SSLNegotiation, c.SSLCertMode, c.KerberosSrvName, c.KerberosSpn = nil, "", "", "", ""
	c.RuntimeParams = map[string]string{"application_name": "shoal", "client_encoding": "UTF8"}
	c.ConnectTimeout = b.Connect
	c.LookupFunc = func(_ context.Context, host string) ([]string, error) { return []string{host}, nil } // Dial looks it up
	c.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := b.Dial(ctx, network, address)
		if err == nil {
			b.dialled(conn)
		}
		return conn, err
	}
	c.BuildContextWatcherHandler = func(conn *pgconn.PgConn) ctxwatch.Handler {
		return &pgconn.CancelRequestContextWatcherHandler{Conn: conn, DeadlineDelay: goodbye}
	}
	c.ChannelBinding, c.RequireAuth = "prefer", ""
	if b.at.binding {
		c.ChannelBinding = "require"
	}
	if c.TLSConfig = b.at.tls(); c.TLSConfig != nil {
		conn, err := pgconn.ConnectConfig(ctx, c)
		if err == nil || b.at.mode != sslPrefer || !b.reached() || ctx.Err() != nil || !plainMayDo(err) {
			return conn, timedOut(ctx, err)
		}
		c.TLSConfig = nil
	}
	if b.at.mode == sslPrefer {
		c.RequireAuth = "!password" // it would cross the network readable, and nobody asked for that
	}
	conn, err := pgconn.ConnectConfig(ctx, c)
	return conn, timedOut(ctx, err)
}

// plainMayDo reports whether a server that refused an encrypted connection may
// take another one.
func plainMayDo(err error) bool {
	said, ok := errors.AsType[*pgconn.PgError](err)
	return !ok || said.Code == "28000" // its rules name no such connection
}

func timedOut(ctx context.Context, err error) error {
	if stalled, ok := errors.AsType[*Stalled](context.Cause(ctx)); ok && err != nil {
		return stalled
	}
	return err
}

// pgSession is one load on its connection.
type pgSession struct {
	*postgres
	*patience
	job   *Job
	plan  *plan
	conn  *pgconn.PgConn
	table string // its whole name, quoted
}

func (s *pgSession) load() (r Report, err error) {
	if err := s.begin(); err != nil {
		return r, err
	}
	if r.Created, err = s.prepare(); err != nil {
		return r, err
	}
	if !s.job.Try {
		// What was made is there for others before the rows come: they may take a while.
		if err := s.exec(s.Stall, "COMMIT"); err != nil {
			return r, err
		}
		if err := s.begin(); err != nil {
			return r, err
		}
	}
	if err := s.copy(&r); err != nil {
		return r, err
	}
	if err := s.merge(); err != nil {
		return r, err
	}
	if s.job.Try {
		return r, s.exec(s.Stall, "ROLLBACK")
	}
	return r, s.exec(s.Long, "COMMIT")
}

// exec runs statements that may take so long.
func (s *pgSession) exec(within time.Duration, text string) error {
	s.wait(within + goodbye)
	_, err := s.conn.Exec(s.ctx, text).ReadAll()
	return err
}

// begin begins a transaction with limits of its own: whatever becomes of this
// process, the server ends what waits. A pooler takes them in a transaction
// and would not at the start.
func (s *pgSession) begin() error {
	return s.exec(s.Stall, fmt.Sprintf("BEGIN; SET LOCAL statement_timeout = %d; SET LOCAL lock_timeout = %d; SET LOCAL TimeZone = 'UTC'; SET LOCAL DateStyle = 'ISO'",
		s.Long.Milliseconds(), s.Lock.Milliseconds()))
}

// query returns the rows of a statement with parameters.
func (s *pgSession) query(text string, args ...string) ([][][]byte, error) {
	s.wait(s.Stall)
	var params [][]byte
	for _, a := range args {
		params = append(params, []byte(a))
	}
	res := s.conn.ExecParams(s.ctx, text, params, nil, nil, nil).Read()
	return res.Rows, res.Err
}

// prepare looks at the table and makes what it lacks.
func (s *pgSession) prepare() (created bool, err error) {
	if s.at.schema == "" {
		rows, err := s.query("SELECT current_schema()")
		if err != nil {
			return false, err
		}
		if s.at.schema = string(rows[0][0]); s.at.schema == "" {
			return false, &Error{Message: "The user of the database has no schema to write to: name one with schema"}
		}
	}
	s.table = quoteNames([]string{s.at.schema}, pgQuote) + "." + quoteName(s.at.table, pgQuote)
	if err := s.lock(); err != nil {
		return false, err
	}
	have, err := s.describe()
	if err != nil {
		return false, err
	}
	lacks := s.plan.match(have, pgTyped)
	if err := s.plan.allowed(s.job, s.at, have, lacks); err != nil {
		return false, err
	}
	return !have.found, s.make(have, lacks)
}

// lock keeps other deliveries off the table until the transaction ends, so that
// two do not make it at once or wait for each other's rows crosswise.
func (s *pgSession) lock() error {
	s.wait(s.Lock + goodbye)
	_, err := s.query("SELECT pg_advisory_xact_lock(hashtextextended('shoal ' || $1, 0))", s.table)
	return err
}

func (s *pgSession) make(have *structure, lacks []*column) error {
	switch {
	case !have.found:
		return s.exec(s.Long, s.plan.create(s.table, pgQuote, ""))
	case len(lacks) > 0:
		var adds []string
		for _, c := range lacks {
			adds = append(adds, "ADD COLUMN IF NOT EXISTS "+quoteName(c.name, pgQuote)+" "+c.typ)
		}
		if err := s.exec(s.Long, "ALTER TABLE "+s.table+" "+strings.Join(adds, ", ")); err != nil {
			return err
		}
	}
	if key := s.plan.keyNames(); len(key) > 0 && !have.indexed(key) {
		return s.exec(s.Long, "CREATE UNIQUE INDEX ON "+s.table+" ("+quoteNames(key, pgQuote)+")")
	}
	return nil
}

// describe reads the catalogue.
func (s *pgSession) describe() (*structure, error) {
	const columns = `SELECT a.attname, format_type(a.atttypid, a.atttypmod), t.typname, a.atttypmod::text
		FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
		JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
		JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
		WHERE n.nspname = $1 AND c.relname = $2`
	rows, err := s.query(columns, s.at.schema, s.at.table)
	if err != nil {
		return nil, err
	}
	have := &structure{found: len(rows) > 0}
	for _, r := range rows {
		have.add(string(r[0]), pgHolds(string(r[1]), string(r[2]), string(r[3])))
	}
	const unique = `SELECT i.indexrelid::text, a.attname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
		JOIN pg_catalog.pg_index i ON i.indrelid = c.oid AND i.indisunique AND i.indisvalid AND i.indimmediate AND i.indpred IS NULL AND i.indexprs IS NULL
		CROSS JOIN LATERAL generate_series(0, i.indnkeyatts - 1) k
		JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = i.indkey[k]
		WHERE n.nspname = $1 AND c.relname = $2`
	if rows, err = s.query(unique, s.at.schema, s.at.table); err != nil {
		return nil, err
	}
	for _, r := range rows {
		have.addUnique(string(r[0]), string(r[1]))
	}
	return have, nil
}

// pgKinds are the kinds of types by their names in the catalogue.
var pgKinds = map[string]kind{
	"text": kindText, "varchar": kindText, "bpchar": kindText, "citext": kindText, "name": kindOther, "bool": kindBoolean,
	"int2": kindInteger, "int4": kindInteger, "int8": kindInteger, "float4": kindFloat32, "float8": kindFloat64, "numeric": kindDecimal,
	"json": kindJSON, "jsonb": kindJSON, "bytea": kindBytes, "date": kindDate, "timestamp": kindTimestamp, "timestamptz": kindTimestampTZ,
}

// pgHolds says what a type with its modifier takes.
func pgHolds(typ, name, modifier string) holds {
	h := holds{typ: typ, kind: kindOther, scale: -1}
	if k, ok := pgKinds[name]; ok {
		h.kind = k
	}
	mod, err := strconv.Atoi(modifier)
	if err != nil || mod < 0 {
		return h
	}
	switch h.kind {
	case kindText:
		h.runes = mod - 4
	case kindDecimal:
		h.scale = (mod - 4) & 0x7FF
	case kindTimestamp, kindTimestampTZ:
		h.scale = mod
	}
	return h
}

// pgTyped is the type of a column that is made.
func pgTyped(c *column) holds {
	h := holds{typ: "text", kind: kindText, scale: -1}
	switch {
	case c.member == memberTime:
		h.typ, h.kind = "timestamp with time zone", kindTimestampTZ
	case c.attr == shoal.AttrInteger:
		h.typ, h.kind = "bigint", kindInteger
	case c.attr == shoal.AttrFloat:
		h.typ, h.kind = "double precision", kindFloat64
	case c.attr == shoal.AttrBoolean:
		h.typ, h.kind = "boolean", kindBoolean
	case c.attr == shoal.AttrJSON:
		h.typ, h.kind = "jsonb", kindJSON
	}
	return h
}

// merge puts the copied rows into the table by one statement.
func (s *pgSession) merge() error {
	if err := s.lock(); err != nil {
		return err
	}
	if s.plan.mode == Replace {
		if err := s.exec(s.Long, "DELETE FROM "+s.table+s.job.some()); err != nil {
			return err
		}
	}
	return s.exec(s.Long, s.plan.pgMerge(s.table))
}

func (p *plan) pgMerge(table string) string {
	staged := make([]string, len(p.columns))
	for i := range staged {
		staged[i] = "c" + strconv.Itoa(i)
	}
	from := "pg_temp.shoal_rows"
	if p.own && p.mode != Insert {
		// Of rows that the database takes for the same, the last counts.
		var key []string
		for _, i := range p.key {
			key = append(key, staged[i])
		}
		k := strings.Join(key, ", ")
		from = "(SELECT DISTINCT ON (" + k + ") * FROM pg_temp.shoal_rows ORDER BY " + k + ", n DESC) r"
	}
	return "INSERT INTO " + table + " AS shoal_had (" + quoteNames(p.names(), pgQuote) + ") SELECT " + strings.Join(staged, ", ") +
		" FROM " + from + p.onConflict(pgQuote)
}

// onConflict says what happens to a row whose key is there, in the words of
// PostgreSQL and SQLite. An older row does not undo a newer one.
func (p *plan) onConflict(quote string) string {
	if len(p.key) == 0 {
		return ""
	}
	var sets []string
	for i := range p.columns {
		if c := &p.columns[i]; !c.key {
			sets = append(sets, quoteName(c.name, quote)+" = excluded."+quoteName(c.name, quote))
		}
	}
	on := " ON CONFLICT (" + quoteNames(p.keyNames(), quote) + ") DO "
	if p.mode == Insert || len(sets) == 0 {
		return on + "NOTHING"
	}
	on += "UPDATE SET " + strings.Join(sets, ", ")
	if p.seen >= 0 && !p.columns[p.seen].key {
		at := quoteName(p.columns[p.seen].name, quote)
		on += " WHERE shoal_had." + at + " IS NULL OR shoal_had." + at + " <= excluded." + at
	}
	return on
}
