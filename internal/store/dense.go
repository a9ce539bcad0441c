package store

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
)

// Results and tasks have dense sequence numbers within their squid, so page
// 10,000 of a list that lost nothing begins at a number that arithmetic gives.
// For lists that did lose rows the table gaps counts the lost numbers by
// block, on three levels: a position is found by reading at most some dozens
// of counts on each level, and then fewer than blockSize keys.

// blockSize is the size of a block of level 0.
const blockSize = 1000

// levelSizes are the sizes of the blocks of each level. The topmost level is
// read whole: one count for each million numbers.
var levelSizes = [...]int64{blockSize, 32 * blockSize, 1024 * blockSize}

// sequenceBits is how many low bits of a key are its sequence number.
const sequenceBits = 40

// keyOf is the key of a squid's row with the given sequence number.
func keyOf(squidPK, seq int64) int64 { return squidPK<<sequenceBits | seq }

// seqOf is the sequence number of a key.
func seqOf(key int64) int64 { return key & (1<<sequenceBits - 1) }

// querier is a pool or a transaction.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// span is the sequence numbers above after, up to and including upto.
type span struct{ after, upto int64 }

// dense is a list of a squid's rows in order of their sequence numbers.
type dense struct {
	list    string // its name in gaps
	table   string // results or tasks
	alive   string // what holds for its rows besides their range, as SQL; empty: nothing
	squidPK int64
	// floor is the number up to which the list is empty: rows still stored there
	// are about to be removed, and gaps counts none of them. top is the last
	// number given.
	floor, top int64
	// gapped is false when no number above floor is missing.
	gapped bool
	// dead are ranges whose rows are gone, and counted in gaps, though they are
	// still stored; ascending.
	dead []span
}

// look finds out whether the list has gaps.
func (d *dense) look(ctx context.Context, q querier) error {
	const text = `SELECT EXISTS (SELECT 1 FROM gaps
		WHERE list = $1 AND squid_pk = $2 AND level = $3)`
	err := q.QueryRowContext(ctx, text, d.list, d.squidPK, len(levelSizes)-1).Scan(&d.gapped)
	if err != nil {
		return fmt.Errorf("look for gaps of %s: %w", d.list, err)
	}
	return nil
}

// all is the whole list.
func (d *dense) all() span { return span{d.floor, d.top} }

// count returns how many rows of s are in the list.
func (d *dense) count(ctx context.Context, q querier, s span) (int64, error) {
	s = span{max(s.after, d.floor), min(s.upto, d.top)}
	if s.upto <= s.after {
		return 0, nil
	}
	upto, err := d.absent(ctx, q, s.upto)
	if err != nil {
		return 0, err
	}
	after, err := d.absent(ctx, q, s.after)
	return s.upto - s.after - (upto - after), err
}

// gapSum sums the whole blocks before a number, and those of its own block of
// level 0 apart; 32 is how many blocks one of the next level holds.
const gapSum = `SELECT CAST(COALESCE(SUM(n), 0) AS BIGINT),
		CAST(COALESCE(SUM(CASE WHEN level = 0 AND block = $5 THEN n ELSE 0 END), 0) AS BIGINT)
	FROM (
		SELECT level, block, n FROM gaps WHERE list = $1 AND squid_pk = $2 AND level = 2 AND block < $3
		UNION ALL
		SELECT level, block, n FROM gaps WHERE list = $1 AND squid_pk = $2 AND level = 1 AND block >= $3 * 32 AND block < $4
		UNION ALL
		SELECT level, block, n FROM gaps WHERE list = $1 AND squid_pk = $2 AND level = 0 AND block >= $4 * 32 AND block <= $5
	) g`

// absent returns how many numbers above floor, up to and including seq, are
// missing. Within seq's own block it counts from the block's end, because the
// rows below floor are no longer reliable.
func (d *dense) absent(ctx context.Context, q querier, seq int64) (int64, error) {
	if !d.gapped || seq <= d.floor {
		return 0, nil
	}
	block := (seq - 1) / blockSize
	var absent, own int64
	err := q.QueryRowContext(ctx, gapSum, d.list, d.squidPK, (seq-1)/levelSizes[2], (seq-1)/levelSizes[1], block).
		Scan(&absent, &own)
	if err != nil {
		return 0, fmt.Errorf("sum the gaps of %s: %w", d.list, err)
	}
	end := min((block+1)*blockSize, d.top)
	if own == 0 || seq >= end {
		return absent, nil
	}
	above, err := d.countStored(ctx, q, span{seq, end})
	return absent - (end - seq - above), err
}

// countStored counts the rows of a part of one block.
func (d *dense) countStored(ctx context.Context, q querier, in span) (int64, error) {
	text := `SELECT COUNT(*) FROM ` + d.table + ` WHERE key > $1 AND key <= $2` + d.alive
	var total int64
	for _, s := range d.segments(in) {
		var n int64
		err := q.QueryRowContext(ctx, text, keyOf(d.squidPK, s.after), keyOf(d.squidPK, s.upto)).Scan(&n)
		if err != nil {
			return 0, fmt.Errorf("count %s of a block: %w", d.list, err)
		}
		total += n
	}
	return total, nil
}

// segments returns the parts of s whose stored rows are living, ascending.
func (d *dense) segments(s span) []span {
	s.after = max(s.after, d.floor)
	var parts []span
	for _, dead := range d.dead {
		if dead.upto <= s.after || dead.after >= s.upto {
			continue
		}
		if dead.after > s.after {
			parts = append(parts, span{s.after, dead.after})
		}
		s.after = dead.upto
	}
	if s.upto > s.after {
		parts = append(parts, s)
	}
	return parts
}

