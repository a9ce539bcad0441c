package runs

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"shoal"
	"shoal/internal/crawl"
)

const (
	// linger is how long a session waits for the next slot job of its run, so
	// that what it knows outlives the seam between two jobs.
	linger = 10 * time.Second
	// maxTasks is how many tasks a session keeps.
	maxTasks = 1024
	// maxQuiet is for how many tasks a session counts pages without new rows.
	maxQuiet = 100_000
)

// sessions are the runs that this process works for.
type sessions struct {
	mu      sync.Mutex
	byRun   map[shoal.RunID]*session
	stopped bool
}

func newSessions() *sessions { return &sessions{byRun: map[shoal.RunID]*session{}} }

var errStopping = &shoal.Error{Kind: shoal.KindUnavailable, Code: "SomethingWentWrong", Message: "the server is shutting down"}

// join returns the run's session for one more slot. It waits for a former
// session that is still draining. load, called for a new session, fills it in;
// its error is returned to everybody who waited for it.
func (ss *sessions) join(ctx context.Context, id shoal.RunID, load func(*session) error) (*session, error) {
	for {
		ss.mu.Lock()
		if ss.stopped {
			ss.mu.Unlock()
			return nil, errStopping
		}
		ses := ss.byRun[id]
		if ses != nil && ses.draining() {
			if ses.refs > 0 {
				ss.mu.Unlock()
				select {
				case <-ses.gone:
					continue
				case <-ctx.Done():
					return nil, ctx.Err()
				}
			}
			ss.drop(ses)
			ses = nil
		}
		if ses == nil {
			ses = newSession(id)
			ss.byRun[id] = ses
		}
		ses.refs++
		ss.mu.Unlock()
		ses.load.Do(func() { ses.err = load(ses) })
		if ses.err != nil {
			err := ses.err
			ses.kill()
			ss.leave(ses)
			return nil, err
		}
		return ses, nil
	}
}

// leave ends one slot's use of a session.
func (ss *sessions) leave(ses *session) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	ses.refs--
	ses.idleSince = time.Now()
	if ses.refs == 0 && ses.draining() {
		ss.drop(ses)
	}
}

// drop forgets a session that no slot uses. The lock is held.
func (ss *sessions) drop(ses *session) {
	if ss.byRun[ses.id] == ses {
		delete(ss.byRun, ses.id)
	}
	ses.end()
}

// sweep drops sessions that no slot has used for a while.
func (ss *sessions) sweep() {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	for _, ses := range ss.byRun {
		if ses.refs == 0 && (ses.draining() || time.Since(ses.idleSince) > linger) {
			ss.drop(ses)
		}
	}
}

// find returns the run's session, or nil.
func (ss *sessions) find(id shoal.RunID) *session {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	return ss.byRun[id]
}

// all returns the sessions there are.
func (ss *sessions) all() []*session {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	out := make([]*session, 0, len(ss.byRun))
	for _, ses := range ss.byRun {
		out = append(out, ses)
	}
	return out
}

// stop drains every session and waits until their slots are through.
func (ss *sessions) stop(grace time.Duration) error {
	ss.mu.Lock()
	ss.stopped = true
	ss.mu.Unlock()
	all := ss.all()
	for _, ses := range all {
		ses.drain(grace)
	}
	ss.sweep()
	deadline := time.NewTimer(grace + 5*time.Second)
	defer deadline.Stop()
	for _, ses := range all {
		select {
		case <-ses.gone:
		case <-deadline.C:
			return errors.New("stop runs: slots did not give their work back in time; it is taken over when their leases expire")
		}
	}
	return nil
}

// session is what the slots of one run in this process share. Nothing in it
// is needed to go on after a kill.
type session struct {
	id   shoal.RunID
	load sync.Once
	err  error // of load

	// Set by load and not changed after.
	run   shoal.Run // as it was then
	crawl *crawl.Crawl

	refs      int       // slots; guarded by sessions.mu
	idleSince time.Time // guarded by sessions.mu

	ctx      context.Context // ends when work for the run has to stop at once
	cancel   context.CancelFunc
	drained  chan struct{} // closed when no more requests may be claimed
	gone     chan struct{} // closed when the last slot has left a draining session
	once     sync.Once
	endOnce  sync.Once
	seen     seenCache
	work     chan struct{}           // one token for each idle slot that may find work
	idle     atomic.Int64            // slots that wait for a token
	pending  atomic.Int64            // requests to do, as the last commit said
	bytes    atomic.Int64            // fetched: before this session, and by it
	requests atomic.Int64            // ended: before this session, and by it
	begun    atomic.Int64            // requests under way, their commits included; counted if there is a cap
	ready    atomic.Bool             // load has filled it in
	progress atomic.Int64            // when the last page was committed, Unix nanoseconds
	stalled  atomic.Bool             // the run's message says that it stands still
	over     atomic.Bool             // the run's tasks have ended
	holding  atomic.Bool             // a slot is sending an event that ends its work
	account  atomic.Pointer[account] // of its requests; nil: none
	checked  atomic.Int64            // when the error budget was last looked at

	switching sync.Mutex // held by who changes account

	mu      sync.Mutex
	tasks   map[int64]*crawl.Task
	workers map[*worker]bool
	slots   map[int]bool // those that a job of this process works
	notes   map[string]bool
	cuts    map[requestID]int
	quiet   map[int64]int // pages in a row without a new row, by task
	done    map[int64]int // tasks that such pages ended, and after how many
}

