package store_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"shoal"
	"shoal/internal/store/storetest"
)

// The model of a run: what it must be after any sequence of pages.
type model struct {
	settings shoal.RunSettings
	tasks    []modelTask
	rows     map[string]int // name -> owner
	links    map[string]bool
	total    int64
	requests int64
}

type modelTask struct {
	ended   bool
	failed  bool
	known   map[string]bool // found requests
	waiting int             // requests not ended
	done    int
	bad     int
	results int64
}

func newModel(tasks int, s shoal.RunSettings) *model {
	m := &model{settings: s, tasks: make([]modelTask, tasks), rows: map[string]int{}, links: map[string]bool{}}
	for i := range m.tasks {
		m.tasks[i] = modelTask{known: map[string]bool{}, waiting: 1}
	}
	return m
}

// page applies a page of task i as CommitPage is specified to.
func (m *model) page(i int, p *shoal.Page, names, found []string) {
	t := &m.tasks[i]
	if p.End == shoal.PageReleased {
		return
	}
	m.requests++
	if t.ended {
		return
	}
	for _, name := range names {
		if m.settings.MaxResults > 0 && t.results >= m.settings.MaxResults {
			break
		}
		m.row(i, name)
	}
	for _, url := range found {
		if p.CloseTask || m.settings.MaxRequests > 0 && int64(1+len(t.known)) >= m.settings.MaxRequests {
			break
		}
		if !t.known[url] {
			t.known[url] = true
			t.waiting++
		}
	}
	t.waiting--
	t.done++
	if p.End == shoal.PageFailed {
		t.bad++
	}
	switch {
	case p.CloseTask, m.settings.MaxResults > 0 && t.results >= m.settings.MaxResults:
		t.ended = true
	case t.waiting == 0:
		t.ended, t.failed = true, t.bad == t.done
	}
	if u := m.settings.MaxUniqueResults; u > 0 && int64(len(m.rows)) >= u {
		for j := range m.tasks {
			m.tasks[j].ended = true
		}
	}
}

func (m *model) row(i int, name string) {
	owner, known := m.rows[name]
	if u := m.settings.MaxUniqueResults; !known && u > 0 && int64(len(m.rows)) >= u {
		return
	}
	m.total++
	m.tasks[i].results++
	switch {
	case !known:
		m.rows[name] = i
	case owner != i:
		m.links[fmt.Sprint(i, name)] = true
	}
}

func (m *model) ended() (done, failed int64) {
	for _, t := range m.tasks {
		if t.ended {
			done++
		}
		if t.failed {
			failed++
		}
	}
	return done, failed
}

// Whatever pages come in whatever order, run and model agree, and so do the
// run's own books.
func TestModel(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e *storetest.Env) {
		rapid.Check(t, func(rt *rapid.T) { checkModel(t, rt, e) })
	})
}

func checkModel(t *testing.T, rt *rapid.T, e *storetest.Env) {
	tasks := rapid.IntRange(1, 4).Draw(rt, "tasks")
	settings := shoal.RunSettings{Concurrency: 2, CreditsPerRow: 3,
		MaxResults:       rapid.SampledFrom([]int64{0, 0, 5}).Draw(rt, "max results"),
		MaxUniqueResults: rapid.SampledFrom([]int64{0, 0, 0, 7}).Draw(rt, "max unique"),
		MaxRequests:      rapid.SampledFrom([]int64{0, 0, 4}).Draw(rt, "max requests"),
	}
	run := e.Run(t, e.Squid(t, tasks), settings)
	m := newModel(tasks, settings)
	leases := []shoal.Lease{e.Lease(t, run.ID, 0), e.Lease(t, run.ID, 1)}
	for range rapid.IntRange(1, 12).Draw(rt, "steps") {
		l := leases[rapid.IntRange(0, 1).Draw(rt, "slot")]
		work := e.Claim(t, l, rapid.IntRange(1, 3).Draw(rt, "claim"))
		if rapid.IntRange(0, 9).Draw(rt, "fault") == 0 {
			leases = takeOver(t, e, run.ID, leases)
			for _, w := range work {
				if _, err := e.Store.CommitPage(t.Context(), storetest.Page(l, w, storetest.Row("late"))); !errors.Is(err, shoal.ErrFenced) {
					rt.Fatalf("a page of a former holder: %v, want ErrFenced", err)
				}
			}
			continue
		}
		// Pages that cannot be told apart by their order go one by one; a second
		// slot's pages of other tasks go at the same time in TestConcurrentCommits.
		for _, w := range work {
			modelPage(t, rt, e, m, l, w)
		}
	}
	compare(t, rt, e, run.ID, m)
}

