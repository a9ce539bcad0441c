package store

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"shoal"
)

// A cursor is a sequence number of its squid's results. Results get their
// numbers under the squid's lock and in the transaction that stores them, so
// that no smaller number ever appears after a greater one: who has all up to a
// number that was read from the squid's row has missed none.

// cursorRow is a cursor as it is stored.
type cursorRow struct {
	name    string
	mark    [16]byte
	seq     int64
	created int64
	acked   int64
}

const cursorColumns = `name, mark, seq, created_at, acked_at`

func scanCursor(r scanner) (c cursorRow, err error) {
	var mark []byte
	if err = r.Scan(&c.name, &mark, &c.seq, &c.created, &c.acked); err == nil && len(mark) != len(c.mark) {
		return c, fmt.Errorf("the mark of cursor %s has %d bytes", c.name, len(mark))
	}
	copy(c.mark[:], mark)
	return c, err
}

const (
	cursorQuery = `SELECT ` + cursorColumns + ` FROM cursors WHERE squid_pk = $1 AND name = $2`
	cursorCount = `SELECT COUNT(*) FROM cursors WHERE squid_pk = $1`
	cursorPage  = `SELECT ` + cursorColumns + ` FROM cursors WHERE squid_pk = $1 ORDER BY name LIMIT $2 OFFSET $3`
	ackCursor   = `UPDATE cursors SET seq = $4, acked_at = $5 WHERE squid_pk = $1 AND name = $2 AND mark = $3 AND seq < $4`
)

// TakeResults acknowledges q.Ack and says which results the consumer gets next.
// A cursor that does not exist is made, before the first result, unless something
// is to be acknowledged. An acknowledgement never takes a cursor back: of two
// processes that use one cursor each goes on from the answer that it had itself.
// Errors: ErrSquidNotFound, ErrCursorNotFound; Invalid when q.Ack is not of the
// cursor as it is now.
func (s *Store) TakeResults(ctx context.Context, q shoal.CursorQuery) (shoal.Taken, error) {
	taken, err := s.takeResults(ctx, q)
	if err != nil {
		return taken, fmt.Errorf("take results: %w", err)
	}
	return taken, nil
}

func (s *Store) takeResults(ctx context.Context, q shoal.CursorQuery) (taken shoal.Taken, err error) {
	t, err := s.tally(ctx, s.read, "", q.Workspace, q.Squid)
	if err != nil {
		return taken, err
	}
	c, err := s.cursor(ctx, t.pk, q)
	if err != nil {
		return taken, err
	}
	if q.Ack != nil {
		if err := s.checkMark(ctx, &t, &c, q.Ack); err != nil {
			return taken, err
		}
		if err := s.ackCursor(ctx, t.pk, &c, q.Ack.Seq); err != nil {
			return taken, err
		}
	}
	after := c.seq
	taken.Mark = shoal.CursorMark{Cursor: c.mark, Seq: c.seq}
	if q.Ack != nil {
		after, taken.Mark = q.Ack.Seq, *q.Ack
	}
	taken.SquidID = q.Squid
	return taken, s.measure(ctx, &t, &taken, after, q.Limit)
}

// cursor reads the cursor that q names, or makes it.
func (s *Store) cursor(ctx context.Context, squidPK int64, q shoal.CursorQuery) (cursorRow, error) {
	c, err := scanCursor(s.read.QueryRowContext(ctx, cursorQuery, squidPK, q.Name))
	switch {
	case err == nil:
		return c, nil
	case !errors.Is(err, sql.ErrNoRows):
		return c, fmt.Errorf("read cursor: %w", err)
	case q.Ack != nil:
		return c, shoal.ErrCursorNotFound
	}
	err = s.write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		t, err := s.tally(ctx, tx, s.db.dialect.forUpdate(), q.Workspace, q.Squid)
		if err != nil {
			return err
		}
		c, err = s.putCursor(ctx, tx, &t, q.Name, nil)
		return err
	})
	return c, err
}