// requestID names a request of the run.
type requestID struct{ task, seq int64 }

func newSession(id shoal.RunID) *session {
	ses := &session{
		id: id, drained: make(chan struct{}), gone: make(chan struct{}), work: make(chan struct{}, 64),
		tasks: map[int64]*crawl.Task{}, workers: map[*worker]bool{}, slots: map[int]bool{}, notes: map[string]bool{}, cuts: map[requestID]int{},
		quiet: map[int64]int{}, done: map[int64]int{},
	}
	ses.ctx, ses.cancel = context.WithCancel(context.Background())
	return ses
}

// drain stops the claiming; requests in flight have grace to commit.
func (ses *session) drain(grace time.Duration) {
	ses.once.Do(func() {
		close(ses.drained)
		timer := time.AfterFunc(grace, ses.cancel)
		context.AfterFunc(ses.ctx, func() { timer.Stop() })
	})
}

// kill ends all work for the run at once.
func (ses *session) kill() {
	ses.drain(0)
	ses.cancel()
}

func (ses *session) end() {
	ses.endOnce.Do(func() {
		ses.kill()
		close(ses.gone)
	})
}

func (ses *session) draining() bool {
	select {
	case <-ses.drained:
		return true
	default:
		return false
	}
}

// task returns the shared state of w's run task.
func (ses *session) task(w *shoal.Work) (*crawl.Task, error) {
	ses.mu.Lock()
	defer ses.mu.Unlock()
	if t := ses.tasks[w.TaskSeq]; t != nil {
		return t, nil
	}
	t, err := ses.crawl.Task(w)
	if err != nil {
		return nil, err
	}
	if len(ses.tasks) >= maxTasks {
		clear(ses.tasks) // they are made again from their params; only their cookies are lost
	}
	ses.tasks[w.TaskSeq] = t
	return t, nil
}

// forget drops a task that has ended.
func (ses *session) forget(seq int64) {
	ses.mu.Lock()
	defer ses.mu.Unlock()
	delete(ses.tasks, seq)
	delete(ses.quiet, seq)
	delete(ses.done, seq)
}

// countQuiet notes whether a page had new rows, for crawlers that end a task
// when limit pages in a row had none. After a restart it begins anew, which
// costs at most as many pages again.
func (ses *session) countQuiet(task int64, stored, limit int) {
	ses.mu.Lock()
	defer ses.mu.Unlock()
	if stored > 0 {
		delete(ses.quiet, task)
		return
	}
	if len(ses.quiet) >= maxQuiet {
		clear(ses.quiet)
	}
	if ses.quiet[task]++; ses.quiet[task] >= limit {
		ses.done[task] = limit
	}
}

// ended returns after how many pages without a new row the task has ended; 0:
// it has not.
func (ses *session) ended(task int64) int {
	ses.mu.Lock()
	defer ses.mu.Unlock()
	return ses.done[task]
}

// take makes the caller the one job of this process that works a slot.
func (ses *session) take(slot int) bool {
	ses.mu.Lock()
	defer ses.mu.Unlock()
	if ses.slots[slot] {
		return false
	}
	ses.slots[slot] = true
	return true
}

func (ses *session) give(slot int) {
	ses.mu.Lock()
	defer ses.mu.Unlock()
	delete(ses.slots, slot)
}

// cutsOf returns how often a request outlasted the time of its slot.
func (ses *session) cutsOf(w *shoal.Work) int {
	ses.mu.Lock()
	defer ses.mu.Unlock()
	return ses.cuts[requestID{w.TaskSeq, w.Request.Seq}]
}

// countCut counts one more such time, so that it does not happen for ever.
func (ses *session) countCut(w *shoal.Work) {
	ses.mu.Lock()
	defer ses.mu.Unlock()
	ses.cuts[requestID{w.TaskSeq, w.Request.Seq}]++
}

// noteOnce reports whether note is new to this session, as far as it remembers.
func (ses *session) noteOnce(note string) bool {
	ses.mu.Lock()
	defer ses.mu.Unlock()
	if ses.notes[note] || len(ses.notes) >= 64 {
		return false
	}
	ses.notes[note] = true
	return true
}

// announce wakes as many idle slots as there may be work for.
func (ses *session) announce(found int) {
	for range min(int64(found), ses.idle.Load()) {
		select {
		case ses.work <- struct{}{}:
		default:
			return
		}
	}
}

// pages under way, for the message of a run that stands still.
func (ses *session) underWay() []string {
	ses.mu.Lock()
	defer ses.mu.Unlock()
	var urls []string
	for w := range ses.workers {
		if u := w.url.Load(); u != nil {
			urls = append(urls, *u)
		}
	}
	return urls
}
