package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"shoal"
	"shoal/internal/jobs"
)

// batch is one transaction of the writer. Rows are locked in the order
// workspaces, squids, accounts, runs, each by primary key; the lock on a run guards its
// leases, run tasks and frontier.
type batch struct {
	s    *Store
	tx   *hotTx
	now  int64
	hot  *hotState
	runs []*batchRun // by primary key
	wss  map[int64]*batchWorkspace
	// Of pages that were fetched with accounts; nil: there are none.
	accounts map[int64]*batchAccount
	uses     map[useKey]useCount
}

// batchRun is a run as the batch changes it.
type batchRun struct {
	runRow // a copy: written and published at the end
	*hotRun
	missing bool       // there is no such run
	touched bool       // counters changed
	changed []*taskRow // to be written
	pages   []*op      // in order of arrival
	claims  []*op
	events  []event
	ws      *batchWorkspace
	was     shoal.Run // as it was
	// Results.
	wasSeq  int64
	owners  map[shoal.Digest]owner // of the pages' rows that the run has
	digests *digestSet             // of a run that stores results
	moved   []shoal.Digest         // on their way to result_keys, on SQLite
	newRows []newRow
	links   []link
	charges map[string]*charge
	full    bool // max_unique_results is reached
	closed  bool // and every task was ended for it
	// Requests.
	ended    []requestState // to be written
	known    map[requestKey]bool
	newFound []newRequest
}

type leaseRow struct {
	owner     string
	token     int64
	expiresAt int64
}

// batchWorkspace is what a workspace has left to spend.
type batchWorkspace struct {
	pk        int64
	available shoal.Credits // negative: unlimited
	consumed  shoal.Credits
	extra     shoal.Credits // bonus and rollover
	period    int64
	charged   shoal.Credits // by this batch
}

// limited reports whether the workspace may run out.
func (w *batchWorkspace) limited() bool { return w.available >= 0 }

// left is what can still be spent.
func (w *batchWorkspace) left() shoal.Credits {
	return w.available + w.extra - w.consumed - w.charged
}

func newBatch(s *Store, tx *hotTx) *batch {
	return &batch{s: s, tx: tx, hot: s.takeHot(), wss: map[int64]*batchWorkspace{}}
}

// apply carries out ops: pages first, then claims, which may take what the
// pages found or released.
func (b *batch) apply(ctx context.Context, ops []*op) error {
	b.sort(ops)
	if err := b.lock(ctx); err != nil {
		return err
	}
	if err := b.fence(ctx); err != nil {
		return err
	}
	if err := b.load(ctx); err != nil {
		return err
	}
	for _, r := range b.runs {
		for _, o := range r.pages {
			if err := b.page(ctx, r, o); err != nil {
				return err
			}
		}
		if err := b.flush(ctx, r); err != nil {
			return err
		}
		if err := b.claim(ctx, r); err != nil {
			return err
		}
	}
	if err := b.flushUses(ctx); err != nil {
		return err
	}
	return b.charge(ctx)
}

// sort gives each run its ops.
func (b *batch) sort(ops []*op) {
	byPK := map[int64]*batchRun{}
	for _, o := range ops {
		r := byPK[o.lease.RunPK]
		if r == nil {
			r = &batchRun{hotRun: b.hot.run(o.lease.RunPK)}
			r.PK = o.lease.RunPK
			byPK[r.PK] = r
			b.runs = append(b.runs, r)
		}
		if o.page == nil {
			r.claims = append(r.claims, o)
		} else {
			r.pages = append(r.pages, o)
		}
	}
	slices.SortFunc(b.runs, func(x, y *batchRun) int { return cmp.Compare(x.PK, y.PK) })
}

// hasRows reports whether the run's pages may store results.
func (r *batchRun) hasRows() bool {
	return slices.ContainsFunc(r.pages, func(o *op) bool { return len(o.page.Rows) > 0 })
}

// lock locks and loads workspaces, squids and runs.
func (b *batch) lock(ctx context.Context) error {
	now, err := b.s.clock(ctx, b.tx)
	if err != nil {
		return err
	}
	b.now = now
	if err := b.lockOwners(ctx); err != nil {
		return err
	}
	if err := b.lockUses(ctx); err != nil {
		return err
	}
	for _, r := range b.runs {
		row, err := b.s.lockRun(ctx, b.tx, `r.pk = $1`, r.PK)
		if errors.Is(err, shoal.ErrRunNotFound) {
			r.missing = true
			continue
		}
		if err != nil {
			return err
		}
		r.runRow, r.was = *row, row.Run
	}
	return nil
}

const (
	selectRunOwners = `SELECT workspace_pk, squid_pk FROM runs WHERE pk = $1`
	selectSquidSeq  = `SELECT next_seq FROM squids WHERE pk = $1`
	selectPlan      = `SELECT credits_available, credits_consumed, credits_bonus + credits_rollover, period
		FROM workspaces WHERE pk = $1`
	selectLeases = `SELECT slot, owner, token, expires_at FROM leases WHERE run_pk = $1 AND owner IS NOT NULL`
)

