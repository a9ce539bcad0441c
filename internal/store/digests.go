package store

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"slices"

	"shoal"
	"shoal/internal/jobs"
)

// Bounds of what is known of the digests of runs.
const (
	tailMost   = 1 << 16 // digests of a run in memory before they are moved; about 4 MB
	tailsMost  = 1 << 18 // of all runs together
	tailLeast  = 1 << 12 // of a run, however many runs there are
	digestRuns = 64      // runs that are remembered
	moveStep   = 1 << 13 // digests moved by one batch: some 30 ms
	refillStep = 1 << 14 // digests read back into a filter by one batch
)

// digestSet knows which digests the results of one run have, so that none is
// stored twice. A unique index would take each row at a random place: at a
// million rows a batch would rewrite most of its leaves, five times the bytes
// of the rows themselves. So the newest digests are held in memory alone, where
// a restart reads them back from the results; when there are many they are
// moved, in order and some with each batch, to the table result_keys; and a
// filter in memory answers for those without reading the table.
//
// That holds on SQLite, where the writer of one process stores all results. On
// PostgreSQL, where several processes do, the index results_digest is the table;
// under the run's lock the sequence number of its newest result tells whether
// another process has stored any, which are then read first. Used by the writer
// alone; on SQLite guarded by the turn.
type digestSet struct {
	tail   map[shoal.Digest]owner // the newest
	moving *move                  // nil: nothing is on its way to the table
	// keyed is how far the table goes: results of the run up to this sequence
	// number are in it.
	keyed  int64
	filter digestFilter // of the table's digests
	// filled is true when the filter has every digest of the table; until then,
	// or when it is full, the table itself is asked. refilled is how far the
	// table has been read back after a restart.
	filled, full bool
	refilled     shoal.Digest
	// known is how far tail and filter go on PostgreSQL.
	known int64
}

// move is a part of the tail on its way to the table.
type move struct {
	owners map[shoal.Digest]owner
	order  []shoal.Digest // sorted
	done   int            // of order
	upto   int64          // the table goes as far as this when the move is done
}

var (
	insertKeys = &bulk{types: []string{"bigint", "bytea", "bigint", "bigint"}, text: `
		INSERT INTO result_keys (run_pk, digest, task_seq, key) {rows} ON CONFLICT (run_pk, digest) DO NOTHING`}
	selectKeys = &bulk{types: []string{"bigint", "bytea"}, text: `
		WITH v (run_pk, digest) AS ({rows})
		SELECT r.digest, r.task_seq, r.key FROM v CROSS JOIN result_keys r WHERE r.run_pk = v.run_pk AND r.digest = v.digest`}
)

const (
	selectKeyed = `SELECT keyed_seq FROM runs WHERE pk = $1`
	updateKeyed = `UPDATE runs SET keyed_seq = $2 WHERE pk = $1`
	selectTail  = `SELECT digest, task_seq, key FROM results WHERE key > $1 AND key <= $2`
	refillKeys  = `SELECT digest FROM result_keys WHERE run_pk = $1 AND digest > $2 ORDER BY digest LIMIT $3`
)

// digestsOf returns what is known of a run's digests, read if it is not.
func (b *batch) digestsOf(ctx context.Context, r *batchRun) (*digestSet, error) {
	// A database that was set back (a lagging replica took over) knows less.
	if d := b.s.digests[r.PK]; d != nil && d.known <= r.LastSeq {
		return d, nil
	}
	d := &digestSet{tail: map[shoal.Digest]owner{}}
	if b.s.db.dialect == SQLite {
		if err := b.restore(ctx, r, d); err != nil {
			return nil, err
		}
	}
	for pk := range b.s.digests {
		if len(b.s.digests) < digestRuns {
			break
		}
		delete(b.s.digests, pk)
	}
	b.s.digests[r.PK] = d
	return d, nil
}

// restore reads what was known on SQLite before a restart.
func (b *batch) restore(ctx context.Context, r *batchRun, d *digestSet) error {
	if err := b.tx.QueryRowContext(ctx, selectKeyed, r.PK).Scan(&d.keyed); err != nil {
		return fmt.Errorf("read how far the digests of run %s are moved: %w", r.ID, err)
	}
	d.filled = d.keyed == 0
	return b.readTail(ctx, r, d, max(r.FirstSeq, d.keyed), r.LastSeq)
}

