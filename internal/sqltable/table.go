// Package sqltable puts rows into a table of somebody's PostgreSQL, MySQL,
// MariaDB or SQLite.
//
// # Promises
//
// All rows of one Load become visible in one transaction: a reader of the table
// sees it as it was before or as it is after. A Load that is repeated, whole or
// after it broke off anywhere, leaves the table as one Load does. Values arrive
// as they are or not at all: one that a column cannot hold fails the Load, with
// the row, the column and the value named. Rows stream; none but those of one
// batch are in memory.
//
// Every server is dialled through Options.Dial. Nothing in an address makes
// this process read a file, and SQLite files are only below Options.Dir.
package sqltable

import (
	"context"
	"errors"
	"iter"
	"net"
	"time"

	"shoal"
)

// Rows are results in order; they may be ranged over again. A row is valid
// until the next one is asked for, and an error ends the sequence.
type Rows = iter.Seq2[*shoal.Result, error]

// Options are what a Writer stands on.
type Options struct {
	// Dial connects to servers. nil: no servers.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Dir is where SQLite files are. nil: no SQLite.
	Dir *Dir
	// Connect, Lock, Stall and Long bound the connecting and logging in, the wait
	// for a lock that another holds, the wait for a server that takes rows, and
	// that for a statement about all rows. 30 s, 30 s, 1 min and 10 min when 0.
	Connect, Lock, Stall, Long time.Duration
}

// Writer writes tables. It is safe for concurrent use.
type Writer struct{ options Options }

// New returns a Writer.
func New(o Options) *Writer {
	for at, or := range map[*time.Duration]time.Duration{
		&o.Connect: 30 * time.Second, &o.Lock: 30 * time.Second, &o.Stall: time.Minute, &o.Long: 10 * time.Minute,
	} {
		if *at <= 0 {
			*at = or
		}
	}
	return &Writer{o}
}

// Job is what goes where.
type Job struct {
	Config
	// Workspace owns the SQLite file.
	Workspace shoal.WorkspaceID
	// Attributes are the crawler's fields, in its order.
	Attributes []shoal.Attribute
	Rows       Rows
	// Try shows that a Load would be taken, without rows, and leaves all as it was.
	Try bool
}

// some ends a statement that deletes: a Try is not to lock the rows of others.
func (j *Job) some() string {
	if j.Try {
		return " WHERE 1 = 0"
	}
	return ""
}

// Report says what a Load did.
type Report struct {
	Rows    int64 // sent
	Cleaned int64 // values with characters that a database does not take
	Created bool  // the table was not there
	// Left is the name of a table that a Try made and could not drop.
	Left string
}

// backend is one kind of database.
type backend interface {
	load(ctx context.Context, j *Job) (Report, error)
}

// Load puts the job's rows into its table. Its errors are *Error where the
// settings, a row or the server's answer are to blame, else those of the network.
func (w *Writer) Load(ctx context.Context, j *Job) (Report, error) {
	if j.Try {
		j.Rows = nil
	}
	at, bad := j.Config.check()
	if bad != nil {
		return Report{}, &Error{Message: bad.Message, Final: true}
	}
	var b backend
	switch at.kind {
	case kindPostgres:
		b = &postgres{Options: w.options, at: at}
	case kindMySQL:
		b = &mySQL{w.options, at}
	default:
		b = &sqliteFile{w.options, at}
	}
	if at.kind != kindSQLite && w.options.Dial == nil {
		return Report{}, errors.New("no servers are dialled")
	}
	return b.load(ctx, j)
}

// Stalled says that the other side took nothing for too long.
type Stalled struct{ After time.Duration }

func (e *Stalled) Error() string { return "the server took nothing for " + e.After.String() }

// Timeout makes it a net.Error.
func (e *Stalled) Timeout() bool { return true }

// Temporary makes it a net.Error.
func (e *Stalled) Temporary() bool { return true }

// patience ends a context when nothing moves for too long.
type patience struct {
	ctx    context.Context
	cancel context.CancelCauseFunc
	timer  *time.Timer
}

// newPatience waits first for d.
func newPatience(ctx context.Context, d time.Duration) *patience {
	p := &patience{}
	p.ctx, p.cancel = context.WithCancelCause(ctx)
	p.timer = time.AfterFunc(d, func() { p.cancel(&Stalled{d}) })
	return p
}

// wait says that something moved, and that the next move may take d.
func (p *patience) wait(d time.Duration) {
	if p.timer.Stop() {
		p.timer = time.AfterFunc(d, func() { p.cancel(&Stalled{d}) })
	}
}

func (p *patience) stop() {
	p.timer.Stop()
	p.cancel(nil)
}

// cause puts the end of the patience in place of what it caused.
func (p *patience) cause(err error) error {
	if stalled, ok := errors.AsType[*Stalled](context.Cause(p.ctx)); ok && err != nil {
		return stalled
	}
	return err
}