// lockOwners locks the workspaces and squids of the runs that store results.
func (b *batch) lockOwners(ctx context.Context) error {
	var storing []*batchRun
	for _, r := range b.runs {
		if !r.hasRows() {
			continue
		}
		err := b.readOwners(ctx, r)
		if errors.Is(err, sql.ErrNoRows) {
			continue // found missing when it is locked
		}
		if err != nil {
			return fmt.Errorf("read what run %d belongs to: %w", r.PK, err)
		}
		storing = append(storing, r)
	}
	slices.SortFunc(storing, func(x, y *batchRun) int { return cmp.Compare(x.workspacePK, y.workspacePK) })
	for _, r := range storing {
		if err := b.lockWorkspace(ctx, r); err != nil {
			return err
		}
	}
	slices.SortFunc(storing, func(x, y *batchRun) int { return cmp.Compare(x.SquidPK, y.SquidPK) })
	for _, r := range storing {
		if !r.hasSeq {
			err := b.tx.QueryRowContext(ctx, selectSquidSeq+b.s.db.dialect.forUpdate(), r.SquidPK).Scan(&r.nextSeq)
			if err != nil {
				return fmt.Errorf("lock squid %d: %w", r.SquidPK, err)
			}
		}
		r.hasSeq, r.wasSeq = true, r.nextSeq
	}
	return nil
}

// readOwners reads what a run belongs to. That never changes: no lock is needed.
func (b *batch) readOwners(ctx context.Context, r *batchRun) error {
	if b.s.runs != nil {
		if row := b.s.runs.byPK(r.PK); row != nil {
			r.workspacePK, r.SquidPK = row.workspacePK, row.SquidPK
			return nil
		}
	}
	return b.tx.QueryRowContext(ctx, selectRunOwners, r.PK).Scan(&r.workspacePK, &r.SquidPK)
}

func (b *batch) lockWorkspace(ctx context.Context, r *batchRun) error {
	if r.ws = b.wss[r.workspacePK]; r.ws != nil {
		return nil
	}
	w := b.hot.wss[r.workspacePK]
	if w == nil {
		w = &batchWorkspace{pk: r.workspacePK}
		err := b.tx.QueryRowContext(ctx, selectPlan+b.s.db.dialect.forUpdate(), w.pk).
			Scan(&w.available, &w.consumed, &w.extra, &w.period)
		if err != nil {
			return fmt.Errorf("lock workspace %d: %w", w.pk, err)
		}
	}
	b.wss[w.pk], r.ws = w, w
	return nil
}

// fence drops the ops whose lease is not in force from the batch.
func (b *batch) fence(ctx context.Context) error {
	for _, r := range b.runs {
		// Pages in flight when the run was paused may still commit.
		if !r.missing && r.leases == nil && (r.Status == shoal.RunRunning || r.Status == shoal.RunPaused) {
			if err := b.loadLeases(ctx, r); err != nil {
				return err
			}
		}
		r.pages = slices.DeleteFunc(r.pages, func(o *op) bool { return b.fenced(r, o) })
		r.claims = slices.DeleteFunc(r.claims, func(o *op) bool { return b.fenced(r, o) })
	}
	return nil
}

func (b *batch) loadLeases(ctx context.Context, r *batchRun) error {
	r.leases = map[int]leaseRow{}
	err := b.tx.scan(ctx, selectLeases, []any{r.PK}, func(rows *sql.Rows) error {
		var slot int
		var l leaseRow
		if err := rows.Scan(&slot, &l.owner, &l.token, &l.expiresAt); err != nil {
			return err
		}
		r.leases[slot] = l
		return nil
	})
	if err != nil {
		return fmt.Errorf("read leases of run %s: %w", r.ID, err)
	}
	return nil
}

// fenced refuses o unless its lease is in force. No lease is loaded of a run
// that is neither running nor paused.
func (b *batch) fenced(r *batchRun, o *op) bool {
	l, ok := r.leases[o.lease.Slot]
	if o.page == nil && r.Status != shoal.RunRunning {
		ok = false // a paused run gives no work out
	}
	if ok && l.owner == o.lease.Owner && l.token == o.lease.Token && l.expiresAt > b.now {
		return false
	}
	o.err = shoal.ErrFenced
	return true
}

// clock is the time by which leases are judged, in microseconds: the
// database's own, so that machines need not agree.
func (s *Store) clock(ctx context.Context, q querier) (int64, error) {
	expr := s.db.dialect.now()
	if expr == "" {
		return micros(s.now()), nil
	}
	var now int64
	if err := q.QueryRowContext(ctx, `SELECT `+expr).Scan(&now); err != nil {
		return 0, fmt.Errorf("read the database's clock: %w", err)
	}
	return now, nil
}

// lockRun returns the run that where selects, locked for change. On SQLite the
// caller holds the turn, so that what was published last is what is stored.
func (s *Store) lockRun(ctx context.Context, q querier, where string, arg any) (*runRow, error) {
	if s.runs != nil {
		var row *runRow
		switch arg := arg.(type) {
		case int64:
			row = s.runs.byPK(arg)
		case shoal.RunID:
			row, _ = s.runs.get(arg)
		}
		if row != nil {
			return row, nil
		}
	}
	if id, ok := arg.(shoal.RunID); ok {
		arg = string(id)
	}
	return scanRun(q.QueryRowContext(ctx, `SELECT `+runColumns+runFrom+` WHERE `+where+s.db.dialect.forUpdateOf("r"), arg))
}

// finishJob is the job that exports and ends a run.
func finishJob(id shoal.RunID) jobs.Job {
	return jobs.New(jobs.KindFinish, jobs.RunArgs{Run: string(id)})
}