func modelPage(t *testing.T, rt *rapid.T, e *storetest.Env, m *model, l shoal.Lease, w shoal.Work) {
	names := rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "c", "d", "e", "f", "g", "h", "i", "j"}), 0, 4).Draw(rt, "rows")
	found := rapid.SliceOfN(rapid.SampledFrom([]string{"1", "2", "3", "4", "5"}), 0, 4).Draw(rt, "found")
	var rows []shoal.Row
	for _, n := range names {
		rows = append(rows, storetest.Row(n))
	}
	p := storetest.Page(l, w, rows...)
	for _, f := range found {
		p.Found = append(p.Found, storetest.Found(f))
	}
	p.End = rapid.SampledFrom([]shoal.PageEnd{shoal.PageDone, shoal.PageDone, shoal.PageDone, shoal.PageFailed, shoal.PageReleased}).Draw(rt, "end")
	if p.End == shoal.PageFailed {
		p.Rows, p.Found, names, found = nil, nil, nil, nil
	}
	if p.CloseTask = rapid.IntRange(0, 7).Draw(rt, "close") == 0; p.CloseTask {
		p.CloseReason = shoal.TaskFetchSince
	}
	// The same page from two goroutines counts once.
	var wg sync.WaitGroup
	errs := make([]error, 2)
	for i := range errs {
		wg.Go(func() {
			twin := *p
			_, errs[i] = e.Store.CommitPage(t.Context(), &twin)
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil && !errors.Is(err, shoal.ErrFenced) {
			rt.Fatal(err)
		}
	}
	if errs[0] != nil == (errs[1] != nil) {
		rt.Fatalf("a page committed twice at once: %v and %v, want one of them fenced", errs[0], errs[1])
	}
	m.page(int(w.TaskSeq)-1, p, names, found)
}

// takeOver ends every lease, as the start of a process does, and takes new ones.
func takeOver(t *testing.T, e *storetest.Env, run shoal.RunID, old []shoal.Lease) []shoal.Lease {
	t.Helper()
	if err := e.Store.Reconcile(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	var leases []shoal.Lease
	for i := range old {
		leases = append(leases, e.Lease(t, run, i))
	}
	return leases
}

func compare(t *testing.T, rt *rapid.T, e *storetest.Env, id shoal.RunID, m *model) {
	got, err := e.Store.RunByID(t.Context(), id)
	if err != nil {
		rt.Fatal(err)
	}
	done, failed := m.ended()
	pairs := map[string][2]int64{
		"unique results": {got.UniqueResults, int64(len(m.rows))},
		"total results":  {got.TotalResults, m.total},
		"requests":       {got.TotalRequests, m.requests},
		"tasks done":     {got.TasksDone, done},
		"tasks failed":   {got.TasksFailed, failed},
		"credits":        {int64(got.CreditsUsed), int64(3 * len(m.rows))},
		"links":          {e.Int(t, `SELECT count(*) FROM result_links WHERE run_pk = $1`, got.PK), int64(len(m.links))},
	}
	for what, n := range pairs {
		if n[0] != n[1] {
			rt.Errorf("%s: %d, the model has %d", what, n[0], n[1])
		}
	}
	storetest.Check(t, e, id)
	if t.Failed() {
		rt.FailNow()
	}
}
