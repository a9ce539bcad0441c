package store

import (
	"cmp"
	"container/list"
	"context"
	"slices"
	"sync"
	"time"

	"shoal"
)

// cachedRuns bounds the run cache. A run is about 1 KB.
const cachedRuns = 4096

// runCache holds recent runs of the embedded database, where this process is
// the only writer. It is never stale: every transaction that changes a run
// publishes the new state after its commit and before anyone is told of it. A
// reader that missed keeps what it read only if nothing was published since it
// began to read. On PostgreSQL nothing is cached.
type runCache struct {
	mu      sync.Mutex
	byID    map[shoal.RunID]*list.Element // of *cachedRun
	ids     map[int64]shoal.RunID
	recent  *list.List // front: used last
	version uint64     // grows with each publication
	waiters map[shoal.RunID]chan struct{}
}

type cachedRun struct {
	id  shoal.RunID
	row *runRow
}

func newRunCache() *runCache {
	return &runCache{
		byID: map[shoal.RunID]*list.Element{}, ids: map[int64]shoal.RunID{},
		recent: list.New(), waiters: map[shoal.RunID]chan struct{}{},
	}
}

// get returns the run, or nil and the version to pass to fill.
func (c *runCache) get(id shoal.RunID) (*runRow, uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.byID[id]; e != nil {
		c.recent.MoveToFront(e)
		return e.Value.(*cachedRun).row, c.version
	}
	return nil, c.version
}

// byPK is get by primary key.
func (c *runCache) byPK(pk int64) *runRow {
	c.mu.Lock()
	id, ok := c.ids[pk]
	c.mu.Unlock()
	if !ok {
		return nil
	}
	row, _ := c.get(id)
	return row
}

// fill keeps what a reader read, unless something was published meanwhile.
func (c *runCache) fill(row *runRow, version uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.version == version {
		c.put(row)
	}
}

// publish makes row the run's state and wakes who waits for a change.
func (c *runCache) publish(row *runRow) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.version++
	c.put(row)
	c.wake(row.ID)
}

// drop forgets a run that was changed by a statement.
func (c *runCache) drop(id shoal.RunID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.version++
	if e := c.byID[id]; e != nil {
		c.remove(e)
	}
	c.wake(id)
}

// changed returns a channel that is closed at the run's next publication.
func (c *runCache) changed(id shoal.RunID) <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	ch := c.waiters[id]
	if ch == nil {
		ch = make(chan struct{})
		c.waiters[id] = ch
	}
	return ch
}

func (c *runCache) put(row *runRow) {
	if e := c.byID[row.ID]; e != nil {
		e.Value.(*cachedRun).row = row
		c.recent.MoveToFront(e)
		return
	}
	c.byID[row.ID] = c.recent.PushFront(&cachedRun{id: row.ID, row: row})
	c.ids[row.PK] = row.ID
	if c.recent.Len() > cachedRuns {
		c.remove(c.recent.Back())
	}
}

func (c *runCache) remove(e *list.Element) {
	run := e.Value.(*cachedRun)
	c.recent.Remove(e)
	delete(c.byID, run.id)
	delete(c.ids, run.row.PK)
}

func (c *runCache) wake(id shoal.RunID) {
	if ch := c.waiters[id]; ch != nil {
		close(ch)
		delete(c.waiters, id)
	}
}

// runByID reads a run, from memory on the embedded database.
func (s *Store) runByID(ctx context.Context, id shoal.RunID) (*runRow, error) {
	var version uint64
	if s.runs != nil {
		row, v := s.runs.get(id)
		if row != nil {
			return row, nil
		}
		version = v
	}
	row, err := scanRun(s.read.QueryRowContext(ctx, `SELECT `+runColumns+runFrom+` WHERE r.id = $1`, string(id)))
	if err == nil && s.runs != nil {
		s.runs.fill(row, version)
	}
	return row, err
}