// putCursor returns a squid's cursor, made at its beginning if there is none;
// seq, unless nil, is where it is set. The caller has locked the squid.
func (s *Store) putCursor(ctx context.Context, tx *sql.Tx, t *tally, name string, seq *int64) (cursorRow, error) {
	c, err := scanCursor(tx.QueryRowContext(ctx, cursorQuery, t.pk, name))
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return c, fmt.Errorf("read cursor: %w", err)
	}
	known := err == nil
	if known && seq == nil {
		return c, nil
	}
	if !known {
		var n int64
		if err := tx.QueryRowContext(ctx, cursorCount, t.pk).Scan(&n); err != nil {
			return c, fmt.Errorf("count cursors: %w", err)
		}
		if n >= shoal.MaxCursors {
			return c, shoal.Business("UsageLimitExceeded",
				"This squid has %d cursors, the most that it may have: delete one that nobody uses any more", shoal.MaxCursors)
		}
		c = cursorRow{name: name, seq: t.resultFloor, created: micros(s.now())}
	}
	if seq != nil {
		c.seq = *seq
	}
	rand.Read(c.mark[:])
	const put = `INSERT INTO cursors (squid_pk, name, mark, seq, created_at) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (squid_pk, name) DO UPDATE SET mark = excluded.mark, seq = excluded.seq`
	if _, err := tx.ExecContext(ctx, put, t.pk, name, c.mark[:], c.seq, c.created); err != nil {
		return c, fmt.Errorf("write cursor: %w", err)
	}
	return c, nil
}

// errForeignMark refuses a token of another cursor, or of this one before it was set.
var errForeignMark = shoal.Invalid("InvalidParameterValue", "ack",
	"ack is not of this cursor as it is now: it belongs to another squid or consumer, or the cursor was rewound or deleted since. Call without ack to get what is not acknowledged")

// errUnknownMark refuses a token of results that the database does not have.
var errUnknownMark = shoal.Invalid("InvalidParameterValue", "ack",
	"ack is of results that the server does not have: it was set back to an earlier state since, by a backup for example. Call without ack to get what is not acknowledged")

const rowOfMark = `SELECT run_pk, digest, at FROM results WHERE key = $1`

// checkMark refuses a mark that is not of the cursor, or of another past.
func (s *Store) checkMark(ctx context.Context, t *tally, c *cursorRow, m *shoal.CursorMark) error {
	if m.Cursor != c.mark {
		return errForeignMark
	}
	if m.Seq > t.nextSeq {
		return errUnknownMark
	}
	if m.Row == ([8]byte{}) {
		return nil
	}
	row, err := s.rowMark(ctx, keyOf(t.pk, m.Seq))
	if err != nil {
		return err
	}
	if row != m.Row && row != ([8]byte{}) {
		return errUnknownMark
	}
	return nil
}

// rowMark returns what tells a stored row from others, zero when there is none.
func (s *Store) rowMark(ctx context.Context, key int64) (mark [8]byte, err error) {
	var runPK, at int64
	var digest []byte
	err = s.read.QueryRowContext(ctx, rowOfMark, key).Scan(&runPK, &digest, &at)
	if errors.Is(err, sql.ErrNoRows) {
		return mark, nil
	}
	if err != nil {
		return mark, fmt.Errorf("read the last row: %w", err)
	}
	return shoal.RowMark(runPK, shoal.Digest(digest), fromMicros(at)), nil
}

// ackCursor moves a cursor on to seq if it is not there yet.
func (s *Store) ackCursor(ctx context.Context, squidPK int64, c *cursorRow, seq int64) error {
	if seq <= c.seq {
		return nil
	}
	err := s.write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, ackCursor, squidPK, c.name, c.mark[:], seq, micros(s.now()))
		return err
	})
	if err != nil {
		return fmt.Errorf("acknowledge: %w", err)
	}
	c.seq = seq
	return nil
}

// measure finds the results behind after, at most limit of them (0: all). The
// counts are of one moment and rows may be deleted in the next; that no result
// is passed over rests on the range alone, which ends at a number given before.
func (s *Store) measure(ctx context.Context, t *tally, taken *shoal.Taken, after, limit int64) error {
	list, err := t.resultList(ctx, s.read)
	if err != nil {
		return err
	}
	before, err := list.count(ctx, s.read, span{list.floor, after})
	if err != nil {
		return err
	}
	if taken.Left, err = list.count(ctx, s.read, span{after, list.top}); err != nil {
		return err
	}
	taken.Count = taken.Left
	upto := list.top
	if limit > 0 && taken.Left > limit {
		taken.Count = limit
		if upto, err = list.find(ctx, s.read, before+limit); err != nil {
			return err
		}
		upto = max(after, min(upto, list.top))
	}
	taken.After, taken.Upto = keyOf(t.pk, after), keyOf(t.pk, upto)
	if upto == after {
		return nil
	}
	taken.Removed = max(0, upto-after-taken.Count)
	taken.More, taken.Mark.Seq = true, upto
	taken.Mark.Row, err = s.rowMark(ctx, taken.Upto)
	return err
}

