package runs

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"shoal"
	"shoal/internal/crawl"
	"shoal/internal/fetch"
)

const (
	// maxUncommitted is how many pages of a slot may wait for their commit.
	maxUncommitted = 4
	// maxBatch is the most requests claimed at once, and firstBatch before it is
	// known how long a page takes.
	maxBatch, firstBatch = 16, 4
	// batchTime is what a batch should take, so that slots share fairly and a
	// claim costs little beside the work it brings.
	batchTime = time.Second
	// claimAhead is how many requests before its end a batch's successor is
	// claimed, and slowPage what a page may take at most for that.
	claimAhead = 2
	slowPage   = 250 * time.Millisecond
	// idleTime is how long a slot waits for work before it lets others have
	// its place among the workers.
	idleTime = 5 * time.Second
	// minPoll and maxPoll bound how often an idle slot asks the store.
	minPoll, maxPoll = 200 * time.Millisecond, 2 * time.Second
)

// worker is one slot at work.
type worker struct {
	s     *Service
	ses   *session
	lease shoal.Lease

	url  atomic.Pointer[string] // of the request under way
	lost atomic.Bool            // the lease is not ours any more
	stop context.CancelFunc     // ends the request under way

	queue      chan used // to the committers
	committers int
	wg         sync.WaitGroup
	mu         sync.Mutex
	err        error // first failure of a commit

	// uncommitted counts the pages between the queue and their commit.
	uncommitted atomic.Int64

	pageTime time.Duration // moving average
	ahead    chan claim    // the claim made in advance, nil when none is
}

// claim is what a claim brought.
type claim struct {
	batch []shoal.Work
	err   error
}

func newWorker(s *Service, ses *session, l shoal.Lease) *worker {
	return &worker{s: s, ses: ses, lease: l, queue: make(chan used)}
}

// work claims and works until the slot's time is over, there is nothing to do
// for a while, or the run does not want it any more. All its pages are
// committed, or lost, when it returns.
func (w *worker) work(ctx context.Context) error {
	w.ses.enter(w)
	defer w.ses.exit(w)
	until := time.Now().Add(w.s.config.SlotTime)
	ctx, w.stop = context.WithDeadline(ctx, time.Now().Add(max(hardStop, 2*w.s.config.SlotTime)))
	defer w.stop()
	defer context.AfterFunc(w.ses.ctx, w.stop)()
	commits, end := w.commitContext(ctx)
	defer end()
	defer w.flush()
	defer w.claimed() // what was claimed in advance goes back with the lease

	var idle time.Duration
	for w.wanted(ctx) && time.Now().Before(until) {
		batch, err := w.claim(ctx)
		switch {
		case errors.Is(err, shoal.ErrFenced):
			w.lost.Store(true)
			return nil
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, shoal.ErrStorageFull):
			w.s.disk.found(commits, w.ses)
			return nil
		case err != nil:
			return fmt.Errorf("claim work of run %s: %w", w.ses.id, err)
		case len(batch) == 0:
			if idle >= idleTime {
				return w.failure()
			}
			idle += w.await(ctx, idle)
			continue
		}
		idle = 0
		for i := range batch {
			if !w.wanted(ctx) || !time.Now().Before(until) {
				break // the rest goes back with the lease
			}
			if i >= len(batch)-claimAhead {
				w.claimAhead(ctx)
			}
			w.one(ctx, commits, &batch[i])
		}
	}
	return w.failure()
}

// claim takes what was claimed in advance, or claims now.
func (w *worker) claim(ctx context.Context) ([]shoal.Work, error) {
	if c := w.claimed(); len(c.batch) > 0 || c.err != nil {
		return c.batch, c.err
	}
	return w.s.store.Claim(ctx, w.lease, w.batchSize())
}

// claimAhead begins to claim the next batch while the last requests of this
// one are worked, so that the slot need not wait for it. Where pages take long
// or other slots have nothing to do, work is better left to whoever is free.
func (w *worker) claimAhead(ctx context.Context) {
	if w.ahead != nil || w.pageTime == 0 || w.pageTime > slowPage || w.ses.idle.Load() > 0 {
		return
	}
	ahead, size := make(chan claim, 1), w.batchSize()
	w.ahead = ahead
	go func() {
		batch, err := w.s.store.Claim(ctx, w.lease, size)
		ahead <- claim{batch, err}
	}()
}

// claimed waits for the claim made in advance and returns it.
func (w *worker) claimed() (c claim) {
	if w.ahead != nil {
		c = <-w.ahead
		w.ahead = nil
	}
	return c
}

// commitContext returns the context of the slot's commits: a page that was
// fetched is committed although the slot has to stop, if that takes not long.
func (w *worker) commitContext(ctx context.Context) (context.Context, func()) {
	commits, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		timer := time.AfterFunc(3*time.Second, cancel)
		context.AfterFunc(commits, func() { timer.Stop() })
	})
	return commits, func() { stop(); cancel() }
}

// wanted reports whether the slot may begin another request.
func (w *worker) wanted(ctx context.Context) bool {
	return ctx.Err() == nil && !w.lost.Load() && !w.ses.draining() && w.failure() == nil
}

// batchSize is how many requests to claim: one slot's share of what there is,
// as far as it fits into batchTime.
func (w *worker) batchSize() int {
	share := w.ses.pending.Load() / int64(2*max(1, w.ses.run.Settings.Concurrency))
	n := min(max(share, 1), maxBatch)
	if w.pageTime == 0 {
		return int(min(n, firstBatch))
	}
	return int(min(n, max(1, int64(batchTime/w.pageTime))))
}

