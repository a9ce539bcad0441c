package store

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"shoal"
)

// Bounds of a batch. A batch costs about 2 ms of CPU on SQLite whatever is in
// it, so under load the writer waits up to linger for fullRows rows or
// fullPages pages, or a page that is urgent. Beyond them it only takes what
// comes without a pause, and never more than maxRows or maxPages.
const (
	linger    = 30 * time.Millisecond
	pause     = 2 * time.Millisecond
	fullRows  = 1000
	fullPages = 64
	maxRows   = 5000
	maxPages  = 2000
)

// op is one page to commit or one claim to make, and its answer.
type op struct {
	page  *shoal.Page // nil: a claim
	lease shoal.Lease
	max   int
	// The answer, set before done is closed.
	result shoal.PageResult
	work   []shoal.Work
	err    error
	done   chan struct{}
}

// rows is how much the op weighs in a batch.
func (o *op) rows() int {
	if o.page == nil {
		return 1
	}
	return len(o.page.Rows) + len(o.page.Found) + 1
}

// urgent reports whether somebody stands still until o is committed.
func (o *op) urgent() bool { return o.page != nil && o.page.Urgent }

// errStopping answers what arrives when the writer is gone.
var errStopping = &shoal.Error{Kind: shoal.KindUnavailable, Code: "Stopping", Message: "the store is stopping: the work stays and is taken up after the restart"}

// CommitPage commits what one page caused, grouped with other pages into one
// transaction, and returns when it is durable: on SQLite against the death of
// the process, on PostgreSQL as the server is configured. p must not be
// changed before. Errors: ErrFenced when the lease is not in force or the
// request is not claimed by it (a second commit of a page is such a case);
// ErrStorageFull when the disk has no room; NotEnoughBalance when the
// workspace cannot pay the page. With any error nothing was written.
func (s *Store) CommitPage(ctx context.Context, p *shoal.Page) (shoal.PageResult, error) {
	o := &op{page: clean(p), lease: p.Lease, done: make(chan struct{})}
	if err := s.submit(ctx, o); err != nil {
		return shoal.PageResult{}, err
	}
	return o.result, o.err
}

// Claim marks up to max requests as worked by the lease's slot and returns
// them, oldest first: requests of started tasks before new tasks. None ready:
// empty, no error. ErrFenced when the lease is not in force.
func (s *Store) Claim(ctx context.Context, l shoal.Lease, max int) ([]shoal.Work, error) {
	o := &op{lease: l, max: max, done: make(chan struct{})}
	if err := s.submit(ctx, o); err != nil {
		return nil, err
	}
	return o.work, o.err
}

// submit hands o to the writer and waits for its answer. Once the writer has
// it, the end of ctx no longer counts: the caller must learn what became of it.
func (s *Store) submit(ctx context.Context, o *op) error {
	select {
	case <-s.stopped:
		return errStopping
	default:
	}
	select {
	case s.ops <- o:
	case <-ctx.Done():
		return ctx.Err()
	case <-s.stopped:
		return errStopping
	}
	select {
	case <-o.done:
		return nil
	case <-s.stopped:
	}
	select {
	case <-o.done:
		return nil
	default:
		return errStopping
	}
}

// clean returns p with text that is valid UTF-8, without which PostgreSQL would
// refuse the whole batch for one page. p itself is the caller's and stays as it is.
func clean(p *shoal.Page) *shoal.Page {
	if isClean(p) {
		return p
	}
	c := *p
	c.Rows, c.Found = slices.Clone(p.Rows), slices.Clone(p.Found)
	for i := range c.Rows {
		c.Rows[i].Data = []byte(plain(string(c.Rows[i].Data)))
	}
	for i := range c.Found {
		c.Found[i].URL, c.Found[i].Page = plain(c.Found[i].URL), plain(c.Found[i].Page)
	}
	c.CloseReason, c.Desc = plain(c.CloseReason), plain(c.Desc)
	return &c
}

func isClean(p *shoal.Page) bool {
	for i := range p.Rows {
		if !isPlain(p.Rows[i].Data) {
			return false
		}
	}
	for i := range p.Found {
		if !isPlain(p.Found[i].URL) || !isPlain(p.Found[i].Page) {
			return false
		}
	}
	return isPlain(p.CloseReason) && isPlain(p.Desc)
}

// isPlain reports whether both databases store s as text: valid UTF-8 without NUL.
func isPlain[T string | []byte](s T) bool {
	switch s := any(s).(type) {
	case string:
		return utf8.ValidString(s) && strings.IndexByte(s, 0) < 0
	case []byte:
		return utf8.Valid(s) && bytes.IndexByte(s, 0) < 0
	}
	return false
}

// plain is s with what isPlain refuses replaced by U+FFFD.
func plain(s string) string {
	if isPlain(s) {
		return s
	}
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}

// writer commits what is submitted until ctx ends. Nobody may submit to a
// writer that has ended.
func (s *Store) writer(ctx context.Context) error {
	defer close(s.stopped)
	if err := s.stmts.prepare(ctx); err != nil {
		return err
	}
	busy := false // the last batch had company
	for {
		select {
		case <-ctx.Done():
			return nil
		case first := <-s.ops:
			batch := s.gather(first, busy)
			busy = len(batch) > 1
			s.commit(context.WithoutCancel(ctx), batch)
			for _, o := range batch {
				close(o.done)
			}
		}
	}
}

// gather takes what has queued behind first. With busy it waits a little for
// more: a lone page on an idle writer is committed at once.
func (s *Store) gather(first *op, busy bool) []*op {
	batch, rows, urgent := []*op{first}, first.rows(), first.urgent()
	for rows < maxRows && len(batch) < maxPages {
		select {
		case o := <-s.ops:
			batch, rows, urgent = append(batch, o), rows+o.rows(), urgent || o.urgent()
			continue
		default:
		}
		break
	}
	if !busy || urgent {
		return batch
	}
	timer := time.NewTimer(linger)
	defer timer.Stop()
	for rows < maxRows && len(batch) < maxPages {
		if rows >= fullRows || len(batch) >= fullPages {
			timer.Reset(pause)
		}
		select {
		case o := <-s.ops:
			batch, rows = append(batch, o), rows+o.rows()
			if o.urgent() {
				return batch
			}
		case <-timer.C:
			return batch
		}
	}
	return batch
}

// commit carries out the batch in one transaction and sets every op's answer.
// A batch that fails for a reason of its own is split: one page that the
// database refuses must not fail the others.
func (s *Store) commit(ctx context.Context, ops []*op) {
	if s.db.dialect == SQLite {
		s.turn <- struct{}{}
		defer func() { <-s.turn }()
	}
	s.commitHeld(ctx, ops)
	s.wal.wrote(ops)
}

func (s *Store) commitHeld(ctx context.Context, ops []*op) {
	var b *batch
	err := s.transact(ctx, false, func(ctx context.Context, tx *sql.Tx) error {
		for _, o := range ops {
			o.result, o.work, o.err = shoal.PageResult{}, nil, nil
		}
		b = newBatch(s, s.stmts.in(tx))
		return b.apply(ctx, ops)
	})
	if err != nil {
		s.forgetDigests(ops)
	}
	switch {
	case err == nil:
		b.keepHot()
		b.keepDigests()
	case len(ops) > 1 && !errors.Is(err, shoal.ErrStorageFull):
		for i := range ops {
			s.commitHeld(ctx, ops[i:i+1])
		}
	default:
		for _, o := range ops {
			o.result, o.work, o.err = shoal.PageResult{}, nil, fmt.Errorf("commit page: %w", err)
		}
	}
}
