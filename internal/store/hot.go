package store

import (
	"bytes"
	"strings"

	"shoal"
)

// Bounds of what the writer remembers.
const (
	hotRuns    = 64      // runs, and workspaces
	hotTasks   = 1 << 14 // run tasks, and as many claimed requests, of one run
	hotPending = 1024    // requests of one run that wait; about 400 bytes each
)

// hotState is what the writer knows from the batch before, on SQLite: what this
// process alone changes need not be read back for every batch. It holds what a
// batch that was committed has read and written, so it is what is stored until
// anybody else writes: whoever takes the turn forgets it (see takeTurn), and so
// does a batch that fails. It is guarded by the turn. On PostgreSQL, where others
// write, every batch begins with an empty one.
type hotState struct {
	runs map[int64]*hotRun
	wss  map[int64]*batchWorkspace // unlimited ones: of the others every credit counts
}

// hotRun is what is known of a run besides its row, which is in the run cache.
type hotRun struct {
	leases  map[int]leaseRow // nil: not read; all of the run otherwise
	tasks   map[int64]*taskRow
	states  map[int64]requestState // of claimed requests and of the pages'
	hasSeq  bool                   // nextSeq has been read
	nextSeq int64                  // of the squid
	// pending are the first of the requests that nobody works on, in order; with
	// whole they are all.
	pending []shoal.Work
	whole   bool
}

// takeHot returns what is known and forgets it: it is kept again only when the
// transaction that goes on with it has been committed.
func (s *Store) takeHot() *hotState {
	h := s.hot
	s.hot = nil
	if h == nil {
		h = &hotState{runs: map[int64]*hotRun{}, wss: map[int64]*batchWorkspace{}}
	}
	return h
}

func (h *hotState) run(pk int64) *hotRun {
	r := h.runs[pk]
	if r == nil {
		r = &hotRun{tasks: map[int64]*taskRow{}, states: map[int64]requestState{}}
		h.runs[pk] = r
	}
	return r
}

// wait adds a new request to those that wait, if they are known to be all. The
// page's memory is its caller's.
func (r *hotRun) wait(seq, task int64, q *shoal.Request) {
	if !r.whole {
		return
	}
	if r.whole = len(r.pending) < hotPending; !r.whole {
		return
	}
	c := *q
	c.Seq, c.Attempts = seq, 0
	c.URL, c.Page, c.Carry, c.Extra = strings.Clone(q.URL), strings.Clone(q.Page), bytes.Clone(q.Carry), bytes.Clone(q.Extra)
	r.pending = append(r.pending, shoal.Work{TaskSeq: task, Request: c})
}

// keepHot keeps what b knows once its transaction is committed: without what is
// over, and without runs whose tasks were ended by a statement.
func (b *batch) keepHot() {
	if b.s.db.dialect != SQLite {
		return
	}
	for _, r := range b.runs {
		if r.missing || r.closed || r.TasksDone >= r.TasksTotal || len(r.tasks) > hotTasks || len(r.states) > hotTasks {
			delete(b.hot.runs, r.PK)
			continue
		}
		for _, t := range r.changed {
			if t.changed = false; t.ended() {
				delete(r.tasks, t.seq)
			}
		}
		for _, q := range r.ended {
			delete(r.states, q.seq)
		}
	}
	for _, w := range b.wss {
		if w.charged = 0; !w.limited() {
			b.hot.wss[w.pk] = w
		}
	}
	dropSome(b.hot.runs)
	dropSome(b.hot.wss)
	b.s.hot = b.hot
}

// dropSome makes m small enough to be kept.
func dropSome[T any](m map[int64]T) {
	for pk := range m {
		if len(m) <= hotRuns {
			return
		}
		delete(m, pk)
	}
}