// await waits until there may be work, and returns how long it did.
func (w *worker) await(ctx context.Context, idle time.Duration) time.Duration {
	begin := time.Now()
	w.ses.idle.Add(1)
	defer w.ses.idle.Add(-1)
	poll := time.NewTimer(min(max(idle, minPoll), maxPoll))
	defer poll.Stop()
	select {
	case <-w.ses.work:
	case <-w.ses.drained:
	case <-ctx.Done():
	case <-poll.C:
	}
	return time.Since(begin)
}

// one works one request.
func (w *worker) one(ctx, commits context.Context, work *shoal.Work) {
	if !w.mayBegin(ctx) {
		return // the request goes back with the lease
	}
	begin := time.Now()
	task, err := w.ses.task(work)
	if err != nil {
		w.submit(commits, w.unusable(work, err), nil)
		return
	}
	url := task.URL(work)
	if n := w.ses.ended(work.TaskSeq); n > 0 {
		w.submit(commits, w.noMore(work, url, n), nil)
		return
	}
	w.url.Store(&url)
	work.Request.Attempts += w.ses.cutsOf(work)
	step, u, ok := w.request(ctx, commits, task, work, url)
	w.url.Store(nil)
	if !ok {
		w.settled()
		return // the request goes back with the lease
	}
	if step.Note != "" {
		w.s.note(commits, w.ses, step.Note)
	}
	if step.Hold.Reason != shoal.ReasonNone {
		u.settle(nil, 0)
		w.settled()
		w.s.hold(commits, w.ses, step.Hold)
		return // the request goes back with the lease
	}
	if step.Cut {
		w.ses.countCut(work)
	}
	if step.Wait > 0 {
		w.pauseFor(ctx, step.Wait)
	}
	if step.Page == nil {
		u.settle(nil, 0)
		w.submit(commits, w.released(work), nil)
		return
	}
	u.charge(step.Page)
	w.submit(commits, step.Page, u)
	w.pageTime = (3*w.pageTime + time.Since(begin)) / 4
}

// request makes the request with the run's account, and again with the next one
// while the site does not take them. false: the run has to pause.
func (w *worker) request(ctx, commits context.Context, task *crawl.Task, work *shoal.Work, url string) (step crawl.Step, u *use, ok bool) {
	for {
		if u, ok = w.use(ctx, commits, task, work); !ok {
			return step, nil, false
		}
		step = w.step(ctx, task, work, u.jar())
		if u == nil || !shoal.OfAccount(step.Hold.Reason) {
			return step, u, true
		}
		if !w.troubled(commits, u, url, step.Hold) {
			return step, nil, false
		}
	}
}

// step works the request. A page that makes the extractor panic is a failed
// page, else it would stop slot after slot.
func (w *worker) step(ctx context.Context, task *crawl.Task, work *shoal.Work, jar *fetch.Jar) (step crawl.Step) {
	defer func() {
		if p := recover(); p != nil {
			w.s.log.Error("page panicked", "run", w.ses.id, "url", task.URL(work), "panic", p, "stack", string(debug.Stack()))
			page := w.unusable(work, fmt.Errorf("the page could not be read, because of a fault in Shoal: %v", p))
			page.Log.URL = task.URL(work)
			step = crawl.Step{Page: page}
		}
	}()
	return w.ses.crawl.DoAs(ctx, task, work, jar, w.ses.seen.Unseen)
}

// unusable is the page of a request that could not even be begun.
func (w *worker) unusable(work *shoal.Work, err error) *shoal.Page {
	return &shoal.Page{
		TaskSeq: work.TaskSeq, RequestSeq: work.Request.Seq, End: shoal.PageFailed, At: w.s.now(), Desc: err.Error(),
		Log: shoal.RequestLog{Task: work.TaskSeq, URL: work.Request.URL, Error: err.Error()},
	}
}

// noMore ends a task whose last n pages gave nothing new, without the request.
func (w *worker) noMore(work *shoal.Work, url string, n int) *shoal.Page {
	return &shoal.Page{
		TaskSeq: work.TaskSeq, RequestSeq: work.Request.Seq, End: shoal.PageDone, At: w.s.now(),
		CloseTask: true, CloseReason: shoal.TaskCompleted, Desc: fmt.Sprintf("Ended: the last %d pages gave no new row.", n),
		Log: shoal.RequestLog{Task: work.TaskSeq, URL: url, Error: fmt.Sprintf("not requested: the last %d pages gave no new row", n)},
	}
}

func (w *worker) released(work *shoal.Work) *shoal.Page {
	return &shoal.Page{
		TaskSeq: work.TaskSeq, RequestSeq: work.Request.Seq, End: shoal.PageReleased, At: w.s.now(),
		Log: shoal.RequestLog{Task: work.TaskSeq, URL: work.Request.URL, Retry: true},
	}
}

// pauseFor leaves a site alone for d.
func (w *worker) pauseFor(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-w.ses.drained:
	case <-ctx.Done():
	}
}

func (w *worker) failure() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.err
}

func (ses *session) enter(w *worker) {
	ses.mu.Lock()
	defer ses.mu.Unlock()
	ses.workers[w] = true
}

func (ses *session) exit(w *worker) {
	ses.mu.Lock()
	defer ses.mu.Unlock()
	delete(ses.workers, w)
}