// readTail enters the run's results between two sequence numbers.
func (b *batch) readTail(ctx context.Context, r *batchRun, d *digestSet, after, upto int64) error {
	args := []any{keyOf(r.SquidPK, after), keyOf(r.SquidPK, upto)}
	err := b.tx.scan(ctx, selectTail, args, func(rows *sql.Rows) error {
		digest, own, err := scanOwner(rows)
		d.tail[digest] = own
		return err
	})
	if err != nil {
		return fmt.Errorf("read the newest digests of run %s: %w", r.ID, err)
	}
	return nil
}

// catchUp enters, on PostgreSQL, some of the results that other processes have
// stored.
func (b *batch) catchUp(ctx context.Context, r *batchRun, d *digestSet) error {
	d.known = max(d.known, r.FirstSeq)
	if upto := min(r.LastSeq, d.known+refillStep); upto > d.known {
		if err := b.readTail(ctx, r, d, d.known, upto); err != nil {
			return err
		}
		d.known = upto
		d.shorten(tailRoom(len(b.s.digests)))
	}
	d.filled = d.known >= r.LastSeq
	return nil
}

// shorten moves a long tail to the filter: the index has its digests.
func (d *digestSet) shorten(most int) {
	if len(d.tail) < most {
		return
	}
	for digest := range d.tail {
		d.full = d.full || !d.filter.add(&digest)
	}
	d.tail = make(map[shoal.Digest]owner, most)
}

func scanOwner(rows *sql.Rows) (d shoal.Digest, own owner, err error) {
	var digest sql.RawBytes
	if err = rows.Scan(&digest, &own.task, &own.key); err == nil {
		d = shoal.Digest(digest)
	}
	return d, own, err
}

// find returns the owner of a digest that is in memory. Otherwise ask says
// whether the table may have it.
func (d *digestSet) find(digest *shoal.Digest) (own owner, ok, ask bool) {
	if own, ok = d.tail[*digest]; ok {
		return own, true, false
	}
	if d.moving != nil {
		if own, ok = d.moving.owners[*digest]; ok {
			return own, true, false
		}
	}
	return own, false, !d.filled || d.full || d.filter.has(digest)
}

// findOwners reads which of the pages' rows the run has.
func (b *batch) findOwners(ctx context.Context, r *batchRun) (err error) {
	if r.digests, err = b.digestsOf(ctx, r); err != nil {
		return err
	}
	table := selectKeys
	if b.s.db.dialect == Postgres {
		table, err = selectOwners, b.catchUp(ctx, r, r.digests)
	} else {
		err = r.digests.refill(ctx, b.tx, r.PK)
	}
	if err != nil {
		return err
	}
	var ask []shoal.Digest
	for _, o := range r.pages {
		for i := range o.page.Rows {
			digest := &o.page.Rows[i].Key
			own, ok, maybe := r.digests.find(digest)
			if ok {
				r.owners[*digest] = own
			} else if maybe {
				ask = append(ask, *digest)
			}
		}
	}
	slices.SortFunc(ask, compareDigests) // neighbours share the table's pages
	ask = slices.Compact(ask)
	err = b.tx.query(ctx, table, len(ask),
		func(i int, args []any) { args[0], args[1] = r.PK, ask[i][:] },
		func(rows *sql.Rows) error {
			digest, own, err := scanOwner(rows)
			r.owners[digest] = own
			return err
		})
	if err != nil {
		return fmt.Errorf("look up results: %w", err)
	}
	return nil
}

func compareDigests(a, b shoal.Digest) int { return bytes.Compare(a[:], b[:]) }

