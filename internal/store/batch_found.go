package store

import (
	"context"
	"database/sql"
	"fmt"

	"shoal"
)

// requestKey is what makes requests of a run the same.
type requestKey struct {
	task   int64
	digest shoal.Digest
}

// newRequest is a found request to be inserted.
type newRequest struct {
	seq, task int64
	req       *shoal.Request
}

var insertTypes = []string{"bigint", "bigint", "bigint", "bytea", "text", "text", "bigint", "bytea", "bytea"}

var (
	// offerRequest inserts a request unless its task has it.
	offerRequest = &bulk{types: insertTypes, text: `
		INSERT INTO frontier (run_pk, seq, task_seq, digest, url, page, depth, carry, extra) {rows}
		ON CONFLICT (run_pk, task_seq, digest) DO NOTHING`}
	insertRequests = &bulk{types: insertTypes, text: `
		INSERT INTO frontier (run_pk, seq, task_seq, digest, url, page, depth, carry, extra) {rows}`}
	selectKnown = &bulk{types: []string{"bigint", "bigint", "bytea"}, text: `
		WITH v (run_pk, task_seq, digest) AS ({rows})
		SELECT f.task_seq, f.digest FROM v CROSS JOIN frontier f
		WHERE f.run_pk = v.run_pk AND f.task_seq = v.task_seq AND f.digest = v.digest`}
	updateRequests = &bulk{types: []string{"bigint", "bigint", "bigint"}, text: `
		WITH v (run_pk, seq, state) AS ({rows})
		UPDATE frontier AS f SET state = v.state, slot = NULL FROM v WHERE f.run_pk = v.run_pk AND f.seq = v.seq`}
)

// lookUpFound reads which found requests the run's tasks have.
func (b *batch) lookUpFound(ctx context.Context, r *batchRun) error {
	var keys []requestKey
	for _, o := range r.pages {
		for i := range o.page.Found {
			keys = append(keys, requestKey{o.page.TaskSeq, o.page.Found[i].Digest})
		}
	}
	r.known = make(map[requestKey]bool, len(keys))
	err := b.tx.query(ctx, selectKnown, len(keys),
		func(i int, args []any) { args[0], args[1], args[2] = r.PK, keys[i].task, keys[i].digest[:] },
		func(rows *sql.Rows) error {
			var task int64
			var digest []byte
			err := rows.Scan(&task, &digest)
			r.known[requestKey{task, shoal.Digest(digest)}] = true
			return err
		})
	if err != nil {
		return fmt.Errorf("look up requests: %w", err)
	}
	return nil
}

// found adds the page's new requests to the frontier of its task, as far as
// the task may have more. A page that ends its task adds none.
func (b *batch) found(ctx context.Context, r *batchRun, t *taskRow, o *op) error {
	if o.page.CloseTask {
		return nil
	}
	limit := r.Settings.MaxRequests
	for i := range o.page.Found {
		if limit > 0 && t.known >= limit {
			return nil
		}
		isNew, err := b.request(ctx, r, t, &o.page.Found[i])
		if err != nil {
			return err
		}
		if isNew {
			o.result.Found++
			t.known++
			r.KnownRequests++
		}
	}
	return nil
}

// request adds one request unless the task has it.
func (b *batch) request(ctx context.Context, r *batchRun, t *taskRow, q *shoal.Request) (isNew bool, err error) {
	seq := r.frontierSeq + 1
	if b.s.db.dialect == Postgres {
		key := requestKey{t.seq, q.Digest}
		if r.known[key] {
			return false, nil
		}
		r.known[key] = true
		r.newFound = append(r.newFound, newRequest{seq, t.seq, q})
		r.frontierSeq = seq
		r.wait(seq, t.seq, q)
		return true, nil
	}
	n, err := b.tx.execEach(ctx, offerRequest, r.PK, seq, t.seq, q.Digest[:], q.URL, q.Page, int64(q.Depth),
		bytesOrNull(q.Carry), bytesOrNull(q.Extra))
	if err != nil {
		return false, fmt.Errorf("add request: %w", err)
	}
	if n == 0 {
		return false, nil
	}
	r.frontierSeq = seq
	r.wait(seq, t.seq, q)
	return true, nil
}

// flushRequests writes the ends of requests, and on PostgreSQL the new ones.
func (b *batch) flushRequests(ctx context.Context, r *batchRun) error {
	err := b.tx.exec(ctx, updateRequests, len(r.ended), func(i int, args []any) {
		args[0], args[1], args[2] = r.PK, r.ended[i].seq, r.ended[i].state
	})
	if err != nil {
		return fmt.Errorf("end requests: %w", err)
	}
	err = b.tx.exec(ctx, insertRequests, len(r.newFound), func(i int, args []any) {
		n := &r.newFound[i]
		args[0], args[1], args[2], args[3], args[4], args[5] = r.PK, n.seq, n.task, n.req.Digest[:], n.req.URL, n.req.Page
		args[6], args[7], args[8] = int64(n.req.Depth), bytesOrNull(n.req.Carry), bytesOrNull(n.req.Extra)
	})
	if err != nil {
		return fmt.Errorf("add requests: %w", err)
	}
	return nil
}