// RunByID returns a run by id alone; only the engine may call it.
func (s *Store) RunByID(ctx context.Context, id shoal.RunID) (shoal.Run, error) {
	row, err := s.runByID(ctx, id)
	if err != nil {
		return shoal.Run{}, err
	}
	return row.Run, nil
}

// Run returns a run of a workspace.
func (s *Store) Run(ctx context.Context, ws shoal.WorkspaceID, id shoal.RunID) (shoal.Run, error) {
	row, err := s.runByID(ctx, id)
	if err != nil {
		return shoal.Run{}, err
	}
	if row.WorkspaceID != ws || row.deleted {
		return shoal.Run{}, shoal.ErrRunNotFound
	}
	return s.shown(ctx, row)
}

// shown is a run as it is shown to people.
func (s *Store) shown(ctx context.Context, row *runRow) (shoal.Run, error) {
	r := row.Run
	err := s.nextLaunch(ctx, s.read, &r)
	return r, err
}

// SharedRun returns a run whose results are public, whoever asks.
func (s *Store) SharedRun(ctx context.Context, id shoal.RunID) (shoal.Run, error) {
	row, err := s.runByID(ctx, id)
	if err != nil {
		return shoal.Run{}, err
	}
	if !row.Shared || row.deleted {
		return shoal.Run{}, shoal.ErrRunNotFound
	}
	return s.shown(ctx, row)
}

// pollRun is how often WaitRun looks on PostgreSQL, where another machine may
// have changed the run.
const pollRun = time.Second

// WaitRun returns when the run's status or, with progress, any counter has
// changed since the caller saw seen, or when ctx ends (with its error).
func (s *Store) WaitRun(ctx context.Context, id shoal.RunID, seen shoal.Run, progress bool) (shoal.Run, error) {
	for {
		signal, stop := s.nextLook(id)
		run, err := s.RunByID(ctx, id)
		if err != nil || moved(&seen, &run, progress) {
			stop()
			if err == nil {
				err = s.nextLaunch(ctx, s.read, &run)
			}
			return run, err
		}
		select {
		case <-signal:
			stop()
		case <-ctx.Done():
			stop()
			return run, ctx.Err()
		}
	}
}

// nextLook returns what says that the run should be looked at again.
func (s *Store) nextLook(id shoal.RunID) (signal <-chan struct{}, stop func()) {
	if s.runs != nil {
		return s.runs.changed(id), func() {}
	}
	ch := make(chan struct{})
	t := time.AfterFunc(pollRun, func() { close(ch) })
	return ch, func() { t.Stop() }
}

// moved reports whether b is another state than a.
func moved(a, b *shoal.Run, progress bool) bool {
	if a.Status != b.Status || a.DoneReason != b.DoneReason {
		return true
	}
	return progress && (a.EventSeq != b.EventSeq || a.TotalResults != b.TotalResults || a.TotalRequests != b.TotalRequests ||
		a.KnownRequests != b.KnownRequests || a.TasksDone != b.TasksDone || a.DoneReasonDesc != b.DoneReasonDesc ||
		a.ExportDone != b.ExportDone || a.ExportCount != b.ExportCount || a.Shared != b.Shared)
}

func sortRuns(runs []shoal.Run) {
	slices.SortFunc(runs, func(a, b shoal.Run) int { return cmp.Compare(a.PK, b.PK) })
}

// publishRun makes row visible once the transaction of ctx is durable.
func (s *Store) publishRun(ctx context.Context, row *runRow) {
	if s.runs != nil {
		s.afterCommit(ctx, func() { s.runs.publish(row) })
	}
}

// forgetRun makes readers read a run anew once the transaction of ctx, which
// changed it by a statement, is durable.
func (s *Store) forgetRun(ctx context.Context, id shoal.RunID) {
	if s.runs != nil {
		s.afterCommit(ctx, func() { s.runs.drop(id) })
	}
}