// refill reads a part of the table back into the filter.
func (d *digestSet) refill(ctx context.Context, tx *hotTx, run int64) error {
	if d.filled || d.full {
		return nil
	}
	n := 0
	err := tx.scan(ctx, refillKeys, []any{run, d.refilled[:], refillStep}, func(rows *sql.Rows) error {
		var digest sql.RawBytes
		if err := rows.Scan(&digest); err != nil {
			return err
		}
		d.refilled = shoal.Digest(digest)
		d.full = !d.filter.add(&d.refilled)
		n++
		return nil
	})
	if err != nil {
		return fmt.Errorf("read moved digests back: %w", err)
	}
	d.filled = n < refillStep
	return nil
}

// moveDigests moves some of the digests that are on their way to the table. What
// it did counts once the batch is committed: see keepDigests.
func (b *batch) moveDigests(ctx context.Context, r *batchRun) error {
	if r.digests == nil || r.digests.moving == nil {
		return nil
	}
	m := r.digests.moving
	r.moved = m.order[m.done:min(len(m.order), m.done+moveStep)]
	err := b.tx.exec(ctx, insertKeys, len(r.moved), func(i int, args []any) {
		own := m.owners[r.moved[i]]
		args[0], args[1], args[2], args[3] = r.PK, r.moved[i][:], own.task, own.key
	})
	if err != nil {
		return fmt.Errorf("move digests: %w", err)
	}
	if m.done+len(r.moved) < len(m.order) {
		return nil
	}
	if _, err := b.tx.ExecContext(ctx, updateKeyed, r.PK, m.upto); err != nil {
		return fmt.Errorf("note how far digests are moved: %w", err)
	}
	return nil
}

// keepDigests enters what a committed batch stored and moved.
func (b *batch) keepDigests() {
	for _, r := range b.runs {
		if r.digests == nil {
			continue
		}
		if r.TasksDone >= r.TasksTotal {
			delete(b.s.digests, r.PK) // it stores nothing more
			continue
		}
		for i := range r.newRows {
			n := &r.newRows[i]
			r.digests.tail[shoal.Digest(n.digest)] = owner{n.task, n.key}
		}
		if b.s.db.dialect == Postgres {
			// While other processes' results are not all read, these stay to be read too.
			if r.digests.known >= r.was.LastSeq {
				r.digests.known = r.LastSeq
			}
			r.digests.shorten(tailRoom(len(b.s.digests)))
			continue
		}
		r.digests.keep(r.moved, r.nextSeq, tailRoom(len(b.s.digests)))
	}
}

// forgetDigests has what is known of the runs of a failed batch read anew.
func (s *Store) forgetDigests(ops []*op) {
	for _, o := range ops {
		delete(s.digests, o.lease.RunPK)
	}
}

// tailRoom is how long a run's tail may get among that of others.
func tailRoom(runs int) int { return max(tailLeast, min(tailMost, tailsMost/max(1, runs))) }

// keep ends a move that has come to its end, and begins one when the tail is
// longer than most; last is the sequence number of the run's newest row.
func (d *digestSet) keep(moved []shoal.Digest, last int64, most int) {
	if m := d.moving; m != nil {
		for i := range moved {
			d.full = d.full || !d.filter.add(&moved[i])
		}
		if m.done += len(moved); m.done < len(m.order) {
			return
		}
		d.keyed, d.moving = m.upto, nil
	}
	if len(d.tail) < most {
		return
	}
	m := &move{owners: d.tail, order: make([]shoal.Digest, 0, len(d.tail)), upto: last}
	for digest := range d.tail {
		m.order = append(m.order, digest)
	}
	slices.SortFunc(m.order, compareDigests)
	d.moving, d.tail = m, make(map[shoal.Digest]owner, most)
}

// dropDigests forgets the digests of a run that ends.
func (s *Store) dropDigests(ctx context.Context, tx *sql.Tx, run int64) error {
	if s.db.dialect != SQLite {
		return nil
	}
	s.afterCommit(ctx, func() { delete(s.digests, run) })
	var keyed int64
	if err := tx.QueryRowContext(ctx, selectKeyed, run).Scan(&keyed); err != nil {
		return fmt.Errorf("read how far digests are moved: %w", err)
	}
	if keyed == 0 {
		return nil
	}
	return s.enqueue(ctx, tx, jobs.New(jobs.KindPurge, jobs.PurgeArgs{Noun: purgeKeys, PK: run}))
}