// Cursors lists a squid's cursors by name.
func (s *Store) Cursors(ctx context.Context, ws shoal.WorkspaceID, squid shoal.SquidID, w shoal.Window) (l shoal.Listing[shoal.Cursor], err error) {
	t, err := s.tally(ctx, s.read, "", ws, squid)
	if err != nil {
		return l, err
	}
	if err := s.read.QueryRowContext(ctx, cursorCount, t.pk).Scan(&l.Total); err != nil {
		return l, fmt.Errorf("count cursors: %w", err)
	}
	rows, err := collect(ctx, s.read, scanCursor, cursorPage, t.pk, w.Limit, skip(w, l.Total))
	if err != nil {
		return l, fmt.Errorf("list cursors: %w", err)
	}
	list, err := t.resultList(ctx, s.read)
	if err != nil {
		return l, err
	}
	for i := range rows {
		c, err := shownCursor(ctx, s.read, &list, &rows[i])
		if err != nil {
			return l, err
		}
		c.SquidID = squid
		l.Items = append(l.Items, c)
	}
	return l, nil
}

// shownCursor is a cursor as it is shown, but for the squid's id.
func shownCursor(ctx context.Context, q querier, list *dense, c *cursorRow) (out shoal.Cursor, err error) {
	out = shoal.Cursor{Name: c.name, CreatedAt: fromMicros(c.created), AckedAt: fromMicros(c.acked)}
	if out.Taken, err = list.count(ctx, q, span{list.floor, c.seq}); err != nil {
		return out, err
	}
	out.Left, err = list.count(ctx, q, span{c.seq, list.top})
	return out, err
}

// SetCursor sets a cursor, made if it does not exist, before the first result
// (shoal.CursorBeginning), behind the last one (shoal.CursorEnd) or before the
// first one of a run of the squid (its id). Tokens from before are void then.
// Errors: ErrSquidNotFound, ErrRunNotFound.
func (s *Store) SetCursor(ctx context.Context, ws shoal.WorkspaceID, squid shoal.SquidID, name, to string) (out shoal.Cursor, err error) {
	err = s.write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		t, err := s.tally(ctx, tx, s.db.dialect.forUpdate(), ws, squid)
		if err != nil {
			return err
		}
		seq, err := cursorPlace(ctx, tx, &t, to)
		if err != nil {
			return err
		}
		c, err := s.putCursor(ctx, tx, &t, name, &seq)
		if err != nil {
			return err
		}
		list, err := t.resultList(ctx, tx)
		if err != nil {
			return err
		}
		if out, err = shownCursor(ctx, tx, &list, &c); err != nil {
			return err
		}
		out.SquidID = squid
		return s.remember(ctx, tx, out)
	})
	if err != nil {
		return out, fmt.Errorf("set cursor: %w", err)
	}
	return out, nil
}

// cursorPlace is the sequence number that stands for a place.
func cursorPlace(ctx context.Context, tx *sql.Tx, t *tally, to string) (seq int64, err error) {
	switch to {
	case shoal.CursorBeginning:
		return t.resultFloor, nil
	case shoal.CursorEnd:
		return t.nextSeq, nil
	}
	// A run without results stands where the runs before it end.
	const q = `SELECT CASE WHEN r.last_seq > r.first_seq THEN r.first_seq
			ELSE COALESCE((SELECT MAX(o.last_seq) FROM runs o WHERE o.squid_pk = r.squid_pk AND o.pk < r.pk), 0) END
		FROM runs r WHERE r.id = $1 AND r.squid_pk = $2 AND r.deleted_at = 0`
	err = tx.QueryRowContext(ctx, q, to, t.pk).Scan(&seq)
	return seq, notFound(err, shoal.ErrRunNotFound)
}

// DeleteCursor deletes a cursor; ErrCursorNotFound when there is none.
func (s *Store) DeleteCursor(ctx context.Context, ws shoal.WorkspaceID, squid shoal.SquidID, name string) error {
	err := s.write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		t, err := s.tally(ctx, tx, s.db.dialect.forUpdate(), ws, squid)
		if err != nil {
			return err
		}
		res, err := tx.ExecContext(ctx, `DELETE FROM cursors WHERE squid_pk = $1 AND name = $2`, t.pk, name)
		if err := oneRow(res, err, shoal.ErrCursorNotFound); err != nil {
			return err
		}
		return s.remember(ctx, tx, nil)
	})
	if err != nil {
		return fmt.Errorf("delete cursor: %w", err)
	}
	return nil
}

// pollResults is how often WaitResults looks.
const pollResults = 500 * time.Millisecond

// WaitResults returns when a squid has results behind the key after, when it is
// deleted (ErrSquidNotFound), or when ctx ends (with its error).
func (s *Store) WaitResults(ctx context.Context, ws shoal.WorkspaceID, squid shoal.SquidID, after int64) error {
	tick := time.NewTicker(pollResults)
	defer tick.Stop()
	for {
		t, err := s.tally(ctx, s.read, "", ws, squid)
		if err != nil || t.nextSeq > seqOf(after) {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
