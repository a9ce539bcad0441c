package store

import (
	"context"
	"fmt"

	"shoal"
)

// owner is where a stored row is: its task and its key.
type owner struct{ task, key int64 }

// newRow is a row to be inserted.
type newRow struct {
	key, task, at int64
	digest        []byte
	data          []byte
}

// link says that another task than its owner's found a row too.
type link struct{ task, key int64 }

// charge is what one function of a run cost in the batch.
type charge struct {
	credits  shoal.Credits
	attempts int64
}

// errNoCredits refuses a page that the workspace cannot pay.
var errNoCredits = shoal.Business("NotEnoughBalance", "the balance does not cover the next page of results: add credits, or wait for the next period")

var (
	insertResults = &bulk{types: []string{"bigint", "bigint", "bigint", "bytea", "bigint", "text"},
		text: `INSERT INTO results (key, run_pk, task_seq, digest, at, data) {rows}`}
	selectOwners = &bulk{types: []string{"bigint", "bytea"}, text: `
		WITH v (run_pk, digest) AS ({rows})
		SELECT r.digest, r.task_seq, r.key FROM v CROSS JOIN results r WHERE r.run_pk = v.run_pk AND r.digest = v.digest`}
	insertLinks = &bulk{types: []string{"bigint", "bigint", "bigint"},
		text: `INSERT INTO result_links (run_pk, task_seq, key) {rows} ON CONFLICT (run_pk, task_seq, key) DO NOTHING`}
)

// lookUp reads which of the pages' rows a run has, and on PostgreSQL which of
// their found requests.
func (b *batch) lookUp(ctx context.Context, r *batchRun) error {
	r.owners = map[shoal.Digest]owner{}
	if r.hasRows() {
		if err := b.findOwners(ctx, r); err != nil {
			return err
		}
	}
	if b.s.db.dialect == Postgres {
		return b.lookUpFound(ctx, r)
	}
	return nil
}

// rows stores the page's rows. It reports false, having done nothing, when the
// workspace cannot pay them.
func (b *batch) rows(r *batchRun, t *taskRow, o *op) (paid bool) {
	rows := o.page.Rows
	if len(rows) == 0 {
		return true
	}
	room := int64(len(rows)) // how many more the task may have, duplicates included
	if limit := r.Settings.MaxResults; limit > 0 {
		room = limit - t.results
	}
	if r.ws.limited() && r.cost(rows, room) > r.ws.left() {
		o.err = errNoCredits
		return false
	}
	at := micros(o.page.At)
	if at == 0 {
		at = b.now
	}
	for i := range rows {
		if int64(o.result.Stored+o.result.Duplicates) >= room {
			break
		}
		r.row(t, &rows[i], at, &o.result)
	}
	n := int64(o.result.Stored + o.result.Duplicates)
	t.results += n
	r.TotalResults += n
	return true
}

// row takes one row to be stored, or links it, or drops it when the run may have no more.
func (r *batchRun) row(t *taskRow, row *shoal.Row, at int64, res *shoal.PageResult) {
	own, isNew := r.put(t, row, at)
	switch {
	case isNew:
		r.added(t, row, own.key)
		res.Stored++
	case own.key != 0:
		res.Duplicates++
		if own.task != t.seq {
			r.links = append(r.links, link{t.seq, own.key})
		}
	}
}

// put takes row if the run has none with its key and may have one more.
// Otherwise it returns the row's owner, zero when there is none.
func (r *batchRun) put(t *taskRow, row *shoal.Row, at int64) (own owner, isNew bool) {
	limit := r.Settings.MaxUniqueResults
	full := limit > 0 && r.UniqueResults >= limit
	if own, ok := r.owners[row.Key]; ok || full {
		return own, false
	}
	own = owner{t.seq, keyOf(r.SquidPK, r.nextSeq+1)}
	r.owners[row.Key] = own
	r.newRows = append(r.newRows, newRow{own.key, t.seq, at, row.Key[:], row.Data})
	return own, true
}

// added counts and charges a new row.
func (r *batchRun) added(t *taskRow, row *shoal.Row, key int64) {
	if r.FirstSeq == r.LastSeq {
		r.FirstSeq = r.nextSeq
	}
	r.nextSeq++
	r.LastSeq = r.nextSeq
	r.UniqueResults++
	if limit := r.Settings.MaxUniqueResults; limit > 0 && r.UniqueResults >= limit {
		r.full = true
	}
	if t.firstKey == 0 {
		t.firstKey = key
	}
	t.lastKey = key
	r.spend(shoal.BaseFunction, r.Settings.CreditsPerRow)
	for i, name := range r.Settings.FunctionOrder {
		if row.Functions&(1<<i) != 0 {
			r.spend(name, r.Settings.CreditsPerFunction[name])
		}
	}
}

func (r *batchRun) spend(function string, credits shoal.Credits) {
	if r.charges == nil {
		r.charges = map[string]*charge{}
	}
	c := r.charges[function]
	if c == nil {
		c = &charge{}
		r.charges[function] = c
	}
	c.credits += credits
	c.attempts++
	r.CreditsUsed += credits
	r.ws.charged += credits
}

// cost is what the first room rows will cost; rows that the run may not have
// do not count.
func (r *batchRun) cost(rows []shoal.Row, room int64) (sum shoal.Credits) {
	seen := make(map[shoal.Digest]bool, len(rows))
	left := int64(len(rows))
	if limit := r.Settings.MaxUniqueResults; limit > 0 {
		left = limit - r.UniqueResults
	}
	for i := range rows {
		if room <= 0 {
			break
		}
		if _, ok := r.owners[rows[i].Key]; ok || seen[rows[i].Key] {
			room--
			continue
		}
		if left <= 0 {
			continue
		}
		seen[rows[i].Key] = true
		left, room = left-1, room-1
		sum += r.price(&rows[i])
	}
	return sum
}

// price is what one new row costs.
func (r *batchRun) price(row *shoal.Row) shoal.Credits {
	sum := r.Settings.CreditsPerRow
	for i, name := range r.Settings.FunctionOrder {
		if row.Functions&(1<<i) != 0 {
			sum += r.Settings.CreditsPerFunction[name]
		}
	}
	return sum
}

// flushRows writes the new rows, the links and the squid's sequence.
func (b *batch) flushRows(ctx context.Context, r *batchRun) error {
	err := b.tx.exec(ctx, insertResults, len(r.newRows), func(i int, args []any) {
		n := &r.newRows[i]
		args[0], args[1], args[2], args[3], args[4], args[5] = n.key, r.PK, n.task, n.digest, n.at, textOf(n.data)
	})
	if err != nil {
		return fmt.Errorf("store results: %w", err)
	}
	err = b.tx.exec(ctx, insertLinks, len(r.links), func(i int, args []any) {
		args[0], args[1], args[2] = r.PK, r.links[i].task, r.links[i].key
	})
	if err != nil {
		return fmt.Errorf("link results: %w", err)
	}
	if err := b.moveDigests(ctx, r); err != nil {
		return err
	}
	if r.nextSeq == r.wasSeq {
		return nil
	}
	if _, err := b.tx.ExecContext(ctx, updateSquidSeq, r.SquidPK, r.nextSeq); err != nil {
		return fmt.Errorf("advance the sequence of squid %d: %w", r.SquidPK, err)
	}
	return nil
}

const updateSquidSeq = `UPDATE squids SET next_seq = $2 WHERE pk = $1`