// find returns the sequence number of the list's n-th row, from 1 in order of
// the numbers. The list must have that many.
func (d *dense) find(ctx context.Context, q querier, n int64) (int64, error) {
	// before is how many numbers are missing before within. The row sought is
	// the one whose number less the missing ones before it is want.
	want, before, within := n+d.floor, int64(0), d.all()
	if !d.gapped {
		return want, nil
	}
	var own int64
	for level := len(levelSizes) - 1; level >= 0; level-- {
		blocks, err := d.blocks(ctx, q, level, within)
		if err != nil {
			return 0, err
		}
		inside := false
		for _, b := range blocks {
			at := span{b.block * levelSizes[level], min((b.block+1)*levelSizes[level], within.upto)}
			if want <= at.after-before {
				break
			}
			if want <= at.upto-before-b.n {
				inside, within, own = true, at, b.n
				break
			}
			before += b.n
		}
		if !inside {
			return want + before, nil
		}
	}
	return d.fromEnd(ctx, q, within, within.upto-before-own-want)
}

// fromEnd returns the sequence number of the row of a block that has the given
// number of rows of the block behind it.
func (d *dense) fromEnd(ctx context.Context, q querier, block span, behind int64) (int64, error) {
	text := `SELECT key FROM ` + d.table + ` WHERE key > $1 AND key <= $2` + d.alive + ` ORDER BY key DESC LIMIT $3`
	last := block.after + 1
	for _, s := range slices.Backward(d.segments(block)) {
		keys, err := collect(ctx, q, scanInt, text, keyOf(d.squidPK, s.after), keyOf(d.squidPK, s.upto), behind+1)
		if err != nil {
			return 0, fmt.Errorf("read %s of a block: %w", d.list, err)
		}
		if int64(len(keys)) > behind {
			return seqOf(keys[behind]), nil
		}
		behind -= int64(len(keys))
	}
	// Rows were removed since the counts were read: begin with the block.
	return last, nil
}

// gapCount is how many numbers of a block are missing.
type gapCount struct{ level, block, n int64 }

// blocks returns the blocks of a level with missing numbers that overlap s, ascending.
func (d *dense) blocks(ctx context.Context, q querier, level int, s span) ([]gapCount, error) {
	const text = `SELECT level, block, n FROM gaps
		WHERE list = $1 AND squid_pk = $2 AND level = $3 AND block >= $4 AND block <= $5 ORDER BY block`
	size := levelSizes[level]
	counts, err := collect(ctx, q, func(r scanner) (g gapCount, err error) {
		return g, r.Scan(&g.level, &g.block, &g.n)
	}, text, d.list, d.squidPK, level, s.after/size, (s.upto-1)/size)
	if err != nil {
		return nil, fmt.Errorf("read the gaps of %s: %w", d.list, err)
	}
	return counts, nil
}

// loseSpan counts the numbers of a part of a list as missing, for rows that are
// removed later.
func (s *Store) loseSpan(ctx context.Context, tx *sql.Tx, d *dense, lost span) error {
	lost = span{max(lost.after, d.floor), min(lost.upto, d.top)}
	if lost.upto <= lost.after {
		return nil
	}
	var counts []gapCount
	for level, size := range levelSizes {
		known, err := d.blocks(ctx, tx, level, lost)
		if err != nil {
			return err
		}
		missing := map[int64]int64{}
		for _, b := range known {
			missing[b.block] = b.n
		}
		for block := lost.after / size; block <= (lost.upto-1)/size; block++ {
			part := span{max(lost.after, block*size), min(lost.upto, (block+1)*size)}
			n := size - missing[block]
			if part.upto-part.after < size {
				if n, err = d.count(ctx, tx, part); err != nil {
					return err
				}
			}
			counts = append(counts, gapCount{int64(level), block, n})
		}
	}
	return s.addGaps(ctx, tx, d.squidPK, d.list, counts)
}

// lose counts single numbers of a list as missing.
func (s *Store) lose(ctx context.Context, tx *sql.Tx, squidPK int64, list string, seqs []int64) error {
	type id struct{ level, block int64 }
	sums := map[id]int64{}
	for _, seq := range seqs {
		for level, size := range levelSizes {
			sums[id{int64(level), (seq - 1) / size}]++
		}
	}
	counts := make([]gapCount, 0, len(sums))
	for at, n := range sums {
		counts = append(counts, gapCount{at.level, at.block, n})
	}
	return s.addGaps(ctx, tx, squidPK, list, counts)
}

var upsertGaps = bulk{
	text: `INSERT INTO gaps (list, squid_pk, level, block, n) {rows}
		ON CONFLICT (list, squid_pk, level, block) DO UPDATE SET n = gaps.n + excluded.n`,
	types: []string{"text", "bigint", "bigint", "bigint", "bigint"},
}

// addGaps adds counts to those of a list. The caller has locked the squid.
func (s *Store) addGaps(ctx context.Context, tx *sql.Tx, squidPK int64, list string, counts []gapCount) error {
	err := s.execBulk(ctx, tx, &upsertGaps, len(counts), func(i int, args []any) {
		c := counts[i]
		args[0], args[1], args[2], args[3], args[4] = list, squidPK, c.level, c.block, c.n
	})
	if err != nil {
		return fmt.Errorf("count the gaps of %s: %w", list, err)
	}
	return nil
}
