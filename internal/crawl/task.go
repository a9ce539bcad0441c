package crawl

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"sync"

	"golang.org/x/net/publicsuffix"

	"shoal"
	"shoal/internal/extract"
)

// Task is what the requests of one run task share: params, cookies, and how
// much of the task's cap on pages they have used. It is safe for concurrent use.
type Task struct {
	extract extract.Task
	start   shoal.Request
	jar     http.CookieJar

	mu      sync.Mutex
	pages   int64         // requests ended or under way
	open    int           // requests under way: begun, not settled
	closed  bool          // the cap on pages has ended the task
	changed chan struct{} // closed when a request settles, if anybody waits
}

// Task makes the shared state of w's run task. Its count of pages goes on
// from the store's, so that the cap holds across restarts. The error says what is
// wrong with the task's params.
func (c *Crawl) Task(w *shoal.Work) (*Task, error) {
	t := &Task{pages: w.TaskPages}
	t.extract.Seq = w.TaskSeq
	if err := json.Unmarshal(w.TaskParams, &t.extract.Params); err != nil {
		return nil, fmt.Errorf("read the task's params: %w", err)
	}
	start, err := c.plan.Start(&t.extract)
	if err != nil {
		return nil, err
	}
	t.start = start
	t.jar, err = cookiejar.New(&cookiejar.Options{PublicSuffixList: publicsuffix.List})
	return t, err
}

// Idle reports whether none of the task's requests is under way.
func (t *Task) Idle() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.open == 0
}

// begin admits a request. ok is false when the task has ended or has used up
// max requests (0: no cap); last is true for the one that uses them up.
func (t *Task) begin(max int64) (last, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed || max > 0 && t.pages >= max {
		return false, false
	}
	t.pages++
	t.open++
	return t.pages == max, true
}

// settle ends a request. committed says that its page is in the store; a lost
// one does not count.
func (t *Task) settle(closes, committed bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.open--
	if !committed {
		t.pages--
	}
	t.closed = t.closed || closes && committed
	if t.changed != nil {
		close(t.changed)
		t.changed = nil
	}
}

// waitAlone waits until the caller's is the only request of the task under way.
func (t *Task) waitAlone(ctx context.Context) error {
	for {
		t.mu.Lock()
		if t.open == 1 {
			t.mu.Unlock()
			return nil
		}
		if t.changed == nil {
			t.changed = make(chan struct{})
		}
		changed := t.changed
		t.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
